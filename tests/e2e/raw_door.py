# SPDX-License-Identifier: MIT
"""The raw door, /raw/{provider}/...: what goes up, what comes back, and what
cannot get out of it, against scripted upstreams."""
import hashlib
import json
import os
import socket
import threading

from harness import (BOUND, Host, LOOPBACK, Upstream, chunked, main, openai_at,
                     read_all, send_json, send_stream, until)

KEY = "sk-upstream-secret-1234"
CHAT_KEY, RAW_KEY = "pbk_chat_only_0001", "pbk_raw_client_0002"


def client_keys():
    def one(name, key, rights):
        return '{ name = "%s"; sha256 = "%s"; rights = ( %s ); }' % (
            name, hashlib.sha256(key.encode()).hexdigest(),
            ", ".join('"%s"' % r for r in rights))
    return "keys: ( %s, %s );" % (one("talker", CHAT_KEY, ["chat"]),
                                  one("raw", RAW_KEY, ["raw"]))


def echo(req, conn):
    """Tells what came; some paths do something else."""
    path = req.path.split("?")[0]
    if path == "/v1/models":
        return send_json(conn, 200, {"object": "list", "data": [
            {"id": "m", "object": "model", "created": 1, "owned_by": "up"}]})
    if path.endswith("/redirect"):
        conn.sendall(b"HTTP/1.1 302 Found\r\nLocation: " +
                     req.headers["x-to"].encode() +
                     b"\r\nContent-Length: 0\r\n\r\n")
        return None
    if path.endswith("/events"):
        return send_stream(conn, [b"data: one\n\n", b": note\n\n",
                                  b"data: two\n\n"])
    if path.endswith("/file"):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n"
                     b"Content-Disposition: attachment; filename=\"a.mp3\"\r\n"
                     b"X-Request-Id: up-77\r\nSet-Cookie: s=1\r\n"
                     b"OpenAI-Organization: org-secret\r\n"
                     b"Server: upstream/1\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
                     b"Content-Length: 6\r\n\r\n\x00\xff\r\n\x01\x02")
        return None
    if path.endswith("/empty"):
        conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        return None
    if path.endswith("/bad"):
        return send_json(conn, 400, {"error": {
            "message": "no such purpose", "type": "invalid_request_error",
            "param": "purpose", "code": None}})
    if path.endswith("/denied"):
        return send_json(conn, 401, {"error": {
            "message": "Incorrect API key provided: " + KEY, "type": "x",
            "param": None, "code": "invalid_api_key"}})
    if path.endswith("/short"):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                     b"Content-Length: 100\r\n\r\nonly this")
        return False
    body = {"method": req.method, "path": req.path, "headers": req.headers,
            "length": len(req.body),
            "sha256": hashlib.sha256(req.body).hexdigest()}
    data = b"" if req.method == "HEAD" else json.dumps(body).encode()
    conn.sendall(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(data) + data)
    return None


def asked(up):
    """What was asked of it, but for the host's own question for its models."""
    return [r for r in up.requests if r.path != "/v1/models"]


def shown(answer):
    status, _, body = answer
    assert status == 201, answer
    return json.loads(body)


def error(answer, status, words=""):
    assert answer[0] == status, answer
    e = json.loads(answer[2])["error"]
    assert words in e["message"], e
    return e


def setup(**more):
    up = Upstream(echo)
    providers = openai_at(up.url) + LOOPBACK
    return up, Host(providers=providers, **more)


def test_methods_bodies_and_query():
    up, host = setup()
    with up, host:
        for method in ("GET", "DELETE", "POST", "PUT", "PATCH", "OPTIONS"):
            got = shown(host.post("/raw/up/files/f-1?a=b%20c&limit=2", None,
                                  method=method))
            assert got["method"] == method
            assert got["path"] == "/v1/files/f-1?a=b%20c&limit=2", got
            assert got["length"] == 0
        got = shown(host.post("/raw/up/fine_tuning/jobs", {"model": "m"}))
        assert got["headers"]["content-type"] == "application/json"
        assert got["length"] == len(json.dumps({"model": "m"}))
        got = shown(host.post("/raw/up/x", b"\x00\x01 not JSON",
                              {"Content-Type": "audio/wav"}))
        assert got["headers"]["content-type"] == "audio/wav"
        assert got["sha256"] == hashlib.sha256(b"\x00\x01 not JSON").hexdigest()
        status, headers, body = host.get("/raw/up/files", method="HEAD")
        assert (status, body) == (201, b"") and asked(up)[-1].method == "HEAD"
        assert shown(host.get("/raw/up"))["path"] == "/v1/"
        assert shown(host.get("/raw/up/"))["path"] == "/v1/"


