# SPDX-License-Identifier: MIT
"""openai.so by the Responses API, through the whole host: clients of that API
passed through byte for byte, others translated, what the provider keeps.
Forms: https://platform.openai.com/docs/api-reference/responses"""
import json

from harness import (Host, LOOPBACK, Upstream, chat, completion, good_stream,
                     main, openai_at, send_json, send_stream, sse)

KEY = "sk-upstream-responses-55"
THOUGHT = {"id": "rs_1", "type": "reasoning", "encrypted_content": "gAAAsealed",
           "summary": [{"type": "summary_text", "text": "Hm."}]}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_a",
        "name": "get_weather", "arguments": '{"city":"Z\\u00fcrich"}',
        "status": "completed"}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}]


def message(text):
    return {"id": "msg_1", "type": "message", "role": "assistant",
            "status": "completed", "content": [
                {"type": "output_text", "text": text, "annotations": [],
                 "logprobs": []}]}


def response(output, status="completed", **more):
    return dict({"id": "resp_1", "object": "response", "created_at": 1,
                 "status": status, "model": "gpt-5.4", "output": output,
                 "error": None, "usage": {
                     "input_tokens": 20, "output_tokens": 7,
                     "input_tokens_details": {"cached_tokens": 4},
                     "output_tokens_details": {"reasoning_tokens": 3},
                     "total_tokens": 27}}, **more)


def event(kind, **more):
    return ("event: %s\ndata: %s\n\n" % (
        kind, json.dumps(dict(more, type=kind)))).encode()


def events(output, end="response.completed", **more):
    yield event("response.created", response=response([], "in_progress"))
    yield event("response.in_progress", response=response([], "in_progress"))
    for i, item in enumerate(output):
        yield event("response.output_item.added", output_index=i, item=dict(
            item, **({"arguments": ""} if "arguments" in item else {})))
        where = {"item_id": item["id"], "output_index": i}
        if item["type"] == "message":
            for c in item["content"][0]["text"]:
                yield event("response.output_text.delta", delta=c,
                            content_index=0, logprobs=[], **where)
        elif item["type"] == "function_call":
            yield event("response.function_call_arguments.delta",
                        delta=item["arguments"], **where)
        else:
            yield event("response.reasoning_summary_text.delta",
                        summary_index=0, delta="Hm.", **where)
        yield event("response.output_item.done", output_index=i, item=item)
    if end:
        yield event(end, response=response(output, end.split(".")[1], **more))


def output_of(body):
    """What the scripted model says to an input."""
    items = body["input"]
    last = items[-1] if isinstance(items, list) else {}
    if last.get("type") == "function_call_output":
        assert last["call_id"] == items[-2]["call_id"] == "call_a", items
        assert THOUGHT in items, items
        return [message("it is " + last["output"])]
    if body.get("tools"):
        assert body["tools"][0]["name"] == "get_weather", body
        return [THOUGHT, CALL]
    return [message("Hello")]


def answer(req, conn):
    assert req.headers["authorization"] == "Bearer " + KEY, req.headers
    if req.method != "POST" or req.path != "/v1/responses":
        if req.path == "/v1/chat/completions":
            return send_stream(conn, good_stream()) if req.json.get("stream") \
                else send_json(conn, 200, completion("by chat"))
        return send_json(conn, 200, {"object": "list", "data": [],
                                     "asked": [req.method, req.path]})
    body = req.json
    if body["model"] == "cut":
        return send_stream(conn, events([message("Hello")], None))
    if body["model"] == "broken":
        return send_stream(conn, list(events([message("Hello")], None)) + [
            event("response.failed", response=response(
                [], "failed", error={"code": "server_error",
                                     "message": "it broke"}))])
    if body["model"] == "at-once":
        return send_stream(conn, [event("error", code="server_error",
                                        message="it broke", param=None)])
    output = output_of(body)
    if body.get("stream"):
        return send_stream(conn, events(output))
    return send_json(conn, 200, response(output))


def posts():
    return [r for r in up.requests if r.method == "POST"]


ASKED = (b'{ "input" : [{"role":"user", "content":"hi \\u00fc","new":1.50}],\n'
         b'"previous_response_id":"resp_0","brand_new":{"x":[1]},'
         b'"stream":%s, "model":"%s" }')


def test_whole_passes_byte_for_byte():
    told = (b'{"id" : "resp_7","object":"response","status":"completed",\n'
            b'"output":[],"new":1.0,"usage":{"input_tokens":5,'
            b'"output_tokens":1}}')
    usual = up.answer
    try:
        up.answer = lambda r, c: send_json(c, 200, told)
        status, headers, body = host.post("/v1/responses",
                                          ASKED % (b"false", b"up/gpt-5.4"))
    finally:
        up.answer = usual
    assert (status, body) == (200, told)
    assert posts()[-1].body == ASKED % (b"false", b"gpt-5.4")
    assert posts()[-1].path == "/v1/responses"
    assert headers["x-patchbay-provider"] == "up"


def test_stream_passes_byte_for_byte():
    told = [b'event: response.created\ndata: {"type" : "response.created",'
            b'"response":{"id":"resp_7","model":"x"}}\n\n',
            b": ping\n\n",
            b'event: response.brand_new\ndata: {"type":"response.brand_new"}'
            b"\n\n",
            event("response.output_text.delta", delta="Hel\u00fc"),
            event("response.completed", response=response([]))]
    usual = up.answer
    try:
        up.answer = lambda r, c: send_stream(c, told)
        status, headers, body = host.post("/v1/responses",
                                          ASKED % (b"true", b"up/gpt-5.4"))
    finally:
        up.answer = usual
    assert (status, body) == (200, b"".join(told)), body
    assert posts()[-1].body == ASKED % (b"true", b"gpt-5.4")
    assert headers["content-type"].startswith("text/event-stream")


