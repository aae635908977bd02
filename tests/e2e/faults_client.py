# SPDX-License-Identifier: MIT
"""Clients that misbehave: slow, half-finished, endless, forged.  Each gets a clear
error or its answer; the host stays alive and gives everything back."""
import json
import resource
import socket
import struct
import threading
import time

from harness import (DONE, SSE_HEAD, Host, Upstream, chat, chunked, completion,
                     delta, good_stream, main, openai_at, read_all, send_json,
                     send_stream, sse, until)

BODY = json.dumps(chat("up/m")).encode()
HEAD = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\n")
GOOD = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def setting(server="", extra=""):
    up = Upstream()
    up.on("m")(lambda r, c: send_json(c, 200, completion()))
    up.on("s")(lambda r, c: send_stream(c, good_stream()))
    return up, Host(providers=openai_at(up.url, extra=extra), server=server)


def posts(up):
    """What came beside the host's own look at the list of models."""
    return [r for r in up.requests if r.method == "POST"]


def status_of(reply):
    assert reply.startswith(b"HTTP/1.1 "), reply[:100]
    return int(reply[9:12])


def replies(data):
    """The statuses of all replies in a run of bytes with Content-Length."""
    out = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        out.append(status_of(head))
        n = [int(h.split(b":")[1]) for h in head.lower().split(b"\r\n")
             if h.startswith(b"content-length")]
        data = rest[n[0] if n else len(rest):]
    return out


def test_one_byte_at_a_time():
    up, host = setting()
    with up, host, host.connect() as s:
        for b in GOOD:
            s.sendall(bytes([b]))
        s.settimeout(10)
        assert status_of(s.recv(4096)) == 200


def test_pipelining_in_order():
    up, host = setting()
    with up, host:
        close = GOOD.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")
        bad = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
        got = host.raw(GOOD + bad + GOOD + close)
        assert replies(got) == [200, 404, 200, 200], got


def test_bytes_sent_before_the_reply_do_no_harm():
    up, host = setting()
    hold = threading.Event()

    @up.on("slow")
    def slow(req, conn):
        hold.wait(10)
        send_json(conn, 200, completion())
    with up, host:
        body = json.dumps(chat("up/slow")).encode()
        with host.connect() as s:
            s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body +
                      b"x")
            hold.set()
            assert status_of(read_all(s)) == 200
        host.alive()


def test_flood_before_the_reply_is_not_read():
    up, host = setting()
    hold = threading.Event()

    @up.on("slow")
    def slow(req, conn):
        hold.wait(20)
        send_json(conn, 200, completion())
    with up, host:
        body = json.dumps(chat("up/slow")).encode()
        with host.connect() as s:
            s.setblocking(False)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            s.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            sent, quiet = 0, 0
            while quiet < 50 and sent < 64 << 20:
                try:
                    sent += s.send(b"y" * 65536)
                    quiet = 0
                except BlockingIOError:
                    quiet += 1
                    time.sleep(0.01)
            assert sent < 32 << 20, "the host swallowed %d bytes" % sent
            hold.set()
        host.alive()


def test_half_a_request_times_out():
    up, host = setting(server='timeouts: { head = "1s"; body = "1s"; };')
    with up, host:
        assert status_of(host.raw(HEAD)) == 408
        assert status_of(host.raw(HEAD + b"Content-Length: 100\r\n\r\n{")) == 408
        host.alive()
    assert not posts(up)


def test_huge_headers():
    up, host = setting()
    with up, host:
        big = HEAD + b"X-A: " + b"a" * 200000 + b"\r\n\r\n"
        assert status_of(host.raw(big)) == 431
        many = HEAD + b"X-A: b\r\n" * 1000 + b"\r\n"
        assert status_of(host.raw(many)) == 431
        long = b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        assert status_of(host.raw(long)) in (414, 431)
        host.alive()


def test_body_over_the_limit_reads_its_error():
    up, host = setting(server='max_body = "1M";')
    with up, host:
        s = host.connect()
        s.sendall(HEAD + b"Content-Length: 50000000\r\n\r\n")
        try:
            for _ in range(100):
                s.sendall(b"x" * 65536)
        except OSError:
            pass
        reply = read_all(s)
        assert status_of(reply) == 413, reply[:200]
        assert b'"error"' in reply
        s.close()
        host.alive()


