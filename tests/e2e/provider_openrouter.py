# SPDX-License-Identifier: MIT
"""openrouter.so behind a whole host: a scripted upstream that answers as
OpenRouter's documentation (https://openrouter.ai/docs) says."""
import glob
import json
import os
import subprocess
import tempfile

from harness import (DONE, Host, PATCHBAY, Upstream, chat, main, send_json,
                     send_stream, sse, until)

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "etc", "providers.d")
KEY = "sk-or-v1-secret-565656"
LABEL = "sk-or-v1-sec...656"
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
         "cost": 0.0000125, "is_byok": False,
         "prompt_tokens_details": {"cached_tokens": 64},
         "completion_tokens_details": {"reasoning_tokens": 5}}
MODELS = [
    {"id": "anthropic/claude-x", "name": "Claude X", "created": 2,
     "description": "", "context_length": 200000,
     "architecture": {"input_modalities": ["text", "image"],
                      "output_modalities": ["text"]},
     "pricing": {"prompt": "0.000003", "completion": "0.000015"},
     "top_provider": {"max_completion_tokens": 64000},
     "supported_parameters": ["tools"]},
    {"id": "meta-llama/llama-x:free", "name": "Llama X (free)", "created": 1,
     "description": "", "context_length": 8192,
     "architecture": {"input_modalities": ["text"],
                      "output_modalities": ["text"]},
     "pricing": {"prompt": "0", "completion": "0"},
     "supported_parameters": []}]
PING = b": OPENROUTER PROCESSING\n\n"


def chunk(delta, finish=None, native=None, **more):
    c = {"id": "gen-1", "provider": "P", "object": "chat.completion.chunk",
         "created": 1, "model": "anthropic/claude-x-1",
         "choices": [{"index": 0, "delta": delta, "finish_reason": finish,
                      "native_finish_reason": native}]}
    c.update(more)
    return b"data: " + json.dumps(c).encode() + b"\n\n"


def error(code, message, **more):
    return {"error": dict(more, code=code, message=message), "user_id": "u"}


def answer_chat(req, conn):
    text = req.json["messages"][-1]["content"]
    if text == "credit":
        return send_json(conn, 402, error(402, "Insufficient credits"))
    if text == "flagged":
        return send_json(conn, 403, error(403, "Your input was flagged",
                         metadata={"reasons": ["violence"],
                                   "flagged_input": "flagged"}))
    if text == "choice":
        return send_json(conn, 200, {
            "id": "gen-1", "model": "m", "choices": [
                {"index": 0, "finish_reason": "error", "message":
                 {"role": "assistant", "content": ""},
                 "error": {"code": 502, "message": "Provider gone"}}]})
    if not req.json.get("stream"):
        return send_json(conn, 200, {
            "id": "gen-1", "object": "chat.completion", "created": 1,
            "model": "anthropic/claude-x-1", "provider": "P", "choices": [
                {"index": 0, "finish_reason": "stop",
                 "native_finish_reason": "end_turn", "message": {
                     "role": "assistant", "content": "Hello",
                     "reasoning": "hm", "reasoning_details": [
                         {"type": "reasoning.text", "text": "hm",
                          "index": 0}]}}], "usage": USAGE})
    first = [PING, chunk({"role": "assistant", "content": "", "reasoning": "hm",
                          "reasoning_details": [{"type": "reasoning.text",
                                                 "text": "hm", "index": 0}]}),
             PING, chunk({"content": "Hel"})]
    if text == "midway":
        return send_stream(conn, first + [
            chunk({"content": ""}, "error", error={
                "code": 502, "message": "Upstream failed",
                "metadata": {"error_type": "provider_unavailable"}})])
    if text == "cut":
        return send_stream(conn, first + [chunk({"content": ""}, "stop")])
    usage = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1,
             "model": "m", "choices": [], "usage": USAGE}
    return send_stream(conn, first + [
        chunk({"content": "lo"}), chunk({"content": ""}, "stop", "end_turn"),
        b"data: " + json.dumps(usage).encode() + b"\n\n", DONE])


