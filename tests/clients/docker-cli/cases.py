"""The docker CLI, every command group once, and sessions in a pseudo-terminal: run -it, exec -it, resize, detach keys, ctrl-C, attach.

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
import traceback

CASES = []
SKIPS = {
    "build, buildx": "functions are run, not built: 501 with the way out",
    "commit, diff": "a function's file system keeps no record and can't be made an image: 501",
    "save, load, import, push": "the daemon holds no layers: 501",
    "swarm, service, stack, node, secret, config": "no swarm: 503, as a daemon that is in none",
    "port, reached": "a function has no inbound port",
}


def case(fn):
    CASES.append(fn)
    return fn


def docker(*args, code=0, stdin=None):
    done = subprocess.run(["docker", *args], capture_output=True, text=True, timeout=60, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None)
    assert done.returncode == code, (args, done.returncode, done.stdout[-400:], done.stderr[-400:])
    return done.stdout


def until(test, what="it"):
    end = time.time() + 30
    while not test():
        assert time.time() < end, what + " did not happen"
        time.sleep(0.02)


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
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


# ---- terminals ----
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
    t = Terminal("docker", "run", "--rm", "-it", "busybox", "sh", "-c", "echo go; trap 'echo caught; exit 9' INT; while :; do sleep 0.1; done")
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
    p = subprocess.Popen(["docker", "run", "--rm", "busybox", "sh", "-c", "echo go; trap 'echo term; exit 6' TERM; while :; do sleep 0.1; done"],
                         stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "go\n"
    p.send_signal(signal.SIGTERM)
    assert p.stdout.read() == "term\n" and p.wait(30) == 6


# ---- command groups ----
@case
def containers():
    docker("create", "--name", "cli-c", "--label", "cli=1", "busybox", "sh", "-c", "echo out; sleep 1000")
    docker("start", "cli-c")
    until(lambda: docker("logs", "cli-c") == "out\n", "the log")
    assert re.search(r"cli-c\s*$", docker("ps", "--filter", "label=cli"), re.M)
    assert "sleep 1000" in docker("top", "cli-c") and "cli-c" in docker("stats", "--no-stream", "cli-c")
    docker("pause", "cli-c")
    assert "(Paused)" in docker("ps")
    docker("unpause", "cli-c")
    docker("rename", "cli-c", "cli-d")
    docker("update", "--memory", "128m", "--memory-swap", "256m", "cli-d")
    docker("restart", "-t", "0", "cli-d")
    docker("kill", "-s", "KILL", "cli-d")
    assert docker("wait", "cli-d") == "137\n" and "Exited (137)" in docker("ps", "-a")
    docker("rm", "cli-d")


@case
def healthcheck_shows():
    docker("run", "-d", "--name", "cli-h", "--health-cmd", "true", "--health-interval", "200ms", "busybox", "sleep", "1000")
    until(lambda: "(healthy)" in docker("ps"), "health")
    docker("rm", "-f", "cli-h")


@case
def restart_policy():
    docker("run", "-d", "--name", "cli-r", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 3")
    until(lambda: docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "cli-r") == "2 exited\n", "the last restart")
    docker("rm", "cli-r")


@case
def images():
    assert "busybox" in docker("images") and "busybox" in docker("image", "ls", "--format", "{{.Repository}}")
    docker("tag", "busybox", "cli-tag:1")
    assert docker("rmi", "cli-tag:1") == "Untagged: cli-tag:1\n"
    docker("image", "inspect", "busybox")
    docker("history", "busybox")
    docker("image", "prune", "-f")


@case
def networks():
    docker("network", "create", "--subnet", "10.99.0.0/24", "--label", "cli=1", "cli-net")
    docker("run", "-d", "--name", "cli-n", "--network", "cli-net", "--network-alias", "al", "busybox", "sleep", "1000")
    assert docker("inspect", "-f", "{{(index .NetworkSettings.Networks \"cli-net\").IPAddress}}", "cli-n").startswith("10.99.0.")
    assert "cli-n" in docker("network", "inspect", "cli-net")
    docker("network", "rm", "cli-net", code=1)
    docker("network", "disconnect", "cli-net", "cli-n")
    docker("network", "connect", "cli-net", "cli-n")
    docker("rm", "-f", "cli-n")
    docker("network", "rm", "cli-net")
    docker("network", "prune", "-f")


@case
def volumes():
    docker("volume", "create", "--label", "cli=1", "cli-vol")
    assert docker("volume", "ls", "-q", "--filter", "label=cli") == "cli-vol\n"
    docker("create", "--name", "cli-v", "-v", "cli-vol:/data", "-v", "/anonymous", "busybox", "true")
    docker("volume", "rm", "cli-vol", code=1)
    docker("rm", "-v", "cli-v")
    docker("volume", "rm", "cli-vol")
    assert docker("volume", "ls", "-q") == ""


@case
def copying():
    docker("run", "-d", "--name", "cli-cp", "busybox", "sleep", "1000")
    docker("cp", "/etc/hostname", "cli-cp:/tmp/h")
    assert docker("exec", "cli-cp", "cat", "/tmp/h") == open("/etc/hostname").read()
    assert len(docker("cp", "cli-cp:/tmp/h", "-")) >= 1024
    docker("rm", "-f", "cli-cp")


@case
def events_and_system():
    since = str(time.time() - 0.5)
    docker("run", "--rm", "--label", "cliev", "busybox", "true")
    seen = docker("events", "--since", since, "--until", str(time.time() + 0.2), "--filter", "label=cliev", "--filter", "type=container", "--format", "{{.Action}}")
    assert seen.split() == ["create", "attach", "start", "die", "destroy"], seen
    assert "Images" in docker("system", "df")
    docker("system", "prune", "-f", "--filter", "label=nosuch")


@case
def contexts_of_errors():
    for args, text in ((("inspect", "nosuch"), "No such object: nosuch"), (("start", "nosuch"), "No such container: nosuch"),
                       (("exec", "nosuch", "true"), "No such container: nosuch"), (("build", "-q", "/etc/cron.d"), "")):
        done = subprocess.run(["docker", *args], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode != 0 and text in done.stderr, (args, done.stderr)


def main():
    print("version -", docker("version", "-f", "{{.Client.Version}}").strip())
    for fn in CASES:
        try:
            fn()
            print("ok -", fn.__name__, flush=True)
        except Exception:
            print("not ok -", fn.__name__ + ":", traceback.format_exc(limit=-2).replace("\n", " | "), flush=True)
            names = [n for n in docker("ps", "-aq", "--filter", "name=cli-").split()]
            if names:
                docker("rm", "-f", *names)
    for name, why in SKIPS.items():
        print("skip -", name + ":", why)


if __name__ == "__main__":
    main()