def test_smuggling():
    up, host = setting()
    inner = b"POST /v1/chat/completions HTTP/1.1\r\nHost: evil\r\n\r\n"
    cases = {
        "both lengths": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: "
                        b"chunked\r\n\r\n0\r\n\r\n" + inner,
        "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n"
                       % len(inner) + inner,
        "list of lengths": HEAD + b"Content-Length: 2, 2\r\n\r\n{}" + inner,
        "signed length": HEAD + b"Content-Length: +2\r\n\r\n{}" + inner,
        "chunked not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n"
                            b"0\r\n\r\n" + inner,
        "unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
                          + inner,
        "space before colon": HEAD + b"Content-Length : 0\r\n\r\n" + inner,
        "folded": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" +
                  inner,
        "bare LF": HEAD.replace(b"Host: x\r\n", b"Host: x\n") +
                   b"Content-Length: 0\r\n\r\n" + inner,
        "odd chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}"
                          b"\r\n0\r\n\r\n" + inner,
        "huge chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
                           b"10000000000000002\r\n{}\r\n0\r\n\r\n" + inner,
        "two hosts": HEAD + b"Host: y\r\nContent-Length: 0\r\n\r\n" + inner,
    }
    with up, host:
        for name, data in cases.items():
            reply = host.raw(data)
            got = replies(reply)
            assert got and got[0] in (400, 501), (name, reply[:300])
            assert len(got) == 1, (name, "a second request was answered", got)
        host.alive()
    assert not posts(up)


def test_head_and_methods():
    up, host = setting()
    with up, host:
        reply = host.raw(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: "
                         b"close\r\n\r\n")
        assert status_of(reply) == 200 and reply.endswith(b"\r\n\r\n"), reply
        status, headers, body = host.post("/v1/chat/completions", None,
                                          method="GET")
        assert status == 405 and headers["allow"] == "POST", (status, headers)
        assert "error" in json.loads(body)
        assert host.get("/nothing/here")[0] == 404


def test_expect_continue():
    up, host = setting()
    with up, host, host.connect() as s:
        s.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
                  % len(BODY))
        f = s.makefile("rb")
        assert f.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert f.readline() == b"\r\n"
        s.sendall(BODY)
        assert f.readline().startswith(b"HTTP/1.1 200 ")


