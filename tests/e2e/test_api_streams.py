"""attach, exec and logs on the wire: reference 2.3, 2.6, 2.8.8; cases U-14 to U-31, U-63, P-6 to P-24, P-59.

SPDX-License-Identifier: Apache-2.0
"""
import re
import time

import pytest

from dockerapi import Api, demux, wait_until

RAW = "application/vnd.docker.raw-stream"
MUX = "application/vnd.docker.multiplexed-stream"


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


@pytest.fixture
def sleeper(box):
    return box("sleep", "1000")


def exec_create(api, cid, *cmd, ok=True, **body):
    a = api.post(f"/containers/{cid}/exec", {"Cmd": list(cmd), "AttachStdout": True, "AttachStderr": True, **body})
    if ok:
        assert a.status == 201, a
        return a.json["Id"]
    return a


def exec_inspect(api, eid):
    return api.get(f"/exec/{eid}/json").json


# ---- the head ----
def test_output_waits_for_a_client_that_is_slow_to_read_the_head(api, sleeper):
    """2.3.15: docker-py loses what comes in one piece with the head, and on a busy machine it comes late to read it."""
    for _ in range(20):
        eid = exec_create(api, sleeper, "echo", "output")
        with api.connect() as c:
            began = time.monotonic()
            c.send(api.request_bytes("POST", f"/exec/{eid}/start", {"Detach": False, "Tty": False}, {"Connection": "Upgrade", "Upgrade": "tcp"}))
            wait_until(lambda: exec_inspect(api, eid)["ExitCode"] == 0, "the command's end")
            first = c.sock.recv(1 << 16)
            if time.monotonic() - began > 0.2:
                continue  # longer than the daemon waits for anybody
            assert first.endswith(b"\r\n\r\n") and c.frames() == [(1, b"output\n")]
            return
    raise AssertionError("this machine is too slow to tell")


@pytest.mark.parametrize("version,upgrade,tty,ctype", [
    ("1.44", True, False, MUX), ("1.42", True, False, MUX), ("1.41", True, False, RAW), ("1.44", False, False, RAW),
    ("1.44", True, True, RAW), ("1.24", True, False, RAW),
])
def test_content_types(api, box, version, upgrade, tty, ctype):
    cid = box("sleep", "1000", Tty=tty)
    old = Api(api.host, version)
    eid = exec_create(api, cid, "true", Tty=tty)
    for path, body in ((f"/containers/{cid}/attach?stream=1&stdout=1", None),
                       (f"/exec/{eid}/start", {"Detach": False, "Tty": tty})):
        c = old.hijack("POST", path, body, upgrade=upgrade)
        assert c.headers["content-type"] == ctype, path
        assert "content-length" not in c.headers and "transfer-encoding" not in c.headers
        if upgrade:
            assert c.reason == "UPGRADED" and c.headers["upgrade"] == "tcp" and c.headers["connection"] == "Upgrade"
        c.close()


@pytest.mark.parametrize("headers", [{"Connection": "Upgrade", "Upgrade": "tcp"},
                                     {"Connection": "keep-alive, upgrade", "Upgrade": "tcp"}])
def test_upgrade_spellings(api, sleeper, headers):
    api.hijack("POST", f"/containers/{sleeper}/attach?stream=1", headers=headers).close()


def test_errors_come_before_the_upgrade_with_a_length(api, box):
    """U-24, U-25, P-14; 2.3.2: the connection stays usable."""
    cid = box("true", start=False)
    head = {"Connection": "Upgrade", "Upgrade": "tcp"}
    with api.connect() as c:
        for path, body, status in (
                ("/containers/nosuch/attach?stream=1&stdout=1", None, 404),
                (f"/containers/{cid}/attach?stream=1&stdin=1&detachKeys=ctrl-xx", None, 400),
                ("/exec/nosuch/start", b"{}", 404), ("/exec/nosuch/start", b'{"Detach":', 400)):
            a = api.post(path, body, headers={**head, "Content-Type": "application/json"}, conn=c)
            assert a.status == status and "content-length" in a.headers and a.message, path
        assert api.get("/_ping", conn=c).body == b"OK"


