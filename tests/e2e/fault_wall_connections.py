# SPDX-License-Identifier: MIT
"""Connections that are dead without saying so, in each wire form and for each
client API: one kept from an earlier request whose other end is gone, one that
the provider closes as the next request comes, one that nobody accepts.  What
the client saw, and what arrived at the providers."""
import hashlib
import itertools
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from fault_wall import (CLIENTS, KEY, SHORT, WIRES, OpenAI, OpenAIClient,
                        answer, hang, name_of, rst)
from harness import Host, Upstream, main, send_json


class First(Upstream):
    """Answers each connection's first request; what becomes of a second one on
    the same connection is `then`."""

    def __init__(self, wire, then):
        super().__init__(self.reply)
        self.wire, self.then = wire, then
        self.lock, self.seen = threading.Lock(), {}  # requests by connection

    def reply(self, req, conn):
        if req.method != "POST" or not any(
                p in req.path for p in ("/chat", "/messages", "/responses")):
            send_json(conn, 404, {"error": "no such page"})
            return False  # keeps no connection
        with self.lock:
            n = self.seen[conn] = self.seen.get(conn, 0) + 1
        if n > 1:
            return self.then(conn)
        return answer(self.wire, bool(req.json.get("stream")), conn)

    def counts(self):
        """Requests on each of its connections."""
        with self.lock:
            return sorted(self.seen.values())


class Case:
    def __init__(self, wire, then, client, stream):
        self.api, self.stream = CLIENTS[client], stream
        self.name = "%s_%s" % (client, "stream" if stream else "whole")
        self.up = First(wire, then)
        self.behind = []

    def ask(self, host):
        status, headers, body = host.post(
            self.api.path, self.api.body(self.name, self.stream))
        assert status == 200, (status, body)
        text, whole, errors = self.api.stream(body) if self.stream else \
            (self.api.whole(json.loads(body)), True, [])
        assert whole and not errors, body
        return text, headers["x-patchbay-attempts"]


def each(wire, then, fn):
    """fn(case, ask) for all client APIs and both kinds of answer."""
    cases = [Case(wire, then, c, s) for c in CLIENTS for s in (False, True)]

    def behind(req, conn):
        if req.method != "POST":
            return send_json(conn, 404, {"error": {"message": "none"}})
        next(c for c in cases if c.name == req.json["model"]).behind.append(req)
        return answer(OpenAI, bool(req.json.get("stream")), conn,
                      ("Sec", "ond"))

    with ExitStack() as stack:
        for c in cases:
            stack.enter_context(c.up)
        second = stack.enter_context(Upstream(behind))
        provider = '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; %s };'
        host = stack.enter_context(Host(
            log="warn", server="loops = 1;",
            providers="".join(provider % (
                "p_" + c.name, wire.kind, c.up.url, wire.path, KEY,
                wire.keys + SHORT) for c in cases) + provider % (
                    "second", "openai", second.url, "/v1", KEY, OpenAI.keys),
            top="routes = ( %s );" % ", ".join(
                '{ name = "%s"; targets = [ "p_%s/m", "second/%s" ]; }'
                % (c.name, c.name, c.name) for c in cases)))
        with ThreadPoolExecutor(len(cases)) as pool:
            for _ in pool.map(lambda c: fn(c, lambda: c.ask(host)), cases):
                pass


def until_gone(c, ask):
    """Whether a request takes the kept connection is the host's affair: ask
    until one did, and until the target has answered again."""
    said = []
    while "Second" not in said or said[-1] == "Second":
        text, attempts = ask()
        assert (text, attempts) in (("Hello", "1"), ("Second", "2")), said
        said.append(text)
        # Each dead connection has cost one request one attempt, once.
        dead = [n for n in c.up.counts() if n > 1]
        assert dead == [2] * said.count("Second"), (said, c.up.counts())
        assert len(c.behind) == said.count("Second"), said
        assert len(said) < 8, said
    assert said[0] == "Hello", said


