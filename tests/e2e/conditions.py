# SPDX-License-Identifier: MIT
"""Conditions of targets, conversations that stay where they are, aliases that
lead to routes."""
import hashlib
import json
import os
import shutil
import subprocess
import time

from harness import (PATCHBAY, Host, Upstream, chat, completion, main,
                     openai_at, send_json)

NAMES = "abcde"


class Setting:
    def __init__(self, top, names=NAMES, server=""):
        self.ups = {n: Upstream(self.answer) for n in names}
        self.down = set()
        self.host = Host(providers="".join(openai_at(
            up.url, name=n, extra='default_model = "%s-m";' % n)
            for n, up in self.ups.items()), top=top, server=server)

    def answer(self, request, conn):
        if request.method == "GET":
            return send_json(conn, 200, {"object": "list", "data": []})
        if request.json["model"][0] in self.down:
            return send_json(conn, 500, {"error": {"message": "down"}})
        return send_json(conn, 200, completion(
            "hi", model=request.json["model"]))

    def __enter__(self):
        for up in self.ups.values():
            up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in self.ups.values():
            up.__exit__(*exc)

    def ask(self, model="r", headers=None, **more):
        return self.host.post("/v1/chat/completions", chat(model, **more),
                              headers)

    def by(self, *args, **more):
        status, h, reply = self.ask(*args, **more)
        assert status == 200, reply
        return h["x-patchbay-provider"]


def route(more, *targets, name="r"):
    return '{ name = "%s"; %s targets = [ %s ]; }' % (
        name, more, ", ".join('"%s"' % t for t in targets))


def routes(*all_of_them):
    return "routes = ( %s );" % ", ".join(all_of_them)


def when(*conditions):
    return "when = [ %s ];" % ", ".join('"%s"' % c for c in conditions)


def test_conditions():
    keys = " keys = ( %s );" % ", ".join(
        '{ name = "%s"; rights = [ "chat" ]; sha256 = "%s"; }' % (
            n, hashlib.sha256(n.encode()).hexdigest())
        for n in ("ci", "nightly-1", "other"))
    top = routes(
        route(when("key=ci|nightly*", "always"), "a", "b", name="key"),
        route(when("user=eve|ad?m", "always"), "a", "b", name="user"),
        route(when("tag=urgent", "always"), "a", "b", name="tag"),
        route(when("header:X-Team=red*", "always"), "a", "b", name="header"),
        route(when("prompt>1000", "prompt<100", "always"), "a", "b", "c",
              name="prompt"),
        route(when("user=eve tag=x", "user=eve", "always"), "a", "b", "c",
              name="both"),
        route(when("tag=x"), "a", name="only")) + keys
    with Setting(top) as s:
        auth = lambda key, **h: dict({"Authorization": "Bearer " + key}, **h)
        who = auth("other")
        assert [s.by("key", auth(k)) for k in ("ci", "nightly-1", "other")] == \
            ["a", "a", "b"]
        assert [s.by("user", who, user=u) for u in ("eve", "adam", "adaam")] == \
            ["a", "a", "b"]
        assert s.by("user", who) == "b"
        status, h, reply = s.host.post("/v1/messages", {
            "model": "user", "max_tokens": 9, "metadata": {"user_id": "eve"},
            "messages": [{"role": "user", "content": "hi"}]}, who)
        assert (status, h["x-patchbay-provider"]) == (200, "a"), reply
        tags = lambda t: auth("other", **{"x-patchbay-tags": t})
        assert [s.by("tag", tags(t)) for t in ("urgent", "a, urgent", "urgently",
                                               "")] == ["a", "a", "b", "b"]
        assert s.by("header", auth("other", **{"x-team": "red-2"})) == "a"
        assert s.by("header", auth("other", **{"x-team": "blue"})) == "b"
        assert s.by("header", who) == "b"
        assert [s.by("prompt", who, text="word " * n)
                for n in (5, 500, 2000)] == ["b", "c", "a"]
        assert s.by("both", tags("x"), user="eve") == "a"
        assert s.by("both", who, user="eve") == "b"
        assert s.by("both", tags("x")) == "c"
        status, _, reply = s.ask("only", who)
        assert status == 503 and b"condition does not hold" in reply, reply
        r = s.host.control("route.explain", {"model": "key", "key": "other"})
        assert r["left_out"] == [{"target": "a", "why":
                                  "its condition does not hold"}], r
        r = s.host.control("route.explain", {"model": "key", "key": "ci"})
        assert r["left_out"] == [] and r["targets"][0]["provider"] == "a", r


