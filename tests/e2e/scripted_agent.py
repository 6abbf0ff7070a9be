"""An agent that is none of ours: it dials the daemon with the container's own token and does what the test says. HTTP/2 comes from
python3-h2, the WebSocket is by hand.

    a = ScriptedAgent(port, cid, token)         # dials; .status is 101
    a.answers["GET", "/hello"] = hello()        # (status, headers, body) or a function of (agent, stream, path)
    a.serve_until(lambda: ...)                  # in this thread; or a.serve() in one of its own

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import os
import select
import socket
import struct
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

STDOUT, STDERR, EXIT = 1, 2, 3


def record(kind, payload):
    return struct.pack(">BxxxIq", kind, len(payload), time.time_ns()) + payload


def exited(code, reason=b""):
    return record(EXIT, struct.pack(">iiI", code, 0, 0) + reason)


def hello(state="idle", run=0, execs=(), **more):
    return {"protocol": 1, "version": "0", "process": {"state": state, "run": run, "input_taken": 0, "input_open": True, **more}, "execs": list(execs)}


class ScriptedAgent:
    def __init__(self, port, cid, token, boot="b" * 32, link=1):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.sock.sendall((f"GET /v1/agent?container={cid} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nAuthorization: Bearer {token}\r\n"
                           f"Sockerless-Boot-Id: {boot}\r\nSockerless-Link: {link}\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.sock.recv(4096)
            if not piece:
                break
            head += piece
        head, _, self.raw = head.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.answers = {("GET", "/hello"): hello(), ("DELETE", "/exec"): (204, {}, b"")}
        self.asked, self.bodies, self.closed, self.queue = [], {}, False, {}
        self.lock = threading.RLock()
        if self.status == 101:
            self.h2.initiate_connection()
            self.flush()

    # ---- WebSocket ----
    def frame(self, data, opcode=2):
        mask = os.urandom(4)
        n = len(data)
        size = struct.pack(">B", 0x80 | n) if n < 126 else struct.pack(">BH", 0x80 | 126, n) if n < 1 << 16 else struct.pack(">BQ", 0x80 | 127, n)
        key = (mask * (n // 4 + 1))[:n]
        body = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big") if n else b""
        self.sock.sendall(bytes([0x80 | opcode]) + size + mask + body)

    def flush(self):
        data = self.h2.data_to_send()
        for at in range(0, len(data), 1 << 15):
            self.frame(data[at:at + (1 << 15)])

    def message(self):
        """The next frame's (opcode, payload), or None when it is not whole yet."""
        if len(self.raw) < 2:
            return None
        n, at = self.raw[1] & 127, 2
        if n == 126:
            n, at = int.from_bytes(self.raw[2:4], "big"), 4
        elif n == 127:
            n, at = int.from_bytes(self.raw[2:10], "big"), 10
        if len(self.raw) < at + n:
            return None
        opcode, payload, self.raw = self.raw[0] & 15, self.raw[at:at + n], self.raw[at + n:]
        return opcode, payload

    # ---- HTTP/2 ----
    def respond(self, stream, status, headers=(), body=b"", end=True):
        with self.lock:
            self.h2.send_headers(stream, [(":status", str(status)), *dict(headers).items()], end_stream=end and not body)
            if body:
                self.data(stream, body, end)
            self.flush()

    def data(self, stream, body, end=False):
        """As the daemon's windows allow; the rest follows."""
        with self.lock:
            left, _ = self.queue.get(stream, (b"", False))
            self.queue[stream] = (left + body, end)
            self.pump()

    def pump(self):
        for stream, (body, end) in list(self.queue.items()):
            try:
                while body and (n := min(len(body), self.h2.local_flow_control_window(stream), 16384)):
                    self.h2.send_data(stream, body[:n])
                    body = body[n:]
                if end and not body:
                    self.h2.end_stream(stream)
            except h2.exceptions.ProtocolError:  # reset meanwhile
                body = b""
            self.queue[stream] = (body, end)
            if not body:
                del self.queue[stream]
        self.flush()

    def reset(self, stream):
        with self.lock:
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.flush()

    def _request(self, stream, headers):
        headers = dict(headers)
        method, path = headers[":method"], headers[":path"]
        self.asked.append((method, path))
        plain = path.partition("?")[0]
        answer = self.answers.get((method, plain)) or (self.answers.get((method, "/exec")) if plain.startswith("/exec/") else None)
        if answer is None:
            self.respond(stream, 404, {}, b'{"message":"not in the script"}')
        elif callable(answer):
            answer(self, stream, path)
        elif isinstance(answer, tuple):
            self.respond(stream, *answer)
        else:
            self.respond(stream, 200, {"content-type": "application/json"}, json.dumps(answer).encode())

    def step(self, timeout=0.05):
        if not select.select([self.sock], [], [], timeout)[0]:
            return
        try:
            data = self.sock.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        self.raw += data
        while (m := self.message()) is not None:
            if m[0] == 8:
                self.closed = True
            elif m[0] == 2:
                self._feed(m[1])
        with self.lock:
            self.pump()

    def _feed(self, data):
        with self.lock:
            for e in self.h2.receive_data(data):
                if isinstance(e, h2.events.RequestReceived):
                    self._request(e.stream_id, e.headers)
                elif isinstance(e, h2.events.DataReceived):
                    self.bodies[e.stream_id] = self.bodies.get(e.stream_id, b"") + e.data
                    self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)

    def serve_until(self, test, timeout=60):
        end = time.monotonic() + timeout
        while not test():
            assert time.monotonic() < end, self.asked
            if self.closed:
                time.sleep(0.01)
            else:
                self.step()

    def serve(self):
        def run():
            while not self.closed:
                try:
                    self.step()
                except OSError:
                    self.closed = True
        threading.Thread(target=run, daemon=True).start()
        return self

    def close(self):
        self.closed = True
        self.sock.close()
