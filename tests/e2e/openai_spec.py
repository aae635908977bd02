# SPDX-License-Identifier: MIT
"""What we send, and what we answer where we translate, against OpenAI's published
specification (openai-spec/NOTICE).  Controls that must fail show that the
checker checks."""
import json
import os
import subprocess
import sys

from harness import (Host, LOOPBACK, Upstream, chat, completion, main,
                     openai_at, send_json, send_stream, good_stream, skip, sse)

HERE = os.path.dirname(os.path.abspath(__file__))

try:
    import jsonschema
except ImportError:
    if os.environ.get("PATCHBAY_SPEC_PYTHON"):
        raise
    p = subprocess.run([os.path.join(HERE, "..", "env", "python.sh")],
                       stdout=subprocess.PIPE, text=True)
    last = (p.stdout.strip().splitlines() or ["python.sh failed"])[-1]
    if p.returncode == 77:
        skip(last)
    os.environ["PATCHBAY_SPEC_PYTHON"] = last
    os.execv(last, [last] + sys.argv)

with open(os.path.join(HERE, "openai-spec", "schemas.json")) as f:
    SPEC = json.load(f)


def faults(schema, value):
    """What is wrong with a value, as texts."""
    v = jsonschema.Draft202012Validator(
        dict(SPEC, **{"$ref": "#/components/schemas/" + schema}))
    return ["%s: %s" % ("/".join(map(str, e.path)), e.message[:200])
            for e in v.iter_errors(value)]


PNG = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUl"
       "EQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}},
          "required": ["city"], "additionalProperties": False}
