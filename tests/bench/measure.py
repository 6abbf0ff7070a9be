"""What is measured, one function a row of DESIGN.md 10: takes a daemon (peers.py) and returns a number.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import skl  # noqa: E402

SECONDS = int(os.environ.get("SKL_BENCH_SECONDS", "3"))
MB = 1 << 20
ZEROS = bytes(MB)


# ---- requests ----
def load(d, path, connections):
    out = subprocess.run([skl.program("tests/bench/load"), d.socket, d.api.path(path), str(connections), str(SECONDS)], check=True,
                         capture_output=True, text=True).stdout
    result = json.loads(out)
    assert result["failed"] == 0, f"{path}: {result['failed']} answers were not 200"
    return result


def body(d, command, **more):
    config = {"Image": "busybox", "Cmd": command, **more}
    if d.network:
        config["HostConfig"] = {"NetworkMode": d.network}
    return config


def create(d, *command, **more):
    return d.api.post("/containers/create", body(d, list(command), **more)).json["Id"]


class Running:
    """A container that stays until the block ends."""

    def __init__(self, d):
        self.d = d

    def __enter__(self):
        self.cid = create(self.d, "sleep", "100000")
        self.d.api.start(self.cid)
        return self.cid

    def __exit__(self, *exc):
        self.d.api.delete(f"/containers/{self.cid}?force=1")


def drain(conn):
    """Bytes to the connection's end."""
    n, space = len(conn.buf), bytearray(MB)
    while k := conn.sock.recv_into(space):
        n += k
    return n


def parallel(fn, workers, seconds=SECONDS):
    """How often fn() ran in a second."""
    end = time.monotonic() + seconds

    def work(_):
        n = 0
        while time.monotonic() < end:
            fn()
            n += 1
        return n

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        total = sum(pool.map(work, range(workers)))
    return total / (time.monotonic() - began)


def median_ms(fn, times=30):
    taken = []
    for _ in range(times):
        began = time.monotonic()
        fn()
        taken.append(time.monotonic() - began)
    return statistics.median(taken) * 1000


# ---- rows ----
def ping(d):
    return load(d, "/_ping", 32)["rate"]


def ping_p99(d):
    return load(d, "/_ping", 32)["p99"] / 1000


def list_1000(d):
    return load(d, "/containers/json?all=1", 1)["rate"]


def inspect_1000(d):
    one = d.api.get("/containers/json?all=1&limit=1").json[0]["Id"]
    return load(d, f"/containers/{one}/json", 32)["rate"]


def create_remove(d):
    return parallel(lambda: d.api.delete(f"/containers/{create(d, 'true')}"), 8)


def one_run(d):
    cid = create(d, "echo", "hi", AttachStdout=True, AttachStderr=True)
    with d.api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1&stderr=1") as raw:
        d.api.start(cid)
        n = drain(raw)
    assert n == 8 + len("hi\n"), f"{n} bytes of output"
    d.api.wait(cid)
    assert d.api.delete(f"/containers/{cid}").status == 204


def run(d):
    return median_ms(lambda: one_run(d))


def run_32(d):
    return parallel(lambda: one_run(d), 32, 2 * SECONDS)


def one_exec(d, cid):
    eid = d.api.post(f"/containers/{cid}/exec", {"Cmd": ["true"], "AttachStdout": True}).json["Id"]
    with d.api.hijack("POST", f"/exec/{eid}/start", {"Detach": False, "Tty": False}) as raw:
        drain(raw)


def exec_true(d):
    with Running(d) as cid:
        return median_ms(lambda: one_exec(d, cid))


def exec_true_32(d):
    with Running(d) as cid:
        return parallel(lambda: one_exec(d, cid), 32)


def exec_stdout(d, megabytes=1024):
    with Running(d) as cid:
        eid = d.api.post(f"/containers/{cid}/exec", {"Cmd": ["dd", "if=/dev/zero", "bs=64k", f"count={megabytes * 16}"], "AttachStdout": True}).json["Id"]
        began = time.monotonic()
        with d.api.hijack("POST", f"/exec/{eid}/start", {"Detach": False, "Tty": False}) as raw:
            assert drain(raw) >= megabytes * MB
        return megabytes / (time.monotonic() - began)


