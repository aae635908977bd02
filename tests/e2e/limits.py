# SPDX-License-Identifier: MIT
"""Limits of providers, models and client keys: no more than they say, nobody
refused while there is room, and refusals that say when to come back."""
import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness import (Host, Upstream, chat, completion, main, openai_at,
                     send_json, until)


def answer(req, conn):
    return send_json(conn, 200, completion("ok", usage=(30, 20)))


def asked(up):
    return [r for r in up.requests if r.method == "POST"]


def ask(host, model="up/m", headers=None, **more):
    return host.post("/v1/chat/completions", chat(model, **more), headers)


def message(body):
    return json.loads(body)["error"]["message"]


def test_requests_per_minute():
    """500 at once, over all loops: as many answers as the limit says."""
    with Upstream(answer) as up, Host(providers=openai_at(
            up.url, extra="limits: { requests_per_minute = 100; };"),
            server="loops = 2;") as host:
        with ThreadPoolExecutor(100) as pool:
            got = list(pool.map(lambda _: ask(host), range(500)))
        assert len(asked(up)) == 100, len(asked(up))
        assert sorted({s for s, _, _ in got}) == [200, 429]
        assert len([1 for s, _, _ in got if s == 200]) == 100
        for status, headers, body in got:
            if status == 429:
                assert 1 <= int(headers["retry-after"]) <= 61, headers
                assert "100 requests in a minute" in message(body), body
                assert "limits.requests_per_minute" in message(body), body
                break


def test_concurrent():
    """Never more at once than allowed; the others wait, and are answered."""
    lock, at_once, most = threading.Lock(), [0], [0]

    def slow(req, conn):
        if req.method != "POST":
            return answer(req, conn)
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.01)  # so that requests overlap
        with lock:
            at_once[0] -= 1
        return answer(req, conn)

    with Upstream(slow) as up, Host(providers=openai_at(
            up.url, extra="limits: { concurrent = 5; };"),
            server="loops = 2;") as host:
        with ThreadPoolExecutor(60) as pool:
            got = list(pool.map(lambda _: ask(host)[0], range(300)))
        assert got == [200] * 300, set(got)
        assert most[0] == 5, most
        assert len(asked(up)) == 300


class Held:
    """An upstream that answers when it is told to."""
    def __init__(self):
        self.go = threading.Event()
        self.up = Upstream(self.answer)

    def answer(self, req, conn):
        if req.method == "POST":
            self.go.wait(30)
        return answer(req, conn)


def test_the_queue_has_bounds():
    held = Held()
    with held.up as up, Host(providers=openai_at(
            up.url, extra="limits: { concurrent = 1; };"),
            server='loops = 1; max_queue = 1; max_queue_wait = "500ms";'
            ) as host:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(ask, host)
            until(lambda: len(asked(up)) == 1, "the first to be asked")
            began = time.monotonic()
            status, headers, body = ask(host)
            assert status == 429 and "max_queue_wait" in message(body), body
            assert time.monotonic() - began >= 0.4
            assert headers["retry-after"] == "1", headers
            held.go.set()
            assert first.result()[0] == 200
        assert ask(host)[0] == 200
        assert len(asked(up)) == 2


def test_a_full_queue():
    held = Held()
    with held.up as up, Host(providers=openai_at(
            up.url, extra="limits: { concurrent = 1; };"),
            server="loops = 1; max_queue = 2;") as host:
        with ThreadPoolExecutor(8) as pool:
            got = [pool.submit(ask, host) for _ in range(8)]
            until(lambda: len([g for g in got if g.done()]) == 5,
                  "five to be refused")
            for g in got:
                if g.done():
                    status, _, body = g.result()
                    assert status == 429 and "max_queue" in message(body), body
            held.go.set()
            assert sorted(g.result()[0] for g in got) == \
                [200] * 3 + [429] * 5


def test_one_that_waits_and_leaves():
    """Its place in the queue goes with it."""
    held = Held()
    with held.up as up, Host(providers=openai_at(
            up.url, extra="limits: { concurrent = 1; };"),
            server="loops = 1;") as host:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(ask, host)
            until(lambda: len(asked(up)) == 1, "the first to be asked")
            body = json.dumps(chat("up/m")).encode()
            s = host.connect()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            until(lambda: host.control("status")["calls"] == 2, "the second")
            s.close()
            until(lambda: host.control("status")["calls"] == 1,
                  "the second to be gone")
            held.go.set()
            assert first.result()[0] == 200
        assert ask(host)[0] == 200
        assert len(asked(up)) == 2


def test_tokens_per_minute():
    """An answer here takes 50 tokens, and counts as that, not as estimated."""
    with Upstream(answer) as up, Host(providers=openai_at(
            up.url, extra="limits: { tokens_per_minute = 400; };")) as host:
        for _ in range(6):
            assert ask(host, max_tokens=60)[0] == 200
        status, headers, body = ask(host, max_tokens=150)
        assert status == 429 and "400 tokens in a minute" in message(body), body
        assert 1 <= int(headers["retry-after"]) <= 61
        assert len(asked(up)) == 6


def test_each_model_by_itself():
    with Upstream(answer) as up, Host(providers=openai_at(
            up.url, extra="model_limits: { requests_per_minute = 2; };")
            ) as host:
        for model in ("up/a", "up/b"):
            assert [ask(host, model)[0] for _ in range(3)] == [200, 200, 429]


def test_keys():
    keys = "keys = ( %s );" % ", ".join(
        '{ name = "%s"; sha256 = "%s"; limits: { requests_per_minute = %d; }; }'
        % (n, hashlib.sha256(n.encode()).hexdigest(), m)
        for n, m in (("few", 2), ("many", 50)))
    route = ('routes = ( { name = "r"; targets = [ "down/m", "up/m" ]; } );')

    def down(req, conn):
        return send_json(conn, 503, {"error": {"message": "Down"}})
    with Upstream(answer) as up, Upstream(down) as bad, Host(
            providers=openai_at(up.url) + openai_at(bad.url, "down"),
            top=keys + route) as host:
        few = {"Authorization": "Bearer few"}
        many = {"Authorization": "Bearer many"}
        # A request with two attempts is one request.
        assert [ask(host, "r", few)[0] for _ in range(2)] == [200, 200]
        status, headers, body = ask(host, "r", few)
        assert status == 429 and '"few"' in message(body), body
        assert int(headers["retry-after"]) >= 1
        assert ask(host, "up/m", few)[0] == 429
        assert [ask(host, "r", many)[0] for _ in range(5)] == [200] * 5


def test_a_route_goes_on():
    """Where one target's limit is used up the next answers at once; it is no
    failure of that target."""
    with Upstream(answer) as a, Upstream(answer) as b, Host(
            providers=openai_at(a.url, "a", extra="limits: { "
                                "requests_per_minute = 3; };") +
            openai_at(b.url, "b"),
            top='routes = ( { name = "r"; targets = [ "a/m", "b/m" ]; } );'
            ) as host:
        by = [ask(host, "r")[1]["x-patchbay-provider"] for _ in range(8)]
        assert by == ["a"] * 3 + ["b"] * 5, by
        assert len(asked(a)) == 3 and len(asked(b)) == 5


def test_lists_are_not_counted():
    with Upstream(answer) as up, Host(providers=openai_at(
            up.url, extra="limits: { requests_per_minute = 1; };")) as host:
        for _ in range(5):
            assert host.get("/v1/models")[0] == 200
        assert ask(host)[0] == 200


if __name__ == "__main__":
    main(globals())
