# SPDX-License-Identifier: MIT
"""The estimator of tokens against a reference, o200k of the npm package
gpt-tokenizer: within 15 % on each of English, German, Chinese and code.  The texts
were written for this test; the estimator's figures were made from others (the
messages and manual pages of a Linux system, this project's code), but for
what a Chinese character costs, where the first half of the Chinese text had a say."""
import os
import subprocess
import sys

from openai_sdk import counterpart

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = ("english", "german", "chinese", "code")
LIMIT = 0.15
REFERENCE = """
import { createRequire } from 'module';
import fs from 'fs';
const require = createRequire(process.argv[2] + '/');
const { encode } = require('gpt-tokenizer/encoding/o200k_base');
for (const f of process.argv.slice(3))
    console.log(encode(fs.readFileSync(f, 'utf8')).length);
"""


def numbers(command, **more):
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True,
                         **more).stdout
    return [int(line) for line in out.split()]


def program():
    name = "tests/e2e/token_count"
    for top in (os.environ.get("top_builddir"), os.environ.get("PATCHBAY") and
                os.path.dirname(os.environ["PATCHBAY"]), "."):
        if top and os.access(os.path.join(top, name), os.X_OK):
            return os.path.join(top, name)
    sys.exit("no " + name + ": run it by make check")


def main():
    env = counterpart("tokenizer.sh")
    files = [os.path.join(HERE, "tokens", t + ".txt") for t in TEXTS]
    wanted = numbers([env + "/node", "--input-type=module", "-", env] + files,
                     input=REFERENCE)
    got = numbers([program()] + files)
    # The control: a count of words would not pass.
    poor = numbers([program(), "-w"] + files)
    bad = 0
    for text, want, have, words in zip(TEXTS, wanted, got, poor):
        off, control = have / want - 1, words / want - 1
        fine = abs(off) <= LIMIT
        bad += not fine
        print("%s %s: %d tokens, estimated %d (%+.1f %%), words %d (%+.1f %%)"
              % ("ok" if fine else "FAILED", text, want, have, 100 * off, words,
                 100 * control))
    assert any(abs(w / n - 1) > LIMIT for w, n in zip(poor, wanted))
    assert len(wanted) == len(got) == len(poor) == len(TEXTS)
    sys.exit(bad != 0)


main()
