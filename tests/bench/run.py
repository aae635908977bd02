#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bench: direct, nginx as a plain reverse proxy and Patchbay, side by side on
the same upstream, in turns (A B C A B C ...), medians of the rounds.

    run.py [--quick] [--rounds N] [--write FILE]
           [--only requests|streams|failover|routing|counts]

Needs PATCHBAY, PATCHBAY_PROVIDERS and the tools beside it, built (BENCH_TOOLS);
`make bench` says where they are.  With --write the table goes into FILE, between the
markers there.
"""
import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import counts  # noqa: E402
import failover  # noqa: E402
import harness  # noqa: E402

TOOLS = os.environ.get("BENCH_TOOLS", ".")
TICK = 1e6 / os.sysconf("SC_CLK_TCK")
CONNECTIONS = (1, 32, 256)
# streams: started a second, chunks, milliseconds between them.  About 9,000
# chunks a second each, and all streams run together for a while.
STREAMS = {512: (2000, 60, 57), 2000: (2000, 22, 222), 8000: (2000, 9, 890)}
NAMES = {"direct": "direct", "nginx": "nginx", "patchbay": "Patchbay"}
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def raise_limit():
    """As many descriptors as we may have; 8,000 streams need 16,000 of a proxy."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (40000, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE,
                               (most, max(most, hard)))
            return most
        except (ValueError, OSError):
            continue
    return soft


# --- what a process costs ----------------------------------------------------

def family(pid):
    """The process and its children."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [pid] + [int(x) for x in f.read().split()]


def cpu_us(pid):
    total = 0
    for p in family(pid):
        with open("/proc/%d/stat" % p) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total * TICK


def memory(pid):
    """(anonymous, resident) in KiB."""
    out = [0, 0]
    for p in family(pid):
        with open("/proc/%d/status" % p) as f:
            text = f.read()
        for i, key in enumerate(("RssAnon", "VmRSS")):
            out[i] += int(re.search(key + r":\s+(\d+) kB", text).group(1))
    return tuple(out)


class Watch(threading.Thread):
    """The most anonymous memory seen, while it runs."""
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.end = pid, 0, threading.Event()

    def run(self):
        while not self.end.wait(0.1):
            self.most = max(self.most, memory(self.pid)[0])

    def stop(self):
        self.end.set()
        self.join()
        return self.most


# --- the three ways ----------------------------------------------------------

class Upstream:
    def __init__(self):
        self.process = subprocess.Popen([os.path.join(TOOLS, "upstream")],
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Direct:
    prefix, pid = "", None

    def __init__(self, upstream):
        self.port = upstream.port

    def stop(self):
        pass


class Nginx:
    prefix = ""
    CONF = """daemon off;