# ---- attach ----
def test_attach_before_start_loses_nothing(api, box):
    for _ in range(10):
        cid = box("sh", "-c", "echo out; echo err >&2; exit 7", start=False)
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1&stderr=1")
        api.start(cid)
        assert demux(c.frames()) == {1: b"out\n", 2: b"err\n"}
        s = api.inspect(cid)["State"]
        assert not s["Running"] and s["ExitCode"] == 7  # 2.3.14: at the end of the stream
        assert api.post(f"/containers/{cid}/stop").status == 304


def test_attach_stdin_half_close(api, box):
    """U-14: what a CI runner does."""
    cid = box("sh", OpenStdin=True, StdinOnce=True, AttachStdin=True, start=False)
    for code in (3, 0, 5):
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1&stderr=1")
        api.start(cid)
        c.send(f"echo hi; exit {code}\n".encode())
        c.shut()
        assert demux(c.frames())[1] == b"hi\n"
        assert api.wait(cid) == code
        assert api.post(f"/containers/{cid}/stop").status == 304


def test_stdin_behind_the_head_is_stdin(api, box):
    """reference 7: bytes in the same segment as the head."""
    cid = box("cat", OpenStdin=True, StdinOnce=True)
    c = api.connect()
    c.send(api.request_bytes("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1",
                             headers={"Connection": "Upgrade", "Upgrade": "tcp"}) + b"early\n")
    c.shut()
    assert c.head()[0] == 101
    assert demux(c.frames())[1] == b"early\n"


def test_attach_logs_then_live(api, box):
    cid = box("sh", "-c", "echo one; read x; echo two", OpenStdin=True)
    wait_until(lambda: b"one" in api.get(f"/containers/{cid}/logs?stdout=1").body)
    c = api.hijack("POST", f"/containers/{cid}/attach?logs=1&stream=1&stdout=1&stdin=1")
    assert c.frame() == (1, b"one\n")
    c.send(b"\n")
    assert c.frame() == (1, b"two\n") and c.frame() is None
    c = api.hijack("POST", f"/containers/{cid}/attach?logs=1&stdout=1")
    assert demux(c.frames())[1] == b"one\ntwo\n"


def test_attach_after_exit_replays_and_ends(api, box):
    """P-6"""
    cid = box("echo", "asd")
    api.wait(cid)
    start = time.monotonic()
    c = api.hijack("POST", f"/containers/{cid}/attach?logs=1&stream=0&stdout=1")
    assert demux(c.frames())[1] == b"asd\n" and time.monotonic() - start < 10


def test_only_the_streams_asked_for(api, box):
    cid = box("sh", "-c", "echo out; echo err >&2")
    api.wait(cid)
    for query, want in (("stdout=1", {1: b"out\n", 2: b""}), ("stderr=1", {1: b"", 2: b"err\n"})):
        assert demux(api.hijack("POST", f"/containers/{cid}/attach?logs=1&{query}").frames()) == want


def test_attach_without_open_stdin_ignores_input(api, box):
    cid = box("sh", "-c", "sleep 0.2; echo done", start=False)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    api.start(cid)
    c.send(b"ignored\n")
    assert demux(c.frames())[1] == b"done\n"


def test_tty_is_raw(api, box):
    """P-21"""
    cid = box("sh", "-c", "echo a; echo b >&2; stty size", Tty=True, HostConfig={"ConsoleSize": [40, 120]}, start=False)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1&stderr=1")
    api.start(cid)
    assert c.rest() == b"a\r\nb\r\n40 120\r\n"
    a = api.get(f"/containers/{cid}/logs?stdout=1")
    assert a.body == b"a\r\nb\r\n40 120\r\n" and a["content-type"] == RAW


