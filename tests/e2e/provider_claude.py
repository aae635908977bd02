# SPDX-License-Identifier: MIT
"""claude.so behind a whole host: a client that speaks OpenAI's API, and a
scripted upstream that answers as Anthropic's Messages API does
(https://platform.claude.com/docs/en/api/messages)."""
import json
import os
import re
import subprocess
import tempfile

from harness import (PATCHBAY, Host, Upstream, chat, main, send_json,
                     send_stream, sse)

KEY = "sk-ant-secret-of-the-test-1234"
USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 5,
         "cache_read_input_tokens": 100, "output_tokens": 42,
         "output_tokens_details": {"thinking_tokens": 12}}
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}]


def message(content, stop="end_turn"):
    return {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-sonnet-5", "content": content, "stop_reason": stop,
            "stop_sequence": None, "usage": USAGE}


def event(kind, **more):
    return b"event: %s\ndata: %s\n\n" % (
        kind.encode(), json.dumps(dict(more, type=kind)).encode())


def start():
    return event("message_start", message=dict(
        message([], None), usage=dict(USAGE, output_tokens=1)))


def block(index, first, *deltas):
    return [event("content_block_start", index=index, content_block=first)] + \
        [event("content_block_delta", index=index, delta=d) for d in deltas] + \
        [event("content_block_stop", index=index)]


def end(stop="end_turn"):
    return [event("message_delta", delta={"stop_reason": stop},
                  usage={"output_tokens": 42, "input_tokens": None,
                         "output_tokens_details": {"thinking_tokens": 12}}),
            event("message_stop")]


def text(index, *pieces):
    return block(index, {"type": "text", "text": ""},
                 *[{"type": "text_delta", "text": p} for p in pieces])


def call(index, name, *pieces):
    return block(index, {"type": "tool_use", "id": "toolu_%d" % index,
                         "name": name, "input": {}},
                 *[{"type": "input_json_delta", "partial_json": p}
                   for p in pieces])


CITED = {"type": "char_location", "cited_text": "The grass is green.",
         "document_index": 0, "document_title": "Colours", "file_id": None,
         "start_char_index": 0, "end_char_index": 19}
FOUND = {"type": "search_result_location", "cited_text": "blue", "title": "Sky",
         "source": "https://example.org/sky", "search_result_index": 0,
         "start_block_index": 0, "end_block_index": 1}


def cited(index, text_, *citations):
    return block(index, {"type": "text", "text": "", "citations": []},
                 {"type": "text_delta", "text": text_},
                 *[{"type": "citations_delta", "citation": c}
                   for c in citations])


def error(conn, status, kind, words, headers=""):
    send_json(conn, status, {"type": "error", "error": {
        "type": kind, "message": words}, "request_id": "req_up"}, headers)


def last_text(req):
    part = req.json["messages"][-1]["content"][-1]
    return part.get("text") or part.get("type")


