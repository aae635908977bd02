# SPDX-License-Identifier: MIT
"""Models that a request itself names to stand in: `fallbacks`, and `models`
where the first target does not read it itself; and what a client whose key may
not choose its way is told."""
import hashlib
import json
import os
import shutil
import subprocess

from harness import (PATCHBAY, Host, Upstream, chat, completion, good_stream,
                     main, openai_at, send_json, send_stream)

URLS = {
    "/v1/chat/completions": lambda m, **more: chat(m, **more),
    "/v1/completions": lambda m, **more: dict(more, model=m, prompt="Hi"),
    "/v1/responses": lambda m, **more: dict(more, model=m, input="Hi"),
    "/v1/messages": lambda m, **more: dict(
        more, model=m, max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}]),
    "/api/chat": lambda m, **more: dict(
        {"stream": False}, **dict(more, model=m, messages=[
            {"role": "user", "content": "Hi"}])),
    "/api/generate": lambda m, **more: dict(
        {"stream": False}, **dict(more, model=m, prompt="Hi")),
}


def answer(r, c):
    if r.method != "POST":
        return send_json(c, 200, {"object": "list", "data": []})
    if r.json["model"] == "down":
        return send_json(c, 503, {"error": {"message": "down", "type": "x"}})
    if r.json["model"] == "slow":
        return c.recv(1)
    if "input" in r.json and isinstance(r.json["input"], list):
        return send_json(c, 200, {
            "object": "list", "model": r.json["model"], "data": [
                {"object": "embedding", "index": i, "embedding": [float(i)]}
                for i in range(len(r.json["input"]))],
            "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    if r.json.get("stream"):
        return send_stream(c, good_stream((r.json["model"],)))
    return send_json(c, 200, completion("by " + r.json["model"],
                                        model=r.json["model"]))


class Setting:
    """a and b are servers like OpenAI's without its newer API, "or" is
    OpenRouter."""
    def __init__(self, top="", a="", b="", server=""):
        self.up = {n: Upstream(answer) for n in ("a", "b", "or")}
        at = lambda n, more: openai_at(self.up[n].url, name=n, extra=(
            'responses_api = "none"; ') + more)
        self.host = Host(
            providers=at("a", a + 'default_model = "a-m";') +
            at("b", b + 'default_model = "b-m";') +
            'or: { type = "openrouter"; base_url = "%s"; api_key = "sk-or"; '
            'default_model = "x/or-m"; };' % self.up["or"].url,
            top=top, server=server)

    def __enter__(self):
        for up in self.up.values():
            up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in self.up.values():
            up.__exit__(*exc)

    def ask(self, model, url="/v1/chat/completions", headers=None, **more):
        body = URLS[url](model, **more)
        if model is None:
            del body["model"]
        return self.host.post(url, body, headers)

    def sent(self):
        """What each upstream was asked, and forgets it."""
        out = {}
        for n, up in self.up.items():
            out[n] = [r.json for r in up.requests if r.method == "POST"]
            del up.requests[:]
        return out


def message(reply):
    e = json.loads(reply)["error"]
    return e if isinstance(e, str) else e["message"]


def test_models_are_fallbacks_for_whom_they_are_not_its_own():
    """In every API that has chats, streamed or not."""
    with Setting() as s:
        for url in URLS:
            for stream in (False, True):
                s.host.control("provider.reset", {"name": "a"})
                status, h, reply = s.ask("a/down", url, stream=stream,
                                         models=["a/down", "b"])
                assert status == 200, (url, reply)
                assert h["x-patchbay-provider"] == "b", (url, h)
                assert h["x-patchbay-attempts"] == "2", (url, h)
                sent = s.sent()
                assert len(sent["a"]) == len(sent["b"]) == 1, (url, sent)
                for body in sent["a"] + sent["b"]:
                    assert "models" not in body, (url, body)


def test_fallbacks_in_every_api():
    with Setting() as s:
        for url in URLS:
            s.host.control("provider.reset", {"name": "a"})
            status, h, reply = s.ask("a/down", url, fallbacks=["b/b-m"])
            assert status == 200, (url, reply)
            assert h["x-patchbay-provider"] == "b", (url, h)
            sent = s.sent()
            for body in sent["a"] + sent["b"]:
                assert "fallbacks" not in body, (url, body)
            status, _, reply = s.ask("a/a-m", url, fallbacks=["nope/x"])
            assert status == 404 and "nope/x" in message(reply), (url, reply)
            status, _, reply = s.ask("a/a-m", url, fallbacks="b/b-m")
            assert status == 400 and "fallbacks" in message(reply), (url, reply)


def test_a_providers_own_models_pass_untouched():
    odd = ["x/one", "no-such/two", "three"]  # names that mean nothing here
    with Setting() as s:
        for url in URLS:
            status, h, reply = s.ask("or/x/m", url, models=odd)
            assert status == 200, (url, reply)
            assert h["x-patchbay-provider"] == "or"
            (body,) = s.sent()["or"]
            assert body["models"] == odd and body["model"] == "x/m", body
        # Whatever it is: that is between them.
        assert s.ask("or/x/m", models="x")[0] == 200
        assert s.sent()["or"][0]["models"] == "x"


def test_only_who_owns_it_gets_it():
    """A route from OpenRouter to another one: who stands in by our doing does
    not see the field, whose names are not asked for either."""
    with Setting('routes = ( { name = "r"; targets = [ "or/down", "b" ]; }, '
                 '{ name = "q"; targets = [ "a/down", "or/x/y" ]; } );') as s:
        status, h, reply = s.ask("r", models=["x/one"])
        assert status == 200 and h["x-patchbay-provider"] == "b", reply
        sent = s.sent()
        assert sent["or"][0]["models"] == ["x/one"]
        assert "models" not in sent["b"][0] and not sent["a"]
        # Read here for the first target: OpenRouter, behind it, has no list.
        status, h, reply = s.ask("q", models=["b"])
        assert status == 200 and h["x-patchbay-provider"] == "or", reply
        sent = s.sent()
        assert "models" not in sent["or"][0], sent


def test_models_without_a_model():
    with Setting() as s:
        status, h, reply = s.ask(None, models=["b/down", "a"])
        assert status == 200 and h["x-patchbay-provider"] == "a", reply
        assert h["x-patchbay-attempts"] == "2"
        sent = s.sent()
        assert [len(sent[n]) for n in "ab"] == [1, 1], sent
    with Setting('routes = ( { name = "default"; targets = [ "or" ]; } );') as s:
        status, h, _ = s.ask(None, models=["x/one"])
        assert status == 200 and h["x-patchbay-provider"] == "or"
        assert s.sent()["or"][0]["models"] == ["x/one"]
        # An empty list says nothing.
        assert s.ask(None, models=[])[1]["x-patchbay-provider"] == "or"


def test_embeddings():
    with Setting(b='embedding_limits: { max_inputs = 2; };') as s:
        ask = lambda **more: s.host.post("/v1/embeddings", dict(
            more, model="a/down", input=["1", "2", "3"]))
        for more in ({"models": ["b"]}, {"fallbacks": ["b"]}):
            s.host.control("provider.reset", {"name": "a"})
            status, h, reply = ask(**more)
            assert status == 200 and len(json.loads(reply)["data"]) == 3, reply
            assert h["x-patchbay-provider"] == "b", h
            for body in s.sent()["b"]:
                assert not set(body) & {"models", "fallbacks"}, body


def test_wrong_lists():
    with Setting() as s:
        for wrong in ("b", [1], [""], ["b"] * 9, {"a": 1}, True):
            status, _, reply = s.ask("a/a-m", models=wrong)
            e = json.loads(reply)["error"]
            assert status == 400 and e["param"] == "models", (wrong, e)
            assert "list of up to 8" in e["message"], e
        status, _, reply = s.ask("a/a-m", models=["b", "nope/m"])
        e = json.loads(reply)["error"]
        assert status == 404 and e["param"] == "models[1]", e
        assert s.ask("a/a-m", models=None)[0] == 200
        assert s.ask("a/a-m", models=[])[0] == 200
        for body in s.sent()["a"]:
            assert "models" not in body, body


def test_said_by_the_configuration():
    with Setting(a='models_field = "own"; ') as s:
        assert s.ask("a/a-m", models=["x/y"])[0] == 200
        assert s.sent()["a"][0]["models"] == ["x/y"]
    host = Host(providers=openai_at("http://127.0.0.1:9", extra=(
        'models_field = "mine";')))
    p = subprocess.run([PATCHBAY, "config", "check", "--config", host.conf],
                       env=dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                                PATCHBAY_PLUGIN_PATH=os.environ[
                                    "PATCHBAY_PROVIDERS"]),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    shutil.rmtree(host.dir)
    assert p.returncode != 0 and "models_field" in p.stdout, p.stdout
    assert 'one of "auto", "own", "fallbacks"' in p.stdout, p.stdout


def keys(**rights):
    return "keys = ( %s );\n" % ", ".join(
        '{ name = "%s"; rights = [ %s ]; sha256 = "%s"; }' % (
            n, ", ".join('"%s"' % w for w in r),
            hashlib.sha256(n.encode()).hexdigest())
        for n, r in rights.items())


def test_who_may_not_choose():
    """Each way to choose is refused by name and with the mend, in every API, and
    nobody is asked; what is not a choice passes."""
    top = keys(plain=["chat"], wide=["chat", "routes"], boss=["admin"]) + \
        'routes = ( { name = "r"; targets = [ "b" ]; } );'
    choices = (({"x-patchbay-route": "r"}, {}, "x-patchbay-route"),
               ({"x-patchbay-task": "creative"}, {}, "x-patchbay-task"),
               ({}, {"fallbacks": ["b"]}, '"fallbacks"'),
               ({}, {"models": ["b"]}, '"models"'))
    with Setting(top) as s:
        auth = lambda k: {"Authorization": "Bearer " + k}
        for url in URLS:
            for headers, body, name in choices:
                status, _, reply = s.ask("a/a-m", url, dict(headers, **auth("plain")),
                                         **body)
                text = message(reply)
                assert status == 403, (url, name, reply)
                assert 'the key "plain" lacks the right "routes"' in text, text
                assert name in text and "add it to the key's rights" in text
            assert not any(s.sent().values())
            for k in ("wide", "boss"):
                for headers, body, name in choices:
                    status, _, reply = s.ask("a/a-m", url, dict(headers, **auth(k)),
                                             **body)
                    assert status == 200, (url, k, name, reply)
            s.sent()
        assert s.ask("r", headers=auth("plain"))[0] == 200
        assert s.ask("a/a-m", headers=dict(auth("plain"), **{
            "x-patchbay-deadline": "20s"}))[0] == 200
        # OpenRouter's own list is no choice of this host's.
        assert s.ask("or/x/m", headers=auth("plain"), models=["x/y"])[0] == 200
        status, _, reply = s.host.post("/api/embed", {
            "model": "a/a-m", "input": "x"}, dict(auth("plain"), **{
                "x-patchbay-task": "speed"}))
        assert status == 403 and "x-patchbay-task" in message(reply), reply


def test_a_kept_answer_is_not_for_who_may_not_choose():
    top = keys(plain=["chat"], wide=["chat", "routes"]) + \
        "cache: { enabled = true; per_key = false; };"
    with Setting(top) as s:
        for k, want in (("wide", 200), ("wide", 200), ("plain", 403)):
            status, _, reply = s.ask("a/a-m", models=["b"], headers={
                "Authorization": "Bearer " + k})
            assert status == want, reply
        assert len(s.sent()["a"]) == 1


def test_deadlines_hold_for_all_that_stand_in():
    with Setting() as s:
        for url in URLS:
            status, _, reply = s.ask("a/slow", url, {
                "x-patchbay-deadline": "300ms"}, models=["b"])
            assert status == 504, (url, reply)
            status, _, reply = s.ask("a/a-m", url, {"x-patchbay-deadline": "soon"})
            assert status == 400, (url, reply)
            assert "x-patchbay-deadline" in message(reply)


def test_explain_reads_them():
    with Setting() as s:
        explain = lambda **body: s.host.control("route.explain", {
            "model": "a/a-m", "body": json.dumps(chat("a", **body))})
        names = lambda r: [t["provider"] for t in r["targets"]]
        assert names(explain(models=["b"])) == ["a", "b"]
        assert names(explain(fallbacks=["or"], models=["b"])) == ["a", "or", "b"]
        try:
            explain(fallbacks="b")
        except Exception as e:
            assert "fallbacks" in str(e), e
        else:
            raise AssertionError("a list that is none was taken")


if __name__ == "__main__":
    main(globals())