def test_credentials_are_ours_and_headers_filtered():
    up, host = setup()
    given = {"Authorization": "Bearer client-secret", "X-Api-Key": "client-key",
             "Api-Key": "client-key2", "Cookie": "session=client-cookie",
             "X-Goog-Api-Key": "client-goog", "X-Auth-Token": "client-token",
             "Proxy-Authorization": "Basic client-proxy",
             "Proxy-Connection": "keep-alive", "TE": "trailers",
             "Upgrade": "websocket", "Connection": "x-mine, upgrade",
             "X-Mine": "client-hop", "Keep-Alive": "timeout=5",
             "Origin": "http://127.0.0.1:%d", "Referer": "http://here/",
             "X-Forwarded-For": "10.1.2.3", "Forwarded": "for=10.1.2.3",
             "Via": "1.1 x", "X-HTTP-Method-Override": "DELETE",
             "Accept-Encoding": "gzip", "Trailer": "x-after",
             "OpenAI-Organization": "org-client", "OpenAI-Beta": "assistants=v2",
             "X-New-Header": "passes", "Accept": "text/event-stream",
             "Range": "bytes=0-9", "Idempotency-Key": "idem-1"}
    with up, host:
        given["Origin"] %= host.port
        h = shown(host.get("/raw/up/files", given))["headers"]
        assert h["authorization"] == "Bearer " + KEY, h
        assert h["host"] == "127.0.0.1:%d" % up.port
        assert "client-" not in json.dumps(h), h
        for name in ("cookie", "x-api-key", "api-key", "x-goog-api-key", "te",
                     "x-mine", "upgrade", "x-forwarded-for", "forwarded",
                     "via", "origin", "referer", "trailer", "keep-alive",
                     "proxy-authorization", "x-http-method-override",
                     "openai-organization", "accept-encoding"):
            assert name not in h, (name, h)
        assert h["openai-beta"] == "assistants=v2"
        assert h["x-new-header"] == "passes"
        assert h["accept"] == "text/event-stream"
        assert h["range"] == "bytes=0-9" and h["idempotency-key"] == "idem-1"


def test_each_key_goes_to_its_own_provider():
    keys = {"up": KEY, "claude": "sk-ant-raw-2222", "router": "sk-or-raw-3333"}
    ups = {name: Upstream(echo) for name in keys}
    path = {"up": "/v1/x", "claude": "/x", "router": "/api/v1/x"}
    with ups["up"], ups["claude"], ups["router"]:
        with Host(providers=openai_at(ups["up"].url) + """
                claude: { type = "claude"; base_url = "%s"; api_key = "%s";
                          headers: { x-extra = "ours"; }; };
                router: { type = "openrouter"; base_url = "%s/api/v1";
                          api_key = "%s"; };""" % (
                ups["claude"].url, keys["claude"], ups["router"].url,
                keys["router"])) as host:
            for name, key in keys.items():
                h = {"Authorization": "Bearer client-1", "x-api-key": "client-2",
                     "X-Extra": "client-3", "anthropic-version": "2023-01-01"}
                got = shown(host.get("/raw/%s/x" % name, h))
                assert got["path"] == path[name], got
                sent = json.dumps(got["headers"])
                assert "client-1" not in sent and "client-2" not in sent
                if name == "claude":
                    assert got["headers"]["x-api-key"] == key
                    assert got["headers"]["x-extra"] == "ours"
                    assert got["headers"]["anthropic-version"] == "2023-01-01"
                    assert "authorization" not in got["headers"]
                else:
                    assert got["headers"]["authorization"] == "Bearer " + key
                for other in keys:
                    assert (keys[other] in sent) == (other == name), sent
            for key in keys.values():
                assert key not in host.errors()


