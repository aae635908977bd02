# SPDX-License-Identifier: MIT
"""A wall of faults: upstreams that misbehave on purpose, by the model's name,
in the wire forms of OpenAI (chats and responses), Anthropic, Ollama and
OpenRouter, in front of a target that works.  For each fault, client API and both kinds of answer: what the
client saw, and what the providers saw: how often they were asked, and how soon
the next one was."""
import email.utils
import http.client
import itertools
import json
import socket
import statistics
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness import (BOUND, DONE, SSE_HEAD, Host, Upstream, chunked, completion,
                     delta, good_stream, joined, main, send_json, send_stream,
                     sse)

KEY = "sk-upstream-secret-1234"
SHORT = 'timeouts: { first_token = "900ms"; idle = "900ms"; };'
SMALL = 'max_record = "64K"; max_reply = "256K";'
NDJSON = SSE_HEAD.replace(b"text/event-stream", b"application/x-ndjson")


# --- wire forms ---------------------------------------------------------------

class OpenAI:
    kind, path, model = "openai", "/v1", "gpt-x"
    ping = b": ping\n\n"
    # Client APIs for which the answer stops before its end mark.
    stopped = ("openai", "anthropic", "ollama", "responses")
    keys = 'responses_api = "none";'  # its clients' requests become chats
    head, end = SSE_HEAD, [delta(finish="stop"), DONE]
    opening = delta(role="assistant", content="")
    bad = b'data: {"choices": [}\n\n'
    long = b'data: {"choices": [{"delta": {"content": "'

    @staticmethod
    def word(text):
        return delta(text)

    @staticmethod
    def whole(text):
        return completion(text)

    @staticmethod
    def error(status, kind, words):
        return {"error": {"message": words, "type": "server_error",
                          "param": None, "code": {
                              "context": "context_length_exceeded",
                              "filter": "content_policy_violation",
                              "rate": "rate_limit_exceeded"}.get(kind)}}

    @classmethod
    def inside(cls, words):
        return b"data: " + json.dumps(cls.error(503, "", words)).encode() + \
            b"\n\n"


class OpenRouter(OpenAI):
    kind, path, keys = "openrouter", "/api/v1", ""
    ping = b": OPENROUTER PROCESSING\n\n"

    @staticmethod
    def error(status, kind, words):
        if kind == "filter":
            return {"error": {"code": 403, "message": words, "metadata": {
                "reasons": ["violence"], "flagged_input": "hi"}}}
        return {"error": {"code": status, "message": words, "metadata": {
            "error_type": "context_length_exceeded"}
            if kind == "context" else {}}}

    @classmethod
    def inside(cls, words):
        return b"data: " + json.dumps({
            "id": "gen-1", "object": "chat.completion.chunk", "created": 1,
            "model": "m", "error": {"code": 502, "message": words},
            "choices": [{"index": 0, "delta": {"content": ""},
                         "finish_reason": "error"}]}).encode() + b"\n\n"


def event(kind, **more):
    return b"event: %s\ndata: %s\n\n" % (
        kind.encode(), json.dumps(dict(more, type=kind)).encode())


class Responses:
    """All chats go this way; what its own clients ask is passed through."""
    kind, path, model = "openai", "/v1", "gpt-x"
    keys = 'responses_api = "all";'
    head, error, ping, stopped = SSE_HEAD, OpenAI.error, OpenAI.ping, ()
    bad = b'event: response.output_text.delta\ndata: {"type": }\n\n'
    long = b'data: {"type": "response.output_text.delta", "delta": "'

    @staticmethod
    def part(text):
        return {"type": "output_text", "text": text, "annotations": [],
                "logprobs": []}

    @classmethod
    def item(cls, text, status="completed"):
        return {"id": "msg_1", "type": "message", "role": "assistant",
                "status": status,
                "content": [cls.part(text)] if text is not None else []}

    @classmethod
    def whole(cls, text, status="completed"):
        return {"id": "resp_1", "object": "response", "created_at": 1,
                "model": "m", "status": status, "error": None,
                "incomplete_details": None, "instructions": None,
                "metadata": {}, "parallel_tool_calls": True, "tools": [],
                "tool_choice": "auto", "temperature": 1, "top_p": 1,
                "output": [cls.item(text)] if text is not None else [],
                "usage": {"input_tokens": 3, "output_tokens": 2,
                          "total_tokens": 5} if status == "completed" else None}

    @staticmethod
    def word(text, number=5):
        return event("response.output_text.delta", delta=text, logprobs=[],
                     sequence_number=4 if text == "Hel" else number, **AT)

    @classmethod
    def inside(cls, words):
        return event("response.failed", sequence_number=10, response=dict(
            cls.whole(None, "failed"),
            error={"code": "server_error", "message": words}))


