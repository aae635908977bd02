# SPDX-License-Identifier: MIT
"""patchbay config import: the three forms that people have are imported and run,
what cannot be kept is named with its line, secrets in clear show up nowhere, and
damaged or hostile files get an error."""
import json
import os
import stat
import subprocess
import tempfile

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, chat, completion, main,
                     send_json)

SECRET = "sk-literal-secret-0123456789abcdef"


def env(**more):
    e = {k: v for k, v in os.environ.items()
         if not k.endswith(("_API_KEY", "_BASE_URL"))}
    return dict(e, PATCHBAY_PLUGIN_PATH=PROVIDERS,
                PATCHBAY_ALLOW_ANY_OWNER="1", **more)


def run(*args, text=None, **more):
    return subprocess.run([PATCHBAY, "config", *args], env=env(**more),
                          input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)


class Folder(tempfile.TemporaryDirectory):
    def write(self, name, text):
        path = os.path.join(self.name, name)
        with open(path, "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text, indent=1))
        return path

    def __enter__(self):
        super().__enter__()
        return self


def imported(folder, name, text, **more):
    """Import to a file; its text, and what was said."""
    out = os.path.join(folder.name, name + ".conf")
    p = run("import", "-o", out, folder.write(name, text), **more)
    assert p.returncode == 0, p.stderr
    assert SECRET not in p.stdout + p.stderr
    check = run("check", "--config", out, **more)
    assert check.returncode == 0, check.stdout
    assert stat.S_IMODE(os.stat(out).st_mode) == 0o600
    with open(out) as f:
        return out, f.read(), p.stderr


class Running(Host):
    """A host of an imported configuration, with a server section added."""
    def __init__(self, path, **more):
        super().__init__(env=more)
        with open(path) as f:
            text = f.read()
        with open(self.conf, "w") as f:
            f.write('server: { listen = "127.0.0.1:0"; control_socket = "%s"; '
                    'state_dir = "%s"; };\n%s' % (self.control_path, self.dir,
                                                  text))
        folder = os.path.dirname(path)
        for name in os.listdir(folder):
            if name.endswith(".key"):
                with open(os.path.join(folder, name)) as f:
                    key = f.read()
                path = os.path.join(self.dir, name)
                with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600),
                          "w") as f:
                    f.write(key)

    def ask(self, model):
        status, h, body = self.post("/v1/chat/completions", chat(model))
        assert status == 200, body
        return h["x-patchbay-provider"]


def answer(r, c):
    return send_json(c, 200, completion("ok", model=r.json["model"]))


def fail(r, c):
    return send_json(c, 503, {"error": {"message": "down", "type": "server"}})


def posts(up):
    return [r for r in up.requests if r.method == "POST"]


def test_list_with_a_manager():
    with Folder() as d, Upstream(answer) as a, Upstream(fail) as b:
        out, text, said = imported(d, "manager.json", {
            "providers": [
                {"name": "First", "type": "openai", "base_url": b.url + "/v1",
                 "api_key": SECRET, "models": ["m1", "m2"], "timeout": 300},
                {"name": "second", "type": "openai-compatible",
                 "base_url": a.url + "/v1", "api_key": "${SECOND_KEY}",
                 "default_model": "m3", "max_retries": 2, "colour": "red"},
                {"name": "off", "type": "ollama", "enabled": False}],
            "manager": {"fallback_enabled": True, "load_balancing": False,
                        "telemetry": {"level": 3}}}, SECOND_KEY="sk-second")
        assert SECRET not in text and 'api_key_file = "first.key"' in text
        key = os.path.join(d.name, "first.key")
        assert open(key).read() == SECRET
        assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
        assert 'total = "5m"' in text and "max_attempts = 3" in text
        lines = open(os.path.join(d.name, "manager.json")).read().split("\n")
        for name in ("colour", "telemetry"):
            line = 1 + [i for i, x in enumerate(lines) if '"%s"' % name in x][0]
            assert "manager.json:%d: warning: " % line in said, said
            assert name in said and "#   %d: " % line in text
        with Running(out, SECOND_KEY="sk-second") as host:
            # The first one is down, fallback was enabled.
            assert host.ask("default") == "second"
            first, second = posts(b)[0], posts(a)[0]
            assert first.headers["authorization"] == "Bearer " + SECRET
            assert second.headers["authorization"] == "Bearer sk-second"
            assert second.json["model"] == "m3"


