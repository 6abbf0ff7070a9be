"""kill -9 of the daemon and a new start on the same state directory, while the cloud goes on (DESIGN.md 7, issue 4).

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import os
import re
import sqlite3
import subprocess
import time
from urllib.parse import quote

import pytest

import skl
from dockerapi import wait_until
from gate import Bell, Gate

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"


@pytest.fixture
def bell():
    b = Bell()
    yield b
    b.close()


def wall(text):
    """Docker's time as seconds since the epoch."""
    whole, _, rest = text.rstrip("Z").partition(".")
    at = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc).timestamp()
    return at + float("0." + (rest or "0"))


def logs(api, cid, query="stdout=1"):
    return api.get(f"/containers/{cid}/logs?{query}").body


def stdout_of(body):
    """What the frames carry (they are all of one stream)."""
    at, pieces = 0, []
    while at < len(body):
        n = int.from_bytes(body[at + 4:at + 8], "big")
        pieces.append(body[at + 8:at + 8 + n])
        at += 8 + n
    return b"".join(pieces)


def lines(api, cid):
    """The whole lines that a TTY-less container wrote to stdout."""
    return stdout_of(logs(api, cid)).split(b"\n")[:-1]


def is_count(got):
    assert got == [b"%d" % i for i in range(len(got))], got[:5]
    return True


def restart(house):
    house.kill9()
    house.start()


def run(api, *cmd, **config):
    cid = api.create(Cmd=list(cmd), **config)
    api.start(cid)
    return cid


def wait_running_again(api, cid):
    """Its agent is connected: an exec gets through."""
    def reached():
        a = api.post(f"/containers/{cid}/exec", {"Cmd": ["true"]})
        return a.status == 201 and api.post(f"/exec/{a.json['Id']}/start", {"Detach": True}).status == 200
    wait_until(reached, "the agent to dial the new daemon")


# ---- running containers ----
def test_running_containers_still_run_and_lose_no_line(house):
    api = house.api
    cid = run(api, "sh", "-c", COUNT)
    wait_until(lambda: len(lines(api, cid)) > 20)
    before = api.inspect(cid)["State"]
    for _ in range(3):
        restart(house)
        state = api.inspect(cid)["State"]
        assert state["Running"] and state["StartedAt"] == before["StartedAt"] and state["FinishedAt"] == before["FinishedAt"]
        had = len(lines(api, cid))
        wait_until(lambda: len(lines(api, cid)) > had + 50)
        is_count(lines(api, cid))
    assert api.post(f"/containers/{cid}/kill").status == 204
    assert api.wait(cid) == 137
    assert is_count(lines(api, cid))


def test_a_burst_while_the_daemon_is_away(house, bell):
    """More than a socket's buffers, less than the agent keeps."""
    api = house.api
    cid = run(api, "sh", "-c", f"echo go; {bell.wait}; seq 1 20000; {bell.wait}; exit 3", Env=bell.env)
    wait_until(lambda: lines(api, cid) == [b"go"])
    house.kill9()
    bell.ring()
    house.start()
    wait_until(lambda: len(lines(api, cid)) == 20001)
    bell.ring()
    assert api.wait(cid) == 3
    assert lines(api, cid) == [b"go"] + [b"%d" % i for i in range(1, 20001)]


def test_a_torrent_over_three_daemons(house):
    """Megabytes, as fast as they come, through rotation and kill -9: complete where nothing was rotated away."""
    api = house.api
    limits = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "200k", "max-file": "3"}}}
    last = 2_000_000
    whole = run(api, "seq", "1", str(last))
    part = run(api, "seq", "1", str(last), HostConfig=limits)
    for _ in range(3):
        had = logs(api, whole, "stdout=1&tail=1")
        wait_until(lambda: logs(api, whole, "stdout=1&tail=1") != had or not api.inspect(whole)["State"]["Running"])
        restart(house)
    assert api.wait(whole) == 0 and api.wait(part) == 0
    assert lines(api, whole) == [b"%d" % i for i in range(1, last + 1)]
    got = lines(api, part)
    assert len(got) > 1000 and got[1:] == [b"%d" % i for i in range(last + 2 - len(got), last + 1)]


