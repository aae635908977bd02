# SPDX-License-Identifier: MIT
"""The headers that name the way of an answer: route, attempts, provider, model and
request, through all four client APIs, whole and streamed, answered and failed."""
import json

from harness import (Host, Upstream, completion, good_stream, main, openai_at,
                     send_json, send_stream)


def answer(r, c):
    model = r.json["model"]
    if model.startswith("down"):
        return send_json(c, 503, {"error": {"message": "Down for repair",
                                            "type": "server_error"}})
    if r.json.get("stream"):
        return send_stream(c, good_stream(("hel", "lo")))
    return send_json(c, 200, completion("hello"))


TEXT = [{"role": "user", "content": "hi"}]
APIS = {
    "/v1/chat/completions": {"messages": TEXT},
    "/v1/responses": {"input": "hi"},
    "/v1/messages": {"messages": TEXT, "max_tokens": 10},
    "/api/chat": {"messages": TEXT},
}
TOP = ('routes = ( { name = "good"; targets = [ "a/down-1", "b/m" ]; }, '
       '{ name = "bad"; targets = [ "a/down-1", "b/down-2" ]; } );')


def test_all_apis():
    seen, asked = set(), 0
    with Upstream(answer) as up, Host(
            "".join(openai_at(up.url, name=n, extra='responses_api = "none";')
                    for n in "ab"), top=TOP) as host:
        for path, body in APIS.items():
            for stream in (False, True):
                for route, status, model in (("good", 200, "m"),
                                             ("bad", 503, "down-2")):
                    for name in "ab":
                        host.control("provider.reset", {"name": name})
                    got, h, reply = host.post(path, dict(
                        body, model=route, stream=stream))
                    where = (path, stream, route, got, h, reply)
                    assert got == status, where
                    assert (h["x-patchbay-route"], h["x-patchbay-provider"],
                            h["x-patchbay-model"], h["x-patchbay-attempts"]) \
                        == (route, "b", model, "2"), where
                    assert h["x-request-id"] not in seen, where
                    seen.add(h["x-request-id"])
                    if route == "bad":
                        assert b"all 2 targets failed" in reply, where
                    asked += 1
    assert asked == 16
    print("%d ways told" % asked)


def test_every_url_takes_a_way():
    """A route and a task by headers, and no model at all, wherever a model is
    named."""
    bodies = dict(APIS, **{
        "/v1/completions": {"prompt": "hi"}, "/v1/embeddings": {"input": "hi"},
        "/v1/moderations": {"input": "hi"},
        "/v1/images/generations": {"prompt": "hi"},
        "/v1/messages/count_tokens": {"messages": TEXT},
        "/v1/count_tokens": {"messages": TEXT},
        "/v1/summarize": {"input": "hi"},
        "/v1/translate": {"input": "hi", "target_language": "de"},
        "/api/generate": {"prompt": "hi"}, "/api/embed": {"input": "hi"},
        "/api/embeddings": {"prompt": "hi"}})
    top = ('routes = ( { name = "r"; targets = [ "spare" ]; }, '
           '{ name = "task/creative"; targets = [ "spare" ]; } );')
    with Host('loopback: { }; spare: { type = "loopback"; };', top=top) as host:
        for path, body in bodies.items():
            def way(body, **headers):
                status, h, reply = host.post(path, body, {
                    "x-patchbay-" + k: v for k, v in headers.items()})
                assert status == 200, (path, reply)
                return h["x-patchbay-provider"], h.get("x-patchbay-route")
            named = dict(body, model="loopback/")
            assert way(named) == ("loopback", None), path
            assert way(named, route="r") == ("spare", "r"), path
            if path.startswith("/api/"):
                continue  # Ollama's API wants a model
            assert way(body) == ("loopback", "default"), path
            assert way(body, task="creative") == ("spare", "task/creative"), path


def test_what_is_refused_here():
    """Nobody was asked: nobody is named, but the request is."""
    with Upstream(answer) as up, Host(openai_at(up.url, name="a"),
                                      top=TOP.replace('"b/', '"a/')) as host:
        status, h, reply = host.post("/v1/chat/completions", {
            "model": "good", "messages": TEXT, "fallbacks": 3})
        assert status == 400 and h["x-request-id"], reply
        assert "x-patchbay-provider" not in h and not [
            r for r in up.requests if r.method == "POST"]
        assert json.loads(reply)["error"]["param"] == "fallbacks", reply


if __name__ == "__main__":
    main(globals())
