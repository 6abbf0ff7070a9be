"""Events: reference 2.5; cases U-61, U-62, P-26, P-27.

SPDX-License-Identifier: Apache-2.0
"""
import json
import time
import urllib.parse

import pytest


class Watch:
    """Events of one container (or any filter) from now on."""

    def __init__(self, api, **filters):
        query = urllib.parse.quote(json.dumps(filters)) if filters else ""
        self.stream = api.open("GET", f"/events?filters={query}")
        assert self.stream.status == 200 and self.stream.headers["content-type"] == "application/json"
        assert self.stream.headers["transfer-encoding"] == "chunked"

    def until(self, action):
        """The events up to and with this action."""
        out = []
        while True:
            e = self.stream.json()
            assert e is not None, out
            out.append(e)
            if e["Action"] == action:
                return out


def actions(events):
    return [e["Action"] for e in events]


def test_head_is_flushed_without_events(api):
    start = time.monotonic()
    Watch(api, label=["nosuch"]).stream.close()
    assert time.monotonic() - start < 3


def test_run_rm(api):
    """2.5.4: create, attach, start, die with the code, destroy; 2.5.2: both forms of the fields."""
    w = Watch(api, type=["container"], label=["ev=run"])
    cid = api.create(name="ev-run", Cmd=["sh", "-c", "exit 6"], Labels={"ev": "run", "k": "v"}, HostConfig={"AutoRemove": True})
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    api.start(cid)
    c.rest()
    events = w.until("destroy")
    assert actions(events) == ["create", "attach", "start", "die", "destroy"]
    for e in events:
        assert e["Type"] == "container" and e["Actor"]["ID"] == cid == e["id"] and e["status"] == e["Action"]
        assert e["from"] == "busybox" and e["scope"] == "local" and e["time"] == e["timeNano"] // 10**9 > 0
        a = e["Actor"]["Attributes"]
        assert a["image"] == "busybox" and a["name"] == "ev-run" and a["k"] == "v"
    assert events[3]["Actor"]["Attributes"]["exitCode"] == "6" and "execDuration" in events[3]["Actor"]["Attributes"]


@pytest.mark.parametrize("verb,last,want", [
    ("kill", "die", [["kill", "die"]]),
    ("stop?t=5", "stop", [["kill", "die", "stop"], ["kill", "stop"]]),
    ("restart?t=0", "restart", [["kill", "kill", "die", "stop", "start", "restart"],
                                ["kill", "die", "stop", "start", "restart"]]),
])
def test_orders(api, verb, last, want):
    cid = api.create(Cmd=["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"])
    api.start(cid)
    w = Watch(api, container=[cid])
    assert api.post(f"/containers/{cid}/{verb}").status == 204
    assert actions(w.until(last)) in want
    api.remove(cid)


def test_remove_running(api):
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    w = Watch(api, container=[cid], type=["container"])
    api.remove(cid)
    assert actions(w.until("destroy")) == ["kill", "die", "destroy"]


def test_state_matches_when_die_arrives(api):
    for _ in range(10):
        cid = api.create(Cmd=["sh", "-c", "exit 3"])
        w = Watch(api, container=[cid], event=["die"])
        api.start(cid)
        e = w.until("die")[-1]
        s = api.inspect(cid)["State"]
        assert not s["Running"] and str(s["ExitCode"]) == e["Actor"]["Attributes"]["exitCode"] == "3"
        api.remove(cid)


def test_exec_and_rename_and_pause(api):
    cid = api.create(name="ev-exec", Cmd=["sleep", "1000"])
    api.start(cid)
    w = Watch(api, container=[cid])
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", "exit 4"], "AttachStdout": True}).json["Id"]
    api.hijack("POST", f"/exec/{eid}/start", {}).rest()
    events = w.until("exec_die")
    assert actions(events) == ["exec_create: sh -c exit 4", "exec_start: sh -c exit 4", "exec_die"]
    assert events[-1]["Actor"]["Attributes"]["exitCode"] == "4" and events[-1]["Actor"]["Attributes"]["execID"] == eid
    api.post(f"/containers/{cid}/rename?name=ev-exec2")
    e = w.until("rename")[-1]
    assert e["Actor"]["Attributes"]["oldName"] in ("/ev-exec", "ev-exec") and e["Actor"]["Attributes"]["name"] == "ev-exec2"
    if api.post(f"/containers/{cid}/pause").status == 204:
        api.post(f"/containers/{cid}/unpause")
        assert actions(w.until("unpause")) == ["pause", "unpause"]
    api.post(f"/containers/{cid}/kill?signal=HUP")
    assert w.until("kill")[-1]["Actor"]["Attributes"]["signal"] == "1"
    api.remove(cid)


