"""A raw client of the Docker API for tests: what a library hides (framing, half-close, heads) is visible here.

    api = Api("unix:///run/x.sock")
    answer = api.get("/containers/json?all=1")         # .status, .headers, .body, .json
    stream = api.open("GET", "/events")                # a streaming answer: .readline(), .read()
    raw = api.hijack("POST", f"/containers/{id}/attach?stream=1&stdout=1")  # .recv(), .send(), .shut()

Every JSON answer is checked against Docker's specification (tests/api/conformance.py) unless check=False.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import socket
import struct
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
import conformance  # noqa: E402

TIMEOUT = 60
SPEC = conformance.Spec()


class Answer:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def __getitem__(self, name):
        return self.headers.get(name.lower())

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        return self.json["message"]

    def lines(self):
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Conn:
    """One connection; reads heads and bodies by hand."""

    def __init__(self, host, timeout=TIMEOUT):
        kind, _, rest = host.partition("://")
        if kind == "unix":
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(rest)
        else:
            addr, _, port = rest.rpartition(":")
            self.sock = socket.create_connection((addr, int(port)), timeout)
        self.buf = b""

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def shut(self):
        """Half-close: no more input."""
        self.sock.shutdown(socket.SHUT_WR)

    def fill(self):
        data = self.sock.recv(1 << 16)
        self.buf += data
        return bool(data)

    def recv(self, n=1 << 16):
        """Up to n bytes; b'' at the end."""
        if not self.buf:
            self.fill()
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def exact(self, n):
        while len(self.buf) < n:
            if not self.fill():
                raise EOFError(f"{len(self.buf)} of {n} bytes: {self.buf!r}")
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def until(self, mark):
        while mark not in self.buf:
            if not self.fill():
                raise EOFError(f"no {mark!r} in {self.buf!r}")
        out, _, self.buf = self.buf.partition(mark)
        return out

    def rest(self):
        """Everything to the end of the connection."""
        while self.fill():
            pass
        out, self.buf = self.buf, b""
        return out

    def head(self):
        text = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        _, status, reason = (text[0] + " ").split(" ", 2)
        headers = {}
        for line in text[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(status), reason.strip(), headers

    def chunk(self):
        """One chunk of a chunked body; b'' is the last."""
        n = int(self.until(b"\r\n").split(b";")[0], 16)
        data = self.exact(n)
        self.until(b"\r\n")
        return data

    def body(self, method, status, headers):
        if method == "HEAD" or status in (101, 204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(iter(self.chunk, b""))
        if "content-length" in headers:
            return self.exact(int(headers["content-length"]))
        return self.rest()

    # ---- frames of the multiplexed stream ----
    def frame(self):
        """(stream, payload), or None at the end."""
        while len(self.buf) < 8:
            if not self.fill():
                if self.buf:
                    raise EOFError(f"half a frame header: {self.buf!r}")
                return None
        kind, n = struct.unpack(">BxxxI", self.buf[:8])
        self.buf = self.buf[8:]
        return kind, self.exact(n)

    def frames(self):
        return list(iter(self.frame, None))


class Stream:
    """A streaming answer, chunked or close-delimited."""

    def __init__(self, conn, status, headers):
        self.conn, self.status, self.headers = conn, status, headers
        self.chunked = headers.get("transfer-encoding") == "chunked"
        self.data, self.ended = b"", False

    def _more(self):
        piece = self.conn.chunk() if self.chunked else self.conn.recv()
        self.ended = not piece
        self.data += piece
        return bool(piece)

    def readline(self):
        while b"\n" not in self.data and self._more():
            pass
        line, sep, self.data = self.data.partition(b"\n")
        return line + sep

    def json(self):
        """The next JSON line, or None at the end."""
        line = self.readline()
        return json.loads(line) if line.strip() else None

    def read(self):
        pieces = [self.data]
        self.data = b""
        while self._more():
            pieces.append(self.data)
            self.data = b""
        return b"".join(pieces)

    def close(self):
        self.conn.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Api:
    def __init__(self, host, version="1.44"):
        self.host, self.version = host, version

    def path(self, path):
        return path if self.version is None or path.startswith("/v1.") else f"/v{self.version}{path}"

    def connect(self, timeout=TIMEOUT):
        return Conn(self.host, timeout)

    def request_bytes(self, method, path, body=None, headers=None):
        lines = {"Host": "docker"}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            lines["Content-Type"] = "application/json"
        if body is not None:
            lines["Content-Length"] = str(len(body))
        elif method in ("POST", "PUT"):
            lines["Content-Length"] = "0"
        lines.update(headers or {})
        head = "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v is not None)
        return f"{method} {self.path(path)} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")

    def request(self, method, path, body=None, headers=None, check=True, conn=None, timeout=TIMEOUT):
        c = conn or self.connect(timeout)
        try:
            c.send(self.request_bytes(method, path, body, headers))
            status, reason, heads = c.head()
            while status == 100:
                status, reason, heads = c.head()
            data = c.body(method, status, heads)
        finally:
            if conn is None:
                c.close()
        answer = Answer(status, reason, heads, data)
        SPEC.note(method, urllib.parse.unquote(path), status)
        if check:
            self._check(method, path, answer)
        return answer

    def _check(self, method, path, answer):
        value = None
        if answer["content-type"] == "application/json" and answer.body:
            try:
                value = answer.json
            except ValueError:
                value = None  # a stream of lines
        SPEC.check(method, urllib.parse.unquote(path), answer.status, value)

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def put(self, path, body=None, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def head(self, path, **kw):
        return self.request("HEAD", path, **kw)

    def open(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        c = self.connect(timeout)
        c.send(self.request_bytes(method, path, body, headers))
        status, _, heads = c.head()
        SPEC.note(method, path, status)
        return Stream(c, status, heads)

    def hijack(self, method, path, body=None, upgrade=True, headers=None, expect=None, timeout=TIMEOUT):
        """The connection behind a 101 (or, with upgrade=False, a close-delimited 200)."""
        c = self.connect(timeout)
        extra = {"Connection": "Upgrade", "Upgrade": "tcp"} if upgrade else {}
        extra.update(headers or {})
        c.send(self.request_bytes(method, path, body, extra))
        c.status, c.reason, c.headers = c.head()
        SPEC.note(method, path, c.status)
        want = expect or (101 if upgrade else 200)
        if c.status != want:
            raise AssertionError(f"{method} {path}: {c.status} {c.body(method, c.status, c.headers)!r}")
        return c

    # ---- shorthands ----
    def create(self, image="busybox", name=None, ok=True, **config):
        config["Image"] = image
        query = f"?name={name}" if name else ""
        answer = self.post(f"/containers/create{query}", config)
        if ok and answer.status != 201:
            raise AssertionError(f"create: {answer!r}")
        return answer.json["Id"] if ok else answer

    def start(self, cid):
        answer = self.post(f"/containers/{cid}/start")
        if answer.status != 204:
            raise AssertionError(f"start: {answer!r}")

    def wait(self, cid, condition="not-running"):
        return self.post(f"/containers/{cid}/wait?condition={condition}").json["StatusCode"]

    def inspect(self, cid):
        return self.get(f"/containers/{cid}/json").json

    def remove(self, cid, force=True, volumes=False):
        return self.delete(f"/containers/{cid}?force={int(force)}&v={int(volumes)}")

    def pull(self, ref="busybox:latest"):
        name, _, tag = ref.rpartition(":")
        return self.post(f"/images/create?fromImage={name}&tag={tag}")


def wait_until(test, what="condition", timeout=TIMEOUT):
    """Polls until test() is true; its value."""
    end = time.monotonic() + timeout
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.01)


def demux(frames):
    """{1: stdout bytes, 2: stderr bytes}"""
    out = {1: b"", 2: b""}
    for kind, data in frames:
        out[kind] += data
    return out
