# SPDX-License-Identifier: MIT
"""ollama.so behind a whole host: clients that speak OpenAI's API, and a scripted
upstream that answers as Ollama does."""
import base64
import json
import os
import struct
import subprocess
import tempfile

from harness import (Host, PATCHBAY, Upstream, chat, chunked, main, send_json,
                     sse, until)

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "ollama-secret-key-515151"
PNG = "iVBORw0KGgoAAAANSUhEUg=="
AT = "2026-11-20T10:00:00.000000001Z"
COUNTS = {"total_duration": 5043500667, "prompt_eval_count": 26,
          "eval_count": 29, "eval_duration": 709382000}
TOOL = {"type": "function", "function": {"name": "get_w", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}
CALLS = [{"id": "call_x", "function": {"index": 0, "name": "get_w",
                                       "arguments": {"city": "Bern"}}},
         {"id": "call_y", "function": {"index": 1, "name": "get_w",
                                       "arguments": {"city": "Zürich"}}}]


def line(content="", done=False, reason="stop", **message):
    out = {"model": "llama3", "created_at": AT, "done": done,
           "message": dict(role="assistant", content=content, **message)}
    if done:
        out.update(COUNTS, done_reason=reason)
    return out


def send_lines(conn, lines, end=b"0\r\n\r\n"):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n")
    for one in lines:
        data = json.dumps(one).encode() + b"\n"
        # A line may be cut anywhere.
        conn.sendall(chunked(data[:7]))
        conn.sendall(chunked(data[7:]))
    conn.sendall(end)


def tag(name, **more):
    return dict({"name": name, "model": name, "modified_at": AT, "size": 1,
                 "digest": "sha256:ab", "details": {"family": "llama"}}, **more)


def show(req, conn):
    window = {"llama3": 131072, "embed:latest": 2048}.get(req.json["model"])
    if not window:
        return send_json(conn, 404, {"error": "model '%s' not found"
                                     % req.json["model"]})
    caps = ["embedding"] if window == 2048 else ["completion", "tools"]
    return send_json(conn, 200, {
        "details": {"family": "llama"}, "capabilities": caps,
        "model_info": {"general.architecture": "llama",
                       "llama.context_length": window}})


def pull(req, conn):
    if req.json["model"] == "none":
        return send_lines(conn, [{"status": "pulling manifest"},
                                 {"error": "file does not exist"}])
    return send_lines(conn, [
        {"status": "pulling manifest"},
        {"status": "pulling aa", "digest": "sha256:aa", "total": 5000000000},
        {"status": "pulling aa", "digest": "sha256:aa", "total": 5000000000,
         "completed": 5000000000},
        {"status": "success"}])


def answer(req, conn):
    path = req.path
    if path == "/api/tags":
        names = ["llama3", "embed:latest"]
        if req.headers["authorization"] != "Bearer " + KEY:
            names = ["broken", "llama3", "broken too"]
        return send_json(conn, 200, {"models": [tag(n) for n in names]})
    if path == "/api/version":
        return send_json(conn, 200, {"version": "0.33.0"})
    if path == "/api/show":
        return show(req, conn)
    if path == "/api/pull":
        return pull(req, conn)
    if path == "/api/delete" and req.method == "DELETE":
        found = req.json["model"] == "llama3"
        return send_json(conn, 200 if found else 404,
                         b"" if found else {"error": "model not found"})
    if path == "/api/embed":
        return send_json(conn, 200, {
            "model": "embed", "prompt_eval_count": 4, "embeddings":
            [[0.5, -1]] * (1 if isinstance(req.json["input"], str)
                           else len(req.json["input"]))})
    if path != "/api/chat":
        return send_json(conn, 404, b"404 page not found")
    return answer_chat(req, conn)


def answer_chat(req, conn):
    text = req.json["messages"][-1]["content"]
    refusals = {"busy": (503, "server busy, please try again.  maximum "
                              "pending requests exceeded"),
                "gone": (404, "model 'llama3' not found"),
                "toolless": (400, "llama3 does not support tools")}
    if text in refusals:
        return send_json(conn, refusals[text][0], {"error": refusals[text][1]})
    if text == "signin":
        return send_json(conn, 401, {"error": "unauthorized", "signin_url":
                                     "https://ollama.com/connect?key=c2VjcmV0"})
    calls = "tools" in req.json and req.json["messages"][-1]["role"] == "user"
    if not req.json["stream"]:
        if calls:
            return send_json(conn, 200, line(done=True, tool_calls=CALLS))
        return send_json(conn, 200, line("Hello", True, thinking="hm"))
    if text == "midway":
        return send_lines(conn, [line("Hel"), {"error": "unexpected EOF"}])
    if text == "cut":
        return send_lines(conn, [line("Hel")])
    if calls:
        return send_lines(conn, [line(tool_calls=CALLS[:1]),
                                 line(tool_calls=CALLS[1:]), line(done=True)])
    return send_lines(conn, [line(thinking="hm"), line("Hel"), line("lo"),
                             line(done=True)])


up = Upstream(answer)
host = None


def section(name="oll", extra="", key=KEY):
    return ('%s: { type = "ollama"; base_url = "%s"; api_key = "%s"; %s };'
            % (name, up.url, key, extra))


def ask(body):
    return host.post("/v1/chat/completions", body)


def op(name, body, provider="oll"):
    """The items, or ValueError with the error."""
    events = []
    host.control("op", {"op": name, "provider": provider, "body": body}, events)
    return [e["json"] for e in events if e["event"] == "item"]


def streamed(body):
    """The chunks of a good stream."""
    status, _, reply = ask(body)
    assert status == 200, reply
    events = sse(reply)
    assert events[-1] == "[DONE]", events
    return [json.loads(e) for e in events[:-1]]


def test_streamed_and_whole_are_the_same():
    status, headers, body = ask(chat("oll/llama3"))
    assert status == 200, body
    whole = json.loads(body)
    assert headers["x-patchbay-provider"] == "oll"
    message = whole["choices"][0]["message"]
    assert message["content"] == "Hello"
    chunks = streamed(chat("oll/llama3", True,
                           stream_options={"include_usage": True}))
    deltas = [c["choices"][0]["delta"] for c in chunks if c["choices"]]
    assert "".join(d.get("content") or "" for d in deltas) == "Hello"
    assert chunks[-1]["usage"] == whole["usage"]
    assert whole["usage"]["prompt_tokens"] == 26
    assert whole["usage"]["completion_tokens"] == 29
    ends = [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]]
    assert ends[-1] == whole["choices"][0]["finish_reason"] == "stop"
    assert up.last().headers["authorization"] == "Bearer " + KEY


