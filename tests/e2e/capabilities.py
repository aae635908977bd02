# SPDX-License-Identifier: MIT
"""What models can do, what requests need and are for, and the routes and lists
that go by it."""
import hashlib
import json
import os
import shutil
import subprocess

from harness import (BOUND, PATCHBAY, Host, Upstream, chat, completion, main,
                     openai_at, send_json)

CAN = {"a": '"* chat text"', "b": '"* chat text tools vision"',
       "c": '"* chat text tools structured_output reasoning long_context"'}
TOOL = [{"type": "function", "function": {"name": "f", "parameters": {
    "type": "object"}}}]
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {
    "url": "data:image/png;base64,iVBORw0KGgo="}}]}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {
    "type": "object"}}}


class Setting:
    def __init__(self, top, names="abc", env=None, extra=None, keys=""):
        self.ups = {n: Upstream(self.answer) for n in names}
        self.down = set()
        extra = extra or (lambda n: 'default_model = "%s-m"; capabilities = '
                          '[ %s ];' % (n, CAN[n]))
        self.host = Host(providers="".join(openai_at(
            up.url, name=n, extra=extra(n)) for n, up in self.ups.items()),
            top=top + keys, env=env)

    def answer(self, request, conn):
        if request.method == "GET":
            return send_json(conn, 200, {"object": "list", "data": []})
        if request.json["model"][0] in self.down:
            return send_json(conn, 500, {"error": {"message": "down"}})
        return send_json(conn, 200, completion(
            "{}", model=request.json["model"]))

    def __enter__(self):
        for up in self.ups.values():
            up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in self.ups.values():
            up.__exit__(*exc)

    def ask(self, model="r", headers=None, path="/v1/chat/completions", **more):
        body = chat(model, **more)
        if model is None:
            del body["model"]
        return self.host.post(path, body, headers)

    def by(self, *args, **more):
        status, h, reply = self.ask(*args, **more)
        assert status == 200, reply
        return h["x-patchbay-provider"]

    def explain(self, model="r", **more):
        return self.host.control("route.explain", dict(more, model=model))


def route(strategy, *targets, name="r"):
    return 'routes = ( { name = "%s"; strategy = "%s"; targets = [ %s ]; } );' % (
        name, strategy, ", ".join('"%s"' % t for t in targets))


def explain(s, *args, text=None):
    p = subprocess.run([PATCHBAY, "route", "explain", "--control",
                        s.host.control_path, *args], input=text, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=BOUND)
    return p.returncode, p.stdout


def test_needs_of_a_request():
    with Setting(route("capability", "a", "b", "c")) as s:
        assert s.by() == "a"
        assert s.by(tools=TOOL) == "b"
        assert s.by(tools=[]) == "a"
        assert s.by(messages=PICTURE) == "b"
        assert s.by(response_format=SCHEMA) == "c"
        assert s.by(reasoning_effort="high") == "c"
        assert s.by(reasoning_effort="none") == "a"
        assert s.by(text="word " * 110000) == "c"
        # The same in the other APIs' words.
        anthropic = {"model": "r", "max_tokens": 10, "messages": [
            {"role": "user", "content": "hi"}], "tools": [
                {"name": "f", "input_schema": {"type": "object"}}]}
        status, h, reply = s.host.post("/v1/messages", anthropic)
        assert (status, h["x-patchbay-provider"]) == (200, "b"), reply
        ollama = {"model": "r", "stream": False, "messages": [
            {"role": "user", "content": "hi", "images": ["iVBORw0KGgo="]}]}
        status, h, reply = s.host.post("/api/chat", ollama)
        assert (status, h["x-patchbay-provider"]) == (200, "b"), reply
        # No target that has it: the one that lacks least; none is left out.
        assert s.by(messages=PICTURE, response_format=SCHEMA) == "b"
        s.down = set("b")
        assert s.by(messages=PICTURE, tools=TOOL) == "c"


def test_what_is_not_known():
    """Between one that has it and one that lacks it."""
    extra = lambda n: ('capabilities = [ %s ];' % CAN[n]) if n != "b" else ""
    with Setting(route("capability", "a/x", "b/x", "c/x"), extra=extra) as s:
        r = s.explain(body=json.dumps(chat("r", tools=TOOL)))
        assert r["measured"] == "unfit"
        assert [(t["provider"], t["unfit"], t["lacks"]) for t in r["targets"]] \
            == [("c", 0, []), ("b", 20, []), ("a", 100, ["tools"])], r
        status, out = explain(s, "--request", "r",
                              text=json.dumps(chat("r", tools=TOOL)))
        assert status == 0 and "a/x lacks: tools" in out, out
        # The model of the request, where none is named beside it.
        assert explain(s, "--request", text=json.dumps(
            chat("r", tools=TOOL))) == (status, out)
        status, out = explain(s, "--request", "r", text="[")
        assert status != 0 and "no JSON object" in out, out


def test_a_window_that_is_too_small():
    """By what the module knows of its models: gpt-4o has 128000 tokens."""
    top = route("capability", "a/gpt-4o", "a/gpt-4.1")
    with Setting(top, names="a", extra=lambda n: "") as s:
        order = lambda n: [t["model"] for t in s.explain(input_tokens=n)[
            "targets"]]
        assert order(1000) == ["gpt-4o", "gpt-4.1"]
        assert order(300000) == ["gpt-4.1", "gpt-4o"]
        status, out = explain(s, "--tokens", "300000", "r")
        assert "a/gpt-4o lacks: long_context" in out, out


