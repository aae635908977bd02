# SPDX-License-Identifier: MIT
"""Names, aliases and routes: who is asked, in which order, and what clients see
when a target fails.  What each upstream got is counted."""
import hashlib
import json
import os
import shutil
import subprocess

from harness import (PATCHBAY, SSE_HEAD, Host, Upstream, chat, chunked,
                     completion, delta, good_stream, main, openai_at, send_json, send_stream)


def error(status, message, kind="server_error", headers=""):
    return lambda r, c: send_json(c, status, {"error": {
        "message": message, "type": kind}}, headers)


def answer(r, c):
    if r.json.get("stream"):
        return send_stream(c, good_stream((r.json["model"],)))
    return send_json(c, 200, completion("by " + r.json["model"]))


class Setting:
    """Providers a, b, c: a's model "m" is a-m, and so on."""
    def __init__(self, top, names="abc", env=None, provider=None, more=""):
        self.ups = {n: Upstream() for n in names}
        for n, up in self.ups.items():
            up.on(n + "-m")(answer)
            up.on("busy")(error(429, "Slow down", headers=(
                "Retry-After: %d\r\n" % (7 if n == "a" else 3))))
            up.on("down")(error(503, "Down for repair"))
            up.on("key")(error(401, "Incorrect API key sk-upstream-secret-1234",
                               "invalid_request_error"))
            up.on("wrong")(error(400, "max_tokens is too large",
                                 "invalid_request_error"))
        self.host = Host(providers="".join(openai_at(
            up.url, name=n, extra=provider(n) if provider else
            'default_model = "%s-m";' % n) for n, up in self.ups.items()) +
            more, top=top, env=env)

    def __enter__(self):
        for up in self.ups.values():
            up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in self.ups.values():
            up.__exit__(*exc)

    def ask(self, model=None, headers=None, stream=False, **more):
        body = chat(model, stream=stream, **more)
        if model is None:
            del body["model"]
        status, h, reply = self.host.post("/v1/chat/completions", body, headers)
        return status, h, reply

    def by(self, *args, **more):
        status, h, reply = self.ask(*args, **more)
        assert status == 200, reply
        return h["x-patchbay-provider"]

    def got(self):
        return {n: len([r for r in up.requests if r.method == "POST"])
                for n, up in self.ups.items()}


def routes(**lists):
    return "routes = ( %s );\n" % ", ".join(
        '{ name = "%s"; targets = [ %s ]; }' % (
            name, ", ".join('"%s"' % t for t in targets))
        for name, targets in lists.items())


def test_fallback_is_invisible():
    for bad in ("down", "busy", "key"):
        with Setting(routes(r=["a/" + bad, "b"])) as s:
            for stream in (False, True):
                s.host.control("provider.reset", {"name": "a"})
                status, h, reply = s.ask("r", stream=stream)
                assert status == 200, reply
                assert h["x-patchbay-provider"] == "b"
                assert h["x-patchbay-route"] == "r"
                assert h["x-patchbay-attempts"] == "2"
                assert b"error" not in reply
            assert s.got() == {"a": 2, "b": 2, "c": 0}


def test_what_another_target_would_not_mend_is_told():
    with Setting(routes(r=["a/wrong", "b"])) as s:
        status, _, reply = s.ask("r")
        assert status == 400 and b"max_tokens is too large" in reply
        assert s.got() == {"a": 1, "b": 0, "c": 0}


def test_refused_and_reset():
    with Setting(routes(r=["c/x", "a/reset", "b"])) as s:
        s.ups["a"].on("reset")(lambda r, c: False)
        s.ups["c"].server.shutdown()
        s.ups["c"].server.server_close()
        status, h, reply = s.ask("r")
        assert status == 200 and h["x-patchbay-provider"] == "b", reply
        assert h["x-patchbay-attempts"] == "3"


def test_after_the_first_word_another_answer_is_too_late():
    """The next target is asked to go on (rescue.py), and says something else."""
    with Setting(routes(r=["a/cut", "b"])) as s:
        s.ups["a"].on("cut")(lambda r, c: (c.sendall(
            SSE_HEAD + chunked(delta("Hel"))), False)[-1])
        _, _, reply = s.ask("r", stream=True)
        assert b"Hel" in reply and b"[DONE]" not in reply and b"error" in reply
        assert s.got()["b"] == 1


