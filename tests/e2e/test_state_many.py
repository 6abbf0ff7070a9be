"""10,000 containers (issue 4): all there after kill -9, within the memory of DESIGN.md 10. How long a start takes is
measured by tests/bench/many-containers, and asserted nowhere.

SPDX-License-Identifier: Apache-2.0
"""
import os

import pytest

import skl
from many import fill, start_time

MANY = int(os.environ.get("SKL_MANY", "10000"))
EACH = 6 * 1024  # bytes of a created container


def test_many_containers(images):
    d = skl.Daemon(images, simulator=False, args=["--driver", "null", "--log-level", "info"])
    try:
        d.api.pull()
        empty = d.rss()[0]
        n = MANY if not d.sanitized() else MANY // 10
        fill(d.api, n)
        grown = [d.rss()[0] - empty]
        d.kill9()
        start_time(d)
        grown.append(d.rss()[0] - empty)
        listed = d.api.get("/containers/json?all=1", check=False).json
        assert {c["Names"][0] for c in listed} == {f"/c{i}" for i in range(n)}
        assert d.api.inspect("c0")["Config"]["Labels"]["com.docker.compose.service"] == "web"
        if d.sanitized():
            pytest.skip("memory means nothing under a sanitizer")
        assert max(grown) / n <= EACH, [g / n for g in grown]
    finally:
        d.close()
