# SPDX-License-Identifier: MIT
"""One prompt to several models, side by side: by POST /v1/compare, streamed and
not, and by `patchbay compare`."""
import hashlib
import json
import os
import subprocess
import threading
import time

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, completion, delta, main,
                     openai_at, send_json, send_stream, sse, until)

DONE = b"data: [DONE]\n\n"


def usage(n, m):
    return b"data: " + json.dumps({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [], "usage": {"prompt_tokens": n, "completion_tokens": m,
                                 "total_tokens": n + m}}).encode() + b"\n\n"


def words(r, c):
    return send_stream(c, [delta(role="assistant"), delta("by "),
                           delta(r.json["model"]), delta(finish="stop"),
                           usage(7, 3), DONE])


def down(r, c):
    return send_json(c, 503, {"error": {"message": "Down for repair",
                                        "type": "server_error"}})


class Setting:
    def __init__(self, top=""):
        self.up = Upstream()
        for name in ("one", "two", "gpt-4o-mini"):
            self.up.on(name)(words)
        self.up.on("down")(down)
        self.up.on("cut")(lambda r, c: (send_stream(c, [delta("half")], end=b""),
                                        False)[-1])
        self.host = Host(providers=openai_at(
            self.up.url, extra='prices_of = "openai";'), top=top)

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)

    def ask(self, models, headers=None, **more):
        body = dict({"models": models, "prompt": "Who?"}, **more)
        return self.host.post("/v1/compare", body, headers)

    def posts(self):
        return [r for r in self.up.requests if r.method == "POST"]

    def cli(self, *args):
        return subprocess.run(
            [PATCHBAY, "--control", self.host.control_path, "compare", *args],
            env=dict(os.environ, PATCHBAY_PLUGIN_PATH=PROVIDERS),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)


def test_side_by_side():
    with Setting() as s:
        status, h, body = s.ask(["up/one", "up/down", "up/two", "no/such"],
                                temperature=0.5)
        assert status == 200, body
        reply = json.loads(body)
        assert reply["object"] == "comparison" and reply["id"] == h["x-request-id"]
        one, bad, two, none = reply["results"]
        for r, name in ((one, "one"), (two, "two")):
            assert r["text"] == "by " + name and r["error"] is None, r
            assert r["model"] == "up/" + name and r["provider"] == "up"
            assert r["finish_reason"] == "stop" and r["attempts"] == 1
            assert r["usage"] == {"prompt_tokens": 7, "completion_tokens": 3,
                                  "total_tokens": 10, "estimated": False}
            assert 0 <= r["first_token_ms"] <= r["total_ms"]
        assert bad["error"]["status"] == 503 and bad["text"] == "", bad
        assert none["error"]["status"] == 404 and none["usage"] is None
        for r in s.posts():
            assert r.json["temperature"] == 0.5 and "models" not in r.json
            assert r.json["messages"] == [{"role": "user", "content": "Who?"}]


def test_one_deadline_for_all():
    """One after the other, of 0.6 s each; there is a second."""
    with Setting() as s:
        def slow(r, c):
            time.sleep(0.6)  # what an answer takes
            return words(r, c)
        s.up.on("slow")(slow)
        _, _, body = s.ask(["up/slow", "up/slow", "up/slow"],
                           {"x-patchbay-deadline": "1s"}, max_concurrent=1)
        errors = [(r["error"] or {}).get("code")
                  for r in json.loads(body)["results"]]
        assert errors[1:] == ["deadline"] * 2, errors
        assert len(s.posts()) <= 2


def test_cost():
    with Setting() as s:
        _, _, body = s.ask(["up/gpt-4o-mini", "up/one"])
        known, unknown = json.loads(body)["results"]
        # 7 tokens at 0.15 and 3 at 0.6 USD for a million
        assert known["cost"] == {"nano": 2850, "currency": "USD"}, known
        assert unknown["cost"] is None, unknown
        p = s.cli("-m", "up/gpt-4o-mini", "Who?")
        assert "0.00000285 USD" in p.stdout, p.stdout


def test_a_cut_answer_is_none():
    with Setting() as s:
        _, _, body = s.ask(["up/cut", "up/one"])
        cut, one = json.loads(body)["results"]
        assert cut["text"] == "half" and cut["error"] is not None, cut
        assert cut["finish_reason"] is None and one["text"] == "by one"


