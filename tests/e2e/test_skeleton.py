"""`docker run` end to end: CLI, daemon, driver, simulator, agent. Issue 2's "It shows", line by line.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import os
import re
import signal
import subprocess

import pytest

import skl
from dockerapi import wait_until


def run(docker, *args, **kw):
    return docker("run", "--rm", *args, **kw)


# ---- what the CLI shows ----
def test_version_and_info(docker):
    assert "API version:      1.44" in docker("version", check=True).stdout
    info = docker("info", check=True).stdout
    assert " Storage Driver: cloud-run-functions\n" in info and " Operating System: Google Cloud Functions\n" in info


def test_pull(docker):
    assert docker("pull", "busybox", check=True).stdout.splitlines()[-1] == "docker.io/library/busybox:latest"


def test_run(docker):
    done = run(docker, "busybox", "echo", "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_streams_apart_and_exit_code(docker):
    done = run(docker, "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_detached_ps_logs_rm(docker):
    cid = docker("run", "-d", "--name", "sk-web", "busybox", "sh", "-c", "echo up; sleep 1000", check=True).stdout.strip()
    assert re.fullmatch("[0-9a-f]{64}", cid)
    row = docker("ps", "--format", "{{.ID}} {{.Image}} {{.Names}} {{.Status}}", check=True).stdout
    assert re.search(rf"^{cid[:12]} busybox sk-web Up ", row, re.M)
    wait_until(lambda: docker("logs", "sk-web").stdout == "up\n", "the line in the logs")
    assert docker("rm", "-f", "sk-web", check=True).stdout == "sk-web\n"
    assert "sk-web" not in docker("ps", "-a").stdout


def test_create_then_start_attached(docker):
    docker("create", "--name", "sk-created", "busybox", "sh", "-c", "echo made; exit 3", check=True)
    for _ in range(2):  # the same container, twice
        done = docker("start", "-a", "sk-created")
        assert (done.returncode, done.stdout) == (3, "made\n")
    docker("rm", "sk-created", check=True)


@pytest.mark.parametrize("data", ["hi\n", "", "no newline", "x" * 300_000])
def test_stdin_to_its_end(docker, data):
    done = run(docker, "-i", "busybox", "cat", input=data)
    assert (done.returncode, done.stdout) == (0, data)


def test_exec_and_its_exit_codes(docker):
    docker("run", "-d", "--name", "sk-exec", "busybox", "tail", "-f", "/dev/null", check=True)
    try:
        assert docker("exec", "sk-exec", "echo", "in", check=True).stdout == "in\n"
        done = docker("exec", "sk-exec", "sh", "-c", "echo e >&2; exit 5")
        assert (done.returncode, done.stderr) == (5, "e\n")
        assert docker("exec", "sk-exec", "nosuchcmd").returncode == 127
        assert docker("exec", "-i", "sk-exec", "cat", input="through\n").stdout == "through\n"
    finally:
        docker("rm", "-f", "sk-exec")


def test_wait(docker):
    docker("run", "-d", "--name", "sk-wait", "busybox", "sh", "-c", "exit 9", check=True)
    assert docker("wait", "sk-wait", check=True).stdout == "9\n"
    docker("rm", "sk-wait", check=True)


def test_twenty_at_once(docker):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda i: run(docker, "busybox", "sh", "-c", f"echo n{i}; exit {i}"), range(20)))
    assert [(d.returncode, d.stdout, d.stderr) for d in done] == [(i, f"n{i}\n", "") for i in range(20)]


def test_no_such_command(docker):
    done = run(docker, "busybox", "nosuchcmd")
    assert done.returncode == 127 and 'exec: "nosuchcmd": executable file not found in $PATH' in done.stderr


def test_no_such_image_in_the_cloud(docker):
    """Pulls are made up as the mission demands; the deployment is where the image is found missing."""
    done = run(docker, "nosuchimage")
    assert done.returncode == 125 and "nosuchimage" in done.stderr
    assert docker("ps", "-aq").stdout == ""


def test_no_such_image_where_resolving_is_on(images):
    """127.0.0.1:1 answers nothing: the pull itself fails."""
    d = skl.Daemon(images, config={"images": {"resolve": "registry"}})
    try:
        done = run(d.docker, "127.0.0.1:1/nosuchimage")
        assert done.returncode == 125 and "Error response from daemon" in done.stderr
        assert d.api.get("/containers/json?all=1").json == []
    finally:
        d.close()


# ---- what the cloud was asked ----
def test_the_function_was_real(daemon, docker):
    cid = docker("create", "busybox", "sh", "-c", "exit 4", check=True).stdout.strip()
    assert docker("start", "-a", cid).returncode == 4
    docker("rm", cid, check=True)
    name = "skls-" + cid[:12]
    asked = wait_until(lambda: [r for r in daemon.requests() if name in r["path"]][2:] and
                       [r for r in daemon.requests() if name in r["path"]], "the deletion")
    asked = [r for r in asked if r["rpc"] in ("CreateFunction", "Invoke", "DeleteFunction")]
    assert [(r["rpc"], r["method"]) for r in asked] == [("CreateFunction", "POST"), ("Invoke", "POST"), ("DeleteFunction", "DELETE")]
    body = asked[0]["body"]
    service, env = body["serviceConfig"], body["serviceConfig"]["environmentVariables"]
    assert body["buildConfig"]["runtime"] == "docker"
    assert (service["availableMemory"], service["availableCpu"], service["timeoutSeconds"]) == ("1Gi", "1", 3600)
    assert env["SOCKERLESS_CONTAINER_ID"] == cid and re.fullmatch("[0-9a-f]{64}", env["SOCKERLESS_AGENT_TOKEN"])
    assert env["SOCKERLESS_AGENT_CALLBACK_URL"].startswith("http://host.sockerless.internal:")


def test_the_token_is_in_no_log_of_the_daemon(daemon, docker):
    run(docker, "busybox", "true", check=True)
    tokens = {r["body"]["serviceConfig"]["environmentVariables"]["SOCKERLESS_AGENT_TOKEN"]
              for r in daemon.requests() if r["rpc"] == "CreateFunction" and "body" in r}
    assert tokens and not [t for t in tokens if t in daemon.log()]


# ---- an agent alone in its image ----
def test_agent_is_static_and_needs_nothing_else(images, tmp_path):
    """An image that holds one static program and no shell, no libc, no /etc."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "busybox").write_bytes(open("/bin/busybox", "rb").read())
    (root / "busybox").chmod(0o755)
    archive = tmp_path / "only.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    store = skl.make_images(str(tmp_path / "store"))
    skl.import_image(store, "only", str(archive), "--cmd", "/busybox", "--cmd", "echo", "--cmd", "alone")
    d = skl.Daemon(store)
    try:
        d.api.pull("only:latest")
        assert run(d.docker, "only", "/busybox", "echo", "given").stdout == "given\n"
        assert run(d.docker, "only").stdout == "alone\n"
    finally:
        d.close()
    out = subprocess.run(["file", "-b", skl.program("sockerless-agent")], capture_output=True, text=True, check=True).stdout
    assert "statically linked" in out or "static-pie linked" in out


