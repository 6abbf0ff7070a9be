"""Faults that other daemons had, as cases (tests/cases/api.tsv): events, images, networks, volumes, mounts. A test's name begins with its case.

SPDX-License-Identifier: Apache-2.0
"""
import json
import time
import urllib.parse

import pytest

import skl
from dockerapi import wait_until
from test_api_cases import quoted


def since(api, t0, **filters):
    """(type, action) of what happened since."""
    lines = api.get(f"/events?since={t0:.9f}&until={time.time():.9f}&filters=" + quoted(filters)).lines()
    return [(e["Type"], e["Action"]) for e in lines]


@pytest.fixture
def net(api):
    made = []

    def make(name, **config):
        a = api.post("/networks/create", {"Name": name, **config})
        assert a.status == 201, a
        made.append(name)
        return a.json["Id"]

    yield make
    for n in made:
        api.delete(f"/networks/{n}")


# ---- events ----
def test_u61_what_each_action_tells(api, net):
    """Images, networks and volumes as well: mount and connect with the run, not with the create."""
    net("u61-net")
    t0 = time.time()
    api.pull("u61:1")
    api.post("/images/u61:1/tag?repo=u61&tag=2")
    api.delete("/images/u61:2")
    api.delete("/images/u61:1")
    assert since(api, t0, type=["image"]) == [("image", "pull"), ("image", "tag"), ("image", "untag"), ("image", "untag"), ("image", "delete")]
    t0 = time.time()
    cid = api.create(Cmd=["sleep", "1000"], HostConfig={"Binds": ["u61-vol:/v"], "NetworkMode": "u61-net"}, Labels={"case": "u61"})
    assert since(api, t0, type=["container", "volume", "network"]) == [("volume", "create"), ("container", "create")]
    t0 = time.time()
    api.start(cid)
    assert since(api, t0) == [("network", "connect"), ("volume", "mount"), ("container", "start")]
    t0 = time.time()
    api.post(f"/containers/{cid}/kill")
    api.wait(cid)
    assert since(api, t0, type=["network", "volume"]) == [("network", "disconnect"), ("volume", "unmount")]
    assert since(api, t0, container=[cid]) == [("container", "kill"), ("container", "die")]
    for filters, n in (({"label": ["case=u61"], "event": ["die"]}, 1), ({"label": ["case=other"], "event": ["die"]}, 0), ({"image": ["busybox"], "event": ["die"], "container": [cid]}, 1),
                       ({"image": ["other"], "event": ["die"]}, 0), ({"type": ["network"], "event": ["die"]}, 0),
                       ({"network": ["u61-net"], "event": ["disconnect"]}, 1), ({"volume": ["u61-vol"], "event": ["unmount"]}, 1), ({"scope": ["local"], "event": ["die"]}, 1),
                       ({"scope": ["swarm"], "event": ["die"]}, 0)):
        assert len(since(api, t0, **filters)) == n, filters
    t0 = time.time()
    api.remove(cid)
    api.delete("/volumes/u61-vol")
    assert since(api, t0) == [("container", "destroy"), ("volume", "destroy")]


def test_u62_a_restart_that_fails_tells_no_restart(api):
    cid = api.create(Cmd=["nosuchcmd"])
    assert api.post(f"/containers/{cid}/restart").status == 400
    assert since(api, 1, container=[cid]) == [("container", "create")]
    api.remove(cid)


# ---- images ----
def test_u75_everyone_counts_the_same_images(api):
    api.pull("u75:1")
    for tag in ("docker.io/library/u75b:1", "host.example:5000/u75:1"):
        repo, _, t = tag.rpartition(":")
        assert api.post(f"/images/u75:1/tag?repo={repo}&tag={t}").status == 201
    first, second = api.get("/images/json").json, api.get("/images/json").json
    assert first == second and len({i["Id"] for i in first}) == len(first)
    df = api.get("/system/df").json["Images"]
    assert sorted(i["Id"] for i in df) == sorted(i["Id"] for i in first) and api.get("/info").json["Images"] == len(first)
    (mine,) = [i for i in first if "u75:1" in i["RepoTags"]]
    assert sorted(mine["RepoTags"]) == ["host.example:5000/u75:1", "u75:1", "u75b:1"]
    api.delete(f"/images/{mine['Id']}?force=1")


