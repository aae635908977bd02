# SPDX-License-Identifier: MIT
"""Compare the HTTP parser with others: Node's (llhttp) and h11.

Requests are made of good and odd pieces and then mutated.  Whatever our parser
accepts the others must accept, with the same method, target, headers, version,
body, end, and idea of whether the connection stays.  We may be stricter, never
laxer: a request that two parties cut differently is how smuggling works.

    http_compare.py CLI NODE|- H11-PYTHON|-

Exceptions, where the other does more than RFC 9110 and 9112 ask for, or less;
a case is let go for exactly these:
  node  a request with Upgrade leaves HTTP there; we ignore the header
  node  Proxy-Connection, which is in no standard, counts as Connection there
  node  a tab behind the digits of Content-Length is no white space there
  h11   no HTTP/1.0 connection is kept there, whatever the client asks for
  h11   the empty line that RFC 9112 2.2 wants skipped is refused there

PATCHBAY_LONG=1 runs more rounds; HTTP_DIFF_SEED repeats a run.
"""
import json
import os
import random
import re
import struct
import subprocess
import sys

# ------------------------------------------------------------------ requests

METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"]
ODD_METHODS = [b"get", b"CONNECT", b"TRACE", b"PRI", b"G ET", b"M-SEARCH", b""]
TARGETS = [b"/", b"/v1/chat/completions", b"/a%2Fb?x=y&z", b"/?", b"/a;b=c/d:e@f",
           b"http://h/p?q", b"https://h:1", b"/[x]", b"/~a/-._!$&'()*+,"]
ODD_TARGETS = [b"*", b"a", b"/a#b", b"/..", b"/a b", b"/\x80", b"//", b"/\t",
               b"/\"", b"ftp://x/", b"http://", b"/{x}|^`\\<>", b"/%", b""]
VERSIONS = [b"HTTP/1.1"] * 6 + [b"HTTP/1.0"]
ODD_VERSIONS = [b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.1 ",
                b"HTTP/1", b"HTTP/01.1", b"ICE/1.0", b"RTSP/1.0", b""]
HEADERS = [b"Host: a", b"User-Agent: x/1 (y; z)", b"Accept: */*", b"A:b",
           b"X-Empty:", b"X: \t spaced \t", b"Y: \xc3\xa4\x80\xff", b"Z: a\tb",
           b"Connection: close", b"Connection: keep-alive",
           b"Connection: close, x", b"Connection: x", b"Te: trailers",
           b"Expect: 100-continue", b"!#$%&'*+-.^_`|~: 1", b"Cookie: a=\"b\"",
           b"Connection: keep-alive, close"]
ODD_HEADERS = [b"Host: b", b"Host", b"Host : a", b" X: folded", b"X : y", b": y",
               b"X\ty: z", b"X: a\x00b", b"X: a\rb", b"X: a\nb", b"X: \x7f",
               b"X: \x01", b"(x): y", b"X\x80: y", b"Upgrade: websocket",
               b"Connection: Upgrade", b"Proxy-Connection: close",
               b"Connection: close\r\nConnection: keep-alive",
               b"Connection: \xa0close", b"Connection:,, close ,"]
LENGTHS = [b"Content-Length: %d", b"content-length:%d", b"Content-Length: 0%d",
           b"Content-Length:\t%d "]
ODD_LENGTHS = [b"Content-Length: +%d", b"Content-Length: %d, %d",
               b"Content-Length: %d\r\nContent-Length: %d",
               b"Content-Length: -%d", b"Content-Length: 0x%d",
               b"Content-Length: %d\x0b", b"Content-Length: %d 1",
               b"Content-Length:", b"Content_Length: %d", b"Content-Length : %d",
               b"Content-Length: 99999999999999999999", b"Content-Length: 1e1"]
CODINGS = [b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked",
           b"Transfer-Encoding: \tchunked "]
ODD_CODINGS = [b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: xchunked",
               b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding:",
               b"Transfer-Encoding: chunked,", b"Transfer-Encoding: ,chunked",
               b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding : chunked",
               b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
               b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
               b"Transfer-Encoding:\r\n chunked", b"Transfer_Encoding: chunked",
               b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: \"chunked\""]
SIZES = [b"%x", b"%X", b"0%x", b"00000%x"]
ODD_SIZES = [b"+%x", b"-%x", b"0x%x", b" %x", b"%x ", b"%x\t", b"%xg", b"",
             b"ffffffffffffffff%x", b"1%016x", b"%x\r", b"%x\n"]
EXTENSIONS = [b"", b"", b"", b";a", b";a=b", b";a=\"b\\\"c d\"", b";a;b=c",
              b";a=\"\""]
ODD_EXTENSIONS = [b";", b"; a", b";a =b", b";a=", b";a=\"", b";\x00", b";a\n",
                  b" ;a", b";a=\"\x01\"", b";a=\"b\"c", b";=", b";a=b c"]
