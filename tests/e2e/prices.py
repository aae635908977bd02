# SPDX-License-Identifier: MIT
"""Prices, what answers cost, and the routes that go by it and by other figures:
each expected amount is worked out here in exact fractions."""
import json
import os
import re
import shutil
import subprocess
import time
from fractions import Fraction

from harness import (BOUND, PATCHBAY, Host, Upstream, chat, completion, main,
                     openai_at, send_json)

MINI = {"in": "0.15", "cached": "0.075", "out": "0.6"}  # gpt-4o-mini's
BIG = {"in": "2.5", "cached": "1.25", "out": "10"}  # gpt-4o's


def nano(prices, **tokens):
    """Rounded once, to the nearest."""
    exact = sum(Fraction(prices[k]) * n for k, n in tokens.items()) * 1000
    return int(exact + Fraction(1, 2))


class Setting:
    def __init__(self, extra, top="", names="abc", env=None, server="", more="",
                 usage=None):
        self.ups = {n: Upstream(self.by_name(n)) for n in names}
        self.own = {}  # answers of one provider
        self.usage = usage or {"prompt_tokens": 1001, "completion_tokens": 77}
        self.host = Host(providers="".join(openai_at(
            up.url, name=n, extra=extra.get(n, "")) for n, up in
            self.ups.items()) + more, top=top, env=env, server=server)

    def by_name(self, name):
        return lambda r, c: self.own.get(name, self.answer)(r, c)

    def answer(self, request, conn):
        if request.method == "GET":
            return send_json(conn, 200, {"object": "list", "data": []})
        reply = completion("hi", model=request.json["model"])
        reply["usage"] = self.usage
        return send_json(conn, 200, reply)

    def __enter__(self):
        for up in self.ups.values():
            up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in self.ups.values():
            up.__exit__(*exc)

    def by(self, model, text="hi", **more):
        status, h, reply = self.host.post("/v1/chat/completions",
                                          chat(model, text=text, **more))
        assert status == 200, reply
        return h["x-patchbay-provider"]

    def explain(self, route, **more):
        return self.host.control("route.explain", dict(more, model=route))

    def got(self):
        return {n: len([r for r in up.requests if r.method == "POST"])
                for n, up in self.ups.items()}


def route(strategy, *targets):
    return 'routes = ( { name = "r"; strategy = "%s"; targets = [ %s ]; } );' % (
        strategy, ", ".join('"%s"' % t for t in targets))


def patchbay(*args):
    return subprocess.run([PATCHBAY, *args], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=BOUND)


def test_what_answers_cost():
    extra = {"a": 'prices_of = "openai";',
             "b": 'prices = [ "x in=0.05", "x-* in=1 out=1" ];'}
    with Setting(extra) as s:
        s.by("a/gpt-4o")
        s.by("a/gpt-4o-2024-08-06")
        want = 2 * nano(BIG, **{"in": 1001, "out": 77})
        assert s.host.counters("a")["cost_nano"] == want
        s.usage = {"prompt_tokens": 1001, "completion_tokens": 77,
                   "prompt_tokens_details": {"cached_tokens": 333}}
        s.by("a/gpt-4o")
        want += nano(BIG, **{"in": 668, "cached": 333, "out": 77})
        a = s.host.counters("a")
        assert (a["cost_nano"], a["unpriced"]) == (want, 0), (a, want)
        # No price, or none for a part of it, is not nothing.
        s.by("a/nobody-knows")
        a = s.host.counters("a")
        assert (a["cost_nano"], a["unpriced"]) == (want, 1), a
        s.by("b/x")
        s.by("c/gpt-4o")
        assert [s.host.counters(n)["unpriced"] for n in "bc"] == [1, 1]
        assert [s.host.counters(n)["cost_nano"] for n in "bc"] == [0, 0]
        out = patchbay("status", "--control", s.host.control_path).stdout
        rows = {r.split()[0]: r for r in out.splitlines() if r}
        usd = "%.9f" % (want / 1e9)
        assert rows["a"].endswith(usd.rstrip("0") + " + ?"), out
        assert rows["b"].endswith("?") and "USD" in rows["provider"], out


