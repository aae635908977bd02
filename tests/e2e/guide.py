# SPDX-License-Identifier: MIT
"""The guide to routes and its page for trouble: their configurations are taken;
every message that a route can produce is explained, and every one explained is
in the source; what is said of each class of failure is the table's."""
import os
import re
import subprocess
import sys
import tempfile

from harness import PATCHBAY

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GUIDE = os.path.join(TOP, "host/manager/README.md")
TROUBLE = os.path.join(TOP, "host/manager/TROUBLESHOOTING.md")

# Where a route's errors are made.  Every text there has to be explained.
MADE_IN = [
    "manager/" + n for n in (
        "attempt.c", "attempt_admit.c", "attempt_backend.c", "attempt_codec.c",
        "attempt_native.c", "cache_read.c", "call.c", "call_attempt.c",
        "call_next.c", "call_plan.c", "chats.c", "compare.c", "embed.c",
        "exchange.c", "guard.c", "room.c", "route.c", "route_default.c",
        "router.c", "stand_in.c", "text_job.c", "tried.c")] + [
    "module/backend_core.c", "dialect/stand_in.c", "config/route.c",
    "config/when.c", "http/curl_end.c", "http/curl_names.c"]
# The functions that take such a text, and what is assigned one.
MAKERS = (r"\b(?:err_set|at_fail|end_with|dl_bad|why_f|not_http|named|snprintf|"
          r"section_issue|load_issue(?:_at)?)\(|\*why = |\bwhy = ")
# Parts of sentences whose beginning is explained, and examples.
PARTS = {
    "was to be asked again", "had not answered", ", and the other targets too",
    ", asked for it again", ". The nearest names: ",
    " (it wants a user and password)",
    "a header line has no end within 100 KiB",
    "LLM_ROUTING_STRATEGY", '{ name = "fast"; model = "openai/..."; }',
    '{ name = "chat"; targets = [ "openai/...", "claude" ]; }'}


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


def read(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


def joined(code):
    """Strings as the compiler joins them, without comments; quotes in them as
    U+0001, so that none is taken for the end."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.S).replace('\\"', "\1")
    return re.sub(r'"\s*\n\s*"', "", code)


def statement(code, at):
    """From there to the semicolon that ends it."""
    inside = False
    for i in range(at, len(code)):
        if code[i] == '"':
            inside = not inside
        elif code[i] == ";" and not inside:
            return code[at:i]
    return code[at:]


def sources():
    """All strings of the host's code."""
    text = ""
    for folder, _, files in os.walk(os.path.join(TOP, "host")):
        for name in sorted(files):
            if name.endswith(".c"):
                text += joined(read(os.path.join(folder, name)))
    return text.replace("\1", '"')


def told():
    """The texts of at least three words that errors are made of, and where."""
    out = {}
    for name in MADE_IN:
        code = joined(read("host/" + name))
        for m in re.finditer(MAKERS, code):
            for text in re.findall(r'"([^"]*)"', statement(code, m.end())):
                text = text.replace("\1", '"')
                if len(re.findall(r"[A-Za-z']{2,}", re.sub(
                        r"%[-.*0-9]*(?:ll|z)?[a-zA-Z]|PRI\w+", " ", text))) >= 3:
                    out[text] = name
    return out


def messages(page):
    """The first cells of the tables of messages, as lists of their parts."""
    tables = page[page.index("## By message"):]
    rows = [r for r in re.findall(r"^\| (.+?) \|", tables, re.M)
            if r != "message" and not r.startswith("--")]
    return [(r, [p.strip(" ") for p in re.split(r"…|\bN\b", r)
                 if len(p.strip(' ":();,.')) > 2]) for r in rows]


def classes():
    """name: [next, counts, again], from the table in base/error.c."""
    code = read("host/base/error.c")
    rows = re.findall(r'\{(?:PBAY_E|ERR)_\w+, "(\w+)",\s*([YN]), ([YN]), ([YN]),',
                      code)
    return {name: [y == "Y" for y in (next_one, health, same)]
            for name, same, next_one, health in rows}


def test_messages(page):
    rows, code = messages(page), sources()
    unknown = [r for r, parts in rows if not parts or
               not all(p.strip('"') in code for p in parts)]
    assert not unknown, "not in the source: %s" % unknown
    texts = told()
    missing = ["%s: %s" % (where, t) for t, where in texts.items()
               if t not in PARTS and not any(max(parts, key=len).strip('"') in t
                                             for _, parts in rows)]
    assert not missing, "not explained:\n" + "\n".join(missing)
    assert not PARTS - set(texts), PARTS - set(texts)
    # The control: both comparisons can fail.
    assert not "a message of nobody" in code
    assert len(texts) > 80 and len(rows) > 90, (len(texts), len(rows))
    return len(rows), len(texts)


def test_classes(page):
    table = page[page.index("<!-- classes: begin -->"):
                 page.index("<!-- classes: end -->")]
    said = {m[0]: [x == "yes" for x in m[1:]] for m in re.findall(
        r"^\| `(\w+)` \| (yes|–) \| (yes|–) \| (yes|–) \| ", table, re.M)}
    real = classes()
    assert len(real) > 30 and said == real, [
        (n, said.get(n), real.get(n)) for n in set(said) | set(real)
        if said.get(n) != real.get(n)]
    return len(real)


def test_commands(pages):
    """Every command that they name is one, with the options that stand beside
    it."""
    asked, lines = 0, set(re.findall(r"\bpatchbay ([a-z]+(?: [a-z]+)?[^`\n#;|]*)",
                                     pages))
    for line in sorted(lines):
        verb = line.split()[0]
        p = subprocess.run([PATCHBAY, verb, "--help"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        assert p.returncode == 0, (line, p.stdout)
        for option in re.findall(r"--[a-z-]+", line):
            assert option in p.stdout, (line, option)
        word = line.split()[1:2]
        if word and re.search(r"^(usage:|      ) ?patchbay %s [a-z]+ \[" % verb,
                              p.stdout, re.M) and re.fullmatch("[a-z]+", word[0]):
            assert re.search(r"patchbay %s %s\b" % (verb, word[0]), p.stdout), line
        asked += 1
    assert asked > 10
    return asked


def test_links(name, page):
    """Anchors of the page itself and of those beside it are headings there."""
    def anchors(text):
        return {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-")
                for h in re.findall(r"^#+ (.+)$", text, re.M)}
    for path, anchor in re.findall(r"\]\(([^)#: ]*)(?:#([^)]*))?\)", page):
        if not path.endswith(".md") and path:
            continue
        place = os.path.normpath(os.path.join(os.path.dirname(name), path)) \
            if path else name
        assert not anchor or anchor in anchors(read(place)), (name, path, anchor)


def main():
    guide, page = read(GUIDE), read(TROUBLE)
    blocks = re.findall(r"```conf\n(.*?)```", guide, re.S)
    assert len(blocks) >= 2
    for block in blocks:
        status, said = check(block)
        assert status == 0, said + block
    # The control: a route to nowhere is not taken.
    status, said = check('routes = ( { name = "r"; targets = [ "no/m" ]; } );')
    assert status != 0 and "no/m" in said, said
    rows, texts = test_messages(page)
    test_commands(guide + page)
    test_links("host/manager/README.md", guide)
    test_links("host/manager/TROUBLESHOOTING.md", page)
    print("ok: %d configurations, %d messages explained for %d texts of the "
          "source, %d classes" % (len(blocks), rows, texts, test_classes(page)))


if __name__ == "__main__":
    sys.exit(main())