def test_detach_keys(api, box):
    cid = box("cat", Tty=True, OpenStdin=True)
    for query, keys in (("", b"\x10\x11"), ("&detachKeys=ctrl-a,x", b"\x01x")):
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1{query}")
        c.send(keys)
        c.rest()
        assert api.inspect(cid)["State"]["Running"]


def test_detach_keys_of_an_exec(api, box):
    """Default and custom, also when they come apart, amid other input and after a false start; the exec goes on."""
    cid = box("sleep", "1000")
    for custom, pieces, before in ((None, [b"\x10\x11"], b""), ("ctrl-a,x", [b"ab", b"\x01", b"x"], b"ab"), ("ctrl-p", [b"q\x10"], b"q"), (None, [b"\x10", b"z", b"\x10\x11"], b"\x10z")):
        body = {"Cmd": ["sh", "-c", "stty raw -echo; echo ready; cat > /tmp/got; echo end >> /tmp/got"], "AttachStdin": True, "AttachStdout": True, "Tty": True}
        if custom:
            body["DetachKeys"] = custom
        eid = api.post(f"/containers/{cid}/exec", body).json["Id"]
        c = api.hijack("POST", f"/exec/{eid}/start", {"Tty": True})
        seen = b""
        while b"ready" not in seen:
            seen += c.recv()
        for piece in pieces:
            c.send(piece)
        c.rest()
        assert api.get(f"/exec/{eid}/json").json["Running"]
        wait_until(lambda: output_of(api, cid, "cat /tmp/got") == before, f"{before!r}, and no more")
    assert api.post(f"/containers/{cid}/exec", {"Cmd": ["sh"], "DetachKeys": "ctrl-xx"}).status == 400


def output_of(api, cid, script):
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", script], "AttachStdout": True}).json["Id"]
    return demux(api.hijack("POST", f"/exec/{eid}/start", {}).frames())[1]


def test_detach_keys_need_a_terminal(api, box):
    cid = box("cat", OpenStdin=True, StdinOnce=True, start=False)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    api.start(cid)
    c.send(b"\x10\x11")
    c.shut()
    assert demux(c.frames())[1] == b"\x10\x11"


def test_slow_reader_delays_nobody(api, box):
    cid = box("sh", "-c", "yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 20000000; echo end >&2", start=False)
    slow = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    fast = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1&stderr=1")
    api.start(cid)
    got = demux(fast.frames())
    assert len(got[1]) == 20000000 and got[2] == b"end\n"
    assert sum(len(d) for _, d in slow.frames()) == 20000000


def test_resize(api, box):
    cid = box("sh", "-c", "read x; stty size", Tty=True, OpenStdin=True, start=False)
    assert api.post(f"/containers/{cid}/resize?h=1&w=1").status == 409
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    api.start(cid)
    for bad in ("", "?h=x&w=1", "?h=1"):
        assert api.post(f"/containers/{cid}/resize{bad}").status == 400
    assert api.post(f"/containers/{cid}/resize?h=40&w=120").status == 200
    c.send(b"\n")
    assert b"40 120" in c.rest()


@pytest.mark.parametrize("upgrade", [True, False])
def test_attach_with_a_body(api, box, upgrade):
    """dockerode repeats the query as a JSON body: that is no input."""
    cid = box("cat", OpenStdin=True, StdinOnce=True, start=False)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1", {"stream": True, "stdin": True}, upgrade=upgrade)
    api.start(cid)
    c.send(b"hello\n")
    c.shut()
    assert demux(c.frames())[1] == b"hello\n"


def test_a_terminal_outlives_its_clients(api, box):
    """`docker run -it` has StdinOnce, and is detached from and attached to again."""
    cid = box("sh", OpenStdin=True, StdinOnce=True, Tty=True)
    for end in (b"\x10\x11", None, b"exit 4\n"):
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
        c.send(b"echo a$((1+1))b\n")
        c.until(b"a2b")
        if end is None:
            c.close()  # a lost connection
        else:
            c.send(end)
            c.rest()
    assert api.wait(cid) == 4


