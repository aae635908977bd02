# SPDX-License-Identifier: MIT
"""Chaos: many clients of all four APIs at once over three providers that fail at
random.  Every client gets the whole answer to its own question or an honest
error, nobody waits beyond the deadline, what the providers got is what the host
says it sent, and memory and descriptors come back to where they were.  Where
most attempts fail, the retry budget holds: 1.2 attempts for a request.

40 clients for five seconds; PATCHBAY_LONG=1: 200 for two minutes.
PATCHBAY_SEED repeats a run's faults, as far as threads let it."""
import json
import os
import random
import socket
import threading
import time
from collections import Counter

from fault_wall import (CLIENTS, Anthropic, Ollama, OpenAI, KEY, cut_body,
                        error_in_200, on_and_on, rst, send_some, send_words,
                        whole_stream)
from harness import Host, Upstream, chunked, main, send_json, until

LONG = bool(os.environ.get("PATCHBAY_LONG"))
SECONDS, N_CLIENTS = (120, 200) if LONG else (5, 40)
SANITIZED = os.environ.get("PATCHBAY_SANITIZERS", "no") != "no"
SEED = int(os.environ.get("PATCHBAY_SEED", "1"))
DEADLINE = 10
SLOW = 15       # seconds that a busy machine may add
GROWTH = 24     # MiB by which the host may be larger than before
SPARE = 8       # descriptors, the same: a listing, a status question under way
LOOPS, SAVED = 2, 10  # attempts that each loop may have saved up


def words_for(question):
    """The answer to it: nobody else's, and long enough to be cut."""
    return ["Answer to ", question, ":"] + [" word%d" % i for i in range(
        len(question) % 5 + 6)]


# --- providers ----------------------------------------------------------------
# fault(w, stream, conn, words, rng): False closes the connection.

def refuse(status, headers=""):
    return lambda w, stream, conn, words, rng: send_json(
        conn, status, w.error(status, "", "Nothing now"), headers)


def reset(w, stream, conn, words, rng):
    return rst(conn)


def close(w, stream, conn, words, rng):
    return False


def silence(w, stream, conn, words, rng):
    conn.settimeout(20)
    try:
        conn.recv(1)
    except socket.timeout:
        pass
    return False


def begin(w, conn, words, rng):
    """Somewhere in the answer, from before its first word to behind its last."""
    send_some(conn, w, w.opening, *map(w.word, words[:rng.randint(
        0, len(words))]))


def cut(w, stream, conn, words, rng):
    if not stream:
        return cut_body(w, conn, rng.randint(1, 60))
    begin(w, conn, words, rng)
    return False


def stall(w, stream, conn, words, rng):
    if stream:
        begin(w, conn, words, rng)
    else:
        cut_body(w, conn, rng.randint(1, 60))
    return silence(w, stream, conn, words, rng)


def malformed(w, stream, conn, words, rng):
    if not stream:
        return send_json(conn, 200, b"{]")
    return whole_stream(conn, w, w.opening, w.word(words[0]), w.bad)


def error_inside(w, stream, conn, words, rng):
    return error_in_200(w, stream, conn, w.opening, w.word(words[0]))


def pings(w, stream, conn, words, rng):
    if not stream:
        return silence(w, stream, conn, words, rng)
    conn.sendall(w.head)
    return on_and_on(conn, lambda i: chunked(w.ping))


FAULTS = [refuse(500), refuse(503), refuse(429), refuse(429, "Retry-After: 1\r\n"),
          refuse(529), reset, close, cut, cut, stall, silence, malformed,
          error_inside, pings]
# Those that end at once, so that there are many.
QUICK = [refuse(500), refuse(503), reset, close, error_inside]


