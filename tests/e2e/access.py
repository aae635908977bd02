# SPDX-License-Identifier: MIT
"""Who may come in, and how we go out: client keys and rights, listeners on TLS
and Unix sockets, the rule for open listeners; providers behind TLS, client
certificates and proxies; no secret anywhere."""
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import threading

from harness import (BOUND, PROVIDERS, Host, LOOPBACK, Upstream, chat, completion, main,
                     openai_at, read_all, send_json, skip, until)

KEYS = {"full": "pbk_full_0123456789abcdef", "none": "pbk_none_0123456789abcdef",
        "boss": "pbk_boss_0123456789abcdef"}
RIGHTS = {"full": '"chat", "routes"', "none": '"reports"', "boss": '"admin"'}
TOP = "keys: ( %s );" % ", ".join(
    '{ name = "%s"; sha256 = "%s"; rights = [ %s ]; }' % (
        n, hashlib.sha256(k.encode()).hexdigest(), RIGHTS[n])
    for n, k in KEYS.items())
certs = None


def openssl(*args):
    subprocess.run(("openssl",) + args, check=True, cwd=certs,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certs():
    """A CA, a server certificate and a client certificate of it; another CA."""
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=%s" % name, "-keyout", name + ".key", "-out",
                name + ".pem")
    with open(os.path.join(certs, "ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-subj", "/CN=" + name, "-keyout", name + ".key",
                "-out", name + ".csr")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey",
                "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext",
                "-out", name + ".pem")


def cert(name):
    return os.path.join(certs, name)


def bearer(key):
    return {"Authorization": "Bearer " + key}


def test_keys_and_rights():
    with Host(top=TOP) as host:
        def ask(headers=None):
            status, h, body = host.post("/v1/chat/completions",
                                        chat("loopback/echo"), headers)
            if status == 200:
                return status, None
            return status, json.loads(body)["error"]
        assert ask()[0] == 401
        status, e = ask(bearer("pbk_wrong"))
        assert status == 401 and e["code"] == "invalid_api_key", e
        assert "pbk_wrong" not in json.dumps(e)
        assert ask(bearer(KEYS["full"]))[0] == 200
        assert ask({"X-Api-Key": KEYS["full"]})[0] == 200
        assert ask({"Api-Key": KEYS["full"]})[0] == 200
        assert ask({"Authorization": "bearer   " + KEYS["full"]})[0] == 200
        status, e = ask(bearer(KEYS["none"]))
        assert status == 403 and "chat" in e["message"], e
        assert ask(bearer(KEYS["boss"]))[0] == 200
        assert host.get("/v1/models")[0] == 401
        assert host.get("/v1/models", bearer(KEYS["full"]))[0] == 200
        assert host.get("/healthz")[0] == 200
        assert host.get("/readyz")[0] == 200
        for key in KEYS.values():
            assert key not in host.errors()


def test_without_keys_any_key_will_do():
    with Host() as host:
        for headers in (None, bearer("whatever"), bearer("")):
            assert host.post("/v1/chat/completions", chat("loopback/echo"),
                             headers)[0] == 200


def refused(listen, top="", providers=LOOPBACK):
    host = Host(listen=listen, top=top, providers=providers, check=False)
    host.start(wait=False)
    host.process.wait(BOUND)
    status, text = host.stop()
    assert status == 3, (status, text)
    return text