def test_reply_headers_by_allow_list():
    up, host = setup()
    with up, host:
        status, h, body = host.get("/raw/up/file")
        assert status == 200 and body == b"\x00\xff\r\n\x01\x02"
        assert h["content-type"] == "audio/mpeg"
        assert h["content-disposition"] == 'attachment; filename="a.mp3"'
        assert h["x-upstream-request-id"] == "up-77"
        assert h["x-request-id"].startswith("req_")
        assert h["x-patchbay-provider"] == "up"
        for name in ("set-cookie", "openai-organization", "server", "x-hop"):
            assert name not in h, h
        assert host.get("/raw/up/empty")[0] == 204


def test_answers_stream():
    arrived = threading.Event()

    def slow(req, conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n" +
                     chunked(b"data: first\n\n"))
        assert arrived.wait(BOUND), "the first piece was held back"
        conn.sendall(chunked(b"data: last\n\n") + b"0\r\n\r\n")

    up, host = setup()
    with up, host:
        assert host.get("/raw/up/events")[2] == \
            b"data: one\n\n: note\n\ndata: two\n\n"
        up.answer = slow
        with host.connect() as s:
            s.sendall(b"GET /raw/up/x HTTP/1.1\r\nHost: h\r\n"
                      b"Connection: close\r\n\r\n")
            got = b""
            while b"data: first" not in got:
                piece = s.recv(4096)
                assert piece, got
                got += piece
            arrived.set()
            got += read_all(s)
        assert b"data: last" in got and got.endswith(b"0\r\n\r\n")
        up.answer = echo
        # one that breaks off is seen to: no end of the chunks
        with host.connect() as s:
            s.sendall(b"GET /raw/up/short HTTP/1.1\r\nHost: h\r\n\r\n")
            got = read_all(s)
        assert b"only this" in got and not got.endswith(b"0\r\n\r\n"), got


# However a way up is written, either the host refuses it or it stays below /v1.
WAYS_UP = [
    "/raw/up/../../admin", "/raw/up/%2e%2e/%2e%2e/admin", "/raw/up/.%2e/admin",
    "/raw/up/%2E./admin", "/raw/up/x/../../../admin", "/raw/up/..%2fadmin",
    "/raw/up/..%2Fadmin", "/raw/up/%2e%2e%2fadmin", "/raw/up/..\\admin",
    "/raw/up/..%5cadmin", "/raw/up/%5c..%5cadmin", "/raw/up/%252e%252e/admin",
    "/raw/up/%252e%252e%252fadmin", "/raw/up/..;/admin",
    "/raw/up/..;x=y/admin", "/raw/up/%2e%2e;/admin", "/raw/up/./../admin",
    "/raw/up/%c0%ae%c0%ae/admin", "/raw/up/%e0%80%ae./admin",
    "/raw/up/a%00b", "/raw/up/a%0d%0aX-Evil:%201", "/raw/up/a%09b",
    "/raw/up/%", "/raw/up/%2", "/raw/up/%zz", "/raw/up/http://evil.test/x",
    "/raw/up/https://evil.test/", "/raw/up/x#frag", "/raw/../admin",
    "/raw/%2e%2e/up/x", "/raw/./x", "/raw//x", "/raw/up%2f..%2fx",
    "/raw/up%00/x", "/raw%2fup/x", "/%72aw/up/x", "/raw/@evil.test/x",
    "/raw/nobody/x", "/raw/up@evil.test/x", "/raw/up:80/x", "/raw/UP/x"]


def test_traversal_is_refused():
    up, host = setup()
    with up, host:
        for path in WAYS_UP:
            before = len(asked(up))
            answer = host.raw(b"GET " + path.encode() + b" HTTP/1.1\r\n"
                              b"Host: h\r\nConnection: close\r\n\r\n")
            status = int(answer.split(b" ")[1])
            assert 400 <= status < 500, (path, answer)
            assert len(asked(up)) == before, (path, asked(up)[-1].path)
            assert KEY.encode() not in answer, path
        host.alive()


