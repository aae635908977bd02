# SPDX-License-Identifier: MIT
"""Ten thousand mixed requests, good and bad, from 16 clients; afterwards no
descriptor, memory or connection is left over.  PATCHBAY_LONG=1: a hundred
thousand."""
import http.client
import json
import os
import random
import socket
import threading

from harness import (SSE_HEAD, Host, LOOPBACK, Upstream, chat, chunked,
                     completion, delta, good_stream, main, openai_at, send_json,
                     send_stream, until)

TOTAL = 100000 if os.environ.get("PATCHBAY_LONG") else 10000
if os.environ.get("PATCHBAY_SANITIZERS", "no") != "no":
    TOTAL //= 5
CLIENTS = 16


def upstream():
    up = Upstream()
    up.on("m")(lambda r, c: send_json(c, 200, completion()))
    up.on("s")(lambda r, c: send_stream(c, good_stream()))
    up.on("e")(lambda r, c: send_json(c, 429, {"error": {"message": "slow"}}))
    up.on("close")(lambda r, c: False)

    @up.on("cut")
    def cut(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("x")))
        return False

    @up.on("long")
    def long(req, conn):
        conn.sendall(SSE_HEAD)
        for _ in range(200):
            conn.sendall(chunked(delta("x" * 500)))
        send_end(conn)

    def send_end(conn):
        for e in good_stream()[-2:]:
            conn.sendall(chunked(e))
        conn.sendall(b"0\r\n\r\n")
    return up


def one(c, rng, port):
    """A request on a kept connection: (kind, ok)."""
    kind = rng.choice(["m"] * 6 + ["s"] * 6 + ["e", "close", "cut", "bad",
                                               "loop", "loops", "models",
                                               "nowhere", "leave"])
    if kind == "leave":
        body = json.dumps(chat("up/long", True)).encode()
        with socket.create_connection(("127.0.0.1", port), 20) as s:
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            s.recv(100)
        return True
    if kind in ("models", "nowhere"):
        c.request("GET", "/v1/models" if kind == "models" else "/nowhere")
        want = 200 if kind == "models" else 404
    elif kind == "bad":
        c.request("POST", "/v1/chat/completions", b'{"model":',
                  {"Content-Type": "application/json"})
        want = 400
    else:
        model = {"loop": "loopback/echo", "loops": "loopback/echo"}.get(
            kind, "up/" + kind)
        stream = kind in ("s", "cut", "loops")
        c.request("POST", "/v1/chat/completions",
                  json.dumps(chat(model, stream)),
                  {"Content-Type": "application/json"})
        want = {"e": 429, "close": 502}.get(kind, 200)
    r = c.getresponse()
    data = r.read()
    assert r.status == want, (kind, r.status, data[:300])
    if kind in ("s", "loops"):
        assert data.endswith(b"data: [DONE]\n\n"), (kind, data[-200:])
    if kind == "cut":
        assert b"[DONE]" not in data and b'"error"' in data, data[-300:]
    return True


def client(host, seed, count, failures):
    rng = random.Random(seed)
    c = http.client.HTTPConnection("127.0.0.1", host.port, timeout=60)
    try:
        for _ in range(count):
            one(c, rng, host.port)
    except Exception as e:
        failures.append(repr(e))
    finally:
        c.close()


def round_of(host, total, seed):
    failures = []
    threads = [threading.Thread(target=client, args=(
        host, seed * 100 + i, total // CLIENTS, failures))
        for i in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[:3]
    until(lambda: host.control("status")["connections"] == 0 and
          host.control("status")["calls"] == 0, "everything to be given back")


def resident(host):
    with open("/proc/%d/status" % host.process.pid) as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])


def test_nothing_is_left():
    with upstream() as up, Host(providers=openai_at(up.url) + LOOPBACK,
                                log="error") as host:
        # What a first round leaves is pools and caches at their size.
        round_of(host, TOTAL // 4, 1)
        fds, memory = host.fds(), resident(host)
        round_of(host, TOTAL, 2)
        # Pooled upstream connections come and go; nothing else may.
        assert host.fds() <= fds + CLIENTS * 2, (fds, host.fds())
        grown = resident(host) - memory
        print("%d requests: descriptors %d -> %d, resident %d -> %d KiB"
              % (TOTAL, fds, host.fds(), memory, memory + grown))
        if os.environ.get("PATCHBAY_SANITIZERS", "no") == "no":
            assert grown < 4096, "%d KiB more than before" % grown
        up.server.shutdown()
    # Host.stop() has looked for leaks reported by a sanitizer.


if __name__ == "__main__":
    main(globals())