def answer(req, conn):
    path = req.path.split("?")[0]
    if path == "/api/v1/models":
        return send_json(conn, 200, {"data": MODELS})
    management = req.headers.get("authorization") == "Bearer " + KEY + "-m"
    if req.headers.get("authorization") != "Bearer " + KEY and not management:
        return send_json(conn, 401, error(401, "User not found."))
    if path == "/api/v1/key":
        return send_json(conn, 200, {"data": {
            "label": LABEL, "limit": 10, "limit_remaining": 7.5, "usage": 2.5,
            "is_free_tier": False, "is_management_key": management}})
    if path == "/api/v1/credits":
        return send_json(conn, 200, {"data": {"total_credits": 100,
                                              "total_usage": 12.25}})
    if path == "/api/v1/generation":
        if not req.path.endswith("?id=gen-1"):
            return send_json(conn, 404, error(404, "not found"))
        return send_json(conn, 200, {"data": {
            "id": "gen-1", "model": "m", "native_tokens_prompt": 100,
            "total_cost": 0.0000125}})
    if path == "/api/v1/embeddings":
        return send_json(conn, 200, {
            "object": "list", "model": req.json["model"], "data": [
                {"object": "embedding", "index": 0, "embedding": [0.5, 1]}],
            "usage": {"prompt_tokens": 4, "total_tokens": 4, "cost": 1e-8}})
    if path == "/api/v1/chat/completions":
        return answer_chat(req, conn)
    return send_json(conn, 404, error(404, "no such page"))


up = Upstream(answer)
host = None


def section(name="openrouter", extra="", key=KEY):
    return ('%s: { type = "openrouter"; base_url = "%s/api/v1"; '
            'api_key = "%s"; %s };' % (name, up.url, key, extra))


def ask(body, **more):
    return host.post("/v1/chat/completions", body, **more)


def op(name, body, provider="openrouter"):
    events = []
    host.control("op", {"op": name, "provider": provider, "body": body}, events)
    return [e["json"] for e in events if e["event"] == "item"]


def refusal(body):
    status, _, reply = ask(body)
    return status, json.loads(reply)["error"]


def test_whole_answer_and_what_goes_up():
    status, headers, body = ask(chat(
        "openrouter/anthropic/claude-x", models=["a/b"],
        provider={"order": ["P"]}, plugins=[{"id": "web"}],
        transforms=["middle-out"], reasoning={"effort": "low"}))
    assert status == 200, body
    reply = json.loads(body)
    assert reply["usage"] == USAGE and reply["provider"] == "P"
    assert reply["choices"][0]["native_finish_reason"] == "end_turn"
    assert headers["x-patchbay-provider"] == "openrouter"
    sent = up.last()
    assert sent.json == chat(
        "anthropic/claude-x", models=["a/b"], provider={"order": ["P"]},
        plugins=[{"id": "web"}], transforms=["middle-out"],
        reasoning={"effort": "low"})
    assert "x-openrouter-title" not in sent.headers


def test_stream_as_it_is_with_its_usage():
    before = host.counters("openrouter")
    status, _, body = ask(chat("openrouter/anthropic/claude-x", True))
    assert status == 200, body
    assert "stream_options" not in up.last().json
    events = sse(body)
    assert events[-1] == "[DONE]"
    chunks = [json.loads(e) for e in events[:-1]]
    assert chunks[-1]["usage"] == USAGE
    deltas = [c["choices"][0]["delta"] for c in chunks if c["choices"]]
    assert "".join(d.get("content") or "" for d in deltas) == "Hello"
    assert deltas[0]["reasoning_details"][0]["text"] == "hm"
    after = host.counters("openrouter")
    assert after["input_tokens"] - before["input_tokens"] == 100
    assert after["output_tokens"] - before["output_tokens"] == 20


def test_preferences_and_attribution_of_an_instance():
    status, _, body = ask(chat("prefs/anthropic/claude-x",
                               provider={"sort": "latency"}))
    assert status == 200, body
    sent = up.last()
    assert sent.json["provider"] == {
        "sort": "latency", "order": ["a", "b"], "allow_fallbacks": False,
        "data_collection": "deny", "max_price": {"prompt": 1.5}}, sent.json
    assert sent.headers["http-referer"] == "https://app.example"
    assert sent.headers["x-openrouter-title"] == "App"
    assert sent.headers["x-openrouter-categories"] == "cli-agent"


