# SPDX-License-Identifier: MIT
"""Answers that a JSON schema was asked for: checked, asked for once more, or an
error, whole and streamed, for every client API."""
import json

from harness import (LOOPBACK, SSE_HEAD, Host, Upstream, chat, chunked,
                     completion, delta, good_stream, main, openai_at,
                     send_json, send_stream, sse, until)

SCHEMA = {"type": "object", "properties": {
    "name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"], "additionalProperties": False}
GOOD = '{"name":"Ada","age":36}'
BAD = '{"name":"Ada","age":-1,"x":null}'


def wanted(schema=SCHEMA, **more):
    return dict({"response_format": {"type": "json_schema", "json_schema": {
        "name": "person", "strict": True, "schema": schema}}}, **more)


def response(text):
    return {"id": "resp_1", "object": "response", "created_at": 1,
            "status": "completed", "model": "m", "output": [
                {"type": "message", "id": "msg_1", "status": "completed",
                 "role": "assistant", "content": [
                     {"type": "output_text", "text": text,
                      "annotations": []}]}],
            "usage": {"input_tokens": 3, "output_tokens": 2,
                      "total_tokens": 5}}


def setting(top="", more=""):
    """Models that answer well, badly, badly at first."""
    up = Upstream()

    def say(texts):
        turn = [0]

        def answer(r, c):
            text = texts[min(turn[0], len(texts) - 1)]
            turn[0] += 1
            if r.path.endswith("/responses"):
                return send_json(c, 200, response(text))
            if r.json.get("stream"):
                half = len(text) // 2
                return send_stream(c, good_stream((text[:half], text[half:])))
            return send_json(c, 200, completion(text))
        return answer

    up.on("/v1/models")(lambda r, c: send_json(c, 200, {"data": []}))
    for name, texts in (("good", [GOOD]), ("bad", [BAD]),
                        ("mends", [BAD, GOOD]), ("words", ["Here you are!"])):
        up.on(name)(say(texts))
    return up, Host(providers=LOOPBACK + openai_at(up.url) + more, top=top)


def config(**keys):
    return "structured_output: { %s };" % " ".join(
        '%s = "%s";' % kv for kv in keys.items())


def posts(up):
    return [r for r in up.requests if r.method == "POST"]


def ask(host, model, path="/v1/chat/completions", **more):
    status, h, body = host.post(path, chat("up/" + model, **wanted(**more)))
    return status, h, body


def test_what_matches_passes_as_it_is():
    up, host = setting()
    with up, host:
        status, h, body = ask(host, "good")
        assert status == 200 and body == json.dumps(completion(GOOD)).encode()
        assert h["x-patchbay-attempts"] == "1"
        assert "x-patchbay-warning" not in h
        _, _, body = ask(host, "good", stream=True)
        assert body == b"".join(good_stream((GOOD[:11], GOOD[11:]))), body
        assert len(posts(up)) == 2


def test_one_repair():
    up, host = setting()
    with up, host:
        status, h, body = ask(host, "mends", temperature=0)
        r = json.loads(body)
        assert status == 200, body
        assert r["choices"][0]["message"]["content"] == GOOD
        assert h["x-patchbay-attempts"] == "2"
        # Both attempts are paid for.
        assert r["usage"]["prompt_tokens"] == 6, r
        assert r["usage"]["completion_tokens"] == 4, r
        n = host.counters("up")
        # The third call has listed the models.
        assert (n["calls"], n["ok"], n["failed"]) == (3, 2, 1), n
        assert (n["input_tokens"], n["output_tokens"]) == (6, 4), n
        first, second = [p.json for p in posts(up)]
        assert second["messages"][:1] == first["messages"]
        assert second["messages"][1] == {"role": "assistant", "content": BAD}
        words = second["messages"][2]["content"]
        assert "/age: must be at least 0" in words, words
        assert 'must not have a member "x"' in words, words
        assert json.dumps(SCHEMA) in words, words
        assert second["response_format"] == first["response_format"]
        assert second["temperature"] == 0


def test_not_two_repairs():
    up, host = setting()
    with up, host:
        for model, word in (("bad", "/age: must be at least 0"),
                            ("words", "is not JSON")):
            before = len(posts(up))
            status, h, body = ask(host, model)
            e = json.loads(body)["error"]
            assert status == 502 and e["code"] == "schema_violation", body
            assert word in e["message"], e
            assert len(posts(up)) == before + 2
            assert h["x-patchbay-attempts"] == "2"


