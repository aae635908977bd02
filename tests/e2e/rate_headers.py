# SPDX-License-Identifier: MIT
"""What providers' rate headers say is left, in the wire forms of OpenAI, Anthropic
and OpenRouter: a target with too little left is asked behind the others, before
it has to refuse; the only one is waited for if its reset is soon."""
import datetime
import email.utils
import hashlib
import json
import subprocess
import threading
import time

from fault_wall import CLIENTS, KEY, Anthropic, OpenAI, OpenRouter
from harness import (BOUND, DONE, PATCHBAY, Host, Upstream, chat, chunked, main,
                     send_json, until)


def when(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
        seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def openai_head(kind, left, limit, seconds):
    return ("x-ratelimit-limit-%s: %s\r\nx-ratelimit-remaining-%s: %s\r\n"
            "x-ratelimit-reset-%s: %ss\r\n" % (kind, limit, kind, left, kind,
                                              seconds))


def anthropic_head(kind, left, limit, seconds):
    name = "anthropic-ratelimit-" + kind
    # The reply's own clock is what its resets are reckoned by.
    return ("date: %s\r\n%s-limit: %s\r\n%s-remaining: %s\r\n%s-reset: %s\r\n" % (
        email.utils.formatdate(time.time(), usegmt=True), name, limit, name,
        left, name, when(seconds)))


HEADS = {OpenAI: openai_head, Anthropic: anthropic_head}


def refuse(wire, conn, head=""):
    send_json(conn, 429, wire.error(429, "rate", "Slow down"), head)


class Setting:
    """Providers a and b; b always answers. What a answers with its headers, or
    instead, is .head and .answer."""

    def __init__(self, wire=OpenAI, extra="", server="", top="", log="info"):
        self.wire, self.head, self.lock = wire, "", threading.Lock()
        self.ups = {n: Upstream(lambda req, conn, n=n: self.serve(n, req, conn))
                    for n in "ab"}
        self.counts = {}
        self.instead = None
        self.host = Host(server=server, log=log, providers="".join(
            '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; %s %s };' % (
                n, wire.kind, up.url, wire.path, KEY, wire.keys,
                extra if n == "a" else "") for n, up in self.ups.items()),
            top='routes = ( { name = "r"; targets = [ "a/m", "b/m" ]; } ); '
            + top)

    def serve(self, n, req, conn):
        if req.method != "POST":
            return send_json(conn, 200, {"object": "list", "data": []})
        with self.lock:
            self.counts[n] = self.counts.get(n, 0) + 1
        if n == "a" and self.instead:
            return self.instead(req, conn)
        head = self.head if n == "a" else ""
        if not req.json.get("stream"):
            return send_json(conn, 200, self.wire.whole(n), head)
        conn.sendall(self.wire.head.replace(b"\r\n\r\n", b"\r\n" + head.encode()
                                            + b"\r\n"))
        for e in [self.wire.opening, self.wire.word(n)] + self.wire.end:
            conn.sendall(chunked(e))
        conn.sendall(b"0\r\n\r\n")

    def __enter__(self):
        for up in self.ups.values():
            up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in self.ups.values():
            up.__exit__(*exc)

    def by(self, model="r", stream=False, client="openai", **more):
        """Who answered."""
        api = CLIENTS[client]
        body = dict(api.body(model, stream), **more)
        status, headers, reply = self.host.post(api.path, body)
        assert status == 200, (status, reply)
        assert headers["x-patchbay-attempts"] == "1", headers
        got = api.stream(reply)[0] if stream else api.whole(json.loads(reply))
        assert got == headers["x-patchbay-provider"], (got, headers)
        return got

    def explain(self, model="r", **more):
        return self.host.control("route.explain",
                                 dict(more, model=model))["targets"]

    def status(self):
        return self.host.control("status")["rate_limits"]

    def cli(self, *args):
        p = subprocess.run([PATCHBAY, *args, "--control",
                            self.host.control_path], stdout=subprocess.PIPE,
                           text=True, timeout=BOUND)
        assert p.returncode == 0, p.stdout
        return p.stdout


def test_no_request_is_lost_on_a_limit():
    """Streamed and whole, asked in each API: the one that says that its last
    request was used is not asked again."""
    for wire, head in HEADS.items():
        with Setting(wire) as s:
            for client in CLIENTS:
                for stream in (False, True):
                    ask = lambda: s.by(stream=stream, client=client)
                    s.host.control("provider.reset", {"name": "a"})
                    s.instead, s.counts = None, {}
                    s.head = head("requests", 1, 2, 600)
                    assert ask() == "a"
                    s.head = head("requests", 0, 2, 600)
                    assert ask() == "a"
                    # It would refuse now.
                    s.instead = lambda req, conn: refuse(wire, conn)
                    for _ in range(5):
                        assert ask() == "b"
                    assert s.counts == {"a": 2, "b": 5}, s.counts
                    [left] = s.status()
                    assert left["provider"] == "a" and left["model"] == "m"
                    assert left["requests"]["limit"] == 2, left


def test_back_at_the_reset():
    """It is used again when its own time has come, sooner than that of a reply
    from before."""
    for wire, head in HEADS.items():
        with Setting(wire) as s:
            s.head = head("requests", 0, 1, 600)
            assert s.by() == "a"
            assert s.by() == "b"
            # Asked by its name it is asked: the newest reply counts.
            s.head = head("requests", 0, 1, 4)
            assert s.by("a/m") == "a"
            s.head = ""
            assert s.explain()[0]["provider"] == "b"
            until(lambda: s.explain()[0]["provider"] == "a", "a to be ready")
            assert s.by() == "a" and s.status() == []


def test_tokens():
    for wire, head in HEADS.items():
        with Setting(wire) as s:
            # 500 for the answer, unless the client says.
            s.head = head("tokens", 450, 1000, 3600)
            assert s.by() == "a"
            assert s.by(max_tokens=500) == "b"
            assert s.by(max_tokens=100) == "a"
            assert s.by(max_tokens=100, messages=[
                {"role": "user", "content": "word " * 1000}]) == "b"
            low = s.explain()[1]
            assert (low["provider"], low["state"]) == ("a", "low"), low
            assert low["low"]["of"] == "tokens" and low["low"]["left"] == 450, low
            assert low["low"]["needed"] == 1500, low  # 1000 of the prompt
    with Setting(Anthropic) as s:
        s.head = anthropic_head("input-tokens", 50, 10000, 3600) + \
            anthropic_head("output-tokens", 9000, 10000, 3600)
        assert s.by() == "a" and s.by() == "a"
        assert s.by(messages=[{"role": "user", "content": "word " * 200}]) == "b"
        left = s.status()[0]
        assert left["input_tokens"]["limit"] == 10000, left
        assert left["output_tokens"]["left"] >= 9000, left


def test_nonsense_keeps_nobody_away():
    values = ("-1", "0", "", "nan", "1e99", "9" * 40, "-" + "9" * 40, "soon",
              "0x10", "9223372036854775807", "\xff\xfe".encode().hex())
    for wire, names in ((OpenAI, ("x-ratelimit-limit-requests",
                                  "x-ratelimit-remaining-requests",
                                  "x-ratelimit-reset-requests")),
                        (Anthropic, ("anthropic-ratelimit-tokens-limit",
                                     "anthropic-ratelimit-tokens-remaining",
                                     "anthropic-ratelimit-tokens-reset"))):
        with Setting(wire) as s:
            for i, v in enumerate(values):
                for k in range(3):
                    # Nothing is left, but when it is back makes no sense; or
                    # what is left makes none.
                    all_ = ["10", "0", "0s"]
                    all_[k] = v
                    s.head = "".join("%s: %s\r\n" % x for x in zip(names, all_))
                    assert s.by() == "a", (wire.kind, s.head)
            s.host.alive()
            # The control, and no further than an hour.
            s.head = HEADS[wire]("requests", 0, 10, 10 ** 7)
            assert s.by() == "a" and s.by() == "b"
            assert s.explain()[1]["for_ms"] <= 3600000


def test_the_only_one_is_waited_for():
    for wire, head in HEADS.items():
        with Setting(wire) as s:
            s.head = head("requests", 0, 1, 2)
            began = time.monotonic()
            assert s.by("a/m") == "a"
            s.head = ""
            assert s.by("a/m") == "a"
            # A Date is by the second.
            assert 0.9 < time.monotonic() - began < BOUND
            # Not where its reset is far: it may know better ...
            s.head = head("requests", 0, 1, 3600)
            assert s.by("a/m") == "a" and s.by("a/m") == "a"
            # ... and what it says then is what the client gets.
            s.instead = lambda req, conn: refuse(wire, conn,
                                                 "retry-after: 1800\r\n")
            status, headers, body = s.host.post("/v1/chat/completions",
                                                chat("a/m"))
            assert status == 429 and 1790 < int(headers["retry-after"]) <= 1800
    # Nor past a deadline, nor with max_queue_wait = 0.
    for server, headers in (('max_queue_wait = "0s";', {}),
                            ("", {"x-patchbay-deadline": "500ms"})):
        with Setting(server=server) as s:
            s.head = openai_head("requests", 0, 1, 20)
            assert s.by("a/m") == "a"
            status, h, body = s.host.post("/v1/chat/completions", chat("a/m"),
                                          headers)
            assert status == 200, body


def test_a_refusal_that_says_when():
    """Retry-After comes from one who knows better than what was reckoned."""
    with Setting() as s:
        s.instead = lambda req, conn: refuse(
            OpenAI, conn, "retry-after-ms: 4000\r\n" +
            openai_head("requests", 0, 1, 3000))
        status, headers, body = s.host.post("/v1/chat/completions", chat("r"))
        assert status == 200 and headers["x-patchbay-provider"] == "b", body
        s.instead = None
        assert s.by() == "b"
        until(lambda: s.explain()[0]["provider"] == "a", "its time")


def test_openrouter():
    """Its headers have no kind, its reset is a time in milliseconds, and only a
    refusal has them."""
    with Setting(OpenRouter) as s:
        s.instead = lambda req, conn: refuse(OpenRouter, conn, (
            "X-RateLimit-Limit: 2\r\nX-RateLimit-Remaining: 0\r\n"
            "X-RateLimit-Reset: %d\r\n" % ((time.time() + 600) * 1000)))
        status, headers, body = s.host.post("/v1/chat/completions", chat("r"))
        assert status == 200 and headers["x-patchbay-provider"] == "b", body
        assert s.by() == "b" and s.counts == {"a": 1, "b": 2}
        [left] = s.status()
        assert left["requests"]["limit"] == 2, left
        assert 500000 < left["requests"]["reset_ms"] <= 601000, left


def test_where_it_is_not_wanted():
    with Setting(extra="rate_headers = false;") as s:
        s.head = openai_head("requests", 0, 2, 600)
        assert s.by() == "a" and s.by() == "a"
        assert s.explain()[0]["state"] == "ready"
        assert s.status()[0]["requests"]["limit"] == 2  # shown all the same


def test_many_at_once():
    """With five left, of thirty that come at once no more than five go there;
    the reply that says so is the last one."""
    with Setting() as s:
        s.head = openai_head("requests", 5, 6, 3600)
        assert s.by() == "a"
        gate = threading.Event()

        def slow(req, conn):
            gate.wait(BOUND)
            return send_json(conn, 200, OpenAI.whole("a"), s.head)

        s.instead, s.counts = slow, {}
        done = []
        threads = [threading.Thread(target=lambda: done.append(s.by()))
                   for _ in range(30)]
        for t in threads:
            t.start()
        until(lambda: len(done) == 25, "those that went to b")
        assert s.counts == {"a": 5, "b": 25}, s.counts
        s.head = openai_head("requests", 0, 6, 3600)
        gate.set()
        for t in threads:
            t.join()
        assert sorted(done) == ["a"] * 5 + ["b"] * 25
        assert s.by() == "b"


def test_when_all_are_spared():
    """The one that has enough soonest is asked; no figure refuses a request."""
    with Setting() as s:
        s.head = openai_head("requests", 0, 1, 3000)
        assert s.by() == "a"
        answer = s.serve

        def b_says(n, req, conn):
            if n == "b" and req.method == "POST":
                s.counts["b"] = s.counts.get("b", 0) + 1
                return send_json(conn, 200, OpenAI.whole("b"),
                                 openai_head("requests", 0, 1, 600))
            return answer(n, req, conn)

        s.serve = b_says
        assert s.by() == "b"
        assert [(t["provider"], t["state"]) for t in s.explain()] == [
            ("b", "low"), ("a", "low")], s.explain()
        assert s.by() == "b" and s.by() == "b"
        assert s.counts == {"a": 1, "b": 3}, s.counts


def test_shown():
    keys = "keys = ( %s );" % ", ".join(
        '{ name = "%s"; sha256 = "%s"; rights = [ %s ]; }' % (
            n, hashlib.sha256(n.encode()).hexdigest(), r)
        for n, r in (("some", '"chat"'), ("all", '"chat", "reports"')))
    auth = lambda n: {"Authorization": "Bearer " + n}
    with Setting(top=keys) as s:
        s.head = openai_head("requests", 0, 2, 600) + \
            openai_head("tokens", 5000, 6000, 600)
        status, headers, body = s.host.post("/v1/chat/completions", chat("r"),
                                            auth("some"))
        assert status == 200 and headers["x-patchbay-provider"] == "a", body
        # For operators, in the API and by command.
        provider = lambda n: json.loads(s.host.get("/v1/providers/a",
                                                   auth(n))[2])
        assert "rate_limits" not in provider("some")
        [left] = provider("all")["rate_limits"]
        assert left["model"] == "m" and left["tokens"]["limit"] == 6000, left
        out = s.cli("status")
        assert "rate limits" in out and "tokens" in out and "6000" in out, out
        t = s.explain()[1]
        assert t["state"] == "low" and 200000 < t["for_ms"] <= 300001, t
        assert t["low"]["limit"] == 2 and t["low"]["needed"] == 1, t
        assert 200000 < t["low"]["enough_ms"] <= 300001, t
        assert t["rate_limits"]["requests"]["limit"] == 2, t
        out = s.cli("route", "explain", "r")
        assert out.index("b/m") < out.index("a/m"), out
        assert "a/m is spared for 2" in out, out
        assert "0 of 2 requests were left, 1 are needed" in out, out
        s.cli("provider", "reset", "a")
        assert s.explain()[0]["state"] == "ready" and s.status() == []


if __name__ == "__main__":
    main(globals())
