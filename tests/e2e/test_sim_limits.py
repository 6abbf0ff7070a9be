"""Memory and CPU of functions, where control groups allow: set, felt, and gone with the instance.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os
import signal
import subprocess

import pytest

import skl
from dockerapi import wait_until
from simgoogle import Google, inside

TOP = "/sys/fs/cgroup"
GREEDY = "trap : USR1; while :; do nc -l -p $PORT -e /bin/true; done & while :; do sleep 0.1; [ -e /tmp/eat ] && { rm /tmp/eat; head -c 300m /dev/zero | tail -c 299m >/dev/null; echo ate $?; }; done"


def writable():
    probe = os.path.join(TOP, "memory" if os.path.isdir(TOP + "/memory") else "", f"skl-probe-{os.getpid()}")
    try:
        os.mkdir(probe)
        good = any(os.path.exists(os.path.join(probe, name)) for name in ("memory.limit_in_bytes", "memory.max"))
        os.rmdir(probe)
        return good
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not writable(), reason="no memory controller that may be used here")


def groups(pid):
    """{controller or "": directory} of the groups that are ours."""
    found = {}
    with open(f"/proc/{pid}/cgroup") as f:
        for line in f:
            _, controllers, path = line.strip().split(":", 2)
            if "/sockerless-" in path:
                found[controllers] = os.path.join(TOP, controllers, path.lstrip("/"))
    return found


def content(directory, *names):
    for name in names:
        if os.path.exists(os.path.join(directory, name)):
            with open(os.path.join(directory, name)) as f:
                return f.read().strip()
    raise AssertionError(f"{directory} has none of {names}")


def start(g, name, **limits):
    op = g.done(g.ok("POST", f"{g.services}?serviceId={name}", {"template": {"containers": [{
        "image": "busybox", "command": ["sh", "-c", GREEDY], "resources": {"limits": limits}}]}}))
    return wait_until(lambda: g.call("GET", op["response"]["uri"]) and inside(g, name), "the instance")[0]


def left(g):
    ours = subprocess.run(["sh", "-c", "printf %s \"$0\" | sha256sum", g.state], capture_output=True, text=True).stdout[:16]
    return glob.glob(f"{TOP}/*/sockerless-{ours}") + glob.glob(f"{TOP}/sockerless-{ours}")


def test_limits_hold_and_go(images):
    g = Google(images)
    try:
        pid = start(g, "greedy", memory="128Mi", cpu="0.5")
        where = groups(pid)
        memory = where.get("memory") or where[""]
        assert content(memory, "memory.limit_in_bytes", "memory.max") == str(128 << 20)
        cpu = next(d for c, d in where.items() if c in ("cpu", "cpu,cpuacct", ""))
        assert content(cpu, "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
        with open(f"/proc/{pid}/root/tmp/eat", "w"):
            pass

        def said():
            return [e["textPayload"] for e in g.ok("POST", "/v2/entries:list", {"resourceNames": [f"projects/{skl.PROJECT}"]}).get("entries", [])]

        wait_until(lambda: [t for t in said() if t.startswith("ate ")], "it to have eaten")
        assert "ate 0" not in said()  # the kernel ended it
        other = start(g, "modest")
        assert not groups(other)  # it says nothing, so there is no limit
        g.done(g.ok("DELETE", f"{g.services}/greedy"))
        wait_until(lambda: not os.path.exists(memory) and not os.path.exists(cpu), "the groups to go", timeout=skl.TIMEOUT)
        assert left(g)
    finally:
        g.close()
    assert not left(g)


@pytest.mark.parametrize("word, has", [("memory", {"memory"}), ("none", set())])
def test_limits_that_are_not_wanted(images, word, has):
    g = Google(images, "--limits", word)
    try:
        where = groups(start(g, "chosen", memory="256Mi", cpu="1"))
        assert set(where) == (has if "" not in where else {""})
    finally:
        g.close()


def test_a_kill_leaves_no_groups(images):
    g = Google(images)
    try:
        assert groups(start(g, "killed", memory="256Mi", cpu="1")) and left(g)
        g.process.send_signal(signal.SIGKILL)
        g.process.wait(skl.TIMEOUT)
        wait_until(lambda: not left(g), "the warden to remove them")
    finally:
        skl.shutil.rmtree(g.dir, ignore_errors=True)