def test_u76_p50_an_image_in_use_is_not_removed(api):
    cid = api.create(Cmd=["sleep", "1000"])
    api.start(cid)
    image = api.get("/images/busybox/json").json["Id"]
    for query in ("", "?force=1"):
        for ref in ("busybox", image, image[7:19]):
            a = api.delete(f"/images/{ref}{query}")
            assert a.status == 409 and "conflict: unable to" in a.message, (ref, query, a)
            if ref != "busybox":
                assert f"(cannot be forced) - image is being used by running container {cid[:12]}" in a.message, a
    api.post(f"/containers/{cid}/kill")
    api.wait(cid)
    a = api.delete(f"/images/{image}")
    assert a.status == 409 and "(must be forced) - image is being used by stopped container" in a.message, a
    assert api.get("/images/busybox/json").status == 200
    api.remove(cid)


def test_u79_create_from_every_spelling(api):
    api.pull("spelled:latest")
    want = api.get("/images/spelled/json").json["Id"]
    for ref in (want, want[7:19], "docker.io/library/spelled:latest", "spelled", "index.docker.io/library/spelled"):
        cid = api.create(ref, Cmd=["x"])
        i = api.inspect(cid)
        assert (i["Image"], i["Config"]["Image"]) == (want, ref)
        api.remove(cid)
    api.delete("/images/spelled")


def test_p41_nothing_is_null_that_clients_walk(images):
    d = skl.Daemon(images)
    try:
        api = d.api
        for path in ("/containers/json?all=1", "/images/json", "/images/json?digests=true", "/images/json?digests=true&shared-size=true"):
            a = api.get(path)
            assert a.body == b"[]\n" and a["content-type"] == "application/json", path
        assert api.get("/volumes").json["Volumes"] == [] and api.get("/system/df").json["Images"] == []
        api.pull()
        (i,) = api.get("/images/json?digests=true").json
        assert isinstance(i["RepoDigests"], list) and isinstance(i["RepoTags"], list)
        n = api.get("/networks/bridge").json
        assert (n["Containers"], n["Labels"]) == ({}, {}) and isinstance(n["Options"], dict)
        a = api.post("/containers/create", {"Image": "busybox", "Cmd": ["x"]})
        assert a.json["Warnings"] == []
        i = api.inspect(a.json["Id"])
        assert i["NetworkSettings"]["Ports"] == {} and i["Mounts"] == [] and isinstance(i["NetworkSettings"]["Networks"], dict) and i["Config"]["Labels"] == {}
        assert i["HostConfig"]["PortBindings"] in ({}, None) and i["GraphDriver"]["Name"]
        api.remove(a.json["Id"])
    finally:
        d.close()


def test_p47_pull_of_what_is_no_reference(api):
    for query in ("fromImage=UPPER", "fromImage=a//b", "fromImage=x&tag=a:b", "fromImage=x&tag=/"):
        a = api.post(f"/images/create?{query}")
        assert a.status == 400 and "invalid reference format" in a.message, (query, a)


# ---- networks, volumes ----
def test_u81_a_network_that_is_not_there(api):
    """Not 404, which would make the CLI pull the image once more (reference 2.2.5)."""
    for config in ({"HostConfig": {"NetworkMode": "u81-nosuch"}}, {"NetworkingConfig": {"EndpointsConfig": {"u81-nosuch": {}}}}):
        a = api.create(Cmd=["true"], ok=False, **config)
        assert a.status == 400 and a.message == "network u81-nosuch not found", a
    assert api.get("/containers/json?all=1").json == []


