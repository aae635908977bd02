# SPDX-License-Identifier: MIT
"""Processes that the host runs for a provider, with a server that misbehaves:
what they get and do not get, what becomes of those that do not start, do not
end, talk too much, lose their port, or have children of their own.
PATCHBAY_LONG=1: killed at random for a minute under 24 clients."""
import http.server
import json
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

from harness import BOUND, Host, chat, main, until

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "sk-host-secret-0815"
LONG = os.environ.get("PATCHBAY_LONG")
SECONDS, CLIENTS, PAUSE = (60, 24, 6) if LONG else (4, 8, 0.4)
NAMES = ("plain", "slow", "held", "loud", "gone", "port", "stubborn",
         "parent", "other", "deaf")


def header(architecture=b"llama"):
    """The smallest GGUF file: an architecture, no tensors."""
    def text(s):
        return struct.pack("<Q", len(s)) + s
    return (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) +
            text(b"general.architecture") + struct.pack("<I", 8) +
            text(architecture))


def sign(what):
    with open(os.path.join(DIR, what), "w"):
        pass


def seen(what):
    return os.path.exists(os.path.join(DIR, what))


def read(what):
    with open(os.path.join(DIR, what)) as f:
        return f.read()


def start(more="", top="", **kw):
    for old in os.listdir(DIR):
        os.unlink(os.path.join(DIR, old))
    return Host(providers='p: { type = "llamacpp"; models_dir = "%s"; '
                'server = "%s"; server_env = [ "FAKE_DIR=%s" ]; %s };'
                % (MODELS, FAKE, DIR, more), top=top,
                env={"ANTHROPIC_API_KEY": SECRET, "MY_TOKEN": SECRET}, **kw)


def ask(host, model):
    status, _, body = host.post("/v1/chat/completions", chat("p/" + model))
    return status, json.loads(body)


def told(host, model):
    status, body = ask(host, model)
    assert status == 200, body
    return json.loads(body["choices"][0]["message"]["content"])


def in_background(host, model):
    results = []
    t = threading.Thread(target=lambda: results.append(ask(host, model)))
    t.start()
    return t, results


def one(host, name):
    for b in host.control("status")["backends"]:
        if b["name"] == name:
            return b
    return {"state": "none", "waiting": 0, "calls": 0, "pid": 0, "line": ""}


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_process_gets():
    with start() as h:
        t = told(h, "plain")
        assert t["cwd"] == "/"
        # Its standard ones, and its listening and accepted sockets.
        assert [f for f in t["fds"] if f < 3] == [0, 1, 2]
        assert len(t["fds"]) <= 6, t["fds"]
        assert t["group"] and not t["session"], t
        assert SECRET not in str(t["environ"])
        assert set(t["environ"]) <= {
            "PATH", "HOME", "USER", "TMPDIR", "LD_LIBRARY_PATH", "LC_CTYPE",
            "XDG_CACHE_HOME", "TZ", "LC_ALL", "FAKE_DIR", "LLAMA_API_KEY"}, t


def test_projector_shards_and_embeddings():
    with start('model_config = ( { model = "eyes"; embeddings = "on"; } );',
               top="backends: { max_processes = 3; };") as h:
        args = {}
        for model in ("eyes", "many-00001-of-00002", "berta"):
            told(h, model)
            with open("/proc/%d/cmdline" % one(h, model)["pid"]) as f:
                args[model] = f.read().split("\0")

        def after(model, flag):
            return args[model][args[model].index(flag) + 1]
        assert after("eyes", "-m") == MODELS + "/eyes/model.gguf"
        assert after("eyes", "--mmproj") == MODELS + "/eyes/mmproj-F16.gguf"
        assert "--embeddings" in args["eyes"]
        name = "many-00001-of-00002"
        assert after(name, "-m") == MODELS + "/" + name + ".gguf"
        assert "--mmproj" not in args[name]
        assert "--embeddings" not in args[name]
        assert "--embeddings" in args["berta"], "its header says so"
        size = os.path.getsize
        assert one(h, "eyes")["memory"] == 2 * size(MODELS + "/plain.gguf")
        assert one(h, name)["memory"] == 2 * size(MODELS + "/plain.gguf")


def test_names_that_are_none():
    """Out of the directory, hidden, cut off by a NUL, what is no model."""
    with start() as h:
        assert h.post("/api/show", {"model": "p/plain"})[0] == 200
        for name in ("../m/plain", "..", ".", "plain/", "plain.gguf",
                     "plain\0x", "x" * 600):
            for path, body in (("/v1/chat/completions", chat("p/" + name)),
                               ("/api/show", {"model": "p/" + name})):
                status, _, answer = h.post(path, body)
                assert status in (400, 404), (path, name, answer)
        assert one(h, "plain")["state"] == "none"


