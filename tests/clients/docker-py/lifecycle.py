"""docker-py: the life of a container, its files, health, top, stats, events.

SPDX-License-Identifier: Apache-2.0
"""
import threading
import time

import docker
import requests

from casebook import case, refused, until
from house import api, box, client, low, run, tar, untar


def state(k):
    return api.inspect_container(k)["State"]


@case
def lifecycle():
    with box(name="py-life", labels={"a": "b"}) as k:
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


@case
def ids_as_dictionaries():
    k = api.create_container("busybox", ["sleep", "1000"])
    for call in (api.start, api.restart, api.stop, api.start, api.kill):
        call(k, **({"timeout": 1} if call in (api.restart, api.stop) else {}))
    assert api.wait(k)["StatusCode"] == 137
    api.remove_container(k)
    assert refused(api.inspect_container, k).response.status_code == 404


@case
def signals():
    for signal, code in ((None, 137), (9, 137), ("SIGTERM", 143), ("INT", 130)):
        with low(["sleep", "1000"]) as k:
            api.kill(k, signal=signal)
            assert api.wait(k)["StatusCode"] == code and not state(k)["Running"], signal
    with low("true") as k:
        api.wait(k)
        assert refused(api.kill, k).response.status_code == 409


@case
def restart_makes_it_new():
    with low(["sleep", "1000"]) as k:
        first = state(k)
        api.restart(k, timeout=1)
        second = state(k)
        assert second["Running"] and first["StartedAt"] < second["StartedAt"] and second["FinishedAt"] > first["StartedAt"]


@case
def stop_and_start_of_what_is_so_already():
    with low(["sleep", "1000"]) as k:
        assert api.start(k) is None
        api.stop(k, timeout=0)
        assert api.stop(k) is None and state(k)["ExitCode"] in (137, 143)


@case
def wait_conditions():
    with low("sh -c 'exit 5'", start=False) as k:
        assert api.wait(k)["StatusCode"] == 0
        refused_by = []

        def next_exit():
            refused_by.append(api.wait(k, condition="next-exit"))
        waiter = threading.Thread(target=next_exit)
        waiter.start()
        api.start(k)
        waiter.join(30)
        assert api.wait(k)["StatusCode"] == 5 and (not refused_by or refused_by[0]["StatusCode"] == 5)
        e = refused(api.wait, k, timeout=0.3, condition="next-exit")  # the heads came, the body does not
        assert isinstance(e, requests.exceptions.RequestException), e
    k = run("sh", "-c", "sleep 0.2; exit 5", auto_remove=True)
    try:
        assert k.wait(condition="removed")["StatusCode"] == 5
    except docker.errors.NotFound:
        pass  # gone already


@case
def pause_says_what_is_wrong():
    with box() as k:
        assert refused(k.unpause).response.status_code in (409, 500)
        k.pause()
        assert refused(k.pause).response.status_code == 409
        k.unpause()


@case
def renaming():
    with low("true", start=False, name="py-old") as k, low("true", start=False, name="py-other"):
        api.rename(k, "py-new")
        assert api.inspect_container(k)["Name"] == "/py-new"
        assert refused(api.rename, k, "py-other").response.status_code == 409


@case
def top_and_stats():
    with box() as k:
        assert k.top()["Processes"][0][-1] == "sleep 1000" and k.top(ps_args="aux")["Titles"][0] == "USER"
        assert {"cpu_stats", "memory_stats", "pids_stats"} <= set(k.stats(stream=False))
        assert next(k.stats(decode=True))["name"] == "/" + k.name
        assert k.stats(stream=False)["id"] == k.id


@case
def archive_before_the_start():
    with box("cat", "/tmp/f", start=False) as k:
        assert k.put_archive("/tmp", tar(f=b"abc"))
        k.start()
        k.wait()
        assert k.logs() == b"abc"
        bits, stat = k.get_archive("/tmp/f")
        assert stat["name"] == "f" and stat["size"] == 3 and untar(bits) == {"f": b"abc"}


