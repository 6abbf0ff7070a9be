"""One project, several daemons; time limits, environments, sizes and logs of functions, through the real daemon.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import json
import os
import time

import pytest

import skl
from dockerapi import demux, wait_until


def alone(images, cloud, **options):
    """A daemon without a callback URL: its containers have no agent."""
    options = {"endpoint-url": cloud.url, "project": skl.PROJECT, **options}
    d = skl.Daemon(images, simulator=False, config={"drivers": {"cloud-run-functions": options}})
    d.api.pull()
    return d


def function_of(cloud, cid):
    return next(f for f in cloud.functions() if f["name"].endswith("/skls-" + cid[:12]))["serviceConfig"]


@pytest.fixture(name="two", scope="module")
def two_fixture(images):
    cloud = skl.Cloud(images)
    d = skl.Daemon(images, cloud=cloud)
    d.api.pull()
    yield cloud, d
    d.close()
    cloud.close()


# ---- two daemons ----
def test_two_daemons_on_one_project(cloud, images):
    """Each has its own, whatever the other does: kill -9, a new start that prunes orphans, the same names, removals."""
    a, b = daemons = [skl.Daemon(images, cloud=cloud) for _ in range(2)]
    try:
        made = {}
        for d in daemons:
            d.api.pull()
            made[d] = [d.api.create(name=f"same{i}", Cmd=["sleep", "1000"]) for i in range(3)]
            for cid in made[d][:2]:
                d.api.start(cid)
        a.kill9()
        a.args.append("--prune-orphans")
        a.start()
        wait_until(lambda: "orphans" in a.log(), "the look at what is there")
        assert [c["State"] for c in a.api.get("/containers/json?all=1").json].count("running") == 2
        for cid in made[a]:
            a.api.remove(cid)
        wait_until(lambda: cloud.names() == {"skls-" + cid[:12] for cid in made[b]}, "what is left to be b's")
        assert [c["State"] for c in b.api.get("/containers/json?all=1").json].count("running") == 2
        for cid in made[b]:
            b.api.remove(cid)
        wait_until(lambda: not cloud.names(), "all to go")
    finally:
        for d in daemons:
            d.close()


def test_another_region(cloud, images):
    """What was made where the daemon worked before is still its own: it runs, starts and goes."""
    config = lambda region: {"drivers": {"cloud-run-functions": {"endpoint-url": cloud.url, "project": skl.PROJECT, "region": region}}}
    d = skl.Daemon(images, cloud=cloud, config=config("us-central1"))
    try:
        d.api.pull()
        runs, rests = d.api.create(Cmd=["sleep", "1000"]), d.api.create(Cmd=["sh", "-c", "exit 6"])
        d.api.start(runs)
        d.stop()
        with open(d.config, "w") as f:
            json.dump(config("europe-west1"), f)
        d.start()
        wait_until(lambda: "2 containers, 1 of them running" in d.log(), "the look at what is there")
        new = d.api.create(Cmd=["sh", "-c", "exit 5"])
        for cid, code in ((rests, 6), (new, 5)):
            d.api.start(cid)
            assert d.api.wait(cid) == code
        assert d.api.inspect(runs)["State"]["Running"]
        assert len([r for r in cloud.requests() if r["rpc"] == "CreateFunction"]) == 3
        assert d.docker("exec", runs, "echo", "in").stdout == "in\n"
        for cid in (runs, rests, new):
            d.api.remove(cid)
        wait_until(lambda: len([r for r in cloud.requests() if r["rpc"] == "DeleteFunction" and r["status"] == 200]) == 3, "all to go")
    finally:
        d.close()


# ---- invocations ----
def timers(pid, port):
    """The kernel's timer of each connection to that port: 2 is keep-alive."""
    with open(f"/proc/{pid}/net/tcp") as f:
        rows = [line.split() for line in f][1:]
    own = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if os.path.lexists(f"/proc/{pid}/fd/{fd}")}
    return [int(row[5].split(":")[0], 16) for row in rows
            if row[3] == "01" and int(row[2].split(":")[1], 16) == port and f"socket:[{row[9]}]" in own]


def test_an_invocation_is_kept_alive(two):
    """It may be silent for an hour: what stands between must not take it for dead, nor may its end go unnoticed."""
    cloud, d = two
    port = int(cloud.url.rpartition(":")[2])
    cid = d.api.create(Cmd=["sleep", "1000"])
    d.api.start(cid)
    with_run = wait_until(lambda: (t := timers(d.process.pid, port)) and set(t) == {2} and t, "keep-alive on each connection")
    d.api.post(f"/containers/{cid}/kill")
    d.api.wait(cid)
    wait_until(lambda: len(timers(d.process.pid, port)) < len(with_run), "the invocation's connection to close")
    d.api.remove(cid)


