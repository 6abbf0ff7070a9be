"""What the loader refuses, each with its own reason, while the daemon goes on with the other drivers.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess

import pytest

import drivers
import skl

NULL = os.path.join(skl.BUILD, "plugins/null.so")

# file: (flags of refused.c, the reason)
COMPILED = {
    "wrong-major": (["-DMAJOR=2"], "built for driver ABI 2.0, this daemon has 1."),
    "short-struct": (["-DDRIVER_SIZE=8"], "its skl_driver is 8 bytes long, ABI 1.0 has at least "),
    "short-ops": (["-DOPS_SIZE=8"], "its skl_ops is 8 bytes long, ABI 1.0 has at least "),
    "no-kill": (["-DNO_KILL"], "the operation kill is missing"),
    "no-list": (["-DNO_LIST"], "the operation list is missing"),
    "second-symbol": (["-DSECOND_SYMBOL"], "exports 1 symbol besides skl_driver_entry (second_symbol)"),
    "wrong-magic": (["-DMAGIC=1"], "not a Sockerless driver (wrong magic number)"),
    "bad-name": (["-DNAME=\"Bad Name\""], "its name is not of [a-z0-9-]"),
    "declines": (["-DDECLINES"], "the driver declines: it wants ABI 7"),
    "open-fails": (["-DOPEN_FAILS", "-DNAME=\"open-fails\""], "driver open-fails: not today"),
    "no-entry": (["-Dskl_driver_entry=other_entry"], "not a driver: it does not export skl_driver_entry"),
}
MADE = {
    "world-writable": "can be written by everybody (mode 0777)",
    "group-writable": "can be written by its group (mode 0775)",
    "stranger": "belongs to user 12345",
    "directory": "is a directory, not a shared object",
    "text": "not a shared object (no ELF file)",
    "empty": "not a shared object (no ELF file)",
    "fifo": "not a regular file",
    "cut": "cut off",
    "program": "it is a program or an object file",
    "again": "a driver named null is loaded already",
    "dangling": "can't be found",
}


def so(directory, name):
    return os.path.join(directory, name + ".so")


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def make_files(d):
    for name in ("world-writable", "group-writable", "stranger", "again"):
        shutil.copy(NULL, so(d, name))
    os.chmod(so(d, "world-writable"), 0o777)
    os.chmod(so(d, "group-writable"), 0o775)
    os.chown(so(d, "stranger"), 12345, 12345)
    os.mkdir(so(d, "directory"))
    write(so(d, "text"), b"#!/bin/sh\necho no driver\n")
    write(so(d, "empty"), b"")
    os.mkfifo(so(d, "fifo"))
    with open(NULL, "rb") as f:
        write(so(d, "cut"), f.read(100))
    source = os.path.join(d, "program.c")
    write(source, b"int main(void) { return 0; }\n")
    drivers.run(["cc", "-no-pie", "-o", so(d, "program"), source])
    os.unlink(source)
    os.symlink("nowhere", so(d, "dangling"))


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """A driver directory with null and everything that is refused."""
    top = tmp_path_factory.mktemp("loader")
    prefix = drivers.installed(str(top / "dest"))
    d = drivers.private_dir(top / "drivers")
    shutil.copy(NULL, so(d, "null"))
    os.chmod(so(d, "null"), 0o755)
    drivers.build(prefix, "refused.c", so(d, "fine"))
    for name, (flags, _) in COMPILED.items():
        if not any("NAME" in f for f in flags):
            flags = flags + [f"-DNAME=\"{name}\""]
        drivers.build(prefix, "refused.c", so(d, name), *flags, *(["-Wno-unused"] if name == "no-entry" else []))
    make_files(d)
    return d


REASONS = {**{name: why for name, (_, why) in COMPILED.items()}, **MADE}


@pytest.fixture(scope="module")
def survivor(gallery, images):
    d = skl.Daemon(images, simulator=False, args=["--driver", "null", "--driver-dir", gallery])
    d.api.pull()
    yield d
    d.close()


def test_the_daemon_goes_on_with_the_others(survivor):
    assert sorted(survivor.api.get("/info").json["Runtimes"]) == ["fine", "null"]
    for runtime in ("fine", "null"):
        assert survivor.docker("run", "--rm", "--runtime", runtime, "busybox", "true").returncode == 0


@pytest.mark.parametrize("name", REASONS)
def test_refused_with_its_own_reason(survivor, gallery, name):
    lines = [line for line in survivor.log().splitlines() if f"driver {so(gallery, name)} is not offered: " in line]
    assert len(lines) == 1 and REASONS[name] in lines[0], lines


def sockerlessd(*args):
    return subprocess.run([skl.program("sockerlessd"), *args], capture_output=True, text=True, timeout=skl.TIMEOUT)


def test_list_drivers_says_the_same(gallery):
    lines = sockerlessd("--driver-dir", gallery, "--list-drivers").stdout.splitlines()
    for name, why in REASONS.items():
        if name not in ("open-fails", "again"):  # nothing is opened
            assert any(line.startswith(f"{name}.so: refused: ") and why in line for line in lines), (name, lines)
    assert "fine 1 (ABI 1.0): a driver with one thing wrong" in lines


@pytest.mark.parametrize("name", ["wrong-major", "second-symbol", "world-writable", "directory", "text"])
def test_as_the_default_it_ends_the_start(gallery, tmp_path, name):
    done = sockerlessd("--driver-dir", gallery, "--driver", name, "--state-dir", str(tmp_path / "state"), "--host",
                       f"unix://{tmp_path}/s.sock")
    assert done.returncode == 1 and REASONS[name] in done.stderr and so(gallery, name) in done.stderr


def test_directory_above_that_others_can_write(tmp_path):
    d = drivers.private_dir(tmp_path / "open")
    shutil.copy(NULL, so(d, "null"))
    os.chmod(so(d, "null"), 0o755)
    os.chmod(d, 0o777)
    done = sockerlessd("--driver-dir", d, "--help-driver", "null")
    assert done.returncode == 1 and f"directory {d} can be written by everybody (mode 0777)" in done.stderr


def test_absolute_path_as_driver(gallery, images):
    d = skl.Daemon(images, simulator=False, args=["--driver", so(gallery, "fine"), "--driver-dir", gallery + "/none"])
    try:
        d.api.pull()
        assert d.api.get("/info").json["DefaultRuntime"] == "fine"
        assert d.docker("run", "--rm", "busybox", "true").returncode == 0
    finally:
        d.close()
