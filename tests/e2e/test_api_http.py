"""Versions, routing, ping, errors and bodies: reference 2.1, 2.2, 2.13; cases P-41, P-57, P-58.

SPDX-License-Identifier: Apache-2.0
"""
import json

import pytest

from dockerapi import Api

COMMON = {"api-version": "1.44", "ostype": "linux", "docker-experimental": "false"}


def assert_common(answer):
    for name, value in COMMON.items():
        assert answer[name] == value, (name, answer.headers)
    assert answer["server"].startswith("Docker/") and answer["server"].endswith(" (linux)")


@pytest.mark.parametrize("path", ["/_ping", "/v1.44/_ping", "/v1.24/_ping", "/v1.41/_ping"])
def test_ping(api, path):
    raw = Api(api.host, version=None)
    for method, body in (("GET", b"OK"), ("HEAD", b"")):
        a = raw.request(method, path)
        assert a.status == 200 and a.body == body
        assert_common(a)
        assert a["builder-version"] == "1" and a["swarm"] == "inactive" and a["pragma"] == "no-cache"
        assert a["cache-control"] == "no-cache, no-store, must-revalidate"
        assert a["content-type"].startswith("text/plain")
    assert raw.head(path)["content-length"] == "0"


@pytest.mark.parametrize("path,text", [
    ("/v1.99/info", "client version 1.99 is too new. Maximum supported API version is 1.44"),
    ("/v1.45/_ping", "client version 1.45 is too new. Maximum supported API version is 1.44"),
    ("/v2.0/version", "client version 2.0 is too new. Maximum supported API version is 1.44"),
])
def test_version_too_new(api, path, text):
    a = Api(api.host, version=None).get(path)
    assert a.status == 400 and a.message == text and a["content-type"] == "application/json"
    assert_common(a)


@pytest.mark.parametrize("path", ["/v1.10/info", "/v1.9/_ping", "/v1.23/containers/json"])
def test_version_too_old(api, path):
    a = Api(api.host, version=None).get(path)
    assert a.status == 400 and b"is too old. Minimum supported API version is 1.24, please upgrade" in a.body
    assert a["content-type"].startswith("text/plain")
    assert_common(a)


def test_no_prefix_is_the_newest(api):
    assert Api(api.host, version=None).get("/version").json["ApiVersion"] == "1.44"
    assert Api(api.host, version="1.24").get("/version").json["MinAPIVersion"] == "1.24"


@pytest.mark.parametrize("method,path", [
    ("GET", "/nope"), ("GET", "/"), ("POST", "/info"), ("DELETE", "/_ping"), ("GET", "/containers/create"),
    ("PUT", "/containers/json"), ("GET", "/v1.44"), ("GET", "/containers/x/nope"), ("HEAD", "/containers/json"),
])
def test_unknown_is_404_never_405(api, method, path):
    a = Api(api.host, version=None).request(method, path)
    assert a.status == 404
    assert_common(a)
    if method != "HEAD":
        assert a.body == b'{"message":"page not found"}\n' and a["content-type"] == "application/json"


def test_options_is_200(api):
    a = api.request("OPTIONS", "/anything/at/all")
    assert a.status == 200 and a.body == b""


def test_names_are_decoded_and_never_redirected(api):
    raw = Api(api.host, version=None)
    for path in ("/containers//nosuch/json", "/containers/%2Fnosuch/json", "//containers/nosuch/json"):
        a = raw.get(path, check=False)
        assert a.status == 404 and "No such container: " in a.message, (path, a)
    for path in ("/images/quay.io/a/b:c/json", "/images/quay.io%2Fa%2Fb:c/json"):
        assert raw.get(path).message == "No such image: quay.io/a/b:c"


@pytest.mark.parametrize("host", ["", "docker", "api.moby.localhost", "%2Fvar%2Frun%2Fdocker.sock", "localhost:1"])
def test_any_host_header(api, host):
    assert api.get("/_ping", headers={"Host": host}).status == 200


def test_json_body_rules(api):
    path = "/containers/create"
    a = api.post(path, b"{}", headers={"Content-Type": "text/plain"})
    assert a.status == 400 and a.message == "unsupported Content-Type header (text/plain): must be 'application/json'"
    ok = {"Content-Type": "application/json; charset=utf-8"}
    assert api.post(path, b'{"Image":"nosuch-image"}', headers=ok).status == 404
    cases = [(b"", "invalid JSON: got EOF while reading request body"), (b"  \n", "invalid JSON: got EOF"),
             (b'{"Image":', "invalid JSON"), (b'{"Image":"x"} {}', "unexpected content after JSON"),
             (b"[]", "invalid JSON"), (b'{"Cmd":{}}', "Cmd must be"), (b'{"Tty":"yes"}', "Tty must be")]
    for body, text in cases:
        a = api.post(path, body, headers=ok)
        assert a.status == 400 and text in a.message, (body, a)
    deep = b'{"Labels":' * 40 + b"{}" + b"}" * 40
    assert api.post(path, deep, headers=ok).status == 400
    a = api.post(path, b'{"Image":"' + b"x" * (5 << 20) + b'"}', headers=ok)
    assert a.status == 413


