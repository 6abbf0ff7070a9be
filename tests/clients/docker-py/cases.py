"""docker-py's areas: containers, exec, images, networks, volumes, events, logs, archive. Written for 5.0.3 and the newest.

SPDX-License-Identifier: Apache-2.0
"""
import io
import sys
import tarfile
import time
import traceback

import docker

client = docker.from_env(version="auto", timeout=60)
CASES = []
SKIPS = {
    "build": "functions are run, not built: 501 with the way out",
    "push": "the daemon holds no layers: 501",
    "load": "the daemon holds no layers: 501",
    "diff": "a function keeps no record of what changed: 501",
    "export_stopped": "the file system goes with the function: 409",
    "commit": "a function's file system can't be made an image: 501",
}


def case(fn):
    CASES.append(fn)
    return fn


def run(*cmd, **kw):
    kw.setdefault("detach", True)
    return client.containers.run("busybox", list(cmd), **kw)


def until(test):
    end = time.time() + 30
    while not test():
        assert time.time() < end, "it did not happen"
        time.sleep(0.02)


@case
def ping_version_info():
    assert client.ping() and client.version()["ApiVersion"] == "1.44" and client.info()["Driver"] == "cloud-run-functions"


@case
def run_attached():
    assert client.containers.run("busybox", "echo hi", remove=True) == b"hi\n"
    assert client.containers.run("busybox", ["sh", "-c", "echo e >&2"], remove=True, stdout=False, stderr=True) == b"e\n"


@case
def run_fails_with_the_code_and_stderr():
    try:
        client.containers.run("busybox", ["sh", "-c", "echo no >&2; exit 3"], remove=True)
    except docker.errors.ContainerError as e:
        assert e.exit_status == 3 and e.stderr == b"no\n"
    else:
        raise AssertionError("it did not fail")


@case
def image_not_found():
    try:
        client.api.create_container("nosuch:tag", "true")
    except docker.errors.ImageNotFound:
        return
    raise AssertionError("it was found")


@case
def logs():
    k = run("sh", "-c", "echo out; echo err >&2; echo two; sleep 1000")
    try:
        until(lambda: b"two" in k.logs())
        assert sorted(k.logs().split()) == [b"err", b"out", b"two"]  # two pipes: the order between them is open
        assert k.logs(stderr=False) == b"out\ntwo\n" and k.logs(stdout=False) == b"err\n" and k.logs(stderr=False, tail=1) == b"two\n"
        assert next(k.logs(stream=True)) in (b"out\n", b"err\n") and b"Z out" in k.logs(timestamps=True)
        assert k.logs(since=int(time.time()) + 100) == b""
    finally:
        k.remove(force=True)


@case
def logs_follow_to_the_end():
    k = run("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done")
    assert b"".join(k.logs(stream=True, follow=True)) == b"1\n2\n3\n"
    assert k.wait()["StatusCode"] == 0
    k.remove()


@case
def exec_codes_and_streams():
    k = run("sleep", "1000")
    try:
        assert k.exec_run("echo x") == (0, b"x\n")
        assert k.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True) == (4, (b"o\n", b"e\n"))
        assert b"".join(k.exec_run(["sh", "-c", "echo a; sleep .1; echo b"], stream=True)[1]) == b"a\nb\n"
        assert k.exec_run("sh -c 'echo $A'", environment={"A": "b"}, workdir="/tmp").output == b"b\n"
        assert k.exec_run("id -un", user="nobody").output == b"nobody\n"
        assert k.exec_run("tty", tty=True).output.startswith(b"/dev/")
        assert k.exec_run("true", detach=True).exit_code in (None, 0)
    finally:
        k.remove(force=True)


@case
def exec_socket():
    k = run("sleep", "1000")
    try:
        s = k.exec_run("cat", stdin=True, socket=True)[1]
        s._sock.sendall(b"through\n")
        assert s._sock.recv(8) == b"\x01\0\0\0\0\0\0\x08" and s._sock.recv(100) == b"through\n"
        s._sock.close()
    finally:
        k.remove(force=True)


@case
def attach_socket_with_a_terminal():
    k = client.containers.create("busybox", "cat", stdin_open=True, tty=True)
    s = k.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    k.start()
    s._sock.sendall(b"typed\n")
    data = b""
    while data.count(b"typed") < 2:
        data += s._sock.recv(100)
    s._sock.close()
    k.remove(force=True)


@case
def lifecycle():
    k = run("sleep", "1000", name="py-life", labels={"a": "b"})
    status = lambda: (k.reload(), k.status)[1]  # noqa: E731
    assert status() == "running"
    k.pause()
    assert status() == "paused"
    k.unpause()
    k.rename("py-renamed")
    assert client.containers.get("py-renamed").id == k.id
    k.update(mem_limit="256m", memswap_limit="512m")
    k.resize(10, 20)
    k.restart(timeout=1)
    assert status() == "running"
    k.kill("SIGUSR1")
    assert k.wait()["StatusCode"] == 138 and status() == "exited"
    k.start()
    k.stop(timeout=1)
    assert status() == "exited"
    assert [x.name for x in client.containers.list(all=True, filters={"label": "a=b"})] == ["py-renamed"]
    k.remove(v=True)


