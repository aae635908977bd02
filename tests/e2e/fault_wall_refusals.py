# SPDX-License-Identifier: MIT
"""Refusals that are answers: a model that declines in its own words, with a
stop reason of its own, is passed on and not routed around; and a fallback that
refuses to go on with an answer that was begun.  For each wire form, client API
and kind of answer, with how often each provider was asked."""
import json

from fault_wall import (CLIENTS, KEY, WIRES, Anthropic, OpenAI, OpenRouter,
                        Responses, answer, delta, event, send_some,
                        whole_stream)
from harness import DONE, Host, Upstream, main, send_json

WORDS = "I cannot help with that."


def declined_whole(w):
    body = w.whole(WORDS)
    if w is Anthropic:
        body["stop_reason"] = "refusal"
    elif w is Responses:
        body["output"][0]["content"] = [{"type": "refusal", "refusal": WORDS}]
    else:
        body["choices"][0]["finish_reason"] = "content_filter"
    return body


def declined_events(w):
    if w is Anthropic:
        end = [w.end[0], event("message_delta", delta={"stop_reason": "refusal"},
                               usage=w.usage), w.end[2]]
        return [w.opening, w.word(WORDS)] + end
    if w is Responses:
        at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        part = {"type": "refusal", "refusal": ""}
        full = {"type": "refusal", "refusal": WORDS}
        item = dict(w.item(None), content=[full])
        return [
            event("response.created", sequence_number=0,
                  response=w.whole(None, "in_progress")),
            event("response.output_item.added", sequence_number=1,
                  output_index=0, item=w.item(None, "in_progress")),
            event("response.content_part.added", sequence_number=2, part=part,
                  **at),
            event("response.refusal.delta", sequence_number=3, delta=WORDS,
                  **at),
            event("response.refusal.done", sequence_number=4, refusal=WORDS,
                  **at),
            event("response.content_part.done", sequence_number=5, part=full,
                  **at),
            event("response.output_item.done", sequence_number=6,
                  output_index=0, item=item),
            event("response.completed", sequence_number=7,
                  response=dict(w.whole(None), output=[item]))]
    return [w.opening, w.word(WORDS), delta(finish="content_filter"), DONE]


class Two:
    """A target of a wire form that does something, and one behind it."""

    def __init__(self, wire, does, second, then):
        self.asked = {"first": [], "second": []}
        up = Upstream(self.serve("first", wire, does))
        behind = Upstream(self.serve("second", second, then))
        self.ups = (up, behind)
        self.host = Host(log="warn", providers="".join(
            '%s: { type = "%s"; base_url = "%s%s"; api_key = "%s"; %s };'
            % (n, w.kind, u.url, w.path, KEY, w.keys) for n, w, u in
            (("first", wire, up), ("second", second, behind))),
            top='routes = ( { name = "r"; targets = [ "first/%s", "second/%s" ]'
            '; } );' % (wire.model, "claude-sonnet-4-5"
                        if second is Anthropic else second.model))

    def serve(self, name, wire, does):
        def one(req, conn):
            if req.method != "POST" or not any(
                    p in req.path for p in ("/chat", "/messages",
                                            "/responses")):
                return send_json(conn, 404, {"error": "no such page"})
            self.asked[name].append(req.json)
            return does(wire, req.json, conn)
        return one

    def __enter__(self):
        for u in self.ups:
            u.__enter__()
        self.host.__enter__()
        return self

    def __exit__(self, *exc):
        self.host.__exit__(*exc)
        for u in self.ups:
            u.__exit__(*exc)

    def counts(self):
        return len(self.asked["first"]), len(self.asked["second"])

    def ask(self, api, stream):
        for a in self.asked.values():
            a.clear()
        for name in self.asked:  # what it did before is not the point
            self.host.control("provider.reset", {"name": name})
        return self.host.post(api.path, api.body("r", stream))


def decline(wire, body, conn):
    if body.get("stream"):
        return whole_stream(conn, wire, *declined_events(wire))
    return send_json(conn, 200, declined_whole(wire))


# How each client API says that a model declined.
MARKS = {"openai": '"finish_reason":"content_filter"',
         "anthropic": '"stop_reason":"refusal"',
         "ollama": '"done_reason":"content_filter"',
         "responses": '"incomplete_details":{"reason":"content_filter"}'}
# That API has a form of words for it, and no reason of its own.
BY_WORDS = {"openai": '"refusal":"Icannothelpwiththat."',
            "anthropic": '"text":"Icannothelpwiththat."',
            "ollama": '"content":"Icannothelpwiththat."',
            "responses": '"refusal":"Icannothelpwiththat."'}


def test_models_that_decline():
    for wire in (OpenAI, OpenRouter, Anthropic, Responses):
        marks = BY_WORDS if wire is Responses else MARKS
        with Two(wire, decline, OpenAI,
                 lambda w, body, conn: answer(w, body.get("stream"), conn)) \
                as t:
            for name, api in CLIENTS.items():
                for stream in (False, True):
                    status, headers, body = t.ask(api, stream)
                    case = (wire.__name__, name, stream, status, body)
                    assert status == 200 and WORDS.encode() in body, case
                    assert marks[name] in body.decode().replace(" ", ""), case
                    assert t.counts() == (1, 0), case
                    assert headers["x-patchbay-attempts"] == "1", case


def begun(wire, body, conn):
    """Says the beginning of an answer, streamed; whole, it is cut."""
    if body.get("stream"):
        send_some(conn, wire, wire.opening, wire.word("Hel"))
    return False


def no_prefill(wire, body, conn):
    """As the API says it of models that take none."""
    if body["messages"][-1]["role"] == "assistant":
        return send_json(conn, 400, wire.error(
            400, "filter", "This model does not support assistant message "
            "prefill. The conversation must end with a user message."))
    return answer(wire, bool(body.get("stream")), conn)


def test_a_fallback_that_refuses_prefill():
    """Its refusal is never the client's error: it is asked the same again,
    from the beginning."""
    for wire in WIRES:
        with Two(wire, begun, Anthropic, no_prefill) as t:
            for name, api in CLIENTS.items():
                status, headers, body = t.ask(api, False)
                case = (wire.__name__, name, status, body)
                assert status == 200 and t.counts() == (1, 1), case
                assert api.whole(json.loads(body)) == "Hello", case
                status, headers, body = t.ask(api, True)
                case = (wire.__name__, name, status, body, t.counts())
                text, whole, errors = api.stream(body)
                assert status == 200 and b"prefill" not in body, case
                if name == "responses":  # nobody can go on with those
                    assert t.counts() == (1, 0) and not whole and errors, case
                    continue
                assert t.counts() == (1, 2), case
                assert (text, whole, errors) == ("Hello", True, []), case
                ends = [r["messages"][-1]["role"] for r in t.asked["second"]]
                assert ends == ["assistant", "user"], ends


if __name__ == "__main__":
    main(globals())