def test_a_cut_stream_is_never_completed():
    for model in ("cut", "broken"):
        status, _, body = host.post("/v1/responses", {
            "model": "up/" + model, "input": "hi", "stream": True})
        kinds = [json.loads(e)["type"] for e in sse(body)]
        assert status == 200 and "response.output_text.delta" in kinds
        assert kinds[-1] == "error", kinds
        assert "response.completed" not in kinds
        for path in ("/v1/chat/completions", "/v1/messages"):
            status, _, body = host.post(path, dict(chat(
                "all/" + model, stream=True), max_tokens=9))
            assert status == 200 and b"error" in body, body
            assert b"[DONE]" not in body and b"message_stop" not in body


def test_a_failure_before_the_answer_is_a_status():
    for where in ("up", "all"):
        status, _, body = host.post("/v1/responses", {
            "model": where + "/at-once", "input": "hi", "stream": True})
        assert status == 502, (status, body)
        assert "it broke" in json.loads(body)["error"]["message"], body


def test_a_server_without_it_gets_chats():
    status, _, body = host.post("/v1/responses", {"model": "plain/m",
                                                  "input": "hi"})
    assert status == 200, body
    assert json.loads(body)["output"][0]["content"][0]["text"] == "by chat"
    assert posts()[-1].path == "/v1/chat/completions"
    assert posts()[-1].json == {"model": "m", "messages": [
        {"role": "user", "content": "hi"}]}


def test_one_model_by_configuration():
    for model, path in (("only-responses", "/v1/responses"),
                        ("gpt-4o", "/v1/chat/completions")):
        status, _, body = host.post("/v1/chat/completions", chat("up/" + model))
        assert status == 200, body
        assert posts()[-1].path == path


def test_chats_go_by_it():
    status, _, body = host.post("/v1/chat/completions", chat("all/gpt-5.4"))
    assert status == 200, body
    reply = json.loads(body)
    assert reply["choices"][0]["message"]["content"] == "Hello"
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert posts()[-1].json == {"model": "gpt-5.4", "store": False, "input": [
        {"type": "message", "role": "user", "content": "hi"}]}
    status, _, body = host.post("/v1/chat/completions", chat(
        "all/gpt-5.4", stream=True, stream_options={"include_usage": True}))
    chunks = [json.loads(e) for e in sse(body)[:-1]]
    assert sse(body)[-1] == "[DONE]"
    assert "".join(c["choices"][0]["delta"].get("content") or ""
                   for c in chunks if c["choices"]) == "Hello"
    assert chunks[-1]["usage"]["total_tokens"] == 27


def test_thoughts_come_back_through_another_api():
    """A client of Anthropic's: the sealed thought travels as a block of its
    own kind, and is what it was when it is back."""
    talk = [{"role": "user", "content": "weather?"}]
    tools = [{"name": "get_weather", "input_schema": {"type": "object"}}]
    for stream in (False, True):
        status, _, body = host.post("/v1/messages", {
            "model": "all/gpt-5.4", "max_tokens": 99, "messages": talk,
            "tools": tools, "thinking": {"type": "adaptive"},
            "stream": stream})
        assert status == 200, body
        if stream:
            blocks = [json.loads(e)["content_block"] for e in sse(body)
                      if json.loads(e)["type"] == "content_block_start"]
        else:
            blocks = json.loads(body)["content"]
        kinds = [b["type"] for b in blocks]
        assert kinds == ["thinking", "redacted_thinking", "tool_use"], kinds
    again = talk + [{"role": "assistant", "content": json.loads(host.post(
        "/v1/messages", {"model": "all/gpt-5.4", "max_tokens": 99, "tools":
                         tools, "messages": talk})[2])["content"]},
        {"role": "user", "content": [{"type": "tool_result", "content": "sunny",
                                      "tool_use_id": "call_a"}]}]
    status, _, body = host.post("/v1/messages", {
        "model": "all/gpt-5.4", "max_tokens": 99, "messages": again,
        "tools": tools})
    assert status == 200, body
    assert json.loads(body)["content"][0]["text"] == "it is sunny"


def test_what_is_kept():
    """There are several who may keep: the raw door asks the one that is meant;
    alone, its own URL does."""
    status, _, body = host.get("/v1/responses/resp_1")
    assert status == 400 and b"/raw/up/responses/" in body, body
    alone = openai_at(up.url, key=KEY) + LOOPBACK
    with Host(providers=alone) as one:
        for method, path in (("GET", "/v1/responses/resp_1"),
                             ("DELETE", "/v1/responses/resp_1"),
                             ("POST", "/v1/responses/resp_1/cancel"),
                             ("GET", "/v1/responses/resp_1/input_items")):
            status, _, body = one.post(path, b"", method=method)
            assert status == 200, (path, body)
            assert json.loads(body)["asked"] == [method, path]
        status, _, body = one.get("/v1/responses/..%2f..%2fadmin")
        assert status in (400, 404), (status, body)


def test_nothing_secret_is_told():
    assert KEY not in host.errors()


up = Upstream(answer)
host = None

if __name__ == "__main__":
    with up, Host(providers="".join((
            openai_at(up.url, key=KEY, extra='model_config = ( { model = '
                      '"only-responses"; responses_api = "all"; } );'),
            openai_at(up.url, "all", KEY, 'responses_api = "all"; '
                      'reasoning_summary = "auto"; unsupported = "drop";'),
            openai_at(up.url, "plain", KEY, 'responses_api = "none";'),
            LOOPBACK))) as host:
        main(globals())