def test_http_10_client():
    up, host = setting()
    with up, host:
        reply = host.raw(GOOD.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert b" 200 " in reply.split(b"\r\n")[0]
        stream = json.dumps(chat("up/s", True)).encode()
        reply = host.raw(HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") +
                         b"Content-Length: %d\r\n\r\n" % len(stream) + stream)
        assert b"chunked" not in reply.lower() and reply.endswith(DONE), reply


def test_wrong_content_type_and_bodies():
    up, host = setting()
    with up, host:
        def post(body, kind="application/json"):
            status, _, reply = host.post("/v1/chat/completions", body,
                                         {"Content-Type": kind})
            return status, json.loads(reply)["error"]
        status, e = post(b"a=b", "application/x-www-form-urlencoded")
        assert status in (400, 415) and "application/json" in e["message"], e
        for body in (b"", b"null", b"[1]", b"{", b'{"model":"up/m",}',
                     b'{"model":"up/m"} x', b"\xff\xfe", b'{"a":"\xff"}'):
            status, e = post(body)
            assert status == 400, (body, status, e)
        assert post(b"{}")[1]["param"] == "messages"
        assert post(b'{"messages":3,"model":"up/m"}')[1]["param"] == "messages"
        assert post(b'{"messages":[],"model":3}')[1]["param"] == "model"
        assert post(b'{"messages":[],"model":"up/m","stream":"yes"}')[1][
            "param"] == "stream"
        twice = b'{"model":"up/m","messages":[],"model":"up/other"}'
        assert post(twice)[0] == 400
        deep = b'{"model":"up/m","messages":[],"x":' + b"[" * 100000 + b"}"
        status, e = post(deep)
        assert status == 400 and "deep" in e["message"], e
        host.alive()
    assert not posts(up)


def test_one_mebibyte_prompt():
    up, host = setting()
    with up, host:
        text = "wort " * 210000
        status, _, _ = host.post("/v1/chat/completions", chat("up/m", text=text))
        assert status == 200
    assert posts(up)[-1].json["messages"][0]["content"] == text


def test_aliases():
    up, host = setting()
    with up, host:
        def send(**more):
            status, _, body = host.post("/v1/chat/completions",
                                        chat("up/m", **more))
            return status, json.loads(body)
        assert send(temp=0.5, nucleus_sampling=0.9, max_length=7)[0] == 200
        got = posts(up)[-1].json
        assert got["temperature"] == 0.5 and got["top_p"] == 0.9, got
        assert 7 in (got.get("max_completion_tokens"), got.get("max_tokens"))
        assert "temp" not in got and "nucleus_sampling" not in got
        assert send(temp=0.5, temperature=0.5)[0] == 200
        status, body = send(temp=0.5, temperature=0.6)
        assert status == 400 and body["error"]["param"] == "temp", body
        status, body = send(ctx_size=4096)
        assert status == 400 and body["error"]["param"] == "ctx_size", body


def test_unknown_fields_pass_untouched():
    up, host = setting()
    with up, host:
        raw = (b'{"model":"up/m" , "brand_new":{"x":[1.50,"\\u00e9"]},\n'
               b'"messages":[{"role":"user","content":"hi"}]}')
        status, _, body = host.post("/v1/chat/completions", raw)
        assert status == 200 and json.loads(body) == completion()
    got = posts(up)[-1].body
    assert got == raw.replace(b'"up/m"', b'"m"'), got


def test_client_key_is_not_forwarded():
    up, host = setting()
    with up, host:
        host.post("/v1/chat/completions", chat("up/m"),
                  {"Authorization": "Bearer sk-client-secret",
                   "Cookie": "a=b", "X-Forwarded-For": "1.2.3.4"})
    h = posts(up)[-1].headers
    assert h["authorization"] == "Bearer sk-upstream-secret-1234", h
    assert "cookie" not in h and "x-forwarded-for" not in h, h


def test_odd_header_values_are_not_our_fault():
    """What a client may write into a header it does not pay with a 500."""
    up, host = setting()
    with up, host:
        for value in ("a\tb", "", "x; y=\"z\"", "q" * 20000):
            status, _, body = host.post("/v1/chat/completions", chat("up/m"),
                                        {"OpenAI-Beta": value})
            assert status == 200, (value[:20], body)
            seen = posts(up)[-1].headers.get("openai-beta", "")
            assert seen == value.replace("\t", " "), seen[:20]


def disconnect_case(stage):
    """A client that leaves; its upstream must see it within 100 ms."""
    up, host = setting()
    left = threading.Event()
    seen = []

    @up.on("hang")
    def hang(req, conn):
        if stage != "before the head":
            conn.sendall(SSE_HEAD + chunked(delta("Hel")))
        reached.set()
        conn.settimeout(20)
        try:
            conn.recv(1)
        except OSError:
            pass
        seen.append(time.monotonic())
        left.set()
        return False
    reached = threading.Event()
    with up, host:
        body = json.dumps(chat("up/hang", True)).encode()
        s = host.connect()
        s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert reached.wait(10)
        if stage != "before the head":
            assert b"Hel" in s.recv(65536)
        if stage == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
        at = time.monotonic()
        s.close()
        assert left.wait(10), "the upstream never heard of it"
        until(lambda: host.control("status")["calls"] == 0, "the call to end")
        assert host.counters("up")["cancelled"] == 1
        host.alive()
    return seen[0] - at


def test_disconnect_ends_the_upstream():
    for stage in ("before the head", "inside", "reset"):
        # The best of three: the promise is about the host, not about whatever
        # else this machine does.
        took = min(disconnect_case(stage) for _ in range(3))
        assert took < 0.1, (stage, took)


def test_slow_reader_pauses_the_upstream():
    up, host = setting()
    sent = [0]
    finished = threading.Event()

    @up.on("big")
    def big(req, conn):
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        conn.sendall(SSE_HEAD)
        piece = chunked(delta("x" * 8000))
        for _ in range(8000):  # 64 MB
            conn.sendall(piece)
            sent[0] += len(piece)
        conn.sendall(chunked(delta(finish="stop") + DONE) + b"0\r\n\r\n")
        finished.set()
    with up, host:
        body = json.dumps(chat("up/big", True)).encode()
        s = host.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert b"200" in s.recv(1000)
        last = [-1, 0]

        def stopped():
            last[1] = last[1] + 1 if sent[0] == last[0] else 0
            last[0] = sent[0]
            time.sleep(0.02)
            return last[1] >= 25
        until(stopped, "the upstream to be paused")
        assert sent[0] < 24 << 20, "%d bytes went into nowhere" % sent[0]
        rss = memory_of(host)
        assert rss < 64 << 10, "%d KiB resident" % rss
        data = read_until(s, DONE)
        assert data.count(b"x" * 8000) + 1 >= 7999
        assert finished.wait(20)
        s.close()


def read_until(s, mark):
    pieces, tail = [], b""
    while mark not in tail:
        p = s.recv(1 << 20)
        assert p, "the stream ended early"
        pieces.append(p)
        tail = (tail + p)[-200:]
    return b"".join(pieces)


def memory_of(host):
    with open("/proc/%d/status" % host.process.pid) as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])


