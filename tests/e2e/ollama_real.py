# SPDX-License-Identifier: MIT
"""A real Ollama with tiny models behind ollama.so, for all client APIs. Only in
the long form: it has to be built first (tests/env/ollama-server.sh)."""
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from harness import BOUND, Host, chat, main, sse, until
from llama_real import HERE, TOOLS, counterpart, free_port

EXACT = {"temperature": 0, "seed": 7}
SCHEMA = {"type": "object", "required": ["n", "ok"],
          "properties": {"n": {"type": "integer"}, "ok": {"type": "boolean"}}}


class Ollama:
    def __enter__(self):
        program = counterpart("ollama-server.sh")
        self.dir = tempfile.TemporaryDirectory(prefix="patchbay-ollama-")
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        env = dict(os.environ, HOME=self.dir.name, OLLAMA_DEBUG="1",
                   OLLAMA_HOST="127.0.0.1:%d" % self.port,
                   OLLAMA_MODELS=os.path.join(self.dir.name, "models"),
                   OLLAMA_NUM_PARALLEL="2", OLLAMA_NO_CLOUD="1")
        self.process = subprocess.Popen([program, "serve"], env=env,
                                        stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        until(self._ready, "Ollama", 60)
        with open(counterpart("tiny-model.sh"), "rb") as f:
            self.create("tiny", f.read())
        path = os.path.join(self.dir.name, "embed.gguf")
        subprocess.run([sys.executable,
                        os.path.join(HERE, "..", "env", "make_tiny_gguf.py"),
                        path, "--embed"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(path, "rb") as f:
            self.create("vectors", f.read())
        return self

    def said(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def _ready(self):
        assert self.process.poll() is None, self.said()[-3000:]
        try:
            return self.ask("/api/version", method="GET")[0] == 200
        except OSError:
            return False

    def ask(self, path, body=None, method="POST"):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND * 2)
        data = body if isinstance(body, bytes) else json.dumps(body) \
            if body is not None else None
        c.request(method, path, data)
        r = c.getresponse()
        out = r.status, r.read()
        c.close()
        return out

    def create(self, name, gguf):
        digest = "sha256:" + hashlib.sha256(gguf).hexdigest()
        status, body = self.ask("/api/blobs/" + digest, gguf)
        assert status in (200, 201), (status, body)
        status, body = self.ask("/api/create", {
            "model": name, "files": {name + ".gguf": digest},
            "stream": False})
        assert status == 200 and b"success" in body, (status, body)

    def loaded(self):
        return [m["name"] for m in
                json.loads(self.ask("/api/ps", method="GET")[1])["models"]]

    def __exit__(self, kind, value, tb):
        if kind and not (kind is SystemExit and value.code == 0):
            sys.stderr.write(self.said()[-6000:])
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        self.dir.cleanup()
        return False


ollama = Ollama()
host = None


def ask(body, path="/v1/chat/completions", want=200, **kw):
    status, headers, reply = host.post(path, body, timeout=BOUND * 2, **kw)
    assert status == want, (status, reply[:1000])
    return json.loads(reply) if headers["content-type"].startswith(
        "application/json") else reply


def lines(body):
    return [json.loads(x) for x in body.splitlines() if x]


def test_models_are_listed_with_what_they_can():
    data = {m["id"]: m for m in json.loads(host.get("/v1/models")[2])["data"]}
    tiny = data["o/tiny:latest"]
    assert tiny["context_window"] == 8192, tiny
    assert "tools" in tiny["capabilities"], tiny
    assert "chat" in tiny["capabilities"], tiny
    vectors = data["o/vectors:latest"]
    assert "embeddings" in vectors["capabilities"], vectors
    assert "chat" not in vectors["capabilities"], vectors


def test_chat_whole_and_streamed():
    r = ask(chat("o/tiny", max_tokens=20, **EXACT))
    choice = r["choices"][0]
    assert choice["message"]["content"].strip(), r
    assert choice["finish_reason"] in ("stop", "length"), r
    assert 0 < r["usage"]["completion_tokens"] <= 20, r
    assert r["usage"]["prompt_tokens"] > 0, r
    chunks = [json.loads(e) for e in sse(ask(
        chat("o/tiny", True, max_tokens=20, stream_options={
            "include_usage": True}, **EXACT)))[:-1]]
    text = "".join(c["choices"][0]["delta"].get("content") or ""
                   for c in chunks if c["choices"])
    assert text == choice["message"]["content"]
    assert chunks[-1]["usage"] == r["usage"], chunks[-1]


def test_length_is_told_as_such():
    r = ask(chat("o/tiny", max_tokens=1, **EXACT))
    assert r["choices"][0]["finish_reason"] == "length", r
    assert r["usage"]["completion_tokens"] == 1, r


def test_other_client_apis():
    text = ask(chat("o/tiny", max_tokens=20,
                    **EXACT))["choices"][0]["message"]["content"]
    user = [{"role": "user", "content": "hi"}]
    assert chat("x")["messages"] == user, "the same question"
    r = ask({"model": "o/tiny", "max_tokens": 20, "messages": user,
             "temperature": 0}, "/v1/messages",
            headers={"anthropic-version": "2023-06-01"})
    assert r["content"][0]["text"] == text, r
    assert r["stop_reason"] in ("end_turn", "max_tokens"), r
    r = ask({"model": "o/tiny", "max_output_tokens": 20, "input": user,
             "temperature": 0}, "/v1/responses")
    assert [c["text"] for o in r["output"] if o["type"] == "message"
            for c in o["content"]] == [text], r


def test_ollamas_client_is_passed_through():
    body = {"model": "tiny", "stream": False,
            "messages": [{"role": "user", "content": "hi"}],
            "options": dict(EXACT, num_predict=20)}
    mine = ask(body, "/api/chat")
    theirs = json.loads(ollama.ask("/api/chat", body)[1])
    assert mine["message"] == theirs["message"], (mine, theirs)
    assert set(mine) == set(theirs)
    for key in ("prompt_eval_count", "eval_count", "done_reason"):
        assert mine.get(key) == theirs.get(key), key
    streamed = lines(ask(dict(body, stream=True), "/api/chat"))
    assert streamed[-1]["done"] is True
    assert "".join(x["message"]["content"] for x in streamed) == \
        theirs["message"]["content"]


def test_generate_shows_and_lists():
    whole = ask({"model": "tiny", "prompt": "hi", "stream": False,
                 "options": dict(EXACT, num_predict=8)}, "/api/generate")
    assert whole["response"] and whole["done"], whole
    names = [m["name"] for m in json.loads(host.get("/api/tags")[2])["models"]]
    assert any("tiny" in n for n in names), names
    shown = ask({"model": "tiny"}, "/api/show")
    theirs = json.loads(ollama.ask("/api/show", {"model": "tiny"})[1])
    assert set(shown["capabilities"]) == set(theirs["capabilities"]), shown
    assert shown["model_info"]["llama.context_length"] == 8192, shown
    ps = json.loads(host.get("/api/ps")[2])["models"]
    assert any("tiny" in m["name"] for m in ps), ps


def test_tools_both_ways():
    r = ask(chat("o/tiny", tools=TOOLS, max_tokens=200, **EXACT))
    choice = r["choices"][0]
    assert choice["finish_reason"] == "tool_calls", r
    call = choice["message"]["tool_calls"][0]
    assert call["function"]["name"] == "get_weather", r
    json.loads(call["function"]["arguments"])
    r = ask({"model": "o/tiny", "tools": TOOLS, "max_tokens": 20,
             "messages": [{"role": "user", "content": "hi"},
                          choice["message"],
                          {"role": "tool", "tool_call_id": call["id"],
                           "content": "sunny"}], **EXACT})
    assert r["choices"][0]["message"]["content"], r
    calls = [t for e in sse(ask(chat("o/tiny", True, tools=TOOLS,
                                     max_tokens=200, **EXACT)))[:-1]
             for c in json.loads(e)["choices"]
             for t in c["delta"].get("tool_calls", [])]
    assert calls and calls[0]["function"]["name"] == "get_weather", calls


def test_json_schema():
    r = ask(chat("o/tiny", max_tokens=200, response_format={
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
        **EXACT))
    out = json.loads(r["choices"][0]["message"]["content"])
    assert isinstance(out["n"], int) and isinstance(out["ok"], bool), out


def test_embeddings():
    r = ask({"model": "o/vectors", "input": ["a river", "a stone"]},
            "/v1/embeddings")
    assert [d["index"] for d in r["data"]] == [0, 1], r
    theirs = json.loads(ollama.ask("/api/embed", {
        "model": "vectors", "input": ["a river", "a stone"]})[1])
    for mine, their in zip(r["data"], theirs["embeddings"]):
        assert len(mine["embedding"]) == len(their) > 0
        assert max(abs(a - b) for a, b in
                   zip(mine["embedding"], their)) < 1e-4
    assert r["usage"]["prompt_tokens"] == theirs["prompt_eval_count"]


def test_its_errors():
    e = ask(chat("o/none"), want=404)["error"]
    assert "none" in e["message"], e
    e = ask(chat("o/vectors"), want=400)["error"]
    assert "chat" in e["message"], e
    with Host(providers='o: { type = "ollama"; base_url = '
              '"http://127.0.0.1:%d"; truncate = false; };' % ollama.port) as h:
        status, _, body = h.post("/v1/chat/completions",
                                 chat("o/tiny", text="river stone " * 9000))
        assert status == 400, (status, body)
        e = json.loads(body)["error"]
        assert "context" in e["message"] and \
            e["code"] == "context_length_exceeded", e


def test_a_client_that_leaves():
    body = json.dumps(chat("o/tiny", True, max_tokens=100000, **EXACT)).encode()
    s = host.connect()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
              b"application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
              + body)
    assert b"data:" in s.recv(65536)
    s.close()
    until(lambda: host.control("status")["calls"] == 0, "the call to end")
    ask(chat("o/tiny", max_tokens=3, **EXACT))


def test_keep_alive_unloads():
    ask(chat("o/tiny", max_tokens=3, keep_alive="10m", **EXACT))
    assert "tiny:latest" in ollama.loaded()
    ask(chat("o/tiny", max_tokens=3, keep_alive=0, **EXACT))
    until(lambda: "tiny:latest" not in ollama.loaded(), "it to be unloaded")


def test_a_pull_that_fails():
    status, _, body = host.post("/api/pull", {
        "model": "127.0.0.1:1/nobody/none", "insecure": True, "stream": False})
    assert status >= 400 or "error" in json.loads(body), (status, body)


def test_delete():
    with open(counterpart("tiny-model.sh"), "rb") as f:
        ollama.create("going", f.read())
    status, _, body = host.post("/api/delete", {"model": "o/going"},
                                method="DELETE")
    assert status == 200, (status, body)
    names = [m["name"] for m in
             json.loads(ollama.ask("/api/tags", method="GET")[1])["models"]]
    assert "going:latest" not in names, names


def runner():
    """The process that has the model, below Ollama."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
            if parent == ollama.process.pid:
                return int(pid)
        except OSError:
            pass
    return 0


def test_its_runner_dies_in_mid_answer():
    """How a real one reports a failure of its own: an honest error here."""
    body = json.dumps(chat("o/tiny", True, max_tokens=100000,
                           logit_bias=None, **EXACT)).encode()
    for _ in range(20):  # the model may end by itself before it is killed
        s = host.connect()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\nContent-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body) + body)
        seen = s.recv(65536)
        os.kill(until(runner, "its runner"), signal.SIGKILL)
        while piece := s.recv(65536):
            seen += piece
        s.close()
        if b'"finish_reason":"' not in seen:
            break
    assert b"[DONE]" not in seen and b'"error"' in seen, seen[-800:]
    until(lambda: ask_again()[0] == 200, "it to serve again", 60)


def ask_again():
    return host.post("/v1/chat/completions",
                     chat("o/tiny", max_tokens=3, **EXACT))


if __name__ == "__main__":
    with ollama, Host(
            providers='o: { type = "ollama"; base_url = '
            '"http://127.0.0.1:%d"; };' % ollama.port) as host:
        main(globals())