def test_all_fail():
    with Setting(routes(r=["a/busy", "b/busy", "c/down"])) as s:
        status, h, reply = s.ask("r")
        assert status == 429, reply
        # The soonest of them, b's.
        assert h["retry-after"] == "3", h
        text = json.loads(reply)["error"]["message"]
        for part in ("all 3 targets", "a/busy: rate_limit (429) Slow down",
                     "b/busy: rate_limit (429)", "c/down: ", "(503)"):
            assert part in text, text
    with Setting(routes(r=["a/key", "b/down"])) as s:
        status, _, reply = s.ask("r")
        assert status >= 500 and b"secret" not in reply, reply
        assert b"Incorrect" not in reply, reply


def test_all_are_listed():
    """However long their answers are."""
    targets = ["%s/long-%d" % ("abc"[i % 3], i) for i in range(16)]
    with Setting(routes(r=targets)) as s:
        for up in s.ups.values():
            # Not one that makes the host think that all of it is down.
            up.answer = error(429, "It broke because of " + "this, " * 200)
        status, h, reply = s.ask("r")
        text = json.loads(reply)["error"]["message"]
        assert status == 429 and h["x-patchbay-attempts"] == "16", reply
        for target in targets:
            assert target + ": rate_limit (429) It broke" in text, (target,
                                                                    text)


def test_a_deadline_tells_of_all():
    """Who had failed before, and who was being asked."""
    with Setting(routes(r=["a/down", "b/busy", "c/silent"])) as s:
        s.ups["c"].on("silent")(lambda r, c: c.recv(1))
        status, _, reply = s.ask("r", {"x-patchbay-deadline": "2s"})
        text = json.loads(reply)["error"]["message"]
        assert status == 504, reply
        for part in ("c/silent had not answered; before that 2 failed: ",
                     "a/down: overloaded (503) Down for repair",
                     "b/busy: rate_limit (429) Slow down"):
            assert part in text, text


def test_aliases_and_their_errors():
    top = ('aliases = ( { name = "fast"; model = "b/b-m"; }, '
           '{ name = "lost"; model = "nowhere-m"; } );')
    with Setting(top) as s:
        assert s.by("fast") == "b"
        assert s.ups["b"].last().json["model"] == "b-m"
        status, _, reply = s.ask("lost")
        assert status == 404 and b"nowhere-m" in reply


def test_order_of_the_rules():
    """Route or alias, provider/rest, bare name."""
    top = routes(**{"a/a-m": ["b"], "c-m": ["a"]})
    with Setting(top, provider=lambda n: 'models = [ "%s-m", "x" ];' % n +
                 'default_model = "%s-m";' % n) as s:
        assert s.by("a/a-m") == "b"
        assert s.by("c-m") == "a"
        assert s.by("c/c-m") == "c"
        assert s.by("b-m") == "b"
        # A provider alone, unless a model is called so.
        assert s.by("c") == "c" and s.ups["c"].last().json["model"] == "c-m"
        assert s.host.control("route.explain", {"model": "c"})["reason"] == \
            "a provider's name, for its default model"
    with Setting("", provider=lambda n: 'models = [ "c" ]; ' * (n == "a") +
                 'default_model = "%s-m";' % n) as s:
        s.ups["a"].on("c")(answer)
        assert s.by("c") == "a"


def test_strict_models():
    two = lambda n: 'models = [ "same" ]; default_model = "%s-m";' % n
    with Setting("", provider=two) as s:
        for n in "abc":
            s.ups[n].on("same")(answer)
        assert s.by("same") == "a"
    up = {n: Upstream() for n in "ab"}
    host = Host(providers="".join(openai_at(u.url, name=n, extra=two(n))
                                  for n, u in up.items()),
                server="strict_models = true;")
    with up["a"], up["b"], host:
        status, _, reply = host.post("/v1/chat/completions", chat("same"))
        text = json.loads(reply)["error"]["message"]
        assert status == 400 and "a/same, b/same" in text, text


