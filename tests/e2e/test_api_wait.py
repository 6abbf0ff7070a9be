"""wait: reference 2.4; cases U-36 to U-39, P-1 to P-7.

SPDX-License-Identifier: Apache-2.0
"""
import threading

import pytest

from dockerapi import wait_until


def waiter(api, cid, condition):
    """A wait whose head has arrived."""
    s = api.open("POST", f"/containers/{cid}/wait?condition={condition}")
    assert s.status == 200 and s.headers["transfer-encoding"] == "chunked"
    assert s.headers["content-type"] == "application/json"
    return s


@pytest.mark.parametrize("condition", ["next-exit", "removed", "not-running"])
def test_head_before_start_code_after_exit(api, condition):
    """P-1: a process that ends in less than a millisecond is not missed."""
    for _ in range(3):
        cid = api.create(Cmd=["sh", "-c", "exit 9"])
        first = waiter(api, cid, condition) if condition != "not-running" else None
        api.start(cid)
        s = first or waiter(api, cid, condition)
        if condition == "removed":
            wait_until(lambda: not api.inspect(cid)["State"]["Running"])
            api.remove(cid)
        assert s.json() == {"StatusCode": 9}
        s.close()
        api.remove(cid)


def test_not_running_on_created_is_zero_at_once(api):
    cid = api.create(Cmd=["true"])
    assert api.post(f"/containers/{cid}/wait").json == {"StatusCode": 0}
    api.remove(cid)


def test_refused_before_any_head(api):
    cid = api.create(Cmd=["true"])
    a = api.post(f"/containers/{cid}/wait?condition=stopped")
    assert a.status == 400 and a.message == 'invalid condition: "stopped"'
    for condition in ("removed", "next-exit", "not-running"):
        assert api.post(f"/containers/nosuch/wait?condition={condition}").status == 404
    api.remove(cid)


def test_removed_gives_the_code_of_the_run(api):
    cid = api.create(Cmd=["sh", "-c", "exit 5"], HostConfig={"AutoRemove": True})
    s = waiter(api, cid, "removed")
    api.start(cid)
    assert s.json() == {"StatusCode": 5}
    assert api.get(f"/containers/{cid}/json").status == 404


@pytest.mark.parametrize("condition", ["next-exit", "not-running", "removed"])
def test_forced_removal_releases_waiters(api, condition):
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    s = waiter(api, cid, condition)
    assert api.remove(cid).status == 204
    assert s.json()["StatusCode"] == 137


def test_removal_of_created_releases_next_exit(api):
    cid = api.create(Cmd=["true"])
    s = waiter(api, cid, "next-exit")
    api.remove(cid)
    assert "StatusCode" in s.json()


def test_many_waiters(api):
    cid = api.create(Cmd=["sh", "-c", "read x; exit 4"], OpenStdin=True)
    api.start(cid)
    streams = [waiter(api, cid, c) for c in ("next-exit", "not-running") * 10]
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1")
    c.send(b"go\n")
    got = []
    threads = [threading.Thread(target=lambda s=s: got.append(s.json())) for s in streams]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == [{"StatusCode": 4}] * 20
    api.remove(cid)


def test_gone_waiters_leave_nothing(api):
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    for _ in range(50):
        waiter(api, cid, "next-exit").close()
    api.remove(cid)
    assert api.get("/_ping").status == 200
