# SPDX-License-Identifier: MIT
"""The official SDKs against a host whose upstream speaks OpenAI's forms.
Run by openai_sdk_node.py and openai_sdk_python.py."""
import hashlib
import os
import subprocess
import sys

from harness import Host, openai_at, skip
from openai_upstream import openai_upstream

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "pbk_test_key_of_the_end_to_end_tests"


def counterpart(script):
    """The path that tests/env/SCRIPT prints, or skip with its reason."""
    p = subprocess.run([os.path.join(HERE, "..", "env", script)],
                       stdout=subprocess.PIPE, text=True)
    lines = p.stdout.strip().splitlines() or ["%s failed" % script]
    if p.returncode == 77:
        skip(lines[-1])
    if p.returncode:
        raise SystemExit("%s: status %d" % (script, p.returncode))
    return lines[-1]


def run(which, host):
    env = dict(os.environ, BASE_URL=host.url, KEY=KEY, PROVIDER="up")
    if which == "node":
        d = counterpart("node.sh")
        env["SDK"] = d
        argv = [d + "/node", os.path.join(HERE, "openai_sdk.mjs")]
    else:
        argv = [counterpart("python.sh"),
                os.path.join(HERE, "openai_sdk_client.py")]
    return subprocess.run(argv, env=env).returncode


def main(which):
    counterpart("node.sh" if which == "node" else "python.sh")
    top = ('keys: ( { name = "test"; sha256 = "%s"; rights = [ "chat" ]; } );'
           % hashlib.sha256(KEY.encode()).hexdigest())
    with openai_upstream() as up, \
            Host(providers=openai_at(up.url), top=top) as host:
        status = run(which, host)
        log = host.errors()
        assert KEY not in log and "sk-upstream-secret" not in log
    sys.exit(status)
