"""actions/runner's container jobs, as it talks through the docker CLI (reference, "GHR"; cases, section 3): network, job container, service with a health
check, a step an exec, cleanup by labels. Host directories, which it mounts, are refused: a self-hosted runner needs its work directory in a volume.

SPDX-License-Identifier: Apache-2.0
"""
import os
import secrets

import pytest

from dockerapi import wait_until

LABEL = "a1b2c3"


@pytest.fixture
def cli(docker):
    def run(*args, code=0, **kw):
        done = docker(*args, **kw)
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout.strip()

    yield run
    left = run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}").split()
    if left:
        run("rm", "--force", *left)
    run("network", "prune", "--force", "--filter", f"label={LABEL}")
    assert run("ps", "--all", "--quiet", "--filter", f"label={LABEL}") == "" and run("network", "ls", "--quiet", "--filter", f"label={LABEL}") == ""


@pytest.fixture
def job(cli):
    assert tuple(map(int, cli("version", "--format", "{{.Server.APIVersion}}").split("."))) >= (1, 35)
    network = "github_network_" + secrets.token_hex(16)
    cli("network", "create", "--label", LABEL, network)
    cli("pull", "busybox")
    cid = cli("create", "--name", "job_busybox", "--label", LABEL, "--workdir", "/__w/repo/repo", "--network", network, "-e", "HOME=/github/home",
              "-e", "GITHUB_ACTIONS=true", "-e", "CI=true", "-v", "work:/__w", "--entrypoint", "tail", "busybox", "-f", "/dev/null")
    cli("start", cid)
    yield cid
    cli("rm", "--force", *cli("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}").split())
    cli("network", "rm", network)
    cli("volume", "rm", "--force", "work")


def step(cli, cid, script, env=(), code=0):
    """A script that the runner has written, and its environment by name alone: the values come from its own."""
    names = [a for name in env for a in ("-e", name)]
    cli("exec", "-i", cid, "sh", "-c", "mkdir -p /__w/_temp && cat > /__w/_temp/script.sh", input=script)
    return cli("exec", "-i", "--workdir", "/__w/repo/repo", *names, cid, "sh", "-e", "/__w/_temp/script.sh", code=code, env=dict(env))


def test_a_job_container(cli, job):
    first = cli("ps", "--all", "--filter", f"id={job}", "--filter", "status=running", "--no-trunc", "--format", "{{.ID}} {{.Status}}")
    assert first.startswith(job + " Up")
    path = [e for e in cli("inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", job).split() if e.startswith("HOME=")]
    assert path == ["HOME=/github/home"] and cli("port", job) == ""
    assert step(cli, job, "pwd; echo $HOME; echo $CI\n") == "/__w/repo/repo\n/github/home\ntrue"
    assert step(cli, job, "echo one > file\n") == "" and step(cli, job, "cat file\n") == "one"
    assert step(cli, job, "echo before; exit 7\n", code=7) == "before"
    assert cli("inspect", "--format", "{{.State.Running}}", job) == "true"


def test_many_variables_by_name(cli, job):
    env = {f"GITHUB_{i}": f"value {i} = \"quoted\" $HOME" for i in range(200)}
    env["EMPTY"] = ""
    out = step(cli, job, "env | grep ^GITHUB_ | grep -c quoted; echo ${EMPTY-unset}.; echo \"$GITHUB_7\"; echo ${NOT_SET-unset}\n", {**env, "PATH": os.environ["PATH"]})
    assert out.split("\n") == ["200", ".", 'value 7 = "quoted" $HOME', "unset"]


def test_a_service_with_a_health_check(cli, job):
    network = cli("inspect", "--format", "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}", job)
    cid = cli("create", "--name", "svc_busybox", "--label", LABEL, "--network", network, "--network-alias", "db", "-p", "15432:5432", "--health-cmd", "test -f /tmp/up",
              "--health-interval", "100ms", "--health-retries", "50", "busybox", "sh", "-c", "sleep 0.3; touch /tmp/up; echo ready; sleep 1000")
    cli("start", cid)
    health = "{{if .Config.Healthcheck}}{{print .State.Health.Status}}{{end}}"
    assert cli("inspect", "--format", health, cid) in ("starting", "healthy")
    wait_until(lambda: cli("inspect", "--format", health, cid) == "healthy", "health")
    assert cli("inspect", "--format", health, job) == ""
    assert cli("port", cid).startswith("5432/tcp -> ") and cli("port", cid).endswith(":15432")
    assert "ready" in cli("logs", "--details", cid)


def test_its_host_directories_are_refused_by_name(cli):
    for bind in ("/var/run/docker.sock:/var/run/docker.sock", "/home/runner/_work:/__w", "/home/runner/_work/_temp:/__w/_temp"):
        done = cli("create", "--label", LABEL, "-v", bind, "busybox", "true", code=1)
        assert done == ""
    assert cli("ps", "--all", "--quiet", "--filter", f"label={LABEL}") == ""