def test_what_is_known_comes_before_a_pattern():
    """gpt-* fits every provider of that type; b is the one that has it."""
    with Setting("", provider=lambda n: 'models = [ "%s" ];' % (
            "gpt-oss" if n == "b" else "other")) as s:
        s.ups["b"].on("gpt-oss")(answer)
        s.ups["a"].on("gpt-x")(answer)
        assert s.by("gpt-oss") == "b"
        assert s.by("gpt-x") == "a"


def test_the_nearest_names():
    top = routes(nightly=["a"]) + \
        'aliases = ( { name = "production-fast"; model = "b/b-m"; } );'
    with Setting(top) as s:
        for typo, meant in (("nightlyy", "nightly"),
                            ("production-fats", "production-fast")):
            status, _, reply = s.ask(typo)
            text = json.loads(reply)["error"]["message"]
            assert status == 404 and "nearest names: " + meant in text, text


def test_default_route():
    with Setting("") as s:
        assert s.by() == "a"
        assert s.by("default") == "a"
        s.ups["a"].on("a-m")(error(503, "Down"))
        status, h, _ = s.ask()
        assert h["x-patchbay-provider"] == "b"
        assert h["x-patchbay-route"] == "default"
    with Setting(routes(default=["c", "a"])) as s:
        assert s.by() == "c"


def test_default_route_by_the_environment():
    env = {"PRIMARY_PROVIDER": "c", "SECONDARY_PROVIDER": "b"}
    with Setting("", env=env) as s:
        assert s.by() == "c"
        s.ups["c"].on("c-m")(error(503, "Down"))
        assert s.by() == "b"
    with Setting("", env=dict(env, ENABLE_LLM_FALLBACK="false")) as s:
        s.ups["c"].on("c-m")(error(503, "Down"))
        status, _, reply = s.ask()
        assert status == 503 and s.got()["b"] == 0, reply
    with Setting("", env={"LLM_ROUTING_STRATEGY": "load_balance"}) as s:
        assert sorted(s.by() for _ in range(9))[::3] == ["a", "b", "c"]


def test_round_robin():
    top = ('routes = ( { name = "r"; strategy = "round_robin"; '
           'targets = [ "a", "b", "c" ]; } );')
    with Setting(top + "", names="abc") as s:
        for _ in range(30):
            s.by("r")
        # Connections of one client go to two loops, each with turns of its own.
        assert all(8 <= n <= 12 for n in s.got().values()), s.got()


def test_weighted():
    """Two loops, each with turns of its own: within one request a loop and
    target of what the weights say."""
    top = ('routes = ( { name = "r"; strategy = "weighted"; targets = [ "a", '
           '"b", "c" ]; weights = [ "6", "3", "0" ]; } );')
    with Setting(top) as s:
        for _ in range(90):
            s.by("r")
        got = s.got()
        assert got["c"] == 0 and abs(got["a"] - 60) <= 4, got
        s.ups["a"].on("a-m")(error(500, "no"))
        s.ups["b"].on("b-m")(error(500, "no"))
        assert s.by("r") == "c"
    for wrong in ('[ "1", "2" ]', '[ "0", "0", "0" ]', '[ "1", "2", "x" ]',
                  '[ "1", "2", "3", "4" ]', '[ "1", "2", "1000001" ]'):
        host = Host(top=top.replace('[ "6", "3", "0" ]', wrong), providers="".join(
            openai_at("http://127.0.0.1:9", name=n, extra='default_model = "m";')
            for n in "abc"))
        p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                           env=dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                                    PATCHBAY_PLUGIN_PATH=os.environ[
                                        "PATCHBAY_PROVIDERS"]),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
        assert p.returncode != 0 and "weights" in p.stdout, p.stdout
        shutil.rmtree(host.dir)


def test_a_requests_own_fallbacks():
    with Setting("") as s:
        status, h, reply = s.ask("a/down", fallbacks=["b/down", "c/c-m"])
        assert status == 200 and h["x-patchbay-provider"] == "c", reply
        for up in s.ups.values():
            for r in up.requests:
                if r.method == "POST":
                    assert "fallbacks" not in r.json
        status, _, reply = s.ask("a/a-m", fallbacks=["nope/m", "zzz"])
        assert status == 404
        assert json.loads(reply)["error"]["param"] == "fallbacks[0]", reply
        for wrong in ("c/c-m", [1], [""], ["c/c-m"] * 9):
            status, _, reply = s.ask("a/a-m", fallbacks=wrong)
            assert status == 400 and b"fallbacks" in reply, (wrong, reply)


