# SPDX-License-Identifier: MIT
"""Every operation by its URL, over upstreams that answer as Ollama
(https://docs.ollama.com/api), OpenRouter (https://openrouter.ai/docs) and OpenAI
(https://platform.openai.com/docs/api-reference) say they do."""
import hashlib
import json
import threading

from harness import (BOUND, Host, LOOPBACK, Upstream, chat, chunked, main,
                     openai_at, send_json, sse, until)

OR_KEY = "sk-or-v1-operations-7788"
TAGS = [{"name": "llama3:latest", "model": "llama3:latest", "size": 4000,
         "modified_at": "2026-11-20T10:00:00Z",
         "details": {"context_length": 8192},
         "capabilities": ["completion", "tools"]},
        {"name": "see:7b", "model": "see:7b", "size": 7000,
         "modified_at": "2026-11-19T10:00:00Z",
         "details": {"context_length": 131072},
         "capabilities": ["completion", "vision"]}]
OR_MODELS = [
    {"id": "maker/dear", "name": "Dear One", "created": 300,
     "context_length": 200000,
     "architecture": {"input_modalities": ["text", "image"],
                      "output_modalities": ["text"]},
     "pricing": {"prompt": "0.000003", "completion": "0.000015"},
     "supported_parameters": ["tools"]},
    {"id": "maker/cheap", "name": "Cheap One", "created": 100,
     "context_length": 32000,
     "architecture": {"input_modalities": ["text"],
                      "output_modalities": ["text"]},
     "pricing": {"prompt": "0.0000001", "completion": "0.0000002"},
     "supported_parameters": ["tools"]},
    {"id": "maker/gift:free", "name": "Gift", "created": 200,
     "context_length": 8000,
     "architecture": {"input_modalities": ["text"],
                      "output_modalities": ["text"]},
     "pricing": {"prompt": "0", "completion": "0"},
     "supported_parameters": []}]


class Ollama(Upstream):
    """A server with two models; others can be pulled."""

    def __init__(self):
        super().__init__(self.reply)
        self.tags = [dict(t) for t in TAGS]
        self.hold = threading.Event()
        self.hold.set()
        self.chats = threading.Event()  # a chat gets no answer before it

    def pull(self, req, conn):
        name = req.json["model"]
        if name == "nowhere":
            return send_json(conn, 200, b'{"error":"pull model manifest: file '
                             b'does not exist"}\n')
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson"
                     b"\r\nTransfer-Encoding: chunked\r\n\r\n")

        def line(**more):
            conn.sendall(chunked(json.dumps(more).encode() + b"\n"))
        line(status="pulling manifest")
        for done in (0, 512, 1024):
            line(status="pulling aa11", digest="sha256:aa11", total=1024,
                 completed=done)
        assert self.hold.wait(BOUND)
        if name == "broken":
            line(error="disk full")
        else:
            line(status="verifying sha256 digest")
            self.tags.append({"name": name, "model": name,
                              "details": {"context_length": 2048},
                              "capabilities": ["completion"],
                              "modified_at": "2026-11-20T10:00:00Z"})
            line(status="success")
        conn.sendall(b"0\r\n\r\n")
        return None

    def reply(self, req, conn):
        if req.path == "/api/chat":
            assert self.chats.wait(BOUND)
            return False
        if req.path == "/api/tags":
            return send_json(conn, 200, {"models": self.tags})
        if req.path == "/api/version":
            return send_json(conn, 200, {"version": "0.33.0"})
        if req.path == "/api/ps":
            return send_json(conn, 200, {"models": [
                {"name": "llama3:latest", "model": "llama3:latest",
                 "size": 5000, "size_vram": 4000, "context_length": 4096,
                 "expires_at": "2026-11-20T10:05:00Z"}]})
        if req.path == "/api/pull":
            return self.pull(req, conn)
        name = req.json.get("model")
        known = [t for t in self.tags if t["name"] == name]
        if not known:
            return send_json(conn, 404, {"error": "model '%s' not found" % name})
        if req.path == "/api/show":
            return send_json(conn, 200, {
                "details": {"family": "llama", "quantization_level": "Q4_0"},
                "capabilities": known[0]["capabilities"],
                "model_info": {"general.architecture": "llama",
                               "llama.context_length": 8192}})
        assert (req.method, req.path) == ("DELETE", "/api/delete"), req.path
        self.tags.remove(known[0])
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return None


