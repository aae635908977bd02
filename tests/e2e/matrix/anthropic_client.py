# SPDX-License-Identifier: MIT
"""The matrix through Anthropic's SDK for Python."""
import os

import anthropic

from common import CITY, PNG, QUESTION, SCHEMA, person, run, says

client = anthropic.Anthropic(base_url=os.environ["BASE_URL"],
                             api_key=os.environ["KEY"], max_retries=0)
TOOLS = [{"name": "get_weather", "description": "weather",
          "input_schema": CITY}]


def user(content):
    return [{"role": "user", "content": content}]


def asked(t, **more):
    return dict({"model": t["chat"], "max_tokens": 200,
                 "messages": user(QUESTION)}, **more)


def ask(t, **more):
    return client.messages.create(**asked(t, **more))


def text(message):
    return "".join(b.text for b in message.content if b.type == "text")


def chat(t):
    r = ask(t)
    says(text(r), t["hello"])
    assert r.stop_reason == "end_turn" and r.usage.output_tokens > 0


def stream(t):
    with client.messages.stream(**asked(t)) as s:
        seen = "".join(s.text_stream)
        r = s.get_final_message()
    says(seen, t["hello"])
    assert text(r) == seen and r.stop_reason == "end_turn"


def tools(t):
    first = ask(t, messages=user("weather?"), tools=TOOLS)
    use = [b for b in first.content if b.type == "tool_use"][0]
    assert use.input["city"] == "Z\u00fcrich"
    says(text(ask(t, tools=TOOLS, messages=user("weather?") + [
        {"role": "assistant", "content": first.content}] + user([
            {"type": "tool_result", "tool_use_id": use.id,
             "content": "sunny"}]))), t["sunny"])


def image(t):
    says(text(ask(t, messages=user([
        {"type": "text", "text": "what is it?"},
        {"type": "image", "source": {"type": "base64", "data": PNG,
                                     "media_type": "image/png"}}]))),
         t["seen"])


def schema(t):
    person(text(ask(t, output_config={"format": {"type": "json_schema",
                                                 "schema": SCHEMA}})))


def error(t):
    try:
        ask(t, model=t["limited"])
    except anthropic.RateLimitError:
        return
    raise AssertionError("no error")


run({"chat": chat, "stream": stream, "tools": tools, "image": image,
     "schema": schema, "error": error})