def test_connection_flood_has_a_cap():
    """Fifty are served, a few more are told 503, the rest wait in the backlog."""
    up, host = setting(server="max_connections = 50;")
    with up, host:
        socks = []
        for _ in range(300):
            s = socket.socket()
            s.settimeout(10)
            s.connect(("127.0.0.1", host.port))
            socks.append(s)
        until(lambda: host.control("status")["connections"] >= 50, "the cap")
        socks[55].sendall(GOOD)
        assert status_of(read_all(socks[55])) == 503
        assert host.control("status")["connections"] <= 50 + 64
        socks[5].sendall(GOOD)
        assert status_of(socks[5].recv(4096)) == 200
        for s in socks:
            s.close()
        # Some still wait in the backlog, closed, and are seen off first.
        until(lambda: host.get("/healthz")[0] == 200, "the host to be free")


def descriptor_table(host):
    with open("/proc/%d/status" % host.process.pid) as f:
        for line in f:
            if line.startswith("FDSize"):
                return int(line.split()[1])


def test_descriptors_have_their_room_before_clients_come():
    """While a process with threads makes room for more, its loops stand still."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    up, host = setting(server="max_connections = 300;")
    with up, host:
        before = descriptor_table(host)
        assert before >= min(2 * 300, most), before
        with open(host.conf) as f:
            text = f.read()
        with open(host.conf, "w") as f:
            f.write(text.replace("max_connections = 300",
                                 "max_connections = 3000"))
        host.control("reload")
        assert descriptor_table(host) >= min(2 * 3000, most)
        assert descriptor_table(host) > before or before >= most


def test_descriptor_exhaustion():
    up, host = setting()
    with up, host:
        resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        socks = []
        for _ in range(200):
            s = socket.socket()
            s.settimeout(2)
            try:
                s.connect(("127.0.0.1", host.port))
            except OSError:
                break
            socks.append(s)
        before = cpu_of(host)
        time.sleep(0.5)  # the claim is about this stretch of time
        spent = cpu_of(host) - before
        assert spent < 0.25, "%.2f s of CPU while waiting for descriptors" % spent
        for s in socks:
            s.close()
        until(lambda: host.post("/v1/chat/completions", chat("up/m"))[0] == 200,
              "the host to answer again")


def cpu_of(host):
    with open("/proc/%d/stat" % host.process.pid) as f:
        parts = f.read().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / 100.0


def test_sigterm_drains():
    up, host = setting()
    go = threading.Event()

    @up.on("slow")
    def slow(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("Hel")))
        go.wait(20)
        for e in (delta("lo"), delta(finish="stop"), DONE):
            conn.sendall(chunked(e))
        conn.sendall(b"0\r\n\r\n")
    with up:
        host.start()
        body = json.dumps(chat("up/slow", True)).encode()
        s = host.connect()
        s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert b"Hel" in read_until(s, b"Hel")
        host.process.terminate()
        until(lambda: host.control("status")["draining"], "draining")
        refused = until(lambda: not can_connect(host.port), "no new connections")
        assert refused
        go.set()
        assert read_all(s).endswith(b"0\r\n\r\n")
        s.close()
        host.process.wait(20)
        host.stop()


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False


def test_second_sigterm_ends():
    up, host = setting()

    @up.on("hang")
    def hang(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("Hel")))
        conn.settimeout(30)
        conn.recv(1)
        return False
    with up:
        host.start()
        body = json.dumps(chat("up/hang", True)).encode()
        s = host.connect()
        s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        read_until(s, b"Hel")
        host.process.terminate()
        until(lambda: host.control("status")["draining"], "draining")
        host.process.terminate()
        host.process.wait(10)
        assert b"[DONE]" not in read_all(s)
        s.close()
        host.stop()


if __name__ == "__main__":
    main(globals())
