# SPDX-License-Identifier: MIT
"""The official Anthropic SDKs for Node (before and from 1.0) against a host that
translates for the loopback provider."""
import hashlib
import os
import subprocess
import sys

from harness import LOOPBACK, Host
from openai_sdk import counterpart

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "pbk_test_key_of_the_end_to_end_tests"


def main():
    sdk = counterpart("node.sh")
    top = ('keys: ( { name = "test"; sha256 = "%s"; rights = [ "chat" ]; } );'
           % hashlib.sha256(KEY.encode()).hexdigest())
    status = 0
    with Host(providers=LOOPBACK, top=top) as host:
        for package in ("@anthropic-ai/sdk", "anthropic-0"):
            env = dict(os.environ, BASE_URL=host.url, KEY=KEY, SDK=sdk,
                       PACKAGE=package, PROVIDER="loopback")
            status |= subprocess.run(
                [sdk + "/node", os.path.join(HERE, "anthropic_sdk.mjs")],
                env=env).returncode
        assert KEY not in host.errors()
    sys.exit(status)


main()
