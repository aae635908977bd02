# SPDX-License-Identifier: MIT
"""Nothing secret in a log, an error, a listing, a transcript or on a command
line, for every provider, at debug level, whatever goes wrong: upstreams that
echo the key in each kind of failure, a proxy that refuses, TLS that is none, an
address where nobody is.  Controls show that the search finds what is there."""
import base64
import hashlib
import json
import os
import subprocess

from harness import (PATCHBAY, Host, Upstream, chat, main, send_json,
                     send_stream, until)

# Of no form that a pattern knows, so that only their being secrets hides them.
KEYS = {name: "Qx7%s-kuehlschrank-%d-Zebra" % (name, 4711 + i)
        for i, name in enumerate(("openai", "claude", "ollama", "llamacpp",
                                  "openrouter", "dead", "plain", "proxied",
                                  "slow"))}
FROM_FILE = "Fz9-from-a-file-gartenzaun-8"
PROXY = "proxyuser:Pw3-proxy-weihnachten"
CLIENT = "Ck2-client-fahrradlampe-77"
FORMS = {"openai": "sk-proj-", "claude": "sk-ant-api03-",
         "openrouter": "sk-or-v1-"}
CHATS = ("/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/responses")


def key_of(name):
    return FORMS.get(name, "") + KEYS[name]


def secrets():
    """All of them, whole and without their beginnings."""
    whole = [key_of(n) for n in KEYS] + [FROM_FILE, CLIENT, PROXY]
    return whole + list(KEYS.values()) + [
        PROXY.split(":")[1], base64.b64encode(PROXY.encode()).decode()] + [
            s[6:] for s in whole]


