# SPDX-License-Identifier: MIT
"""The last target asked again: how often, after how long, and when not.  What
the provider saw is counted."""
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

from harness import (SSE_HEAD, Host, Upstream, chat, chunked, completion, delta,
                     good_stream, main, openai_at, send_json, send_stream,
                     until)

AGAIN = ('retry: { max_attempts = 3; backoff = "20ms"; max_backoff = "2s"; };')


class Failing(Upstream):
    """Fails the first n requests, then answers."""
    def __init__(self, n, fault):
        super().__init__(self.reply)
        self.left, self.fault, self.times = n, fault, []

    def reply(self, req, conn):
        if req.method == "GET":
            send_json(conn, 404, {"error": {"message": "none"}})
            return False  # no kept connection: one that dies is another matter
        self.times.append(time.monotonic())
        if self.left:
            self.left -= 1
            return self.fault(req, conn)
        if req.path.endswith("/files"):
            return send_json(conn, 200, {"id": "file-1"})
        if req.json.get("stream"):
            return send_stream(conn, good_stream())
        return send_json(conn, 200, completion())


def refuse(status, headers="", kind="server_error"):
    return lambda r, c: send_json(c, status, {"error": {
        "message": "Not now", "type": kind}}, headers)


def cut(req, conn):
    conn.sendall(SSE_HEAD + chunked(delta("Hel")))
    return False


def ask(up, extra=AGAIN, stream=False, headers=None, server=""):
    with up, Host(providers=openai_at(up.url, extra=extra),
                  server=server) as host:
        status, h, body = host.post("/v1/chat/completions",
                                    chat("up/m", stream), headers)
        host.alive()
        counters = host.counters("up")
        assert counters["active"] == 0, counters
    return status, h, body


def test_the_answer_of_a_later_attempt():
    for fault in (refuse(500), refuse(503), lambda r, c: False):
        for stream in (False, True):
            up = Failing(2, fault)
            status, h, body = ask(up, stream=stream)
            assert status == 200 and b"error" not in body, body
            assert h["x-patchbay-attempts"] == "3", h
            assert len(up.times) == 3


def test_off_unless_asked_for():
    up = Failing(1, refuse(500))
    assert ask(up, extra="")[0] >= 500
    assert len(up.times) == 1


def test_when_all_fail():
    up = Failing(99, refuse(503))
    status, _, body = ask(up)
    assert status == 503 and "Not now" in json.loads(body)["error"]["message"]
    assert len(up.times) == 3


def test_what_would_fail_again_is_not_repeated():
    for fault in (refuse(400, kind="invalid_request_error"), refuse(401)):
        up = Failing(99, fault)
        assert ask(up)[0] >= 400
        assert len(up.times) == 1


def test_a_silent_one_is_left():
    up = Failing(99, lambda r, c: c.recv(1) and None or False)
    assert ask(up, extra=AGAIN +
               'timeouts: { first_token = "300ms"; };')[0] == 504
    assert len(up.times) == 1


def test_not_after_the_answer_has_begun():
    up = Failing(99, cut)
    _, _, body = ask(up, stream=True)
    assert b"Hel" in body and b"[DONE]" not in body
    assert len(up.times) == 1


def test_retry_after_is_kept_to():
    up = Failing(1, refuse(429, "retry-after-ms: 700\r\n"))
    status, _, body = ask(up)
    assert status == 200, body
    assert up.times[1] - up.times[0] >= 0.69, up.times
    up = Failing(1, refuse(429, "Retry-After: 7\r\n"))
    status, h, _ = ask(up)
    assert status == 429 and h["retry-after"] == "7", h
    assert len(up.times) == 1


def test_the_deadline():
    """No wait that cannot end in time."""
    up = Failing(1, refuse(429, "Retry-After: 2\r\n"))
    began = time.monotonic()
    status, _, _ = ask(up, headers={"x-patchbay-deadline": "1s"})
    assert status == 429 and len(up.times) == 1
    assert time.monotonic() - began < 20


