# SPDX-License-Identifier: MIT
"""Targets that fail are left alone for a while, those that say when to come back
until then; and what there is to be said when no other is left."""
import hashlib
import json
import subprocess
import threading
import time

from harness import (BOUND, DONE, PATCHBAY, Host, Upstream, chat, chunked, completion, delta,
                     main, openai_at, send_json, send_stream, until)

ROUTE = 'routes = ( { name = "r"; targets = [ "a", "b" ]; } );'


class Pair:
    """Providers a and b; a answers as it is told."""
    def __init__(self, route=ROUTE):
        self.a, self.b = Upstream(), Upstream()
        self.how = lambda c: send_json(c, 503, {"error": {
            "message": "Down", "type": "server_error"}})
        for up in (self.a, self.b):
            up.on("other")(lambda r, c: send_json(c, 200, completion()))
        self.a.on("m")(lambda r, c: self.how(c))
        self.b.on("m")(lambda r, c: send_json(c, 200, completion("b")))
        self.host = Host(providers="".join(
            openai_at(up.url, name=n, extra='default_model = "m";')
            for n, up in (("a", self.a), ("b", self.b))), top=route)

    def __enter__(self):
        for x in (self.a, self.b, self.host):
            x.__enter__()
        return self

    def __exit__(self, *exc):
        for x in (self.host, self.a, self.b):
            x.__exit__(*exc)

    def ask(self, model="r"):
        status, h, reply = self.host.post("/v1/chat/completions", chat(model))
        return status, h.get("x-patchbay-provider"), h, reply

    def got(self):
        return len([r for r in self.a.requests if r.method == "POST"])


def limited(seconds, more=""):
    return lambda c: send_json(c, 429, {"error": {
        "message": "Slow down", "type": "rate_limit"}},
        "Retry-After: %d\r\n%s" % (seconds, more))


def test_a_target_that_fails_is_left_alone():
    with Pair() as p:
        for _ in range(20):
            assert p.ask()[:2] == (200, "b")
        assert p.got() == 3
        # Asked for by name there is no other: it is tried all the same.
        assert p.ask("a/m")[0] == 503
        assert p.got() == 4


def test_it_comes_back_by_one_probe():
    with Pair() as p:
        for _ in range(3):
            p.ask()
        p.how = lambda c: send_json(c, 200, completion("a"))
        end = time.monotonic() + 30
        while p.ask()[1] != "a":
            assert time.monotonic() < end
            time.sleep(0.1)
        assert p.got() == 4
        assert [p.ask()[1] for _ in range(5)] == ["a"] * 5


def test_retry_after_holds_for_everybody():
    with Pair() as p:
        p.how = limited(60)
        for _ in range(10):
            assert p.ask()[:2] == (200, "b")
        assert p.got() == 1
        status, _, h, reply = p.ask("a/m")
        assert status == 429, reply
        assert 50 <= int(h["retry-after"]) <= 60, h
        assert b"left alone" in reply
        assert p.got() == 1
        # Another model of that provider is not meant.
        assert p.ask("a/other")[0] == 200


def test_retry_after_is_over():
    with Pair() as p:
        p.how = limited(1)
        assert p.ask("a/m")[0] == 429
        p.how = lambda c: send_json(c, 200, completion("a"))
        end = time.monotonic() + 20
        while p.ask("a/m")[0] == 429:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert p.got() == 2


def test_what_is_the_requests_fault_opens_nothing():
    with Pair() as p:
        p.how = lambda c: send_json(c, 400, {"error": {
            "message": "Too hot", "type": "invalid_request_error",
            "param": "temperature"}})
        for _ in range(8):
            status, _, _, reply = p.ask()
            assert status == 400 and b"Too hot" in reply
        assert p.got() == 8


def test_all_are_open():
    """Nothing is gained by refusing: they are asked in their order."""
    with Pair() as p:
        p.b.on("m")(lambda r, c: send_json(c, 500, {"error": {
            "message": "Down too", "type": "server_error"}}))
        for _ in range(6):
            status, _, _, reply = p.ask()
            text = json.loads(reply)["error"]["message"]
            assert status >= 500 and "a/m" in text and "b/m" in text, text