def test_the_next_target_may_do_better():
    up, host = setting(top='routes = ( { name = "r"; '
                           'targets = [ "up/bad", "up/good" ]; } );')
    with up, host:
        status, h, body = host.post("/v1/chat/completions",
                                    chat("r", **wanted()))
        assert status == 200, body
        assert h["x-patchbay-model"] == "good"
        assert h["x-patchbay-attempts"] == "3"
        # It gets the client's own request.
        assert len(posts(up)[-1].json["messages"]) == 1


def test_modes():
    for keys, status, asked in ((dict(check="error"), 502, 1),
                                (dict(check="warn"), 200, 1),
                                (dict(check="off"), 200, 1)):
        up, host = setting(top=config(**keys))
        with up, host:
            got, h, body = ask(host, "bad")
            assert got == status, (keys, body)
            assert len(posts(up)) == asked
            warning = h.get("x-patchbay-warning", "")
            assert ("must be at least 0" in warning) == \
                (keys["check"] == "warn"), (keys, warning)


def test_streams():
    up, host = setting()
    with up, host:
        _, _, body = ask(host, "bad", stream=True)
        text = body.decode()
        assert '"Ada' in text.replace("\\", ""), text
        assert "schema_violation" in text and "[DONE]" not in text, text
        assert '"stop"' not in text, text
        assert host.counters("up")["failed"] == 1
    up, host = setting(top=config(streams="warn"))
    with up, host:
        _, _, body = ask(host, "bad", stream=True)
        assert sse(body)[-1] == "[DONE]"
        until(lambda: "passed on all the same" in host.errors(), "the log")
    up, host = setting(top=config(streams="hold"))
    with up, host:
        status, h, body = ask(host, "mends", stream=True)
        events = sse(body)
        assert status == 200 and events[-1] == "[DONE]", body
        text = "".join(c["choices"][0]["delta"].get("content") or ""
                       for c in map(json.loads, events[:-1]) if c["choices"])
        assert text == GOOD, text
        assert h["x-patchbay-attempts"] == "2"
        status, _, body = ask(host, "bad", stream=True)
        assert status == 502 and b"schema_violation" in body


def test_what_is_held_has_a_bound():
    """A stream of 72 MiB, of which 64 are held at most."""
    up, host = setting(top=config(streams="hold"))
    piece = chunked(delta("x" * (1 << 20)))

    def flood(r, c):
        c.sendall(SSE_HEAD + chunked(delta(role="assistant", content="")))
        for _ in range(72):
            c.sendall(piece)
        c.sendall(chunked(delta(finish="stop")) + chunked(b"data: [DONE]\n\n") +
                  b"0\r\n\r\n")
    up.on("flood")(flood)
    with up, host:
        status, _, body = ask(host, "flood", stream=True)
        assert status == 502 and b"provider_reply_too_large" in body, body[:500]


def test_held_answers_that_break_off():
    """Nothing was sent, so the next target can still answer."""
    up, host = setting(top=config(streams="hold") + 'routes = ( { name = "r"; '
                       'targets = [ "up/cut", "up/good" ]; } );')
    up.on("cut")(lambda r, c: (c.sendall(SSE_HEAD + chunked(delta(GOOD[:9]))),
                               False)[-1])
    with up, host:
        status, h, body = host.post("/v1/chat/completions",
                                    chat("r", stream=True, **wanted()))
        assert status == 200 and sse(body)[-1] == "[DONE]", body
        assert h["x-patchbay-attempts"] == "2", h


def test_what_is_no_such_answer_is_not_checked():
    up, host = setting()
    up.on("length")(lambda r, c: send_json(
        c, 200, completion('{"name"', finish="length")))
    refusal = completion(None)
    refusal["choices"][0]["message"]["refusal"] = "No."
    up.on("refusal")(lambda r, c: send_json(c, 200, refusal))
    call = completion(None, finish="tool_calls")
    call["choices"][0]["message"]["tool_calls"] = [
        {"id": "c", "type": "function",
         "function": {"name": "f", "arguments": "{}"}}]
    up.on("call")(lambda r, c: send_json(c, 200, call))
    with up, host:
        for model in ("length", "refusal", "call"):
            status, h, body = ask(host, model)
            assert status == 200 and h["x-patchbay-attempts"] == "1", body
        assert ask(host, "good", schema={})[0] == 200
        status, _, body = host.post(
            "/v1/chat/completions",
            chat("up/words", response_format={"type": "text"}))
        assert status == 200, body