def test_networks_volumes_images(api):
    w = Watch(api, type=["network", "volume", "image"])
    net = api.post("/networks/create", {"Name": "ev-net"}).json["Id"]
    api.post("/volumes/create", {"Name": "ev-vol"})
    api.post("/images/busybox/tag?repo=ev-img&tag=1")
    api.delete("/images/ev-img:1")
    api.delete("/volumes/ev-vol")
    api.delete(f"/networks/{net}")
    events = w.until("destroy") + w.until("destroy")
    got = [(e["Type"], e["Action"]) for e in events]
    assert [g for g in got if g[0] != "image"] == [("network", "create"), ("volume", "create"), ("volume", "destroy"),
                                                  ("network", "destroy")]
    assert ("image", "tag") in got and ("image", "untag") in got
    (n,) = [e for e in events if e["Type"] == "network" and e["Action"] == "create"]
    assert n["Actor"] == {"ID": net, "Attributes": {"name": "ev-net", "type": "bridge"}} and "status" not in n


def test_since_until(api):
    """2.5.5, P-26"""
    t0 = time.time() - 1
    cid = api.create(Cmd=["true"], Labels={"ev": "since"})
    api.remove(cid)
    quoted = urllib.parse.quote('{"label":["ev=since"]}')
    for since, until in ((f"{t0:.9f}", f"{time.time() + 0.01:.9f}"), (str(int(t0)), str(int(time.time()) + 1))):
        a = api.get(f"/events?since={since}&until={until}&filters={quoted}")
        assert actions(a.lines()) == ["create", "destroy"]
    start = time.monotonic()
    assert api.get(f"/events?until={int(t0) - 10}").body == b""
    assert time.monotonic() - start < 2
    start = time.monotonic()
    api.get(f"/events?since={int(t0)}&until={time.time() + 1.5:.3f}")
    assert 1 < time.monotonic() - start < 10
    assert api.get("/events?since=20&until=10").status == 400
    assert api.get("/events?since=soon").status == 400


@pytest.mark.parametrize("filters,status", [({"event": ["create"]}, 200), ({"nope": ["x"]}, 400)])
def test_filter_keys(api, filters, status):
    quoted = urllib.parse.quote(json.dumps(filters))
    assert api.get(f"/events?until=1&filters={quoted}").status == status


def test_event_filter_matches_by_prefix(api):
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    w = Watch(api, event=["exec_create"], container=[cid[:12]])
    api.post(f"/containers/{cid}/exec", {"Cmd": ["true"]})
    assert w.until("exec_create: true")
    api.remove(cid)


def test_slow_listener_harms_nobody(api):
    slow = Watch(api)
    for _ in range(300):
        api.remove(api.create(Cmd=["true"], Labels={"pad": "x" * 4000}))
    assert api.get("/_ping").body == b"OK"
    slow.stream.close()


def test_health(api):
    """P-27"""
    cid = api.create(Cmd=["sleep", "1000"], Healthcheck={"Test": ["CMD", "test", "-e", "/tmp/ok"], "Interval": 10**8,
                                                         "Retries": 1, "Timeout": 5 * 10**9})
    w = Watch(api, container=[cid], event=["health_status"])
    api.start(cid)
    assert api.inspect(cid)["State"]["Health"]["Status"] in ("starting", "unhealthy")
    w.until("health_status: unhealthy")
    assert api.inspect(cid)["State"]["Health"]["Status"] == "unhealthy"
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["touch", "/tmp/ok"]}).json["Id"]
    api.post(f"/exec/{eid}/start", {"Detach": True})
    w.until("health_status: healthy")
    h = api.inspect(cid)["State"]["Health"]
    assert h["Status"] == "healthy" and h["FailingStreak"] == 0 and 0 < len(h["Log"]) <= 5 and h["Log"][-1]["ExitCode"] == 0
    listed = api.get("/containers/json?filters=" + urllib.parse.quote('{"health":["healthy"]}')).json
    assert [c["Id"] for c in listed] == [cid] and listed[0]["Status"].endswith("(healthy)")
    api.remove(cid)
