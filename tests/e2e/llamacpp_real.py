# SPDX-License-Identifier: MIT
"""A real llama.cpp server behind llamacpp.so: one model, embeddings, a router."""
import base64
import json
import os
import shutil
import struct
import subprocess
import tempfile
import threading

from harness import Host, chat, main, read_all, sse, until
from llama_real import KEY, Llama, TOOLS, counterpart, free_port

PAIR = [{"type": "function", "function": {
    "name": n, "parameters": {"type": "object", "required": ["x"],
                              "properties": {"x": {"type": "boolean"}}}}}
    for n in ("aaa", "bbb")]


class Other(Llama):
    """The same program with other options."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [counterpart("llama-server.sh"), "--host", "127.0.0.1", "--port",
             str(self.port), "-t", "1", "--no-webui", *self.options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until(self._ready, "llama-server", 60)
        return self


host = None


def section(name, server, extra="", key=KEY):
    return ('%s: { type = "llamacpp"; base_url = "%s"; api_key = "%s"; %s };'
            % (name, server.url, key, extra))


def ask(body):
    status, _, reply = host.post("/v1/chat/completions", body)
    assert status == 200, reply
    return json.loads(reply)


def chunks(body):
    status, _, reply = host.post("/v1/chat/completions", body)
    assert status == 200, reply
    events = sse(reply)
    assert events[-1] == "[DONE]", events[-1]
    return [json.loads(e) for e in events[:-1]]


def op(name, body, provider):
    events = []
    host.control("op", {"op": name, "provider": provider, "body": body}, events)
    return [e["json"] for e in events if e["event"] == "item"]


def test_stream_and_whole_are_the_same():
    whole = ask(chat("llama/tiny", temperature=0, max_tokens=20))
    parts = chunks(chat("llama/tiny", True, temperature=0, max_tokens=20))
    text = "".join(c["choices"][0]["delta"].get("content") or ""
                   for c in parts)
    assert text == whole["choices"][0]["message"]["content"]


def test_usage_of_a_stream_without_usage():
    before = host.counters("llama")
    chunks(chat("llama/tiny", True, max_tokens=5, ignore_eos=True,
                stream_options={"include_usage": False}))
    after = host.counters("llama")
    assert after["output_tokens"] - before["output_tokens"] == 5
    assert after["input_tokens"] > before["input_tokens"]


def test_usage_of_several_choices_is_their_sum():
    before = host.counters("llama")["output_tokens"]
    chunks(chat("llama/tiny", True, n=3, max_tokens=6, ignore_eos=True))
    assert host.counters("llama")["output_tokens"] - before == 18


def test_the_tool_that_was_chosen():
    for name in ("aaa", "bbb"):
        r = ask(chat("llama/tiny", tools=PAIR, max_tokens=200, temperature=0,
                     tool_choice={"type": "function",
                                  "function": {"name": name}}))
        calls = r["choices"][0]["message"]["tool_calls"]
        assert {c["function"]["name"] for c in calls} == {name}, calls


def test_tool_round_trip():
    r = ask(chat("llama/tiny", tools=TOOLS, temperature=0, max_tokens=200))
    message = r["choices"][0]["message"]
    call = message["tool_calls"][0]
    r = ask({"model": "llama/tiny", "tools": TOOLS, "temperature": 0,
             "max_tokens": 30, "messages": [
                 {"role": "user", "content": "hi"}, message,
                 {"role": "tool", "tool_call_id": call["id"],
                  "content": "sunny"}]})
    assert r["choices"][0]["message"]["content"]


def test_json_schema():
    schema = {"type": "object", "required": ["n"], "additionalProperties": False,
              "properties": {"n": {"type": "integer"}}}
    r = ask(chat("llama/tiny", max_tokens=200, temperature=0, response_format={
        "type": "json_schema", "json_schema": {"name": "x", "schema": schema}}))
    assert isinstance(json.loads(r["choices"][0]["message"]["content"])["n"],
                      int)


def test_counts_are_exact_both_ways():
    for more in ({}, {"tools": TOOLS}):
        body = chat("tiny", text="river stone hello", **more)
        used = ask(dict(body, model="llama/tiny", max_tokens=1))["usage"]
        for provider in ("llama", "old"):
            count, = op("count", body, provider)
            assert count["input_tokens"] == used["prompt_tokens"], (
                provider, count, used)


def test_list_and_show():
    listed, = op("list", {}, "llama")
    shown, = op("show", {"model": "tiny"}, "llama")
    assert listed["id"] == shown["id"] == "tiny"
    # 16384 for four slots
    assert listed["context_window"] == shown["context_window"] == 4096
    assert shown["raw"]["slots"]["total"] == 4
    assert shown["raw"]["props"]["build_info"]
    assert "vision" not in shown["capabilities"]


def test_what_is_in_memory():
    one, = op("ps", {}, "llama")
    assert one["model"] == "tiny" and one["size"] > 100000, one
    assert one["context_window"] == 4096
    assert op("ps", {}, "router") == [], "a router's models are not loaded yet"


def test_context():
    status, _, body = host.post("/v1/chat/completions",
                                chat("llama/tiny", text="river stone " * 4000))
    assert status == 400, (status, body[:300])
    assert "context" in json.loads(body)["error"]["message"]


def test_health():
    assert host.control("provider.test", {"name": "llama"})["ok"]
    r = host.control("provider.test", {"name": "wrong"})
    assert not r["ok"] and "Invalid API Key" in r["detail"], r


def test_embeddings():
    def get(**more):
        return host.post("/v1/embeddings", dict(
            {"model": "vectors/tiny-e", "input": ["river", "stone"]}, **more))
    status, _, body = get(encoding_format="float")
    assert status == 200, body
    floats = [d["embedding"] for d in json.loads(body)["data"]]
    assert len(floats) == 2 and len(floats[0]) > 8
    status, _, body = get(encoding_format="base64")
    assert status == 200, body
    raw = base64.b64decode(json.loads(body)["data"][0]["embedding"])
    assert len(struct.unpack("<%df" % (len(raw) // 4), raw)) == len(floats[0])
    status, _, body = get(dimensions=3)
    assert status == 400, body
    assert json.loads(body)["error"]["param"] == "dimensions"
    status, _, body = host.post("/v1/embeddings", {"model": "llama/tiny",
                                                   "input": "x"})
    assert "--embeddings" in json.loads(body)["error"]["message"]


def test_router():
    listed = {m["id"]: m for m in op("list", {}, "router")}
    assert set(listed) == {"One", "two"}, listed
    assert listed["One"]["context_window"] == 8192
    assert "args" not in listed["One"]["raw"]["status"]
    shown, = op("show", {"model": "two"}, "router")
    assert shown["raw"]["status"]["value"] == "unloaded"
    assert host.control("provider.test", {"name": "router"})["ok"]
    status, _, body = host.post("/v1/chat/completions", chat("router/nope"))
    assert status >= 400 and b"not found" in body, (status, body)


def test_files_are_what_the_router_says():
    served = {m["id"]: m["context_window"] for m in op("list", {}, "router")}
    files = {m["id"]: m for m in op("list", {}, "files")}
    assert {k: m["context_window"] for k, m in files.items()} == served
    assert files["two"]["raw"]["file"] == "two/two-00001-of-00001.gguf"
    assert files["One"]["raw"]["architecture"] == "llama"
    shown, = op("show", {"model": "One"}, "files")
    assert shown["raw"]["status"]["value"] == "unloaded"
    found, = op("list", {"search": "ONE"}, "files")
    assert found["id"] == "One"


def test_eight_at_once():
    """More than it has slots: the server lets some wait."""
    results = []
    threads = [threading.Thread(target=lambda i=i: results.append(host.post(
        "/v1/chat/completions", chat("llama/tiny", i % 2 == 0, temperature=0,
                                     max_tokens=20)))) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [r[0] for r in results] == [200] * 8, results


def test_killed_in_mid_answer():
    """It is somebody else's to start again; the answer ends with an error, and
    the provider is there again with another server."""
    options = ("-m", tiny, "-c", "16384", "-np", "1", "--alias", "tiny")
    with Other(*options) as server, Host(
            providers=section("mortal", server, key="none")) as h:
        body = json.dumps(chat("mortal/tiny", True, max_tokens=100000,
                               logit_bias={"3": -100}, ignore_eos=True,
                               logprobs=True, top_logprobs=20)).encode()
        s = h.connect()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n"
                  b"Connection: close\r\n\r\n" % len(body) + body)
        got = b""
        while got.count(b"data:") < 3:
            got += s.recv(65536)
        server.process.kill()
        server.process.wait()
        got += read_all(s)
        s.close()
        assert b"[DONE]" not in got and b'"error"' in got, got[-500:]
        status, _, reply = h.post("/v1/chat/completions", chat("mortal/tiny"))
        assert status == 502, (status, reply)
        with Other(*options) as again:
            h.write_conf(section("mortal", again, key="none"))
            h.control("reload")
            h.control("provider.reset", {"name": "mortal"})
            status, _, reply = h.post("/v1/chat/completions",
                                      chat("mortal/tiny", max_tokens=3))
            assert status == 200, (status, reply)


def test_nothing_secret_is_told():
    assert KEY not in host.errors()
    assert "sk-wrong-key-11" not in host.errors()


if __name__ == "__main__":
    tiny = counterpart("tiny-model.sh")
    with tempfile.TemporaryDirectory() as models:
        shutil.copy(tiny, os.path.join(models, "One.gguf"))
        os.mkdir(os.path.join(models, "two"))
        shutil.copy(tiny, os.path.join(models, "two",
                                       "two-00001-of-00001.gguf"))
        with Llama() as llama, \
                Other("-m", tiny, "-c", "2048", "-np", "1", "--embeddings",
                      "--pooling", "mean", "--alias", "tiny-e") as vectors, \
                Other("--models-dir", models, "-c", "512") as router, \
                Host(providers="".join((
                    section("llama", llama), section("vectors", vectors),
                    section("router", router),
                    section("files", router, 'models_dir = "%s";' % models),
                    section("old", llama, 'count_route = "template";'),
                    section("wrong", llama, key="sk-wrong-key-11")))) as host:
            main(globals())
