# SPDX-License-Identifier: MIT
"""The examples in etc/providers.d, taken out of their comments: each is a
configuration that is right, and each of the services that speak OpenAI's language
gets what it takes: an agent's conversation, in OpenAI's own dialect and in
Anthropic's, with what every one of them refuses in some place."""
import glob
import json
import os
import re
import subprocess
import tempfile

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, completion,
                     good_stream, main, send_json, send_stream, sse, until)

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
EXAMPLES = sorted(glob.glob(os.path.join(TOP, "etc/providers.d/*.conf")))
SERVICES = ("deepseek", "groq", "huggingface", "mistral", "together", "vllm",
            "xai")
KEYS = {"deepseek": "DEEPSEEK_API_KEY", "groq": "GROQ_API_KEY",
        "huggingface": "HF_TOKEN", "mistral": "MISTRAL_API_KEY",
        "together": "TOGETHER_API_KEY", "vllm": "VLLM_API_KEY",
        "xai": "XAI_API_KEY"}
NINE = re.compile(r"^[A-Za-z0-9]{9}$")


def example(name):
    """Without the comment signs; prose, and what is only proposed, stays one."""
    with open(os.path.join(TOP, "etc/providers.d", name + ".conf"),
              encoding="utf-8") as f:
        return re.sub(r"^#(?=providers|    |\};)", "", f.read(), flags=re.M)


def variables(text):
    return {v: "sk-of-%s-0123456789" % v.lower().replace("_", "-")
            for v in re.findall(r"\$\{(\w+)\}", text)}


