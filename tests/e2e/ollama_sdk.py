# SPDX-License-Identifier: MIT
"""Ollama's client API: its official package for Node against a host that
translates for every other provider and passes through to ollama.so; and, byte
for byte, what passes.  Forms of the scripted Ollama:
https://github.com/ollama/ollama/blob/main/docs/api.md; of the scripted
Anthropic: https://platform.claude.com/docs/en/api/messages"""
import base64
import hashlib
import json
import os
import subprocess

from harness import (BOUND, DONE, Host, LOOPBACK, Upstream, chunked, delta,
                     main, openai_at, send_json, send_stream)
from openai_sdk import counterpart
from openai_upstream import chat_answer, openai_upstream
from provider_claude import block, call, end, event, message, start, text

HERE = os.path.dirname(os.path.abspath(__file__))
KEY, ADMIN_KEY = "pbk_ollama_talker_0001", "pbk_ollama_admin_0002"
UP_KEY = "ollama-upstream-secret-99"
OR_KEY = "sk-or-v1-upstream-secret-98"
CLAUDE_KEY = "sk-ant-upstream-secret-97"
AT = "2026-11-20T10:00:00.000000001Z"
COUNTS = {"total_duration": 5043500667, "load_duration": 1,
          "prompt_eval_count": 26, "prompt_eval_duration": 2,
          "eval_count": 2, "eval_duration": 709382000}


def line(content="", done=False, **message):
    out = {"model": "llama3", "created_at": AT,
           "message": dict(role="assistant", content=content, **message),
           "done": done}
    if done:
        out.update(COUNTS, done_reason="stop")
    return out


def send_lines(conn, lines, end=b"0\r\n\r\n"):
    """Each in two pieces, and then the end of the body."""
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n")
    for one in lines:
        data = one if isinstance(one, bytes) else json.dumps(one).encode()
        conn.sendall(chunked(data[:9]))
        conn.sendall(chunked(data[9:] + b"\n"))
    conn.sendall(end)