@case
def archive_while_it_runs():
    with box() as k:
        k.put_archive("/tmp", tar(**{"dir/one": b"1", "dir/two": b"22"}))
        assert k.exec_run("cat /tmp/dir/one /tmp/dir/two").output == b"122"
        bits, stat = k.get_archive("/tmp/dir", chunk_size=None)
        assert stat["name"] == "dir" and stat["mode"] & 1 << 31 and untar(bits) == {"dir/one": b"1", "dir/two": b"22"}
        assert refused(k.get_archive, "/nosuch").response.status_code == 404
        assert refused(k.put_archive, "/nosuch", tar(f=b"")).response.status_code == 404
        big = bytes(range(256)) * 20_000
        k.put_archive("/tmp", tar(big=big))
        assert untar(k.get_archive("/tmp/big")[0]) == {"big": big}


@case
def export_running():
    with box() as k:
        assert sum(len(piece) for piece in k.export()) > 100_000


@case
def health():
    with box(healthcheck={"test": "true", "interval": 200_000_000, "retries": 1}) as k:
        until(lambda: (k.reload(), k.attrs["State"]["Health"]["Status"] == "healthy")[1])
    with box(healthcheck={"test": ["CMD-SHELL", "echo bad; false"], "interval": 100_000_000, "retries": 2}) as k:
        until(lambda: (k.reload(), k.attrs["State"]["Health"]["Status"] == "unhealthy")[1])
        last = k.attrs["State"]["Health"]["Log"][-1]
        assert last["ExitCode"] == 1 and last["Output"] == "bad\n" and k.attrs["State"]["Health"]["FailingStreak"] >= 2
    with box(healthcheck={"test": ["CMD-SHELL", "false"], "interval": 100_000_000, "retries": 1, "start_period": 3_000_000_000}) as k:
        assert (k.reload(), k.attrs["Config"]["Healthcheck"]["StartPeriod"])[1] == 3_000_000_000
        assert k.attrs["State"]["Health"]["Status"] == "starting"
    e = refused(client.containers.create, "busybox", "true", healthcheck={"test": "true", "interval": 500})
    assert e.response.status_code == 400


@case
def events():
    since = time.time() - 1
    k = run("true", labels={"py-ev": "1"})
    k.wait()
    k.remove()
    seen = [e["Action"] for e in client.events(since=since, until=time.time() + 0.2, decode=True, filters={"label": "py-ev=1", "type": "container"})]
    assert [x for x in seen if x != "attach"] == ["create", "start", "die", "destroy"], seen


@case
def events_live_and_cancelled():
    stream = client.events(decode=True, filters={"event": ["create", "die"], "label": "py-live"})
    with box("sh", "-c", "exit 3", labels={"py-live": "1"}) as k:
        first, second = next(stream), next(stream)
        assert (first["Action"], second["Action"]) == ("create", "die") and second["Actor"]["Attributes"]["exitCode"] == "3"
        assert first["id"] == k.id and first["Type"] == "container" and first["timeNano"] // 10**9 == first["time"]
    threading.Timer(0.1, stream.close).start()
    assert list(stream) == []


@case
def events_of_networks_and_volumes():
    since = time.time() - 0.5
    client.networks.create("py-evnet").remove()
    client.volumes.create("py-evvol").remove()
    seen = [(e["Type"], e["Action"]) for e in client.events(since=since, until=time.time() + 0.2, decode=True, filters={"type": ["network", "volume"]})
            if "py-ev" in str(e["Actor"])]
    assert seen == [("network", "create"), ("network", "destroy"), ("volume", "create"), ("volume", "destroy")], seen


@case
def df_and_prune():
    run("true", labels={"p": "1"}).wait()
    assert client.df()["Containers"]
    assert len(client.containers.prune(filters={"label": "p=1"})["ContainersDeleted"]) == 1
    assert client.containers.prune(filters={"label": "p=1"})["ContainersDeleted"] in ([], None)
