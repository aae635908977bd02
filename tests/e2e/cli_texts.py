# SPDX-License-Identifier: MIT
"""patchbay summarize and patchbay translate: files and standard input, whole
and streamed, through a running host and in a process of their own."""
import json
import os
import tempfile

from cli_ops import cli
from harness import main, send_json
from texts import asked, chats, prompt, setting, text


def test_translate():
    up, host = setting()
    source = text(6)
    with up, host:
        for own in (False, True):
            for args in ((), ("--stream",)):
                out, err = cli(host, "translate", "--to", "en", "-m", "up/m",
                               "--chunk-tokens", "200", *args, own=own,
                               stdin=source.encode())
                want = "".join(c.upper() if c.islower() else c for c in source)
                assert out == want + "\n" and err == "", (out, err)
        assert "into this language: en" in prompt(chats(up)[0])


def test_summarize_a_file():
    up, host = setting()
    with up, host, tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write(text(12))
        f.flush()
        out, _ = cli(host, "summarize", "-m", "up/m", "-l", "40", "-t",
                     "French", "--format", "bullets", "--instructions",
                     "Be kind.", "--json", "--chunk-tokens", "200", f.name)
        r = json.loads(out)
        assert r["output"].startswith("Sum of ") and r["chunks"] > 3, r
        assert r["calls"] == r["chunks"] + 1 == len(chats(up)), r
        assert r["report"]["usage"]["output"] == 2 * r["calls"], r
        assert r["report"]["provider"] == "up"
        p = prompt(chats(up)[-1])
        for words in ("about 40 words", "French", "Be kind.", '"- "'):
            assert words in p, (words, p)
        out, _ = cli(host, "summarize", "-m", "up/m", "-", stdin=b"Short.")
        assert out == "Sum of 6.\n", out


def test_what_is_wrong():
    up, host = setting()
    with up, host:
        for args, status, words in (
                (("translate",), 2, "--to is missing"),
                (("translate", "--to", "en", "a", "b"), 2, "one file"),
                (("translate", "--to", "en", "--length", "short"), 2,
                 "length"),
                (("summarize", "/nonexistent/file"), 2, "No such file"),
                (("summarize", "--chunk-tokens", "x"), 2, "number of tokens"),
                (("summarize", "--length", "tiny", "-m", "up/m"), 7,
                 "short, medium, long"),
                (("translate", "--to", "en", "-m", "none/none"), 7,
                 "none")):
            _, err = cli(host, *args, status=status, stdin=b"Text.")
            assert words in err, (args, err)
        assert not chats(up)


def test_a_part_that_fails():
    up, host = setting(top="text: { parallel = 1; };")
    good = up.models["m"]
    up.on("m")(lambda r, c: send_json(c, 500, {"error": {"message": "boom"}})
               if asked(r).startswith("Absatz 4") else good(r, c))
    with up, host:
        out, err = cli(host, "translate", "--to", "en", "-m", "up/m",
                       "--chunk-tokens", "100", "--stream", status=5,
                       stdin=text(8).encode())
        # What had come is shown, and the line is ended.
        assert out.startswith("ABSATZ 0."), out
        assert out.endswith("\n") and "ABSATZ 4" not in out, out
        assert "boom" in err, err


if __name__ == "__main__":
    main({k: v for k, v in globals().items() if k != "text"})
