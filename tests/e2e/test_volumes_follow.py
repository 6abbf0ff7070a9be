"""What a volume holds follows it from function to function: kept when a container's run ends, given to the next one that mounts it.

SPDX-License-Identifier: Apache-2.0
"""
import io
import itertools
import tarfile

import pytest

import skl
from dockerapi import wait_until

NUMBERS = itertools.count()


@pytest.fixture
def volume(api):
    name = f"follow-{next(NUMBERS)}"
    yield name
    api.delete(f"/volumes/{name}?force=1")


def output(api, cid):
    out, body = b"", api.get(f"/containers/{cid}/logs?stdout=1&stderr=1").body
    while body:
        n = int.from_bytes(body[4:8], "big")
        out, body = out + body[8:8 + n], body[8 + n:]
    return out.decode()


def run(api, volume, script, mount="/data", code=0, **host):
    """A container's whole life; what it printed."""
    cid = api.create(Cmd=["sh", "-c", script], HostConfig={"Binds": [f"{volume}:{mount}"], **host})
    api.start(cid)
    try:
        assert api.wait(cid) == code, output(api, cid)
        return output(api, cid)
    finally:
        api.remove(cid)


def test_from_one_container_to_another(api, volume):
    run(api, volume, "cd /data; echo text > f; mkdir -p deep/empty; ln -s f link; chmod 640 f; chown 12:34 f; printf 'a\\0b' > bin; ln f hard")
    out = run(api, volume, "cd /srv/there; cat f link; stat -c '%a %u %g %h' f; readlink link; wc -c < bin; ls deep; ls -a | wc -l", mount="/srv/there")
    assert out == "text\ntext\n640 12 34 2\nf\n3\nempty\n7\n"


def test_deletions_and_changes_follow(api, volume):
    run(api, volume, "cd /data; echo 1 > a; echo 1 > b")
    run(api, volume, "cd /data; rm a; echo 2 > b; echo 2 > c")
    assert run(api, volume, "cd /data; ls; cat b c") == "b\nc\n2\n2\n"


def test_the_same_container_again(api, volume):
    cid = api.create(Cmd=["sh", "-c", "cat /data/n; echo x >> /data/n"], HostConfig={"Binds": [f"{volume}:/data"]})
    for _ in range(3):
        api.start(cid)
        api.wait(cid)
    api.remove(cid)
    assert run(api, volume, "cat /data/n") == "x\nx\nx\n"


@pytest.mark.parametrize("end", ["stop", "kill", "remove", "restart", "own"])
def test_however_it_ends(api, volume, end):
    script = "echo kept > /data/f; echo up; " + ("exit 3" if end == "own" else "exec sleep 1000")
    cid = api.create(Cmd=["sh", "-c", script], HostConfig={"Binds": [f"{volume}:/data"]})
    api.start(cid)
    wait_until(lambda: "up" in output(api, cid), "the file")
    if end in ("stop", "kill", "restart"):
        assert api.post(f"/containers/{cid}/{end}" + ("?t=0" if end != "kill" else "")).status == 204
        if end == "restart":
            wait_until(lambda: output(api, cid).count("up") == 2, "the second run")
    elif end == "own":
        assert api.wait(cid) == 3
    assert api.remove(cid).status == 204
    assert run(api, volume, "cat /data/f") == "kept\n"


def test_auto_remove_keeps_named_ones(api, volume):
    cid = api.create(Cmd=["sh", "-c", "echo named > /data/f; echo anonymous > /anon/f"], Volumes={"/anon": {}},
                     HostConfig={"Binds": [f"{volume}:/data"], "AutoRemove": True})
    anonymous = next(m["Name"] for m in api.inspect(cid)["Mounts"] if m["Destination"] == "/anon")
    api.start(cid)
    wait_until(lambda: api.get(f"/containers/{cid}/json").status == 404, "the removal")
    assert run(api, volume, "cat /data/f") == "named\n"
    assert api.get(f"/volumes/{anonymous}").status == 404


