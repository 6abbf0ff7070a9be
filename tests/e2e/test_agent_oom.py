"""A process that the kernel kills for want of memory: sockerless-agent in a memory cgroup of its own.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re

import pytest

import skl
from test_agent_alone import EXIT, Agent, code, spec
from test_api_events import Watch
from test_skeleton import names_container

LIMIT = 96 << 20


def memory_cgroup():
    """(directory we may make cgroups in, name of the limit's file), or None."""
    with open("/proc/self/cgroup") as f:
        lines = f.read()
    v1 = re.search(r":memory:(.*)", lines)
    places = [("/sys/fs/cgroup/memory" + v1.group(1), "memory.limit_in_bytes")] if v1 else []
    v2 = re.search(r"^0::(.*)", lines, re.M)
    places += [("/sys/fs/cgroup" + v2.group(1), "memory.max")] if v2 else []
    for place, limit in places:
        ours = os.path.join(place, f"skl-{os.getpid()}")
        try:
            os.mkdir(ours)
        except OSError:
            continue
        if os.path.exists(os.path.join(ours, limit)):
            return ours, limit
        os.rmdir(ours)
    return None


@pytest.fixture
def small(tmp_path):
    """An agent with little memory for all that is in its cgroup."""
    made = memory_cgroup()
    if made is None:
        pytest.skip("no memory cgroup can be made here")
    directory, limit = made
    with open(os.path.join(directory, limit), "w") as f:
        f.write(str(LIMIT))

    def enter():
        with open(os.path.join(directory, "cgroup.procs"), "w") as f:
            f.write("0")
    a = Agent(str(tmp_path), preexec_fn=enter)
    yield a
    a.close()
    skl.eventually(lambda: os.rmdir(directory))


def test_killed_for_want_of_memory(small):
    small.json("POST", "/process", spec("sh", "-c", "exec tail -n 1 < /dev/zero"))
    records = small.output("/process/output?from=0")
    assert code(records) == 137
    status, p = small.json("GET", "/process")
    assert p["exit"] == {"code": 137, "signal": 9, "oom": True, "reason": ""}
    assert records[-1][0] == EXIT and int.from_bytes(records[-1][1][8:12], "big") & 1


def test_killed_by_somebody(small):
    """SIGKILL alone does not mean it."""
    small.json("POST", "/process", spec("sleep", "1000"))
    small.json("POST", f"/exec/{1:064x}", spec("sh", "-c", "tail -n 1 < /dev/zero; exit 3"))  # a child of an exec is
    assert code(small.output(f"/exec/{1:064x}/output?from=0")) == 3
    small.json("POST", f"/exec/{2:064x}", spec("sh", "-c", "kill -9 $$"))
    assert code(small.output(f"/exec/{2:064x}/output?from=0")) == 137
    assert small.json("GET", f"/exec/{2:064x}")[1]["exit"]["oom"] is False
    small.json("POST", "/process/signal", {"signal": 9})
    assert code(small.output("/process/output?from=0")) == 137


def test_a_container_that_is_killed_for_want_of_memory(daemon):
    """State.OOMKilled, exit code 137, the event oom before die."""
    made = memory_cgroup()
    if made is None:
        pytest.skip("no memory cgroup can be made here")
    directory, limit = made
    with open(os.path.join(directory, limit), "w") as f:
        f.write(str(LIMIT))
    api = daemon.api
    cid = api.create(Cmd=["sh", "-c", "echo here; read x; exec tail -n 1 < /dev/zero"], OpenStdin=True)
    w = Watch(api, container=[cid])
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    api.start(cid)
    assert c.frame() == (1, b"here\n")
    for pid in processes_of(cid):
        with open(os.path.join(directory, "cgroup.procs"), "w") as f:
            f.write(str(pid))
    c.send(b"go\n")
    assert api.wait(cid) == 137
    state = api.inspect(cid)["State"]
    assert (state["OOMKilled"], state["ExitCode"], state["Status"]) == (True, 137, "exited")
    assert [e["Action"] for e in w.until("die")][-2:] == ["oom", "die"]
    api.remove(cid)
    skl.eventually(lambda: os.rmdir(directory))


def processes_of(cid):
    """The agent and its children."""
    (agent,) = [pid for pid, _ in skl.processes_with("/.sockerless/agent") if names_container(pid, cid)]
    with open(f"/proc/{agent}/task/{agent}/children") as f:
        return [agent, *map(int, f.read().split())]
