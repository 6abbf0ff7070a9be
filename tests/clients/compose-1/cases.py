"""compose: up, ps, logs, exec, run, cp, stop, start, restart, down; depends_on, health checks, named volumes, networks, scaling. The same cases for
1.29 and v2; argv is the program.

SPDX-License-Identifier: Apache-2.0
"""
import os
import select
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from casebook import case, main, until  # noqa: E402

PROGRAM = sys.argv[1:]


def result(*args, file="docker-compose.yml", project="skl", timeout=120, stdin=None):
    return subprocess.run([*PROGRAM, "-f", os.path.join(HERE, file), "-p", project, *args], capture_output=True, text=True, timeout=timeout, input=stdin,
                          stdin=subprocess.DEVNULL if stdin is None else None)


def compose(*args, code=0, **kw):
    done = result(*args, **kw)
    assert done.returncode == code, (args, done.returncode, done.stdout[-600:], done.stderr[-600:])
    return done.stdout + done.stderr


def docker(*args):
    return subprocess.run(["docker", *args], capture_output=True, text=True, check=True, timeout=60).stdout


def inspect(service, template):
    return docker("inspect", "-f", template, compose("ps", "-q", service).strip()).strip()


VERSION = subprocess.run([*PROGRAM, "version", "--short"], capture_output=True, text=True).stdout.strip()
V1 = VERSION.startswith("1.")


@case
def config():
    assert "X: one" in compose("config") and set(compose("config", "--services").split()) >= {"db", "web"}
    assert compose("config", "--volumes").split() == ["data"]


@case
def up():
    compose("up", "-d")
    until(lambda: "healthy" in compose("ps"))


@case
def up_again_changes_nothing():
    before = compose("ps", "-q")
    compose("up", "-d")
    assert compose("ps", "-q") == before


@case
def ps():
    out = compose("ps")
    assert "db" in out and "web" in out and "8080->80/tcp" in out, out
    assert set(compose("ps", "--services").split()) >= {"db", "web"}


@case
def logs():
    until(lambda: "web up one from-a-file" in compose("logs", "web"))
    assert "db up" in compose("logs", "db") and "db up" in compose("logs", "--tail", "1", "db") and "db up" not in compose("logs", "--tail", "0", "db")
    p = subprocess.Popen([*PROGRAM, "-f", os.path.join(HERE, "docker-compose.yml"), "-p", "skl", "logs", "-f", "web"], stdout=subprocess.PIPE, text=True)
    try:
        assert any("web up" in line for line in iter(p.stdout.readline, ""))
    finally:
        p.terminate()
        p.wait()
        p.stdout.close()


@case
def execute():
    assert "inside" in compose("exec", "-T", "web", "echo", "inside")
    compose("exec", "-T", "web", "sh", "-c", "exit 3", code=3)
    assert compose("exec", "-T", "-e", "E=given", "-u", "nobody", "-w", "/tmp", "web", "sh", "-c", "echo $E; id -un; pwd; echo $X").split() == ["given", "nobody", "/tmp", "one"]
    assert compose("exec", "-T", "web", "pwd").strip() == "/srv"


@case
def exec_takes_input():
    assert "through" in compose("exec", "-T", "web", "cat", stdin="through")


@case
def run_once():
    assert "oneoff" in compose("run", "--rm", "web", "echo", "oneoff")
    compose("run", "--rm", "web", "sh", "-c", "exit 4", code=4)
    assert "given one" in compose("run", "--rm", "--no-deps", "-e", "G=given", "--entrypoint", "sh", "web", "-c", "echo $G $X")
    compose("run", "-d", "--name", "skl-left", "--no-deps", "db", "sleep", "1000")
    assert docker("inspect", "-f", "{{.State.Running}}", "skl-left") == "true\n"
    docker("rm", "-f", "skl-left")


def cp():
    with tempfile.TemporaryDirectory() as tmp:
        with open(os.path.join(tmp, "f"), "w") as f:
            f.write("copied")
        compose("cp", os.path.join(tmp, "f"), "web:/tmp/f")
        assert compose("exec", "-T", "web", "cat", "/tmp/f") == "copied"
        compose("cp", "web:/tmp/f", os.path.join(tmp, "back"))
        with open(os.path.join(tmp, "back")) as f:
            assert f.read() == "copied"


if not V1:
    case(cp)


@case
def top_port_images():
    assert "sleep" in compose("top", "web") and compose("port", "web", "80").strip() == "127.0.0.1:8080" and "busybox" in compose("images")


