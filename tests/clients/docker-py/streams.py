"""docker-py: attach, logs, exec.

SPDX-License-Identifier: Apache-2.0
"""
import threading
import time

import docker

from casebook import case, until
from house import CTRL_P, CTRL_Q, CTRL_X, api, box, client, frame, low, recv, run, send

BOTH = 'sh -c "echo hello out; sleep 0.3; echo hello err >&2"'


# ---- logs ----
@case
def logs_options():
    with box("sh", "-c", "echo out; echo err >&2; echo two; sleep 1000") as k:
        until(lambda: b"two" in k.logs() and b"err" in k.logs())
        assert sorted(k.logs().split()) == [b"err", b"out", b"two"]  # two pipes: the order between them is open
        assert k.logs(stderr=False) == b"out\ntwo\n" and k.logs(stdout=False) == b"err\n" and k.logs(stderr=False, tail=1) == b"two\n"
        assert next(k.logs(stream=True)) in (b"out\n", b"err\n") and b"Z out" in k.logs(timestamps=True)
        assert k.logs(since=int(time.time()) + 100) == b"" and k.logs(tail=0) == b"" and k.logs(until=1) == b""
        assert b"out" in k.logs(since=int(time.time()) - 100) and b"out" in k.logs(until=int(time.time()) + 100)


@case
def logs_follow_to_the_end():
    with box("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done") as k:
        assert b"".join(k.logs(stream=True, follow=True)) == b"1\n2\n3\n"
        assert k.wait()["StatusCode"] == 0 and k.logs() == b"1\n2\n3\n"
        assert list(api.logs({"Id": k.id}, stream=True, follow=True)) != []  # of an ended container: what there is, and the end


@case
def logs_follow_and_cancel():
    with box("sh", "-c", "echo line; sleep 1000") as k:
        stream = k.logs(stream=True, follow=True)
        assert next(stream) == b"line\n"
        threading.Timer(0.1, stream.close).start()
        assert list(stream) == []


@case
def logs_bytes_are_exact():
    with box("printf", r"\355\253\356\333\3 no newline") as k:
        k.wait()
        assert k.logs() == b"\xed\xab\xee\xdb\x03 no newline"


@case
def run_with_streamed_logs():
    out = client.containers.run("busybox", ["sh", "-c", "echo hello; sleep 0.1; echo world"], stream=True, remove=True)
    assert list(out) == [b"hello\n", b"world\n"]


# ---- attach ----
@case
def attach_reads_frames():
    line = "hi there and stuff and things, words!"
    with low(f"printf '{line}'", start=False) as k:
        s = api.attach_socket(k, {"stdout": 1, "stream": 1, "logs": 1})
        api.start(k)
        assert frame(s) == (1, line.encode()) and recv(s, 1) == b""
        s.close()


@case
def attach_without_a_stream():
    with low("echo hello") as k:
        api.wait(k)
        assert api.attach(k, stream=False, logs=True) == b"hello\n"


@case
def attach_and_cancel():
    with low('sh -c "echo hello; sleep 1000"', tty=True) as k:
        out = api.attach(k, stream=True, logs=True)
        assert next(out) == b"hello\r\n"
        threading.Timer(0.1, out.close).start()
        assert list(out) == []


@case
def attach_demuxes():
    with low(BOTH, start=False) as k:
        out = api.attach(k, stream=True, demux=True)
        api.start(k)
        assert sorted(out, key=str) == sorted([(b"hello out\n", None), (None, b"hello err\n")], key=str)


def typed_until_detached(s, keys):
    send(s, b"make sure the socket is closed\n")
    seen = b""
    while seen.count(b"closed\r\n") < 2:
        seen += recv(s, 1)
    for key in keys:
        send(s, key)
    recv(s, 1 << 20)  # to the end


@case
def attach_and_detach_by_keys():
    for keys, config in (((CTRL_P, CTRL_Q), {}), ((CTRL_X,), {"detachKeys": "ctrl-x"})):
        with low("cat", stdin_open=True, tty=True) as k:
            s = api.attach_socket(k, {"stdin": True, "stdout": True, "stream": True, **config})
            typed_until_detached(s, keys)
            s.close()
            assert api.inspect_container(k)["State"]["Running"]


@case
def attach_with_a_terminal_before_the_start():
    with low("cat", start=False, stdin_open=True, tty=True) as k:
        s = api.attach_socket(k, {"stdin": 1, "stdout": 1, "stream": 1})
        api.start(k)
        send(s, b"typed\n")
        assert recv(s, 14) == b"typed\r\ntyped\r\n"
        s.close()


