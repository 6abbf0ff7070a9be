"""The daemon as it runs against Google itself: real host names, TLS, tokens that are checked (google_front.py).

SPDX-License-Identifier: Apache-2.0
"""
import threading

import pytest

import skl
from dockerapi import wait_until
from gate import Bell
from google_front import ACCOUNT, APIS, Daemon, Front
from google_registry import Registry, busybox


@pytest.fixture(name="front")
def front_fixture(images):
    cloud = skl.Cloud(images)
    front = Front(cloud)
    yield front
    front.close()
    cloud.close()


@pytest.fixture(name="google")
def google_fixture(front, images):
    d = Daemon(images, front)
    d.api.pull()
    yield d
    d.close()


@pytest.fixture(name="bell")
def bell_fixture():
    b = Bell()
    yield b
    b.close()


def no_secret_in(front, *texts):
    for text in texts:
        for secret in front.secrets:
            assert secret not in text, secret


def life(d):
    """Everything the driver does, once; what was said on the way."""
    cid = d.api.create(Cmd=["sh", "-c", "echo hello; exit 7"])
    d.api.start(cid)
    assert d.api.wait(cid) == 7
    said = d.docker("logs", cid)
    assert said.stdout == "hello\n"
    said = said.stdout + said.stderr + d.docker("inspect", cid).stdout + d.docker("info").stdout
    tokens = [f["serviceConfig"]["environmentVariables"]["SOCKERLESS_AGENT_TOKEN"] for f in d.front.cloud.functions()]
    assert tokens
    d.front.secrets += tokens
    d.api.remove(cid)
    wait_until(lambda: not d.front.cloud.names(), "the function to go")
    return said


@pytest.mark.parametrize("kind, options", [("key", {}), ("key", {"semantics": "strict"}), ("federated", {}), ("metadata", {}),
                                           ("user", {"impersonate": ACCOUNT})])
def test_a_life(front, images, kind, options):
    """By each kind of credential: who is asked what with which token; and no secret is said anywhere."""
    d = Daemon(images, front, kind, **options)
    try:
        d.api.pull()
        said = life(d)
        hosts = {host for host, *_ in front.seen}
        assert {"cloudfunctions.googleapis.com"} < hosts
        runs = [x for x in front.seen if x[0].endswith(".a.run.app")]
        assert [(method, path) for _, method, path, _ in runs] == [("POST", "/")]
        api_tokens = {bearer for host, _, _, bearer in front.seen if host in APIS}
        assert len(api_tokens) == 1 and runs[0][3] not in api_tokens
        assert len(front.secrets) > 8
    finally:
        d.stop()
    no_secret_in(front, d.log(), said)
    d.close()


def test_tokens_that_end_in_mid_run(front, google, bell):
    """Revoked or over: the run does not notice, and whoever meets the 401 gets a new one."""
    cid = google.api.create(Cmd=["sh", "-c", f"{bell.wait}; exit 5"], Env=bell.env)
    google.api.start(cid)
    front.revoke()
    other = google.api.create(Cmd=["true"])
    front.revoke()
    google.api.start(other)
    assert google.api.wait(other) == 0
    front.revoke()
    google.api.start(other)  # its ID token is no good any more
    assert google.api.wait(other) == 0
    bell.ring()
    assert google.api.wait(cid) == 5
    front.revoke()
    for c in (cid, other):
        google.api.remove(c)
    wait_until(lambda: not front.cloud.names(), "the functions to go")


def test_token_endpoints_that_are_down(front, google, bell):
    """What runs goes on; what needs a token waits for them."""
    cid = google.api.create(Cmd=["sh", "-c", f"{bell.wait}; exit 5"], Env=bell.env)
    google.api.start(cid)
    front.down = True
    front.revoke()
    other = []
    creating = threading.Thread(target=lambda: other.append(google.api.create(Cmd=["sh", "-c", "exit 3"])))
    creating.start()
    asked = lambda: sum(host == "oauth2.googleapis.com" for host, *_ in front.seen)
    before = asked()
    wait_until(lambda: asked() >= before + 4, "several tries")
    eid = google.api.post(f"/containers/{cid}/exec", {"Cmd": ["true"]}).json["Id"]
    assert google.api.post(f"/exec/{eid}/start", {"Detach": True}).status == 200
    bell.ring()
    assert google.api.wait(cid) == 5
    assert not other
    front.down = False
    creating.join(skl.TIMEOUT)
    front.down = True
    front.revoke()
    before = asked()
    starting = threading.Thread(target=lambda: google.api.start(other[0]))
    starting.start()
    wait_until(lambda: asked() >= before + 4, "several tries")
    front.down = False
    starting.join(skl.TIMEOUT)
    assert google.api.wait(other[0]) == 3


@pytest.mark.parametrize("ahead", [7200, -7200])
def test_clock_skew(front, images, ahead):
    front.ahead = ahead
    d = Daemon(images, front)
    try:
        d.api.pull()
        life(d)
        assert "clock is off by" in d.log()
    finally:
        d.close()