class Anthropic:
    kind, path, model, keys = "claude", "", "claude-x", ""
    head, ping, stopped = SSE_HEAD, OpenAI.ping, ("anthropic",)
    usage = {"input_tokens": 3, "output_tokens": 2}
    opening = event("message_start", message={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": usage}) + event(
            "content_block_start", index=0,
            content_block={"type": "text", "text": ""})
    end = [event("content_block_stop", index=0),
           event("message_delta", delta={"stop_reason": "end_turn"},
                 usage=usage), event("message_stop")]
    bad = b'event: content_block_delta\ndata: {"type": }\n\n'
    long = b'data: {"type": "content_block_delta", "delta": {"text": "'

    @staticmethod
    def word(text):
        return event("content_block_delta", index=0,
                     delta={"type": "text_delta", "text": text})

    @classmethod
    def whole(cls, text):
        return {"id": "msg_1", "type": "message", "role": "assistant",
                "model": "m", "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn", "stop_sequence": None,
                "usage": cls.usage}

    @staticmethod
    def error(status, kind, words):
        if kind == "context":
            words = "prompt is too long: 210000 tokens > 200000 maximum"
        return {"type": "error", "error": {"type": {
            "context": "invalid_request_error", "rate": "rate_limit_error",
            "filter": "invalid_request_error"}.get(kind, "api_error"),
            "message": words}}

    @staticmethod
    def inside(words):
        return event("error", error={"type": "overloaded_error",
                                     "message": words})


class Ollama:
    kind, path, model, keys = "ollama", "", "llama3", ""
    head, ping, stopped = NDJSON, b"\n", ()
    bad = b'{"message": }\n'
    long = b'{"message": {"content": "'

    @staticmethod
    def line(text="", done=False):
        out = {"model": "llama3", "created_at": "2026-11-20T10:00:00.1Z",
               "message": {"role": "assistant", "content": text}, "done": done}
        if done:
            out.update(done_reason="stop", prompt_eval_count=3, eval_count=2)
        return out

    @classmethod
    def word(cls, text):
        return json.dumps(cls.line(text)).encode() + b"\n"

    @classmethod
    def whole(cls, text):
        return cls.line(text, True)

    @staticmethod
    def error(status, kind, words):
        if kind == "context":
            words = "the input length exceeds the context length"
        return {"error": words}

    @staticmethod
    def inside(words):
        return json.dumps({"error": words}).encode() + b"\n"


Ollama.opening = Ollama.word("")
Ollama.end = [json.dumps(Ollama.line("", True)).encode() + b"\n"]

AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
Responses.opening = b"".join((
    event("response.created", sequence_number=0,
          response=Responses.whole(None, "in_progress")),
    event("response.in_progress", sequence_number=1,
          response=Responses.whole(None, "in_progress")),
    event("response.output_item.added", sequence_number=2, output_index=0,
          item=Responses.item(None, "in_progress")),
    event("response.content_part.added", sequence_number=3,
          part=Responses.part(""), **AT)))
Responses.end = [
    event("response.output_text.done", sequence_number=20, text="Hello",
          logprobs=[], **AT),
    event("response.content_part.done", sequence_number=21,
          part=Responses.part("Hello"), **AT),
    event("response.output_item.done", sequence_number=22, output_index=0,
          item=Responses.item("Hello")),
    event("response.completed", sequence_number=23,
          response=Responses.whole("Hello"))]

WIRES = (OpenAI, Anthropic, Ollama, OpenRouter, Responses)


def name_of(wire):
    """As a provider's name."""
    return wire.__name__.lower()


# --- faults -------------------------------------------------------------------
# fault(w, stream, conn): False closes the connection.

def refuse(status, kind="", words="Nothing today", headers=lambda: ""):
    return lambda w, stream, conn: send_json(
        conn, status, w.error(status, kind, words), headers())


def rst(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    conn.close()
    return False


def hang(conn):
    """Until the host hangs up."""
    conn.settimeout(25)
    try:
        conn.recv(1)
    except socket.timeout:
        pass
    return False


def answer(w, stream, conn, words=("Hel", "lo")):
    if stream:
        return send_words(w, conn, words)
    return send_json(conn, 200, w.whole("".join(words)))


def send_words(w, conn, words):
    conn.sendall(w.head)
    for e in [w.opening] + [w.word(x) for x in words] + w.end:
        conn.sendall(chunked(e))
    conn.sendall(b"0\r\n\r\n")


def slow(w, stream, conn):
    time.sleep(0.3)  # the fault itself
    return answer(w, stream, conn)


def half_open(w, stream, conn):
    """A head, and never a body."""
    conn.sendall(w.head if stream else
                 b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Content-Length: 100\r\n\r\n")
    return hang(conn)


def send_some(conn, w, *events):
    conn.sendall(w.head + b"".join(chunked(e) for e in events))


def cut_body(w, conn, back=20):
    body = json.dumps(w.whole("Hello")).encode()
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body[:-back])
    return False


def cut_before(w, stream, conn):
    if not stream:
        return cut_body(w, conn, 60)
    send_some(conn, w, w.opening[:-9])
    return False


def cut_between(w, stream, conn):
    if not stream:
        return cut_body(w, conn)
    send_some(conn, w, w.opening, w.word("Hel"))
    return False


def cut_inside(w, stream, conn):
    if not stream:
        return cut_body(w, conn, 1)
    send_some(conn, w, w.opening, w.word("Hel"), w.word("lo")[:-12])
    return False


def cut_head(w, stream, conn):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
    return False


def cut_last(w, stream, conn):
    """Nothing is missing but a piece of the end mark."""
    if not stream:
        return cut_body(w, conn, 1)
    send_some(conn, w, w.opening, w.word("Hel"), *w.end[:-1], w.end[-1][:-9])
    return False


def stall(w, stream, conn):
    if not stream:
        cut_body(w, conn)
    else:
        send_some(conn, w, w.opening, w.word("Hel"))
    return hang(conn)


def whole_stream(conn, w, *events):
    send_some(conn, w, *events)
    conn.sendall(b"0\r\n\r\n")


def malformed_first(w, stream, conn):
    if not stream:
        return send_json(conn, 200, b'{"choices": [}')
    return whole_stream(conn, w, w.opening, w.bad, *w.end)


def malformed_later(w, stream, conn):
    if not stream:
        return send_json(conn, 200, b"nonsense")
    return whole_stream(conn, w, w.opening, w.word("Hel"), w.bad, *w.end)


def no_end(w, stream, conn):
    if not stream:
        return cut_body(w, conn)
    return whole_stream(conn, w, w.opening, w.word("Hel"))


def error_in_200(w, stream, conn, *before):
    if not stream:
        return send_json(conn, 200, w.error(503, "", "It broke"))
    return whole_stream(conn, w, *before, w.inside("It broke"))


def error_second(w, stream, conn):
    return error_in_200(w, stream, conn, w.opening)


def error_later(w, stream, conn):
    return error_in_200(w, stream, conn, w.opening, w.word("Hel"))


def wrong_type(w, stream, conn):
    body = b"<html><body>Please log in</body></html>"
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)


def endless(w, stream, conn):
    """A record, or a body, that never ends."""
    if stream:
        conn.sendall(w.head + chunked(w.opening) + chunked(w.long))
    else:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"\r\n{\"x\": \"")
    for _ in range(10000):
        data = b"x" * 4096
        conn.sendall(chunked(data) if stream else data)
    return False


