# SPDX-License-Identifier: MIT
"""The official OpenAI SDK for Python, its Responses API, against a host.
Environment: BASE_URL, KEY, TARGET: a loopback provider's name."""
import json
import os
import sys
import traceback

import openai

MODEL = os.environ["TARGET"] + "/"
client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1",
                       api_key=os.environ["KEY"], max_retries=0)
TOOLS = [{"type": "function", "name": "get_weather", "strict": None,
          "parameters": {"type": "object", "required": ["city"],
                         "properties": {"city": {"type": "string"}}}}]


def test_text():
    r = client.responses.create(model=MODEL + "echo", input="quick fox")
    assert (r.status, r.output_text) == ("completed", "quick fox")
    assert r.usage.total_tokens == r.usage.input_tokens + r.usage.output_tokens
    assert r._request_id.startswith("req_")


def test_stream_helper():
    with client.responses.stream(model=MODEL + "echo",
                                 input="quick brown fox") as stream:
        text = "".join(e.delta for e in stream
                       if e.type == "response.output_text.delta")
        r = stream.get_final_response()
    assert text == r.output_text == "quick brown fox"


def test_tool_round_trip():
    items = [{"role": "user", "content": "weather?"}]
    r = client.responses.create(model=MODEL + "tool", input=items, tools=TOOLS)
    call = [i for i in r.output if i.type == "function_call"][0]
    assert "city" in json.loads(call.arguments)
    items += r.output + [{"type": "function_call_output",
                          "call_id": call.call_id, "output": "sunny"}]
    r = client.responses.create(model=MODEL + "tool", input=items, tools=TOOLS)
    assert "sunny" in r.output_text


def test_reasoning():
    r = client.responses.create(model=MODEL + "reason", input="quick fox",
                                reasoning={"effort": "low", "summary": "auto"})
    assert r.output[0].summary[0].text and "quick fox" in r.output_text


def test_cut():
    seen = list(client.responses.create(
        model=MODEL + "lorem?fault=cut@5&length=50", input="x", stream=True))
    assert [e.type for e in seen[-2:]] == ["error", "response.failed"], seen
    assert seen[-1].response.error.message
    assert "response.completed" not in [e.type for e in seen]


def test_errors():
    for more, kind in (({"model": "nobody-has-it"}, openai.NotFoundError),
                       ({"previous_response_id": "resp_1"},
                        openai.BadRequestError)):
        try:
            client.responses.create(**dict({"model": MODEL + "echo",
                                            "input": "x"}, **more))
        except kind as e:
            assert list(more)[0] in e.message or "nobody" in e.message
        else:
            raise AssertionError(more)


def main():
    failed = 0
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    for name, test in tests:
        try:
            test()
            print("ok   python", name)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("FAIL python", name)
            traceback.print_exc()
    return failed or not tests


sys.exit(1 if main() else 0)