def test_the_other_end_is_gone():
    """A request on a kept connection that nobody answers: the next target
    does, and that connection is used no more."""
    for wire in WIRES:
        each(wire, hang, until_gone)


def until_closed(c, ask):
    for _ in range(8):
        assert ask() == ("Hello", "1")
        if 2 in c.up.counts():
            break
    counts = c.up.counts()
    # The request that met it went out once more, on a connection of its own.
    assert counts.count(2) == 1 and set(counts) == {1, 2}, counts
    assert not c.behind, counts


def test_closed_as_the_request_comes():
    """A provider may close a kept connection when it likes.  That is no failure
    of it, and nobody notices."""
    for wire in WIRES:
        each(wire, rst, until_closed)


def test_uploads_do_not_go_out_twice():
    """Through the raw door, where the host cannot know what is made by them."""
    up = First(OpenAI, rst)
    key = ('keys = ( { name = "k"; rights = [ "raw" ]; sha256 = "%s"; } );'
           % hashlib.sha256(b"k").hexdigest())
    with up, Host(server="loops = 1;", top=key, providers=(
            'up: { type = "openai"; base_url = "%s/v1"; api_key = "%s"; };'
            % (up.url, KEY))) as host:
        got = []
        while 2 not in up.counts() and len(got) < 8:
            got.append(host.post(
                "/raw/up/v1/chat/completions", OpenAIClient.body("m", False),
                {"Authorization": "Bearer k"})[0])
        assert got[-1] == 502 and set(got[:-1]) == {200}, got
        assert sum(up.counts()) == len(got), (up.counts(), got)


class Deaf:
    """A listener that takes no connection: its queue is full.  (Linux lets one
    more in than listen() says, and drops what comes then.)"""

    def __enter__(self):
        self.s = socket.socket()
        self.s.bind(("127.0.0.1", 0))
        self.s.listen(0)
        self.url = "http://127.0.0.1:%d" % self.s.getsockname()[1]
        self.waiting = []
        for _ in range(4):
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex(self.s.getsockname())
            self.waiting.append(c)
        return self

    def __exit__(self, *exc):
        for c in self.waiting + [self.s]:
            c.close()


def test_nobody_accepts():
    """No answer to SYN: the connect time-out, then the next target."""
    provider = '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; %s };'
    with Deaf() as deaf, Upstream(lambda r, c: answer(
            OpenAI, bool(r.method == "POST" and r.json.get("stream")), c)) \
            as up, Host(providers="".join(
                provider % ("p" + name_of(w), w.kind, deaf.url, w.path, KEY,
                            w.keys + 'timeouts: { connect = "300ms"; };')
                for w in WIRES) + provider % (
                    "second", "openai", up.url, "/v1", KEY, OpenAI.keys),
                log="warn", top="routes = ( %s );" % ", ".join(
                    '{ name = "r%s"; targets = [ "p%s/m", "second/m" ]; }'
                    % (name_of(w), name_of(w)) for w in WIRES)) as host:
        def one(case):
            wire, client, stream = case
            host.control("provider.reset", {"name": "p" + name_of(wire)})
            api = CLIENTS[client]
            status, headers, body = host.post(
                api.path, api.body("r" + name_of(wire), stream))
            got = api.stream(body) if stream else \
                (api.whole(json.loads(body)), True, [])
            assert (status, got) == (200, ("Hello", True, [])), (case, body)
            assert headers["x-patchbay-provider"] == "second", (case, headers)
            status, headers, body = host.post(
                api.path, api.body("p%s/m" % name_of(wire), stream))
            said = api.error(json.loads(body))
            assert status == 504 and "no connection to" in said, (case, body)
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(one, itertools.product(WIRES, CLIENTS,
                                                     (False, True))):
                pass
        assert "result=connect_timeout" in host.errors()


if __name__ == "__main__":
    main(globals())
