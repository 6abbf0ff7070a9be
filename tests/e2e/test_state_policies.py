"""Restart policies, auto-remove and health checks with real containers, across restarts of the daemon.

SPDX-License-Identifier: Apache-2.0
"""
import time
from urllib.parse import quote

import pytest

import skl
from dockerapi import wait_until
from gate import Bell, Gate
from test_recovery import lines, restart, run


@pytest.fixture
def bell():
    b = Bell()
    yield b
    b.close()


def policy(name, most=0):
    return {"RestartPolicy": {"Name": name, "MaximumRetryCount": most}}


def events(api, cid, *actions):
    """[(action, its attributes, ns)] of the container so far."""
    wanted = '{"container":["%s"],"event":[%s]}' % (cid, ",".join(f'"{a}"' for a in actions))
    found = api.get(f"/events?since=1&until={time.time():.9f}&filters=" + quote(wanted)).lines()
    return [(e["Action"], e["Actor"]["Attributes"], e["timeNano"]) for e in found]


def runs(api, cid):
    return lines(api, cid).count(b"run")


def status(api, cid):
    return api.inspect(cid)["State"]["Status"]


# ---- on-failure ----
def test_on_failure_gives_up_after_n(api):
    cid = run(api, "sh", "-c", "echo run; exit 9", HostConfig=policy("on-failure", 3))
    assert api.wait(cid) == 9
    seen = api.inspect(cid)
    assert seen["State"]["Status"] == "exited" and seen["RestartCount"] == 3 and seen["State"]["ExitCode"] == 9
    assert runs(api, cid) == 4
    story = events(api, cid, "start", "die", "stop")
    assert [a for a, _, _ in story] == ["start", "die"] * 4
    assert all(attrs["exitCode"] == "9" for a, attrs, _ in story if a == "die")
    gaps = [story[i + 1][2] - story[i][2] for i in range(1, 7, 2)]
    assert gaps[0] < gaps[1] < gaps[2], gaps  # the pause doubles
    api.start(cid)  # by hand: the count begins anew
    assert api.wait(cid) == 9 and api.inspect(cid)["RestartCount"] == 3 and runs(api, cid) == 8


def test_on_failure_leaves_a_success_alone(api):
    cid = run(api, "sh", "-c", "echo run; exit 0", HostConfig=policy("on-failure"))
    assert api.wait(cid) == 0
    assert status(api, cid) == "exited" and runs(api, cid) == 1 and api.inspect(cid)["RestartCount"] == 0


def test_on_failure_goes_on_after_kill_9_of_the_daemon(house, bell):
    api = house.api
    cid = run(api, "sh", "-c", f"echo run; {bell.wait}; exit 9", Env=bell.env, HostConfig=policy("on-failure", 2))
    wait_until(lambda: runs(api, cid) == 1)
    bell.ring()
    wait_until(lambda: runs(api, cid) == 2)
    house.kill9()
    bell.ring()
    house.start()
    wait_until(lambda: runs(api, cid) == 3)
    bell.ring()
    wait_until(lambda: status(api, cid) == "exited")
    assert api.inspect(cid)["RestartCount"] == 2 and api.inspect(cid)["State"]["ExitCode"] == 9


# ---- always, unless-stopped ----
@pytest.mark.parametrize("name", ["always", "unless-stopped"])
def test_runs_again_until_stopped(house, bell, name):
    api = house.api
    cid = run(api, "sh", "-c", f"echo run; {bell.wait}; exit 0", Env=bell.env, HostConfig=policy(name))
    bell.ring(2)
    wait_until(lambda: runs(api, cid) == 3)
    restart(house)
    assert api.inspect(cid)["State"]["Running"] and api.inspect(cid)["RestartCount"] == 2
    bell.ring()
    wait_until(lambda: runs(api, cid) == 4)
    house.kill9()
    bell.ring()  # ends while nobody looks
    house.start()
    wait_until(lambda: runs(api, cid) == 5)
    assert api.post(f"/containers/{cid}/stop?t=0").status == 204
    assert status(api, cid) == "exited"
    restart(house)
    if name == "always":  # as Docker: a daemon's start starts it
        wait_until(lambda: runs(api, cid) == 6)
    else:
        api.start(cid)  # by hand: what the daemon would have begun was begun by now
        wait_until(lambda: runs(api, cid) == 6)
    assert api.remove(cid).status == 204


def test_a_container_in_back_off(house):
    """restarting: wait goes on, stop ends it, kill -9 of the daemon does not, rm -f removes it."""
    api = house.api
    cid = run(api, "sh", "-c", "echo run; exit 3", HostConfig=policy("always"))
    wait_until(lambda: runs(api, cid) >= 4)
    wait_until(lambda: status(api, cid) == "restarting")
    seen = api.inspect(cid)["State"]
    assert seen["Running"] and seen["Restarting"] and seen["ExitCode"] == 3
    assert api.remove(cid, force=False).status == 409
    restart(house)
    had = runs(api, cid)
    wait_until(lambda: runs(api, cid) > had)
    wait_until(lambda: status(api, cid) == "restarting")
    assert api.post(f"/containers/{cid}/stop").status == 204
    assert status(api, cid) == "exited" and api.wait(cid) == 3
    assert api.post(f"/containers/{cid}/stop").status == 304
    had = runs(api, cid)
    api.start(cid)
    wait_until(lambda: runs(api, cid) > had)
    wait_until(lambda: status(api, cid) == "restarting")
    assert api.remove(cid).status == 204
    assert api.get(f"/containers/{cid}/json").status == 404


