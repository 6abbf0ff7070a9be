"""`make deb`: four packages, installed with dpkg into a root of their own; the driver's package alone offers the driver.

SPDX-License-Identifier: Apache-2.0
"""
import functools
import os
import re
import shutil
import signal

import pytest

import drivers
import skl
from dockerapi import wait_until

NAMES = ("sockerless", "sockerless-agent", "sockerless-dev", "sockerless-driver-gcf")
pytestmark = [pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def debs():
    """{name: file}"""
    done = drivers.make("deb", timeout=900)
    found = {os.path.basename(line).split("_")[0]: line for line in done.split() if line.endswith(".deb")}
    assert sorted(found) == sorted(NAMES)
    return found


@pytest.fixture
def root(tmp_path):
    """An empty system: dpkg's database and nothing else."""
    top = drivers.private_dir(tmp_path / "root")
    for d in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"):
        os.makedirs(os.path.join(top, d))
    open(os.path.join(top, "var/lib/dpkg/status"), "w").close()
    return top


def dpkg(root, *args):
    # no dependencies of ours in there, and no shell: scripts run outside, told of the root
    return drivers.run(["dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless", "--log=/dev/null", *args])


def listed(root):
    """The drivers that the installed daemon offers."""
    program = os.path.join(root, "usr/sbin/sockerlessd")
    out = drivers.run([program, "--driver-dir", os.path.join(root, "usr/lib/sockerless/drivers"), "--list-drivers"])
    assert "refused" not in out
    return [line.split(" ")[0] for line in out.splitlines()]


def test_driver_package_alone_offers_the_driver(debs, root):
    dpkg(root, "-i", debs["sockerless"], debs["sockerless-agent"])
    assert listed(root) == []
    dpkg(root, "-i", debs["sockerless-driver-gcf"])
    assert listed(root) == ["cloud-run-functions"]
    dpkg(root, "-i", debs["sockerless-dev"])
    assert listed(root) == ["cloud-run-functions", "null"]
    dpkg(root, "-r", "sockerless-driver-gcf")
    assert listed(root) == ["null"]


def test_install_and_purge_all(debs, root):
    dpkg(root, "-i", *debs.values())
    with open(os.path.join(root, "etc/passwd")) as f:
        assert re.search(r"^sockerless:", f.read(), re.M), "the daemon's user"
    done = drivers.run([os.path.join(root, "usr/sbin/sockerlessd"), "--config", os.path.join(root, "etc/sockerless/sockerless.json"),
                        "--driver-dir", os.path.join(root, "usr/lib/sockerless/drivers"), "--validate"])
    assert "the configuration is valid" in done
    dpkg(root, "-P", *NAMES)
    left = [os.path.join(d, f) for d, _, files in os.walk(root) for f in files if "sockerless" in os.path.join(d, f)[len(root):]]
    assert left == []


def contents(deb):
    """{path: first columns of the listing}"""
    rows = (line.split(None, 5) for line in drivers.run(["dpkg-deb", "-c", deb]).splitlines())
    return {row[5].split(" -> ")[0].lstrip("."): row for row in rows}


EXPECTED = {
    "sockerless": ["/usr/sbin/sockerlessd", "/usr/bin/sockerless-gcp-simulator", "/usr/lib/systemd/system/sockerless.service",
                   "/usr/lib/systemd/system/sockerless.socket", "/usr/lib/sysusers.d/sockerless.conf", "/etc/sockerless/sockerless.json",
                   "/usr/share/bash-completion/completions/sockerlessd"],
    "sockerless-agent": ["/usr/libexec/sockerless/sockerless-agent"],
    "sockerless-driver-gcf": ["/usr/lib/sockerless/drivers/cloud-run-functions.so", "/usr/share/doc/sockerless-driver-gcf/google.md"],
    "sockerless-dev": ["/usr/include/sockerless/driver.h", "/usr/include/sockerless/error.h", "/usr/include/sockerless/retry.h", "/usr/include/sockerless/version.h", "/usr/lib/pkgconfig/sockerless.pc",
                       "/usr/lib/sockerless/drivers/null.so", "/usr/share/doc/sockerless-dev/writing-a-driver.md",
                       "/usr/share/doc/sockerless-dev/examples/null.c"],
}
PAGES = {"sockerless": ["man8/sockerlessd.8.gz", "man8/sockerless-gcp-simulator.8.gz", "man5/sockerless.json.5.gz"],
         "sockerless-agent": ["man8/sockerless-agent.8.gz"], "sockerless-dev": ["man7/sockerless-driver.7.gz"]}


@pytest.mark.parametrize("name", NAMES)
def test_contents(debs, name):
    files = contents(debs[name])
    pages = PAGES.get(name, []) if shutil.which("scdoc") else []
    for path in EXPECTED[name] + ["/usr/share/man/" + page for page in pages]:
        assert path in files, path
    for path, row in files.items():
        assert row[1] == "root/root" and (row[0][0] == "l" or row[0][5] + row[0][8] == "--"), row
    for other in set(NAMES) - {name}:
        common = {p for p in set(files) & set(contents(debs[other])) if not p.endswith("/")}
        assert common == set(), f"also in {other}"


def field(deb, name):
    return drivers.run(["dpkg-deb", "-f", deb, name]).strip()


def test_a_new_driver_reaches_the_running_daemon(debs, root):
    """dpkg's trigger restarts the daemon, whichever package brings the driver."""
    dpkg(root, "-i", debs["sockerless"], debs["sockerless-agent"])
    out = dpkg(root, "-i", debs["sockerless-driver-gcf"])
    assert "Processing triggers for sockerless (" in out


def test_dependencies(debs):
    assert field(debs["sockerless-agent"], "Depends") == "", "the agent is static"
    assert "libc6 (>= " in field(debs["sockerless"], "Depends") and "libsqlite3-0" in field(debs["sockerless"], "Depends")
    gcf = field(debs["sockerless-driver-gcf"], "Depends")
    version = field(debs["sockerless"], "Version")
    assert f"sockerless (= {version})" in gcf and f"sockerless-agent (= {version})" in gcf and "libssl3" in gcf
    for deb in debs.values():
        assert field(deb, "Architecture") == drivers.run(["dpkg", "--print-architecture"]).strip()


# ---- the unit's sandbox, against what the daemon really does ----
@functools.lru_cache(None)
def syscalls(group):
    """A group of systemd's, such as @system-service."""
    found = set()
    for word in drivers.run(["systemd-analyze", "syscall-filter", group]).split("\n")[1:]:
        word = word.strip()
        if word and not word.startswith("#"):
            found |= syscalls(word) if word.startswith("@") else {word}
    return found


def allowed_by(unit):
    with open(unit) as f:
        lines = re.findall(r"^SystemCallFilter=(~?)(.*)$", f.read(), re.M)
    allowed = set()
    for deny, groups in lines:
        named = set().union(*map(syscalls, groups.split()))
        allowed = allowed - named if deny else allowed | named
    return allowed


@pytest.mark.skipif(shutil.which("strace") is None or shutil.which("systemd-analyze") is None, reason="no strace or systemd-analyze")
def test_syscalls_fit_the_sandbox(debs, root, images, tmp_path):
    dpkg(root, "-i", *debs.values())
    trace, program = tmp_path / "trace", tmp_path / "traced"
    program.write_text(f'#!/bin/sh\nexec strace -D -f -qq -o {trace} {root}/usr/sbin/sockerlessd "$@"\n')
    program.chmod(0o755)
    d = skl.Daemon(images, simulator=False, program=str(program), args=[
        "--driver", "null", "--driver-dir", os.path.join(root, "usr/lib/sockerless/drivers"), "--host", "tcp://127.0.0.1:0"])
    try:
        d.api.pull()
        assert d.docker("run", "--rm", "busybox", "true").returncode == 0
        d.docker("info", check=True)
        d.process.send_signal(signal.SIGTERM)
        assert d.process.wait(skl.TIMEOUT) == 0
        wait_until(lambda: skl.processes_with(d.dir) == [], "strace to end")
    finally:
        d.close()
    text = trace.read_text()
    used = set(re.findall(r"^\d+ +(\w+)\(", text, re.M))
    as_root_only = {"chown", "fchown"}  # of unix sockets and SQLite's files
    assert "epoll_wait" in used and used - as_root_only - allowed_by(os.path.join(root, "usr/lib/systemd/system/sockerless.service")) == set()
    assert set(re.findall(r" socket\((AF_\w+)", text)) <= {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}
    assert "PROT_WRITE|PROT_EXEC" not in text


def test_out_of_tree_driver_from_the_dev_package(debs, root, images, tmp_path):
    """The installed daemon runs a container with a driver that only saw the development package."""
    dpkg(root, "-i", debs["sockerless"], debs["sockerless-dev"])
    d = drivers.private_dir(tmp_path / "drivers")
    drivers.build(os.path.join(root, "usr"), "misbehaving.c", os.path.join(d, "misbehaving.so"))
    daemon = skl.Daemon(images, simulator=False, args=["--driver", "misbehaving", "--driver-dir", d],
                        program=os.path.join(root, "usr/sbin/sockerlessd"))
    try:
        daemon.api.pull()
        assert daemon.docker("run", "busybox", "true").returncode == 5
    finally:
        daemon.close()
