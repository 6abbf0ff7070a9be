"""sockerless-agent on its own, over a unix socket, with an ordinary HTTP/2 tool (curl): no daemon, no function. agent/README.md is what it is held to.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import io
import json
import os
import signal
import socket
import subprocess
import tarfile

import pytest

import skl
from dockerapi import wait_until

STDOUT, STDERR, EXIT = 1, 2, 3


class Agent:
    def __init__(self, directory, preexec_fn=None):
        self.socket = os.path.join(directory, "agent.sock")
        self.process = subprocess.Popen([skl.program("sockerless-agent"), "--listen-unix", self.socket], stdin=subprocess.DEVNULL,
                                        env={"PATH": os.environ["PATH"]}, preexec_fn=preexec_fn)
        wait_until(self.listens, "the agent to listen")

    def listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.socket) == 0

    def curl(self, method, path, body=None, *more):
        """(status, body bytes)"""
        args = ["curl", "-sS", "--http2-prior-knowledge", "--unix-socket", self.socket, "-X", method, "-m", "60", "-w", "\n%{http_code}", *more, "http://agent" + path]
        if method == "HEAD":
            args[args.index("-X"):args.index("-X") + 2] = ["-I"]
        if body is not None:
            args += ["--data-binary", "@-"]
        done = subprocess.run(args, input=body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b"", capture_output=True, timeout=90)
        out, _, status = done.stdout.rpartition(b"\n")
        return int(status), out

    def json(self, method, path, body=None):
        status, out = self.curl(method, path, body)
        return status, json.loads(out) if out else None

    def output(self, path):
        """[(kind, payload)] of an output resource, to its exit record."""
        status, data = self.curl("GET", path)
        assert status == 200
        records = []
        while data:
            n = int.from_bytes(data[4:8], "big")
            records.append((data[0], data[16:16 + n]))
            data = data[16 + n:]
        return records

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0


@pytest.fixture
def agent(tmp_path):
    a = Agent(str(tmp_path))
    yield a
    a.close()


def spec(*argv, **more):
    return dict(argv=list(argv), env=["PATH=" + os.environ["PATH"]], **more)


def text(records, kind=STDOUT):
    return b"".join(p for k, p in records if k == kind)


def code(records):
    kind, payload = records[-1]
    assert kind == EXIT
    return int.from_bytes(payload[:4], "big", signed=True)


def test_hello(agent):
    status, hello = agent.json("GET", "/hello")
    assert status == 200 and hello["protocol"] == 1 and hello["process"]["state"] == "idle" and hello["execs"] == []


def test_a_process_its_output_and_its_end(agent):
    assert agent.json("POST", "/process", spec("sh", "-c", "echo out; echo err >&2; exit 7"))[0] == 200
    records = agent.output("/process/output?from=0")
    assert (text(records), text(records, STDERR), code(records)) == (b"out\n", b"err\n", 7)
    status, p = agent.json("GET", "/process")
    assert p["state"] == "exited" and p["exit"]["code"] == 7
    assert agent.json("POST", "/process", spec("true"))[0] == 409


@pytest.mark.parametrize("argv,status,exit_code,message", [
    (["nosuchcmd"], 404, 127, 'exec: "nosuchcmd": executable file not found in $PATH'), (["/etc/passwd"], 403, 126, "permission denied"),
    (["/nosuch/x"], 404, 127, "no such file or directory"),
])
def test_what_can_not_be_started(agent, argv, status, exit_code, message):
    got, answer = agent.json("POST", "/process", spec(*argv))
    assert got >= 400 and answer["exit_code"] == exit_code and message in answer["message"], answer


@pytest.mark.parametrize("signo,want", [(15, 143), (9, 137), (10, 138), (37, 165)])
def test_signals_and_their_codes(agent, signo, want):
    agent.json("POST", "/process", spec("sleep", "1000"))
    assert agent.json("POST", "/process/signal", {"signal": signo})[0] < 300
    assert code(agent.output("/process/output?from=0")) == want
    assert agent.json("POST", "/process/signal", {"signal": 65})[0] == 400


def test_exit_codes_are_untouched(agent):
    agent.json("POST", "/process", spec("sleep", "1000"))
    for n in (0, 1, 2, 125, 126, 127, 128, 255):
        agent.json("POST", f"/exec/{n:064x}", spec("sh", "-c", f"exit {n}"))
        assert code(agent.output(f"/exec/{n:064x}/output?from=0")) == n


def test_stdin_and_its_end(agent):
    agent.json("POST", "/process", spec("cat", open_stdin=True))
    status, answer = agent.curl("POST", "/process/input?from=0", b"x" * 3_000_000)
    assert status == 200 and json.loads(answer) == {"taken": 3_000_000, "open": False}
    records = agent.output("/process/output?from=0")
    assert text(records) == b"x" * 3_000_000 and code(records) == 0


def test_input_resumes_at_its_offset(agent):
    agent.json("POST", "/process", spec("cat", open_stdin=True))
    assert agent.curl("POST", "/process/input?from=0&eof=0", b"0123456789")[0] == 200
    assert agent.curl("POST", "/process/input?from=4", b"456789abc")[0] == 200  # what it has is skipped
    assert text(agent.output("/process/output?from=0")) == b"0123456789abc"
    for _ in range(20):  # curl loses an answer when a reset comes with it before its body is out: a short body is let come
        assert agent.curl("POST", "/process/input?from=99", b"z")[0] == 409


def test_output_resumes_at_its_offset(agent):
    agent.json("POST", "/process", spec("sh", "-c", "echo one; echo two"))
    wait_until(lambda: agent.json("GET", "/process")[1]["state"] == "exited", "the end")
    whole = agent.curl("GET", "/process/output?from=0")[1]
    assert agent.curl("GET", f"/process/output?from={len(whole) + 1}")[0] == 409


def test_a_terminal(agent):
    agent.json("POST", "/process", spec("sh", "-c", "stty size; tty; read x; echo got $x", tty=True, open_stdin=True, size=[30, 100]))
    agent.curl("POST", "/process/input?from=0&eof=0", b"it\n")
    out = text(agent.output("/process/output?from=0"))
    assert b"30 100\r\n" in out and b"/dev/pts/" in out and b"got it\r\n" in out  # the echo of what is typed comes when it comes


def test_orphans_are_reaped_and_do_not_hold_the_end(agent):
    agent.json("POST", "/process", spec("sh", "-c", "(sleep 0.2; echo late) & echo early"))
    records = agent.output("/process/output?from=0")
    assert text(records) in (b"early\n", b"early\nlate\n") and code(records) == 0


def test_users(agent):
    agent.json("POST", "/process", spec("sleep", "1000"))
    for n, (user, want) in enumerate((("nobody", b"65534 65534\n"), ("1234:5", b"1234 5\n"), ("0", b"0 0\n"))):
        agent.json("POST", f"/exec/{n + 16:064x}", spec("sh", "-c", "echo $(id -u) $(id -g)", user=user))
        assert text(agent.output(f"/exec/{n + 16:064x}/output?from=0")) == want
    status, answer = agent.json("POST", f"/exec/{99:064x}", spec("true", user="nosuch"))
    assert status >= 400 and "unable to find user nosuch" in answer["message"]


def test_files(agent, tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo("f")
        info.size = 5
        t.addfile(info, io.BytesIO(b"hello"))
    where = tmp_path / "in"
    where.mkdir()
    assert agent.curl("PUT", f"/archive?path={where}", out.getvalue())[0] == 200
    assert (where / "f").read_bytes() == b"hello"
    status, tar = agent.curl("GET", f"/archive?path={where}/f")
    assert tarfile.open(fileobj=io.BytesIO(tar)).extractfile("f").read() == b"hello"
    head = agent.curl("HEAD", f"/archive?path={where}/f")[1].decode().lower()
    stat = [line.partition(": ")[2].strip() for line in agent.curl("HEAD", f"/archive?path={where}/f")[1].decode().splitlines()
            if line.lower().startswith("x-docker-container-path-stat")]
    assert "200" in head and json.loads(base64.b64decode(stat[0]))["size"] == 5
    assert agent.curl("GET", f"/archive?path={where}/nope")[0] == 404 and agent.curl("GET", "/nosuch")[0] == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"argv":7}', b'{"argv":[]}', b'{"argv":["a\\u0000b"]}', b'{"argv":["x"],"size":[1]}', b'{"argv":["x"],"env":"y"}', b"x" * 100])
def test_what_is_no_request(agent, body):
    status, answer = agent.curl("POST", "/process", body)
    assert 400 <= status < 500 and json.loads(answer)["message"]
    assert agent.json("GET", "/hello")[0] == 200


def test_garbage_instead_of_http2(agent):
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(agent.socket)
            s.sendall(data)
            while s.recv(4096):
                pass
    assert agent.json("GET", "/hello")[0] == 200
