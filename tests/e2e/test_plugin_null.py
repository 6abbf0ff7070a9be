"""Drivers as the user meets them, with the null driver: runtimes, options from the file, exit codes, delays, failures, and
what --list-drivers, --help-driver and --validate say.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess
import time

import pytest

import skl
from dockerapi import wait_until

PLUGINS = os.path.join(skl.BUILD, "plugins")


def null_daemon(images, **options):
    config = {"driver": "null", "drivers": {"null": {k.replace("_", "-"): v for k, v in options.items()}}}
    return skl.Daemon(images, simulator=False, config=config)


@pytest.fixture
def null(images):
    """null(option=...): a daemon that has the null driver as its default."""
    daemons = []

    def make(**options):
        d = null_daemon(images, **options)
        daemons.append(d)
        d.api.pull()
        return d
    yield make
    for d in daemons:
        d.close()


def sockerlessd(*args, config=None, tmp=None):
    argv = [skl.program("sockerlessd"), "--driver-dir", PLUGINS, *args]
    if config is not None:
        path = os.path.join(tmp, "sockerless.json")
        with open(path, "w") as f:
            f.write(config if isinstance(config, str) else json.dumps(config))
        argv += ["--config", path]
    return subprocess.run(argv, capture_output=True, text=True, timeout=skl.TIMEOUT)


# ---- beside the default driver ----
def test_runtime_beside_the_default(daemon):
    done = daemon.docker("run", "--runtime", "null", "busybox", "echo", "nobody says this")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    both = daemon.docker("run", "--rm", "busybox", "echo", "the default still does")
    assert both.stdout == "the default still does\n"
    info = daemon.api.get("/info").json
    assert {"null", "cloud-run-functions"} <= set(info["Runtimes"]) and info["DefaultRuntime"] == "cloud-run-functions"
    shown = daemon.docker("info", check=True).stdout
    assert " Runtimes: cloud-run-functions null\n" in shown or " Runtimes: null cloud-run-functions\n" in shown


def test_unknown_runtime(daemon):
    done = daemon.docker("run", "--runtime", "nosuch", "busybox", "true")
    assert done.returncode == 125 and "unknown or invalid runtime name: nosuch" in done.stderr


def test_no_agent_is_waited_for(images):
    """The daemon has a callback URL, the driver no agent: nothing waits for one, what needs one says so."""
    d = skl.Daemon(images, config={"drivers": {"null": {"run-time": "1h"}}})
    try:
        d.api.pull()
        d.docker("run", "-d", "--name", "mute", "--runtime", "null", "busybox", "true", check=True)
        done = d.docker("exec", "mute", "true")
        assert done.returncode != 0 and "the driver of this container runs none" in done.stderr
        done = d.docker("cp", "/etc/hostname", "mute:/tmp")
        assert done.returncode != 0 and "the driver of this container runs none" in done.stderr
        d.docker("rm", "-f", "mute", check=True)
    finally:
        d.close()


# ---- as the default, with options from the file ----
def test_default_driver_and_info(null):
    d = null()
    info = d.api.get("/info").json
    assert (info["DefaultRuntime"], info["Driver"], info["OperatingSystem"]) == ("null", "null", "nothing")
    assert d.docker("run", "--rm", "busybox", "true").returncode == 0
    cid = d.docker("create", "busybox", "true", check=True).stdout.strip()
    assert d.api.get(f"/containers/{cid}/json").json["HostConfig"]["Runtime"] == "null"


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_code(null, code):
    d = null(exit_code=code)
    assert d.docker("run", "busybox", "true").returncode == code
    state = d.api.get("/containers/json?all=1").json[0]
    assert state["State"] == "exited" and state["Status"].startswith(f"Exited ({code})")


def test_delays(null):
    d = null(create_delay="300ms", start_delay=0.3, run_time="0.3s")
    began = time.monotonic()
    assert d.docker("run", "busybox", "true").returncode == 0
    assert time.monotonic() - began >= 0.9


def test_run_time_and_kill(null):
    d = null(run_time="1h")
    cid = d.docker("run", "-d", "busybox", "true", check=True).stdout.strip()
    assert d.api.get(f"/containers/{cid}/json").json["State"]["Running"]
    d.docker("kill", cid, check=True)
    assert d.docker("wait", cid, check=True).stdout == "137\n"
    d.docker("run", "-d", "--name", "forced", "busybox", "true", check=True)
    d.docker("rm", "-f", "forced", check=True)
    assert "forced" not in d.docker("ps", "-a").stdout


def test_logs(null):
    d = null(log_lines=3000)
    d.docker("run", "--name", "talks", "busybox", "true", check=True)
    assert d.docker("logs", "talks", check=True).stdout == "".join(f"line {i}\n" for i in range(1, 3001))
    assert d.docker("logs", "--tail", "2", "talks", check=True).stdout == "line 2999\nline 3000\n"


@pytest.mark.parametrize("operation", ["create", "start", "kill", "remove", "logs"])
def test_failures(null, operation):
    d = null(fail=operation, run_time="1h")
    words = f"null driver: {operation}: it fails by configuration"
    run = d.docker("run", "-d", "--name", "cc", "busybox", "true")
    if operation == "create":
        assert run.returncode == 125 and words in run.stderr
        assert d.api.get("/containers/json?all=1").json == [], "a failed create left a container"
        return
    if operation == "start":
        assert run.returncode == 125 and words in run.stderr
        assert d.api.get("/containers/cc/json").json["State"]["Status"] in ("created", "exited")
        return
    assert run.returncode == 0
    done = {"kill": ["kill", "cc"], "remove": ["rm", "-f", "cc"], "logs": ["logs", "cc"]}[operation]
    done = d.docker(*done)
    if operation == "logs":
        assert words in done.stdout + done.stderr
        return
    wait_until(lambda: words in d.log(), "the failure in the daemon's log")
    wait_until(lambda: "cc" not in d.docker("ps", "--format", "{{.Names}}").stdout.split(), "an end of the run")


# ---- looking ----
def test_list_drivers():
    done = sockerlessd("--list-drivers")
    assert done.returncode == 0 and "null 1.0 (ABI 1.0): runs nothing: template and test double\n" in done.stdout
    assert "cloud-run-functions " in done.stdout


def test_list_drivers_of_no_directory(tmp_path):
    absent = sockerlessd("--driver-dir", str(tmp_path / "none"), "--list-drivers")
    assert (absent.returncode, absent.stdout, absent.stderr) == (0, "", ""), "nothing is installed yet: no error"
    (tmp_path / "file").write_text("")
    wrong = sockerlessd("--driver-dir", str(tmp_path / "file"), "--list-drivers")
    assert wrong.returncode == 1 and f"driver directory {tmp_path}/file: Not a directory" in wrong.stderr


def test_help_driver():
    done = sockerlessd("--help-driver", "null")
    assert done.returncode == 0 and done.stdout.startswith("null 1.0: runs nothing")
    assert "Capabilities: list inspect\n" in done.stdout and "exit-code: " in done.stdout and "0 to 255" in done.stdout
    by_path = sockerlessd("--help-driver", os.path.join(PLUGINS, "null.so"))
    assert by_path.stdout == done.stdout
    missing = sockerlessd("--help-driver", "nosuch")
    assert missing.returncode == 1 and f"{PLUGINS}/nosuch.so" in missing.stderr


def test_validate_valid(tmp_path):
    done = sockerlessd("--validate", config={"driver": "null", "drivers": {"null": {"exit-code": 3}}}, tmp=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}/sockerless.json: the configuration is valid\n", "")


WRONG = [
    ({"exit-cod": 3}, "exit-cod", "unknown key"),
    ({"exit-code": "three"}, "exit-code", "integer"),
    ({"exit-code": 256}, "exit-code", "255"),
    ({"exit-code": 1.5}, "exit-code", "integer"),
    ({"run-time": "soon"}, "run-time", "duration"),
    ({"run-time": "25h"}, "run-time", "0s to 86400s"),
    ({"fail": "everything"}, "fail", "logs"),
    ({"fail": True}, "fail", "\"remove\" or \"logs\", not true"),
]


@pytest.mark.parametrize("section,key,reason", WRONG)
@pytest.mark.parametrize("default", ["null", "cloud-run-functions"])
def test_validate_names_file_key_and_reason(tmp_path, default, section, key, reason):
    config = {"driver": default, "drivers": {"null": section, "cloud-run-functions": {"project": "p"}}}
    done = sockerlessd("--validate", config=config, tmp=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert f"{tmp_path}/sockerless.json" in done.stderr and key in done.stderr and reason in done.stderr, done.stderr
    assert "drivers.null" in done.stderr


def test_validate_section_that_is_no_object(tmp_path):
    done = sockerlessd("--validate", config={"driver": "null", "drivers": {"null": []}}, tmp=tmp_path)
    assert done.returncode == 1 and f'{tmp_path}/sockerless.json: "drivers": ' in done.stderr
    assert '"null" must be an object, not an array' in done.stderr


def test_validate_section_of_a_driver_that_is_not_there(tmp_path):
    done = sockerlessd("--validate", config={"driver": "null", "drivers": {"nosuch": {}}}, tmp=tmp_path)
    assert done.returncode == 1 and f"{tmp_path}/sockerless.json: drivers.nosuch: " in done.stderr


def test_wrong_options_of_another_driver_do_not_stop_the_daemon(images):
    d = skl.Daemon(images, simulator=False, config={"driver": "null", "drivers": {"cloud-run-functions": {"nosuch": 1}}})
    try:
        assert list(d.api.get("/info").json["Runtimes"]) == ["null"]
        assert 'drivers.cloud-run-functions: unknown key "nosuch"' in d.log()
    finally:
        d.close()
