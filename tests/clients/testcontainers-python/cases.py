"""testcontainers for Python: log waits, exec, logs, files, environment, networks, volumes, redis and PostgreSQL used by exec. Ryuk is disabled.

SPDX-License-Identifier: Apache-2.0
"""
import importlib.metadata
import io
import os
import socket
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from testcontainers.core.container import DockerContainer  # noqa: E402
from testcontainers.core.network import Network  # noqa: E402
from testcontainers.core.waiting_utils import wait_for_logs  # noqa: E402

from casebook import case, main, refused, until  # noqa: E402


def sleeper():
    return DockerContainer("busybox").with_command(["sh", "-c", "echo up and ready; sleep 1000"])


@case
def waits_for_logs():
    with sleeper() as c:
        wait_for_logs(c, "ready", timeout=20)
        assert c.get_logs()[0] == b"up and ready\n"


@case
def a_wait_that_fails_says_so():
    with sleeper() as c:
        assert isinstance(refused(wait_for_logs, c, "never", timeout=0.5), Exception)


@case
def executes():
    with sleeper().with_env("A", "b") as c:
        code, output = c.exec(["sh", "-c", "echo $A; exit 3"])[:2]
        assert (code, output) == (3, b"b\n")


@case
def streams_apart_in_the_log():
    with DockerContainer("busybox").with_command(["sh", "-c", "echo out; echo err >&2; sleep 1000"]) as c:
        until(lambda: c.get_logs() == (b"out\n", b"err\n"))


@case
def joins_a_network():
    with Network() as net, sleeper().with_network(net).with_network_aliases("al") as c:
        c.get_wrapped_container().reload()
        ep = c.get_wrapped_container().attrs["NetworkSettings"]["Networks"][net.name]
        assert "al" in ep["Aliases"]


@case
def names_and_options():
    with sleeper().with_name("tcpy-name").with_kwargs(labels={"mine": "1"}, working_dir="/srv", hostname="tcpy", user="nobody") as c:
        k = c.get_wrapped_container()
        k.reload()
        assert k.name == "tcpy-name" and k.labels["mine"] == "1" and "org.testcontainers.session-id" in k.labels
        assert c.exec("pwd").output == b"/srv\n" and c.exec("id -un").output == b"nobody\n"


@case
def files_in_and_out():
    with sleeper() as c:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as t:
            info = tarfile.TarInfo("file")
            info.size = 4
            t.addfile(info, io.BytesIO(b"data"))
        assert c.get_wrapped_container().put_archive("/tmp", data.getvalue())
        assert c.exec("cat /tmp/file").output == b"data"
        bits, _ = c.get_wrapped_container().get_archive("/tmp/file")
        with tarfile.open(fileobj=io.BytesIO(b"".join(bits))) as t:
            assert t.extractfile("file").read() == b"data"


@case
def a_command_that_ends():
    with DockerContainer("busybox").with_command("echo done") as c:
        assert c.get_wrapped_container().wait()["StatusCode"] == 0 and c.get_logs()[0] == b"done\n"


@case
def several_at_once():
    with sleeper() as one, sleeper() as two, sleeper() as three:
        assert len({c.get_wrapped_container().id for c in (one, two, three)}) == 3
        for c in (one, two, three):
            assert c.exec("true").exit_code == 0


@case
def redis():
    with DockerContainer("redis:7") as c:
        wait_for_logs(c, "Ready to accept connections", timeout=30)
        assert c.exec("redis-cli set a b").output == b"OK\n" and c.exec("redis-cli get a").output == b"b\n"


@case
def exposed_port():
    with DockerContainer("redis:7").with_exposed_ports(6379) as c:
        wait_for_logs(c, "Ready to accept connections", timeout=30)
        with socket.create_connection((c.get_container_host_ip(), int(c.get_exposed_port(6379))), 20) as s:
            s.sendall(b"PING\r\n")
            assert s.recv(100) == b"+PONG\r\n"


@case
def postgres():
    with DockerContainer("postgres:15").with_env("POSTGRES_PASSWORD", "secret").with_env("POSTGRES_DB", "mine") as c:
        until(lambda: c.exec("pg_isready -h 127.0.0.1 -U postgres").exit_code == 0, "the server", 60)
        code, out = c.exec(["sh", "-c", "PGPASSWORD=secret psql -h 127.0.0.1 -U postgres -d mine -tAc 'select 40 + 2'"])[:2]
        assert (code, out) == (0, b"42\n"), out


if __name__ == "__main__":
    main(importlib.metadata.version("testcontainers"), {
        "Ryuk enabled": "its container needs the host's Docker socket, and a function has no host"})