def test_memory_is_bounded():
    with start('memory = "300M"; model_config = ( { model = "other"; '
               'memory = "900M"; }, { model = "held"; memory = "2G"; } );',
               top='backends: { max_memory = "1G"; };') as h:
        for model in ("plain", "parent", "slow"):
            sign("go")
            told(h, model)
        until(lambda: one(h, "slow")["state"] == "ready", "all three")
        told(h, "other")  # makes all of them go
        up = [b["name"] for b in h.control("status")["backends"] if b["pid"]]
        assert up == ["other"], up
        status, body = ask(h, "held")
        assert status == 400, (status, body)
        assert "2048 MiB" in body["error"]["message"], body
        assert "backends.max_memory is 1024 MiB" in body["error"]["message"]


def test_progress_is_seen_while_it_loads():
    with start() as h:
        t, results = in_background(h, "slow")
        b = until(lambda: one(h, "slow")["line"] and one(h, "slow"),
                  "something to be said")
        assert b["state"] == "starting" and b["line"] == "loading: 10 %", b
        assert b["waiting"] == 1 and b["pid"] > 0
        events = []
        h.control("op", {"op": "ps", "provider": "p"}, events)
        item = events[-1]["json"]
        assert item["state"] == "starting", item
        assert item["raw"]["line"] == "loading: 10 %", item
        assert not results
        sign("go")
        t.join()
        assert results[0][0] == 200, results


def test_a_client_that_leaves_while_it_loads():
    with start() as h:
        body = json.dumps(chat("p/slow")).encode()
        s = h.connect()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n"
                  b"\r\n" % len(body) + body)
        # One that nobody waits for any more is not started at all.
        until(lambda: one(h, "slow")["waiting"] == 1 and
              one(h, "slow")["state"] == "starting", "it to wait")
        s.close()
        until(lambda: one(h, "slow")["waiting"] == 0, "it to be forgotten")
        sign("go")
        until(lambda: one(h, "slow")["state"] == "ready", "the server")
        assert told(h, "slow")["pid"]
        assert one(h, "slow")["starts"] == 1


def test_waiting_has_a_deadline():
    with start(top='backends: { max_wait = "1s"; };') as h:
        began = time.monotonic()
        status, body = ask(h, "slow")
        assert status == 503, (status, body)
        assert "backends.max_wait" in body["error"]["message"], body
        assert time.monotonic() - began >= 1
        sign("go")
        until(lambda: one(h, "slow")["state"] == "ready", "the server")
        assert ask(h, "slow")[0] == 200


def test_waiting_is_bounded():
    with start(top="backends: { max_waiting = 1; };") as h:
        t, results = in_background(h, "slow")
        until(lambda: one(h, "slow")["waiting"] == 1, "it to wait")
        status, body = ask(h, "slow")
        assert status == 429, (status, body)
        assert "backends.max_waiting" in body["error"]["message"], body
        sign("go")
        t.join()
        assert results[0][0] == 200, results


def test_slots_bound_what_it_gets():
    with start("slots = 2;") as h:
        threads = [in_background(h, "held") for _ in range(6)]
        until(lambda: one(h, "held")["calls"] == 2 and
              one(h, "held")["waiting"] == 4 and seen("held-2"),
              "two of six to be there")
        sign("go")
        most = 0
        for t, results in threads:
            t.join()
            assert results[0][0] == 200, results
            content = results[0][1]["choices"][0]["message"]["content"]
            most = max(most, json.loads(content)["most"])
        assert most == 2, most


def test_much_talk_and_no_secret():
    with start(log="info") as h:
        status, body = ask(h, "loud")
        text = body["error"]["message"]
        assert status == 502 and "exit status 3" in text, (status, text)
        assert "the key is ***, and this is the end" in text, text
        assert "\x1b" not in text and len(text) < 1100
        assert "line 1 " not in h.errors(), "its log is for level debug"
        h.alive()


def test_a_port_that_somebody_took():
    with start() as h:
        t, results = in_background(h, "port")
        until(lambda: seen("port"), "its port to be known")
        port = int(read("port"))
        with socket.create_server(("127.0.0.1", port)):
            sign("taken")
            t.join()
        assert results[0][0] == 200, results
        assert one(h, "port")["port"] != port
        assert one(h, "port")["failures"] == 0
        until(lambda: "somebody else took the port" in h.errors(), "the log")


class Stranger(http.server.BaseHTTPRequestHandler):
    """Ready at once, and curious."""

    def log_message(self, *what):
        pass

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with open(os.path.join(DIR, "probed"), "w"):
            pass

    def do_POST(self):
        with open(os.path.join(DIR, "told"), "wb") as f:
            f.write(self.rfile.read(int(self.headers["Content-Length"])))


