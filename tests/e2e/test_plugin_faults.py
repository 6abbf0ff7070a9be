"""Drivers that break the rules: the daemon survives, says which driver did what, and the container ends in a defined state.

tests/abi/misbehaving.c holds the faults. driver-timeout is 1 s here, so that what never completes is given up soon.

SPDX-License-Identifier: Apache-2.0
"""
import os

import pytest

import drivers
import skl
from dockerapi import Conn, wait_until

DEFINED = ("created", "exited", "running")


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    top = tmp_path_factory.mktemp("faults")
    prefix = drivers.installed(str(top / "dest"))
    places = {}
    for name, flags in (("obedient", ["-DNO_CANCEL"]), ("deaf", [])):
        d = drivers.private_dir(top / name)
        drivers.build(prefix, "misbehaving.c", os.path.join(d, "misbehaving.so"), *flags)
        places[name] = d
    return places


@pytest.fixture
def faulty(images, plugins):
    """faulty(how, operation): a daemon whose driver does that."""
    daemons = []

    def make(how, operation="create", cancel="obedient", stay=False):
        config = {"driver": "misbehaving", "driver-timeout": "1s",
                  "drivers": {"misbehaving": {"how": how, "operation": operation, "stay": stay}}}
        d = skl.Daemon(images, simulator=False, config=config, args=["--driver-dir", plugins[cancel]])
        d.faults_expected = True
        daemons.append(d)
        d.api.pull()
        return d
    yield make
    for d in daemons:
        d.close()


def fault(d, text):
    wait_until(lambda: f"driver misbehaving is at fault: {text}" in d.log(), f"the report of: {text}\n{d.log()[-3000:]}")


def status(d, name="cc"):
    return d.api.get(f"/containers/{name}/json").json["State"]


def names(d):
    return [name for c in d.api.get("/containers/json?all=1").json for name in c["Names"]]


def run(d, *args):
    return d.docker("run", "--name", "cc", *args, "busybox", "true")


def ends_well(d, code=5):
    """The container has an end, can be removed, and the daemon serves."""
    wait_until(lambda: status(d)["Status"] == "exited", "an end of the run")
    assert status(d)["ExitCode"] == code and status(d)["FinishedAt"] > "2000"
    assert d.docker("rm", "cc").returncode == 0
    assert d.api.get("/_ping").status == 200


def test_well(faulty):
    d = faulty("well")
    assert run(d).returncode == 5
    assert d.docker("logs", "cc").stdout == "line\n" * 3
    ends_well(d)
    assert "is at fault" not in d.log()


@pytest.mark.parametrize("operation", ["create", "start", "logs"])
@pytest.mark.parametrize("how", ["twice", "thread", "wild", "inside"])
def test_completes_wrongly(faulty, how, operation):
    d = faulty(how, operation)
    assert run(d).returncode == 5
    assert d.docker("logs", "cc").stdout == "line\n" * 3
    if how == "twice":
        fault(d, f"complete for a call that is not in progress ({operation}, completed before)")
    elif how == "wild":
        fault(d, "complete for a call that is not in progress")
    elif how == "thread":
        fault(d, "complete was called from a thread of its own")
    ends_well(d)
    if how == "inside":
        assert "is at fault" not in d.log()


def test_kill_well(faulty):
    d = faulty("well", "create", stay=True)
    assert run(d, "-d").returncode == 0
    assert d.docker("kill", "cc").returncode == 0
    ends_well(d, 137)


@pytest.mark.parametrize("how", ["twice", "never", "after-cancel", "wild", "error"])
def test_kill(faulty, how):
    """Whatever the driver's kill() does, and though it never ends the run: the container is killed for its user."""
    d = faulty(how, "kill", stay=True)
    assert run(d, "-d").returncode == 0
    assert d.docker("kill", "cc").returncode == 0
    assert d.docker("wait", "cc").stdout == "137\n"
    ends_well(d, 137)


@pytest.mark.parametrize("how", ["twice", "never", "wild", "error"])
def test_remove(faulty, how):
    d = faulty(how, "remove")
    assert run(d).returncode == 5
    assert d.docker("rm", "cc").returncode in (0, 1)
    wait_until(lambda: names(d) == [], "the container to go")
    if how == "error":
        wait_until(lambda: "its resource can't be deleted now, trying again" in d.log(), "the failure in the log")
    assert d.docker("run", "--rm", "--name", "next", "busybox", "true").returncode in (5, 125)


