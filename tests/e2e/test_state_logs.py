"""The log store with real containers: exact bytes, bounds, tail, since, until, timestamps, details, follow over several runs
(reference 2.6; cases U-63, P-23, P-24).

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import time

import pytest

from dockerapi import demux, wait_until
from gate import Bell
from test_recovery import restart, run, wall

STAMP = re.compile(rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) ")


@pytest.fixture
def bell():
    b = Bell()
    yield b
    b.close()


def frames(body):
    out = []
    while body:
        n = int.from_bytes(body[4:8], "big")
        assert body[0] in (1, 2) and body[1:4] == b"\0\0\0" and len(body) >= 8 + n
        out.append((body[0], body[8:8 + n]))
        body = body[8 + n:]
    return out


def logs(api, cid, query="stdout=1&stderr=1"):
    """{1: stdout, 2: stderr}"""
    answer = api.get(f"/containers/{cid}/logs?{query}")
    assert answer.status == 200, answer
    return demux(frames(answer.body))


def stdout(api, cid, query=""):
    return logs(api, cid, "stdout=1&" + query)[1]


def finished(api, *cmd, **config):
    cid = run(api, *cmd, **config)
    api.wait(cid)
    return cid


# ---- exact bytes ----
BYTES = {
    "no newline at the end": b"one\ntwo",
    "CR LF": b"one\r\ntwo\r\n\r\n",
    "empty lines": b"\n\n\nx\n\n",
    "every byte": bytes(range(256)) * 3,
    "NUL": b"a\0b\n\0\n",
    "not UTF-8": b"\xff\xfe\xc3(\n\xe2\x82",
    "a line of 50 KB": b"x" * 50_000 + b"\n" + b"y" * 50_000,
    "a line of 3 MB": b"z" * 3_000_000 + b"end\n",
}


@pytest.mark.parametrize("what", BYTES)
def test_exact_bytes(api, what):
    """In at stdin, out of logs and attach, the same."""
    data = BYTES[what]
    cid = api.create(Cmd=["sh", "-c", "cat; cat /dev/null >&2"], OpenStdin=True, StdinOnce=True)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1&stderr=1")
    api.start(cid)
    c.send(data)
    c.shut()
    assert demux(c.frames()) == {1: data, 2: b""}
    assert logs(api, cid) == {1: data, 2: b""}
    if what != "empty lines":
        assert stdout(api, cid, "tail=1") == re.search(rb"[^\n]*\n?\Z", data.rstrip(b"\n")).group(0) + data[len(data.rstrip(b"\n")):]
    api.remove(cid)


def test_stdout_and_stderr_keep_apart_and_in_order(api):
    cid = finished(api, "sh", "-c", "for i in 1 2 3; do echo o$i; sleep 0.05; echo e$i >&2; sleep 0.05; done")
    body = api.get(f"/containers/{cid}/logs?stdout=1&stderr=1").body
    assert frames(body) == [(1, b"o1\n"), (2, b"e1\n"), (1, b"o2\n"), (2, b"e2\n"), (1, b"o3\n"), (2, b"e3\n")]
    assert logs(api, cid, "stderr=1") == {1: b"", 2: b"e1\ne2\ne3\n"}
    assert api.get(f"/containers/{cid}/logs").status == 400


def test_bytes_survive_kill_9(house):
    data = os.urandom(200_000)
    api = house.api
    cid = api.create(Cmd=["cat"], OpenStdin=True, StdinOnce=True)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1")
    api.start(cid)
    c.send(data)
    c.shut()
    api.wait(cid)
    restart(house)
    assert stdout(api, cid) == data


# ---- tail, since, until, timestamps, details ----
@pytest.fixture(scope="module")
def ten(daemon):
    """Ten lines, 20 ms apart."""
    cid = run(daemon.api, "sh", "-c", "for i in 0 1 2 3 4 5 6 7 8 9; do echo line $i; sleep 0.02; done",
              Labels={"team": "blue", "other": "x"}, Env=["STAGE=test", "OTHER=y"],
              HostConfig={"LogConfig": {"Type": "json-file", "Config": {"labels": "team", "env": "STAGE"}}})
    daemon.api.wait(cid)
    return cid


LINES = [b"line %d\n" % i for i in range(10)]


@pytest.mark.parametrize("tail,want", [("all", 10), ("", 10), ("-1", 10), ("0", 0), ("1", 1), ("3", 3), ("10", 10), ("11", 10)])
def test_tail(api, ten, tail, want):
    assert stdout(api, ten, f"tail={tail}") == b"".join(LINES[10 - want:])


def test_timestamps_since_until(api, ten):
    rows = stdout(api, ten, "timestamps=1").splitlines(keepends=True)
    stamps = [STAMP.match(r).group(1).decode() for r in rows]
    assert [STAMP.sub(b"", r) for r in rows] == LINES and stamps == sorted(stamps)
    state = api.inspect(ten)["State"]
    assert wall(state["StartedAt"]) - 1 <= wall(stamps[0]) and wall(stamps[9]) <= wall(state["FinishedAt"])
    for stamp, at in ((stamps[4], 4), (stamps[7], 7)):
        when = f"{int(wall(stamp[:19] + 'Z'))}.{stamp[20:29]}"
        assert stdout(api, ten, f"since={when}") == b"".join(LINES[at:])
        assert stdout(api, ten, f"until={when}") in (b"".join(LINES[:at]), b"".join(LINES[:at + 1]))
    assert stdout(api, ten, f"since={int(time.time()) + 100}") == b""
    assert stdout(api, ten, "until=1") == b""
    assert stdout(api, ten, "since=1&tail=2") == b"".join(LINES[8:])


def test_details(api, ten):
    row = stdout(api, ten, "details=1&tail=1")
    assert row == b"STAGE=test,team=blue line 9\n"
    both = stdout(api, ten, "details=1&tail=1&timestamps=1")
    assert STAMP.sub(b"", both) == row


def test_the_cli_agrees(docker, ten):
    assert docker("logs", "--tail", "2", ten).stdout == "line 8\nline 9\n"
    assert docker("logs", "--details", "--tail", "1", ten).stdout == "STAGE=test,team=blue line 9\n"
    assert len(docker("logs", "-t", ten).stdout.splitlines()) == 10


# ---- bounds ----
def log_files(daemon, cid):
    where = os.path.join(daemon.state, "logs", cid)
    return {f: os.path.getsize(os.path.join(where, f)) for f in os.listdir(where)}


def test_max_size_and_max_file(daemon, api):
    config = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "128k", "max-file": "3"}}}
    cid = finished(api, "sh", "-c", "seq 100000 199999", HostConfig=config)
    files = log_files(daemon, cid)
    assert len(files) == 3 and sum(files.values()) <= 3 * (128 * 1024 + 64 * 1024)
    got = stdout(api, cid).splitlines()
    assert got[-1] == b"199999" and len(got) > 5000
    assert got[1:] == [b"%d" % i for i in range(200000 - len(got) + 1, 200000)]  # the first may be cut
    assert stdout(api, cid, "tail=3") == b"199997\n199998\n199999\n"


def test_bounded_by_default(daemon, api):
    cid = api.create(Cmd=["true"])
    assert api.inspect(cid)["HostConfig"]["LogConfig"]["Type"] == "json-file"
    api.remove(cid)


@pytest.mark.parametrize("bad", [{"max-size": "x"}, {"max-size": "-1k"}, {"max-file": "0"}, {"max-file": "a"}, {"nonsense": "1"}])
def test_bad_options_are_refused(api, bad):
    a = api.create(ok=False, HostConfig={"LogConfig": {"Type": "json-file", "Config": bad}})
    assert a.status == 400 and next(iter(bad)) in a.message


# ---- follow ----
def test_follow_waits_for_the_first_run_and_ends_with_it(api, bell):
    cid = api.create(Cmd=["sh", "-c", f"echo a; {bell.wait}; echo b"], Env=bell.env)
    assert stdout(api, cid) == b""
    follow = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1")
    api.start(cid)
    while follow.data.count(b"a\n") == 0:
        assert follow._more()
    bell.ring()
    assert demux(frames(follow.read()))[1] == b"a\nb\n"
    assert not api.inspect(cid)["State"]["Running"]
    again = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1")  # P-23: at rest it ends at once
    assert demux(frames(again.read()))[1] == b"a\nb\n"


def test_follow_over_several_runs(api, bell):
    cid = run(api, "sh", "-c", f"echo run; {bell.wait}; echo end", Env=bell.env)
    for n in range(1, 4):
        follow = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1")
        late = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1&tail=0")
        while follow.data.count(b"run\n") < n:
            assert follow._more()
        bell.ring()
        assert demux(frames(follow.read()))[1] == b"run\nend\n" * n
        assert demux(frames(late.read()))[1] in (b"end\n", b"run\nend\n")
        api.start(cid)
    assert api.remove(cid).status == 204


def test_follow_with_until_ends(api):
    cid = run(api, "sh", "-c", "while :; do echo x; sleep 0.02; done")
    now = api.get("/info").json["SystemTime"]
    follow = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1&until={wall(now[:26] + 'Z') + 0.5:.6f}")
    assert b"x\n" in follow.read()
    assert api.inspect(cid)["State"]["Running"]
    api.remove(cid)


def test_followers_of_a_removed_container_end(api):
    cid = run(api, "sh", "-c", "echo x; exec sleep 1000")
    follow = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1")
    assert follow._more()
    assert api.remove(cid).status == 204
    assert demux(frames(follow.read()))[1] == b"x\n"


def test_logs_and_follow_over_a_restart_of_the_daemon(house, bell):
    """The log of one run, written by two daemons: since finds the seam."""
    api = house.api
    cid = run(api, "sh", "-c", f"echo one; {bell.wait}; echo two; {bell.wait}; echo three", Env=bell.env)
    wait_until(lambda: stdout(api, cid) == b"one\n")
    house.kill9()
    bell.ring()
    house.start()
    wait_until(lambda: stdout(api, cid) == b"one\ntwo\n")
    follow = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow=1&timestamps=1")
    bell.ring()
    rows = demux(frames(follow.read()))[1].splitlines()
    assert [STAMP.sub(b"", r) for r in rows] == [b"one", b"two", b"three"]
    assert rows == sorted(rows)
