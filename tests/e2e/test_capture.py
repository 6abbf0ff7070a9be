"""What is kept of a container's files when it ends: agent.capture-paths, agent.capture-limit. `docker cp` out of an exited container.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import os
import subprocess
import threading

import pytest

import skl
from dockerapi import wait_until
from test_archive import files, get, put, stat_of, tar_of
from test_link import Proxy

PATHS = ["/out", "/etc/passwd", "/var/log/*.log", "/nosuch", "."]


def config(**agent):
    return {"agent": {f"capture-{k}": v for k, v in agent.items()}}


@pytest.fixture(scope="module")
def keeping(images):
    d = skl.Daemon(images, config=config(paths=PATHS, limit="8m"))
    d.api.pull()
    yield d
    d.close()


@pytest.fixture
def api(keeping):
    return keeping.api


def ended(api, script, **more):
    cid = api.create(Cmd=["sh", "-c", script], **more)
    api.start(cid)
    api.wait(cid)
    return cid


def content(api, cid, path):
    return get(api, cid, path).extractfile(os.path.basename(path)).read()


def test_files_of_an_exited_container(api):
    """U-72: right after the exit, a tree with its metadata; a pattern; a single file."""
    cid = ended(api, "mkdir -p /out/d/empty; head -c 1000000 /dev/urandom > /out/blob; sha256sum < /out/blob > /out/sum; ln -s d /out/l; ln /out/sum /out/hard;"
                     "chmod 4750 /out/d; chown 7:8 /out/sum; touch -d '2020-01-02 03:04:05' /out/sum; mkdir -p /var/log; echo one > /var/log/a.log;"
                     "echo two > /var/log/b.txt; exit 3")
    tree = get(api, cid, "/out")
    got = files(tree)
    assert set(got) == {"out", "out/d", "out/d/empty", "out/blob", "out/sum", "out/l", "out/hard"}
    assert hashlib.sha256(tree.extractfile("out/blob").read()).hexdigest() == tree.extractfile("out/sum").read().split()[0].decode()
    assert got["out/l"].linkname == "d" and got["out/d"].mode == 0o4750
    assert (got["out/sum"].uid, got["out/sum"].gid, int(got["out/sum"].mtime)) == (7, 8, 1577934245)
    assert set(files(get(api, cid, "/out/."))) == {".", "./d", "./d/empty", "./blob", "./sum", "./l", "./hard"}
    assert b"root" in content(api, cid, "/etc/passwd") and content(api, cid, "/var/log/a.log") == b"one\n"
    assert stat_of(api, cid, "/out/blob")["size"] == 1_000_000 and stat_of(api, cid, "/out/d")["mode"] & 1 << 31
    assert api.inspect(cid)["State"]["ExitCode"] == 3
    api.remove(cid)


def test_what_is_not_there_is_told(api):
    cid = ended(api, "mkdir -p /out /var/log; echo > /var/log/b.txt")
    for path, why in (("/out/nope", "it was not there any more when the container ended"), ("/nosuch", "it was not there any more when the container ended"),
                      ("/var/log/c.log", "it was not there any more"), ("/var/log/b.txt", "agent.capture-paths"), ("/bin/busybox", "its files went with the function")):
        a = get(api, cid, path)
        assert a.status == 404 and a.message.startswith(f"Could not find the file {path} in container {cid}") and why in a.message, a
        assert stat_of(api, cid, path) == 404
    api.remove(cid)


def test_either_name_of_a_file_with_two(api):
    cid = ended(api, "mkdir -p /out/a; echo content > /out/a/one; ln /out/a/one /out/a/two")
    for name in ("one", "two"):
        assert content(api, cid, "/out/a/" + name) == b"content\n" and stat_of(api, cid, "/out/a/" + name)["size"] == 8
    api.remove(cid)


def test_links_are_followed_on_the_way(api):
    """Not the last one, unless a slash says so; and not for ever."""
    cid = ended(api, "mkdir -p /out/real/sub /var/log; echo content > /out/real/sub/f; ln -s real /out/l; ln -s /out/l/sub /out/l2; ln -s nowhere /out/l3; ln -s l5 /out/l4; ln -s l4 /out/l5;"
                     "ln -s /etc /out/etc; ln -s ../bin /out/bin")
    assert content(api, cid, "/out/l/sub/f") == b"content\n" == content(api, cid, "/out/l2/f") and stat_of(api, cid, "/out/l2/f")["size"] == 8
    link = files(get(api, cid, "/out/l"))
    assert set(link) == {"l"} and link["l"].linkname == "real"
    assert set(files(get(api, cid, "/out/l/"))) == {"l", "l/sub", "l/sub/f"} and set(files(get(api, cid, "/out/l2/."))) == {".", "./f"}
    assert stat_of(api, cid, "/out/l")["linkTarget"] == "real" and stat_of(api, cid, "/out/l/")["mode"] & 1 << 31
    assert b"root" in content(api, cid, "/out/etc/passwd")  # another path that was kept
    for path, text in (("/out/l3/f", "was not there any more"), ("/out/l4/f", "too many levels"), ("/out/bin/busybox", "its files went with the function")):
        a = get(api, cid, path)
        assert a.status >= 400 and text in a.message, a
    api.remove(cid)


def test_the_working_directory(api):
    cid = ended(api, "echo result > r", WorkingDir="/work/here")
    assert content(api, cid, "/work/here/r") == b"result\n"
    api.remove(cid)


def test_the_default_keeps_the_working_directory(images):
    d = skl.Daemon(images)
    d.api.pull()
    cid = ended(d.api, "echo result > r; echo > /other", WorkingDir="/work")
    assert content(d.api, cid, "/work/r") == b"result\n" and get(d.api, cid, "/other").status == 404
    d.api.remove(cid)
    cid = ended(d.api, "echo > /x")  # it has none of its own: nothing is fetched
    a = get(d.api, cid, "/x")
    assert a.status == 404 and "its files went with the function" in a.message
    d.api.remove(cid)
    d.close()


def test_the_working_directory_of_the_image(images, tmp_path):
    """The daemon does not know it: a pull made the image up. The agent does."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "sh").write_bytes(open("/bin/busybox", "rb").read())
    (root / "bin" / "sh").chmod(0o755)
    subprocess.run(["tar", "-C", str(root), "-cf", str(tmp_path / "i.tar"), "."], check=True)
    store = skl.make_images(str(tmp_path / "store"))
    skl.import_image(store, "placed", str(tmp_path / "i.tar"), "--workdir", "/srv/place", "--env", "PATH=/bin")
    d = skl.Daemon(store)
    d.api.pull("placed:latest")
    cid = d.api.create(image="placed", Cmd=["sh", "-c", "echo result > r"])
    assert d.api.inspect(cid)["Config"]["WorkingDir"] == ""
    d.api.start(cid)
    assert d.api.wait(cid) == 0 and content(d.api, cid, "/srv/place/r") == b"result\n"
    d.api.remove(cid)
    d.close()