def test_web_pages_need_a_key():
    """Where no key is needed, a page in a browser of this machine is not let
    in: neither as itself nor by a name that was made to resolve to us."""
    def ask(**headers):
        host_header = headers.pop("Host", "127.0.0.1:%d" % host.port)
        s, _, body = host.post("/v1/chat/completions", chat("loopback/echo"),
                               dict(headers, Host=host_header))
        if s != 200:
            assert json.loads(body)["error"]["message"], body
        return s
    here = "127.0.0.1:0"
    with Host() as host:
        assert ask() == 200
        for name in ("localhost", "LOCALHOST:80", "api.localhost", "[::1]:1",
                     "192.168.0.7", "mybox", here):
            assert ask(Host=name) == 200, name
        for name in ("evil.example", "evil.example:8080", "127.0.0.1.nip.io",
                     "localhost.evil.example"):
            assert ask(Host=name) == 403, name
            assert host.get("/v1/models", {"Host": name})[0] == 403, name
        for page in ("http://localhost:3000", "http://127.0.0.1",
                     "https://[::1]:8443", "vscode-webview://abc"):
            assert ask(Origin=page) == 200, page
        for page in ("https://evil.example", "http://mybox", "null",
                     "http://127.0.0.1.evil.example", "http://192.168.0.7"):
            assert ask(Origin=page) == 403, page
        assert ask(Origin="http://mybox", Host="mybox") == 200
        assert host.get("/healthz", {"Host": "evil.example"})[0] == 200
    with Host(listen='{ address = "127.0.0.1:0"; auth = "none"; }') as host:
        assert ask(Host="llm.example", Origin="https://llm.example") == 200
    with Host(top=TOP) as host:
        assert ask(Host="llm.example", Origin="https://llm.example",
                   **bearer(KEYS["full"])) == 200


def test_open_listener_needs_keys_or_a_word():
    text = refused('"0.0.0.0:0"')
    assert "0.0.0.0:0" in text and 'auth = "none"' in text, text
    with Host(listen='"0.0.0.0:0"', top=TOP) as host:
        assert host.get("/v1/models")[0] == 401
    with Host(listen='{ address = "0.0.0.0:0"; auth = "none"; }') as host:
        assert host.get("/v1/models")[0] == 200


def test_reload_and_keys():
    """A reload changes who may come in, and never opens to other machines what
    was started with keys; what it cannot change, it says."""
    def models(key):
        return host.get("/v1/models", bearer(KEYS[key]) if key else None)[0]
    with Host(listen='"0.0.0.0:0"', top=TOP) as host:
        assert models(None) == 401 and models("full") == 200
        assert host.control("reload")["warnings"] == []
        until(lambda: host.control("status")["old_configurations"] == 0,
              "the first configuration to be let go")
        assert models(None) == 401 and models("full") == 200
        host.write_conf(LOOPBACK)
        warnings = host.control("reload")["warnings"]
        assert len(warnings) == 1 and "server.listen" in warnings[0], warnings
        until(lambda: models("full") == 401, "the keys to be forgotten")
        assert models(None) == 401
        host.write_conf(LOOPBACK,
                        listen='{ address = "0.0.0.0:0"; auth = "none"; }')
        assert host.control("reload")["warnings"] == []
        until(lambda: models(None) == 200, "everybody to be let in")
    with Host(top=TOP) as host, host.connect() as s:
        # Let in by one configuration, complete under the next.
        body = json.dumps(chat("loopback/echo")).encode()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\nContent-Type: application/json\r\n"
                  b"Authorization: Bearer %s\r\nExpect: 100-continue\r\n"
                  b"Content-Length: %d\r\n\r\n"
                  % (KEYS["full"].encode(), len(body)))
        assert b" 100 " in s.recv(1000)
        host.control("reload")
        until(lambda: host.control("status")["old_configurations"] == 0,
              "the first configuration to be let go")
        s.sendall(body)
        assert b" 200 OK" in read_all(s)
    with Host() as host:
        assert models(None) == 200
        host.write_conf(LOOPBACK, server="loops = 1; workers = 3;", top=TOP)
        warnings = host.control("reload")["warnings"]
        assert any("server.workers" in w for w in warnings), warnings
        until(lambda: models(None) == 401, "the keys to be asked for")
        assert models("full") == 200


def test_unix_listener():
    d = tempfile.mkdtemp(prefix="patchbay-unix-")
    path = os.path.join(d, "http.sock")
    try:
        with Host(listen='"unix:%s"' % path) as host:
            assert not stat.S_IMODE(os.stat(path).st_mode) & 0o007
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: "
                          b"close\r\n\r\n")
                reply = read_all(s)
            assert b" 200 " in reply and b"loopback/echo" in reply, reply
            second = Host(listen='"unix:%s"' % path, check=False)
            second.start(wait=False)
            assert second.process.wait(BOUND) != 0, "two hosts on one socket"
            assert path in second.stop()[1]
        assert not os.path.exists(path)
    finally:
        shutil.rmtree(d)


