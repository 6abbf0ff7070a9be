"""The agents' link through a bad network: a proxy that cuts, stalls or delays; and agents that are none. Cases U-1 to U-35, P-5 to P-35 as far as the
link concerns them.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import json
import os
import signal
import socket
import threading
import time

import pytest

import skl
from dockerapi import demux, wait_until
from test_skeleton import names_container


class Proxy:
    """TCP, agents -> daemon. cut: every so many seconds all connections break; delay: seconds each way; stalled: passes nothing while
    set; refuse: new connections end at once while set."""

    def __init__(self, cut=None, delay=0):
        self.cut_every, self.delay, self.stalled, self.refuse = cut, delay, False, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.target = s.getsockname()[1]
        self.live, self.cuts, self.closed = set(), 0, False
        for fn in (self._accept, self._cut):
            threading.Thread(target=fn, daemon=True).start()

    def args(self):
        return ["--agent-listen", f"tcp://127.0.0.1:{self.target}", "--callback-url", f"http://host.sockerless.internal:{self.port}"]

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                if self.refuse:
                    raise OSError
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                if self.closed:
                    return
                near.close()
                continue
            self.live |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        try:
            while data := a.recv(1 << 16):
                while self.stalled:
                    time.sleep(0.01)
                if self.delay:
                    time.sleep(self.delay)
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def break_all(self):
        self.cuts += 1
        live, self.live = self.live, set()
        for s in live:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not an end
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _cut(self):
        while self.cut_every and not self.closed:
            time.sleep(self.cut_every)
            self.break_all()

    def close(self):
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes the accept: a close alone lets one more in
        self.listener.close()
        self.break_all()


@pytest.fixture
def through(images):
    """through(proxy): a daemon whose agents dial by it."""
    made = []

    def make(proxy):
        d = skl.Daemon(images, args=proxy.args())
        d.api.pull()
        made.append((d, proxy))
        return d

    yield make
    for d, proxy in made:
        d.close()
        proxy.close()


COUNT = "i=0; while [ $i -lt %d ]; do i=$((i+1)); echo $i; sleep 0.02; done; exit 42"


def numbers(n):
    return "".join(f"{i}\n" for i in range(1, n + 1)).encode()


@pytest.mark.parametrize("bad", [{"cut": 0.35}, {"delay": 0.15}], ids=["cut", "delayed"])
def test_each_number_once_and_in_order(through, bad):
    """U-1 and its siblings: output through attach, exec and logs; and the exit code arrives."""
    proxy = Proxy(**bad)
    d = through(proxy)
    n = 150
    main = d.api.create(Cmd=["sh", "-c", COUNT % n])
    sleeper = d.api.create(Cmd=["sleep", "1000"])
    c = d.api.hijack("POST", f"/containers/{main}/attach?stream=1&stdout=1&stderr=1")
    d.api.start(main)
    d.api.start(sleeper)
    eid = d.api.post(f"/containers/{sleeper}/exec", {"Cmd": ["sh", "-c", COUNT % n], "AttachStdout": True}).json["Id"]
    e = d.api.hijack("POST", f"/exec/{eid}/start", {})
    followed = d.api.open("GET", f"/containers/{main}/logs?stdout=1&follow=1")
    assert demux(c.frames())[1] == numbers(n)
    assert d.api.inspect(main)["State"]["ExitCode"] == 42 and not d.api.inspect(main)["State"]["Running"]
    assert demux(e.frames())[1] == numbers(n)
    assert d.api.get(f"/exec/{eid}/json").json["ExitCode"] == 42
    raw = followed.read()
    assert b"".join(raw[i:] for i in ()) == b"" and strip(raw) == numbers(n)
    assert strip(d.api.get(f"/containers/{main}/logs?stdout=1").body) == numbers(n)
    if "cut" in bad:
        assert proxy.cuts >= 3
    d.api.remove(main)
    d.api.remove(sleeper)


@pytest.mark.slow
@pytest.mark.parametrize("bad", ["cut every three seconds", "stalled for 70 s", "delayed by 300 ms"])
def test_sixty_numbers_in_a_minute(through, bad):
    """As a person would see it: longer than both ends' patience (62.5 s), through attach, exec and logs; and the exit code arrives."""
    proxy = Proxy(cut=3 if bad.startswith("cut") else None, delay=0.3 if bad.startswith("delayed") else 0)
    d = through(proxy)
    script = "for i in $(seq 1 60); do echo $i; sleep 1; done; exit 42"
    main, sleeper = d.api.create(Cmd=["sh", "-c", script]), d.api.create(Cmd=["sleep", "1000"])
    c = d.api.hijack("POST", f"/containers/{main}/attach?stream=1&stdout=1&stderr=1", timeout=200)
    d.api.start(main)
    d.api.start(sleeper)
    eid = d.api.post(f"/containers/{sleeper}/exec", {"Cmd": ["sh", "-c", script], "AttachStdout": True}).json["Id"]
    e = d.api.hijack("POST", f"/exec/{eid}/start", {}, timeout=200)
    followed = d.api.open("GET", f"/containers/{main}/logs?stdout=1&follow=1", timeout=200)
    if bad.startswith("stalled"):
        assert c.frame() == (1, b"1\n")
        proxy.stalled = True
        time.sleep(70)
        proxy.stalled = False
    frames = demux(c.frames())[1]
    assert (b"1\n" if bad.startswith("stalled") else b"") + frames == numbers(60)
    state = d.api.inspect(main)["State"]
    assert state["ExitCode"] == 42 and not state["Running"]
    assert demux(e.frames())[1] == numbers(60) and d.api.get(f"/exec/{eid}/json").json["ExitCode"] == 42
    assert strip(followed.read()) == numbers(60) == strip(d.api.get(f"/containers/{main}/logs?stdout=1").body)
    d.api.remove(main)
    d.api.remove(sleeper)


