"""systemd's side of the daemon: sockets passed as descriptors, readiness, and the unit files. The manager here is a fake one.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import drivers
import skl
from dockerapi import Api, wait_until


class Manager:
    """Starts the daemon as systemd does: sockets from descriptor 3 on, LISTEN_PID, NOTIFY_SOCKET."""

    def __init__(self, abstract=False):
        self.dir = tempfile.mkdtemp(prefix="skl-manager-")
        name = os.path.join(self.dir, "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind("\0" + name if abstract else name)
        self.notify.settimeout(skl.TIMEOUT)
        self.notify_name = "@" + name if abstract else name
        self.log = os.path.join(self.dir, "log")
        self.sockets, self.pid = [], None

    def listen_unix(self, name="api.sock"):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.bind(os.path.join(self.dir, name))
        s.listen(16)
        self.sockets.append(s)
        return "unix://" + os.path.join(self.dir, name)

    def listen_tcp(self, address="127.0.0.1"):
        s = socket.create_server((address, 0))
        self.sockets.append(s)
        return f"tcp://{address}:{s.getsockname()[1]}"

    def start(self, *args, listen_pid=None):
        argv = [skl.program("sockerlessd"), "--driver", "null", "--driver-dir", os.path.join(skl.BUILD, "plugins"), "--state-dir",
                os.path.join(self.dir, "state"), "--agent-listen", "tcp://127.0.0.1:0", *args]
        self.pid = os.fork()
        if self.pid == 0:
            self.become(argv, listen_pid)

    def become(self, argv, listen_pid):
        try:
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            fds = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(self.sockets)]
            for i, fd in enumerate([log, log]):
                os.dup2(fd, i + 1)
            for i, fd in enumerate(fds):
                os.dup2(fd, 3 + i)
            os.closerange(3 + len(fds), 256)
            os.execve(argv[0], argv, dict(os.environ, LISTEN_PID=str(listen_pid or os.getpid()), LISTEN_FDS=str(len(fds)),
                                          NOTIFY_SOCKET=self.notify_name))
        finally:
            os._exit(127)

    def told(self):
        return self.notify.recv(4096).decode()

    def wait(self):
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def close(self):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        for s in [*self.sockets, self.notify]:
            s.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def manager():
    m = Manager()
    yield m
    m.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_socket_activation_and_readiness(abstract):
    m = Manager(abstract)
    try:
        api = Api(m.listen_unix())
        early = socket.socket(socket.AF_UNIX)  # the client that made systemd start it: it waits in the queue
        early.settimeout(skl.TIMEOUT)
        early.connect(m.sockets[0].getsockname())
        early.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        m.start("--host", "fd://")
        assert m.told() == "READY=1", m.text()
        assert early.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        assert api.get("/_ping").status == 200
        os.kill(m.pid, signal.SIGTERM)
        assert m.told() == "STOPPING=1"
        assert m.wait() == 0
        assert os.path.exists(m.sockets[0].getsockname()), "the socket is systemd's, it stays"
    finally:
        m.close()


def test_restart_on_the_same_socket(manager):
    """What connects between two daemons is served by the second."""
    api = Api(manager.listen_unix())
    for _ in range(2):
        manager.start("--host", "fd://")
        assert manager.told() == "READY=1"
        assert api.get("/_ping").status == 200
        os.kill(manager.pid, signal.SIGTERM)
        assert manager.told() == "STOPPING=1" and manager.wait() == 0


def test_two_sockets_and_one_of_its_own(manager):
    own = "unix://" + os.path.join(manager.dir, "own.sock")
    hosts = [manager.listen_unix(), manager.listen_tcp(), own]
    manager.start("--host", "fd://", "--host", own)
    assert manager.told() == "READY=1"
    for host in hosts:
        assert Api(host).get("/_ping").status == 200


def test_one_descriptor_of_two(manager):
    hosts = [manager.listen_unix("a"), manager.listen_unix("b")]
    manager.start("--host", "fd://4")
    assert manager.told() == "READY=1"
    assert Api(hosts[1]).get("/_ping").status == 200
    assert manager.text().count("listening on descriptor") == 1


def test_tcp_beyond_loopback_is_refused(manager):
    manager.listen_tcp("0.0.0.0")
    manager.start("--host", "fd://")
    assert manager.wait() == 1 and "refusing to listen on 0.0.0.0" in manager.text()


@pytest.mark.parametrize("host", ["fd://", "fd://3", "fd://7"])
def test_nothing_was_passed(manager, host):
    if host == "fd://7":
        manager.listen_unix()
    manager.start("--host", host, listen_pid=None if host == "fd://7" else 1)
    assert manager.wait() == 1 and "fd://: no such socket was passed (LISTEN_FDS, LISTEN_PID)" in manager.text()


def test_reload_keeps_serving(manager):
    api = Api(manager.listen_unix())
    manager.start("--host", "fd://")
    assert manager.told() == "READY=1"
    os.kill(manager.pid, signal.SIGHUP)
    wait_until(lambda: api.get("/_ping").status == 200, "an answer")


# ---- unit files ----
@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The unit files as they are installed, with a daemon that exists."""
    top = str(tmp_path_factory.mktemp("units"))
    drivers.make("install-dist_systemdunitDATA", "install-nodist_systemdunitDATA", DESTDIR=top)
    for d, _, files in os.walk(top):
        if "sockerless.service" in files:
            path = os.path.join(d, "sockerless.service")
            with open(path) as f:
                text = f.read()
            sbindir = os.path.join(drivers.makefile_variable("prefix"), "sbin")
            assert f"ExecStart={sbindir}/sockerlessd --host fd:// " in text and "Type=notify" in text
            with open(path, "w") as f:
                f.write(text.replace(f"ExecStart={sbindir}/", f"ExecStart={skl.BUILD}/"))
            return d
    raise AssertionError("no unit was installed")


def analyze(*args):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    done = subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, timeout=skl.TIMEOUT,
                          env=dict(os.environ, SYSTEMD_LOG_LEVEL="warning"))
    return done.returncode, done.stdout + done.stderr


def test_units_are_valid(units):
    code, text = analyze("verify", "--man=no", os.path.join(units, "sockerless.service"), os.path.join(units, "sockerless.socket"))
    ours = [line for line in text.splitlines() if "sockerless" in line]
    assert code == 0 and ours == [], text


def test_sandbox_is_tight(units):
    code, text = analyze("security", "--offline=yes", "--threshold=20", os.path.join(units, "sockerless.service"))
    level = re.search(r"Overall exposure level for sockerless.service: (\S+)", text)
    assert level and code == 0, text[-2000:]
    assert float(level[1]) <= 2.0


def test_unit_flags_exist(units):
    """Each flag of ExecStart is one of the daemon's."""
    with open(os.path.join(units, "sockerless.service")) as f:
        line = re.search(r"^ExecStart=(.*)$", f.read(), re.M)[1]
    known = drivers.run([skl.program("sockerlessd"), "--help"])
    for flag in re.findall(r"--[a-z-]+", line.partition(" ")[2]):
        assert flag in known