def test_times():
    """One that holds for twelve hours around now, and one for the other half:
    over midnight, one of them."""
    now = time.time() // 60
    clock = lambda m: "%02d:%02d" % (m // 60 % 24, m % 60)
    now_half = "time=%s-%s" % (clock(now - 360), clock(now + 360))
    other_half = "time=%s-%s" % (clock(now + 360), clock(now - 360))
    top = routes(route(when(other_half, now_half), "a", "b"))
    with Setting(top) as s:
        assert s.by() == "b"


def test_a_shared_answer_keeps_to_the_condition():
    top = routes(route(when("header:x-team=red", "always"), "a", "b")) + \
        " cache: { enabled = true; };"
    with Setting(top) as s:
        for _ in range(2):
            status, _, reply = s.ask("r", {"x-team": "red"})
            assert json.loads(reply)["model"] == "a-m"
            status, _, reply = s.ask("r")
            assert json.loads(reply)["model"] == "b-m"
        assert len([r for up in s.ups.values() for r in up.requests
                    if r.method == "POST"]) == 2


def test_conversations_stay():
    """Two hundred conversations over five targets: each goes to one, all of
    them get some (40 each, within 40 %); of those of a target that is lost the
    others get a share, and no other conversation moves."""
    for strategy in ("round_robin", "fastest"):
        top = routes(route('strategy = "%s"; sticky = true;' % strategy, *NAMES))
        with Setting(top) as s:
            turn = lambda n, more=(): s.by(messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "talk %d" % n}, *more])
            at = [turn(n) for n in range(200)]
            counts = {n: at.count(n) for n in NAMES}
            assert all(24 <= c <= 56 for c in counts.values()), counts
            further = [{"role": "assistant", "content": "hi"},
                       {"role": "user", "content": "and?"}]
            assert [turn(n, further) for n in range(200)] == at
            s.down = {"c"}
            then = [turn(n) for n in range(200)]
            moved = [b for a, b in zip(at, then) if a != b]
            assert len(moved) == counts["c"], (counts, moved)
            assert all(a == "c" for a, b in zip(at, then) if a != b)
            assert set(moved) == set("abde"), moved
            s.down = set()
            s.host.control("provider.reset", {"name": "c"})
            assert [turn(n) for n in range(200)] == at


def test_conversations_by_name():
    """The header decides, whatever the messages are; a request without either
    is shared as the strategy says."""
    top = routes(route('strategy = "round_robin"; sticky = true;', *NAMES))
    with Setting(top) as s:
        for name in ("one", "two", "three"):
            got = {s.by(text="t%d" % n, headers={"x-patchbay-session": name})
                   for n in range(10)}
            assert len(got) == 1, got
        got = {s.by(headers={"x-patchbay-session": str(n)}) for n in range(60)}
        assert got == set(NAMES), got


def test_aliases_lead_to_routes():
    top = routes(route("", "c", "a")) + \
        ' aliases = ( { name = "x"; model = "y"; }, { name = "y"; model = "r"; ' \
        '}, { name = "b/b-m"; model = "b/b-m"; } );'
    with Setting(top) as s:
        status, h, _ = s.ask("x")
        assert (h["x-patchbay-provider"], h["x-patchbay-route"]) == ("c", "r")
        assert s.by("b/b-m") == "b"
        r = s.host.control("route.explain", {"model": "x"})
        assert r["route"] == "r", r


def test_mistakes():
    check = [
        ('aliases = ( { name = "x"; model = "y"; }, { name = "y"; model = "x"; '
         '} );', "leads from alias to alias"),
        (routes(route('sticky = true;', "a", "b")), "sticky"),
        (routes(route('strategy = "weighted"; weights = [ "1", "2" ]; '
                      'sticky = true;', "a", "b")), "sticky"),
        (routes(route(when("always"), "a", "b")), "one condition for each"),
    ] + [(routes(route(when(w), "a")), "is no condition") for w in (
        "key=", "prompt>x", "prompt>", "time=8-9", "time=08:00-08:00",
        "time=25:00-26:00", "header:=x", "colour=red", "key")]
    env = dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
               PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"])
    for top, word in check:
        host = Host(top=top, providers="".join(openai_at(
            "http://127.0.0.1:9", name=n) for n in "ab"))
        p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                           env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        shutil.rmtree(host.dir)
        assert p.returncode != 0 and word in p.stdout, (top, p.stdout)


if __name__ == "__main__":
    main(globals())