def on_and_on(conn, piece):
    """Until the host hangs up; piece: of its number."""
    conn.settimeout(0.05)
    for i in itertools.count():
        conn.sendall(piece(i))
        try:
            if not conn.recv(1):
                return False
        except socket.timeout:
            pass


def endless_words(w, stream, conn):
    """Each piece is right, and none is the last."""
    if not stream:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"\r\n{")
        return on_and_on(conn, lambda i: b" ")
    send_some(conn, w, w.opening, w.word("Hel"))
    if w is Responses:
        return on_and_on(conn, lambda i: chunked(w.word("lo", 5 + i)))
    return on_and_on(conn, lambda i: chunked(w.word("lo")))


def only_pings(w, stream, conn):
    """Signs of life, and never an answer."""
    if not stream:
        return hang(conn)
    conn.sendall(w.head)
    return on_and_on(conn, lambda i: chunked(w.ping))


def date(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


# What comes of each.  "next": the second target answers, and nobody notices;
# "own": the first does; "told": the client gets the refusal, nobody else is
# asked; "cut": streamed, the text so far and an error, for the next, which is
# asked to go on, says something else (rescue.py has those that do); whole, the
# next; "late": its time is over, so nobody else is asked.
FAULTS = {
    "rate": (refuse(429, "rate"), "next", ""),
    "rate_seconds": (refuse(429, "rate", headers=lambda:
                            "Retry-After: 30\r\n"), "next", ""),
    "rate_date": (refuse(429, "rate", headers=lambda: "Retry-After: %s\r\n"
                         % date(30)), "next", ""),
    "rate_ms": (refuse(429, "rate", headers=lambda:
                       "retry-after-ms: 29500\r\n"), "next", ""),
    "error_500": (refuse(500), "next", ""),
    "error_503": (refuse(503), "next", ""),
    "refused": (None, "next", ""),
    "reset": (lambda w, stream, conn: rst(conn), "next", ""),
    "closed": (lambda w, stream, conn: False, "next", ""),
    "silence": (lambda w, stream, conn: hang(conn), "next", SHORT),
    "half_open": (half_open, "next", SHORT),
    "slow": (slow, "own", ""),
    "cut_before": (cut_before, "next", ""),
    "cut_between": (cut_between, "cut", ""),
    "cut_inside": (cut_inside, "cut", ""),
    "cut_head": (cut_head, "next", ""),
    "cut_last": (cut_last, "cut", ""),
    "stall": (stall, "cut", SHORT),
    "malformed_first": (malformed_first, "next", ""),
    "malformed_later": (malformed_later, "cut", ""),
    "no_end": (no_end, "cut", ""),
    "error_first": (error_in_200, "next", ""),
    "error_second": (error_second, "next", ""),
    "error_later": (error_later, "cut", ""),
    "context": (refuse(400, "context", "Too long"), "next", ""),
    "wrong_type": (wrong_type, "next", ""),
    "endless": (endless, "next", SMALL),
    "endless_words": (endless_words, "late", 'timeouts: { total = "2s"; };'),
    "only_pings": (only_pings, "next", SHORT),
    "invalid": (refuse(400, "invalid", "temperature is too high"), "told", ""),
    "fine": (answer, "own", ""),
}
# A refusal for its content has a form with these; Anthropic's and Ollama's
# models refuse in words.
FILTER = {"filter": (refuse(400, "filter", "Flagged"), "told", "")}
SOON = ("refused", "reset", "closed", "error_500", "error_503")


# --- client APIs --------------------------------------------------------------
# Each reads an answer as (text, whole?, error or None).

def lines(body):
    return [json.loads(x) for x in body.splitlines() if x.strip()]


class OpenAIClient:
    path = "/v1/chat/completions"

    @staticmethod
    def body(model, stream):
        return {"model": model, "stream": stream,
                "messages": [{"role": "user", "content": "hi"}]}

    @staticmethod
    def whole(reply):
        return reply["choices"][0]["message"]["content"]

    @staticmethod
    def error(reply):
        return reply["error"]["message"]

    @staticmethod
    def stream(body):
        events = sse(body)
        parts = [json.loads(e) for e in events if e != "[DONE]"]
        errors = [p["error"]["message"] for p in parts if "error" in p]
        text = "".join(c["delta"].get("content") or "" for p in parts
                       for c in p.get("choices") or () if "error" not in p)
        stops = [c["finish_reason"] for p in parts if "error" not in p
                 for c in p.get("choices") or () if c["finish_reason"]]
        if errors:
            assert not stops, "a cut answer has a stop"
        return text, events[-1] == "[DONE]" and stops == ["stop"], errors


class AnthropicClient:
    path = "/v1/messages"

    @staticmethod
    def body(model, stream):
        return dict(OpenAIClient.body(model, stream), max_tokens=100)

    @staticmethod
    def whole(reply):
        assert reply["stop_reason"] == "end_turn", reply
        return "".join(b["text"] for b in reply["content"])

    @staticmethod
    def error(reply):
        assert reply["type"] == "error", reply
        return reply["error"]["message"]

    @staticmethod
    def stream(body):
        parts = [json.loads(e) for e in sse(body)]
        kinds = [p["type"] for p in parts]
        errors = [p["error"]["message"] for p in parts if p["type"] == "error"]
        text = "".join(p["delta"].get("text", "") for p in parts
                       if p["type"] == "content_block_delta")
        if errors:
            assert "message_delta" not in kinds and \
                "message_stop" not in kinds, kinds
        return text, kinds[-1] == "message_stop", errors


class OllamaClient:
    path = "/api/chat"
    body = OpenAIClient.body

    @staticmethod
    def whole(reply):
        assert reply["done"] is True, reply
        return reply["message"]["content"]

    @staticmethod
    def error(reply):
        return reply["error"]

    @staticmethod
    def stream(body):
        parts = lines(body)
        errors = [p["error"] for p in parts if "error" in p]
        text = "".join(p["message"]["content"] for p in parts if "message" in p)
        done = [p for p in parts if p.get("done")]
        if errors:
            assert not done, parts
        return text, parts[-1].get("done") is True, errors


class ResponsesClient:
    path = "/v1/responses"

    @staticmethod
    def body(model, stream):
        return {"model": model, "stream": stream, "input": "hi"}

    @staticmethod
    def text(response):
        return "".join(c["text"] for item in response["output"]
                       if item["type"] == "message" for c in item["content"])

    @classmethod
    def whole(cls, reply):
        assert reply["status"] == "completed" and not reply["error"], reply
        return cls.text(reply)

    @staticmethod
    def error(reply):
        return reply["error"]["message"]

    @classmethod
    def stream(cls, body):
        parts = [json.loads(e) for e in sse(body)]
        kinds = [p["type"] for p in parts]
        places = [p["sequence_number"] for p in parts]
        assert places == sorted(set(places)), places
        # "error", and for answers that the host made "response.failed", too.
        errors = sorted({p["message"] for p in parts if p["type"] == "error"} |
                        {p["response"]["error"]["message"] for p in parts
                         if p["type"] == "response.failed"})
        text = "".join(p["delta"] for p in parts
                       if p["type"] == "response.output_text.delta")
        if errors:
            assert "response.completed" not in kinds and \
                "response.incomplete" not in kinds, kinds
        else:
            assert cls.whole(parts[-1]["response"]) == text, parts[-1]
        return text, kinds[-1] == "response.completed", errors


CLIENTS = {"openai": OpenAIClient, "anthropic": AnthropicClient,
           "ollama": OllamaClient, "responses": ResponsesClient}


# --- the wall -----------------------------------------------------------------

class Wall:
    """A host with a provider and a route of its own for each case, so that no
    case sees what another has done to a provider's health."""
    clients = 12  # at once

    def __init__(self, wire, stream):
        self.wire = wire
        self.faults = dict(FAULTS)
        if wire in (OpenAI, OpenRouter, Responses):
            self.faults.update(FILTER)
        self.cases = [(f, c, stream) for f in self.faults for c in CLIENTS]
        self.bad, self.good = Upstream(self.misbehave), Upstream(self.behave)
        self.lock = threading.Lock()
        self.seen, self.failed_at, self.answered = {}, {}, {}
        self.resent = {}
        self.first = {}
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.nowhere = "http://127.0.0.1:%d" % s.getsockname()[1]

    @staticmethod
    def name(case):
        return "%s-%s-%s" % (case[0], case[1], "stream" if case[2] else "whole")

    def count(self, table, name):
        with self.lock:
            table.setdefault(name, []).append(time.monotonic())

    def misbehave(self, req, conn):
        if req.method != "POST" or not any(
                p in req.path for p in ("/chat", "/messages", "/responses")):
            return send_json(conn, 404, {"error": "no such page"})
        name = req.json["model"]
        self.count(self.seen, name)
        if req.kept and name.split("-")[0] in ("reset", "closed"):
            # A kept connection that dies: it goes out once more on a new one.
            self.count(self.resent, name)
        fault = self.faults[name.split("-")[0]][0]
        try:
            return fault(self.wire, bool(req.json.get("stream")), conn)
        finally:
            self.count(self.failed_at, name)

    def behave(self, req, conn):
        if req.method != "POST":
            return send_json(conn, 404, {"error": {"message": "none"}})
        self.count(self.answered, req.json["model"])
        if req.json.get("stream"):
            return send_stream(conn, good_stream(("Sec", "ond")))
        return send_json(conn, 200, completion("Second"))

    def conf(self):
        providers, routes = [], []
        for case in self.cases:
            name = self.name(case)
            url = self.nowhere if case[0] == "refused" else self.bad.url
            providers.append(
                '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; %s %s };'
                % (name, self.wire.kind, url, self.wire.path, KEY,
                   self.wire.keys, self.faults[case[0]][2]))
            routes.append('{ name = "r-%s"; targets = [ "%s/%s", "good/%s" ]; }'
                          % (name, name, name, name))
        providers.append('good: { type = "openai"; base_url = "%s/v1"; '
                         'api_key = "%s"; %s };'
                         % (self.good.url, KEY, OpenAI.keys))
        return {"providers": "\n".join(providers),
                # So many failures are not what it is for.
                "server": "retry_budget = 1000;",
                "top": "routes = ( %s );" % ",\n".join(routes)}

    def run(self):
        with self.bad, self.good, Host(log="warn", **self.conf()) as self.host:
            with ThreadPoolExecutor(self.clients) as pool:
                told = list(pool.map(self.told, self.cases))
            self.host.alive()
            assert KEY not in self.host.errors(), "the key is in the log"
        wrong = [t for t in told if t]
        assert not wrong, "\n".join(wrong)
        self.soon()

    def told(self, case):
        try:
            self.one(case)
        except Exception as e:  # so that all wrong cases are told at once
            return "%s %s: %s: %s" % (self.wire.kind, self.name(case),
                                      type(e).__name__, e)

    def asked(self, name):
        return len(self.seen.get(name, ())) - len(self.resent.get(name, ()))

    def ask(self, case):
        """(status, headers, body), and how soon the first byte came."""
        name, api = self.name(case), CLIENTS[case[1]]
        c = http.client.HTTPConnection("127.0.0.1", self.host.port,
                                       timeout=BOUND)
        try:
            body = json.dumps(api.body("r-" + name, case[2]))
            c.connect()
            began = time.monotonic()
            c.request("POST", api.path, body,
                      {"Content-Type": "application/json"})
            r = c.getresponse()
            self.first[name] = time.monotonic() - began
            return r.status, joined(r.getheaders()), r.read()
        finally:
            c.close()

    def one(self, case):
        fault, client, stream = case
        name, api = self.name(case), CLIENTS[client]
        status, headers, body = self.ask(case)
        assert KEY.encode() not in body, "the key reaches the client"
        becomes = self.faults[fault][1]
        if becomes == "cut" and not stream:
            becomes = "next"
        if fault == "cut_last" and stream and client in self.wire.stopped:
            becomes = "unended"
        asked = (self.asked(name), len(self.answered.get(name, ())))
        wanted = {"next": (1, 1), "own": (1, 0), "told": (1, 0), "cut": (1, 1),
                  "late": (1, 0), "unended": (1, 0)}
        expect = (0, 1) if fault == "refused" else wanted[becomes]
        if becomes == "cut" and client == "responses":
            expect = (1, 0)  # nobody can go on with those
        assert asked == expect, ("asked", asked, "not", expect, status, body)
        getattr(self, "see_" + becomes)(api, stream, status, headers, body)

    @staticmethod
    def see(text, api, stream, status, body):
        assert status == 200, (status, body)
        got = api.stream(body) if stream else \
            (api.whole(json.loads(body)), True, [])
        assert got == (text, True, []), (got, body)

    def see_next(self, api, stream, status, headers, body):
        self.see("Second", api, stream, status, body)
        assert headers["x-patchbay-provider"] == "good", headers
        assert headers["x-patchbay-attempts"] == "2", headers

    def see_own(self, api, stream, status, headers, body):
        self.see("Hello", api, stream, status, body)
        assert headers["x-patchbay-attempts"] == "1", headers

    def see_told(self, api, stream, status, headers, body):
        assert 400 <= status < 500 and status != 429, (status, body)
        assert headers["content-type"].startswith("application/json")
        assert api.error(json.loads(body)), body

    def see_cut(self, api, stream, status, headers, body):
        assert status == 200, (status, body)
        text, whole, errors = api.stream(body)
        assert text == "Hel" and not whole and len(errors) == 1 and errors[0], \
            (text, whole, errors, body)

    def see_unended(self, api, stream, status, headers, body):
        """The provider has said why it stopped, and never that this was all."""
        assert status == 200 and b"Hel" in body, (status, body)
        for end in (b"[DONE]", b"message_stop", b'"done":true',
                    b"response.completed"):
            assert end not in body, body
        assert body.count(b'"error":{') + body.count(b'{"error":"') == 1 or \
            body.count(b"response.failed") == 2, body

    def see_late(self, api, stream, status, headers, body):
        if not stream:
            assert status == 504, (status, body)
            assert "total time-out" in api.error(json.loads(body)), body
            return
        assert status == 200, (status, body)
        text, whole, errors = api.stream(body)
        assert text.startswith("Hello") and not whole and len(errors) == 1 and \
            "total time-out" in errors[0], (text, whole, errors)

    def soon(self):
        """From a failure to the next target's request, and from the client's
        request to the first byte of its answer: below a second, by the median
        of the cases, for a busy machine delays any one of them."""
        for fault in SOON:
            names = [self.name(c) for c in self.cases if c[0] == fault]
            assert len(names) == len(CLIENTS), names
            first = [self.first[n] for n in names]
            assert statistics.median(first) < 1, (fault, first)
            if fault == "refused":
                continue  # nobody saw it
            gaps = [self.answered[n][0] - self.failed_at[n][0] for n in names]
            assert statistics.median(gaps) < 1, (fault, gaps)


def wall(wire, kind=Wall):
    """Both kinds of answer side by side: what takes time is waiting."""
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda stream: kind(wire, stream).run(),
                          (False, True)):
            pass


def test_openai():
    wall(OpenAI)


def test_anthropic():
    wall(Anthropic)


def test_ollama():
    wall(Ollama)


def test_openrouter():
    wall(OpenRouter)


def test_responses():
    wall(Responses)


def test_retry_after_reaches_the_client():
    """In all its forms, from each wire, when nobody else can answer."""
    for wire in WIRES:
        def answer_rate(req, conn):
            if req.method != "POST":
                return send_json(conn, 404, {"error": "none"})
            return FAULTS[req.json["model"]][0](wire, False, conn)
        with Upstream(answer_rate) as up:
            names = ("rate_seconds", "rate_date", "rate_ms")
            with Host(providers="".join(
                    '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; '
                    '%s };' % (n, wire.kind, up.url, wire.path, KEY, wire.keys)
                    for n in names)) as host:
                for n in names:
                    for client in CLIENTS.values():
                        status, headers, body = host.post(
                            client.path, client.body(n + "/" + n, False))
                        assert status == 429, (wire.kind, n, status, body)
                        assert client.error(json.loads(body))
                        after = int(headers["retry-after"])
                        # Clocks go on while the request is under way.
                        assert 10 <= after <= 31, (wire.kind, n, after)


if __name__ == "__main__":
    main(globals())
