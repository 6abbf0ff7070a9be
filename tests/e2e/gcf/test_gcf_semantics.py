"""The mission's rows (DESIGN.md 4), each through the real daemon, once in strict and once in extended semantics.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import io
import socket
import tarfile
import threading

import pytest

import skl
from dockerapi import demux, wait_until
from gate import Bell

SERVICE = {"memory": "512Mi", "cpu": "1", "timeout": 1234, "service-account": "runner@sockerless-test.iam.gserviceaccount.com"}
FOREVER = ["tail", "-f", "/dev/null"]


def skls(cid):
    return "skls-" + cid[:12]


class Semantics:
    """A daemon in one of the two, and the cloud it has."""

    def __init__(self, images, name, cloud_args=(), **options):
        self.name, self.strict = name, name == "strict"
        self.cloud = skl.Cloud(images, cloud_args)
        options = {"semantics": name, **SERVICE, **options}
        self.daemon = skl.Daemon(images, cloud=self.cloud, config={"drivers": {"cloud-run-functions": options}})
        self.api = self.daemon.api
        self.api.pull()

    def running(self, *command, **config):
        cid = self.api.create(Cmd=list(command) or FOREVER, **config)
        self.api.start(cid)
        return cid

    def asked(self, cid, method=None, ending=""):
        """What was asked of the cloud about a container."""
        return [r for r in self.cloud.requests() if skls(cid) in r["path"] and method in (None, r["method"]) and
                r["path"].split("?")[0].endswith(ending)]

    def invocations(self, cid):
        """How often it was invoked; the log has an invocation when it ended."""
        return len([r for r in self.asked(cid) if r["rpc"] == "Invoke"])

    def state(self, cid):
        return self.api.inspect(cid)["State"]

    def logs(self, cid, query="stdout=1&stderr=1"):
        with self.api.open("GET", f"/containers/{cid}/logs?{query}") as stream:
            data = stream.read()
        frames, at = [], 0
        while at < len(data):
            n = int.from_bytes(data[at + 4:at + 8], "big")
            frames.append((data[at], data[at + 8:at + 8 + n]))
            at += 8 + n
        return frames

    def close(self):
        self.daemon.close()
        self.cloud.close()


@pytest.fixture(name="house", params=["strict", "extended"], scope="module")
def house_fixture(request, images):
    house = Semantics(images, request.param)
    yield house
    house.close()


@pytest.fixture(name="bell")
def bell_fixture():
    bell = Bell()
    yield bell
    bell.close()


def tar_of(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def read_tar(data, name):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.extractfile(name).read()


# ---- create ----
def test_create(house):
    cid = house.api.create(Cmd=["true"], Env=["GREETING=hello there"])
    function = next(f for f in house.cloud.functions() if f["name"].endswith("/" + skls(cid)))
    service = function["serviceConfig"]
    assert function["buildConfig"]["runtime"] == "docker"
    assert function["state"] == "ACTIVE", "201 came before the operation was done"
    assert (service["availableMemory"], service["availableCpu"], service["timeoutSeconds"], service["serviceAccountEmail"]) == \
        ("512Mi", "1", 1234, SERVICE["service-account"])
    env = service["environmentVariables"]
    assert env["GREETING"] == "hello there" and env["SOCKERLESS_CONTAINER_ID"] == cid
    assert env["SOCKERLESS_AGENT_CALLBACK_URL"].startswith("http://host.sockerless.internal:") and env["SOCKERLESS_AGENT_TOKEN"]
    assert env["SOCKERLESS_IMAGE"] == "busybox:latest"
    house.api.remove(cid)


@pytest.mark.parametrize("name", ["strict", "extended"])
@pytest.mark.parametrize("create, state", [("wait", "ACTIVE"), ("background", "DEPLOYING")])
def test_create_waits_for_its_operation_unless_told_not_to(images, name, create, state):
    house = Semantics(images, name, ["--operation-delay", "2s"], create=create)
    try:
        cid = house.api.create(Cmd=["sh", "-c", "exit 3"])
        assert [f["state"] for f in house.cloud.functions()] == [state]
        house.api.start(cid)  # waits for what is not there yet
        assert house.api.wait(cid) == 3
    finally:
        house.close()


# ---- start ----
def test_start_answers_once_the_agent_is_there(house, bell):
    cid = house.running("sh", "-c", f"{bell.wait}; exit 7", Env=bell.env)
    assert house.state(cid)["Running"]
    ran = house.api.post(f"/containers/{cid}/exec", {"Cmd": ["true"]})
    assert house.api.post(f"/exec/{ran.json['Id']}/start", {"Detach": True}).status == 200
    bell.ring()
    assert house.api.wait(cid) == 7
    wait_until(lambda: house.invocations(cid), "the invocation's end")
    assert house.invocations(cid) == 1


def test_helper_commands_end_with_their_command(house):
    """Its end doesn't wait for the agent, nor the agent for the daemon: another's five seconds are not over by then."""
    other = house.running("sleep", "5")
    cid = house.running("sh", "-c", "exit 9")
    assert house.api.wait(cid) == 9
    assert house.state(cid)["Status"] == "exited"
    assert house.state(other)["Running"]
    house.api.remove(other)


def test_other_commands_end_with_their_agent(house):
    """`tail -f /dev/null` that ends all the same: its answer, then the agent's leave; neither takes the 30 minutes it may."""
    cid = house.running()
    eid = house.api.post(f"/containers/{cid}/exec", {"Cmd": ["killall", "tail"]}).json["Id"]
    assert house.api.post(f"/exec/{eid}/start", {"Detach": True}).status == 200
    assert house.api.wait(cid) == 143


