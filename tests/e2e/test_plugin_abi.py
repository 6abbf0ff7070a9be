"""The ABI over time and across compilers: installed headers as C99 and C++, drivers and hosts of other minors, abidiff.

tests/abi/v1.0 is the header as version 1.0 had it; it never changes. The header of a later minor is made here: every struct that
begins with its size gets one more field at its end.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os
import re
import shutil
import subprocess

import pytest

import drivers
import skl

NULL_C = os.path.join(skl.TOP, "plugins/null/null.c")
FROZEN = os.path.join(drivers.HERE, "v1.0")
CURRENT = os.path.join(skl.TOP, "include")
GROWN = "-Wno-missing-field-initializers"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return drivers.installed(str(tmp_path_factory.mktemp("abi") / "dest"))


def changed_header(directory, change):
    """A copy of the public headers with change(text) for driver.h and its version.h."""
    shutil.copytree(os.path.join(CURRENT, "sockerless"), os.path.join(directory, "sockerless"))
    path = os.path.join(directory, "sockerless/driver.h")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(change(text))
    return str(directory)


def next_header(directory):
    """The headers of the next minor."""
    directory = changed_header(directory, grown)
    path = os.path.join(directory, "sockerless/version.h")
    with open(path) as f:
        text, n = re.subn(r"(#define SKL_ABI_MINOR) (\d+)u", lambda m: f"{m[1]} {int(m[2]) + 1}u", f.read())
    assert n == 1
    with open(path, "w") as f:
        f.write(text)
    return directory


def grown(text):
    text, n = re.subn(r"(\nstruct skl_\w+ \{\n    uint32_t size;.*?)\n\};", r"\1\n    uint64_t new_field;\n};", text, flags=re.S)
    assert n > 15
    return text


def run_container(images, directory, name, **options):
    d = skl.Daemon(images, simulator=False, config={"driver": name, "drivers": {name: options}},
                   args=["--driver-dir", directory])
    try:
        d.api.pull()
        done = d.docker("run", "--name", "cc", "busybox", "true")
        d.stop()
        d.start()  # recovery: list() and the containers' states
        assert d.api.get("/containers/cc/json").json["State"]["ExitCode"] == done.returncode
        d.docker("rm", "cc", check=True)
        return done.returncode
    finally:
        d.close()


# ---- the headers ----
@pytest.mark.parametrize("header", ["driver.h", "error.h", "retry.h", "version.h"])
@pytest.mark.parametrize("compiler,standard", [("cc", "-std=c99"), ("cc", "-std=c11"), ("c++", "-std=c++11"), ("c++", "-std=c++20"),
                                               ("clang-14", "-std=c99"), ("clang++-14", "-std=c++11")])
def test_header_is_self_contained(prefix, tmp_path, header, compiler, standard):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    source = tmp_path / "x.c"
    source.write_text(f'#include "sockerless/{header}"\n#include "sockerless/{header}"\nextern int x;\n')
    language = "c++" if "++" in compiler else "c"
    drivers.run([compiler, standard, "-x", language, *drivers.STRICT, "-Wundef", "-Wshadow", "-fsyntax-only",
                 drivers.pkg_config(prefix, "--cflags"), str(source)])


def test_pkg_config(prefix):
    assert drivers.pkg_config(prefix, "--variable=driverdir") == f"{prefix}/lib/sockerless/drivers"
    assert drivers.pkg_config(prefix, "--cflags") == f"-I{prefix}/include"
    assert drivers.pkg_config(prefix, "--libs") == ""
    with open(os.path.join(prefix, "include/sockerless/version.h")) as f:
        minor = re.search(r"#define SKL_ABI_MINOR (\d+)u", f.read())[1]
    assert drivers.pkg_config(prefix, "--variable=abi") == f"1.{minor}"


# ---- out of tree ----
def test_null_out_of_tree(prefix, images, tmp_path):
    d = drivers.private_dir(tmp_path / "drivers")
    drivers.build(prefix, NULL_C, os.path.join(d, "null.so"))
    assert run_container(images, d, "null", **{"exit-code": 9}) == 9


@pytest.mark.parametrize("compiler,standard", [("cc", "-std=c99"), ("c++", "-std=c++11")])
def test_one_source_as_c_and_as_cxx(prefix, images, tmp_path, compiler, standard):
    d = drivers.private_dir(tmp_path / "drivers")
    flags = ["-x", "c++"] if compiler == "c++" else []
    drivers.build(prefix, "misbehaving.c", os.path.join(d, "misbehaving.so"), *flags, compiler=compiler, standard=standard)
    assert run_container(images, d, "misbehaving") == 5


# ---- other minors ----
def test_frozen_driver_in_the_current_daemon(images, tmp_path):
    d = drivers.private_dir(tmp_path / "drivers")
    drivers.compile_so(NULL_C, os.path.join(d, "null.so"), include=FROZEN)
    assert run_container(images, d, "null", **{"exit-code": 4}) == 4


def test_newer_driver_in_the_current_daemon(images, tmp_path):
    """The current null driver, built against the next minor: this daemon is the host with an older one."""
    d = drivers.private_dir(tmp_path / "drivers")
    include = next_header(tmp_path / "next")
    drivers.compile_so(NULL_C, os.path.join(d, "null.so"), GROWN, include=include)
    listed = subprocess.run([skl.program("sockerlessd"), "--driver-dir", d, "--list-drivers"], capture_output=True, text=True)
    assert "null 1.0 (ABI 1.1)" in listed.stdout
    assert run_container(images, d, "null", **{"exit-code": 6}) == 6


def build_host(include, out):
    """core/plugin against that header. Its libraries may be instrumented."""
    flags = []
    with open(os.path.join(skl.BUILD, "Makefile")) as f:
        flags += re.search(r"^SKL_INSTR_CFLAGS = (.*)$", f.read(), re.M)[1].split()
    libs = [os.path.join(skl.BUILD, f"libskl_{x}.a") for x in ("loop", "json", "base")]
    packages = drivers.run(["pkg-config", "--cflags", "--libs", "libevent_core", "libevent_extra", "libcurl", "json-c", "openssl"])
    sources = glob.glob(os.path.join(skl.TOP, "core/plugin/*.c"))
    drivers.run(["cc", "-std=gnu11", "-g", "-D_GNU_SOURCE", *flags, "-I" + include, "-I" + os.path.join(skl.TOP, "core"), "-o", out,
                 os.path.join(drivers.HERE, "host.c"), *sources, *libs, *packages.split(), "-ldl", "-lpthread", "-lm"])
    return out


def host_run(host, plugin):
    return drivers.run([host, plugin], env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0")).splitlines()


EXPECTED = ["load: ok", "host 1.{}", "create: ok", "start: ok", "run 1 ended: kind 1 code 0", "list: ok",
            "listed: 1, the first in state IDLE", "faults: 0"]


def test_older_and_newer_hosts(tmp_path):
    """null built against 1.0, the current header and the next minor, in hosts built against each of them."""
    includes = {"frozen": (FROZEN, 0), "current": (CURRENT, 0), "next": (next_header(tmp_path / "next"), 1)}
    d = drivers.private_dir(tmp_path / "drivers")
    plugins = [drivers.compile_so(NULL_C, os.path.join(d, f"{name}.so"), GROWN, include=i) for name, (i, _) in includes.items()]
    for name, (include, minor) in includes.items():
        host = build_host(include, str(tmp_path / f"host-{name}"))
        for plugin in plugins:
            assert host_run(host, plugin) == [line.format(minor) for line in EXPECTED], (name, plugin)


# ---- abidiff ----
def check_abi(tmp_path, include):
    if shutil.which("abidiff") is None:
        pytest.skip("no abidiff (abigail-tools)")
    old = drivers.compile_so(NULL_C, str(tmp_path / "old.so"), include=FROZEN)
    new = drivers.compile_so(NULL_C, str(tmp_path / "new.so"), "-w", include=include)
    return subprocess.run([os.path.join(drivers.HERE, "check-abi"), old, new], capture_output=True, text=True, timeout=skl.TIMEOUT)


def test_abidiff_current(tmp_path):
    done = check_abi(tmp_path, CURRENT)
    assert done.returncode == 0, done.stdout


def test_abidiff_allows_growth(tmp_path):
    done = check_abi(tmp_path, next_header(tmp_path / "h"))
    assert done.returncode == 0, done.stdout


BREAKS = {
    "type": ("int64_t memory; ", "int32_t memory; "),
    "middle": ("    uint32_t tty; ", "    uint32_t inserted;\n    uint32_t tty; "),
    "padding": ("uint32_t force;", "uint64_t force;"),
    "gone": ("    void (*cancel)(struct skl_instance *inst, struct skl_call *call);\n", ""),
    "service": ("int64_t (*now_wall)(void *ctx);", "int32_t (*now_wall)(void *ctx);"),
    "swapped": ("uint32_t major;              /* the host's */\n    uint32_t minor;", "uint32_t minor;\n    uint32_t major;"),
    "no-size": ("struct skl_kv {\n    const char *key;\n    const char *value;", "struct skl_kv {\n    const char *key, *value, *more;"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_abidiff_sees_breaks(tmp_path, name):
    def change(text):
        old, new = BREAKS[name]
        assert old in text
        return text.replace(old, new)
    done = check_abi(tmp_path, changed_header(tmp_path / "h", change))
    assert done.returncode == 1 and "breaks the ABI" in done.stdout, done.stdout + done.stderr
