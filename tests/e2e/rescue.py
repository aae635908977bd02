# SPDX-License-Identifier: MIT
"""A streamed answer that breaks after its first word: the next target goes on
with it, from what was sent or from the beginning, and the client sees one whole
answer; or it ends with an error, and never as if it were whole.  For each
client API and each provider's wire form, so both for bytes that are passed and
for events."""
import itertools
import json

from fault_wall import (KEY, SHORT, Anthropic, AnthropicClient, Ollama,
                        OllamaClient, OpenAI, OpenAIClient, answer, event, hang,
                        send_some)
from harness import Host, Upstream, main, send_json, sse, until

LONG = "The quick brown fox jumps. "


class CompletionsClient:
    path = "/v1/completions"

    @staticmethod
    def body(model, stream):
        return {"model": model, "stream": stream, "prompt": "hi"}

    @staticmethod
    def stream(body):
        events = sse(body)
        parts = [json.loads(e) for e in events if e != "[DONE]"]
        errors = [p["error"]["message"] for p in parts if "error" in p]
        text = "".join(c["text"] for p in parts for c in p.get("choices") or ())
        return text, events[-1] == "[DONE]", errors


CLIENTS = (OpenAIClient, AnthropicClient, OllamaClient, CompletionsClient)
WIRES = (OpenAI, Anthropic, Ollama)


def well_formed(client, body):
    """One answer, not two behind each other."""
    if client is OllamaClient:
        parts = [json.loads(x) for x in body.splitlines() if x.strip()]
        assert len({p["model"] for p in parts}) == 1, parts
        return
    parts = [json.loads(e) for e in sse(body) if e != "[DONE]"]
    if client is not AnthropicClient:
        assert len({p["id"] for p in parts}) == 1, parts
        assert len({p["model"] for p in parts}) == 1, parts
        assert len({p["created"] for p in parts}) == 1, parts
        roles = [c["delta"]["role"] for p in parts for c in p["choices"]
                 if "role" in c.get("delta", {})]
        assert len(roles) == (client is OpenAIClient), parts
        return
    kinds = [p["type"] for p in parts]
    assert kinds[0] == "message_start" and kinds.count("message_start") == 1
    assert kinds[-2:] == ["message_delta", "message_stop"], kinds
    open_at = blocks = 0
    for p in parts:
        if p["type"] == "content_block_start":
            assert not open_at and p["index"] == blocks, parts
            open_at, blocks = True, blocks + 1
        elif p["type"] == "content_block_delta":
            assert open_at and p["index"] == blocks - 1, parts
        elif p["type"] == "content_block_stop":
            assert open_at and p["index"] == blocks - 1, parts
            open_at = False
    assert not open_at and blocks, kinds


class Targets:
    """Providers in a row, each with what it does: a wire form and a function of
    the request, how many came before, and the connection."""

    def __init__(self, *targets, server="", times=SHORT):
        self.asked = [[] for _ in targets]
        self.ups, conf = [], []
        for i, (wire, model, does) in enumerate(targets):
            self.ups.append(Upstream(self.serve(i, does)))
            conf.append('p%d: { type = "%s"; base_url = "%s%s"; api_key = "%s";'
                        ' %s };' % (i, wire.kind, self.ups[-1].url, wire.path,
                                    KEY, times))
        names = ", ".join('"p%d/%s"' % (i, t[1]) for i, t in enumerate(targets))
        self.host = Host(providers="\n".join(conf), server=server, log="warn",
                         top='routes = ( { name = "r"; targets = [ %s ]; } );'
                         % names)

    def serve(self, i, does):
        def one(req, conn):
            if req.method != "POST" or not isinstance(req.json, dict) or \
                    "messages" not in req.json:
                return send_json(conn, 404, {"error": "no such page"})
            self.asked[i].append(req.json)
            return does(req.json, len(self.asked[i]), conn)
        return one

    def __enter__(self):
        for u in self.ups:
            u.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for u in self.ups:
            u.__exit__(*exc)

    def ask(self, client, **more):
        for a in self.asked:
            a.clear()
        # What a target did before is not the point.
        for i in range(len(self.ups)):
            self.host.control("provider.reset", {"name": "p%d" % i})
        status, headers, body = self.host.post(
            client.path, dict(client.body("r", True), **more))
        assert status == 200, (status, body)
        self.host.alive()
        return body

    def counts(self):
        return [len(a) for a in self.asked]