@case
def top_and_stats():
    k = run("sleep", "1000")
    try:
        assert k.top()["Processes"][0][-1] == "sleep 1000" and k.top(ps_args="aux")["Titles"][0] == "USER"
        assert {"cpu_stats", "memory_stats", "pids_stats"} <= set(k.stats(stream=False))
        assert next(k.stats(decode=True))["name"] == "/" + k.name
    finally:
        k.remove(force=True)


@case
def archive():
    k = client.containers.create("busybox", "cat /tmp/f")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo("f")
        info.size = 3
        t.addfile(info, io.BytesIO(b"abc"))
    assert k.put_archive("/tmp", out.getvalue())
    k.start()
    k.wait()
    assert k.logs() == b"abc"
    bits, stat = k.get_archive("/tmp/f")
    with tarfile.open(fileobj=io.BytesIO(b"".join(bits))) as t:
        assert stat["name"] == "f" and stat["size"] == 3 and t.extractfile("f").read() == b"abc"
    k.remove()


@case
def export_running():
    k = run("sleep", "1000")
    try:
        assert sum(len(piece) for piece in k.export()) > 100_000
    finally:
        k.remove(force=True)


@case
def wait_conditions():
    k = run("sh", "-c", "exit 5", auto_remove=True)
    try:
        assert k.wait(condition="removed")["StatusCode"] == 5
    except docker.errors.NotFound:
        pass  # gone already


@case
def images():
    assert "busybox:latest" in client.images.pull("busybox:latest").tags
    i = client.images.get("busybox")
    assert i.tag("py-tag", "1") and "py-tag:1" in client.images.get("busybox").tags and len(i.history()) >= 1
    client.images.remove("py-tag:1")
    assert client.images.list(name="busybox") and client.images.list(filters={"dangling": True}) == []
    assert client.images.prune()["SpaceReclaimed"] == 0


@case
def networks():
    n = client.networks.create("py-net", driver="bridge", labels={"x": "y"},
                               ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="10.77.0.0/24")]))
    k = run("sleep", "1000", network="py-net")
    try:
        k.reload()
        assert k.attrs["NetworkSettings"]["Networks"]["py-net"]["IPAddress"].startswith("10.77.0.")
        n.disconnect(k)
        n.connect(k, aliases=["al"])
        n.reload()
        assert [c.id for c in n.containers] == [k.id]
        try:
            n.remove()
        except docker.errors.APIError as e:
            assert e.response.status_code == 403
        else:
            raise AssertionError("a network in use was removed")
    finally:
        k.remove(force=True)
        n.remove()
    assert client.networks.prune()["NetworksDeleted"] in ([], None)


@case
def volumes():
    v = client.volumes.create("py-vol", labels={"x": "y"})
    k = client.containers.create("busybox", "true", volumes={"py-vol": {"bind": "/data", "mode": "rw"}})
    try:
        v.remove()
    except docker.errors.APIError as e:
        assert e.response.status_code == 409
    else:
        raise AssertionError("a volume in use was removed")
    k.remove()
    assert [x.name for x in client.volumes.list(filters={"label": "x=y"})] == ["py-vol"]
    v.remove()


@case
def events():
    since = time.time() - 1
    k = run("true", labels={"py-ev": "1"})
    k.wait()
    k.remove()
    seen = [e["Action"] for e in client.events(since=since, until=time.time() + 0.2, decode=True, filters={"label": "py-ev=1", "type": "container"})]
    assert seen == ["create", "start", "die", "destroy"] or seen == ["create", "attach", "start", "die", "destroy"], seen


@case
def df_and_prune():
    run("true", labels={"p": "1"}).wait()
    assert client.df()["Containers"]
    assert len(client.containers.prune(filters={"label": "p=1"})["ContainersDeleted"]) == 1


@case
def healthcheck():
    k = run("sleep", "1000", healthcheck={"test": ["CMD", "true"], "interval": 1_000_000 * 200, "retries": 1})
    try:
        until(lambda: (k.reload(), k.attrs["State"]["Health"]["Status"] == "healthy")[1])
    finally:
        k.remove(force=True)


def main():
    print("version -", docker.__version__)
    for fn in CASES:
        try:
            fn()
            print("ok -", fn.__name__, flush=True)
        except Exception:
            print("not ok -", fn.__name__ + ":", traceback.format_exc(limit=-2).replace("\n", " | "), flush=True)
    for name, why in SKIPS.items():
        print("skip -", name + ":", why)


if __name__ == "__main__":
    sys.exit(main())
