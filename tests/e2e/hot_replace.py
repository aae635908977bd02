# SPDX-License-Identifier: MIT
"""A provider module replaced, broken, removed and added at run time, under load:
no request is dropped, and what is broken never displaces what works."""
import os
import shutil
import tempfile
import threading

from harness import PROVIDERS, Host, LOOPBACK, chat, main, sse, until

host = plugins = None


def module():
    return [m for m in host.control("plugins")["modules"]
            if m["id"] == "loopback"][0]


def install(change):
    """Put another version of the module in place, as a package does: by rename."""
    with open(os.path.join(PROVIDERS, "loopback.so"), "rb") as f:
        data = change(f.read())
    new = os.path.join(plugins, ".new")
    with open(new, "wb") as f:
        f.write(data)
    os.chmod(new, 0o755)
    os.rename(new, os.path.join(plugins, "loopback.so"))


class Load:
    """Eight clients that stream without a pause and note what went wrong."""

    def __init__(self):
        self.stop, self.bad, self.count = threading.Event(), [], 0

    def client(self):
        while not self.stop.is_set():
            status, _, body = host.post(
                "/v1/chat/completions",
                chat("loopback/lorem?length=40&rate=2000", True))
            self.count += 1
            if status != 200 or sse(body)[-1] != "[DONE]":
                self.bad.append((status, body))

    def __enter__(self):
        self.threads = [threading.Thread(target=self.client) for _ in range(8)]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join()
        assert not self.bad, self.bad[:2]
        return False


def test_replace_under_load():
    before = module()["generation"]
    with Load() as load:
        for i in range(5):
            install(lambda data: data + b"\0" * (i + 1))
            host.control("reload")
            at = load.count
            until(lambda: load.count > at + 20, "requests to go on")
    assert module()["generation"] == before + 5
    assert module()["state"] == "loaded"
    until(lambda: host.control("status")["old_configurations"] == 0,
          "the old generations to be let go")


def test_a_broken_file_leaves_the_old_one_serving():
    before = module()["generation"]
    with Load() as load:
        # Cut inside what has to be mapped; debugging data behind it is not.
        install(lambda data: data[:16384])
        host.control("reload")
        at = load.count
        until(lambda: load.count > at + 20, "requests to go on")
    m = module()
    assert m["generation"] == before and m["reason"], m
    install(lambda data: data + b"mended")
    host.control("reload")
    assert module()["generation"] > before


def test_replaced_on_disk_without_reload_is_harmless():
    """The code that runs is a private copy: a torn write can't reach it."""
    path = os.path.join(plugins, "loopback.so")
    with Load() as load:
        with open(path, "r+b") as f:
            f.truncate(100)
        at = load.count
        until(lambda: load.count > at + 50, "requests to go on")
    install(lambda data: data)
    host.control("reload")


def test_added_at_run_time():
    added = os.path.join(plugins, "openai.so")
    assert added not in {m["path"] for m in
                         host.control("plugins")["modules"]}
    with Load():
        shutil.copy(os.path.join(PROVIDERS, "openai.so"), added)
        host.write_conf(LOOPBACK + 'late: { type = "openai"; base_url = '
                        '"http://127.0.0.1:9/v1"; };',
                        'plugin_dirs = [ "%s" ];' % plugins)
        host.control("reload")
    names = {p["name"]: p["state"] for p in
             host.control("providers")["providers"]}
    assert names["late"] == "ready", names
    states = {m["path"]: m["state"] for m in
              host.control("plugins")["modules"]}
    assert states[added] == "loaded", states
    assert host.post("/v1/chat/completions", chat("late/x"))[0] == 502


def test_removed_at_run_time():
    host.write_conf(LOOPBACK, 'plugin_dirs = [ "%s" ];' % plugins)
    with Load():
        host.control("reload")
    status, _, body = host.post("/v1/chat/completions", chat("late/x"))
    assert status == 404 and b"late/x" in body, (status, body)


if __name__ == "__main__":
    plugins = tempfile.mkdtemp(prefix="patchbay-plugins-")
    try:
        os.chmod(plugins, 0o755)
        shutil.copy(os.path.join(PROVIDERS, "loopback.so"), plugins)
        with Host(server='plugin_dirs = [ "%s" ];' % plugins,
                  env={"PATCHBAY_PLUGIN_PATH": plugins}) as host:
            main(globals())
    finally:
        shutil.rmtree(plugins)