# ---- exec ----
@case
def exec_forms():
    with low("cat", stdin_open=True) as k:
        assert api.exec_start(api.exec_create(k, ["echo", "hello"])) == b"hello\n"
        assert api.exec_start(api.exec_create(k, "echo hello world")) == b"hello world\n"
        assert api.exec_start(api.exec_create(k, "whoami")) == b"root\n"
        assert api.exec_start(api.exec_create(k, "whoami", user="nobody")) == b"nobody\n"
        assert b"X=Y\n" in api.exec_start(api.exec_create(k, "env", environment=["X=Y"]))
        assert api.exec_start(api.exec_create(k, "pwd", workdir="/usr/bin")) == b"/usr/bin\n"
        assert b"".join(api.exec_start(api.exec_create(k, ["echo", "hello\nworld"]), stream=True)) == b"hello\nworld\n"
        assert api.exec_start(api.exec_create(k, ["printf", "asdqwe"]), detach=True) == ""


@case
def exec_inspect():
    with low("cat", stdin_open=True) as k:
        e = api.exec_create(k, ["mkdir", "/does/not/exist"])
        before = api.exec_inspect(e)
        assert before["ExitCode"] is None and not before["Running"] and before["ContainerID"] == k
        api.exec_start(e)
        after = api.exec_inspect(e)
        assert after["ExitCode"] == 1 and not after["Running"] and after["ProcessConfig"]["entrypoint"] == "mkdir"


@case
def exec_socket_of_a_terminal_with_frames():
    with low("cat", stdin_open=True) as k:
        s = api.exec_start(api.exec_create(k, ["printf", "yay"], tty=True), socket=True)
        assert frame(s) == (1, b"yay")
        s.close()


@case
def exec_socket_with_input():
    with box() as k:
        s = k.exec_run("cat", stdin=True, socket=True)[1]
        send(s, b"through\n")
        assert frame(s) == (1, b"through\n")
        s.close()


@case
def exec_detach_by_keys():
    with low("cat", stdin_open=True) as k:
        s = api.exec_start(api.exec_create(k, "cat", stdin=True, tty=True, stdout=True), tty=True, socket=True)
        typed_until_detached(s, (CTRL_P, CTRL_Q))
        s.close()


@case
def exec_streams_together_and_apart():
    with low("cat", stdin_open=True) as k:
        def go(tty=False, **kw):
            return api.exec_start(api.exec_create(k, BOTH, tty=tty), **kw)
        assert go() == b"hello out\nhello err\n" and go(demux=True) == (b"hello out\n", b"hello err\n")
        assert list(go(stream=True)) == [b"hello out\n", b"hello err\n"]
        assert list(go(stream=True, demux=True)) == [(b"hello out\n", None), (None, b"hello err\n")]
        assert go(tty=True) == b"hello out\r\nhello err\r\n" and go(tty=True, demux=True) == (b"hello out\r\nhello err\r\n", None)
        assert b"".join(go(tty=True, stream=True)) == b"hello out\r\nhello err\r\n"
        assert b"".join(x[0] for x in go(tty=True, stream=True, demux=True)) == b"hello out\r\nhello err\r\n"


@case
def exec_codes():
    with box() as k:
        assert k.exec_run("echo x") == (0, b"x\n")
        assert k.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True) == (4, (b"o\n", b"e\n"))
        assert k.exec_run("nosuch-command").exit_code in (126, 127)
        assert b"".join(k.exec_run(["sh", "-c", "echo a; sleep .1; echo b"], stream=True)[1]) == b"a\nb\n"
        assert k.exec_run("sh -c 'echo $A'", environment={"A": "b"}, workdir="/tmp").output == b"b\n"
        assert k.exec_run("tty", tty=True).output.startswith(b"/dev/")
        for i in range(20):
            assert k.exec_run(["sh", "-c", f"exit {i}"]).exit_code == i


@case
def exec_in_what_does_not_run():
    with box("true") as k:
        k.wait()
        try:
            k.exec_run("true")
        except docker.errors.APIError as e:
            assert e.response.status_code == 409 and "is not running" in e.explanation
        else:
            raise AssertionError("it ran")


@case
def a_proxy_of_the_client():
    proxied = docker.from_env(version="auto", timeout=60)
    proxied.api._proxy_configs = docker.utils.proxy.ProxyConfig(http="proxy.example:3128")
    k = proxied.containers.run("busybox", ["sleep", "1000"], detach=True)
    try:
        assert b"HTTP_PROXY=proxy.example:3128\n" in k.exec_run("env").output
    finally:
        k.remove(force=True)


@case
def run_attached():
    assert client.containers.run("busybox", "echo hi", remove=True) == b"hi\n"
    assert client.containers.run("busybox", ["sh", "-c", "echo e >&2"], remove=True, stdout=False, stderr=True) == b"e\n"
    assert client.containers.run("busybox", ["sh", "-c", "echo hello; sleep 0.2"], auto_remove=True) == b"hello\n"


@case
def run_fails_with_the_code_and_stderr():
    try:
        run("sh", "-c", "echo no >&2; exit 3", detach=False, remove=True)
    except docker.errors.ContainerError as e:
        assert e.exit_status == 3 and e.stderr == b"no\n"
    else:
        raise AssertionError("it did not fail")
