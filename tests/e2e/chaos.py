# SPDX-License-Identifier: MIT
"""Chaos: many clients at once over three providers that fail at random.  Every
client gets a whole answer or an honest error, nobody waits beyond the deadline,
and descriptors and calls come back to where they were.

40 clients for five seconds; PATCHBAY_LONG=1: 200 for two minutes.
PATCHBAY_SEED repeats a run's faults, as far as threads let it."""
import json
import os
import random
import socket
import struct
import threading
import time
from collections import Counter

from harness import (SSE_HEAD, Host, Upstream, chat, chunked, completion, delta,
                     good_stream, main, openai_at, send_json, send_stream, sse,
                     until)

SECONDS, CLIENTS = (120, 200) if os.environ.get("PATCHBAY_LONG") else (5, 40)
SANITIZED = os.environ.get("PATCHBAY_SANITIZERS", "no") != "no"
SEED = int(os.environ.get("PATCHBAY_SEED", "1"))
DEADLINE = 10


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    conn.close()
    return False


def refuse(status, headers=""):
    return lambda conn, stream: send_json(conn, status, {"error": {
        "message": "Nothing now", "type": "server_error"}}, headers)


def cut(conn, stream):
    if stream:
        conn.sendall(SSE_HEAD + chunked(delta("Hel")))
    return False


def silence(conn, stream):
    conn.settimeout(20)
    try:
        conn.recv(1)
    except socket.timeout:
        pass
    return False


def malformed(conn, stream):
    if stream:
        return send_stream(conn, [delta("Hel"), b"data: {]\n\n"])
    return send_json(conn, 200, b"{]")


FAULTS = [refuse(500), refuse(503), refuse(429, "Retry-After: 1\r\n"),
          lambda conn, stream: reset(conn), lambda conn, stream: False, cut,
          silence, malformed]


class Provider(Upstream):
    """Works except for a share of its requests."""
    def __init__(self, seed, share):
        super().__init__(self.at_random)
        self.random, self.share = random.Random(seed), share
        self.lock = threading.Lock()

    def at_random(self, req, conn):
        if req.method != "POST":
            return send_json(conn, 200, {"object": "list", "data": []})
        stream = bool(req.json.get("stream"))
        with self.lock:
            fault = self.random.choice(FAULTS) \
                if self.random.random() < self.share else None
        if fault:
            return fault(conn, stream)
        if stream:
            return send_stream(conn, good_stream())
        return send_json(conn, 200, completion())


def judge(status, body, stream):
    """What a client got: "whole", "error" or "cut"; anything else fails."""
    if status != 200:
        e = json.loads(body)["error"]
        assert status >= 429 and e["message"] and e["type"], (status, body)
        return "error"
    if not stream:
        answer = json.loads(body)["choices"][0]
        assert answer["message"]["content"] == "Hello", body
        return "whole"
    events = sse(body)
    text = "".join(c["delta"].get("content") or "" for e in events
                   if e != "[DONE]" for c in json.loads(e).get("choices", ()))
    if events[-1] == "[DONE]":
        assert text == "Hello", body
        return "whole"
    assert json.loads(events[-1])["error"]["message"], body
    assert "Hello".startswith(text), body
    return "cut"


class Clients:
    def __init__(self, host):
        self.host, self.lock = host, threading.Lock()
        self.saw, self.wrong, self.slowest = Counter(), [], 0

    def one(self, number, until_then):
        rng = random.Random(SEED * 1000 + number)
        while time.monotonic() < until_then and not self.wrong:
            stream, began = rng.random() < 0.5, time.monotonic()
            try:
                status, _, body = self.host.post(
                    "/v1/chat/completions", chat("r", stream),
                    {"x-patchbay-deadline": "%ds" % DEADLINE},
                    timeout=DEADLINE + 60)
                what = judge(status, body, stream)
            except Exception as e:
                with self.lock:
                    self.wrong.append("%s: %s" % (type(e).__name__, e))
                return
            with self.lock:
                self.saw[what] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)

    def run(self):
        end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=self.one, args=(i, end))
                   for i in range(CLIENTS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not self.wrong, self.wrong[:3]


def memory(host):
    with open("/proc/%d/statm" % host.process.pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_chaos():
    ups = [Provider(SEED + i, share) for i, share in
           enumerate((0.3, 0.15, 0.05))]
    short = 'timeouts: { first_token = "2s"; idle = "2s"; };'
    with ups[0], ups[1], ups[2], Host(
            log="error", providers="".join(
                openai_at(up.url, "p%d" % i, extra=short)
                for i, up in enumerate(ups)),
            top='routes = ( { name = "r"; strategy = "round_robin"; '
            'targets = [ "p0/m", "p1/m", "p2/m" ]; } );') as host:
        for _ in range(20):
            host.post("/v1/chat/completions", chat("r"))
        fds, before = host.fds(), memory(host)
        clients = Clients(host)
        clients.run()
        total = sum(clients.saw.values())
        asked = sum(r.method == "POST" for up in ups for r in up.requests)
        print("seed %d: %d requests, %d attempts, %s, slowest %.1f s" % (
            SEED, total, asked, dict(clients.saw), clients.slowest), flush=True)
        assert total > 2 * CLIENTS, total
        # Three targets, of which most attempts succeed.
        assert clients.saw["whole"] > 0.5 * total, clients.saw
        # The deadline, and what a busy machine adds.
        assert clients.slowest < DEADLINE + 15, clients.slowest
        until(lambda: host.control("status")["calls"] == 0, "calls to end")
        until(lambda: host.control("status")["connections"] == 0,
              "connections to end")
        # Idle connections to the providers may be kept.
        until(lambda: host.fds() <= fds + 2 * CLIENTS + 16,
              "descriptors to be given back")
        grown = memory(host) - before
        assert SANITIZED or grown < 96 << 20, grown
        host.alive()


if __name__ == "__main__":
    main(globals())
