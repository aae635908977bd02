# SPDX-License-Identifier: MIT
"""The demo (`./autogen.sh demo` ends with tests/demo.sh): an answer that streams,
one provider that stands in for another, and two of them side by side."""
import os
import re
import subprocess
import tempfile

from harness import BOUND, PATCHBAY, main

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def test_demo():
    with tempfile.TemporaryDirectory() as d:
        # It forgets where modules are, as whoever has installed it does.
        program = os.path.join(d, "patchbay")
        with open(program, "w") as f:
            f.write('#!/bin/sh\nPATCHBAY_PLUGIN_PATH="%s" '
                    'PATCHBAY_ALLOW_ANY_OWNER=1 exec "%s" "$@"\n' % (
                        os.path.abspath(os.environ["PATCHBAY_PROVIDERS"]),
                        os.path.abspath(PATCHBAY)))
        os.chmod(program, 0o755)
        place = os.path.join(d, "tmp")
        os.mkdir(place)
        p = subprocess.run([os.path.join(TOP, "tests/demo.sh"), program],
                           env=dict(os.environ, TMPDIR=place), text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=4 * BOUND)
        assert p.returncode == 0, p.stdout + p.stderr
        assert os.listdir(place) == [], os.listdir(place)
    said = p.stdout
    # An answer, with its route, its tokens and its time.
    assert re.search(r"route:  loopback/lorem.*\ntokens: .* 60 out\ntime: ", said)
    # A fallback: the second target answers, and it says so.
    part = said[said.index("$ patchbay route explain tidy"):]
    assert re.search(r"1  loopback/lorem\?fault=overloaded .*\n2  spare/", part)
    assert re.search(r"route:  spare/lorem.*2 attempts", part), part
    # A comparison: text, time, tokens and cost of each.
    part = said[said.index("$ patchbay compare"):]
    for name in ("loopback", "spare"):
        assert re.search(r"=== %s/lorem.*\n\w.*\n--- \d+\.\d+ s, .*? 8 \+ 20 tokens"
                         r".*, cost 0.00 USD\n" % name, part), part
    assert part.index("MODEL") < part.rindex("spare/lorem"), part


if __name__ == "__main__":
    main(globals())
