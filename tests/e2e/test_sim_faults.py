"""The simulator's faults (--fault, --control), and what the driver makes of them: retries where a retry mends, adoption of what a lost answer made, one POST
and never two, nothing left in the cloud.

SPDX-License-Identifier: Apache-2.0
"""
import collections
import concurrent.futures
import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest

import skl
from dockerapi import demux, wait_until


class Faulty(skl.Cloud):
    """A simulator with a control endpoint."""

    def __init__(self, images, *faults):
        args = ["--control", "127.0.0.1:0"]
        for fault in faults:
            args += ["--fault", fault]
        super().__init__(images, args)
        with open(os.path.join(self.state, "control-port")) as f:
            self.control = "http://127.0.0.1:" + f.read().strip() + "/faults"

    def faults(self, method="GET", fault=None):
        body = json.dumps({"fault": fault}).encode() if fault else None
        with urllib.request.urlopen(urllib.request.Request(self.control, body, method=method), timeout=20) as answer:
            return json.loads(answer.read())

    def rpcs(self, rpc):
        return [r for r in self.requests() if r["rpc"] == rpc]


@pytest.fixture
def faulty(images):
    """faulty("CreateFunction@1=503", ...): (daemon, cloud)."""
    made = []

    def make(*faults, args=()):
        cloud = Faulty(images, *faults)
        d = skl.Daemon(images, cloud=cloud, args=args)
        made.append((d, cloud))
        d.api.pull()
        return d, cloud

    yield make
    for d, cloud in made:
        d.close()
        cloud.close()


# ---- the rules themselves ----
@pytest.mark.parametrize("spec", ["", "x", "=503", "CreateFunction=", "CreateFunction=200", "CreateFunction@0=503", "CreateFunction@x=503", "CreateFunction@/0=503",
                                  "CreateFunction@101%=503", "CreateFunction@5-2=503", "CreateFunction=slow:x", "CreateFunction=fail:17", "agents/0s=cut", "agents/1s=x", "GetFunction=short", "ListLogEntries=short:x",
                                  "LogEntry=503", "ListLogEntries=twice", "LogEntry=late:x"])
