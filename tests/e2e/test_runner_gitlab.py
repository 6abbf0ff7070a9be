"""gitlab-runner's docker executor, as it talks (reference, "GLR job step"; cases, section 3): permission container, helper and build containers that are
started again for each stage with a script on stdin, service containers with a wait container, network per build, cleanup by labels.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import json
import threading
import urllib.parse

import pytest

from dockerapi import Api, demux, wait_until

PREFIX = "com.gitlab.gitlab-runner."
SHELL = ["sh", "-c", "if [ -x /usr/local/bin/bash ]; then exec /usr/local/bin/bash; elif [ -x /bin/sh ]; then exec /bin/sh; else echo shell not found; exit 1; fi"]
VERSIONS = ("1.25", "1.41", "1.44")


def filters(value):
    return "filters=" + urllib.parse.quote(json.dumps({"label": value}))


class Job:
    """One CI job. `stage` is what the executor does for each of a job's shell scripts."""

    def __init__(self, api, number, network=False):
        self.api, self.number = api, number
        self.base = f"runner-abcdef12-project-1-concurrent-0-{hashlib.md5(str(number).encode()).hexdigest()[:16]}"
        self.labels = {PREFIX + "job.id": str(number), PREFIX + "managed": "true", PREFIX + "project.id": "1", PREFIX + "runner.id": "abcdef12"}
        self.containers, self.volumes, self.network = {}, [], None
        self.image = self.pull()
        if network:
            self.network = self.base + "-job-network"
            a = api.post("/networks/create", {"Name": self.network, "CheckDuplicate": True, "Labels": self.labels})
            assert a.status == 201, a
            assert api.get(f"/networks/{self.network}").json["Name"] == self.network

    def pull(self):
        """The image's ID: what containers are made from."""
        auth = base64.urlsafe_b64encode(json.dumps({"username": "gitlab-ci-token", "password": "x"}).encode()).decode()
        answer = self.api.post("/images/create?fromImage=busybox&tag=latest", headers={"X-Registry-Auth": auth})
        assert answer.status == 200 and "error" not in answer.lines()[-1], answer
        return self.api.get("/images/busybox:latest/json").json["Id"]

    def volume(self, path):
        """Names of more than 90 characters; made once, found again by the next job."""
        name = f"{self.base}-cache-{hashlib.md5(path.encode()).hexdigest()}-protected"
        a = self.api.post("/volumes/create", {"Name": name, "Driver": "local", "Labels": {**self.labels, PREFIX + "type": "cache", PREFIX + "destination": path}})
        assert a.status == 201 and len(name) > 90, a
        self.volumes.append(name)
        return f"{name}:{path}"

    def create(self, role, cmd, stdin=True, aliases=(), binds=(), env=()):
        host = {"Binds": list(binds), "RestartPolicy": {"Name": "no"}, "LogConfig": {"Type": "json-file", "Config": {}}, "Privileged": False,
                "ShmSize": 0, "NetworkMode": self.network or "", "ExtraHosts": [], "Links": None}
        config = {"Image": self.image, "Cmd": cmd, "Env": list(env), "Hostname": "runner-abcdef12", "Tty": False, "OpenStdin": stdin, "StdinOnce": stdin,
                  "AttachStdin": stdin, "AttachStdout": stdin, "AttachStderr": stdin, "Labels": {**self.labels, PREFIX + "type": role}, "HostConfig": host}
        if aliases:
            config["NetworkingConfig"] = {"EndpointsConfig": {self.network: {"Aliases": list(aliases)}}}
        name = f"{self.base}-{role}"
        gone = self.api.delete(f"/containers/{name}?force=1&v=1")  # of an earlier try
        assert gone.status in (204, 404), gone
        answer = self.api.post(f"/containers/create?name={name}", config)
        assert answer.status == 201, answer
        cid = answer.json["Id"]
        self.containers[role] = cid
        inspected = self.api.inspect(cid)
        assert inspected["Image"] == self.image and inspected["Config"]["OpenStdin"] == stdin
        return cid

    def attach(self, role):
        return self.api.hijack("POST", f"/containers/{self.containers[role]}/attach?stderr=1&stdin=1&stdout=1&stream=1")

    def start(self, role):
        answer = self.api.post(f"/containers/{self.containers[role]}/start")
        assert answer.status == 204, answer

    def stage(self, role, script):
        """(exit code, output, errors)"""
        conn = self.attach(role)
        self.start(role)
        conn.send(script.encode())
        conn.shut()
        out = demux(conn.frames())
        conn.close()
        return self.end(role), out[1].decode(), out[2].decode()

    def stage_of_new(self, role, script):
        self.create(role, SHELL)
        return self.stage(role, script)

    def end(self, role):
        """The executor waits and, since it can't know that a container without its stdin ends, stops it meanwhile."""
        cid, answers = self.containers[role], []
        waiter = threading.Thread(target=lambda: answers.append(self.api.post(f"/containers/{cid}/wait?condition=not-running").json["StatusCode"]))
        waiter.start()
        stopped = self.api.post(f"/containers/{cid}/stop?t=10")
        assert stopped.status in (204, 304), stopped
        waiter.join()
        return answers[0]

    def wait(self, role):
        """For a container without a script: the executor only waits."""
        return self.api.wait(self.containers[role])

    def cleanup(self):
        for role, cid in self.containers.items():
            if self.network:
                gone = self.api.post(f"/networks/{self.network}/disconnect", {"Container": cid, "Force": True})
                assert gone.status in (200, 204, 404), gone
            assert self.api.delete(f"/containers/{cid}?force=1&v=1").status in (204, 404), role
        for name in self.volumes:
            assert self.api.delete(f"/volumes/{name}?force=1").status == 204
        if self.network:
            assert self.api.delete(f"/networks/{self.network}").status == 204


