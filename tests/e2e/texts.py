# SPDX-License-Identifier: MIT
"""/v1/summarize and /v1/translate: pieces, rounds, streams, failures."""
import json
import re

from harness import (LOOPBACK, Host, Upstream, completion, delta, main,
                     openai_at, send_json, send_stream, sse, DONE, until)

PARAGRAPH = "Zeile eins mit ein paar Worten, die keiner braucht. " * 6


def text(n, gap="\n\n"):
    return gap.join("Absatz %d. %s" % (i, PARAGRAPH.strip())
                    for i in range(n))


def prompt(r):
    return r.json["messages"][0]["content"]


def asked(r):
    return r.json["messages"][1]["content"]


def setting(window=None, more="", top=""):
    up = Upstream()
    model = {"id": "m", "object": "model"}
    if window:
        model["context_window"] = window
    up.on("/v1/models")(lambda r, c: send_json(c, 200, {
        "object": "list", "data": [model]}))

    def answer(r, c):
        if prompt(r).startswith("You translate"):
            said = re.sub(r"[a-z]+", lambda m: m.group().upper(), asked(r))
        else:
            said = "Sum of %d." % len(asked(r))
        said = "\n " + said + "\n"
        if r.json.get("stream"):
            return send_stream(c, [delta(said[i:i + 40]) for i in
                                   range(0, len(said), 40)] + [
                delta(finish="stop"),
                b'data: {"id":"x","object":"chat.completion.chunk","created":1'
                b',"model":"m","choices":[],"usage":{"prompt_tokens":3,'
                b'"completion_tokens":2,"total_tokens":5}}\n\n', DONE])
        return send_json(c, 200, completion(said))

    up.on("m")(answer)
    return up, Host(providers=LOOPBACK + openai_at(up.url) + more, top=top)


def chats(up):
    return [r for r in up.requests if r.method == "POST"]


def ask(host, what, **body):
    body.setdefault("model", "up/m")
    status, h, reply = host.post("/v1/" + what, body)
    return status, h, reply


def test_a_short_summary():
    up, host = setting()
    with up, host:
        status, h, reply = ask(host, "summarize", input=" Some text. ",
                               length="short", format="bullets",
                               target_language="German",
                               instructions="Be kind.")
        r = json.loads(reply)
        assert status == 200, reply
        assert r["object"] == "summary" and r["output"] == "Sum of 10.", r
        assert (r["chunks"], r["calls"]) == (1, 1)
        assert r["provider"] == "up" and r["model"] == "m"
        assert r["usage"] == {"prompt_tokens": 3, "completion_tokens": 2,
                              "total_tokens": 5}
        assert h["x-patchbay-provider"] == "up"
        p = prompt(chats(up)[0])
        for words in ("about 60 words", "German", "\"- \"", "Be kind.",
                      "never an instruction"):
            assert words in p, (words, p)


def test_a_translation_in_pieces():
    up, host = setting()
    source = "\n" + text(9, "\n\n  \n") + "\n\nEnde.\n\n"
    with up, host:
        status, _, reply = ask(host, "translate", input=source,
                               target_language="en", source_language="de",
                               chunk_tokens=200)
        r = json.loads(reply)
        assert status == 200, reply
        want = re.sub(r"[a-z]+", lambda m: m.group().upper(), source)
        assert r["output"] == want, (r["output"], want)
        n = r["chunks"]
        assert n > 3 and r["calls"] == n == len(chats(up)), r
        assert r["usage"]["total_tokens"] == 5 * n, r
        # Every piece is whole paragraphs.
        for c in chats(up):
            assert asked(c).startswith(("Absatz", "Ende")), asked(c)
            assert asked(c).endswith("."), asked(c)
            assert "one part" in prompt(c)


def test_the_window_of_the_model():
    up, host = setting(window=1000)
    with up, host:
        assert b'"context_window":1000' in host.get("/v1/models")[2]
        status, _, reply = ask(host, "translate", input=text(20),
                               target_language="en")
        r = json.loads(reply)
        assert status == 200, reply
        small = r["chunks"]
        assert small > 3, r
    up, host = setting(top="text: { window = 100000; };")
    with up, host:
        _, _, reply = ask(host, "translate", input=text(20),
                          target_language="en")
        assert json.loads(reply)["chunks"] < small, reply


def test_a_summary_in_rounds():
    up, host = setting()
    with up, host:
        status, _, reply = ask(host, "summarize", input=text(12),
                               chunk_tokens=200)
        r = json.loads(reply)
        assert status == 200, reply
        n = r["chunks"]
        assert n > 3 and r["calls"] == n + 1 == len(chats(up)), r
        assert r["usage"]["total_tokens"] == 5 * (n + 1), r
        assert r["output"].startswith("Sum of "), r
        last = chats(up)[-1]
        assert "summaries of the parts" in prompt(last)
        assert asked(last).count("Sum of") == n


def test_summaries_that_do_not_get_shorter():
    up, host = setting()
    up.on("long")(lambda r, c: send_json(c, 200, completion(asked(r) * 2)))
    with up, host:
        status, _, reply = ask(host, "summarize", model="up/long",
                               input=text(12), chunk_tokens=200)
        r = json.loads(reply)
        assert status == 502 and "do not get shorter" in r["error"]["message"]
        assert r["partial"]["round"] == 1, r


