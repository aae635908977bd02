# SPDX-License-Identifier: MIT
"""A target that flaps, in each wire form: down, up and down again, while clients
of all four APIs go on asking, with a second target behind it.  No client sees an
error; the breaker opens after three failures, keeps everybody away, lets one
probe through and closes.

A few turns; PATCHBAY_LONG=1: for a minute, whatever comes of it."""
import itertools
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from fault_wall import CLIENTS, FAULTS, KEY, WIRES, OpenAI, answer, name_of
from harness import BOUND, Host, Upstream, main, send_json, until

LONG = bool(os.environ.get("PATCHBAY_LONG"))
OPEN = 5  # seconds, the first time
# How it is down, in turns.  (Failures of a provider and those of one of its
# models are counted apart, so one turn has one kind.)
DOWN = [FAULTS[n][0] for n in ("error_503", "reset", "error_500", "closed",
                               "malformed_first", "error_second")]
DYING = (FAULTS["reset"][0], FAULTS["closed"][0])


class Flapping(Upstream):
    def __init__(self, wire):
        super().__init__(self.reply)
        self.wire, self.lock = wire, threading.Lock()
        self.ways, self.way = itertools.cycle(DOWN), None
        self.hold = None  # an event: requests wait for it
        self.asked = []   # when, and was it down?

    def reply(self, req, conn):
        if req.method != "POST":
            return send_json(conn, 404, {"error": "no such page"})
        with self.lock:
            way = self.way or answer
            # On a kept connection that dies it goes out once more: that one
            # counts.
            if not (req.kept and way in DYING):
                self.asked.append((time.monotonic(), way is not answer))
        if self.hold:
            self.hold.wait(BOUND)
        return way(self.wire, bool(req.json.get("stream")), conn)

    def turn(self, down):
        with self.lock:
            self.way = next(self.ways) if down else None

    def times(self):
        with self.lock:
            return list(self.asked)


