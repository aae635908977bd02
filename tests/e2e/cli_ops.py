# SPDX-License-Identifier: MIT
"""The command line's verbs for single operations, against a running host with
upstreams that answer as Ollama and OpenRouter do, and the same in a process of
their own."""
import base64
import json
import os
import pty
import subprocess
import tempfile

from harness import (BOUND, Host, LOOPBACK, PATCHBAY, PROVIDERS, Upstream, main,
                     openai_at, send_json)
from operations import All, OR_KEY

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(32))


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if not k.endswith(("_API_KEY", "_BASE_URL"))}
    env.update(PATCHBAY_PLUGIN_PATH=PROVIDERS, PATCHBAY_ALLOW_ANY_OWNER="1",
               LC_ALL="C.UTF-8", **more)
    return env


def cli(host, *args, status=0, stdin=b"", cwd=None, own=False):
    """(stdout, stderr) of a command."""
    where = ["--config", host.conf, "--no-host"] if own else \
        ["--control", host.control_path]
    p = subprocess.run([os.path.abspath(PATCHBAY)] + where + list(args),
                       input=stdin, env=environment(), cwd=cwd,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=BOUND * 4, check=False)
    out, err = p.stdout.decode(), p.stderr.decode()
    assert p.returncode == status, (args, p.returncode, out, err)
    assert OR_KEY not in out + err
    return out, err