def test_what_is_odd_stays_below_the_base_url():
    up, host = setup()
    same = [("/raw/up//files///f", "/v1/files/f"),
            ("/raw/up/a%2Fb", "/v1/a%2Fb"), ("/raw/up/a%2fb/c", "/v1/a%2Fb/c"),
            ("/raw/up/@evil.test/x", "/v1/@evil.test/x"),
            ("/raw/up//evil.test/x", "/v1/evil.test/x"),
            ("/raw/up/a%20b", "/v1/a%20b"), ("/raw/up/%41", "/v1/A"),
            ("/raw/up/%3Fx", "/v1/%3Fx"), ("/raw/up/%23x", "/v1/%23x"),
            ("/raw/up/...", "/v1/..."), ("/raw/up/.hidden", "/v1/.hidden"),
            ("/raw/up/a..b", "/v1/a..b"), ("/raw/up/x/", "/v1/x/"),
            ("/raw/up/m%C3%BCll", "/v1/m%C3%BCll"),
            ("/raw/up/a:b;c=d,e", "/v1/a:b;c=d,e"),
            ("/raw/up/x?u=http://evil.test/../..", "/v1/x?u=http://evil.test/../..")]
    with up, host:
        for sent, came in same:
            assert shown(host.get(sent))["path"] == came, sent
        # a target that is a whole URL counts by its path, its host by nothing
        answer = host.raw(b"GET http://evil.test/raw/up/x HTTP/1.1\r\n"
                          b"Host: evil.test\r\nConnection: close\r\n\r\n")
        if answer.startswith(b"HTTP/1.1 201"):
            assert asked(up)[-1].path == "/v1/x"
            assert asked(up)[-1].headers["host"] == "127.0.0.1:%d" % up.port
        else:
            assert answer.startswith(b"HTTP/1.1 4"), answer


def test_redirects_are_not_followed():
    with Upstream(echo) as thief:
        up, host = setup()
        with up, host:
            for to in (thief.url + "/steal", "//127.0.0.1:%d/" % thief.port,
                       "/v1/elsewhere"):
                before = len(asked(up))
                e = error(host.get("/raw/up/redirect", {"X-To": to}), 502,
                          "redirect")
                assert to not in e["message"]
                assert len(asked(up)) == before + 1
            assert not thief.requests


def test_smuggling():
    up, host = setup()
    attempts = [
        b"POST /raw/up/a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /raw/up/a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
        b"Content-Length: 30\r\n\r\nabcd",
        b"POST /raw/up/a HTTP/1.1\r\nHost: h\r\n"
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /raw/up/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked"
        b"\r\n\r\n0\r\n\r\n",
        b"POST /raw/up/a HTTP/1.1\r\nHost: h\r\nX: y\n"
        b"Content-Length: 3\r\n\r\nabc",
        b"GET /raw/up/a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
        b"GET /raw/up/a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        b"FOO\r\n /raw/up/a HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /raw/up/a?x=\r\nX-Evil: 1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"TRACE /raw/up/a HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT /raw/up/a HTTP/1.1\r\nHost: h\r\n\r\n"]
    with up, host:
        for data in attempts:
            answer = host.raw(data)
            assert answer.startswith(b"HTTP/1.1 4") or \
                answer.startswith(b"HTTP/1.1 5"), (data, answer)
            assert answer.count(b"HTTP/1.1 ") == 1, answer
        assert not asked(up), asked(up)[0].path
        # what looks like a second request inside of a body is a body
        inner = b"GET /v1/stolen HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = host.raw(
            b"POST /raw/up/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
            % (len(inner), inner))
        assert answer.startswith(b"HTTP/1.1 201"), answer
        assert [r.path for r in asked(up)] == ["/v1/a"]
        assert asked(up)[0].body == inner


def anonymous_kib(host):
    with open("/proc/%d/status" % host.process.pid) as f:
        for line in f:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    raise AssertionError("no RssAnon")