def test_a_bad_rule_is_an_error(spec, tmp_path):
    done = subprocess.run([skl.program("sockerless-gcp-simulator"), "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path), "--fault", spec],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and f'fault "{spec}"' in done.stderr, done.stderr


def test_rules_at_run_time(images):
    cloud = Faulty(images)
    try:
        assert cloud.faults() == []
        assert cloud.faults("POST", "ListFunctions@2=503")[0]["fault"] == "ListFunctions@2=503"
        cloud.functions()
        with pytest.raises(urllib.error.HTTPError) as e:
            cloud.functions()
        assert e.value.code == 503 and json.loads(e.value.read())["error"]["status"] == "UNAVAILABLE"
        cloud.functions()
        (rule,) = cloud.faults()
        assert (rule["calls"], rule["struck"]) == (3, 1)
        with pytest.raises(urllib.error.HTTPError):
            cloud.faults("POST", "nonsense")
        cloud.faults("POST", "ListFunctions=reset")
        with pytest.raises((urllib.error.URLError, OSError)):
            cloud.functions()
        assert cloud.faults("DELETE") == []
        cloud.functions()
    finally:
        cloud.close()


# ---- what the driver makes of them ----
@pytest.mark.parametrize("fault", ["CreateFunction@1=503", "CreateFunction@1=429", "GetOperation@1-2=503", "DeleteFunction@1-2=500", "DeleteFunction@1=503",
                                   "CreateFunction@1=reset", "GetOperation@1=reset", "DeleteFunction@1=lost", "CreateFunction@1=slow:1s"])
def test_what_a_retry_mends(faulty, fault):
    d, cloud = faulty(fault)
    done = d.docker("run", "--rm", "busybox", "sh", "-c", "echo fine; exit 6")
    assert (done.returncode, done.stdout) == (6, "fine\n"), done.stderr
    wait_until(lambda: cloud.names() == set(), "the deletion")
    assert len(cloud.rpcs("Invoke")) == 1


def test_a_create_whose_answer_was_lost_adopts_its_own(faulty):
    """Pitfall: the retry meets ALREADY_EXISTS, and the nonce says whose it is."""
    d, cloud = faulty("CreateFunction@1=lost")
    assert d.docker("run", "--rm", "busybox", "echo", "adopted").stdout == "adopted\n"
    assert [r["status"] for r in cloud.rpcs("CreateFunction")] == [200, 409]
    wait_until(lambda: cloud.names() == set(), "the deletion")


def test_a_create_that_fails_leaves_nothing(faulty):
    d, cloud = faulty("CreateFunction@1=fail")
    a = d.api.create(Cmd=["true"], ok=False)
    assert a.status >= 400 and "Build failed" in a.message
    assert d.api.get("/containers/json?all=1").json == []
    wait_until(lambda: cloud.names() == set(), "the clean-up")
    assert d.docker("run", "--rm", "busybox", "echo", "next").stdout == "next\n"


@pytest.mark.parametrize("status", [400, 403])
def test_what_no_retry_mends_fails_fast(faulty, status):
    d, cloud = faulty(f"CreateFunction={status}")
    a = d.api.create(Cmd=["true"], ok=False)
    assert a.status >= 400 and len(cloud.rpcs("CreateFunction")) == 1
    assert d.api.get("/containers/json?all=1").json == []


@pytest.mark.parametrize("fault", ["Invoke@1=reset", "Invoke@1=500"])
def test_the_invocation_is_never_sent_twice(faulty, fault):
    """A connection that broke says nothing of the run: its agent is waited for, as long as for any."""
    d, cloud = faulty(fault, args=["--agent-connect-timeout", "3s"])
    done = d.docker("run", "--name", "once", "busybox", "echo", "never")
    assert done.returncode != 0 and done.stdout == ""
    assert len(cloud.rpcs("Invoke")) == 1
    state = d.api.inspect("once")["State"]
    assert not state["Running"] and state["ExitCode"] != 0 and state["Error"]
    assert d.docker("start", "-a", "once").stdout == "never\n"  # the same container can be started again
    d.api.remove("once")


def test_agents_that_are_cut_off(faulty):
    d, cloud = faulty("agents/400ms=cut")
    cid = d.api.create(Cmd=["sh", "-c", "for i in $(seq 1 60); do echo $i; sleep 0.03; done; exit 9"])
    c = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    d.api.start(cid)
    assert demux(c.frames())[1] == "".join(f"{i}\n" for i in range(1, 61)).encode() and d.api.wait(cid) == 9
    assert cloud.faults()[0]["struck"] >= 2
    d.api.remove(cid)


def test_many_containers_in_bad_weather(faulty):
    """All end right, no function is left, no POST is repeated."""
    d, cloud = faulty("Invoke@0.0001%=500", "*@2%=503", "*@1%=429", "*@1%=reset", "CreateFunction@1%=lost", "DeleteFunction@2%=lost", "*@2%=slow:50ms",
                      args=["--agent-connect-timeout", "5s"])

    def life(i):
        a = d.api.create(Cmd=["sh", "-c", f"echo {i}; exit {i % 200}"], ok=False, Labels={"n": str(i)})
        if a.status != 201:
            return "create"
        cid = a.json["Id"]
        started = d.api.post(f"/containers/{cid}/start").status
        code = d.api.wait(cid) if started == 204 else None
        assert d.api.remove(cid).status == 204
        return code == i % 200 if started == 204 else "start"

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ends = collections.Counter(map(str, pool.map(life, range(60))))
    assert ends["True"] >= 50, ends
    wait_until(lambda: cloud.faults("DELETE") == [] and cloud.names() == set(), "every function to be deleted")
    # 429 is the front end's: it turned the request away, and no container saw it
    posts = collections.Counter(r["path"] for r in cloud.rpcs("Invoke") if r["status"] != 429)
    assert max(posts.values()) == 1, [(r["path"][-12:], r["status"]) for r in cloud.rpcs("Invoke") if posts[r["path"]] > 1]
    assert d.api.get("/containers/json?all=1").json == []


def test_functions_in_short_pages(faulty):
    """A page that is short, or empty, and has a successor: a daemon that comes back finds its functions all the same, and deletes none."""
    d, cloud = faulty()
    cids = [d.api.create(Cmd=["echo", str(i)], name=f"paged-{i}") for i in range(5)]
    names = cloud.names()
    assert len(names) == 5
    d.kill9()
    for fault in ("ListFunctions@1=short", "ListFunctions@1-2=short:1", "ListFunctions@1=short", "ListFunctions@1=short:2"):
        cloud.faults("POST", fault)
    d.start()
    wait_until(lambda: all(f["struck"] for f in cloud.faults()), "the short pages to be read")
    assert cloud.faults("DELETE") == [] and cloud.names() == names
    assert {c["Id"] for c in d.api.get("/containers/json?all=1").json} == set(cids)
    assert d.docker("start", "-a", "paged-3").stdout == "3\n"
    for cid in cids:
        d.api.remove(cid)
    wait_until(lambda: cloud.names() == set(), "the deletions")
