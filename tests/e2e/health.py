# SPDX-License-Identifier: MIT
"""Targets that fail are left alone for a while, those that say when to come back
until then; and what there is to be said when no other is left."""
import json
import time

from harness import (Host, Upstream, chat, completion, main, openai_at,
                     send_json)

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


if __name__ == "__main__":
    main(globals())