def streamed(req, conn, said):
    if said == "tools":
        return send_stream(conn, [start()] + text(0, "Look.") + call(
            1, "get_weather", "", '{"city":"Z\\u00', 'fcrich"}') + call(
            2, "get_weather") + end("tool_use"))
    if said == "think":
        return send_stream(conn, [start()] + block(
            0, {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Hm."},
            {"type": "signature_delta", "signature": "c2ln"}) +
            text(1, "So.") + end())
    if said == "cite":
        return send_stream(conn, [start()] + text(0, "It's ") + cited(
            1, "gr\u00fcn", CITED) + text(2, ", ") + cited(
                3, "blue", FOUND) + end())
    if said == "midway":
        return send_stream(conn, [start()] + text(0, "Hel") + [event(
            "error", error={"type": "overloaded_error",
                            "message": "Overloaded"})])
    if said == "cut":
        return send_stream(conn, [start()] + text(0, "Hel") + end()[:1])
    return send_stream(conn, [start(), event("ping")] +
                       text(0, "Hel", "lo") + end())


def answer(req, conn):
    if req.headers.get("x-api-key") != KEY and \
            req.headers.get("authorization") != "Bearer " + KEY:
        return error(conn, 401, "authentication_error", "invalid x-api-key")
    if req.headers.get("anthropic-version") not in ("2026-10-21", "2023-06-01"):
        return error(conn, 400, "invalid_request_error",
                     "anthropic-version: required")
    if req.path.startswith("/v1/models"):
        return send_json(conn, 200, {"data": [{
            "type": "model", "id": "claude-sonnet-5", "display_name": "Sonnet",
            "created_at": "2026-10-01T00:00:00Z", "max_input_tokens": 500000,
            "max_tokens": 64000}], "has_more": False})
    if req.path == "/v1/messages/count_tokens":
        assert "max_tokens" not in req.json and "stream" not in req.json
        return send_json(conn, 200, {"input_tokens": 2095})
    assert req.path == "/v1/messages" and req.json["max_tokens"] > 0
    said = last_text(req)
    if said == "full":
        return error(conn, 529, "overloaded_error", "Overloaded")
    if said == "slow":
        return error(conn, 429, "rate_limit_error", "Slow down",
                     "retry-after: 3\r\n")
    if said == "spent":
        return error(conn, 400, "invalid_request_error",
                     "You have reached your spend limit")
    if said == "long":
        return error(conn, 400, "invalid_request_error",
                     "prompt is too long: 210000 tokens > 200000 maximum")
    if req.json.get("stream"):
        return streamed(req, conn, said)
    if said == "tools":
        return send_json(conn, 200, message(
            [{"type": "text", "text": "Look."},
             {"type": "tool_use", "id": "toolu_1", "name": "get_weather",
              "input": {"city": "Z\u00fcrich"}},
             {"type": "tool_use", "id": "toolu_2", "name": "get_weather",
              "input": {}}], "tool_use"))
    if said == "cite":
        return send_json(conn, 200, message(
            [{"type": "text", "text": "It's "},
             {"type": "text", "text": "gr\u00fcn", "citations": [CITED]},
             {"type": "text", "text": ", ", "citations": None},
             {"type": "text", "text": "blue", "citations": [FOUND]}]))
    return send_json(conn, 200, message([{"type": "text", "text": "Hello"}]))


up = Upstream(answer)
host = None


def section(name="claude", extra="", kind="claude"):
    return ('%s: { type = "%s"; base_url = "%s"; api_key = "%s"; '
            '%s };' % (name, kind, up.url, KEY, extra))


def ask(body):
    return host.post("/v1/chat/completions", body)


def good(body):
    status, _, reply = ask(body)
    assert status == 200, reply
    return json.loads(reply)


def chunks(body):
    status, _, reply = ask(body)
    assert status == 200, reply
    return [json.loads(d) if d != "[DONE]" else d for d in sse(reply)]


def joined(events, field="content"):
    return "".join(c["choices"][0]["delta"].get(field) or "" for c in events
                   if c != "[DONE]" and c.get("choices"))


def finish(events):
    return [c["choices"][0]["finish_reason"] for c in events
            if c != "[DONE]" and c.get("choices")
            and c["choices"][0]["finish_reason"]]


def refused(body):
    status, _, reply = ask(body)
    return status, json.loads(reply)["error"]


def test_whole():
    reply = good(chat("claude/claude-sonnet-5"))
    assert reply["choices"][0]["message"]["content"] == "Hello"
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"]["prompt_tokens"] == 115
    assert reply["usage"]["completion_tokens"] == 42
    assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] == 100
    sent = up.last()
    assert sent.headers["x-api-key"] == KEY
    assert "authorization" not in sent.headers
    assert sent.headers["anthropic-version"] == "2026-10-21"
    assert sent.json["model"] == "claude-sonnet-5"


