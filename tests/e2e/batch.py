# SPDX-License-Identifier: MIT
"""Batches: `patchbay batch run` with its journal, killed and resumed, and POST
/v1/batch.  What the upstream got is counted."""
import collections
import hashlib
import http.client
import json
import os
import pty
import signal
import subprocess
import tempfile
import threading

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, completion, main,
                     openai_at, send_json, until)


def text_of(r):
    return r.json["messages"][-1]["content"]


class Setting:
    def __init__(self, top=""):
        self.up = Upstream()
        self.fails = collections.Counter()  # so often for a text
        self.gate = threading.Event()
        self.open_for = None  # so many answers, then the gate decides
        self.lock, self.taken, self.now, self.most = threading.Lock(), 0, 0, 0
        self.up.on("m")(self.answer)
        self.up.on("gpt-4o-mini")(self.answer)
        self.up.on("e")(lambda r, c: send_json(c, 200, {
            "object": "list", "model": "e", "data": [
                {"object": "embedding", "index": 0, "embedding": [1.0]}],
            "usage": {"prompt_tokens": 4, "total_tokens": 4}}))
        self.host = Host(providers=openai_at(
            self.up.url, extra='prices_of = "openai";'), top=top)
        self.dir = tempfile.TemporaryDirectory()
        self.out = os.path.join(self.dir.name, "out.jsonl")

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.gate.set()
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)
        self.dir.cleanup()

    def answer(self, r, c):
        with self.lock:
            self.taken += 1
            place = self.taken
            self.now += 1
            self.most = max(self.most, self.now)
        if self.open_for is not None and place > self.open_for:
            self.gate.wait(60)
        with self.lock:
            self.now -= 1
            if self.fails[text_of(r)] > 0:
                self.fails[text_of(r)] -= 1
                return send_json(c, 503, {"error": {"message": "down", "type":
                                                    "server_error"}},
                                 "Retry-After: 0\r\n")
        return send_json(c, 200, completion("re " + text_of(r)))

    def asked(self):
        return collections.Counter(text_of(r) for r in list(self.up.requests)
                                   if r.method == "POST"
                                   and "messages" in r.json)

    def input(self, n, name="in.jsonl", model="up/m"):
        path = os.path.join(self.dir.name, name)
        with open(path, "w") as f:
            for i in range(n):
                f.write(json.dumps({
                    "custom_id": "r%d" % i, "method": "POST",
                    "url": "/v1/chat/completions", "body": {
                        "model": model, "messages": [
                            {"role": "user", "content": "q%d" % i}]}}) + "\n")
        return path

    def results(self):
        with open(self.out) as f:
            return [json.loads(line) for line in f]

    def start(self, path, *args, **more):
        return subprocess.Popen(
            [PATCHBAY, "--control", self.host.control_path, "batch", "run", path,
             "-o", self.out, *args],
            env=dict(os.environ, PATCHBAY_PLUGIN_PATH=PROVIDERS),
            stdin=subprocess.DEVNULL, **more)

    def run(self, path, *args, status=0):
        p = self.start(path, *args, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
        out, err = p.communicate(timeout=120)
        assert p.returncode == status, (p.returncode, out, err)
        return out, err


def test_all_are_answered():
    with Setting() as s:
        out, err = s.run(s.input(30), "-j", "3")
        assert "30 requests: 30 answered, 0 failed" in err, err
        assert "90 tokens in, 60 out; cost unknown for 30" in err, err
        got = {r["custom_id"]: r for r in s.results()}
        assert len(got) == 30 and len(s.results()) == 30
        for i in range(30):
            r = got["r%d" % i]
            body = r["response"]["body"]
            assert r["response"]["status_code"] == 200 and r["error"] is None
            assert body["choices"][0]["message"]["content"] == "re q%d" % i
            assert r["id"] == r["response"]["request_id"] != ""
            assert r["patchbay"]["provider"] == "up"
        assert set(s.asked().values()) == {1} and s.most <= 3, s.most
        assert os.stat(s.out).st_mode & 0o777 == 0o600
        out, err = s.run(s.input(30), "--json")  # nothing is left to do
        assert json.loads(out)["earlier"] == 30 and sum(s.asked().values()) == 30


def test_cost():
    with Setting() as s:
        # 3 tokens at 0.15 and 2 at 0.6 USD for a million, each of the ten
        out, _ = s.run(s.input(10, model="up/gpt-4o-mini"), "--json")
        sums = json.loads(out)
        assert sums["cost_nano"] == 16500 and sums["unpriced"] == 0, sums
        assert sums["currency"] == "USD"
        _, err = s.run(s.input(10, model="up/gpt-4o-mini"))
        assert "cost 0.0000165 USD" in err, err


def killed(s, path, at_once, before):
    """Run until `before` results are there and the rest hangs; then kill -9."""
    s.open_for = before
    p = s.start(path, "-j", str(at_once), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)

    def there():
        if not os.path.exists(s.out):
            return False
        with open(s.out, "rb") as f:
            return f.read().count(b"\n") == before and s.now == at_once
    until(there, "%d results" % before)
    p.send_signal(signal.SIGKILL)
    p.wait()
    s.open_for = None
    s.gate.set()


def test_killed_and_resumed():
    with Setting() as s:
        path = s.input(40)
        killed(s, path, 4, 15)
        answered = {r["custom_id"] for r in s.results()}
        assert len(answered) == 15
        until(lambda: s.host.counters("up")["active"] == 0,
              "what was under way to end")
        with open(s.out, "ab") as f:
            f.write(b'{"id":"req_1","custom_id":"r39","resp')  # as a crash may
        out, err = s.run(path)
        assert "its last line is not whole" in err, err
        assert "40 answered, 0 failed (15 by an earlier run)" in err, err
        ids = [r["custom_id"] for r in s.results()]
        assert sorted(ids) == sorted("r%d" % i for i in range(40))
        asked = s.asked()
        for i in range(40):
            times = asked["q%d" % i]
            if "r%d" % i in answered:
                assert times == 1, ("asked again", i, times)
            else:
                assert 1 <= times <= 2, (i, times)
        # Only what was under way when it was killed was asked a second time.
        twice = [q for q in asked if asked[q] == 2]
        assert len(twice) <= 4, twice
        print("40 requests, killed after 15: %d asked again, all in flight"
              % len(twice))


def test_what_may_work_later_is_repeated():
    with Setting() as s:
        s.fails["q1"] = 1
        out, err = s.run(s.input(3))
        assert "3 answered" in err and s.asked()["q1"] == 2, s.asked()
        tries = {r["custom_id"]: r["patchbay"]["tries"] for r in s.results()}
        assert tries == {"r0": 1, "r1": 2, "r2": 1}


def test_failed_ones_and_asking_them_again():
    with Setting() as s:
        path = s.input(4)
        s.fails["q2"] = 1
        _, err = s.run(path, "--retries", "0", status=5)
        assert "3 answered, 1 failed" in err, err
        bad = [r for r in s.results() if r["custom_id"] == "r2"][0]
        assert bad["response"]["status_code"] == 503
        assert "error" in bad["response"]["body"]
        s.run(path, "--retries", "0", status=5)
        assert s.asked()["q2"] == 1
        s.host.control("provider.reset", {"name": "up"})
        _, err = s.run(path, "--retry-failed")
        assert "4 answered, 0 failed" in err, err
        assert sorted(r["custom_id"] for r in s.results()) == [
            "r0", "r1", "r2", "r3"]
        assert s.asked() == {"q0": 1, "q1": 1, "q2": 2, "q3": 1}


def test_other_urls_and_their_errors():
    with Setting() as s:
        path = os.path.join(s.dir.name, "mixed.jsonl")
        msgs = [{"role": "user", "content": "hi"}]
        lines = [
            {"custom_id": "e", "url": "/v1/embeddings",
             "body": {"model": "up/e", "input": "x"}},
            {"custom_id": "a", "url": "/v1/messages",
             "body": {"model": "up/m", "max_tokens": 5, "messages": msgs}},
            {"custom_id": "o", "url": "/api/chat",
             "body": {"model": "up/m", "stream": False, "messages": msgs}},
            {"custom_id": "n", "url": "/v1/nothing", "body": {}},
            {"custom_id": "d", "body": {"model": "up/m", "messages": msgs}}]
        with open(path, "w") as f:
            f.write("\n" + "\n".join(json.dumps(x) for x in lines))
        s.run(path, status=5)
        got = {r["custom_id"]: r["response"] for r in s.results()}
        assert got["e"]["body"]["data"][0]["embedding"] == [1.0]
        assert got["a"]["body"]["type"] == "message", got["a"]
        assert got["o"]["body"]["message"]["content"] == "re hi"
        assert got["n"]["status_code"] == 404
        assert got["d"]["body"]["choices"][0]["message"]["content"] == "re hi"


def test_wrong_input_asks_nothing():
    good = {"custom_id": "a", "body": {"model": "up/m", "messages": []}}
    cases = [("{", "1: "), ("[]", "no JSON object"),
             (json.dumps({"body": {}}), "custom_id"),
             (json.dumps(dict(good, body=1)), "body"),
             (json.dumps(dict(good, url="/raw/up/v1")), "url"),
             (json.dumps(dict(good, url="/v1/batch")), "url"),
             (json.dumps(dict(good, method="GET")), "method"),
             (json.dumps(dict(good, body={"stream": True})), "stream"),
             (json.dumps(good) + "\n" + json.dumps(good), "lines 1 and 2")]
    with Setting() as s:
        for text, want in cases:
            path = os.path.join(s.dir.name, "bad.jsonl")
            with open(path, "w") as f:
                f.write(text)
            _, err = s.run(path, status=7)
            assert want in err and "nothing was asked" in err, (text, err)
            assert not os.path.exists(s.out)
        assert not s.asked()
        s.run(os.path.join(s.dir.name, "absent"), status=1)


def test_results_of_something_else_are_kept():
    with Setting() as s:
        s.run(s.input(2))
        before = open(s.out).read()
        _, err = s.run(s.input(2, model="up/other"), status=7)
        assert "was another one" in err, err
        path = os.path.join(s.dir.name, "x.jsonl")
        with open(path, "w") as f:
            f.write(json.dumps({"custom_id": "z", "body": {}}))
        _, err = s.run(path, status=7)
        assert "no result of this batch" in err and open(s.out).read() == before


def test_files_of_others_are_kept():
    """No results: a text without a line feed at its end, the requests
    themselves, what is no plain file; and a link beside the results leads
    nowhere that is written to."""
    with Setting() as s:
        requests = s.input(1)
        with open(requests) as f:
            line = f.read()
        other = os.path.join(s.dir.name, "other")
        for text in "my only copy", "{", line.rstrip("\n"), '{"id":7}':
            with open(s.out, "w") as f:
                f.write(text)
            status = 7 if text != "{" else 0  # that one could be ours
            out, err = s.run(requests, status=status)
            if status:
                assert "name another file" in err, err
                assert open(s.out).read() == text
        with open(requests, "w") as f:
            f.write(line.rstrip("\n"))
        s.out = requests
        out, err = s.run(requests, status=7)
        assert "the file with the requests" in err, err
        assert open(requests).read() == line.rstrip("\n")
        for path, out in (("/dev/zero", other), (requests, s.dir.name),
                          (requests, "/dev/null")):
            s.out = out
            assert s.run(path, status=1)[1]
        # What failed is asked again; the link that waits is not followed.
        s.out = other
        s.fails["q0"] = 1
        s.run(requests, "--retries", "0", status=5)
        with open(other + ".kept", "w") as f:
            f.write("kept")
        os.symlink(other + ".kept", other + ".new")
        os.symlink("other", other + ".link")
        s.out = other + ".link"
        s.run(requests, "--retry-failed")
        assert open(other + ".kept").read() == "kept"
        assert os.path.islink(other + ".link")
        assert len(s.results()) == 1


def test_two_runs_do_not_share_a_file():
    with Setting() as s:
        s.open_for = 0
        first = s.start(s.input(2), stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
        until(lambda: s.now == 2, "two under way")
        _, err = s.run(s.input(2), status=1)
        assert "another run" in err
        s.gate.set()
        assert first.wait(60) == 0 and len(s.results()) == 2


def test_interrupted():
    # A shell's jobs in the background ignore it, and so does what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with Setting() as s:
        s.open_for = 1
        p = s.start(s.input(5), stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE)
        until(lambda: s.now == 4, "four under way")
        p.send_signal(signal.SIGINT)
        err = p.communicate(timeout=60)[1].decode()
        assert p.returncode == 130 and "run it again" in err, err
        until(lambda: s.host.counters("up")["active"] == 0, "all to end")
    signal.signal(signal.SIGINT, before)


def test_progress_on_a_terminal():
    with Setting() as s:
        s.open_for = 2
        ours, theirs = pty.openpty()
        p = s.start(s.input(6), "-j", "2", stdout=subprocess.DEVNULL,
                    stderr=theirs)
        os.close(theirs)
        until(lambda: s.now == 2, "two under way")
        s.gate.set()
        seen = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        assert p.wait(60) == 0
        os.close(ours)
        assert b"0 of 6, 0 failed" in seen and b"6 of 6, 0 failed" in seen, seen


def lines(body):
    return [json.loads(x) for x in body.decode().splitlines()]


def ask(n, **more):
    return {"requests": [
        {"custom_id": "r%d" % i, "body": {"model": "up/m", "messages": [
            {"role": "user", "content": "q%d" % i}]}} for i in range(n)], **more}


def test_over_http():
    with Setting() as s:
        body = ask(20, max_concurrent=3)
        body["requests"].append({"url": "/v1/nothing", "body": {}})
        status, h, reply = s.host.post("/v1/batch", body)
        assert status == 200 and "ndjson" in h["content-type"]
        *results, end = lines(reply)
        assert end == {"object": "batch", "requests": 21, "answered": 20,
                       "failed": 1, "usage": {"input_tokens": 60,
                                              "output_tokens": 40}}
        by = {r["index"]: r for r in results}
        for i in range(20):
            assert by[i]["custom_id"] == "r%d" % i
            content = by[i]["response"]["body"]["choices"][0]["message"]
            assert content["content"] == "re q%d" % i
            assert by[i]["patchbay"]["input_tokens"] == 3
        assert by[20]["response"]["status_code"] == 404
        assert by[20]["custom_id"] is None and s.most <= 3


def test_over_http_to_a_slow_client():
    """48 answers of a megabyte each, which nobody reads until all are there; and
    one that is more than a batch takes."""
    with Setting() as s:
        big = "x" * (1 << 20)

        def answer(r, c):
            if r.method == "POST":
                return send_json(c, 200, completion(
                    big * (17 if text_of(r) == "q48" else 1)))
            return send_json(c, 200, {"data": []})
        s.up.answer = answer
        data = json.dumps(ask(49, max_concurrent=64)).encode()
        c = s.host.connect(timeout=120)
        c.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nConnection: "
                  b"close\r\nContent-Type: application/json\r\nContent-Length: "
                  b"%d\r\n\r\n" % len(data) + data)
        until(lambda: s.host.counters("up")["ok"] >= 49, "all answers")
        r = http.client.HTTPResponse(c)
        r.begin()
        got = lines(r.read())
        c.close()
        assert got[-1]["answered"] == 48 and got[-1]["failed"] == 1, got[-1]
        for one in got[:-1]:
            if one["custom_id"] == "r48":
                assert one["error"]["code"] == "reply_too_large", one
            else:
                body = one["response"]["body"]
                assert body["choices"][0]["message"]["content"] == big
        assert len(got) == 50


def test_over_http_who_leaves_ends_it():
    with Setting() as s:
        s.open_for = 0
        data = json.dumps(ask(8, max_concurrent=4)).encode()
        c = s.host.connect()
        c.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                  b"application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
                  + data)
        until(lambda: s.now == 4, "four under way")
        c.close()
        until(lambda: s.host.counters("up")["active"] == 0, "all to end")
        assert sum(s.asked().values()) == 4


