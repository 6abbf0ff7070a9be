"""The simulator as an ordinary user: what it can do in a user namespace, and how it says what it can't.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

import skl
from dockerapi import wait_until
from simgoogle import Google, inside

NOBODY = 65534
SU = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def may(*argv):
    return subprocess.run([*SU, *argv], capture_output=True).returncode == 0


pytestmark = [pytest.mark.skipif(not may("unshare", "-Ur", "true"), reason="ordinary users can't make user namespaces here"),
              pytest.mark.skipif(not may("test", "-x", skl.program("sockerless-gcp-simulator")), reason="the build tree is not everybody's to read")]


class Ordinary(Google):
    def __init__(self, *args):  # pylint: disable=super-init-not-called
        self.dir = tempfile.mkdtemp(prefix="skl-cloud-")
        self.state, self.port_file, self.images = (os.path.join(self.dir, x) for x in ("state", "port", "images"))
        layout = os.path.join(self.dir, "layout")
        subprocess.run([os.path.join(skl.TOP, "tests/images/mkbusybox"), layout], check=True)
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.dir], check=True)
        subprocess.run([*SU, skl.program("sockerless-gcp-simulator"), "image", "--images", self.images, "import", "busybox", layout], check=True, cwd=self.dir)
        self.start(*args)

    def start(self, *args):
        argv = [*SU, skl.program("sockerless-gcp-simulator"), "--docker-runtime", "--listen", "127.0.0.1:0", "--port-file", self.port_file, "--state-dir", self.state,
                "--images", self.images, *args]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.dir)
        wait_until(lambda: os.path.exists(self.port_file), "the simulator to come up")
        with open(self.port_file) as f:
            self.url = "http://127.0.0.1:" + f.read().strip()

    def log(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()


@pytest.fixture
def g():
    cloud = Ordinary()
    yield cloud
    cloud.close()


def test_functions_run(g):
    assert "not run as root: functions have the host's network, no memory or CPU limits, and no users but one" in g.log()
    uris = [g.serve(name) for name in ("ours-1", "ours-2")]  # two at once, on the host's network: each has a port of its own
    for uri in uris:
        a = g.call("POST", uri, "hello")
        assert a.status == 200 and a.body.endswith(b"\n0 /\n5"), a.body
    pid = inside(g, "ours-1")[0]
    assert os.stat(f"/proc/{pid}").st_uid == NOBODY
    op = g.create("with-agent", {"buildConfig": {"runtime": "docker"}, "serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": "busybox"}}})
    a = g.call("POST", op["response"]["serviceConfig"]["uri"], "{}")
    assert a.status == 200 and a.headers["X-Sockerless-Exit-Code"] == "0"


def test_a_kill_leaves_nothing(g):
    assert g.call("GET", g.serve("ours-3")).status == 200
    pids = inside(g, "ours-3")
    g.process.send_signal(signal.SIGKILL)
    g.process.wait(skl.TIMEOUT)
    wait_until(lambda: not os.listdir(os.path.join(g.state, "instances")) and not any(os.path.exists(f"/proc/{p}/root/srv.sh") for p in pids), "the warden")
    os.unlink(g.port_file)
    g.start()
    assert g.call("GET", g.ok("GET", f"{g.services}/ours-3")["uri"]).status == 200


def test_what_is_not_possible_is_said(g, images):
    done = subprocess.run([*SU, skl.program("sockerless-gcp-simulator"), "--listen", "127.0.0.1:0", "--state-dir", g.dir + "/other", "--network", "isolated"],
                          capture_output=True, text=True, timeout=30, cwd=g.dir)
    assert done.returncode == 1 and "a network for each function takes root" in done.stderr
    store = g.dir + "/roots-images"
    shutil.copytree(images, store, symlinks=True)  # root's
    os.chmod(store, 0o755)
    g.process.send_signal(signal.SIGTERM)
    assert g.process.wait(skl.TIMEOUT) == 0
    os.unlink(g.port_file)
    g.start("--images", store)
    op = g.done(g.ok("POST", f"{g.services}?serviceId=theirs", {"template": {"containers": [{"image": "busybox"}]}}))
    a = g.call("GET", op["response"]["uri"])
    assert a.status == 500 and b"belong to another user" in a.body


class Daemon(skl.Daemon):
    def command(self):
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.dir], check=True)
        return [*SU, "env", f"HOME={self.dir}", f"XDG_RUNTIME_DIR={self.dir}", *super().command()]


def test_the_whole_house(g):
    """sockerlessd --simulator of a user who is nobody in particular."""
    d = Daemon(g.images)
    try:
        d.api.pull()
        done = d.docker("run", "--rm", "-i", "busybox", "sh", "-c", "cat; id -u; exit 5", input="through stdin\n")
        assert (done.returncode, done.stdout) == (5, "through stdin\n0\n"), done.stderr
        done = d.docker("run", "--rm", "--user", "1000", "busybox", "true")
        assert done.returncode != 0 and "setting user 1000" in done.stderr, done.stderr
    finally:
        d.close()
