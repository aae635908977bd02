# SPDX-License-Identifier: MIT
"""Answers that are shared: the exact response cache, and identical requests under
way that get one answer.  What the upstream saw is counted."""
import json
import os
import socket
import threading
import time

from harness import (DONE, SSE_HEAD, Host, Upstream, chat, chunked, completion,
                     delta, good_stream, main, openai_at, read_all, send_json,
                     send_stream, sse, until)


def setting(cache="enabled = true;", top="", extra=""):
    up = Upstream()
    up.on("m")(lambda r, c: send_json(c, 200, completion(
        "answer %d" % len(posts(up)))))
    up.on("s")(lambda r, c: send_stream(c, good_stream()))
    up.on("broken")(lambda r, c: send_json(c, 500, {"error": {
        "message": "broken", "type": "server_error"}}))
    return up, Host(providers=openai_at(up.url, extra=extra),
                    top="cache: { %s };\n%s" % (cache, top))


def posts(up):
    return [r for r in up.requests if r.method == "POST"]


def ask(host, model="up/m", headers=None, **more):
    status, h, body = host.post("/v1/chat/completions", chat(model, **more),
                                headers)
    return status, h.get("x-patchbay-cache"), body


def test_off_unless_configured():
    up, host = setting("")
    with up, host:
        assert ask(host)[1] is None
        assert ask(host)[1] is None
        assert len(posts(up)) == 2


def test_second_gets_the_first_ones():
    up, host = setting()
    with up, host:
        first, second = ask(host), ask(host)
        assert first[:2] == (200, "miss") and second[:2] == (200, "hit")
        assert first[2] == second[2] and b"answer 1" in first[2]
        assert ask(host, text="something else")[1] == "miss"
        assert ask(host, temperature=0)[1] == "miss"
        assert len(posts(up)) == 3


def test_streams_come_as_streams():
    up, host = setting()
    with up, host:
        first = ask(host, "up/s", stream=True)
        second = ask(host, "up/s", stream=True)
        assert (first[1], second[1]) == ("miss", "hit")
        assert first[2] == second[2]
        assert sse(second[2])[-1] == "[DONE]"
        assert len(posts(up)) == 1


def test_translated_answers_too():
    up, host = setting()
    body = {"model": "up/m", "max_tokens": 9,
            "messages": [{"role": "user", "content": "hi"}]}
    with up, host:
        got = [host.post("/v1/messages", body) for _ in range(2)]
        assert [g[1]["x-patchbay-cache"] for g in got] == ["miss", "hit"]
        texts = [json.loads(g[2])["content"][0]["text"] for g in got]
        assert texts == ["answer 1"] * 2
        assert len(posts(up)) == 1
        # The other API's client did not ask the same.
        assert ask(host)[1] == "miss"


def test_what_a_client_says_of_it():
    up, host = setting()
    with up, host:
        ask(host)
        assert ask(host, headers={"Cache-Control": "no-store"})[1] is None
        assert len(posts(up)) == 2
        new = ask(host, headers={"Cache-Control": "max-age=3, No-Cache"})
        assert new[1] == "miss" and b"answer 3" in new[2]
        assert ask(host)[2] == new[2]
        assert len(posts(up)) == 3


def test_failures_are_not_kept():
    up, host = setting()
    with up, host:
        for n in (1, 2):
            status, how, _ = ask(host, "up/broken")
            assert status >= 500
            assert len([r for r in posts(up)
                        if r.json["model"] == "broken"]) >= n


def test_a_cut_answer_is_not_kept():
    up, host = setting()
    up.on("cut")(lambda r, c: (c.sendall(SSE_HEAD + chunked(delta("Hel"))),
                               c.shutdown(socket.SHUT_RDWR), False)[-1])
    with up, host:
        for n in (1, 2):
            _, how, body = ask(host, "up/cut", stream=True)
            assert b"[DONE]" not in body and b"error" in body, body
            assert how == "miss"


def test_time_to_live():
    up, host = setting('enabled = true; ttl = "1s";')
    with up, host:
        ask(host)
        until(lambda: ask(host)[1] == "miss", "the answer to grow old")
        assert len(posts(up)) == 2


def test_room():
    """Of answers of 20 KiB, 64 KiB hold three at most."""
    up, host = setting('enabled = true; max_size = "64K";')
    up.on("m")(lambda r, c: send_json(c, 200, completion("x" * 20000)))
    with up, host:
        for n in range(5):
            assert ask(host, text=str(n))[1] == "miss"
        assert ask(host, text="4")[1] == "hit"
        assert ask(host, text="0")[1] == "miss"