class Ollama(Upstream):
    def __init__(self):
        super().__init__(self.reply)
        self.names = ["llama3:latest", "embed:latest"]

    def tag(self, name):
        kind = "embedding" if name.startswith("embed") else "completion"
        return {"name": name, "model": name, "modified_at": AT, "size": 4000,
                "digest": "ab12", "details": {"family": "llama",
                                              "context_length": 8192},
                "capabilities": [kind]}

    def reply(self, req, conn):
        assert req.headers["authorization"] == "Bearer " + UP_KEY, req.headers
        if req.path == "/api/tags":
            return send_json(conn, 200, {"models": [self.tag(n)
                                                    for n in self.names]})
        if req.path == "/api/ps":
            return send_json(conn, 200, {"models": [
                dict(self.tag("llama3:latest"), size=5000000000,
                     size_vram=4000000000, context_length=4096,
                     expires_at="2026-11-20T10:05:00Z")]})
        return {"/api/show": self.show, "/api/pull": self.pull,
                "/api/delete": self.delete, "/api/embed": self.embed,
                "/api/chat": self.chat}[req.path](req, conn)

    def known(self, name):
        full = name if ":" in name else name + ":latest"
        return full if full in self.names else None

    def show(self, req, conn):
        if not self.known(req.json["model"]):
            return send_json(conn, 404, {"error": "model not found"})
        return send_json(conn, 200, {
            "details": {"family": "llama"},
            "capabilities": ["completion", "tools", "vision"],
            "model_info": {"general.architecture": "llama",
                           "llama.context_length": 131072}})

    def pull(self, req, conn):
        def layer(name, total, done):
            return {"status": "pulling " + name, "digest": "sha256:" + name,
                    "total": total, "completed": done}
        name = req.json["model"]
        lines = [{"status": "pulling manifest"}, layer("aa11", 5000000000, 7)]
        if name == "full":
            return send_lines(conn, lines + [{"error": "the disk is full"}])
        if name not in self.names:
            self.names.append(name)
        return send_lines(conn, lines + [
            layer("bb22", 100, 100), layer("aa11", 5000000000, 5000000000),
            {"status": "verifying sha256 digest"},
            {"status": "writing manifest"}, {"status": "success"}])

    def delete(self, req, conn):
        assert req.method == "DELETE"
        name = self.known(req.json["model"])
        if not name:
            return send_json(conn, 404, {"error": "model not found"})
        self.names.remove(name)
        return send_json(conn, 200, b"")

    def embed(self, req, conn):
        given = req.json["input"]
        n = 1 if isinstance(given, str) else len(given)
        return send_json(conn, 200, {
            "model": "embed", "prompt_eval_count": 4,
            "embeddings": [[0.5, -0.25, i] for i in range(n)]})

    def chat(self, req, conn):
        body = req.json
        stream, model = body.get("stream", True), body["model"]
        last = body["messages"][-1]
        if model == "limited":
            return send_json(conn, 429, {"error": "slow down"})
        if model == "cut":
            if stream:
                return send_lines(conn, [line("Hel")])
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json"
                         b"\r\nContent-Length: 500\r\n\r\n{\"model\":\"cut\",")
            return False
        if model == "midway":
            return send_lines(conn, [line("Hel"), {"error": "out of memory"}])
        if model == "endless":
            send_lines(conn, [], b"")
            while True:
                conn.sendall(chunked(json.dumps(line("on ")).encode() + b"\n"))
        if not self.known(model):
            return send_json(conn, 404, {"error": "model not found"})
        return self.answer_chat(body, last, stream, conn)

    def answer_chat(self, body, last, stream, conn):
        calls = [{"function": {"index": 0, "name": "get_weather",
                               "arguments": {"city": "Zürich"}}}]
        if last.get("images"):
            words = ["1 picture of %d bytes" % len(
                base64.b64decode(last["images"][0], validate=True))]
        elif last["role"] == "tool":
            assert body["messages"][-2]["tool_calls"][0]["function"] == \
                calls[0]["function"], body
            assert last["tool_name"] == "get_weather"
            words = ["it is ", last["content"]]
        elif isinstance(body.get("format"), dict):
            words = ['{"name":"Ada",', '"age":36}']
        elif body.get("format"):
            words = ["{}"]
        elif body.get("tools"):
            if stream:
                return send_lines(conn, [line(tool_calls=calls),
                                         line(done=True)])
            return send_json(conn, 200, line("", True, tool_calls=calls))
        else:
            words = ["Hel", "lo"]
        think = {"thinking": "hm"} if body.get("think") else {}
        if not stream:
            return send_json(conn, 200, line("".join(words), True, **think))
        return send_lines(conn, ([line(**think)] if think else []) +
                          [line(w) for w in words] + [line(done=True)])


def openai_chat(req, conn):
    """As openai_upstream, and what Ollama's client can ask for."""
    body = req.json
    fmt = body.get("response_format")
    if fmt:
        assert fmt["type"] in ("json_object", "json_schema"), fmt
        if fmt["type"] == "json_schema":
            assert fmt["json_schema"]["schema"]["required"] == ["name", "age"]
        text = '{"name":"Ada","age":36}'
    elif isinstance(body["messages"][-1]["content"], list):
        part = body["messages"][-1]["content"][1]
        assert part["image_url"]["url"].startswith("data:image/png;base64,")
        return chat_answer(req, conn)
    elif not body.get("stream") or body.get("tools"):
        return chat_answer(req, conn)
    else:
        text = "Hello"
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    if not body.get("stream"):
        return send_json(conn, 200, {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1,
            "model": "gpt-4o", "usage": usage, "choices": [
                {"index": 0, "finish_reason": "stop", "message": {
                    "role": "assistant", "content": text}}]})
    last = json.dumps({"id": "chatcmpl-1", "created": 1, "model": "gpt-4o",
                       "object": "chat.completion.chunk", "choices": [],
                       "usage": usage}).encode()
    return send_stream(conn, [
        delta(role="assistant", content=""), delta(text[:3]), delta(text[3:]),
        delta(finish="stop"), b"data: " + last + b"\n\n", DONE])


