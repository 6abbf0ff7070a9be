"""Cases that other daemons had with what happens inside a container: execs, attach, stdin, files. tests/cases/link.tsv says which; what
other files test already stands there, too.

SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess
import tarfile
import time
import urllib.parse

import pytest

import skl
from dockerapi import demux, wait_until
from test_archive import get, put, sh, stat_of, tar_of
from simgoogle import SERVE, Google
from test_link import Proxy


@pytest.fixture
def box(api):
    made = []

    def make(*cmd, start=True, **config):
        cid = api.create(Cmd=list(cmd), **config)
        made.append(cid)
        if start:
            api.start(cid)
        return cid

    yield make
    for cid in made:
        api.remove(cid)


def exec_create(api, cid, *cmd, **config):
    return api.post(f"/containers/{cid}/exec", {"Cmd": list(cmd), "AttachStdout": True, "AttachStderr": True, **config})


def run_exec(api, cid, *cmd, **config):
    """(stdout, stderr, code)"""
    eid = exec_create(api, cid, *cmd, **config).json["Id"]
    out = demux(api.hijack("POST", f"/exec/{eid}/start", {}).frames())
    return out[1], out[2], api.get(f"/exec/{eid}/json").json["ExitCode"]


def invocations(daemon, cid):
    return [r for r in daemon.requests() if r["rpc"] == "Invoke" and cid[:12] in r["path"]]


# ---- running for real ----
def test_u02_nothing_is_made_up_without_an_agent(images):
    """Exec: one line and 126; files, processes, changes: an error with the reason, and no empty answer."""
    d = skl.Daemon(images, config={"drivers": {"null": {"run-time": "60s"}}})
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sleep", "1000"], HostConfig={"Runtime": "null"})
        d.api.start(cid)
        out, err, code = run_exec(d.api, cid, "echo", "hello")
        assert (out, code) == (b"", 126) and err.count(b"\n") == 1 and b"agent" in err
        for path in ("changes", "export", "top", "archive?path=/etc"):
            a = d.api.get(f"/containers/{cid}/{path}")
            assert a.status >= 400 and a.message, path
        d.api.remove(cid)
    finally:
        d.close()


def test_u05_the_command_runs_once_for_a_start(daemon, api, box):
    cid = box("sh", "-c", "echo x >> /tmp/count; wc -l < /tmp/count")
    assert api.wait(cid) == 0
    assert demux_logs(api, cid) == b"1\n"
    wait_until(lambda: invocations(daemon, cid), "the invocation to be written down")  # at its end
    assert len(invocations(daemon, cid)) == 1


def demux_logs(api, cid):
    raw, out = api.get(f"/containers/{cid}/logs?stdout=1").body, b""
    while raw:
        n = int.from_bytes(raw[4:8], "big")
        out, raw = out + raw[8:8 + n], raw[8 + n:]
    return out


def test_u07_u08_u09_u12_execs_share_the_one_live_instance(daemon, api, box):
    """In the millisecond after the start; three of them, and twelve; the container stays, and so does what they leave behind."""
    cid = box("tail", "-f", "/dev/null")
    assert run_exec(api, cid, "touch", "/tmp/a") == (b"", b"", 0)
    assert run_exec(api, cid, "ls", "/tmp/a") == (b"/tmp/a\n", b"", 0)
    for i in range(12):
        assert run_exec(api, cid, "sh", "-c", f"exit {i}") == (b"", b"", i)
    assert api.inspect(cid)["State"]["Running"]
    api.post(f"/containers/{cid}/kill")
    wait_until(lambda: invocations(daemon, cid), "the invocation to be written down")  # at its end
    assert len(invocations(daemon, cid)) == 1


def test_u11_a_callback_url_that_leads_nowhere(images, cloud):
    """The start fails in time and says where the agent should have come; nothing runs, and the function goes with the container."""
    port = skl.free_port()
    d = skl.Daemon(images, cloud=cloud, agents_gate=port, args=["--agent-connect-timeout", "3s"])
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sleep", "1000"])
        a = d.api.post(f"/containers/{cid}/start")
        assert a.status >= 500 and f"http://host.sockerless.internal:{port}" in a.message and "the agent can't reach its daemon" in a.message, a
        state = d.api.inspect(cid)["State"]
        assert not state["Running"] and state["Status"] == "created" and state["Error"] == a.message
        assert d.api.post(f"/containers/{cid}/exec", {"Cmd": ["true"]}).status == 409
        assert d.api.remove(cid).status == 204
        wait_until(lambda: not cloud.names(), "the function to go")
    finally:
        d.close()


# ---- attach and stdin ----
def test_u16_open_stdin_that_nobody_attaches_to(api, box):
    cid = box("sh", "-c", "cat > /tmp/in; exit 3", OpenStdin=True)
    assert run_exec(api, cid, "true") == (b"", b"", 0)
    assert api.inspect(cid)["State"]["Running"]
    assert api.post(f"/containers/{cid}/stop?t=1").status == 204


def test_u17_attach_changes_nothing(api, box):
    """No byte of a client that sends none; its end is no end of a stdin that is not StdinOnce."""
    cid = box("sh", "-c", "read line; echo got $line; sleep 1000", OpenStdin=True, AttachStdin=True)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    c.shut()
    c.close()
    assert api.inspect(cid)["State"]["Running"] and api.inspect(cid)["Config"]["Cmd"][2].startswith("read line")
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    c.send(b"word\n")
    assert c.frame() == (1, b"got word\n")
    assert demux_logs(api, cid) == b"got word\n"
    c.close()


def test_u19_start_of_a_running_container_and_its_new_client(api, box):
    cid = box("cat", OpenStdin=True)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    assert api.post(f"/containers/{cid}/start").status == 304
    c.send(b"still read\n")
    assert c.frame() == (1, b"still read\n")
    c.close()


# ---- execs ----
def test_u24_an_agent_that_is_gone_is_an_answer_before_the_upgrade(images):
    proxy = Proxy()
    d = skl.Daemon(images, args=[*proxy.args(), "--agent-connect-timeout", "2s"])
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sleep", "1000"])
        d.api.start(cid)
        eid = exec_create(d.api, cid, "true").json["Id"]
        proxy.refuse = True
        proxy.break_all()
        a = d.api.post(f"/exec/{eid}/start", {}, headers={"Connection": "Upgrade", "Upgrade": "tcp"})
        assert a.status >= 500 and a["content-type"] == "application/json" and "did not connect" in a.message
        assert not d.api.get(f"/exec/{eid}/json").json["Running"]
        proxy.refuse = False
        d.api.remove(cid)
    finally:
        d.close()
        proxy.close()


def test_u27_resize_of_an_exec(api, box):
    cid = box("sleep", "1000")
    eid = exec_create(api, cid, "sh", "-c", "stty size; read x; stty size", AttachStdin=True, Tty=True, ConsoleSize=[11, 22]).json["Id"]
    c = api.hijack("POST", f"/exec/{eid}/start", {"Tty": True})
    seen = b""
    while b"\n" not in seen:
        seen += c.recv()
    assert seen == b"11 22\r\n"
    for bad in ("", "?h=x&w=1", "?w=1", "?h=-1&w=2"):
        assert api.post(f"/exec/{eid}/resize{bad}").status == 400
    assert api.post(f"/exec/{eid}/resize?h=40&w=120").status == 200
    c.send(b"\n")
    assert b"40 120\r\n" in c.rest()


def test_u28_an_exec_of_a_container_that_is_gone(api, box):
    cid = box("sleep", "1000")
    eid = exec_create(api, cid, "touch", "/tmp/never").json["Id"]
    api.remove(cid)
    assert api.post(f"/exec/{eid}/start", {}, check=False).status in (404, 409)
    assert api.get(f"/exec/{eid}/json").status in (404, 200)


@pytest.mark.parametrize("tty", [False, True])
def test_u30_a_client_that_is_gone_before_the_answer(api, box, tty):
    """The exec is on record, and comes to an end with a code."""
    cid = box("sleep", "1000")
    for _ in range(10):
        eid = exec_create(api, cid, "cat", AttachStdin=True, Tty=tty).json["Id"]
        c = api.connect()
        c.send(api.request_bytes("POST", f"/exec/{eid}/start", {"Tty": tty}, {"Connection": "Upgrade", "Upgrade": "tcp"}))
        c.close()
        wait_until(lambda: api.get(f"/exec/{eid}/json").json["ExitCode"] is not None, "the end of the exec")
        assert not api.get(f"/exec/{eid}/json").json["Running"]
    assert api.inspect(cid)["State"]["Running"]


def test_u34_who_waits_longer_is_not_harmed_by_who_gave_up(images):
    """An exec that waits 1 s for the agent and files that wait 10 s: the agent is back in between."""
    proxy = Proxy()
    d = skl.Daemon(images, args=[*proxy.args(), "--agent-connect-timeout", "1s"])
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sleep", "1000"])
        d.api.start(cid)
        eid = exec_create(d.api, cid, "true").json["Id"]
        proxy.refuse = True
        proxy.break_all()
        c = d.api.connect()
        c.send(d.api.request_bytes("GET", f"/containers/{cid}/archive?path=/etc/passwd"))
        assert d.api.post(f"/exec/{eid}/start", {}).status >= 500
        proxy.refuse = False
        status, _, headers = c.head()
        assert status == 200 and b"root" in c.body("GET", status, headers)
        assert run_exec(d.api, cid, "echo", "back") == (b"back\n", b"", 0)
        d.api.remove(cid)
    finally:
        d.close()
        proxy.close()


def test_an_exec_ends_with_its_container(api, box):
    """With 137, and without a word that is not its own."""
    for _ in range(5):
        cid = box("sleep", "1000")
        eid = exec_create(api, cid, "sh", "-c", "echo here; sleep 1000").json["Id"]
        c = api.hijack("POST", f"/exec/{eid}/start", {})
        assert c.frame() == (1, b"here\n")
        assert api.post(f"/containers/{cid}/kill").status == 204
        assert c.rest() == b"" and api.get(f"/exec/{eid}/json").json["ExitCode"] == 137


def test_u35_the_code_is_the_process_s(api, box):
    cid = box("sleep", "1000")
    assert run_exec(api, cid, "sh", "-c", "echo 'No space left on device' >&2") == (b"", b"No space left on device\n", 0)
    assert run_exec(api, cid, "sh", "-c", "echo 'not found'; exit 28") == (b"not found\n", b"", 28)


def test_a_privileged_exec_is_refused_with_a_reason(daemon, api, box):
    cid = box("sleep", "1000")
    out, err, code = run_exec(api, cid, "true", Privileged=True)
    assert b"has no more privileges to give" in out + err and code == 128
    eid = exec_create(api, cid, "true", Privileged=True).json["Id"]
    a = api.post(f"/exec/{eid}/start", {"Detach": True})
    assert a.status == 400 and "has no more privileges to give" in a.message
    done = daemon.docker("exec", "--privileged", cid, "true")
    assert done.returncode != 0 and "has no more privileges to give" in done.stdout + done.stderr


def test_p08_execs_end_their_connection(api, box):
    """After the last byte, with Upgrade and without, though the client ends nothing."""
    cid = box("sleep", "1000")
    for upgrade in (True, False):
        eid = exec_create(api, cid, "true", AttachStdin=True).json["Id"]
        c = api.hijack("POST", f"/exec/{eid}/start", {}, upgrade=upgrade)
        assert (c.status, c.reason) == ((101, "UPGRADED") if upgrade else (200, "OK"))
        assert "transfer-encoding" not in c.headers and "content-length" not in c.headers
        assert c.rest() == b""


def test_p12_an_empty_stdin_two_hundred_times(api, box):
    cid = box("sleep", "1000")
    for _ in range(200):
        eid = exec_create(api, cid, "cat", AttachStdin=True).json["Id"]
        c = api.hijack("POST", f"/exec/{eid}/start", {})
        c.shut()
        assert c.rest() == b""
        assert api.get(f"/exec/{eid}/json").json["ExitCode"] == 0


@pytest.mark.parametrize("cut", [None, 0, 1, 7, -1])
def test_p15_the_body_of_a_start_is_no_input(api, box, cut):
    """In one segment with the head and the input, and in two."""
    cid = box("sleep", "1000")
    eid = exec_create(api, cid, "cat", AttachStdin=True).json["Id"]
    body = b'{"Detach": false, "Tty": false}'
    head = api.request_bytes("POST", f"/exec/{eid}/start", body, {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Type": "application/json"})
    c = api.connect()
    if cut is None:
        c.send(head + b"input\n")
    else:
        at = len(head) - len(body) + (cut if cut >= 0 else len(body) + cut)
        c.send(head[:at])
        time.sleep(0.05)  # two segments
        c.send(head[at:])
        assert c.head()[0] == 101
        c.send(b"input\n")
    c.shut()
    if cut is None:
        assert c.head()[0] == 101
    assert demux(c.frames()) == {1: b"input\n", 2: b""}


def test_p16_users(api, box):
    cid = box("sleep", "1000")
    who = ("sh", "-c", "echo $(id -u):$(id -g) $HOME")
    assert run_exec(api, cid, *who, User="1234") == (b"1234:0 /\n", b"", 0)
    assert run_exec(api, cid, *who, User="1234:5678") == (b"1234:5678 /\n", b"", 0)
    sh(api, cid, "echo 'late:x:77:88:late:/home/late:/bin/sh' >> /etc/passwd")
    assert run_exec(api, cid, *who, User="late") == (b"77:88 /home/late\n", b"", 0)
    out, err, code = run_exec(api, cid, "true", User="nosuch")  # as dockerd: told in the stream, where there is one
    assert b"unable to find user nosuch: no matching entries in passwd file" in out + err and code not in (0, None)
    eid = exec_create(api, cid, "true", User="nosuch").json["Id"]
    a = api.post(f"/exec/{eid}/start", {"Detach": True})
    assert a.status == 400 and "unable to find user nosuch" in a.message and api.get(f"/exec/{eid}/json").json["ExitCode"] == code
    main = box("sh", "-c", "id -u; id -g", start=False, User="4321:8765")
    api.start(main)
    assert api.wait(main) == 0 and demux_logs(api, main) == b"4321\n8765\n"
    bad = box("true", start=False, User="nosuch")
    a = api.post(f"/containers/{bad}/start")
    assert 400 <= a.status < 500 and "unable to find user nosuch" in a.message


def test_p17_directories_that_are_not_there(api, box):
    """For an exec an error and no process; for a container it is made."""
    cid = box("sh", "-c", "pwd; exec sleep 1000", WorkingDir="/new/dir")
    wait_until(lambda: demux_logs(api, cid) == b"/new/dir\n")
    eid = exec_create(api, cid, "touch", "/tmp/ran", WorkingDir="/no/dir").json["Id"]
    c = api.connect()
    c.send(api.request_bytes("POST", f"/exec/{eid}/start", {}, {"Connection": "Upgrade", "Upgrade": "tcp"}))
    assert b"/no/dir" in c.rest()
    assert api.get(f"/exec/{eid}/json").json["ExitCode"] in (126, 127)
    assert run_exec(api, cid, "test", "-e", "/tmp/ran")[2] == 1


def test_p19_bytes_that_are_no_text_are_the_same_everywhere(daemon, api, box):
    want, command = b"\355\253\356\333\3\0", ["sh", "-c", r"printf '\355\253\356\333\3\0'"]
    cid = box(*command, start=False)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    api.start(cid)
    assert demux(c.frames())[1] == want and demux_logs(api, cid) == want
    assert daemon.docker("run", "--rm", "busybox", *command, input=b"").stdout == want
    assert run_exec(api, box("sleep", "1000"), *command)[0] == want
    eid = exec_create(api, box("sleep", "1000"), "sh", "-c", r"stty raw; printf '\355\253\356\333\3\0'", Tty=True).json["Id"]
    assert api.hijack("POST", f"/exec/{eid}/start", {"Tty": True}).rest() == want


# ---- logs ----
def test_u65_u66_last_words_of_what_ends_at_once(images):
    """All lines before the end of the stream, once and in order, though the cloud's own log has them two seconds later."""
    d = skl.Daemon(images, cloud=(cloud := skl.Cloud(images, args=["--log-delay", "2s"])))
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11; do echo $i; done"])
        followed = d.api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1")
        d.api.start(cid)
        raw, out = followed.read(), b""
        while raw:
            n = int.from_bytes(raw[4:8], "big")
            out, raw = out + raw[8:8 + n], raw[8 + n:]
        assert out == b"".join(b"%d\n" % i for i in range(1, 12)) == demux_logs(d.api, cid)
        d.api.remove(cid)
    finally:
        d.close()
        cloud.close()