def find(text):
    """Those that are in it."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return sorted({s for s in secrets() if s in text})


def echo(req):
    """The credentials that came, as a provider would quote them."""
    return " ".join(req.headers.get(n, "")
                    for n in ("authorization", "x-api-key"))


# model: (status, body) with the key in it, or raw bytes of a 200 stream
def answer(req, conn):
    seen.append(echo(req))
    said = "Incorrect API key provided: %s." % echo(req)
    try:
        model = req.json.get("model", "")
    except ValueError:
        model = ""
    status = int(model) if model.isdigit() else 200
    if req.method == "GET" or not model:
        return send_json(conn, 401, {"error": {"message": said, "type": said,
                                               "code": said, "param": said}})
    if model == "html":
        return send_json(conn, 500, ("<html>%s</html>" % said).encode())
    if model == "redirect":
        conn.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?k=%s"
                     b"\r\nContent-Length: 0\r\n\r\n" % echo(req).split(
                         )[-1].encode())
        return None
    if model == "header":
        return send_json(conn, 400, {"error": {"message": "no"}},
                         "x-request-id: %s\r\n" % echo(req))
    if model == "stream":
        return send_stream(conn, [
            b"event: error\ndata: " + json.dumps({
                "type": "error", "error": {"type": "x", "message": said}})
            .encode() + b"\n\n"])
    if model == "malformed":
        return send_json(conn, 200, ("{ %s" % said).encode())
    if model == "reset":
        conn.sendall(b"HTTP/1.1 200 OK\r\nX-Key: %s\r\nContent-Length: 500"
                     b"\r\n\r\n{\"%s" % (echo(req).encode(),
                                         echo(req).encode()))
        return False
    return send_json(conn, status, {
        "type": "error", "error": {"message": said, "type": "invalid",
                                   "code": said, "param": said}})


MODELS = ("400", "401", "403", "404", "413", "422", "429", "500", "503", "html",
          "redirect", "header", "stream", "malformed", "reset")


def ask(target, path, stream=False):
    body = dict(chat(target), stream=stream)
    if path == "/v1/messages":
        body["max_tokens"] = 9
    if path == "/v1/responses":
        body = {"model": target, "input": "hi", "stream": stream}
    status, headers, reply = host.post(
        path, body, {"Authorization": "Bearer " + CLIENT})
    told = json.dumps(headers) + reply.decode("utf-8", "replace")
    assert not find(told), (target, path, find(told), told)
    return status


def patchbay(*args, ok=True):
    where = [] if args[0] == "config" else ["--control", host.control_path]
    p = subprocess.run([PATCHBAY] + where + list(args), env=host_env, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    assert not ok or p.returncode == 0, p.stdout
    assert not find(p.stdout), (args, find(p.stdout), p.stdout)
    return p.stdout


def test_controls():
    assert find("x " + key_of("claude")) and find(b"a" + PROXY.encode())
    assert find("..." + FROM_FILE[6:]) and not find("nothing")


def test_every_failure_of_every_provider():
    before = len(seen)
    for name in ("openai", "claude", "ollama", "llamacpp", "openrouter"):
        for model in MODELS:
            for i, path in enumerate(CHATS):
                status = ask("%s/%s" % (name, model), path, stream=i % 2 == 0)
                assert status >= 400 or model == "stream" or model == "reset", \
                    (name, model, status)
    asked = "\n".join(seen[before:])
    for name in ("openai", "claude", "ollama", "llamacpp", "openrouter"):
        times = asked.count(key_of(name))
        assert times == len(MODELS) * len(CHATS), (name, times)


def test_nobody_there_no_tls_a_proxy():
    for name in ("dead", "plain", "proxied"):
        for path in CHATS:
            status = ask(name + "/m", path)
            assert status >= 500, (name, path, status)
    sent = "Basic " + base64.b64encode(PROXY.encode()).decode()
    assert sent in seen, "the proxy was not asked"
    assert "the proxy wants other credentials" in host.errors()


def test_the_raw_door():
    for name in ("openai", "claude", "openrouter"):
        # What the provider itself writes passes there, but not in our words.
        host.post("/raw/%s/files/x" % name, None,
                  {"Authorization": "Bearer " + CLIENT}, method="GET")


def test_wrong_client_keys():
    status, headers, reply = host.get(
        "/v1/models", {"Authorization": "Bearer " + KEYS["slow"]})
    assert status == 401
    assert not find(reply) and not find(json.dumps(headers))


def test_listings():
    for args in (("status",), ("status", "--json"), ("provider", "list"),
                 ("provider", "list", "--json"), ("plugins",), ("models",),
                 ("route", "explain", "openai/m")):
        patchbay(*args, ok=args[0] != "models")
    for args in (("config", "show"), ("config", "show", "--json"),
                 ("config", "check")):
        patchbay(args[0], args[1], "--config", host.conf, *args[2:], ok=False)
    shown = patchbay("config", "show", "--config", host.conf)
    assert b"proxied" in shown and b"api_key" in shown, shown
    for path in ("/v1/providers", "/v1/providers/openai/health",
                 "/v1/providers/openrouter/key",
                 "/v1/providers/openrouter/credits", "/v1/models"):
        _, headers, reply = host.get(path, {"Authorization":
                                            "Bearer " + CLIENT})
        assert not find(reply) and not find(json.dumps(headers)), (path, reply)


def test_bad_configuration():
    """What is wrong with a key is told without it."""
    bad = os.path.join(host.dir, "bad.conf")
    for line in ('api_key = "%s\\n";', 'api_key = "%s"; api_key = "x";',
                 'base_url = "http://user:%s@127.0.0.1/";',
                 'api_key = "%s"; no_such_key = 1;', 'api_key = "%s";;;}',
                 'proxy = "http://a:%s@h";', 'api_key = [ "%s" ];',
                 'headers: { X-Api-Key = "%s"; };'):
        with open(bad, "w", encoding="utf-8") as f:
            f.write("providers: { openai: { %s }; };\n" % (
                line % key_of("openai")))
        os.chmod(bad, 0o600)
        told = patchbay("config", "check", "--config", bad, ok=False)
        assert b"error" in told or b"bad.conf" in told, (line, told)


def test_transcripts():
    where = os.path.join(host.dir, "kept")
    os.mkdir(where, 0o700)
    for name in ("openai", "claude", "ollama", "openrouter"):
        host.control("record", {"provider": name, "dir": where})
        ask(name + "/500", CHATS[0])
        host.control("record", {"provider": name, "dir": None})
    until(lambda: len(os.listdir(where)) >= 4, "four transcripts")
    for f in os.listdir(where):
        with open(os.path.join(where, f), "rb") as t:
            text = t.read()
        sent = b"".join(l for l in text.splitlines(True)
                        if not l.startswith(b'{"data"'))
        assert b'"exchange"' in sent and not find(sent), (f, sent)


def test_command_line_and_log():
    pid = host.process.pid
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        assert not find(f.read())
    log = host.errors()
    assert len(log.splitlines()) > 200, "no debug log"
    lines = [l for l in log.splitlines() if find(l)]
    assert not lines, lines[:5]


seen = []
host = host_env = None


def providers(up, proxy):
    def one(name, kind, url, more=""):
        return '%s: { type = "%s"; base_url = "%s"; api_key = "%s"; %s };' % (
            name, kind, url, key_of(name), more)
    return "".join((
        one("openai", "openai", up.url + "/v1"),
        one("claude", "claude", up.url), one("ollama", "ollama", up.url),
        one("llamacpp", "llamacpp", up.url),
        one("openrouter", "openrouter", up.url + "/api/v1"),
        one("dead", "openai", "http://127.0.0.1:1/v1"),
        one("plain", "openai", "https://127.0.0.1:%d/v1" % up.port),
        one("proxied", "openai", "http://192.0.2.1/v1",
            'proxy = "%s"; proxy_auth = "%s";' % (proxy.url, PROXY)),
        'filed: { type = "openai"; base_url = "%s/v1"; api_key_file = '
        '"filed.key"; };' % up.url))


def refuse(req, conn):
    seen.append(req.headers.get("proxy-authorization", ""))
    return send_json(conn, 407, {"error": "who are you? " + seen[-1]})


if __name__ == "__main__":
    key = hashlib.sha256(CLIENT.encode()).hexdigest()
    with Upstream(answer) as upstream, Upstream(refuse) as refusing:
        host = Host(providers=providers(upstream, refusing), top=(
            'keys: ( { name = "c"; sha256 = "%s"; rights = [ "chat", "raw", '
            '"reports" ]; } );' % key), check=True)
        with open(os.path.join(host.dir, "filed.key"), "w",
                  encoding="utf-8") as out:
            out.write(FROM_FILE + "\n")
        os.chmod(os.path.join(host.dir, "filed.key"), 0o600)
        host_env = dict(os.environ, PATCHBAY_ALLOW_ANY_OWNER="1",
                        PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"])
        with host:
            main(globals())