def test_permissions_that_take_their_time(front, google):
    """403 by the front end right after the function was made: a while later it is open. One command ran."""
    front.forbidden = 2
    cid = google.api.create(Cmd=["sh", "-c", "echo once; exit 4"])
    google.api.start(cid)
    assert google.api.wait(cid) == 4
    assert google.docker("logs", cid).stdout == "once\n"
    assert sum(host.endswith(".a.run.app") for host, *_ in front.seen) == 3


# ---- "deploy": "image" ----
HOST, REPOSITORY = "us-central1-docker.pkg.dev", f"{skl.PROJECT}/made"


@pytest.fixture(name="shipped")
def shipped_fixture(tmp_path):
    """shipped(create="wait"): (daemon, front), with an image store and a registry of the test's own."""
    images = skl.make_images(str(tmp_path / "images"))
    cloud = skl.Cloud(images)
    front = Front(cloud)
    front.registry = Registry(HOST, images)
    front.registry.load(f"{skl.PROJECT}/apps/box", "1", busybox(str(tmp_path)))
    made = []

    def make(**options):
        made.append(Daemon(images, front, deploy="image", repository=f"{HOST}/{REPOSITORY}", **{"agent-binary": skl.program("sockerless-agent")},
                           **options))
        made[0].api.pull(IMAGE)
        return made[0], front

    yield make
    made[0].close()
    front.close()
    cloud.close()


IMAGE = f"{HOST}/{skl.PROJECT}/apps/box:1"


@pytest.mark.parametrize("create", ["wait", "background"])
def test_an_image_under_a_placeholder(shipped, create):
    """As Google takes it: the agent's layer on the user's image, a function from a placeholder's source, that image under its service."""
    d, front = shipped(create=create)
    cid = d.api.create(IMAGE, Cmd=["sh", "-c", "echo $GREETING from $(cat /etc/passwd | head -n 1); exit 7"], Env=["GREETING=hello"])
    d.api.start(cid)
    assert d.api.wait(cid) == 7
    assert d.docker("logs", cid).stdout == "hello from root:x:0:0:root:/root:/bin/sh\n"
    (function,) = front.cloud.functions()
    assert function["buildConfig"]["runtime"].startswith("nodejs") and "onDeployUpdatePolicy" in function["buildConfig"]
    assert front.registry.mounts == 1 and len({r for r, _ in front.registry.blobs}) == 2
    d.api.start(cid)
    assert d.api.wait(cid) == 7
    pushed = len(front.registry.blobs)
    other = d.api.create(IMAGE, Cmd=["sh", "-c", "id -u; exit 3"], User="nobody")
    again = d.api.create(IMAGE, Cmd=["true"])
    assert len(front.registry.blobs) == pushed + 1, "the configuration for another user"
    for c, code in ((other, 3), (again, 0)):
        d.api.start(c)
        assert d.api.wait(c) == code
    assert d.docker("logs", other).stdout == "65534\n"
    for c in (cid, other, again):
        d.api.remove(c)
    wait_until(lambda: not front.cloud.names(), "the functions to go")
    d.stop()
    no_secret_in(front, d.log())


def test_kill_9_while_an_image_is_deployed(shipped):
    """The daemon ends between the placeholder and the image: a start afterwards runs the image."""
    d, front = shipped(create="background")
    front.hold = "PATCH"
    cid = d.api.create(IMAGE, Cmd=["sh", "-c", "exit 7"])
    wait_until(lambda: any(method == "PATCH" for _, method, *_ in front.seen), "the image to be deployed")
    d.kill9()
    front.hold = None
    d.start()
    d.api.start(cid)
    assert d.api.wait(cid) == 7
    d.api.remove(cid)
    wait_until(lambda: not front.cloud.names(), "the function to go")


def test_an_image_that_is_not_there(shipped):
    d, front = shipped()
    answer = d.api.create(ok=False, image=IMAGE.replace("box:1", "box:2"), Cmd=["true"])
    assert answer.status in (400, 404), answer
    d.api.pull(IMAGE.replace("box:1", "box:2"))
    answer = d.api.create(ok=False, image=IMAGE.replace("box:1", "box:2"), Cmd=["true"])
    assert answer.status == 400 and "there is no such image" in answer.message
    assert not front.cloud.names() and d.api.get("/containers/json?all=1").json == []


def test_a_key_that_is_not_there(front, images):
    """An error that names the file, at the first use; nothing falls through to other credentials."""
    front.credentials["missing"] = "/nonexistent/key.json"
    d = Daemon(images, front, "missing")
    try:
        d.api.pull()
        answer = d.api.create(ok=False, Cmd=["true"])
        assert answer.status >= 400 and "/nonexistent/key.json" in answer.message
        assert front.seen == []
    finally:
        d.close()