def test_each_is_right():
    assert len(EXAMPLES) >= 14 and set(SERVICES) <= {
        os.path.basename(p)[:-5] for p in EXAMPLES}
    for path in EXAMPLES:
        name = os.path.basename(path)[:-5]
        text = example(name)
        assert "\nproviders: {" in text, name
        with tempfile.TemporaryDirectory(prefix="patchbay-e2e-") as folder:
            # Files that examples speak of.
            text = text.replace("/etc/patchbay/tls/company-ca.pem",
                                folder + "/ca.pem")
            text = text.replace("/srv/models", folder)
            conf = os.path.join(folder, "patchbay.conf")
            with open(conf, "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(conf, 0o600)
            with open(folder + "/ca.pem", "w") as f:
                f.write("")
            p = subprocess.run(
                [PATCHBAY, "config", "check", "--config", conf],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env=dict(os.environ, PATCHBAY_PLUGIN_PATH=PROVIDERS,
                         PATCHBAY_ALLOW_ANY_OWNER="1", **variables(text)))
            assert p.returncode == 0, (name, p.stdout)


def answer(req, conn):
    if req.method == "GET":  # the host asks for the lists of models by itself
        return send_json(conn, 200, {"object": "list", "data": []})
    if req.json.get("stream"):
        return send_stream(conn, good_stream())
    return send_json(conn, 200, completion("Hello"))


def asked(up):
    return [r for r in up.requests if r.method == "POST"]


def service_host(up):
    """All seven, each at the upstream under a path of its own."""
    text = "\n".join(re.sub(
        r'base_url = "[^"]*"', 'base_url = "%s/%s"' % (up.url, name),
        re.search(r"providers: \{\n(.*)\n\};", example(name), re.S).group(1))
        for name in SERVICES)
    return Host(providers=text, env=variables(text))


CALL = "call_PTLP8xhu3uwZk4l3nlnrrJha"


def conversation(model):
    return {
        "model": model, "stream": True, "stop": "END", "seed": 7,
        "max_completion_tokens": 50, "logprobs": False, "n": 1, "new": {"a": 1},
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "The weather?"},
            {"role": "assistant", "content": None, "reasoning_content": "Look",
             "tool_calls": [{"id": CALL, "type": "function", "function": {
                 "name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": CALL, "content": "rain"},
            {"role": "assistant", "content": "Rain."},
            {"role": "user", "content": "Really?"}],
        "tools": [{"type": "function", "function": {
            "name": "weather", "parameters": {"type": "object"}}}]}


def check_request(name, body):
    """What each of them must be sent, by its own documentation."""
    messages = body["messages"]
    first, call, result, last = (messages[0], messages[2], messages[3],
                                 messages[4])
    plain = name in ("deepseek", "mistral", "together")
    assert first["role"] == ("system" if plain else "developer"), first
    ids = call["tool_calls"][0]["id"], result["tool_call_id"]
    assert ids[0] == ids[1], ids
    assert NINE.match(ids[0]) if name == "mistral" else ids[0] == CALL, ids
    thoughts = {k: v for k, v in call.items() if k.startswith("reasoning")}
    assert thoughts == {"mistral": {}, "groq": {"reasoning": "Look"}}.get(
        name, {"reasoning_content": "Look"}), thoughts
    assert last.get("reasoning_content") == (
        "" if name == "deepseek" else None), last
    assert "reasoning" not in last
    assert body["stop"] == (["END"] if name == "together" else "END")
    seed = {k: v for k, v in body.items() if "seed" in k}
    assert seed == {"random_seed" if name == "mistral" else "seed": 7}, seed
    limit = {k: v for k, v in body.items() if k.startswith("max_")}
    old = name in ("deepseek", "mistral", "together")
    assert limit == {"max_tokens" if old
                     else "max_completion_tokens": 50}, limit
    usage = None if name in ("mistral", "together") else {"include_usage": True}
    assert body.get("stream_options") == usage, body
    assert ("logprobs" in body) == (name not in ("groq", "mistral"))
    assert body["new"] == {"a": 1} and body["n"] == 1


def test_openais_own_dialect():
    with Upstream(answer) as up, service_host(up) as host:
        for name in SERVICES:
            status, _, body = host.post("/v1/chat/completions",
                                        conversation(name + "/m-1"))
            assert status == 200, (name, body)
            assert sse(body)[-1] == "[DONE]", (name, body)
            req = asked(up)[-1]
            assert req.path == "/%s/chat/completions" % name, req.path
            assert req.headers["authorization"] == "Bearer " + variables(
                "${%s}" % KEYS[name])[KEYS[name]], req.headers
            assert req.json["model"] == "m-1"
            check_request(name, req.json)
        assert len(asked(up)) == len(SERVICES)


def test_what_is_fine_is_not_touched():
    """Only what a service refuses is changed: a request without any of that goes
    up byte for byte."""
    text = ('{"model":"m-1", "max_tokens": 5,\n "messages": [ {"role":"user",'
            '"content" : "h\\u00e9"} ,{"role": "assistant","content":"x",'
            '"reasoning_content": "r" }, {"role":"tool", "tool_call_id":'
            '"D681PevKs","content":""}],"stop" : ["a"], "x": 1.50 }')
    with Upstream(answer) as up, service_host(up) as host:
        for name in ("deepseek", "together", "vllm", "xai", "huggingface"):
            status, _, body = host.post(
                "/v1/chat/completions",
                text.replace('"m-1"', '"%s/m-1"' % name).encode())
            assert status == 200, (name, body)
            assert asked(up)[-1].body == text.encode(), (
                name, asked(up)[-1].body)


def test_from_anthropics_dialect():
    """A conversation that Claude began goes on with each of them."""
    use = "toolu_01A09q90qw90lq917835lq9"
    body = {"max_tokens": 50, "system": "Be brief.", "stop_sequences": ["END"],
            "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": "The weather?"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Look", "signature": ""},
                    {"type": "tool_use", "id": use, "name": "weather",
                     "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": use,
                     "content": "rain"}]}]}
    with Upstream(answer) as up, service_host(up) as host:
        for name in SERVICES:
            status, _, out = host.post("/v1/messages",
                                       dict(body, model=name + "/m-1"))
            assert status == 200, (name, out)
            assert json.loads(out)["content"][0]["text"] == "Hello", out
            sent = asked(up)[-1].json
            call = next(m for m in sent["messages"] if m["role"] == "assistant")
            result = next(m for m in sent["messages"] if m["role"] == "tool")
            ids = call["tool_calls"][0]["id"], result["tool_call_id"]
            assert ids[0] == ids[1]
            assert NINE.match(ids[0]) if name == "mistral" else ids[0] == use
            thoughts = {k: v for k, v in call.items()
                        if k.startswith("reasoning")}
            assert thoughts == {
                "deepseek": {"reasoning_content": "Look"},
                "groq": {"reasoning": "Look"}}.get(name, {}), (name, call)
            assert not any("patchbay_blocks" in m for m in sent["messages"])
            assert sent["stop"] == ["END"], sent


def test_what_it_lacks():
    with Upstream(answer) as up, service_host(up) as host:
        for name in ("groq", "mistral"):
            body = conversation(name + "/m-1")
            body.update(logprobs=True, stream=False)
            status, _, out = host.post("/v1/chat/completions", body)
            error = json.loads(out)["error"]
            assert status == 400 and error["param"] == "logprobs", out
            assert "unsupported" in error["message"], out
        assert not asked(up)
    with Upstream(answer) as up, Host(
            providers='m: { type = "openai"; base_url = "%s/v1"; '
                      'lacks = [ "logprobs" ]; unsupported = "drop"; };'
                      % up.url) as host:
        body = conversation("m/m-1")
        body.update(logprobs=True, stream=False)
        status, headers, out = host.post("/v1/chat/completions", body)
        assert status == 200, out
        assert "logprobs" in headers["x-patchbay-warning"], headers
        assert "logprobs" not in asked(up)[-1].json


def test_what_cannot_be_lacking():
    for lacks in ('[ "messages" ]', '[ "Logprobs" ]',
                  "[ %s ]" % ", ".join('"f%d"' % i for i in range(13))):
        with Host(providers='m: { type = "openai"; base_url = '
                            '"http://127.0.0.1:9/v1"; lacks = %s; };'
                            % lacks) as host:
            until(lambda: "lacks must be at most 12 names" in host.errors(),
                  "the line that says what is wrong")


if __name__ == "__main__":
    main(globals())