def openrouter(req, conn):
    path, auth = req.path.split("?")[0], req.headers.get("authorization", "")
    management = auth == "Bearer " + OR_KEY + "-management"
    if path == "/api/v1/models":
        return send_json(conn, 200, {"data": OR_MODELS})
    if auth != "Bearer " + OR_KEY and not management:
        return send_json(conn, 401, {"error": {"code": 401,
                                               "message": "User not found."}})
    if path == "/api/v1/key":
        return send_json(conn, 200, {"data": {
            "label": "sk-or-v1-ope...788", "limit": 10, "limit_remaining": 7.5,
            "usage": 2.5, "usage_daily": 0.5, "is_free_tier": False,
            "is_management_key": management}})
    if path == "/api/v1/credits":
        if not management:
            return send_json(conn, 403, {"error": {
                "code": 403, "message": "Only management keys can do that"}})
        return send_json(conn, 200, {"data": {"total_credits": 100,
                                              "total_usage": 12.25}})
    if path == "/api/v1/generation" and req.path.endswith("?id=gen-1"):
        return send_json(conn, 200, {"data": {
            "id": "gen-1", "model": "maker/dear", "provider_name": "P",
            "native_tokens_prompt": 100, "native_tokens_completion": 20,
            "total_cost": 0.0000125, "latency": 300, "streamed": True}})
    return send_json(conn, 404, {"error": {"code": 404,
                                           "message": "Generation not found"}})


def openai(req, conn):
    if req.path == "/v1/models":
        return send_json(conn, 200, {"object": "list", "data": [
            {"id": "gpt-x", "object": "model", "created": 50,
             "owned_by": "openai"}]})
    if req.path == "/v1/models/gpt-x":
        return send_json(conn, 200, {"id": "gpt-x", "object": "model",
                                     "created": 50, "owned_by": "openai"})
    return send_json(conn, 404, {"error": {
        "message": "The model does not exist", "type": "invalid_request_error",
        "param": None, "code": "model_not_found"}})


KEYS = {"chat": "pbk_ops_chat", "models": "pbk_ops_models",
        "reports": "pbk_ops_reports"}


class All:
    """A host with all three, and what asks it."""

    def __init__(self, keys=False, or_key=OR_KEY, ollama="", **more):
        self.ollama, self.router = Ollama(), Upstream(openrouter)
        self.openai = Upstream(openai)
        if keys:
            more["top"] = "keys: ( %s );" % ", ".join(
                '{ name = "%s"; sha256 = "%s"; rights = ( "%s" ); }' % (
                    name, hashlib.sha256(key.encode()).hexdigest(), name)
                for name, key in KEYS.items())
        self.host = Host(providers='''
            ollama: { type = "ollama"; base_url = "%s"; %s };
            openrouter: { type = "openrouter"; base_url = "%s/api/v1";
                          api_key = "%s"; };
            %s %s''' % (self.ollama.url, ollama, self.router.url, or_key,
                        openai_at(self.openai.url, "openai"), LOOPBACK), **more)

    def __enter__(self):
        self.ollama.__enter__()
        self.router.__enter__()
        self.openai.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in (self.openai, self.router, self.ollama):
            up.__exit__(*exc)
        return False

    def ask(self, path, body=None, method=None, status=200, key=None):
        got = self.host.post(
            path, body, {"Authorization": "Bearer " + key} if key else None,
            method or ("POST" if body is not None else "GET"))
        assert got[0] == status, (path, got)
        assert OR_KEY.encode() not in got[2]
        return json.loads(got[2])

    def refused(self, path, status, words, body=None, method=None, key=None):
        e = self.ask(path, body, method, status, key)["error"]
        assert words in e["message"] and e["type"], e
        return e

    def ids(self, query):
        return [m["id"] for m in self.ask("/v1/models?" + query)["data"]]


