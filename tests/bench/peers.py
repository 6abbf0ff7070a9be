"""Daemons to measure: ours, Debian's dockerd and podman. Each on a directory of its own, ended with everything it started.

    peer = start("dockerd", images)    # None: not installed, or it does not come up here (peer_why() says which)
    peer.api, peer.socket, peer.config(...), peer.resident(), peer.close()

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import skl  # noqa: E402
from dockerapi import Api, wait_until  # noqa: E402

NAMES = ("sockerless", "dockerd", "podman")
CONTAINERS_CONF = "[containers]\ndefault_ulimits = []\npids_limit = 0\n"


class Unchecked(Api):
    """Peers' answers are theirs: nobody compares them with the specification."""

    def _check(self, method, path, answer):
        pass


class Ours:
    name, network = "sockerless", None

    def __init__(self, images):
        self.daemon = skl.Daemon(images, args=["--log-level", "warn"])
        self.socket, self.api, self.pid = self.daemon.socket, Unchecked(self.daemon.host), self.daemon.process.pid
        self.api.pull()

    def start_seconds(self):
        self.daemon.stop()
        began = time.monotonic()
        self.daemon.spawn()
        while not self.daemon.answers():
            time.sleep(0.0005)
        self.pid = self.daemon.process.pid
        return time.monotonic() - began

    def close(self):
        self.daemon.close()


class Peer:
    network = "none"  # neither is given a bridge here

    def __init__(self, name):
        self.name, self.dir = name, tempfile.mkdtemp(prefix="bench-")
        self.socket = os.path.join(self.dir, "s.sock")
        self.api = Unchecked("unix://" + self.socket, version="1.41")
        self.spawn()
        wait_until(self.answers, f"{name} to answer", 60)
        self.load_image()

    def command(self):
        d = self.dir
        if self.name == "dockerd":
            return ["dockerd", "--data-root", d + "/data", "--exec-root", d + "/exec", "--pidfile", d + "/pid", "-H", "unix://" + self.socket,
                    "--bridge=none", "--iptables=false", "--ip6tables=false", "--exec-opt", "native.cgroupdriver=cgroupfs"]
        # crun refuses a hybrid hierarchy of cgroups: out of its sight, in a mount namespace, it is an ordinary one
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh", "podman",
                "--root", d + "/root", "--runroot", d + "/run", "--storage-driver", "overlay", "--runtime", "crun", "--cgroup-manager",
                "cgroupfs", "--events-backend", "file", "--tmpdir", d + "/tmp", "system", "service", "-t", "0", "unix://" + self.socket]

    def spawn(self):
        conf = os.path.join(self.dir, "containers.conf")
        with open(conf, "w") as f:
            f.write(CONTAINERS_CONF)
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                            env=dict(os.environ, CONTAINERS_CONF=conf))
        self.pid = self.process.pid

    def answers(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.dir, "log"), errors="replace") as f:
                raise AssertionError(f.read()[-400:])
        try:
            return self.api.get("/_ping").status == 200
        except OSError:
            return False

    def load_image(self):
        tree = os.path.join(self.dir, "layout")
        subprocess.run([os.path.join(skl.TOP, "tests/images/mkbusybox"), tree], check=True)
        layer = max((os.path.join(tree, "blobs/sha256", b) for b in os.listdir(os.path.join(tree, "blobs/sha256"))), key=os.path.getsize)
        with open(layer, "rb") as f:
            answer = self.api.post("/images/create?fromSrc=-&repo=busybox&tag=latest", f.read(), headers={"Content-Type": "application/x-tar"})
        assert answer.status == 200, answer

    def end_daemon(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def start_seconds(self):
        self.end_daemon()
        began = time.monotonic()
        self.spawn()
        while not self.answers():
            time.sleep(0.0005)
        return time.monotonic() - began

    def close(self):
        self.end_daemon()
        for pid, _ in skl.processes_with(self.dir):  # shims and monitors
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not skl.processes_with(self.dir), "what the peer started to end", 30)
        for mount in sorted(skl.mounts_below(self.dir), reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def start(name, images):
    """(daemon, None) or (None, why not)."""
    if name == "sockerless":
        return Ours(images), None
    if shutil.which(name) is None:
        return None, "not installed"
    try:
        return Peer(name), None
    except AssertionError as e:
        return None, f"does not come up here: {e}"
