# SPDX-License-Identifier: MIT
"""A real llama.cpp server with a tiny model, behind openai.so."""
import http.client
import json
import os
import socket
import subprocess
import tempfile
import time

from harness import (BOUND, Host, chat, main, openai_at, skip, sse, until)

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "sk-llama-secret-98765"
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "weather of a city", "parameters": {
        "type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}},
        "required": ["city"]}}}]


def counterpart(script):
    p = subprocess.run([os.path.join(HERE, "..", "env", script)],
                       stdout=subprocess.PIPE, text=True)
    lines = p.stdout.strip().splitlines() or [script + " failed"]
    if p.returncode == 77:
        skip(lines[-1])
    if p.returncode:
        raise SystemExit("%s: status %d" % (script, p.returncode))
    return lines[-1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Llama:
    def __enter__(self):
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [counterpart("llama-server.sh"), "-m", counterpart("tiny-model.sh"),
             "--host", "127.0.0.1", "--port", str(self.port), "-c", "16384",
             "-np", "4", "-t", "1", "--no-webui", "--alias", "tiny",
             "--metrics", "--slots", "--api-key", KEY],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until(self._ready, "llama-server", 60)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError(self.log.read()[-3000:].decode("utf-8",
                                                                "replace"))
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def get(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND)
        c.request("GET", path, headers={"Authorization": "Bearer " + KEY})
        r = c.getresponse()
        body = r.read()
        c.close()
        return r.status, body

    def busy(self):
        return sum(s["is_processing"] for s in json.loads(self.get("/slots")[1]))

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        return False


llama = Llama()
host = None


def ask(body):
    status, headers, reply = host.post("/v1/chat/completions", body)
    return status, headers, reply


def test_models():
    ids = [m["id"] for m in json.loads(host.get("/v1/models")[2])["data"]]
    assert "llama/tiny" in ids, ids


def test_chat_by_full_and_by_listed_name():
    texts = set()
    for model in ("llama/tiny", "tiny"):
        status, headers, body = ask(chat(model, temperature=0, max_tokens=20))
        assert status == 200, body
        r = json.loads(body)
        assert headers["x-patchbay-provider"] == "llama"
        assert "timings" in r, "a part of the reply got lost"
        assert r["usage"]["completion_tokens"] > 0
        texts.add(r["choices"][0]["message"]["content"])
    assert len(texts) == 1, texts


def test_stream_is_the_same_text():
    whole = json.loads(ask(chat("llama/tiny", temperature=0,
                                max_tokens=20))[2])
    status, _, body = ask(chat("llama/tiny", True, temperature=0,
                               max_tokens=20))
    assert status == 200
    events = sse(body)
    assert events[-1] == "[DONE]"
    chunks = [json.loads(e) for e in events[:-1]]
    text = "".join(c["choices"][0]["delta"].get("content") or ""
                   for c in chunks if c["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert all(c["choices"] for c in chunks), "a usage chunk nobody asked for"


def test_stream_usage_is_counted():
    before = host.counters("llama")["output_tokens"]
    ask(chat("llama/tiny", True, temperature=0, max_tokens=8))
    after = host.counters("llama")["output_tokens"]
    assert 0 < after - before <= 8, (before, after)


def test_tools_both_ways():
    status, _, body = ask(chat("llama/tiny", tools=TOOLS, temperature=0,
                               max_tokens=200))
    assert status == 200, body
    choice = json.loads(body)["choices"][0]
    assert choice["finish_reason"] == "tool_calls", choice
    call = choice["message"]["tool_calls"][0]
    assert call["function"]["name"] == "get_weather"
    assert isinstance(json.loads(call["function"]["arguments"])["city"], str)
    messages = [{"role": "user", "content": "hi"}, choice["message"],
                {"role": "tool", "tool_call_id": call["id"],
                 "content": "sunny"}]
    status, _, body = ask({"model": "llama/tiny", "messages": messages,
                           "tools": TOOLS, "temperature": 0, "max_tokens": 30})
    assert status == 200, body
    assert json.loads(body)["choices"][0]["message"]["content"]


def test_tool_call_streamed():
    _, _, body = ask(chat("llama/tiny", True, tools=TOOLS, temperature=0,
                          max_tokens=200))
    args, name = "", ""
    for e in sse(body)[:-1]:
        for c in json.loads(e)["choices"]:
            for t in c["delta"].get("tool_calls", []):
                args += t["function"].get("arguments") or ""
                name = t["function"].get("name") or name
    assert name == "get_weather" and "city" in json.loads(args), (name, args)


def test_json_schema():
    schema = {"type": "object", "required": ["n", "ok"],
              "additionalProperties": False,
              "properties": {"n": {"type": "integer"},
                             "ok": {"type": "boolean"}}}
    status, _, body = ask(chat("llama/tiny", max_tokens=200, temperature=0,
                               response_format={
                                   "type": "json_schema", "json_schema": {
                                       "name": "x", "schema": schema,
                                       "strict": True}}))
    assert status == 200, body
    out = json.loads(json.loads(body)["choices"][0]["message"]["content"])
    assert isinstance(out["n"], int) and isinstance(out["ok"], bool), out


def test_context_overflow():
    status, _, body = ask(chat("llama/tiny", text="river stone " * 4000))
    assert status == 400, (status, body[:300])
    e = json.loads(body)["error"]
    assert "n_ctx" in e or "context" in e["message"], e


def test_cancel_on_disconnect():
    until(lambda: llama.busy() == 0, "idle slots")
    body = json.dumps(chat("llama/tiny", True, max_tokens=100000,
                           logit_bias={"3": -100}, ignore_eos=True)).encode()
    s = host.connect()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
              b"application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
              + body)
    assert b"data:" in s.recv(65536)
    until(lambda: llama.busy() == 1, "a busy slot")
    s.close()
    until(lambda: llama.busy() == 0, "the slot to be free again", 5)
    until(lambda: host.control("status")["calls"] == 0, "the call to end")


def test_wrong_key():
    with Host(providers=openai_at(llama.url, "llama", "sk-wrong-key-00")) as h:
        status, _, body = h.post("/v1/chat/completions", chat("llama/tiny"))
        assert status >= 500, (status, body)
        result = h.control("provider.test", {"name": "llama"})
        # llama-server lists its models without a key, so the cheapest call
        # succeeds; the chat is what tells.
        assert "ok" in result
        assert "sk-wrong-key-00" not in h.errors() + body.decode()


def test_command_line():
    env = dict(os.environ, PATCHBAY_CONFIG=host.conf,
               PATCHBAY_ALLOW_ANY_OWNER="1")
    p = subprocess.run([os.environ.get("PATCHBAY", "./patchbay"), "chat", "-m",
                        "llama/tiny", "hello there"], env=env, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    assert p.returncode == 0, p.stderr
    assert p.stdout.strip(), "no answer"


if __name__ == "__main__":
    with llama, Host(providers=openai_at(llama.url, "llama", KEY)) as host:
        main(globals())
