"""POST /connect of sockerless-agent: TCP tunnels, through an HTTP/2 library that is not ours (python3-h2).

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import os
import socket
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest

from dockerapi import wait_until
from test_agent_alone import Agent

WINDOW = 65_535  # HTTP/2's own default: what this side lets come before it says so


class Tunnel:
    """One connection to the agent with one tunnel."""

    def __init__(self, agent, query):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(agent.socket)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(self.id, [(":method", "POST"), (":path", "/connect" + query), (":scheme", "http"), (":authority", "agent")])
        self.status, self.data, self.ended, self.reset, self.owed = None, b"", False, None, 0
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def step(self):
        data = self.sock.recv(1 << 16)
        assert data, "the agent closed the connection"
        for e in self.h2.receive_data(data):
            if isinstance(e, h2.events.ResponseReceived):
                self.status = int(dict(e.headers)[":status"])
            elif isinstance(e, h2.events.DataReceived):
                self.data += e.data
                self.owed += e.flow_controlled_length
            elif isinstance(e, h2.events.StreamEnded):
                self.ended = True
            elif isinstance(e, h2.events.StreamReset):
                self.reset = e.error_code
        self.flush()

    def until(self, test):
        while not test():
            self.step()
        return self

    def opened(self):
        self.until(lambda: self.status is not None)
        assert self.status == 200, self.message()
        return self

    def message(self):
        return json.loads(self.until(lambda: self.ended or self.reset is not None).data)["message"]

    def take(self):
        """What came; and the agent may send as much again."""
        out, self.data = self.data, b""
        if self.owed and not self.ended:
            self.h2.increment_flow_control_window(self.owed)
            self.h2.increment_flow_control_window(self.owed, self.id)
            self.owed = 0
            self.flush()
        return out

    def room(self):
        return min(self.h2.local_flow_control_window(self.id), self.h2.max_outbound_frame_size)

    def send(self, data, end=False):
        while data:
            self.until(lambda: self.room() > 0)
            piece, data = data[:self.room()], data[self.room():]
            self.h2.send_data(self.id, piece)
            self.flush()
        if end:
            self.h2.end_stream(self.id)
            self.flush()

    def read_to_end(self):
        out = b""
        while not (self.ended and not self.data):
            out += self.take()
            if not self.ended:
                self.step()
        return out

    def close(self):
        self.sock.close()


class Server:
    """One TCP connection taken on loopback."""

    def __init__(self, serve, family=socket.AF_INET):
        self.listener = socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(serve,), daemon=True)
        self.thread.start()

    def _run(self, serve):
        s, _ = self.listener.accept()
        s.settimeout(60)
        try:
            self.result = serve(s)
        except OSError as e:
            self.result = e

    def done(self):
        self.thread.join(60)
        self.listener.close()
        return self.result


def read_all(s):
    return b"".join(iter(lambda: s.recv(1 << 16), b""))


@pytest.fixture
def agent(tmp_path):
    a = Agent(str(tmp_path))
    yield a
    a.close()


def test_both_ways_and_half_close(agent):
    def serve(s):
        s.sendall(b"hello\n")
        got = read_all(s)
        s.sendall(b"got " + got)
        s.close()
        return got
    server = Server(serve)
    t = Tunnel(agent, f"?port={server.port}").opened()
    t.until(lambda: t.data == b"hello\n")
    t.take()
    t.send(b"words", end=True)
    assert t.read_to_end() == b"got words" and server.done() == b"words"
    t.close()


def test_the_other_side_ends_first(agent):
    def serve(s):
        s.sendall(b"bye")
        s.shutdown(socket.SHUT_WR)
        return read_all(s)
    server = Server(serve)
    t = Tunnel(agent, f"?port={server.port}").opened()
    assert t.read_to_end() == b"bye"
    t.send(b"one more word", end=True)
    assert server.done() == b"one more word"
    t.close()


def test_words_before_the_connection_is_there(agent):
    server = Server(read_all)
    t = Tunnel(agent, f"?port={server.port}")
    t.send(b"early", end=True)
    t.opened()
    assert server.done() == b"early"
    t.close()


@pytest.mark.parametrize("size", [8 << 20])
def test_many_bytes_both_ways_at_once(agent, size):
    data = os.urandom(1 << 20) * (size >> 20)

    def serve(s):
        threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True).start()
        return hashlib.sha256(read_all(s)).hexdigest()
    server = Server(serve)
    t = Tunnel(agent, f"?port={server.port}").opened()
    got = hashlib.sha256()
    at = n = 0
    while at < size or not t.ended:
        piece = data[at:at + max(0, min(t.room(), 1 << 16))] if at < size else b""
        if piece:
            t.h2.send_data(t.id, piece)
            at += len(piece)
            if at == size:
                t.h2.end_stream(t.id)
            t.flush()
        t.sock.setblocking(False)
        try:
            t.step()
        except BlockingIOError:
            time.sleep(0.0005)
        finally:
            t.sock.settimeout(60)
        out = t.take()
        got.update(out)
        n += len(out)
    assert n == size and got.hexdigest() == hashlib.sha256(data).hexdigest() == server.done()
    t.close()


def test_a_slow_reader_holds_the_sender(agent):
    """Nothing is taken from the socket beyond the stream's window, and nothing grows."""
    sent = [0]

    def serve(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        s.settimeout(None)
        for _ in range(4096):
            sent[0] += s.send(bytes(1 << 14))
        s.shutdown(socket.SHUT_WR)
        return sent[0]
    server = Server(serve)
    t = Tunnel(agent, f"?port={server.port}").opened()
    t.until(lambda: len(t.data) >= WINDOW)
    last = -1
    while sent[0] != last:  # until the sender stands still
        last = sent[0]
        time.sleep(0.3)
    assert len(t.data) == WINDOW and sent[0] < 64 << 20
    assert len(t.read_to_end()) == 4096 << 14
    server.done()
    t.close()


def test_a_slow_server_holds_us(agent):
    go = threading.Event()

    def serve(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        go.wait(60)
        return len(read_all(s))
    server = Server(serve)
    t = Tunnel(agent, f"?port={server.port}").opened()
    t.sock.settimeout(1)
    sent = 0
    with pytest.raises(TimeoutError):  # no window update comes any more
        while sent < 64 << 20:
            t.until(lambda: t.room() > 0)
            n = t.room()
            t.h2.send_data(t.id, bytes(n))
            sent += n
            t.flush()
    assert sent < 16 << 20
    t.sock.settimeout(60)
    go.set()
    t.send(b"", end=True)
    assert server.done() == sent
    t.close()


def test_refused(agent):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    t = Tunnel(agent, f"?port={port}")
    t.until(lambda: t.status is not None)
    assert t.status == 502 and t.message() == f"connecting to ::1 port {port}: Connection refused"
    t.close()
    t = Tunnel(agent, f"?port={port}&host=127.0.0.1")
    t.until(lambda: t.status is not None)
    assert t.status == 502 and t.message() == f"connecting to 127.0.0.1 port {port}: Connection refused"
    t.close()


@pytest.mark.parametrize("query,status,text", [
    ("", 400, "port has to be a number"), ("?port=0", 400, "port has to be"), ("?port=65536", 400, "port has to be"), ("?port=x", 400, "port has to be"),
    ("?port=1&host=no.such.name", 404, "no.such.name is no address, and /etc/hosts"),
])
def test_bad_requests(agent, query, status, text):
    t = Tunnel(agent, query)
    t.until(lambda: t.status is not None)
    assert t.status == status and text in t.message()
    t.close()


def test_names_and_the_second_address(agent):
    for host, family in (("localhost", socket.AF_INET), ("::1", socket.AF_INET6), (None, socket.AF_INET6)):
        server = Server(read_all, family)
        t = Tunnel(agent, f"?port={server.port}" + (f"&host={host}" if host else "")).opened()
        t.send(b"x", end=True)
        assert server.done() == b"x"
        t.close()


def test_resets_pass_both_ways(agent):
    def reset(s):
        s.recv(1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    server = Server(reset)
    t = Tunnel(agent, f"?port={server.port}").opened()
    t.send(b"x")
    t.until(lambda: t.reset is not None)
    assert not t.ended
    server.done()
    t.close()
    server = Server(read_all)
    t = Tunnel(agent, f"?port={server.port}").opened()
    t.send(b"x")
    t.h2.reset_stream(t.id)
    t.flush()
    assert isinstance(server.done(), ConnectionResetError)
    t.close()


def test_a_client_that_goes_leaves_nothing(agent):
    fds = f"/proc/{agent.process.pid}/fd"
    before = len(os.listdir(fds))
    for _ in range(20):
        server = Server(read_all)
        t = Tunnel(agent, f"?port={server.port}").opened()
        t.send(b"x")
        t.close()
        assert server.done() is not None
    wait_until(lambda: len(os.listdir(fds)) == before, "the descriptors to go")