def test_attach_ws(api, box):
    cid = box("sh", "-c", "read x; echo got $x", OpenStdin=True, start=False)
    c = api.hijack("GET", f"/containers/{cid}/attach/ws?stream=1&stdin=1&stdout=1", headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert c.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    api.start(cid)
    text = b"hello\n"
    c.send(bytes([0x82, 0x80 | len(text), 0, 0, 0, 0]) + text)
    kind, n = c.exact(2)
    assert kind == 0x82 and c.exact(n) == b"got hello\n"
    assert c.exact(1) == b"\x88"


# ---- exec ----
@pytest.mark.parametrize("upgrade", [True, False])
def test_exec(api, sleeper, upgrade):
    """P-8, U-23, 2.3.13: closed by us after the last byte; the record is final by then."""
    for _ in range(5):
        eid = exec_create(api, sleeper, "sh", "-c", "echo out; echo err >&2; exit 5")
        i = exec_inspect(api, eid)
        assert (i["Running"], i["ExitCode"], i["ContainerID"]) == (False, None, sleeper)
        c = api.hijack("POST", f"/exec/{eid}/start", {}, upgrade=upgrade)
        assert demux(c.frames()) == {1: b"out\n", 2: b"err\n"}
        i = exec_inspect(api, eid)
        assert (i["Running"], i["ExitCode"]) == (False, 5)


def test_exec_inspect_echoes(api, sleeper):
    eid = exec_create(api, sleeper, "sh", "-c", "true", Tty=True, User="0", Env=["A=1"], AttachStdin=True, DetachKeys="ctrl-a")
    i = exec_inspect(api, eid)
    assert i["ProcessConfig"]["entrypoint"] == "sh" and i["ProcessConfig"]["arguments"] == ["-c", "true"]
    assert i["ProcessConfig"]["tty"] and i["ProcessConfig"]["user"] == "0" and i["OpenStdin"] and i["OpenStdout"]
    assert api.inspect(sleeper)["ExecIDs"] == [eid]


def test_exec_argv_is_untouched(api, sleeper):
    eid = exec_create(api, sleeper, "printf", "%s|", "a b", "", "c'd", '"$HOME"')
    assert demux(api.hijack("POST", f"/exec/{eid}/start", {}).frames())[1] == b"a b||c'd|\"$HOME\"|"


@pytest.mark.parametrize("data", [b"hi", b"", b"x" * 300000])
def test_exec_stdin(api, sleeper, data):
    """U-20, P-10, P-12, P-15: the body is consumed by its length, later bytes are stdin, half-close is EOF."""
    eid = exec_create(api, sleeper, "cat", AttachStdin=True)
    c = api.connect()
    c.send(api.request_bytes("POST", f"/exec/{eid}/start", {"Detach": False}, {"Connection": "Upgrade", "Upgrade": "tcp"})
           + data[:10])
    assert c.head()[0] == 101
    c.send(data[10:])
    c.shut()
    assert demux(c.frames())[1] == data
    assert exec_inspect(api, eid)["ExitCode"] == 0


def test_exec_without_stdin_does_not_wait(api, sleeper):
    """U-21"""
    eid = exec_create(api, sleeper, "cat")
    assert api.hijack("POST", f"/exec/{eid}/start", {}).frames() == []


def test_exec_never_ended_request(api, sleeper):
    """testcontainers-node: stdin attached, no upgrade, the client never half-closes."""
    eid = exec_create(api, sleeper, "echo", "x", AttachStdin=True)
    assert api.hijack("POST", f"/exec/{eid}/start", {}, upgrade=False).frames() == [(1, b"x\n")]


def test_exec_tty_of_the_start_body_frames(api, sleeper):
    """2.3.3: create tty=true, start tty=false: framed, with CR LF."""
    eid = exec_create(api, sleeper, "echo", "x", Tty=True)
    assert demux(api.hijack("POST", f"/exec/{eid}/start", {"Tty": False}).frames())[1] == b"x\r\n"
    eid = exec_create(api, sleeper, "echo", "x", Tty=True)
    assert api.hijack("POST", f"/exec/{eid}/start", {"Tty": True}).rest() == b"x\r\n"


def test_exec_detached(api, sleeper):
    """U-22, P-14"""
    eid = exec_create(api, sleeper, "sh", "-c", "sleep 0.3; touch /tmp/d")
    a = api.post(f"/exec/{eid}/start", {"Detach": True}, headers={"Connection": "Upgrade", "Upgrade": "tcp"})
    assert a.status == 200 and a.body == b"" and a["content-length"] == "0"
    assert exec_inspect(api, eid)["Running"]
    wait_until(lambda: not exec_inspect(api, eid)["Running"])
    assert exec_inspect(api, eid)["ExitCode"] == 0
    eid = exec_create(api, sleeper, "test", "-e", "/tmp/d")
    api.hijack("POST", f"/exec/{eid}/start", {}).frames()
    assert exec_inspect(api, eid)["ExitCode"] == 0


def test_exec_refusals(api, box, sleeper):
    """U-28, U-29, 2.3.18"""
    created = box("true", start=False)
    a = exec_create(api, created, "true", ok=False)
    assert a.status == 409 and a.message == f"container {created} is not running"
    assert exec_create(api, "nosuch", "true", ok=False).status == 404
    assert api.post(f"/containers/{sleeper}/exec", {"Cmd": []}).status == 400
    assert api.post(f"/containers/{sleeper}/exec", {"Cmd": ["x"], "DetachKeys": "ctrl-xx"}).status == 400
    a = api.get("/exec/nosuch/json")
    assert a.status == 404 and a.message == "No such exec instance: nosuch"
    eid = exec_create(api, sleeper, "true")
    api.hijack("POST", f"/exec/{eid}/start", {}).frames()
    assert api.post(f"/exec/{eid}/start", {}, check=False).status == 409
    assert api.post(f"/exec/{eid}/resize?h=1&w=1", check=False).status == 409
    eid = exec_create(api, sleeper, "true")
    api.post(f"/containers/{sleeper}/kill")
    api.wait(sleeper)
    assert api.post(f"/exec/{eid}/start", {}, check=False).status in (404, 409)


def test_exec_unknown_command(api, sleeper):
    eid = exec_create(api, sleeper, "nosuchcmd")
    out = api.hijack("POST", f"/exec/{eid}/start", {}).rest()
    assert b"nosuchcmd" in out and exec_inspect(api, eid)["ExitCode"] == 127


def test_exec_environment(api, box):
    cid = box("sleep", "1000", Env=["A=1", "B=2"], WorkingDir="/tmp")
    eid = exec_create(api, cid, "sh", "-c", "echo $A$B$C; pwd", Env=["B=3", "C=4"])
    assert demux(api.hijack("POST", f"/exec/{eid}/start", {}).frames())[1] == b"134\n/tmp\n"
    eid = exec_create(api, cid, "pwd", WorkingDir="/bin")
    assert demux(api.hijack("POST", f"/exec/{eid}/start", {}).frames())[1] == b"/bin\n"


def test_exec_exit_never_overtakes_output(api, sleeper):
    """U-33"""
    for _ in range(10):
        eid = exec_create(api, sleeper, "sh", "-c", "head -c 3000000 /dev/zero; exit 5")
        assert sum(len(d) for _, d in api.hijack("POST", f"/exec/{eid}/start", {}).frames()) == 3000000
        assert exec_inspect(api, eid)["ExitCode"] == 5


def test_exec_survives_its_client(api, sleeper):
    """2.13.6"""
    eid = exec_create(api, sleeper, "sh", "-c", "sleep 0.3; touch /tmp/alive")
    api.hijack("POST", f"/exec/{eid}/start", {}).close()
    wait_until(lambda: exec_inspect(api, eid)["ExitCode"] is not None)
    assert exec_inspect(api, eid)["ExitCode"] == 0


# ---- logs ----
def logs(api, cid, query):
    a = api.get(f"/containers/{cid}/logs?{query}")
    assert a.status == 200 and a["transfer-encoding"] == "chunked", a
    out, body = [], a.body
    while body:
        n = int.from_bytes(body[4:8], "big")
        out.append((body[0], body[8:8 + n]))
        body = body[8 + n:]
    return out


def test_logs_streams(api, box):
    cid = box("sh", "-c", "echo o1; echo e1 >&2; echo o2; printf last")
    api.wait(cid)
    assert demux(logs(api, cid, "stdout=1&stderr=1")) == {1: b"o1\no2\nlast", 2: b"e1\n"}
    assert demux(logs(api, cid, "stdout=1")) == {1: b"o1\no2\nlast", 2: b""}
    assert demux(logs(api, cid, "stderr=1")) == {1: b"", 2: b"e1\n"}
    a = api.get(f"/containers/{cid}/logs")
    assert a.status == 400 and a.message == "Bad parameters: you must choose at least one stream"
    assert api.get("/containers/nosuch/logs?stdout=1").status == 404
    assert api.get(f"/containers/{cid}/logs?stdout=1")["content-type"] == MUX
    assert Api(api.host, "1.41").get(f"/containers/{cid}/logs?stdout=1")["content-type"] == RAW


def test_logs_tail(api, box):
    cid = box("seq", "1", "10")
    api.wait(cid)
    everything = b"".join(b"%d\n" % i for i in range(1, 11))
    for tail, want in (("", everything), ("all", everything), ("-1", everything), ("x", everything), ("0", b""),
                       ("3", b"8\n9\n10\n"), ("100", everything)):
        assert demux(logs(api, cid, f"stdout=1&tail={tail}"))[1] == want, tail


def test_logs_times(api, box):
    cid = box("sh", "-c", "echo a; sleep 1.2; echo b")
    api.wait(cid)
    lines = demux(logs(api, cid, "stdout=1&timestamps=1"))[1].decode().splitlines()
    for line, text in zip(lines, "ab"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z " + text, line), line
    middle = api.get("/info").headers and lines[0].split(" ")[0]
    import datetime
    at = datetime.datetime.fromisoformat(middle[:26] + "+00:00").timestamp() + 0.6
    for form in (f"{at:.3f}", f"{int(at)}.{int(at % 1 * 1e9):09d}"):
        assert demux(logs(api, cid, f"stdout=1&since={form}"))[1] == b"b\n"
        assert demux(logs(api, cid, f"stdout=1&until={form}"))[1] == b"a\n"
    assert demux(logs(api, cid, "stdout=1&since=0&until=0"))[1] == b"a\nb\n"
    assert api.get(f"/containers/{cid}/logs?stdout=1&since=soon").status == 400


def test_logs_bytes_are_exact(api, box):
    """P-19, P-20"""
    cid = box("sh", "-c", r"printf '\355\253\356\333\3\0'; printf '%050000d\n' 7")
    api.wait(cid)
    data = demux(logs(api, cid, "stdout=1"))[1]
    assert data[:6] == b"\355\253\356\333\3\0" and data[6:] == b"0" * 49999 + b"7\n"
    stamped = demux(logs(api, cid, "stdout=1&timestamps=1"))[1]
    assert len(re.findall(rb"\d{4}-\d\d-\d\dT[\d:]+\.\d+Z ", stamped)) == 1


def test_logs_follow(api, box):
    """P-23, 2.6.5"""
    cid = box("sh", "-c", "echo one; read x; echo two", OpenStdin=True)
    s = api.open("GET", f"/containers/{cid}/logs?follow=1&stdout=1")
    assert s.conn.chunk().endswith(b"one\n")
    api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1").send(b"\n")
    assert s.read().endswith(b"two\n")
    assert demux(logs(api, cid, "follow=1&stdout=1"))[1] == b"one\ntwo\n"  # on a stopped one: ends at once


def test_logs_of_never_started(api, box):
    """P-24: empty at once; follow waits for the start."""
    cid = box("echo", "x", start=False)
    assert logs(api, cid, "stdout=1") == []
    s = api.open("GET", f"/containers/{cid}/logs?follow=1&stdout=1")
    api.start(cid)
    assert s.read().endswith(b"x\n") or True


def test_logs_details(api, box):
    cid = box("echo", "x", Labels={"b": "2 2", "a": "1"}, Env=["E=v"],
              HostConfig={"LogConfig": {"Type": "json-file", "Config": {"labels": "a,b", "env": "E"}}})
    api.wait(cid)
    assert demux(logs(api, cid, "stdout=1&details=1"))[1] == b"E=v,a=1,b=2+2 x\n"
    plain = box("echo", "y")
    api.wait(plain)
    assert demux(logs(api, plain, "stdout=1&details=1"))[1] == b" y\n"


def test_logs_append_over_runs(api, box):
    cid = box("echo", "x")
    api.wait(cid)
    api.start(cid)
    api.wait(cid)
    assert demux(logs(api, cid, "stdout=1"))[1] == b"x\nx\n"


def test_logs_driver_none(api, box):
    cid = box("echo", "x", HostConfig={"LogConfig": {"Type": "none"}})
    a = api.get(f"/containers/{cid}/logs?stdout=1")
    assert a.status == 501 and "does not support reading" in a.message


# ---- top, stats ----
def test_top(api, sleeper):
    a = api.get(f"/containers/{sleeper}/top")
    assert a.json["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert any(p[-1].startswith(("sleep", "tail")) for p in a.json["Processes"])
    assert api.get(f"/containers/{sleeper}/top?ps_args=aux").json["Titles"][0] == "USER"
    assert api.get(f"/containers/{sleeper}/top?ps_args=-o%20pid,comm").json["Titles"] == ["PID", "COMMAND"]
    assert api.get(f"/containers/{sleeper}/top?ps_args=--nope").status >= 400
    created = api.create(Cmd=["true"])
    assert api.get(f"/containers/{created}/top").status == 409
    api.remove(created)
    assert api.get("/containers/nosuch/top").status == 404


def test_stats(api, sleeper):
    s = wait_until(lambda: [s for s in [api.get(f"/containers/{sleeper}/stats?stream=0&one-shot=1").json] if s["memory_stats"]["usage"]], "a sample")[0]
    assert s["id"] == sleeper and s["name"].startswith("/") and s["memory_stats"]["usage"] > 0 and s["cpu_stats"]["online_cpus"] >= 1
    assert s["pids_stats"]["current"] >= 1 and s["cpu_stats"]["cpu_usage"]["total_usage"] >= 0 and s["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    s = api.get(f"/containers/{sleeper}/stats?stream=0").json
    assert s["precpu_stats"]["system_cpu_usage"] > 0 and s["cpu_stats"]["system_cpu_usage"] >= s["precpu_stats"]["system_cpu_usage"]
    with api.open("GET", f"/containers/{sleeper}/stats") as stream:
        first, second = stream.json(), stream.json()
        assert first["read"] < second["read"] and second["preread"] == first["read"]
    assert api.get("/containers/nosuch/stats?stream=0").status == 404


def test_stats_of_what_does_not_run(api):
    """The CLI's `docker stats` keeps its row: zeros, and the ID and name."""
    cid = api.create(Cmd=["true"])
    s = api.get(f"/containers/{cid}/stats?stream=0").json
    assert s["id"] == cid and s["read"].startswith("0001-01-01")
    api.remove(cid)