def test_models_are_searched_filtered_and_ordered():
    with All() as a:
        every = a.ids("")
        assert "ollama/llama3:latest" in every and "openai/gpt-x" in every
        assert a.ids("search=LLAMA") == ["ollama/llama3:latest"]
        assert a.ids("search=dear%20one") == ["openrouter/maker/dear"]
        assert a.ids("provider=openrouter&sort=price") == [
            "openrouter/maker/gift:free", "openrouter/maker/cheap",
            "openrouter/maker/dear"]
        assert a.ids("provider=openrouter&sort=context") == [
            "openrouter/maker/dear", "openrouter/maker/cheap",
            "openrouter/maker/gift:free"]
        assert a.ids("provider=openrouter&sort=created")[0] == \
            "openrouter/maker/dear"
        assert a.ids("provider=openrouter&sort=name")[0] == \
            "openrouter/maker/cheap"
        assert a.ids("provider=openrouter&free=true") == [
            "openrouter/maker/gift:free"]
        # a local provider's models cost nothing; unknown prices are not free
        free = a.ids("free=true")
        assert "ollama/see:7b" in free and "openai/gpt-x" not in free
        sees = a.ids("capability=vision")
        assert {"ollama/see:7b", "openrouter/maker/dear"} <= set(sees)
        assert not {"ollama/llama3:latest", "openrouter/maker/cheap"} & set(sees)
        for both in ("capability=vision,tools",
                     "capability=vision&capability=tools"):
            assert a.ids("provider=ollama&" + both) == []
            assert a.ids("provider=openrouter&" + both) == [
                "openrouter/maker/dear"]
        assert a.ids("search=nothing-like-it") == []
        assert a.ids("limit=1") == every  # no filter of ours
        e = a.refused("/v1/models?sort=best", 400, "price, context, created")
        assert e["param"] == "sort"
        a.refused("/v1/models?free=maybe", 400, "true or false")
        a.refused("/v1/models?provider=nobody", 400, "no provider")
        a.refused("/v1/models?capability=", 400, "capability")


def test_providers():
    with All() as a:
        data = a.ask("/v1/providers")["data"]
        assert [p["id"] for p in data] == ["ollama", "openrouter", "openai",
                                           "loopback"]
        ollama = a.ask("/v1/providers/ollama")
        assert ollama.pop("targets") == [] and ollama == data[0]
        assert ollama["local"] is True
        assert {"chat", "pull", "delete", "ps", "raw"} <= set(
            ollama["operations"])
        assert a.ollama.url not in json.dumps(data)  # addresses stay inside
        a.refused("/v1/providers/nobody", 404, "/v1/providers")
        a.refused("/v1/providers/nobody/health", 404, "/v1/providers")
        a.refused("/v1/providers/ollama/nonsense", 404, "nothing at")
        a.refused("/v1/providers", 405, "GET", {})


def test_health():
    with All() as a:
        h = a.ask("/v1/providers/ollama/health")
        assert h["ok"] is True and h["detail"] == "Ollama 0.33.0", h
        assert a.ask("/v1/providers/openai/health")["ok"] is True
        h = a.ask("/v1/providers/openrouter/health")
        assert "2.5 USD used" in h["detail"]
        assert a.ask("/v1/providers/loopback/health")["ok"] is True
        a.ollama.answer = lambda r, c: send_json(c, 500, {"error": "on fire"})
        h = a.ask("/v1/providers/ollama/health", status=503)
        assert h["ok"] is False and h["error"] and h["provider"] == "ollama", h


def test_ps():
    with All() as a:
        got = a.ask("/v1/providers/ollama/ps")
        assert got["object"] == "list" and len(got["data"]) == 1
        m = got["data"][0]
        assert (m["model"], m["size"], m["vram"], m["context_window"],
                m["expires"]) == ("llama3:latest", 5000, 4000, 4096,
                                  "2026-11-20T10:05:00Z")
        a.ollama.answer = lambda r, c: send_json(c, 200, {"models": []})
        assert a.ask("/v1/providers/ollama/ps")["data"] == []
        a.refused("/v1/providers/openai/ps", 400, "no such operation")


def test_openrouter_account():
    with All() as a:
        # an ordinary key: its own figures, in either case
        for path, kind in (("credits", "credits"), ("key", "key")):
            got = a.ask("/v1/providers/openrouter/" + path)
            assert got["object"] == kind and got["provider"] == "openrouter"
            d = got["data"]
            assert (d["total"], d["used"], d["remaining"], d["currency"],
                    d["of"]) == (10, 2.5, 7.5, "USD", "key"), d
            assert "label" not in json.dumps(d)
        assert d["usage_daily"] == 0.5 and d["is_free_tier"] is False
        g = a.ask("/v1/providers/openrouter/generations/gen-1")["data"]
        assert (g["id"], g["input"], g["output"], g["cost_nano"],
                g["currency"], g["provider"]) == ("gen-1", 100, 20, 12500,
                                                  "USD", "P"), g
        a.refused("/v1/providers/openrouter/generations/gen-2", 404, "")
        a.refused("/v1/providers/ollama/credits", 400, "no such operation")
        a.refused("/v1/providers/openai/generations/x", 400,
                  "no such operation")
        assert not [r for r in a.router.requests if "credits" in r.path]