def test_what_cannot_be_checked_is_refused_by_name():
    cases = (
        ({"type": "object", "unevaluatedProperties": False},
         "unevaluatedProperties"),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "$dynamicRef"),
        ({"nullable": True}, "nullable"),
        ({"$ref": "https://example.com/other.json"}, "example.com"),
        ({"pattern": "(?=a)"}, "looking ahead"),
        ({"$ref": "#"}, "no end"),
        ({"type": "text"}, "type"),
        (7, "a schema must be an object"),
    )
    up, host = setting()
    with up, host:
        for schema, word in cases:
            status, _, body = ask(host, "good", schema=schema)
            e = json.loads(body)["error"]
            assert status == 400 and word in e["message"], (schema, body)
            assert e["code"] == "invalid_json_schema", e
            assert e["param"] == "response_format", e
        assert not posts(up)
    up, host = setting(top=config(unsupported="pass"))
    with up, host:
        status, h, _ = ask(host, "words", schema=cases[0][0])
        assert status == 200
        assert "unevaluatedProperties" in h["x-patchbay-warning"], h


def test_schemas_that_multiply():
    """Each level asks the one below twice: 2^40 checks, if nobody counted."""
    def doubled(n):
        defs = {"a0": {"type": "string"}}
        for i in range(1, n + 1):
            defs["a%d" % i] = {"anyOf": [{"$ref": "#/$defs/a%d" % (i - 1)},
                                         {"$ref": "#/$defs/a%d" % (i - 1)}]}
        return {"$defs": defs, "$ref": "#/$defs/a%d" % n}

    up, host = setting()
    up.on("n")(lambda r, c: send_json(c, 200, completion("1")))
    with up, host:
        status, h, body = ask(host, "n", schema=doubled(40))
        # More than 64 of them within each other are refused.
        assert status == 400 and b"within each other" in body, body
        status, h, body = ask(host, "n", schema=doubled(25))
        assert status == 200, body
        assert "too large to be checked" in h["x-patchbay-warning"], h
        host.alive()


def test_all_client_apis():
    up, host = setting()
    with up, host:
        for model, status in (("mends", 200), ("bad", 502)):
            got, _, body = host.post("/v1/messages", {
                "model": "up/" + model, "max_tokens": 50,
                "messages": [{"role": "user", "content": "hi"}],
                "output_config": {"format": {"type": "json_schema",
                                             "schema": SCHEMA}}})
            assert got == status, (model, body)
            r = json.loads(body)
            if status == 200:
                assert r["content"][0]["text"] == GOOD, r
                assert r["usage"]["output_tokens"] == 4, r
            else:
                assert r["error"]["type"] == "api_error", r
    up, host = setting()
    with up, host:
        got, _, body = host.post("/api/chat", {
            "model": "up/mends", "stream": False, "format": SCHEMA,
            "messages": [{"role": "user", "content": "hi"}]})
        assert got == 200 and json.loads(body)["message"]["content"] == GOOD
        _, _, body = host.post("/api/chat", {
            "model": "up/bad", "format": SCHEMA,
            "messages": [{"role": "user", "content": "hi"}]})
        last = json.loads(body.strip().split(b"\n")[-1])
        assert "JSON schema" in last["error"] and not last.get("done"), body
    up, host = setting()
    with up, host:
        got, _, body = host.post("/v1/responses", {
            "model": "up/mends", "input": "hi", "text": {"format": {
                "type": "json_schema", "name": "p", "schema": SCHEMA}}})
        assert got == 200, body
        assert json.loads(body)["output"][0]["content"][0]["text"] == GOOD, body
        assert [p.path for p in posts(up)] == ["/v1/responses",
                                               "/v1/chat/completions"]


def test_a_provider_that_speaks_the_client_s_api():
    """Ollama's own bytes, read along."""
    up = Upstream()
    turn = []

    def answer(r, c):
        if r.path != "/api/chat":
            return send_json(c, 200, {"models": []})
        turn.append(r)
        return send_json(c, 200, {
            "model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {
                "role": "assistant", "content": BAD if len(turn) == 1 else GOOD},
            "done": True, "done_reason": "stop", "prompt_eval_count": 3,
            "eval_count": 2, "own": "field"})
    up.answer = answer
    with up, Host(providers='o: { type = "ollama"; base_url = "%s"; };'
                  % up.url) as host:
        ask = {"model": "o/m", "stream": False, "format": SCHEMA,
               "messages": [{"role": "user", "content": "hi"}]}
        status, h, body = host.post("/api/chat", ask)
        r = json.loads(body)
        assert status == 200 and r["message"]["content"] == GOOD, body
        assert r["eval_count"] == 4 and h["x-patchbay-attempts"] == "2", body
        status, h, body = host.post("/api/chat", ask)
        assert json.loads(body)["own"] == "field", body


