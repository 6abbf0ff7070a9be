"""A simulator that is killed leaves nothing: no function goes on, no file stays, and the next one comes up.

SPDX-License-Identifier: Apache-2.0
"""
import os
import signal
import subprocess

import skl
from dockerapi import wait_until


def agents_with(mark):
    """Processes that have the mark in their environment: a container's, whoever is their parent now."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                if mark.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def kill(cloud):
    cloud.process.send_signal(signal.SIGKILL)
    cloud.process.wait(skl.TIMEOUT)
    os.unlink(cloud.port_file)


def start_again(cloud):
    """At the same port, on the same directory."""
    argv = [skl.program("sockerless-gcp-simulator"), "--docker-runtime", "--listen", cloud.url.rpartition("/")[2], "--port-file", cloud.port_file,
            "--state-dir", cloud.state, "--images", cloud.images]
    cloud.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    wait_until(lambda: os.path.exists(cloud.port_file), "the next one")


def files_of(cloud):
    return [name for part in ("instances", "crun") for name in os.listdir(os.path.join(cloud.state, part))]


def test_killed(house, cloud):
    mark = "MARK=" + os.urandom(8).hex()
    for command in (["sleep", "1000"], ["sh", "-c", "trap '' TERM; sleep 1000 & wait"]):
        cid = house.api.create(Cmd=command, Env=[mark])
        house.api.start(cid)
    assert len(agents_with(mark)) >= 4  # agents and commands
    kill(cloud)
    wait_until(lambda: not agents_with(mark), "the functions to end")
    wait_until(lambda: not files_of(cloud), "the files to go")
    wait_until(lambda: not skl.processes_with(cloud.state), "the warden to end")
    start_again(cloud)


def test_the_next_one_waits_for_the_warden(house, cloud):
    """Started in the same instant: it is not refused, and nobody touches its functions."""
    for _ in range(5):
        cid = house.api.create(Cmd=["sleep", "1000"])
        house.api.start(cid)
        kill(cloud)
        start_again(cloud)
        done = house.docker("run", "--rm", "busybox", "echo", "still here")
        assert (done.returncode, done.stdout) == (0, "still here\n"), done.stderr


def test_an_own_state_directory_goes_too(images, tmp_path):
    port = tmp_path / "port"
    p = subprocess.Popen([skl.program("sockerless-gcp-simulator"), "--listen", "127.0.0.1:0", "--port-file", str(port), "--images", images],
                         stdin=subprocess.DEVNULL, env=dict(os.environ, TMPDIR=str(tmp_path)))
    wait_until(port.exists, "it to come up")
    assert [f for f in os.listdir(tmp_path) if f != "port"], "it has one"
    p.kill()
    p.wait()
    wait_until(lambda: os.listdir(tmp_path) == ["port"], "its directory to go")