def test_openrouter_management_key():
    with All(or_key=OR_KEY + "-management") as a:
        d = a.ask("/v1/providers/openrouter/credits")["data"]
        assert (d["total"], d["used"], d["remaining"], d["of"]) == (
            100, 12.25, 87.75, "account"), d
        d = a.ask("/v1/providers/openrouter/key")["data"]
        assert (d["of"], d["remaining"]) == ("key", 7.5), d


def test_wrong_key_is_not_told():
    with All(or_key="sk-or-v1-wrong-99") as a:
        for path in ("credits", "key", "generations/gen-1"):
            status, _, body = a.host.get("/v1/providers/openrouter/" + path)
            assert status >= 400 and b"wrong-99" not in body, body
        assert a.ask("/v1/providers/openrouter/health", status=503)[
            "error"] == "auth"


def test_show():
    with All() as a:
        plain = a.ask("/v1/models/ollama/llama3:latest")
        assert plain["id"] == "ollama/llama3:latest"
        assert plain["context_window"] == 8192
        full = a.ask("/v1/models/ollama/llama3:latest?details=true")
        assert full["provider"] == "ollama" and full["object"] == "model"
        assert full["data"]["raw"]["details"]["quantization_level"] == "Q4_0"
        full = a.ask("/v1/models/openai%2Fgpt-x?details=1")
        assert full["data"]["id"] == "gpt-x"
        full = a.ask("/v1/models/openrouter/maker/cheap?details=true")
        assert full["data"]["prices"]["input"] == 100
        a.refused("/v1/models/ollama/none?details=true", 404, "")


def test_pull_whole():
    with All() as a:
        got = a.ask("/v1/models/pull", {"model": "ollama/new:1b"})
        assert got == {"object": "model.pull", "id": "ollama/new:1b",
                       "status": "success"}
        asked, = [r for r in a.ollama.requests if r.path == "/api/pull"]
        assert asked.json["model"] == "new:1b"
        # what was pulled is listed without anybody asking for a new list
        until(lambda: "ollama/new:1b" in a.ids("provider=ollama"),
              "the new model to be listed")
        # one provider alone can pull, so a bare name is enough
        assert a.ask("/v1/models/pull", {"model": "other"})["id"] == \
            "ollama/other"
        e = a.refused("/v1/models/pull", 400, "model", {})
        assert e["param"] == "model"
        a.refused("/v1/models/pull", 400, "cannot pull", {"model": "openai/x"})
        a.refused("/v1/models/pull", 400, "true or false",
                  {"model": "x", "stream": 1})
        status, _, body = a.host.post("/v1/models/pull", {"model": "nowhere"})
        assert status >= 400 and b"does not exist" in body, (status, body)