# ---- kill -9 of each part, at any point: nothing is left after the next start ----
def busy(d):
    """A run in each of several stages."""
    d.docker("run", "-d", "--name", "sleeper", "busybox", "sleep", "1000", check=True)
    d.docker("create", "--name", "created", "busybox", "true", check=True)
    host = dict(PATH=os.environ["PATH"], HOME=d.dir, DOCKER_HOST=d.host)
    return [subprocess.Popen(["docker", "run", "--rm", "busybox", "sh", "-c", f"sleep 0.{i}; echo x"], env=host,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for i in range(4)]


def settle(d, clients):
    for client in clients:
        try:
            client.wait(2)
        except subprocess.TimeoutExpired:
            client.kill()
            client.wait()
    for name in d.docker("ps", "-aq", check=True).stdout.split():
        d.docker("rm", "-f", name)
    assert d.docker("ps", "-aq").stdout == ""


def find(d, what):
    return [pid for pid, command in skl.processes_with(what) if d.state in command or what != "sockerless-gcp-simulator"]


@pytest.mark.parametrize("moment", range(3))
def test_daemon_killed(fresh, moment):
    clients = busy(fresh)
    wait_until(lambda: len(fresh.requests()) > 4 + moment * 3, "work to be under way")
    fresh.kill9()
    fresh.start()
    settle(fresh, clients)
    fresh.stop()


@pytest.mark.parametrize("moment", range(3))
def test_simulator_killed(fresh, moment):
    clients = busy(fresh)
    wait_until(lambda: len(fresh.requests()) > 4 + moment * 3, "work to be under way")
    for pid in find(fresh, "sockerless-gcp-simulator"):
        os.kill(pid, signal.SIGKILL)
    skl.eventually(lambda: run(fresh.docker, "busybox", "echo", "again", check=True))
    settle(fresh, clients)
    fresh.stop()


def test_agent_killed(fresh):
    fresh.docker("run", "-d", "--name", "victim", "busybox", "sleep", "1000", check=True)
    cid = fresh.api.inspect("victim")["Id"]
    agents = [pid for pid, _ in skl.processes_with("/.sockerless/agent") if names_container(pid, cid)]
    assert agents
    for pid in agents:
        os.kill(pid, signal.SIGKILL)
    code = int(fresh.docker("wait", "victim", check=True).stdout)
    assert code != 0 and fresh.api.inspect("victim")["State"]["Error"] != ""
    fresh.docker("rm", "victim", check=True)
    fresh.stop()


def names_container(pid, cid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return cid.encode() in f.read()
    except OSError:
        return False
