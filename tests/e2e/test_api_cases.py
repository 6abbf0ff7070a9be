"""Faults that other daemons had, as cases (tests/cases/api.tsv): lives, lists, labels. A test's name begins with its case.

SPDX-License-Identifier: Apache-2.0
"""
import calendar
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest

import skl
from dockerapi import wait_until
from gate import Bell
from test_state_races import check_story, story, together


def quoted(filters):
    return urllib.parse.quote(json.dumps(filters))


@pytest.fixture
def box(api):
    made = []

    def make(*cmd, start=False, **config):
        cid = api.create(Cmd=list(cmd) or ["true"], **config)
        made.append(cid)
        if start:
            api.start(cid)
        return cid

    yield make
    for cid in made:
        api.remove(cid, volumes=True)


@pytest.fixture
def bell():
    b = Bell()
    yield b
    b.close()


def pending_wait(api, cid, condition):
    s = api.open("POST", f"/containers/{cid}/wait?condition={condition}")
    assert s.status == 200
    return s


def attributes(api, cid, action):
    """The attributes of the container's events of that kind."""
    found = api.get(f"/events?since=1&until={time.time():.9f}&filters=" + quoted({"container": [cid], "event": [action]})).lines()
    return [e["Actor"]["Attributes"] for e in found]


# ---- start, wait, exit codes ----
@pytest.fixture(scope="module")
def slow(images):
    """A cloud that takes its time for everything."""
    cloud = skl.Cloud(images, ["--operation-delay", "1500ms", "--cold-start-delay", "500ms"])
    d = skl.Daemon(images, cloud=cloud)
    d.api.pull()
    yield d
    d.close()
    cloud.close()


def test_u37_run_rm_against_a_slow_create(slow):
    done = slow.docker("run", "--rm", "busybox", "sh", "-c", "echo slow; exit 4")
    assert (done.returncode, done.stdout) == (4, "slow\n"), done.stderr


def test_u51_each_id_once_while_it_moves(slow):
    """A container that is being made, started, ended, removed is in a list once or not at all."""
    api, over = slow.api, threading.Event()

    def life():
        cid = api.create(Cmd=["true"])
        api.start(cid)
        api.wait(cid)
        api.remove(cid)

    def look():
        looks = 0
        while not over.is_set() or looks < 5:
            ids = [c["Id"] for c in api.get("/containers/json?all=1").json]
            assert len(ids) == len(set(ids))
            looks += 1

    looker = threading.Thread(target=look)
    looker.start()
    try:
        together(life, life)
    finally:
        over.set()
        looker.join()


def test_u38_prune_answers_waiters(api, box):
    cid = box("sh", "-c", "exit 3", Labels={"case": "u38"})
    api.start(cid)
    api.wait(cid)
    waits = [pending_wait(api, cid, c) for c in ("next-exit", "removed")]
    assert api.post("/containers/prune?filters=" + quoted({"label": ["case=u38"]})).json["ContainersDeleted"] == [cid]
    assert [w.json()["StatusCode"] for w in waits] == [3, 3]


def test_u40_a_refused_invocation_is_no_run(images):
    cloud = skl.Cloud(images, ["--fault", "Invoke@1=400", "--fault", "CreateFunction@2=403"])
    d = skl.Daemon(images, cloud=cloud, args=["--agent-connect-timeout", "3s"])
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sleep", "1000"])
        a = d.api.post(f"/containers/{cid}/start")
        assert a.status >= 400 and a.message, a
        state = d.api.inspect(cid)["State"]
        assert not state["Running"] and state["ExitCode"] == 128 and state["Error"]
        d.api.start(cid)
        a = d.api.create(Cmd=["true"], ok=False)
        assert a.status >= 400 and "PERMISSION_DENIED" in a.message, a
        assert [c["Id"] for c in d.api.get("/containers/json?all=1").json] == [cid]
        assert d.api.remove(cid).status == 204
    finally:
        d.close()
        cloud.close()


@pytest.mark.parametrize("name,code", [("TERM", 143), ("INT", 130), ("KILL", 137), ("USR1", 138), ("SIGRTMIN+3", 165), ("9", 137)])
def test_u43_p34_codes_of_signals(api, box, name, code):
    """The die event and inspect tell the same."""
    cid = box("sleep", "1000", start=True)
    assert api.post(f"/containers/{cid}/kill?signal={urllib.parse.quote(name)}").status == 204
    assert api.wait(cid) == code and api.inspect(cid)["State"]["ExitCode"] == code
    assert [a["exitCode"] for a in attributes(api, cid, "die")] == [str(code)]


