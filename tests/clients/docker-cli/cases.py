"""The docker CLI, every command group; terminal.py has the sessions in a pseudo-terminal. The same cases for 20.10 and 28: PATH says which.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from casebook import case, main, until  # noqa: E402
from cli import clean, docker, error, run  # noqa: E402
import terminal  # noqa: E402,F401

SKIPS = {
    "build, buildx": "functions are run, not built: 501 with the way out",
    "commit, diff": "a function's file system keeps no record and can't be made an image: 501",
    "save, load, import, push": "the daemon holds no layers: 501",
    "swarm, service, stack, node, secret, config": "no swarm: 503, as a daemon that is in none",
}


@case
def containers():
    docker("create", "--name", "cli-c", "--label", "cli=1", "busybox", "sh", "-c", "echo out; sleep 1000")
    docker("start", "cli-c")
    until(lambda: docker("logs", "cli-c") == "out\n", "the log")
    assert re.search(r"cli-c\s*$", docker("ps", "--filter", "label=cli"), re.M)
    assert "sleep 1000" in docker("top", "cli-c") and "cli-c" in docker("stats", "--no-stream", "cli-c")
    docker("pause", "cli-c")
    assert "(Paused)" in docker("ps")
    docker("unpause", "cli-c")
    docker("rename", "cli-c", "cli-d")
    docker("update", "--memory", "128m", "--memory-swap", "256m", "cli-d")
    docker("restart", "-t", "0", "cli-d")
    docker("kill", "-s", "KILL", "cli-d")
    assert docker("wait", "cli-d") == "137\n" and "Exited (137)" in docker("ps", "-a")
    docker("rm", "cli-d")


@case
def healthcheck_shows():
    docker("run", "-d", "--name", "cli-h", "--health-cmd", "true", "--health-interval", "200ms", "busybox", "sleep", "1000")
    until(lambda: "(healthy)" in docker("ps"), "health")
    docker("rm", "-f", "cli-h")


@case
def restart_policy():
    docker("run", "-d", "--name", "cli-r", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 3")
    until(lambda: docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "cli-r") == "2 exited\n", "the last restart")
    docker("rm", "cli-r")


@case
def images():
    assert "busybox" in docker("images") and "busybox" in docker("image", "ls", "--format", "{{.Repository}}")
    docker("tag", "busybox", "cli-tag:1")
    assert docker("rmi", "cli-tag:1") == "Untagged: cli-tag:1\n"
    docker("image", "inspect", "busybox")
    docker("history", "busybox")
    docker("image", "prune", "-f")


@case
def networks():
    docker("network", "create", "--subnet", "10.99.0.0/24", "--label", "cli=1", "cli-net")
    docker("run", "-d", "--name", "cli-n", "--network", "cli-net", "--network-alias", "al", "busybox", "sleep", "1000")
    assert docker("inspect", "-f", "{{(index .NetworkSettings.Networks \"cli-net\").IPAddress}}", "cli-n").startswith("10.99.0.")
    assert "cli-n" in docker("network", "inspect", "cli-net")
    docker("network", "rm", "cli-net", code=1)
    docker("network", "disconnect", "cli-net", "cli-n")
    docker("network", "connect", "cli-net", "cli-n")
    docker("rm", "-f", "cli-n")
    docker("network", "rm", "cli-net")
    docker("network", "prune", "-f")


@case
def volumes():
    docker("volume", "create", "--label", "cli=1", "cli-vol")
    assert docker("volume", "ls", "-q", "--filter", "label=cli") == "cli-vol\n"
    docker("create", "--name", "cli-v", "-v", "cli-vol:/data", "-v", "/anonymous", "busybox", "true")
    docker("volume", "rm", "cli-vol", code=1)
    docker("rm", "-v", "cli-v")
    docker("volume", "rm", "cli-vol")
    assert docker("volume", "ls", "-q") == ""


@case
def copying():
    docker("run", "-d", "--name", "cli-cp", "busybox", "sleep", "1000")
    docker("cp", "/etc/hostname", "cli-cp:/tmp/h")
    assert docker("exec", "cli-cp", "cat", "/tmp/h") == open("/etc/hostname").read()
    assert len(docker("cp", "cli-cp:/tmp/h", "-")) >= 1024
    docker("rm", "-f", "cli-cp")


@case
def events_and_system():
    since = str(time.time() - 0.5)
    docker("run", "--rm", "--label", "cliev", "busybox", "true")
    seen = docker("events", "--since", since, "--until", str(time.time() + 0.2), "--filter", "label=cliev", "--filter", "type=container", "--format", "{{.Action}}")
    assert seen.split() == ["create", "attach", "start", "die", "destroy"], seen
    assert "Images" in docker("system", "df")
    docker("system", "prune", "-f", "--filter", "label=nosuch")


@case
def what_run_says_of_its_failures():
    assert "executable file not found" in error("run", "--rm", "busybox", "nosuch-command", code=127)
    assert "permission denied" in error("run", "--rm", "busybox", "/etc/passwd", code=126)
    docker("create", "--name", "cli-twice", "busybox", "true")
    assert "Conflict. The container name" in error("run", "--name", "cli-twice", "busybox", "true", code=125)
    docker("rm", "cli-twice")
    docker("run", "--rm", "busybox", "sh", "-c", "exit 42", code=42)
    docker("run", "--rm", "busybox", "sh", "-c", "kill -TERM $$", code=143)


@case
def run_options():
    with tempfile.TemporaryDirectory() as tmp:
        with open(os.path.join(tmp, "env"), "w") as f:
            f.write("A=from a file\n# a comment\nB=2\n")
        out = docker("run", "--rm", "--env-file", os.path.join(tmp, "env"), "-e", "B=3", "-e", "EMPTY=", "-w", "/new/dir", "-u", "65534:65534", "-h", "cli-host",
                     "--entrypoint", "sh", "--cidfile", os.path.join(tmp, "cid"), "busybox", "-c", "echo $A $B ${EMPTY-unset}.; pwd; id -u; id -g; echo $HOSTNAME")
        assert out.splitlines() == ["from a file 3 .", "/new/dir", "65534", "65534", "cli-host"], out
        with open(os.path.join(tmp, "cid")) as f:
            assert re.fullmatch("[0-9a-f]{64}", f.read())


@case
def input_and_output_are_exact():
    data = os.urandom(3_000_000)
    assert docker("run", "--rm", "-i", "busybox", "cat", stdin=data, text=False) == data
    docker("run", "-d", "--name", "cli-io", "busybox", "sleep", "1000")
    assert docker("exec", "-i", "cli-io", "cat", stdin=data, text=False) == data
    assert docker("exec", "-i", "cli-io", "cat", stdin=b"", text=False) == b""
    done = run("exec", "cli-io", "sh", "-c", "echo out; echo err >&2; exit 9")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 9)
    docker("rm", "-f", "cli-io")


@case
def exec_options():
    docker("run", "-d", "--name", "cli-x", "-e", "A=main", "busybox", "sleep", "1000")
    assert docker("exec", "-e", "B=exec", "-w", "/tmp", "-u", "nobody", "cli-x", "sh", "-c", "echo $A $B; pwd; id -un") == "main exec\n/tmp\nnobody\n"
    assert docker("exec", "-d", "cli-x", "touch", "/tmp/detached") == ""
    until(lambda: run("exec", "cli-x", "test", "-f", "/tmp/detached").returncode == 0, "the detached exec")
    assert run("exec", "-w", "/no/dir", "cli-x", "true").returncode in (126, 127)
    done = run("exec", "cli-x", "nosuch-command")
    assert done.returncode == 127 and "executable file not found" in done.stdout + done.stderr, done
    docker("rm", "-f", "cli-x")


@case
def logs():
    docker("run", "--name", "cli-l", "busybox", "sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done")
    done = run("logs", "cli-l")
    assert (done.stdout, done.stderr) == ("o1\no2\no3\n", "e1\ne2\ne3\n")
    done = run("logs", "--tail", "1", "cli-l")
    assert len((done.stdout + done.stderr).split()) == 1, done
    assert re.match(r"\d{4}-\d\d-\d\dT[0-9:.]+Z o1\n", docker("logs", "-t", "cli-l"))
    assert docker("logs", "--since", "2099-01-01T00:00:00", "cli-l") == "" and docker("logs", "--until", "10m", "cli-l") == ""
    docker("rm", "cli-l")
    docker("run", "-d", "--name", "cli-l", "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done")
    assert docker("logs", "-f", "cli-l") == "1\n2\n3\n"
    docker("rm", "cli-l")


@case
def ps_filters_and_formats():
    docker("run", "-d", "--name", "cli-p1", "--label", "cli=a", "-p", "8123:80", "busybox", "sleep", "1000")
    docker("run", "--name", "cli-p2", "--label", "cli=b", "busybox", "sh", "-c", "exit 3", code=3)

    def names(*args):
        return sorted(docker("ps", "-a", "--format", "{{.Names}}", *args).split())

    assert names("--filter", "label=cli") == ["cli-p1", "cli-p2"] and names("--filter", "label=cli=b") == ["cli-p2"]
    assert names("--filter", "label=cli", "--filter", "status=exited") == names("--filter", "label=cli", "--filter", "exited=3") == ["cli-p2"]
    assert names("--filter", "name=cli-p", "--filter", "publish=80") == ["cli-p1"] and names("--filter", "name=^cli-p2$") == ["cli-p2"]
    assert names("--filter", "label=cli", "--filter", "ancestor=busybox", "--filter", "before=cli-p2") == ["cli-p1"]
    assert "127.0.0.1:8123->80/tcp" in docker("ps", "--format", "{{.Ports}}", "--filter", "name=cli-p1")
    assert "127.0.0.1:8123" in docker("port", "cli-p1") and docker("ps", "-q", "--no-trunc", "-l").strip() == docker("inspect", "-f", "{{.Id}}", "cli-p2").strip()
    assert "invalid filter" in error("ps", "--filter", "nosuch=1")
    docker("rm", "-f", "cli-p1", "cli-p2")


@case
def published_port_is_reached():
    docker("run", "-d", "--name", "cli-w", "-p", "127.0.0.1::80", "busybox", "sh", "-c", "echo page > /tmp/p; exec httpd -f -p 80 -h /tmp")
    url = "http://" + docker("port", "cli-w", "80/tcp").strip() + "/p"
    until(lambda: fetched(url) == b"page\n", "the page")
    assert "port is already allocated" in run("run", "--rm", "-p", docker("port", "cli-w", "80").strip() + ":80", "busybox", "true").stderr
    docker("rm", "-f", "cli-w")
    assert fetched(url) is None


def fetched(url):
    try:
        return urllib.request.urlopen(url, timeout=10).read()
    except OSError:
        return None


@case
def cp_both_ways():
    with tempfile.TemporaryDirectory() as tmp:
        os.makedirs(os.path.join(tmp, "tree/sub"))
        with open(os.path.join(tmp, "tree/sub/file"), "w") as f:
            f.write("deep")
        os.symlink("sub/file", os.path.join(tmp, "tree/link"))
        docker("create", "--name", "cli-t", "busybox", "sleep", "1000")
        docker("cp", os.path.join(tmp, "tree"), "cli-t:/srv")           # before the start
        docker("start", "cli-t")
        docker("cp", os.path.join(tmp, "tree") + "/.", "cli-t:/tmp")    # the contents
        assert docker("exec", "cli-t", "sh", "-c", "cat /srv/link || cat /srv/tree/link") == "deep"
        assert docker("exec", "cli-t", "readlink", "/tmp/link") == "sub/file\n"
        docker("cp", "cli-t:/tmp/sub", os.path.join(tmp, "back"))
        with open(os.path.join(tmp, "back/file")) as f:
            assert f.read() == "deep"
        tar = docker("cp", "cli-t:/tmp/sub/file", "-", text=False)
        docker("cp", "-", "cli-t:/srv", stdin=tar, text=False)
        assert docker("exec", "cli-t", "cat", "/srv/file") == "deep"
        assert "/nosuch" in error("cp", "cli-t:/nosuch", tmp)
        error("cp", os.path.join(tmp, "tree"), "cli-t:/etc/passwd")     # a directory onto a file
    docker("rm", "-f", "cli-t")


@case
def several_at_once():
    names = ["cli-m1", "cli-m2", "cli-m3"]
    for name in names:
        docker("run", "-d", "--name", name, "busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
    assert docker("stop", *names).split() == names and docker("wait", *names).split() == ["0", "0", "0"]
    assert docker("start", *names).split() == names
    assert docker("kill", "-s", "INT", "cli-m1") and docker("rm", "-f", *names).split() == names
    assert "No such container: cli-m1" in error("rm", "cli-m1")


@case
def export_and_inspect():
    docker("run", "-d", "--name", "cli-e", "busybox", "sleep", "1000")
    assert len(docker("export", "cli-e", text=False)) > 100_000
    assert docker("inspect", "--type", "container", "-f", "{{.Name}} {{.Config.Image}} {{.State.Status}}", "cli-e") == "/cli-e busybox running\n"
    assert docker("inspect", "-s", "-f", "{{.SizeRw}}", "cli-e").strip().isdigit()
    docker("rm", "-f", "cli-e")


@case
def prunes():
    docker("run", "--name", "cli-u", "--label", "cliprune", "-v", "/anon", "busybox", "true")
    docker("network", "create", "--label", "cliprune", "cli-unet")
    docker("volume", "create", "--label", "cliprune", "cli-uvol")
    assert len(docker("container", "prune", "-f", "--filter", "label=cliprune").split()) > 3
    assert "cli-unet" in docker("network", "prune", "-f", "--filter", "label=cliprune")
    docker("volume", "rm", "cli-uvol")
    assert "Total reclaimed space" in docker("volume", "prune", "-f")
    assert docker("volume", "ls", "-q") == ""


@case
def filters_of_networks_volumes_images():
    docker("network", "create", "--label", "cli=n", "cli-fnet")
    docker("volume", "create", "--label", "cli=v", "cli-fvol")
    assert docker("network", "ls", "--filter", "label=cli=n", "--format", "{{.Name}}") == "cli-fnet\n"
    assert docker("network", "ls", "--filter", "type=custom", "--filter", "name=cli-f", "-q", "--no-trunc").strip() == docker(
        "network", "inspect", "-f", "{{.Id}}", "cli-fnet").strip()
    assert docker("volume", "ls", "--filter", "dangling=true", "--filter", "name=cli-f", "-q") == "cli-fvol\n"
    assert docker("volume", "inspect", "-f", "{{.Driver}} {{.Labels.cli}}", "cli-fvol") == "local v\n"
    assert docker("images", "--filter", "reference=busy*", "--format", "{{.Repository}}:{{.Tag}}") == "busybox:latest\n"
    docker("volume", "rm", "cli-fvol")
    docker("network", "rm", "cli-fnet")


@case
def system():
    assert "cloud-run-functions" in docker("info") and docker("info", "-f", "{{.OSType}}") == "linux\n"
    assert docker("version", "-f", "{{.Server.APIVersion}}") == "1.44\n"
    assert "Containers" in docker("system", "df", "-v")
    assert docker("plugin", "ls", "-q") == ""
    assert "This node is not a swarm manager" in error("node", "ls") and "This node is not a swarm manager" in error("service", "ls")


@case
def pull_and_tags():
    assert "Status: " in docker("pull", "busybox:latest")
    docker("image", "tag", "busybox", "cli-pull:1")
    assert sorted(docker("image", "inspect", "-f", "{{range .RepoTags}}{{println .}}{{end}}", "cli-pull:1").split()) == ["busybox:latest", "cli-pull:1"]
    docker("run", "-d", "--name", "cli-used", "cli-pull:1", "sleep", "1000")
    assert "conflict" in error("rmi", docker("inspect", "-f", "{{.Image}}", "cli-used").strip()).lower()
    docker("rm", "-f", "cli-used")
    assert "Untagged: cli-pull:1" in docker("image", "rm", "cli-pull:1")
    error("image", "inspect", "cli-pull:1")


@case
def what_is_not_there_says_so():
    docker("run", "-d", "--name", "cli-no", "busybox", "sleep", "1000")
    for args, text in ((("diff", "cli-no"), "record"), (("commit", "cli-no"), ""), (("save", "busybox"), ""), (("push", "busybox"), ""),
                       (("run", "-v", "/etc:/host", "busybox", "true"), "invalid bind mount")):
        done = run(*args)
        assert done.returncode != 0 and text in done.stderr, (args, done.returncode, done.stderr)
    docker("rm", "-f", "cli-no")


@case
def errors_about_what_does_not_exist():
    for args, text in ((("inspect", "nosuch"), "o such object: nosuch"), (("start", "nosuch"), "No such container: nosuch"),
                       (("exec", "nosuch", "true"), "No such container: nosuch"), (("network", "inspect", "nosuch"), "nosuch"),
                       (("volume", "inspect", "nosuch"), "nosuch"), (("build", "-q", "/etc/cron.d"), "")):
        done = run(*args)
        assert done.returncode != 0 and text in done.stderr, (args, done.stderr)


if __name__ == "__main__":
    main(docker("version", "-f", "{{.Client.Version}}").strip(), SKIPS, clean)
