# SPDX-License-Identifier: MIT
"""The migration guide, block by block, as its reader would run it: the SDKs'
programs against a host with scripted providers behind it, the variables of the
environment taken at their word, the file imported."""
import os
import re
import subprocess
import tempfile

from harness import (PATCHBAY, PROVIDERS, Host, LOOPBACK, Upstream, openai_at,
                     send_json)
from matrix import by_responses
from ollama_sdk import (CLAUDE_KEY, OR_KEY, UP_KEY, anthropic, claude, ollama,
                        openai)
from openai_sdk import counterpart

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GUIDE = os.path.join(TOP, "host/dialect/MIGRATING.md")
HERE = "http://127.0.0.1:8080"


def blocks():
    with open(GUIDE, encoding="utf-8") as f:
        return re.findall(r"^```(\S+)(?: ([^\n]+))?\n(.*?)^```", f.read(),
                          re.S | re.M)


def program(suffix, text, argv, cwd=None):
    """What it prints."""
    with tempfile.TemporaryDirectory() as own, tempfile.NamedTemporaryFile(
            "w", suffix=suffix, dir=cwd or own) as f:
        f.write(text.replace(HERE, host.url))
        f.flush()
        p = subprocess.run(argv + [f.name], env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    assert p.returncode == 0, (text, p.stdout)
    return p.stdout


def variables(text):
    """SDKs that take everything from the environment reach the host by it."""
    told = dict(re.findall(r"^export (\w+)=(\S+)$", text, re.M))
    assert len(told) == len(text.splitlines()), text
    more = {k: v.replace(HERE, host.url) for k, v in told.items()}
    if "OLLAMA_HOST" in more:  # read by Ollama's own program and its clients
        assert more["OLLAMA_HOST"] == host.url
        return
    name = "openai" if "OPENAI_BASE_URL" in more else "anthropic"
    ask = {"openai": "import openai\n"
                     "print(openai.OpenAI().models.list().data[0].id)\n",
           "anthropic": "import anthropic\n"
                        "print(anthropic.Anthropic().models.list().data[0].id)"
                        "\n"}[name]
    old = dict(env)
    env.update(more)
    try:
        assert program(".py", ask, [counterpart("python.sh")]).strip()
    finally:
        env.clear()
        env.update(old)


def imported(folder, text):
    script = "set -e\ncd '%s'\n%s" % (folder, text)
    p = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, env=dict(
                           env, OPENAI_API_KEY="sk-x", PATH=os.path.dirname(
                               os.path.abspath(PATCHBAY)) + ":" +
                           os.environ["PATH"]))
    assert p.returncode == 0, p.stdout
    with open(os.path.join(folder, "patchbay.conf"), encoding="utf-8") as f:
        conf = f.read()
    assert "openai" in conf and "ollama" in conf and "round_robin" in conf, conf


def node_block(text):
    sdk = counterpart("node.sh")
    # Where `import 'openai'` finds it.
    return program(".mjs", text, [sdk + "/node"], sdk)


def run(lang, mark, text, folder):
    if lang == "python":
        out = program(".py", text, [counterpart("python.sh")])
        assert "Hello" in out, out
    elif lang == "js":
        assert "Hello" in node_block(text)
    elif lang == "json":
        with open(os.path.join(folder, mark), "w", encoding="utf-8") as f:
            f.write(text)
    elif lang == "sh" and mark == "import":
        imported(folder, text)
    elif lang == "sh" and text.startswith("export "):
        variables(text)
    elif lang == "sh":
        assert "Hello" in program(".sh", text, ["sh", "-e"])
    else:
        raise AssertionError("what is a block of %s %s?" % (lang, mark))


def counted(req, conn):
    if req.path.endswith("/count_tokens"):
        return send_json(conn, 200, {"input_tokens": 4})
    return claude(req, conn)


def main():
    ran = {}
    with tempfile.TemporaryDirectory() as folder:
        for lang, mark, text in blocks():
            run(lang, mark, text, folder)
            ran[lang] = ran.get(lang, 0) + 1
    assert ran["python"] >= 3 and ran["js"] >= 2 and ran["sh"] >= 5, ran
    print("ok: ran", ran)


host = None

if __name__ == "__main__":
    for script in ("node.sh", "python.sh"):
        counterpart(script)
    anthropic.answer = counted
    env = {k: v for k, v in os.environ.items()
           if not k.endswith(("_API_KEY", "_BASE_URL", "_HOST"))}
    env.update(PATCHBAY_PLUGIN_PATH=PROVIDERS, PATCHBAY_ALLOW_ANY_OWNER="1")
    with ollama, openai, anthropic, Upstream(by_responses(
            openai.answer)) as direct, Host(
                providers='%s ollama: { base_url = "%s"; api_key = "%s"; }; '
                'openrouter: { base_url = "%s/api/v1"; api_key = "%s"; };'
                'claude: { base_url = "%s"; api_key = "%s"; }; %s' % (
                    openai_at(direct.url, "openai", extra=
                              'default_model = "gpt-4o";'),
                    ollama.url, UP_KEY, openai.url, OR_KEY, anthropic.url,
                    CLAUDE_KEY, LOOPBACK),
                top='routes = ( { name = "default"; targets = [ "openai", '
                '"claude/claude-sonnet-5" ]; } );') as host:
        main()
