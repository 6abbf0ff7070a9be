"""kill -9 at random instants of a random workload: chaos.py. SKL_CRASH_CYCLES says how many (scripts/check-slow: 300),
SKL_CRASH_SEED repeats one that failed.

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import threading
import time

import pytest

from chaos import COUNT, Chaos, counted
from dockerapi import wait_until
from test_recovery import logs, restart, stdout_of

CYCLES = int(os.environ.get("SKL_CRASH_CYCLES", "8"))


@pytest.fixture
def seed():
    n = int(os.environ.get("SKL_CRASH_SEED", random.randrange(1 << 32)))
    print(f"SKL_CRASH_SEED={n}")
    return n


def test_kill_9_at_random_instants(house, seed):
    chaos = Chaos(house, seed)
    for i in range(CYCLES):
        print("cycle", i)
        chaos.cycle()
    done = sum(w.done for w in chaos.workers)
    print(done, "steps")
    assert done > CYCLES
    chaos.clear()


# ---- several clients on the same containers ----
ASKED = ["start", "stop?t=0", "stop?t=1", "kill", "restart?t=0", "restart?t=1", "pause", "unpause", "kill?signal=USR1"]


def pester(api, boxes, rng):
    """A client that asks for this and that until the daemon is gone."""
    while True:
        try:
            api.post(f"/containers/{rng.choice(boxes)}/{rng.choice(ASKED)}")
        except (OSError, EOFError, ValueError):
            return


def usable(house, cid):
    """It runs, or can be made to, and an exec gets in."""
    state = house.api.inspect(cid)["State"]
    if state["Status"] == "paused":
        house.api.post(f"/containers/{cid}/unpause")
    elif not state["Running"]:
        answer = house.api.post(f"/containers/{cid}/start")
        assert answer.status in (204, 304), answer
    elif state["Status"] == "running":
        return house.docker("exec", cid, "echo", "in").stdout == "in\n"
    return False


def test_no_container_is_stuck_after_kill_9(house, seed):
    api, rng = house.api, random.Random(seed)
    command = ["sh", "-c", "trap 'exit 5' TERM; " + COUNT]
    boxes = [api.create(Cmd=command, HostConfig={"RestartPolicy": {"Name": p}}) for p in ("no", "always", "unless-stopped", "on-failure")]
    for i in range(CYCLES):
        clients = [threading.Thread(target=pester, args=(api, boxes, random.Random(f"{seed}-{i}-{k}")), daemon=True) for k in range(4)]
        for c in clients:
            c.start()
        time.sleep(rng.uniform(0, 0.5))  # the random instant
        restart(house)
        for c in clients:
            c.join(60)
            assert not c.is_alive(), "a request hangs on a dead daemon"
        for cid in boxes:
            wait_until(lambda: usable(house, cid), "the container to be usable")
            counted(stdout_of(logs(api, cid)))
    for cid in boxes:
        assert api.remove(cid).status == 204
    wait_until(lambda: not house.cloud.functions())


# ---- what a life costs ----
def test_lives_leave_nothing_open(house):
    """Descriptors and memory of the daemon, after some hundred runs, execs, followers and kills."""
    api = house.api
    keep = api.create(Cmd=["sh", "-c", "echo x; exec sleep 1000"])

    def life(n):
        for i in range(n):
            cid = api.create(Cmd=["sh", "-c", "echo hi; exit 3"], Volumes={"/v": {}})
            api.start(cid)
            assert api.wait(cid) == 3
            api.get(f"/containers/{cid}/logs?stdout=1&follow=1")
            api.remove(cid, volumes=True)
            api.start(keep)
            assert house.docker("exec", keep, "true").returncode == 0
            assert api.post(f"/containers/{keep}/kill").status == 204

    life(20)  # pools and caches are filled
    fds, memory = house.fds(), house.rss()[0]
    life(60)
    wait_until(lambda: house.fds() <= fds + 2, f"descriptors to be closed: {fds} before")
    assert house.sanitized() or house.rss()[0] <= memory + 2 * 1024 * 1024
