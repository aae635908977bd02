# SPDX-License-Identifier: MIT
"""The translated path: the native loopback provider behind the OpenAI API."""
import base64
import json
import struct
import threading
import time

from harness import Host, LOOPBACK, chat, main, sse, until

host = None


def ask(model="loopback/echo", stream=False, **more):
    return host.post("/v1/chat/completions", chat(model, stream, **more))


def chunks(body):
    events = sse(body)
    assert events[-1] == "[DONE]", events[-1]
    return [json.loads(e) for e in events[:-1]]


def text_of(parts):
    return "".join(c["delta"].get("content") or "" for p in parts
                   for c in p["choices"] if c["index"] == 0)


def test_whole_and_stream_agree():
    status, headers, body = ask(text="the quick brown fox")
    assert status == 200 and headers["content-type"] == "application/json"
    r = json.loads(body)
    assert r["object"] == "chat.completion" and r["model"] == "echo", r
    whole = r["choices"][0]
    assert "quick brown fox" in whole["message"]["content"], whole
    assert whole["finish_reason"] == "stop"
    assert r["usage"]["total_tokens"] == r["usage"]["prompt_tokens"] + \
        r["usage"]["completion_tokens"] > 0
    assert headers["x-patchbay-provider"] == "loopback"
    assert headers["x-request-id"].startswith("req_")
    status, headers, body = ask(stream=True, text="the quick brown fox",
                                stream_options={"include_usage": True})
    parts = chunks(body)
    assert headers["content-type"] == "text/event-stream"
    assert text_of(parts) == whole["message"]["content"]
    assert parts[0]["choices"][0]["delta"]["role"] == "assistant"
    assert parts[-1]["choices"] == [] and parts[-1]["usage"] == r["usage"]
    assert [p["choices"][0]["finish_reason"] for p in parts
            if p["choices"] and p["choices"][0]["finish_reason"]] == ["stop"]


def test_no_usage_unless_asked():
    parts = chunks(ask(stream=True)[2])
    assert all(p["choices"] and "usage" not in p for p in parts), parts


def test_several_choices():
    r = json.loads(ask(n=3)[2])
    assert [c["index"] for c in r["choices"]] == [0, 1, 2]
    parts = chunks(ask(stream=True, n=3)[2])
    done = sorted(c["index"] for p in parts for c in p["choices"]
                  if c["finish_reason"])
    assert done == [0, 1, 2], done


TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}},
    "required": ["city"]}}}]


def test_tool_call():
    r = json.loads(ask("loopback/tool", tools=TOOLS)[2])
    c = r["choices"][0]
    assert c["finish_reason"] == "tool_calls" and c["message"]["content"] is None
    call = c["message"]["tool_calls"][0]
    assert call["type"] == "function" and call["id"]
    assert isinstance(json.loads(call["function"]["arguments"])["city"], str)
    parts = chunks(ask("loopback/tool", True, tools=TOOLS)[2])
    args = name = ""
    for p in parts:
        for t in p["choices"][0]["delta"].get("tool_calls", []):
            args += t["function"].get("arguments", "")
            name = t["function"].get("name", name)
    assert name == "get_weather" and args == call["function"]["arguments"]


