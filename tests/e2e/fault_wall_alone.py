# SPDX-License-Identifier: MIT
"""The wall of faults where nobody else can answer: one target that misbehaves,
and may be asked three times.  For each fault, wire form, client API and kind of
answer: how often and with which gaps the provider was asked, and which error
the client was told; and what comes of faults that pass."""
import json
from concurrent.futures import ThreadPoolExecutor

from fault_wall import (CLIENTS, FAULTS, KEY, WIRES, Anthropic, OpenRouter,
                        Wall, answer, date, refuse, wall)
from harness import main

BACKOFF = 0.04
AGAIN = ('retry: { max_attempts = 3; backoff = "40ms"; backoff_factor = 1; '
         'max_backoff = "5s"; };')
# What comes of each: how often it is asked, and the status.  Once: it would
# say the same again, has said when to come back, or is silent.
TOLD = {
    "rate": (3, 429), "rate_seconds": (1, 429), "rate_date": (1, 429),
    "rate_ms": (1, 429), "error_500": (3, 502), "error_503": (3, 503),
    "refused": (3, 502), "reset": (3, 502), "closed": (3, 502),
    "silence": (1, 504), "half_open": (1, 504), "slow": (1, 200),
    "cut_head": (3, 502), "cut_before": (3, 502), "cut_between": (3, 502),
    "cut_inside": (3, 502), "cut_last": (3, 502), "stall": (1, 504),
    "malformed_first": (1, 502), "malformed_later": (1, 502),
    "no_end": (3, 502), "error_first": (3, 502), "error_second": (3, 502),
    "error_later": (3, 502), "context": (1, 400), "wrong_type": (1, 502),
    "endless": (1, 502), "endless_words": (1, 504), "only_pings": (1, 504),
    "invalid": (1, 400), "fine": (1, 200), "filter": (1, 400),
}
# What the text of an error has to say, whatever its form.
SAYS = {
    "rate": "Nothing today", "rate_ms": "Nothing today",
    "error_500": "Nothing today", "error_503": "Nothing today",
    "silence": "first-token", "half_open": "first-token",
    "only_pings": "first-token", "endless_words": "total time-out",
    "invalid": "temperature", "endless": "larger than max_re",
    "wrong_type": "HTML", "error_first": "It broke", "error_second": "It broke",
    "error_later": "It broke",
}


class Alone(Wall):
    # Two repetitions each: no more at once than the retry budget has in reserve,
    # which each request fills.
    clients = 5

    def misbehave(self, req, conn):
        super().misbehave(req, conn)
        return False  # no kept connection: one that dies is another matter

    def conf(self):
        conf = super().conf()
        conf["providers"] = conf["providers"].replace(
            'api_key = "%s";' % KEY, 'api_key = "%s"; %s' % (KEY, AGAIN))
        conf["top"] = self.routes()
        return conf

    def routes(self):
        return "routes = ( %s );" % ",\n".join(
            '{ name = "r-%s"; targets = [ "%s/%s" ]; }' % (n, n, n)
            for n in map(self.name, self.cases))

    def one(self, case):
        fault, client, stream = case
        name, api = self.name(case), CLIENTS[client]
        status, headers, body = self.ask(case)
        assert KEY.encode() not in body, "the key reaches the client"
        assert not self.answered, "another target was asked"
        times, want = TOLD[fault]
        if self.wire is Anthropic and stream and fault in ("error_first",
                                                           "error_second"):
            want = 503  # that event says so
        if self.wire is OpenRouter and not stream and \
                fault.startswith("error_") and "_50" not in fault:
            want = 503  # its code says so
        begins = stream and (self.faults[fault][1] == "cut" or
                             fault == "endless_words")
        if begins:
            times, want = 1, 200  # nothing is made again behind its beginning
        asked = self.asked(name)
        assert asked == (0 if fault == "refused" else times), \
            ("asked", asked, "not", times, status, body)
        assert status == want, (status, want, body)
        assert headers.get("x-patchbay-attempts") == str(times) or \
            "x-patchbay-attempts" not in headers, headers
        if want == 200 and not begins:
            return self.see("Hello", api, stream, status, body)
        self.see_error(case, status, headers, body, begins)

    def see_error(self, case, status, headers, body, begins):
        fault, client, stream = case
        api = CLIENTS[client]
        if fault == "cut_last" and stream and client in self.wire.stopped:
            return self.see_unended(api, stream, status, headers, body)
        if begins:
            text, whole, errors = api.stream(body)
            assert text.startswith("Hel") and not whole and len(errors) == 1, \
                (text, whole, errors)
            said = errors[0]
        else:
            said = api.error(json.loads(body))
        assert SAYS.get(fault, "") in said, (said, SAYS.get(fault))
        if fault.startswith("rate_"):
            assert 10 <= int(headers["retry-after"]) <= 31, headers

    def soon(self):
        """Anything up to the backoff, and by the median of the cases not much
        more: a busy machine delays any one of them."""
        gaps = sorted(b - a for fault in ("rate", "error_500", "error_503")
                      for n in map(self.name, self.cases)
                      if n.split("-")[0] == fault
                      for a, b in zip(self.failed_at[n], self.seen[n][1:]))
        assert len(gaps) == 3 * 2 * len(CLIENTS), gaps
        assert gaps[len(gaps) // 2] < BACKOFF + 1, gaps


def walls(kind):
    """All wire forms side by side: what takes time is waiting."""
    with ThreadPoolExecutor(len(WIRES)) as pool:
        for _ in pool.map(lambda wire: wall(wire, kind), WIRES):
            pass


def test_each_fault():
    walls(Alone)


# --- faults that pass ---------------------------------------------------------

class Once(Alone):
    """The first request of each meets the fault, the second is answered.  How
    long the host has to wait in between."""
    waits = {"rate_seconds": 1, "rate_date": 1, "rate_ms": 0.7}

    def __init__(self, wire, stream):
        super().__init__(wire, stream)
        self.faults = {
            "rate_seconds": self.once(refuse(
                429, "rate", headers=lambda: "Retry-After: 1\r\n")),
            # Dates are whole seconds: between one and two are left.
            "rate_date": self.once(refuse(
                429, "rate", headers=lambda: "Retry-After: %s\r\n" % date(2))),
            "rate_ms": self.once(refuse(
                429, "rate", headers=lambda: "retry-after-ms: 700\r\n")),
        }
        for name in ("rate", "error_500", "error_503", "reset", "closed",
                     "cut_head", "cut_before", "error_first", "error_second"):
            self.faults[name] = self.once(FAULTS[name][0])
        self.cases = [(f, c, stream) for f in self.faults for c in CLIENTS]

    @staticmethod
    def once(fault):
        return fault, "once", ""

    def misbehave(self, req, conn):
        name = req.json["model"] if req.method == "POST" else ""
        if len(self.seen.get(name, ())) == 1:
            self.count(self.seen, name)
            answer(self.wire, bool(req.json.get("stream")), conn)
            return False
        return super().misbehave(req, conn)

    def one(self, case):
        fault, client, stream = case
        name = self.name(case)
        status, headers, body = self.ask(case)
        assert len(self.seen[name]) == 2, (self.seen[name], status, body)
        self.see("Hello", CLIENTS[client], stream, status, body)
        assert headers["x-patchbay-attempts"] == str(self.asked(name)), headers
        gap = self.seen[name][1] - self.seen[name][0]
        # Of the client's clock and the host's: a tick of each.
        assert gap >= self.waits.get(fault, 0) - 0.02, (fault, gap)

    def soon(self):
        pass


def test_faults_that_pass():
    walls(Once)


if __name__ == "__main__":
    main(globals())
