"""Many functions, many instances, and what is left of them: nothing.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import http.client
import os
import signal
import subprocess
import urllib.parse

import pytest

import skl
from dockerapi import wait_until
from gcpapi import REGION, Google

FUNCTIONS, INSTANCES = 1000, 200


@pytest.fixture(scope="module")
def thousand(images):
    cloud = skl.Cloud(images)
    g = Google(cloud.url)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda i: g.create(f"many-{i:04}", "true", labels={"third": str(i % 3)}), range(FUNCTIONS)))
    assert all("error" not in op for op in ends)
    yield g
    cloud.close()


@pytest.mark.parametrize("size", [0, 7, 100, 999, 1000, 5000])
def test_a_thousand_functions_in_pages(thousand, size):
    """Each once, whatever the pages' size; never more on one than was asked for."""
    for place in (REGION, "-"):
        names, token, pages = [], "", 0
        while True:
            answer = thousand.get(f"/v2/projects/{thousand.project}/locations/{place}/functions?pageSize={size}&pageToken={urllib.parse.quote(token)}").json
            assert len(answer["functions"]) <= (size or 1000)
            names += [f["name"].rpartition("/")[2] for f in answer["functions"]]
            pages += 1
            token = answer.get("nextPageToken", "")
            if not token:
                break
        assert sorted(names) == [f"many-{i:04}" for i in range(FUNCTIONS)]
        assert pages == -(-FUNCTIONS // min(size or 1000, 1000))


# ---- instances ----
class Crowd:
    """A simulator with many instances of one function at work."""

    def __init__(self, images):
        self.cloud = skl.Cloud(images)
        self.g = Google(self.cloud.url)
        self.mark = f"sleep {10000 + os.getpid()}"
        op = self.g.create("crowd", *self.mark.split(), maxInstanceCount=INSTANCES, maxInstanceRequestConcurrency=1, timeoutSeconds=600)
        assert "error" not in op, op
        uri = urllib.parse.urlsplit(self.g.get(f"{self.g.parent}/functions/crowd").json["serviceConfig"]["uri"])
        self.calls = []
        for _ in range(INSTANCES):
            c = http.client.HTTPConnection(uri.hostname, uri.port, timeout=skl.TIMEOUT)
            c.request("POST", uri.path or "/", b"")
            self.calls.append(c)
        wait_until(lambda: len(self.running()) == INSTANCES, f"{INSTANCES} instances", 180)
        self.namespaces = {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in self.running() for kind in ("net", "mnt", "pid", "ipc", "uts")}
        self.links = {self.link(pid) for pid in self.running()}

    def running(self):
        return [pid for pid, command in skl.processes_with(self.mark) if command.strip() == self.mark]

    @staticmethod
    def link(pid):
        """The host's end of the instance's interface, by number."""
        out = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "link", "show", "eth0"], capture_output=True, text=True, timeout=skl.TIMEOUT, check=True).stdout
        return int(out.split("@if")[1].split(":")[0])

    def left_links(self):
        out = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, timeout=skl.TIMEOUT, check=True).stdout
        return {int(line.split(":")[0]) for line in out.splitlines()} & self.links

    def left_namespaces(self):
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for kind in ("net", "mnt", "pid", "ipc", "uts"):
                try:
                    found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
                except OSError:
                    pass
        return found & self.namespaces

    def files(self):
        return [name for d in ("instances", "crun") for name in os.listdir(os.path.join(self.cloud.state, d))]

    def assert_nothing_is_left(self):
        wait_until(lambda: self.running() == [] and self.files() == [], "instances and their files to go")
        wait_until(lambda: skl.processes_with(self.cloud.dir) == [], "the simulator's processes to go")
        wait_until(lambda: self.left_namespaces() == set() and self.left_links() == set(), "namespaces and interfaces to go")
        assert skl.mounts_below(self.cloud.dir) == []

    def close(self):
        for c in self.calls:
            c.close()


@pytest.fixture
def crowd(images):
    c = Crowd(images)
    yield c
    c.close()
    if c.cloud.process.poll() is None:
        c.cloud.process.kill()
        c.cloud.process.wait()
    skl.shutil.rmtree(c.cloud.dir, ignore_errors=True)


def test_two_hundred_instances_at_once(crowd):
    """Each with namespaces and an interface of its own; one more finds no room; at the end all is gone."""
    assert len(crowd.namespaces) == 5 * INSTANCES and len(crowd.links) == INSTANCES
    assert crowd.g.invoke("crowd")[0] == 429
    assert crowd.g.get(f"{crowd.g.parent}/functions/crowd").json["state"] == "ACTIVE"
    crowd.cloud.process.send_signal(signal.SIGTERM)
    assert crowd.cloud.process.wait(skl.TIMEOUT) == 0
    crowd.assert_nothing_is_left()


def test_kill_9_under_two_hundred_instances(crowd):
    crowd.cloud.process.send_signal(signal.SIGKILL)
    crowd.cloud.process.wait(skl.TIMEOUT)
    crowd.assert_nothing_is_left()
