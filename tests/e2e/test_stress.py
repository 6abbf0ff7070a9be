"""Much of everything, byte for byte: output to slow readers, stdin, files both ways; the daemon's and the agent's memory flat.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import os
import stat
import subprocess
import threading
import time

import pytest

import skl
from dockerapi import demux
from test_skeleton import names_container

SIZE = 33_554_433
PIECE, PAUSE = 65_536, 0.05  # what a slow reader takes, and how often
FLAT = 16 << 20              # more than what is kept for two processes (4 MiB each, in rings of 8), much less than what passes


def agents(cid):
    """PIDs of the agent of this container (it is in its own PID namespace, and we see it)."""
    return [pid for pid, _ in skl.processes_with("/.sockerless/agent") if names_container(pid, cid)]


def memory(pid, field="VmHWM"):
    with open(f"/proc/{pid}/status") as f:
        (line,) = [line for line in f if line.startswith(field + ":")]
    return int(line.split()[1]) * 1024


class Flat:
    """with Flat(daemon, cid): ... asserts that neither end has grown by more than FLAT."""

    def __init__(self, daemon, *cids):
        self.daemon, self.cids = daemon, cids

    def __enter__(self):
        self.agents = [pid for cid in self.cids for pid in agents(cid)]
        assert len(self.agents) == len(self.cids)
        self.before = {pid: memory(pid, "VmRSS") for pid in self.agents}
        self.daemon_before = self.daemon.rss()[0]
        return self

    def check(self):
        for pid in self.agents:
            grown = memory(pid) - self.before[pid]
            assert grown < FLAT, f"the agent has grown by {grown} bytes"
        grown = self.daemon.rss()[0] - self.daemon_before
        assert self.daemon.sanitized() or grown < FLAT, f"the daemon has grown by {grown} bytes"

    def __exit__(self, kind, *more):
        if kind is None:
            self.check()


SCRIPT = f"""[ -t 1 ] && stty -opost
head -c {SIZE} /dev/urandom > /tmp/data; sha256sum < /tmp/data | cut -c1-64 > /tmp/sum; cat /tmp/sum; read x; cat /tmp/data; read x; exit 5"""


def tty_bytes(conn):
    conn.sock.settimeout(skl.TIMEOUT * 5)
    return iter(lambda: conn.recv(PIECE), b"")


def mux_bytes(conn):
    conn.sock.settimeout(skl.TIMEOUT * 5)
    for kind, data in iter(conn.frame, None):
        assert kind == 1, data
        yield data


def slowly(pieces, size):
    """Hash of the next `size` bytes, PIECE of them at a time."""
    got, n, credit = hashlib.sha256(), 0, 0
    for data in pieces:
        got.update(data)
        n += len(data)
        credit -= len(data)
        while credit < 0:
            time.sleep(PAUSE)
            credit += PIECE
        if n >= size:
            break
    assert n == size, n
    return got.hexdigest()


def through_attach(daemon, tty):
    api = daemon.api
    cid = api.create(Cmd=["sh", "-c", SCRIPT], Tty=tty, OpenStdin=True, HostConfig={"LogConfig": {"Type": "json-file", "Config": {"max-size": "64m"}}})
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1&stderr=1")
    api.start(cid)
    c.sock.settimeout(skl.TIMEOUT * 5)
    pieces = (tty_bytes if tty else mux_bytes)(c)
    want = b""
    while len(want) < 65:
        want += next(pieces)
    with Flat(daemon, cid) as flat:
        c.send(b"go\n")
        if tty:
            echo = next(pieces)
            while b"\n" not in echo:
                echo += next(pieces)
            assert echo.split(b"\n")[0].rstrip(b"\r") == b"go"
            rest = echo.split(b"\n", 1)[1]
            want += echo[:len(echo) - len(rest)]
            pieces = chain_pieces(rest, pieces)
        assert slowly(pieces, SIZE) == want[:64].decode()
        flat.check()
    return cid, c, want[:64].decode(), len(want)


def chain_pieces(first, rest):
    if first:
        yield first
    yield from rest


@pytest.mark.slow
@pytest.mark.parametrize("tty", [False, True], ids=["frames", "tty"])
def test_much_output_to_slow_readers(daemon, tty):
    """33,554,433 bytes through attach, then the same through logs, logs -f and exec at once, each 64 KiB every 50 ms. (What comes before them in
    the log is the hash and, on a terminal, the echo of what was typed.)"""
    api = daemon.api
    cid, c, want, skip = through_attach(daemon, tty)
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", ("stty -opost; " if tty else "") + "cat /tmp/data"], "AttachStdout": True, "Tty": tty}).json["Id"]
    results = {}

    def run(name, pieces, skip):
        try:
            head = b""
            while len(head) < skip:
                head += next(pieces)
            results[name] = slowly(chain_pieces(head[skip:], pieces), SIZE)
        except Exception as e:  # noqa: BLE001: told by the assertion below
            results[name] = repr(e)

    def logs(follow):
        s = api.open("GET", f"/containers/{cid}/logs?stdout=1&follow={follow}", timeout=skl.TIMEOUT * 5)
        whole = iter(s.conn.chunk, b"")
        return whole if tty else unframed(whole)

    with Flat(daemon, cid):
        readers = [threading.Thread(target=run, args=a) for a in (
            ("exec", (tty_bytes if tty else mux_bytes)(api.hijack("POST", f"/exec/{eid}/start", {"Tty": tty}, timeout=skl.TIMEOUT * 5)), 0),
            ("logs", logs(0), skip), ("logs -f", logs(1), skip))]
        for r in readers:
            r.start()
        for r in readers:
            r.join()
    assert results == dict.fromkeys(("exec", "logs", "logs -f"), want)
    c.send(b"end\n")
    assert api.wait(cid) == 5
    api.remove(cid)


def unframed(pieces):
    """Payloads out of a multiplexed stream that comes in pieces of any size."""
    data = b""
    for piece in pieces:
        data += piece
        while len(data) >= 8 and len(data) >= 8 + (n := int.from_bytes(data[4:8], "big")):
            yield data[8:8 + n]
            data = data[8 + n:]


@pytest.mark.slow
def test_much_output_of_docker_run(daemon):
    """The CLI's stdout is a pipe that somebody empties slowly."""
    where = {"PATH": os.environ["PATH"], "HOME": daemon.dir, "DOCKER_HOST": daemon.host}
    run = subprocess.Popen(["docker", "run", "--rm", "busybox", "sh", "-c", f"head -c {SIZE} /dev/urandom > /tmp/x; sha256sum < /tmp/x >&2; cat /tmp/x; exit 6"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=where)
    got = slowly(iter(lambda: run.stdout.read(PIECE), b""), SIZE)
    assert run.stdout.read() == b"" and run.stderr.read().split()[0].decode() == got and run.wait(60) == 6


def test_what_a_removed_container_said_is_read_to_its_end(daemon):
    """docker run --rm with a slow reader: container, log and function are gone before the first byte is taken."""
    api = daemon.api
    cid = api.create(Cmd=["seq", "1", "300000"], HostConfig={"AutoRemove": True})
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1")
    api.start(cid)
    api.wait(cid, "removed")
    assert api.get(f"/containers/{cid}/json").status == 404 and not os.path.exists(os.path.join(daemon.state, "logs", cid))
    assert demux(c.frames())[1] == "".join(f"{i}\n" for i in range(1, 300_001)).encode()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["attach", "exec"])