def test_tools_there_and_back():
    body = chat("oll/llama3", tools=[TOOL])
    reply = json.loads(ask(body)[2])["choices"][0]
    assert reply["finish_reason"] == "tool_calls", reply
    calls = reply["message"]["tool_calls"]
    assert [c["id"] for c in calls] == ["call_x", "call_y"]
    assert [json.loads(c["function"]["arguments"])["city"] for c in calls] == \
        ["Bern", "Zürich"]
    deltas = [c["choices"][0]["delta"]
              for c in streamed(dict(body, stream=True)) if c["choices"]]
    pieces = [t for d in deltas for t in d.get("tool_calls") or []]
    assert sorted({t["index"] for t in pieces}) == [0, 1], pieces
    body["messages"] += [reply["message"]] + [
        {"role": "tool", "tool_call_id": c["id"], "content": "12"}
        for c in calls]
    status, _, answered = ask(body)
    assert status == 200, answered
    sent = up.last().json["messages"]
    assert sent[1]["tool_calls"][1]["function"]["arguments"] == {
        "city": "Zürich"}
    assert sent[3] == {"role": "tool", "content": "12", "tool_name": "get_w",
                       "tool_call_id": "call_y"}


def test_what_goes_up():
    schema = {"type": "object", "properties": {}}
    status, _, body = ask({
        "model": "tuned/llama3", "max_completion_tokens": 9, "stop": "END",
        "seed": 7, "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "schema": schema}},
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "?"},
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64," + PNG}}]}]})
    assert status == 200, body
    sent = up.last().json
    assert sent["messages"] == [{"role": "user", "content": "?",
                                 "images": [PNG]}]
    assert sent["format"] == schema and sent["think"] == "low"
    assert sent["options"] == {"num_predict": 9, "stop": ["END"], "seed": 7,
                               "num_ctx": 8192, "top_k": 20}
    assert sent["keep_alive"] == "30m" and sent["stream"] is False
    status, _, body = ask(chat("tuned/other"))
    assert status == 200, body
    assert up.last().json["options"]["num_ctx"] == 512
    assert up.last().json["keep_alive"] == -1


def test_from_anthropics_api():
    status, _, body = host.post("/v1/messages", {
        "model": "oll/llama3", "max_tokens": 9, "system": [
            {"type": "text", "text": "s", "cache_control":
             {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "t1", "name": "get_w",
                 "input": {"city": "Bern"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": True,
                 "content": "closed"}]}]},
        {"anthropic-version": "2023-06-01"})
    assert status == 200, body
    reply = json.loads(body)
    assert reply["content"][-1]["text"] == "Hello", reply
    assert reply["stop_reason"] == "end_turn"
    assert reply["usage"]["output_tokens"] == 29
    sent = up.last().json
    assert sent["messages"][0] == {"role": "system", "content": "s"}
    assert sent["messages"][2]["tool_calls"][0]["function"]["arguments"] == {
        "city": "Bern"}
    assert sent["messages"][3]["tool_name"] == "get_w"
    assert sent["options"]["num_predict"] == 9


def test_a_large_picture():
    data = base64.b64encode(os.urandom(6 << 20)).decode()
    status, _, body = ask({"model": "oll/llama3", "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {
            "url": "data:image/png;base64," + data}}]}]})
    assert status == 200, body
    assert up.last().json["messages"][0]["images"] == [data]