# ---- time limits ----
@pytest.mark.parametrize("semantics", ["strict", "extended"])
@pytest.mark.parametrize("agent", [True, False])
def test_the_time_limit_of_a_function(cloud, images, semantics, agent):
    """504 while the process lives on: the container has ended, with timeout(1)'s code and the reason; and it can be started again."""
    options = {"timeout": 1, "semantics": semantics}
    d = skl.Daemon(images, cloud=cloud, config={"drivers": {"cloud-run-functions": options}}) if agent else alone(images, cloud, **options)
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sh", "-c", "if mkdir /tmp/been; then sleep 2; fi; exit 6"])
        d.api.start(cid)
        assert d.api.wait(cid) == 124
        state = d.api.inspect(cid)["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 124) and "time limit was reached (HTTP 504" in state["Error"]
        assert [r["status"] for r in cloud.requests() if r["rpc"] == "Invoke"] == [504]
        d.api.start(cid)
        assert d.api.wait(cid) in (6, 124)
        d.api.remove(cid)
    finally:
        d.close()


# ---- what containers ask for ----
ODD = ["PORT=1", "K_SERVICE=mine", "GOOGLE_CLOUD_PROJECT=p", "X_GOOGLE_A=x", "a.b-c=dots", "EMPTY=", "NL=a\nb", "EQ=a=b", "U=\u00e9\u4e2d", "SOCKERLESS_X=1"]


def test_every_variable_reaches_the_process(two):
    """Names that Google reserves or refuses are no variables of the function; the process has them all the same."""
    cloud, d = two
    cid = d.api.create(Cmd=["env"], Env=ODD)
    assert {"EMPTY", "NL", "EQ", "U"} == {e.split("=")[0] for e in ODD} & set(function_of(cloud, cid)["environmentVariables"])
    d.api.start(cid)
    assert d.api.wait(cid) == 0
    said = d.docker("logs", cid).stdout
    assert all(e + "\n" in said for e in ODD)
    d.api.remove(cid)


def test_100_kb_of_environment(two):
    """Too much for a function: it goes by the link."""
    cloud, d = two
    env = [f"BIG{i}={'x' * 20000}" for i in range(5)]
    cid = d.api.create(Cmd=["sh", "-c", "echo ${#BIG0} ${#BIG1} ${#BIG2} ${#BIG3} ${#BIG4}"], Env=env)
    variables = function_of(cloud, cid)["environmentVariables"]
    assert sum(len(k) + len(v) for k, v in variables.items()) <= 32768
    d.api.start(cid)
    assert d.api.wait(cid) == 0
    assert d.docker("logs", cid).stdout == "20000 20000 20000 20000 20000\n"
    d.api.remove(cid)


def test_100_kb_of_environment_without_a_link(cloud, images):
    d = alone(images, cloud)
    try:
        answer = d.api.create(ok=False, Cmd=["true"], Env=["SMALL=1", "HUGE=" + "x" * 40000, "BIG=" + "y" * 20000])
        assert answer.status == 400 and "largest variable is HUGE with" in answer.message
        assert not cloud.names() and d.api.get("/containers/json?all=1").json == []
    finally:
        d.close()


@pytest.mark.parametrize("memory, cpus, want", [
    (100 << 20, 0, ("128Mi", "1")), (6 << 30, 1, ("6144Mi", "2")), (32 << 30, 0.1, ("32768Mi", "8")), (0, 0.01, ("1Gi", "500m")),
    (0, 3, ("2048Mi", "4")), (10 ** 9, 0, ("954Mi", "1")), ((4 << 30) + 1, 0.5, ("4097Mi", "2"))])
def test_sizes_become_pairs_that_google_takes(two, memory, cpus, want):
    """And what was asked for is what inspect tells."""
    cloud, d = two
    asked = {"Memory": memory, "NanoCpus": int(cpus * 10 ** 9)}
    cid = d.api.create(Cmd=["true"], HostConfig=asked)
    service = function_of(cloud, cid)
    assert (service["availableMemory"], service["availableCpu"]) == want
    assert service["maxInstanceCount"] == 1
    host = d.api.inspect(cid)["HostConfig"]
    assert {key: host[key] for key in asked} == asked
    d.api.remove(cid)


@pytest.mark.parametrize("asked, word", [({"Memory": 33 << 30}, "32 GiB"), ({"NanoCpus": 9 * 10 ** 9}, "8 CPUs")])
def test_sizes_that_nobody_has(two, asked, word):
    cloud, d = two
    answer = d.api.create(ok=False, Cmd=["true"], HostConfig=asked)
    assert answer.status == 400 and word in answer.message
    assert not cloud.names()


def test_labels_that_google_would_refuse(two):
    _, d = two
    labels = {"com.example/X": "y" * 200, "UPPER": "Line\nbreak", "\u00e9": "", **{f"l{i}": str(i) for i in range(100)}}
    cid = d.api.create(Cmd=["true"], Labels=labels)
    assert d.api.inspect(cid)["Config"]["Labels"].items() >= labels.items()
    d.api.remove(cid)


# ---- logs from the cloud ----
def lines(api, cid, query=""):
    return demux(api.get(f"/containers/{cid}/logs?stdout=1&stderr=1{query}").body)


def test_late_entries(images):
    """They are not there at first, and nobody waits for them; each once later, in their order."""
    cloud = skl.Cloud(images, ["--log-delay", "700ms"])
    d = alone(images, cloud)
    try:
        cid = d.api.create(Cmd=["sh", "-c", "for i in 1 2 3; do echo $i; done"])
        d.api.start(cid)
        assert d.api.wait(cid) == 0
        assert d.docker("logs", cid).stdout in ("", "1\n2\n3\n")
        wait_until(lambda: d.docker("logs", cid).stdout == "1\n2\n3\n", "the entries")
        assert d.docker("logs", "--tail", "2", cid).stdout == "2\n3\n"
        d.api.remove(cid)
    finally:
        d.close()
        cloud.close()


@pytest.mark.parametrize("semantics", ["strict", "extended"])
def test_docker_run_without_an_agent(images, semantics):
    """What was printed comes to who is attached when the cloud's log has it: late, whole, each line once; and nobody waits for ever."""
    cloud = skl.Cloud(images, ["--log-delay", "700ms"])
    d = alone(images, cloud, semantics=semantics)
    try:
        done = d.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo out; echo err >&2; exit 3")
        both = sorted(done.stdout.splitlines() + done.stderr.splitlines())
        assert (done.returncode, both) == (3, ["err", "out", "out"])
        assert done.stderr == ("" if semantics == "strict" else "err\n")
        if semantics == "strict":
            return
        done = d.docker("run", "--name", "twice", "busybox", "sh", "-c", "seq 1 3000")
        assert (done.returncode, done.stdout.split()) == (0, [str(i) for i in range(1, 3001)])
        again = d.docker("start", "-a", "twice")
        assert (again.returncode, again.stdout.split()) == (0, [str(i) for i in range(1, 3001)])
        silent = d.docker("run", "--rm", "busybox", "true")
        assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
    finally:
        d.close()
        cloud.close()


def test_who_goes_away_from_a_run_without_an_agent(images):
    cloud = skl.Cloud(images, ["--log-delay", "1h"])
    d = alone(images, cloud)
    try:
        cid = d.api.create(Cmd=["echo", "x"])
        raw = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
        d.api.start(cid)
        assert d.api.wait(cid) == 0
        wait_until(lambda: [r["rpc"] for r in cloud.requests()].count("ListLogEntries") > 1, "looks at the log")
        raw.close()
        d.api.remove(cid)
        old = d.api.create(Cmd=["echo", "x"])
        d.api.start(old)
        assert d.api.wait(old) == 0
        with d.api.hijack("POST", f"/containers/{old}/attach?logs=1&stdout=1") as raw:
            assert raw.frames() == []  # one look
    finally:
        d.close()
        cloud.close()


def test_many_readers_within_the_quota(cloud, images):
    """Sixty reads a minute, however many want to read (after sixty that may go at once); each gets what is its own."""
    d = alone(images, cloud)
    began = time.monotonic()
    try:
        made = {}
        for i in range(10):
            cid = made[i] = d.api.create(Cmd=["sh", "-c", f"echo line {i}"])
            d.api.start(cid)
            assert d.api.wait(cid) == 0
        wait_until(lambda: all(d.docker("logs", cid).stdout for cid in made.values()), "the entries")

        def read(n):
            return d.docker("logs", made[n % 10]).stdout == f"line {n % 10}\n"

        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            assert all(pool.map(read, range(120)))
        reads = [r["rpc"] for r in cloud.requests()].count("ListLogEntries")
        assert reads <= 60 + time.monotonic() - began + 1, reads
    finally:
        d.close()