def test_a_command_that_is_not_there(house):
    cid = house.api.create(Cmd=["nosuchcommand"])
    answer = house.api.post(f"/containers/{cid}/start")
    assert answer.status == 400 and answer.message == 'exec: "nosuchcommand": executable file not found in $PATH'
    assert house.state(cid)["ExitCode"] == 127


def test_an_exited_container_starts_again(house):
    cid = house.running("sh", "-c", "exit 9")
    assert house.api.wait(cid) == 9
    house.api.start(cid)
    assert house.api.wait(cid) == 9
    wait_until(lambda: house.invocations(cid) == 2, "the second invocation's end")
    assert house.api.post(f"/containers/{cid}/kill").status == 409


# ---- stop, restart, kill ----
def test_stop(house):
    cid = house.running("sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done")
    wait_until(lambda: (1, b"up\n") in house.logs(cid), "the trap to be set")
    assert house.api.post(f"/containers/{cid}/stop").status == 204
    if house.strict:
        assert house.state(cid)["Running"], "stop is a no-op"
    else:
        assert (house.state(cid)["Status"], house.state(cid)["ExitCode"]) == ("exited", 5)
    house.api.remove(cid)


def test_restart(house):
    cid = house.running()
    before = house.state(cid)
    assert house.api.post(f"/containers/{cid}/restart?t=0").status == 204
    assert house.state(cid)["Running"]
    if house.strict:
        assert house.state(cid) == before
    else:
        assert house.state(cid)["StartedAt"] > before["StartedAt"]
    house.api.remove(cid)
    wait_until(lambda: skls(cid) not in house.cloud.names(), "the function to go")
    assert house.invocations(cid) == (1 if house.strict else 2)


def test_kill(house):
    cid = house.running("sh", "-c", "trap 'echo caught; exit 6' USR1; echo up; while :; do sleep 0.01; done")
    wait_until(lambda: (1, b"up\n") in house.logs(cid), "the trap to be set")
    assert house.api.post(f"/containers/{cid}/kill?signal=USR1").status == 204
    assert house.api.wait(cid) == (137 if house.strict else 6)
    if not house.strict:
        assert (1, b"caught\n") in house.logs(cid)
    house.api.remove(cid)


def test_kill_with_the_default_signal_ends_the_invocation(house):
    cid = house.running()
    assert house.api.post(f"/containers/{cid}/kill").status == 204
    assert house.api.wait(cid) == 137
    assert house.state(cid)["Status"] == "exited"
    house.api.start(cid)
    assert house.state(cid)["Running"]
    house.api.remove(cid)


# ---- remove ----
def test_remove(house):
    cid = house.running()
    assert house.api.delete(f"/containers/{cid}").status == 409  # it runs
    assert house.api.remove(cid).status == 204
    assert house.api.get(f"/containers/{cid}/json").status == 404
    wait_until(lambda: skls(cid) not in house.cloud.names(), "the function to go")
    assert len(house.asked(cid, "DELETE")) == 1