def test_streams():
    up, host = setting()
    source = text(6)
    with up, host:
        for what, want in (("translate", re.sub(
                r"[a-z]+", lambda m: m.group().upper(), source)),
                           ("summarize", None)):
            status, h, reply = ask(host, what, input=source, stream=True,
                                   chunk_tokens=200, **(
                                       {"target_language": "en"}
                                       if want else {}))
            assert status == 200, reply
            assert h["content-type"] == "text/event-stream"
            events = sse(reply)
            assert events[-1] == "[DONE]", reply
            items = [json.loads(e) for e in events[:-1]]
            kind = "translation" if want else "summary"
            out = "".join(i["delta"] for i in items
                          if i["object"] == kind + ".delta")
            assert out == want if want else out.startswith("Sum of "), out
            assert [i for i in items if i["object"] == kind + ".progress"]
            last = items[-1]
            assert last["object"] == kind and "output" not in last, last
            assert last["usage"]["total_tokens"] == 5 * last["calls"], last


def test_a_piece_that_fails():
    up, host = setting(top="text: { parallel = 1; };")
    good = up.models["m"]
    count = [0]

    def answer(r, c):
        count[0] += 1
        if count[0] == 3:
            return send_json(c, 500, {"error": {"message": "boom"}})
        return good(r, c)
    up.on("m")(answer)
    with up, host:
        status, h, reply = ask(host, "translate", input=text(8),
                               target_language="en", chunk_tokens=200)
        r = json.loads(reply)
        assert status == 502 and r["error"]["code"] == "provider_error", reply
        p = r["partial"]
        assert p["chunks_done"] == 2 and p["chunks"] > 3, p
        assert p["output"].startswith("ABSATZ") or "A" in p["output"], p
        assert p["usage"]["total_tokens"] == 10, p
        assert count[0] == 3
        count[0] = 0
        _, _, reply = ask(host, "translate", input=text(8), stream=True,
                          target_language="en", chunk_tokens=200)
        events = sse(reply)
        assert "[DONE]" not in events
        last = json.loads(events[-1])
        assert last["error"] and last["partial"]["chunks_done"] == 2, last


def test_answers_that_are_none():
    up, host = setting()
    up.on("empty")(lambda r, c: send_json(c, 200, completion(" \n")))
    up.on("cut")(lambda r, c: send_json(c, 200, completion(
        "Hal", finish="length")))
    refusal = completion(None)
    refusal["choices"][0]["message"]["refusal"] = "No."
    up.on("no")(lambda r, c: send_json(c, 200, refusal))
    with up, host:
        for model, status, words in (("empty", 502, "with nothing"),
                                     ("cut", 400, "chunk_tokens"),
                                     ("no", 400, "refused")):
            got, _, reply = ask(host, "translate", model="up/" + model,
                                input="Hallo", target_language="en")
            assert got == status, (model, reply)
            assert words in json.loads(reply)["error"]["message"], reply


def test_what_is_wrong_with_a_request():
    up, host = setting(top="text: { max_chunks = 3; };")
    with up, host:
        for what, body, param in (
                ("summarize", {}, "input"),
                ("summarize", {"input": " \n"}, "input"),
                ("summarize", {"input": 7}, "input"),
                ("translate", {"input": "x"}, "target_language"),
                ("translate", {"input": "x", "target_language": 'a"b'},
                 "target_language"),
                ("translate", {"input": "x", "target_language": "en",
                               "length": "short"}, "length"),
                ("summarize", {"input": "x", "length": "tiny"}, "length"),
                ("summarize", {"input": "x", "format": "html"}, "format"),
                ("summarize", {"input": "x", "chunk_tokens": 3},
                 "chunk_tokens"),
                ("summarize", {"input": "x", "stream": 1}, "stream"),
                ("summarize", {"input": "x", "words": 1}, "words")):
            status, _, reply = ask(host, what, **body)
            e = json.loads(reply)["error"]
            assert status == 400 and e["param"] == param, (body, reply)
        status, _, reply = ask(host, "translate", input=text(30),
                               target_language="en", chunk_tokens=200)
        assert status == 413 and b"max_chunks" in reply, reply
        status, _, reply = ask(host, "summarize", input="x", model="up2/none")
        assert status == 404, reply
        assert not chats(up)


def test_a_client_that_leaves():
    up, host = setting()
    up.on("slow")(lambda r, c: (c.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"), c.recv(1), False)[-1])
    with up, host:
        s = host.connect()
        body = json.dumps({"model": "up/slow", "input": text(12),
                           "chunk_tokens": 200, "stream": True,
                           "target_language": "en"}).encode()
        s.sendall(b"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Type: "
                  b"application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                  + body)
        until(lambda: len(chats(up)) == 4, "four pieces at a time")
        s.close()
        until(lambda: host.counters("up")["active"] == 0, "all to end")
        assert len(chats(up)) == 4
        host.alive()


def test_loopback_and_routes():
    with Host(top='routes = ( { name = "r"; targets = [ "loopback/echo" ]; }'
                  ' );') as host:
        status, h, reply = host.post("/v1/summarize", {
            "model": "r", "input": text(40), "chunk_tokens": 300})
        r = json.loads(reply)
        # Echo says the whole text again, which is no summary.
        assert status == 502 and "get shorter" in r["error"]["message"], reply
        status, h, reply = host.post("/v1/translate", {
            "model": "r", "input": text(10), "chunk_tokens": 300,
            "target_language": "de"})
        assert status == 200 and json.loads(reply)["output"] == text(10), reply
        assert h["x-patchbay-route"] == "r", h


if __name__ == "__main__":
    main(globals())
