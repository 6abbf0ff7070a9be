"""The HTTP server at its edges: listeners, TLS with the CLI's own flags, request smuggling, limits, many connections, bodies larger than memory.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import os
import resource
import socket
import ssl
import subprocess
import threading

import pytest

import skl
from dockerapi import Api, Conn, wait_until


def program(*args):
    return subprocess.run([skl.program("sockerlessd"), *args], capture_output=True, text=True, timeout=60)


def soft_and_hard(pid):
    with open(f"/proc/{pid}/limits") as f:
        return next(line.split()[3:5] for line in f if line.startswith("Max open files"))


def test_more_files_than_a_shell_allows(images):
    """A shell's soft limit is 1024; each link takes one, each function of the simulator ten."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        d = skl.Daemon(images)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        for pid in (d.process.pid, skl.simulators_of(d.state)[0][0]):
            assert soft_and_hard(pid) == [str(hard)] * 2
    finally:
        d.close()


# ---- listeners ----
def test_plain_tcp_beyond_loopback_is_refused(tmp_path):
    for host in ("tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://10.0.0.1:2375", "tcp://:2375"):
        done = program("--host", host, "--driver", "null", "--driver-dir", os.path.join(skl.BUILD, "plugins"), "--state-dir", str(tmp_path / "s"))
        assert done.returncode == 1 and "--tlsverify" in done.stderr and "--insecure-tcp" in done.stderr, host
        done = program("--validate", "--host", host, "--driver", "null", "--driver-dir", os.path.join(skl.BUILD, "plugins"), "--state-dir", str(tmp_path / "s"))
        assert done.returncode == 1


def test_loopback_tcp_beside_the_socket(images):
    port = skl.free_port()
    d = skl.Daemon(images, args=["--host", f"tcp://127.0.0.1:{port}"])
    try:
        assert Api(f"tcp://127.0.0.1:{port}").get("/_ping").body == b"OK" and d.api.get("/_ping").body == b"OK"
        assert oct(os.stat(d.socket).st_mode & 0o777) == "0o660"
    finally:
        d.close()
    assert not os.path.exists(d.socket)


def test_a_stale_socket_is_taken_over_a_live_one_is_not(images):
    d = skl.Daemon(images)
    try:
        d.kill9()
        assert os.path.exists(d.socket)
        d.start()
        done = program("--host", d.host, "--driver", "null", "--driver-dir", os.path.join(skl.BUILD, "plugins"), "--state-dir", d.dir + "/other")
        assert done.returncode == 1 and d.socket in done.stderr
        assert d.api.get("/_ping").status == 200
    finally:
        d.close()


# ---- TLS ----
def make_certs(directory):
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True, timeout=60)
    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{ca}-key.pem", "-out", f"{ca}.pem", "-days", "2", "-subj", f"/CN={ca}")
    for name, ca, use in (("server", "ca", "serverAuth"), ("client", "ca", "clientAuth"), ("stranger", "other", "clientAuth")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}-key.pem", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (directory / "ext").write_text(f"subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage={use}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}-key.pem", "-CAcreateserial", "-out", f"{name}.pem", "-days", "2",
                "-extfile", "ext")
    return directory


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return make_certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def tls(images, certs):
    port = skl.free_port()
    d = skl.Daemon(images, args=["--host", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", f"{certs}/ca.pem", "--tlscert", f"{certs}/server.pem",
                                 "--tlskey", f"{certs}/server-key.pem"])
    d.api.pull()
    yield d, port
    d.close()


def cli(certs, port, who, *args, input=None):
    return subprocess.run(["docker", "-H", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", f"{certs}/ca.pem", "--tlscert", f"{certs}/{who}.pem",
                           "--tlskey", f"{certs}/{who}-key.pem", *args], input=input, capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], "HOME": str(certs)})


def test_tlsverify_with_the_cli_s_own_flags(tls, certs):
    _, port = tls
    assert "API version" in cli(certs, port, "client", "version").stdout
    done = cli(certs, port, "client", "run", "-i", "--rm", "busybox", "sh", "-c", "cat; exit 3", input="x" * 300_000)
    assert done.returncode == 3 and done.stdout == "x" * 300_000
    assert cli(certs, port, "stranger", "version").returncode != 0


def test_tls_without_a_certificate_and_without_tls(tls, certs):
    d, port = tls
    context = ssl.create_default_context(cafile=f"{certs}/ca.pem")
    with pytest.raises((ssl.SSLError, OSError)):
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname="127.0.0.1") as s:
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert s.recv(100) == b"", "answered"
            raise OSError("closed")
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert not s.recv(100).startswith(b"HTTP/1.1 200")
        except ConnectionResetError:
            pass
    assert d.api.get("/_ping").status == 200


def test_old_tls_is_refused(tls, certs):
    _, port = tls
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1", "-cert", f"{certs}/client.pem", "-key", f"{certs}/client-key.pem"],
                          input="", capture_output=True, text=True, timeout=60)
    assert "Cipher is (NONE)" in done.stdout or done.returncode != 0


