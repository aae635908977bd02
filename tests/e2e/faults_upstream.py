# SPDX-License-Identifier: MIT
"""Upstreams that misbehave: each fault is a clear error or the right answer, what
was cut is never called whole, and the host is alive after it."""
import gzip
import json
import socket
import struct

from harness import (DONE, SSE_HEAD, Host, Upstream, chat, chunked, completion,
                     delta, good_stream, main, openai_at, send_json,
                     send_stream, sse, until)

KEY = "sk-upstream-secret-1234"
SHORT = ('timeouts: { connect = "2s"; first_token = "700ms"; idle = "700ms"; '
         'total = "20s"; };')


def reset(conn):
    """Close with RST, not FIN."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()
    return False


def ask(fn, stream, extra=SHORT, **more):
    """One request to a host whose upstream answers with fn."""
    with Upstream() as up:
        up.on("m")(fn)
        with Host(providers=openai_at(up.url, key=KEY, extra=extra)) as host:
            status, headers, body = host.post("/v1/chat/completions",
                                              chat("up/m", stream, **more))
            host.alive()
            # The next request finds everything in order.
            up.on("good")(lambda r, c: send_json(c, 200, completion()))
            assert host.post("/v1/chat/completions",
                             chat("up/good"))[0] == 200
            text = host.errors()
            assert KEY not in text, "the key is in the log"
    assert KEY.encode() not in body
    return status, headers, body


def error_of(body):
    e = json.loads(body)["error"]
    assert e["message"] and e["type"], e
    return e


def expect_error(fn, stream, status, code=None, **more):
    got, headers, body = ask(fn, stream, **more)
    assert got == status, (got, body)
    assert headers["content-type"] == "application/json"
    e = error_of(body)
    if code:
        assert e["code"] == code, e
    return headers, e


def expect_broken_stream(fn, text, **more):
    """The text that came, then an error event, and no [DONE]."""
    status, headers, body = ask(fn, True, **more)
    assert status == 200, (status, body)
    assert headers["content-type"].startswith("text/event-stream")
    events = sse(body)
    assert "[DONE]" not in events, events
    last = json.loads(events[-1])
    assert "error" in last and last["error"]["message"], events
    got = "".join(c["delta"].get("content") or "" for e in events[:-1]
                  for c in json.loads(e)["choices"])
    assert got == text, (got, text)
    for e in events[:-1]:
        for c in json.loads(e)["choices"]:
            assert c["finish_reason"] is None, "a cut answer has a stop"
    return last["error"]


def both(fn, status, **more):
    for stream in (False, True):
        expect_error(fn, stream, status, **more)


def test_reset_before_headers():
    both(lambda r, c: reset(c), 502)


def test_closed_before_headers():
    both(lambda r, c: False, 502)


def test_silence():
    gone = []

    def silent(req, conn):
        conn.settimeout(10)
        gone.append(conn.recv(1))  # b"": the host hung up
        return False
    both(silent, 504)
    assert gone == [b"", b""], gone


def test_head_then_silence():
    def silent(req, conn):
        conn.sendall(SSE_HEAD)
        conn.settimeout(10)
        conn.recv(1)
        return False
    expect_error(silent, True, 504)


def test_stall_inside_a_stream():
    def stall(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("Hel")))
        conn.settimeout(10)
        conn.recv(1)
        return False
    expect_broken_stream(stall, "Hel")


def test_cut_between_events():
    def cut(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("Hel")) + chunked(delta("lo")))
        return False
    expect_broken_stream(cut, "Hello")


def test_cut_inside_an_event():
    def cut(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("Hel")) +
                     chunked(delta("lo")[:40]))
        return False
    expect_broken_stream(cut, "Hel")


def test_reset_inside_a_stream():
    def cut(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("Hel")))
        until(lambda: seen_all(conn), "the host to have read")
        return reset(conn)
    expect_broken_stream(cut, "Hel")


def seen_all(conn):
    import fcntl
    import termios
    # SIOCOUTQ: bytes not yet acknowledged
    return struct.unpack("i", fcntl.ioctl(conn, termios.TIOCOUTQ,
                                          b"\0\0\0\0"))[0] == 0


def test_no_done():
    def no_done(req, conn):
        send_stream(conn, good_stream()[:-1])
    status, _, body = ask(no_done, True)
    events = sse(body)
    assert "[DONE]" not in events and "error" in json.loads(events[-1]), events


def test_cut_whole_reply():
    def cut(req, conn):
        body = json.dumps(completion()).encode()
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body[:-20])
        return False
    expect_error(cut, False, 502)


def test_whole_reply_without_a_finish():
    def odd(req, conn):
        send_json(conn, 200, {"id": "x", "object": "chat.completion",
                              "choices": [], "model": "m"})
    expect_error(odd, False, 502)


def test_half_a_character():
    def half(req, conn):
        event = delta("gr\u00fcn").replace(b"\\u00fc", "\u00fc".encode())
        at = event.index("\u00fc".encode()) + 1
        conn.sendall(SSE_HEAD + chunked(event[:at]))
        conn.sendall(chunked(event[at:] + delta(finish="stop") + DONE) +
                     b"0\r\n\r\n")
    status, _, body = ask(half, True)
    assert status == 200 and "gr\u00fcn".encode() in body, body
    assert sse(body)[-1] == "[DONE]"


def test_cut_inside_a_character():
    def half(req, conn):
        event = delta("gr\u00fcn").replace(b"\\u00fc", "\u00fc".encode())
        conn.sendall(SSE_HEAD + chunked(delta("a")) +
                     chunked(event[:event.index("\u00fc".encode()) + 1]))
        return False
    expect_broken_stream(half, "a")


def test_malformed_event():
    def odd(req, conn):
        send_stream(conn, [delta("Hel"), b"data: {\"choices\": [}\n\n",
                           delta("lo"), DONE])
    expect_broken_stream(odd, "Hel")


def test_malformed_first_event():
    def odd(req, conn):
        send_stream(conn, [b"data: nonsense\n\n", DONE])
    expect_error(odd, True, 502)


def test_error_event_first():
    def err(req, conn):
        send_stream(conn, [delta(role="assistant", content=""),
                           b'data: {"error":{"message":"overloaded now",'
                           b'"type":"server_error","code":503}}\n\n'])
    status, _, body = ask(err, True)
    assert status >= 500, (status, body)
    assert "error" in json.loads(body)


def test_error_event_inside():
    def err(req, conn):
        send_stream(conn, [delta("Hel"), b'data: {"error":"it broke"}\n\n'])
    e = expect_broken_stream(err, "Hel")
    assert "it broke" in e["message"], e


def test_ten_megabyte_line():
    def long(req, conn):
        send_stream(conn, [delta("x" * 10_000_000), delta(finish="stop"), DONE])
    status, _, body = ask(long, True)
    assert status == 200 and len(body) > 10_000_000
    assert sse(body)[-1] == "[DONE]"


def test_line_over_the_limit():
    def long(req, conn):
        try:
            send_stream(conn, [delta("a"), delta("x" * 3_000_000), DONE])
        except OSError:
            return False
    expect_broken_stream(long, "a", extra=SHORT + ' max_record = "1M";')


def test_endless_whole_reply():
    def endless(req, conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            for _ in range(1000):
                conn.sendall(b" " * 65536)
        except OSError:
            return False
        return False
    expect_error(endless, False, 502, extra=SHORT + ' max_reply = "1M";')


def test_gzip_nobody_asked_for():
    def zipped(req, conn):
        assert "accept-encoding" not in req.headers, req.headers
        body = gzip.compress(json.dumps(completion()).encode())
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
                     % len(body) + body)
    expect_error(zipped, False, 502)


def test_chunked_oddities():
    def odd(req, conn):
        data = b"".join(good_stream())
        conn.sendall(b"HTTP/1.1 200 OK\r\ncontent-type:text/event-stream;"
                     b"charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(data), 7):
            piece = data[i:i + 7]
            conn.sendall(b"%04X;name=value\r\n%s\r\n" % (len(piece), piece))
        conn.sendall(b"000\r\nX-Trailer: 1\r\n\r\n")
    status, _, body = ask(odd, True)
    assert status == 200 and body == b"".join(good_stream()), body


def test_broken_chunking():
    def odd(req, conn):
        conn.sendall(SSE_HEAD + chunked(delta("Hel")) + b"zz\r\nwhat\r\n")
        return False
    expect_broken_stream(odd, "Hel")


def test_http_10():
    def old(req, conn):
        conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
                     + json.dumps(completion("old")).encode())
        return False
    status, _, body = ask(old, False)
    assert status == 200 and json.loads(body) == completion("old")


def test_http_10_stream():
    def old(req, conn):
        conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
                     + b"".join(good_stream()))
        return False
    status, _, body = ask(old, True)
    assert status == 200 and sse(body)[-1] == "[DONE]"


def test_string_error_body():
    def err(req, conn):
        send_json(conn, 400, {"error": "no such thing"})
    status, _, body = ask(err, False)
    assert status == 400 and b"no such thing" in body, body


def test_html_error_body():
    def err(req, conn):
        body = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        conn.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body)
    both(err, 502)


def test_huge_error_body():
    def err(req, conn):
        try:
            send_json(conn, 500, {"error": {"message": "x" * 5_000_000}})
        except OSError:
            return False
    status, _, body = ask(err, False)
    assert status in (500, 502, 503) and len(body) < 100_000, (status, len(body))


def test_json_where_a_stream_was_asked():
    status, headers, body = ask(
        lambda r, c: send_json(c, 200, completion("whole")), True,
        stream_options={"include_usage": True})
    assert status == 200 and headers["content-type"] == "text/event-stream"
    events = sse(body)
    assert events[-1] == "[DONE]", events
    parts = [json.loads(e) for e in events[:-1]]
    assert parts[0]["choices"][0]["delta"]["content"] == "whole"
    assert parts[-2]["choices"][0]["finish_reason"] == "stop"
    assert parts[-1]["usage"]["completion_tokens"] == 2


def test_json_error_where_a_stream_was_asked():
    def err(req, conn):
        send_json(conn, 200, {"error": {"message": "not today",
                                        "type": "server_error"}})
    status, _, body = ask(err, True)
    assert status >= 400 and b"not today" in body, (status, body)


def test_stream_where_json_was_asked():
    expect_error(lambda r, c: send_stream(c, good_stream()), False, 502)


def test_our_key_refused_is_not_the_clients_fault():
    def err(req, conn):
        send_json(conn, 401, {"error": {
            "message": "Incorrect API key provided: %s" % KEY,
            "type": "invalid_request_error", "code": "invalid_api_key"}})
    status, _, body = ask(err, False)
    assert status >= 500, (status, body)
    assert KEY.encode() not in body


def test_rate_limit_and_retry_after():
    def err(req, conn):
        send_json(conn, 429, {"error": {"message": "slow down", "type":
                              "requests", "code": "rate_limit_exceeded"}},
                  "Retry-After: 7\r\n")
    for stream in (False, True):
        headers, e = expect_error(err, stream, 429, "rate_limit_exceeded")
        assert headers["retry-after"] == "7", headers


def test_context_overflow_passes():
    sent = {"error": {"message": "too long", "type": "invalid_request_error",
                      "param": "messages", "code": "context_length_exceeded"}}
    status, _, body = ask(lambda r, c: send_json(c, 400, sent), False)
    assert status == 400 and json.loads(body) == sent, body


def test_not_found_passes():
    sent = {"error": {"message": "The model `m` does not exist", "type":
                      "invalid_request_error", "param": None,
                      "code": "model_not_found"}}
    status, _, body = ask(lambda r, c: send_json(c, 404, sent), True)
    assert status == 404 and json.loads(body) == sent, body


def test_refused_connection():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with Host(providers=openai_at("http://127.0.0.1:%d" % port)) as host:
        status, _, body = host.post("/v1/chat/completions", chat("up/m"))
        assert status == 502, (status, body)
        e = error_of(body)
        assert "up" in e["message"], e
        host.alive()


def test_refusal_without_end():
    """An error body that never ends is not waited for."""
    def endless(r, conn):
        conn.sendall(b"HTTP/1.1 429 X\r\nContent-Type: application/json\r\n"
                     b"\r\n")
        try:
            while True:
                conn.sendall(b"x" * 4096)
        except OSError:
            pass
    expect_error(endless, False, 429, extra="")


def test_refusal_that_is_cut():
    """The status counts, whatever became of the body."""
    def cut(r, conn):
        conn.sendall(b"HTTP/1.1 429 X\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 5000\r\n\r\n{\"error\":{\"mess")
        return False
    expect_error(cut, False, 429)


def test_chatter_behind_the_end_mark():
    def more(r, conn):
        conn.settimeout(0.2)
        conn.sendall(SSE_HEAD + b"".join(chunked(e) for e in good_stream()))
        try:
            while True:
                try:
                    if not conn.recv(1):
                        return False
                except socket.timeout:
                    conn.sendall(chunked(b": more\n\n"))
        except OSError:
            return False
    status, _, body = ask(more, True, extra="")
    assert status == 200 and sse(body)[-1] == "[DONE]", body


def test_more_than_can_be_shown():
    """A whole reply where a stream was asked, with more choices than are
    rendered: what is left out is not passed over in silence."""
    def many(r, conn):
        c = completion()
        c["choices"] = [dict(c["choices"][0], index=i) for i in range(200)]
        send_json(conn, 200, c)
    status, _, body = ask(many, True)
    events = sse(body)
    assert status == 200 and "[DONE]" not in events, events[-3:]
    assert json.loads(events[-1])["error"]["code"] == \
        "provider_reply_too_large", events[-1]


def test_max_reply_above_its_default():
    text = "z" * (65 << 20)
    status, _, body = ask(
        lambda r, c: send_json(c, 200, completion(text)), False,
        extra='max_reply = "80M";')
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"] == text


def test_listing_of_a_silent_provider():
    """However many ask for the models, and leave, a provider is asked once at a
    time by each loop, so that there is room for other calls."""
    def silent(r, conn):
        if r.method != "GET":
            return send_json(conn, 200, completion())
        try:
            conn.recv(1)
        except OSError:
            pass
        return False
    with Upstream(silent) as up, Host(providers=openai_at(up.url),
                                      server="max_calls = 4;") as host:
        asking = [host.connect() for _ in range(24)]
        for s in asking:
            s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        status = until(lambda: host.control("status"), "the status")
        until(lambda: len(up.requests) >= 1, "the provider to be asked")
        assert host.post("/v1/chat/completions", chat("up/m"))[0] == 200
        for s in asking:
            s.close()
        until(lambda: host.control("status")["connections"] == 0,
              "the clients to be gone")
        assert host.control("status")["calls"] <= status["loops"] + 1
        for _ in range(8):
            assert host.post("/v1/chat/completions", chat("up/m"))[0] == 200


def test_redirect_is_not_followed():
    hits = []

    def away(req, conn):
        hits.append(req.path)
        conn.sendall(b"HTTP/1.1 307 X\r\nLocation: /elsewhere\r\n"
                     b"Content-Length: 0\r\n\r\n")
    status, _, body = ask(away, False)
    assert status == 502 and hits == ["/v1/chat/completions"], (status, hits)


def test_oversized_head():
    def big(req, conn):
        try:
            conn.sendall(b"HTTP/1.1 200 OK\r\n" +
                         b"X-Filler: %s\r\n" % (b"y" * 1000) * 200 + b"\r\n")
        except OSError:
            pass
        return False
    expect_error(big, False, 502)


def test_keepalives_then_answer():
    def slow(req, conn):
        conn.sendall(SSE_HEAD + chunked(b": ping\n\n: ping\n\n"))
        for e in good_stream():
            conn.sendall(chunked(e))
        conn.sendall(b"0\r\n\r\n")
    status, _, body = ask(slow, True)
    assert status == 200 and sse(body)[-1] == "[DONE]"
    assert body == b": ping\n\n: ping\n\n" + b"".join(good_stream())


if __name__ == "__main__":
    main(globals())