def test_what_the_run_made_of_what_was_copied_in(api):
    cid = api.create(Cmd=["sh", "-c", "echo changed > /out/a; rm /out/b; cat /tmp/c"])
    for path, name in (("/out", "a"), ("/out", "b"), ("/tmp", "c")):
        assert put(api, cid, path, tar_of((name, b"as copied in\n"))).status == 200
    api.start(cid)
    assert api.wait(cid) == 0
    assert content(api, cid, "/out/a") == b"changed\n"
    assert "was not there any more" in get(api, cid, "/out/b").message
    assert content(api, cid, "/tmp/c") == b"as copied in\n"
    assert put(api, cid, "/out", tar_of(("b", b"later\n"))).status == 200  # after the end: it is newer
    assert content(api, cid, "/out/b") == b"later\n" and set(files(get(api, cid, "/out"))) == {"out", "out/a", "out/b"}
    api.remove(cid)


def test_the_limit_is_told(api):
    cid = ended(api, "mkdir -p /out; head -c 9000000 /dev/zero > /out/big")
    a = get(api, cid, "/out/big")
    assert a.status == 404 and "/out was to be kept when the container ended, but it is more than the 8388608 bytes of agent.capture-limit" in a.message
    assert content(api, cid, "/etc/passwd")  # the rest is there
    api.remove(cid)


def test_a_second_run_s_files_replace_the_first_s(api, keeping):
    cid = api.create(Cmd=["sh", "-c", "mkdir -p /out; read x; echo $x > /out/$x"], OpenStdin=True, StdinOnce=True)
    for word in ("one", "two"):
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
        api.start(cid)
        c.send(word.encode() + b"\n")
        assert api.wait(cid) == 0
        assert content(api, cid, "/out/" + word) == word.encode() + b"\n"
    kept = os.listdir(os.path.join(keeping.state, "staging", cid))
    assert [n for n in kept if n.startswith("exit-2-")] and not [n for n in kept if n.startswith("exit-1-")]
    api.remove(cid)
    assert not os.path.exists(os.path.join(keeping.state, "staging", cid))


def test_a_start_does_not_wait_for_what_it_makes_worthless(images):
    """A link that passes nothing holds the capture up; the next run cuts it short."""
    proxy = Proxy()
    d = skl.Daemon(images, config=config(paths=["/out"], limit="1g"), args=proxy.args())
    d.api.pull()
    cid = d.api.create(Cmd=["sh", "-c", "mkdir -p /out; [ -e /out/big ] || head -c 300000000 /dev/zero > /out/big; echo done; read x; exit $x"], OpenStdin=True)
    proxy.delay = 0.05  # 64 KiB each time
    for code in (4, 5):
        c = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
        d.api.start(cid)
        assert c.frame()[1] == b"done\n"
        c.send(b"%d\n" % code)
        assert d.api.wait(cid) == code
        assert not api_has(d, cid)
    proxy.delay = 0
    d.api.remove(cid)
    d.close()
    proxy.close()