def test_clients_that_name_themselves():
    """What a client calls itself goes to OpenRouter, whatever the client's API,
    in place of the instance's names; not where that is forbidden, and to no
    other provider."""
    own = {"HTTP-Referer": "https://theirs.example", "X-Title": "Theirs",
           "Referer": "https://page.example/secret"}
    asks = (("/v1/chat/completions", chat("NAME/anthropic/claude-x")),
            ("/v1/messages", dict(chat("NAME/anthropic/claude-x"),
                                  max_tokens=9)),
            ("/api/chat", chat("NAME/anthropic/claude-x", stream=False)))
    at = 'base_url = "%s/api/v1"; api_key = "%s";' % (up.url, KEY)
    with Host(providers="""
            yes: { type = "openrouter"; %s referer = "https://app.example";
                   title = "App"; };
            no: { type = "openrouter"; %s referer = "https://app.example";
                  title = "App"; client_attribution = false; };
            other: { type = "openai"; %s };""" % (at, at, at)) as h:
        for name in ("yes", "no", "other"):
            for path, body in asks:
                for more in (own, {}):
                    status, _, out = h.post(path, dict(
                        body, model=body["model"].replace("NAME", name)), more)
                    assert status == 200, (name, path, out)
                    got = {k: v for k, v in up.last().headers.items()
                           if "refer" in k or "title" in k}
                    theirs = {"http-referer": "https://theirs.example",
                              "x-title": "Theirs"}
                    ours = {"http-referer": "https://app.example",
                            "x-openrouter-title": "App"}
                    assert got == ({} if name == "other" else theirs
                                   if name == "yes" and more else ours), (
                        name, path, more, got)


def test_errors():
    status, e = refusal(chat("openrouter/a/b", text="credit"))
    # The account is the operator's; the log has OpenRouter's words.
    assert status == 503 and e["code"] == "provider_quota_exhausted", e
    until(lambda: "Insufficient credits" in host.errors(), "the log's line")
    status, e = refusal(chat("openrouter/a/b", text="flagged"))
    assert status == 403 and "flagged" in e["message"], (status, e)
    status, e = refusal(chat("openrouter/a/b", text="choice"))
    assert status >= 500 and "Provider gone" in e["message"], (status, e)


def test_errors_in_a_stream():
    for text in ("midway", "cut"):
        _, _, body = ask(chat("openrouter/a/b", True, text=text))
        events = sse(body)
        assert events[-1] != "[DONE]", events
        assert any("error" in json.loads(e) for e in events), events