def test_u81_addresses_are_given_once(api, net):
    """Connect twice, with a wrong address, or too often: nothing leaks."""
    net("u81", IPAM={"Config": [{"Subnet": "10.81.0.0/29"}]})
    cids = []
    for _ in range(5):
        cid = api.create(Cmd=["sleep", "1000"], HostConfig={"NetworkMode": "u81"})
        cids.append(cid)
        api.start(cid)
    seen = {api.inspect(c)["NetworkSettings"]["Networks"]["u81"]["IPAddress"] for c in cids}
    assert seen == {f"10.81.0.{n}" for n in range(2, 7)}
    extra = api.create(Cmd=["sleep", "1000"], HostConfig={"NetworkMode": "u81"}, ok=False)
    if extra.status == 201:
        assert api.post(f"/containers/{extra.json['Id']}/start").status >= 400
        cids.append(extra.json["Id"])
    for cid in cids:
        api.remove(cid)
    for _ in range(12):
        cid = api.create(Cmd=["true"])
        for address, status in (("10.81.0.99", 400), ("10.82.0.2", 400), ("x", 400), ("10.81.0.3", 200)):
            a = api.post("/networks/u81/connect", {"Container": cid, "EndpointConfig": {"IPAMConfig": {"IPv4Address": address}}})
            assert a.status == status, (address, a)
        api.remove(cid)


def test_u82_pruned_containers_leave_their_networks(api, net):
    net("u82")
    cid = api.create(Cmd=["true"], HostConfig={"NetworkMode": "u82"}, Labels={"case": "u82"})
    api.start(cid)
    api.wait(cid)
    assert api.post("/containers/prune?filters=" + quoted({"label": ["case=u82"]})).json["ContainersDeleted"] == [cid]
    assert api.get("/networks/u82").json["Containers"] == {} and api.delete("/networks/u82").status == 204


def test_u83_prune_keeps_what_is_in_use(api, net):
    net("u83")
    cid = api.create(Cmd=["sleep", "1000"], HostConfig={"NetworkMode": "u83", "Binds": ["u83-vol:/v"]}, Volumes={"/anon": {}})
    api.start(cid)
    keep = {m["Name"] for m in api.inspect(cid)["Mounts"]}
    assert api.post("/containers/prune").json["ContainersDeleted"] in ([], None) and api.inspect(cid)["State"]["Running"]
    assert "u83" not in api.post("/networks/prune").json["NetworksDeleted"]
    assert not keep & set(api.post("/volumes/prune?filters=" + quoted({"all": ["true"]})).json["VolumesDeleted"])
    assert not [d for d in api.post("/images/prune?filters=" + quoted({"dangling": ["false"]})).json["ImagesDeleted"] or [] if "busybox" in str(d)]
    for kind, until in (("containers", "2000-01-01T00:00:00"), ("networks", "2000-01-01"), ("images", "2000-01-01T00:00")):
        stale = api.post(f"/{kind}/prune?filters=" + quoted({"until": [until]}))
        assert stale.status == 200 and not (stale.json.get("ContainersDeleted") or stale.json.get("NetworksDeleted") or stale.json.get("ImagesDeleted")), stale
        assert api.post(f"/{kind}/prune?filters=" + quoted({"until": ["not-a-time"]})).status == 400
    api.remove(cid, volumes=True)
    api.delete("/volumes/u83-vol")


@pytest.mark.parametrize("bind", ["/home/r/_work:/__w", "/home/r/_work/_temp:/__w/_temp:ro", "/var/run/docker.sock:/var/run/docker.sock", "/:/host"])
def test_u84_a_host_bind_is_refused_by_name(api, bind):
    for host in ({"Binds": [bind]}, {"Mounts": [{"Type": "bind", "Source": bind.split(":")[0], "Target": bind.split(":")[1]}]}):
        a = api.create(Cmd=["true"], HostConfig=host, ok=False)
        assert a.status == 400 and bind.split(":")[0] in a.message, a


def test_u84_long_volume_names(api):
    name = "runner-" + "x" * 93 + "-cache-0123456789abcdef"
    cid = api.create(Cmd=["sleep", "1000"], HostConfig={"Binds": [f"{name}:/cache", f"{name}2:/builds:rw"]})
    api.start(cid)
    assert {m["Name"] for m in api.inspect(cid)["Mounts"]} == {name, name + "2"}
    api.remove(cid)
    assert api.delete(f"/volumes/{name}").status == api.delete(f"/volumes/{name}2").status == 204


