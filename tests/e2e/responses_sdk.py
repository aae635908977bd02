# SPDX-License-Identifier: MIT
"""OpenAI's Responses API: the official SDKs for Node and Python against a host
that translates for every provider.  The upstreams are those of ollama_sdk.py."""
import json
import os
import subprocess

from harness import BOUND, Host, LOOPBACK, main, openai_at, send_json
from ollama_sdk import (CLAUDE_KEY, KEY, OR_KEY, UP_KEY, anthropic,
                        client_keys, ollama, openai)
from openai_sdk import counterpart

def counted(answer):
    """The ways to count of Anthropic and of llama-server."""
    def reply(req, conn):
        if req.path.endswith(("/messages/count_tokens", "/input_tokens")):
            return send_json(conn, 200, {"input_tokens": 4})
        return answer(req, conn)
    return reply


HERE = os.path.dirname(os.path.abspath(__file__))
host = None


def env(target, **more):
    return dict(os.environ, BASE_URL=host.url, KEY=KEY, TARGET=target, **more)


def node(target, script, up=None):
    sdk = counterpart("node.sh")
    assert subprocess.run(
        [sdk + "/node", os.path.join(HERE, "responses_sdk.mjs")],
        env=env(target, SDK=sdk, SCRIPT=script)).returncode == 0
    # The client that went away in an endless stream ended it here, too.
    assert not up or up.gone.acquire(timeout=BOUND), "the upstream goes on"


def test_node_for_loopback():
    node("loopback", "loopback")


def test_node_for_openai():
    node("openai", "openai", openai)


def test_node_for_openrouter():
    node("openrouter", "openai", openai)


def test_node_for_llamacpp():
    node("llamacpp", "openai", openai)


def test_node_for_claude():
    node("claude", "claude", anthropic)


def test_node_for_ollama():
    node("ollama", "ollama", ollama)


def test_python():
    assert subprocess.run(
        [counterpart("python.sh"),
         os.path.join(HERE, "responses_sdk_client.py")],
        env=env("loopback")).returncode == 0


def post(body, path="/v1/responses"):
    status, headers, reply = host.post(
        path, body, {"Authorization": "Bearer " + KEY})
    return status, headers, json.loads(reply)


def test_errors_have_openais_form():
    for body, param in ((b"{", None), (b"[]", None),
                        (b'{"model":"loopback/echo"}', "input"),
                        (b'{"model":"loopback/echo","input":3}', "input"),
                        (b'{"model":3,"input":"x"}', "model"),
                        (b'{"model":"loopback/echo","input":[{"role":"x"}]}',
                         "input[0].role")):
        status, _, e = post(body)
        assert status == 400 and e["error"]["param"] == param, (body, e)
        assert e["error"]["type"] == "invalid_request_error", e


def test_a_sealed_item_that_was_changed_is_refused():
    status, _, e = post({"model": "loopback/echo", "input": [
        {"type": "reasoning", "id": "rs_1", "summary": [],
         "encrypted_content": "patchbay:%%%"},
        {"role": "user", "content": "x"}]})
    assert status == 400 and e["error"]["param"] == "input[0]", e


def test_what_is_kept_elsewhere_needs_a_right():
    status, _, reply = host.get("/v1/responses/resp_1",
                                {"Authorization": "Bearer " + KEY})
    assert status == 403 and b"raw" in reply, reply


def test_nothing_secret_is_told():
    log = host.errors()
    for secret in (KEY, UP_KEY, OR_KEY, CLAUDE_KEY, "sk-upstream-secret"):
        assert secret not in log


if __name__ == "__main__":
    counterpart("node.sh")
    counterpart("python.sh")
    anthropic.answer = counted(anthropic.answer)
    openai.answer = counted(openai.answer)
    with ollama, openai, anthropic, Host(
            providers='ollama: { base_url = "%s"; api_key = "%s"; }; %s %s '
            'openrouter: { base_url = "%s/api/v1"; api_key = "%s"; };'
            'llamacpp: { base_url = "%s"; };'
            'claude: { base_url = "%s"; api_key = "%s"; };' % (
                ollama.url, UP_KEY, openai_at(
                    openai.url, "openai", extra='responses_api = "none";'),
                LOOPBACK,
                openai.url, OR_KEY, openai.url, anthropic.url, CLAUDE_KEY),
            top=client_keys()) as host:
        main(globals())
