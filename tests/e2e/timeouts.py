# SPDX-License-Identifier: MIT
"""The time-outs of a provider (connect, headers, first token, idle) and the time
that the whole request has: each by itself, for answers in one piece and streams,
for all client APIs and some wire forms.  What the client is told and what stands
in the log, that it is the provider's own time and no other one's, and what comes
of it where another target is left."""
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

from fault_wall import (CLIENTS, KEY, Anthropic, Ollama, OpenAI, answer, chunked,
                        cut_body, hang, on_and_on, send_some)
from fault_wall_connections import Deaf
from harness import Host, Upstream, main, send_json, until

WIRES = (OpenAI, Anthropic, Ollama)
QUICK, LONG = 0.4, 30  # seconds


def accept(w, stream, conn):
    return hang(conn)


def head(w, stream, conn):
    if stream:
        conn.sendall(w.head)
    else:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 100\r\n\r\n")
    return hang(conn)


def some(w, stream, conn):
    if stream:
        send_some(conn, w, w.opening, w.word("Hel"))
    else:
        cut_body(w, conn)
    return hang(conn)


def for_ever(w, stream, conn):
    if stream:
        send_some(conn, w, w.opening, w.word("Hel"))
        return on_and_on(conn, lambda i: chunked(w.word("lo")))
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    return on_and_on(conn, lambda i: b" ")


# The key of timeouts, what the upstream does, the class, and its words.
TIMES = {
    "connect": (None, "connect_timeout", "no connection to"),
    "headers": (accept, "headers_timeout", "no reply within the headers"),
    "first_token": (head, "first_token_timeout", "within the first-token"),
    "idle": (some, "idle_timeout", "the answer stopped coming"),
    "total": (for_ever, "deadline", "total time-out"),
}


def times(which):
    """All are long but this one."""
    return "timeouts: { %s };" % " ".join(
        '%s = "%dms";' % (k, 1000 * (QUICK if k == which else LONG))
        for k in TIMES)


class Setting:
    def __init__(self, deaf, wire):
        self.wire = wire
        self.up = Upstream(self.reply)
        provider = '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; %s };'
        self.host = Host(log="warn", providers="".join(
            provider % ("p_" + which, wire.kind,
                        self.up.url if does else deaf.url, wire.path, KEY,
                        wire.keys + times(which))
            for which, (does, _, _) in TIMES.items()) + provider % (
                "good", "openai", self.up.url, "/v1", KEY,
                OpenAI.keys + times(None)),
            top="routes = ( %s );" % ", ".join(
                '{ name = "r_%s"; targets = [ "p_%s/%s", "good/good" ]; }'
                % (w, w, w) for w in TIMES))

    def reply(self, req, conn):
        if req.method != "POST":
            return send_json(conn, 404, {"error": "no such page"})
        stream = bool(req.json.get("stream"))
        if req.json["model"] == "good":
            return answer(OpenAI, stream, conn)
        return TIMES[req.json["model"]][0](self.wire, stream, conn)

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)

    def ask(self, api, model, stream, headers=None):
        which = model.split("/")[0][2:]
        self.host.control("provider.reset", {"name": "p_" + which})
        began = time.monotonic()
        got = self.host.post(api.path, api.body(model, stream), headers)
        return got + (time.monotonic() - began,)

    def log_says(self, id, kind):
        """One line of this request, with the class.  (The log is written by a
        thread of its own.)"""
        line = re.compile(r"id=%s .*result=%s\b" % (id, kind))
        until(lambda: line.search(self.host.errors()),
              "%s of %s in the log" % (kind, id))


def told(s, which, client, stream):
    """Nobody else can answer."""
    api, (_, kind, words) = CLIENTS[client], TIMES[which]
    status, headers, body, took = s.ask(api, "p_%s/%s" % (which, which), stream)
    case = (s.wire.__name__, which, client, stream, status, headers, body)
    assert QUICK - 0.02 <= took < LONG, (took, case)
    if stream and which in ("idle", "total"):
        assert status == 200, case
        text, whole, errors = api.stream(body)
        assert text.startswith("Hel") and not whole and len(errors) == 1, case
        assert words in errors[0], case
    else:
        assert status == 504 and words in api.error(json.loads(body)), case
        assert headers["x-patchbay-error"] == kind, case
    s.log_says(headers["x-request-id"], kind)


def next_one(s, which, client, stream):
    """Another target can; but the time of the request is over for all."""
    api = CLIENTS[client]
    status, headers, body, took = s.ask(api, "r_" + which, stream)
    case = (s.wire.__name__, which, client, stream, status, headers, body)
    if which == "total":
        assert status == (200 if stream else 504), case
        assert headers.get("x-patchbay-attempts", "1") == "1", case
        return
    assert status == 200, case
    if stream and which == "idle" and client == "responses":
        assert not api.stream(body)[1], case  # nobody goes on with those
        return
    got = api.stream(body) if stream else \
        (api.whole(json.loads(body)), True, [])
    assert got == ("Hello", True, []), case
    assert QUICK - 0.02 <= took < LONG, (took, case)
    s.log_says(headers["x-request-id"], TIMES[which][1])


def each(fn):
    with Deaf() as deaf:
        for wire in WIRES:
            with Setting(deaf, wire) as s, ThreadPoolExecutor(16) as pool:
                work = [pool.submit(fn, s, which, client, stream)
                        for which in TIMES for client in CLIENTS
                        for stream in (False, True)]
                for w in work:
                    w.result()
                s.host.alive()
                assert KEY not in s.host.errors()


def test_each_by_itself():
    each(told)


def test_with_another_target():
    each(next_one)


def test_a_clients_deadline():
    """It may be shorter than the provider's total, and counts from the request,
    whatever is being waited for."""
    with Deaf() as deaf, Setting(deaf, OpenAI) as s:
        for which in ("connect", "headers", "first_token", "idle"):
            for client, api in CLIENTS.items():
                # Its own time is QUICK as well: ask for half of it.
                status, headers, body, took = s.ask(
                    api, "p_%s/%s" % (which, which), False,
                    {"x-patchbay-deadline": "%dms" % (QUICK * 500)})
                case = (which, client, status, headers, body)
                assert status == 504 and took < LONG, case
                if headers["x-patchbay-error"] != "deadline":
                    # A busy machine may look at both clocks too late.
                    assert took > QUICK, case
                    continue
                s.log_says(headers["x-request-id"], "deadline")


if __name__ == "__main__":
    main(globals())