def multipart_upload(host, size, how, headers=b""):
    """POST a file of `size` bytes as multipart/form-data, piece by piece; the
    reply and the hash of what was sent."""
    mark = b"----patchbay-test"
    head = (b'--%s\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n'
            b'batch\r\n--%s\r\nContent-Disposition: form-data; name="file"; '
            b'filename="big.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n'
            % (mark, mark))
    tail = b"\r\n--%s--\r\n" % mark
    sent = hashlib.sha256()
    piece = os.urandom(65536)
    with host.connect(BOUND * 4) as s:
        line = b"Content-Length: %d" % (len(head) + size + len(tail)) \
            if how == "length" else b"Transfer-Encoding: chunked"
        s.sendall(b"POST /raw/up/files HTTP/1.1\r\nHost: h\r\n%sContent-Type: "
                  b"multipart/form-data; boundary=%s\r\nConnection: close\r\n"
                  b"%s\r\n\r\n" % (headers, mark, line))

        def put(data):
            sent.update(data)
            s.sendall(data if how == "length" else chunked(data))
        try:
            put(head)
            left = size
            while left:
                put(piece[:min(left, len(piece))])
                left -= min(left, len(piece))
            put(tail)
            if how != "length":
                s.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused meanwhile: the answer is there to be read
        return read_all(s), sent.hexdigest()


def spooled_files(host):
    """Files without a name that the host has open."""
    out = []
    base = "/proc/%d/fd" % host.process.pid
    for fd in os.listdir(base):
        try:
            name = os.readlink(os.path.join(base, fd))
        except OSError:
            continue
        if name.endswith("(deleted)") and ("upload-" in name or
                                           name.startswith(host.dir)):
            out.append(name)
    return out


def test_multipart_larger_than_memory():
    size = 96 << 20
    up, host = setup()
    with up, host:
        before = anonymous_kib(host)
        most = []

        def look(req, conn):
            most.append(anonymous_kib(host))
            assert spooled_files(host), "the upload is in no file"
            return echo(req, conn)

        up.answer = look
        for how in ("length", "chunked"):
            answer, sha = multipart_upload(host, size, how)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 201"), answer[:500]
            assert sha.encode() in body, "other bytes came than were sent"
            r = asked(up)[-1]
            assert r.headers["content-type"].startswith("multipart/form-data; "
                                                        "boundary=----patchbay")
            assert int(r.headers["content-length"]) == len(r.body) > size
        if not os.environ.get("PATCHBAY_SANITIZERS"):
            assert max(most) - before < 16 << 10, (before, most)
        until(lambda: not spooled_files(host), "the files to be given back")
        assert not [f for f in os.listdir(host.dir) if f.startswith("upload")]


def test_spool_is_bounded():
    up, host = setup(server='max_upload = "1M"; max_spool = "1M";')
    with up, host:
        for how in ("length", "chunked"):
            answer, _ = multipart_upload(host, 3 << 20, how)
            assert answer.startswith(b"HTTP/1.1 413"), (how, answer[:300])
            assert b"max_upload" in answer
        assert not asked(up)
        until(lambda: not spooled_files(host), "the files to be given back")
        # two uploads side by side that do not fit together: the later one waits
        with host.connect() as first:
            half = b"x" * (700 << 10)
            first.sendall(b"POST /raw/up/files HTTP/1.1\r\nHost: h\r\n"
                          b"Content-Length: %d\r\n\r\n" % (800 << 10) + half)
            until(lambda: spooled_files(host), "the first one to be in a file")
            answer = host.post("/raw/up/files", half)
            e = error(answer, 503, "max_spool")
            assert e and int(answer[1]["retry-after"]) > 0
        until(lambda: not spooled_files(host), "a client that left")
        shown(host.post("/raw/up/files", half))
        host.alive()


def test_rights():
    up, host = setup(top=client_keys())
    with up, host:
        error(host.get("/raw/up/files"), 401, "no API key")
        error(host.get("/raw/up/files", {"Authorization": "Bearer nonsense"}),
              401)
        error(host.get("/raw/up/files",
                       {"Authorization": "Bearer " + CHAT_KEY}), 403, '"raw"')
        assert not asked(up)
        ok = {"Authorization": "Bearer " + RAW_KEY}
        assert shown(host.get("/raw/up/files", ok))["headers"][
            "authorization"] == "Bearer " + KEY
        assert RAW_KEY not in json.dumps(asked(up)[-1].headers)
        # refused before the body is read
        with host.connect() as s:
            s.sendall(b"POST /raw/up/files HTTP/1.1\r\nHost: h\r\n"
                      b"Content-Length: 1000000\r\nExpect: 100-continue\r\n"
                      b"Connection: close\r\n\r\n")
            answer = read_all(s)
        assert answer.startswith(b"HTTP/1.1 401"), answer


