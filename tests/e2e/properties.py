# SPDX-License-Identifier: MIT
"""Generated conversations and answers, through every provider: what reaches a
provider, read by a reader of its own form that knows nothing of our code, says
what the client said; and what it answers, written in its form, streamed and
whole, is what the client gets.  PATCHBAY_SEED=N repeats a run, which prints N
when it fails; PATCHBAY_LONG=1 takes longer."""
import json
import os
import random
import sys

from harness import Host, Upstream, main, openai_at, send_json, send_stream, sse
from ollama_sdk import send_lines

SEED = int(os.environ.get("PATCHBAY_SEED") or random.SystemRandom().randrange(
    1 << 32))
ROUNDS = 1500 if os.environ.get("PATCHBAY_LONG") else 60
PNG = "iVBORw0KGgo="
ALPHABET = list("aäß \n\t\"\\/{}[]<>&'.,:;%$€漢字🙂\u0301\u200d\u2028é0123456789") + [
    "Hello", " wörld", "\\u0041", "\\n", "data: x", "\n\n", "[DONE]", "</tool>"]


class Maker:
    """Canonical things, by chance."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.calls = 0

    def text(self, most=40):
        s = "".join(self.r.choice(ALPHABET)
                    for _ in range(self.r.randint(1, most)))
        return s if s.strip() else "x" + s

    def json(self, depth=0):
        kind = self.r.randint(0, 6 if depth < 3 else 3)
        if kind == 0:
            return self.r.choice([None, True, False])
        if kind == 1:
            return self.r.randint(-10**12, 10**12)
        if kind <= 3:
            return self.text(12)
        if kind == 4:
            return [self.json(depth + 1) for _ in range(self.r.randint(0, 3))]
        return self.object(depth + 1)

    def object(self, depth=0):
        return {"k%d" % i: self.json(depth)
                for i in range(self.r.randint(0, 4))}

    def call(self):
        self.calls += 1
        return {"id": "call_%d" % self.calls, "type": "function", "function": {
            "name": self.r.choice(["get_weather", "f-1", "look_up"]),
            "arguments": json.dumps(self.object(), ensure_ascii=self.r.random()
                                    < .5)}}

    def user(self):
        text = self.text()
        if self.r.random() < .7:
            return {"role": "user", "content": text}
        return {"role": "user", "content": [
            {"type": "text", "text": text}, {"type": "image_url", "image_url": {
                "url": "data:image/png;base64," + PNG}}]}

    def assistant(self):
        """An answer in words, or calls and what came of them."""
        if self.r.random() < .5:
            return [{"role": "assistant", "content": self.text()}]
        calls = [self.call() for _ in range(self.r.randint(1, 3))]
        said = self.text() if self.r.random() < .5 else None
        return [{"role": "assistant", "content": said, "tool_calls": calls}] + [
            {"role": "tool", "tool_call_id": c["id"], "content": self.text()}
            for c in calls]

    def request(self):
        messages = []
        if self.r.random() < .5:
            messages.append({"role": "system", "content": self.text()})
        messages.append(self.user())
        for _ in range(self.r.randint(0, 3)):
            messages += self.assistant()
            if messages[-1]["role"] == "assistant" or self.r.random() < .3:
                messages.append(self.user())
        body = {"messages": messages, "max_completion_tokens":
                self.r.randint(1, 4000), "tools": [
                    {"type": "function", "function": {
                        "name": n, "description": self.text(), "parameters": {
                            "type": "object", "properties": {}}}}
                    for n in ("get_weather", "f-1", "look_up")]}
        return body

    def answer(self):
        kind = self.r.random()
        calls = [self.call() for _ in range(self.r.randint(1, 3))] \
            if kind < .5 else []
        return {"text": self.text(60) if kind > .3 or not calls else "",
                "reasoning": self.text() if self.r.random() < .4 else "",
                "calls": [(c["function"]["name"], json.loads(
                    c["function"]["arguments"])) for c in calls],
                "cut": not calls and self.r.random() < .2,
                "input": self.r.randint(1, 9999),
                "output": self.r.randint(1, 9999)}

    def pieces(self, text):
        out = []
        while text:
            n = self.r.randint(1, len(text))
            out.append(text[:n])
            text = text[n:]
        return out


# --- what a request says, as atoms: (who, what, ...) --------------------------

def said(role, content):
    if isinstance(content, str):
        return [(role, "text", content)]
    out = []
    for p in content or []:
        if p["type"] == "text":
            out.append((role, "text", p["text"]))
        else:
            assert p["image_url"]["url"].endswith(PNG), p
            out.append((role, "image"))
    return out


def of_chat(body):
    out, names = [], {}
    for m in body["messages"]:
        if m["role"] == "tool":
            out.append(("result", names[m["tool_call_id"]], m["content"]))
            continue
        out += said(m["role"], m["content"])
        for c in m.get("tool_calls", []):
            fn = c["function"]
            names[c["id"]] = (len(names), fn["name"])
            out.append(("call", names[c["id"]], json.loads(fn["arguments"])))
    tools = [(t["function"]["name"], t["function"]["description"])
             for t in body["tools"]]
    return out, tools, body["max_completion_tokens"]


def of_claude(body):
    out, names = [], {}
    for s in body.get("system", []):
        out.append(("system", "text", s["text"]))
    for m in body["messages"]:
        content = m["content"]
        for b in [{"type": "text", "text": content}] \
                if isinstance(content, str) else content:
            if b["type"] == "text":
                out.append((m["role"], "text", b["text"]))
            elif b["type"] == "image":
                assert b["source"]["data"] == PNG, b
                out.append((m["role"], "image"))
            elif b["type"] == "tool_use":
                names[b["id"]] = (len(names), b["name"])
                out.append(("call", names[b["id"]], b["input"]))
            else:
                assert b["type"] == "tool_result", b
                text = b["content"] if isinstance(b["content"], str) else \
                    "".join(p["text"] for p in b["content"])
                out.append(("result", names[b["tool_use_id"]], text))
    return out, [(t["name"], t["description"]) for t in body["tools"]], \
        body["max_tokens"]


def of_ollama(body):
    """Results are told apart by their order: those of a turn come in the order
    of its calls."""
    out, names, open_calls = [], 0, []
    for m in body["messages"]:
        if m["role"] == "tool":
            name = open_calls.pop(0)
            assert m["tool_name"] == name[1], (m, name)
            out.append(("result", name, m["content"]))
            continue
        if m.get("content"):
            out.append((m["role"], "text", m["content"]))
        for image in m.get("images", []):
            assert image == PNG
            out.append((m["role"], "image"))
        for c in m.get("tool_calls", []):
            name = (names, c["function"]["name"])
            names += 1
            open_calls.append(name)
            out.append(("call", name, c["function"]["arguments"]))
    return out, [(t["function"]["name"], t["function"]["description"])
                 for t in body["tools"]], body["options"]["num_predict"]


def of_responses(body):
    out, names = [], {}
    for i in body["input"]:
        if i["type"] == "message":
            content = i["content"]
            for p in [{"type": "input_text", "text": content}] \
                    if isinstance(content, str) else content:
                if p["type"] == "input_image":
                    assert p["image_url"].endswith(PNG), p
                    out.append((i["role"], "image"))
                else:
                    out.append((i["role"], "text", p["text"]))
        elif i["type"] == "function_call":
            names[i["call_id"]] = (len(names), i["name"])
            out.append(("call", names[i["call_id"]],
                        json.loads(i["arguments"])))
        else:
            assert i["type"] == "function_call_output", i
            out.append(("result", names[i["call_id"]], i["output"]))
    return out, [(t["name"], t["description"]) for t in body["tools"]], \
        body["max_output_tokens"]


READERS = {"/v1/messages": of_claude, "/api/chat": of_ollama,
           "/v1/responses": of_responses, "/v1/chat/completions": of_chat,
           "/api/v1/chat/completions": of_chat}


# --- an answer in each form ---------------------------------------------------

def event(kind, **more):
    return ("event: %s\ndata: %s\n\n" % (kind, json.dumps(
        dict(more, type=kind), ensure_ascii=False))).encode()


def data(obj):
    return ("data: %s\n\n" % json.dumps(obj)).encode()


def claude_blocks(a):
    if a["reasoning"]:
        yield {"type": "thinking", "thinking": a["reasoning"],
               "signature": "c2ln"}
    if a["text"]:
        yield {"type": "text", "text": a["text"]}
    for i, (name, args) in enumerate(a["calls"]):
        yield {"type": "tool_use", "id": "toolu_%d" % i, "name": name,
               "input": args}


def claude_stop(a):
    return "tool_use" if a["calls"] else "max_tokens" if a["cut"] \
        else "end_turn"


def as_claude(a, make, conn, stream):
    blocks = list(claude_blocks(a))
    whole = {"id": "msg_1", "type": "message", "role": "assistant",
             "model": "m", "content": blocks, "stop_reason": claude_stop(a),
             "stop_sequence": None, "usage": {"input_tokens": a["input"],
                                              "output_tokens": a["output"]}}
    if not stream:
        return send_json(conn, 200, whole)
    events = [event("message_start", message=dict(
        whole, content=[], stop_reason=None, usage={
            "input_tokens": a["input"], "output_tokens": 1}))]
    for i, b in enumerate(blocks):
        events += claude_block(make, i, b)
    return send_stream(conn, events + [
        event("message_delta", delta={"stop_reason": claude_stop(a)},
              usage={"output_tokens": a["output"]}), event("message_stop")])


def claude_block(make, i, b):
    kinds = {"text": ("text_delta", "text"),
             "thinking": ("thinking_delta", "thinking"),
             "tool_use": ("input_json_delta", "partial_json")}
    kind, field = kinds[b["type"]]
    text = json.dumps(b["input"], ensure_ascii=make.r.random() < .5) \
        if b["type"] == "tool_use" else b[field]
    empty = {"tool_use": {"input": {}}, "text": {"text": ""},
             "thinking": {"thinking": "", "signature": ""}}[b["type"]]
    yield event("content_block_start", index=i, content_block=dict(b, **empty))
    for p in make.pieces(text):
        yield event("content_block_delta", index=i,
                    delta={"type": kind, field: p})
    if b["type"] == "thinking":
        yield event("content_block_delta", index=i, delta={
            "type": "signature_delta", "signature": b["signature"]})
    yield event("content_block_stop", index=i)


def as_ollama(a, make, conn, stream):
    def line(done=False, **message):
        one = {"model": "m", "created_at": "2026-11-20T10:00:00Z",
               "message": dict({"role": "assistant", "content": ""}, **message),
               "done": done}
        if done:
            one.update(done_reason="length" if a["cut"] else "stop",
                       prompt_eval_count=a["input"], eval_count=a["output"])
        return one
    calls = [{"function": {"name": n, "arguments": args}}
             for n, args in a["calls"]]
    more = dict({"thinking": a["reasoning"]} if a["reasoning"] else {},
                **({"tool_calls": calls} if calls else {}))
    if not stream:
        return send_json(conn, 200, line(True, content=a["text"], **more))
    lines = [line(thinking=p) for p in make.pieces(a["reasoning"])] + \
        [line(content=p) for p in make.pieces(a["text"])] + \
        ([line(tool_calls=calls)] if calls else []) + [line(True)]
    return send_lines(conn, lines)


def as_chat(a, make, conn, stream):
    finish = "tool_calls" if a["calls"] else "length" if a["cut"] else "stop"
    usage = {"prompt_tokens": a["input"], "completion_tokens": a["output"],
             "total_tokens": a["input"] + a["output"]}
    calls = [{"id": "call_x%d" % i, "type": "function", "function": {
        "name": n, "arguments": json.dumps(args)}}
        for i, (n, args) in enumerate(a["calls"])]

    def chunk(usage=None, finish=None, **delta):
        return data({"id": "c", "object": "chat.completion.chunk", "created": 1,
                     "model": "m", "usage": usage, "choices": [] if usage else [
                         {"index": 0, "delta": delta,
                          "finish_reason": finish}]})
    if not stream:
        message = {"role": "assistant", "content": a["text"] or None}
        if a["reasoning"]:
            message["reasoning_content"] = a["reasoning"]
        if calls:
            message["tool_calls"] = calls
        return send_json(conn, 200, {
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "usage": usage, "choices": [{"index": 0, "message": message,
                                         "finish_reason": finish}]})
    events = [chunk(role="assistant", content="")]
    events += [chunk(reasoning_content=p) for p in make.pieces(a["reasoning"])]
    events += [chunk(content=p) for p in make.pieces(a["text"])]
    for i, c in enumerate(calls):
        events.append(chunk(tool_calls=[dict(c, index=i, function={
            "name": c["function"]["name"], "arguments": ""})]))
        events += [chunk(tool_calls=[{"index": i, "function": {
            "arguments": p}}]) for p in make.pieces(c["function"]["arguments"])]
    return send_stream(conn, events + [chunk(finish=finish), chunk(usage),
                                       b"data: [DONE]\n\n"])


def as_responses(a, make, conn, stream):
    output = []
    if a["reasoning"]:
        output.append({"id": "rs_0", "type": "reasoning", "summary": [
            {"type": "summary_text", "text": a["reasoning"]}]})
    if a["text"]:
        output.append({"id": "msg_0", "type": "message", "role": "assistant",
                       "status": "completed", "content": [
                           {"type": "output_text", "text": a["text"],
                            "annotations": []}]})
    output += [{"id": "fc_%d" % i, "type": "function_call", "name": n,
                "call_id": "call_x%d" % i, "arguments": json.dumps(args)}
               for i, (n, args) in enumerate(a["calls"])]
    whole = {"id": "resp_1", "object": "response", "model": "m", "error": None,
             "status": "incomplete" if a["cut"] else "completed",
             "incomplete_details": {"reason": "max_output_tokens"}
             if a["cut"] else None, "output": output,
             "usage": {"input_tokens": a["input"],
                       "output_tokens": a["output"]}}
    if not stream:
        return send_json(conn, 200, whole)
    events = [event("response.created", response=dict(
        whole, status="in_progress", output=[], usage=None))]
    for i, item in enumerate(output):
        events.append(event("response.output_item.added", output_index=i,
                            item=dict(item, arguments="")))
        kind, text = {
            "reasoning": ("reasoning_summary_text", a["reasoning"]),
            "message": ("output_text", a["text"]),
            "function_call": ("function_call_arguments",
                              item.get("arguments"))}[item["type"]]
        events += [event("response.%s.delta" % kind, output_index=i, delta=p,
                         summary_index=0) for p in make.pieces(text)]
        events.append(event("response.output_item.done", output_index=i,
                            item=item))
    return send_stream(conn, events + [event(
        "response." + whole["status"], response=whole)])


WRITERS = {"/v1/messages": as_claude, "/api/chat": as_ollama,
           "/v1/responses": as_responses, "/v1/chat/completions": as_chat,
           "/api/v1/chat/completions": as_chat}


# --- what a client sees -------------------------------------------------------

def seen_chat(reply, stream):
    """By OpenAI's API: (text, reasoning, calls, finish, usage)."""
    if not stream:
        r = json.loads(reply)
        m = r["choices"][0]["message"]
        return (m["content"] or "", m.get("reasoning_content", ""),
                [(c["function"]["name"], json.loads(c["function"]["arguments"]))
                 for c in m.get("tool_calls", [])],
                r["choices"][0]["finish_reason"], r["usage"])
    text = reasoning = ""
    calls, finish, usage = {}, None, None
    events = sse(reply)
    assert events[-1] == "[DONE]", events[-1]
    for c in (json.loads(e) for e in events[:-1]):
        usage = c.get("usage") or usage
        for choice in c["choices"]:
            d = choice["delta"]
            text += d.get("content") or ""
            reasoning += d.get("reasoning_content") or ""
            finish = choice["finish_reason"] or finish
            for t in d.get("tool_calls", []):
                one = calls.setdefault(t["index"], ["", ""])
                one[0] += t["function"].get("name") or ""
                one[1] += t["function"].get("arguments") or ""
    return (text, reasoning, [(n, json.loads(a)) for _, (n, a) in
                              sorted(calls.items())], finish, usage)


