"""The docker CLI as a function.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess


def run(*args, stdin=None, text=True):
    return subprocess.run(["docker", *args], capture_output=True, text=text, timeout=60, input=stdin,
                          stdin=subprocess.DEVNULL if stdin is None else None)


def docker(*args, code=0, stdin=None, text=True):
    """Its standard output; the exit code must be `code`."""
    done = run(*args, stdin=stdin, text=text)
    assert done.returncode == code, (args, done.returncode, done.stdout[-400:], done.stderr[-400:])
    return done.stdout


def error(*args, code=1):
    """Its standard error; the exit code must be `code`."""
    done = run(*args)
    assert done.returncode == code, (args, done.returncode, done.stdout[-400:], done.stderr[-400:])
    return done.stderr


def clean():
    names = docker("ps", "-aq", "--filter", "name=cli-").split()
    if names:
        docker("rm", "-f", *names)
