# SPDX-License-Identifier: MIT
"""An upstream that answers like OpenAI's API, by model name.  Forms from the API
reference (https://platform.openai.com/docs/api-reference) and the types of the
npm package openai 7.55."""
import base64
import json
import struct

from harness import (DONE, Upstream, chat, completion, delta, good_stream,
                     send_json, send_stream)

ARGS = '{"city":"Z\u00fcrich"}'


def tool_chunks():
    """Two interleaved calls; an escape is cut between two fragments."""
    def call(index, text, **head):
        c = {"index": index, "function": {"arguments": text}}
        if head:
            c.update(id=head["id"], type="function")
            c["function"]["name"] = head["name"]
        return delta(tool_calls=[c])
    raw = '{"city":"Z\\u00fcrich"}'
    return [delta(role="assistant", content=None),
            call(0, "", id="call_a", name="get_weather"), call(0, raw[:12]),
            call(1, "{}", id="call_b", name="get_time"), call(0, raw[12:]),
            delta(finish="tool_calls"), DONE]


def tool_reply():
    c = completion(None, finish="tool_calls")
    c["choices"][0]["message"]["tool_calls"] = [
        {"id": "call_a", "type": "function", "function": {
            "name": "get_weather", "arguments": '{"city":"Z\\u00fcrich"}'}}]
    return c


def usage_chunk():
    return b"data: " + json.dumps({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
        "model": "m", "choices": [], "usage": {
            "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    ).encode() + b"\n\n"


def chat_answer(req, conn):
    body = req.json
    last = body["messages"][-1]
    if isinstance(last["content"], list):
        kinds = [p["type"] for p in last["content"]]
        url = [p["image_url"]["url"] for p in last["content"]
               if p["type"] == "image_url"]
        return send_json(conn, 200, completion(
            "%s %d" % (",".join(kinds), len(url[0]))))
    if last["role"] == "tool":
        assert body["messages"][-2]["tool_calls"][0]["id"] == \
            last["tool_call_id"]
        return send_json(conn, 200, completion("it is " + last["content"]))
    if body.get("tools"):
        if body.get("stream"):
            return send_stream(conn, tool_chunks())
        return send_json(conn, 200, tool_reply())
    fmt = body.get("response_format")
    if fmt:
        assert fmt["type"] == "json_schema" and fmt["json_schema"]["strict"]
        return send_json(conn, 200, completion('{"name":"Ada","age":36}'))
    if body.get("stream"):
        events = good_stream()
        if (body.get("stream_options") or {}).get("include_usage"):
            events.insert(-1, usage_chunk())
        return send_stream(conn, events)
    c = completion("Hello")
    if body.get("n", 1) > 1:
        c["choices"] = [dict(c["choices"][0], index=i)
                        for i in range(body["n"])]
    if body.get("logprobs"):
        c["choices"][0]["logprobs"] = {"content": [
            {"token": "Hello", "logprob": -0.25, "bytes": None,
             "top_logprobs": []}], "refusal": None}
    return send_json(conn, 200, c)


def embed(req, conn):
    body = req.json
    inputs = body["input"] if isinstance(body["input"], list) \
        else [body["input"]]
    data = []
    for i, _ in enumerate(inputs):
        v = [0.5, -0.25, float(i)]
        if body.get("encoding_format") == "base64":
            v = base64.b64encode(struct.pack("<3f", *v)).decode()
        data.append({"object": "embedding", "index": i, "embedding": v})
    send_json(conn, 200, {"object": "list", "data": data,
                          "model": body["model"],
                          "usage": {"prompt_tokens": 4, "total_tokens": 4}})


def error(status, kind, code, message, headers=""):
    def answer(req, conn):
        send_json(conn, status, {"error": {
            "message": message, "type": kind, "param": None, "code": code}},
            headers)
    return answer


def openai_upstream():
    up = Upstream()
    up.on("gpt-4o")(chat_answer)
    up.on("text-embedding-3-small")(embed)
    up.on("omni-moderation-latest")(lambda r, c: send_json(c, 200, {
        "id": "modr-1", "model": "omni-moderation-latest", "results": [
            {"flagged": True, "categories": {"violence": True},
             "category_scores": {"violence": 0.9},
             "category_applied_input_types": {"violence": ["text"]}}]}))
    up.on("gpt-image-1")(lambda r, c: send_json(c, 200, {
        "created": 1, "data": [{"b64_json": "aGk="}]}))
    up.on("/v1/models")(lambda r, c: send_json(c, 200, {
        "object": "list", "data": [
            {"id": "gpt-4o", "object": "model", "created": 1,
             "owned_by": "openai"},
            {"id": "org/with/slashes", "object": "model", "created": 2,
             "owned_by": "org"}]}))
    up.on("bad")(error(400, "invalid_request_error", "unsupported_value",
                       "temperature is out of range"))
    up.on("limited")(error(429, "requests", "rate_limit_exceeded",
                           "slow down", "retry-after: 3\r\n"))
    up.on("missing")(error(404, "invalid_request_error", "model_not_found",
                           "no such model"))
    return up
