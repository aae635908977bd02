# SPDX-License-Identifier: MIT
"""The bench's failover, a few requests of each kind: that it still works, and that
whatever the first target does, the client has the second one's whole answer.  How long
that takes is measured by `make bench`, never here."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import failover  # noqa: E402
from harness import Host, main  # noqa: E402

TOOLS = os.environ.get("BENCH_TOOLS") or os.path.join(
    os.environ.get("top_builddir", "."), "tests", "bench")
COUNT = 4


def test_each_failure():
    tool = failover.Tool(TOOLS)
    providers, routes = failover.patchbay_conf(tool.ports)
    try:
        with Host(providers=providers, top=routes, log="error") as host:
            # The tool ends, and says why, if an answer is not whole or the
            # target that fails was not asked.
            for fault in failover.FAULTS:
                r = tool.run(fault, host.port, "r-" + fault, COUNT,
                             host.control_path)
                assert r["count"] == COUNT, (fault, r)
                assert 0 < r["first_p50"] <= r["first_p99"], (fault, r)
            r = tool.run("good", host.port, "good/m", COUNT)
            assert r["count"] == COUNT, r
    finally:
        tool.stop()


main(globals())
