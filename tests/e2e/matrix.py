# SPDX-License-Identifier: MIT
"""Every client against every provider: the official SDKs, unmodified, by
scripted upstreams that speak the providers' own forms.  What comes of it is the
table in README.md; a table that says anything else fails here.  To write it
anew: PATCHBAY_MATRIX_WRITE=1."""
import json
import os
import subprocess

from harness import Host, Upstream, main, openai_at, send_json, send_stream
from ollama_sdk import (CLAUDE_KEY, KEY, OR_KEY, UP_KEY, anthropic, claude,
                        client_keys, ollama, openai)
from openai_sdk import counterpart
from provider_claude import message as whole
from provider_responses import events, message, response

HERE = os.path.dirname(os.path.abspath(__file__))
README = os.path.join(HERE, "README.md")
BEGIN, END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->\n"
CELLS = ["chat", "stream", "tools", "image", "schema", "embeddings",
         "responses", "responses, streamed", "completions", "error"]

OPENAI_LIKE = {"chat": "gpt-4o", "embed": "text-embedding-3-small",
               "seen": "^text,image_url 34$"}
OLLAMA = {"chat": "llama3", "embed": "embed",
          "seen": "^1 picture of 8 bytes$"}
CLAUDE = {"chat": "claude-sonnet-5", "embed": "claude-sonnet-5",
          "seen": "^1 picture of 8 bytes$"}
TARGETS = [("openai", OPENAI_LIKE), ("claude", CLAUDE), ("ollama", OLLAMA),
           ("llamacpp", OPENAI_LIKE), ("openrouter", OPENAI_LIKE)]

CLIENTS = [("openai (Node)", "openai.mjs", {}),
           ("openai (Python)", "openai_client.py", {}),
           ("@anthropic-ai/sdk 1", "anthropic.mjs",
            {"PACKAGE": "@anthropic-ai/sdk"}),
           ("@anthropic-ai/sdk 0", "anthropic.mjs",
            {"PACKAGE": "anthropic-0"}),
           ("anthropic (Python)", "anthropic_client.py", {}),
           ("ollama (Node)", "ollama.mjs", {}),
           ("Vercel AI SDK", "vercel.mjs", {})]

# Why a cell is no "ok": what the provider lacks, and what the refusal says.
GAPS = {("claude", "embeddings"): ("Anthropic's API has no embeddings",
                                   "no such operation")}


def targets():
    return json.dumps([dict(
        words, name=name, hello="^Hello$", sunny="^it is sunny$",
        chat="%s/%s" % (name, words["chat"]), limited=name + "/limited",
        embed="%s/%s" % (name, words["embed"])) for name, words in TARGETS])


def by_responses(usual):
    """OpenAI itself has the Responses API, too."""
    def answer(req, conn):
        if req.path != "/v1/responses":
            return usual(req, conn)
        output = [message("Hello")]
        if req.json.get("stream"):
            return send_stream(conn, events(output))
        return send_json(conn, 200, response(output))
    return answer


def unasked(usual):
    """A Claude that does not think before it calls, for the client that has no
    place for a signed thought and would not bring it back."""
    def answer(req, conn):
        body = req.json if req.method == "POST" else {}
        if "thinking" in body or not body.get("tools"):
            return usual(req, conn)
        last = body["messages"][-1]["content"]
        if isinstance(last, list) and last[-1]["type"] == "tool_result":
            used = body["messages"][-2]["content"]
            assert used[-1]["type"] == "tool_use", used
            assert last[-1]["tool_use_id"] == used[-1]["id"], last
            said = last[-1]["content"]
            content = [{"type": "text", "text": "it is " + (
                said if isinstance(said, str) else said[0]["text"])}]
            return send_json(conn, 200, whole(content))
        return send_json(conn, 200, whole([
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather",
             "input": {"city": "Zürich"}}], "tool_use"))
    return answer


def outcome(script, more):
    """{(target, cell): (result, why)}"""
    node = counterpart("node.sh")
    argv = [counterpart("python.sh")] if script.endswith(".py") \
        else [node + "/node"]
    env = dict(os.environ, BASE_URL=host.url, KEY=KEY, TARGETS=targets(),
               SDK=node, VERCEL=counterpart("vercel.sh"), **more)
    if script == "vercel.mjs":
        anthropic.answer = unasked(claude)
    p = subprocess.run(argv + [os.path.join(HERE, "matrix", script)], env=env,
                       stdout=subprocess.PIPE, text=True)
    anthropic.answer = claude
    found = {}
    for line in p.stdout.splitlines():
        if line.startswith('{"target"'):
            one = json.loads(line)
            found[one["target"], one["cell"]] = one["result"], one["why"]
    assert p.returncode == 0 and found, (script, p.returncode, p.stdout)
    return found


def cell_of(found, target, cell):
    result, why = found.get((target, cell), ("none", ""))
    if result == "none":
        return "–"
    if result == "refused" and (target, cell) in GAPS:
        assert GAPS[target, cell][1] in why, (target, cell, why)
        return "refused"
    assert result == "ok", (target, cell, why)
    return "ok"


def table(results):
    yield "| client | provider | " + " | ".join(CELLS) + " |\n"
    yield "|---|---|" + "---|" * len(CELLS) + "\n"
    for client, found in results:
        for target, _ in TARGETS:
            yield "| %s | %s | %s |\n" % (client, target, " | ".join(
                cell_of(found, target, c) for c in CELLS))
    yield "\n"
    for (target, cell), (why, _) in sorted(GAPS.items()):
        yield "- %s, %s: refused with status 400, since %s.\n" % (
            target, cell, why)


def test_matrix():
    results = [(name, outcome(script, more))
               for name, script, more in CLIENTS]
    bad = ["%s %s %s: %s" % (name, *k, v[1]) for name, found in results
           for k, v in found.items() if v[0] != "ok" and k not in GAPS]
    assert not bad, "\n".join(bad)
    now = "".join(table(results))
    with open(README, encoding="utf-8") as f:
        before, rest = f.read().split(BEGIN)
    told, after = rest.split(END)
    if os.environ.get("PATCHBAY_MATRIX_WRITE"):
        with open(README, "w", encoding="utf-8") as f:
            f.write(before + BEGIN + now + END + after)
    else:
        assert told == now, "tests/e2e/README.md says:\n%s\nfound:\n%s" % (
            told, now)
    print("%d cells asked" % sum(len(f) for _, f in results))


host = None

if __name__ == "__main__":
    for script in ("node.sh", "python.sh", "vercel.sh"):
        counterpart(script)
    direct = Upstream(by_responses(openai.answer))
    with ollama, openai, anthropic, direct, Host(
            providers='ollama: { base_url = "%s"; api_key = "%s"; }; %s '
            'openrouter: { base_url = "%s/api/v1"; api_key = "%s"; };'
            'llamacpp: { base_url = "%s"; };'
            'claude: { base_url = "%s"; api_key = "%s"; };' % (
                ollama.url, UP_KEY, openai_at(direct.url, "openai"),
                openai.url, OR_KEY, openai.url, anthropic.url, CLAUDE_KEY),
            top=client_keys()) as host:
        main(globals())