class Setting:
    def __init__(self):
        self.ups = {name_of(w): Flapping(w) for w in WIRES}
        self.second = Upstream(self.behind)
        provider = '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; %s };'
        # The budget for further attempts is not what is looked at.
        self.host = Host(log="warn", server="retry_budget = 1000;", providers="".join(
            provider % (n, u.wire.kind, u.url, u.wire.path, KEY, u.wire.keys)
            for n, u in self.ups.items()) + provider % (
                "second", "openai", self.second.url, "/v1", KEY, OpenAI.keys),
            top="routes = ( %s );" % ", ".join(
                '{ name = "r_%s"; targets = [ "%s/m", "second/m" ]; }' % (n, n)
                for n in self.ups))
        self.turn = itertools.count()

    @staticmethod
    def behind(req, conn):
        if req.method != "POST":
            return send_json(conn, 404, {"error": {"message": "none"}})
        return answer(OpenAI, bool(req.json.get("stream")), conn,
                      ("Sec", "ond"))

    def __enter__(self):
        for x in list(self.ups.values()) + [self.second, self.host]:
            x.__enter__()
        return self

    def __exit__(self, *exc):
        for x in [self.host, self.second] + list(self.ups.values()):
            x.__exit__(*exc)

    def ask(self, name):
        """One client's request; whose answer it was.  No error, ever."""
        n = next(self.turn)
        api, stream = list(CLIENTS.values())[n // 2 % 4], bool(n % 2)
        status, headers, body = self.host.post(api.path,
                                               api.body("r_" + name, stream))
        assert status == 200, (name, api.__name__, stream, status, body)
        got = api.stream(body) if stream else \
            (api.whole(json.loads(body)), True, [])
        by = headers["x-patchbay-provider"]
        assert got == ("Second" if by == "second" else "Hello", True, []), \
            (name, api.__name__, stream, body)
        assert by in ("second", name), headers
        return by

    def state(self, name):
        """The breaker's, or "closed" where nothing is held against it."""
        for t in self.host.control("status")["targets"]:
            if t["provider"] == name and t["state"] != "closed":
                return t["state"]
        return "closed"


def opens(s, name, up):
    """Three failures, and it is left alone.  When the last of them came."""
    before = len(up.times())
    up.turn(True)
    for _ in range(3):
        assert s.ask(name) == "second"
    for _ in range(8):
        assert s.ask(name) == "second"
    asked = up.times()[before:]
    assert len(asked) == 3, (name, asked)
    assert s.state(name) == "open", (name, s.state(name))
    return asked[-1][0]


def comes_back(s, name, up, since, wait):
    """One probe, however many ask while it is under way; closed by it."""
    before, up.hold = len(up.times()), threading.Event()
    up.turn(False)
    with ThreadPoolExecutor(1) as pool:
        while True:
            # The one that is the probe has no answer until it is let go.
            probe = pool.submit(s.ask, name)
            until(lambda: probe.done() or len(up.times()) > before, "the probe")
            if not probe.done():
                break
            assert probe.result() == "second"
            assert time.monotonic() - since < wait + BOUND, name
            time.sleep(0.05)  # a client that comes now and then
        for _ in range(6):
            assert s.ask(name) == "second"
        asked = up.times()[before:]
        assert len(asked) == 1, (name, asked)
        # Of two clocks: a tick of each.
        assert asked[0][0] - since >= wait - 0.05, (name, asked[0][0] - since)
        up.hold.set()
        assert probe.result() == name
    up.hold = None
    for _ in range(4):
        assert s.ask(name) == name
    assert s.state(name) == "closed"


def fails_again(s, name, up, since):
    """The probe fails: open again, for twice as long."""
    before = len(up.times())
    until(lambda: s.ask(name) == "second" and len(up.times()) > before,
          "a probe that fails", BOUND + OPEN)
    asked = up.times()[before:]
    assert len(asked) == 1 and asked[0][0] - since >= OPEN - 0.05, asked
    for _ in range(6):
        assert s.ask(name) == "second"
    assert len(up.times()) == before + 1, name
    assert s.state(name) == "open"
    return asked[0][0]


def test_down_and_up_again():
    """For all wires side by side: it waits for the breakers most of the time."""
    with Setting() as s:
        def one(item):
            name, up = item
            for _ in range(4):
                assert s.ask(name) == name
            since = opens(s, name, up)
            if LONG:
                since = fails_again(s, name, up, since)
            comes_back(s, name, up, since, 2 * OPEN if LONG else OPEN)
            opens(s, name, up)
        with ThreadPoolExecutor(len(s.ups)) as pool:
            for _ in pool.map(one, s.ups.items()):
                pass
        s.host.alive()


def test_flapping():
    """Down and up in turns, of a length of its own for each wire, with clients
    that never stop."""
    seconds = 60 if LONG else 7
    with Setting() as s:
        end = time.monotonic() + seconds
        saw, lock = {}, threading.Lock()

        def flap(item):
            (name, up), turn = item
            for down in itertools.cycle((False, True)):
                up.turn(down)
                if time.monotonic() > end:
                    return up.turn(False)
                time.sleep(turn)  # the fault itself

        def client(name):
            while time.monotonic() < end:
                by = s.ask(name)
                with lock:
                    saw.setdefault(name, []).append(by)
                time.sleep(0.01)  # so that ten clients are not a load test

        turns = [t * (4 if LONG else 1) for t in (0.3, 0.5, 0.7, 0.9, 1.1)]
        with ThreadPoolExecutor(3 * len(s.ups)) as pool:
            work = [pool.submit(flap, x) for x in zip(s.ups.items(), turns)]
            work += [pool.submit(client, n) for n in s.ups for _ in (1, 2)]
            for w in work:
                w.result()
        for name, up in s.ups.items():
            asked = up.times()
            down = [t for t, was in asked if was]
            by = saw[name]
            print("%s: %d requests, %d answered by the second target; %d "
                  "attempts failed" % (name, len(by), by.count("second"),
                                       len(down)), flush=True)
            # Each failure was somebody's first attempt, and unseen.
            assert len(asked) == by.count(name) + len(down), (name, len(asked))
            assert down and by.count(name) and by.count("second"), by
            # Of two clients each may be under way when the third fails; half
            # of the last twenty may open it as well.  No storm of attempts.
            most = (seconds / OPEN + 2) * 12
            assert len(down) <= most, (name, len(down), most)
        s.host.alive()


if __name__ == "__main__":
    main(globals())