def test_everything_is_told_the_same_after_kill_9(house):
    """What inspect and the lists say of all there is, to the byte."""
    api = house.api
    api.post("/images/busybox/tag?repo=other.example/box&tag=v1")
    api.post("/volumes/create", {"Name": "data", "Labels": {"K": "v \u00e9"}, "DriverOpts": {"o": "x"}})
    net = api.post("/networks/create", {"Name": "mesh", "Labels": {"a": "b"}, "Options": {"x": "y"}, "Internal": True,
                                        "IPAM": {"Config": [{"Subnet": "10.77.0.0/24", "Gateway": "10.77.0.1"}]}}).json["Id"]
    full = api.create(name="full", Cmd=["sh", "-c", "exit 3"], Env=["A=b c", "E="], User="1:2", WorkingDir="/tmp", Hostname="h",
                      Labels={"Some/Key": "value\nwith lines", "empty": ""}, ExposedPorts={"80/tcp": {}}, StopSignal="SIGINT",
                      StopTimeout=7, Volumes={"/anon": {}}, Healthcheck={"Test": ["NONE"]},
                      HostConfig={"Binds": ["data:/d:ro"], "NetworkMode": "mesh", "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
                                  "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}, "Memory": 1 << 28,
                                  "ExtraHosts": ["x:1.2.3.4"], "Dns": ["8.8.8.8"], "CapAdd": ["NET_ADMIN"]})
    plain = api.create(name="plain", Tty=True, OpenStdin=True)
    assert api.post(f"/networks/{net}/connect", {"Container": plain, "EndpointConfig": {"Aliases": ["p", "q"]}}).status == 200
    assert api.post(f"/networks/bridge/disconnect", {"Container": plain}).status == 200
    assert api.post(f"/containers/{plain}/update", {"RestartPolicy": {"Name": "unless-stopped"}, "Memory": 1 << 27}).status == 200
    assert api.post(f"/containers/{plain}/rename?name=renamed").status == 204
    api.start(full)
    assert api.wait(full) == 3

    def told():
        paths = [f"/containers/{full}/json?size=1", f"/containers/{plain}/json", "/containers/json?all=1&size=1", f"/networks/{net}?verbose=1",
                 "/networks", "/volumes", "/volumes/data", "/images/json?all=1", "/images/busybox/json", "/images/busybox/history"]
        return {p: api.get(p).json for p in paths}

    before, info = told(), api.get("/info").json
    for end in (house.kill9, house.stop):
        end()
        house.start()
        after = told()
        for path in before:
            assert after[path] == before[path], path
        now = api.get("/info").json
        assert all(now[k] == info[k] for k in ("ID", "Containers", "ContainersStopped", "Images", "Driver", "Name"))


def test_followers_attach_again_where_they_want(house):
    api = house.api
    cid = run(api, "sh", "-c", COUNT)
    wait_until(lambda: len(lines(api, cid)) > 20)
    restart(house)
    follow = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1")
    got = b""
    while got.count(b"\n") < 300:
        assert follow._more()
        got, follow.data = got + follow.data, b""
    api.post(f"/containers/{cid}/kill")
    got += follow.read()
    is_count(stdout_of(got).split(b"\n")[:-1])


def test_exec_and_signals_reach_a_container_of_an_earlier_daemon(house):
    api = house.api
    cid = run(api, "sh", "-c", "trap 'echo usr1' USR1; trap 'echo term; exit 9' TERM; echo up; while :; do sleep 0.05; done")
    wait_until(lambda: lines(api, cid) == [b"up"])
    restart(house)
    wait_running_again(api, cid)
    assert house.docker("exec", cid, "sh", "-c", "echo in; exit 4").returncode == 4
    assert api.post(f"/containers/{cid}/kill?signal=USR1").status == 204
    wait_until(lambda: lines(api, cid) == [b"up", b"usr1"])
    assert api.post(f"/containers/{cid}/stop").status == 204
    assert api.inspect(cid)["State"]["ExitCode"] == 9
    assert lines(api, cid) == [b"up", b"usr1", b"term"]


def test_stdin_goes_on_after_a_restart(house):
    api = house.api
    cid = run(api, "sh", "-c", "while read l; do echo got $l; done", OpenStdin=True)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1")
    c.send(b"one\n")
    wait_until(lambda: lines(api, cid) == [b"got one"])
    restart(house)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    c.send(b"two\n")
    assert c.frame() == (1, b"got two\n")
    api.post(f"/containers/{cid}/kill")
    assert lines(api, cid) == [b"got one", b"got two"]


def test_a_paused_container_stays_paused(house):
    api = house.api
    cid = run(api, "sh", "-c", COUNT)
    wait_until(lambda: len(lines(api, cid)) > 5)
    assert api.post(f"/containers/{cid}/pause").status == 204
    restart(house)
    assert api.inspect(cid)["State"]["Paused"]
    wait_until(lambda: api.post(f"/containers/{cid}/unpause").status == 204)
    had = len(lines(api, cid))
    wait_until(lambda: len(lines(api, cid)) > had)
    assert api.remove(cid).status == 204