def breaks(wire, *words, how="cut"):
    """Says these words, and no more."""
    def does(body, turn, conn):
        send_some(conn, wire, wire.opening, *map(wire.word, words))
        if how == "error":
            conn.sendall(b"%x\r\n%s\r\n" % (len(wire.inside("It broke")),
                                            wire.inside("It broke")))
            conn.sendall(b"0\r\n\r\n")
            return None
        return hang(conn) if how == "stall" else False
    return does


def says(wire, *words):
    return lambda body, turn, conn: answer(wire, True, conn, words)


def whole(client, body, text):
    got = client.stream(body)
    assert got == (text, True, []), (got, body)
    well_formed(client, body)


def broken(client, body, text, why=""):
    got = client.stream(body)
    assert got[0] == text and not got[1] and len(got[2]) == 1, (got, body)
    assert why in got[2][0], (got, body)
    assert KEY.encode() not in body


def test_restart():
    """The next target says the same again, in other pieces: only what is new
    goes out."""
    for first, second in itertools.product(WIRES, WIRES):
        with Targets((first, first.model, breaks(first, "Hel", "lo, w")),
                     (second, second.model,
                      says(second, "H", "ello, wor", "ld"))) as t:
            for client in CLIENTS:
                whole(client, t.ask(client), "Hello, world")
                assert t.counts() == [1, 1], t.counts()
            assert KEY not in t.host.errors()


def test_each_kind_of_break():
    for how in ("cut", "stall", "error"):
        for wire in WIRES:
            with Targets((wire, wire.model, breaks(wire, "Hel", how=how)),
                         (OpenAI, "m", says(OpenAI, "Hello"))) as t:
                for client in CLIENTS:
                    whole(client, t.ask(client), "Hello")


def test_continuation():
    """A target that takes an answer which was begun is asked for the rest, also
    when others stand before it."""
    for first in WIRES:
        with Targets((first, first.model, breaks(first, "Hello, ")),
                     (OpenAI, "m", says(OpenAI, "Something else")),
                     (Anthropic, "claude-sonnet-4-5",
                      says(Anthropic, " wor", "ld"))) as t:
            for client in CLIENTS:
                whole(client, t.ask(client), "Hello, world")
                assert t.counts() == [1, 0, 1], t.counts()
                last = t.asked[2][0]["messages"][-1]
                assert last["role"] == "assistant", last
                text = last["content"] if isinstance(last["content"], str) \
                    else last["content"][0]["text"]
                # No turn may end with white space there.
                assert text == "Hello,", last


def test_continuation_keeps_to_the_limit():
    """What has been sent is not had once more."""
    words = "one two three four five six seven eight nine ten. " * 4
    with Targets((OpenAI, "m", breaks(OpenAI, words)),
                 (Anthropic, "claude-sonnet-4-5", says(Anthropic, "End"))) as t:
        t.ask(OpenAIClient, max_tokens=1000)
        assert 900 < t.asked[1][0]["max_tokens"] < 980, t.asked[1]
        t.ask(OpenAIClient, max_tokens=20)
        assert t.asked[1][0]["max_tokens"] == 1, t.asked[1]


def text_and_error(body, turn, conn):
    send_some(conn, OpenAI, OpenAI.opening, OpenAI.word("Hel"),
              b"data: " + json.dumps({
                  "id": "chatcmpl-1", "object": "chat.completion.chunk",
                  "created": 1, "model": "m", "choices": [
                      {"index": 0, "delta": {"content": "lo, w"}},
                      {"index": 1, "error": {"message": "It broke"}}]}
              ).encode() + b"\n\n")
    return False


def test_a_piece_that_is_not_passed():
    """Its text is not what the client has."""
    with Targets((OpenAI, "m", text_and_error),
                 (OpenAI, "m", says(OpenAI, "Hello, ", "world"))) as t:
        whole(OpenAIClient, t.ask(OpenAIClient), "Hello, world")
        assert t.counts() == [1, 1], t.counts()


def half_line(body, turn, conn):
    send_some(conn, Ollama, Ollama.opening, Ollama.word("Hel"),
              Ollama.word("lo, ").rstrip(b"\n"))
    conn.sendall(b"0\r\n\r\n")
    return None


