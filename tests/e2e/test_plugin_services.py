"""The services that the host lends a driver, tried by a driver out of tree (tests/abi/services.c): storage, HTTP, threads, timers.

SPDX-License-Identifier: Apache-2.0
"""
import http.server
import os
import ssl
import threading
import time

import pytest

import drivers
import skl


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"x" * int(self.path.rpartition("/")[2])
        self.server.release.wait(skl.TIMEOUT if "/later/" in self.path else 0)
        self.send_response(self.status())
        if "after" in self.path:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Test", "a value")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def status(self):
        """/now/STATUS-first-N/...: that for the first N requests of the path, then 200."""
        for part in self.path.split("/"):
            status, _, n = part.partition("-first-")
            if n:
                return int(status) if sum(path == self.path for _, path, _ in self.server.seen) <= int(n) else 200
        return 404 if "missing" in self.path else 200

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    s.seen, s.release, s.daemon_threads = [], threading.Event(), True
    s.url = f"http://127.0.0.1:{s.server_address[1]}"
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield s
    s.release.set()
    s.shutdown()
    s.server_close()


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """The driver under two names."""
    top = tmp_path_factory.mktemp("services")
    prefix = drivers.installed(str(top / "dest"))
    d = drivers.private_dir(top / "drivers")
    for name in ("services", "other"):
        drivers.build(prefix, "services.c", os.path.join(d, name + ".so"), f'-DNAME="{name}"')
    return d


@pytest.fixture(scope="module")
def two(plugins, images):
    daemon = skl.Daemon(images, simulator=False, args=["--driver", "services", "--driver-dir", plugins])
    daemon.faults_expected = True  # the storage limits
    daemon.api.pull()
    yield daemon
    daemon.close()


def ask(d, *words, runtime="services"):
    answer = d.api.post("/containers/create", {"Image": "busybox", "Cmd": list(map(str, words)), "HostConfig": {"Runtime": runtime}})
    assert answer.status == 201, answer
    d.api.delete(f"/containers/{answer.json['Id']}")
    text, = answer.json["Warnings"]
    return text


# ---- storage ----
def test_storage_survives_and_is_private(two):
    assert ask(two, "kv-get", "a") == "absent"
    assert ask(two, "kv-put", "a", "one") == "stored" and ask(two, "kv-put", "b", "") == "stored"
    assert ask(two, "kv-put", "a", "other's", runtime="other") == "stored"
    two.kill9()
    two.start()
    assert ask(two, "kv-get", "a") == "3 bytes: one" and ask(two, "kv-get", "b") == "0 bytes: "
    assert ask(two, "kv-get", "a", runtime="other") == "7 bytes: other's" and ask(two, "kv-get", "b", runtime="other") == "absent"
    assert ask(two, "kv-delete", "a") == "stored" and ask(two, "kv-get", "a") == "absent"
    assert ask(two, "kv-get", "a", runtime="other") == "7 bytes: other's"


def test_storage_limits(two):
    assert ask(two, "kv-put-size", "big", 65536) == "stored" and ask(two, "kv-get", "big").startswith("65536 bytes: vvv")
    assert ask(two, "kv-put-size", "big", 65537) != "stored"
    assert ask(two, "kv-get", "big").startswith("65536 bytes: "), "the old value stays"
    assert ask(two, "kv-put", "k" * 256, "v") == "stored"
    assert ask(two, "kv-put", "k" * 257, "v") != "stored"


# ---- HTTP ----
def test_http(two, server):
    assert ask(two, "http", "GET", server.url + "/now/10", 0, 0) == "status=200 len=10 truncated=0 sent=1 header=a value kind=0"
    assert ask(two, "http", "GET", server.url + "/now/missing/3", 0, 0).startswith("status=404 len=3 ")
    assert ask(two, "http", "POST", server.url + "/now/0", 0, 0).startswith("status=200 len=4 ")
    method, path, headers = server.seen[-1]
    assert (method, path, headers["X-Sent"], headers["Content-Length"]) == ("POST", "/now/0", "yes", "4")


def test_http_response_cap(two, server):
    assert ask(two, "http", "GET", server.url + "/now/5000", 0, 100).startswith("status=200 len=100 truncated=1 ")