def test_status_tells_it():
    with Pair() as p:
        for _ in range(3):
            p.ask()
        told = [t for t in p.host.control("status")["targets"]
                if t["provider"] == "a"]
        assert len(told) == 1 and told[0]["state"] == "open", told
        assert told[0]["model"] in ("m", ""), told
        assert told[0]["failures"] == 3 and told[0]["for_ms"] > 0, told
        assert p.host.control("provider.reset", {"name": "a"}) is not None
        p.how = lambda c: send_json(c, 200, completion("a"))
        assert p.ask()[1] == "a"


def keys():
    return "keys: ( %s );" % ", ".join(
        '{ name = "%s"; sha256 = "%s"; rights = [ "%s" ]; }' % (
            n, hashlib.sha256(n.encode()).hexdigest(), n)
        for n in ("chat", "admin"))


def test_history_in_status_and_api():
    """What became of a target, the newest first; and a reset by the API."""
    with Pair() as p:
        for _ in range(3):
            p.ask()
        def target(name="a"):
            status, _, reply = p.host.get("/v1/providers/" + name)
            assert status == 200, reply
            return json.loads(reply)["targets"]
        (t,) = target()
        # Overloaded is said of the provider, not of a model.
        assert (t["model"], t["state"], t["failures"], t["last"]) == (
            None, "open", 3, "overloaded"), t
        (change,) = t["changes"]
        assert (change["state"], change["why"], change["for_ms"]) == (
            "open", "overloaded", 5000)
        assert abs(change["at_ms"] / 1000 - time.time()) < BOUND
        assert target("b") == []
        shown = p.host.control("status")["targets"]
        (same,) = [x["changes"][0] for x in shown if x["provider"] == "a"]
        # Two clocks are read for it: a millisecond more or less.
        assert abs(same.pop("at_ms") - change["at_ms"]) < 1000 and same == {
            k: v for k, v in change.items() if k != "at_ms"}, (same, change)
        out = subprocess.run([PATCHBAY, "status", "--control",
                              p.host.control_path], stdout=subprocess.PIPE,
                             text=True, timeout=BOUND).stdout
        assert "a: open for 5000 ms" in out and "ago by overloaded" in out, out
        # Forgotten by the API: the next request goes there again.
        p.how = lambda c: send_json(c, 200, completion("a"))
        assert p.ask()[:2] == (200, "b")
        status, _, reply = p.host.post("/v1/providers/a/reset", b"")
        assert (status, json.loads(reply)["state"]) == (200, "ready"), reply
        assert p.ask()[:2] == (200, "a")
        (t,) = target()
        assert t["state"] == "closed" and [
            c["state"] for c in t["changes"]] == ["reset", "open"], t
        assert p.host.post("/v1/providers/none/reset", b"")[0] == 404


def test_drained_while_it_answers():
    """What is under way ends in peace, nothing new comes, and it comes back."""
    more, going = threading.Event(), threading.Event()

    def slow(conn):
        send_stream(conn, [delta(role="assistant", content=""), delta("a")],
                    b"")
        going.set()
        assert more.wait(30)
        for e in (delta("b"), delta(finish="stop"), DONE):
            conn.sendall(chunked(e))
        conn.sendall(b"0\r\n\r\n")

    with Pair() as p:
        p.how = slow
        told = []
        asker = threading.Thread(target=lambda: told.append(p.host.post(
            "/v1/chat/completions", chat("r", stream=True))))
        asker.start()
        assert going.wait(30)
        assert p.host.control("provider.drain", {"name": "a"}) == {
            "provider": "a", "state": "draining"}
        assert [p.ask()[1] for _ in range(4)] == ["b"] * 4
        status, _, h, reply = p.ask("a/m")
        assert status == 503 and b"patchbay provider enable a" in reply, reply
        targets = p.host.control("route.explain", {"model": "r"})["targets"]
        assert [(t["provider"], t["state"]) for t in targets] == [
            ("b", "ready"), ("a", "held")], targets
        more.set()
        asker.join(30)
        assert told and b"[DONE]" in told[0][2], told
        until(lambda: [x["state"] for x in p.host.control("providers")[
            "providers"]][0] == "drained", "it to be drained")
        p.host.control("reload")
        assert p.ask()[1] == "b"
        p.how = lambda c: send_json(c, 200, completion("a"))
        assert p.host.control("provider.enable", {"name": "a"})[
            "state"] == "ready"
        assert p.ask()[1] == "a" and p.ask("a/m")[0] == 200