def test_u43_stop_gives_the_process_s_own_code(api, box):
    cid = box("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done", start=True)
    wait_until(lambda: api.get(f"/containers/{cid}/logs?stdout=1").body)
    assert api.post(f"/containers/{cid}/stop").status == 204
    assert api.inspect(cid)["State"]["ExitCode"] == 7


def test_u44_p35_stop_with_a_signal_and_a_time(api, box):
    """INT is ignored: SIGKILL after a second."""
    cid = box("sh", "-c", "trap '' INT; echo up; while :; do sleep 0.05; done", start=True)
    wait_until(lambda: api.get(f"/containers/{cid}/logs?stdout=1").body)
    begin = time.monotonic()
    assert api.post(f"/containers/{cid}/stop?t=1&signal=INT").status == 204
    assert time.monotonic() - begin >= 1
    assert [a["signal"] for a in attributes(api, cid, "kill")] == ["2", "9"]
    assert api.inspect(cid)["State"]["ExitCode"] == 137 and api.post(f"/containers/{cid}/stop").status == 304


@pytest.mark.parametrize("config,query,signals", [({"StopSignal": "USR1"}, "", ["10"]), ({"StopTimeout": 1}, "", ["15", "9"]),
                                                  ({}, "?t=0", ["15", "9"]), ({"StopTimeout": 1}, "?t=-1", ["15"])])
def test_p35_stop_signal_and_timeout(api, box, config, query, signals):
    """t=-1 waits for ever: the process is let go when the other stops have had their time."""
    handler = "trap '' TERM" if "9" in signals else "trap 'n=1' TERM USR1"
    cid = box("sh", "-c", f"{handler}; echo up; until [ -n \"$n\" ]; do sleep 0.05; done; sleep 1.2", start=True, **config)
    wait_until(lambda: api.get(f"/containers/{cid}/logs?stdout=1").body)
    assert api.post(f"/containers/{cid}/stop{query}").status == 204
    told = [a["signal"] for a in attributes(api, cid, "kill")]
    assert told == signals or (query == "?t=0" and told == ["15"]), told
    assert api.inspect(cid)["State"]["ExitCode"] == (137 if told[-1] == "9" else 0)


def test_u45_restarts_by_hand(api, box):
    cid = box("sh", "-c", "echo $(cat /proc/sys/kernel/random/uuid); exec sleep 1000", start=True)
    started = set()
    for n in range(4):
        wait_until(lambda: len(api.get(f"/containers/{cid}/logs?stdout=1").body.splitlines()) == n + 1)
        i = api.inspect(cid)
        assert i["State"]["Running"] and i["RestartCount"] == 0
        started.add(i["State"]["StartedAt"])
        assert n == 3 or api.post(f"/containers/{cid}/restart?t=0").status == 204
    assert len(started) == 4 and len(set(api.get(f"/containers/{cid}/logs?stdout=1").body.splitlines())) == 4


