# SPDX-License-Identifier: MIT
"""llamacpp.so behind a whole host: a scripted upstream that answers as
llama-server does."""
import json
import os
import subprocess
import tempfile

from harness import (DONE, Host, PATCHBAY, Upstream, chat, completion, delta,
                     main, send_json, send_stream, sse, until)

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "sk-llamacpp-secret-424242"
TIMINGS = {"cache_n": 22, "prompt_n": 1, "prompt_ms": .3, "predicted_n": 4,
           "predicted_ms": .4}
MODEL = {"id": "tiny", "aliases": [], "object": "model", "created": 1,
         "owned_by": "llamacpp",
         "architecture": {"input_modalities": ["text", "image"]},
         "status": {"value": "loaded", "args": ["--api-key", KEY]},
         "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}
TOOLS = [{"type": "function", "function": {"name": n, "parameters": {}}}
         for n in ("aaa", "bbb")]


def error(conn, code, kind, message, **more):
    send_json(conn, code, {"error": dict(more, code=code, type=kind,
                                         message=message)})


def answer(req, conn):
    if req.headers.get("authorization") != "Bearer " + KEY and \
            req.path not in ("/health", "/v1/models"):
        return error(conn, 401, "authentication_error", "Invalid API Key")
    path = req.path.split("?")[0]
    if path == "/health":
        return send_json(conn, 200, {"status": "ok"})
    if path == "/v1/models":
        return send_json(conn, 200, {"models": [], "object": "list",
                                     "data": [MODEL]})
    if path == "/props":
        return send_json(conn, 200, {
            "default_generation_settings": {"n_ctx": 2048}, "total_slots": 2,
            "modalities": {"vision": True}, "endpoint_slots": True,
            "build_info": "b11669"})
    if path == "/slots":
        return send_json(conn, 200, [{"id": 0, "is_processing": True,
                                      "prompt": "somebody's secret"}])
    if path == "/v1/chat/completions/input_tokens":
        return send_json(conn, 200, {"input_tokens": 29})
    if path == "/tokenize":
        return send_json(conn, 200, {"tokens": [1, 2, 3]})
    if path != "/v1/chat/completions":
        return error(conn, 404, "not_found_error", "File Not Found")
    text = req.json["messages"][-1]["content"]
    if text == "loading":
        return error(conn, 503, "unavailable_error", "Loading model")
    if text == "context":
        return error(conn, 400, "exceed_context_size_error",
                     "request (9 tokens) exceeds the available context size "
                     "(4 tokens), try increasing it", n_prompt_tokens=9, n_ctx=4)
    if text == "image":
        return error(conn, 500, "server_error", "image input is not supported")
    if not req.json.get("stream"):
        return send_json(conn, 200, dict(completion("Hello", "tiny"),
                                         timings=TIMINGS))
    if text == "midway":
        return send_stream(conn, [
            delta(role="assistant", content=None), delta("Hel"),
            b'data: {"error":{"code":500,"message":"Compute error.",'
            b'"type":"server_error"}}\n\n'])
    if text == "cut":
        return send_stream(conn, [delta("Hel"), delta(finish="stop")])
    end = json.loads(delta(finish="stop")[6:])
    end["timings"] = TIMINGS
    events = [delta(role="assistant", content=None), b":\n\n",
              delta(reasoning_content="so"), delta("Hel"), delta("lo"),
              b"data: " + json.dumps(end).encode() + b"\n\n"]
    if req.json.get("stream_options", {}).get("include_usage"):
        usage = {"id": "chatcmpl-1", "object": "chat.completion.chunk",
                 "created": 1, "model": "m", "choices": [],
                 "usage": {"prompt_tokens": 23, "completion_tokens": 4,
                           "total_tokens": 27, "prompt_tokens_details":
                           {"cached_tokens": 22}}, "timings": TIMINGS}
        events.append(b"data: " + json.dumps(usage).encode() + b"\n\n")
    return send_stream(conn, events + [DONE])


up = Upstream(answer)
host = None


def section(name="llama", extra="", key=KEY):
    return ('%s: { type = "llamacpp"; base_url = "%s"; api_key = "%s"; %s };'
            % (name, up.url, key, extra))


def ask(body, **more):
    return host.post("/v1/chat/completions", body, **more)


def op(name, body, provider="llama"):
    """The items, or ValueError with the error."""
    events = []
    host.control("op", {"op": name, "provider": provider, "body": body}, events)
    return [e["json"] for e in events if e["event"] == "item"]


def refusal(body):
    status, _, reply = ask(body)
    return status, json.loads(reply)["error"]


def test_whole_answer_as_it_is():
    status, headers, body = ask(chat("llama/tiny", top_k=40, grammar="root"))
    assert status == 200, body
    assert json.loads(body)["timings"] == TIMINGS
    assert headers["x-patchbay-provider"] == "llama"
    sent = up.last()
    assert sent.json["top_k"] == 40 and sent.json["grammar"] == "root"
    assert sent.json["model"] == "tiny"


def test_stream_without_the_usage_chunk_that_nobody_asked_for():
    before = host.counters("llama")["output_tokens"]
    status, _, body = ask(chat("llama/tiny", True))
    assert status == 200, body
    events = sse(body)
    assert events[-1] == "[DONE]"
    chunks = [json.loads(e) for e in events[:-1]]
    assert all(c["choices"] for c in chunks)
    assert "".join(c["choices"][0]["delta"].get("content") or ""
                   for c in chunks) == "Hello"
    assert host.counters("llama")["output_tokens"] - before == 4


def test_usage_from_the_timings():
    before = host.counters("llama")
    status, _, _ = ask(chat("llama/tiny", True,
                            stream_options={"include_usage": False}))
    after = host.counters("llama")
    assert status == 200
    assert after["output_tokens"] - before["output_tokens"] == 4
    assert after["input_tokens"] - before["input_tokens"] == 23


def test_a_chosen_tool():
    choice = {"type": "function", "function": {"name": "bbb"}}
    status, _, body = ask(chat("llama/tiny", tools=TOOLS, tool_choice=choice))
    assert status == 200, body
    assert up.last().json["tools"] == TOOLS[1:]
    assert up.last().json["tool_choice"] == "required"
    choice["function"]["name"] = "ccc"
    status, e = refusal(chat("llama/tiny", tools=TOOLS, tool_choice=choice))
    assert status == 400 and e["param"] == "tool_choice", e


def test_what_it_would_ignore():
    n = len(up.requests)
    status, e = refusal(chat("llama/tiny", web_search_options={}))
    assert status == 400 and e["param"] == "web_search_options", e
    assert "unsupported" in e["message"], "no mend"
    assert len(up.requests) == n, "it went up all the same"
    status, _, body = ask(chat("dropping/tiny", web_search_options={}))
    assert status == 200, body
    assert "web_search_options" not in up.last().json


def test_errors():
    status, e = refusal(chat("llama/tiny", text="context"))
    assert status == 400 and "context size" in e["message"], (status, e)
    n = len(up.requests)
    status, e = refusal(chat("llama/tiny", text="image"))
    # The server's own status, passed on; but nobody else is asked.
    assert status == 500 and "image input" in e["message"], (status, e)
    assert len(up.requests) == n + 1
    status, _, _ = ask(chat("llama/tiny", text="loading"))
    assert status == 503, status
    status, e = refusal(chat("v1/tiny"))
    assert status == 404, (status, e)
    # Passed on as it came; the log has the mend.
    assert 'address without "/v1"' in host.errors()


def test_errors_in_a_stream():
    for text in ("midway", "cut"):
        _, _, body = ask(chat("llama/tiny", True, text=text))
        events = sse(body)
        assert events[-1] != "[DONE]", events
        assert any("error" in json.loads(e) for e in events), events


def test_count_list_show():
    assert op("count", chat("tiny")) == [{"input_tokens": 29}]
    models = json.loads(host.get("/v1/models")[2])["data"]
    assert any(m["id"] == "llama/tiny" for m in models), models
    listed, = op("list", {})
    assert listed["context_window"] == 4096
    shown, = op("show", {"model": "tiny"})
    assert shown["context_window"] == 2048
    assert shown["raw"]["slots"] == {"total": 1, "busy": 1}
    assert "vision" in shown["capabilities"]
    told = json.dumps([listed, shown, models])
    assert KEY not in told, "the command line of a router's model"
    assert "secret" not in told, "somebody's prompt"


def test_health_proves_the_key():
    assert host.control("provider.test", {"name": "llama"})["ok"]
    bad = host.control("provider.test", {"name": "badkey"})
    assert not bad["ok"] and "API Key" in bad["detail"], bad


def test_the_example():
    with open(os.path.join(HERE, "..", "..", "etc", "providers.d",
                           "llamacpp.conf")) as f:
        lines = [line[1:] if line.startswith(("#prov", "#    ", "#}")) else line
                 for line in f]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.writelines(lines)
        f.flush()
        p = subprocess.run([PATCHBAY, "config", "check", "--config", f.name],
                           env=dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1"),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
    assert p.returncode == 0, p.stdout
    assert "files: {" in "".join(lines)


def test_from_the_environment():
    with tempfile.TemporaryDirectory() as d:
        env = dict(os.environ, LLAMACPP_URL=up.url, LLAMACPP_API_KEY=KEY,
                   PATCHBAY_CONTROL=os.path.join(d, "none"), HOME=d,
                   XDG_CONFIG_HOME=d, XDG_STATE_HOME=d)
        p = subprocess.run([PATCHBAY, "chat", "-m", "llamacpp/tiny", "hi"],
                           env=env, stdin=subprocess.DEVNULL, timeout=30,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True)
    assert p.returncode == 0 and "Hello" in p.stdout, (p.stdout, p.stderr)


def test_a_directory_that_is_not_there():
    try:
        op("list", {}, "gone")
    except ValueError as e:
        told = str(e)
    assert "/nonexistent/models" in told and "No such file" in told, told


def test_damaged_files_are_named():
    names = [m["id"] for m in op("list", {}, "broken")]
    assert names == [], names
    until(lambda: "bad.gguf: it is no GGUF file" in host.errors(), "the log")


def test_a_path_of_windows():
    if "microsoft" in os.uname().release.lower():
        return
    with Host(providers=section() + section(
            "windows", 'models_dir = "D:\\\\models";')) as h:
        state, = [p for p in h.control("providers")["providers"]
                  if p["name"] == "windows"]
        assert state["state"] == "failed", state
        assert "/mnt/d/models" in h.errors()
        assert "D:" in h.errors()


def test_nothing_secret_is_told():
    assert KEY not in host.errors()
    assert "sk-bad-llamacpp-777" not in host.errors()


if __name__ == "__main__":
    with up, tempfile.TemporaryDirectory() as models, Host(providers="".join((
            section(), section("dropping", 'unsupported = "drop";'),
            section("gone", 'models_dir = "/nonexistent/models";'),
            section("broken", 'models_dir = "%s";' % models),
            section("badkey", key="sk-bad-llamacpp-777"),
            section("v1").replace(up.url, up.url + "/v1")))) as host:
        with open(os.path.join(models, "bad.gguf"), "wb") as f:
            f.write(b"GGML" + bytes(100))
        main(globals())
