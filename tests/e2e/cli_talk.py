#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A conversation on a terminal (a pseudo-terminal), against the scripted control
socket of cli_fake_host.py: its commands, its history, ctrl-C, and that an answer
can't send escape sequences to the terminal."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATCHBAY = os.environ.get("PATCHBAY", "./patchbay")
BOUND = float(os.environ.get("PATCHBAY_TEST_BOUND", "20"))


class Terminal:
    """`patchbay chat` on a terminal of its own."""

    def __init__(self, args, env):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(PATCHBAY, [PATCHBAY] + args, env)

    def expect(self, text):
        """Wait for text; what came before it is returned and forgotten."""
        want = text.encode()
        end = time.monotonic() + BOUND
        while want not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"no {text!r} after {self.seen!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"ended; no {text!r} in {self.seen!r}")
            self.seen += data
        before, self.seen = self.seen.split(want, 1)
        return before

    def send(self, text):
        os.write(self.fd, text.encode())

    def ask(self, text):
        """Wait for the prompt, then write a line."""
        self.expect("> ")
        self.send(text + "\r")

    def status(self):
        end = time.monotonic() + BOUND
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError("it does not end")
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Test:
    def __init__(self, work):
        self.work = work
        self.sock = os.path.join(work, "c.sock")
        self.log = os.path.join(work, "log")
        open(self.log, "w").close()
        self.env = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", HOME=work,
                        XDG_STATE_HOME=os.path.join(work, "state"))
        self.fake = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "cli_fake_host.py"),
             self.sock, self.log], stdout=subprocess.PIPE)
        assert self.fake.stdout.readline() == b"ready\n"

    def close(self):
        self.fake.terminate()
        self.fake.wait()

    def talk(self, *args, **env):
        return Terminal(["--control", self.sock, "chat"] + list(args),
                        dict(self.env, **env))

    def lines(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read().splitlines()

    def until_logged(self, word):
        end = time.monotonic() + BOUND
        while word not in self.lines():
            assert time.monotonic() < end, f"{word} is not in the log"
            time.sleep(0.02)

    def last_chat(self):
        chats = [json.loads(x) for x in self.lines() if x.startswith("{")]
        return [x for x in chats if x["verb"] == "chat"][-1]["args"]["body"]

    # --- the tests ---

    def test_turns(self):
        """Each question takes the whole conversation along."""
        t = self.talk("-m", "fake/one", "-s", "Be kind.")
        t.expect("/help lists the commands")
        t.ask("hello there")
        t.expect("Hello, wörld")
        t.ask("hello ägain")
        t.expect("Hello, wörld")
        t.ask("/quit")
        assert t.status() == 0
        body = self.last_chat()
        assert body["model"] == "fake/one" and body["stream"] is True
        assert [(m["role"], m["content"]) for m in body["messages"]] == [
            ("system", "Be kind."), ("user", "hello there"),
            ("assistant", "Hello, wörld"), ("user", "hello ägain")], body

    def test_commands(self):
        t = self.talk()
        t.ask("/model")
        t.expect("(the host chooses)")
        t.ask("/model fake/two")
        t.expect("fake/two\r\n")
        t.ask("/system Speak plainly.")
        t.expect("Speak plainly.\r\n")
        t.ask("hello")
        t.expect("wörld")
        assert self.last_chat()["model"] == "fake/two"
        assert self.last_chat()["messages"][0]["content"] == "Speak plainly."
        t.ask("/system -")
        t.expect("(no instructions)")
        t.ask("/retry")
        t.expect("wörld")
        assert [m["role"] for m in self.last_chat()["messages"]] == ["user"]
        t.ask("/usage")
        t.expect("(shown after each answer)")
        t.ask("hello more")
        t.expect("route:  fake/one")
        t.ask("/clear")
        t.expect("(forgotten)")
        t.ask("/retry")
        t.expect("nothing has been asked yet")
        t.ask("/modle")
        t.expect("did you mean /model?")
        t.ask("/help")
        for name in ("model", "system", "image", "retry", "clear", "save",
                     "usage", "help", "quit"):
            t.expect("/" + name)
        t.ask("//slash")
        t.expect("wörld")
        assert self.last_chat()["messages"][-1]["content"] == "/slash"
        t.ask("two\\")
        t.expect(". ")
        t.send("lines\r")
        t.expect("wörld")
        assert self.last_chat()["messages"][-1]["content"] == "two\nlines"
        t.expect("> ")
        t.send("\x04")
        assert t.status() == 0

    def test_save(self):
        name = os.path.join(self.work, "talk.md")
        t = self.talk()
        t.ask("hello a\\")
        t.expect(". ")
        t.send("b\r")
        t.expect("wörld")
        t.ask("/save " + name)
        t.expect("(saved)")
        with open(name, encoding="utf-8") as f:
            assert f.read() == "> hello a\n> b\n\nHello, wörld\n\n"
        assert os.stat(name).st_mode & 0o777 == 0o600
        t.ask("/save " + name)
        t.expect("(saved)")
        t.ask("/save " + self.log)
        t.expect("is there already")
        t.ask("/save " + name + ".json")
        t.expect("(saved)")
        with open(name + ".json", encoding="utf-8") as f:
            assert [m["role"] for m in json.load(f)] == ["user", "assistant"]
        t.ask("/quit")
        assert t.status() == 0

    def test_interrupt(self):
        """Ctrl-C ends the answer, not the conversation; what was seen of it
        stays part of that."""
        t = self.talk()
        t.ask("silence")
        t.expect("one moment")
        self.until_logged("silent")
        t.send("\x03")
        self.until_logged("cancel")
        t.ask("hello")
        t.expect("wörld")
        assert [m["content"] for m in self.last_chat()["messages"]] == [
            "silence", "one moment", "hello"]
        t.expect("> ")
        t.send("half a line\x03")
        t.expect("^C")
        t.ask("hello whole")
        t.expect("wörld")
        assert self.last_chat()["messages"][-1]["content"] == "hello whole"
        t.ask("/quit")
        assert t.status() == 0

    def test_failure(self):
        """A failed question is left out, or asked again by /retry."""
        t = self.talk()
        t.ask("cut")
        t.expect("half an ans\r\n")
        t.expect("the answer was cut")
        t.expect("/retry asks again")
        t.ask("/retry")
        t.expect("the answer was cut")
        t.ask("gone")
        t.expect("the host ended before its answer was complete")
        t.ask("hello")
        t.expect("wörld")
        assert [m["content"] for m in self.last_chat()["messages"]] == ["hello"]
        t.ask("/quit")
        assert t.status() == 0

    def test_harmless(self):
        """No byte of an answer is a control of the terminal."""
        t = self.talk()
        t.ask("escape")
        t.expect("a^[]0;title^Gb<U+009B>c^Md\r\ne^?\tf")
        t.ask("/quit")
        assert t.status() == 0
        # The same without a conversation, errors included.
        t = self.talk("escape")
        t.expect("a^[]0;title^Gb<U+009B>c^Md\r\ne^?\tf")
        assert t.status() == 0
        raw = subprocess.run(
            [PATCHBAY, "--control", self.sock, "chat", "escape"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
            env=self.env).stdout
        assert raw == "a\x1b]0;title\x07b\x9bc\rd\r\ne\x7f\tf\n".encode(), raw

    def test_own_host(self):
        """The same without a running host: ctrl-C ends the answer, and the host
        in the process answers the next question."""
        env = dict(self.env, PATCHBAY_CONTROL=os.path.join(self.work, "none"),
                   XDG_CONFIG_HOME=self.work, XDG_RUNTIME_DIR=self.work,
                   PATCHBAY_PLUGIN_PATH=os.environ["PATCHBAY_PROVIDERS"])
        t = Terminal(["chat", "-m", "loopback/echo"], env)
        t.ask("good morning")
        t.expect("\r\ngood morning\r\n")
        t.ask("/model loopback/lorem?fault=stall@3")
        t.ask("go on")
        t.expect("go on\r\n")
        t.expect(" ")  # between the answer's first words
        t.send("\x03")
        t.ask("/model loopback/echo")
        t.ask("still there")
        t.expect("\r\nstill there\r\n")
        t.ask("/quit")
        assert t.status() == 0

    def test_history(self):
        """Kept between conversations, for the user's eyes only; or not."""
        name = os.path.join(self.work, "state/patchbay/history")
        shutil.rmtree(os.path.dirname(name), ignore_errors=True)
        t = self.talk("--no-history")
        t.ask("hello secret")
        t.expect("wörld")
        t.ask("/quit")
        assert t.status() == 0 and not os.path.exists(name)
        t = self.talk()
        t.ask("hello kept")
        t.expect("wörld")
        t.ask("/quit")
        assert t.status() == 0
        assert os.stat(name).st_mode & 0o777 == 0o600
        assert os.stat(os.path.dirname(name)).st_mode & 0o777 == 0o700
        with open(name, encoding="utf-8") as f:
            assert f.read() == "hello kept\n/quit\n"
        t = self.talk()
        t.expect("> ")
        t.send("\x1b[A\x1b[A\r")  # up, up
        t.expect("wörld")
        assert self.last_chat()["messages"][-1]["content"] == "hello kept"
        t.ask("/quit")
        assert t.status() == 0
        # A long one is cut back to the newest lines.
        with open(name, "w", encoding="utf-8") as f:
            f.writelines(f"line {i}\n" for i in range(3000))
        t = self.talk()
        t.ask("/quit")
        assert t.status() == 0
        with open(name, encoding="utf-8") as f:
            lines = f.read().splitlines()
        assert (len(lines), lines[0], lines[-1]) == (
            1001, "line 2000", "/quit"), lines[:3]
        # One that is not a file is told, and the conversation goes on.
        os.remove(name)
        os.symlink("/dev/null", name)
        t = self.talk()
        t.expect("no history is kept")
        t.ask("/quit")
        assert t.status() == 0


def main():
    work = tempfile.mkdtemp(prefix="patchbay-talk.")
    test = Test(work)
    failed = 0
    try:
        names = [n for n in dir(test) if re.match("test_", n)]
        assert names
        for name in names:
            try:
                getattr(test, name)()
                print("ok  ", name, flush=True)
            except AssertionError as e:
                failed += 1
                print("FAIL", name, e, flush=True)
    finally:
        test.close()
        shutil.rmtree(work)
    return failed != 0


sys.exit(main())