@pytest.fixture
def job(api):
    made = []

    def make(number=4711, version=None, **kw):
        made.append(Job(Api(api.host, version) if version else api, number, **kw))
        return made[-1]

    yield make
    for j in made:
        j.cleanup()
    ours = filters({PREFIX + "managed=true": True})
    assert api.get(f"/containers/json?all=1&{ours}").json == []
    assert api.get(f"/volumes?{ours}").json["Volumes"] in ([], None)
    assert api.get(f"/networks?{ours}").json == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_whole_job(job, version):
    j = job(version=version, network=True)
    binds = [j.volume("/builds"), j.volume("/cache")]
    j.create("permission", ["sh", "-c", "mkdir -p /builds && chown -R 0:0 /builds"], stdin=False, binds=binds)
    j.start("permission")
    assert j.wait("permission") == 0
    j.create("svc-0", ["sh", "-c", "echo service is up; exec sleep 1000"], stdin=False, aliases=["busybox", "svc"])
    j.start("svc-0")
    j.create("predefined", SHELL, binds=binds, aliases=["predefined"])
    j.create("build", SHELL, binds=binds, aliases=["build"], env=["CI=true", "CI_JOB_ID=4711", "MULTI=two\nlines"])

    code, out, err = j.stage("predefined", "set -eo pipefail\nset +o noclobber\n: | eval $'echo \"Running on $(hostname)...\"'\nexit 0\n")
    assert (code, err) == (0, "") and out.startswith("Running on "), (out, err)
    assert j.stage("predefined", "echo getting sources; mkdir /builds/src; echo code > /builds/src/file\n") == (0, "getting sources\n", "")
    assert j.stage("build", "echo step in $CI_JOB_ID; echo \"$MULTI\"; echo warn >&2; cat /builds/src/file; cp /builds/src/file /cache/built\n") == (
        0, "step in 4711\ntwo\nlines\ncode\n", "warn\n")
    assert j.stage("build", "ls /builds/src; exit 0") == (0, "file\n", "")
    assert j.stage("predefined", "cat /cache/built; exit 0") == (0, "code\n", "")
    seen = j.api.get(f"/containers/{j.containers['svc-0']}/logs?stdout=1&stderr=1&timestamps=1")
    assert b"service is up" in seen.body
    names = {x["Name"] for x in j.api.get(f"/networks/{j.network}").json["Containers"].values()}
    assert f"{j.base}-svc-0" in names


def test_one_container_eight_times(job):
    """The same ID each time; each script's code is its own, and what stop says afterwards does not change it."""
    j = job()
    cid = j.create("build", SHELL)
    for i in range(8):
        assert j.stage("build", f"echo run {i}; exit {i}\n") == (i, f"run {i}\n", "")
        state = j.api.inspect(cid)["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", i)
    logged = demux_of(j.api.get(f"/containers/{cid}/logs?stdout=1"))
    assert logged == "".join(f"run {i}\n" for i in range(8))


def demux_of(answer):
    out, body = b"", answer.body
    while body:
        n = int.from_bytes(body[4:8], "big")
        out, body = out + body[8:8 + n], body[8 + n:]
    return out.decode()


def test_a_failing_script(job):
    j = job()
    j.create("build", SHELL)
    code, out, err = j.stage("build", "set -e\necho before\nfalse\necho never\n")
    assert (code, out, err) == (1, "before\n", "")
    assert j.stage("build", "echo after script\n") == (0, "after script\n", "")
    code, _, err = j.stage("build", "nosuchcommand\n")
    assert code == 127 and "nosuchcommand" in err