master_process %(master)s;
worker_processes %(workers)d;
worker_rlimit_nofile %(files)d;
pid %(dir)s/pid;
error_log %(dir)s/error.log error;
events { worker_connections %(files)d; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path %(dir)s/body;
    proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi;
    scgi_temp_path %(dir)s/scgi;
    upstream up {
        server 127.0.0.1:%(upstream)d;
        keepalive 256;
        keepalive_requests 1000000000;
    }
    server {
        listen 127.0.0.1:%(port)d backlog=8192;
        location / {
            proxy_pass http://up;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 120s;
        }
    }
%(more)s}
"""

    def __init__(self, upstream, workers, files, more="", under=None):
        """`under` a program that runs it, a list: then it is one process."""
        self.dir = tempfile.mkdtemp(prefix="patchbay-bench-")
        os.chmod(self.dir, 0o755)
        self.port = harness.free_port()
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w") as f:
            f.write(self.CONF % {"workers": workers, "files": files,
                                 "dir": self.dir, "upstream": upstream.port,
                                 "port": self.port, "more": more,
                                 "master": "on" if under is None else "off"})
        self.process = subprocess.Popen(
            (under or []) +
            [nginx_program(), "-p", self.dir, "-c", conf, "-e",
             os.path.join(self.dir, "error.log")])
        self.pid = self.process.pid
        harness.until(self._ready, "nginx to listen")

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError("nginx ended with status %d"
                                 % self.process.returncode)
        try:
            harness.socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Patchbay:
    prefix = "up/"

    def __init__(self, upstream, loops, under=()):
        self.host = harness.Host(
            providers=harness.openai_at("http://127.0.0.1:%d" % upstream.port),
            server="loops = %d; max_connections = 20000" % loops, log="warn",
            under=under)
        self.host.start()
        self.port, self.pid = self.host.port, self.host.process.pid

    def stop(self):
        self.host.stop()


def nginx_program():
    for p in (shutil.which("nginx"), "/usr/sbin/nginx"):
        if p and os.path.exists(p):
            return p
    out = subprocess.run([os.path.join(HERE, "..", "env", "nginx.sh")],
                         stdout=subprocess.PIPE, text=True)
    if out.returncode:
        sys.exit("run.py: no nginx to compare with")
    return out.stdout.strip()


def load(way, mode, model, *args):
    out = subprocess.run([os.path.join(TOOLS, "load"), mode, str(way.port),
                          way.prefix + model] + [str(a) for a in args],
                         stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(out.stdout)


# --- measuring ---------------------------------------------------------------

def measure_requests(open_way, seconds, rounds, say):
    """{(name, connections): [result, ...]}; idle memory of each."""
    results, idle = {}, {}
    ways = {n: open_way(n) for n in NAMES}
    try:
        for name in ("nginx", "patchbay"):
            time.sleep(0.5)  # what starting up leaves behind is settled
            idle[name] = memory(ways[name].pid)
        for c in CONNECTIONS:
            for i in range(rounds):
                for name, way in ways.items():
                    before = cpu_us(way.pid) if way.pid else 0
                    r = load(way, "requests", "gpt-4o", c, seconds)
                    if way.pid:
                        r["cpu"] = (cpu_us(way.pid) - before) / \
                            max(r["completed"], 1)
                    if r["failed"]:
                        raise AssertionError("%s at %d connections: %d "
                                             "requests failed"
                                             % (name, c, r["failed"]))
                    say("requests", c, name, r)
                    results.setdefault((name, c), []).append(r)
    finally:
        for way in ways.values():
            way.stop()
    return results, idle


def measure_streams(open_way, sizes, rounds, say):
    """Each in a fresh proxy: memory is what these streams made it grow by."""
    results = {}
    for n in sizes:
        rate, chunks, ms = STREAMS[n]
        for i in range(rounds):
            for name in NAMES:
                way = open_way(name)
                try:
                    before = 0
                    if way.pid:
                        load(way, "requests", "gpt-4o", 2, 0.4)
                        before, cpu = memory(way.pid)[0], cpu_us(way.pid)
                        watch = Watch(way.pid)
                        watch.start()
                    r = load(way, "streams", "stream-%d-%d" % (chunks, ms), n,
                             rate, chunks)
                    if way.pid:
                        r["kib"] = (watch.stop() - before) / n
                        r["cpu"] = (cpu_us(way.pid) - cpu) / max(r["chunks"],
                                                                 1)
                finally:
                    way.stop()
                say("streams", n, name, r)
                results.setdefault((name, n), []).append(r)
    return results


def measure_routing():
    """[(what, nanoseconds), ...]"""
    out = subprocess.run([os.path.join(TOOLS, "routing")],
                         stdout=subprocess.PIPE, text=True, check=True)
    return [(line[:28].strip(), int(line[28:].split()[0]))
            for line in out.stdout.splitlines()]


def median(results, key, field):
    return statistics.median(r[field] for r in results[key])


# --- the table ---------------------------------------------------------------

def us(x):
    return "%.0f" % x if x < 10000 else "%.1f ms" % (x / 1000)


def table_requests(res):
    out = ["| connections | | requests/s | CPU us/request | p50 us | p99 us | "
           "added p50 us | added p99 us |",
           "|--:|---|--:|--:|--:|--:|--:|--:|"]
    for c in CONNECTIONS:
        for name in NAMES:
            k = (name, c)
            added = ["", ""]
            if name != "direct":
                added = [us(median(res, k, f) - median(res, ("direct", c), f))
                         for f in ("p50", "p99")]
            out.append("| %d | %s | %.0f | %s | %s | %s | %s | %s |" % (
                c, NAMES[name], median(res, k, "per_second"),
                "%.1f" % median(res, k, "cpu") if name != "direct" else "",
                us(median(res, k, "p50")), us(median(res, k, "p99")), *added))
    return out


def table_streams(res, sizes):
    out = ["| streams | | clean ends | first token p50 ms | p99 ms | added p50 "
           "ms | added p99 ms | gap p50 ms | p99 ms | max ms | CPU us/chunk | "
           "KiB/stream |",
           "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for n in sizes:
        for name in NAMES:
            k = (name, n)
            added, cost = ["", ""], ["", ""]
            if name != "direct":
                added = ["%.1f" % ((median(res, k, f) -
                                    median(res, ("direct", n), f)) / 1000)
                         for f in ("ttft_p50", "ttft_p99")]
                cost = ["%.1f" % median(res, k, f) for f in ("cpu", "kib")]
            row = ["%.1f" % (median(res, k, f) / 1000) for f in (
                "ttft_p50", "ttft_p99")] + added + [
                    "%.0f" % (median(res, k, f) / 1000)
                    for f in ("gap_p50", "gap_p99", "gap_max")] + cost
            out.append("| %d | %s | %d of %d | %s |" % (
                n, NAMES[name], min(r["clean"] for r in res[k]), n,
                " | ".join(row)))
    return out


def table_routing(rows, req):
    """Its share of a whole request's CPU, where that was measured as well."""
    whole = 1000 * median(req, ("patchbay", 32), "cpu") if req else None
    out = ["| a plan for | ns per request | of a request's CPU |", "|---|--:|--:|"]
    for what, ns in rows:
        out.append("| %s | %d | %s |" % (
            what, ns, "%.1f %%" % (100 * ns / whole) if whole else ""))
    return out