def test_restart_by_hand_during_back_off(api):
    cid = run(api, "sh", "-c", "echo run; exit 3", HostConfig=policy("always"))
    wait_until(lambda: runs(api, cid) >= 5)
    wait_until(lambda: status(api, cid) == "restarting")
    had = runs(api, cid)
    assert api.post(f"/containers/{cid}/restart").status == 204
    wait_until(lambda: runs(api, cid) > had)
    assert api.post(f"/containers/{cid}/update", {"RestartPolicy": {"Name": "no"}}).status == 200
    wait_until(lambda: status(api, cid) == "exited")
    api.remove(cid)


def test_an_orderly_end_keeps_containers(house):
    api = house.api
    cid = run(api, "sh", "-c", "echo run; exec sleep 1000", HostConfig=policy("unless-stopped"))
    began = api.inspect(cid)["State"]["StartedAt"]
    house.stop()
    house.start()
    assert api.inspect(cid)["State"]["Running"] and api.inspect(cid)["State"]["StartedAt"] == began
    wait_until(lambda: runs(api, cid), "the output, when its agent is back")
    assert runs(api, cid) == 1
    assert api.post(f"/containers/{cid}/stop?t=0").status == 204


@pytest.fixture
def gated(images, cloud):
    """A house and the gate between it and its cloud."""
    gate = Gate(cloud.url)
    d = skl.Daemon(images, cloud=cloud, endpoint=gate.url)
    d.api.pull()
    yield d, gate
    gate.open()
    d.close()
    gate.close()


def test_the_cloud_is_away_when_the_daemon_starts(gated, bell):
    """What runs is taken up without it; what is to be started is started when it is back."""
    house, gate = gated
    api = house.api
    cid = run(api, "sh", "-c", f"echo run; {bell.wait}; echo end", Env=bell.env)
    again = run(api, "sh", "-c", "echo run; exec sleep 1000", HostConfig=policy("always"))
    api.post(f"/containers/{again}/stop?t=0")
    gate.shut()
    restart(house)
    assert status(api, cid) == "running"
    bell.ring()
    assert api.wait(cid) == 0 and lines(api, cid) == [b"run", b"end"]
    gate.open()
    wait_until(lambda: runs(api, again) == 2)
    assert api.remove(again).status == 204


# ---- auto-remove ----
def test_auto_remove_across_restarts(house, bell):
    api = house.api
    config = dict(Env=bell.env, HostConfig={"AutoRemove": True}, Volumes={"/v": {}})
    cid = run(api, "sh", "-c", f"echo run; {bell.wait}", **config)
    kept = run(api, "sh", "-c", "echo run; exec sleep 1000", **config)
    never = api.create(Cmd=["true"], **config)
    restart(house)
    assert api.inspect(cid)["State"]["Running"] and status(api, never) == "created"
    assert len(api.get("/volumes").json["Volumes"]) == 3
    bell.ring()
    wait_until(lambda: api.get(f"/containers/{cid}/json").status == 404)
    waiting = api.open("POST", f"/containers/{kept}/wait?condition=removed")
    assert api.post(f"/containers/{kept}/kill").status == 204
    assert waiting.json()["StatusCode"] == 137
    assert api.get(f"/containers/{kept}/json").status == 404
    assert len(api.get("/volumes").json["Volumes"]) == 1
    wait_until(lambda: house.cloud.names() == {"skls-" + never[:12]})


# ---- health ----
HEALTH = {"Test": ["CMD-SHELL", "echo looked; test -f /ok"], "Interval": 100_000_000, "Retries": 2, "Timeout": 10_000_000_000}


def health(api, cid):
    return api.inspect(cid)["State"]["Health"]


def test_health(house):
    api = house.api
    cid = run(api, "sleep", "1000", Healthcheck=HEALTH)
    assert health(api, cid)["Status"] in ("starting", "unhealthy")
    wait_until(lambda: health(api, cid)["Status"] == "unhealthy")
    seen = health(api, cid)
    assert seen["FailingStreak"] >= 2 and seen["Log"][-1]["ExitCode"] == 1 and seen["Log"][-1]["Output"] == "looked\n"
    assert house.docker("exec", cid, "touch", "/ok").returncode == 0
    wait_until(lambda: health(api, cid)["Status"] == "healthy")
    seen = health(api, cid)
    assert seen["FailingStreak"] == 0 and seen["Log"][-1]["ExitCode"] == 0 and len(seen["Log"]) <= 5
    assert "(healthy)" in house.docker("ps").stdout
    assert [a for a, _, _ in events(api, cid, "health_status")] == ["health_status: unhealthy", "health_status: healthy"]
    restart(house)
    assert health(api, cid)["Status"] in ("starting", "healthy")
    wait_until(lambda: health(api, cid)["Status"] == "healthy")
    assert house.docker("exec", cid, "rm", "/ok").returncode == 0
    wait_until(lambda: health(api, cid)["Status"] == "unhealthy")
    api.post(f"/containers/{cid}/kill")
    assert health(api, cid)["Status"] == "unhealthy"


def test_a_probe_that_takes_too_long_counts_as_a_failure(api):
    cid = run(api, "sleep", "1000", Healthcheck={"Test": ["CMD", "sleep", "500"], "Interval": 50_000_000, "Timeout": 200_000_000,
                                                 "Retries": 1})
    wait_until(lambda: health(api, cid)["Status"] == "unhealthy")
    assert health(api, cid)["Log"][0]["ExitCode"] == -1
    wait_until(lambda: "500" not in [w for p in api.get(f"/containers/{cid}/top").json["Processes"] for w in p[-1].split()])
    api.remove(cid)