CITY = '{"city":"Bern"}'
FULLEST = {
    "model": "up/gpt-4o",
    "messages": [
        {"role": "developer", "content": "Be brief.", "name": "dev"},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "name": "ada", "content": [
            {"type": "text", "text": "What is this? Gr\u00fc\u00dfe \U0001f642"},
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==",
                                                    "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf",
                                      "file_data": "JVBERg=="}}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {
                "name": "get_weather", "arguments": '{"city":"Z\u00fcrich"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "assistant", "content": [{"type": "refusal",
                                           "refusal": "no"}]},
        {"role": "user", "content": "go on"}],
    "max_completion_tokens": 100, "temperature": 0.7, "top_p": 0.9, "n": 2,
    "frequency_penalty": 0.1, "presence_penalty": -0.1, "seed": 42,
    "logit_bias": {"50256": -100}, "logprobs": True, "top_logprobs": 3,
    "stop": ["END", "\n\n"], "reasoning_effort": "low", "verbosity": "low",
    "response_format": {"type": "json_schema", "json_schema": {
        "name": "answer", "description": "an answer", "strict": True,
        "schema": SCHEMA}},
    "tools": [{"type": "function", "function": {
        "name": "get_weather", "description": "weather", "parameters": SCHEMA,
        "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "parallel_tool_calls": False, "modalities": ["text"],
    "prediction": {"type": "content", "content": "sunny"},
    "store": False, "metadata": {"a": "b"}, "service_tier": "auto",
    "prompt_cache_key": "k", "safety_identifier": "s", "user": "u",
    "stream": True, "stream_options": {"include_usage": True,
                                       "include_obfuscation": False},
    "web_search_options": {"search_context_size": "low"},
}


def sent(path, body, answer):
    """What the upstream gets for a client's request."""
    with Upstream(answer) as up, Host(providers=openai_at(up.url)) as host:
        status, _, reply = host.post(path, body)
        assert status == 200, (status, reply)
        posts = [r for r in up.requests if r.method == "POST"]
    assert len(posts) == 1
    assert posts[0].path == path
    return posts[0].json


def stream_or_list(req, conn):
    if req.method == "GET":
        return send_json(conn, 200, {"object": "list", "data": []})
    return send_stream(conn, good_stream())


def json_answer(value):
    def answer(req, conn):
        if req.method == "GET":
            return send_json(conn, 200, {"object": "list", "data": []})
        return send_json(conn, 200, value)
    return answer


def test_controls_fail():
    assert faults("CreateChatCompletionRequest", {"model": "m"})
    assert faults("CreateChatCompletionRequest",
                  dict(FULLEST, temperature="hot"))
    assert faults("CreateChatCompletionRequest",
                  dict(FULLEST, messages=[{"role": "nobody", "content": 1}]))
    assert faults("CreateEmbeddingRequest", {"model": "m"})
    assert faults("CreateChatCompletionResponse", {"id": "x"})


def test_fullest_request():
    assert faults("CreateChatCompletionRequest", FULLEST) == []
    got = sent("/v1/chat/completions", FULLEST, stream_or_list)
    assert faults("CreateChatCompletionRequest", got) == []
    assert got == dict(FULLEST, model="gpt-4o"), "something was changed"


def test_a_fault_of_the_client_reaches_the_checker():
    """The negative control through the host: it hides nothing."""
    got = sent("/v1/chat/completions", dict(FULLEST, temperature="hot"),
               stream_or_list)
    assert any("temperature" in f for f in
               faults("CreateChatCompletionRequest", got))


def test_added_usage_option():
    body = {k: v for k, v in FULLEST.items() if k != "stream_options"}
    got = sent("/v1/chat/completions", body, stream_or_list)
    assert got["stream_options"] == {"include_usage": True}, got
    assert faults("CreateChatCompletionRequest", got) == []


def test_aliases_become_names():
    body = chat("up/gpt-4o", temp=0.5, nucleus_sampling=0.5, max_length=9)
    got = sent("/v1/chat/completions", body, json_answer(completion()))
    assert faults("CreateChatCompletionRequest", got) == []
    assert {"temp", "nucleus_sampling", "max_length"}.isdisjoint(got)


def test_command_line_request():
    """What `patchbay chat` and the other verbs send."""
    seen = []

    def answer(req, conn):
        seen.append(req)
        return stream_or_list(req, conn)
    with Upstream(answer) as up, Host(providers=openai_at(up.url)) as host:
        host.control("chat", {"body": dict(chat("up/gpt-4o"), stream=True)})
    got = [r.json for r in seen if r.method == "POST"][0]
    assert faults("CreateChatCompletionRequest", got) == []


def test_other_operations():
    body = {"model": "up/text-embedding-3-small", "input": ["a", "b"],
            "dimensions": 8, "encoding_format": "base64", "user": "u"}
    got = sent("/v1/embeddings", body, json_answer(
        {"object": "list", "data": [], "model": "x",
         "usage": {"prompt_tokens": 1, "total_tokens": 1}}))
    assert faults("CreateEmbeddingRequest", got) == []
    body = {"model": "up/omni-moderation-latest", "input": [
        {"type": "text", "text": "x"},
        {"type": "image_url", "image_url": {"url": PNG}}]}
    got = sent("/v1/moderations", body, json_answer(
        {"id": "m", "model": "x", "results": []}))
    assert faults("CreateModerationRequest", got) == []
    body = {"model": "up/gpt-image-1", "prompt": "a bay", "n": 1,
            "size": "1024x1024", "quality": "low", "background": "opaque",
            "output_format": "png", "moderation": "low", "user": "u"}
    got = sent("/v1/images/generations", body,
               json_answer({"created": 1, "data": []}))
    assert faults("CreateImageRequest", got) == []


def test_translated_answers():
    tools = [{"type": "function", "function": {"name": "f",
                                               "parameters": SCHEMA}}]
    with Host(providers=LOOPBACK) as host:
        def post(path, body, status=200):
            got, _, reply = host.post(path, body)
            assert got == status, (got, reply)
            return reply
        path = "/v1/chat/completions"
        for body in (chat("loopback/echo", n=2),
                     chat("loopback/tool", tools=tools),
                     chat("loopback/refuse")):
            whole = json.loads(post(path, body))
            assert faults("CreateChatCompletionResponse", whole) == []
            events = sse(post(path, dict(body, stream=True, stream_options={
                "include_usage": True})))
            for e in events[:-1]:
                assert faults("CreateChatCompletionStreamResponse",
                              json.loads(e)) == [], e
        assert faults("CreateEmbeddingResponse", json.loads(post(
            "/v1/embeddings", {"model": "loopback/embed", "input": "x"}))) == []
        assert faults("CreateModerationResponse", json.loads(post(
            "/v1/moderations",
            {"model": "loopback/moderate", "input": "x"}))) == []
        assert faults("ImagesResponse", json.loads(post(
            "/v1/images/generations",
            {"model": "loopback/image", "prompt": "x"}))) == []
        assert faults("ListModelsResponse",
                      json.loads(host.get("/v1/models")[2])) == []
        assert faults("Model", json.loads(
            host.get("/v1/models/loopback/echo")[2])) == []
        for bad in ({}, chat("nobody/knows"), chat("loopback/echo", temp=1,
                                                   temperature=2)):
            status, _, reply = host.post(path, bad)
            assert status >= 400
            assert faults("ErrorResponse", json.loads(reply)) == [], reply


def test_responses():
    tools = [{"type": "function", "name": "f", "parameters": SCHEMA,
              "strict": True}]
    asked = [{"model": "loopback/echo", "input": "x", "metadata": {"a": "b"}},
             {"model": "loopback/tool", "input": [
                 {"role": "user", "content": "x"}], "tools": tools,
              "tool_choice": {"type": "function", "name": "f"}},
             {"model": "loopback/reason", "input": "x", "instructions": "y",
              "reasoning": {"effort": "low", "summary": "auto"}},
             {"model": "loopback/refuse", "input": "x"},
             {"model": "loopback/json", "input": "x", "text": {"format": {
                 "type": "json_schema", "name": "n", "schema": SCHEMA}}},
             {"model": "loopback/lorem?length=50", "input": "x",
              "max_output_tokens": 20},
             {"model": "loopback/lorem?fault=cut@3&length=50", "input": "x"}]
    seen = set()
    with Host(providers=LOOPBACK) as host:
        for body in asked:
            assert faults("CreateResponse", body) == [], body
            status, _, whole = host.post("/v1/responses", body)
            if "cut" in body["model"]:
                assert status >= 500, status
                assert faults("ErrorResponse", json.loads(whole)) == [], whole
            else:
                assert faults("Response", json.loads(whole)) == [], whole
            for e in sse(host.post("/v1/responses",
                                   dict(body, stream=True))[2]):
                assert faults("ResponseStreamEvent", json.loads(e)) == [], e
                seen.add(json.loads(e)["type"])
    assert faults("Response", {"object": "response"})
    assert faults("ResponseStreamEvent", {"type": "response.completed"})
    assert len(seen) > 15, seen


def test_chats_by_the_responses_api():
    """What responses_api = "all" makes of a chat with nearly everything in it."""
    answer = {"id": "resp_1", "object": "response", "created_at": 1,
              "model": "m", "status": "completed", "error": None, "output": [
                  {"type": "message", "id": "msg_1", "role": "assistant",
                   "status": "completed", "content": [
                       {"type": "output_text", "text": CITY,
                        "annotations": [], "logprobs": []}]}]}
    lacks = ("n", "frequency_penalty", "presence_penalty", "seed", "stop",
             "logit_bias", "modalities", "prediction", "stream",
             "web_search_options", "stream_options")
    body = {k: v for k, v in FULLEST.items() if k not in lacks}
    body["messages"] = [dict(m) for m in body["messages"]]
    body["messages"][2] = dict(body["messages"][2], content=[
        p for p in body["messages"][2]["content"]
        if p["type"] != "input_audio"])
    with Upstream(json_answer(answer)) as up, Host(
            providers=openai_at(up.url, extra='responses_api = "all";')) as host:
        status, headers, reply = host.post("/v1/chat/completions", body)
        assert status == 200, reply
        assert json.loads(reply)["choices"][0]["message"]["content"] == CITY
        assert headers["x-patchbay-warning"].startswith("messages.name:")
        post = [r for r in up.requests if r.method == "POST"][-1]
        assert post.path == "/v1/responses"
        assert faults("CreateResponse", post.json) == [], faults(
            "CreateResponse", post.json)
        assert faults("CreateResponse", dict(post.json, tools=3))
        for name in lacks[3:8]:
            status, _, reply = host.post("/v1/chat/completions", dict(
                chat("up/m"), **{name: FULLEST[name]}))
            if name == "modalities": # text is what there is
                continue
            assert status == 400 and name in str(reply), (name, reply)


if __name__ == "__main__":
    main(globals())