def listen_as_somebody_else(port):
    pid = os.fork()
    if pid:
        return pid
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Stranger)
        os.chmod(DIR, 0o777)
        os.setuid(65534)
        # Its owner is who made the socket: make it anew.
        server.socket.close()
        http.server.ThreadingHTTPServer(("127.0.0.1", port),
                                        Stranger).serve_forever()
    finally:
        os._exit(1)


def test_another_user_in_its_place():
    """Arguments can be read by everybody: somebody who is on the port before
    the server must not get what is meant for it."""
    if os.geteuid() != 0:
        return
    os.chmod(os.path.dirname(DIR), 0o755)
    with start() as h:
        t, results = in_background(h, "port")
        until(lambda: seen("port"), "its port to be known")
        pid = listen_as_somebody_else(int(read("port")))
        try:
            until(lambda: seen("probed"), "it to be asked")
            until(lambda: "a process of another user" in h.errors(), "the log")
            sign("taken")
            t.join()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert results[0][0] == 200, results
        assert not seen("told"), "the stranger got the request"


def test_one_that_does_not_end():
    with start('stop_after = "200ms";',
               top='backends: { stop_time = "300ms"; };') as h:
        pid = told(h, "stubborn")["pid"]
        until(lambda: not alive(pid), "it to be killed")
        until(lambda: one(h, "stubborn")["state"] == "none", "that to be known")
        until(lambda: "signal 9" in h.errors(), "the log")


def test_its_children_end_with_it():
    with start() as h:
        told(h, "parent")
        child = int(read("grandchild"))
        assert alive(child)
    until(lambda: not alive(child), "it to be gone after the host's end")
    with start('stop_after = "200ms";') as h:
        told(h, "parent")
        child = int(read("grandchild"))
        until(lambda: not alive(child), "after its own end")


def test_its_children_end_with_a_killed_host():
    h = start()
    h.start()
    try:
        pid = told(h, "parent")["pid"]
        child = int(read("grandchild"))
        h.process.send_signal(signal.SIGKILL)
        h.process.wait()
        until(lambda: not alive(pid) and not alive(child), "all to be gone")
    finally:
        h.check = False
        h.stop()


def parent_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionError:
        return True
    return False


def test_a_guard_that_does_not_react():
    with start(top='backends: { stop_time = "200ms"; };') as h:
        pid = told(h, "parent")["pid"]
        child = int(read("grandchild"))
        os.kill(parent_of(pid), signal.SIGSTOP)
    until(lambda: not alive(pid) and not alive(child), "all to be gone")


