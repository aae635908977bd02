# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: a host that is started and stopped, scripted
upstreams, raw HTTP clients.  Standard library only.

    with Upstream() as up, Host(providers=openai_at(up.url)) as host:
        status, headers, body = host.post("/v1/chat/completions", {...})

Everything listens on free ports of 127.0.0.1.  Nothing here sleeps for the sake
of time: `until()` waits for a condition, with a bound.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

PATCHBAY = os.environ.get("PATCHBAY", "./patchbay")
PROVIDERS = os.environ.get("PATCHBAY_PROVIDERS", "")
BOUND = float(os.environ.get("PATCHBAY_TEST_BOUND", "30"))


def until(condition, what, bound=BOUND):
    """Wait for condition() to be true; fail after `bound` seconds."""
    end = time.monotonic() + bound
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %.0f s in vain for: %s" % (bound, what))
        time.sleep(0.01)


def skip(why):
    print("SKIP:", why)
    sys.exit(77)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- the host ---------------------------------------------------------------

def openai_at(url, name="up", key="sk-upstream-secret-1234", extra=""):
    """A provider section of type openai."""
    return '%s: { type = "openai"; base_url = "%s/v1"; api_key = "%s"; %s };' % (
        name, url, key, extra)


LOOPBACK = 'loopback: { type = "loopback"; };'