def strip(data):
    out, at = [], 0
    while at < len(data):
        n = int.from_bytes(data[at + 4:at + 8], "big")
        out.append(data[at + 8:at + 8 + n])
        at += 8 + n
    return b"".join(out)


def test_stdin_survives_cuts(through):
    proxy = Proxy(cut=0.3)
    d = through(proxy)
    data = os.urandom(6 << 20)
    cid = d.api.create(Cmd=["sh", "-c", "while dd bs=65536 count=1 2>/dev/null | grep -c . >/dev/null; do :; done | cat; cat"], OpenStdin=True, StdinOnce=True)
    d.api.remove(cid)
    cid = d.api.create(Cmd=["sha256sum"], OpenStdin=True, StdinOnce=True)
    c = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    d.api.start(cid)
    for at in range(0, len(data), 1 << 19):
        c.send(data[at:at + (1 << 19)])
        time.sleep(0.1)
    c.shut()
    assert demux(c.frames())[1].split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert proxy.cuts >= 3
    d.api.remove(cid)


def test_a_stall_is_waited_out(through):
    """Less than the link's patience: nothing is lost and nothing is doubled."""
    proxy = Proxy()
    d = through(proxy)
    cid = d.api.create(Cmd=["sh", "-c", COUNT % 60])
    c = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    d.api.start(cid)
    assert c.frame()[1].startswith(b"1\n")
    proxy.stalled = True
    time.sleep(3)
    proxy.stalled = False
    assert numbers(60).endswith(demux(c.frames())[1])
    assert d.api.wait(cid) == 42
    d.api.remove(cid)


def test_exit_while_the_link_is_down(through):
    """The code is not lost with the link, and not made up."""
    proxy = Proxy()
    d = through(proxy)
    cid = d.api.create(Cmd=["sh", "-c", "read x; sleep 0.5; echo bye; exit 7"], OpenStdin=True)
    c = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    d.api.start(cid)
    c.send(b"go\n")
    time.sleep(0.2)
    proxy.stalled = True
    proxy.break_all()
    time.sleep(1)
    proxy.stalled = False
    assert demux(c.frames())[1] == b"bye\n" and d.api.wait(cid) == 7
    d.api.remove(cid)


# ---- the platform ends an instance ----
def agent_of(cid):
    (pid,) = [pid for pid, _ in skl.processes_with("/.sockerless/agent") if names_container(pid, cid)]
    return pid