def test_a_read_only_mount_is_read(api, volume):
    run(api, volume, "echo first > /data/f")
    cid = api.create(Cmd=["sh", "-c", "cat /data/f; echo changed > /data/f"], HostConfig={"Binds": [f"{volume}:/data:ro"]})
    api.start(cid)
    api.wait(cid)
    assert output(api, cid) == "first\n"
    api.remove(cid)
    assert run(api, volume, "cat /data/f") == "first\n"


def test_what_was_copied_in_follows(api, volume):
    """gitlab-ci-local: docker cp into a container that was created, a start, another container."""
    cid = api.create(Cmd=["true"], HostConfig={"Binds": [f"{volume}:/data"]})
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as t:
        info = tarfile.TarInfo("copied")
        info.size = 3
        t.addfile(info, io.BytesIO(b"in\n"))
    assert api.put(f"/containers/{cid}/archive?path=/data", data.getvalue(), headers={"Content-Type": "application/x-tar"}).status == 200
    api.start(cid)
    api.wait(cid)
    api.remove(cid)
    assert run(api, volume, "cat /data/copied") == "in\n"


def tar_of(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def names(api, cid, path):
    answer = api.get(f"/containers/{cid}/archive?path={path}")
    if answer.status != 200:
        return answer.status
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as t:
        return {m.name: t.extractfile(m).read() for m in t.getmembers() if m.isfile()}


def test_it_is_read_of_containers_that_do_not_run(api, volume):
    """docker cp out of a created container, and of one that has ended: what the volume holds, under what was copied in since."""
    run(api, volume, "mkdir /data/d; echo one > /data/d/one; echo two > /data/two")
    cid = api.create(Cmd=["sh", "-c", "rm /data/two /data/in; echo 2 > /data/d/one; echo new > /data/new"], HostConfig={"Binds": [f"{volume}:/data"]})
    assert names(api, cid, "/data/d") == {"d/one": b"one\n"} and names(api, cid, "/data/nosuch") == 404
    assert api.put(f"/containers/{cid}/archive?path=/data", tar_of("in", b"copied"), headers={"Content-Type": "application/x-tar"}).status == 200
    assert names(api, cid, "/data") == {"data/d/one": b"one\n", "data/two": b"two\n", "data/in": b"copied"}
    api.start(cid)
    assert api.wait(cid) == 0
    assert names(api, cid, "/data/.") == {"./d/one": b"2\n", "./new": b"new\n"}
    assert names(api, cid, "/data/two") == 404 and names(api, cid, "/data/in") == 404
    assert api.head(f"/containers/{cid}/archive?path=/data/new").status == 200
    assert api.put(f"/containers/{cid}/archive?path=/data", tar_of("new", b"newer"), headers={"Content-Type": "application/x-tar"}).status == 200
    assert names(api, cid, "/data/new") == {"new": b"newer"}
    api.start(cid)
    api.wait(cid)
    api.remove(cid)


def test_its_size_is_told(api, volume):
    def usage():
        return next(v["UsageData"] for v in api.get("/system/df").json["Volumes"] if v["Name"] == volume)

    api.post("/volumes/create", {"Name": volume, "Labels": {"sized": "1"}})
    assert usage() == {"RefCount": 0, "Size": 0}
    run(api, volume, "dd if=/dev/zero of=/data/big bs=1k count=100 2>/dev/null")
    assert 102400 <= usage()["Size"] < 120000
    pruned = api.post('/volumes/prune?filters=%7B%22label%22:%5B%22sized%22%5D,%22all%22:%5B%22true%22%5D%7D').json
    assert pruned["VolumesDeleted"] == [volume] and pruned["SpaceReclaimed"] >= 102400


def test_a_removed_volume_is_empty_when_it_is_made_again(api, volume):
    run(api, volume, "echo old > /data/f")
    assert api.delete(f"/volumes/{volume}").status == 204
    assert run(api, volume, "ls /data") == ""


def test_two_volumes_and_volumes_from(api, volume):
    run(api, volume, "echo shared > /data/f")
    one = api.create(Cmd=["true"], HostConfig={"Binds": [f"{volume}:/data"]})
    two = api.create(Cmd=["cat", "/data/f"], HostConfig={"VolumesFrom": [one]})
    api.start(two)
    assert api.wait(two) == 0 and output(api, two) == "shared\n"
    api.remove(two)
    api.remove(one)


def test_the_last_output_does_not_wait_for_the_files(api, volume):
    """What a container printed is there while its volume is being kept; its end comes after that."""
    cid = api.create(Cmd=["sh", "-c", "dd if=/dev/zero of=/data/big bs=1M count=100 2>/dev/null; echo last"], HostConfig={"Binds": [f"{volume}:/data"]})
    conn = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    api.start(cid)
    assert conn.frame() == (1, b"last\n") and conn.frame() is None
    assert api.wait(cid) == 0
    api.remove(cid)
    assert run(api, volume, "wc -c < /data/big") == "104857600\n"


def test_a_daemon_that_is_killed_meanwhile(house):
    """kill -9 at the end of a run, and while files are being fetched: the next daemon fetches them."""
    api = house.api
    for n in range(3):
        cid = api.create(Cmd=["sh", "-c", f"dd if=/dev/zero of=/data/big bs=1M count=60 2>/dev/null; echo {n} > /data/n; echo done"],
                         HostConfig={"Binds": ["killed:/data"]})
        api.start(cid)
        wait_until(lambda: "done" in output(api, cid), "the process's end")
        house.kill9()
        house.start()
        assert api.wait(cid) == 0
        api.remove(cid)
        assert run(api, "killed", "wc -c < /data/big; cat /data/n") == f"62914560\n{n}\n"


def test_a_daemon_that_is_stopped_meanwhile(house):
    api = house.api
    cid = api.create(Cmd=["sh", "-c", "dd if=/dev/zero of=/data/big bs=1M count=200 2>/dev/null; echo done"], HostConfig={"Binds": ["stopped:/data"]})
    api.start(cid)
    wait_until(lambda: "done" in output(api, cid), "the process's end")
    house.stop()
    house.start()
    assert api.wait(cid) == 0
    api.remove(cid)
    assert run(api, "stopped", "wc -c < /data/big") == "209715200\n"


def test_a_terminal_and_a_slow_reader(api, volume):
    """A client that reads slowly, of a container that ends with much to keep and much to say."""
    cid = api.create(Cmd=["sh", "-c", "dd if=/dev/zero of=/data/big bs=1M count=5 2>/dev/null; seq 1 200000"], Tty=True, HostConfig={"Binds": [f"{volume}:/data"]})
    conn = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    api.start(cid)
    text = conn.rest().replace(b"\r", b"").split()
    assert text[0] == b"1" and text[-1] == b"200000" and len(text) == 200000
    assert api.wait(cid) == 0
    api.remove(cid)
    assert run(api, volume, "wc -c < /data/big") == "5242880\n"


def test_one_that_is_removed_while_its_volume_is_kept(api, volume):
    """DELETE force comes between the end of the process and the end of the fetch: it waits for that."""
    cid = api.create(Cmd=["sh", "-c", "dd if=/dev/zero of=/data/big bs=1M count=100 2>/dev/null; echo done"], HostConfig={"Binds": [f"{volume}:/data"]})
    api.start(cid)
    wait_until(lambda: "done" in output(api, cid), "the process's end")
    assert api.remove(cid).status == 204
    assert run(api, volume, "wc -c < /data/big") == "104857600\n"


def test_what_is_too_big_stays_as_it_was(images):
    d = skl.Daemon(images, args=["--agent-volume-limit", "1m"])
    try:
        d.api.pull()
        run(d.api, "limited", "echo small > /data/f")
        run(d.api, "limited", "dd if=/dev/zero of=/data/big bs=1M count=2 2>/dev/null")
        assert "volume limited is not kept: it is more than the 1048576 bytes of agent.volume-limit" in d.log()
        assert run(d.api, "limited", "ls /data; cat /data/f") == "f\nsmall\n"
    finally:
        d.close()


def test_strict_semantics_keep_nothing(images):
    d = skl.Daemon(images, config={"drivers": {"cloud-run-functions": {"semantics": "strict"}}})
    try:
        d.api.pull()
        run(d.api, "strict", "echo x > /data/f")
        assert run(d.api, "strict", "ls /data") == ""
    finally:
        d.close()
