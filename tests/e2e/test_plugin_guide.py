"""docs/writing-a-driver.md works as it stands: its files are extracted, built as C99 and as C++11, and its commands run.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import subprocess

import pytest

import drivers
import skl

GUIDE = os.path.join(skl.TOP, "docs/writing-a-driver.md")


def blocks(kind):
    """The texts of ```KIND blocks, in order."""
    with open(GUIDE) as f:
        return re.findall(rf"^```{re.escape(kind)}\n(.*?)^```$", f.read(), re.M | re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The reader's folder after sections 1 to 7."""
    d = drivers.private_dir(tmp_path_factory.mktemp("guide") / "here")
    for name, kind in (("Makefile", "make Makefile"), ("here.c", "c here.c")):
        with open(os.path.join(d, name), "w") as f:
            f.write("\n".join(blocks(kind)))
    return d


@pytest.fixture(scope="module")
def reader(folder, tmp_path_factory):
    """The reader's shell: reader(script, **environment)."""
    prefix = drivers.installed(str(tmp_path_factory.mktemp("guide-dest")))

    def shell(script, **more):
        env = dict(os.environ, **drivers.pkg_config_env(prefix), **more, PATH=skl.BUILD + ":" + os.environ["PATH"])
        done = subprocess.run(["sh", "-eu", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=skl.TIMEOUT)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout
    shell.prefix = prefix
    return shell


@pytest.fixture(scope="module")
def built(reader):
    script, = blocks("sh")
    return reader(script, CFLAGS="-O1 -g -Wall -Wextra -Wshadow -pedantic -Werror")


def test_build_and_look(built):
    assert "\nhere 1.0 (ABI 1.0): runs commands on this machine\n" in built
    assert "grace: a duration" in built and "where output is kept" in built


def test_install(built, reader):
    script, = blocks("sh install")
    reader(script)
    assert os.access(os.path.join(reader.prefix, "lib/sockerless/drivers/here.so"), os.X_OK)


def use(reader, images, driver_dir, **options):
    d = skl.Daemon(images, simulator=False, config={"driver": "here", "drivers": {"here": options}}, args=["--driver-dir", driver_dir])
    try:
        script, = blocks("sh docker")
        return reader(script, DOCKER_HOST=d.host, HOME=d.dir)
    finally:
        d.close()


def test_docker_run_uses_it(built, reader, folder, images, tmp_path):
    out = use(reader, images, folder, directory=str(tmp_path))
    assert "\nhello from my driver\n" in out and "\nexit code 7\n" in out and "\n137\nfirst\nlong\n" in out
    left = os.listdir(tmp_path)
    assert len(left) == 1, f"the container that was not removed has its output: {left}"


def test_as_cxx(folder, reader, images, tmp_path):
    d = drivers.private_dir(tmp_path / "cxx")
    drivers.build(reader.prefix, os.path.join(folder, "here.c"), os.path.join(d, "here.so"), "-x", "c++", compiler="c++", standard="-std=c++11")
    out = use(reader, images, d, directory=str(tmp_path), grace="0.1s")
    assert "\nhello from my driver\n" in out and "\nexit code 7\n" in out