def openai_cut(req, conn):
    if req.json.get("stream"):
        return send_stream(conn, [delta(role="assistant", content=""),
                                  delta("Hel")])
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Content-Length: 500\r\n\r\n{\"id\":\"x\",")
    return False


def openai_endless(req, conn):
    send_stream(conn, [], b"")
    while True:
        conn.sendall(chunked(delta("on ")))


def openai_pretty(req, conn):
    """A call whose arguments stand on several lines."""
    call = {"index": 0, "id": "c1", "type": "function", "function": {
        "name": "f", "arguments": '{\n  "a": "x\\ny",\r\n  "b": [\n]\n}'}}
    return send_stream(conn, [delta(tool_calls=[call]),
                              delta(finish="tool_calls"), DONE])


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


def claude_special(model, stream, conn):
    if model == "limited":
        return send_json(conn, 429, {"type": "error", "error": {
            "type": "rate_limit_error", "message": "slow down"}})
    if model == "endless":
        send_stream(conn, [start()] + text(0)[:1], b"")
        while True:
            conn.sendall(chunked(text(0, "on ")[1]))
    if stream:
        return send_stream(conn, [start()] + text(0, "Hel"))
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Content-Length: 500\r\n\r\n{\"id\":\"x\",")
    return False


def claude_calls(stream, conn):
    if not stream:
        return send_json(conn, 200, message(
            [THOUGHT, {"type": "tool_use", "id": "toolu_1",
                       "name": "get_weather", "input": {"city": "Zürich"}}],
            "tool_use"))
    return send_stream(conn, [start()] + block(
        0, dict(THOUGHT, thinking="", signature=""),
        {"type": "thinking_delta", "thinking": "Hm."},
        {"type": "signature_delta", "signature": "c2ln"}) + call(
        1, "get_weather", '{"city":"Z\\u00', 'fcrich"}') + end("tool_use"))


def claude(req, conn):
    assert req.headers.get("x-api-key") == CLAUDE_KEY, req.headers
    if req.path.startswith("/v1/models"):
        one = {"type": "model", "id": "claude-sonnet-5", "display_name": "S",
               "created_at": "2026-10-01T00:00:00Z"}
        if "/claude-sonnet-5" in req.path:
            return send_json(conn, 200, one)
        return send_json(conn, 200, {"data": [one], "has_more": False})
    body = req.json
    stream, last = body.get("stream"), body["messages"][-1]["content"]
    if body["model"] != "claude-sonnet-5":
        return claude_special(body["model"], stream, conn)
    words = ["Hel", "lo"]
    if isinstance(last, list) and last[-1]["type"] == "tool_result":
        assert body["messages"][-2]["content"][0] == THOUGHT, body
        said = last[-1]["content"]
        words = ["it is ", said if isinstance(said, str) else said[0]["text"]]
    elif isinstance(last, list) and last[-1]["type"] == "image":
        words = ["1 picture of %d bytes" % len(
            base64.b64decode(last[-1]["source"]["data"], validate=True))]
    elif body.get("output_config"):
        assert body["output_config"]["format"]["schema"]["required"]
        words = ['{"name":"Ada",', '"age":36}']
    elif body.get("tools"):
        return claude_calls(stream, conn)
    if not stream:
        return send_json(conn, 200, message(
            [{"type": "text", "text": "".join(words)}]))
    return send_stream(conn, [start(), event("ping")] + text(0, *words) + end())


def client_keys():
    def one(name, key, rights):
        return '{ name = "%s"; sha256 = "%s"; rights = ( %s ); }' % (
            name, hashlib.sha256(key.encode()).hexdigest(),
            ", ".join('"%s"' % r for r in rights))
    return "keys: ( %s, %s );" % (one("talker", KEY, ["chat"]),
                                  one("admin", ADMIN_KEY, ["chat", "models"]))


ollama, openai, host = Ollama(), openai_upstream(), None
anthropic = Upstream(claude)
openai.on("gpt-4o")(openai_chat)
openai.on("cut")(openai_cut)
openai.on("endless")(openai_endless)
openai.on("limited")(lambda r, c: send_json(c, 429, {"error": {
    "message": "slow down", "type": "requests", "code": None}}))
