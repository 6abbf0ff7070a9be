"""Several clients at once on the same container, the same name, the same volume.

SPDX-License-Identifier: Apache-2.0
"""
import json
import random
import threading
import time
from urllib.parse import quote

import pytest

from chaos import COUNT
from dockerapi import wait_until
from test_recovery import run


def together(*calls):
    """Runs them at the same time; their results, in order."""
    results, gate = [None] * len(calls), threading.Barrier(len(calls))

    def one(i, call):
        gate.wait()
        try:
            results[i] = call()
        except BaseException as e:  # noqa: B902: told below
            results[i] = e

    threads = [threading.Thread(target=one, args=(i, c), daemon=True) for i, c in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
        assert not t.is_alive(), "a request hangs"
    for r in results:
        if isinstance(r, BaseException):
            raise r
    return results


def statuses(*calls):
    return sorted(a.status for a in together(*calls))


def story(api, cid):
    """What the container's events tell so far."""
    wanted = json.dumps({"container": [cid], "type": ["container"]})
    return [e["Action"] for e in api.get(f"/events?since=1&until={time.time():.9f}&filters=" + quote(wanted)).lines()]


def check_story(actions):
    """One die for each start, in turn; nothing after destroy."""
    running = False
    for i, action in enumerate(actions):
        assert action != "destroy" or (i == len(actions) - 1 and not running), actions
        if action in ("start", "die"):
            assert running == (action == "die"), actions
            running = action == "start"
    assert actions[0] == "create" and actions.count("create") == 1


# ---- the same request, many times at once ----
def test_starts_at_once(api):
    for _ in range(5):
        cid = api.create(Cmd=["sleep", "1000"])
        got = statuses(*[lambda: api.post(f"/containers/{cid}/start")] * 6)
        assert set(got) <= {204, 304} and 204 in got
        assert story(api, cid).count("start") == 1
        api.remove(cid)


@pytest.mark.parametrize("path,most", [("stop?t=0", {204, 304}), ("kill", {204, 409}), ("restart?t=0", {204})])
def test_ends_at_once(api, path, most):
    for _ in range(3):
        cid = run(api, "sleep", "1000")
        got = statuses(*[lambda: api.post(f"/containers/{cid}/{path}")] * 5)
        assert set(got) <= most and 204 in got
        assert api.inspect(cid)["State"]["Running"] == path.startswith("restart")
        check_story(story(api, cid))
        assert path.startswith("restart") or story(api, cid).count("die") == 1
        api.remove(cid)


@pytest.mark.parametrize("end,none", [("stop?t=0", 304), ("kill", 409)])
def test_an_end_that_meets_a_start(api, end, none):
    """As with Docker it waits for the start: neither fails, and the container ends; or it came first, and there was nothing to end."""
    for _ in range(8):
        cid = api.create(Cmd=["sleep", "1000"])
        start, ended = together(lambda: api.post(f"/containers/{cid}/start"), lambda: api.post(f"/containers/{cid}/{end}"))
        assert start.status == 204 and ended.status in (204, none), (start, ended)
        state = api.inspect(cid)["State"]
        assert state["Running"] == (ended.status == none) and (state["Running"] or state["ExitCode"] in (137, 143))
        check_story(story(api, cid))
        api.remove(cid)


def test_removals_at_once(api):
    for running in (True, False):
        for _ in range(4):
            cid = run(api, "sleep", "1000") if running else api.create()
            waiting = api.open("POST", f"/containers/{cid}/wait?condition=removed")
            got = statuses(*[lambda: api.remove(cid)] * 5)
            assert set(got) <= {204, 404, 409} and 204 in got
            assert waiting.json()["StatusCode"] == (137 if running else 0)
            assert api.get(f"/containers/{cid}/json").status == 404
            check_story(story(api, cid))


def test_many_waiters_are_told_once_and_the_same(api):
    cid = run(api, "sh", "-c", "read x; exit 42", OpenStdin=True)
    waiting = [api.open("POST", f"/containers/{cid}/wait?condition={w}") for w in ("not-running", "next-exit", "removed") * 8]
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1")
    c.send(b"\n")
    for i, w in enumerate(waiting):
        if i % 3 != 2:
            assert w.json()["StatusCode"] == 42 and w.read() == b""
    api.remove(cid)
    for w in waiting[2::3]:
        assert w.json()["StatusCode"] == 42 and w.read() == b""


# ---- names ----
def test_one_name_for_many(api):
    for n in range(5):
        name = f"prize-{n}"
        boxes = [api.create() for _ in range(4)]
        got = statuses(*[lambda b=b: api.post(f"/containers/{b}/rename?name={name}") for b in boxes],
                       *[lambda: api.create(ok=False, name=name)] * 4)
        assert len([s for s in got if s != 409]) == 1 and set(got) <= {201, 204, 409}, got
        assert [c["Names"] for c in api.get("/containers/json?all=1").json].count([f"/{name}"]) == 1
        for c in api.get("/containers/json?all=1").json:
            api.remove(c["Id"])


def test_names_swap_under_removal(api):
    """rename, rm and create of the same two names: whoever holds a name is found by it."""
    def client(seed):
        rng = random.Random(seed)
        for _ in range(40):
            a, b = rng.sample(["left", "right"], 2)
            assert rng.choice([lambda: api.create(ok=False, name=a), lambda: api.remove(a),
                               lambda: api.post(f"/containers/{a}/rename?name={b}")])().status in (201, 204, 404, 409)
            names = [c["Names"][0] for c in api.get("/containers/json?all=1").json]
            assert len(names) == len(set(names)), names

    together(*[lambda s=s: client(s) for s in range(4)])
    for c in api.get("/containers/json?all=1").json:
        assert api.inspect(c["Names"][0][1:])["Id"] == c["Id"]
        api.remove(c["Id"])


# ---- everything at once ----
MAY = {"start": {204, 304, 409}, "stop?t=0": {204, 304}, "kill": {204, 409}, "restart?t=0": {204, 409},
       "pause": {204, 409, 500, 503}, "unpause": {204, 409, 500, 503}, "kill?signal=USR1": {204, 409, 500, 503}}
WHY = ("while it was starting", "not connected", "is not running", "agent")  # what a 500 may be about


def test_everything_on_one_container(house):
    """Whatever comes, the story is a sound one and the end is the end."""
    api = house.api
    cid = run(api, "sh", "-c", COUNT)

    def client(seed):
        rng = random.Random(seed)
        for _ in range(25):
            what = rng.choice(sorted(MAY))
            a = api.post(f"/containers/{cid}/{what}", timeout=60)
            assert a.status in MAY[what], (what, a)
            assert a.status < 500 or any(w in a.message for w in WHY), (what, a)
            state = api.inspect(cid)["State"]
            assert state["Running"] == (state["Status"] in ("running", "paused", "restarting"))

    together(*[lambda s=s: client(s) for s in range(5)])
    check_story(story(api, cid))
    assert api.remove(cid).status == 204
    check_story(story(api, cid))
    wait_until(lambda: not house.cloud.functions())


def test_removal_in_the_middle_of_everything(house):
    api = house.api
    for seed in range(6):
        cid = run(api, "sh", "-c", COUNT, Volumes={"/v": {}})

        def client(n):
            rng = random.Random(f"{seed}-{n}")
            for _ in range(8):
                what = rng.choice(sorted(MAY))
                assert api.post(f"/containers/{cid}/{what}").status in MAY[what] | {404}

        def remover():
            time.sleep(random.Random(seed).uniform(0, 0.2))  # the random instant
            assert api.remove(cid, volumes=True).status == 204

        together(remover, *[lambda n=n: client(n) for n in range(3)])
        assert api.get(f"/containers/{cid}/json").status == 404
        check_story(story(api, cid))
        assert api.get("/volumes").json["Volumes"] == []
    wait_until(lambda: not house.cloud.functions())


def test_prune_during_create(house):
    """A container that was acknowledged has all it names, whatever is pruned meanwhile."""
    api, stop = house.api, threading.Event()

    def pruner():
        while not stop.is_set():
            for what in ("volumes", "images", "networks"):
                a = api.post(f"/{what}/prune?filters=" + quote('{"dangling":["false"],"all":["true"]}' if what != "networks" else "{}"))
                assert a.status in (200, 400, 409), a

    def creator(n):
        made = []
        for i in range(15):
            net = f"net-{n}-{i}"
            api.post("/networks/create", {"Name": net})
            a = api.create(ok=False, name=f"c-{n}-{i}", Volumes={"/v": {}}, HostConfig={"NetworkMode": net, "Binds": [f"vol-{n}-{i}:/d"]})
            if a.status in (400, 404):  # the network or the image was pruned before
                assert f"network {net} not found" in a.message or "No such image" in a.message, a
                api.pull()
                continue
            assert a.status == 201, a
            seen = api.inspect(a.json["Id"])
            for m in seen["Mounts"]:
                assert api.get(f"/volumes/{m['Name']}").status == 200, m
            assert api.get(f"/networks/{net}").status == 200
            made.append(a.json["Id"])
        return made

    def creators():
        try:
            return sum(together(*[lambda n=n: creator(n) for n in range(3)]), [])
        finally:
            stop.set()

    made = together(pruner, creators)[1]
    assert made
    house.kill9()
    house.start()
    for cid in made:
        for m in api.inspect(cid)["Mounts"]:
            assert api.get(f"/volumes/{m['Name']}").status == 200
        assert api.remove(cid, volumes=True).status == 204


def test_container_prune_against_starts(house):
    """A started container is never pruned; a pruned one never starts."""
    api = house.api
    for _ in range(8):
        cid = api.create(Cmd=["sleep", "1000"])
        start, prune = together(lambda: api.post(f"/containers/{cid}/start"), lambda: api.post("/containers/prune"))
        gone = cid in (prune.json["ContainersDeleted"] or [])
        assert start.status == (404 if gone else 204) or (gone and start.status == 409), (start, prune)
        assert (api.get(f"/containers/{cid}/json").status == 404) == gone
        if not gone:
            assert api.remove(cid).status == 204
    wait_until(lambda: not house.cloud.functions())
