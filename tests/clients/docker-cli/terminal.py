"""The docker CLI in a pseudo-terminal: run -it, exec -it, start -ai, attach, resize, detach keys, ctrl-C, ctrl-D, signals.

SPDX-License-Identifier: Apache-2.0
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from casebook import case, until
from cli import docker


class Terminal:
    """A command in a pseudo-terminal."""

    def __init__(self, *argv, rows=24, cols=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.size(rows, cols)
        self.text = ""

    def size(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, pattern):
        end = time.time() + 30
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.time()))
            assert ready, f"no {pattern!r} in {self.text!r}"
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            assert data, f"ended without {pattern!r}: {self.text!r}"
            self.text += data.decode(errors="replace")
        before, self.text = self.text, ""
        return before

    def end(self):
        """Exit code, after reading what is left."""
        try:
            while True:
                ready, _, _ = select.select([self.fd], [], [], 30)
                if not ready:
                    os.kill(self.pid, signal.SIGKILL)
                    raise AssertionError("it does not end")
                if not os.read(self.fd, 65536):
                    break
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@case
def run_it():
    t = Terminal("docker", "run", "--rm", "-it", "busybox", "sh", rows=30, cols=100)
    t.read("# ")
    t.type("stty size\n")
    t.read("30 100")
    t.type("tty; exit 7\n")
    t.read("/dev/")
    assert t.end() == 7


@case
def run_it_follows_the_window():
    t = Terminal("docker", "run", "--rm", "-it", "busybox", "sh")
    t.read("# ")

    def resized():
        t.size(41, 133)  # again: the CLI asks for signals only after its first resize was answered
        t.type("stty size\n")
        return "41 133" in t.read(r"\d+ \d+\r\n")
    until(resized, "the resize")
    t.type("exit\n")
    assert t.end() == 0


@case
def ctrl_c_ends_the_command():
    t = Terminal("docker", "run", "--rm", "-it", "busybox", "sh", "-c", "trap 'echo caught; exit 9' INT; echo go; while :; do sleep 0.1; done")
    t.read("go")
    t.type("\x03")
    t.read("caught")
    assert t.end() == 9


@case
def ctrl_d_is_the_end_of_input():
    t = Terminal("docker", "run", "--rm", "-it", "busybox", "cat")
    t.type("line\n")
    t.read("line\r\nline\r\n")
    t.type("\x04")
    assert t.end() == 0


@case
def detach_and_attach_again():
    t = Terminal("docker", "run", "-it", "--name", "cli-detach", "busybox", "sh")
    t.read("# ")
    t.type("\x10\x11")
    assert t.end() == 0
    assert docker("inspect", "-f", "{{.State.Running}}", "cli-detach") == "true\n"
    t = Terminal("docker", "attach", "--detach-keys", "ctrl-a,x", "cli-detach")
    t.type("echo attached\n")
    t.read("attached\r\n")
    t.type("\x01x")
    assert t.end() != 9 and docker("inspect", "-f", "{{.State.Running}}", "cli-detach") == "true\n"
    docker("rm", "-f", "cli-detach")


@case
def exec_it():
    docker("run", "-d", "--name", "cli-exec", "busybox", "sleep", "1000")
    t = Terminal("docker", "exec", "-it", "cli-exec", "sh", rows=33, cols=99)
    t.read("# ")
    t.type("stty size; exit 5\n")
    t.read("33 99")
    assert t.end() == 5
    t = Terminal("docker", "exec", "-it", "cli-exec", "sh")
    t.read("# ")
    t.type("\x10\x11")
    t.end()
    docker("rm", "-f", "cli-exec")


@case
def start_ai():
    docker("create", "-it", "--name", "cli-start", "busybox", "sh", "-c", "read x; echo got $x; exit 3")
    t = Terminal("docker", "start", "-ai", "cli-start")
    t.type("it\n")
    t.read("got it")
    assert t.end() == 3
    docker("rm", "cli-start")


@case
def signals_are_proxied():
    p = subprocess.Popen(["docker", "run", "--rm", "busybox", "sh", "-c", "trap 'echo term; exit 6' TERM; echo go; while :; do sleep 0.1; done"],
                         stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "go\n"
    p.send_signal(signal.SIGTERM)
    assert p.stdout.read() == "term\n" and p.wait(30) == 6


@case
def exec_it_follows_the_window_and_ctrl_c():
    docker("run", "-d", "--name", "cli-win", "busybox", "sleep", "1000")
    t = Terminal("docker", "exec", "-it", "cli-win", "sh")
    t.read("# ")

    def resized():
        t.size(44, 144)
        t.type("stty size\n")
        return "44 144" in t.read(r"\d+ \d+\r\n")
    until(resized, "the resize")
    t.type("sh -c 'echo ar''med; exec sleep 3000'\n")
    t.read("armed\r\n")  # by the command itself, which has the terminal by then
    t.type("\x03")
    t.read("# ")  # the shell is back: ctrl-C was the command's
    t.type("\x04")
    t.end()
    assert docker("inspect", "-f", "{{.State.Running}}", "cli-win") == "true\n"
    docker("rm", "-f", "cli-win")


@case
def detach_keys_of_an_exec():
    docker("run", "-d", "--name", "cli-keys", "busybox", "sleep", "1000")
    t = Terminal("docker", "exec", "-it", "--detach-keys", "ctrl-e,q", "cli-keys", "sh", "-c", "echo up; sleep 2000")
    t.read("up")
    t.type("\x05q")
    t.end()
    assert "sleep 2000" in docker("top", "cli-keys")
    docker("rm", "-f", "cli-keys")


@case
def a_terminal_without_input():
    out = docker("run", "--rm", "-t", "busybox", "sh", "-c", "test -t 1 && echo terminal", text=False)
    assert out == b"terminal\r\n", out


@case
def a_terminal_moves_much():
    t = Terminal("docker", "run", "--rm", "-it", "busybox", "sh", "-c", "seq 1 20000; echo END")
    text = ""
    while "END" not in text:
        text += t.read(r"(?s).")
    assert text.replace("\r", "").split() == [str(i) for i in range(1, 20001)] + ["END"]
    assert t.end() == 0


@case
def attach_sees_what_comes_and_proxies_signals():
    docker("run", "-d", "--name", "cli-att", "busybox", "sh", "-c", "trap 'echo usr; exit 4' USR1; while :; do echo tick; sleep 0.1; done")
    p = subprocess.Popen(["docker", "attach", "cli-att"], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "tick\n"
    p.send_signal(signal.SIGUSR1)
    assert "usr\n" in p.stdout.read() and p.wait(30) == 4
    docker("rm", "cli-att")


@case
def two_terminals_on_one_container():
    docker("run", "-dit", "--name", "cli-two", "busybox", "sh")
    one, two = Terminal("docker", "attach", "cli-two"), Terminal("docker", "attach", "cli-two")
    for t in (one, two):  # both are there when they see what they type
        t.type("echo h''ere\n")
        t.read("here")
    one.type("echo $((40 + 2))\n")
    one.read("42")
    two.read("42")
    two.type("exit 3\n")
    assert (one.end(), two.end()) == (3, 3)
    docker("rm", "cli-two")
