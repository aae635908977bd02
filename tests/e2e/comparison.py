# SPDX-License-Identifier: MIT
"""The comparison of providers in plugins/README.md: each mark of it is asked for
here, and a table that says anything else fails.  To write it anew:
PATCHBAY_COMPARISON_WRITE=1."""
import json
import os

from harness import (Host, LOOPBACK, Upstream, chat, completion, main,
                     openai_at, send_json)
from provider_claude import message

HERE = os.path.dirname(os.path.abspath(__file__))
README = os.path.join(HERE, "../../plugins/README.md")
BEGIN, END = "<!-- %s: begin -->\n", "<!-- %s: end -->\n"
NAMES = ["openai", "claude", "ollama", "llamacpp", "openrouter", "loopback"]
MODEL = {"loopback": "echo", "claude": "claude-sonnet-5"}

FN = {"type": "function", "function": {"name": "f", "parameters": {
    "type": "object"}}}
PNG = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}},
          "required": ["a"], "additionalProperties": False}


def said(*parts):
    return {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "x"}] + list(parts)}]}


# What a chat asks for, as members of the canonical request.
FEATURES = [
    ("tools", {"tools": [FN]}),
    ("choice of a tool", {"tools": [FN], "tool_choice": {
        "type": "function", "function": {"name": "f"}}}),
    ("one call at a time", {"tools": [FN], "parallel_tool_calls": False}),
    ("picture in", said({"type": "image_url", "image_url": {"url": PNG}})),
    ("PDF in", said({"type": "file", "file": {
        "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}})),
    ("sound in", said({"type": "input_audio", "input_audio": {
        "data": "UklGRg==", "format": "wav"}})),
    ("answer by JSON Schema", {"response_format": {
        "type": "json_schema", "json_schema": {
            "name": "n", "strict": True, "schema": SCHEMA}}}),
    ("any JSON", {"response_format": {"type": "json_object"}}),
    ("reasoning effort", {"reasoning_effort": "low"}),
    ("stop words", {"stop": ["END"]}),
    ("seed", {"seed": 7}),
    ("temperature", {"temperature": 0.5}),
    ("log probabilities", {"logprobs": True, "top_logprobs": 2}),
    ("several answers", {"n": 2}),
    ("penalties", {"presence_penalty": 0.5}),
    ("output limit", {"max_completion_tokens": 50}),
]


def answer(req, conn):
    """A chat's answer in whichever form the path stands for; it is JSON that
    keeps to the schema."""
    text = '{"a":"b"}'
    if req.method == "GET":
        return send_json(conn, 200, {"data": [], "models": []})
    if req.path == "/v1/messages":
        return send_json(conn, 200, message([{"type": "text", "text": text}]))
    if req.path == "/api/chat":
        return send_json(conn, 200, {
            "model": "m", "created_at": "2026-11-20T10:00:00Z", "done": True,
            "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1,
            "message": {"role": "assistant", "content": text}})
    return send_json(conn, 200, completion(text))


def mark(name, members):
    """A model's answer, or a refusal that names what is missing."""
    body = dict(chat("%s/%s" % (name, MODEL.get(name, "m"))), **members)
    before = len(up.requests)
    status, headers, reply = host.post("/v1/chat/completions", body)
    if status == 200:
        if name != "loopback":
            assert len(up.requests) > before
        return "warned" if "x-patchbay-warning" in headers else "yes"
    e = json.loads(reply)["error"]
    assert status == 400 and e["message"], (name, members, status, reply)
    assert len(up.requests) == before, (name, members)
    return "–"


def operations():
    listed = json.loads(host.get("/v1/providers")[2])["data"]
    mine = {p["id"]: p["operations"] for p in listed}
    every = [op for n in NAMES for op in mine[n]]
    yield "| operation | " + " | ".join(NAMES) + " |\n"
    yield "|---|" + "---|" * len(NAMES) + "\n"
    for op in dict.fromkeys(every):
        yield "| %s | %s |\n" % (op, " | ".join(
            "yes" if op in mine[n] else "–" for n in NAMES))


def features():
    yield "| in a chat | " + " | ".join(NAMES) + " |\n"
    yield "|---|" + "---|" * len(NAMES) + "\n"
    for name, members in FEATURES:
        yield "| %s | %s |\n" % (name, " | ".join(
            mark(n, members) for n in NAMES))


def compare(what, now):
    with open(README, encoding="utf-8") as f:
        text = f.read()
    before, rest = text.split(BEGIN % what)
    told, after = rest.split(END % what)
    if os.environ.get("PATCHBAY_COMPARISON_WRITE"):
        with open(README, "w", encoding="utf-8") as f:
            f.write(before + BEGIN % what + now + END % what + after)
    else:
        assert told == now, "plugins/README.md says:\n%s\nfound:\n%s" % (
            told, now)


def test_operations():
    compare("operations", "".join(operations()))


def test_features():
    compare("features", "".join(features()))


host = None

if __name__ == "__main__":
    with Upstream(answer) as up, Host(
            providers='%s claude: { base_url = "%s"; api_key = "k"; }; '
            'ollama: { base_url = "%s"; }; llamacpp: { base_url = "%s"; }; '
            'openrouter: { base_url = "%s/api/v1"; api_key = "k"; }; %s' % (
                openai_at(up.url, "openai"), up.url, up.url, up.url, up.url,
                LOOPBACK)) as host:
        main(globals())