TRAILERS = [b"", b"", b"X: y\r\n", b"A:\r\nB: c\t\r\n"]
ODD_TRAILERS = [b" X: y\r\n", b"X\r\n", b"X: y\n", b"X : y\r\n", b"\x00: a\r\n",
                b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
                b": \r\n", b"X: a\rb\r\n"]
ENDS = [b"\r\n"]
ODD_ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b""]


class Maker:
    """Requests from good pieces, and now and then an odd one."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, good, odd):
        return self.r.choice(odd if self.r.random() < self.odd else good)

    def eol(self):
        return self.pick(ENDS, ODD_ENDS)

    def chunks(self):
        out = b""
        for _ in range(self.r.randrange(4)):
            data = bytes(self.r.choice(b"ab\r\n0;") for _ in
                         range(self.r.randrange(1, 20)))
            size = self.pick(SIZES, ODD_SIZES)
            out += size % len(data) if b"%" in size else size
            out += self.pick(EXTENSIONS, ODD_EXTENSIONS) + self.eol()
            out += data + self.eol()
        out += self.r.choice([b"0", b"0", b"000"])
        out += self.pick(EXTENSIONS, ODD_EXTENSIONS) + self.eol()
        return out + self.pick(TRAILERS, ODD_TRAILERS) + self.eol()

    def length(self, n):
        text = self.pick(LENGTHS, ODD_LENGTHS)
        return text % ((n,) * text.count(b"%d")) if b"%d" in text else text

    def request(self):
        r = self.r
        self.odd = r.choice([0, 0.02, 0.1])
        lines = [r.choice(HEADERS[1:] if r.random() < 0.9 else HEADERS)
                 for _ in range(r.randrange(5))]
        if r.random() < self.odd * 4:
            lines.append(r.choice(ODD_HEADERS))
        if r.random() > self.odd / 2:
            lines.insert(r.randrange(len(lines) + 1), HEADERS[0])
        body, kind = b"", r.random()
        if kind < 0.35:
            body = bytes(r.choice(b"xyz\r\n 0G") for _ in range(r.randrange(30)))
            lines.append(self.length(len(body)))
        elif kind < 0.7:
            body = self.chunks()
            lines.append(self.pick(CODINGS, ODD_CODINGS))
        if r.random() < self.odd:
            lines.append(self.length(len(body)))
        r.shuffle(lines)
        space = self.pick([b" "], [b"  ", b"\t", b""])
        head = self.pick([b""], [b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\r"])
        head += self.pick(METHODS, ODD_METHODS) + space
        head += self.pick(TARGETS, ODD_TARGETS) + b" "
        head += self.pick(VERSIONS, ODD_VERSIONS) + self.eol()
        for line in lines:
            head += line + self.eol()
        text = head + self.eol() + body
        if r.random() < 0.3:
            text += r.choice([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n", b"x"])
        return self.mutate(text) if r.random() < 0.3 else text

    def mutate(self, text):
        r = self.r
        for _ in range(r.randrange(1, 4)):
            at = r.randrange(len(text) + 1)
            how = r.randrange(4)
            if how == 0:
                text = text[:at] + text[at + 1:]
            elif how == 1:
                odd = b"\0\t\n\r \"#(),/:;=?@[]\\{}\x0b\x7f\x80\xa0\xff0aA"
                text = text[:at] + bytes([r.choice(odd)]) + text[at:]
            elif how == 2:
                text = text[:at] + bytes([r.randrange(256)]) + text[at + 1:]
            else:
                end = at + r.randrange(12)
                text = text[:at] + text[at:end] * 2 + text[end:]
        return text


# ------------------------------------------------------------------- parsers

def run_batch(command, requests):
    batch = b"".join(struct.pack(">I", len(q)) + q for q in requests)
    out = subprocess.run(command, input=batch, stdout=subprocess.PIPE, check=True)
    lines = out.stdout.splitlines()
    if len(lines) != len(requests):
        sys.exit("%s: %d answers to %d requests" %
                 (command[0], len(lines), len(requests)))
    return [json.loads(line) for line in lines]


def h11_headers(event, request):
    """It shows the coding in lower case; as sent it is in the request."""
    pairs = []
    for name, value in event.headers.raw_items():
        if name.lower() == b"transfer-encoding":
            at = request.lower().index(value.lower(), request.index(name))
            value = request[at:at + len(value)]
        pairs.append([name.hex(), bytes(value).hex()])
    return pairs


def h11_parse(h11, request):
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)
    out, body = {"head": None, "end": "more", "body": ""}, b""
    try:
        conn.receive_data(request)
        while True:
            event = conn.next_event()
            if isinstance(event, h11.Request):
                out["head"] = {
                    "method": event.method.hex(), "target": event.target.hex(),
                    "minor": int(event.http_version[2:]),
                    "headers": h11_headers(event, request)}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                out["end"] = "done"
                out["used"] = len(request) - len(conn.trailing_data[0])
                out["head"]["keep"] = conn.our_state is not h11.MUST_CLOSE and \
                    conn.their_state is not h11.MUST_CLOSE
                break
            else:
                break
    except h11.RemoteProtocolError as e:
        out["end"], out["why"] = "bad", str(e)
    out["body"] = body.hex()
    return out


def h11_main():
    import h11
    data, at = sys.stdin.buffer.read(), 0
    while at < len(data):
        (n,) = struct.unpack_from(">I", data, at)
        print(json.dumps(h11_parse(h11, data[at + 4:at + 4 + n])))
        at += 4 + n


# ---------------------------------------------------------------- comparison

def excepted(name, why, request, ours, theirs):
    if name == "h11":
        return (why == "keep" and ours["head"]["minor"] == 0 or
                not theirs["head"] and request.startswith(b"\r\n") and
                theirs.get("why") == "no request line received")
    names = [bytes.fromhex(k).lower() for k, _ in ours["head"]["headers"]]
    if (theirs.get("why") == "Invalid character in Content-Length" and
            re.search(rb"(?i)\ncontent-length:[ \t]*[0-9]+ *\t", request)):
        return True
    return (theirs.get("upgrade", False) and b"upgrade" in names or
            why == "keep" and b"proxy-connection" in names)


def differ(ours, theirs):
    """None, or in what the other disagrees with what we have accepted."""
    if not ours["head"]:
        return None
    if not theirs["head"]:
        return "the head: %s" % theirs.get("why", "incomplete")
    for key in ("method", "target", "minor", "headers"):
        if theirs["head"][key] != ours["head"][key]:
            return key
    if ours["head"]["keep"] and not theirs["head"].get("keep", True):
        return "keep"  # to close where the other would not is safe
    if ours["end"] != "done":
        return None
    if theirs["end"] != "done":
        return "the body: %s" % theirs.get("why", "incomplete")
    for key in ("body", "used"):
        if theirs[key] != ours[key]:
            return key
    return None


def controls():
    """The comparison must be able to fail."""
    head = {"method": "47", "target": "2f", "minor": 1, "keep": True,
            "headers": [["41", "42"]]}
    ours = {"head": head, "end": "done", "body": "61", "used": 9}
    if differ(ours, json.loads(json.dumps(ours))):
        sys.exit("control: equals differ")
    for change in (("head", None), ("end", "bad"), ("body", "62"), ("used", 8),
                   ("head", dict(head, method="48")),
                   ("head", dict(head, headers=[["41", "43"]])),
                   ("head", dict(head, minor=0)),
                   ("head", dict(head, keep=False))):
        if not differ(ours, dict(ours, **dict([change]))):
            sys.exit("control: %s is not compared" % change[0])


def main():
    cli, node, python = sys.argv[1:4]
    here = os.path.dirname(os.path.abspath(__file__))
    others = {}
    if node != "-":
        others["node"] = [node, os.path.join(here, "http_parse_node.js")]
    if python != "-":
        others["h11"] = [python, os.path.abspath(__file__), "--h11"]
    rounds = 150000 if os.environ.get("PATCHBAY_LONG") else 6000
    seed = int(os.environ.get("HTTP_DIFF_SEED") or
               random.SystemRandom().randrange(1 << 32))
    print("HTTP_DIFF_SEED=%d, %d requests, against %s" %
          (seed, rounds, " and ".join(sorted(others))))
    sys.stdout.flush()
    controls()
    maker = Maker(seed)
    requests = [maker.request() for _ in range(rounds)]
    ours = run_batch([cli, "-b"], requests)
    accepted = sum(1 for o in ours if o["head"])
    done = sum(1 for o in ours if o["end"] == "done")
    failed = 0
    for name, command in others.items():
        theirs = run_batch(command, requests)
        laxer = excused = 0
        for request, a, b in zip(requests, ours, theirs):
            why = differ(a, b)
            if why and excepted(name, why, request, a, b):
                excused += 1
            elif why:
                failed += 1
                if failed <= 10:
                    print("%s disagrees in %s:\n  %r\n  ours  %s\n  %s %s" %
                          (name, why, request, a, name, b))
            laxer += 1 if b["head"] and not a["head"] else 0
        print("%s: %d heads that it accepts and we do not; %d excepted" %
              (name, laxer, excused))
    print("accepted %d heads, %d whole requests, refused %d; %d disagreements" %
          (accepted, done, rounds - accepted, failed))
    # Otherwise hardly anything would have been compared.
    if accepted < rounds // 4 or done < rounds // 5 or accepted > rounds * 9 // 10:
        sys.exit("the mixture of requests is wrong")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    h11_main() if sys.argv[1:] == ["--h11"] else main()
