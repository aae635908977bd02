# SPDX-License-Identifier: MIT
"""A server in llama-server's place that misbehaves by the name of its model;
for tests/e2e/backend.py.  Arguments as llama-server's; FAKE_DIR is where it and
the test leave each other signs."""
import http.server
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time

DIR = os.environ["FAKE_DIR"]
args = sys.argv[1:]
name = args[args.index("--alias") + 1]
port = int(args[args.index("--port") + 1])
busy, most, lock = 0, 0, threading.Lock()


def sign(what, text=""):
    """Seen whole or not at all."""
    path = os.path.join(DIR, what)
    new = "%s.%d" % (path, threading.get_native_id())
    with open(new, "w") as f:
        f.write(text)
    os.rename(new, path)


def seen(what):
    return os.path.exists(os.path.join(DIR, what))


def wait_for(what):
    while not seen(what):
        time.sleep(0.01)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *what):
        pass

    def reply(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if name == "deaf":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if name.startswith("slow") and not seen("go"):
            return self.reply(503, {"error": {"message": "Loading model"}})
        return self.reply(200, {"status": "ok"})

    def do_POST(self):
        global busy, most
        self.rfile.read(int(self.headers["Content-Length"]))
        key = os.environ["LLAMA_API_KEY"]
        if self.headers["Authorization"] != "Bearer " + key:
            return self.reply(401, {"error": {"message": "Invalid API Key"}})
        with lock:
            busy += 1
            most = max(most, busy)
            here = busy
        if name == "held":
            sign("held-%d" % here)
            wait_for("go")
        told = {"most": most, "environ": dict(os.environ, LLAMA_API_KEY=""),
                "fds": sorted(int(f) for f in os.listdir("/proc/self/fd")
                              if os.path.exists("/proc/self/fd/" + f)),
                "cwd": os.getcwd(), "session": os.getsid(0) == os.getpgid(0),
                "group": os.getpgid(0) == os.getpid(), "pid": os.getpid()}
        with lock:
            busy -= 1
        return self.reply(200, {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1,
            "model": name, "choices": [{
                "index": 0, "finish_reason": "stop", "message": {
                    "role": "assistant", "content": json.dumps(told)}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1,
                      "total_tokens": 2}})


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


def say(text):
    sys.stderr.write(text)
    sys.stderr.flush()


if name == "loud":
    for i in range(20000):
        say("line %d \x1b[31m%s\n" % (i, "x" * 200))
    say("the key is %s, and this is the end\n" % os.environ["LLAMA_API_KEY"])
    sys.exit(3)
if name == "gone":
    sys.exit(4)
if name == "port" and not seen("moved"):
    sign("moved")
    sign("port", str(port))  # the test takes it
    wait_for("taken")
    try:
        socket.create_server(("127.0.0.1", port))
    except OSError as e:
        say("cannot bind: %s\n" % e)
        sys.exit(1)
    sys.exit(5)
if name == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if name == "parent":
    child = subprocess.Popen([sys.executable, "-c",
                              "import time; time.sleep(1000)"])
    sign("grandchild", str(child.pid))
if name.startswith("slow"):
    say("loading: 10 %\n")
with Server(("127.0.0.1", port), Handler) as server:
    if name == "deaf":
        threading.Thread(target=lambda: (wait_for("deaf"), server.shutdown()),
                         daemon=True).start()
    server.serve_forever(0.05)
if name == "deaf":
    sign("closed")
    wait_for("never")
