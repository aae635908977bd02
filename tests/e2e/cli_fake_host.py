#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A control socket without a host behind it, for the tests of the command line.

usage: cli_fake_host.py SOCKET LOG

Speaks the protocol of host/admin/control.h.  What it answers to `chat` is
chosen by the last message, so that every way an answer can go is to be had at
will.  Each request is a line in LOG; so is "closed" when a client leaves while
its answer is under way, and "cancel" when it cancels one.  Prints "ready".
"""
import base64
import json
import os
import socket
import struct
import sys
import threading

PATH, LOG = sys.argv[1], sys.argv[2]
lock = threading.Lock()


def log(text):
    with lock, open(LOG, "a", encoding="utf-8") as f:
        f.write(text + "\n")


REPORT = {
    "request_id": "req_1", "provider": "fake", "model": "one",
    "model_answered": "one-2026", "reason": "provider named", "attempts": 1,
    "first_ms": 3, "total_ms": 9,
    "usage": {"input": 12, "output": 34, "cache_read": 5, "reasoning": 6,
              "cost_nano": 1500000, "currency": "USD", "estimated": False},
}


class Client:
    def __init__(self, conn):
        self.conn = conn
        self.file = conn.makefile("rb")

    def line(self, value):
        text = value if isinstance(value, str) else json.dumps(value)
        self.conn.sendall(text.encode() + b"\n")

    def text(self, text, event="text"):
        self.line({"event": event, "choice": 0, "text": text})

    def ok(self, result):
        self.line({"ok": True, "result": result})

    def fail(self, kind, message):
        self.line({"ok": False, "error": {"kind": kind, "message": message,
                                          "status": 500}})

    def end(self, reason="stop"):
        self.line({"event": "stop", "choice": 0, "reason": reason})
        self.ok({"report": REPORT})

    # --- chat, by the last message ---

    def chat(self, body):
        last = body["messages"][-1]["content"]
        word = (last if isinstance(last, str) else last[0]["text"]).split()[0]
        self.line({"event": "begin", "id": "x", "model": "one-2026",
                   "provider": "fake"})
        getattr(self, "say_" + word, self.say_hello)(body, last)

    def say_hello(self, _body, _last):
        for piece in ("Hel", "lo, ", "wörld"):
            self.text(piece)
        self.end()

    def say_echo(self, body, _last):
        self.text(json.dumps(body))
        self.end()

    def say_think(self, _body, _last):
        self.text("let me see", "reasoning")
        self.text("42")
        self.end()

    def say_escape(self, _body, _last):
        # A C1 control cut in two, an OSC sequence, CR alone, CR LF, DEL.
        self.text("a\x1b]0;title\x07b\x9bc\rd\r\ne\x7f\tf\n")
        self.end()

    def say_refuse(self, _body, _last):
        self.text("I would rather not", "refusal")
        self.end()

    def say_tool(self, _body, _last):
        self.line({"event": "call", "choice": 0, "index": 0, "id": "c1",
                   "name": "clock", "text": ""})
        for piece in ('{"zo', 'ne":"UTC"}'):
            self.line({"event": "call", "choice": 0, "index": 0,
                       "text": piece})
        self.end("tool")

    def say_warn(self, _body, _last):
        self.line({"event": "warning", "field": "seed", "text": "dropped"})
        self.text("fine")
        self.end()

    def say_length(self, _body, _last):
        self.text("too lo")
        self.end("length")

    def say_cut(self, _body, _last):
        self.text("half an ans")
        self.fail("truncated", "the reply ended before its end mark")

    def say_fail(self, _body, last):
        self.fail(last.split()[1], "as you wished")

    def say_gone(self, _body, _last):
        self.text("and then")
        self.conn.shutdown(socket.SHUT_RDWR)

    def say_garbage(self, _body, _last):
        self.line("HTTP/1.1 400 Bad Request")

    def say_list(self, _body, _last):
        self.line("[1]")

    def say_riddle(self, _body, _last):
        self.line({"neither": "nor"})

    def say_flood(self, _body, _last):
        try:
            for _ in range(100000):
                self.text("x" * 1000 + "\n")
            self.end()
        except OSError:
            log("closed")
            raise

    def say_silence(self, _body, _last):
        """Until the client cancels or leaves."""
        self.text("one moment")
        log("silent")
        line = self.file.readline()
        if not line:
            log("closed")
            return
        verb = json.loads(line)["verb"]
        log(verb)
        if verb == "cancel":
            self.fail("cancelled", "the client cancelled")
            self.ok({})

    # --- the other verbs ---

    def embed(self, body):
        texts = body["input"]
        if texts[0] == "nothing":
            self.ok({"report": REPORT})
            return
        order = range(len(texts))
        for i in reversed(order):
            data = struct.pack("<3f", i, 0.1, -1e-7)
            if texts[0] == "odd":
                data = data[:-1]
            self.line({"event": "vector", "choice": i,
                       "base64": base64.b64encode(data).decode()})
        self.ok({"report": REPORT})

    def answer(self, verb, args):
        answers = {
            "version": {"version": "0.1.0", "abi": "0.1", "pid": os.getpid(),
                        "uptime_ms": 5000, "config_file": "/nowhere/p.conf"},
            "status": {"listeners": ["127.0.0.1:8080"], "loops": 2,
                       "connections": 3, "calls": 1, "draining": False,
                       "providers": [{"name": "fake", "type": "fake",
                                      "calls": 7, "ok": 5, "failed": 1,
                                      "cancelled": 1, "active": 0,
                                      "input_tokens": 70,
                                      "output_tokens": 80}],
                       "log_dropped": 0},
            "plugins": {"modules": [
                {"id": "fake", "version": "1.0", "abi": "0.1",
                 "kind": "native", "state": "loaded", "path": "/p/fake.so",
                 "reason": ""},
                {"id": "bad", "state": "refused", "path": "/p/bad.so",
                 "reason": "needs ABI 2.0, host offers 0.1"}]},
            "providers": {"providers": [
                {"name": "fake", "type": "fake", "state": "ready",
                 "base_url": "http://127.0.0.1:1/", "models": ["one"],
                 "ops": ["chat", "embed"], "source": "environment"}]},
            "log": {"level": args.get("level", "info")},
            "config": {"text": json.dumps({"json": args.get("json", False)})},
            "record": {"dir": args.get("dir")},
            "reload": {"warnings": ["p.conf:3: x: mind this"]},
            "stop": {},
        }
        if verb == "models":
            self.models(args)
        elif verb == "provider.test":
            ok = args["name"] == "fake"
            self.ok({"ok": ok, "detail": "seen" if ok else "refused",
                     "ms": 4})
        elif verb in answers:
            self.ok(answers[verb])
        else:
            self.fail("bad_body", "no verb " + verb)

    def models(self, args):
        down = [{"provider": "down", "reason": "connection refused"}]
        if args.get("provider") == "down":
            self.ok({"models": [], "failed": down})
            return
        self.ok({"models": [
            {"id": "fake/one", "provider": "fake", "model": "one",
             "context_window": 8192, "capabilities": ["chat", "tools"]},
            {"id": "fake/two\nfake/three", "provider": "fake",
             "model": "two"}], "failed": [] if "provider" in args else down})

    def run(self):
        for raw in self.file:
            request = json.loads(raw)
            log(raw.decode().rstrip("\n"))
            verb, args = request["verb"], request.get("args") or {}
            if request.get("v") != 1:
                self.fail("bad_body", "version")
            elif verb == "chat":
                self.chat(args["body"])
            elif verb == "embed":
                self.embed(args["body"])
            else:
                self.answer(verb, args)


def serve(conn):
    try:
        Client(conn).run()
    except (OSError, ValueError):
        pass
    finally:
        conn.close()


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(PATH)
    listener.listen(16)
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


main()