def test_tasks():
    """creative prefers claude, analytical openai: by the provider's name here.
    Requests for a model are not moved."""
    names = ["first", "openai", "claude", "gemini"]
    extra = lambda n: 'default_model = "%s-m";' % n
    top = route("capability", *names)
    with Setting(top, names=names, extra=extra) as s:
        for task, who in (("analytical", "openai"), ("creative", "claude"),
                          ("synthesis", "claude"), ("speed", "gemini"),
                          ("cost", "gemini"), ("chat", "first")):
            head = {"x-patchbay-task": task}
            assert s.by("r", head) == who, task
            assert s.by(None, head) == who, task
            assert s.by("first/x", head) == "first"
            status, out = explain(s, "--task", task, "r")
            assert status == 0 and out.splitlines()[2].split()[1] == \
                "%s/%s-m" % (who, who), out
        status, _, reply = s.ask("r", {"x-patchbay-task": "poetry"})
        e = json.loads(reply)["error"]
        assert status == 400 and e["param"] == "x-patchbay-task", reply
        assert "poetry" in e["message"] and "creative" in e["message"], reply
        status, out = explain(s, "--task", "poetry")
        assert status != 0 and "creative" in out, out


def test_a_task_with_a_route_of_its_own():
    with Setting(route("fallback", "c", name="task/creative")) as s:
        head = {"x-patchbay-task": "creative"}
        status, h, _ = s.ask(None, head)
        assert (h["x-patchbay-provider"], h["x-patchbay-route"]) == \
            ("c", "task/creative")
        assert s.by(None) == "a"
        assert s.by("b/b-m", head) == "b"


def test_tasks_need_the_right():
    keys = " keys = ( %s );" % ", ".join(
        '{ name = "%s"; rights = [ %s ]; sha256 = "%s"; }' % (
            n, rights, hashlib.sha256(n.encode()).hexdigest())
        for n, rights in (("plain", '"chat"'), ("wide", '"chat", "routes"')))
    with Setting(route("capability", "a", "b"), keys=keys) as s:
        for key, want in (("plain", 403), ("wide", 200)):
            head = {"Authorization": "Bearer " + key, "x-patchbay-task": "code"}
            status, _, reply = s.ask("r", head)
            assert status == want, reply
            assert status == 200 or b"x-patchbay-task" in reply


def test_capability_by_the_environment():
    with Setting("", env={"LLM_ROUTING_STRATEGY": "capability"}) as s:
        assert s.by(None) == "a"
        assert s.by(None, tools=TOOL) == "b"


def test_complexity():
    with Setting(route("complexity", "a", "b", "c")) as s:
        assert s.by() == "a"
        assert s.by(text="word " * 3600, tools=[]) == "b"
        assert s.by(text="word " * 4100, tools=TOOL,
                    response_format=SCHEMA) == "c"
        long_talk = [{"role": "user", "content": "hi"}] * 11
        body = chat("r", tools=TOOL, messages=long_talk)
        r = s.explain(body=json.dumps(body))
        assert r["complexity"] == 40 and [
            t["provider"] for t in r["targets"]] == ["b", "c", "a"], r
        assert s.by(**{k: v for k, v in body.items() if k != "model"}) == "b"
        status, out = explain(s, "--tokens", "4000", "r")
        assert "complexity 40 of 100" in out, out
        s.down = set("c")
        assert s.by(text="word " * 4100, tools=TOOL,
                    response_format=SCHEMA) == "b"


def test_lists_by_capability():
    extra = lambda n: 'models = [ "%s-m" ]; capabilities = [ %s ];' % (n, CAN[n])
    with Setting("", extra=extra) as s:
        def ids(query):
            status, _, reply = s.host.get("/v1/models?" + query)
            assert status == 200, reply
            return [m["id"] for m in json.loads(reply)["data"]]
        assert ids("capability=tools") == ["b/b-m", "c/c-m"]
        assert ids("capability=tools,vision") == ["b/b-m"]
        assert ids("capability=code") == []
        status, _, reply = s.host.get("/v1/models?capability=flying")
        assert status == 400 and b"structured_output" in reply, reply
        _, _, reply = s.host.get("/v1/models")
        can = {m["id"]: m["capabilities"] for m in json.loads(reply)["data"]}
        assert can["b/b-m"] == ["text", "chat", "vision", "tools"], can
        p = subprocess.run([PATCHBAY, "models", "--control", s.host.control_path,
                            "--capability", "reasoning"], text=True,
                           stdout=subprocess.PIPE, timeout=BOUND)
        assert p.stdout.split()[0] == "c/c-m" and len(
            p.stdout.splitlines()) == 1, p.stdout
    # The largest window first.
    extra = lambda n: 'models = [ "gpt-4o", "gpt-4.1", "gpt-5" ];'
    with Setting("", names="a", extra=extra) as s:
        _, _, reply = s.host.get("/v1/models?capability=tools")
        got = [m["id"] for m in json.loads(reply)["data"]]
        assert got == ["a/gpt-4.1", "a/gpt-5", "a/gpt-4o"], got


def test_mistakes():
    for wrong, word in (('"gpt-4o flying"', "flying"), ('"gpt-4o"', "wanted"),
                        ('""', "empty")):
        host = Host(providers=openai_at("http://127.0.0.1:9", name="a",
                                        extra="capabilities = [ %s ];" % wrong))
        env = dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                   PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"])
        p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                           env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        shutil.rmtree(host.dir)
        assert p.returncode != 0 and word in p.stdout, p.stdout


if __name__ == "__main__":
    main(globals())
