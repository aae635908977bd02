# SPDX-License-Identifier: MIT
"""Counting tokens where the provider cannot: the host's estimate, and that it says
so; an error where the request is wrong."""
import json

from harness import Host, Upstream, main, openai_at, read_all, send_json

TEXT = "The quick brown fox jumps over the lazy dog. " * 20  # 200 tokens


def body(model, text=TEXT, **more):
    return dict({"model": model, "messages": [{"role": "user",
                                               "content": text}]}, **more)


def count(host, model, **more):
    status, h, reply = host.post("/v1/messages/count_tokens",
                                 body(model, **more))
    return status, h, json.loads(reply)


def claude(url):
    return ('claude: { base_url = "%s"; api_key = "sk-ant-x"; };' % url)


def within(n):
    return 170 <= n <= 240


def test_a_provider_that_has_no_such_operation():
    up = Upstream()
    with up, Host(providers=openai_at(up.url)) as host:
        status, h, reply = count(host, "up/m")
        assert status == 200 and within(reply["input_tokens"]), reply
        assert h["x-patchbay-estimate"] == "true"
        assert not [r for r in up.requests if r.method == "POST"]


def test_one_that_cannot_be_reached():
    up = Upstream()
    up.server.server_close()
    with Host(providers=claude(up.url)) as host:
        status, h, reply = count(host, "claude/m")
        assert status == 200 and within(reply["input_tokens"]), reply
        assert h["x-patchbay-estimate"] == "true"


def test_one_that_counts():
    up = Upstream(lambda r, c: send_json(c, 200, {"input_tokens": 7}))
    with up, Host(providers=claude(up.url)) as host:
        status, h, reply = count(host, "claude/m")
        assert (status, reply) == (200, {"input_tokens": 7})
        assert "x-patchbay-estimate" not in h


def test_what_is_wrong_is_wrong():
    up = Upstream(lambda r, c: send_json(c, 400, {
        "type": "error", "error": {"type": "invalid_request_error",
                                   "message": "messages: too strange"}}))
    with up, Host(providers=claude(up.url) + openai_at(up.url)) as host:
        status, _, reply = count(host, "claude/m")
        assert status == 400 and "too strange" in reply["error"]["message"]
        status, _, reply = host.post("/v1/messages/count_tokens",
                                     {"model": "up/m"})
        assert status == 400, reply


def test_tools_and_pictures_count():
    up = Upstream()
    picture = [{"type": "text", "text": TEXT}, {"type": "image", "source": {
        "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]
    tool = {"name": "weather", "description": TEXT, "input_schema": {
        "type": "object", "properties": {"city": {"type": "string"}}}}
    with up, Host(providers=openai_at(up.url)) as host:
        plain = count(host, "up/m")[2]["input_tokens"]
        seen = count(host, "up/m", text=picture)[2]["input_tokens"]
        tools = count(host, "up/m", tools=[tool])[2]["input_tokens"]
        assert seen - plain == 765, (plain, seen)
        assert 180 <= tools - plain <= 270, (plain, tools)


def test_escapes_and_files():
    """A text costs the same however its JSON is written, and a file something."""
    text = "Съешь ещё этих мягких французских булок. 你好 😀 \"x\"\n" * 10
    pdf = [{"type": "text", "text": "hi"}, {"type": "document", "source": {
        "type": "base64", "media_type": "application/pdf",
        "data": "QUJD" * 20000}}]
    up = Upstream()
    with up, Host(providers=openai_at(up.url)) as host:
        plain = json.dumps(body("up/m", text), ensure_ascii=False)
        escaped = json.dumps(body("up/m", text))
        assert len(escaped) > len(plain) + 500
        numbers = []
        for raw in (plain, escaped):
            s = host.connect()
            raw = raw.encode()
            s.sendall(b"POST /v1/messages/count_tokens HTTP/1.1\r\nHost: x\r\n"
                      b"Connection: close\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(raw) + raw)
            numbers.append(json.loads(read_all(s).partition(b"\r\n\r\n")[2])
                           ["input_tokens"])
        assert numbers[0] == numbers[1] > 150, numbers
        n = count(host, "up/m", text=pdf)[2]["input_tokens"]
        assert 5000 <= n <= 10000, n


if __name__ == "__main__":
    main(globals())
