# SPDX-License-Identifier: MIT
"""The header x-patchbay-debug: a request is told why it went where it went, in
every API, streamed or not, answered or refused; and who may ask for that."""
import hashlib
import json

from harness import (Host, Upstream, chat, completion, good_stream, main,
                     openai_at, send_json, send_stream)

ASK = {"x-patchbay-debug": "1"}
LONGEST = 3072

URLS = {
    "/v1/chat/completions": lambda m, **more: chat(m, **more),
    "/v1/completions": lambda m, **more: dict(more, model=m, prompt="Hi"),
    "/v1/responses": lambda m, **more: dict(more, model=m, input="Hi"),
    "/v1/messages": lambda m, **more: dict(
        more, model=m, max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}]),
    "/api/chat": lambda m, **more: dict({"stream": False}, **dict(
        more, model=m, messages=[{"role": "user", "content": "Hi"}])),
}

SECRET = "sk-upstream-secret-1234"


def answer(r, c):
    if r.method != "POST":
        return send_json(c, 200, {"object": "list", "data": []})
    model = r.json["model"]
    if model == "down":
        return send_json(c, 503, {"error": {"message": "Down for repair",
                                            "type": "server_error"}})
    if model == "slow":
        return c.recv(1)
    if model == "key":
        return send_json(c, 401, {"error": {
            "message": "Incorrect API key " + SECRET,
            "type": "invalid_request_error"}})
    if model == "busy":
        return send_json(c, 429, {"error": {"message": "Slow down", "type": "x"}},
                         "Retry-After: 30\r\n")
    if r.path.endswith("embeddings"):
        return send_json(c, 200, {
            "object": "list", "model": model, "data": [
                {"object": "embedding", "index": 0, "embedding": [1.0]}],
            "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    if r.json.get("stream"):
        return send_stream(c, good_stream((model,)))
    return send_json(c, 200, completion("hi", model=model))


TOP = """routes = (
  { name = "r"; targets = [ "a/down", "b", "c/c-m", "off/m" ]; },
  { name = "cheap"; strategy = "least_cost"; targets = [ "b/dear", "a/a-m" ]; },
  { name = "busy"; targets = [ "a/busy" ]; },
  { name = "all"; targets = [ "a/down", "b/key" ]; },
  { name = "other"; targets = [ "c/hidden-m" ]; },
  { name = "when"; targets = [ "a", "b" ]; when = [ "tag=x", "always" ]; } );
"""


class Setting:
    def __init__(self, top=TOP, more="", server=""):
        self.up = Upstream(answer)
        self.host = Host(providers="".join(openai_at(
            self.up.url, name=n, key=SECRET, extra='default_model = "%s-m"; '
            'responses_api = "none"; prices = [ "%s-m in=1 out=1", "dear in=50 '
            'out=50" ];' % (n, n)) for n in "abc") +
            'off: { type = "openai"; enabled = false; };' + more, top=top,
            server=server)

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)

    def ask(self, model, url="/v1/chat/completions", headers=ASK, want=200,
            **more):
        body = URLS[url](model, **more)
        if model is None:
            del body["model"]
        status, h, reply = self.host.post(url, body, headers)
        assert status == want, (url, status, reply)
        return h

    def debug(self, *args, **more):
        text = self.ask(*args, **more)["x-patchbay-debug"]
        assert len(text) <= LONGEST and SECRET not in text, text
        return json.loads(text)


def places(d):
    return [(t["provider"], t["model"], t["state"]) for t in d["targets"]]


def results(d):
    return [[t["result"] for t in one.get("tried", [])] for one in d["targets"]]


def test_what_was_tried_and_what_not():
    """In every API, and in the head of streams what is known then."""
    with Setting() as s:
        for url in URLS:
            for stream in (False, True):
                s.host.control("provider.reset", {"name": "a"})
                d = s.debug("r", url, stream=stream)
                assert d["route"] == "r" and d["strategy"] == "fallback", d
                assert d["reason"] == "route of the configuration"
                assert places(d) == [("a", "down", "ready"), ("b", "b-m", "ready"),
                                     ("c", "c-m", "ready")], d
                assert results(d) == [["overloaded"], ["answers"], []], d
                first, second = (d["targets"][i]["tried"][0] for i in (0, 1))
                assert (first["attempt"], second["attempt"]) == (1, 2)
                assert first["status"] == 503, first
                assert first["message"] == "Down for repair", first
                assert 0 <= first["ms"] <= 60000 and 0 <= second["ms"] <= 60000
                assert d["left_out"] == [{
                    "target": "off/m", "why": "the provider is not enabled"}], d
                assert d["more"] == 0


def test_the_same_words_as_explain():
    with Setting() as s:
        for model in ("r", "cheap", "when", "a/x", "default", "b-m"):
            d = s.debug(model)
            e = s.host.control("route.explain", {
                "model": model, "body": json.dumps(chat(model))})
            s.host.control("provider.reset", {"name": "a"})
            for t in d["targets"]:
                t.pop("tried", None)
                t["active"] = 0
            for name in ("reason", "route", "strategy", "measured", "left_out"):
                assert d.get(name) == e.get(name), (name, d, e)
            key = lambda t: (t["provider"], t["model"])
            for name in ("window", "cost_nano"):
                assert {key(t): t.get(name) for t in d["targets"]} == {
                    key(t): t.get(name) for t in e["targets"]}, (name, d, e)
        assert [t["cost_nano"] for t in s.debug("cheap")["targets"]] == sorted(
            t["cost_nano"] for t in s.debug("cheap")["targets"])


def test_failures_tell_it_too():
    with Setting() as s:
        d = s.debug("all", want=503)
        assert results(d) == [["overloaded"], ["auth"]], d
        # What it says of our key is not the client's affair.
        assert "Incorrect" not in json.dumps(d), d
        s.host.control("provider.reset", {"name": "a"})
        d = s.debug("busy", want=429)
        assert results(d) == [["rate_limit"]]
        # Nobody is asked, for a reason that is told.
        d = s.debug("busy", want=429)
        assert places(d) == [("a", "busy", "cooling")] and results(d) == [[]], d
        assert 0 < d["targets"][0]["for_ms"] <= 30000
        s.host.control("provider.drain", {"name": "b"})
        d = s.debug("b/b-m", want=503)
        assert places(d) == [("b", "b-m", "held")], d
        d = s.debug("a/slow", want=504, headers=dict(
            ASK, **{"x-patchbay-deadline": "300ms"}))
        assert results(d) == [["deadline"]], d
        assert d["targets"][0]["tried"][0]["ms"] >= 290, d
        # No plan, no account of one.
        assert "x-patchbay-debug" not in s.ask("nope", want=404)


def test_one_that_is_passed_over_comes_last():
    with Setting() as s:
        for _ in range(3):
            s.ask("a/down", want=503)
        d = s.debug("r")
        assert [t["state"] for t in d["targets"]] == ["ready", "ready", "open"], d
        assert results(d) == [["answers"], [], []]
        assert d["targets"][2]["for_ms"] > 0


def test_who_is_left_out_of_the_default_route():
    with Setting(top="", more='loop: { type = "loopback"; }; none: { type = '
                 '"openai"; api_key = "x"; base_url = "http://127.0.0.1:9/v1"; };'
                 ) as s:
        d = s.debug(None)
        assert d["route"] == "default"
        assert [t["provider"] for t in d["targets"]] == ["a", "b", "c"], d
        why = {o["target"]: o["why"] for o in d["left_out"]}
        assert why["off"] == "the provider is not enabled", why
        assert why["none"] == "it has no default_model", why
        assert "loopback" in why["loop"], why
        assert set(why) == {"off", "none", "loop"}
        e = s.host.control("route.explain", {"model": ""})
        assert {o["target"]: o["why"] for o in e["left_out"]} == why


def test_other_operations():
    with Setting() as s:
        status, h, _ = s.host.post("/v1/embeddings", {
            "model": "r", "input": "x"}, ASK)
        assert status == 200
        assert results(json.loads(h["x-patchbay-debug"])) == [
            ["overloaded"], ["answers"], []]
        status, h, _ = s.host.post("/api/embed", {"model": "b/b-m", "input": "x"},
                                   ASK)
        assert status == 200
        assert results(json.loads(h["x-patchbay-debug"])) == [["answers"]]
        status, h, _ = s.host.post("/v1/count_tokens", chat("b/b-m"), ASK)
        assert status == 200 and h["x-patchbay-estimate"] == "true"
        # Several requests of one: each has a way, none is told.
        status, h, _ = s.host.post("/v1/compare", dict(
            models=["a/a-m", "b/b-m"], prompt="Hi"), ASK)
        assert status == 200 and "x-patchbay-debug" not in h


def test_not_unless_asked_for():
    with Setting() as s:
        for headers in (None, {"x-patchbay-debug": "0"},
                        {"x-patchbay-debug": "false"}):
            assert "x-patchbay-debug" not in s.ask("b/b-m", headers=headers)
        assert s.debug("b/b-m", headers={"x-patchbay-debug": "true"})
        for wrong in ("yes", "2", "on please"):
            status, _, reply = s.host.post("/v1/chat/completions", chat("b/b-m"),
                                           {"x-patchbay-debug": wrong})
            assert status == 400 and b"x-patchbay-debug" in reply, reply


def test_who_may_ask():
    """Without the right it is refused by name; with it nothing of other routes
    is told, and nothing of how providers are set up."""
    keys = "keys = ( %s );" % ", ".join(
        '{ name = "%s"; rights = [ %s ]; sha256 = "%s"; }' % (
            n, r, hashlib.sha256(n.encode()).hexdigest())
        for n, r in (("plain", '"chat"'), ("wide", '"chat", "routes"')))
    with Setting(TOP.replace('"c/c-m", "off/m"', '"c/c-m", "bad/m"') + keys,
                 more='bad: { type = "openrouter"; api_key = "x"; '
                 'categories = [ "NOT SO" ]; };') as s:
        auth = lambda k: dict(ASK, Authorization="Bearer " + k)
        for url in URLS:
            status, _, reply = s.host.post(url, URLS[url]("r"), auth("plain"))
            assert status == 403, (url, reply)
            assert b'lacks the right \\"routes\\", which x-patchbay-debug' in reply
        assert not [r for r in s.up.requests if r.method == "POST"]
        d = s.debug("r", headers=auth("wide"))
        assert d["left_out"] == [{"target": "bad/m", "why":
                                  "the provider is not set up"}], d
        assert "hidden" not in json.dumps(d) and "refused" not in json.dumps(d)
        e = s.host.control("route.explain", {"model": "r"})
        assert "refused" in e["left_out"][0]["why"], e


def test_its_size_has_a_bound():
    """Sixteen targets with long names, all of which fail but the last."""
    name = "m" * 180
    top = 'routes = ( { name = "long"; targets = [ %s, "b/b-m" ]; } );' % \
        ", ".join('"a/%s%d"' % (name, i) for i in range(15))
    with Setting(top) as s:
        d = s.debug("long", headers=ASK)
        assert d["more"] > 5 and len(d["targets"]) + d["more"] == 16, d
        assert [t["place"] for t in d["targets"]] == list(
            range(1, len(d["targets"]) + 1))


def test_a_kept_answer_is_not_what_was_asked_for():
    with Setting(TOP + "cache: { enabled = true; coalesce = true; };") as s:
        s.ask("b/b-m", headers=None)
        assert s.ask("b/b-m", headers=None)["x-patchbay-cache"] == "hit"
        h = s.ask("b/b-m")
        assert "x-patchbay-cache" not in h
        assert results(json.loads(h["x-patchbay-debug"])) == [["answers"]]


if __name__ == "__main__":
    main(globals())