def test_without_fallback_and_balanced():
    two = [{"name": n, "type": "openai", "base_url": "http://127.0.0.1:1/v1",
            "model": "m", "priority": 2 - i, "weight": 3 * i + 1}
           for i, n in enumerate("ab")]
    with Folder() as d:
        for manager, want in (
                ({"fallback_enabled": False}, 'targets = [ "b" ]'),
                ({"fallback_enabled": True}, 'targets = [ "b", "a" ]'),
                ({"load_balancing": True}, 'strategy = "least_connections"'),
                ({"load_balancing": "round_robin"}, 'strategy = "round_robin"'),
                ({"load_balancing": "weighted"}, 'weights = [ "4", "1" ]'),
                ({"default_provider": "a"}, 'targets = [ "a", "b" ]')):
            p = run("import", d.write("x.json", {"providers": two,
                                                 "manager": manager}))
            assert p.returncode == 0 and want in p.stdout, p.stdout + p.stderr


def test_providers_at_the_top():
    with Folder() as d, Upstream(answer) as up:
        out, text, said = imported(d, "top.json", {
            "openai": {"api_key": "${OPENAI_API_KEY}", "timeout": 300,
                       "base_url": up.url + "/v1", "model": "m"},
            "llama-cpp": {"models_dir": "/srv/models", "default_threads": 4,
                          "no_such_thing": 1}}, OPENAI_API_KEY="sk-env")
        assert 'models_dir = "/srv/models"' in text
        assert "no_such_thing" in said
        # What its module declares is carried over, the rest is named.
        assert "default_threads = 4" in text and "default_threads" not in said
        with Running(out, OPENAI_API_KEY="sk-env") as host:
            assert host.ask("openai/m") == "openai"
            assert posts(up)[0].headers["authorization"] == "Bearer sk-env"
        # The variable need not be set: the others can work.
        p = run("check", "--config", out)
        assert p.returncode == 0 and "it is empty" in p.stdout, p.stdout


YAML = """
defaults: &defaults
  retry: {max_attempts: 2, backoff_factor: 3}
  rate_limit: {requests_per_minute: 50, tokens_per_minute: 100_000}
providers:
  big:
    <<: *defaults
    type: openai
    api_key: ${BIG_KEY}
    base_url: %s/v1
    models: [large, medium]
  small:
    <<: *defaults
    type: openai
    api_key: "%s"
    base_url: "%s/v1"
    models:
      - tiny
    rate_limit:
      requests_per_minute: 7
strategies:
  quality:
    provider: big
    model: large
    fallback_providers: [small]
    temperature: 0.7
  quick: {provider: small, model: tiny, fallback_providers: [big, nobody]}
"""


def test_yaml_with_strategies():
    with Folder() as d, Upstream(answer) as a, Upstream(fail) as b:
        out, text, said = imported(d, "llm.yaml", YAML % (a.url, SECRET, b.url),
                                   BIG_KEY="sk-big")
        assert "requests_per_minute = 7;" in text
        assert "tokens_per_minute = 100000;" in text
        assert "backoff_factor = 3.0;" in text
        lines = YAML.split("\n")
        for word, what in (("temperature", "strategies.quality.temperature"),
                           ("nobody", 'strategies.quick: there is no provider')):
            line = 1 + [i for i, x in enumerate(lines) if word in x][0]
            assert "llm.yaml:%d: warning: %s" % (line, what) in said, said
        assert "defaults" not in said, said
        with Running(out, BIG_KEY="sk-big") as host:
            assert host.ask("quality") == "big"
            assert posts(a)[-1].json["model"] == "large"
            assert host.ask("quick") == "big"
            assert posts(b)[-1].json["model"] == "tiny"
            assert posts(b)[-1].headers["authorization"] == "Bearer " + SECRET