def test_pull_streams():
    with All() as a:
        a.ollama.hold.clear()
        with a.host.connect() as s:
            body = json.dumps({"model": "ollama/big", "stream": True}).encode()
            s.sendall(b"POST /v1/models/pull HTTP/1.1\r\nHost: h\r\nConnection:"
                      b" close\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            got = b""
            while b'"completed":1024' not in got:
                piece = s.recv(4096)
                assert piece, got
                got += piece
            assert b"success" not in got
            a.ollama.hold.set()
            while b"[DONE]" not in got:
                piece = s.recv(4096)
                assert piece, got
                got += piece
        assert b"text/event-stream" in got
        status, h, body = a.host.post("/v1/models/pull", {
            "model": "ollama/big2", "stream": True})
        events = sse(body)
        assert status == 200 and events[-1] == "[DONE]"
        last = json.loads(events[-2])
        assert last == {"status": "success", "done": True}, last
        assert json.loads(events[1]) == {
            "status": "pulling aa11", "digest": "sha256:aa11", "total": 1024,
            "completed": 0}
        # one that fails on the way says so, and does not end as if it were well
        _, _, body = a.host.post("/v1/models/pull", {"model": "ollama/broken",
                                                     "stream": True})
        events = sse(body)
        assert "disk full" in json.loads(events[-1])["error"]["message"]
        assert b"[DONE]" not in body


def test_a_pull_may_take_longer_than_a_request():
    with All(ollama='timeouts: { total = "1s"; };') as a:
        a.ollama.hold.clear()
        answers = []
        t = threading.Thread(target=lambda: answers.append(
            a.host.post("/v1/models/pull", {"model": "ollama/slow"})))
        t.start()
        until(lambda: [r for r in a.ollama.requests if r.path == "/api/pull"],
              "the pull to begin")
        # another request begins later, and its time is up: the pull goes on
        a.refused("/v1/chat/completions", 504, "",
                  chat("ollama/llama3:latest"))
        assert not answers
        a.ollama.hold.set()
        a.ollama.chats.set()
        t.join(BOUND)
        assert answers and answers[0][0] == 200, answers


def test_delete():
    with All() as a:
        got = a.ask("/v1/models/ollama/see:7b", method="DELETE")
        assert got == {"id": "ollama/see:7b", "object": "model",
                       "deleted": True}
        until(lambda: "ollama/see:7b" not in a.ids("provider=ollama"),
              "the model to be off the list")
        a.refused("/v1/models/ollama/see:7b", 404, "not found",
                  method="DELETE")
        a.refused("/v1/models/openai/gpt-x", 400, "no such operation",
                  method="DELETE")


def test_count():
    with All() as a:
        got = a.ask("/v1/count_tokens", chat("loopback/echo", text="one two"))
        assert got["object"] == "token_count" and got["input_tokens"] > 0
        assert got["provider"] == "loopback"
        assert got["estimated"] in (True, False)
        # OpenAI's API has no counter: the host estimates, and says so
        status, h, body = a.host.post("/v1/count_tokens", chat(
            "openai/gpt-x", text="Count the words of this sentence, please."))
        got = json.loads(body)
        assert status == 200 and h["x-patchbay-estimate"] == "true"
        assert got["estimated"] is True and 5 < got["input_tokens"] < 40, got
        few = got["input_tokens"]
        got = a.ask("/v1/count_tokens", chat("openai/gpt-x", text="word " * 400))
        assert got["input_tokens"] > few + 200, got
        e = a.refused("/v1/count_tokens", 400, "", {"model": 3, "messages": []})
        assert e["param"] == "model"


def test_the_control_socket_has_no_raw_door():
    with All() as a:
        events = []
        result = a.host.control("op", {"op": "ps", "provider": "ollama"},
                                events)
        assert result["report"]["provider"] == "ollama"
        assert events[-1]["json"]["model"] == "llama3:latest"
        for op in ("raw", "nonsense", ""):
            try:
                a.host.control("op", {"op": op, "provider": "ollama"})
            except ValueError as e:
                assert e.args[0]["kind"] == "not_supported", e
            else:
                raise AssertionError("the operation %r was done" % op)


def test_rights():
    every = [("GET", "/v1/models", None, "chat"),
             ("GET", "/v1/models/ollama/llama3:latest?details=1", None, "chat"),
             ("GET", "/v1/providers", None, "chat"),
             ("GET", "/v1/providers/ollama", None, "chat"),
             ("GET", "/v1/providers/ollama/health", None, "chat"),
             ("GET", "/v1/providers/ollama/ps", None, "chat"),
             ("GET", "/v1/providers/openrouter/credits", None, "reports"),
             ("GET", "/v1/providers/openrouter/key", None, "reports"),
             ("GET", "/v1/providers/openrouter/generations/gen-1", None,
              "reports"),
             ("POST", "/v1/models/pull", {"model": "ollama/p"}, "models"),
             ("DELETE", "/v1/models/ollama/see:7b", None, "models"),
             ("POST", "/v1/count_tokens", chat("loopback/echo"), "chat")]
    with All(keys=True) as a:
        for method, path, body, right in every:
            for name, key in KEYS.items():
                if name != right:
                    a.refused(path, 403, '"%s"' % right, body, method, key)
            a.refused(path, 401, "no API key", body, method)
        for method, path, body, right in every:
            a.ask(path, body, method, key=KEYS[right])


def test_a_client_that_leaves_ends_the_pull():
    with All() as a:
        a.ollama.hold.clear()
        with a.host.connect() as s:
            body = json.dumps({"model": "ollama/big", "stream": True}).encode()
            s.sendall(b"POST /v1/models/pull HTTP/1.1\r\nHost: h\r\n"
                      b"Content-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            got = b""
            while b"pulling" not in got:
                got += s.recv(4096)
        until(lambda: a.host.counters("ollama")["cancelled"] == 1, "the cancel")
        a.ollama.hold.set()


if __name__ == "__main__":
    main(globals())
