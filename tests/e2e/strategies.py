# SPDX-License-Identifier: MIT
"""Strategies by what is under way, and every word of capabilities and tasks: each
picks the target that has it, by the header, in lists and in the documentation."""
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

from harness import (BOUND, Host, Upstream, chat, completion, main, openai_at,
                     send_json, until)

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
WORDS = ["text", "chat", "code", "translation", "summarisation", "moderation",
         "embeddings", "vision", "image_generation", "tools",
         "structured_output", "reasoning", "long_context"]
TASKS = {"analytical": "openai", "creative": "claude", "synthesis": "claude",
         "speed": "gemini", "cost": "gemini"}


def answer(r, c):
    return send_json(c, 200, completion("by " + r.json["model"]))


def test_least_connections():
    """Twelve that are held: four at each of three, whatever the order. One is
    let go: the next four go there."""
    names = "abc"
    go = {n: threading.Event() for n in names}

    def hold(name):
        def held(r, c):
            if r.method == "POST":
                go[name].wait(BOUND)
            return answer(r, c)
        return held
    ups = {n: Upstream(hold(n)) for n in names}
    at = lambda: {n: len([r for r in ups[n].requests if r.method == "POST"])
                  for n in names}
    top = ('routes = ( { name = "r"; strategy = "least_connections"; targets = '
           '[ "a", "b", "c" ]; } );')
    with ups["a"], ups["b"], ups["c"], Host("".join(openai_at(
            ups[n].url, name=n, extra='default_model = "m";') for n in names),
            top=top, server="loops = 2;") as host:
        with ThreadPoolExecutor(16) as pool:
            def ask(n):
                # One after the other, so that each finds the others counted.
                pool.submit(host.post, "/v1/chat/completions", chat("r"))
                until(lambda: sum(at().values()) == n, "request %d" % n)
            for n in range(1, 13):
                ask(n)
            assert at() == {"a": 4, "b": 4, "c": 4}, at()
            go["b"].set()
            until(lambda: host.counters("b")["active"] == 0, "b to be idle")
            go["b"].clear()
            for n in range(13, 17):
                ask(n)
            assert at() == {"a": 4, "b": 8, "c": 4}, at()
            for e in go.values():
                e.set()


def one_for_each(url):
    """A provider for each word, which its model alone has; those of the tasks'
    preferences behind them, which have nothing but text."""
    able = lambda n, words: openai_at(
        url, name=n, extra='default_model = "%s-m"; capabilities = [ "* %s" ];'
        % (n, words))
    return "".join(able("p_" + w, w) for w in WORDS) + "".join(
        able(n, "text") for n in ("gemini", "claude", "openai"))


def test_every_word():
    route = ('routes = ( { name = "r"; strategy = "capability"; targets = [ %s '
             ']; }, { name = "near"; strategy = "capability"; targets = [ '
             '"gemini", "claude", "openai" ]; }, { name = "task/speed"; targets '
             '= [ "p_code" ]; } );' % ", ".join('"p_%s"' % w for w in WORDS))
    with Upstream(answer) as up, Host(one_for_each(up.url), top=route) as host:
        def by(model, task):
            body = chat(model)
            if model is None:
                del body["model"]
            status, h, reply = host.post("/v1/chat/completions", body,
                                         {"x-patchbay-task": task})
            assert status == 200, reply
            return h["x-patchbay-provider"]
        # A chat needs "chat", too: the one with the task's word lacks that, the
        # one that has "chat" lacks the word.  Both lack one thing, and the first
        # written comes first; so ask who lacks the word.
        for word in WORDS:
            targets = host.control("route.explain", {
                "model": "r", "task": word})["targets"]
            lacks = {t["provider"]: t["lacks"] for t in targets}
            assert word not in lacks["p_" + word], (word, lacks)
            others = [p for p in lacks if p != "p_" + word]
            assert all(word in lacks[p] for p in others), (word, lacks)
        assert by("r", "code") in ("p_chat", "p_code")
        # The shipped preferences, and one that is written over.
        for task, who in TASKS.items():
            assert by("near", task) == who, task
        assert by(None, "speed") == "p_code"


def test_lists_by_every_word():
    able = lambda w: ('p_%s: { type = "openai"; base_url = "http://127.0.0.1:9/v1"; '
                      'models = [ "m" ]; capabilities = [ "* %s" ]; };' % (w, w))
    with Host("".join(able(w) for w in WORDS)) as host:
        for word in WORDS:
            models = json.loads(host.get("/v1/models?capability=" + word)[2])
            assert [m["id"] for m in models["data"]] == ["p_%s/m" % word], models


def test_the_words_are_documented():
    """What the host says when it gets another one is what the guide and the
    manual page list."""
    with Host() as host:
        status, _, reply = host.get("/v1/models?capability=flying")
        said = json.loads(reply)["error"]["message"]
        assert status == 400 and re.findall(
            r"\w+", said.split("a capability: ")[1].replace(" and ", ", ").replace(
                " or ", ", ")) == WORDS, said
        status, _, reply = host.post("/v1/chat/completions", chat("loopback/echo"),
                                     {"x-patchbay-task": "flying"})
        said = json.loads(reply)["error"]["message"]
        assert status == 400 and all(w in said for w in
                                     list(TASKS) + WORDS), said
    for page in ("host/manager/README.md", "etc/man/patchbay.conf.5"):
        with open(os.path.join(TOP, page)) as f:
            text = f.read()
        assert all(w in text for w in WORDS), page
    with open(os.path.join(TOP, "host/manager/README.md")) as f:
        text = re.sub(r"\s+", " ", f.read())
    assert ("analytical of openai, creative and synthesis of claude, speed and "
            "cost of gemini") in text


if __name__ == "__main__":
    main(globals())