def test_p56_dangling_says_who_is_in_use(api):
    cid = api.create(Cmd=["true"], HostConfig={"Binds": ["p56-used:/v"]})
    api.post("/volumes/create", {"Name": "p56-free"})
    for value, want in (("true", {"p56-free"}), ("1", {"p56-free"}), ("false", {"p56-used"}), ("0", {"p56-used"})):
        got = {v["Name"] for v in api.get("/volumes?filters=" + quoted({"dangling": [value], "name": ["p56"]})).json["Volumes"]}
        assert got == want, value
    assert api.get("/volumes?filters=" + quoted({"dangling": ["what"]})).status == 400
    api.remove(cid)
    assert api.delete("/volumes/p56-used").status == api.delete("/volumes/p56-free").status == 204


# ---- bodies and heads ----
@pytest.mark.parametrize("path", ["/containers/{}/archive?path=/tmp", "/build?t=x"])
def test_p58_continue_is_said_before_a_body_is_read(api, path):
    cid = api.create(Cmd=["true"])
    body = b"\0" * 1024
    with api.connect() as c:
        heads = {"Expect": "100-continue", "Content-Length": str(len(body)), "Content-Type": "application/x-tar"}
        c.send(api.request_bytes("PUT" if "archive" in path else "POST", path.format(cid), None, heads))
        status, _, _ = c.head()
        assert status == 100 or (status == 501 and "build" in path)
        if status == 100:
            c.send(body)
            assert c.head()[0] in (200, 501)
    with api.connect() as c:
        c.send(api.request_bytes("PUT", "/containers/nosuch/archive?path=/", None, {"Expect": "100-continue", "Content-Length": "9"}))
        assert c.head()[0] == 404
    api.remove(cid)


@pytest.mark.parametrize("frame", [b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n"])
def test_p58_create_and_start_take_chunked_bodies(api, frame):
    body = json.dumps({"Image": "busybox", "Cmd": ["true"]}).encode()
    with api.connect() as c:
        heads = {"Transfer-Encoding": "chunked", "Content-Length": None, "Content-Type": "application/json"}
        c.send(api.request_bytes("POST", "/containers/create", None, heads) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        status, _, got = c.head()
        cid = json.loads(c.body("POST", status, got))["Id"]
        assert status == 201
        c.send(api.request_bytes("POST", f"/containers/{cid}/start", None, heads) + frame)
        assert c.head()[0] == 204
    assert api.wait(cid) == 0
    api.remove(cid)


def test_p5_a_removal_that_the_cloud_refuses_releases_its_waiters(images):
    """The cloud is asked again later (the mission): the container is gone at once, and the wait has its code."""
    cloud = skl.Cloud(images, ["--fault", "DeleteFunction@1-4=500"])
    d = skl.Daemon(images, cloud=cloud)
    try:
        d.api.pull()
        cid = d.api.create(Cmd=["sh", "-c", "exit 6"])
        d.api.start(cid)
        d.api.wait(cid)
        w = d.api.open("POST", f"/containers/{cid}/wait?condition=removed")
        assert d.api.remove(cid).status == 204
        assert w.json() == {"StatusCode": 6}
        wait_until(lambda: cloud.names() == set(), "the deletion, tried again")
    finally:
        d.close()
        cloud.close()


def test_p57_the_headers_are_on_everything(api):
    for method, path in (("GET", "/_ping"), ("HEAD", "/_ping"), ("GET", "/nope"), ("GET", "/containers/nosuch/json"), ("POST", "/containers/create"), ("GET", "/images/json"),
                         ("DELETE", "/networks/nosuch"), ("GET", "/swarm"), ("OPTIONS", "/x"), ("GET", "/events?until=1")):
        a = api.request(method, path, check=False)
        assert (a["api-version"], a["ostype"], a["docker-experimental"]) == ("1.44", "linux", "false"), (method, path)
    for path in ("/v1.99/info", "/v1.10/info", "/v1.44/nope"):
        assert api.get(urllib.parse.quote(path), check=False)["api-version"] == "1.44"
