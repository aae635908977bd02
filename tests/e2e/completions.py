# SPDX-License-Identifier: MIT
"""Legacy completions, answered by chats: by hand, and with OpenAI's SDK for Node
where it can be had."""
import json
import os
import subprocess

from harness import (SSE_HEAD, LOOPBACK, Host, Upstream, chunked,
                     completion, delta, good_stream, main, openai_at,
                     send_json, send_stream, sse)
from openai_sdk import counterpart

CLIENT = """
import { createRequire } from 'module';
import assert from 'assert';
const require = createRequire(process.env.SDK + '/');
const OpenAI = require('openai');
const client = new OpenAI({ baseURL: process.env.URL + '/v1', apiKey: 'x',
                            maxRetries: 0 });
const ask = { model: 'up/m', prompt: 'Say hello', max_tokens: 5 };
const whole = await client.completions.create(ask);
assert.equal(whole.object, 'text_completion');
assert.equal(whole.choices[0].text, 'Hello');
assert.equal(whole.choices[0].finish_reason, 'stop');
assert.equal(whole.usage.total_tokens, 5);
let text = '', last;
for await (const c of await client.completions.create(
         { ...ask, model: 'up/s', stream: true })) {
    text += c.choices[0].text;
    last = c.choices[0].finish_reason;
}
assert.equal(text, 'Hello');
assert.equal(last, 'stop');
await assert.rejects(client.completions.create({ ...ask, echo: true }),
                     (e) => e.status === 400 && e.param === 'echo');
console.log('done');
"""


def setting():
    up = Upstream()
    up.on("m")(lambda r, c: send_json(c, 200, completion()))
    up.on("s")(lambda r, c: send_stream(c, good_stream()))
    return up, Host(providers=LOOPBACK + openai_at(up.url))


def ask(host, model="up/m", **more):
    body = dict({"model": model, "prompt": "Say hello"}, **more)
    status, h, reply = host.post("/v1/completions", body)
    return status, h, reply


def test_what_goes_up_and_what_comes():
    up, host = setting()
    with up, host:
        status, _, reply = ask(host, n=1, temperature=0.5, stop=["x"], user="u",
                               best_of=1, echo=False, suffix=None)
        r = json.loads(reply)
        assert status == 200, reply
        assert r["object"] == "text_completion" and r["model"] == "m"
        assert r["choices"] == [{"text": "Hello", "index": 0, "logprobs": None,
                                 "finish_reason": "stop"}]
        assert r["usage"] == {"prompt_tokens": 3, "completion_tokens": 2,
                              "total_tokens": 5}
        sent = up.last()
        assert sent.path == "/v1/chat/completions"
        assert sent.json["messages"] == [{"role": "user",
                                          "content": "Say hello"}]
        # The default of that API.
        assert sent.json.get("max_completion_tokens",
                             sent.json.get("max_tokens")) == 16
        assert sent.json["temperature"] == 0.5 and sent.json["stop"] == ["x"]
        for key in ("prompt", "best_of", "echo", "suffix"):
            assert key not in sent.json
        assert ask(host, prompt=["one"])[0] == 200


def test_streamed_and_whole_are_the_same():
    up, host = setting()
    with host, up:
        whole = json.loads(ask(host, "loopback/echo")[2])
        events = sse(ask(host, "loopback/echo", stream=True,
                         stream_options={"include_usage": True})[2])
        assert events[-1] == "[DONE]"
        parts = [json.loads(e) for e in events[:-1]]
        assert "".join(p["choices"][0]["text"] for p in parts[:-1]) == \
            whole["choices"][0]["text"]
        assert parts[-2]["choices"][0]["finish_reason"] == "stop"
        assert parts[-1]["choices"] == []
        assert parts[-1]["usage"] == whole["usage"]
        events = sse(ask(host, "loopback/echo", stream=True)[2])
        assert all("usage" not in json.loads(e) for e in events[:-1])


def test_what_a_chat_has_not():
    up, host = setting()
    with up, host:
        for name, value in (("echo", True), ("suffix", "end"), ("logprobs", 2),
                            ("best_of", 3), ("prompt", ["a", "b"]),
                            ("prompt", [1, 2]), ("prompt", [[1]]),
                            ("prompt", None), ("tools", [])):
            status, _, reply = ask(host, **{name: value})
            assert status == 400, (name, reply)
            assert json.loads(reply)["error"]["param"] == name, reply
        assert not [r for r in up.requests if r.method == "POST"]


def test_a_cut_answer_is_none():
    up, host = setting()
    up.on("cut")(lambda r, c: (c.sendall(SSE_HEAD + chunked(delta("Hel"))),
                               False)[-1])
    with up, host:
        _, _, reply = ask(host, "up/cut", stream=True)
        assert b"Hel" in reply and b"[DONE]" not in reply
        assert b'"error"' in reply and b'"stop"' not in reply


def test_the_sdk():
    sdk = counterpart("node.sh")
    up, host = setting()
    with up, host:
        out = subprocess.run(
            [sdk + "/node", "--input-type=module", "-"], input=CLIENT,
            env=dict(os.environ, SDK=sdk, URL=host.url), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert out.returncode == 0 and "done" in out.stdout, out.stdout


if __name__ == "__main__":
    main(globals())
