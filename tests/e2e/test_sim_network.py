"""Networks of functions: used again, apart from each other, and gone with the simulator.

SPDX-License-Identifier: Apache-2.0
"""
import os
import socket
import struct

import pytest

import skl
from dockerapi import wait_until
from gate import Bell

ADDRESS = "ip -4 addr show eth0 | sed -n 's/ *inet \\([0-9.]*\\).*/\\1/p'"


def interface_to(address):
    """The host's interface to a function's address, or None."""
    want = "%08X" % struct.unpack("=I", socket.inet_aton(address))[0]
    with open("/proc/net/route") as f:
        return next((line.split()[0] for line in f if line.split()[1] == want), None)


@pytest.fixture(name="bell")
def bell_fixture():
    bell = Bell()
    yield bell
    bell.close()


def address_of_a_run(d):
    return d.docker("run", "--rm", "busybox", "sh", "-c", ADDRESS, check=True).stdout.strip()


def test_used_again_and_gone_at_the_end(images):
    d = skl.Daemon(images)
    try:
        seen = [address_of_a_run(d) for _ in range(15)]
        assert len(set(seen)) < 10, "each run had a network of its own making"
        links = {interface_to(a) for a in seen} - {None}
        assert links
    finally:
        d.close()
    wait_until(lambda: not [name for name in links if os.path.exists("/sys/class/net/" + name)], "the interfaces to go")


def test_nothing_of_the_one_before_is_left(images):
    """A listener in the background does not outlive its function."""
    d = skl.Daemon(images)
    try:
        d.docker("run", "--rm", "busybox", "sh", "-c", "nc -l -p 7777 & sleep 0.1", check=True)
        for _ in range(6):
            out = d.docker("run", "--rm", "busybox", "sh", "-c", "netstat -ant | grep -c 7777; nc -l -p 7777 & sleep 0.05; "
                           "netstat -ant | grep -c 7777", check=True, timeout=skl.TIMEOUT).stdout.split()
            assert out == ["0", "1"], "the port is free"
    finally:
        d.close()


def test_both_on_port_80(images, bell):
    d = skl.Daemon(images)
    try:
        d.api.pull()
        ids = [d.api.create(Cmd=["sh", "-c", f"mkdir /www; echo {i} >/www/index.html; httpd -p 80 -h /www; {bell.wait}; true"], Env=bell.env)
               for i in "ab"]
        for cid in ids:
            d.api.start(cid)
        for i, cid in zip("ab", ids):
            wait_until(lambda: d.docker("exec", cid, "wget", "-q", "-O", "-", "http://127.0.0.1/").stdout == f"{i}\n", "its own page")
        bell.ring(2)
        assert [d.api.wait(cid) for cid in ids] == [0, 0]
    finally:
        d.close()