def exec_stdin(d, megabytes=1024):
    with Running(d) as cid:
        eid = d.api.post(f"/containers/{cid}/exec", {"Cmd": ["dd", "of=/dev/null", "bs=64k"], "AttachStdin": True, "AttachStderr": True}).json["Id"]
        began = time.monotonic()
        with d.api.hijack("POST", f"/exec/{eid}/start", {"Detach": False, "Tty": False}) as raw:
            for _ in range(megabytes):
                raw.send(ZEROS)
            raw.shut()
            drain(raw)
        return megabytes / (time.monotonic() - began)


LOGGED = 100  # MB


def write_logs(d):
    cid = create(d, "sh", "-c", f"yes {'0123456789' * 10} | head -c {LOGGED * MB}")
    began = time.monotonic()
    d.api.start(cid)
    d.api.wait(cid)
    return cid, LOGGED / (time.monotonic() - began)


def logs_written(d):
    cid, rate = write_logs(d)
    d.api.delete(f"/containers/{cid}")
    return rate


def logs_read(d):
    cid, _ = write_logs(d)
    began = time.monotonic()
    with d.api.connect() as c:
        c.send(d.api.request_bytes("GET", f"/containers/{cid}/logs?stdout=1&stderr=1", headers={"Connection": "close"}))
        assert drain(c) > LOGGED * MB
    rate = LOGGED / (time.monotonic() - began)
    d.api.delete(f"/containers/{cid}")
    return rate


def archive_up(d, megabytes=500):
    head = tarfile.TarInfo("big")
    head.size = megabytes * MB
    with Running(d) as cid:
        began = time.monotonic()
        with d.api.connect() as c:
            total = 512 + megabytes * MB + 1024
            c.send(d.api.request_bytes("PUT", f"/containers/{cid}/archive?path=/tmp", headers={"Content-Length": str(total),
                                                                                              "Content-Type": "application/x-tar"}))
            c.send(head.tobuf())
            for _ in range(megabytes):
                c.send(ZEROS)
            c.send(bytes(1024))
            assert c.head()[0] == 200
        return megabytes / (time.monotonic() - began)


def archive_down(d, megabytes=500):
    with Running(d) as cid:
        one = d.api.post(f"/containers/{cid}/exec", {"Cmd": ["dd", "if=/dev/zero", "of=/tmp/big", "bs=1M", f"count={megabytes}"], "AttachStderr": True})
        with d.api.hijack("POST", f"/exec/{one.json['Id']}/start", {"Detach": False, "Tty": False}) as raw:
            drain(raw)
        began = time.monotonic()
        with d.api.connect() as c:
            c.send(d.api.request_bytes("GET", f"/containers/{cid}/archive?path=/tmp/big", headers={"Connection": "close"}))
            assert drain(c) > megabytes * MB
        return megabytes / (time.monotonic() - began)


def small_tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("small")
        entry.size = 100
        tar.addfile(entry, io.BytesIO(b"x" * 100))
    return out.getvalue()


def archive_small_up(d):
    data = small_tar()
    with Running(d) as cid:
        return median_ms(lambda: d.api.put(f"/containers/{cid}/archive?path=/tmp", data))


def archive_small_down(d):
    with Running(d) as cid:
        d.api.put(f"/containers/{cid}/archive?path=/tmp", small_tar())
        return median_ms(lambda: d.api.get(f"/containers/{cid}/archive?path=/tmp/small"))


# ---- memory, start ----
def resident(d):
    with open(f"/proc/{d.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def resident_event_stream(d, n=100):
    """KiB for one idle listener."""
    before, streams = resident(d), []
    try:
        for _ in range(n):
            c = d.api.connect()
            c.send(d.api.request_bytes("GET", "/events"))
            streams.append(c)
        for c in streams[-1:]:
            c.head()
        return (resident(d) - before) * 1024 / n
    finally:
        for c in streams:
            c.close()


def start_ms(d):
    return statistics.median(d.start_seconds() for _ in range(3)) * 1000