def test_stream():
    events = chunks(chat("claude/claude-sonnet-5", True,
                         stream_options={"include_usage": True}))
    assert joined(events) == "Hello" and finish(events) == ["stop"]
    assert events[-1] == "[DONE]"
    assert events[-2]["usage"]["prompt_tokens"] == 115


def test_tools_streamed_and_whole_are_the_same():
    whole = good(chat("claude/claude-sonnet-5", text="tools", tools=TOOLS))
    whole = whole["choices"][0]["message"]["tool_calls"]
    calls = {}
    events = chunks(chat("claude/claude-sonnet-5", True, "tools", tools=TOOLS))
    for c in events:
        for t in (c["choices"][0]["delta"].get("tool_calls", [])
                  if c != "[DONE]" and c["choices"] else []):
            have = calls.setdefault(t["index"], {"arguments": ""})
            have.update({k: t[k] for k in ("id",) if k in t})
            have["arguments"] += t["function"].get("arguments", "")
    assert finish(events) == ["tool_calls"]
    for i, t in enumerate(whole):
        assert calls[i]["id"] == t["id"]
        assert json.loads(calls[i]["arguments"]) == \
            json.loads(t["function"]["arguments"])
    assert json.loads(whole[0]["function"]["arguments"]) == \
        {"city": "Z\u00fcrich"}


def test_round_trip_of_tools():
    messages = [{"role": "system", "content": "Be brief."},
                {"role": "user", "content": "tools"},
                good(chat("claude/claude-sonnet-5", text="tools",
                          tools=TOOLS))["choices"][0]["message"],
                {"role": "tool", "tool_call_id": "toolu_1", "content": "12"},
                {"role": "tool", "tool_call_id": "toolu_2", "content": "13"}]
    good({"model": "claude/claude-sonnet-5", "messages": messages,
          "tools": TOOLS})
    sent = up.last().json
    assert sent["system"] == [{"type": "text", "text": "Be brief."}]
    assert [m["role"] for m in sent["messages"]] == \
        ["user", "assistant", "user"]
    assert [b["type"] for b in sent["messages"][1]["content"]] == \
        ["text", "tool_use", "tool_use"]
    assert sent["messages"][1]["content"][1]["input"] == {"city": "Z\u00fcrich"}
    assert [b["tool_use_id"] for b in sent["messages"][2]["content"]] == \
        ["toolu_1", "toolu_2"]


def test_image_and_schema():
    good({"model": "claude/claude-sonnet-5", "response_format": {
        "type": "json_schema", "json_schema": {
            "name": "p", "schema": {"type": "object"}}},
        "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64," + "QUJD" * 100000}},
            {"type": "text", "text": "What?"}]}]})
    sent = up.last().json
    source = sent["messages"][0]["content"][0]["source"]
    assert source["media_type"] == "image/png"
    assert source["data"] == "QUJD" * 100000
    assert sent["output_config"]["format"] == {
        "type": "json_schema", "schema": {"type": "object"}}


def test_thinking():
    events = chunks(chat("claude/claude-sonnet-5", True, "think",
                         reasoning_effort="high"))
    assert joined(events, "reasoning_content") == "Hm."
    assert joined(events) == "So."
    assert up.last().json["thinking"]["type"] == "adaptive"
    assert up.last().json["output_config"] == {"effort": "high"}


def test_signed_thoughts_come_back():
    ask = chat("claude/claude-sonnet-5", text="think", reasoning_effort="high")
    signed = [b for e in (json.loads(x) for x in sse(host.post(
        "/v1/chat/completions", dict(ask, stream=True))[2])[:-1])
              for c in e["choices"]
              for b in c["delta"].get("patchbay_blocks", [])]
    assert len(signed) == 1 and signed[0]["type"] == "thinking", signed
    assert signed[0]["signature"], signed
    said = {"role": "assistant", "content": "So.", "patchbay_blocks": signed}
    good({"model": "claude/claude-sonnet-5", "messages": ask["messages"] + [
        said, {"role": "user", "content": "go on"}]})
    assert up.last().json["messages"][1]["content"][0] == signed[0]