def test_u47_u53_pause_is_real_and_shown(api, box, daemon):
    cid = box("sh", "-c", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done", start=True)
    lines = lambda: len(api.get(f"/containers/{cid}/logs?stdout=1").body)  # noqa: E731
    wait_until(lines)
    counts = lambda: tuple(api.get("/info").json[k] for k in ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped"))  # noqa: E731
    total, running, paused, stopped = counts()
    assert api.post(f"/containers/{cid}/unpause").status == 409
    assert api.post(f"/containers/{cid}/pause").status == 204
    assert api.post(f"/containers/{cid}/pause").status == 409
    assert counts() == (total, running - 1, paused + 1, stopped)
    (c,) = api.get("/containers/json?filters=" + quoted({"id": [cid]})).json
    assert c["State"] == "paused" and re.fullmatch(r"Up .* \(Paused\)", c["Status"]), c
    s = api.inspect(cid)["State"]
    assert (s["Status"], s["Running"], s["Paused"]) == ("paused", True, True)
    assert api.post(f"/containers/{cid}/start").status == 409 and api.post(f"/containers/{cid}/attach?stream=1&stdout=1").status == 409
    assert api.post(f"/containers/{cid}/exec", {"Cmd": ["true"]}).status == 409
    seen = [lines()]
    wait_until(lambda: seen.append(lines()) or seen[-1] == seen[-2])
    assert api.post(f"/containers/{cid}/unpause").status == 204 and api.post(f"/containers/{cid}/unpause").status == 409
    wait_until(lambda: lines() > seen[-1])
    api.post(f"/containers/{cid}/kill")
    api.wait(cid)
    assert api.post(f"/containers/{cid}/pause").status == 409 and counts() == (total, running - 1, paused, stopped + 1)


def test_p34_a_paused_container_can_be_killed(api, box):
    cid = box("sleep", "1000", start=True)
    assert api.post(f"/containers/{cid}/pause").status == 204
    assert api.post(f"/containers/{cid}/kill").status == 204
    assert api.wait(cid) == 137


def test_u48_a_kill_meets_the_end(api):
    """One die, one code, whichever comes first."""
    for i in range(25):
        cid = api.create(Cmd=["sh", "-c", "sleep 0.05; exit 3"])
        w = pending_wait(api, cid, "next-exit")
        start, killed = together(lambda: api.post(f"/containers/{cid}/start"), lambda: time.sleep(i % 5 * 0.02) or api.post(f"/containers/{cid}/kill"))
        assert start.status == 204 and killed.status in (204, 409), (start, killed)
        code = w.json()["StatusCode"]
        assert code in (3, 137) and api.inspect(cid)["State"]["ExitCode"] == code
        assert [a["exitCode"] for a in attributes(api, cid, "die")] == [str(code)]
        check_story(story(api, cid))
        api.remove(cid)


def test_u49_a_client_that_dies_leaves_nothing(house, bell):
    mine, running = quoted({"label": ["case=u49"]}), quoted({"label": ["case=u49"], "status": ["running"]})
    for _ in range(3):
        env = [word for e in bell.env for word in ("-e", e)]
        with subprocess.Popen(["docker", "run", "--rm", "--label", "case=u49", *env, "busybox", "sh", "-c", bell.wait], stdout=subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "HOME": house.dir, "DOCKER_HOST": house.host}) as p:
            wait_until(lambda: house.api.get(f"/containers/json?filters={running}").json)
            p.send_signal(signal.SIGKILL)
        bell.ring()
        wait_until(lambda: not house.api.get(f"/containers/json?all=1&filters={mine}").json)
    wait_until(lambda: not house.cloud.functions(), "the functions to go")


# ---- lists and inspect ----
LABELS = {"UPPER/Case.key": "x", "json": '{"a": [1, "two"]}', "long": "v" * 4096, "é.ключ": "значение", "empty": "", "lines": "a\nb\r\n\tc",
          "quotes": "\"'`$=", "eq=ual": "x=y=z", "k" * 300: "long key", **{f"n{i}": str(i) for i in range(95)}}


def test_u58_p52_labels_are_bytes(house):
    """Beyond what a cloud's labels can hold, across a crash, and filterable."""
    api = house.api
    cid = api.create(Cmd=["true"], Labels=LABELS)
    for _ in range(2):
        assert api.inspect(cid)["Config"]["Labels"] == LABELS
        (c,) = api.get("/containers/json?all=1").json
        assert c["Labels"] == LABELS
        for k in ("json", "lines", "é.ключ", "quotes", "empty"):
            assert [x["Id"] for x in api.get("/containers/json?all=1&filters=" + quoted({"label": [f"{k}={LABELS[k]}"]})).json] == [cid], k
            assert api.get("/containers/json?all=1&filters=" + quoted({"label": [f"{k}={LABELS[k]}x"]})).json == [], k
        house.kill9()
        house.start()
    api.remove(cid)


@pytest.mark.parametrize("tz", ["Asia/Kolkata", "America/St_Johns"])
def test_p42_times_are_utc_whatever_the_zone(images, tz):
    d = skl.Daemon(images, env={"TZ": tz})
    try:
        api = d.api
        api.pull()
        cid = api.create(Cmd=["true"])
        api.start(cid)
        api.wait(cid)
        now = time.time()
        i = api.inspect(cid)
        for text in (i["Created"], i["State"]["StartedAt"], i["State"]["FinishedAt"], api.get("/images/busybox/json").json["Metadata"]["LastTagTime"],
                     api.get("/networks/bridge").json["Created"], api.post("/volumes/create", {}).json["CreatedAt"], api.get("/info").json["SystemTime"],
                     api.get(f"/containers/{cid}/logs?stdout=1&timestamps=1").body.decode()[8:38] or i["Created"]):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text), text
        wall = time.strptime(i["Created"][:19], "%Y-%m-%dT%H:%M:%S")
        assert abs(calendar.timegm(wall) - now) < 300
        for listed in (api.get("/containers/json?all=1").json, api.get("/images/json").json):
            assert all(isinstance(x["Created"], int) and abs(x["Created"] - now) < 300 for x in listed if "Names" in x)
    finally:
        d.close()


