"""Fixtures of the end-to-end tests. One daemon serves a whole module; tests that harm theirs start one of their own.

SKL_BUILDDIR names the build tree, SKL_IMAGES a simulator's image store that holds busybox (else one is made).

SPDX-License-Identifier: Apache-2.0
"""
import os

import pytest

import dockerapi
import gcpapi
import skl


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root: the simulator makes namespaces"))


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    given = os.environ.get("SKL_IMAGES")
    return given or skl.make_images(str(tmp_path_factory.mktemp("images")))


@pytest.fixture(scope="module")
def daemon(images):
    d = skl.Daemon(images)
    d.api.pull()
    yield d
    d.close()


@pytest.fixture
def fresh(images):
    """A daemon of the test's own."""
    d = skl.Daemon(images)
    d.api.pull()
    yield d
    d.close()


@pytest.fixture
def cloud(images):
    """A simulator of the test's own, that outlives daemons."""
    c = skl.Cloud(images)
    yield c
    c.close()


@pytest.fixture
def house(cloud, images):
    """A daemon on `cloud`. Tests kill it and start it again."""
    d = skl.Daemon(images, cloud=cloud)
    d.api.pull()
    yield d
    d.close()


@pytest.fixture
def api(daemon):
    return daemon.api


@pytest.fixture
def docker(daemon):
    return daemon.docker


# ---- how much of Docker's specification and of Google's documents the tests saw: from all workers ----
def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["covered"] = [list(key) for key in dockerapi.SPEC.covered]
        session.config.workeroutput["google"] = {name: sorted(seen) for name, seen in gcpapi.SPEC.covered.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for method, name in getattr(node, "workeroutput", {}).get("covered", []):
        dockerapi.SPEC.covered.setdefault((method, name), set())
    for name, seen in getattr(node, "workeroutput", {}).get("google", {}).items():
        gcpapi.SPEC.covered.setdefault(name, set()).update(seen)


def pytest_terminal_summary(terminalreporter):
    if dockerapi.SPEC.covered:
        parts = [f"{group} {got}/{total}" for group, (got, total) in sorted(dockerapi.SPEC.report().items())]
        terminalreporter.write_line("operations of Docker's specification seen: " + ", ".join(parts))
        missing = [f"{method} {name}" for method, name in dockerapi.SPEC.missing() if name.split("/")[1] in ("containers", "exec", "images", "networks", "volumes")]
        terminalreporter.write_line("not seen: " + (", ".join(missing) or "none"))
    if gcpapi.SPEC.covered:
        seen = {name for name, statuses in gcpapi.SPEC.covered.items() if min(statuses) < 300}
        parts = [f"{api} {got}/{total}" for api, (got, total) in sorted(gcpapi.SPEC.report(seen).items())]
        terminalreporter.write_line("methods of Google's documents seen to succeed: " + ", ".join(parts))