def test_a_web_page_cannot_use_it():
    up, host = setup()
    with up, host:
        status, _, _ = host.get("/raw/up/files",
                                {"Origin": "https://evil.test"})
        assert status in (401, 403) and not asked(up)


def test_errors():
    up, host = setup()
    with up, host:
        status, h, body = host.get("/raw/up/bad")
        assert status == 400 and json.loads(body)["error"]["param"] == "purpose"
        status, h, body = host.get("/raw/up/denied")
        assert status in (401, 502, 503) and KEY.encode() not in body, body
        error(host.get("/raw/nobody/x"), 404, 'no provider "nobody"')
        status, h, body = host.get("/raw/loopback/x")
        assert status >= 400 and b"has no raw door" in body, body
        with socket.socket() as s:  # nobody listens there
            s.bind(("127.0.0.1", 0))
            gone = s.getsockname()[1]
        host.write_conf(openai_at("http://127.0.0.1:%d" % gone))
        host.control("reload")
        status, h, body = host.get("/raw/up/x")
        assert status in (502, 503), body
        assert KEY not in host.errors(), "the log holds the key"


def test_usage_is_read_along():
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    claude = {"input_tokens": 11, "output_tokens": 1}
    said = "x" * 20000 + '"usage":{"prompt_tokens":999}'

    def reply(req, conn):
        if req.path == "/v1/models" or req.path == "/api/tags":
            return send_json(conn, 404, {"error": {"message": "none"}})
        if req.path == "/v1/whole":
            return send_json(conn, 200, {"text": said, "usage": usage})
        if req.path == "/v1/stream":
            return send_stream(conn, [
                b"data: " + json.dumps({"t": said, "usage": None}).encode() +
                b"\n\n", b"data: " + json.dumps(
                    {"choices": [], "usage": usage}).encode() +
                b"\n\n", b"data: [DONE]\n\n"])
        if req.path == "/v1/claude":
            return send_stream(conn, [
                b"event: message_start\ndata: " + json.dumps(
                    {"type": "message_start", "message": {
                        "usage": claude}}).encode() + b"\n\n",
                b"data: " + json.dumps({"t": said}).encode() + b"\n\n",
                b"event: message_delta\ndata: " + json.dumps(
                    {"type": "message_delta", "usage": {
                        "output_tokens": 5}}).encode() + b"\n\n"])
        if req.path == "/api/raw":
            return send_json(conn, 200, {"response": said, "eval_count": 4,
                                         "prompt_eval_count": 6, "done": True})
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                     b"Content-Length: 35\r\n\r\n" +
                     b'{"usage":{"prompt_tokens":1000000}}')
        return None

    def counted(name):
        c = host.counters(name)
        return c["input_tokens"], c["output_tokens"]

    with Upstream(reply) as up, Host(providers=openai_at(up.url) + """
            claude: { type = "claude"; base_url = "%s"; api_key = "k"; };
            ollama: { type = "ollama"; base_url = "%s"; };""" % (
            up.url, up.url)) as host:
        assert json.loads(host.get("/raw/up/whole")[2])["usage"] == usage
        assert counted("up") == (7, 3)
        assert host.get("/raw/up/stream")[2].endswith(b"data: [DONE]\n\n")
        assert counted("up") == (14, 6)
        assert host.get("/raw/up/plain")[0] == 200  # no JSON: not looked into
        assert counted("up") == (14, 6)
        assert host.get("/raw/claude/v1/claude")[0] == 200
        assert counted("claude") == (11, 5)
        assert host.get("/raw/ollama/api/raw")[0] == 200
        assert counted("ollama") == (6, 4)


def test_client_that_leaves_cancels():
    started = threading.Event()

    def endless(req, conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        started.set()
        while True:
            conn.sendall(chunked(b"x" * 1000))
            threading.Event().wait(0.01)

    up, host = setup()
    up.answer = endless
    with up, host:
        with host.connect() as s:
            s.sendall(b"GET /raw/up/x HTTP/1.1\r\nHost: h\r\n\r\n")
            assert started.wait(BOUND)
            assert s.recv(100)
        assert up.gone.acquire(timeout=BOUND), "the upstream goes on"
        until(lambda: host.counters("up")["cancelled"] == 1, "the count")


if __name__ == "__main__":
    main(globals())