def test_what_it_has_not():
    n = len(up.requests)
    for field, value in (("n", 2), ("logit_bias", {"1": 1}),
                         ("tool_choice", "required")):
        status, _, body = ask(chat("oll/llama3", **{field: value}))
        e = json.loads(body)["error"]
        assert status == 400 and e["param"] == field, (status, e)
        assert "unsupported" in e["message"], "no mend: " + e["message"]
    status, _, body = ask(chat("oll/llama3", messages=[
        {"role": "user", "content": [{"type": "image_url", "image_url": {
            "url": "https://example.com/a.png"}}]}]))
    assert status == 400 and b"data:image" in body, body
    assert len(up.requests) == n, "it went up all the same"
    status, _, body = ask(chat("tuned/llama3", logit_bias={"1": 1}))
    assert status == 200, body
    assert "logit_bias" not in up.last().json
    until(lambda: "dropped: Ollama cannot weigh single tokens" in host.errors(),
          "the log")


def test_errors():
    for text, status in (("busy", 503), ("gone", 404), ("toolless", 400)):
        got, _, body = ask(chat("oll/llama3", text=text))
        assert got == status, (text, got, body)
    got, _, body = ask(chat("oll/llama3", text="signin"))
    assert got in (401, 502) and b"c2VjcmV0" not in body, (got, body)
    assert "c2VjcmV0" not in host.errors()


def test_errors_in_a_stream():
    for text in ("midway", "cut"):
        _, _, body = ask(chat("oll/llama3", True, text=text))
        events = sse(body)
        assert "[DONE]" not in events, events
        assert any("error" in json.loads(e) for e in events), events
        assert not any((c.get("finish_reason")) for e in events
                       for c in json.loads(e).get("choices", [])), events