def test_secrets_do_not_reach_standard_output():
    source = {"providers": [
        {"name": "openai", "api_key": SECRET},
        {"name": "mine", "type": "openai", "proxy": "http://127.0.0.1:3",
         "base_url": "http://user:%s@127.0.0.1:1/v1" % SECRET,
         "api_key": "${KEY:-%s}" % SECRET, "proxy_auth": "u:" + SECRET,
         "headers": {"Authorization": "Bearer " + SECRET, "X-Team": "red"}}]}
    with Folder() as d:
        p = run("import", d.write("s.json", source))
        assert p.returncode == 0, p.stderr
        assert SECRET not in p.stdout + p.stderr
        assert 'api_key = "${OPENAI_API_KEY:-}"' in p.stdout
        assert 'api_key = "${KEY:-}"' in p.stdout and 'X-Team = "red"' in p.stdout
        assert p.stderr.count("in clear") == 3, p.stderr
        assert "base_url" in p.stderr and "Authorization" in p.stderr


def test_secrets_among_other_text():
    """What is beside a reference, or in a URL of a proxy, may be one."""
    one = {"type": "openai", "base_url": "http://127.0.0.1:1/v1"}
    source = {"providers": {
        "a": dict(one, api_key=SECRET + "${MORE}", proxy_auth="u:" + SECRET,
                  proxy="http://127.0.0.1:3"),
        "b": dict(one, api_key="Bearer ${TOKEN}", proxy_auth="u:${PASS}",
                  proxy="http://u:%s@127.0.0.1:3" % SECRET)}}
    with Folder() as d:
        path = d.write("s.json", source)
        p = run("import", path)
        assert p.returncode == 0, p.stderr
        assert SECRET not in p.stdout + p.stderr, p.stdout + p.stderr
        # Two providers' secrets are not one.
        for line in ('api_key = "${A_API_KEY:-}"', 'api_key = "Bearer ${TOKEN}"',
                     'proxy_auth = "${A_PROXY_AUTH:-}"',
                     'proxy_auth = "u:${PASS}"', 'proxy = "${B_PROXY:-}"'):
            assert line in p.stdout, p.stdout
        out = os.path.join(d.name, "s.conf")
        p = run("import", "-o", out, path, TOKEN="t", PASS="p", MORE="m")
        assert SECRET not in p.stdout + p.stderr
        assert open(out).read().count(SECRET) == 3
        for word in "!", "*", "&":
            p = run("import", d.write("x.yaml", "openai:\n  api_key: %s%s\n" % (
                word, SECRET)))
            assert p.returncode == 1 and "wants quotes" in p.stderr, p.stderr
            assert SECRET[:20] not in p.stderr and ":2: " in p.stderr, p.stderr


def test_values_that_mean_something_else():
    with Folder() as d:
        p = run("import", d.write("v.yaml", """
providers:
  a: {type: openai, max_retries: 2.7, timeout: 0}
  b: {type: openai, max_retries: 3x, api_key_env: 1ABC}
  c: {type: openai, disabled: perhaps, default_model: %s}
""" % ("m" * 300)))
        assert p.returncode == 0, p.stderr
        for line, what in ((3, "a.retry.max_attempts"), (3, "a.timeouts.total"),
                           (4, "b.retry.max_attempts"), (4, "b.api_key_env"),
                           (5, 'provider "c": disabled'),
                           (5, "c.default_model")):
            assert any(x.startswith(d.name + "/v.yaml:%d: " % line) and what in x
                       for x in p.stderr.split("\n")), (what, p.stderr)
        for word in "total", "max_attempts =", "1ABC}", "enabled", "mmm":
            assert word not in p.stdout.split("# Not the same")[0], p.stdout