def test_embeddings_in_both_encodings():
    def embed(**more):
        status, _, body = host.post("/v1/embeddings", dict(
            {"model": "loopback/embed", "input": ["a", "b"]}, **more))
        assert status == 200, body
        return [d["embedding"] for d in json.loads(body)["data"]]
    floats = embed(encoding_format="float")
    coded = [list(struct.unpack("<%df" % (len(b) // 4), b)) for b in
             map(base64.b64decode, embed(encoding_format="base64"))]
    assert len(floats) == 2 and floats[0] != floats[1]
    for f, c in zip(floats, coded):
        assert [struct.pack("<f", x) for x in f] == \
            [struct.pack("<f", x) for x in c]
    assert abs(sum(x * x for x in floats[0]) - 1) < 1e-3
    assert len(embed(encoding_format="float", dimensions=8)[0]) == 8


def test_moderation_and_image():
    status, _, body = host.post("/v1/moderations", {
        "model": "loopback/moderate", "input": ["fine", "please flagme"]})
    assert status == 200, body
    assert [r["flagged"] for r in json.loads(body)["results"]] == [False, True]
    status, _, body = host.post("/v1/images/generations", {
        "model": "loopback/image", "prompt": "a bay"})
    assert status == 200, body
    png = base64.b64decode(json.loads(body)["data"][0]["b64_json"])
    assert png.startswith(b"\x89PNG\r\n")


def test_faults():
    status, headers, body = ask("loopback/echo?fault=rate")
    assert status == 429, (status, body)
    status, _, body = ask("loopback/echo?fault=overloaded", True)
    assert status in (503, 529), (status, body)
    status, _, body = ask("loopback/lorem?fault=cut@5&length=50", True)
    events = sse(body)
    assert status == 200 and "[DONE]" not in events, events
    assert "error" in json.loads(events[-1]), events
    assert ask("loopback/lorem?fault=cut@5&length=50")[0] == 502


def test_a_client_that_leaves_stops_the_worker():
    body = json.dumps(chat("loopback/lorem?rate=20&length=5000", True)).encode()
    before = host.counters("loopback")["cancelled"]
    with host.connect() as s:
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                  % len(body) + body)
        assert b"200" in s.recv(4096)
    until(lambda: host.counters("loopback")["cancelled"] == before + 1,
          "the call to be cancelled")
    until(lambda: host.counters("loopback")["active"] == 0, "no call")


def test_more_clients_than_workers():
    results = []

    def one():
        results.append(ask("loopback/echo?delay=20")[0])
    threads = [threading.Thread(target=one) for _ in range(150)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [200] * 150, sorted(results)


def test_slow_client_blocks_the_worker_not_the_host():
    body = json.dumps(chat("loopback/lorem?length=100000&rate=0", True)).encode()
    with host.connect() as s:
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                  % len(body) + body)
        assert b"200" in s.recv(4096)
        for _ in range(20):
            at = time.monotonic()
            assert ask()[0] == 200
            assert time.monotonic() - at < 5
    until(lambda: host.counters("loopback")["active"] == 0, "no call")


def test_default_model():
    status, headers, body = host.post("/v1/chat/completions", {
        "messages": [{"role": "user", "content": "hi"}]})
    assert status == 200 and headers["x-patchbay-provider"] == "loopback"


def test_control_socket():
    events = []
    result = host.control("chat", {"body": chat("loopback/echo")}, events)
    assert result["report"]["provider"] == "loopback", result
    assert [e["event"] for e in events][0] == "begin"
    assert "".join(e["text"] for e in events if e["event"] == "text")
    try:
        host.control("no such verb")
        raise AssertionError("accepted")
    except ValueError as e:
        assert "no such verb" in str(e)
    assert host.control("log", {"level": "info"}) == {"level": "info"}
    # An installed copy is passed over for the one of the build.
    mods = {m["id"]: m for m in host.control("plugins")["modules"]
            if m["state"] != "refused"}
    assert mods["loopback"]["state"] == "loaded", mods
    assert mods["loopback"]["calls"] > 0


def test_reload_under_load():
    """Every request is answered while the configuration is replaced."""
    stop = threading.Event()
    bad = []

    def client():
        while not stop.is_set():
            status, _, body = ask(stream=True)
            if status != 200 or sse(body)[-1] != "[DONE]":
                bad.append((status, body))
    threads = [threading.Thread(target=client) for _ in range(8)]
    for t in threads:
        t.start()
    for _ in range(20):
        host.control("reload")
    stop.set()
    for t in threads:
        t.join()
    assert not bad, bad[:2]
    until(lambda: host.control("status")["old_configurations"] == 0,
          "the old configurations to go")
    host.write_conf("oops: {", listen='"127.0.0.1:0"')
    try:
        host.control("reload")
        raise AssertionError("a broken configuration was accepted")
    except ValueError as e:
        assert "patchbay.conf" in str(e), e
    assert ask()[0] == 200


if __name__ == "__main__":
    with Host(providers=LOOPBACK) as host:
        main(globals())
