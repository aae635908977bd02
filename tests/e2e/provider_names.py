# SPDX-License-Identifier: MIT
"""A provider's aliases, wherever its name may stand, and the weights that
providers have in routes that go by them."""
import json
import os
import shutil
import subprocess

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, chat, completion,
                     main, openai_at, send_json)


def answer(r, c):
    if r.method != "POST":
        return send_json(c, 200, {"object": "list", "data": [
            {"id": "listed", "object": "model"}]})
    return send_json(c, 200, completion("hi", model=r.json["model"]))


def providers(url, **extra):
    return "".join(openai_at(url, name=n, extra='default_model = "%s-m"; %s' % (
        n, more)) for n, more in extra.items())


TOP = """routes = (
  { name = "r"; targets = [ "work", "two/two-m" ]; },
  { name = "w"; strategy = "weighted"; targets = [ "main", "two" ]; },
  { name = "s"; strategy = "split"; targets = [ "one", "two" ]; },
  { name = "own"; strategy = "weighted"; weights = [ "0", "1" ];
    targets = [ "one", "two" ]; } );
"""


class Setting:
    def __init__(self, top=TOP, env=None, **extra):
        self.up = Upstream(answer)
        extra = extra or {"one": 'aliases = [ "main", "work" ]; weight = 3;',
                          "two": ""}
        self.host = Host(providers=providers(self.up.url, **extra), top=top,
                         env=env)

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)

    def ask(self, model, **more):
        return self.host.post("/v1/chat/completions", chat(model, **more))

    def by(self, model):
        status, h, reply = self.ask(model)
        assert status == 200, reply
        return h["x-patchbay-provider"], h["x-patchbay-model"]

    def cli(self, *args):
        return subprocess.run(
            [PATCHBAY, "--control", self.host.control_path, *args],
            env=dict(os.environ, PATCHBAY_PLUGIN_PATH=PROVIDERS),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)


def test_an_alias_is_as_good_as_the_name():
    with Setting() as s:
        for name in ("one", "main", "work"):
            assert s.by(name + "/x/y") == ("one", "x/y")
            assert s.by(name + "/") == ("one", "one-m")
        assert s.by("r") == ("one", "one-m")
        status, h, _ = s.ask("two/two-m", fallbacks=["main", "work/z"])
        assert (status, h["x-patchbay-provider"]) == (200, "two")
        for name in ("one", "main"):
            for url in ("/v1/providers/%s", "/v1/providers/%s/health",
                        "/raw/%s/models", "/v1/models?provider=%s"):
                status, _, body = s.host.get(url % name)
                assert status == 200, (url, name, body)
        ids = [m["id"] for m in json.loads(s.host.get(
            "/v1/models?provider=work")[2])["data"]]
        assert "one/listed" in ids and not any(
            i.startswith(("two", "work")) for i in ids), ids
        assert s.ask("mains/x")[0] == 404


def test_what_is_held_goes_by_the_name():
    """Drained by one alias, refused by another, reset and enabled by a third."""
    with Setting() as s:
        assert s.host.control("provider.drain", {"name": "main"})[
            "provider"] == "one"
        assert s.by("r") == ("two", "two-m")
        status, _, reply = s.ask("work/x")
        assert status == 503 and b"provider enable one" in reply, reply
        status, _, reply = s.host.get("/raw/work/models")
        assert status == 503, reply
        assert s.host.control("provider.enable", {"name": "work"})[
            "state"] == "ready"
        assert s.by("r") == ("one", "one-m")
        for verb in ("provider.reset", "provider.test"):
            s.host.control(verb, {"name": "main"})
        status, _, reply = s.host.post("/v1/providers/main/disable", {})
        assert status == 200 and json.loads(reply)["id"] == "one", reply
        assert s.by("r") == ("two", "two-m")


def test_listings_tell():
    with Setting() as s:
        got = {p["id"]: p for p in json.loads(
            s.host.get("/v1/providers")[2])["data"]}
        assert got["one"]["aliases"] == ["main", "work"]
        assert (got["one"]["weight"], got["two"]["weight"]) == (3, 1)
        assert got["two"]["aliases"] == []
        p = s.cli("provider", "info", "work")
        assert p.returncode == 0, p.stderr
        lines = [line.split(None, 1) for line in p.stdout.splitlines()]
        assert ["name", "one"] in lines and ["weight", "3"] in lines, p.stdout
        assert ["aliases", "main, work"] in lines, p.stdout
        p = s.cli("provider", "list")
        assert "one, main, work" in p.stdout, p.stdout
        p = s.cli("models", "--provider", "main")
        assert p.returncode == 0 and "one/listed" in p.stdout, p.stderr
        p = s.cli("config", "show")
        assert '"main"' in p.stdout and "weight = 3" in p.stdout, p.stdout


def test_weights_of_providers():
    """Two loops, each with turns of its own: within two requests a loop of what
    the weights say; a route's own come first."""
    with Setting() as s:
        who = [s.by("w")[0] for _ in range(80)]
        assert abs(who.count("one") - 60) <= 4, who.count("one")
        assert [s.by("own")[0] for _ in range(4)] == ["two"] * 4
        r = s.host.control("route.explain", {"model": "s"})
        assert {t["provider"]: t["weight"] for t in r["targets"]} == {
            "one": 3, "two": 1}, r


def test_the_environment_may_say_an_alias():
    with Setting(top="", env={"PRIMARY_PROVIDER": "second"}, one="",
                 two='aliases = [ "second" ];') as s:
        assert s.by("default") == ("two", "two-m")


def test_clashes():
    def check(top="", **extra):
        host = Host(top=top, providers=providers("http://127.0.0.1:9", **extra))
        p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                           env=dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                                    PATCHBAY_PLUGIN_PATH=PROVIDERS),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
        shutil.rmtree(host.dir)
        return p.returncode, p.stdout

    assert check(a='aliases = [ "x", "y" ];', b='aliases = [ "z" ];')[0] == 0
    for more, text in (
            (dict(a='aliases = [ "b" ];', b=""), 'the provider "b" is called "b"'),
            (dict(a="", b='aliases = [ "a" ];'), 'the provider "a" is called "a"'),
            (dict(a='aliases = [ "x" ];', b='aliases = [ "y", "x" ];'),
             'the provider "a" is called "x"'),
            (dict(a='aliases = [ "a" ];'), "the provider's own name"),
            (dict(a='aliases = [ "x", "x" ];'), "stands there twice"),
            (dict(a='aliases = [ "X" ];'), "small letters"),
            (dict(a='aliases = [ "x/y" ];'), "small letters"),
            (dict(a="weight = -1;"), "weight"),
            (dict(a="weight = 1000001;"), "weight"),
            (dict(a='weight = "much";'), "weight")):
        rc, out = check(**more)
        assert rc != 0 and text in out and out.count("\n") == 1, (more, out)
    for strategy in ("weighted", "split"):
        rc, out = check('routes = ( { name = "r"; strategy = "%s"; targets = [ '
                        '"a", "b" ]; } );' % strategy, a="weight = 0;",
                        b="weight = 0;")
        assert rc != 0 and "each is 0" in out, out


if __name__ == "__main__":
    main(globals())
