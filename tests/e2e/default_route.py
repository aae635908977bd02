# SPDX-License-Identifier: MIT
"""The route "default" where none is written, and providers that the environment
alone sets up: who is in it, in which order, and when loopback is."""
import json

from harness import (LOOPBACK, Host, Upstream, chat, completion, main, openai_at,
                     send_json)


def answer(r, c):
    if r.path == "/api/chat":
        return send_json(c, 200, {
            "model": r.json["model"], "created_at": "2026-11-21T00:00:00Z",
            "message": {"role": "assistant", "content": "hi"}, "done": True,
            "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1})
    if r.path == "/v1/messages":
        return send_json(c, 200, {
            "id": "msg_1", "type": "message", "role": "assistant",
            "model": r.json["model"], "stop_reason": "end_turn",
            "stop_sequence": None, "content": [{"type": "text", "text": "hi"}],
            "usage": {"input_tokens": 1, "output_tokens": 1}})
    return send_json(c, 200, completion("hi"))


def ollama_at(url, name, more=""):
    return '%s: { type = "ollama"; base_url = "%s"; default_model = "qwen"; %s };' % (
        name, url, more)


def order(host):
    return ["%s/%s" % (t["provider"], t["model"])
            for t in host.control("route.explain", {"model": ""})["targets"]]


def ask(host):
    body = chat("x")
    del body["model"]
    return host.post("/v1/chat/completions", body)


def everybody(url):
    """Those of one's own first, so that the order is not the file's."""
    return (ollama_at(url, "one") +
            ollama_at(url, "two", 'aliases = [ "second" ];') +
            'bare: { type = "openai"; base_url = "%s/v1"; '
            'default_model = "b-m"; };' % url + LOOPBACK +
            "".join(openai_at(url, name=n, extra='default_model = "%s-m"; %s' % (
                n, 'aliases = [ "third" ];' if n == "k3" else ""))
                    for n in ("k1", "k2", "k3")) +
            openai_at(url, name="none"))


def test_order():
    keyed, own = ["k1/k1-m", "k2/k2-m", "k3/k3-m"], ["one/qwen", "two/qwen",
                                                     "bare/b-m"]
    moved = lambda v, *names: list(names) + [x for x in v if x not in names]
    for env, want in (
            ({}, keyed + own),
            ({"PRIMARY_PROVIDER": "k3"}, moved(keyed, "k3/k3-m") + own),
            ({"PRIMARY_PROVIDER": "k3", "PRIMARY_LLM_PROVIDER": "k2",
              "SECONDARY_PROVIDER": "k2"},
             moved(keyed, "k3/k3-m", "k2/k2-m") + own),
            ({"PRIMARY_LLM_PROVIDER": "two"},
             ["two/qwen"] + keyed + moved(own, "two/qwen")[1:]),
            ({"LOCAL_PROVIDER": "two"}, keyed + moved(own, "two/qwen")),
            # By another name that the provider has, too.
            ({"PRIMARY_PROVIDER": "third", "LOCAL_PROVIDER": "second"},
             moved(keyed, "k3/k3-m") + moved(own, "two/qwen")),
            # Whoever is called local comes among those of one's own.
            ({"LOCAL_PROVIDER": "k1"}, keyed[1:] + ["k1/k1-m"] + own),
            ({"ENABLE_LLM_FALLBACK": "no", "SECONDARY_PROVIDER": "k2"},
             ["k2/k2-m"])):
        with Upstream(answer) as up, Host(everybody(up.url), env=env) as host:
            assert order(host) == want, (env, order(host))
            assert "there is no provider" not in host.errors(), host.errors()


def test_each_is_asked_in_that_order():
    """All but the last one are down."""
    def last(r, c):
        if r.method == "POST" and r.json["model"] != "b-m":
            return send_json(c, 503, {"error": {"message": "Down"}})
        return answer(r, c)
    with Upstream(last) as up, Host(everybody(up.url)) as host:
        status, h, reply = ask(host)
        assert status == 200, reply
        assert (h["x-patchbay-route"], h["x-patchbay-provider"],
                h["x-patchbay-model"], h["x-patchbay-attempts"]) == (
                    "default", "bare", "b-m", "6"), h
        assert [r.json["model"] for r in up.requests if r.method == "POST"] == [
            "k1-m", "k2-m", "k3-m", "qwen", "qwen", "b-m"]


def test_loopback_is_no_stand_in():
    # The only one: it answers.
    with Host(LOOPBACK) as host:
        status, h, _ = ask(host)
        assert (status, h["x-patchbay-provider"]) == (200, "loopback")
    with Upstream(answer) as up:
        # There is a real one, which has no default model.
        with Host(openai_at(up.url) + LOOPBACK) as host:
            status, h, reply = ask(host)
            e = json.loads(reply)["error"]
            assert status == 404 and e["param"] == "model", reply
            assert "set default_model for up" in e["message"], reply
        # Written, or named.
        top = 'routes = ( { name = "default"; targets = [ "up/m", "loopback" ]; } );'
        with Host(openai_at(up.url) + LOOPBACK, top=top) as host:
            assert order(host) == ["up/m", "loopback/"], order(host)
        with Host(openai_at(up.url, extra='default_model = "m";') + LOOPBACK,
                  env={"PRIMARY_PROVIDER": "up",
                       "SECONDARY_PROVIDER": "loopback"}) as host:
            assert order(host) == ["up/m", "loopback/"], order(host)
        # Down is not away: an error, and no echo.
        with Host(openai_at("http://127.0.0.1:9", extra='default_model = "m";') +
                  LOOPBACK) as host:
            status, h, reply = ask(host)
            assert (status, h["x-patchbay-provider"]) == (502, "up"), reply


def test_by_the_environment_alone():
    """No provider in any file: five of them, and the one that is called so
    first."""
    with Upstream(answer) as up:
        env = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": up.url + "/v1",
               "OPENAI_DEFAULT_MODEL": "gpt-x",
               "ANTHROPIC_API_KEY": "sk-2", "ANTHROPIC_BASE_URL": up.url,
               "ANTHROPIC_DEFAULT_MODEL": "claude-x",
               "OLLAMA_HOST": up.url, "OLLAMA_DEFAULT_MODEL": "qwen",
               "CUSTOM_PROVIDER_NAME": "mine",
               "CUSTOM_PROVIDER_BASE_URL": up.url + "/v1",
               "CUSTOM_PROVIDER_API_KEY": "sk-3",
               "CUSTOM_PROVIDER_DEFAULT_MODEL": "mine-x",
               "PRIMARY_PROVIDER": "openai", "SECONDARY_PROVIDER": "mine"}
        with Host("", env=env) as host:
            assert order(host) == ["openai/gpt-x", "mine/mine-x",
                                   "claude/claude-x", "ollama/qwen"]
            names = [p["name"] for p in host.control("status")["providers"]]
            assert sorted(names) == ["claude", "loopback", "mine", "ollama",
                                     "openai"], names
            for name, model in (("openai", "gpt-x"), ("mine", "mine-x"),
                                ("claude", "claude-x"), ("ollama", "qwen")):
                status, h, reply = host.post(
                    "/v1/chat/completions", chat("%s/%s" % (name, model)))
                assert (status, h["x-patchbay-provider"]) == (200, name), reply
            assert ask(host)[1]["x-patchbay-provider"] == "openai"
            # None of the keys is anywhere to be seen.
            text = host.errors() + json.dumps(host.control("status"))
            assert "sk-1" not in text and "sk-3" not in text


def test_what_is_left_out_is_told():
    with Upstream(answer) as up:
        env = {"PRIMARY_PROVIDER": "nobody", "SECONDARY_PROVIDER": "none",
               "LLM_ROUTING_STRATEGY": "magic"}
        with Host(everybody(up.url), env=env) as host:
            assert order(host)[0] == "k1/k1-m"
            said = host.errors()
            for part in ('there is no provider \\"nobody\\"',
                         'the provider \\"none\\" has no default_model',
                         '\\"magic\\" is no strategy'):
                assert part in said or part.replace("\\", "") in said, said


if __name__ == "__main__":
    main(globals())
