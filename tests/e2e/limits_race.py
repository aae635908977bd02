# SPDX-License-Identifier: MIT
"""Clients that race for a limit: requests and tokens in a minute and requests at
once, of a provider, of a model and of a client's key, with one event loop and
with two.  Never more gets through than the limit says, nobody is refused while
there is room, and who is refused is told when to come back.  500 clients at the same time for
each."""
import hashlib
import json
import threading

from harness import (BOUND, Host, Upstream, chat, completion, main,
                     openai_at, read_all, send_json, until)

CLIENTS = 500
REQUESTS, CONCURRENT, TOKENS = 40, 8, 2000
USED, ASKED = 50, 45  # tokens of an answer: as the provider says, max_tokens
LIMITS = {"requests": "requests_per_minute = %d;" % REQUESTS,
          "tokens": "tokens_per_minute = %d;" % TOKENS,
          "concurrent": "concurrent = %d;" % CONCURRENT}
SCOPES = ("provider", "model", "key")


class Counting(Upstream):
    """Counts what comes, by model, and how much of it at once.  The first ones
    of "concurrent" stay until as many as may are there."""

    def __init__(self):
        super().__init__(self.reply)
        self.lock, self.seen, self.now, self.most = threading.Lock(), {}, {}, {}
        self.full = {}

    def reply(self, req, conn):
        if req.method != "POST":
            return send_json(conn, 200, {"object": "list", "data": []})
        m = req.json["model"]
        with self.lock:
            full = self.full.setdefault(m, threading.Event())
            self.seen[m] = self.seen.get(m, 0) + 1
            self.now[m] = self.now.get(m, 0) + 1
            self.most[m] = max(self.most.get(m, 0), self.now[m])
            if self.now[m] == CONCURRENT:
                full.set()
        if m.startswith("concurrent"):
            full.wait(BOUND)
        with self.lock:
            self.now[m] -= 1
        return send_json(conn, 200, completion("ok", usage=(20, USED - 20)))


def key(name):
    return '{ name = "%s"; sha256 = "%s"; %%s }' % (
        name, hashlib.sha256(name.encode()).hexdigest())


def host(up, loops):
    providers = openai_at(up.url, "free")
    keys = [key("any") % ""]
    for what, limit in LIMITS.items():
        providers += openai_at(up.url, what + "-provider",
                               extra="limits: { %s };" % limit)
        providers += openai_at(up.url, what + "-model",
                               extra="model_limits: { %s };" % limit)
        keys.append(key(what) % ("limits: { %s };" % limit))
    return Host(log="error", providers=providers,
                server="loops = %d; max_queue = %d;" % (loops, CLIENTS),
                top="keys = ( %s );" % ", ".join(keys))


def race(h, asks):
    """Send all of (model, key) at the same time: (status, retry-after, body)
    of each."""
    socks = []
    for model, name in asks:
        body = json.dumps(chat(model, max_tokens=ASKED)).encode()
        socks.append((h.connect(BOUND * 3), (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
            "Authorization: Bearer %s\r\nConnection: close\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (name, len(body))).encode() + body))
    for s, data in socks:
        s.sendall(data)
    got = []
    for s, _ in socks:
        head, _, body = read_all(s).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        after = [x.split(":")[1] for x in lines
                 if x.lower().startswith("retry-after:")]
        got.append((int(lines[0].split()[1]), after and int(after[0]), body))
        s.close()
    return got


def judge(what, scope, up, model, got):
    case = (what, scope, model)
    good = [g for g in got if g[0] == 200]
    refused = [g for g in got if g[0] != 200]
    seen = up.seen[model]
    assert len(good) == seen, (case, len(good), seen)
    if what == "concurrent":
        assert not refused, (case, refused[0])
        assert up.most[model] == CONCURRENT, (case, up.most[model])
        return
    if what == "requests":
        assert seen == REQUESTS, (case, seen)
    else:
        # The next one, by its estimate, has no room.
        assert seen * USED <= TOKENS < (seen + 2) * USED, (case, seen)
    for status, after, body in refused:
        assert status == 429 and after and 1 <= after <= 61, (case, body)
        assert b"limits" in body or b"in a minute" in body, (case, body)


def races(loops):
    with Counting() as up, host(up, loops) as h:
        for what in LIMITS:
            for scope in SCOPES:
                name = "%s-%s" % (what, scope)
                if scope == "key":
                    got = race(h, [("free/" + name, what)] * CLIENTS)
                    judge(what, scope, up, name, got)
                elif scope == "provider":
                    got = race(h, [(name + "/" + name, "any")] * CLIENTS)
                    judge(what, scope, up, name, got)
                else:  # two models, mixed: each has its own
                    models = [name + "-a", name + "-b"]
                    got = race(h, [("%s/%s" % (name, m), "any")
                                   for _ in range(CLIENTS // 2)
                                   for m in models])
                    for i, m in enumerate(models):
                        judge(what, scope, up, m, got[i::2])
        until(lambda: h.control("status")["waiting"] == 0, "nobody to wait")
        h.alive()


def test_one_loop():
    races(1)


def test_two_loops():
    races(2)


if __name__ == "__main__":
    main(globals())