def test_answers_of_many_pieces_are_kept():
    """What counts is what they take, and a piece of a stream takes little."""
    up, host = setting()
    up.on("pieces")(lambda r, c: send_stream(c, [
        delta(role="assistant", content="")] + [
            delta("w%d " % i) for i in range(2000)] + [
                delta(finish="stop"), DONE]))
    body = {"model": "up/pieces", "max_tokens": 9, "stream": True,
            "messages": [{"role": "user", "content": "hi"}]}
    with up, host:
        got = [host.post("/v1/messages", body) for _ in range(2)]
        assert [g[1]["x-patchbay-cache"] for g in got] == ["miss", "hit"]
        assert b"w1999 " in got[1][2] and got[0][2] == got[1][2]


def memory(host):
    with open("/proc/%d/status" % host.process.pid, encoding="ascii") as f:
        return next(int(x.split()[1]) * 1024 for x in f
                    if x.startswith("VmRSS"))


def test_the_questions_are_not_kept():
    """60 of 2 MiB each, and their answers fit."""
    up, host = setting()
    with up, host:
        assert ask(host, text="x" * (2 << 20))[1] == "miss"
        before = memory(host)
        for n in range(60):
            assert ask(host, text=str(n) + "x" * (2 << 20))[1] == "miss"
        grown = memory(host) - before
        if os.environ.get("PATCHBAY_SANITIZERS", "no") == "no":
            assert grown < 48 << 20, grown


def test_keys_do_not_share():
    import hashlib
    keys = "keys = ( %s );" % ", ".join(
        '{ name = "%s"; sha256 = "%s"; }' % (
            k, hashlib.sha256(k.encode()).hexdigest()) for k in ("ann", "bob"))
    for per_key, wanted in (("true", "miss"), ("false", "hit")):
        up, host = setting("enabled = true; per_key = %s;" % per_key, keys)
        with up, host:
            how = [ask(host, headers={"Authorization": "Bearer " + k})[1]
                   for k in ("ann", "ann", "bob")]
            assert how == ["miss", "hit", wanted], how


def test_reload_forgets():
    up, host = setting()
    with up, host:
        ask(host)
        host.control("reload")
        until(lambda: ask(host, text="probe")[0] == 200, "an answer")
        assert ask(host)[1] == "miss"


# --- coalescing -------------------------------------------------------------

class Held:
    """A stream that goes on when told."""
    def __init__(self, up):
        self.go, self.began = threading.Event(), threading.Event()
        self.ended = threading.Event()
        up.on("held")(self.answer)

    def answer(self, req, conn):
        conn.sendall(SSE_HEAD + chunked(delta(role="assistant", content="")) +
                     chunked(delta("one ")))
        self.began.set()
        try:
            while not self.go.wait(0.02):
                conn.sendall(chunked(b": waiting\n\n"))
            conn.sendall(chunked(delta("two")) + chunked(delta(finish="stop")) +
                         chunked(DONE) + b"0\r\n\r\n")
        except OSError:
            self.ended.set()
            return False


def send_held(host, model="up/held", headers=b""):
    s = host.connect()
    body = json.dumps(chat(model, stream=True)).encode()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: "
              b"close\r\nContent-Type: application/json\r\nContent-Length: %d"
              b"\r\n%s\r\n" % (len(body), headers) + body)
    return s


def open_stream(host, headers=b""):
    s = send_held(host, headers=headers)
    got = b""
    while b"one " not in got:
        piece = s.recv(4096)
        assert piece, got
        got += piece
    return s, got


def crowd(n=8):
    up, host = setting("coalesce = true;")
    return up, host, Held(up)


def test_many_share_one():
    up, host, held = crowd()
    with up, host:
        streams = [open_stream(host) for _ in range(8)]
        assert len(posts(up)) == 1
        held.go.set()
        for i, (s, got) in enumerate(streams):
            got += read_all(s)
            assert b"two" in got and b"[DONE]" in got
            how = b"x-patchbay-cache: " + (b"joined" if i else b"miss")
            assert how in got.lower(), got
        assert len(posts(up)) == 1
        # Over is over: without `enabled` nothing is kept.
        held.go.clear()
        s, got = open_stream(host)
        assert len(posts(up)) == 2
        held.go.set()
        assert b"[DONE]" in read_all(s)


