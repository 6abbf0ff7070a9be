"""The disk under the state directory: full (a small tmpfs), damaged, of a newer daemon (issue 4).

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import sqlite3
import subprocess

import pytest

import skl
from chaos import COUNT, counted
from dockerapi import wait_until
from gate import Bell
from test_recovery import lines, run

FULL = "no space left on the device of the state store"


class SmallDisk:
    def __init__(self, path, size="4m"):
        self.path, self.ballast = str(path), os.path.join(path, "ballast")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path], check=True)

    def fill(self):
        """Not a byte is left."""
        with open(self.ballast, "ab", buffering=0) as f:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        f.write(b"\0" * size)
                except OSError:
                    pass

    def free(self):
        os.unlink(self.ballast)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=True)


@pytest.fixture
def disk(tmp_path):
    d = SmallDisk(tmp_path)
    yield d
    d.close()


@pytest.fixture
def small(disk, cloud, images):
    """A daemon on a small disk."""
    d = skl.Daemon(images, cloud=cloud, state=os.path.join(disk.path, "state"))
    d.api.pull()
    yield d
    d.close()


@pytest.fixture
def bell():
    b = Bell()
    yield b
    b.close()


def sound(house):
    with sqlite3.connect(os.path.join(house.state, "state.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def refused(answer):
    assert answer.status == 500 and FULL in answer.message, answer


def test_nothing_is_half_done_on_a_full_disk(disk, small):
    api = small.api
    cid = api.create(name="before", Cmd=["true"])
    disk.fill()
    refused(api.create(ok=False, name="during"))
    refused(api.create(ok=False, name="during2", Volumes={"/v": {}}))
    refused(api.post("/networks/create", {"Name": "during"}))
    refused(api.post("/volumes/create", {"Name": "during"}))
    refused(api.post("/images/busybox/tag?repo=during"))
    refused(api.post(f"/containers/{cid}/rename?name=during"))
    refused(api.post(f"/containers/{cid}/start"))
    refused(api.remove(cid))
    assert [c["Names"] for c in api.get("/containers/json?all=1").json] == [["/before"]]
    assert api.inspect(cid)["State"]["Status"] == "created"
    assert api.get("/volumes").json["Volumes"] == []
    assert {n["Name"] for n in api.get("/networks").json} == {"bridge", "host", "none"}
    assert [t for i in api.get("/images/json").json for t in i["RepoTags"]] == ["busybox:latest"]
    wait_until(lambda: small.cloud.names() == {"skls-" + cid[:12]})
    disk.free()
    for name in ("during", "during2"):
        api.create(name=name)
    assert api.post("/networks/create", {"Name": "during"}).status == 201
    assert api.post("/volumes/create", {"Name": "during"}).status == 201
    api.start(cid)
    assert api.wait(cid) == 0
    small.kill9()
    sound(small)
    small.start()
    assert {c["Names"][0] for c in api.get("/containers/json?all=1").json} == {"/before", "/during", "/during2"}
    assert api.inspect(cid)["State"]["Status"] == "exited"


def test_output_waits_for_room(disk, small):
    """Nothing a container prints is lost, and the daemon says what is the matter, once."""
    api = small.api
    cid = run(api, "sh", "-c", COUNT)
    wait_until(lambda: len(lines(api, cid)) > 10)
    disk.fill()
    had = len(lines(api, cid))
    wait_until(lambda: f"log of container {cid[:12]} can't be written" in small.log())
    assert api.get("/_ping").status == 200 and len(lines(api, cid)) <= had + 300
    disk.free()
    now = len(lines(api, cid))
    wait_until(lambda: len(lines(api, cid)) > now + 50)
    assert small.log().count(f"log of container {cid[:12]} can't be written") == 1
    api.post(f"/containers/{cid}/kill")
    counted(b"\n".join(lines(api, cid)) + b"\n")


def test_a_run_that_ends_on_a_full_disk(disk, small, bell):
    """Its last output and its exit are on record once there is room."""
    api = small.api
    cid = run(api, "sh", "-c", f"echo up; {bell.wait}; exit 7", Env=bell.env)
    wait_until(lambda: lines(api, cid) == [b"up"])
    disk.fill()
    bell.ring()
    wait_until(lambda: "can't be" in small.log())
    disk.free()
    assert api.wait(cid) == 7
    wait_until(lambda: stored_code(small, cid) == 7)
    small.kill9()
    small.start()
    assert api.wait(cid) == 7 and lines(api, cid) == [b"up"]


def stored_code(house, cid):
    with sqlite3.connect(f"file:{house.state}/state.db?mode=ro", uri=True) as db:
        row = db.execute("SELECT exit_code FROM containers WHERE id = ?", (cid,)).fetchone()
    db.close()
    return row[0]


def test_killed_and_started_on_a_full_disk(disk, small):
    api = small.api
    cid = run(api, "sh", "-c", COUNT)
    wait_until(lambda: len(lines(api, cid)) > 10)
    disk.fill()
    wait_until(lambda: f"log of container {cid[:12]} can't be written" in small.log())
    small.kill9()
    small.spawn()
    try:
        wait_until(small.answers)  # or it refuses, in so many words
    except AssertionError as e:
        assert "space" in str(e), e
        small.process = None
    disk.free()
    if small.process is None:
        small.start()
    had = len(lines(api, cid))
    wait_until(lambda: len(lines(api, cid)) > had + 50)
    api.post(f"/containers/{cid}/kill")
    counted(b"\n".join(lines(api, cid)) + b"\n")
    small.stop()
    sound(small)
    small.start()


# ---- stores we must not touch ----
def start_fails(house):
    house.spawn()
    assert house.process.wait(skl.TIMEOUT) == 1
    house.process = None
    return house.log().splitlines()[-1]


@pytest.fixture
def stopped(images):
    d = skl.Daemon(images, simulator=False, args=["--driver", "null"])
    d.api.pull()
    d.api.create(name="kept")
    d.stop()
    yield d
    d.close()


def contents(path):
    with open(path, "rb") as f:
        return f.read()


def test_a_store_of_a_newer_version_is_refused(stopped):
    path = os.path.join(stopped.state, "state.db")
    with sqlite3.connect(path) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version = {version + 1}")
    db.close()
    before = contents(path)
    assert f"{path} was made by a newer version of sockerlessd (schema {version + 1}, this one knows {version})" in start_fails(stopped)
    assert contents(path) == before
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    stopped.start()
    assert stopped.api.inspect("kept")["Name"] == "/kept"


@pytest.mark.parametrize("how", ["no database", "a page", "cut"])
def test_a_damaged_store_is_refused_and_kept(stopped, how):
    path = os.path.join(stopped.state, "state.db")
    whole = contents(path)
    bad = {"no database": b"this is not SQLite\n" * 100, "cut": whole[:len(whole) // 2 // 4096 * 4096 + 100],
           "a page": whole[:4096] + b"\xa5" * (len(whole) - 4096)}[how]
    shutil.copy(path, path + ".good")
    with open(path, "wb") as f:
        f.write(bad)
    said = start_fails(stopped)
    assert f"the state store {path} is damaged" in said and "left as it is" in said
    assert contents(path) == bad
    os.replace(path + ".good", path)
    stopped.start()
    assert stopped.api.inspect("kept")["Name"] == "/kept"