NOTES = [
    {"type": "file_citation", "file_citation": {
        "start_index": 5, "end_index": 9, "filename": "Colours", "index": 0},
     "patchbay_citation": CITED},
    {"type": "url_citation", "url_citation": {
        "start_index": 11, "end_index": 15, "title": "Sky",
        "url": "https://example.org/sky"}, "patchbay_citation": FOUND}]


def test_citations():
    """Annotations of the text, streamed and whole alike; and they come back
    without being in the way."""
    ask_ = chat("claude/claude-sonnet-5", text="cite")
    whole = good(ask_)["choices"][0]["message"]
    assert whole["annotations"] == NOTES, whole
    assert [whole["content"][n["start_index"]:n["end_index"]] for n in (
        NOTES[0]["file_citation"], NOTES[1]["url_citation"])] == [
            "gr\u00fcn", "blue"]
    events = chunks(dict(ask_, stream=True))
    notes = [n for c in events if c != "[DONE]" and c.get("choices")
             for n in c["choices"][0]["delta"].get("annotations", [])]
    assert joined(events) == whole["content"] and notes == NOTES, notes
    assert "annotations" not in good(chat(
        "claude/claude-sonnet-5"))["choices"][0]["message"]
    good(dict(ask_, messages=ask_["messages"] + [
        whole, {"role": "user", "content": "Go on."}]))
    assert "annotations" not in up.last().body.decode()


def test_citations_where_there_is_no_place_for_them():
    status, headers, reply = host.post("/api/chat", {
        "model": "claude/claude-sonnet-5", "stream": False,
        "messages": [{"role": "user", "content": "cite"}]})
    assert status == 200, reply
    assert json.loads(reply)["message"]["content"] == "It's gr\u00fcn, blue"
    assert headers["x-patchbay-warning"].startswith("citations: "), headers


def test_errors():
    before = len(up.requests)
    status, e = refused(chat("claude/claude-sonnet-5", seed=7))
    assert status == 400 and e["param"] == "seed" and "drop" in e["message"]
    assert len(up.requests) == before
    status, e = refused(chat("claude/claude-sonnet-5", text="slow"))
    assert status == 429
    host.control("provider.reset", {"name": "claude"})  # it said to wait
    status, e = refused(chat("claude/claude-sonnet-5", text="long"))
    assert status == 400 and e["code"] == "context_length_exceeded"


def test_quota_and_overload():
    # Each on a key and a circuit of its own: they take a provider out.
    status, e = refused(chat("spent/claude-sonnet-5", text="spent"))
    assert e["code"] == "provider_quota_exhausted", e
    status, e = refused(chat("full/claude-sonnet-5", text="full"))
    assert status in (503, 529), (status, e)


def test_stream_that_breaks():
    for text_ in ("midway", "cut"):
        status, _, reply = ask(chat("other/claude-sonnet-5", True, text_))
        assert b"[DONE]" not in reply and b'"error"' in reply, reply


def test_configuration():
    good(chat("older/claude-opus-4-6", temperature=0.2))
    sent = up.last()
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["authorization"] == "Bearer " + KEY
    assert "x-api-key" not in sent.headers
    assert sent.headers["anthropic-beta"] == "a-1,b-2"
    assert sent.json["temperature"] == 0.2
    assert sent.json["max_tokens"] == 2000
    for stream in (False, True):
        status, headers, reply = host.post("/v1/chat/completions", chat(
            "older/claude-opus-4-6", seed=7, n=2, stream=stream))
        assert status == 200, reply
        assert "seed" not in up.last().json
        told = headers["x-patchbay-warning"].split("\n")
        assert len(told) == 2, told
        assert sorted(t.split(":")[0] for t in told) == ["n", "seed"], told


def test_limit_of_one_model():
    good(chat("older/claude-haiku-4-5"))
    assert up.last().json["max_tokens"] == 4096
    good(chat("older/claude-haiku-4-5", max_tokens=7))
    assert up.last().json["max_tokens"] == 7