def expected(a):
    return (a["text"], a["reasoning"], a["calls"],
            "tool_calls" if a["calls"] else "length" if a["cut"] else "stop",
            (a["input"], a["output"]))


def joined(atoms):
    """Texts of one speaker that follow each other are one."""
    out = []
    for a in atoms:
        if out and a[1:2] == ("text",) and out[-1][:2] == a[:2]:
            out[-1] = a[:2] + (out[-1][2] + a[2],)
        else:
            out.append(a)
    return out


def upstream(req, conn):
    if req.method == "GET":
        return send_json(conn, 200, {"data": [], "models": []})
    state["said"] = READERS[req.path](req.json)
    return WRITERS[req.path](state["answer"], state["make"], conn,
                             bool(req.json.get("stream")))


def one_round(provider, seed):
    make = Maker(seed)
    body, answer = make.request(), make.answer()
    body["model"] = provider + "/m"
    state.update(make=make, answer=answer, said=None)
    told, tools, limit = of_chat(body)
    for stream in (False, True):
        status, _, reply = host.post("/v1/chat/completions", dict(
            body, stream=stream, **({"stream_options": {
                "include_usage": True}} if stream else {})))
        assert status == 200, reply
        got, got_tools, got_limit = state["said"]
        assert joined(got) == joined(told), (joined(got), joined(told))
        assert (got_tools, got_limit) == (tools, limit)
        *seen, usage = seen_chat(reply, stream)
        seen.append((usage["prompt_tokens"], usage["completion_tokens"]))
        assert tuple(seen) == expected(answer), (stream, seen, answer)