def test_other_ways_to_name_a_variable():
    with Folder() as d:
        p = run("import", d.write("v.yml", """
providers:
  a: {type: openai, api_key: os.environ/A_KEY, base_url: "http://127.0.0.1:1"}
  b: {type: openai, api_key: $B_KEY, base_url: "http://127.0.0.1:1"}
  c: {type: openai, api_key_env: C_KEY, base_url: "http://127.0.0.1:1"}
  groq: {model: llama}
  strange: {type: quantum}
"""))
        assert p.returncode == 0, p.stderr
        for name in "ABC":
            assert 'api_key = "${%s_KEY:-}"' % name in p.stdout
        assert "https://api.groq.com/openai/v1" in p.stdout
        assert "enabled = false" in p.stdout and 'no module for "quantum"' in p.stderr


def test_nothing_is_overwritten():
    with Folder() as d:
        source = d.write("x.json", {"openai": {"api_key": SECRET}})
        out = d.write("x.conf", "mine")
        p = run("import", "-o", out, source)
        assert p.returncode == 1 and "--force" in p.stderr
        assert open(out).read() == "mine"
        assert not os.path.exists(os.path.join(d.name, "openai.key"))
        os.unlink(out)
        # The key and the configuration in one file: one would be lost.
        p = run("import", "-o", os.path.join(d.name, "openai.key"), source)
        assert p.returncode == 1 and "another file" in p.stderr, p.stderr
        assert sorted(os.listdir(d.name)) == ["x.json"]
        key = d.write("openai.key", "mine")
        p = run("import", "-o", out, source)
        assert p.returncode == 1 and not os.path.exists(out)
        assert open(key).read() == "mine"
        p = run("import", "--force", "-o", out, source)
        assert p.returncode == 0 and open(key).read() == SECRET


def bomb():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append("a%d: &a%d [%s]" % (i, i, ", ".join(["*a%d" % (i - 1)] * 10)))
    return "\n".join(lines)


def test_damaged_and_hostile_files():
    cases = [
        ("j.json", '{"openai": {"api_key": "%s"' % SECRET, "j.json:1: it is no JSON"),
        ("k.json", '{"openai": {},\n"openai": {}}', "twice"),
        ("l.json", "[1]", "a map is wanted"),
        ("m.json", "{}", "no provider"),
        ("n.json", '{"a":' * 100 + "1" + "}" * 100, "nested"),
        ("o.json", '{"providers": [{"api_key": "%s"}]}' % SECRET, "neither a name"),
        ("a.yaml", "providers: {a: [1", ": it is no YAML"),
        ("b.yaml", bomb(), "more than 50000 values"),
        ("c.yaml", "a: &a {b: *a}", "stands for itself"),
        ("d.yaml", "a: *b", "stands for nothing"),
        ("e.yaml", "a: {}\n---\nb: {}", "second document"),
        ("f.yaml", "a: !!python/object:os.system {}", "is not known here"),
        ("g.yaml", "a: !env X", "the tag !env"),
        ("h.yaml", "", "empty"),
        ("i.yaml", "a: {b: 1}\na: {}", "twice"),
        ("p.yaml", "[" * 1000, "nested"),
    ]
    with Folder() as d:
        for name, text, want in cases:
            p = run("import", d.write(name, text))
            assert p.returncode == 1 and not p.stdout, (name, p.stdout)
            assert want in p.stderr and SECRET not in p.stderr, (name, p.stderr)
        p = run("import", os.path.join(d.name, "absent.json"))
        assert p.returncode == 1 and "No such file" in p.stderr


def test_standard_input_and_usage():
    p = run("import", "-", text='{"loopback": {}}')
    assert p.returncode == 0 and "loopback: {" in p.stdout, p.stderr
    p = run("import", "--format", "yaml", "-", text="providers:\n  loopback:\n")
    assert p.returncode == 0 and "loopback: {" in p.stdout, p.stderr
    for args in (["import"], ["import", "a", "b"], ["import", "--force", "a"],
                 ["import", "--format", "xml", "a"], ["show", "--force"]):
        p = run(*args)
        assert p.returncode == 2, args


if __name__ == "__main__":
    main(globals())