def test_a_big_script_and_a_big_log(job):
    """Scripts of a megabyte (variables are in them), read line by line while output goes the other way."""
    j = job()
    j.create("build", SHELL)
    script = "".join(f"export V{i}='{'x' * 1000}'; echo {i} $V{i}\n" for i in range(1000))
    code, out, _ = j.stage("build", script + "exit 5\n")
    assert code == 5 and out == "".join(f"{i} {'x' * 1000}\n" for i in range(1000))


def test_the_script_is_the_only_input(job):
    """U-15: nothing but the client's bytes is on stdin, though attach comes before the start and the script long after."""
    j = job()
    j.create("build", ["cat"])
    conn = j.attach("build")
    j.start("build")
    wait_until(lambda: j.api.inspect(j.containers["build"])["State"]["Running"], "the start")
    conn.send(b"first ")
    assert conn.frame() == (1, b"first ")
    conn.send(b"second")
    conn.shut()
    assert demux(conn.frames())[1] == b"second"
    assert j.end("build") == 0


def test_a_script_that_never_reads_its_end(job):
    """A background process that has the streams: the runner's stop ends the stage."""
    j = job()
    j.create("build", ["sh", "-c", "echo up; exec sleep 1000"])
    conn = j.attach("build")
    j.start("build")
    conn.shut()
    assert conn.frame() == (1, b"up\n")
    assert j.end("build") in (143, 137)
    assert conn.frames() == []


def test_a_cancelled_job(job):
    """The executor's context ends: it closes its attach, stops and removes by force. Waiters hear of it."""
    j = job(network=True)
    cid = j.create("build", SHELL, aliases=["build"])
    conn = j.attach("build")
    j.start("build")
    conn.send(b"echo working; sleep 1000\n")
    assert conn.frame() == (1, b"working\n")
    conn.close()
    assert j.api.post(f"/containers/{cid}/kill?signal=SIGKILL").status == 204
    assert j.end("build") == 137
    assert j.stage("build", "echo cleanup_file_variables\n") == (0, "cleanup_file_variables\n", "")


def test_a_wait_container_that_fails(job):
    """The service health check: when it fails, its log and the service's are shown, and the job goes on."""
    j = job()
    j.create("svc-0", ["sh", "-c", "echo service log; exec sleep 1000"], stdin=False)
    j.start("svc-0")
    cid = j.create("svc-0-wait", ["sh", "-c", "echo \"waiting for $WAIT_FOR_SERVICE_TCP_PORT\"; echo FATAL: no answer >&2; exit 1"], stdin=False,
                   env=["WAIT_FOR_SERVICE_TCP_ADDR=svc", "WAIT_FOR_SERVICE_TCP_PORT=80"])
    j.start("svc-0-wait")
    assert j.api.wait(cid) == 1
    assert demux_of(j.api.get(f"/containers/{cid}/logs?stdout=1&stderr=0")) == "waiting for 80\n"
    assert demux_of(j.api.get(f"/containers/{cid}/logs?stdout=0&stderr=1")) == "FATAL: no answer\n"
    assert j.stage_of_new("build", "echo the job goes on\n") == (0, "the job goes on\n", "")


def test_jobs_side_by_side(job):
    """Four at a time, each with its own containers; nobody's output goes to another."""
    jobs, bad = [job(number=n) for n in range(4)], []

    def work(j):
        try:
            for i in range(3):
                got = j.stage_of_new("build", f"echo {j.number}.{i}; exit {i}\n")
                assert got == (i, f"{j.number}.{i}\n", ""), got
        except Exception as e:
            bad.append(e)

    threads = [threading.Thread(target=work, args=(j,)) for j in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert bad == []


def test_what_is_left_is_found_by_its_labels(job):
    """clear-docker-cache: lists by label, removes with volumes."""
    j = job(number=99, network=True)
    j.create("build", SHELL, binds=[j.volume("/builds"), "/anonymous"])
    for what in (f"{PREFIX}managed=true", f"{PREFIX}job.id=99", f"{PREFIX}type=build"):
        found = j.api.get("/containers/json?all=1&" + filters({what: True})).json
        assert [c["Id"] for c in found] == [j.containers["build"]], what
    found = j.api.get("/volumes?" + filters([PREFIX + "type=cache"])).json["Volumes"]
    assert [v["Name"] for v in found] == j.volumes and found[0]["Labels"][PREFIX + "destination"] == "/builds"
