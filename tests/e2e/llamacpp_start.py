# SPDX-License-Identifier: MIT
"""llama-servers that the host starts itself, for the GGUF files of models_dir:
started, shared, crashed, stopped, replaced, and gone with the host."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading

from harness import Host, LOOPBACK, chat, main, sse, until
from llama_real import counterpart

SECRET = "sk-not-for-children-4711"


def section(more="", name="llama", models=None):
    return ('%s: { type = "llama-cpp"; models_dir = "%s"; server = "%s"; '
            'default_threads = 1; context_size = 1024; slots = 2; %s };'
            % (name, models or MODELS, SERVER, more))


def start(more="", top="", **kw):
    return Host(providers=section(more), top=top,
                env={"OPENAI_API_KEY": SECRET}, **kw)


def ask(host, model="llama/one", stream=False, **more):
    status, _, body = host.post("/v1/chat/completions",
                                chat(model, stream, **more))
    return status, body


def good(host, model="llama/one"):
    status, body = ask(host, model, max_tokens=3)
    assert status == 200, body
    return json.loads(body)


def backends(host):
    return {b["name"]: b for b in host.control("status")["backends"]}


def one(host, name="one"):
    return backends(host)[name]


def running(host):
    events = []
    host.control("op", {"op": "ps", "provider": "llama"}, events)
    return [e["json"] for e in events if e["event"] == "item"]


def words(pid, what):
    with open("/proc/%d/%s" % (pid, what), "rb") as f:
        return f.read().decode("utf-8", "replace").split("\0")


def processes(models=None):
    """All that have the directory among their arguments: servers and guards."""
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                if (models or MODELS) in "\0".join(words(int(pid), "cmdline")):
                    found.append(int(pid))
            except OSError:
                pass
    return found


def no_process():
    until(lambda: not processes(), "all servers to be gone")


def test_first_request_starts_one_for_eight():
    results = []
    with start() as h:
        assert backends(h) == {}, "nobody has asked yet"
        no_process()
        threads = [threading.Thread(target=lambda: results.append(ask(
            h, stream=i % 2 == 0, max_tokens=20, temperature=0)))
            for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert [s for s, _ in results] == [200] * 8, results
        b = one(h)
        assert (b["starts"], b["state"], b["failures"]) == (1, "ready", 0), b
        assert len(processes()) == 2, "one server and its guard"
        ps, = running(h)
        assert ps["model"] == "one" and ps["raw"]["pid"] == b["pid"], ps
        assert ps["size"] == os.path.getsize(MODELS + "/one.gguf")
        assert ps["expires"].endswith("Z")
        assert good(h)["model"] == "one"
    no_process()


def test_arguments_environment_and_keys():
    more = '''cache_type_k = "bf16"; cache_type_v = "bf16";
        flash_attention = "on"; extra_args = [ "--metrics" ];
        server_env = [ "EXTRA=yes" ]; default_gpu_layers = 0;
        model_config = ( { model = "two"; threads = 2; context_size = 480;
            slots = 1; gpu_layers = 3; flash_attention = "auto";
            cache_type_k = "f16"; cache_type_v = "f16";
            extra_args = [ "--seed", "7" ]; } );'''
    with start(more, top="backends: { max_processes = 2; };") as h:
        good(h)
        good(h, "llama/two")
        args = {n: words(b["pid"], "cmdline")
                for n, b in backends(h).items()}

        def follows(name, flag, value):
            assert args[name][args[name].index(flag) + 1] == value, args[name]
        for flag, value in (("-t", "1"), ("-c", "1024"), ("-np", "2"),
                            ("-ngl", "0"), ("-fa", "on"), ("-ctk", "bf16"),
                            ("-ctv", "bf16"), ("--host", "127.0.0.1"),
                            ("-m", MODELS + "/one.gguf")):
            follows("one", flag, value)
        assert "--metrics" in args["one"] and "--seed" not in args["one"]
        for flag, value in (("-t", "2"), ("-c", "480"), ("-np", "1"),
                            ("-ngl", "3"), ("-fa", "auto"), ("-ctk", "f16"),
                            ("--seed", "7"),
                            ("-m", MODELS + "/two/two-00001-of-00001.gguf")):
            follows("two", flag, value)
        keys = set()
        for b in backends(h).values():
            environ = dict(v.split("=", 1) for v in words(b["pid"], "environ")
                           if "=" in v)
            assert environ["EXTRA"] == "yes"
            assert SECRET not in str(environ), "the host's keys are not for it"
            keys.add(environ["LLAMA_API_KEY"])
            c = http.client.HTTPConnection("127.0.0.1", b["port"])
            c.request("GET", "/props")
            assert c.getresponse().status == 401, "anybody may ask it"
            c.close()
        assert len(keys) == 2 and all(len(k) == 48 for k in keys)
        told = h.errors() + json.dumps(h.control("status"))
        for pid in processes():
            told += " ".join(words(pid, "cmdline"))
        for k in keys:
            assert k not in told, "a server's key is told"
        listed = {m["id"]: m["context_window"]
                  for m in json.loads(h.get("/v1/models")[2])["data"]}
        for name, window in (("one", 512), ("two", 480)):
            props = json.loads(h.get("/raw/llama/props?model=" + name)[2])
            n = props["default_generation_settings"]["n_ctx"]
            assert abs(n - window) < 64, props
            assert listed["llama/" + name] == window, listed


def test_tokens_slots_props_embeddings():
    with start('model_config = ( { model = "vectors"; embeddings = "on"; '
               'extra_args = [ "--pooling", "mean" ]; } );') as h:
        status, _, body = h.post("/raw/llama/tokenize",
                                 {"model": "one", "content": "river stone"})
        assert status == 200 and json.loads(body)["tokens"], body
        status, _, body = h.get("/raw/llama/slots?model=one")
        assert status == 200 and len(json.loads(body)) == 2, body
        status, _, body = h.get("/raw/llama/props")
        assert status == 400 and b"?model=NAME" in body, (status, body)
        status, _, body = h.post("/v1/embeddings", {
            "model": "llama/vectors", "input": ["river", "stone"]})
        assert status == 200, body
        assert len(json.loads(body)["data"]) == 2
        assert "--embeddings" in words(one(h, "vectors")["pid"], "cmdline")
        events = []
        h.control("op", {"op": "count", "provider": "llama", "body": dict(
            chat("one", text="river stone"))}, events)
        count, = [e["json"] for e in events if e["event"] == "item"]
        assert count["input_tokens"] == ask_tokens(h), count
        events = []
        h.control("op", {"op": "show", "provider": "llama",
                         "body": {"model": "two"}}, events)
        assert events[-1]["json"]["raw"]["shards"] == 1, events


def ask_tokens(h):
    status, body = ask(h, text="river stone", max_tokens=1)
    assert status == 200, body
    return json.loads(body)["usage"]["prompt_tokens"]


def test_crash_in_mid_answer():
    """Of an answer that is longer than what fits into buffers: it cannot end
    before we read on."""
    with start('model_config = ( { model = "one"; context_size = 16384; } );'
               ) as h:
        good(h)
        before = one(h)
        body = json.dumps(chat("llama/one", True, max_tokens=100000,
                               logit_bias={"3": -100}, ignore_eos=True,
                               logprobs=True, top_logprobs=20)).encode()
        s = h.connect()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n"
                  b"Connection: close\r\n\r\n" % len(body) + body)
        got = b""
        while got.count(b"data:") < 3:
            got += s.recv(65536)
        os.kill(before["pid"], signal.SIGKILL)
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
        s.close()
        assert b"[DONE]" not in got and b'"error"' in got, got[-500:]
        # Wanted: it comes back by itself, after the pause.
        until(lambda: one(h)["state"] == "ready" and one(h)["starts"] == 2,
              "the server to be started again")
        after = one(h)
        assert after["pid"] != before["pid"]
        assert "signal 9" in after["reason"], after
        good(h)
        until(lambda: "a process has ended by itself" in h.errors(), "the log")


def test_crash_before_the_answer_falls_back():
    with Host(providers=section() + LOOPBACK, top='''routes = ( { name = "r";
            targets = [ "llama/one", "loopback/echo" ]; } );''') as h:
        good(h)
        pid = one(h)["pid"]
        os.kill(pid, signal.SIGSTOP)
        results = []
        t = threading.Thread(target=lambda: results.append(
            h.post("/v1/chat/completions", chat("r"))))
        t.start()
        until(lambda: one(h)["calls"] == 1, "the call to be at the server")
        os.kill(pid, signal.SIGKILL)
        t.join()
        status, headers, body = results[0]
        assert status == 200, body
        assert headers["x-patchbay-provider"] == "loopback", headers
        assert headers["x-patchbay-attempts"] == "2", headers


def test_idle_stop_and_start_again():
    with start('stop_after = "400ms";') as h:
        good(h)
        pid = one(h)["pid"]
        no_process()
        until(lambda: backends(h) == {}, "the host to know")
        assert running(h) == []
        good(h)
        assert one(h)["pid"] != pid


def test_two_models_with_room_for_one():
    with start(top="backends: { max_processes = 1; };") as h:
        pids = set()
        for _ in range(2):
            for model in ("one", "two"):
                good(h, "llama/" + model)
                up = [b for b in backends(h).values() if b["pid"]]
                assert [b["name"] for b in up] == [model], up
                assert len(processes()) == 2, processes()
                pids.add(up[0]["pid"])
        assert len(pids) == 4
        # Both asked for at once: both are answered, one after the other.
        results = []
        threads = [threading.Thread(target=lambda m=m: results.append(
            ask(h, "llama/" + m, max_tokens=3)[0]))
            for m in ("one", "two") * 3]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert results == [200] * 6, results


def test_no_orphan_when_the_host_is_killed():
    h = start()
    h.start()
    try:
        good(h)
        assert len(processes()) == 2
        h.process.send_signal(signal.SIGKILL)
        h.process.wait()
        no_process()
    finally:
        h.check = False
        h.stop()


def test_no_orphan_when_the_guard_is_killed():
    with start() as h:
        good(h)
        pid = one(h)["pid"]
        guard, = [p for p in processes() if p != pid]
        os.kill(guard, signal.SIGKILL)
        until(lambda: pid not in processes(), "its server to be gone")
        good(h)


def test_bad_models():
    with start() as h:
        status, body = ask(h, "llama/cut")
        text = json.loads(body)["error"]["message"]
        assert status == 502, (status, text)
        assert "cut could not be started" in text, text
        assert "exit status 1" in text and "cut.gguf" in text, text
        assert "its last lines" in text and "load" in text, text
        assert one(h, "cut")["failures"] == 1
        # Within the pause nobody waits for another failure.
        status, body = ask(h, "llama/cut")
        assert status == 502 and b"its last lines" in body, (status, body)
        assert one(h, "cut")["starts"] == 1
        status, body = ask(h, "llama/junk")
        text = json.loads(body)["error"]["message"]
        assert status == 502 and "junk.gguf" in text, (status, text)
        status, body = ask(h, "llama/none")
        assert status == 404, (status, body)
        good(h)


def test_start_times_out():
    with start('start_timeout = "5ms";') as h:
        status, body = ask(h)
        text = json.loads(body)["error"]["message"]
        assert status == 502 and "not ready within 5 ms" in text, text
        no_process()


def test_reload():
    both = section() + section(name="other")
    h = Host(providers=both)
    with h:
        good(h)
        good(h, "other/one")
        pids = {b["provider"]: b["pid"]
                for b in h.control("status")["backends"]}
        h.write_conf(section("stop_after = \"1h\";") + section(name="other"))
        h.control("reload")
        good(h)
        good(h, "other/one")
        assert pids == {b["provider"]: b["pid"]
                        for b in h.control("status")["backends"]}
        # Another argument: a new server, and only of this one.
        h.write_conf(section("context_size = 768;").replace(
            "context_size = 1024;", "") + section(name="other"))
        h.control("reload")
        good(h)
        now = {b["provider"]: b["pid"]
               for b in h.control("status")["backends"]
               if b["state"] == "ready"}
        assert now["other"] == pids["other"] and now["llama"] != pids["llama"]
        # A provider that is gone takes its server with it.
        h.write_conf(section("context_size = 768;").replace(
            "context_size = 1024;", ""))
        h.control("reload")
        until(lambda: pids["other"] not in processes(), "the other to end")
        good(h)
        assert one(h)["pid"] == now["llama"]


def test_unusable_configurations():
    for more, word in (('threads = 2;', "two names of the same key"),
                       ('server = "bin/llama-server";', "absolute")):
        text = section(more)
        if "server = " in more:
            text = text.replace('server = "%s";' % SERVER, "")
        with Host(providers=text + LOOPBACK) as h:
            until(lambda: word in h.errors(), "the log to have: " + word)
            assert "llama" not in [p["name"] for p in
                                   h.control("status")["providers"]]
    for more, word in (('extra_args = [ "--port", "1" ];', "extra_args"),
                       ('extra_args = [ "--api-key", "x" ];', "of its own"),
                       ('server_env = [ "novalue" ];', "NAME=value"),
                       ('model_config = ( { model = "one"; threads = "x"; } '
                        ');', "threads: a whole number"),
                       ('model_config = ( { model = "one"; '
                        'stop_after = "soon"; } );', "stop_after: a time"),
                       ('model_config = ( { model = "one"; '
                        'flash_attention = "no"; } );', '"on" "off" "auto"')):
        with start(more) as h:
            status, body = ask(h)
            assert status == 400, (status, body)
            assert word in json.loads(body)["error"]["message"], body
    text = section().replace(SERVER, "/nowhere/llama-server")
    with Host(providers=text) as h:
        status, body = ask(h)
        assert status == 502 and b"install llama.cpp" in body, body
        r = h.control("provider.test", {"name": "llama"})
        assert not r["ok"] and "install llama.cpp" in r["detail"], r


def test_health_starts_nothing():
    with start() as h:
        assert h.control("provider.test", {"name": "llama"})["ok"]
        ids = [m["id"] for m in json.loads(h.get("/v1/models")[2])["data"]]
        assert {"llama/one", "llama/two", "llama/vectors"} <= set(ids), ids
        no_process()


def test_command_line():
    with start() as h:
        env = dict(os.environ, PATCHBAY_CONFIG=h.conf)

        def cli(*args):
            p = subprocess.run([os.environ.get("PATCHBAY", "./patchbay"), *args],
                               env=env, timeout=60, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
            assert p.returncode == 0, p.stderr
            return p.stdout
        assert cli("chat", "-m", "llama/one", "hello").strip()
        assert "llama/one" in cli("ps"), cli("ps")
        line, = [l for l in cli("status").splitlines() if "llama/one" in l
                 and str(one(h)["pid"]) in l]
        assert "ready" in line, line


def test_command_line_without_a_host():
    """Two variables, and nothing else: the server lives as long as the
    command."""
    with tempfile.TemporaryDirectory() as d:
        env = {k: v for k, v in os.environ.items() if not k.endswith("_KEY")}
        env.update(LLAMACPP_MODELS_DIR=MODELS, HOME=d, XDG_CONFIG_HOME=d,
                   XDG_STATE_HOME=d, PATCHBAY_CONTROL=os.path.join(d, "none"),
                   PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"],
                   PATCHBAY_ALLOW_ANY_OWNER="1",
                   PATH=os.path.dirname(SERVER) + ":" + env["PATH"])
        p = subprocess.run([os.environ.get("PATCHBAY", "./patchbay"), "chat",
                            "-m", "llamacpp/one", "hello"], env=env,
                           timeout=60, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True)
    assert p.returncode == 0 and p.stdout.strip(), (p.stdout, p.stderr)
    no_process()


if __name__ == "__main__":
    SERVER = counterpart("llama-server.sh")
    tiny = counterpart("tiny-model.sh")
    with tempfile.TemporaryDirectory(prefix="patchbay-models-") as MODELS:
        os.mkdir(os.path.join(MODELS, "two"))
        for name in ("one.gguf", "vectors.gguf", "two/two-00001-of-00001.gguf",
                     "cut.gguf"):
            shutil.copy(tiny, os.path.join(MODELS, name))
        with open(os.path.join(MODELS, "cut.gguf"), "r+b") as f:
            f.truncate(os.path.getsize(tiny) * 3 // 4)
        with open(os.path.join(MODELS, "junk.gguf"), "wb") as f:
            f.write(b"GGUF\x03\0\0\0" + b"\xff" * 100)
        main(globals())