def test_two_hosts_on_one_control_socket():
    with Host() as host:
        second = Host(check=False)
        second.control_path = host.control_path
        second.write_conf(LOOPBACK)
        second.start(wait=False)
        assert second.process.wait(BOUND) != 0
        assert "another host" in second.stop()[1]
        host.alive()


def test_control_socket_is_private():
    with Host() as host:
        assert stat.S_IMODE(os.stat(host.control_path).st_mode) == 0o600
        if os.geteuid() != 0:
            return
        # Whoever gets hold of it as another user is still turned away.
        os.chmod(host.dir, 0o755)
        os.chmod(host.control_path, 0o666)
        code = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(b'{"v":1,"verb":"version"}\\n')
    sys.exit(1 if s.recv(100) else 0)
except (BrokenPipeError, ConnectionResetError):
    pass
"""
        p = subprocess.run(["python3", "-c", code, host.control_path],
                           user=65534, group=65534, extra_groups=[])
        assert p.returncode == 0, "another user was answered"


def test_control_is_drained():
    """What was asked by the control socket before SIGTERM is answered, too."""
    host = Host().start()
    events = []
    def ask():
        host.control("chat", {"body": chat(
            "loopback/lorem?length=30&rate=40", True)}, events)
        events.append("whole")
    asking = threading.Thread(target=ask)
    try:
        asking.start()
        until(lambda: any(e["event"] == "text" for e in events), "the answer")
        with socket.socket(socket.AF_UNIX) as late:
            late.connect(host.control_path)
            host.process.send_signal(signal.SIGTERM)
            until(lambda: "draining" in host.errors(), "the drain")
            late.sendall(b'{"v":1,"verb":"chat","args":{"body":{"model":'
                         b'"loopback/echo","messages":[]}}}\n')
            reply = json.loads(late.makefile("rb").readline())
            assert "draining" in reply["error"]["message"], reply
        asking.join()
        assert events[-1] == "whole", events[-2:]
        assert host.process.wait(BOUND) == 0
    finally:
        host.stop()


def test_control_line_by_line():
    """A long request in small pieces, and two in one piece."""
    with Host() as host, socket.socket(socket.AF_UNIX) as s:
        s.connect(host.control_path)
        replies = s.makefile("rb")
        text = "x" * (8 << 20)
        line = json.dumps({"v": 1, "verb": "chat", "args": {"body": chat(
            "loopback/echo", text=text)}}).encode() + b"\n"
        for i in range(0, len(line), 65536):
            s.sendall(line[i:i + 65536])
        got = ""
        while True:
            msg = json.loads(replies.readline())
            if "ok" in msg:
                break
            got += msg.get("text", "") if msg["event"] == "text" else ""
        assert msg["ok"] and text in got, msg
        s.sendall(b'{"v":1,"verb":"version"}\n{"v":1,"verb":"log"}\n')
        assert "version" in json.loads(replies.readline())["result"]
        assert "level" in json.loads(replies.readline())["result"]


def test_tls_listener():
    server = ('tls: { certificate = "%s"; key = "%s"; };'
              % (cert("server.pem"), cert("server.key")))
    with Host(listen='{ address = "127.0.0.1:0"; tls = true; }',
              server=server) as host:
        ctx = ssl.create_default_context(cafile=cert("ca.pem"))
        c = http.client.HTTPSConnection("localhost", host.port, context=ctx,
                                        timeout=BOUND)
        for _ in range(3):  # kept alive
            c.request("POST", "/v1/chat/completions", json.dumps(
                chat("loopback/lorem?length=2000", True)),
                {"Content-Type": "application/json"})
            r = c.getresponse()
            assert r.status == 200 and r.read().endswith(b"[DONE]\n\n")
        c.close()
        # Plain HTTP at a TLS port, and a client that trusts somebody else.
        with socket.create_connection(("127.0.0.1", host.port), BOUND) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" not in read_all(s)
        strict = ssl.create_default_context(cafile=cert("other.pem"))
        try:
            strict.wrap_socket(socket.create_connection(
                ("127.0.0.1", host.port), BOUND), server_hostname="localhost")
            raise AssertionError("trusted")
        except ssl.SSLError:
            pass
        assert host.control("status")["draining"] is False


def test_tls_files_missing():
    host = Host(listen='{ address = "127.0.0.1:0"; tls = true; }', check=False,
                server='tls: { certificate = "/nowhere.pem"; key = "/no.key"; };')
    host.start(wait=False)
    assert host.process.wait(BOUND) != 0
    assert "/nowhere.pem" in host.stop()[1]


class TlsUpstream(Upstream):
    """The scripted upstream behind TLS, optionally asking for a certificate."""

    def __init__(self, client_ca=None):
        super().__init__(lambda r, c: send_json(c, 200, completion()))
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(cert("server.pem"), cert("server.key"))
        if client_ca:
            ctx.verify_mode = ssl.CERT_REQUIRED
            ctx.load_verify_locations(client_ca)
        self.ctx = ctx

    def _serve(self, conn):
        conn.settimeout(BOUND)
        try:
            tls = self.ctx.wrap_socket(conn, server_side=True)
        except (ssl.SSLError, OSError):
            return
        super()._serve(tls)

    @property
    def url(self):
        return "https://localhost:%d" % self.port


def ask_up(up, tls):
    with Host(providers=openai_at(up.url, extra="tls: { %s };" % tls)) as host:
        status, _, body = host.post("/v1/chat/completions", chat("up/m"))
        return status, body, host.errors()


def test_provider_tls():
    with TlsUpstream() as up:
        assert ask_up(up, 'ca_file = "%s";' % cert("ca.pem"))[0] == 200
        status, body, _ = ask_up(up, 'ca_file = "%s";' % cert("other.pem"))
        assert status == 502, (status, body)
        assert b"certificate" in body.lower() or b"tls" in body.lower(), body
        assert ask_up(up, "")[0] == 502
        status, body, log = ask_up(up, "verify = false;")
        assert status == 200, body
        assert "verify" in log and "warn" in log, "verify off must warn"


def test_provider_client_certificate():
    with TlsUpstream(client_ca=cert("ca.pem")) as up:
        ca = 'ca_file = "%s"; ' % cert("ca.pem")
        mine = ('client_certificate = "%s"; client_key = "%s";'
                % (cert("client.pem"), cert("client.key")))
        assert ask_up(up, ca + mine)[0] == 200
        assert ask_up(up, ca)[0] == 502


class Proxy:
    """A forward proxy: absolute URLs and CONNECT; notes what it was asked."""

    def __enter__(self):
        self.lines = []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.loop, daemon=True).start()
        return self

    def loop(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(conn,), daemon=True).start()

    def one(self, conn):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = conn.recv(65536)
            if not piece:
                return
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        line = head.split(b"\r\n")[0].decode()
        self.lines.append(line)
        method, target, _ = line.split(" ")
        if method == "CONNECT":
            name, port = target.rsplit(":", 1)
            up = socket.create_connection((name, int(port)))
            conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            up.sendall(rest)
        else:
            name, _, path = target[7:].partition("/")
            h, port = name.rsplit(":", 1)
            up = socket.create_connection((h, int(port)))
            up.sendall(data.replace(target.encode(), b"/" + path.encode(), 1))
        threading.Thread(target=pump, args=(up, conn), daemon=True).start()
        pump(conn, up)

    def __exit__(self, *exc):
        self.sock.close()
        return False


def pump(a, b):
    try:
        while True:
            piece = a.recv(65536)
            if not piece:
                break
            b.sendall(piece)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def test_provider_proxy():
    def answer(req, conn):
        send_json(conn, 200, completion())
    with Proxy() as proxy, Upstream(answer) as up:
        extra = 'proxy = "http://127.0.0.1:%d";' % proxy.port
        with Host(providers=openai_at(up.url, extra=extra)) as host:
            assert host.post("/v1/chat/completions", chat("up/m"))[0] == 200
        assert any(("127.0.0.1:%d" % up.port) in x for x in proxy.lines)
    with Proxy() as proxy, TlsUpstream() as up:
        extra = ('proxy = "http://127.0.0.1:%d"; tls: { ca_file = "%s"; };'
                 % (proxy.port, cert("ca.pem")))
        with Host(providers=openai_at(up.url, extra=extra)) as host:
            assert host.post("/v1/chat/completions", chat("up/m"))[0] == 200
        assert proxy.lines[0].startswith("CONNECT localhost:"), proxy.lines
        secret = "sk-upstream-secret-1234"
        assert not any(secret in x for x in proxy.lines)


def test_proxy_of_the_environment_is_not_used_behind_ones_back():
    with Upstream(lambda r, c: send_json(c, 200, completion())) as up:
        with Host(providers=openai_at(up.url), env={
                "http_proxy": "http://127.0.0.1:9", "ALL_PROXY":
                "http://127.0.0.1:9"}) as host:
            status, _, body = host.post("/v1/chat/completions", chat("up/m"))
            assert status == 200, body


def test_secrets_from_files():
    d = tempfile.mkdtemp(prefix="patchbay-cred-")
    try:
        with open(os.path.join(d, "openai-key"), "w") as f:
            f.write("sk-from-a-credential-file\n")
        os.chmod(os.path.join(d, "openai-key"), 0o600)
        with Upstream(lambda r, c: send_json(c, 200, completion())) as up:
            conf = ('up: { type = "openai"; base_url = "%s/v1"; api_key_file = '
                    '"openai-key"; };' % up.url)
            with Host(providers=conf,
                      env={"CREDENTIALS_DIRECTORY": d}) as host:
                assert host.post("/v1/chat/completions", chat("up/m"))[0] == 200
                text = host.control("config")["text"] + host.errors()
                assert "sk-from-a-credential-file" not in text
        sent = [r for r in up.requests if r.method == "POST"]
        assert sent[0].headers["authorization"] == \
            "Bearer sk-from-a-credential-file"
    finally:
        shutil.rmtree(d)


def test_environment_alone():
    """Keys and addresses from the environment; one of them for a module that is
    not installed."""
    plugins = tempfile.mkdtemp(prefix="patchbay-plugins-")
    os.chmod(plugins, 0o755)
    for name in ("openai.so", "loopback.so"):
        shutil.copy(os.path.join(PROVIDERS, name), plugins)
    try:
        environment_alone(plugins)
    finally:
        shutil.rmtree(plugins)


def environment_alone(plugins):
    with Upstream(lambda r, c: send_json(c, 200, completion())) as up:
        host = Host()
        os.unlink(host.conf)
        env = {"OPENAI_API_KEY": "sk-env-secret-77", "OPENAI_BASE_URL":
               up.url + "/v1", "ANTHROPIC_API_KEY": "sk-ant-secret-88",
               "CUSTOM_PROVIDER_NAME": "mine", "CUSTOM_PROVIDER_API_KEY":
               "sk-custom-99", "CUSTOM_PROVIDER_BASE_URL": up.url + "/v1",
               "PATCHBAY_PLUGIN_PATH": plugins,
               "PATCHBAY_CONTROL": host.control_path, "HOME": host.dir,
               "XDG_CONFIG_HOME": host.dir}
        with open(host.conf, "w") as f:
            f.write('server: { listen = [ "127.0.0.1:0" ]; environment = "add"; '
                    '};\nlog: { level = "debug"; };\n')
        os.chmod(host.conf, 0o600)
        host.env = env
        host.start()
        try:
            names = {p["name"] for p in host.control("providers")["providers"]
                     if p["state"] == "ready"}
            assert {"openai", "mine"} <= names, names
            assert host.post("/v1/chat/completions", chat("openai/x"))[0] == 200
            assert host.post("/v1/chat/completions", chat("mine/x"))[0] == 200
            log = host.errors()
            assert "ANTHROPIC_API_KEY" in log and "claude" in log, log
            for secret in ("sk-env-secret-77", "sk-ant-secret-88",
                           "sk-custom-99"):
                assert secret not in log
                assert secret not in host.control("config")["text"]
        finally:
            host.stop()
        keys = {r.headers["authorization"] for r in up.requests
                if r.method == "POST"}
        assert keys == {"Bearer sk-env-secret-77", "Bearer sk-custom-99"}, keys


if __name__ == "__main__":
    if not shutil.which("openssl"):
        skip("there is no openssl program")
    certs = tempfile.mkdtemp(prefix="patchbay-certs-")
    try:
        make_certs()
        main(globals())
    finally:
        shutil.rmtree(certs)
