"""Published ports: the host listens, and what connects reaches the container through its agent.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import hashlib
import os
import resource
import socket
import time

import pytest

import skl
from dockerapi import wait_until
from gate import Gate

LOOPBACK = "127.0.0.1"
ECHO = ["nc", "-ll", "-p", "7", "-e", "cat"]  # for one connection at a time: its backlog is short


def binding(port=0, ip=LOOPBACK):
    return [{"HostIp": ip, "HostPort": str(port) if port else ""}]


def run(api, *command, port=7, bindings=None, ready=True, published=True, **host):
    """(ID, host port) of a container that listens on a port inside."""
    cid = api.create(Cmd=list(command), HostConfig={"PortBindings": {f"{port}/tcp": bindings or binding()}, **host})
    api.start(cid)
    if not published:
        return cid, None
    published = port_of(api, cid, port)
    if ready:
        wait_until(lambda: listens(api, cid, port), "the server in the container")
    return cid, published


def listens(api, cid, port):
    """Inside: /proc/net/tcp has it in state LISTEN."""
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", f"cat /proc/net/tcp /proc/net/tcp6 | grep -q ':{port:04X} .* 0A '"], "AttachStdout": True}).json["Id"]
    with api.hijack("POST", f"/exec/{eid}/start", {"Detach": False}) as raw:
        raw.rest()
    return api.get(f"/exec/{eid}/json").json["ExitCode"] == 0


def port_of(api, cid, port):
    return int(api.inspect(cid)["NetworkSettings"]["Ports"][f"{port}/tcp"][0]["HostPort"])


def connect(port):
    s = socket.create_connection((LOOPBACK, port), skl.TIMEOUT)
    s.settimeout(skl.TIMEOUT)
    return s


def to_end(s):
    data = bytearray()
    while piece := s.recv(1 << 16):
        data += piece
    return bytes(data)


def echo(port, data):
    """Sends it while it reads, then its end; what came back."""
    with connect(port) as s, concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(to_end, s)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        return reader.result()


@pytest.mark.parametrize("n", [0, 1, 100_000, 20_000_001])
def test_both_ways_with_their_ends(api, n):
    cid, port = run(api, *ECHO)
    data = os.urandom(n)
    assert echo(port, data) == data
    api.remove(cid)


def page(port, name):
    with connect(port) as s:
        s.sendall(f"GET /{name} HTTP/1.0\r\n\r\n".encode())
        return to_end(s).partition(b"\r\n\r\n")[2]


def test_many_at_once(api):
    cid, port = run(api, "sh", "-c", "mkdir /www; for i in $(seq 40); do yes $i | head -c 300000 > /www/$i; done; exec httpd -f -p 7 -h /www")
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        pages = list(pool.map(lambda i: page(port, i), range(1, 41)))
    assert pages == [(b"%d\n" % i * 300_000)[:300_000] for i in range(1, 41)]
    api.remove(cid)


def test_last_words_of_a_container_arrive(api):
    """It answers and ends: its answer is there, then the connection's end."""
    for _ in range(10):
        cid, port = run(api, "sh", "-c", "head -c 200000 /dev/zero | nc -l -p 7", ready=True)
        with connect(port) as s:
            assert len(to_end(s)) == 200_000
        assert api.wait(cid) == 0
        api.remove(cid)


def test_a_slow_reader_costs_no_memory(fresh):
    """The container sends 300 MB to a client that reads nothing for a while."""
    n, chunk = 300_000_000, "head -c 300000000 /dev/zero"
    cid, port = run(fresh.api, "sh", "-c", f"{chunk} | nc -l -p 7")
    before = fresh.rss()[0]
    with connect(port) as s:
        s.recv(1)
        filled = 0
        while (now := fresh.rss()[0]) > filled:  # until nothing moves any more
            filled = now
        if not fresh.sanitized():
            assert fresh.rss()[0] - before < 4 << 20
        digest, got = hashlib.sha256(b"\0"), 1
        while piece := s.recv(1 << 20):
            digest.update(piece)
            got += len(piece)
    want = hashlib.sha256()
    for _ in range(300):
        want.update(bytes(1_000_000))
    assert (got, digest.hexdigest()) == (n, want.hexdigest())
    fresh.api.remove(cid)


def test_nobody_listens_inside(api):
    cid, port = run(api, "sleep", "1000", ready=False)
    with pytest.raises(ConnectionResetError), connect(port) as s:
        s.recv(1)
    api.remove(cid)


def test_the_agents_own_port(api):
    """61080 is the platform's $PORT: what connects is not let through to the agent."""
    cid, port = run(api, "sleep", "1000", port=61080, ready=False)
    with pytest.raises(ConnectionResetError), connect(port) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while s.recv(100):
            pass
    api.remove(cid)


def test_port_8080_is_the_containers(api):
    cid, port = run(api, "sh", "-c", "echo page > /tmp/p; exec httpd -f -p 8080 -h /tmp", port=8080)
    assert page(port, "p") == b"page\n"
    api.remove(cid)


