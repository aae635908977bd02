# SPDX-License-Identifier: MIT
"""The shipped examples (etc/examples): each is checked, a host is started with
it, and every route and alias answers.  The providers are stand-ins on this
machine, which speak each one's own API."""
import json
import os
import re
import subprocess

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, chat, completion, main,
                     send_json)

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
EXAMPLES = os.path.join(TOP, "etc", "examples")
NAMES = ("code_generation", "cost_optimized", "default", "local_development")


def answer(r, c):
    """OpenAI's, Anthropic's and Ollama's own forms, by the URL."""
    if r.method != "POST":
        return send_json(c, 200, {"object": "list", "data": [], "models": []})
    model = r.json.get("model", "")
    if r.path.startswith("/v1/messages"):
        return send_json(c, 200, {
            "id": "msg_1", "type": "message", "role": "assistant", "model": model,
            "content": [{"type": "text", "text": "by claude"}],
            "stop_reason": "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 2}})
    if r.path.startswith("/api/chat"):
        return send_json(c, 200, {
            "model": model, "created_at": "2026-01-01T00:00:00Z", "message": {
                "role": "assistant", "content": "by ollama"}, "done": True,
            "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2})
    return send_json(c, 200, completion("by " + model, model=model))


def read(name):
    with open(os.path.join(EXAMPLES, name + ".conf")) as f:
        return f.read()


def env_for(url):
    return {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": url + "/v1",
            "ANTHROPIC_API_KEY": "sk-2", "ANTHROPIC_BASE_URL": url,
            "OPENROUTER_API_KEY": "sk-3", "OPENROUTER_BASE_URL": url + "/api/v1",
            "OLLAMA_BASE_URL": url, "LLAMACPP_URL": url}


class Example(Host):
    """The file as it is, but for where it listens and keeps its things."""
    def __init__(self, name, url):
        super().__init__(env=env_for(url))
        text = read(name)
        own = text.replace('listen = [ "127.0.0.1:8080" ];',
                           'listen = "127.0.0.1:0"; control_socket = "%s"; '
                           'state_dir = "%s";' % (self.control_path, self.dir))
        assert own != text, name
        with open(self.conf, "w") as f:
            f.write(own)


def names_of(text, section):
    part = re.search(r"^%s = \((.*?)^\);" % section, text, re.S | re.M)
    return re.findall(r'name = "([^"]+)"', part.group(1)) if part else []


def test_all_of_them_are_looked_at():
    found = sorted(f[:-5] for f in os.listdir(EXAMPLES) if f.endswith(".conf"))
    assert found == sorted(NAMES), found


def test_each_route_answers():
    asked = 0
    for name in NAMES:
        text = read(name)
        routes, aliases = names_of(text, "routes"), names_of(text, "aliases")
        assert len(routes) >= 3 and "default" in routes, name
        with Upstream(answer) as up, Example(name, up.url) as host:
            for model in routes + aliases:
                status, h, body = host.post("/v1/chat/completions", chat(model))
                assert status == 200, (name, model, body)
                assert json.loads(body)["choices"][0]["message"]["content"]
                assert model in aliases or h["x-patchbay-route"] == model, h
                asked += 1
            body = chat("")
            del body["model"]
            status, h, body = host.post("/v1/chat/completions", body)
            assert status == 200 and h["x-patchbay-route"] == "default", body
    print("%d routes and aliases of %d examples answered" % (asked, len(NAMES)))


def check(name, **env):
    clean = {k: v for k, v in os.environ.items()
             if not k.endswith(("_API_KEY", "_BASE_URL", "_URL", "_HOST"))}
    p = subprocess.run([PATCHBAY, "config", "check", "--config",
                        os.path.join(EXAMPLES, name + ".conf")],
                       env=dict(clean, PATCHBAY_PLUGIN_PATH=PROVIDERS,
                                PATCHBAY_ALLOW_ANY_OWNER="1", **env),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    return p.returncode, p.stdout


def test_each_is_taken_with_and_without_keys():
    for name in NAMES:
        status, said = check(name, **env_for("http://127.0.0.1:9"))
        assert status == 0 and "warning" not in said, (name, said)
        status, said = check(name)  # warnings name the keys that are missing
        assert status == 0, (name, said)


def test_fallback_of_the_default():
    """The first one of the default route is down."""
    def first_down(r, c):
        if r.path.startswith("/v1/messages"):
            return send_json(c, 529, {"type": "error", "error": {
                "type": "overloaded_error", "message": "Overloaded"}})
        return answer(r, c)
    with Upstream(first_down) as up, Example("default", up.url) as host:
        status, h, body = host.post("/v1/chat/completions", chat("default"))
        assert status == 200 and h["x-patchbay-provider"] == "openai", body


def test_local_development_asks_nobody_else():
    with Upstream(answer) as up, Example("local_development", up.url) as host:
        names = [p["name"] for p in host.control("providers")["providers"]]
        assert sorted(names) == ["llamacpp", "loopback", "ollama"], names
        status, h, _ = host.post("/v1/chat/completions", chat("broken"))
        assert status == 200 and int(h["x-patchbay-attempts"]) == 2, h


if __name__ == "__main__":
    main(globals())
