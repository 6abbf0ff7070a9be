"""The daemon against agents that are not ours: scripted ones with the right token, which do what no honest agent does. Whatever they do, only their
own container is harmed.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import threading

import pytest

import skl
from dockerapi import demux, wait_until
from scripted_agent import STDOUT, ScriptedAgent, exited, hello, record
from test_link import Proxy, dial, strip, token_of


@pytest.fixture(scope="module")
def stage(images):
    """(daemon, port of its agents' door): true agents do not get through."""
    proxy = Proxy()
    proxy.refuse = True
    d = skl.Daemon(images, args=[*proxy.args(), "--agent-connect-timeout", "20s"])
    d.api.pull()
    yield d, proxy.target
    d.close()
    proxy.close()


class Play:
    """A container and its scripted agent, from the start on."""

    def __init__(self, stage, answers, boot="a" * 32, **config):
        self.d, self.port = stage
        self.api = self.d.api
        self.cid = self.api.create(Cmd=["whatever"], **config)
        self.started = []
        self.thread = threading.Thread(target=lambda: self.started.append(self.api.post(f"/containers/{self.cid}/start")))
        self.thread.start()
        self.token = token_of(self.d, self.cid)
        self.agent = self.dial(answers, boot)

    def dial(self, answers, boot="a" * 32, link=1):
        made = []

        def let_in():
            a = ScriptedAgent(self.port, self.cid, self.token, boot, link)
            if a.status != 101:
                a.close()
                return False
            made.append(a)
            return True
        wait_until(let_in, "the daemon to expect the agent")  # the start may not be that far yet
        made[-1].answers.update(answers)
        return made[-1].serve()

    def begun(self):
        self.thread.join(60)
        return self.started[0]

    def logs(self):
        return strip(self.api.get(f"/containers/{self.cid}/logs?stdout=1").body)

    def close(self):
        self.agent.close()
        self.api.remove(self.cid)


@pytest.fixture
def play(stage):
    made = []

    def make(answers, **more):
        made.append(Play(stage, answers, **more))
        return made[-1]

    yield make
    for p in made:
        p.close()
    assert stage[0].api.get("/_ping").status == 200


def starts(*records, end=False):
    def answer(agent, stream, path):
        agent.output = stream
        agent.respond(stream, 200, {"sockerless-pid": "7"}, b"".join(records), end=end)
    return {("POST", "/process"): answer, ("POST", "/process/finish"): (204, {}, b""), ("POST", "/process/signal"): (204, {}, b"")}


def test_an_honest_one(play):
    p = play(starts(record(STDOUT, b"words\n"), exited(5), end=True))
    assert p.begun().status == 204 and p.api.wait(p.cid) == 5 and p.logs() == b"words\n"
    wait_until(lambda: ("POST", "/process/finish") in p.agent.asked, "the daemon to let it go")
    assert [a for a in p.agent.asked if a[1].startswith("/process")] == [("POST", "/process?output=1"), ("POST", "/process/finish")]


@pytest.mark.parametrize("answer,status,words", [
    ((400, {}, b'{"message":"no such thing","kind":1,"exit_code":127}'), 400, "no such thing"), ((500, {}, b"garbage"), 500, "the agent answered 500"),
    ((500, {}, b'{"message":7,"kind":"x","exit_code":"y"}'), 500, ""), ((503, {}, b'{"message":"' + b"x" * 100_000 + b'"}'), 500, "xxx"),
])
def test_a_start_that_is_refused(play, answer, status, words):
    p = play({("POST", "/process"): answer})
    a = p.begun()
    assert a.status >= 400 and words in a.message and not p.api.inspect(p.cid)["State"]["Running"]


@pytest.mark.parametrize("bad", [b"\xff" * 64, record(9, b"?"), b"\1\0\0\0\xff\xff\xff\xff" + bytes(8), b"\1\1\1\1\0\0\0\1" + bytes(9)],
                         ids=["noise", "unknown kind", "too long", "reserved bytes"])
def test_output_that_is_no_sequence_of_records(play, stage, bad):
    """The link is dropped and the reason logged; what came before stays."""
    p = play(starts(record(STDOUT, b"before\n")))
    assert p.begun().status == 204
    wait_until(lambda: p.logs() == b"before\n")
    p.agent.data(p.agent.output, bad)
    wait_until(lambda: p.agent.closed, "the daemon to drop it")
    assert f"container {p.cid[:12]}: the agent's output is not a sequence of records" in stage[0].log()
    assert p.api.inspect(p.cid)["State"]["Running"] and p.logs() == b"before\n"


@pytest.mark.parametrize("answer", [(200, {}, b"[]"), (200, {}, b"{"), (500, {}, b""), (200, {}, b'{"process":7,"execs":{"a":1}}'), (200, {}, b" " * 2_000_000)])
def test_a_hello_that_is_none(stage, play, answer):
    p = play({("GET", "/hello"): answer})
    if answer[2].startswith(b'{"process"'):  # says nothing that counts: idle
        p.agent.answers.update(starts(exited(0), end=True))
        wait_until(lambda: len(p.started) == 1, "the start")
    else:
        wait_until(lambda: p.agent.closed, "the daemon to drop it")
        p.agent = p.dial(starts(record(STDOUT, b"second\n"), exited(0), end=True), link=2)
        assert p.begun().status == 204 and p.api.wait(p.cid) == 0 and p.logs() == b"second\n"


def test_a_dial_that_was_overtaken(play):
    """Same boot, a lower number: it is dropped, and the newer link stays."""
    p = play(starts(record(STDOUT, b"one\n")))
    assert p.begun().status == 204
    late = p.dial({}, link=0)
    wait_until(lambda: late.closed, "the daemon to drop it")
    assert not p.agent.closed and ("GET", "/hello") not in late.asked
    p.agent.data(p.agent.output, record(STDOUT, b"two\n") + exited(3), end=True)
    assert p.api.wait(p.cid) == 3 and p.logs() == b"one\ntwo\n"


def test_a_newer_link_of_the_same_boot(play):
    """It replaces the older one, and the output goes on where that stopped; the end of the older one harms nothing."""
    first = record(STDOUT, b"one\n")
    p = play(starts(first))
    assert p.begun().status == 204
    wait_until(lambda: p.logs() == b"one\n")
    old = p.agent
    rest = record(STDOUT, b"two\n") + exited(4)
    p.agent = p.dial({("GET", "/hello"): hello("running", run=1), ("GET", "/process/output"): (200, {}, rest), ("POST", "/process/finish"): (204, {}, b"")}, link=2)
    assert p.api.wait(p.cid) == 4 and p.logs() == b"one\ntwo\n"
    assert ("GET", f"/process/output?from={len(first)}") in p.agent.asked
    wait_until(lambda: old.closed, "the older link to go")
    assert p.api.inspect(p.cid)["State"]["ExitCode"] == 4


def test_another_boot_is_another_instance(play):
    """What ran is lost with the instance that the platform replaced: the run ends, and says so."""
    p = play(starts(record(STDOUT, b"one\n")))
    assert p.begun().status == 204
    other = p.dial({("GET", "/hello"): hello()}, boot="f" * 32)
    assert p.api.wait(p.cid) == 137
    assert "agent was lost" in p.api.inspect(p.cid)["State"]["Error"] and p.logs() == b"one\n"
    other.close()


def test_the_past_run_of_an_agent_that_comes_late(play):
    """Its run is over: it is told so with code 1000, and nothing of it counts."""
    p = play(starts(exited(0), end=True))
    assert p.begun().status == 204 and p.api.wait(p.cid) == 0
    thread = threading.Thread(target=lambda: wait_until(lambda: p.api.post(f"/containers/{p.cid}/start").status == 204))  # the true agent still holds the instance
    thread.start()
    late = p.dial({("GET", "/hello"): hello("running", run=1)}, link=2)
    wait_until(lambda: late.closed, "the daemon to say goodbye")
    assert ("POST", "/process?output=1") not in late.asked
    p.agent = p.dial(starts(record(STDOUT, b"second run\n"), exited(6), end=True), link=3)
    thread.join(60)
    assert p.api.wait(p.cid) == 6 and p.logs().endswith(b"second run\n")


# ---- execs and files ----
def test_an_exec_whose_output_breaks_off(play):
    p = play(starts(record(STDOUT, b"x")))
    assert p.begun().status == 204

    def breaks(agent, stream, path):
        agent.respond(stream, 200, {"sockerless-pid": "9"}, record(STDOUT, b"half"), end=False)
        agent.reset(stream)
    p.agent.answers["POST", "/exec"] = breaks
    eid = p.api.post(f"/containers/{p.cid}/exec", {"Cmd": ["x"], "AttachStdout": True}).json["Id"]
    c = p.api.hijack("POST", f"/exec/{eid}/start", {})
    assert demux(c.frames())[1] == b"half"
    state = p.api.get(f"/exec/{eid}/json").json
    assert not state["Running"] and state["ExitCode"] not in (0, None)


@pytest.mark.parametrize("header", ["", "!!!!", base64.b64encode(b"not json").decode(), base64.b64encode(b'{"name":"x"}').decode() + "x"])
def test_files_with_a_bad_stat(play, header):
    p = play(starts(record(STDOUT, b"x")))
    assert p.begun().status == 204
    p.agent.answers["HEAD", "/archive"] = (200, {"x-docker-container-path-stat": header}, b"")
    a = p.api.head(f"/containers/{p.cid}/archive?path=/etc")
    assert a.status == 500 and not a.body
    p.agent.answers["GET", "/archive"] = (200, {"x-docker-container-path-stat": header}, b"bytes")
    a = p.api.get(f"/containers/{p.cid}/archive?path=/etc")
    assert a.status == 500 and a.message == "the agent answered without a path stat"


def test_files_that_break_off(play):
    """A tar that is cut off is never ended in order."""
    p = play(starts(record(STDOUT, b"x")))
    assert p.begun().status == 204
    stat = base64.b64encode(json.dumps({"name": "f", "size": 5, "mode": 420, "mtime": "2020-01-01T00:00:00Z", "linkTarget": ""}).encode()).decode()

    def breaks(agent, stream, path):
        agent.respond(stream, 200, {"x-docker-container-path-stat": stat}, b"half a tar", end=False)
        agent.reset(stream)
    p.agent.answers["GET", "/archive"] = breaks
    c = p.api.connect()
    c.send(p.api.request_bytes("GET", f"/containers/{p.cid}/archive?path=/f"))
    status, _, headers = c.head()
    assert status == 200 and headers["transfer-encoding"] == "chunked"
    assert not c.rest().endswith(b"0\r\n\r\n")


def test_answers_without_end(play):
    """Top is a small exchange: what is longer is an error, and is not collected."""
    p = play(starts(record(STDOUT, b"x")))
    assert p.begun().status == 204
    p.agent.answers["GET", "/top"] = lambda agent, stream, path: agent.respond(stream, 200, {}, b"x" * (900 << 10), end=True)
    assert p.api.get(f"/containers/{p.cid}/top").status in (200, 500, 502)


def test_it_is_logged_once_and_without_the_token(fresh):
    """And not without end: the door faces the internet."""
    with open(f"{fresh.state}/agents.port") as f:
        port = int(f.read())
    cid = fresh.api.create(Cmd=["true"])

    def knock(token):
        with dial(port, f"/v1/agent?container={cid}", f"Authorization: Bearer {token}\r\n") as s:
            assert s.recv(100).startswith(b"HTTP/1.1 401 ")
    knock("0" * 64)
    knock(token_of(fresh, cid))  # the right one, but no run expects it
    assert fresh.log().count("refused 127.0.0.1") == 2 and token_of(fresh, cid) not in fresh.log()
    for _ in range(100):
        knock("1" * 64)
    assert fresh.log().count("refused 127.0.0.1") == 10
    fresh.api.remove(cid)