def test_a_line_without_its_end():
    """What follows it stands on a line of its own."""
    with Targets((Ollama, "llama3", half_line),
                 (Ollama, "llama3", says(Ollama, "Hello, ", "world"))) as t:
        for client in CLIENTS:
            whole(client, t.ask(client), "Hello, world")
            assert t.counts() == [1, 1], t.counts()
    with Targets((Ollama, "llama3", half_line),
                 (OpenAI, "m", says(OpenAI, "Good day"))) as t:
        broken(OllamaClient, t.ask(OllamaClient), "Hello, ")


def test_leaving_while_others_go_on():
    """Whoever is being asked just then is let go of at once."""
    left = []

    def silent(body, turn, conn):
        conn.settimeout(25)
        left.append(conn.recv(1))
        return False

    with Targets((OpenAI, "m", breaks(OpenAI, "Hel")),
                 (OpenAI, "m", silent)) as t:
        body = json.dumps(OpenAIClient.body("r", True)).encode()
        with t.host.connect() as s:
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            until(lambda: t.asked[1], "the second target to be asked")
            assert not left
        until(lambda: left == [b""], "the second target to be let go of")
        until(lambda: not t.host.counters("p1")["active"], "nothing under way")
        assert t.host.counters("p0")["active"] == 0
        assert t.host.counters("p1")["cancelled"] == 1
        t.host.alive()


def test_deadline_of_all():
    """It does not begin anew with whoever goes on."""
    with Targets((OpenAI, "m", breaks(OpenAI, "Hel")),
                 (OpenAI, "m", breaks(OpenAI, "Hel", how="stall")),
                 times="") as t:
        status, _, body = t.host.post(
            OpenAIClient.path, OpenAIClient.body("r", True),
            headers={"x-patchbay-deadline": "2s"})
        assert status == 200, body
        broken(OpenAIClient, body, "Hel", "time")
        assert t.counts() == [1, 1], t.counts()


def refuses(body, turn, conn):
    return send_json(conn, 400, {"type": "error", "error": {
        "type": "invalid_request_error", "message": "no prefill today"}})


def begun_then_restart(body, turn, conn):
    if body["messages"][-1]["role"] == "assistant":
        return refuses(body, turn, conn)
    return answer(Anthropic, True, conn, ("Hello",))


def test_refused_prefill():
    """It is the target's own matter: the request as it was, then the others,
    then the error that began it."""
    model = "claude-sonnet-4-5"
    with Targets((OpenAI, "m", breaks(OpenAI, "Hel")),
                 (Anthropic, model, begun_then_restart)) as t:
        for client in CLIENTS:
            whole(client, t.ask(client), "Hello")
            assert t.counts() == [1, 2], t.counts()
            assert t.asked[1][1]["messages"][-1]["role"] == "user"
    with Targets((OpenAI, "m", breaks(OpenAI, "Hel", how="error")),
                 (Anthropic, model, refuses)) as t:
        for client in CLIENTS:
            broken(client, t.ask(client), "Hel", "It broke")
            assert t.counts() == [1, 2], t.counts()


def test_another_answer():
    """A target that says something else is left for the next; when there is
    none, the error is that of the break, and nothing of the other answer is
    seen."""
    other = (OpenAI, "other", says(OpenAI, "He", "ns"))
    for first in WIRES:
        broke = (first, first.model, breaks(first, "Hel", how="error"))
        with Targets(broke, other, (OpenAI, "m", says(OpenAI, "Hello"))) as t:
            for client in CLIENTS:
                whole(client, t.ask(client), "Hello")
                assert t.counts() == [1, 1, 1], t.counts()
        # The third stops before it has said what was sent.
        with Targets(broke, other, (Ollama, "m", says(Ollama, "He"))) as t:
            for client in CLIENTS:
                broken(client, t.ask(client), "Hel", "It broke")
                assert t.counts() == [1, 1, 1], t.counts()


def test_a_rescue_that_breaks():
    """The one after it begins where the client is by then."""
    with Targets((Anthropic, "claude-x", breaks(Anthropic, "Hel")),
                 (OpenAI, "m", breaks(OpenAI, "Hello, ")),
                 (Ollama, "m", says(Ollama, "Hello", ", world"))) as t:
        for client in CLIENTS:
            whole(client, t.ask(client), "Hello, world")
            assert t.counts() == [1, 1, 1], t.counts()