def test_the_next_target_comes_first():
    a, b = Failing(99, refuse(503)), Failing(1, refuse(503))
    with a, b, Host(
            providers=openai_at(a.url, "a", extra=AGAIN) +
            openai_at(b.url, "b", extra=AGAIN),
            top='routes = ( { name = "r"; targets = [ "a/m", "b/m" ]; } );'
            ) as host:
        status, h, body = host.post("/v1/chat/completions", chat("r"))
        assert status == 200, body
        assert h["x-patchbay-attempts"] == "3", h
        assert len(a.times) == 1 and len(b.times) == 2


def test_a_client_that_leaves_while_it_waits():
    up = Failing(1, refuse(429, "Retry-After: 2\r\n"))
    with up, Host(providers=openai_at(up.url, extra=AGAIN)) as host:
        body = json.dumps(chat("up/m")).encode()
        s = host.connect()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body) + body)
        until(lambda: up.times, "the first attempt")
        s.close()
        until(lambda: host.control("status")["calls"] == 0, "the call to end")
        assert host.counters("up")["active"] == 0
        assert len(up.times) == 1


def test_uploads_are_not_made_twice():
    """What only reads may be."""
    key = ('keys = ( { name = "k"; rights = [ "raw" ]; sha256 = "%s"; } );'
           % hashlib.sha256(b"k").hexdigest())
    for method, times in (("POST", 1), ("HEAD", 3)):
        up = Failing(99, lambda r, c: False)
        with up, Host(providers=openai_at(up.url, extra=AGAIN), top=key
                      ) as host:
            status = host.post("/raw/up/v1/files", b"{}"
                               if method == "POST" else None,
                               {"Authorization": "Bearer k"},
                               method=method)[0]
            assert status == 502, status
            assert len(up.times) == times, (method, up.times)


def test_the_budget():
    """A provider that is down does not get every request several times."""
    up = Failing(9999, refuse(429, kind="requests"))
    with up, Host(providers=openai_at(up.url, extra=AGAIN.replace("3", "10")),
                  server="loops = 1; retry_budget = 20;") as host:
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda _: host.post("/v1/chat/completions",
                                              chat("up/m")), range(200)))
        # Ten in reserve, and one in five.
        assert 200 < len(up.times) <= 200 + 10 + 40, len(up.times)


def test_the_budget_of_a_route():
    """Three targets that are down do not each get every request; and the one
    that works again is found, though its breaker is open for seconds more."""
    ups = [Failing(9999, refuse(503)) for _ in range(3)]
    with ups[0], ups[1], ups[2], Host(
            providers="".join(openai_at(up.url, "p%d" % i)
                              for i, up in enumerate(ups)),
            server="loops = 1; retry_budget = 20;",
            top='routes = ( { name = "r"; targets = [ "p0/m", "p1/m", "p2/m" ];'
            ' } );') as host:
        def asks():
            status, _, body = host.post("/v1/chat/completions", chat("r"))
            return status, body
        told = []
        for _ in range(200):
            status, body = asks()
            assert status == 503 and b"Not now" in body, (status, body)
            told.append(body)
        # Who was not asked is told with those that failed.
        assert b"the retry budget is used up" in b"".join(told), told[-1]
        asked = [len(up.times) for up in ups]
        # Ten saved up, some owed before the breakers open, and one in five.
        assert 200 < sum(asked) <= 200 + 20 + 40, asked
        # All get their share of what cannot be helped.
        assert min(asked) > 40, asked
        ups[2].left = 0
        assert any(asks()[0] == 200 for _ in range(6))
        before = [len(up.times) for up in ups]
        assert [asks()[0] for _ in range(10)] == [200] * 10
        more = [len(up.times) - n for up, n in zip(ups, before)]
        # On a slow machine a breaker's time may be over, and a probe due.
        assert more[2] == 10 and sum(more) <= 12, more


if __name__ == "__main__":
    main(globals())