def test_disabled_by_the_api():
    with Pair(ROUTE + keys()) as p:
        def post(what, key):
            return p.host.post("/v1/providers/" + what, b"", {
                "Authorization": "Bearer " + key})
        assert post("a/disable", "chat")[0] == 403
        status, _, reply = post("a/disable", "admin")
        assert status == 200 and json.loads(reply)["state"] == "disabled"
        assert post("nobody/disable", "admin")[0] == 404
        ask = {"Authorization": "Bearer chat"}
        for model, want in (("r", 200), ("a/m", 503)):
            status, h, reply = p.host.post("/v1/chat/completions", chat(model),
                                           ask)
            assert status == want, reply
        listed = json.loads(p.host.get("/v1/providers/a", ask)[2])
        assert listed["state"] == "disabled", listed
        assert post("a/enable", "admin")[0] == 200
        assert p.host.post("/v1/chat/completions", chat("a/m"), ask)[0] == 503
        assert p.got() == 1  # its own 503


def test_no_check_of_one_that_asked_for_time():
    """Retry-After holds for checks as well, and none of them ends it."""
    with Pair() as p:
        p.a.on("/v1/models")(lambda r, c: send_json(c, 200, {"data": []}))
        p.b.on("/v1/models")(lambda r, c: send_json(c, 200, {"data": []}))
        p.how = lambda c: send_json(c, 503, {"error": {
            "message": "Overloaded", "type": "server_error"}},
            "Retry-After: 600\r\n")  # the whole provider
        p.host.write_conf("".join(
            openai_at(up.url, name=n, extra='default_model = "m"; '
                      'check_interval = "50ms";')
            for n, up in (("a", p.a), ("b", p.b))), top=ROUTE)
        p.host.control("reload")

        def gets(up):
            return len([r for r in up.requests if r.method == "GET"])
        until(lambda: gets(p.a) > 4, "checks of a")
        assert p.ask()[1] == "b" and p.got() == 1
        seen, clock = gets(p.a), gets(p.b)
        until(lambda: gets(p.b) >= clock + 6, "six checks of b")
        assert gets(p.a) <= seen + 1, gets(p.a) - seen  # one under way
        assert p.ask()[1] == "b" and p.got() == 1


def test_checked_before_a_client_finds_out():
    with Pair() as p:
        down = threading.Event()

        def models(r, c):
            if down.is_set():
                return send_json(c, 503, {"error": {"message": "Down"}})
            return send_json(c, 200, {"data": []})

        def state():
            return [t["state"] for t in p.host.control("route.explain", {
                "model": "r"})["targets"] if t["provider"] == "a"][0]

        def checks():
            return p.host.control("providers")["providers"][0]["checks"]
        p.a.on("/v1/models")(models)
        p.how = lambda c: send_json(c, 200, completion("a"))
        p.host.write_conf("".join(
            openai_at(up.url, name=n, extra='default_model = "m"; '
                      'check_interval = "%s";' % t)
            for n, up, t in (("a", p.a, "50ms"), ("b", p.b, "0"))), top=ROUTE)
        p.host.control("reload")
        until(lambda: len(checks()) == 8, "eight checks")
        assert all(c["ok"] and c["result"] == "ok" for c in checks())
        assert p.ask()[1] == "a" and state() == "ready"
        down.set()
        until(lambda: state() == "open", "the breaker to open")
        asked = p.got()
        assert [p.ask()[1] for _ in range(5)] == ["b"] * 5
        assert p.got() == asked, "a client found out"
        told = json.loads(p.host.get("/v1/providers/a")[2])
        assert not told["checks"][0]["ok"], told
        down.clear()
        until(lambda: state() == "ready", "it to be taken back")
        assert p.ask()[1] == "a"
        assert not p.host.control("providers")["providers"][1]["checks"]
        # Disabled, it is looked after no more; b's checks are the clock.
        p.host.control("provider.disable", {"name": "a"})
        conf = open(p.host.conf).read().replace('"0"', '"50ms"')
        with open(p.host.conf, "w") as f:
            f.write(conf)
        p.host.control("reload")
        seen, clock = len(p.a.requests), len(p.b.requests)
        until(lambda: len(p.b.requests) >= clock + 6, "six checks of b")
        # One may have been under way, and a reload lists the models once.
        assert len(p.a.requests) <= seen + 2, len(p.a.requests) - seen
        assert "check: it is well" in p.host.errors()


if __name__ == "__main__":
    main(globals())