def test_embeddings():
    body = {"model": "oll/embed", "input": ["a", "b"]}
    status, _, reply = host.post("/v1/embeddings", body)
    assert status == 200, reply
    reply = json.loads(reply)
    assert [d["embedding"] for d in reply["data"]] == [[0.5, -1]] * 2
    assert reply["usage"]["prompt_tokens"] == 4
    status, _, reply = host.post("/v1/embeddings",
                                 dict(body, encoding_format="base64"))
    assert status == 200, reply
    vector = json.loads(reply)["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(vector)) == (0.5, -1)


def test_list_and_show():
    listed = {m["id"]: m for m in op("list", {})}
    assert listed["llama3"]["context_window"] == 131072
    assert "tools" in listed["llama3"]["capabilities"]
    assert listed["embed:latest"]["capabilities"] == ["embeddings"]
    n = len(up.requests)
    op("list", {}, "tuned")
    assert [r.path for r in up.requests[n:]] == ["/api/tags"]
    merged = json.loads(host.get("/v1/models")[2])["data"]
    assert any(m["id"] == "oll/llama3" for m in merged), merged
    shown, = op("show", {"model": "llama3"})
    assert shown["context_window"] == 131072
    try:
        op("show", {"model": "nope"})
        raise AssertionError("shown what is not there")
    except ValueError as e:
        assert "not_found" in str(e), e


def test_a_model_without_details_hides_no_other():
    listed = {m["id"]: m for m in op("list", {}, "odd")}
    assert sorted(listed) == ["broken", "broken too", "llama3"], listed
    assert listed["llama3"]["context_window"] == 131072
    assert "context_window" not in listed["broken"]


def test_pull_and_delete():
    items = op("pull", {"model": "llama3"})
    assert items[-1] == {"status": "success", "done": True}, items
    assert items[2]["completed"] == 5000000000
    try:
        op("pull", {"model": "none"})
        raise AssertionError("pulled what is not there")
    except ValueError as e:
        assert "file does not exist" in str(e), e
    assert op("delete", {"model": "llama3"}) == []
    # The host may have asked for its new list meanwhile.
    sent = [r for r in up.requests if r.method == "DELETE"]
    assert [r.json for r in sent] == [{"model": "llama3"}]
    try:
        op("delete", {"model": "nope"})
        raise AssertionError("deleted what is not there")
    except ValueError as e:
        assert "not_found" in str(e), e


def test_health():
    assert host.control("provider.test", {"name": "oll"})["ok"]
    assert op("health", {}) == [{"ok": True, "detail": "Ollama 0.33.0"}]


def test_the_example():
    with open(os.path.join(HERE, "..", "..", "etc", "providers.d",
                           "ollama.conf")) as f:
        text = "".join(l[1:] if l.startswith(("#prov", "#    ", "#}")) else l
                       for l in f)
    # Once as it stands, once with every setting that it shows.
    shown = "".join("        " + l.lstrip()[2:] if l.startswith("        # ") and
                    ("=" in l) else l for l in text.splitlines(True))
    assert "num_ctx" in shown and shown != text
    for conf in (text, shown):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write(conf)
            f.flush()
            p = subprocess.run(
                [PATCHBAY, "config", "check", "--config", f.name],
                env=dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                         OLLAMA_API_KEY=KEY), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert p.returncode == 0, p.stdout + conf


def run(args, **env):
    with tempfile.TemporaryDirectory() as d:
        env = dict(os.environ, PATCHBAY_CONTROL=os.path.join(d, "none"), HOME=d,
                   XDG_CONFIG_HOME=d, XDG_STATE_HOME=d, **env)
        return subprocess.run([PATCHBAY] + args, env=env, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)


def test_from_the_environment():
    p = run(["chat", "-m", "ollama/llama3", "hi"],
            OLLAMA_HOST="127.0.0.1:%d" % up.port)
    assert p.returncode == 0 and "Hello" in p.stdout, (p.stdout, p.stderr)
    # Without any of its variables it is not there.
    p = run(["provider", "list"])
    assert p.returncode == 0 and "ollama" not in p.stdout, p.stdout
    p = run(["provider", "list"], OLLAMA_API_KEY=KEY)
    assert p.returncode == 0 and "ollama" in p.stdout, (p.stdout, p.stderr)
    assert KEY not in p.stdout + p.stderr


def test_wrong_settings():
    for setting, verb in (('num_ctx = 0', "config"), ('think = "a"', "config"),
                          ('keep_alive = "soon"', "plugins"),
                          ('options = [ "top_k" ]', "plugins")):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write("providers: { %s };" % section("oll", setting + ";"))
            f.flush()
            os.chmod(f.name, 0o600)
            p = run(["config", "check", "--config", f.name] if verb == "config"
                    else ["chat", "--config", f.name, "-m", "oll/x", "hi"],
                    PATCHBAY_ALLOW_ANY_OWNER="1")
        said = p.stdout + p.stderr
        assert setting.split()[0] in said and p.returncode != 0, (setting, said)


def test_nothing_secret_is_told():
    assert KEY not in host.errors()


if __name__ == "__main__":
    with up, Host(providers="".join((
            section(), section("odd", key="other"), section("tuned", """
            keep_alive = "30m"; num_ctx = 8192; options = [ "top_k=20" ];
            list_details = false; unsupported = "drop"; model_config = (
            { model = "other"; num_ctx = 512; keep_alive = -1; } );
            """))), top='structured_output: { check = "off"; };') as host:
        main(globals())