def test_a_port_that_is_taken(daemon, api):
    cid, port = run(api, "sleep", "1000", ready=False)
    other = api.create(Cmd=["true"], HostConfig={"PortBindings": {"80/tcp": binding(port)}})
    answer = api.post(f"/containers/{other}/start")
    assert answer.status == 500
    assert f"Bind for 127.0.0.1:{port} failed: port is already allocated" in answer.message
    state = api.inspect(other)["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 128)
    assert not [r for r in daemon.requests() if r["rpc"] == "Invoke" and other[:12] in r["path"]], "the function was not invoked"
    api.remove(cid)
    wait_until(lambda: api.post(f"/containers/{other}/start").status == 204, "the port to be free")  # the container can start now
    assert api.wait(other) == 0
    api.remove(other)


def test_an_address_that_is_not_ours(api):
    cid = api.create(Cmd=["true"], HostConfig={"PortBindings": {"80/tcp": binding(18080, "192.0.2.1")}})
    answer = api.post(f"/containers/{cid}/start")
    assert answer.status == 500 and "listen tcp 192.0.2.1:18080: bind: Cannot assign requested address" in answer.message
    api.remove(cid)


def test_closed_with_the_container(api):
    cid, port = run(api, *ECHO)
    assert echo(port, b"x") == b"x"
    assert api.post(f"/containers/{cid}/stop?t=0").status == 204
    with pytest.raises(ConnectionRefusedError):
        connect(port)
    api.start(cid)
    wait_until(lambda: listens(api, cid, 7), "the server again")
    assert echo(port_of(api, cid, 7), b"again") == b"again"
    api.remove(cid)


def test_a_range_and_all_exposed(api):
    first = skl.free_port() // 10 * 10
    text = f"{first}-{first + 9}"
    ids = [api.create(Cmd=ECHO, HostConfig={"PortBindings": {"7/tcp": [{"HostIp": LOOPBACK, "HostPort": text}]}}) for _ in range(2)]
    for cid in ids:
        api.start(cid)
    ports = [port_of(api, cid, 7) for cid in ids]
    assert len(set(ports)) == 2 and all(first <= p <= first + 9 for p in ports)
    for cid in ids:
        api.remove(cid)
    cid = api.create(Cmd=ECHO, ExposedPorts={"7/tcp": {}, "9/udp": {}}, HostConfig={"PublishAllPorts": True})
    api.start(cid)
    wait_until(lambda: listens(api, cid, 7), "the server")
    assert echo(port_of(api, cid, 7), b"all") == b"all"
    api.remove(cid)


@pytest.mark.parametrize("mode", ["host", "none"])
def test_without_an_endpoint_nothing_is_published(api, mode):
    port = skl.free_port()
    cid, _ = run(api, "sleep", "1000", bindings=binding(port), published=False, NetworkMode=mode)
    assert not api.inspect(cid)["NetworkSettings"]["Ports"].get("7/tcp")
    with pytest.raises(ConnectionRefusedError):
        connect(port)
    api.remove(cid)


def test_version_6(api):
    cid, port = run(api, *ECHO, bindings=binding(ip="::1"))
    with socket.create_connection(("::1", port), skl.TIMEOUT) as s:
        s.sendall(b"six")
        s.shutdown(socket.SHUT_WR)
        assert to_end(s) == b"six"
    api.remove(cid)


def test_more_than_the_limit_wait(api):
    """TUNNELS_MAX connections are open; the next one is served when one of them ends."""
    most = 1024
    cid, port = run(api, "sh", "-c", "echo page > /tmp/p; exec httpd -f -p 7 -h /tmp")
    held = [connect(port) for _ in range(most)]
    with connect(port) as late:
        late.sendall(b"GET /p HTTP/1.0\r\n\r\n")
        late.settimeout(0.5)
        with pytest.raises(TimeoutError):
            late.recv(1)
        late.settimeout(skl.TIMEOUT)
        held.pop().close()
        assert to_end(late).endswith(b"page\n")
    for s in held:
        s.close()
    api.remove(cid)


def test_out_of_files(fresh):
    """What connects while the daemon can open nothing waits, and is served later; the daemon does not spin meanwhile."""
    cid, port = run(fresh.api, *ECHO)
    pid = fresh.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    with connect(port) as s:
        s.sendall(b"late")
        s.shutdown(socket.SHUT_WR)
        s.settimeout(0.5)
        before, began = worked(pid), time.monotonic()
        with pytest.raises(TimeoutError):
            s.recv(1)
        assert worked(pid) - before < (time.monotonic() - began) / 10
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        s.settimeout(skl.TIMEOUT)
        assert to_end(s) == b"late"
    fresh.api.remove(cid)


def worked(pid):
    """Seconds of processor time."""
    with open(f"/proc/{pid}/stat") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def test_after_kill_9_of_the_daemon(house):
    cid, port = run(house.api, *ECHO)
    assert echo(port, b"before") == b"before"
    house.kill9()
    house.start()
    assert port_of(house.api, cid, 7) == port
    assert echo(port, b"after") == b"after"  # waits for the agent to dial again
    house.api.remove(cid)


def test_a_lost_link(images, cloud):
    """What is open breaks, what comes next waits for the agent to be back."""
    gate = Gate()
    d = skl.Daemon(images, cloud=cloud, agents_gate=gate.port)
    gate.target = (LOOPBACK, d.agents_port)
    try:
        d.api.pull()
        cid, port = run(d.api, *ECHO)
        with connect(port) as s:
            s.sendall(b"one")
            assert s.recv(3) == b"one"
            gate.shut()
            with pytest.raises(ConnectionResetError):
                while s.recv(1):
                    pass
        gate.open()
        assert echo(port, b"two") == b"two"
        d.api.remove(cid)
    finally:
        gate.close()
        d.close()
