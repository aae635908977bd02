# SPDX-License-Identifier: MIT
"""The official OpenAI SDK for Python, unmodified, against a host.
Environment: BASE_URL, KEY, PROVIDER."""
import json
import os
import sys
import traceback

import openai

P = os.environ["PROVIDER"]
URL = os.environ["BASE_URL"] + "/v1"
MODEL = P + "/gpt-4o"
client = openai.OpenAI(base_url=URL, api_key=os.environ["KEY"], max_retries=0)
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}]


def user(content):
    return [{"role": "user", "content": content}]


def test_chat():
    r = client.chat.completions.create(model=MODEL, messages=user("hi"))
    assert r.choices[0].message.content == "Hello"
    assert r.usage.total_tokens == 5
    assert r._request_id.startswith("req_")


def test_stream():
    text, finish = "", None
    for c in client.chat.completions.create(model=MODEL, messages=user("hi"),
                                            stream=True):
        assert len(c.choices) == 1
        text += c.choices[0].delta.content or ""
        finish = c.choices[0].finish_reason or finish
    assert (text, finish) == ("Hello", "stop")


def test_stream_usage():
    last = None
    for c in client.chat.completions.create(
            model=MODEL, messages=user("hi"), stream=True,
            stream_options={"include_usage": True}):
        last = c.usage or last
    assert last.total_tokens == 5


def test_tool_round_trip():
    messages = user("weather?")
    r = client.chat.completions.create(model=MODEL, messages=messages,
                                       tools=TOOLS)
    call = r.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Z\u00fcrich"}
    messages += [r.choices[0].message, {"role": "tool", "content": "sunny",
                                        "tool_call_id": call.id}]
    r = client.chat.completions.create(model=MODEL, messages=messages,
                                       tools=TOOLS)
    assert r.choices[0].message.content == "it is sunny"


def test_tool_arguments_streamed():
    with client.chat.completions.stream(model=MODEL, messages=user("w?"),
                                        tools=TOOLS) as s:
        calls = s.get_final_completion().choices[0].message.tool_calls
    assert [(c.id, c.function.name, json.loads(c.function.arguments))
            for c in calls] == [
        ("call_a", "get_weather", {"city": "Z\u00fcrich"}),
        ("call_b", "get_time", {})]


def test_vision():
    url = "data:image/png;base64," + "A" * 20000
    r = client.chat.completions.create(model=MODEL, messages=user([
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": url}}]))
    assert r.choices[0].message.content == "text,image_url %d" % len(url)


def test_json_schema():
    r = client.chat.completions.create(
        model=MODEL, messages=user("who?"), response_format={
            "type": "json_schema", "json_schema": {
                "name": "person", "strict": True, "schema": {
                    "type": "object", "properties": {}}}})
    assert json.loads(r.choices[0].message.content) == {"name": "Ada", "age": 36}


def test_embeddings():
    r = client.embeddings.create(input=["a", "b"],
                                 model=P + "/text-embedding-3-small")
    assert [d.embedding for d in r.data] == [[0.5, -0.25, 0], [0.5, -0.25, 1]]


def test_models():
    ids = [m.id for m in client.models.list()]
    assert P + "/gpt-4o" in ids and P + "/org/with/slashes" in ids, ids
    assert client.models.retrieve(P + "/org/with/slashes").owned_by == "org"


def fails(kind, status, fn):
    try:
        fn()
    except kind as e:
        assert e.status_code == status
        return e
    raise AssertionError("no error")


def ask(model):
    return lambda: client.chat.completions.create(model=model,
                                                  messages=user("hi"))


def test_errors():
    e = fails(openai.BadRequestError, 400, ask(P + "/bad"))
    assert e.code == "unsupported_value"
    wrong = openai.OpenAI(base_url=URL, api_key="sk-wrong", max_retries=0)
    fails(openai.AuthenticationError, 401, wrong.models.list)
    e = fails(openai.NotFoundError, 404, ask("no-such-model-anywhere"))
    assert e.code == "model_not_found"
    e = fails(openai.RateLimitError, 429, ask(P + "/limited"))
    assert e.response.headers["retry-after"] == "3"


failed = passed = 0
for name, fn in list(globals().items()):
    if name.startswith("test_"):
        try:
            fn()
            passed += 1
            print("ok python", name)
        except Exception:
            traceback.print_exc()
            failed += 1
            print("FAILED python", name)
print("%d passed, %d failed" % (passed, failed))
sys.exit(1 if failed else 0)
