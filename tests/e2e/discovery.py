# SPDX-License-Identifier: MIT
"""Discovery of models: in the background, cached, refreshed, and harmless where a
provider is down, silent or answers rubbish."""
import json
import subprocess
import threading
import time

from harness import (BOUND, PATCHBAY, Host, Upstream, chat, completion, main,
                     openai_at, send_json, until)


class Lister:
    """An upstream with a list of models that can be changed, and what it was
    asked."""
    def __init__(self, *models):
        self.models = list(models)
        self.up = Upstream(self.answer)

    def answer(self, r, c):
        if r.method == "GET":
            return send_json(c, 200, {"object": "list", "data": [
                {"id": m, "object": "model"} for m in self.models]})
        return send_json(c, 200, completion("by " + r.json["model"]))

    def lists(self):
        return len([r for r in self.up.requests if r.method == "GET"])

    def __enter__(self):
        self.up.__enter__()
        return self

    def __exit__(self, *exc):
        self.up.__exit__(*exc)


def ids(host):
    status, _, reply = host.get("/v1/models")
    assert status == 200, reply
    return [m["id"] for m in json.loads(reply)["data"]]


def by(host, model):
    status, h, reply = host.post("/v1/chat/completions", chat(model))
    return h["x-patchbay-provider"] if status == 200 else status


def models(host, *args):
    p = subprocess.run([PATCHBAY, "models", "--control", host.control_path,
                        *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True, timeout=BOUND)
    return p.returncode, p.stdout.split(), p.stderr


def test_in_the_background_and_cached():
    """Nobody has asked for a list: the names are known all the same, and who
    asks for it then costs the provider nothing."""
    with Lister("alpha") as a, Lister("beta") as b, Host(
            openai_at(a.up.url, name="a") + openai_at(b.up.url, name="b")) as host:
        until(lambda: a.lists() == 1 and b.lists() == 1, "the lists")
        until(lambda: by(host, "beta") == "b", "a bare name of the second one")
        assert by(host, "alpha") == "a"
        for _ in range(5):
            assert ids(host) == ["a/alpha", "b/beta"]
        assert models(host) == (0, ["a/alpha", "b/beta"], "")
        assert (a.lists(), b.lists()) == (1, 1)


def test_refreshed():
    """By itself on an interval, by who says so, and when the configuration has
    another provider."""
    with Lister("old") as a, Lister("later") as b, Host(
            openai_at(a.up.url, name="a"),
            server='refresh_models = "1s";') as host:
        until(lambda: by(host, "old") == "a", "the first list")
        a.models[:] = ["new"]
        until(lambda: by(host, "new") == "a", "the next list")
        assert ids(host) == ["a/new"]
    with Lister("old") as a, Lister("later") as b, Host(
            openai_at(a.up.url, name="a")) as host:
        until(lambda: by(host, "old") == "a", "the first list")
        a.models[:] = ["new"]
        assert models(host, "--refresh")[1] == ["a/new"]
        assert by(host, "new") == "a" and a.lists() == 2
        host.write_conf(openai_at(a.up.url, name="a") +
                        openai_at(b.up.url, name="b"))
        host.control("reload")
        until(lambda: by(host, "later") == "b", "the new one's list")


def test_one_that_is_down_harms_nobody():
    let_go = threading.Event()

    def silent(r, c):
        let_go.wait(BOUND)
        return send_json(c, 200, {"object": "list", "data": [
            {"id": "late", "object": "model"}]})

    def rubbish(r, c):
        return send_json(c, 200, b"<html>hello</html>")

    with Lister("good") as good, Upstream(silent) as mute, \
            Upstream(rubbish) as odd, Host(
                openai_at("http://127.0.0.1:9", name="refused") +
                openai_at(mute.url, name="mute") +
                openai_at(odd.url, name="odd") +
                openai_at(good.up.url, name="good")) as host:
        began = time.monotonic()
        assert ids(host) == ["good/good"]
        # It waits for five seconds, not for the provider's two minutes.
        assert time.monotonic() - began < 20
        status, out, err = models(host)
        assert status == 0 and out == ["good/good"], (out, err)
        for word in ("refused: ", "mute: it has not yet said", "odd: "):
            assert word in err, err
        assert by(host, "good") == "good"
        # What comes late is taken.
        let_go.set()
        until(lambda: "mute/late" in ids(host), "the late list")
        assert "mute" not in models(host)[2]


def test_what_was_known_stays():
    with Lister("kept") as a, Host(openai_at(a.up.url, name="a")) as host:
        assert ids(host) == ["a/kept"]
        a.answer = None
        a.up.answer = lambda r, c: (send_json(c, 200, completion("still"))
                                    if r.method == "POST" else
                                    send_json(c, 503, {"error": {
                                        "message": "Down for repair"}}))
        status, out, err = models(host, "--refresh")
        assert (status, out) == (0, ["a/kept"]) and "repair" in err, (out, err)
        assert ids(host) == ["a/kept"] and by(host, "kept") == "a"


if __name__ == "__main__":
    main(globals())