def test_u68_a_hundred_lives_leave_no_file(daemon, api):
    """The daemon's directories are as before; test_lives_leave_nothing_open looks at memory and descriptors."""
    def left():
        return {name: sorted(os.listdir(os.path.join(daemon.state, name))) for name in ("logs", "staging") if os.path.isdir(os.path.join(daemon.state, name))}
    before = left()
    for i in range(100):
        cid = api.create(Cmd=["sh", "-c", "cat /f"], HostConfig={"AutoRemove": i % 2 == 0})
        assert put(api, cid, "/", tar_of(("f", b"content"))).status == 200
        api.start(cid)
        if i % 2 == 0:
            wait_until(lambda: api.get(f"/containers/{cid}/json").status == 404, "the removal")
        else:
            api.wait(cid)
            api.remove(cid)
    wait_until(lambda: left() == before, "logs and staged files to go")


# ---- files ----
def test_u70_links_in_a_tar_lead_nowhere_outside(daemon, api, box):
    """l -> / and then l/x: inside the container at most, as its own root is; the host is untouched."""
    cid = box("sleep", "1000")
    sh(api, cid, "mkdir /tmp/d")
    name = "skl-" + os.urandom(4).hex()
    for link in ("/", "../../../../../../..", f"{daemon.dir}"):
        put(api, cid, "/tmp/d", tar_of(("l", {"type": tarfile.SYMTYPE, "linkname": link}), (f"l/{name}", b"x")))
        sh(api, cid, "rm -rf /tmp/d/l")
    put(api, cid, "/tmp/d", tar_of(("/etc/" + name, b"x")))
    assert not any(os.path.exists(os.path.join(top, name)) for top in ("/", "/tmp", "/etc", daemon.dir))
    assert sh(api, cid, f"test -f /tmp/d/etc/{name} && test ! -e /etc/{name} && echo inside") == "inside\n"