openai.on("pretty")(openai_pretty)
openai.on("/v1/models/gpt-4o")(lambda r, c: send_json(c, 200, {
    "id": "gpt-4o", "object": "model", "created": 1, "owned_by": "openai"}))
openai.on("/props?model=gpt-4o&autoload=false")(lambda r, c: send_json(c, 200, {
    "default_generation_settings": {"n_ctx": 2048}, "total_slots": 1,
    "modalities": {"vision": True}, "endpoint_slots": False}))
openai.on("/api/v1/models")(lambda r, c: send_json(c, 200, {"data": [
    {"id": "gpt-4o", "name": "G", "created": 1, "context_length": 8192}]}))


def package(target, script, up=None):
    sdk = counterpart("node.sh")
    env = dict(os.environ, BASE_URL=host.url, KEY=KEY, ADMIN_KEY=ADMIN_KEY,
               SDK=sdk, TARGET=target, SCRIPT=script)
    assert subprocess.run([sdk + "/node", os.path.join(HERE, "ollama_sdk.mjs")],
                          env=env).returncode == 0
    # The client that went away in an endless stream ended it here, too.
    assert not up or up.gone.acquire(timeout=BOUND), "the upstream goes on"


def test_package_translated_for_loopback():
    package("loopback", "loopback")


def test_package_translated_for_openai():
    package("openai", "openai", openai)


def test_package_translated_for_openrouter():
    package("openrouter", "openai", openai)


def test_package_translated_for_llamacpp():
    package("llamacpp", "openai", openai)


def test_package_translated_for_claude():
    package("claude", "claude", anthropic)


def test_package_passed_to_ollama():
    package("ollama", "ollama", ollama)


def post(path, body, **more):
    return host.post(path, body, {"Authorization": "Bearer " + KEY}, **more)


REQUEST = (b'{ "stream" : %s,\n "brand_new":{"x":[1,2.50]}, "keep_alive":"5m",'
           b'"messages":[{"role":"user","content":"hi \\u00fc", "odd":null}],'
           b'\t"options":{"num_ctx":4096,"mirostat":1}, "model":"%s" }')


def passed(stream, name=b"ollama/llama3"):
    """What came back for a request that must go up as it is, but for the
    model."""
    status, headers, body = post("/api/chat", REQUEST % (stream, name))
    assert status == 200, body
    sent = ollama.last()
    assert sent.body == REQUEST % (stream, b"llama3"), sent.body
    assert sent.path == "/api/chat"
    return headers, body


def test_requests_and_answers_pass_byte_for_byte():
    whole = (b'{"model" : "llama3", "message":{"role":"assistant","content":'
             b'"\\u00fc","fresh":[1.50]},\n "done":true,"done_reason":"stop",'
             b'"eval_count":1, "new_one":{}}')
    lines = [b'{"model":"llama3" , "message":{"role":"assistant","content":'
             b'"\\u00fc","fresh":1.0},"done":false}',
             b'{"model":"llama3","message":{"role":"assistant","content":""}, '
             b'"done":true,"done_reason":"stop","eval_count":1,"new":null}']
    usual = ollama.answer
    try:
        ollama.answer = lambda r, c: send_json(c, 200, whole)
        headers, body = passed(b"false")
        assert body == whole, body
        assert headers["content-type"].startswith("application/json")
        assert headers["x-patchbay-provider"] == "ollama"
        ollama.answer = lambda r, c: send_lines(c, lines)
        headers, body = passed(b"true")
        assert body == b"".join(l + b"\n" for l in lines), body
        assert headers["content-type"].startswith("application/x-ndjson")
    finally:
        ollama.answer = usual