def test_route_by_header_and_rights():
    keys = "keys = ( %s );" % ", ".join(
        '{ name = "%s"; rights = [ %s ]; sha256 = "%s"; }' % (
            n, rights, hashlib.sha256(n.encode()).hexdigest())
        for n, rights in (("plain", '"chat"'), ("wide", '"chat", "routes"')))
    with Setting(routes(r=["b"]) + keys) as s:
        for key, status in (("plain", 403), ("wide", 200)):
            auth = {"Authorization": "Bearer " + key}
            got = s.ask("a/a-m", dict(auth, **{"x-patchbay-route": "r"}))
            assert got[0] == status, got
            got = s.ask("a/a-m", auth, fallbacks=["b"])
            assert got[0] == status, got
            assert s.ask("r", auth)[0] == 200
        got = s.ask("a/a-m", {"Authorization": "Bearer wide",
                              "x-patchbay-route": "none"})
        assert got[0] == 404 and b"none" in got[2]


def test_deadline_of_a_request():
    with Setting("") as s:
        s.ups["a"].on("slow")(lambda r, c: c.recv(1))
        status, _, reply = s.ask("a/slow", {"x-patchbay-deadline": "300ms"})
        assert status == 504, reply
        for wrong in ("soon", "0", "-1", "9999999999", "1h"):
            status, _, reply = s.ask("a/a-m", {"x-patchbay-deadline": wrong})
            assert status == 400 and b"x-patchbay-deadline" in reply, wrong
        assert s.ask("a/a-m", {"x-patchbay-deadline": "20"})[0] == 200


def test_explain():
    top = ('routes = ( { name = "r"; targets = [ "a/busy", "b", "loop/x", '
           '"off/m" ]; } ); aliases = ( { name = "fast"; model = "b/b-m"; } );')
    with Setting(top, env={}, more='loop: { type = "loopback"; }; off: { type = '
                 '"openai"; enabled = false; };') as s:
        explain = lambda m, **more: s.host.control(
            "route.explain", dict(more, model=m))
        r = explain("r")
        assert r["route"] == "r" and r["left_out"] == [
            {"target": "off/m", "why": "the provider is not enabled"}], r
        assert [(t["provider"], t["model"], t["state"]) for t in r["targets"]] \
            == [("a", "busy", "ready"), ("b", "b-m", "ready"),
                ("loop", "x", "ready")]
        s.ask("r")
        r = explain("r")
        assert [(t["provider"], t["state"]) for t in r["targets"]] == [
            ("b", "ready"), ("loop", "ready"), ("a", "cooling")], r
        assert 0 < r["targets"][2]["for_ms"] <= 7000
        assert explain("fast")["reason"] == "alias of the configuration"
        assert explain("")["route"] == "default"
        assert explain("a/x")["targets"][0]["model"] == "x"
        p = subprocess.run([PATCHBAY, "route", "explain", "--control",
                            s.host.control_path, "r"], stdout=subprocess.PIPE,
                           text=True)
        assert p.returncode == 0
        assert "left out: off/m: the provider is not enabled" in p.stdout
        assert p.stdout.index("b/b-m") < p.stdout.index("a/busy"), p.stdout


def test_the_way_of_ollamas_embeddings():
    """Headers say it there as everywhere."""
    def vectors(r, c):
        return send_json(c, 200, {
            "object": "list", "model": r.json["model"], "data": [
                {"object": "embedding", "index": 0, "embedding": [1.0]}],
            "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    with Setting('routes = ( { name = "r"; targets = [ "b/b-m" ]; } );') as s:
        for up in s.ups.values():
            up.answer = vectors
        body = {"model": "a/a-m", "input": "text"}
        for headers, who in (({}, "a"), ({"x-patchbay-route": "r"}, "b")):
            status, h, reply = s.host.post("/api/embed", body, headers)
            assert (status, h["x-patchbay-provider"]) == (200, who), reply
        for headers in ({"x-patchbay-route": "none"},
                        {"x-patchbay-deadline": "soon"}):
            status, _, reply = s.host.post("/api/embed", body, headers)
            assert status in (400, 404) and b"error" in reply, reply


if __name__ == "__main__":
    main(globals())