# ---- exits meanwhile ----
@pytest.mark.parametrize("end,code", [("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 137)])
def test_exit_while_the_daemon_is_away(house, bell, end, code):
    api = house.api
    cid = run(api, "sh", "-c", f"echo up; {bell.wait}; echo last; echo oops >&2; {end}", Env=bell.env)
    wait_until(lambda: lines(api, cid) == [b"up"])
    house.kill9()
    began = time.time()
    bell.ring()
    wait_until(lambda: not skl.processes_with(f":{bell.port}/"), "the process to end")
    ended = time.time() + 0.25  # it is off /proc a moment before the agent has reaped it
    time.sleep(0.3)
    house.start()
    assert api.wait(cid) == code
    state = api.inspect(cid)["State"]
    assert state["Status"] == "exited" and state["ExitCode"] == code and state["Error"] == ""
    assert began <= wall(state["FinishedAt"]) <= ended
    assert lines(api, cid) == [b"up", b"last"]
    died = api.get(f"/events?since=1&until={time.time():.9f}&filters=" + quote('{"event":["die"]}')).lines()
    assert [(e["Actor"]["ID"], e["Actor"]["Attributes"]["exitCode"]) for e in died] == [(cid, str(code))]


def test_start_again_after_an_exit_meanwhile(house, bell):
    api = house.api
    cid = run(api, "sh", "-c", f"echo run; {bell.wait}; exit 5", Env=bell.env)
    wait_until(lambda: lines(api, cid) == [b"run"])
    house.kill9()
    bell.ring()
    house.start()
    assert api.wait(cid) == 5
    api.start(cid)
    wait_until(lambda: lines(api, cid) == [b"run", b"run"])
    bell.ring()
    assert api.wait(cid) == 5


def test_auto_remove_of_a_container_that_ended_meanwhile(house, bell):
    api = house.api
    cid = run(api, "sh", "-c", f"{bell.wait}; exit 5", Env=bell.env, HostConfig={"AutoRemove": True})
    house.kill9()
    bell.ring()
    house.start()
    wait_until(lambda: api.get(f"/containers/{cid}/json").status == 404, "it to be removed")
    wait_until(lambda: not house.cloud.functions())


# ---- creates ----
@pytest.fixture
def slow(images):
    """A house whose cloud takes a while for each operation."""
    cloud = skl.Cloud(images, ["--operation-delay", "700ms"])
    d = skl.Daemon(images, cloud=cloud)
    d.api.pull()
    yield d
    try:
        d.close()
    finally:
        cloud.close()


def begin(house, method, path, body=None):
    """Sends a request and does not wait for its answer."""
    c = house.api.connect()
    c.send(house.api.request_bytes(method, path, body))
    return c


def asked(house, operation):
    return [r for r in house.cloud.requests() if r["rpc"] == operation]


def test_a_half_done_create_is_rolled_back(slow):
    api = slow.api
    c = begin(slow, "POST", "/containers/create?name=half", {"Image": "busybox", "Volumes": {"/v": {}}})
    wait_until(lambda: asked(slow, "CreateFunction"))
    slow.kill9()
    c.close()
    slow.start()
    assert api.get("/containers/json?all=1").json == []
    wait_until(lambda: not slow.cloud.functions(), "the half-done function to go")
    assert api.get("/volumes").json["Volumes"] == []
    api.create(name="half")


def test_an_orderly_end_waits_for_creates(slow):
    c = begin(slow, "POST", "/containers/create?name=late", {"Image": "busybox"})
    wait_until(lambda: asked(slow, "CreateFunction"))
    slow.process.terminate()
    assert c.head()[0] == 201
    slow.process.wait(skl.TIMEOUT)
    slow.start()
    assert slow.api.inspect("late")["State"]["Status"] == "created"


def test_an_orderly_end_waits_for_starts(images):
    cloud = skl.Cloud(images, ["--cold-start-delay", "700ms"])
    house = skl.Daemon(images, cloud=cloud)
    try:
        house.api.pull()
        cid = house.api.create(Cmd=["sleep", "1000"])
        seen = len(house.log())
        c = begin(house, "POST", f"/containers/{cid}/start")
        wait_until(lambda: "run 1 begins" in house.log()[seen:])
        house.process.terminate()
        assert c.head()[0] == 204
        assert house.process.wait(skl.TIMEOUT) == 0
        house.start()
        assert house.api.inspect(cid)["State"]["Running"]
        assert house.docker("exec", cid, "echo", "in").stdout == "in\n"
    finally:
        house.close()
        cloud.close()


def test_files_of_removed_containers_are_swept(house):
    """What a daemon that was killed in a removal leaves on disk."""
    cid, gone = house.api.create(), "f" * 64
    for where in ("logs", "staging"):
        os.makedirs(f"{house.state}/{where}/{gone}/x", exist_ok=True)
        os.makedirs(f"{house.state}/{where}/{cid}", exist_ok=True)
    restart(house)
    for where in ("logs", "staging"):
        assert os.listdir(f"{house.state}/{where}") == [cid]


def test_a_half_done_start_is_undone(house):
    """kill -9 between the invocation and the start's answer."""
    api = house.api
    cid = api.create(Cmd=["sleep", "1000"])
    c = begin(house, "POST", f"/containers/{cid}/start")
    wait_until(lambda: skl.processes_with(house.cloud.dir))
    house.kill9()
    c.close()
    house.start()
    if api.inspect(cid)["State"]["Status"] != "running":
        api.start(cid)
    assert house.docker("exec", cid, "echo", "in").stdout == "in\n"
    assert api.remove(cid).status == 204


# ---- deletions, orphans ----
def test_pending_deletions_are_carried_out(images, cloud):
    gate = Gate(cloud.url)
    house = skl.Daemon(images, cloud=cloud, endpoint=gate.url)
    try:
        house.api.pull()
        cid = house.api.create()
        keep = house.api.create()
        assert len(cloud.functions()) == 2
        gate.shut()
        assert house.api.remove(cid).status == 204
        house.kill9()
        house.start()
        assert house.api.get(f"/containers/{cid}/json").status == 404
        assert len(cloud.functions()) == 2
        gate.open()
        wait_until(lambda: cloud.names() == {"skls-" + keep[:12]}, "the deletion")
    finally:
        house.close()
        gate.close()


def forget(house, cid):
    with sqlite3.connect(os.path.join(house.state, "state.db")) as db:
        assert db.execute("DELETE FROM containers WHERE id = ?", (cid,)).rowcount == 1
    db.close()


def test_orphans_are_reported_and_removed_only_when_told(house, images):
    api = house.api
    other = skl.Daemon(images, cloud=house.cloud)
    try:
        other.api.pull()
        foreign = other.api.create()
        known, lost = api.create(), run(api, "sleep", "1000")
        house.kill9()
        forget(house, lost)
        house.start()
        name = "skls-" + lost[:12]
        wait_until(lambda: "1 orphans (--prune-orphans deletes them)" in house.log())
        assert re.search(rf"nobody knows \S*{name}", house.log())
        assert name in house.cloud.names()
        assert "WARNING: 1 resource in the cloud carries this daemon's label" in house.docker("info").stderr
        house.kill9()
        house.args.append("--prune-orphans")
        house.start()
        wait_until(lambda: house.cloud.names() == {"skls-" + known[:12], "skls-" + foreign[:12]})
        assert house.api.get("/info").json["Warnings"] is None
    finally:
        other.close()


def test_a_second_daemon_on_the_state_directory_refuses(house):
    other = subprocess.run(house.command()[:1] + ["--host", f"unix://{house.dir}/other.sock"] + house.command()[3:],
                           capture_output=True, text=True, timeout=skl.TIMEOUT, env=house.env)
    assert other.returncode == 1
    assert f"state directory {house.state} is in use by another daemon (process {house.process.pid})" in other.stderr
    assert not os.path.exists(f"{house.dir}/other.sock")
    assert house.api.get("/_ping").status == 200


# ---- the simulator ends with the daemon, or by itself ----
def test_the_embedded_simulator_dies(fresh):
    api = fresh.api
    cid = run(api, "sh", "-c", "echo run; exec sleep 1000")
    always = run(api, "sh", "-c", "echo run; exec sleep 1000", HostConfig={"RestartPolicy": {"Name": "always"}})
    idle = api.create(Cmd=["true"])
    wait_until(lambda: lines(api, cid) == [b"run"] and lines(api, always) == [b"run"])
    os.kill(skl.simulators_of(fresh.state)[0][0], 9)
    assert api.wait(cid) == 137
    wait_until(lambda: lines(api, always) == [b"run", b"run"])
    assert "resource" in api.inspect(cid)["State"]["Error"]
    api.start(cid)
    api.start(idle)
    assert api.wait(idle) == 0
    assert fresh.docker("exec", cid, "echo", "in").stdout == "in\n"
    for c in (cid, always, idle):
        assert api.remove(c).status == 204
    wait_until(lambda: fresh.functions() == [])


def test_with_the_embedded_simulator(fresh):
    api = fresh.api
    cid = run(api, "sh", "-c", "echo run; exec sleep 1000")
    idle = api.create(Cmd=["echo", "idle"])
    wait_until(lambda: lines(api, cid) == [b"run"])
    restart(fresh)
    wait_until(lambda: api.inspect(cid)["State"]["Status"] == "exited")
    state = api.inspect(cid)["State"]
    assert state["ExitCode"] == 137 and state["Error"] != ""
    assert api.wait(cid) == 137
    assert lines(api, cid) == [b"run"]
    api.start(cid)
    wait_until(lambda: lines(api, cid) == [b"run", b"run"])
    api.start(idle)
    assert api.wait(idle) == 0 and lines(api, idle) == [b"idle"]
    assert api.remove(cid).status == 204 and api.remove(idle).status == 204
    wait_until(lambda: fresh.functions() == [])