def test_over_http_wrong_and_without_right():
    key = "pbk_test"
    top = 'keys = ( { name = "k"; sha256 = "%s"; rights = [ "chat" ]; } );' % (
        hashlib.sha256(key.encode()).hexdigest())
    with Setting(top) as s:
        auth = {"Authorization": "Bearer " + key}
        assert s.host.post("/v1/batch", ask(1))[0] == 401
        for body in ({}, {"requests": []}, {"requests": [1]}, ask(1, x=1),
                     ask(1, max_concurrent=65), {"requests": [{"body": {}}] * 1001},
                     {"requests": [{"url": "/v1/batch", "body": {}}]},
                     {"requests": [{"url": "/raw/up/x", "body": {}}]},
                     {"requests": [{"body": {"stream": True}}]}):
            status, _, reply = s.host.post("/v1/batch", body, auth)
            assert status == 400, (body, reply)
        # However it is written, a batch starts none.
        status, _, reply = s.host.post("/v1/batch", {"requests": [
            {"url": "/v1/%62atch", "body": ask(1)}]}, auth)
        assert lines(reply)[0]["response"]["status_code"] == 400, reply
        assert not s.asked()
        # The rights are those of the key, for each of them.
        status, _, reply = s.host.post("/v1/batch", {"requests": [
            {"url": "/v1/models/pull", "body": {"model": "up/m"}},
            ask(1)["requests"][0]]}, auth)
        by = {r["index"]: r for r in lines(reply)[:-1]}
        assert by[0]["response"]["status_code"] == 403, by[0]
        assert by[1]["response"]["status_code"] == 200


if __name__ == "__main__":
    main(globals())