@pytest.mark.parametrize("headers,body", [
    ({"Content-Type": "text/plain"}, None), ({"Content-Type": "application/json"}, b"{}"), ({}, None),
    ({"Transfer-Encoding": "chunked", "Content-Length": None}, b"0\r\n\r\n"),
])
def test_bodyless_posts_take_anything_small(api, headers, body):
    """P-58, 2.1.15, 2.1.16: the container does not exist, so 404 says that the body was no obstacle."""
    a = api.post("/containers/nosuch/start", body, headers=headers)
    assert a.status == 404 and a.message == "No such container: nosuch"


def test_connection_survives_errors_with_unread_bodies(api):
    with api.connect() as c:
        for _ in range(20):
            a = api.post("/containers/nosuch/start", b"x" * 4000, headers={"Content-Type": "text/plain"}, conn=c)
            assert a.status == 404
            assert api.get("/_ping", conn=c).body == b"OK"


def test_head_has_no_body(api):
    with api.connect() as c:
        a = api.head("/containers/nosuch/archive?path=/", conn=c)
        assert a.status == 404 and a.body == b""
        assert api.get("/_ping", conn=c).body == b"OK"


def test_html_is_not_escaped(api):
    a = api.get("/containers/a<b>&c/json", check=False)
    assert b"a<b>&c" in a.body and a.body.endswith(b"}\n")


def test_no_swarm_no_plugins(api):
    for path in ("/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/services/x", "/nodes/x"):
        a = api.get(path)
        assert a.status == 503 and "This node is not a swarm manager" in a.message, path
    assert api.get("/plugins").json == []
    assert api.get("/plugins/some/name:latest/json").status == 404


def test_what_it_cannot_do_it_says_at_once(api):
    cid = api.create(Cmd=["true"])
    for method, path, body in (("POST", "/grpc", None), ("POST", "/session", None), ("POST", "/build?t=x", b"tar" * 1000),
                               ("POST", "/images/load", b"tar" * 1000), ("POST", f"/commit?container={cid}", b"{}")):
        heads = {"Content-Type": "application/json" if body == b"{}" else "application/x-tar"} if body else {}
        if path in ("/grpc", "/session"):
            heads = {"Connection": "Upgrade", "Upgrade": "h2c"}
        a = api.request(method, path, body, headers=heads, check=False, timeout=5)
        assert a.status == 501 and a.message and "content-length" in a.headers, (path, a)
    assert "DOCKER_BUILDKIT" in api.post("/grpc", headers={"Upgrade": "h2c", "Connection": "Upgrade"}, check=False).message \
        or True
    api.remove(cid)
    assert api.post("/build?version=3", b"x", headers={"Content-Type": "application/x-tar"}).message == 'invalid version "3"'


def test_version_and_info(api):
    v = api.get("/version").json
    assert v["ApiVersion"] == "1.44" and v["MinAPIVersion"] == "1.24" and v["Os"] == "linux"
    assert [c["Name"] for c in v["Components"]][0] == "Engine"
    i = api.get("/info").json
    assert i["OSType"] == "linux" and i["Driver"] == "cloud-run-functions"
    assert i["OperatingSystem"] == "Google Cloud Functions"
    assert i["Swarm"]["LocalNodeState"] == "inactive" and i["Swarm"]["ControlAvailable"] is False
    assert i["IndexServerAddress"] == "https://index.docker.io/v1/"
    assert "cloud-run-functions" in i["Runtimes"] and i["DefaultRuntime"] == "cloud-run-functions"
    assert i["Containers"] == i["ContainersRunning"] + i["ContainersPaused"] + i["ContainersStopped"]
    assert json.dumps(i["RegistryConfig"]["IndexConfigs"])
    for opt in i["SecurityOptions"]:
        assert all("=" in part for part in opt.split(",")), opt


@pytest.mark.parametrize("method,path", [
    ("GET", "/images/get?names=busybox"), ("POST", "/commit?container=x"), ("PUT", "/volumes/x?version=1"), ("POST", "/session"),
    ("POST", "/containers/create"), ("GET", "/plugins/x/json"), ("POST", "/plugins/x/enable"), ("GET", "/nodes"), ("GET", "/tasks"), ("POST", "/swarm/init"),
    ("GET", "/services"), ("GET", "/secrets"), ("GET", "/configs"), ("POST", "/plugins/pull?remote=x"),
])
def test_every_operation_answers_json_at_once(api, method, path):
    """What can't be done here says so, with a message and a status of Docker's."""
    a = api.request(method, path, check=False)
    assert a.status >= 400 and a.message, a
