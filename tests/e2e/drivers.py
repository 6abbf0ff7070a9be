"""Out-of-tree drivers for tests: built with nothing but installed headers and pkg-config.

    home = installed(dest)                        # make install DESTDIR=dest of the development files
    build(home, "tests/abi/refused.c", so, "-DMAJOR=2")

SPDX-License-Identifier: Apache-2.0
"""
import fcntl
import os
import re
import shlex
import subprocess

import skl

HERE = os.path.join(skl.TOP, "tests/abi")
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-g", "-O1"]


def run(argv, **kw):
    kw.setdefault("timeout", skl.TIMEOUT)
    done = subprocess.run(argv, capture_output=True, text=True, **kw)
    assert done.returncode == 0, f"{shlex.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def make(*targets, timeout=300, **variables):
    """make in the build tree, one at a time: tests run in parallel, and make may have to configure anew."""
    with open(os.path.join(skl.BUILD, "e2e-make.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return run(["make", "-s", "-C", skl.BUILD, *targets, *(f"{k}={v}" for k, v in variables.items())], timeout=timeout)


def makefile_variable(name):
    with open(os.path.join(skl.BUILD, "Makefile")) as f:
        return re.search(rf"^{name} = (.*)$", f.read(), re.M).group(1)


def installed(dest):
    """Development files below dest; returns the prefix."""
    make("install-sklincludeHEADERS", "install-nodist_pkgconfigDATA", DESTDIR=dest)
    return dest + makefile_variable("prefix")


def pkg_config_env(prefix):
    return {"PKG_CONFIG_PATH": os.path.join(prefix, "lib/pkgconfig"), "PKG_CONFIG": "pkg-config --define-prefix"}


def pkg_config(prefix, *args):
    env = dict(os.environ, **pkg_config_env(prefix))
    return run(["pkg-config", "--define-prefix", *args, "sockerless"], env=env).strip()


def compile_so(source, out, *flags, include=None, compiler="cc", standard="-std=c99"):
    if not os.path.isabs(source):
        source = os.path.join(HERE, source)
    includes = include if isinstance(include, list) else ["-I" + include]
    run([compiler, standard, *STRICT, "-shared", "-fPIC", "-fvisibility=hidden", *includes, *flags, "-o", out, source])
    os.chmod(out, 0o755)
    return out


def build(prefix, source, out, *flags, **kw):
    return compile_so(source, out, *flags, include=shlex.split(pkg_config(prefix, "--cflags")), **kw)


def private_dir(path):
    """A directory that the loader trusts."""
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o755)
    return str(path)
