# SPDX-License-Identifier: MIT
"""An A/B split of a route's traffic, with the results of each target kept
apart."""
import hashlib
import json
import os
import subprocess

from harness import (PATCHBAY, PROVIDERS, Host, Upstream, chat, completion, main,
                     openai_at, send_json)

ROUTES = """routes = (
  { name = "ab"; strategy = "weighted"; weights = [ "3", "1" ];
    targets = [ "a/gpt-4o-mini", "b/other" ]; },
  { name = "chain"; targets = [ "a/down", "b/other" ]; } );
"""


def answer(r, c):
    if r.method != "POST":
        return send_json(c, 200, {"object": "list", "data": []})
    if r.json["model"] == "down":
        return send_json(c, 503, {"error": {"message": "down", "type": "x"}})
    big = r.json["model"] == "other"
    return send_json(c, 200, completion("hi", model=r.json["model"], usage=(
        (5, 7) if big else (3, 2))))


class Setting:
    def __init__(self, top=""):
        self.up = Upstream(answer)
        self.host = Host(providers=openai_at(
            self.up.url, name="a", extra='prices_of = "openai";') + openai_at(
                self.up.url, name="b"), top=ROUTES + top, server="loops = 2;")

    def __enter__(self):
        self.up.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        self.up.__exit__(*exc)

    def ask(self, model, headers=None):
        status, _, body = self.host.post("/v1/chat/completions", chat(model),
                                         headers)
        assert status == 200, body

    def results(self, query="", headers=None):
        status, _, body = self.host.get("/v1/routes/results" + query, headers)
        assert status == 200, body
        reply = json.loads(body)
        assert reply["lost"] == 0
        return {(r["route"], r["provider"], r["model"]): r
                for r in reply["results"]}

    def cli(self, *args):
        return subprocess.run(
            [PATCHBAY, "--control", self.host.control_path, "route", *args],
            env=dict(os.environ, PATCHBAY_PLUGIN_PATH=PROVIDERS),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)


def test_split_and_kept_apart():
    with Setting() as s:
        assert s.results() == {}
        for _ in range(40):
            s.ask("ab")
        s.ask("a/gpt-4o-mini")  # by no route: it does not count
        got = s.results("?route=ab")
        a = got[("ab", "a", "gpt-4o-mini")]
        b = got[("ab", "b", "other")]
        assert len(got) == 2 and a["ok"] + b["ok"] == 40
        # Two loops, each with turns of its own.
        assert abs(a["ok"] - 30) <= 2, (a, b)
        assert a["attempts"] == a["ok"] and a["failed"] == 0
        assert a["input_tokens"] == 3 * a["ok"]
        assert b["output_tokens"] == 7 * b["ok"]
        # 3 tokens at 0.15 and 2 at 0.6 USD for a million
        assert a["cost_nano"] == 1650 * a["ok"] and a["unpriced"] == 0, a
        assert b["unpriced"] == b["ok"] and b["cost_nano"] == 0
        assert 0 <= a["first_token_ms"] <= a["total_ms"]


def test_a_failure_counts_for_who_failed():
    with Setting() as s:
        s.ask("chain")
        got = s.results("?route=chain")
        down, other = got[("chain", "a", "down")], got[("chain", "b", "other")]
        assert (down["ok"], down["failed"]) == (0, 1), down
        assert down["errors"] == {"overloaded": 1} and other["errors"] == {}
        assert down["total_p95_ms"] is None
        assert 0 <= other["total_p50_ms"] <= other["total_p95_ms"]
        p = s.cli("results", "chain")
        assert "chain, a/down failed: overloaded 1" in p.stdout, p.stdout
        assert down["total_ms"] is None and down["first_token_ms"] is None
        assert (other["ok"], other["failed"]) == (1, 0), other


def test_command_and_reset():
    with Setting() as s:
        for _ in range(4):
            s.ask("ab")
        s.ask("chain")
        p = s.cli("results", "ab")
        assert p.returncode == 0, p.stderr
        rows = [line.split() for line in p.stdout.splitlines()[1:]]
        assert sorted(r[2] for r in rows) == ["a/gpt-4o-mini", "b/other"], rows
        assert "unknown" in p.stdout
        p = s.cli("results", "--json", "--reset", "ab")
        assert len(json.loads(p.stdout)["results"]) == 2
        assert {k[0] for k in s.results()} == {"chain"}
        assert s.cli("results", "--reset").returncode == 0 and s.results() == {}
        s.host.control("reload")
        s.ask("ab")
        assert len(s.results()) == 1
        assert s.cli("results", "a", "b").returncode == 2
        assert s.cli("explain", "--reset").returncode == 2


def test_rights():
    def key(name, right):
        return '{ name = "%s"; sha256 = "%s"; rights = [ "%s" ]; }' % (
            name, hashlib.sha256(name.encode()).hexdigest(), right)
    top = "keys = ( %s, %s );" % (key("pbk_c", "chat"), key("pbk_r", "reports"))
    with Setting(top) as s:
        s.ask("ab", {"Authorization": "Bearer pbk_c"})
        assert s.host.get("/v1/routes/results")[0] == 401
        assert s.host.get("/v1/routes/results",
                          {"Authorization": "Bearer pbk_c"})[0] == 403
        assert len(s.results(headers={"Authorization": "Bearer pbk_r"})) == 1


if __name__ == "__main__":
    main(globals())