@pytest.mark.parametrize("name", ["strict", "extended"])
def test_remove_is_best_effort_and_tried_later(images, name):
    house = Semantics(images, name, ["--fault", "DeleteFunction@1=400"])
    try:
        cid = house.api.create(Cmd=["true"])
        assert house.api.remove(cid).status == 204
        assert house.api.get(f"/containers/{cid}/json").status == 404
        wait_until(lambda: not house.cloud.names(), "the function to go at last")
        assert len(house.asked(cid, "DELETE")) == 2
    finally:
        house.close()


# ---- exec ----
def test_exec(house):
    cid = house.running()
    eid = house.api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", "echo out; echo err >&2; exit 4"], "AttachStdout": True,
                                                     "AttachStderr": True}).json["Id"]
    with house.api.hijack("POST", f"/exec/{eid}/start", {"Detach": False}) as raw:
        assert demux(raw.frames()) == {1: b"out\n", 2: b"err\n"}
    assert house.api.get(f"/exec/{eid}/json").json["ExitCode"] == 4
    house.api.remove(cid)


# ---- images ----
def test_images(house):
    asked = len(house.cloud.requests())
    assert house.api.pull("alpine:3.19").status == 200
    made = house.api.get("/images/alpine:3.19/json").json
    assert made["Id"] == "sha256:" + hashlib.sha256(b"docker.io/library/alpine:3.19").hexdigest()
    answer = house.api.post("/images/load", b"")
    assert answer.status == 501 and answer.message
    assert len(house.cloud.requests()) == asked


# ---- logs ----
def test_logs(house):
    cid = house.running("sh", "-c", "echo out; echo err >&2; printf last")
    assert house.api.wait(cid) == 0
    if not house.strict:
        assert demux(house.logs(cid)) == {1: b"out\nlast", 2: b"err\n"}
        return
    wait_until(lambda: len(house.logs(cid)) == 3, "the cloud's entries")
    assert sorted(house.logs(cid)) == [(1, b"err\n"), (1, b"last\n"), (1, b"out\n")], "one frame a line, all of it stdout"


def test_logs_timestamps(house):
    cid = house.running("echo", "stamped")
    house.api.wait(cid)
    line = wait_until(lambda: house.logs(cid, "stdout=1&timestamps=1"), "the line")[0][1].decode()
    stamp, _, text = line.partition(" ")
    assert text == "stamped\n" and stamp.endswith("Z") and stamp > house.state(cid)["StartedAt"][:19]


def test_logs_follow(house, bell):
    """Strict: a snapshot; extended: as it comes."""
    cid = house.running("sh", "-c", f"echo first; {bell.wait}; echo second", Env=bell.env)
    wait_until(lambda: house.logs(cid), "the first line")
    if house.strict:
        assert house.logs(cid, "follow=1&stdout=1") == [(1, b"first\n")]
        assert house.state(cid)["Running"]
        bell.ring()
        return
    got = []
    reader = threading.Thread(target=lambda: got.append(house.logs(cid, "follow=1&stdout=1")))
    reader.start()
    bell.ring()
    reader.join(skl.TIMEOUT)
    assert got == [[(1, b"first\n"), (1, b"second\n")]]


# ---- networks, volumes: bookkeeping, no cloud ----
def test_networks_and_volumes_are_bookkeeping(house):
    def asked():  # an invocation of a test before this one is written down when it ends
        return len([r for r in house.cloud.requests() if r["rpc"] != "Invoke"])

    before = asked()
    net = house.api.post("/networks/create", {"Name": f"net-{house.name}", "IPAM": {"Config": [{"Subnet": "10.77.0.0/24"}]}})
    vol = house.api.post("/volumes/create", {"Name": f"vol-{house.name}"})
    assert (net.status, vol.status) == (201, 201)
    assert asked() == before
    cid = house.running(HostConfig={"NetworkMode": f"net-{house.name}", "Binds": [f"vol-{house.name}:/data"],
                                    "PortBindings": {"80/tcp": [{"HostPort": "18077"}]}}, ExposedPorts={"80/tcp": {}})
    seen = house.api.inspect(cid)
    assert seen["NetworkSettings"]["Networks"][f"net-{house.name}"]["IPAddress"] == "10.77.0.2"
    assert seen["NetworkSettings"]["Ports"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "18077"}]
    with socket.socket() as s:  # strict: recorded, and that is all
        assert (s.connect_ex(("127.0.0.1", 18077)) == 0) == (not house.strict)
    assert house.api.delete(f"/volumes/vol-{house.name}").status == 409
    assert house.api.delete(f"/networks/net-{house.name}").status == 403
    house.api.remove(cid)
    assert house.api.delete(f"/volumes/vol-{house.name}").status == 204
    assert house.api.delete(f"/networks/net-{house.name}").status == 204