ANTHROPIC = [
    {"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0,
     "content_block": {"type": "text", "text": ""}},
    None,
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn",
                                        "stop_sequence": None},
     "usage": {"output_tokens": 2}},
    {"type": "message_stop"}]


def named(event):
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(),
                                         json.dumps(event).encode())


def test_streams_that_pass_through():
    """The providers' own bytes, read along, with fields nobody here knows."""
    up = Upstream()

    def answer(r, c):
        if r.method == "GET":
            return send_json(c, 200, {"models": [], "data": []})
        bad = "bad" in r.body.decode()
        text = BAD if bad else GOOD
        if r.path == "/api/chat":
            lines = [{"model": "m", "created_at": "2026-01-01T00:00:00Z",
                      "message": {"role": "assistant", "content": t},
                      "done": False, "own": 1} for t in (text[:9], text[9:])]
            lines.append(dict(lines[0], done=True, done_reason="stop",
                              message={"role": "assistant", "content": ""}))
            c.sendall(SSE_HEAD.replace(b"text/event-stream",
                                       b"application/x-ndjson"))
            for line in lines:
                c.sendall(chunked(json.dumps(line).encode() + b"\n"))
            return c.sendall(b"0\r\n\r\n")
        return send_stream(c, [named(e or {
            "type": "content_block_delta", "index": 0, "own": 1,
            "delta": {"type": "text_delta", "text": text}})
            for e in ANTHROPIC])
    up.answer = answer
    with up, Host(providers='o: { type = "ollama"; base_url = "%s"; };'
                  'c: { type = "claude"; base_url = "%s"; api_key = "sk-1"; };'
                  % (up.url, up.url)) as host:
        for how in ("good", "bad"):
            messages = [{"role": "user", "content": how}]
            _, _, body = host.post("/api/chat", {
                "model": "o/m", "format": SCHEMA, "messages": messages})
            last = json.loads(body.strip().split(b"\n")[-1])
            assert b'"own": 1' in body, body
            assert last.get("done", False) is (how == "good"), body
            assert ("JSON schema" in last.get("error", "")) is (how == "bad")
            _, _, body = host.post("/v1/messages", {
                "model": "c/m", "max_tokens": 9, "stream": True,
                "not_known_here": 1, "messages": messages,
                "output_config": {"format": {"type": "json_schema",
                                             "schema": SCHEMA}}})
            assert b'"own": 1' in body, body
            assert (b"message_stop" in body) is (how == "good"), body
            assert (b"event: error" in body) is (how == "bad"), body


def test_the_place_of_a_wrong_schema():
    up, host = setting()
    wrong = {"unevaluatedItems": False}
    form = {"type": "json_schema", "name": "n", "schema": wrong}
    messages = [{"role": "user", "content": "hi"}]
    with up, host:
        status, _, body = host.post("/v1/responses", {
            "model": "up/good", "input": "hi", "text": {"format": form}})
        assert status == 400 and \
            json.loads(body)["error"]["param"] == "text.format", body
        for path, more in (("/v1/messages", {"max_tokens": 5, "output_config": {
                "format": {"type": "json_schema", "schema": wrong}}}),
                           ("/api/chat", {"format": wrong})):
            status, _, body = host.post(path, dict(
                {"model": "up/good", "messages": messages}, **more))
            assert status == 400 and b"unevaluatedItems" in body, body
        assert not posts(up)


def test_what_loopback_makes_up_matches():
    with Host() as host:
        for schema in (SCHEMA, {"type": "array", "items": {"enum": [1, "b"]},
                                "minItems": 2},
                       {"anyOf": [{"type": "null"}, {"const": {"a": [1.0]}}]},
                       {"$ref": "#/$defs/x",
                        "$defs": {"x": {"type": "string", "minLength": 5}}}):
            status, h, body = host.post("/v1/chat/completions", chat(
                "loopback/echo", **wanted(schema)))
            assert status == 200, body
            assert h["x-patchbay-attempts"] == "1", (schema, body)


def test_kept_answers_are_those_that_match():
    up, host = setting(top="cache: { enabled = true; };")
    with up, host:
        for how in ("miss", "hit"):
            status, h, body = ask(host, "mends")
            assert status == 200 and h["x-patchbay-cache"] == how, h
            assert json.loads(body)["choices"][0]["message"]["content"] == GOOD
        assert len(posts(up)) == 2
        for _ in range(2):
            status, h, _ = ask(host, "bad")
            assert status == 502, h
        assert len(posts(up)) == 6


if __name__ == "__main__":
    main(globals())