def test_http_deadline(two, server):
    began = time.monotonic()
    assert ask(two, "http", "GET", server.url + "/later/1", 300, 0) == "status=0 len=0 truncated=0 sent=1 header=- kind=11"
    assert time.monotonic() - began >= 0.3


def test_http_cancel(two, server):
    assert ask(two, "http-cancel", server.url + "/later/1").endswith("header=- kind=10")


@pytest.mark.parametrize("method,path,answer", [
    ("GET", "503-first-2/after/1/1", "status=200 attempts=3"),
    ("GET", "503-first-2/1", "status=200 attempts=3"),
    ("POST", "429-first-1/2", "status=200 attempts=2"),   # refused, not begun
    ("POST", "503-first-1/after/3", "status=503 attempts=1"),  # it may have been done
    ("GET", "404-first-1/4", "status=404 attempts=1"),
    ("GET", "500-first-9/after/5", "status=500 attempts=4"),
])
def test_http_retries(two, server, method, path, answer):
    assert ask(two, "http-retry", method, f"{server.url}/now/{path}", 4) == answer


def test_http_retries_where_nobody_is(two):
    assert ask(two, "http-retry", "POST", f"http://127.0.0.1:{skl.free_port()}/", 3) == "status=0 attempts=3"


def test_http_nobody_there(two):
    port = skl.free_port()
    assert ask(two, "http", "GET", f"http://127.0.0.1:{port}/", 0, 0) == "status=0 len=0 truncated=0 sent=0 header=- kind=9"


@pytest.mark.parametrize("url", ["nonsense", "file:///etc/passwd", "ftp://127.0.0.1/x", ""])
def test_http_refuses_what_is_not_http(two, url):
    answer = ask(two, "http", "GET", url or " ", 0, 0)
    assert answer.startswith("refused: ") or (answer.startswith("status=0 ") and "kind=0" not in answer)


def test_http_proxy(plugins, images, server):
    """The environment's proxy is used, but for loopback and what no_proxy names."""
    d = skl.Daemon(images, simulator=False, args=["--driver", "services", "--driver-dir", plugins],
                   env={"http_proxy": server.url, "no_proxy": "direct.invalid"})
    try:
        d.api.pull()
        assert ask(d, "http", "GET", "http://cloud.invalid/now/7", 0, 0).startswith("status=200 len=7 ")
        assert server.seen[-1][1] == "http://cloud.invalid/now/7", "the proxy is asked with the whole URL"
        assert ask(d, "http", "GET", server.url + "/now/8", 0, 0).startswith("status=200 len=8 ")
        assert server.seen[-1][1] == "/now/8"
        assert ask(d, "http", "GET", "http://direct.invalid/now/9", 5000, 0).startswith("status=0 ")
    finally:
        d.close()


def test_https_with_an_unknown_certificate(two, tmp_path):
    """TLS is verified: a server that anybody may be gets no request."""
    key, cert = str(tmp_path / "key"), str(tmp_path / "cert")
    drivers.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                 "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    s.seen, s.release, s.daemon_threads = [], threading.Event(), True
    s.handle_error = lambda *args: None  # the client goes away in the handshake: so it should
    s.socket = context.wrap_socket(s.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    try:
        answer = ask(two, "http", "GET", f"https://127.0.0.1:{s.server_address[1]}/now/1", 20000, 0)
        assert answer.startswith("status=0 ") and " sent=0 " in answer and not answer.endswith("kind=0")
        assert s.seen == []
    finally:
        s.shutdown()
        s.server_close()


# ---- threads, timers, the rest ----
@pytest.mark.parametrize("how", ["work", "post"])
def test_threads(two, how):
    assert ask(two, how, 200) == "200 done"


def test_timers(two):
    assert ask(two, "timers") == "first second"


def test_what_the_host_tells(two):
    answer = ask(two, "host")
    assert answer.startswith("abi=1.") and answer.endswith("random=1 year=1 deadline=1") and "version=" in answer


def test_log_carries_the_drivers_name(two):
    ask(two, "work", 1)
    assert any("services" in line and line.endswith("working") for line in two.log().splitlines())