def test_p43_filters_in_both_encodings(api, box):
    cid = box("true", Labels={"a": "b=c", "case": "p43"})
    asked = lambda text: [c["Id"] for c in api.get("/containers/json?all=1&filters=" + text).json]  # noqa: E731
    for filters in ('{"label":{"a=b=c":true}}', '{"label":["a=b=c"]}', '{"label":{"a=b=c":false}}', '{"label":{"case=p43":true,"a":true}}'):
        assert asked(urllib.parse.quote(filters)) == [cid], filters
        assert asked(urllib.parse.quote_plus(filters)) == [cid], filters
        assert asked(filters.replace('"', "%22").replace("=", "%3d").replace("{", "%7B")) == [cid], filters
    assert asked(urllib.parse.quote('{"label":["a=b"]}')) == []
    for bad in ("notjson", '{"label":', '{"label":{"a":"b"}}', '{"label":[1]}', "[]", "7"):
        assert api.get("/containers/json?filters=" + urllib.parse.quote(bad)).status == 400, bad


def test_u60_one_of_two_names_is_always_there(api, box):
    cid = box("true")
    api.post(f"/containers/{cid}/rename?name=u60-a")
    over = threading.Event()

    def look(name):
        found = 0
        while not over.is_set():
            a = api.get(f"/containers/{name}/json")
            assert a.status in (200, 404)
            found += a.status == 200
            ids = [c["Id"] for c in api.get("/containers/json?all=1&filters=" + quoted({"name": ["^/u60-[ab]$"]})).json]
            assert ids == [cid], ids
        return found

    def rename():
        try:
            for n in range(40):
                assert api.post(f"/containers/{cid}/rename?name=u60-{'ba'[n % 2]}").status == 204
        finally:
            over.set()

    together(rename, lambda: look("u60-a"), lambda: look("u60-b"))
    assert api.inspect("u60-a")["Id"] == cid and api.get("/containers/u60-b/json").status == 404


def test_p39_a_removal_meets_auto_remove(api):
    for _ in range(8):
        cid = api.create(Cmd=["true"], HostConfig={"AutoRemove": True})
        w = pending_wait(api, cid, "removed")
        api.start(cid)
        for a in together(*[lambda: api.remove(cid)] * 2):
            assert a.status in (204, 404) or (a.status == 409 and "already in progress" in a.message), a
        assert "StatusCode" in w.json()
        assert api.get(f"/containers/{cid}/json").status == 404


@pytest.mark.parametrize("test,runs", [(["NONE"], None), (["CMD", "true"], "healthy"), (["CMD-SHELL", "true && true"], "healthy"), (["CMD-SHELL", "head -c 9000 /dev/zero | tr '\\0' x; exit 1"], "unhealthy")])
def test_p45_forms_of_health_checks(api, box, test, runs):
    cid = box("sleep", "1000", start=True, Healthcheck={"Test": test, "Interval": 30_000_000, "Retries": 2})
    if runs is None:
        assert "Health" not in api.inspect(cid)["State"]
        return
    wait_until(lambda: api.inspect(cid)["State"]["Health"]["Status"] == runs and len(api.inspect(cid)["State"]["Health"]["Log"]) == 5)
    h = api.inspect(cid)["State"]["Health"]
    assert all(len(entry["Output"]) <= 4096 + 3 for entry in h["Log"]) and (runs == "healthy" or len(h["Log"][0]["Output"]) >= 4096)
    (c,) = api.get("/containers/json?filters=" + quoted({"id": [cid]})).json
    assert c["Status"].endswith(f"({runs})")
    assert api.inspect(cid)["ExecIDs"] is None  # U-32


@pytest.mark.parametrize("health,status", [({"Test": []}, 201), ({"Test": None}, 201), ({"Test": ["CMD", "true"], "Interval": 0}, 201), ({"Test": ["CMD", "true"], "Interval": 500000}, 400),
                                           ({"Test": ["CMD", "true"], "Timeout": 1}, 400), ({"Test": ["CMD", "true"], "StartPeriod": 999999}, 400), ({"Test": ["CMD", "true"], "Retries": -1}, 400),
                                           ({"Test": ["CMD", "true"], "Interval": -1}, 400), ({"Test": ["WHAT", "true"]}, 400)])
def test_p45_health_checks_that_are_none(api, health, status):
    a = api.create(Cmd=["true"], Healthcheck=health, ok=False)
    assert a.status == status, a
    if status == 201:
        assert "Health" not in api.inspect(a.json["Id"])["State"] or health["Test"]
        api.remove(a.json["Id"])