# ---- archive ----
def test_archive(house, bell):
    cid = house.api.create(Cmd=["sh", "-c", f"cat /tmp/given; {bell.wait}; true"], Env=bell.env)
    assert house.api.put(f"/containers/{cid}/archive?path=/tmp", tar_of("given", b"before the start\n")).status == 200
    assert read_tar(house.api.get(f"/containers/{cid}/archive?path=/tmp/given").body, "given") == b"before the start\n"
    house.api.start(cid)
    wait_until(lambda: (1, b"before the start\n") in house.logs(cid), "the file in the container")
    assert house.api.put(f"/containers/{cid}/archive?path=/tmp", tar_of("late", b"while it runs\n")).status == 200
    assert read_tar(house.api.get(f"/containers/{cid}/archive?path=/tmp/late").body, "late") == b"while it runs\n"
    bell.ring()
    assert house.api.wait(cid) == 0
    assert read_tar(house.api.get(f"/containers/{cid}/archive?path=/tmp/given").body, "given") == b"before the start\n"


# ---- system, pause ----
def test_info(house):
    info = house.api.get("/info").json
    assert (info["Driver"], info["OperatingSystem"]) == ("cloud-run-functions", "Google Cloud Functions")


def test_pause(house):
    cid = house.running()
    answer = house.api.post(f"/containers/{cid}/pause")
    if house.strict:
        assert answer.status == 501 and answer.message
        assert house.api.post(f"/containers/{cid}/unpause").status in (501, 500)
    else:
        assert answer.status == 204 and house.state(cid)["Status"] == "paused"
        assert house.api.post(f"/containers/{cid}/unpause").status == 204
    assert house.state(cid)["Status"] == "running"
    house.api.remove(cid)


# ---- without an agent both are the same ----
@pytest.mark.parametrize("name", ["strict", "extended"])
def test_without_an_agent(images, name):
    cloud = skl.Cloud(images)
    options = {"semantics": name, "endpoint-url": cloud.url, "project": skl.PROJECT}
    daemon = skl.Daemon(images, simulator=False, config={"drivers": {"cloud-run-functions": options}})
    api = daemon.api
    try:
        api.pull()
        cid = api.create(Cmd=["sh", "-c", "echo out; echo err >&2; exit 8"])
        api.start(cid)
        assert api.wait(cid) == 8
        logs = wait_until(lambda: len(d := api.get(f"/containers/{cid}/logs?stdout=1&stderr=1").body) >= 24 and d, "the entries")
        assert b"out\n" in logs and b"err\n" in logs
        cid = api.create(Cmd=FOREVER)
        api.start(cid)
        for verb in ("stop", "restart"):
            assert api.post(f"/containers/{cid}/{verb}?t=0").status == 204
            assert api.inspect(cid)["State"]["Running"], "nothing can be done"
        eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["true"], "AttachStderr": True}).json["Id"]
        with api.hijack("POST", f"/exec/{eid}/start", {"Detach": False}) as raw:
            said = demux(raw.frames())
        assert said[2].count(b"\n") == 1 and api.get(f"/exec/{eid}/json").json["ExitCode"] == 126
        assert api.post(f"/containers/{cid}/pause").status == 501
        assert api.get(f"/containers/{cid}/archive?path=/etc").status in (404, 501)
        assert api.post(f"/containers/{cid}/kill").status == 204
        assert api.wait(cid) == 137
        assert api.remove(cid).status == 204
    finally:
        daemon.close()
        cloud.close()