def aim(text, value, limit, fmt):
    return "| %s | %s | %s |" % (text, fmt % value,
                                 "met" if value <= limit else "**not met**")


def table_aims(req, idle, streams, sizes, fails):
    out = ["| aim | measured | |", "|---|--:|---|"]
    if req:
        for c in CONNECTIONS:
            out.append(aim(
                "CPU per request, %d connection%s: at most 2.2 times nginx's"
                % (c, "s" if c > 1 else ""), median(req, ("patchbay", c), "cpu") /
                median(req, ("nginx", c), "cpu"), 2.2, "%.2f times"))
        base = median(req, ("direct", 1), "p99")
        extra = [median(req, (n, 1), "p99") - base
                 for n in ("patchbay", "nginx")]
        out.append(aim("added p99 at one connection: at most 2 times nginx's",
                       extra[0] / max(extra[1], 1), 2, "%.2f times"))
        out.append(aim("idle: at most 4 MiB anonymous",
                       idle["patchbay"][0] / 1024, 4, "%.1f MiB"))
        out.append(aim("idle: at most 16 MiB resident",
                       idle["patchbay"][1] / 1024, 16, "%.1f MiB"))
    for n in sizes if streams else ():
        out.append(aim("per stream, %d streams: at most 48 KiB" % n,
                       median(streams, ("patchbay", n), "kib"), 48,
                       "%.1f KiB"))
    if 2000 in sizes and streams:
        clean = min(r["clean"] for r in streams["patchbay", 2000])
        out.append("| 2,000 concurrent streams end cleanly | %d | %s |"
                   % (clean, "met" if clean == 2000 else "**not met**"))
    if fails:
        out += [aim(*row) for row in failover.aims(fails)]
    return out