def test_usage_of_all():
    """What the attempt that broke has used counts, by estimate."""
    with Targets((OpenAI, "m", breaks(OpenAI, "Hel")),
                 (Anthropic, "claude-x", says(Anthropic, "Hello"))) as t:
        body = t.ask(OpenAIClient, stream_options={"include_usage": True})
        usage = [json.loads(e)["usage"] for e in sse(body)
                 if e != "[DONE]" and json.loads(e).get("usage")]
        assert len(usage) == 1, body
        assert usage[0]["prompt_tokens"] > 3, usage
        assert usage[0]["completion_tokens"] > 2, usage


def tool_begins(body, turn, conn):
    send_some(conn, OpenAI, OpenAI.opening, OpenAI.word("Hel"),
              b"data: " + json.dumps({
                  "id": "c1", "object": "chat.completion.chunk", "created": 1,
                  "model": "m", "choices": [{
                      "index": 0, "finish_reason": None, "delta": {
                          "tool_calls": [{"index": 0, "id": "t1",
                                          "type": "function", "function": {
                                              "name": "f",
                                              "arguments": "{"}}]}}]
              }).encode() + b"\n\n")
    return False


def long_answer(body, turn, conn):
    send_some(conn, OpenAI, OpenAI.opening,
              *[OpenAI.word(LONG * 100) for _ in range(30)])
    return False


def test_not_rescued():
    """An answer that calls a tool, one that is too long, and everything with
    midstream = "error"; nobody else is asked."""
    good = (OpenAI, "m", says(OpenAI, "Hello"))
    with Targets((OpenAI, "m", tool_begins), good) as t:
        for client in (OpenAIClient, AnthropicClient, OllamaClient):
            broken(client, t.ask(client), "Hel")
            assert t.counts() == [1, 0], t.counts()
    assert len(LONG) * 3000 > 65536
    with Targets((OpenAI, "m", long_answer), good) as t:
        for client in CLIENTS:
            broken(client, t.ask(client), LONG * 3000)
            assert t.counts() == [1, 0], t.counts()
    for wire in WIRES:
        with Targets((wire, wire.model, breaks(wire, "Hel")), good,
                     server='midstream = "error";') as t:
            for client in CLIENTS:
                broken(client, t.ask(client), "Hel")
                assert t.counts() == [1, 0], t.counts()


def test_responses_end_with_an_error():
    """Their last event repeats everything: no other target can go on."""
    with Targets((Anthropic, "claude-x", breaks(Anthropic, "Hel")),
                 (OpenAI, "m", says(OpenAI, "Hello"))) as t:
        status, _, body = t.host.post("/v1/responses", {
            "model": "r", "stream": True, "input": "hi"})
        assert status == 200, body
        kinds = [json.loads(e)["type"] for e in sse(body)]
        assert kinds[-1] in ("error", "response.failed"), kinds
        assert "response.completed" not in kinds, kinds
        assert t.counts() == [1, 0], t.counts()


def thinks(body, turn, conn):
    send_some(conn, Anthropic, event("message_start", message={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": Anthropic.usage}),
        event("content_block_start", index=0, content_block={
            "type": "thinking", "thinking": "", "signature": ""}),
        event("content_block_delta", index=0, delta={
            "type": "thinking_delta", "thinking": "Hm"}),
        event("content_block_delta", index=0, delta={
            "type": "signature_delta", "signature": "abc"}),
        event("content_block_stop", index=0),
        event("content_block_start", index=1, content_block={
            "type": "text", "text": ""}),
        Anthropic.word("Hel").replace(b'"index": 0', b'"index": 1'))
    return False


def test_blocks_go_on():
    """The number of the block is that of the one which is open."""
    with Targets((Anthropic, "claude-x", thinks),
                 (OpenAI, "m", says(OpenAI, "Hello"))) as t:
        body = t.ask(AnthropicClient)
        whole(AnthropicClient, body, "Hello")
        starts = [json.loads(e)["content_block"]["type"] for e in sse(body)
                  if json.loads(e)["type"] == "content_block_start"]
        assert starts == ["thinking", "text"], body


if __name__ == "__main__":
    main(globals())