def test_bad_key_files_are_named(certs, tmp_path):
    done = program("--validate", "--host", "tcp://127.0.0.1:0", "--tls", "--tlscert", f"{certs}/server.pem", "--tlskey", f"{certs}/client-key.pem",
                   "--driver", "null", "--driver-dir", os.path.join(skl.BUILD, "plugins"), "--state-dir", str(tmp_path))
    assert done.returncode == 1 and "client-key.pem" in done.stderr and "PRIVATE" not in done.stderr


# ---- one request, one meaning ----
def raw(api, data, timeout=20):
    """Everything the server says to these bytes."""
    c = Conn(api.host, timeout)
    try:
        c.send(data)
        c.shut()
        return c.rest()
    finally:
        c.close()


@pytest.mark.parametrize("head", [
    b"POST /containers/prune HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
    b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: x\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /_ping HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /_ping HTTP/1.1\nHost: x\n\n",
    b"GET /_ping HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    b"GET  /_ping HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /_ping HTTP/2.0\r\nHost: x\r\n\r\n",
    b"GET /_ping HTTP/1.1\r\n\r\n",
])
def test_what_could_mean_two_things_means_nothing(api, head):
    answer = raw(api, head + b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 ")), answer[:80]
    assert answer.count(b"HTTP/1.1 ") == 1, "what follows must not be answered"


@pytest.mark.parametrize("body", [b"z\r\n", b"5\nhello\n0\n\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n", b"-1\r\n", b"5 \r\n"])
def test_broken_chunks(api, body):
    answer = raw(api, b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


# ---- limits ----
def test_the_head_s_limit(api):
    fits, over = 64 * 1024, 64 * 1024 + 1
    for size, status in ((fits, b"200"), (over, b"431")):
        start, end = b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ", b"\r\n\r\n"
        answer = raw(api, start + b"y" * (size - len(start) - len(end)) + end)
        assert answer.startswith(b"HTTP/1.1 " + status), (size, answer[:100])


def test_the_body_s_limits(api):
    def create(body):
        return api.post("/containers/create", body.encode() if isinstance(body, str) else body, headers={"Content-Type": "application/json"}, check=False)
    pad = 4 * 1024 * 1024
    text = '{"Image":"nosuch:tag","Labels":{"x":"%s"}}'
    fits = text % ("y" * (pad - len(text) + 2))
    assert len(fits) == pad and create(fits).status == 404
    a = create(fits + " ")
    assert a.status == 413 and "message" in a.json
    for depth, status in ((31, 404), (33, 400)):
        a = create('{"Image":"nosuch:tag","HostConfig":' + '{"a":' * (depth - 2) + "{}" + "}" * (depth - 2) + "}")
        assert a.status == status, (depth, a)
    assert create('{"Image":"nosuch:tag"} trailing').status == 400 and create('{"Image": nope}').status == 400 and create(b'{"Image":"\xff\xfe"}').status == 400


# ---- many connections ----
def test_two_hundred_connections_at_once(daemon, api):
    api.get("/info")
    before = daemon.fds()

    def work(i):
        with Conn(api.host) as c:
            for k in range(20):
                path = ("/_ping", "/version", "/containers/json?all=1", "/images/json", "/nosuch")[(i + k) % 5]
                a = api.request("GET", path, conn=c, check=False)
                assert a.status == (404 if path == "/nosuch" else 200)
        return 20

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert sum(pool.map(work, range(200))) == 4000
        first = daemon.rss()[0]
        assert sum(pool.map(work, range(200))) == 4000
    wait_until(lambda: daemon.fds() <= before, "descriptors to go back")
    assert daemon.sanitized() or daemon.rss()[0] < first + (2 << 20)


RUNS = 8  # of the CLI, at once


class Keepers:
    """Two hundred keep-alive connections that go on asking."""

    def __init__(self, api, count=200):
        self.api, self.over, self.asked, self.wrong = api, threading.Event(), [0] * count, []
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(count)]

    def work(self, i):
        paths = ("/_ping", "/containers/json?all=1", "/version", "/images/json")
        try:
            with Conn(self.api.host) as c:
                while not self.over.is_set():
                    a = self.api.request("GET", paths[(self.asked[i] + i) % 4], conn=c, check=False)
                    if a.status != 200:
                        self.wrong.append(a)
                    self.asked[i] += 1
                    self.over.wait(0.05)
        except OSError as e:
            self.wrong.append(e)

    def __enter__(self):
        for t in self.threads:
            t.start()
        wait_until(lambda: min(self.asked) > 0 or self.wrong, "every connection's first answer")
        return self

    def __exit__(self, *exc):
        self.over.set()
        for t in self.threads:
            t.join()


def test_the_cli_and_curl_beside_two_hundred_connections(daemon, api, docker, tmp_path):
    """No error on any of them, and all of it is given back."""
    docker("run", "--rm", "busybox", "true")
    fds, rss = daemon.fds(), daemon.rss()[0]
    urls = tmp_path / "urls"
    urls.write_text("".join(f'url = "http://d/v1.44/{p}"\noutput = "/dev/null"\n' for p in ("_ping", "info", "containers/json?all=1", "networks") for _ in range(500)))
    with Keepers(api) as keepers:
        assert daemon.fds() >= 200
        curl = subprocess.Popen(["curl", "--no-progress-meter", "--fail", "--parallel", "--parallel-max", "200", "--unix-socket", daemon.socket, "--write-out", "%{http_code}\n", "--config", str(urls)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with concurrent.futures.ThreadPoolExecutor(RUNS) as pool:
            runs = list(pool.map(lambda i: docker("run", "--rm", "busybox", "echo", f"r{i}"), range(3 * RUNS)))
        out, err = curl.communicate(timeout=120)
    assert (curl.returncode, err) == (0, "") and out.split() == ["200"] * 2000
    assert [(d.returncode, d.stdout) for d in runs] == [(0, f"r{i}\n") for i in range(3 * RUNS)]
    assert keepers.wrong == [] and min(keepers.asked) > 1
    wait_until(lambda: daemon.fds() <= fds + RUNS, "descriptors to go back")  # each run may leave a kept connection to the cloud
    assert daemon.sanitized() or daemon.rss()[0] <= rss + (1 << 20)


def test_fifty_runs_of_the_cli_at_once(daemon, docker):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        done = list(pool.map(lambda i: docker("run", "--rm", "busybox", "echo", f"r{i}"), range(50)))
    assert [(d.returncode, d.stdout) for d in done] == [(0, f"r{i}\n") for i in range(50)]


def test_a_client_that_goes_leaves_nothing(daemon, api):
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    before = daemon.fds()
    for _ in range(20):
        for path in (f"/containers/{cid}/logs?follow=1&stdout=1", "/events", f"/containers/{cid}/stats"):
            api.open("GET", path).close()
        c = api.connect()
        c.send(api.request_bytes("POST", f"/containers/{cid}/wait"))
        c.close()
    wait_until(lambda: daemon.fds() <= before, "descriptors to go back")
    api.remove(cid)


# ---- bodies larger than memory ----
def stream_up(api, cid, size, path="/big", times=1):
    """PUT archive of a file of that size, so many times over, made while it is sent."""
    import tarfile
    info = tarfile.TarInfo("big")
    info.size = size
    head = info.tobuf(tarfile.PAX_FORMAT)
    c = api.connect(600)
    body = size + (-size % 512)
    total = times * (len(head) + body) + 1024
    c.send(api.request_bytes("PUT", f"/containers/{cid}/archive?path={path}", None, {"Content-Length": str(total), "Content-Type": "application/x-tar"}))
    piece = b"\0" * (1 << 20)
    for _ in range(times):
        c.send(head)
        for at in range(0, body, len(piece)):
            c.send(piece[:body - at])
    c.send(b"\0" * 1024)
    status, _, headers = c.head()
    assert status == 200, c.body("PUT", status, headers)
    c.close()


def stream_down(api, cid, path):
    s = api.open("GET", f"/containers/{cid}/archive?path={path}", timeout=600)
    assert s.status == 200
    n = 0
    while True:
        piece = s.conn.chunk() if s.chunked else s.conn.recv(1 << 20)
        if not piece:
            return n
        n += len(piece)


@pytest.mark.parametrize("size", [256 << 20, pytest.param(4 << 30, marks=pytest.mark.slow)])
def test_archives_larger_than_memory(daemon, api, size):
    """The daemon's peak grows by less than 1 MiB, whatever passes through it, and whoever doesn't read."""
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", "mkdir /big; truncate -s %d /big/holes" % size], "AttachStdout": True}).json["Id"]
    api.hijack("POST", f"/exec/{eid}/start", {}).rest()
    stream_up(api, cid, 1)
    stream_down(api, cid, "/etc/passwd")
    before = daemon.rss()[1]
    stream_up(api, cid, 256 << 20, times=size // (256 << 20))
    assert stream_down(api, cid, "/big/holes") >= size
    s = api.open("GET", f"/containers/{cid}/archive?path=/big/holes")
    for _ in range(200):  # agent and daemon have their turns while nobody reads
        assert api.head(f"/containers/{cid}/archive?path=/etc").status == 200
    assert daemon.sanitized() or daemon.rss()[1] - before < 1 << 20
    s.close()
    api.remove(cid)


def test_a_build_s_context_is_not_kept(daemon, api):
    before = daemon.rss()[1]
    c = api.connect()
    c.send(api.request_bytes("POST", "/build", None, {"Transfer-Encoding": "chunked", "Content-Length": None, "Content-Type": "application/x-tar"}))
    answers = []
    reader = threading.Thread(target=lambda: answers.append(c.head()))
    reader.start()
    try:
        for _ in range(64):
            c.send(b"100000\r\n" + b"\0" * (1 << 20) + b"\r\n")
        c.send(b"0\r\n\r\n")
    except OSError:
        pass  # it may answer and close early
    reader.join(30)
    assert answers and answers[0][0] == 501
    assert daemon.sanitized() or daemon.rss()[1] - before < 1 << 20
    c.close()