@pytest.mark.parametrize("how", ["never", "after-cancel"])
def test_create_is_given_up_at_its_deadline(faulty, how):
    d = faulty(how, "create")
    done = run(d)
    assert done.returncode == 125 and "create by driver misbehaving did not finish within 1.000 s" in done.stderr
    assert names(d) == []
    if how == "after-cancel":
        wait_until(lambda: "completed create of container" in d.log(), "the late completion")


@pytest.mark.parametrize("how", ["never", "after-cancel"])
def test_start_is_given_up_at_its_deadline(faulty, how):
    d = faulty(how, "start")
    done = run(d)
    assert done.returncode == 125 and "start by driver misbehaving did not finish within 1.000 s" in done.stderr
    assert status(d)["Status"] == "created" and status(d)["ExitCode"] == 128 and "did not finish" in status(d)["Error"]
    if how == "after-cancel":
        wait_until(lambda: "completed start of container" in d.log(), "the late completion")
    assert d.docker("rm", "cc").returncode == 0


def test_deaf_to_cancel(faulty):
    """With a cancel() that does nothing the host waits SKL_CANCEL_GRACE_NS, reports, and completes the call itself."""
    d = faulty("never", "create", cancel="deaf")
    done = run(d)
    assert done.returncode == 125 and "did not finish within 1.000 s" in done.stderr
    fault(d, "create of container ")
    assert "was not completed within 10 s after it was canceled" in d.log()
    assert names(d) == [] and d.api.get("/_ping").status == 200


def test_logs_that_never_complete(faulty):
    """The client goes away; the call is canceled and the container is as it was."""
    d = faulty("never", "logs")
    assert run(d).returncode == 5
    conn = Conn(d.host)
    conn.sock.sendall(b"GET /v1.44/containers/cc/logs?stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert conn.sock.recv(100).startswith(b"HTTP/1.1 200")
    conn.sock.close()
    ends_well(d)


@pytest.mark.parametrize("operation", ["create", "start"])
def test_error_that_is_no_text(faulty, operation):
    d = faulty("error", operation)
    done = run(d)
    assert done.returncode == 125 and "Error response from daemon" in done.stderr
    if operation == "create":
        assert names(d) == []
    else:
        assert status(d)["Status"] == "created"
        assert d.docker("rm", "cc").returncode == 0


def test_create_result_of_garbage(faulty):
    d = faulty("garbage", "create")
    done = run(d)
    assert done.returncode == 125 and "driver misbehaving answered create with garbage" in done.stderr
    fault(d, "create of container ")
    assert names(d) == []


def test_logs_beyond_the_credit(faulty):
    d = faulty("flood", "logs")
    assert run(d).returncode == 5
    lines = d.docker("logs", "cc").stdout.splitlines()
    assert 0 < len(lines) < 10000 and set(lines) == {"line"}
    fault(d, "logs: an entry was pushed beyond the credit; the entry is dropped")
    fault(d, f"logs: {10000 - len(lines)} entries in all were dropped")
    ends_well(d)


def test_log_entries_of_garbage(faulty):
    d = faulty("bad-entries", "logs")
    assert run(d).returncode == 5
    assert d.docker("logs", "cc").stdout == "line\n" * 3
    fault(d, "logs: an entry of a wrong size; the entry is dropped")
    ends_well(d)


@pytest.mark.parametrize("how,code,text", [
    ("ends-twice", 5, "run_ended a second time for run 1 of container "),
    ("ends-wrong", 5, "run_ended for run 8 of container "),
    ("ends-garbage", 255, "run_ended for run 1 of container "),
])
def test_run_ends_wrongly(faulty, how, code, text):
    d = faulty(how)
    done = run(d)
    assert done.returncode == code, done.stderr
    fault(d, text)
    ends_well(d, code)


def test_run_that_never_ends(faulty):
    d = faulty("ends-never")
    assert run(d, "-d").returncode == 0
    assert status(d)["Status"] == "running"
    assert d.docker("rm", "-f", "cc").returncode == 0
    assert names(d) == [] and d.api.get("/_ping").status == 200
