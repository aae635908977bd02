# SPDX-License-Identifier: MIT
"""The matrix through OpenAI's SDK for Python."""
import json
import os

import openai

from common import CITY, PNG, QUESTION, SCHEMA, person, run, says

client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1",
                       api_key=os.environ["KEY"], max_retries=0)
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "weather", "parameters": CITY}}]


def user(content):
    return [{"role": "user", "content": content}]


def ask(t, **more):
    return client.chat.completions.create(**dict(
        {"model": t["chat"], "messages": user(QUESTION)}, **more))


def chat(t):
    r = ask(t)
    says(r.choices[0].message.content, t["hello"])
    assert r.choices[0].finish_reason == "stop" and r.usage.total_tokens > 0


def stream(t):
    text, finish, usage = "", None, None
    for c in ask(t, stream=True, stream_options={"include_usage": True}):
        usage = c.usage or usage
        if c.choices:
            text += c.choices[0].delta.content or ""
            finish = c.choices[0].finish_reason or finish
    says(text, t["hello"])
    assert finish == "stop" and usage.total_tokens > 0


def tools(t):
    messages = user("weather?")
    r = ask(t, messages=messages, tools=TOOLS)
    call = r.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments)["city"] == "Z\u00fcrich"
    messages += [r.choices[0].message, {"role": "tool", "content": "sunny",
                                        "tool_call_id": call.id}]
    says(ask(t, messages=messages, tools=TOOLS).choices[0].message.content,
         t["sunny"])


def image(t):
    says(ask(t, messages=user([
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {
            "url": "data:image/png;base64," + PNG}}]))
        .choices[0].message.content, t["seen"])


def schema(t):
    person(ask(t, response_format={"type": "json_schema", "json_schema": {
        "name": "person", "strict": True, "schema": SCHEMA}})
        .choices[0].message.content)


def embeddings(t):
    r = client.embeddings.create(model=t["embed"], input=["a b", "c"])
    assert len(r.data) == 2 and r.data[0].embedding[0] == 0.5


def responses(t):
    r = client.responses.create(model=t["chat"], input=QUESTION)
    says(r.output_text, t["hello"])
    assert r.status == "completed"


def responses_streamed(t):
    with client.responses.stream(model=t["chat"], input=QUESTION) as s:
        text = "".join(e.delta for e in s
                       if e.type == "response.output_text.delta")
        assert s.get_final_response().output_text == text
    says(text, t["hello"])


def completions(t):
    says(client.completions.create(model=t["chat"], prompt=QUESTION)
         .choices[0].text, t["hello"])


def error(t):
    try:
        ask(t, model=t["limited"])
    except openai.RateLimitError:
        return
    raise AssertionError("no error")


run({"chat": chat, "stream": stream, "tools": tools, "image": image,
     "schema": schema, "embeddings": embeddings, "responses": responses,
     "responses, streamed": responses_streamed, "completions": completions,
     "error": error})
