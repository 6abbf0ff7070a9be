"""The client, and containers that go when a case ends.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import io
import tarfile

import docker

client = docker.from_env(version="auto", timeout=60)
api = client.api
CTRL_P, CTRL_Q, CTRL_X = b"\x10", b"\x11", b"\x18"


def run(*cmd, **kw):
    kw.setdefault("detach", True)
    return client.containers.run("busybox", list(cmd), **kw)


@contextlib.contextmanager
def box(*cmd, start=True, **kw):
    """A container of the high-level API."""
    k = client.containers.create("busybox", list(cmd) or ["sleep", "1000"], **kw)
    try:
        if start:
            k.start()
        yield k
    finally:
        k.remove(force=True, v=True)


@contextlib.contextmanager
def low(command="cat", start=True, host=None, **kw):
    """A container of the low-level API: its ID."""
    host = api.create_host_config(**host) if host is not None else None
    k = api.create_container("busybox", command, host_config=host, **kw)["Id"]
    try:
        if start:
            api.start(k)
        yield k
    finally:
        api.remove_container(k, force=True, v=True)


@contextlib.contextmanager
def network(name, **kw):
    n = client.networks.create(name, **kw)
    try:
        yield n
    finally:
        n.remove()


def pool(subnet, **kw):
    return docker.types.IPAMConfig(driver="default", pool_configs=[docker.types.IPAMPool(subnet=subnet, **kw)])


def tar(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def untar(bits):
    """{name: contents} of the files."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(bits))) as t:
        return {m.name: t.extractfile(m).read() for m in t.getmembers() if m.isfile()}


def recv(sock, n):
    """Exactly n bytes of a socket that docker-py gave; fewer at its end."""
    sock = getattr(sock, "_sock", sock)
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            break
        data += piece
    return data


def send(sock, data):
    getattr(sock, "_sock", sock).sendall(data)


def frame(sock):
    """(stream, payload)"""
    head = recv(sock, 8)
    return head[0], recv(sock, int.from_bytes(head[4:], "big"))
