"""The bench still measures: figures come, a row that does not exist is said.

SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess

import skl

COMPARE = os.path.join(skl.TOP, "tests/bench/compare")


def compare(*args):
    return subprocess.run([COMPARE, "--peers", "nosuchdaemon", *args], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, SKL_BENCH_SECONDS="1", SKL_BUILDDIR=skl.BUILD))


def test_figures_come():
    done = compare("ping", "run", "events", "cp-small-up")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "skipped: nosuchdaemon (not installed)"
    rows = {line[:40].strip(): float(line[40:].split()[0].replace(",", "")) for line in lines[2:]}
    assert len(rows) == 4 and all(value >= 0 for value in rows.values()) and rows["GET /_ping, 32 connections, /s"] > 0


def test_no_such_row():
    done = compare("pong")
    assert done.returncode == 2 and "no such row: pong" in done.stderr