def machine():
    with open("/proc/cpuinfo") as f:
        cpu = re.search(r"model name\s*:\s*(.*)", f.read())
    git = subprocess.run(["git", "-C", HERE, "log", "-1", "--format=%h"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True).stdout.strip()
    version = subprocess.run([nginx_program(), "-v"], stderr=subprocess.PIPE,
                             text=True).stderr.strip().rsplit("/", 1)[-1]
    return "%s, %d cores, Linux %s; nginx %s; %s, commit %s" % (
        cpu.group(1) if cpu else platform.machine(), os.cpu_count(),
        platform.release(), version,
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), git or "unknown")


def write_between(path, text):
    with open(path) as f:
        old = f.read()
    head, rest = old.split(BEGIN)
    tail = rest.split(END)[1]
    with open(path, "w") as f:
        f.write(head + BEGIN + "\n" + text + "\n" + END + tail)


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true", help="about a minute")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", choices=("requests", "streams", "failover",
                                       "routing", "counts"))
    p.add_argument("--loops", type=int, default=os.cpu_count())
    p.add_argument("--write", metavar="FILE")
    return p.parse_args()


def main():
    opt = options()
    files = raise_limit()
    upstream = Upstream()
    make = {"direct": lambda: Direct(upstream),
            "nginx": lambda: Nginx(upstream, opt.loops, files),
            "patchbay": lambda: Patchbay(upstream, opt.loops)}

    def open_way(name):
        return make[name]()

    def say(what, size, name, r):
        print("%-8s %7s %-8s %s" % (what, size, name, json.dumps(r)),
              file=sys.stderr, flush=True)

    sizes = [n for n in sorted(STREAMS) if 2 * n + 200 < files]
    if opt.quick:
        sizes = [n for n in sizes if n < 8000]
    began, load_before = time.time(), os.getloadavg()[0]
    req = idle = streams = fails = routing = counted = None
    parts = (opt.only,) if opt.only else ("requests", "streams", "failover",
                                          "routing", "counts")
    absent = counts.missing()
    try:
        if "requests" in parts:
            req, idle = measure_requests(open_way, 0.9 if opt.quick else 3,
                                         opt.rounds, say)
        if "streams" in parts:
            streams = measure_streams(open_way, sizes,
                                      1 if opt.quick else opt.rounds, say)
        if "failover" in parts:
            fails = failover.measure(
                TOOLS, lambda more: Nginx(upstream, opt.loops, files, more),
                opt.loops, 200 if opt.quick else 1000, opt.rounds, say)
        if "routing" in parts:
            routing = measure_routing()
        if "counts" in parts and not absent and (opt.only or not opt.quick):
            counted = counts.measure(
                {"nginx": lambda under: Nginx(upstream, 1, 4000, under=under),
                 "patchbay": lambda under: Patchbay(upstream, 1, under)},
                load, say)
    finally:
        upstream.stop()
    out = ["%s. Load average before: %.1f, with the bench's own after: %.1f; "
           "rounds: %d; loops and workers: %d; took %.0f s."
           % (machine(), load_before, os.getloadavg()[0], opt.rounds,
              opt.loops, time.time() - began), ""]
    if req:
        out += table_requests(req) + ["", "Idle, anonymous and resident: " +
                                      "; ".join(
            "%s %.1f and %.1f MiB" % (NAMES[n], m[0] / 1024, m[1] / 1024)
            for n, m in idle.items()) + ".", ""]
    if streams:
        out += table_streams(streams, sizes) + [""]
    if fails:
        out += failover.table(fails, NAMES) + [""]
    if routing:
        out += table_routing(routing, req) + [""]
    if counted:
        out += counts.table(counted, NAMES) + [""]
    elif "counts" in parts and absent:
        out += ["No counts: %s not installed." % ", ".join(absent), ""]
    if req or streams or fails:
        out += table_aims(req, idle, streams, sizes, fails)
    text = "\n".join(out)
    print(text)
    if opt.write:
        write_between(opt.write, text)


if __name__ == "__main__":
    main()
