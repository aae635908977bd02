# SPDX-License-Identifier: MIT
"""Requests at the edge of what is allowed: nested as deeply as can be, repeated
in the answer, long texts without a place to cut them at.  None of them is the
host's own mistake, and nobody else waits for it."""
import json
import threading
import time

from harness import Host, Upstream, completion, main, openai_at, send_json

LIMIT = 128  # levels of brackets in a body


def nested(levels):
    return '{"a":' * levels + "1" + "}" * levels


def bodies(schema):
    """A tool of each client API, and how many brackets stand around its
    schema."""
    return (
        ("/v1/chat/completions", 4, '{"model":"loopback/echo","messages":[{"role":'
         '"user","content":"x"}],"tools":[{"type":"function","function":{"name":'
         '"f","parameters":%s}}]}' % schema),
        ("/v1/responses", 3, '{"model":"loopback/echo","input":"x","tools":'
         '[{"type":"function","name":"f","parameters":%s}]}' % schema),
        ("/v1/messages", 3, '{"model":"loopback/echo","max_tokens":9,"messages":'
         '[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":%s'
         '}]}' % schema),
        ("/api/chat", 4, '{"model":"loopback/echo","stream":false,"messages":'
         '[{"role":"user","content":"x"}],"tools":[{"type":"function","function":'
         '{"name":"f","parameters":%s}}]}' % schema),
    )


def test_as_deep_as_can_be():
    with Host() as h:
        for form in range(4):
            for levels in range(LIMIT - 8, LIMIT + 3):
                path, around, body = bodies(nested(levels))[form]
                status, _, answer = h.post(path, body.encode())
                if levels + 4 <= LIMIT:
                    assert status == 200, (path, levels, answer)
                elif levels + around > LIMIT:
                    assert status == 400, (path, levels, answer)
                # Another form needs a level more: the client's matter.
                assert status in (200, 400), (path, levels, answer)
                if status == 400:
                    assert b"nested too deeply" in answer, answer


def test_long_instructions_stand_in_no_answer():
    with Host() as h:
        for size, there in ((1000, True), (1 << 20, False), (20 << 20, False)):
            told = "y" * size
            body = {"model": "loopback/echo", "input": "x", "stream": True,
                    "instructions": told}
            status, _, answer = h.post("/v1/responses", body)
            events = [json.loads(line[6:]) for line in
                      answer.decode().split("\n") if line.startswith("data: ")]
            assert status == 200
            assert events[-1]["type"] == "response.completed"
            for e in events:
                if "response" in e:
                    assert e["response"]["instructions"] == (
                        told if there else None)


def test_long_texts_keep_nobody_waiting():
    """400 KB without a paragraph, a line, a sentence or a word.  Others are
    answered while they are cut."""
    def answer(r, c):
        return send_json(c, 200, completion("ok"))

    with Upstream(answer) as up, \
            Host(providers=openai_at(up.url), server="loops = 1;") as h:
        for text in ("x" * 400000, "x" + " " * 400000 + "x",
                     "x" + "\n" * 400000 + "x", "x " * 200000):
            results, longest = [], 0
            t = threading.Thread(target=lambda: results.append(h.post(
                "/v1/summarize", {"model": "up/m", "input": text,
                                  "chunk_tokens": 50}, timeout=120)))
            t.start()
            while t.is_alive():
                start = time.monotonic()
                assert h.get("/v1/models")[0] == 200
                longest = max(longest, time.monotonic() - start)
            t.join()
            # Done, or refused for its length.
            assert results[0][0] in (200, 413), results
            assert longest < 10, longest


if __name__ == "__main__":
    main(globals())