def test_blocks_come_back_through_anthropics_dialect():
    ask_me = {"role": "user", "content": "hi"}
    body = {"model": "openrouter/anthropic/claude-x", "max_tokens": 9,
            "messages": [ask_me]}
    status, _, reply = host.post("/v1/messages", body)
    assert status == 200, reply
    content = json.loads(reply)["content"]
    assert [c["type"] for c in content if c["type"] == "text"], content
    body["messages"] = [ask_me, {"role": "assistant", "content": content},
                        ask_me]
    status, headers, reply = host.post("/v1/messages", body)
    assert status == 200, reply
    sent = up.last().json["messages"][1]
    assert sent["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "index": 0}], sent
    assert "patchbay_blocks" not in sent
    assert not any("patchbay_blocks" in v for v in headers.values()), headers


def test_embeddings():
    status, _, body = host.post("/v1/embeddings", {
        "model": "openrouter/openai/text-embedding-3-small", "input": "a"})
    assert status == 200, body
    assert json.loads(body)["data"][0]["embedding"] == [0.5, 1]
    assert up.last().json["model"] == "openai/text-embedding-3-small"


def test_models_with_prices():
    models = op("list", {})
    assert [m["id"] for m in models] == [m["id"] for m in MODELS]
    prices = models[0]["prices"]
    assert (prices["input"], prices["output"]) == (3000, 15000), prices
    assert "vision" in models[0]["capabilities"]
    names = [m["id"] for m in op("list", {"free": True})]
    assert names == ["meta-llama/llama-x:free"]
    names = [m["id"] for m in op("list", {"sort": "price"})]
    assert names == ["meta-llama/llama-x:free", "anthropic/claude-x"]
    assert len(op("list", {"search": "claude"})) == 1
    shown, = op("show", {"model": "anthropic/claude-x"})
    assert shown["context_window"] == 200000
    assert shown["max_output"] == 64000
    listed = json.loads(host.get("/v1/models")[2])["data"]
    assert any(m["id"] == "openrouter/anthropic/claude-x" for m in listed)


def test_account():
    credits, = op("credits", {})
    assert credits["of"] == "key" and credits["remaining"] == 7.5, credits
    credits, = op("credits", {}, "management")
    assert credits["of"] == "account", credits
    assert credits["remaining"] == 87.75, credits
    generation, = op("generation", {"id": "gen-1"})
    assert generation["cost_nano"] == 12500, generation
    try:
        op("generation", {"id": "gen-2"})
        assert False, "a generation that is not there"
    except ValueError as e:
        assert "not found" in str(e), e


def test_health_proves_the_key():
    assert host.control("provider.test", {"name": "openrouter"})["ok"]
    health, = op("health", {})
    assert health["ok"] and "7.5 USD" in health["detail"], health
    bad = host.control("provider.test", {"name": "badkey"})
    assert not bad["ok"] and "User not found" in bad["detail"], bad


def check_example(path, env):
    with open(path) as f:
        lines = [line[1:] if line.startswith(("#prov", "#    ", "#}")) else line
                 for line in f]
    assert any(line.startswith("providers:") for line in lines), path
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.writelines(lines)
        f.flush()
        p = subprocess.run(
            [PATCHBAY, "config", "check", "--config", f.name],
            env=dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1", **env),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert p.returncode == 0 and "error" not in p.stdout, (path, p.stdout)


def test_the_examples():
    names = ("OPENROUTER_API_KEY", "HF_TOKEN", "TOGETHER_API_KEY",
             "GROQ_API_KEY", "MISTRAL_API_KEY", "DEEPSEEK_API_KEY",
             "XAI_API_KEY", "VLLM_API_KEY")
    found = glob.glob(os.path.join(EXAMPLES, "*.conf"))
    for name in ("openrouter", "huggingface", "together", "groq", "mistral",
                 "deepseek", "xai", "vllm"):
        path = os.path.join(EXAMPLES, name + ".conf")
        assert path in found, path
        check_example(path, {n: "sk-test" for n in names})


def test_from_the_environment():
    with tempfile.TemporaryDirectory() as d:
        env = dict(os.environ, OPENROUTER_API_KEY=KEY,
                   OPENROUTER_BASE_URL=up.url + "/api/v1",
                   PATCHBAY_CONTROL=os.path.join(d, "none"), HOME=d,
                   XDG_CONFIG_HOME=d, XDG_STATE_HOME=d)
        p = subprocess.run(
            [PATCHBAY, "chat", "-m", "openrouter/anthropic/claude-x", "hi"],
            env=env, stdin=subprocess.DEVNULL, timeout=30,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 0 and "Hello" in p.stdout, (p.stdout, p.stderr)


def test_nothing_secret_is_told():
    log = host.errors()
    assert KEY not in log and LABEL not in log
    assert "sk-or-v1-bad-777" not in log
    assert LABEL not in json.dumps(op("credits", {}))


if __name__ == "__main__":
    with up, Host(providers="".join((
            section(),
            section("prefs", 'order = ["a", "b"]; allow_fallbacks = false; '
                    'data_collection = "deny"; max_price_prompt = 1.5; '
                    'referer = "https://app.example"; title = "App"; '
                    'categories = ["cli-agent"];'),
            section("management", key=KEY + "-m"),
            section("badkey", key="sk-or-v1-bad-777")))) as host:
        main(globals())