def api_has(d, cid):
    return [n for n in os.listdir(os.path.join(d.state, "staging", cid)) if n == "exit.json" and '"pending":false' in open(os.path.join(d.state, "staging", cid, n)).read()]


def test_readers_wait_for_a_capture_in_progress(images):
    proxy = Proxy()
    d = skl.Daemon(images, config=config(paths=["/out"], limit="1g"), args=proxy.args())
    d.api.pull()
    cid = d.api.create(Cmd=["sh", "-c", "mkdir -p /out; head -c 30000000 /dev/zero > /out/big; read x"], OpenStdin=True)
    c = d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    d.api.start(cid)
    proxy.delay = 0.05
    c.send(b"go\n")
    assert d.api.wait(cid) == 0
    got = []
    reader = threading.Thread(target=lambda: got.append(content(d.api, cid, "/out/big")))
    reader.start()
    gone = d.api.connect()  # one that does not wait for the answer
    gone.send(d.api.request_bytes("GET", f"/containers/{cid}/archive?path=/out"))
    gone.close()
    assert not got
    proxy.delay = 0
    proxy.break_all()  # it is fetched once more over the next link
    reader.join(60)
    assert got == [bytes(30_000_000)]
    d.api.remove(cid)
    d.close()
    proxy.close()


def test_removal_during_a_capture(images):
    proxy = Proxy()
    d = skl.Daemon(images, config=config(paths=["/out"], limit="1g"), args=proxy.args())
    d.api.pull()
    cid = d.api.create(Cmd=["sh", "-c", "mkdir -p /out; head -c 100000000 /dev/zero > /out/big"])
    proxy.delay = 0.02
    d.api.start(cid)
    d.api.wait(cid)
    answers = []
    reader = threading.Thread(target=lambda: answers.append(get(d.api, cid, "/out/big").status))
    reader.start()
    assert d.api.remove(cid).status == 204
    reader.join(60)
    assert answers == [404] and not os.path.exists(os.path.join(d.state, "staging", cid))
    d.close()
    proxy.close()


def test_a_capture_that_a_killed_daemon_began(images, cloud):
    """The next daemon goes on with it: the agent dials again and is taken in."""
    proxy = Proxy()
    d = skl.Daemon(images, config=config(paths=["/out", "/etc/passwd"], limit="1g"), cloud=cloud, agents_gate=proxy.port)
    proxy.target = d.agents_port
    d.api.pull()
    cid = d.api.create(Cmd=["sh", "-c", "mkdir -p /out; head -c 20000000 /dev/zero > /out/big"])
    proxy.delay = 0.02
    d.api.start(cid)
    assert d.api.wait(cid) == 0
    wait_until(lambda: os.path.exists(os.path.join(d.state, "staging", cid, "exit.json")), "the capture to begin")
    d.kill9()
    proxy.delay = 0
    d.start()
    assert content(d.api, cid, "/out/big") == bytes(20_000_000) and content(d.api, cid, "/etc/passwd")
    d.api.remove(cid)
    d.close()
    proxy.close()


def test_a_capture_whose_agent_never_comes_back(images, cloud):
    proxy = Proxy()
    d = skl.Daemon(images, config=config(paths=["/out"], limit="1g"), cloud=cloud, agents_gate=proxy.port)
    proxy.target = d.agents_port
    d.api.pull()
    cid = d.api.create(Cmd=["sh", "-c", "mkdir -p /out; head -c 100000000 /dev/zero > /out/big"])
    proxy.delay = 0.05
    d.api.start(cid)
    d.api.wait(cid)
    d.kill9()
    proxy.close()
    d.start()
    a = get(d.api, cid, "/out/big")
    assert a.status == 404 and "/out was to be kept when the container ended, but the agent of container" in a.message
    d.api.remove(cid)
    d.close()


def test_strict_semantics_keep_nothing(images):
    d = skl.Daemon(images, config={**config(paths=["/out"]), "drivers": {"cloud-run-functions": {"semantics": "strict"}}})
    d.api.pull()
    cid = ended(d.api, "mkdir -p /out; echo > /out/x")
    a = get(d.api, cid, "/out/x")
    assert a.status == 404 and "its files went with the function" in a.message
    assert not os.path.exists(os.path.join(d.state, "staging", cid))
    d.api.remove(cid)
    d.close()


def test_bad_configuration(images, tmp_path):
    for agent, text in (({"capture-limit": "many"}, '"agent.capture-limit": "many" is not a size'), ({"capture-paths": "x"}, '"agent.capture-paths": must be an array of strings')):
        (tmp_path / "c.json").write_text(json.dumps({"agent": agent}))
        done = subprocess.run([skl.program("sockerlessd"), "--config", str(tmp_path / "c.json"), "--validate"], capture_output=True, text=True)
        assert done.returncode != 0 and text in done.stderr + done.stdout