def on_terminal(host, *args):
    """What a terminal shows of a command's standard error."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen([os.path.abspath(PATCHBAY), "--control",
                          host.control_path] + list(args), stderr=theirs,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         env=environment(TERM="xterm"))
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    assert p.wait(BOUND) == 0, text
    return text.decode()


def test_models():
    with All() as a:
        for own in (False, True):
            out, _ = cli(a.host, "models", "--search", "LLAMA", own=own)
            assert out.split()[0] == "ollama/llama3:latest", out
            out, _ = cli(a.host, "models", "-p", "openrouter", "--sort",
                         "price", own=own)
            rows = out.splitlines()
            assert [r.split()[0] for r in rows] == [
                "openrouter/maker/gift:free", "openrouter/maker/cheap",
                "openrouter/maker/dear"], out
            assert "0.1/0.2 USD" in rows[1] and "3/15 USD" in rows[2], out
        out, _ = cli(a.host, "models", "--free")
        assert "gift:free" in out and "see:7b" in out and "gpt-x" not in out
        out, _ = cli(a.host, "models", "--capability", "vision",
                     "--capability", "tools", "-p", "openrouter")
        assert out.split()[0] == "openrouter/maker/dear" and \
            len(out.splitlines()) == 1
        out, _ = cli(a.host, "models", "--json", "--sort", "name", "-p",
                     "openrouter")
        assert [m["model"] for m in json.loads(out)["models"]] == [
            "maker/cheap", "maker/dear", "maker/gift:free"]
        _, err = cli(a.host, "models", "--sort", "best", status=7)
        assert "price, context, created or name" in err
        out, _ = cli(a.host, "models", "--search", "nothing like it")
        assert out == ""


def test_show():
    with All() as a:
        out, _ = cli(a.host, "show", "ollama/llama3:latest")
        assert out.splitlines()[0].split() == ["provider", "ollama"]
        assert "context_window" in out and "8192" in out and "raw" not in out
        out, _ = cli(a.host, "show", "--json", "openrouter/maker/cheap")
        m = json.loads(out)
        assert m["prices"]["input"] == 100 and m["raw"]["id"] == "maker/cheap"
        _, err = cli(a.host, "show", "ollama/none", status=7)
        assert "not found" in err
        _, err = cli(a.host, "show", status=2)
        assert "one model" in err


def test_pull():
    with All() as a:
        out, err = cli(a.host, "pull", "ollama/new:1b")
        assert out == "" and err.splitlines() == [
            "pulling manifest", "pulling aa11", "verifying sha256 digest",
            "success"], err
        out, _ = cli(a.host, "models", "-p", "ollama", "--refresh")
        assert "ollama/new:1b" in out
        out, err = cli(a.host, "pull", "--json", "-p", "ollama", "bare")
        steps = [json.loads(line) for line in out.splitlines()]
        assert steps[-1] == {"status": "success", "done": True}
        assert {"status": "pulling aa11", "digest": "sha256:aa11",
                "total": 1024, "completed": 512} in steps and err == ""
        _, err = cli(a.host, "pull", "ollama/broken", status=5)
        assert "disk full" in err
        _, err = cli(a.host, "pull", "openai/x", status=7)
        assert "cannot pull" in err
        shown = on_terminal(a.host, "pull", "ollama/again")
        assert "[############............]  50% 512 B of 1.0 kB" in shown, shown
        assert "100%" in shown and "\r" in shown
        out, err = cli(a.host, "pull", "own", own=True)
        assert "success" in err.splitlines(), err


def test_rm():
    with All() as a:
        out, err = cli(a.host, "rm", "ollama/see:7b", "ollama/none",
                       "ollama/llama3:latest", status=7)
        assert out.splitlines() == ["ollama/see:7b", "ollama/llama3:latest"]
        assert "not found" in err and a.ollama.tags == []
    with All() as a:
        out, _ = cli(a.host, "rm", "--json", "ollama/see:7b")
        assert json.loads(out) == {"deleted": ["ollama/see:7b"]}
        _, err = cli(a.host, "rm", "openai/gpt-x", status=7)
        assert "no such operation" in err


def test_ps():
    with All() as a:
        out, _ = cli(a.host, "ps")
        assert out.split()[:2] == ["ollama/llama3:latest", "5.0"], out
        m, = json.loads(cli(a.host, "ps", "--json")[0])["running"]
        assert m["vram"] == 4000 and m["provider"] == "ollama"
        _, err = cli(a.host, "ps", "-p", "openai", status=7)
        assert "no such operation" in err
        _, err = cli(a.host, "ps", "-p", "nobody", status=7)
        assert 'no provider "nobody"' in err


def test_credits_and_generation():
    with All(or_key=OR_KEY + "-management") as a:
        out, _ = cli(a.host, "credits")
        rows = dict(r.split() for r in out.splitlines())
        assert rows["remaining"] == "87.75" and rows["of"] == "account", out
        out, _ = cli(a.host, "credits", "--key", "--json")
        c, = json.loads(out)["credits"]
        assert (c["of"], c["remaining"], c["provider"]) == ("key", 7.5,
                                                            "openrouter")
        out, _ = cli(a.host, "generation", "gen-1")
        rows = dict(r.split() for r in out.splitlines())
        assert (rows["input"], rows["output"], rows["cost_nano"]) == (
            "100", "20", "12500"), out
        g = json.loads(cli(a.host, "generation", "--json", "gen-1")[0])
        assert g["id"] == "gen-1" and g["raw"]["native_tokens_prompt"] == 100
        cli(a.host, "generation", "gen-9", status=7)
        _, err = cli(a.host, "credits", "-p", "ollama", status=7)
        assert "no such operation" in err
        _, err = cli(a.host, "credits", "--key=sk-abcdef", status=2)
        assert "sk-abcdef" not in err


def answer(req, conn):
    if req.path == "/v1/images/generations":
        data = [{"b64_json": base64.b64encode(b).decode()}
                for b in (PNG, JPEG)][:req.json.get("n", 1)]
        if req.json.get("size") == "url":
            data = [{"url": "https://example.org/picture.png",
                     "revised_prompt": "a cat"}]
        return send_json(conn, 200, {"created": 1, "data": data})
    if req.path == "/v1/moderations":
        bad = "fight" in req.json["input"]
        return send_json(conn, 200, {"id": "modr-1", "model": "mod", "results": [
            {"flagged": bad, "categories": {"violence": bad, "hate": False},
             "category_scores": {"violence": 0.91, "hate": 0.01}}]})
    return send_json(conn, 200, {"object": "list", "data": [
        {"id": "m", "object": "model", "created": 1, "owned_by": "up"}]})


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def test_image():
    with Upstream(answer) as up, Host(providers=openai_at(up.url)) as host, \
            tempfile.TemporaryDirectory() as d:
        out, _ = cli(host, "image", "-m", "up/m", "-n", "2", "--size",
                     "64x64", "a", "cat", cwd=d)
        assert out.splitlines() == ["image.png", "image-2.jpg"]
        assert read(d, "image.png") == PNG and read(d, "image-2.jpg") == JPEG
        asked = [r for r in up.requests if "images" in r.path][-1].json
        assert (asked["prompt"], asked["n"], asked["size"]) == ("a cat", 2,
                                                                "64x64")
        _, err = cli(host, "image", "-m", "up/m", "again", cwd=d, status=1)
        assert "image.png" in err and "--output" in err
        assert read(d, "image.png") == PNG
        name = os.path.join(d, "sub.d")
        os.mkdir(name)
        out, _ = cli(host, "image", "-m", "up/m", "-o",
                     os.path.join(name, "cat.x"), "-n", "2", "--json",
                     stdin=b"from standard input")
        got = json.loads(out)["images"]
        assert [os.path.basename(i["file"]) for i in got] == ["cat.x",
                                                              "cat-2.x"]
        assert read(name, "cat-2.x") == JPEG
        out, _ = cli(host, "image", "-m", "up/m", "--size", "url", "x", cwd=d)
        assert out == "https://example.org/picture.png\n"
        _, err = cli(host, "image", "-n", "0", "x", status=2)
        assert "--number" in err


def test_moderate_and_count():
    with Upstream(answer) as up, \
            Host(providers=openai_at(up.url) + LOOPBACK) as host:
        out, _ = cli(host, "moderate", "-m", "up/mod", "a", "fight")
        assert out.splitlines() == ["flagged", "  violence 0.910"], out
        out, _ = cli(host, "moderate", "-m", "up/mod", stdin=b"a walk")
        assert out == "passed\n"
        out, _ = cli(host, "moderate", "--json", "-m", "up/mod", "a fight")
        assert json.loads(out)["results"][0]["flagged"] is True
        _, err = cli(host, "moderate", status=2)
        assert "there is no text" in err
        out, _ = cli(host, "count", "-m", "loopback/echo", "one two three")
        few = int(out.split()[0])
        out, _ = cli(host, "count", "-m", "loopback/echo", "-s",
                     "Be brief and be kind.", "one two three")
        assert int(out.split()[0]) > few > 0
        got = json.loads(cli(host, "count", "--json", "-m", "loopback/echo",
                             stdin=b"one two three")[0])
        out, _ = cli(host, "count", "-m", "up/m", "one two three")
        assert out.endswith(" (estimated)\n") and int(out.split()[0]) > 2, out
        assert got["input_tokens"] == few and got["report"]["provider"] == \
            "loopback"


if __name__ == "__main__":
    main(globals())