@case
def networks_and_labels():
    assert "database" in inspect("db", "{{json (index .NetworkSettings.Networks \"skl_back\").Aliases}}")
    assert inspect("db", "{{index .Config.Labels \"com.example.role\"}}") == "database"
    assert set(inspect("web", "{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}").split()) == {"skl_front", "skl_back"}
    assert docker("network", "ls", "-q", "--filter", "label=com.example.net=back") != ""


@case
def events():
    p = subprocess.Popen([*PROGRAM, "-f", os.path.join(HERE, "docker-compose.yml"), "-p", "skl", "events", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        end = time.time() + 30
        while time.time() < end:  # the subscription has no sign of its own
            compose("exec", "-T", "db", "true")
            if select.select([p.stdout], [], [], 0.2)[0]:
                assert "exec_" in p.stdout.readline()
                return
        raise AssertionError("no event")
    finally:
        p.terminate()
        p.wait()
        p.stdout.close()


@case
def stop_start_restart():
    compose("stop", "-t", "5")
    compose("start")
    compose("restart", "-t", "5")
    out = compose("ps")
    assert "web" in out and "Exit" not in out, out


@case
def pause():
    compose("pause", "web")
    assert inspect("web", "{{.State.Status}}") == "paused"
    compose("unpause", "web")


@case
def a_volume_s_contents_outlive_their_container():
    compose("exec", "-T", "db", "sh", "-c", "echo kept > /data/file")
    compose("stop", "-t", "5", "db")
    compose("rm", "-f", "db")
    compose("up", "-d", "db")
    assert compose("exec", "-T", "db", "cat", "/data/file") == "kept\n"
    compose("down", "-t", "5")
    compose("up", "-d")
    assert compose("exec", "-T", "db", "cat", "/data/file") == "kept\n"


@case
def scale():
    before = len(compose("ps", "-q").split())
    compose("up", "-d", "--scale", "db=3", "db")
    assert len(compose("ps", "-q").split()) == before + 2
    compose("up", "-d", "--scale", "db=1", "db")
    assert len(compose("ps", "-q").split()) == before


@case
def force_recreate():
    before = compose("ps", "-q", "web")
    compose("up", "-d", "--force-recreate", "-t", "5", "web")
    assert compose("ps", "-q", "web") != before


@case
def kill_and_rm():
    compose("kill", "web")
    compose("rm", "-f", "web")


@case
def up_again_recreates_what_is_missing():
    compose("up", "-d")
    until(lambda: compose("ps").count("Up") >= 2 or compose("ps").count("running") >= 2)


@case
def restart_policy():
    compose("--profile", "unlucky", "up", "-d", "unlucky")
    cid = compose("--profile", "unlucky", "ps", "-aq" if not V1 else "-q", "unlucky").strip()
    until(lambda: docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", cid) == "2 exited\n")
    compose("--profile", "unlucky", "rm", "-f", "unlucky")


@case
def attached_until_the_exit():
    out = compose("--profile", "job", "up", "--abort-on-container-exit", "--exit-code-from", "job", "job", code=3)
    assert "exited with code 3" in out, out


@case
def waits_for_health():
    compose("up", "-d", file="waits.yml", project="sklw")
    first, second = (docker("inspect", "-f", "{{(index .State.Health.Log 0).Start}}|{{.State.StartedAt}}" if s == "slow" else "{{.State.StartedAt}}",
                            compose("ps", "-q", s, file="waits.yml", project="sklw").strip()) for s in ("slow", "after"))
    assert "after" in compose("logs", "after", file="waits.yml", project="sklw") and first.split("|")[1] < second
    compose("down", "-t", "5", file="waits.yml", project="sklw")


@case
def sickness_is_an_error():
    done = result("up", "-d", file="sick.yml", project="skls")
    assert done.returncode != 0 and "unhealthy" in done.stdout + done.stderr, done
    compose("down", "-t", "0", file="sick.yml", project="skls")


@case
def published_port_is_reached():
    compose("--profile", "page", "up", "-d", "page")
    url = "http://" + compose("--profile", "page", "port", "page", "80").strip() + "/p"
    until(lambda: subprocess.run(["curl", "-s", url], capture_output=True).stdout == b"page\n", "the page")


@case
def down():
    compose("--profile", "job", "--profile", "unlucky", "--profile", "page", "down", "-v", "-t", "5")


@case
def nothing_is_left():
    for what in ("ps -aq", "volume ls -q --filter name=skl", "network ls -q --filter name=skl"):
        assert docker(*what.split()) == "", what


if __name__ == "__main__":
    skips = {"build": "functions are run, not built: 501 with the way out"}
    if V1:
        skips["cp"] = "1.29 has none"
    main(os.environ.get("CLIENT_VERSION", VERSION), skips, only=())