def test_a_providers_own_figure():
    """OpenRouter says what it took: that counts, and nothing is worked out."""
    up = Upstream()

    @up.on("maker/m")
    def answer(request, conn):
        reply = completion("hi", model="maker/m")
        reply["usage"] = dict(prompt_tokens=10, completion_tokens=5, **cost)
        send_json(conn, 200, reply)
    conf = 'router: { type = "openrouter"; base_url = "%s/api/v1"; api_key = ' \
        '"sk-or-1"; };' % up.url
    with up, Host(providers=conf) as host:
        for cost, want in (({"cost": 0.00123}, (1230000, 0)),
                           ({}, (1230000, 1))):
            status, _, reply = host.post("/v1/chat/completions",
                                         chat("router/maker/m"))
            assert status == 200, reply
            c = host.counters("router")
            assert (c["cost_nano"], c["unpriced"]) == want, c


def test_prices_in_lists_of_models():
    extra = {"a": 'prices_of = "openai"; models = [ "gpt-4o", "gpt-4o-mini", '
                  '"odd" ]; prices = [ "gpt-4o-mini in=7 out=8" ];',
             "b": 'models = [ "gpt-4o" ];'}
    with Setting(extra, names="ab") as s:
        status, _, reply = s.host.get("/v1/models")
        assert status == 200
        models = {m["id"]: m for m in json.loads(reply)["data"]}
        p = models["a/gpt-4o"]["prices"]
        assert (p["currency"], p["unit"], p["input"], p["cache_read"],
                p["output"], p["source"]) == ("USD", "nano", 2500, 1250, 10000,
                                              "list"), p
        p = models["a/gpt-4o-mini"]["prices"]
        assert p == {"currency": "USD", "unit": "nano", "input": 7000,
                     "output": 8000, "source": "config"}, p
        assert "prices" not in models["a/odd"]
        assert "prices" not in models["b/gpt-4o"]
        _, _, reply = s.host.get("/v1/models/a/gpt-4o")
        assert json.loads(reply)["prices"]["input"] == 2500, reply
        out = patchbay("models", "--control", s.host.control_path, "--sort",
                       "price").stdout.splitlines()
        assert [r.split()[0] for r in out[:2]] == ["a/gpt-4o",
                                                   "a/gpt-4o-mini"], out
        assert "2.5/10 USD" in out[0], out


def test_a_list_of_ones_own_and_mistakes():
    extra = {"a": 'prices_of = "me";'}
    s = Setting(extra, names="a")
    name = os.path.join(s.host.dir, "prices")
    with open(name, "w") as f:
        f.write("# mine\n[me]\nm in=1 out=1\n\n[other x.example]\nn in=2\n")
    conf = open(s.host.conf).read()
    with open(s.host.conf, "w") as f:
        f.write(conf.replace("server: {", 'server: { price_list = "prices";', 1))
    with s:
        s.by("a/m")
        assert s.host.counters("a")["cost_nano"] == 1078000

    def check(list_text, provider='prices_of = "me";'):
        host = Host(providers=openai_at("http://127.0.0.1:9", name="a",
                                        extra=provider),
                    server='price_list = "prices";' if list_text else "")
        if list_text:
            with open(os.path.join(host.dir, "prices"), "wb") as f:
                f.write(list_text)
        env = dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                   PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"])
        p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                           env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        shutil.rmtree(host.dir)
        assert p.returncode != 0, p.stdout
        return p.stdout
    assert re.search(r"prices:2: .*cash=1", check(b"[me]\nm cash=1\n"))
    assert re.search(r"prices:1: .*before the first", check(b"m in=1\n"))
    assert re.search(r"prices:3: .*twice", check(b"[me]\nm in=1\n[me]\n"))
    assert "UTF-8" in check(b"[me]\nm\xff in=1\n")
    said = check(b"", 'prices_of = "nobody";')
    assert "nobody" in said and "anthropic" in said, said
    said = check(b"", 'prices = [ "gpt-4o in=9001" ];')
    assert "gpt-4o" not in said or "in=9001" in said, said


