"""A scripted Google on loopback: functions, operations, invocations and log entries, with faults by rule.

It is not the simulator: it executes nothing, accepts anything, and does what a test tells it, on the level of
connections too (resets, lost answers, hanging requests). What it was sent is in `requests`.

SPDX-License-Identifier: Apache-2.0
"""
import itertools
import json
import random
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PARENT = "projects/acme/locations/us-central1"
FUNCTIONS = f"/v2/{PARENT}/functions"
CODES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
         429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}


class Server(ThreadingHTTPServer):
    request_queue_size = 512


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes
    connection: int


@dataclass
class Function:
    id: str
    body: dict
    ready: float
    deleted: float = 0.0
    runs: int = 0


@dataclass
class Rule:
    """`times` requests whose "METHOD PATH" matches get `action`: a status, (status, body), "reset", "lost", "broken" or "hang"."""
    pattern: str
    action: object
    times: int = 1


@dataclass
class FakeGoogle:
    deploy_time: float = 0.0
    fault_rate: float = 0.0
    entries: list = field(default_factory=list)

    def __post_init__(self):
        self.lock = threading.Lock()
        self.functions, self.requests, self.rules = {}, [], []
        self.random = random.Random(5)
        self.gone = threading.Event()          # a client went away during its invocation
        self.finish = threading.Event()        # invocations answer
        self.finish.set()
        self.exit_code = 0
        self.connections = itertools.count(1)
        self.server = Server(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.finish.set()
        self.server.shutdown()
        self.server.server_close()

    def handler(google):  # pylint: disable=no-self-argument
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                self.connection_id = next(google.connections)
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def log_message(self, *args):
                pass

            def do(self):
                google.serve(self)

            do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = do_HEAD = do

        return Handler

    # ---- what tests ask ----

    def on(self, pattern, action, times=1):
        self.rules.append(Rule(pattern, action, times))

    def count(self, pattern):
        return len(self.find(pattern))

    def find(self, pattern):
        return [r for r in self.requests if re.search(pattern, f"{r.method} {r.path}")]

    def left(self):
        with self.lock:
            return [f.id for f in self.functions.values() if not self.is_gone(f)]

    # ---- serving ----

    def serve(self, http):
        body = http.rfile.read(int(http.headers.get("Content-Length") or 0))
        request = Request(http.command, http.path, dict(http.headers), body, http.connection_id)
        with self.lock:
            self.requests.append(request)
            action = self.choose(f"{request.method} {request.path}")
        if action == "reset":
            self.reset(http)
        elif action == "hang":
            self.wait_for_client(http)
        elif action == "lost":
            self.act(request, None)
            self.reset(http)
        elif action == "broken":
            self.act(request, None)
            self.send(http, 200, b'{"name": "pro', length=4000)
            self.reset(http)
        elif isinstance(action, int):
            self.error(http, action)
        elif action:
            self.send(http, action[0], action[1])
        else:
            self.act(request, http)

    def choose(self, line):
        for rule in self.rules:
            if rule.times > 0 and re.search(rule.pattern, line):
                rule.times -= 1
                return rule.action
        if self.random.random() < self.fault_rate:
            return self.random.choice([429, 500, 503, "reset", "lost"])
        return None

    @staticmethod
    def reset(http):
        http.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        http.close_connection = True
        http.connection.close()

    def wait_for_client(self, http):
        http.close_connection = True
        http.connection.settimeout(30)
        try:
            if not http.connection.recv(1):
                self.gone.set()
        except OSError:
            self.gone.set()

    @staticmethod
    def send(http, status, body, headers=(), length=None):
        data = body if isinstance(body, bytes) else body.encode()
        try:
            http.send_response(status)
            for name, value in headers:
                http.send_header(name, value)
            http.send_header("Content-Length", str(length or len(data)))
            http.end_headers()
            http.wfile.write(data)
        except OSError:
            pass

    def answer(self, http, document):
        if http:
            self.send(http, 200, json.dumps(document), [("Content-Type", "application/json; charset=UTF-8")])

    def error(self, http, status, word=None, message="a fault of the moment"):
        if http:
            self.send(http, status, json.dumps({"error": {"code": status, "status": word or CODES[status],
                                                          "message": message}}))

    # ---- the cloud ----

    def is_gone(self, function):
        return bool(function.deleted) and time.monotonic() >= function.deleted

    def shown(self, function):
        active = time.monotonic() >= function.ready
        out = dict(function.body, state="DELETING" if function.deleted else "ACTIVE" if active else "DEPLOYING")
        if active:
            out["serviceConfig"] = dict(out["serviceConfig"], uri=f"{self.url}/run/{function.id}")
        return out

    def operation(self, verb, function):
        out = {"name": f"{PARENT}/operations/op-{verb}-{function.id}"}
        if verb == "create" and time.monotonic() >= function.ready:
            out.update(done=True, response=self.shown(function))
        elif verb == "delete" and (not function.deleted or self.is_gone(function)):
            out.update(done=True, response={"@type": "type.googleapis.com/google.protobuf.Empty"})
        return out

    def act(self, request, http):
        with self.lock:
            name = re.search(r"skls-[0-9a-f]{12}", request.path)
            function = self.functions.get(name.group()) if name else None
            if request.method == "POST" and request.path.startswith(FUNCTIONS):
                return self.create(request, name.group(), function, http)
            if request.path.startswith("/v2/entries:list"):
                return self.answer(http, {"entries": self.entries})
            if request.method == "GET" and request.path.startswith(FUNCTIONS.replace("us-central1", "-") + "?"):
                return self.answer(http, {"functions": [self.shown(f) for f in self.functions.values()
                                                        if not self.is_gone(f)]})
            if "/operations/op-" in request.path and function:
                return self.answer(http, self.operation("create" if "op-create" in request.path else "delete", function))
            if not function or self.is_gone(function):
                return self.error(http, 404, message="not found")
            if request.method == "DELETE":
                return self.delete(function, http)
            if request.method == "GET":
                return self.answer(http, self.shown(function))
            function.runs += 1
        return self.run(http)

    def create(self, request, name, function, http):
        if function and not self.is_gone(function):
            return self.error(http, 409, "ALREADY_EXISTS", "exists")
        wait = self.random.random() * self.deploy_time
        runs = function.runs if function else 0
        function = Function(name, json.loads(request.body), time.monotonic() + wait, runs=runs)
        self.functions[name] = function
        return self.answer(http, self.operation("create", function))

    def delete(self, function, http):
        if function.deleted or time.monotonic() < function.ready:
            return self.error(http, 409, "ABORTED", "unable to queue the operation")
        function.deleted = time.monotonic() + self.random.random() * self.deploy_time / 4
        return self.answer(http, self.operation("delete", function))

    def run(self, http):
        if not http:
            return
        if not self.finish.is_set():
            watcher = threading.Thread(target=self.watch, args=(http,), daemon=True)
            watcher.start()
            self.finish.wait(30)
        self.send(http, 200, json.dumps({"exit_code": self.exit_code}), [("X-Sockerless-Exit-Code", str(self.exit_code))])

    def watch(self, http):
        try:
            if not http.connection.recv(1, socket.MSG_PEEK):
                self.gone.set()
        except OSError:
            self.gone.set()
