# SPDX-License-Identifier: MIT
"""The guide to routes: its configurations are taken, and the messages it explains
are those of the code."""
import os
import re
import subprocess
import sys
import tempfile

from harness import PATCHBAY

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GUIDE = os.path.join(TOP, "host/manager/README.md")


def check(text):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(text)
        f.flush()
        env = dict(os.environ,
                   PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"],
                   PATCHBAY_ALLOW_ANY_OWNER="1")
        p = subprocess.run([PATCHBAY, "config", "check", "--config", f.name],
                           env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def sources():
    """All strings of the host's code, joined as the compiler joins them."""
    text = ""
    for folder, _, files in os.walk(os.path.join(TOP, "host")):
        for name in files:
            if name.endswith(".c"):
                with open(os.path.join(folder, name)) as f:
                    text += f.read()
    return re.sub(r'"\s*\n\s*"', "", text).replace('\\"', '"')


def main():
    with open(GUIDE) as f:
        guide = f.read()
    blocks = re.findall(r"```conf\n(.*?)```", guide, re.S)
    assert len(blocks) >= 2
    for block in blocks:
        status, said = check(block)
        assert status == 0, said + block
    # The control: a route to nowhere is not taken.
    status, said = check('routes = ( { name = "r"; targets = [ "no/m" ]; } );')
    assert status != 0 and "no/m" in said, said
    table = guide[guide.index("## By error message"):]
    messages = re.findall(r"^\| ([^|]+) \|", table, re.M)[1:]
    code, missing = sources(), []
    for message in messages:
        parts = [p.strip(' "') for p in re.split(r"…|\bN\b", message)]
        missing += [p for p in parts if p and p not in code]
    assert len(messages) >= 9 and not missing, missing
    print("ok: %d configurations, %d messages" % (len(blocks), len(messages)))


if __name__ == "__main__":
    sys.exit(main())
