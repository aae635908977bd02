# SPDX-License-Identifier: MIT
"""A host that is full: more requests than it takes are refused at once, with a
503 that says when to come back, in every client API's form; those that it has
taken are answered, and when there is room again everybody is.  Also a flood for
some seconds, with a host that is never silent; and the queue for limits, as
`patchbay status` shows it."""
import json
import os
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from fault_wall import CLIENTS
from harness import (BOUND, PATCHBAY, Host, Upstream, chat, completion, main,
                     openai_at, send_json, send_stream, good_stream, until)

MAX, LOOPS = 6, 2


class Held(Upstream):
    """Answers when it is told to."""
    def __init__(self):
        super().__init__(self.reply)
        self.go, self.lock, self.n = threading.Event(), threading.Lock(), 0

    def reply(self, req, conn):
        if req.method != "POST":
            return send_json(conn, 200, {"object": "list", "data": []})
        with self.lock:
            self.n += 1
        self.go.wait(BOUND * 2)
        if req.json.get("stream"):
            return send_stream(conn, good_stream())
        return send_json(conn, 200, completion())


def test_refused_at_once():
    chats = 'responses_api = "none";'
    with Held() as up, Host(providers=openai_at(up.url, extra=chats),
                            log="error", server="loops = %d; max_calls = %d;"
                            % (LOOPS, MAX)) as host, \
            ThreadPoolExecutor(64) as pool:
        ask = lambda api, stream: host.post(  # noqa: E731
            api.path, api.body("up/m", stream), timeout=BOUND * 2)
        apis = list(CLIENTS.values())
        got = [pool.submit(ask, apis[i % 4], bool(i & 4)) for i in range(48)]
        # Nothing is answered yet: what has ended was refused.
        until(lambda: up.n + sum(g.done() for g in got) == len(got),
              "all to be held or refused")
        assert up.n == MAX * LOOPS, up.n
        assert host.control("status")["calls"] == MAX * LOOPS
        for i, g in enumerate(got):
            if not g.done():
                continue
            status, headers, body = g.result()
            assert status == 503, (status, body)
            assert headers["retry-after"] == "1", headers
            assert headers["x-patchbay-error"] == "unavailable", headers
            assert "max_calls" in apis[i % 4].error(json.loads(body)), body
        # It is full, and neither deaf nor in a bad way.
        assert host.get("/healthz")[0] == 200
        up.go.set()
        statuses = Counter(g.result()[0] for g in got)
        assert statuses == {200: MAX * LOOPS,
                            503: len(got) - MAX * LOOPS}, statuses
        until(lambda: host.control("status")["calls"] == 0, "calls to end")
        for api in apis:
            assert ask(api, False)[0] == 200


def test_a_flood():
    """Four times as many clients as it takes, for some seconds: whoever is
    taken is answered, whoever is not is told so, and soon."""
    seconds = 20 if os.environ.get("PATCHBAY_LONG") else 3

    def slow(req, conn):
        if req.method != "POST":
            return send_json(conn, 200, {"object": "list", "data": []})
        time.sleep(0.05)  # so that there are always too many
        return send_json(conn, 200, completion())

    with Upstream(slow) as up, Host(
            providers=openai_at(up.url), log="error",
            server="loops = %d; max_calls = %d;" % (LOOPS, MAX)) as host:
        end, took = time.monotonic() + seconds, {200: [], 503: []}

        def client(_):
            while time.monotonic() < end:
                began = time.monotonic()
                status, _, body = host.post("/v1/chat/completions",
                                            chat("up/m"))
                assert status in took, (status, body)
                took[status].append(time.monotonic() - began)
                if status == 503:
                    time.sleep(0.01)  # a client that does not spin
        with ThreadPoolExecutor(4 * MAX * LOOPS) as pool:
            for _ in pool.map(client, range(4 * MAX * LOOPS)):
                pass
        middle = {s: sorted(t)[len(t) // 2] for s, t in took.items() if t}
        print("%d answered, %.0f ms in the middle; %d refused, %.0f ms" % (
            len(took[200]), middle[200] * 1000, len(took[503]),
            middle.get(503, 0) * 1000))
        assert took[200] and took[503], middle
        # It goes on answering as many as it takes.
        assert len(took[200]) > MAX * LOOPS * seconds, len(took[200])
        assert middle[503] < 1, middle
        host.alive()


def test_status_shows_who_waits():
    with Held() as up, Host(log="error", providers=openai_at(
            up.url, extra="limits: { concurrent = 1; };")) as host, \
            ThreadPoolExecutor(8) as pool:
        def line():
            out = subprocess.run([PATCHBAY, "--control",
                                  host.control_path, "status"], text=True,
                                 capture_output=True, timeout=BOUND * 4)
            assert out.returncode == 0, out.stderr
            return [x for x in out.stdout.splitlines()
                    if x.startswith("calls ")][0]

        assert line().split() == ["calls", "0", "under", "way"], line()
        got = [pool.submit(host.post, "/v1/chat/completions", chat("up/m"),
                           None, "POST", BOUND * 2) for _ in range(6)]
        until(lambda: host.control("status")["waiting"] == 5, "five to wait")
        assert json.loads(host.get("/v1/providers")[2])["waiting"] == 5
        assert up.n == 1 and host.control("status")["calls"] == 6
        assert "6 under way, 5 of them wait for a limit" in line(), line()
        up.go.set()
        assert [g.result()[0] for g in got] == [200] * 6
        until(lambda: host.control("status")["waiting"] == 0, "nobody to wait")


if __name__ == "__main__":
    main(globals())