def test_a_cut_answer_is_never_done():
    for model in ("ollama/cut", "openai/cut", "ollama/midway",
                  "loopback/lorem?fault=cut@5&length=50"):
        for path, more in (("/api/chat", {"messages": [
                {"role": "user", "content": "hi"}]}),
                ("/api/generate", {"prompt": "hi"})):
            status, _, body = post(path, dict(more, model=model))
            lines = [json.loads(l) for l in body.splitlines()]
            assert status == 200 and len(lines) > 1, (model, path, body)
            assert list(lines[-1]) == ["error"] and lines[-1]["error"], body
            assert not any(l.get("done") for l in lines), body


def test_a_call_stays_on_its_line():
    status, _, body = post("/api/chat", {
        "model": "openai/pretty", "messages": [{"role": "user",
                                                "content": "hi"}]})
    lines = [json.loads(l) for l in body.split(b"\n")[:-1]]
    assert status == 200 and len(lines) == 2, body
    assert lines[0]["message"]["tool_calls"] == [
        {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {
            "a": "x\ny", "b": []}}}], body
    assert lines[1]["done"] is True


def test_fields_that_change_nothing_are_told():
    for path, body in (
            ("/api/show", {"model": "openai/gpt-4o", "verbose": True}),
            ("/api/embed", {"model": "loopback/embed", "input": "a",
                            "keep_alive": 0, "options": None})):
        status, headers, answer = post(path, body)
        assert status == 200, answer
        told = headers.get("x-patchbay-warning", "")
        assert [l.split(":")[0] for l in told.splitlines()] == [
            k for k in ("verbose", "keep_alive") if k in body], told
    many = {"option_%d" % i: i for i in range(40)}
    status, headers, answer = post("/api/chat", {
        "model": "loopback/echo", "options": many, "stream": False,
        "messages": [{"role": "user", "content": "hi"}]})
    told = headers["x-patchbay-warning"].splitlines()
    assert told[0].startswith("options.option_0:"), told
    assert told[-1].startswith("further fields:"), told


def test_errors_have_ollamas_form():
    for method, path, body, status in (
            ("POST", "/api/chat", b"{", 400), ("POST", "/api/chat", b"[]", 400),
            ("POST", "/api/chat", b'{"messages":[]}', 400),
            ("POST", "/api/embed", b'{"model":"loopback/embed"}', 400),
            ("POST", "/api/embed", b'{"model":"loopback/embed","input":"a",'
             b'"dimensions":"3"}', 400),
            ("POST", "/api/embeddings", b'{"model":"loopback/embed",'
             b'"prompt":"a","input":"b"}', 400),
            ("POST", "/api/show", b'{"model":"openai/gpt-4o","x":1}', 400),
            ("POST", "/api/show", b"{}", 400), ("GET", "/api/chat", b"", 405),
            ("POST", "/api/nonsense", b"{}", 404),
            ("POST", "/api/show", b'{"model":"nobody-has-it"}', 404)):
        got, headers, answer = post(path, body, method=method)
        assert got == status, (path, body, got, answer)
        e = json.loads(answer)
        assert list(e) == ["error"] and isinstance(e["error"], str), e
        assert e["error"], (path, body)
    got, _, answer = host.post("/api/chat", b"{}")
    assert got == 401 and isinstance(json.loads(answer)["error"], str), answer


def test_nothing_secret_is_told():
    log = host.errors()
    for secret in (KEY, ADMIN_KEY, UP_KEY, OR_KEY, CLAUDE_KEY,
                   "sk-upstream-secret"):
        assert secret not in log


if __name__ == "__main__":
    counterpart("node.sh")
    with ollama, openai, anthropic, Host(
            # One that is down comes first: it hides nobody.
            providers='down: { type = "ollama"; base_url = '
            '"http://127.0.0.1:1"; }; ollama: { type = "ollama"; '
            'base_url = "%s"; api_key = "%s"; }; %s %s '
            'openrouter: { base_url = "%s/api/v1"; api_key = "%s"; };'
            'llamacpp: { base_url = "%s"; };'
            'claude: { base_url = "%s"; api_key = "%s"; };' % (
                ollama.url, UP_KEY, openai_at(openai.url, "openai"), LOOPBACK,
                openai.url, OR_KEY, openai.url, anthropic.url, CLAUDE_KEY),
            top=client_keys()) as host:
        main(globals())