class Provider(Upstream):
    """Works except for a share of its requests."""
    def __init__(self, wire, seed, share, faults=FAULTS):
        super().__init__(self.at_random)
        self.wire, self.faults, self.share = wire, faults, share
        self.random = random.Random(seed)
        self.lock, self.conns = threading.Lock(), set()
        self.asked = self.resent = 0

    def at_random(self, req, conn):
        if req.method != "POST" or "messages" not in req.json:
            return send_json(conn, 404, {"error": "no such page"})
        stream = bool(req.json.get("stream"))
        said = req.json["messages"][0]["content"]
        if not isinstance(said, str):
            said = said[0]["text"]
        words = words_for(said)
        with self.lock:
            self.asked += 1
            self.conns.add(conn)
            rng = random.Random(self.random.random())
            fault = rng.choice(self.faults) \
                if rng.random() < self.share else None
            if req.kept and fault in (reset, close):
                self.resent += 1  # it may go out once more on a new one
        if fault:
            return fault(self.wire, stream, conn, words, rng)
        if stream:
            return send_words(self.wire, conn, words)
        return send_json(conn, 200, self.wire.whole("".join(words)))

    def hang_up(self):
        """Close what is still open, so that the host can."""
        with self.lock:
            for conn in self.conns:
                try:
                    conn.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.conns.clear()


# --- clients ------------------------------------------------------------------

def body_of(api, model, stream, question):
    body = api.body(model, stream)
    if "input" in body:
        return dict(body, input=question)
    return dict(body, messages=[{"role": "user", "content": question}])


def judge(api, status, body, stream, question):
    """What a client got: "whole", "error" or "cut"; anything else fails."""
    text = "".join(words_for(question))
    if status != 200:
        assert status >= 429 and api.error(json.loads(body)), (status, body)
        return "error"
    if not stream:
        assert api.whole(json.loads(body)) == text, body
        return "whole"
    got, whole, errors = api.stream(body)
    if whole:
        assert got == text and not errors, (text, got, errors)
        return "whole"
    assert len(errors) == 1 and errors[0], body
    assert text.startswith(got), (text, got)
    return "cut"


