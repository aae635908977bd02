# SPDX-License-Identifier: MIT
"""A/B tests on real traffic: a route of strategy split, whose arms keep their
people and have results of their own."""
import json
import os
import shutil
import subprocess

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, chat, completion,
                     main, openai_at, send_json)

TOP = """routes = (
  { name = "ab"; strategy = "split"; arms = [ "old", "new" ];
    weights = [ "%d", "%d" ]; targets = [ "a", "b/b-m" ]; },
  { name = "who"; strategy = "split"; split_by = "user";
    targets = [ "a/a-m", "b/b-m" ]; },
  { name = "chain"; strategy = "split"; arms = [ "bad", "good" ];
    weights = [ "1", "0" ]; targets = [ "a/down", "b/b-m" ]; } );
aliases = ( { name = "test"; model = "ab"; } );
"""


def answer(r, c):
    if r.method != "POST":
        return send_json(c, 200, {"object": "list", "data": []})
    if r.json["model"] == "down":
        return send_json(c, 500, {"error": {"message": "down", "type": "x"}})
    return send_json(c, 200, completion("hi", model=r.json["model"],
                                        usage=(3, 2)))


class Setting:
    def __init__(self, weights=(70, 30)):
        self.up = Upstream(answer)
        self.host = Host(providers="".join(openai_at(
            self.up.url, name=n, extra='default_model = "%s-m"; '
            'prices = [ "%s-m in=1 out=2" ];' % (n, n)) for n in "ab"),
            top=TOP % weights, server="loops = 2;")

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)

    def ask(self, model, session=None, **more):
        status, h, body = self.host.post(
            "/v1/chat/completions", chat(model, **more),
            {"x-patchbay-session": session} if session else None)
        assert status == 200, body
        return h

    def results(self, route):
        status, _, body = self.host.get("/v1/routes/results?route=" + route)
        assert status == 200, body
        return {(r["arm"], r["provider"]): r
                for r in json.loads(body)["results"]}

    def arms(self, n):
        return [self.host.control("route.explain", {
            "model": "ab", "headers": {"x-patchbay-session": "s%d" % i}})["arm"]
            for i in range(n)]

    def cli(self, *args, stdin=""):
        return subprocess.run(
            [PATCHBAY, "--control", self.host.control_path, "route", *args],
            env=dict(os.environ, PATCHBAY_PLUGIN_PATH=PROVIDERS), input=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_who_is_in_an_arm_stays_in_it():
    """On both loops, in every API, by an alias, and after a restart."""
    with Setting() as s:
        before = {}
        for i in range(30):
            name = "s%d" % i
            h = s.ask("ab", name)
            assert h["x-patchbay-route"] == "ab"
            assert h["x-patchbay-provider"] == {"old": "a", "new": "b"}[
                h["x-patchbay-arm"]]
            before[name] = h["x-patchbay-arm"]
        assert set(before.values()) == {"old", "new"}
        for name, arm in before.items():
            assert s.ask("test", name)["x-patchbay-arm"] == arm
        status, h, _ = s.host.post("/v1/messages", {
            "model": "ab", "max_tokens": 9,
            "messages": [{"role": "user", "content": "x"}]},
            {"x-patchbay-session": "s7"})
        assert (status, h["x-patchbay-arm"]) == (200, before["s7"])
        # Without the header by its beginning.
        talk = lambda n: [{"role": "user", "content": "question %d" % n},
                          {"role": "assistant", "content": "yes"},
                          {"role": "user", "content": "and?"}]
        for n in range(8):
            one = s.ask("ab", messages=talk(n)[:1])["x-patchbay-arm"]
            assert s.ask("ab", messages=talk(n))["x-patchbay-arm"] == one
    with Setting() as s:
        for name, arm in before.items():
            assert s.ask("ab", name)["x-patchbay-arm"] == arm


def test_by_user():
    with Setting() as s:
        arm = {u: s.ask("who", "s1", user=u)["x-patchbay-arm"]
               for u in "abcdefghijklmnop"}
        # Without names of their own they are called as the targets.
        assert set(arm.values()) == {"a/a-m", "b/b-m"}, arm
        for u, was in arm.items():
            assert s.ask("who", "s2", user=u)["x-patchbay-arm"] == was


def test_shares_and_what_a_reload_moves():
    """600 conversations, of which a share of 70 in 100 is to be within 6 (3
    standard deviations are 5.6); the weight that grows only gains."""
    with Setting() as s:
        before = s.arms(600)
        assert abs(before.count("old") - 420) <= 36, before.count("old")
        conf = open(s.host.conf).read()
        with open(s.host.conf, "w") as f:
            f.write(conf.replace('weights = [ "70", "30" ]',
                                 'weights = [ "70", "70" ]'))
        s.host.control("reload")
        after = s.arms(600)
        assert abs(after.count("old") - 300) <= 36, after.count("old")
        assert not any(b == "new" and a == "old"
                       for b, a in zip(before, after))


def test_results_of_each_arm():
    with Setting() as s:
        n = {"old": 0, "new": 0}
        for i in range(40):
            n[s.ask("ab", "s%d" % i)["x-patchbay-arm"]] += 1
        got = s.results("ab")
        assert set(got) == {("old", "a"), ("new", "b")}, got
        for (arm, _), r in got.items():
            assert (r["attempts"], r["ok"], r["failed"]) == (n[arm], n[arm], 0)
            assert r["input_tokens"] == 3 * n[arm]
            assert r["output_tokens"] == 2 * n[arm]
            assert r["cost_nano"] == (3 * 1000 + 2 * 2000) * n[arm], r
            assert r["unpriced"] == 0
            assert 0 <= r["first_token_ms"] <= r["total_ms"]
        p = s.cli("results", "ab")
        rows = [line.split() for line in p.stdout.splitlines()]
        assert rows[0][:3] == ["route", "arm", "target"], p.stdout
        assert sorted(r[1:3] for r in rows[1:]) == [
            ["new", "b/b-m"], ["old", "a/a-m"]], p.stdout


def test_a_failure_counts_for_its_arm():
    """Another arm's target answers, which is no result of that arm's."""
    with Setting() as s:
        for i in range(2):
            h = s.ask("chain", "s%d" % i)
            assert h["x-patchbay-arm"] == "bad"
            assert h["x-patchbay-provider"] == "b"
        got = s.results("chain")
        assert got[("bad", "a")]["failed"] == 2 and not got[("bad", "a")]["ok"]
        assert got[("bad", "b")]["ok"] == 2
        assert ("good", "b") not in got


def test_explain_tells_which_and_why():
    with Setting() as s:
        r = s.host.control("route.explain", {
            "model": "ab", "headers": {"x-patchbay-session": "s1"}})
        assert (r["strategy"], r["split_by"]) == ("split", "conversation"), r
        assert r["arm"] == r["targets"][0]["arm"]
        assert {(t["arm"], t["weight"]) for t in r["targets"]} == {
            ("old", 70), ("new", 30)}
        assert r["arm"] == s.ask("ab", "s1")["x-patchbay-arm"]
        p = s.cli("explain", "--header", "X-Patchbay-Session=s1", "ab")
        assert p.returncode == 0, p.stderr
        assert "split, arm %s by conversation" % r["arm"] in p.stdout, p.stdout
        p = s.cli("explain", "--request", "who", stdin=json.dumps(
            chat("x", user="eve")))
        arm = s.ask("who", user="eve")["x-patchbay-arm"]
        assert "split, arm %s by user" % arm in p.stdout, p.stdout
        assert s.cli("explain", "--header", "nothing", "ab").returncode == 2
        assert s.cli("results", "--key", "k").returncode == 2
        # No request of its own: by lot.
        assert s.host.control("route.explain", {
            "model": "ab"})["split_by"] == "request"


def check(top, providers=None):
    host = Host(top=top, providers=providers or "".join(
        openai_at("http://127.0.0.1:9", name=n, extra='default_model = "m";')
        for n in "ab"))
    p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                       env=dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                                PATCHBAY_PLUGIN_PATH=PROVIDERS),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    shutil.rmtree(host.dir)
    return p.returncode, p.stdout


def test_what_the_configuration_must_say():
    route = lambda more, targets='"a", "b"': \
        'routes = ( { name = "r"; targets = [ %s ]; %s } );' % (targets, more)
    split = 'strategy = "split"; '
    assert check(route(split))[0] == 0
    for more, text in (
            (split + 'arms = [ "x" ];', "1 names for 2 targets"),
            (split + 'arms = [ "x", "x" ];', "stands there twice"),
            (split + 'arms = [ "x", "a b" ];', "visible letters"),
            (split + 'arms = [ "x", "" ];', "is empty"),
            (split + 'weights = [ "0", "0" ];', "weights"),
            (split + 'split_by = "mood";', "split_by"),
            (split + "sticky = true;", "sticky"),
            ('arms = [ "x", "y" ];', 'strategy = "split"'),
            ('split_by = "user";', 'strategy = "split"')):
        rc, out = check(route(more))
        assert rc != 0 and text in out, (more, out)
    rc, out = check(route(split, '"a", "a/m"'))
    assert rc != 0 and "each arm needs a target of its own" in out, out


if __name__ == "__main__":
    main(globals())