def rounds(provider):
    for i in range(ROUNDS):
        try:
            one_round(provider, SEED + i)
        except Exception:
            sys.stderr.write("PATCHBAY_SEED=%d fails for %s\n" % (
                SEED + i, provider))
            raise


def test_claude():
    rounds("claude")


def test_ollama():
    rounds("ollama")


def test_openai():
    rounds("openai")


def test_openai_by_responses():
    rounds("byresponses")


def test_llamacpp():
    rounds("llamacpp")


def test_openrouter():
    rounds("openrouter")


def test_controls():
    """The comparison notices what is missing."""
    a, _, _ = of_chat({"messages": [{"role": "user", "content": "x"}],
                       "tools": [], "max_completion_tokens": 1})
    assert joined(a) != joined(a + [("user", "image")])
    assert joined([("user", "text", "a"), ("user", "text", "b")]) == [
        ("user", "text", "ab")]


state = {}
host = None

if __name__ == "__main__":
    with Upstream(upstream) as up, Host(
            providers='%s %s claude: { base_url = "%s"; api_key = "k"; }; '
            'ollama: { base_url = "%s"; }; llamacpp: { base_url = "%s"; }; '
            'openrouter: { base_url = "%s/api/v1"; api_key = "k"; };' % (
                openai_at(up.url, "openai"), openai_at(
                    up.url, "byresponses", extra='responses_api = "all";'),
                up.url, up.url, up.url, up.url), log="warn") as host:
        main(globals())