def test_a_gigabyte_of_stdin(daemon, way):
    api, block, n = daemon.api, os.urandom(1 << 20), 1000
    cid = api.create(Cmd=["sha256sum"] if way == "attach" else ["sleep", "1000"], OpenStdin=way == "attach", StdinOnce=way == "attach")
    if way == "attach":
        c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1", timeout=skl.TIMEOUT * 5)
    api.start(cid)
    if way == "exec":
        eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sha256sum"], "AttachStdin": True, "AttachStdout": True}).json["Id"]
        c = api.hijack("POST", f"/exec/{eid}/start", {}, timeout=skl.TIMEOUT * 5)
    want = hashlib.sha256()
    with Flat(daemon, cid) as flat:
        for i in range(n):
            piece = i.to_bytes(4, "big") + block
            want.update(piece)
            c.send(piece)
        flat.check()
        c.shut()
        (line,) = [data for _, data in c.frames()]
    assert line.split()[0].decode() == want.hexdigest()
    api.remove(cid)


# ---- files ----
def make_tree(top):
    for d in range(50):
        os.makedirs(f"{top}/many/{d}")
        for i in range(200):
            path = f"{top}/many/{d}/{i}"
            with open(path, "wb") as f:
                f.write(os.urandom(i * 7))
            os.chmod(path, (0o644, 0o600, 0o755, 0o4711)[i % 4])
            os.utime(path, (1577934245 + i, 1577934245 + i * 1000))  # whole seconds: the CLI cuts them
    os.symlink("many/7", f"{top}/link")
    os.symlink("/no/where", f"{top}/dangling")
    os.link(f"{top}/many/3/100", f"{top}/second-name")
    os.mkdir(f"{top}/sticky", 0o755)
    os.chmod(f"{top}/sticky", 0o1777)
    os.chown(f"{top}/many/1/1", 1234, 5678)


