"""How sockerless-agent dials: TLS with a CA file of ours, proxies from the environment. The agent runs as a function does ($PORT), the daemon is a
server of the test's that looks at the dial and refuses it for good.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

import skl
from dockerapi import wait_until
from test_server import make_certs

TOKEN = "f" * 64


class Callback:
    """Takes dials, remembers their heads, answers 403."""

    def __init__(self, tls=None, address="127.0.0.1"):
        self.listener = socket.create_server((address, 0))
        self.port, self.tls, self.heads, self.names = self.listener.getsockname()[1], tls, [], []
        if tls:
            tls.sni_callback = lambda s, name, ctx: self.names.append(name)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            try:
                s.settimeout(20)
                s = self.tls.wrap_socket(s, server_side=True) if self.tls else s
                self.heads.append(read_head(s))
                s.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\nseen it: no.\n")
                s.close()
            except OSError:
                s.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read_head(s):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(4096)
        if not piece:
            break
        data += piece
    return data.decode()


class ConnectProxy:
    """CONNECT alone; every name leads to 127.0.0.1."""

    def __init__(self, answer="200 OK"):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.heads, self.answer = self.listener.getsockname()[1], [], answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            head = read_head(s)
            self.heads.append(head)
            s.sendall(f"HTTP/1.1 {self.answer}\r\n\r\n".encode())
            if not self.answer.startswith("200"):
                s.close()
                continue
            far = socket.create_connection(("127.0.0.1", int(head.split()[1].rpartition(":")[2])))
            for a, b in ((s, far), (far, s)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass(a, b):
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def invoke(url, **env):
    """(status, body) of an invocation by an agent that dials `url`."""
    port = skl.free_port()
    process = subprocess.Popen([skl.program("sockerless-agent")], stdin=subprocess.DEVNULL, env={
        "PATH": os.environ["PATH"], "PORT": str(port), "SOCKERLESS_CONTAINER_ID": "c" * 64, "SOCKERLESS_AGENT_TOKEN": TOKEN,
        "SOCKERLESS_AGENT_CALLBACK_URL": url, "SOCKERLESS_CONNECT_TIMEOUT": "2s", **env})
    try:
        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_until(up, "the agent to listen")
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", b"", method="POST"), timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return make_certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def secure(certs):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "server.pem", certs / "server-key.pem")
    c = Callback(context)
    yield c
    c.close()


@pytest.fixture
def plain():
    c = Callback()
    yield c
    c.close()


def seen(callback):
    """The head of the one dial, which has to be in order."""
    (head,) = callback.heads
    assert head.startswith("GET /prefix/v1/agent?container=" + "c" * 64 + " HTTP/1.1\r\n") and f"Authorization: Bearer {TOKEN}\r\n" in head
    return head


def test_tls_with_a_given_ca_file(secure, certs):
    status, body = invoke(f"https://localhost:{secure.port}/prefix", SOCKERLESS_CA_FILE=str(certs / "ca.pem"))
    assert status == 502 and "seen it: no." in body["message"] and f"https://localhost:{secure.port}/prefix" in body["message"]
    assert f"Host: localhost:{secure.port}\r\n" in seen(secure) and secure.names == ["localhost"]
    assert TOKEN not in json.dumps(body)


@pytest.mark.parametrize("host,ca,reason", [
    ("localhost", "other.pem", "the certificate is not accepted"), ("localhost", None, "the certificate is not accepted"),
    ("localhost", "nosuch.pem", "SOCKERLESS_CA_FILE"), ("localhost", "server-key.pem", "SOCKERLESS_CA_FILE"),
])
def test_certificates_that_are_not_accepted(secure, certs, host, ca, reason):
    status, body = invoke(f"https://{host}:{secure.port}/prefix", **({"SOCKERLESS_CA_FILE": str(certs / ca)} if ca else {}))
    assert status in (502, 504) and secure.heads == []  # the token went nowhere
    assert reason in body["message"], body


def test_a_certificate_for_somebody_else(certs):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "server.pem", certs / "server-key.pem")
    other = Callback(context, "127.0.0.2")
    status, body = invoke(f"https://127.0.0.2:{other.port}/prefix", SOCKERLESS_CA_FILE=str(certs / "ca.pem"))
    assert status == 504 and "the certificate is not accepted: IP address mismatch" in body["message"] and other.heads == []
    other.close()


def test_a_certificate_for_an_address(secure, certs):
    assert invoke(f"wss://127.0.0.1:{secure.port}/prefix/", SOCKERLESS_CA_FILE=str(certs / "ca.pem"))[0] == 502
    seen(secure)


@pytest.fixture
def proxy():
    p = ConnectProxy()
    yield p
    p.close()


def test_a_proxy_for_https(certs, proxy, tmp_path):
    """The proxy resolves the name, and sees no more than it; the certificate is the other end's."""
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "far-key.pem", "-out", "far.csr", "-subj", "/CN=far"], cwd=certs, check=True, capture_output=True)
    (certs / "far-ext").write_text("subjectAltName=DNS:agents.example.invalid\n")
    subprocess.run(["openssl", "x509", "-req", "-in", "far.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-out", "far.pem", "-days", "2", "-extfile",
                    "far-ext"], cwd=certs, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "far.pem", certs / "far-key.pem")
    far = Callback(context)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        far.heads.clear()
        proxy.heads.clear()
        status, body = invoke(f"https://agents.example.invalid:{far.port}/prefix", SOCKERLESS_CA_FILE=str(certs / "ca.pem"),
                              **{name: f"http://us%65r:pass%20word@127.0.0.1:{proxy.port}", "HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "other.invalid"})
        assert status == 502 and "seen it: no." in body["message"]
        seen(far)
        (head,) = proxy.heads
        credentials = base64.b64encode(b"user:pass word").decode()
        assert head.startswith(f"CONNECT agents.example.invalid:{far.port} HTTP/1.1\r\n") and f"Proxy-Authorization: Basic {credentials}\r\n" in head
        assert TOKEN not in head
    far.close()


def test_a_proxy_for_http(plain, proxy):
    status, body = invoke(f"http://agents.example.invalid:{plain.port}/prefix", HTTP_PROXY=f"http://127.0.0.1:{proxy.port}", HTTPS_PROXY="http://127.0.0.1:1")
    assert status == 502 and "seen it: no." in body["message"] and len(proxy.heads) == 1
    assert f"Host: agents.example.invalid:{plain.port}\r\n" in seen(plain)


def test_an_address_of_version_6_through_a_proxy(plain, proxy):
    assert invoke(f"http://[2001:db8::7]:{plain.port}/prefix", HTTP_PROXY=f"http://127.0.0.1:{proxy.port}")[0] == 502
    assert proxy.heads[0].startswith(f"CONNECT [2001:db8::7]:{plain.port} HTTP/1.1\r\n") and f"Host: [2001:db8::7]:{plain.port}\r\n" in seen(plain)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_loopback_needs_no_proxy(plain, host):
    assert invoke(f"http://{host}:{plain.port}/prefix", http_proxy="http://127.0.0.1:1")[0] == 502
    seen(plain)


@pytest.mark.parametrize("rule,direct", [("agents.example.invalid", True), (".example.invalid", True), ("example.invalid", True), ("*", True), ("x.invalid, EXAMPLE.invalid", True),
                                         ("ample.invalid", False), ("agents.example.invalid.com", False), ("", False)])
def test_no_proxy(plain, proxy, rule, direct):
    """The name leads nowhere: it is the proxy that knows it."""
    status, body = invoke(f"http://agents.example.invalid:{plain.port}/prefix", http_proxy=f"http://127.0.0.1:{proxy.port}", no_proxy=rule, SOCKERLESS_CONNECT_TIMEOUT="1s")
    assert (len(proxy.heads) == 0) == direct and (len(plain.heads) == 0) == direct
    assert not direct or (status == 504 and "resolving" in body["message"]), body


def test_a_proxy_that_refuses():
    proxy = ConnectProxy("407 Proxy Authentication Required")
    status, body = invoke("https://agents.example.invalid/prefix", HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
    assert status in (502, 504) and "the proxy refuses: HTTP/1.1 407 Proxy Authentication Required" in body["message"]
    proxy.close()


def test_a_proxy_that_is_not_there():
    status, body = invoke("https://agents.example.invalid/prefix", HTTPS_PROXY="http://127.0.0.1:1")
    assert status == 504 and "connecting: Connection refused" in body["message"]


# ---- with a daemon ----
def test_a_daemon_whose_agents_trust_its_ca(images, certs):
    """agent.ca-file reaches the agent with the function: no file in the image, no proxy that ends TLS."""
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "sim-key.pem", "-out", "sim.csr", "-subj", "/CN=sim"], cwd=certs, check=True, capture_output=True)
    (certs / "sim-ext").write_text("subjectAltName=DNS:host.sockerless.internal\n")
    subprocess.run(["openssl", "x509", "-req", "-in", "sim.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-out", "sim.pem", "-days", "2", "-extfile", "sim-ext"],
                   cwd=certs, check=True, capture_output=True)
    tls = ["--agent-tls-cert", str(certs / "sim.pem"), "--agent-tls-key", str(certs / "sim-key.pem")]
    d = skl.Daemon(images, args=[*tls, "--agent-ca-file", str(certs / "ca.pem")])
    d.api.pull()
    assert d.docker("run", "--rm", "-i", "busybox", "sh", "-c", "cat; exit 3", input="over TLS").stdout == "over TLS"
    large = {f"V{i}": "x" * 1000 for i in range(20)}  # more than what a function's environment takes: it comes over the link, the CA does not
    options = [o for k, v in large.items() for o in ("-e", f"{k}={v}")]
    assert d.docker("run", "--rm", *options, "busybox", "sh", "-c", "echo ${#V19}").stdout == "1000\n"
    d.close()
    d = skl.Daemon(images, args=[*tls, "--agent-ca-file", str(certs / "other.pem"), "--agent-connect-timeout", "2s"])
    d.api.pull()
    done = d.docker("run", "--rm", "busybox", "true")
    assert done.returncode == 125 and "certificate is not accepted" in done.stderr, done
    d.close()


def test_a_bad_ca_file(images, certs):
    for name, text in (("nosuch.pem", "No such file"), ("server-key.pem", "holds no certificate")):
        done = subprocess.run([skl.program("sockerlessd"), "--host", f"unix://{certs}/s", "--state-dir", str(certs / "state"), "--driver-dir", os.path.join(skl.BUILD, "plugins"),
                               "--agent-ca-file", str(certs / name)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "agent.ca-file" in done.stderr and text in done.stderr
