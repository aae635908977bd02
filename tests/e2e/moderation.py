# SPDX-License-Identifier: MIT
"""Moderation: by the provider where it has such a thing, else by a chat, for
clients and on the command line."""
import json

from cli_ops import cli
from harness import (Host, Upstream, completion, main, openai_at,
                     send_json)

CATEGORIES = ["harassment", "harassment/threatening", "hate",
              "hate/threatening", "illicit", "illicit/violent", "self-harm",
              "self-harm/instructions", "self-harm/intent", "sexual",
              "sexual/minors", "violence", "violence/graphic"]


def judged(**scores):
    return dict({c: 0.01 for c in CATEGORIES}, **scores)


class Setting:
    """An Ollama, which has no moderation, and two that speak OpenAI's API: one
    that has it and one that has not."""

    def __init__(self, **more):
        self.ollama, self.has, self.lacks = Upstream(), Upstream(), Upstream()
        self.ollama.answer = self.on_ollama
        self.has.answer = self.on_moderations
        self.lacks.on("m")(lambda r, c: send_json(c, 200, completion(
            json.dumps(judged())))
            if r.path == "/v1/chat/completions" else send_json(
                c, 404, {"error": {"message": "no such path"}}))
        self.host = Host(providers='box: { type = "ollama"; base_url = "%s"; '
                         'default_model = "m"; };' % self.ollama.url +
                         openai_at(self.has.url, "has") +
                         openai_at(self.lacks.url, "lacks"), **more)
        self.answers = []

    def on_ollama(self, r, c):
        if r.path != "/api/chat":
            return send_json(c, 200, {"models": []})
        text = r.json["messages"][-1]["content"]
        if self.answers:
            text = self.answers.pop(0)
        elif "kill" in text:
            text = json.dumps(judged(violence=0.9))
        else:
            text = json.dumps(judged())
        return send_json(c, 200, {
            "model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {
                "role": "assistant", "content": text}, "done": True,
            "done_reason": "stop", "prompt_eval_count": 30, "eval_count": 20})

    def on_moderations(self, r, c):
        return send_json(c, 200, {"id": "modr-1", "model": "m", "results": [
            {"flagged": True, "categories": {}, "category_scores": {}}]})

    def chats(self):
        return [r for r in self.ollama.requests if r.path == "/api/chat"]

    def ask(self, body):
        status, h, reply = self.host.post("/v1/moderations", body)
        return status, h, json.loads(reply)

    def __enter__(self):
        for up in (self.ollama, self.has, self.lacks):
            up.__enter__()
        self.host.start()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for up in (self.ollama, self.has, self.lacks):
            up.__exit__()
        return False


def test_by_a_chat():
    with Setting() as s:
        status, h, r = s.ask({"model": "box/m", "input": [
            "I will kill the process.", "Good morning."]})
        assert status == 200, r
        assert r["id"].startswith("modr-") and r["model"] == "m", r
        first, second = r["results"]
        assert first["flagged"] is True and second["flagged"] is False
        assert [c for c, b in first["categories"].items() if b] == ["violence"]
        assert sorted(first["categories"]) == CATEGORIES, first
        assert first["category_scores"]["violence"] == 0.9
        assert h["x-patchbay-warning"] == (
            "moderation: judged by a chat, since the provider has no "
            "moderation"), h
        assert h["x-patchbay-provider"] == "box"
        prompt = s.chats()[0].json["messages"][0]["content"]
        for c in CATEGORIES:
            assert '"%s"' % c in prompt, prompt
        assert "never an instruction" in prompt


def test_without_a_model():
    with Setting() as s:
        # Nobody that has moderation has a default_model.
        status, h, r = s.ask({"input": "Good morning."})
        assert status == 200 and r["results"][0]["flagged"] is False, r
        assert h["x-patchbay-provider"] == "box", h


def test_by_the_provider_where_it_can():
    with Setting() as s:
        status, h, r = s.ask({"model": "has/m", "input": "x"})
        assert status == 200 and r["id"] == "modr-1", r
        assert "x-patchbay-warning" not in h
        # One that speaks OpenAI's API, but without this part of it.
        status, h, r = s.ask({"model": "lacks/m", "input": "x"})
        assert status == 200 and "by a chat" in h["x-patchbay-warning"], r
        assert r["results"][0]["flagged"] is False


def test_answers_are_checked():
    with Setting() as s:
        s.answers = ["```json\n{}\n```", json.dumps(judged(hate=0.5))]
        status, h, r = s.ask({"model": "box/m", "input": "x"})
        assert status == 200 and r["results"][0]["categories"]["hate"], r
        assert h["x-patchbay-attempts"] == "2", h
        s.answers = [json.dumps(judged(hate=7))] * 2
        status, h, r = s.ask({"model": "box/m", "input": "x"})
        assert status == 502 and r["error"]["code"] == "schema_violation", r
        assert "/hate: must be at most 1" in r["error"]["message"], r
        assert len(s.chats()) == 4
    # Also where clients' own schemas are not.
    with Setting(top='structured_output: { check = "off"; };') as s:
        s.answers = ["{}", json.dumps(judged())]
        status, h, r = s.ask({"model": "box/m", "input": "x"})
        assert status == 200 and h["x-patchbay-attempts"] == "2", r


def test_what_is_wrong():
    with Setting() as s:
        for body, status in (({"model": "box/m"}, 400),
                             ({"model": "none/m", "input": "x"}, 404),
                             ({"model": "box/m", "input": []}, 400),
                             ({"model": "box/m", "input": [1]}, 400)):
            got, _, r = s.ask(body)
            assert got == status, (body, r)
        assert not s.chats()


def test_the_command_line():
    with Setting() as s:
        for own in (False, True):
            out, err = cli(s.host, "moderate", "-m", "box/m", "I", "kill", "it",
                           own=own)
            assert out == "flagged\n  violence 0.900\n", out
            assert "judged by a chat" in err, err
        out, err = cli(s.host, "moderate", "-m", "has/m", "x")
        assert out == "flagged\n" and err == "", (out, err)
        out, _ = cli(s.host, "moderate", "-m", "box/m", "--json", "Hello.")
        r = json.loads(out)
        assert r["results"][0]["flagged"] is False
        assert r["report"]["usage"]["output"] == 20, r


if __name__ == "__main__":
    main(globals())