def make_large(path, gib):
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        for i in range(gib << 10):
            f.write(i.to_bytes(8, "big") + block[8:])
    os.utime(path, (1577934245, 1577934245))


def described(top):
    """{path: all that a tar carries}, links by the inode that they share. Not the owner: the CLI leaves what it unpacks to its caller."""
    found, inodes = {}, {}
    for where, dirs, names in os.walk(top):
        for name in dirs + names:
            path = os.path.join(where, name)
            st, rel = os.lstat(path), os.path.relpath(path, top)
            what = os.readlink(path) if stat.S_ISLNK(st.st_mode) else st.st_size if stat.S_ISREG(st.st_mode) else None
            shared = inodes.setdefault(st.st_ino, rel) if st.st_nlink > 1 and stat.S_ISREG(st.st_mode) else None
            when = st.st_mtime_ns if stat.S_ISREG(st.st_mode) else None
            found[rel] = (stat.S_IFMT(st.st_mode), None if stat.S_ISLNK(st.st_mode) else stat.S_IMODE(st.st_mode), when, what, shared is not None)
    return found


def there_and_back(daemon, cid, tmp_path):
    src, back = tmp_path / "src", tmp_path / "back"
    with Flat(daemon, cid):
        daemon.docker("cp", str(src), f"{cid}:/tmp/", check=True, timeout=600)
        daemon.docker("cp", f"{cid}:/tmp/src", str(back), check=True, timeout=600)
    assert described(back) == described(src)
    assert subprocess.run(["diff", "-r", "--no-dereference", str(src), str(back)], capture_output=True).returncode == 0


@pytest.mark.parametrize("large", [0, pytest.param(2, marks=pytest.mark.slow)], ids=["ten thousand files", "two GiB as well"])
def test_a_tree_both_ways(daemon, tmp_path, large):
    (tmp_path / "src").mkdir()
    make_tree(tmp_path / "src")
    if large:
        make_large(tmp_path / "src" / "large", large)
    cid = daemon.api.create(Cmd=["sleep", "10000"])
    daemon.api.start(cid)
    there_and_back(daemon, cid, tmp_path)
    assert daemon.docker("exec", cid, "stat", "-c", "%u:%g", "/tmp/src/many/1/1").stdout == "1234:5678\n"
    daemon.api.remove(cid)
