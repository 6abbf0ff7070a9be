"""docker-py: containers, exec, images, networks, volumes, events, logs, archive. Written for 5.0.3 and the newest; a file an area.

SPDX-License-Identifier: Apache-2.0
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import docker  # noqa: E402

from casebook import case, main, refused  # noqa: E402
from house import client  # noqa: E402
import create, lifecycle, objects, streams  # noqa: E401,E402,F401

SKIPS = {
    "build": "functions are run, not built: 501 with the way out",
    "push": "the daemon holds no layers: 501",
    "load, import": "the daemon holds no layers: 501",
    "diff": "a function keeps no record of what changed: 501",
    "export_stopped": "the file system goes with the function: 409",
    "commit": "a function's file system can't be made an image: 501",
    "links' environment, one volume of two at a time, names on a network": "each container is a function of its own, that shares nothing with others",
    "attach_socket(ws=True)": "docker-py has no WebSockets over a unix socket",
    "swarm, services, secrets, configs, plugins": "no swarm: 503",
}


@case
def ping_version_info():
    assert client.ping() and client.version()["ApiVersion"] == "1.44" and client.info()["Driver"] == "cloud-run-functions"
    assert client.info()["OperatingSystem"] == "Google Cloud Functions" and client.info()["OSType"] == "linux"


@case
def older_versions():
    for version in ("1.24", "1.30", "1.40"):
        old = docker.from_env(version=version, timeout=60)
        assert old.containers.run("busybox", "echo hi", remove=True) == b"hi\n"
    assert "too new" in str(refused(docker.from_env(version="1.99", timeout=60).info))


@case
def what_is_not_there_says_so():
    k = client.containers.run("busybox", "sleep 1000", detach=True)
    try:
        for call in (k.diff, k.commit, lambda: client.images.load(b""), lambda: client.images.build(path="/etc/cron.d", dockerfile="/dev/null")):
            assert isinstance(refused(call), (docker.errors.APIError, docker.errors.BuildError)), call
    finally:
        k.remove(force=True)


@case
def login_refused():
    assert isinstance(refused(client.login, "nobody", "wrong", registry="127.0.0.1:1", reauth=True), docker.errors.APIError)


if __name__ == "__main__":
    main(docker.__version__, SKIPS)