def test_a_dead_one_that_nobody_has_noticed():
    """Its guard sleeps, so only the request finds out; it waits for the next
    one instead of failing."""
    with start() as h:
        pid = told(h, "plain")["pid"]
        guard = parent_of(pid)
        os.kill(guard, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        until(lambda: refuses(one(h, "plain")["port"]), "it to be dead")
        t, results = in_background(h, "plain")
        try:
            until(lambda: one(h, "plain")["state"] == "starting" and
                  one(h, "plain")["waiting"] == 1, "the request to wait")
        finally:
            os.kill(guard, signal.SIGCONT)
        t.join()
        assert results[0][0] == 200, results
        content = results[0][1]["choices"][0]["message"]["content"]
        assert json.loads(content)["pid"] != pid
        assert one(h, "plain")["starts"] == 2


def test_one_that_has_hung_up():
    """It has closed its port for good, but does not end."""
    # Long enough for its first start on a busy machine.
    with start('start_timeout = "5s";') as h:
        pid = told(h, "deaf")["pid"]
        sign("deaf")
        until(lambda: seen("closed"), "its port to be closed")
        status, body = ask(h, "deaf")
        assert status == 502, (status, body)
        assert "not ready within 5000 ms" in body["error"]["message"], body
        until(lambda: not alive(pid), "it to be killed")


def test_the_host_ends_while_one_loads():
    h = start(server='drain = "500ms";')
    with h:
        t, results = in_background(h, "slow")
        pid = until(lambda: one(h, "slow")["pid"], "it to be started")
    t.join()
    assert results and results[0][0] == 503, results
    assert not alive(pid)


def test_the_host_ends_while_one_answers():
    h = start()
    with h:
        t, results = in_background(h, "held")
        until(lambda: seen("held-1"), "the call to be there")
        pid = one(h, "held")["pid"]
        h.process.send_signal(signal.SIGTERM)
        until(lambda: h.control("status")["draining"], "it to drain")
        assert alive(pid), "its server is still needed"
        sign("go")
        t.join()
        h.process.wait(BOUND)  # a second SIGTERM would cut this short
    assert results[0][0] == 200, results
    assert not alive(pid)


def test_loading_one_does_not_hold_up_others():
    with start() as h:
        told(h, "plain")
        t, results = in_background(h, "slow")
        until(lambda: one(h, "slow")["state"] == "starting", "it to load")
        for _ in range(20):
            told(h, "plain")
        told(h, "other")
        assert not results
        sign("go")
        t.join()
        assert results[0][0] == 200


def test_reset_ends_the_pause():
    with start(log="info") as h:
        for want in (1, 1, 2):
            if want == 2:
                h.control("provider.reset", {"name": "p"})
            assert ask(h, "gone")[0] == 502
            until(lambda: h.errors().count("starting a process") == want,
                  "the log to have so many starts: %d" % want)


def test_killed_at_random_under_load():
    """Three models with room for two, many clients, and somebody who kills a
    server now and then: each answer is whole or an honest error, nothing hangs,
    and in the end nothing is left."""
    answers, stop = [], threading.Event()
    names = ("plain", "other", "parent")

    def client(h, i):
        n = 0
        while not stop.is_set():
            answers.append(ask(h, names[(i + n) % 3]))
            n += 1
            if answers[-1][0] != 200:
                stop.wait(0.1)  # as a client would

    with start(top="backends: { max_processes = 2; stop_time = \"1s\"; };",
               log="info") as h:
        before = h.fds()
        threads = [threading.Thread(target=client, args=(h, i))
                   for i in range(CLIENTS)]
        for t in threads:
            t.start()
        kills = 0
        end = time.monotonic() + SECONDS
        late = end + BOUND

        def enough():
            return kills > 2 and sum(s == 200 for s, _ in answers) > 8
        while (time.monotonic() < end or
               not enough() and time.monotonic() < late):
            up = [b["pid"] for b in h.control("status")["backends"]
                  if b["state"] == "ready" and b["pid"]]
            assert len(up) <= 2, up
            if up and kills * PAUSE < time.monotonic() - end + SECONDS:
                try:
                    os.kill(up[kills % len(up)], signal.SIGKILL)
                    kills += 1
                except ProcessLookupError:
                    pass  # it has just made room
            time.sleep(0.02)
        stop.set()
        for t in threads:
            t.join()
        status = h.control("status")
        assert all(b["calls"] == 0 and b["waiting"] == 0
                   for b in status["backends"]), status["backends"]
        pids = [b["pid"] for b in status["backends"] if b["pid"]]
        # Two of each process, and what is pooled for the two that live; pooled
        # connections that are dead go when another one is used.
        until(lambda: ask(h, "plain") and h.fds() <= before + 8 + 2 * CLIENTS,
              "descriptors to be closed")
        h.alive()
    good = sum(s == 200 for s, _ in answers)
    print("%d answers, %d of them errors, %d kills"
          % (len(answers), len(answers) - good, kills))
    assert good > 8 and kills > 2, (good, kills)
    assert not LONG or good > len(answers) / 2, (good, len(answers))
    assert all(s == 200 or (s in (429, 502, 503) and body["error"]["message"])
               for s, body in answers), answers
    assert not any(alive(p) for p in pids)


def test_descriptors_return():
    with start('stop_after = "50ms";') as h:
        told(h, "plain")
        until(lambda: one(h, "plain")["state"] == "none", "it to be stopped")
        before = h.fds()
        for _ in range(5):
            told(h, "plain")
            until(lambda: one(h, "plain")["state"] == "none", "it to stop")
        until(lambda: h.fds() <= before + 2, "descriptors to be closed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="patchbay-fake-") as top:
        MODELS, DIR = os.path.join(top, "models"), os.path.join(top, "signs")
        FAKE = os.path.join(top, "llama-server")
        os.mkdir(MODELS)
        os.mkdir(DIR)
        for model in NAMES:
            with open(os.path.join(MODELS, model + ".gguf"), "wb") as out:
                out.write(header())
        os.mkdir(os.path.join(MODELS, "eyes"))
        for model in ("eyes/model", "eyes/mmproj-F16", "many-00001-of-00002",
                      "many-00002-of-00002"):
            with open(os.path.join(MODELS, model + ".gguf"), "wb") as out:
                out.write(header())
        with open(os.path.join(MODELS, "berta.gguf"), "wb") as out:
            out.write(header(b"nomic-bert"))
        with open(os.path.join(HERE, "fake_llama.py")) as source, \
                open(FAKE, "w") as out:
            out.write("#!%s\n" % sys.executable)
            shutil.copyfileobj(source, out)
        os.chmod(FAKE, 0o755)
        main(globals())