def test_streamed():
    with Setting() as s:
        status, h, body = s.ask(["up/one", "up/down", "up/two"], stream=True)
        assert status == 200 and "event-stream" in h["content-type"]
        events = [e for e in body.decode().split("\n\n") if e]
        assert events[-1] == "data: [DONE]"
        events = [json.loads(e[6:]) for e in events[:-1]]
        texts = {0: "", 1: "", 2: ""}
        for e in events:
            if e["type"] == "text":
                texts[e["index"]] += e["text"]
        assert texts == {0: "by one", 1: "", 2: "by two"}
        ends = {e["index"]: e for e in events if e["type"] == "end"}
        assert len(ends) == 3 and ends[1]["error"]["status"] == 503
        assert ends[0]["usage"]["total_tokens"] == 10 and "text" not in ends[0]


def test_concurrency_is_bounded():
    with Setting() as s:
        gate, seen, lock = threading.Event(), [0, 0], threading.Lock()

        def slow(r, c):
            with lock:
                seen[0] += 1
                seen[1] = max(seen)
            gate.wait(30)
            with lock:
                seen[0] -= 1
            return words(r, c)
        for i in range(6):
            s.up.on("s%d" % i)(slow)
        result = []
        t = threading.Thread(target=lambda: result.append(
            s.ask(["up/s%d" % i for i in range(6)], max_concurrent=2)))
        t.start()
        until(lambda: seen[0] == 2, "two under way")
        assert len([r for r in s.posts()]) == 2
        gate.set()
        t.join()
        texts = [r["text"] for r in json.loads(result[0][2])["results"]]
        assert texts == ["by s%d" % i for i in range(6)] and seen[1] == 2, seen


def test_who_leaves_ends_all():
    with Setting() as s:
        gate = threading.Event()
        for name in ("x", "y"):
            s.up.on(name)(lambda r, c: gate.wait(30) and False)
        body = json.dumps({"models": ["up/x", "up/y"], "prompt": "?"}).encode()
        c = s.host.connect()
        c.sendall(b"POST /v1/compare HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                  % len(body) + body)
        until(lambda: s.host.counters("up")["active"] == 2, "two calls")
        c.close()
        until(lambda: s.host.counters("up")["active"] == 0, "none")
        gate.set()


def test_bad_requests():
    with Setting() as s:
        for body, param in (
                ({"prompt": "x"}, "models"), ({"models": [], "prompt": "x"}, "models"),
                ({"models": ["a"] * 17, "prompt": "x"}, "models"),
                ({"models": [1], "prompt": "x"}, "models"),
                ({"models": ["a"]}, "messages"),
                ({"models": ["a"], "prompt": "x", "messages": []}, "prompt"),
                ({"models": ["a"], "prompt": "x", "model": "b"}, "model"),
                ({"models": ["a"], "prompt": "x", "fallbacks": ["b"]}, "fallbacks"),
                ({"models": ["a"], "prompt": "x", "stream": 1}, "stream"),
                ({"models": ["a"], "prompt": "x", "max_concurrent": 0},
                 "max_concurrent")):
            status, _, reply = s.host.post("/v1/compare", body)
            error = json.loads(reply)["error"]
            assert status == 400 and error["param"] == param, (body, reply)
        assert s.posts() == []


def test_rights():
    key = "pbk_test"
    top = 'keys = ( { name = "r"; sha256 = "%s"; rights = [ "reports" ]; } );' % (
        hashlib.sha256(key.encode()).hexdigest())
    with Setting(top) as s:
        assert s.ask(["up/one"])[0] == 401
        status, _, body = s.ask(["up/one"], {"Authorization": "Bearer " + key})
        assert status == 403 and b'chat' in body and s.posts() == []


def test_command():
    with Setting() as s:
        p = s.cli("-m", "up/one", "-m", "up/down", "-m", "up/two", "Who", "is?")
        assert p.returncode == 0, p.stderr
        assert "by one\n" in p.stdout and "by two\n" in p.stdout
        assert "failed: " in p.stdout and "cost unknown" in p.stdout
        table = p.stdout[p.stdout.index("MODEL"):].splitlines()
        assert [t.split()[0] for t in table[1:]] == ["up/one", "up/down", "up/two"]
        assert " 7 " in table[1] and " 3 " in table[1]
        assert s.posts()[0].json["messages"][-1]["content"] == "Who is?"
        p = s.cli("--json", "-s", "Be brief.", "--max-tokens", "9", "-m", "up/one",
                  "Who?")
        r = json.loads(p.stdout)["results"]
        assert p.returncode == 0 and r[0]["text"] == "by one"
        last = s.posts()[-1].json
        assert last["messages"][0]["role"] == "system"
        assert 9 in (last.get("max_tokens"), last.get("max_completion_tokens"))
        assert s.cli("-m", "up/down", "-m", "no/such", "x").returncode == 5
        assert s.cli("x").returncode == 2
        assert s.cli("-m", "up/one", "--at-once", "99", "x").returncode == 2


if __name__ == "__main__":
    main(globals())
