# SPDX-License-Identifier: MIT
"""Embeddings of more inputs than a provider takes at once: split, asked for in
parts, and put together again in order."""
import base64
import json
import os
import struct
import subprocess
import threading
import time

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, main, openai_at,
                     send_json, until)


def vector(text):
    """What stands for a text: its number, and its length."""
    return [float("".join(c for c in text if c.isdigit()) or 0), float(len(text))]


def pack(v, form):
    if form == "base64":
        return base64.b64encode(struct.pack("<%df" % len(v), *v)).decode()
    return v


class Setting:
    def __init__(self, extra="embedding_limits: { max_inputs = 10; };", top="",
                 spare=False):
        self.up, self.other = Upstream(), Upstream()
        self.hold = {}   # first input -> event to wait for
        self.fail = {}   # first input -> (status, times)
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        for u in (self.up, self.other):
            u.answer = self.answer
        providers = openai_at(self.up.url, extra=extra)
        if spare:
            providers += openai_at(self.other.url, name="spare", extra=extra)
        self.host = Host(providers=providers, top=top)

    def __enter__(self):
        for u in (self.up, self.other):
            u.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        for e in self.hold.values():
            e.set()
        self.host.__exit__(*exc)
        for u in (self.up, self.other):
            u.__exit__(*exc)

    def answer(self, r, c):
        if r.method != "POST":
            return send_json(c, 200, {"object": "list", "data": []})
        body = r.json
        texts = body["input"]
        if isinstance(texts, str) or isinstance(texts[0], int):
            texts = [texts]
        first = json.dumps(texts[0])
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        if first in self.hold:
            self.hold[first].wait(60)
        with self.lock:
            self.now -= 1
        if first in self.fail:
            return send_json(c, self.fail[first], {"error": {
                "message": "Not today", "type": "server_error"}})
        form = body.get("encoding_format", "float")
        return send_json(c, 200, {
            "object": "list", "model": body["model"], "data": [
                {"object": "embedding", "index": i, "embedding": pack(
                    vector(t) if isinstance(t, str) else [float(t[0]), len(t)],
                    form)}
                for i, t in enumerate(texts)],
            "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}})

    def posts(self, up=None):
        return [r.json for r in (up or self.up).requests if r.method == "POST"]

    def ask(self, inputs, model="up/e", path="/v1/embeddings", **more):
        status, h, body = self.host.post(path, dict({
            "model": model, "input": inputs}, **more))
        return status, h, json.loads(body)


def texts(n, more=""):
    return ["text %d%s" % (i, more) for i in range(n)]


def test_order_usage_and_bounds():
    with Setting() as s:
        status, h, reply = s.ask(texts(95), user="u", dimensions=2)
        assert status == 200 and h["x-patchbay-provider"] == "up", reply
        assert [d["index"] for d in reply["data"]] == list(range(95))
        for i, d in enumerate(reply["data"]):
            assert d["embedding"] == vector("text %d" % i), i
        assert reply["usage"] == {"prompt_tokens": 95, "total_tokens": 95}
        assert h["x-patchbay-attempts"] == "10" and reply["model"] == "e"
        sizes = sorted(len(p["input"]) for p in s.posts())
        assert sizes == [5] + [10] * 9, sizes
        for p in s.posts():
            assert p["user"] == "u" and p["dimensions"] == 2 and p["model"] == "e"
        assert s.most <= 4, s.most


def test_one_deadline_for_all_parts():
    """Five parts, one after the other, of 0.3 s each; there is a second."""
    extra = "embedding_limits: { max_inputs = 10; concurrent = 1; };"
    with Setting(extra) as s:
        def slow(r, c):
            time.sleep(0.3)  # what a part takes
            return s.answer(r, c)
        s.up.answer = slow
        status, _, body = s.host.post(
            "/v1/embeddings", {"model": "up/e", "input": texts(50)},
            {"x-patchbay-deadline": "1s"})
        assert status == 504 and b"deadline_exceeded" in body, body[:300]
        assert len(s.posts()) < 5


def test_a_vector_for_no_input():
    with Setting() as s:
        s.up.answer = lambda r, c: send_json(c, 200, {
            "object": "list", "model": "e", "data": [
                {"object": "embedding", "index": 10 + i, "embedding": [1.0]}
                for i in range(len(r.json["input"]))],
            "usage": {"prompt_tokens": 1, "total_tokens": 1}}) \
            if r.method == "POST" else send_json(c, 200, {"data": []})
        status, _, reply = s.ask(texts(20))
        assert status == 502, reply
        assert reply["error"]["code"] == "provider_bad_reply", reply


def test_numbers_count_and_not_places():
    """A provider may number its vectors in any order; each number once."""
    def answer(order):
        def fn(r, c):
            if r.method != "POST":
                return send_json(c, 200, {"data": []})
            inputs = r.json["input"]
            return send_json(c, 200, {
                "object": "list", "model": "e", "data": [
                    {"object": "embedding", "index": i,
                     "embedding": vector(inputs[i])}
                    for i in order(len(inputs))],
                "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        return fn

    with Setting() as s:
        for n in 5, 25:  # whole, and in parts
            s.up.answer = answer(lambda n: reversed(range(n)))
            status, _, reply = s.ask(texts(n), path="/api/embed")
            assert status == 200, reply
            assert reply["embeddings"] == [vector(t) for t in texts(n)]
            status, _, reply = s.ask(texts(n))
            assert status == 200, reply
            for d in reply["data"]:
                assert d["embedding"] == vector("text %d" % d["index"])
            s.up.answer = answer(lambda n: [0] + list(range(n - 1)))
            status, _, reply = s.ask(texts(n), path="/api/embed")
            assert status == 502, reply
        assert s.ask(texts(25))[0] == 502


def test_no_end_of_parts():
    with Setting("embedding_limits: { max_inputs = 1; };") as s:
        status, _, reply = s.ask(texts(5000))
        assert status == 413 and "4096 parts" in reply["error"]["message"], reply
        assert not s.posts()
        data = json.dumps({"model": "up/e"})[:-1] + ',"\\u0069nput":["a","b"]}'
        status, _, body = s.host.post("/v1/embeddings", data.encode())
        assert status == 200 and len(s.posts()) == 2, body


def test_order_when_the_last_comes_first():
    with Setting() as s:
        gates = {'"text %d"' % i: threading.Event() for i in (10, 20, 30)}
        s.hold.update(gates)
        result = []
        t = threading.Thread(target=lambda: result.append(s.ask(texts(45))))
        t.start()
        # The first is alone, then four at once, of which the last can go on.
        until(lambda: len(s.posts()) == 5, "all parts asked for")
        for i in (30, 20, 10):
            gates['"text %d"' % i].set()
        t.join()
        status, _, reply = result[0]
        assert status == 200
        assert [d["embedding"][0] for d in reply["data"]] == list(range(45))


def test_small_ones_pass_as_they_are():
    with Setting() as s:
        for inputs in ("one", ["a", "b"], [1, 2, 3] * 20, texts(10)):
            status, h, reply = s.ask(inputs)
            assert status == 200 and h["x-patchbay-attempts"] == "1"
            assert s.posts()[-1]["input"] == inputs


def test_lists_of_tokens():
    with Setting() as s:
        status, _, reply = s.ask([[i, 1, 2] for i in range(25)])
        assert status == 200 and len(s.posts()) == 3
        assert [d["embedding"] for d in reply["data"]] == [
            [float(i), 3.0] for i in range(25)]


def test_by_tokens():
    with Setting("embedding_limits: { max_tokens = 100; };") as s:
        status, _, reply = s.ask(texts(20, " and some more words" * 5))
        assert status == 200 and 3 <= len(s.posts()) <= 20, len(s.posts())
        assert [d["embedding"][0] for d in reply["data"]] == list(range(20))
        # One that is too large by itself is for the provider to refuse.
        before = len(s.posts())
        status, _, _ = s.ask(["word " * 500, "b"])
        assert status == 200 and len(s.posts()) == before + 2


def test_what_the_module_declares():
    with Setting(extra="") as s:
        status, _, reply = s.ask(texts(5000))
        assert status == 200 and len(reply["data"]) == 5000
        assert sorted(len(p["input"]) for p in s.posts()) == [904, 2048, 2048]
        assert reply["data"][4999]["embedding"][0] == 4999


def test_base64_and_ollama():
    with Setting() as s:
        status, _, reply = s.ask(texts(25), encoding_format="base64")
        assert status == 200 and len(s.posts()) == 3
        for i, d in enumerate(reply["data"]):
            raw = base64.b64decode(d["embedding"])
            assert list(struct.unpack("<2f", raw)) == vector("text %d" % i)
        status, _, reply = s.ask(texts(25), path="/api/embed")
        assert status == 200 and len(s.posts()) == 6, s.posts()
        assert [v[0] for v in reply["embeddings"]] == list(range(25))
        assert reply["prompt_eval_count"] == 25


def test_a_part_that_fails_is_the_whole():
    with Setting() as s:
        s.fail['"text 20"'] = 400
        status, _, reply = s.ask(texts(60))
        assert status == 400, reply
        assert "inputs 20 to 29" in reply["error"]["message"], reply
        assert "data" not in reply
        until(lambda: s.host.counters("up")["active"] == 0, "nothing is left")


def test_one_provider_answers_all():
    routes = 'routes = ( { name = "r"; targets = [ "up/e", "spare/e2" ]; } );'
    with Setting(top=routes, spare=True) as s:
        s.fail['"text 0"'] = 503
        s.other.answer = lambda r, c: s.answer(r, c) if r.method != "POST" \
            else send_json(c, 200, {"object": "list", "model": "e2", "data": [
                {"object": "embedding", "index": i, "embedding": [7.0]}
                for i in range(len(r.json["input"]))],
                "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        status, h, reply = s.ask(texts(30), model="r")
        assert status == 200 and h["x-patchbay-provider"] == "spare", reply
        assert all(d["embedding"] == [7.0] for d in reply["data"])
        assert len(s.posts()) == 1 and len(s.posts(s.other)) == 3
        # The first part is up's, and another part fails there: no mixture.
        s.host.control("provider.reset", {"name": "up"})
        s.fail = {'"text 10"': 503}
        status, _, reply = s.ask(texts(30), model="r")
        assert status == 503 and "inputs 10 to 19" in reply["error"]["message"]
        assert len(s.posts(s.other)) == 3


def test_who_leaves_ends_all():
    with Setting() as s:
        s.hold['"text 10"'] = s.hold['"text 20"'] = threading.Event()
        data = json.dumps({"model": "up/e", "input": texts(30)}).encode()
        c = s.host.connect()
        c.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                  % len(data) + data)
        until(lambda: s.host.counters("up")["active"] == 2, "two parts")
        c.close()
        until(lambda: s.host.counters("up")["active"] == 0, "none")


def test_command():
    with Setting() as s:
        p = subprocess.run(
            [PATCHBAY, "--control", s.host.control_path, "embed", "-m", "up/e"],
            env=dict(os.environ, PATCHBAY_PLUGIN_PATH=PROVIDERS),
            input="\n".join(texts(25)), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        assert p.returncode == 0, p.stderr
        got = [json.loads(x) for x in p.stdout.splitlines()]
        assert [g["embedding"][0] for g in got] == list(range(25))
        assert len(s.posts()) == 3


if __name__ == "__main__":
    main(globals())