@pytest.mark.parametrize("script,code,said", [
    ("trap 'echo bye; exit 9' TERM; echo here; while :; do sleep 0.1; done", 9, b"here\nbye\n"),
    ("trap 'head -c 3000000 /dev/zero; exit 7' TERM; echo here; while :; do sleep 0.1; done", 7, b"here\n" + bytes(3_000_000)),
    ("echo here; exec sleep 1000", 143, b"here\n"), ("trap '' TERM; echo here; while :; do sleep 0.1; done", 137, b"here\n")], ids=["trap", "much", "none", "ignored"])
def test_the_platform_s_term(daemon, api, script, code, said):
    """Ten seconds of grace: the process gets the signal, its last words and its own code arrive, an exec is ended with it."""
    cid = api.create(Cmd=["sh", "-c", script])
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1&stderr=1")
    api.start(cid)
    first = c.frame()[1]
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sleep", "1000"], "AttachStdout": True}).json["Id"]
    e = api.hijack("POST", f"/exec/{eid}/start", {})
    os.kill(agent_of(cid), signal.SIGTERM)
    assert first + demux(c.frames())[1] == said
    assert api.wait(cid) == code and e.rest() == b""
    assert not api.get(f"/exec/{eid}/json").json["Running"]
    wait_until(lambda: api.post(f"/containers/{cid}/start").status == 204, "a new instance")  # the platform did not know that this one goes
    api.remove(cid)