def test_example_file():
    """Every line of it, without its comment mark, is taken."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(top, "etc/providers.d/claude.conf")) as f:
        lines = [l for l in f if not re.match(r"# \S", l)
                 and "api_key_file" not in l]
    text = "".join(l.replace("#", "", 1) if l.startswith("#") else
                   l.replace("# ", "", 1) for l in lines)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(text)
        f.flush()
        env = dict(os.environ, ANTHROPIC_API_KEY=KEY,
                   PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"],
                   PATCHBAY_ALLOW_ANY_OWNER="1")
        p = subprocess.run([PATCHBAY, "config", "check", "--config", f.name],
                           env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    assert p.returncode == 0, p.stdout + text
    for key in ("max_tokens", "api_version", "auth_style", "unsupported",
                "beta"):
        assert "\n        %s = " % key in text, key


def op(name, body, provider="claude"):
    events = []
    host.control("op", {"op": name, "provider": provider, "body": body}, events)
    return [e["json"] for e in events if e["event"] == "item"]


def test_count_models_health():
    assert op("count", chat("claude-sonnet-5")) == [{"input_tokens": 2095}]
    model, = op("list", {})
    assert model["id"] == "claude-sonnet-5"
    assert model["context_window"] == 500000 and model["max_output"] == 64000
    assert op("health", {})[0]["ok"] is True


def native(**more):
    body = {"model": "claude/claude-sonnet-5", "max_tokens": 64,
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": more.pop("text", "hi")}]}],
            "a_new_field": {"x": [1, 2.50]}}
    body.update(more)
    return body


def test_claudes_own_dialect_is_passed_through():
    status, _, reply = host.post("/v1/messages", native(), {
        "anthropic-version": "2023-06-01", "anthropic-beta": "c-3"})
    assert status == 200, reply
    assert json.loads(reply) == message([{"type": "text", "text": "Hello"}])
    sent = up.last()
    assert b'"a_new_field": {"x": [1, 2.5]}' in sent.body
    assert sent.json["model"] == "claude-sonnet-5"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["anthropic-beta"] == "c-3"
    assert sent.headers["x-api-key"] == KEY


def test_betas_of_client_and_configuration():
    status, _, reply = host.post(
        "/v1/messages", native(model="older/claude-opus-4-6"),
        {"anthropic-version": "2026-10-21", "anthropic-beta": "c-3"})
    assert status == 200, reply
    sent = up.last().headers
    assert sent["anthropic-version"] == "2026-10-21"
    assert sent["anthropic-beta"] == "a-1,b-2,c-3"


def test_stream_of_the_own_dialect():
    status, _, reply = host.post("/v1/messages", native(
        stream=True, text="think"), {"anthropic-version": "2026-10-21"})
    assert status == 200, reply
    kinds = [json.loads(d)["type"] for d in sse(reply)]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    assert b'"signature": "c2ln"' in reply


def test_count_of_the_own_dialect():
    body = native()
    del body["max_tokens"], body["a_new_field"]
    status, _, reply = host.post("/v1/messages/count_tokens", body, {
        "anthropic-version": "2026-10-21"})
    assert status == 200 and json.loads(reply) == {"input_tokens": 2095}


def test_the_key_is_in_no_log():
    assert KEY not in host.errors()


if __name__ == "__main__":
    sections = section() + section("spent") + section("full") + \
        section("other", kind="anthropic") + section(
            "older", 'api_version = "2023-06-01"; auth_style = "bearer"; '
            'beta = [ "a-1", "b-2" ]; max_tokens = 2000; '
            'unsupported = "drop"; model_config = ( '
            '{ model = "claude-haiku-4-5"; max_tokens = 4096; } );')
    # What goes up is at stake here, not whether the answer is JSON.
    with up, Host(providers=sections,
                  top='structured_output: { check = "off"; };') as host:
        main(globals())