class Host:
    def __init__(self, providers=LOOPBACK, server="", top="", log="debug",
                 listen='"127.0.0.1:0"', env=None, check=True, under=()):
        self.dir = tempfile.mkdtemp(prefix="patchbay-e2e-")
        os.chmod(self.dir, 0o700)
        self.control_path = os.path.join(self.dir, "control.sock")
        self.conf = os.path.join(self.dir, "patchbay.conf")
        self.stderr_path = os.path.join(self.dir, "stderr")
        self.log, self.env, self.check = log, env or {}, check
        self.under = list(under)  # a program that runs it
        self.write_conf(providers, server, top, listen)
        self.process = None
        self.port = None

    def write_conf(self, providers, server="", top="",
                   listen='"127.0.0.1:0"'):
        with open(self.conf, "w") as f:
            f.write('server: { listen = ( %s ); control_socket = "%s"; '
                    'state_dir = "%s"; %s };\nlog: { level = "%s"; };\n'
                    'providers: { %s };\n%s\n'
                    % (listen, self.control_path, self.dir, server, self.log,
                       providers, top))
        os.chmod(self.conf, 0o600)

    def start(self, wait=True):
        env = {k: v for k, v in os.environ.items()
               if not k.endswith(("_API_KEY", "_BASE_URL"))}
        env.setdefault("PATCHBAY_PLUGIN_PATH", PROVIDERS)
        env["PATCHBAY_ALLOW_ANY_OWNER"] = "1"
        env.update(self.env)
        self.stderr = open(self.stderr_path, "wb")
        self.process = subprocess.Popen(
            self.under + [PATCHBAY, "serve", "--config", self.conf], env=env,
            stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr)
        if wait:
            until(self._ready, "the host to be ready\n" + self.errors())
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError("the host ended with status %d:\n%s"
                                 % (self.process.returncode, self.errors()))
        try:
            on = self.control("status")["listeners"]
        except (OSError, ValueError):
            return False
        tcp = [x for x in on if not x.startswith("unix:")]
        if tcp:
            self.port = int(tcp[0].rsplit(":", 1)[1])
        return bool(on)

    def control(self, verb, args=None, events=None):
        """Ask by the control socket; the result, or ValueError with the error."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(BOUND)
            s.connect(self.control_path)
            s.sendall(json.dumps({"v": 1, "verb": verb,
                                  "args": args or {}}).encode() + b"\n")
            for line in s.makefile("rb"):
                msg = json.loads(line)
                if "ok" in msg:
                    if not msg["ok"]:
                        raise ValueError(msg["error"])
                    return msg["result"]
                if events is not None:
                    events.append(msg)
        raise ValueError("the control socket closed")

    def counters(self, provider):
        for p in self.control("status")["providers"]:
            if p["name"] == provider:
                return p
        raise KeyError(provider)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def post(self, path, body, headers=None, method="POST", timeout=BOUND):
        """(status, headers in lower case, body bytes) of one request; a header
        that comes several times has its values line by line."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = body if isinstance(body, (bytes, type(None))) \
                else json.dumps(body).encode()
            h = {"Content-Type": "application/json"} if data else {}
            h.update(headers or {})
            c.request(method, path, data, h)
            r = c.getresponse()
            return (r.status, joined(r.getheaders()),
                    r.read())
        finally:
            c.close()

    def get(self, path, headers=None, method="GET"):
        return self.post(path, None, headers, method)

    def connect(self, timeout=BOUND):
        s = socket.create_connection(("127.0.0.1", self.port), timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def raw(self, data, timeout=BOUND):
        """Send bytes, read until the host closes."""
        with self.connect(timeout) as s:
            s.sendall(data)
            return read_all(s)

    def errors(self):
        try:
            with open(self.stderr_path, "rb") as f:
                return f.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def alive(self):
        assert self.process.poll() is None, \
            "the host died: %s\n%s" % (self.process.returncode, self.errors())
        assert self.get("/healthz")[0] == 200
        return True

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def stop(self):
        """SIGTERM, wait, and look for what a sanitizer or a crash leaves."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(BOUND * 2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the host did not end:\n" + self.errors())
        self.stderr.close()
        text = self.errors()
        status = self.process.returncode
        if os.environ.get("PATCHBAY_E2E_SHOW"):
            sys.stderr.write(text)
        shutil.rmtree(self.dir, ignore_errors=True)
        if self.check:
            for mark in ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer",
                         "runtime error:"):
                assert mark not in text, text
            assert status == 0, "exit status %d\n%s" % (status, text)
        return status, text

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, tb):
        if kind and not (kind is SystemExit and value.code == 0):
            sys.stderr.write(self.errors()[-8000:])
            self.check = False
        self.stop()
        return False


def read_all(s):
    out = b""
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            return out
        if not piece:
            return out
        out += piece


# --- scripted upstreams -----------------------------------------------------

class Request:
    """What an upstream got.  kept: on a connection that has had another."""
    def __init__(self, method, path, headers, body):
        self.method, self.path = method, path
        self.headers, self.body = headers, body
        self.kept = False

    @property
    def json(self):
        return json.loads(self.body)


class Upstream:
    """A server on 127.0.0.1 whose answers are a function of the request:
    answer(request, connection) writes raw bytes with connection.sendall().  Set
    .answer, or register by path and model with .on()."""

    def __init__(self, answer=None, unix=None):
        self.answer = answer or self._by_model
        self.models = {}
        self.requests = []
        self.gone = threading.Semaphore(0)  # one for each client that left early
        self.open = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                outer._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.05},
                                       daemon=True)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def on(self, model):
        def put(fn):
            self.models[model] = fn
            return fn
        return put

    def _by_model(self, req, conn):
        try:
            model = req.json.get("model")
        except ValueError:
            model = None
        fn = self.models.get(model) or self.models.get(req.path)
        if fn:
            return fn(req, conn)
        return send_json(conn, 404, {"error": {
            "message": "The model does not exist", "type":
            "invalid_request_error", "param": None, "code": "model_not_found"}})

    def _serve(self, conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        f = conn.makefile("rb")
        self.open += 1
        kept = False
        try:
            while True:
                req = read_request(f)
                if req is None:
                    return
                req.kept, kept = kept, True
                self.requests.append(req)
                if self.answer(req, conn) is False:
                    return
        except (BrokenPipeError, ConnectionResetError):
            self.gone.release()
        finally:
            self.open -= 1
            f.close()

    def last(self):
        """The newest request, but for lists of models and the like: the host
        asks for those by itself, at any time."""
        return [r for r in self.requests if r.method != "GET"][-1]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
        return False


def read_request(f):
    line = f.readline(65536)
    if not line.strip():
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers = {}
    while True:
        h = f.readline(65536)
        if h in (b"\r\n", b""):
            break
        k, v = h.decode().split(":", 1)
        headers[k.strip().lower()] = v.strip()
    n = int(headers.get("content-length", 0))
    body = f.read(n) if n else b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            size = int(f.readline().split(b";")[0], 16)
            body += f.read(size)
            f.readline()
            if size == 0:
                break
    return Request(method, path, headers, body)


def send_json(conn, status, obj, headers=""):
    body = obj if isinstance(obj, bytes) else json.dumps(obj).encode()
    conn.sendall(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s"
                 b"Content-Length: %d\r\n\r\n"
                 % (status, headers.encode(), len(body)) + body)


SSE_HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n")


def chunked(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def delta(text=None, finish=None, model="m", **more):
    """One chat.completion.chunk as an SSE event."""
    d = dict(more)
    if text is not None:
        d["content"] = text
    return b"data: " + json.dumps({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
        "model": model, "choices": [{"index": 0, "delta": d,
                                     "finish_reason": finish}]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def send_stream(conn, events, end=b"0\r\n\r\n"):
    conn.sendall(SSE_HEAD)
    for e in events:
        conn.sendall(chunked(e))
    conn.sendall(end)


def good_stream(words=("Hel", "lo"), finish="stop"):
    return ([delta(role="assistant", content="")] + [delta(w) for w in words] +
            [delta(finish=finish), DONE])


def completion(text="Hello", model="m", finish="stop", usage=(3, 2)):
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
            "model": model, "choices": [{"index": 0, "message": {
                "role": "assistant", "content": text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1],
                      "total_tokens": sum(usage)}}


# --- reading replies --------------------------------------------------------

def sse(body):
    """The data of each event."""
    out = []
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = [line[5:].strip() for line in event.split(b"\n")
                if line.startswith(b"data:")]
        if data:
            out.append(b"\n".join(data).decode())
    return out


def chat(model, stream=False, text="hi", **more):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    if stream:
        body["stream"] = True
    body.update(more)
    return body


def joined(headers):
    out = {}
    for k, v in headers:
        k = k.lower()
        out[k] = out[k] + "\n" + v if k in out else v
    return out


# --- running tests ----------------------------------------------------------

def main(tests):
    """Run functions named test_*; 'N passed, N failed' and the exit status."""
    wanted = sys.argv[1:]
    passed, failed = 0, []
    for name, fn in list(tests.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        try:
            fn()
            passed += 1
            print("ok", name, flush=True)
        except SystemExit:
            raise
        except BaseException:
            import traceback
            traceback.print_exc()
            failed.append(name)
            print("FAILED", name, flush=True)
    print("%d passed, %d failed" % (passed, len(failed)))
    sys.exit(1 if failed or not passed else 0)
