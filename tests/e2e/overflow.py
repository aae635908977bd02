# SPDX-License-Identifier: MIT
"""Prompts that do not fit a target's context window: the request goes to one that
holds more, and never again to one that does not; when there is none the client
gets the provider's own error."""
import json
import subprocess
import threading

from fault_wall import (CLIENTS, KEY, WIRES, OpenAI, Ollama, answer,
                        whole_stream)
from harness import (BOUND, PATCHBAY, Host, Upstream, chat, completion, main,
                     openai_at, send_json, until)

WINDOWS = ('context_windows = [ "small 8192", "same* 8192", "tiny 100", '
           '"large 100000", "huge 1000000" ];')
TOO_SMALL = ("small", "same", "tiny", "larger")
# What each wire's provider says; fault_wall.py has the forms.
WORDS = ("prompt is too long", "exceeds the context length", "Too long")


def too_long(wire, conn):
    return send_json(conn, 400, wire.error(400, "context", "Too long"))


class Setting:
    """A provider whose models refuse by their names, and routes of them."""

    def __init__(self, wire=OpenAI, extra=WINDOWS, more="", server="", **routes):
        self.wire, self.lock, self.counts = wire, threading.Lock(), {}
        self.up = Upstream(self.answer)
        self.listed = []
        self.host = Host(
            providers='p: { type = "%s"; base_url = "%s%s"; api_key = "%s"; '
            'retry: { max_attempts = 3; backoff = "1ms"; }; %s %s }; %s' % (
                wire.kind, self.up.url, wire.path, KEY, wire.keys, extra,
                more % {"url": self.up.url} if more else ""),
            server=server, log="info", top="routes = ( %s );" % ", ".join(
                '{ name = "%s"; targets = [ %s ]; }' % (name, ", ".join(
                    '"%s"' % t for t in targets))
                for name, targets in routes.items()))

    def answer(self, req, conn):
        if req.method != "POST":
            return send_json(conn, 200, {"object": "list", "data": self.listed})
        name = req.json["model"]
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1
        if name.split("-")[0] in TOO_SMALL:
            return too_long(self.wire, conn)
        if name.startswith("down"):
            return send_json(conn, 503, self.wire.error(503, "", "Down"))
        if "/embeddings" in req.path:
            return send_json(conn, 200, {
                "object": "list", "model": name, "data": [
                    {"object": "embedding", "index": 0, "embedding": [0.5]}],
                "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        return answer(self.wire, bool(req.json.get("stream")), conn)

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)

    def asked(self):
        """How often each model was asked since the last time."""
        with self.lock:
            counts, self.counts = self.counts, {}
        return counts

    def ask(self, model="r", **more):
        return self.host.post("/v1/chat/completions", chat(model, **more))

    def explain(self, model="r", **more):
        return self.host.control("route.explain", dict(more, model=model))


# --- on every wire, to every client -------------------------------------------

def see_answer(s, client, stream):
    status, headers, body = s.host.post(client.path, client.body("r", stream))
    assert status == 200, (status, body)
    got = client.stream(body) if stream else \
        (client.whole(json.loads(body)), True, [])
    assert got == ("Hello", True, []), body
    assert headers["x-patchbay-attempts"] == "2", headers
    # Not the one of the same size, nor the one of which nobody knows.
    assert s.asked() == {"small": 1, "large": 1}


def see_refusal(s, name, client, stream):
    status, headers, body = s.host.post(client.path,
                                        client.body("none", stream))
    error = json.loads(body)
    assert status == 400, (status, body)
    assert headers["content-type"].startswith("application/json")
    assert any(w in client.error(error) for w in WORDS), body
    if name == "anthropic":
        assert error["error"]["type"] == "invalid_request_error", body
    elif name != "ollama":
        # What OpenRouter says passes as it is, to those who speak its form.
        word = error["error"]["code"]
        if "metadata" in error["error"]:
            word = error["error"]["metadata"]["error_type"]
        assert word == "context_length_exceeded", body
    # Asked once, though it may be asked three times; nobody else is.
    assert s.asked() == {"small": 1}
    assert KEY.encode() not in body


def test_every_wire_and_client():
    for wire in WIRES:
        with Setting(wire, r=["p/small", "p/same", "p/odd", "p/large"],
                     none=["p/small", "p/same", "p/tiny"]) as s:
            for name, client in CLIENTS.items():
                for stream in (False, True):
                    try:
                        see_answer(s, client, stream)
                        see_refusal(s, name, client, stream)
                    except AssertionError as e:
                        raise AssertionError("%s, %s, stream %s: %s" % (
                            wire.__name__, name, stream, e))
            log = s.host.errors()
            assert "its window of 8192 tokens is not larger than the 8192 of p" \
                in log, log


def test_inside_a_stream():
    """With a head of 200, before the answer's first word."""
    def refuse(req, conn):
        whole_stream(conn, OpenAI, OpenAI.opening, b"data: " + json.dumps(
            OpenAI.error(400, "context", "Too long")).encode() + b"\n\n")

    with Setting(r=["p/small", "p/same", "p/large"],
                 none=["p/small", "p/same"]) as s:
        s.up.answer = lambda req, conn: refuse(req, conn) if req.json[
            "model"] == "small" else Setting.answer(s, req, conn)
        for client in CLIENTS.values():
            status, headers, body = s.host.post(client.path,
                                                client.body("r", True))
            assert client.stream(body) == ("Hello", True, []), body
            assert s.asked() == {"large": 1}
            status, headers, body = s.host.post(client.path,
                                                client.body("none", True))
            assert status == 400, (status, body)
            assert "Too long" in client.error(json.loads(body)), body
            assert s.asked() == {}


# --- who is asked, in which order ---------------------------------------------

def test_order_of_those_that_are_left():
    with Setting(r=["p/small", "p/odd", "p/down", "p/huge", "p/large", "p/tiny"],
                 down=["p/small", "p/down-1", "p/same"],
                 steps=["p/small", "p/larger-1", "p/huge"],
                 extra=WINDOWS.replace("[", '[ "down 90000", "down-1 90000", '
                                       '"larger-1 50000",')) as s:
        # Those known to be larger as they are written, then the others.
        status, headers, body = s.ask()
        assert status == 200 and headers["x-patchbay-attempts"] == "3", body
        assert s.asked() == {"small": 1, "down": 1, "huge": 1}
        # When the larger one fails for another reason, the smaller ones stay
        # out: they would refuse it again.
        status, headers, body = s.ask("down")
        asked, said = s.asked(), json.loads(body)["error"]["message"]
        assert asked.pop("down-1") >= 1 and asked == {"small": 1}, asked
        assert "p/small: context (400)" in said and "p/down-1: over" in said, said
        assert "not asked: p/same: its window of 8192 tokens is not larger" \
            in said, said
        # Step by step.
        status, headers, body = s.ask("steps")
        assert status == 200 and headers["x-patchbay-attempts"] == "3", body
        assert s.asked() == {"small": 1, "larger-1": 1, "huge": 1}


def test_windows_that_nobody_knows():
    """In the route's order; the same name may hold more elsewhere."""
    with Setting(r=["p/small-x", "q/small-x", "q/fine"], extra="",
                 more=openai_at("%(url)s", name="q")) as s:
        assert s.ask()[0] == 200
        assert s.asked() == {"small-x": 2, "fine": 1}
        assert s.explain()["overflow"] == {
            "next": ["q/small-x", "q/fine"], "left_out": []}


def test_windows_of_lists_and_modules():
    """Beside the configuration: what providers list, what modules say."""
    with Setting(extra="", r=["p/small-1", "p/same-1", "p/large-1"],
                 known=["p/gpt-4o", "p/gpt-4o-mini", "p/gpt-4.1"]) as s:
        s.listed = [{"id": n, "object": "model", "created": 1, "owned_by": "x",
                     "context_length": w} for n, w in
                    (("small-1", 4096), ("same-1", 4096), ("large-1", 8192))]
        until(lambda: s.host.control("models", {"refresh": True}) and
              [t["window"] for t in s.explain()["targets"]] ==
              [4096, 4096, 8192], "the list of models")
        assert s.ask()[0] == 200
        assert s.asked() == {"small-1": 1, "large-1": 1}
        r = s.explain("known")
        windows = [t["window"] for t in r["targets"]]
        assert windows[0] == windows[1] < windows[2], r
        assert r["overflow"]["next"] == ["p/gpt-4.1"], r
        assert [x["target"] for x in r["overflow"]["left_out"]] == \
            ["p/gpt-4o-mini"], r


def test_a_list_of_ones_own_server():
    """Ollama lists what a model was made for, not what it runs with: one that
    refuses a short prompt keeps nobody else from being asked."""
    with Setting(extra='default_model = "m"; context_windows = [ "other 100000" ];',
                 r=["box/small-2", "p/other"], more='box: { type = "ollama"; '
                 'base_url = "%(url)s"; check_interval = "0s"; };') as s:
        def serve(req, conn):
            if req.path == "/api/tags":
                return send_json(conn, 200, {"models": [
                    {"name": "small-2", "model": "small-2", "size": 1,
                     "details": {"context_length": 131072}}]})
            if req.path == "/api/show":
                return send_json(conn, 200, {"details": {}, "model_info": {
                    "general.architecture": "llama",
                    "llama.context_length": 131072}, "capabilities": [
                        "completion"]})
            if req.path == "/api/chat":
                return too_long(Ollama, conn)
            return Setting.answer(s, req, conn)
        s.up.answer = serve
        until(lambda: s.host.control("models", {"refresh": True}) and
              s.explain()["targets"][0]["window"] == 131072, "Ollama's list")
        status, headers, body = s.ask()
        assert status == 200 and headers["x-patchbay-provider"] == "p", body
        s.asked()
        # One that comes near it is believed.
        status, headers, body = s.ask(text="word " * 70000)
        assert status == 400 and b"context_length_exceeded" in body, body
        assert s.asked() == {}


def test_embeddings():
    with Setting(r=["p/small", "p/same", "p/large"]) as s:
        status, headers, body = s.host.post("/v1/embeddings", {
            "model": "r", "input": "x"})
        assert status == 200 and headers["x-patchbay-attempts"] == "2", body
        assert s.asked() == {"small": 1, "large": 1}


# --- before anybody is asked --------------------------------------------------

LONG = "word " * 20000  # 20000 tokens


def test_prompts_that_cannot_fit():
    small = ["p/small-3", "p/odd", "p/huge"]
    with Setting(r=small, only=["p/tiny", "p/small"], extra=WINDOWS.replace(
            "[", '[ "small-3 8192",')) as s:
        assert s.ask()[0] == 200 and s.asked() == {"small-3": 1, "huge": 1}
        for name, client in CLIENTS.items():
            body = client.body("r", False)
            body["input" if name == "responses" else "messages"] = \
                [{"role": "user", "content": LONG}]
            status, headers, reply = s.host.post(client.path, body)
            assert status == 200, (name, reply)
            asked = s.asked()
            # A responses request names its texts elsewhere: one round more.
            assert asked == ({"small-3": 1, "huge": 1} if name == "responses"
                             else {"odd": 1}), (name, asked)
        # An estimate leaves nobody out, and what is near is tried.
        assert s.ask(text="word " * 9000)[0] == 200
        assert s.asked() == {"small-3": 1, "huge": 1}
        status, headers, body = s.ask("only", text=LONG)
        assert status == 400 and b"context_length_exceeded" in body, body
        assert s.asked() == {"tiny": 1, "small": 1}
        # Bytes of a picture or a file are no text.
        picture = [{"role": "user", "content": [{"type": "image_url", "image_url":
                   {"url": "data:image/png;base64," + "A" * 200000}}]}]
        file = [{"role": "user", "content": [{"type": "file", "file": {
            "filename": "x.pdf", "file_data": "data:application/pdf;base64," +
            "A" * 2000000}}]}]
        for messages in (picture, file):
            assert s.ask(messages=messages)[0] == 200
            assert s.asked() == {"small-3": 1, "huge": 1}


def test_explain():
    with Setting(r=["p/small", "p/same", "p/odd", "p/large"]) as s:
        r = s.explain()
        assert [(t["model"], t["window"]) for t in r["targets"]] == [
            ("small", 8192), ("same", 8192), ("odd", None), ("large", 100000)], r
        assert r["overflow"] == {"next": ["p/large", "p/odd"], "left_out": [{
            "target": "p/same", "why": "its window of 8192 tokens is not larger "
            "than the 8192 of p"}]}, r
        r = s.explain(body=json.dumps(chat("r", text=LONG)))
        assert [t["model"] for t in r["targets"]] == ["odd", "large", "small",
                                                      "same"], r
        assert 17000 < r["targets"][2]["prompt_tokens"] < 23000, r
        assert "prompt_tokens" not in r["targets"][1], r
        p = subprocess.run(
            [PATCHBAY, "route", "explain", "--control", s.host.control_path,
             "--tokens", "20000", "r"], stdout=subprocess.PIPE, text=True,
            timeout=BOUND)
        assert p.returncode == 0, p.stdout
        for line in ("p/small is behind: a prompt of 20000 tokens exceeds its "
                     "window", "if the prompt does not fit: p/large, p/small, p/same"):
            assert line in p.stdout, p.stdout
        p = subprocess.run([PATCHBAY, "route", "explain", "--control",
                            s.host.control_path, "r"], stdout=subprocess.PIPE,
                           text=True, timeout=BOUND)
        assert "if the prompt does not fit: p/large, p/odd\n  and not p/same: " \
            "its window of 8192 tokens is not larger than the 8192 of p\n" \
            in p.stdout, p.stdout
        # What is configured stands in the lists of models as well.
        with_windows = 'models = [ "small", "large" ]; ' + WINDOWS
    with Setting(extra=with_windows, r=["p/small"]) as s:
        models = {m["id"]: m for m in json.loads(s.host.get(
            "/v1/models")[2])["data"]}
        assert "8192" in json.dumps(models["p/small"]), models
        p = subprocess.run([PATCHBAY, "models", "--control", s.host.control_path],
                           stdout=subprocess.PIPE, text=True, timeout=BOUND)
        assert "100000" in p.stdout, p.stdout


if __name__ == "__main__":
    main(globals())