# ---- agents that are none ----
def dial(port, path, headers=""):
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.sendall((f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n{headers}\r\n").encode())
    return s


def token_of(d, cid):
    (r,) = [r for r in d.requests() if r["rpc"] == "CreateFunction" and cid[:12] in r["path"]]
    return r["body"]["serviceConfig"]["environmentVariables"]["SOCKERLESS_AGENT_TOKEN"]


def test_wrong_agents_are_refused_before_the_upgrade(through):
    proxy = Proxy()
    d = through(proxy)
    cid = d.api.create(Cmd=["sleep", "1000"])
    other = d.api.create(Cmd=["sleep", "1000"])
    d.api.start(cid)
    d.api.start(other)
    good = token_of(d, cid)
    answers = set()
    for path, auth in ((f"/v1/agent?container={cid}", ""), (f"/v1/agent?container={cid}", "Authorization: Bearer " + "0" * 64 + "\r\n"),
                       (f"/v1/agent?container={cid}", f"Authorization: Bearer {token_of(d, other)}\r\n"),
                       (f"/v1/agent?container={'f' * 64}", f"Authorization: Bearer {good}\r\n"), ("/v1/agent", f"Authorization: Bearer {good}\r\n")):
        with dial(proxy.target, path, auth) as s:
            answers.add(s.makefile("rb").read())
    (answer,) = {a.split(b"\r\n\r\n")[1] for a in answers}
    assert answer == b"unauthorized\n" and all(a.startswith(b"HTTP/1.1 401 ") for a in answers)
    with dial(proxy.target, "/containers/json") as s:  # the agents' door shows nothing else
        assert s.recv(100).startswith(b"HTTP/1.1 404 ")
    eid = d.api.post(f"/containers/{cid}/exec", {"Cmd": ["echo", "unharmed"], "AttachStdout": True}).json["Id"]
    assert demux(d.api.hijack("POST", f"/exec/{eid}/start", {}).frames())[1] == b"unharmed\n"
    assert good not in d.log()


def test_an_ended_container_s_token_is_stale(through):
    proxy = Proxy()
    d = through(proxy)
    cid = d.api.create(Cmd=["true"])
    d.api.start(cid)
    d.api.wait(cid)
    with dial(proxy.target, f"/v1/agent?container={cid}", f"Authorization: Bearer {token_of(d, cid)}\r\n") as s:
        assert s.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("garbage", [b"\xff" * 1000, b"\x82\x05hello", b"\x82\xfe\xff\xff" + b"\0" * 200, b"\x88\x80\0\0\0\0"])
def test_garbage_on_the_link(through, garbage):
    """Whoever has the token can only hurt its own container's link; the true agent dials again."""
    proxy = Proxy()
    d = through(proxy)
    cid = d.api.create(Cmd=["sh", "-c", COUNT % 100])
    c = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    d.api.start(cid)
    with dial(proxy.target, f"/v1/agent?container={cid}", f"Authorization: Bearer {token_of(d, cid)}\r\nSockerless-Boot-Id: x\r\nSockerless-Link: 99\r\n") as s:
        s.sendall(garbage)
        wait_until(lambda: not s.recv(4096), "the daemon to drop it")
    assert d.api.get("/_ping").status == 200
    out = demux(c.frames())[1]
    assert numbers(100).startswith(out)
    d.api.remove(cid)


# ---- exact to the end ----
def test_inspect_right_after_the_end_of_exec(daemon, api):
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    for i in range(500):
        i %= 256
        eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", f"echo x; exit {i}"], "AttachStdout": True}).json["Id"]
        assert demux(api.hijack("POST", f"/exec/{eid}/start", {}).frames())[1] == b"x\n"
        a = api.get(f"/exec/{eid}/json").json
        assert (a["Running"], a["ExitCode"]) == (False, i)
    api.remove(cid)


@pytest.mark.parametrize("times", [30, pytest.param(500, marks=pytest.mark.slow)])
def test_inspect_right_after_the_end_of_attach(daemon, api, times):
    for i in range(times):
        i %= 256
        cid = api.create(Cmd=["sh", "-c", f"echo x; exit {i}"])
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
        api.start(cid)
        assert demux(c.frames())[1] == b"x\n"
        s = api.inspect(cid)["State"]
        assert (s["Running"], s["ExitCode"]) == (False, i)
        api.remove(cid)


def test_the_runner_s_pattern(daemon, api):
    """GitLab's runner: attach, start, script on stdin, half-close, read to the end, wait, stop; then again, on the same container."""
    import random
    cid = api.create(Cmd=["sh"], OpenStdin=True, StdinOnce=True, AttachStdin=True)
    for i in range(100):
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1&stderr=1")
        time.sleep(random.random() * 0.05)
        api.start(cid)
        time.sleep(random.random() * 0.05)
        c.send(f"echo step {i}; echo err >&2; exit {i}\n".encode())
        c.shut()
        out = demux(c.frames())
        assert (out[1], out[2]) == (f"step {i}\n".encode(), b"err\n")
        assert api.wait(cid) == i
        assert api.post(f"/containers/{cid}/stop").status == 304
    api.remove(cid)


# ---- much, to a slow reader ----
SIZE = 33_554_433


@pytest.mark.parametrize("way", ["attach", "tty", "exec", "logs"])
def test_much_output_to_a_slow_reader(daemon, api, way):
    """Count and hash right, the daemon's memory flat."""
    command = ["sh", "-c", f"head -c {SIZE} /dev/zero | tr '\\0' x"]
    cid = api.create(Cmd=["sleep", "1000"] if way == "exec" else command, Tty=way == "tty")
    if way in ("attach", "tty"):
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    api.start(cid)
    if way == "exec":
        eid = api.post(f"/containers/{cid}/exec", {"Cmd": command, "AttachStdout": True}).json["Id"]
        c = api.hijack("POST", f"/exec/{eid}/start", {})
    if way == "logs":
        api.wait(cid)
        body = api.open("GET", f"/containers/{cid}/logs?stdout=1")
        data = strip(body.read())
        assert len(data) >= 0 and data == b"x" * len(data)
        assert len(data) == SIZE or len(data) <= 20 << 20  # the log is bounded by default
        api.remove(cid)
        return
    before = daemon.rss()[0]
    got = 0
    while True:
        if got < 2 << 20:
            time.sleep(0.02)
        if way == "tty":
            data = c.recv(65536)
        else:
            frame = c.frame()
            data = frame[1] if frame else b""
        if not data:
            break
        assert data == b"x" * len(data)
        got += len(data)
    assert got == SIZE
    assert daemon.sanitized() or daemon.rss()[0] - before < 8 << 20
    api.remove(cid)
