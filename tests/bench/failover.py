# SPDX-License-Identifier: MIT
"""Failover: from a failure of the first target to the first byte that the client has
of the second one (failover.c), by Patchbay and by nginx, beside the same request sent
directly to the second target and through the host with nothing that fails.  run.py
calls it.
"""
import json
import os
import statistics
import subprocess

import harness

FAULTS = ("refused", "reset", "busy", "cut")
SAY = {"refused": "connection refused", "reset": "reset before the head",
       "busy": "503", "cut": "cut after the first word"}
# nginx passes a broken stream on, broken.
NGINX = ("refused", "reset", "busy")


class Tool:
    """The targets and the client."""
    def __init__(self, tools):
        self.process = subprocess.Popen(
            [os.path.join(tools, "failover")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        ports = self.process.stdout.readline().split()
        self.ports = dict(zip(FAULTS + ("good",), map(int, ports)))

    def run(self, fault, port, model, count, control=""):
        self.process.stdin.write("run %s %d %s %d %s\n"
                                 % (fault, port, model, count, control))
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the failover tool has ended")
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def nginx_servers(targets, ports):
    """Its way to have a second target: one that is asked when the first fails."""
    return "".join("""    upstream %(fault)s {
        server 127.0.0.1:%(first)d max_fails=0;
        server 127.0.0.1:%(second)d backup;
        keepalive 16;
    }
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            proxy_pass http://%(fault)s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_next_upstream error timeout http_503 non_idempotent;
        }
    }
""" % {"fault": f, "first": targets[f], "second": targets["good"],
       "port": ports[f]} for f in NGINX)


def patchbay_conf(ports):
    """(providers, top): a route of two targets for each failure."""
    providers = "".join(
        '%s: { type = "openai"; base_url = "http://127.0.0.1:%d/v1"; '
        'api_key = "sk-bench"; };\n' % (name, port)
        for name, port in ports.items())
    routes = ", ".join('{ name = "r-%s"; targets = [ "%s/m", "good/m" ]; }'
                       % (f, f) for f in FAULTS)
    return providers, "routes = ( %s );" % routes


def run_all(tool, nginx_ports, host, count, rounds, say):
    """{(fault or "good", way): [result, ...]}, in turns."""
    series = [("good", "direct", tool.ports["good"], "m"),
              ("good", "patchbay", host.port, "good/m")]
    for f in FAULTS:
        if f in NGINX:
            series.append((f, "nginx", nginx_ports[f], "m"))
        series.append((f, "patchbay", host.port, "r-" + f))
    results = {}
    for _ in range(rounds):
        for fault, way, port, model in series:
            ours = way == "patchbay" and fault != "good"
            r = tool.run(fault, port, model, count,
                         host.control_path if ours else "")
            say("failover", fault, way, r)
            results.setdefault((fault, way), []).append(r)
    return results


def measure(tools, open_nginx, loops, count, rounds, say):
    tool = Tool(tools)
    ports = {f: harness.free_port() for f in NGINX}
    providers, routes = patchbay_conf(tool.ports)
    nginx = open_nginx(nginx_servers(tool.ports, ports))
    host = harness.Host(providers=providers, top=routes, log="error",
                        server="loops = %d" % loops)
    try:
        host.start()
        return run_all(tool, ports, host, count, rounds, say)
    finally:
        host.stop()
        nginx.stop()
        tool.stop()


def table(res, names):
    def m(key, field):
        return statistics.median(r[field] for r in res[key])

    base = {f: max(m(("good", "direct"), "first_" + f), 1)
            for f in ("p50", "p99")}
    out = ["| failure | | second asked p50 us | p99 us | its first byte p50 us "
           "| p99 us | p50, times direct | p99, times direct |",
           "|---|---|--:|--:|--:|--:|--:|--:|"]
    for fault, way in res:
        k = (fault, way)
        out.append("| %s | %s | %s | %.1f | %.1f |" % (
            SAY.get(fault, "none"), names[way],
            " | ".join("%.0f" % m(k, f) for f in (
                "asked_p50", "asked_p99", "first_p50", "first_p99")),
            m(k, "first_p50") / base["p50"], m(k, "first_p99") / base["p99"]))
    return out


def aims(res):
    """Rows (text, measured, limit, format)."""
    worst = {f: max(r["since_sent_p99"] for r in res[f, "patchbay"])
             for f in FAULTS if f != "cut"}
    return [("failover, %s: from the request to the second target's first byte "
             "(p99) at most 1 s" % SAY[f], us / 1e6, 1, "%.4f s")
            for f, us in worst.items()]
