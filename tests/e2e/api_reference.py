# SPDX-License-Identifier: MIT
"""The API reference (host/dialect/README.md) against a running host: every URL
in it is there, with its method and right; every header that this host makes is
in it; its examples work."""
import glob
import hashlib
import json
import os
import re
import subprocess

from harness import Host, LOOPBACK, main, skip

TOP = os.environ.get("top_srcdir") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGE = os.path.join(TOP, "host", "dialect", "README.md")


def page():
    with open(PAGE, encoding="utf-8") as f:
        return f.read()


def routes():
    text = page().split("## Routes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| `(/[^`]*)` \| (\w+) \| (.+) \|$", text, re.M)
    assert len(rows) > 15, rows
    return rows


def test_every_url_is_there_and_asks_for_its_right():
    key = "pbk_with_no_right_that_matters"
    top = 'keys: ( { name = "k"; sha256 = "%s"; rights = ( "routes" ); } );' \
        % hashlib.sha256(key.encode()).hexdigest()
    with Host(providers=LOOPBACK, top=top) as host:
        for method, path, right, _ in routes():
            url = re.sub(r"\{[^}]*\}", "loopback", path).replace("...", "x")
            used = "PUT" if method == "any" else method
            body = b"{}" if used in ("POST", "PUT", "DELETE") else None
            status, headers, answer = host.post(
                url, body, {"Authorization": "Bearer " + key}, used)
            what = (method, url, status, answer)
            if right == "none":
                assert status == 200, what
            else:
                assert status == 403, what
                assert ('\\"%s\\"' % right).encode() in answer, what
            assert headers.get("x-request-id", "req_").startswith("req_"), what
            # and with a method that it does not take
            if method == "GET" and ("POST", path) not in [
                    r[:2] for r in routes()]:
                status, headers, answer = host.post(url, b"{}", None, "PATCH")
                assert status == 405 and "GET" in headers["allow"], what
        status, _, answer = host.get("/v1/no/such/url")
        assert status == 404 and b"unknown_url" in answer


def test_headers():
    text = page()
    made = set()
    for name in glob.glob(os.path.join(TOP, "host", "dialect", "*.c")):
        with open(name, encoding="utf-8") as f:
            source = f.read()
        made |= set(re.findall(r'dl_add_header\(\s*\w+,\s*"([^"]+)"', source))
        made |= set(re.findall(r'"(x-[a-z-]*(?:patchbay|upstream)[a-z-]*[a-z])"',
                               source))
    assert len(made) > 8, made
    missing = sorted(h for h in made if h not in text.lower())
    assert not missing, "host/dialect/README.md lacks the headers %s" % missing
    with open(os.path.join(TOP, "host", "manager", "attempt_codec.c"),
              encoding="utf-8") as f:
        source = f.read()
    passed = source[source.index("static bool raw_may_pass"):
                    source.index("static void keep_headers")]
    names = re.findall(r'"([a-z-]+)"', passed)
    assert len(names) > 8, names
    missing = sorted(n for n in names if n not in text.lower()
                     and n not in ("x-request-id", "request-id"))
    assert not missing, "host/dialect/README.md lacks the headers %s" % missing


def test_examples():
    blocks = re.findall(r"```sh\n(.*?)```", page(), re.S)
    assert blocks
    if subprocess.call(["sh", "-c", "command -v curl >/dev/null"]):
        skip("there is no curl")
    with Host(providers=LOOPBACK) as host:
        for block in blocks:
            block = block.replace("http://127.0.0.1:8080", host.url)
            out = subprocess.run(["sh", "-ec", block], check=True,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL).stdout
            assert "Hello" in out.decode() and json.loads(out), out


if __name__ == "__main__":
    main(globals())