def test_least_cost():
    """The cheapest by real prices, for this request: which one that is depends
    on how long the prompt is."""
    extra = {"a": 'prices_of = "openai";', "b": 'prices_of = "openai";',
             "c": 'prices = [ "m in=0.1 out=0.1", "m above=5k in=30 out=30" ];'}
    top = route("least_cost", "a/gpt-4o", "a/unheard-of", "b/gpt-4o-mini", "c/m")
    with Setting(extra, top) as s:
        for _ in range(20):
            assert s.by("r") == "c"
        for _ in range(20):
            assert s.by("r", text="word " * 8000) == "b"
        r = s.explain("r", input_tokens=1234)
        assert r["strategy"] == "least_cost" and r["measured"] == "cost_nano"
        assert [(t["provider"], t["model"], t["cost_nano"])
                for t in r["targets"]] == [
            ("c", "m", nano({"in": "0.1", "out": "0.1"}, **{"in": 1234, "out": 500})),
            ("b", "gpt-4o-mini", nano(MINI, **{"in": 1234, "out": 500})),
            ("a", "gpt-4o", nano(BIG, **{"in": 1234, "out": 500})),
            ("a", "unheard-of", None)], r
        assert [t["provider"] for t in s.explain("r", input_tokens=6000)[
            "targets"]] == ["b", "a", "c", "a"]
        p = patchbay("route", "explain", "--control", s.host.control_path, "r")
        assert "USD" in p.stdout and "0.00015" in p.stdout, p.stdout
        (row,) = [line for line in p.stdout.splitlines()
                  if line.startswith("4")]
        assert row.split()[1] == "a/unheard-of" and row.endswith("?"), p.stdout


def test_least_cost_by_the_environment():
    extra = {"a": 'prices_of = "openai"; default_model = "gpt-4o";',
             "b": 'prices_of = "openai"; default_model = "gpt-4o-mini";'}
    with Setting(extra, names="ab", env={"LLM_ROUTING_STRATEGY": "cost"}) as s:
        assert s.by("default") == "b"


def test_cheapest_free_first():
    """The free ones in turn; when they fail, the cheapest."""
    extra = {"a": 'prices = [ "m in=5 out=5" ];',
             "b": 'prices = [ "m in=0 out=0" ];',
             "c": 'prices = [ "m in=0 out=0" ];',
             "d": 'prices = [ "m in=1 out=1" ];'}
    top = route("cheapest_free_first", "a/m", "b/m", "c/m", "d/m")
    with Setting(extra, top, names="abcd") as s:
        for _ in range(40):
            s.by("r")
        got = s.got()
        # Two loops, each with turns of its own.
        assert got["a"] == got["d"] == 0 and 18 <= got["b"] <= 22, got
        for n in "bc":
            s.own[n] = lambda r, c: send_json(c, 500, {"error": {
                "message": "no"}})
        assert s.by("r") == "d"


def test_least_tokens():
    """Two limits, one three times the other: so are the tokens that go there,
    within a twentieth."""
    extra = {"a": "limits: { tokens_per_minute = 300000; };",
             "b": "limits: { tokens_per_minute = 100000; };"}
    with Setting(extra, route("least_tokens", "a/m", "b/m"), names="ab") as s:
        s.usage = {"prompt_tokens": 900, "completion_tokens": 100}
        for _ in range(80):
            s.by("r")
        got = s.got()
        assert abs(got["a"] - 60) <= 4, got
        r = s.explain("r")
        assert r["measured"] == "used_ppm"
        assert all(180000 <= t["used_ppm"] <= 220000 for t in r["targets"]), r
        p = patchbay("route", "explain", "--control", s.host.control_path, "r")
        assert "used" in p.stdout and "20%" in p.stdout, p.stdout


def test_least_tokens_without_limits():
    host = Host(providers="".join(openai_at("http://127.0.0.1:9", name=n)
                                  for n in "ab"),
                top=route("least_tokens", "a/m", "b/m"))
    env = dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
               PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"])
    p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                       env=env, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    shutil.rmtree(host.dir)
    assert p.returncode == 0 and p.stdout.count("tokens_per_minute") == 2, p.stdout


def test_fastest():
    """Each is measured first; then the one that takes 300 ms longer comes first
    only where it is drawn twice, which cannot be: of three targets the slow one
    gets none that the others could have."""
    def slow(request, conn):
        time.sleep(0.3)
        s.answer(request, conn)

    with Setting({}, route("fastest", "a/m", "b/m", "c/m")) as s:
        s.own["b"] = slow
        for _ in range(90):
            s.by("r")
        got = s.got()
        assert 1 <= got["b"] <= 4 and min(got["a"], got["c"]) >= 20, got
        r = s.explain("r")
        pace = {t["provider"]: t["pace_ms"] for t in r["targets"]}
        assert r["measured"] == "pace_ms" and pace["b"] > 100 > pace["a"], r


if __name__ == "__main__":
    main(globals())
