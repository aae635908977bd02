# SPDX-License-Identifier: MIT
"""What a request costs in counts, which do not depend on how busy the machine is:
instructions in user space (valgrind's callgrind) and system calls (strace), of
Patchbay and of nginx, one loop and one worker.  run.py calls it.
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile

import harness

# what is asked: arguments of the load, and what it counts
ASKED = {
    "a request, 1 connection": (("requests", "gpt-4o", 1, 3), "completed"),
    "a request, 32 connections": (("requests", "gpt-4o", 32, 3), "completed"),
    "a chunk of a stream of 50": (("streams", "stream-50-5", 20, 20, 50),
                                  "chunks"),
}
TOOLS = ("valgrind", "callgrind_control", "strace")


def missing():
    return [t for t in TOOLS if not shutil.which(t)]


def warm(load, way):
    """Connections, pools and what is made on first use."""
    load(way, "requests", "gpt-4o", 32, 1)
    load(way, "streams", "stream-5-5", 20, 50, 5)


def collected(log):
    with open(log) as f:
        return [int(x) for x in re.findall(r"Collected : (\d+)", f.read())]


def instructions(open_way, load, asked):
    """Of one load, with the counting switched on for it alone."""
    args, unit = asked
    with tempfile.TemporaryDirectory() as d:
        log = os.path.join(d, "log")
        way = open_way(["valgrind", "--tool=callgrind", "--instr-atstart=no",
                        "--callgrind-out-file=/dev/null", "--log-file=" + log])
        try:
            warm(load, way)
            switch(way.pid, "on")
            r = load(way, *args)
            switch(way.pid, "off")
        finally:
            way.stop()
        return max(collected(log)) / r[unit]


def switch(pid, how):
    subprocess.run(["callgrind_control", "-i", how, str(pid)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def system_calls(open_way, load, asked):
    """{name: how often for each}."""
    args, unit = asked
    way = open_way([])
    try:
        warm(load, way)
        with tempfile.NamedTemporaryFile("r") as out:
            trace = subprocess.Popen(
                ["strace", "-c", "-f", "-o", out.name, "-p", str(way.pid)],
                stderr=subprocess.PIPE, text=True)
            if "attached" not in trace.stderr.readline():
                raise AssertionError("strace cannot attach")
            r = load(way, *args)
            trace.send_signal(signal.SIGINT)
            trace.communicate()
            rows = [x.split() for x in out.read().splitlines()]
    finally:
        way.stop()
    return {x[-1]: int(x[3]) / r[unit] for x in rows
            if len(x) >= 5 and x[3].isdigit() and x[-1] != "total"}


def measure(open_ways, load, say):
    """{(what, way): (instructions, {call: count})}"""
    bound, harness.BOUND = harness.BOUND, 120
    results = {}
    try:
        for what, asked in ASKED.items():
            for name, open_way in open_ways.items():
                r = (instructions(open_way, load, asked),
                     system_calls(open_way, load, asked))
                say("counts", "", name, {"what": what, "instructions": r[0],
                                         "system calls": r[1]})
                results[what, name] = r
    finally:
        harness.BOUND = bound
    return results


def table(results, names):
    out = ["| | | user instructions | times nginx's | system calls | the most "
           "frequent |",
           "|---|---|--:|--:|--:|---|"]
    for (what, name), (n, calls) in results.items():
        most = sorted(calls.items(), key=lambda x: -x[1])
        out.append("| %s | %s | %.1fk | %.1f | %.1f | %s |" % (
            what, names[name], n / 1000, n / results[what, "nginx"][0],
            sum(calls.values()),
            ", ".join("%s %.1f" % x for x in most if x[1] >= 0.05)))
    return out