def test_u73_files_of_an_image_without_any_tool(images, tmp_path):
    """No shell, no tar, no /etc."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "busybox").write_bytes(open("/bin/busybox", "rb").read())
    (root / "busybox").chmod(0o755)
    subprocess.run(["tar", "-C", str(root), "-cf", str(tmp_path / "only.tar"), "."], check=True)
    store = skl.make_images(str(tmp_path / "store"))
    skl.import_image(store, "only", str(tmp_path / "only.tar"), "--cmd", "/busybox", "--cmd", "sleep", "--cmd", "1000")
    d = skl.Daemon(store)
    try:
        d.api.pull("only:latest")
        cid = d.api.create(image="only")
        d.api.start(cid)
        assert put(d.api, cid, "/", tar_of(("dir/file", b"content"))).status == 200
        assert get(d.api, cid, "/dir/file").extractfile("file").read() == b"content" and stat_of(d.api, cid, "/dir/file")["size"] == 7
        a = get(d.api, cid, "/etc/passwd")
        assert a.status == 404 and a.message == f"Could not find the file /etc/passwd in container {cid}" and stat_of(d.api, cid, "/etc/passwd") == 404
        assert d.docker("top", cid).returncode == 0 and d.docker("export", "-o", str(tmp_path / "x.tar"), cid).returncode == 0
        d.api.remove(cid)
    finally:
        d.close()


@pytest.mark.parametrize("src,dest,made,error", [
    ("file", "/tmp/w/dir", "/tmp/w/dir/file", None), ("file", "/tmp/w/dir/", "/tmp/w/dir/file", None), ("file", "/tmp/w/dir/new", "/tmp/w/dir/new", None),
    ("file", "/tmp/w/none/new", None, "Could not find the file /tmp/w/none"), ("file", "/tmp/w/none/", None, "no such directory"),
    ("file", "/tmp/w/nowhere", None, "Could not find the file"), ("file", "/tmp/w/link", "/tmp/w/dir/file", None), ("file", "/tmp/w/link/", "/tmp/w/dir/file", None),
    ("file", "/tmp/w/old", "/tmp/w/old", None), ("file", "/tmp/w/old/", None, "no such directory"), ("tree", "/tmp/w/dir", "/tmp/w/dir/tree/leaf", None),
    ("tree", "/tmp/w/new", "/tmp/w/new/leaf", None), ("tree/.", "/tmp/w/dir", "/tmp/w/dir/leaf", None), ("tree", "/tmp/w/old", None, "cannot copy directory"),
])
def test_p29_where_a_copy_goes(daemon, api, box, tmp_path, src, dest, made, error):
    cid = box("sleep", "1000")
    sh(api, cid, "mkdir -p /tmp/w/dir; echo old > /tmp/w/old; ln -s dir /tmp/w/link; ln -s /tmp/no/where/x /tmp/w/nowhere")
    (tmp_path / "file").write_text("content\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "leaf").write_text("content\n")
    done = daemon.docker("cp", f"{tmp_path}/{src}", f"{cid}:{dest}")
    if error:
        assert done.returncode == 1 and error in done.stderr, done.stderr
        assert sh(api, cid, "cat /tmp/w/old; ls -d /tmp/w/none /tmp/no 2>/dev/null") == "old\n"  # and no parent was made
    else:
        assert done.returncode == 0, done.stderr
        assert sh(api, cid, f"cat {made}") == "content\n"


def test_p29_contents_out(daemon, api, box, tmp_path):
    cid = box("sleep", "1000")
    sh(api, cid, "mkdir -p /tmp/w/dir/sub; echo x > /tmp/w/dir/sub/f; ln -s dir /tmp/w/link")
    (tmp_path / "there").mkdir()
    daemon.docker("cp", f"{cid}:/tmp/w/dir/.", str(tmp_path / "there"), check=True)
    assert (tmp_path / "there" / "sub" / "f").read_text() == "x\n"
    daemon.docker("cp", f"{cid}:/tmp/w/link", str(tmp_path), check=True)
    assert os.readlink(tmp_path / "link") == "dir"  # not followed
    daemon.docker("cp", "-L", f"{cid}:/tmp/w/link", str(tmp_path / "followed"), check=True)
    assert (tmp_path / "followed" / "sub" / "f").read_text() == "x\n"


def owner(api, cid):
    return run_exec(api, cid, "stat", "-c", "%u:%g", "/tmp/f", User="0")[0]


def test_p30_whose_files_they_become(api, box):
    cid = box("sleep", "1000", User="4321:8765")
    data = tar_of(("f", {"uid": 1234, "gid": 5678, "size": 0}))
    assert put(api, cid, "/tmp", data).status == 200 and owner(api, cid) == b"1234:5678\n"
    assert put(api, cid, "/tmp", data, copyUIDGID="true").status == 200 and owner(api, cid) == b"4321:8765\n"


def test_p32_the_same_header_on_head_and_get(api, box):
    cid = box("sleep", "1000")
    sh(api, cid, "mkdir -m 1775 /tmp/d; touch /tmp/f; chmod 4711 /tmp/f; ln -s /tmp/f /tmp/l")
    for path, mode, target in (("/tmp/d", 1 << 31 | 1 << 20 | 0o775, ""), ("/tmp/f", 1 << 23 | 0o711, ""), ("/tmp/l", 1 << 27 | 0o777, "/tmp/f")):
        head = stat_of(api, cid, path)
        assert (head["name"], head["mode"], head["linkTarget"]) == (path[5:], mode, target)
        a = api.get(f"/containers/{cid}/archive?path=" + urllib.parse.quote(path))
        assert a["x-docker-container-path-stat"] == api.head(f"/containers/{cid}/archive?path=" + urllib.parse.quote(path))["x-docker-container-path-stat"]


def test_u04_u06_a_server_that_comes_late_and_never_ends(images):
    """The simulator's cold start: the one request waits for the port, is passed on once, and the instance serves the next one."""
    g = Google(images)
    try:
        body = {"template": {"containers": [{"image": "busybox", "command": ["sh", "-c", "sleep 2; " + SERVE[2]], "resources": {"limits": {"cpu": "1"}}}]}}
        uri = g.done(g.ok("POST", f"{g.services}?serviceId=late", body))["response"]["uri"]
        for text in ("one", "three"):
            a = g.call("POST", uri + "/asked", text)
            assert a.status == 200 and a.body.decode().startswith("POST /asked HTTP/1.1") and a.body.decode().endswith(f"\n{len(text)}")
        g.done(g.ok("DELETE", f"{g.services}/late"))
    finally:
        g.close()