class Clients:
    def __init__(self, host, models):
        self.host, self.models, self.lock = host, models, threading.Lock()
        self.saw, self.wrong, self.slowest = Counter(), [], 0

    def one(self, number, until_then):
        rng = random.Random(SEED * 1000 + number)
        for n in range(10 ** 9):
            if time.monotonic() > until_then or self.wrong:
                return
            api = rng.choice(list(CLIENTS.values()))
            stream, question = rng.random() < 0.5, "c%d-q%d" % (number, n)
            began = time.monotonic()
            try:
                status, headers, body = self.host.post(
                    api.path, body_of(api, rng.choice(self.models), stream,
                                      question),
                    {"x-patchbay-deadline": "%ds" % DEADLINE},
                    timeout=DEADLINE + 60)
                what = judge(api, status, body, stream, question)
            except Exception as e:
                with self.lock:
                    self.wrong.append("%s, stream %s, %s: %s: %s" % (
                        api.__name__, stream, question, type(e).__name__, e))
                return
            with self.lock:
                self.saw[what] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
            if "retry-after" in headers:  # does as it is told
                time.sleep(min(int(headers["retry-after"]), 1))

    def run(self, seconds):
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.one, args=(i, end))
                   for i in range(N_CLIENTS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not self.wrong, self.wrong[:3]
        # The deadline, and what a busy machine adds.
        assert self.slowest < DEADLINE + SLOW, self.slowest


# --- the host -----------------------------------------------------------------

def memory(host):
    with open("/proc/%d/statm" % host.process.pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Chaos:
    def __init__(self, shares, top="", extra="", faults=FAULTS):
        wires = (OpenAI, Anthropic, Ollama)
        self.ups = [Provider(w, SEED + i, share, faults)
                    for i, (w, share) in enumerate(zip(wires, shares))]
        self.host = Host(
            log="error", server="loops = %d; retry_budget = 20;" % LOOPS,
            top=top, providers="".join(
                'p%d: { type = "%s"; base_url = "%s%s"; api_key = "%s"; '
                'timeouts: { first_token = "2s"; idle = "2s"; }; %s %s };'
                % (i, up.wire.kind, up.url, up.wire.path, KEY, up.wire.keys,
                   extra) for i, up in enumerate(self.ups)))

    def __enter__(self):
        for x in self.ups + [self.host]:
            x.__enter__()
        return self

    def __exit__(self, *exc):
        for x in [self.host] + self.ups:
            x.__exit__(*exc)

    def asked(self):
        return sum(up.asked for up in self.ups)

    def resent(self):
        return sum(up.resent for up in self.ups)

    def sent(self):
        """Attempts, as the host counts them."""
        return sum(self.host.counters("p%d" % i)["calls"]
                   for i in range(len(self.ups)))

    def at_rest(self):
        """Nothing under way, and no connection to a provider."""
        until(lambda: self.host.control("status")["calls"] == 0,
              "calls to end")
        until(lambda: self.host.control("status")["connections"] == 0,
              "connections to end")
        for up in self.ups:
            up.hang_up()

    def run(self, models, seconds):
        def counts():
            return self.asked(), self.sent(), self.resent()
        clients, before = Clients(self.host, models), counts()
        clients.run(seconds)
        self.at_rest()
        asked, sent, resent = (now - was for now, was in zip(counts(), before))
        total = sum(clients.saw.values())
        print("seed %d: %d requests, %d attempts seen (%.2f each), %s, slowest "
              "%.1f s" % (SEED, total, asked, asked / total, dict(clients.saw),
                          clients.slowest), flush=True)
        assert total > 2 * N_CLIENTS, total
        # Not one behind the host's back, but for those that may have gone out
        # once more.  One that was given up in the same moment may never have
        # arrived.
        assert sent - total // 50 <= asked <= sent + resent, (asked, sent,
                                                              resent)
        return clients.saw, total, asked


ROUTE = ('routes = ( { name = "r"; strategy = "round_robin"; '
         'targets = [ "p0/gpt-x", "p1/claude-x", "p2/llama3" ]; } );')


def test_chaos():
    with Chaos((0.3, 0.15, 0.05), ROUTE) as c:
        # What a first round leaves is pools and caches at their size.
        c.run(["r"], SECONDS / 4)
        fds, before = c.host.fds(), memory(c.host)
        saw, total, _ = c.run(["r"], SECONDS)
        # Three targets, of which most attempts succeed.
        assert saw["whole"] > 0.8 * total, saw
        until(lambda: c.host.fds() <= fds + SPARE,
              "descriptors to be given back: %d before" % fds)
        if not SANITIZED:
            until(lambda: memory(c.host) <= before + (GROWTH << 20),
                  "memory to be given back: %d KiB before" % (before >> 10))
        print("descriptors %d -> %d, resident %d -> %d KiB" % (
            fds, c.host.fds(), before >> 10, memory(c.host) >> 10), flush=True)
        c.host.alive()


def storm(models, share, top=""):
    """Most attempts fail, and each target may be asked four times."""
    with Chaos((share,) * 3, top, extra='retry: { max_attempts = 4; '
               'backoff = "10ms"; };', faults=QUICK) as c:
        _, total, asked = c.run(models, SECONDS / 2)
        # And what was saved up; and what each client had under way when a
        # target that was thought to work did not.
        assert asked <= 1.2 * total + LOOPS * SAVED + N_CLIENTS, (asked, total)
        # It was made use of.
        assert asked > 1.05 * total, (asked, total)
        c.host.alive()


def test_the_retry_budget():
    storm(["p0/gpt-x", "p1/claude-x", "p2/llama3"], 0.8)


def test_the_retry_budget_of_a_route():
    """Going on to another target counts as well, and goes to those that are
    thought to be down only while something is left."""
    storm(["r"], 0.95, ROUTE)


if __name__ == "__main__":
    main(globals())
