"""The agents' way to the daemon breaks, again and again, also across kill -9: nothing is lost, nothing comes twice.

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import threading
import time

import pytest

import skl
from chaos import COUNT, counted
from dockerapi import demux, wait_until
from gate import Gate
from test_recovery import lines, logs, restart, run, stdout_of


@pytest.fixture
def cut(images, cloud):
    """A house and the gate between its agents and the daemon."""
    gate = Gate()
    d = skl.Daemon(images, cloud=cloud, agents_gate=gate.port)
    gate.target = ("127.0.0.1", d.agents_port)
    d.api.pull()
    yield d, gate
    d.close()
    gate.close()


class Cutter(threading.Thread):
    """Breaks every link at random instants until the block ends."""

    def __init__(self, gate, seed=1):
        super().__init__(daemon=True)
        self.gate, self.rng, self.over, self.cuts = gate, random.Random(seed), threading.Event(), 0

    def run(self):
        while not self.over.wait(self.rng.uniform(0.02, 0.3)):
            self.gate.shut()
            self.gate.open()
            self.cuts += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.join()


def test_output_over_cut_links(cut):
    house, gate = cut
    api, last = house.api, 1_000_000
    cid = run(api, "sh", "-c", f"seq 1 {last}; {COUNT}")
    small = run(api, "sh", "-c", COUNT)
    with Cutter(gate) as cutter:
        wait_until(lambda: cutter.cuts > 20)
        restart(house)
        wait_until(lambda: cutter.cuts > 40)
    wait_until(lambda: logs(api, cid, "stdout=1&tail=1") and len(lines(api, cid)) > last + 50)
    for c in (cid, small):
        assert api.post(f"/containers/{c}/kill").status == 204
        assert api.wait(c) == 137
    got = lines(api, cid)
    assert got[:last] == [b"%d" % i for i in range(1, last + 1)]
    counted(b"\n".join(got[last:]) + b"\n")
    counted(stdout_of(logs(api, small)))


def through(conn, data):
    """What comes back of the data that goes in, slowly enough that links are cut meanwhile."""
    def feed():
        for at in range(0, len(data), 50_000):
            conn.send(data[at:at + 50_000])
            time.sleep(0.02)
        conn.shut()

    threading.Thread(target=feed, daemon=True).start()
    return demux(conn.frames())[1]


def test_stdin_and_exec_over_cut_links(cut):
    """Megabytes in at stdin and out again, through a container and through an exec."""
    house, gate = cut
    api, data = house.api, os.urandom(3_000_000)
    cid = api.create(Cmd=["cat"], OpenStdin=True, StdinOnce=True)
    attached = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    api.start(cid)
    box = run(api, "sleep", "1000")
    made = api.post(f"/containers/{box}/exec", {"Cmd": ["sh", "-c", "cat; exit 6"], "AttachStdin": True, "AttachStdout": True})
    execed = api.hijack("POST", f"/exec/{made.json['Id']}/start", {"Detach": False, "Tty": False})
    with Cutter(gate, 2) as cutter:
        for conn in (attached, execed):
            cuts = cutter.cuts
            assert through(conn, data) == data
            assert cutter.cuts > cuts + 3
    assert api.wait(cid) == 0
    wait_until(lambda: api.get(f"/exec/{made.json['Id']}/json").json["ExitCode"] == 6)
    assert api.remove(box).status == 204


def test_exits_while_the_link_is_cut(cut):
    house, gate = cut
    api = house.api
    with Cutter(gate, 3):
        for code in range(1, 15):
            cid = run(api, "sh", "-c", f"echo a; sleep 0.1; echo b; exit {code}")
            assert api.wait(cid) == code
            assert lines(api, cid) == [b"a", b"b"]
            assert api.remove(cid).status == 204
    wait_until(lambda: not house.cloud.functions())