def test_one_who_leaves_harms_nobody():
    for leaver in (0, 1):
        up, host, held = crowd()
        with up, host:
            streams = [open_stream(host) for _ in range(4)]
            streams.pop(leaver)[0].close()
            held.go.set()
            for s, got in streams:
                got += read_all(s)
                assert b"two" in got and b"[DONE]" in got
            assert len(posts(up)) == 1


def test_the_first_one_leaves_between_attempts():
    """What it has said in its headers goes out all the same."""
    up, host = setting("coalesce = true;", extra="retry: { max_attempts = 2; "
                       'backoff = "1ms"; };')
    asked, go = threading.Event(), threading.Event()

    def twice(req, conn):
        if not asked.is_set():
            asked.set()
            go.wait(30)
            return send_json(conn, 503, {"error": {"message": "not now"}})
        return send_stream(conn, good_stream())
    up.on("twice")(twice)
    beta = b"b" * 1000
    with up, host:
        first = send_held(host, "up/twice", b"OpenAI-Beta: %s\r\n" % beta)
        assert asked.wait(30)
        second = send_held(host, "up/twice", b"OpenAI-Beta: %s\r\n" % beta)
        until(lambda: host.control("status")["cache"]["joined"] == 1, "the second one")
        first.close()
        until(lambda: host.control("status")["connections"] == 1, "the first to be gone")
        go.set()
        assert b"[DONE]" in read_all(second)
        assert [r.headers["openai-beta"] for r in posts(up)] == [
            beta.decode()] * 2


def test_each_has_his_own_deadline():
    up, host, held = crowd()
    with up, host:
        hasty, got = open_stream(host, b"x-patchbay-deadline: 500ms\r\n")
        patient, patient_got = open_stream(host)
        late, late_got = open_stream(host, b"x-patchbay-deadline: 700ms\r\n")
        for s, g in ((hasty, got), (late, late_got)):
            g += read_all(s)
            assert b"deadline_exceeded" in g and b"[DONE]" not in g, g
        assert len(posts(up)) == 1
        held.go.set()
        patient_got += read_all(patient)
        assert b"two" in patient_got and b"[DONE]" in patient_got
        # One that is alone with his ends the call.
        held.go.clear()
        last, got = open_stream(host, b"x-patchbay-deadline: 500ms\r\n")
        assert b"deadline_exceeded" in got + read_all(last)
        assert held.ended.wait(20)


def test_the_last_one_ends_it():
    up, host, held = crowd()
    with up, host:
        for s, _ in [open_stream(host) for _ in range(3)]:
            s.close()
        assert held.ended.wait(20)
        held.go.set()
        assert host.alive()


def test_a_follower_reads_from_the_start():
    up, host, held = crowd()
    with up, host:
        first, got = open_stream(host)
        late, late_got = open_stream(host)
        held.go.set()
        texts = []
        for s, g in ((first, got), (late, late_got)):
            g += read_all(s)
            texts.append("".join(
                json.loads(d)["choices"][0]["delta"].get("content") or ""
                for d in sse(g.partition(b"\r\n\r\n")[2]
                             .replace(b"\r\n", b"\n"))
                if d != "[DONE]" and json.loads(d)["choices"]))
        assert texts == ["one two"] * 2, texts


def test_an_answer_that_outgrows_its_place():
    """A slow reader slows the provider down; nothing is lost and nothing kept."""
    up, host = setting('enabled = true; coalesce = true; max_entry = "64K";')
    sent = []
    n, word = 4000, "y" * 5000

    def flood(req, conn):
        conn.sendall(SSE_HEAD)
        for i in range(n):
            conn.sendall(chunked(delta(word)))
            sent.append(i)
        conn.sendall(chunked(delta(finish="stop")) + chunked(DONE) +
                     b"0\r\n\r\n")
    up.on("flood")(flood)
    with up, host:
        s = host.connect(timeout=60)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        body = json.dumps(chat("up/flood", stream=True)).encode()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\nContent-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body) + body)
        until(lambda: len(sent) > 10, "the flood")
        seen = [0, 0]

        def still():
            seen[0], before = len(sent), seen[0]
            seen[1] = seen[1] + 1 if seen[0] == before else 0
            time.sleep(0.02)
            return seen[1] > 25
        until(still, "the provider to be held up")
        assert len(sent) < n - 100
        data = read_all(s)
        assert data.count(word.encode()) == n and b"[DONE]" in data
        assert ask(host, "up/flood", stream=True)[1] == "miss"


if __name__ == "__main__":
    main(globals())
