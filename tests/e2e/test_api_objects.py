"""Images, networks, volumes, prune, df: reference 2.9, 2.12; cases U-74 to U-84, P-47 to P-56.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import re
import urllib.parse

import pytest

from dockerapi import Api


def quoted(filters):
    return urllib.parse.quote(json.dumps(filters))


# ---- images ----
def test_pull(api):
    """2.9.2, P-47; mission: a synthetic image's ID is the hash of its reference."""
    for want in ("Status: Downloaded newer image for pulled:1", "Status: Image is up to date for pulled:1"):
        a = api.pull("pulled:1")
        assert a.status == 200 and a["content-type"] == "application/json" and a["transfer-encoding"] == "chunked"
        assert a.body.endswith(b"\r\n") and all(json.loads(line) for line in a.body.split(b"\r\n") if line)
        lines = a.lines()
        assert lines[0] == {"status": "Pulling from library/pulled", "id": "1"} and lines[-1] == {"status": want}
    i = api.get("/images/pulled:1/json").json
    assert i["RepoTags"] == ["pulled:1"] and i["Os"] == "linux" and i["RootFS"]["Type"] == "layers"
    assert i["Id"] == "sha256:" + hashlib.sha256(b"docker.io/library/pulled:1").hexdigest()
    assert api.delete("/images/pulled:1").json[-1] == {"Deleted": i["Id"]}


def test_every_spelling_finds_it(api):
    """U-79, 2.9.4"""
    api.pull("spelled:latest")
    want = api.get("/images/spelled/json").json["Id"]
    for ref in ("spelled:latest", "docker.io/library/spelled", "docker.io/spelled:latest", "index.docker.io/library/spelled",
                "library/spelled", want, want[7:], want[7:19], want[:19]):
        assert api.get(f"/images/{ref}/json").json["Id"] == want, ref
    a = api.get("/images/spelled:other/json")
    assert a.status == 404 and a.message == "No such image: spelled:other"
    for ref in ("UPPER", "a//b", "a:b:c:d", "-x"):
        assert api.get(f"/images/{urllib.parse.quote(ref)}/json").status in (400, 404)
    cid = api.create(want[7:19], Cmd=["x"])
    assert api.inspect(cid)["Image"] == want
    api.remove(cid)
    api.delete("/images/spelled")


def test_tags(api):
    """U-74"""
    api.pull("t-a:1")
    image = api.get("/images/t-a:1/json").json["Id"]
    assert api.post("/images/t-a:1/tag?repo=t-b&tag=1").status == 201
    assert api.post("/images/t-a:1/tag?repo=host.example:5000/t-c").status == 201
    assert api.post("/images/nosuch/tag?repo=x").status == 404
    assert api.post("/images/t-a:1/tag?repo=UPPER").status == 400
    tags = set(api.get("/images/t-a:1/json").json["RepoTags"])
    assert tags == {"t-a:1", "t-b:1", "host.example:5000/t-c:latest"}
    assert api.delete("/images/t-a:1").json == [{"Untagged": "t-a:1"}]
    a = api.delete(f"/images/{image}")
    assert a.status == 409 and "must be forced" in a.message
    assert api.delete("/images/t-b:1").json == [{"Untagged": "t-b:1"}]
    assert api.delete("/images/host.example:5000/t-c").json == [{"Untagged": "host.example:5000/t-c:latest"}, {"Deleted": image}]
    assert api.delete("/images/t-b:1").status == 404


def test_list_images(api):
    api.pull("l-a:1")
    api.post("/images/l-a:1/tag?repo=l-b&tag=2")
    (i,) = api.get("/images/json?filters=" + quoted({"reference": ["l-a"]})).json
    assert i["RepoTags"] == ["l-a:1"] and i["Containers"] == -1 and i["SharedSize"] == -1
    assert isinstance(i["Created"], int) and i["ParentId"] == "" and isinstance(i["RepoDigests"], list)
    for filters, n in (({"reference": ["l-*:2"]}, 1), ({"reference": ["nosuch"]}, 0), ({"dangling": ["true"]}, 0)):
        assert len(api.get("/images/json?filters=" + quoted(filters)).json) == n, filters
    for filters in ({"nope": ["x"]}, {"dangling": ["x"]}, {"before": ["nosuch"]}):
        assert api.get("/images/json?filters=" + quoted(filters)).status in (400, 404)
    assert len({x["Id"] for x in api.get("/images/json?all=1").json}) == len(api.get("/images/json?all=1").json)
    api.delete(f"/images/{i['Id']}?force=1")


def test_image_in_use(api):
    """U-76, P-50"""
    api.pull("used:1")
    image = api.get("/images/used:1/json").json["Id"]
    cid = api.create("used:1", Cmd=["x"])
    a = api.delete("/images/used:1")
    assert a.status == 409 and a.message == (
        f'conflict: unable to remove repository reference "used:1" (must force) - container {cid[:12]} is using its '
        f"referenced image {image[7:19]}")
    assert api.delete("/images/used:1?force=1").status == 200
    assert api.inspect(cid)["Config"]["Image"] == "used:1"
    (c,) = api.get("/containers/json?all=1&filters=" + quoted({"id": [cid]})).json
    assert c["Image"] in (image, image[7:19], "used:1")
    api.remove(cid)


def test_history_and_refusals(api):
    assert isinstance(api.get("/images/busybox/history").json, list)
    assert api.get("/images/nosuch/history").status == 404
    for method, path in (("GET", "/images/busybox/get"), ("GET", "/images/get?names=busybox"), ("POST", "/images/busybox/push"),
                         ("GET", "/images/search?term=x")):
        a = api.request(method, path, headers={"X-Registry-Auth": "e30="}, check=False)
        assert a.status == 501 and a.message, path
    assert api.post("/images/create?fromSrc=-&repo=x", b"tar", headers={"Content-Type": "application/x-tar"},
                    check=False).status == 501
    assert api.post("/images/create", check=False).status == 400


def test_auth_headers_do_not_stop_a_pull(api):
    for header in ("!!!", "bm90anNvbg==", "eyJ1c2VybmFtZSI6InUifQ=="):
        assert api.post("/images/create?fromImage=authd&tag=1", headers={"X-Registry-Auth": header}).status == 200
    api.delete("/images/authd:1")


# ---- networks ----
@pytest.fixture
def net(api):
    made = []

    def make(name, **config):
        a = api.post("/networks/create", {"Name": name, **config})
        assert a.status == 201, a
        made.append(a.json["Id"])
        return a.json["Id"]

    yield make
    for n in made:
        api.delete(f"/networks/{n}")


def test_predefined(api):
    names = {n["Name"]: n for n in api.get("/networks").json}
    assert {"bridge", "host", "none"} <= set(names)
    for name in ("bridge", "host", "none"):
        a = api.delete(f"/networks/{name}")
        assert a.status == 403 and a.message == f"{name} is a pre-defined network and cannot be removed"
        a = api.post("/networks/create", {"Name": name})
        assert a.status == 403 and "operation is not permitted on predefined" in a.message
    assert names["bridge"]["IPAM"]["Config"][0]["Subnet"]


def test_network_life(api, net):
    nid = net("n1", Labels={"l": "v"}, Options={"o": "p"}, Internal=True)
    i = api.get("/networks/n1").json
    assert i["Id"] == nid and i["Scope"] == "local" and i["Driver"] == "bridge" and i["Labels"] == {"l": "v"}
    assert i["Containers"] == {} and i["ConfigFrom"] == {"Network": ""} and i["Internal"] and i["Options"] == {"o": "p"}
    assert re.match(r"\d+\.\d+\.\d+\.\d+/\d+$", i["IPAM"]["Config"][0]["Subnet"]) and i["IPAM"]["Config"][0]["Gateway"]
    a = api.post("/networks/create", {"Name": "n1"})
    assert a.status == 409 and a.message == "network with name n1 already exists"
    assert api.get(f"/networks/{nid[:10]}").json["Name"] == "n1"
    a = api.get("/networks/nosuch")
    assert a.status == 404 and a.message == "network nosuch not found"
    for filters, n in (({"name": ["n1"]}, 1), ({"id": [nid[:5]]}, 1), ({"label": ["l=v"]}, 1), ({"label": ["l=w"]}, 0),
                       ({"driver": ["bridge"], "name": ["n1"]}, 1), ({"type": ["custom"], "name": ["n1"]}, 1),
                       ({"type": ["builtin"], "name": ["n1"]}, 0), ({"scope": ["swarm"]}, 0), ({"dangling": ["true"], "name": ["n1"]}, 1)):
        assert len(api.get("/networks?filters=" + quoted(filters)).json) == n, filters
    assert api.get("/networks?filters=" + quoted({"nope": ["x"]})).status == 400
    assert api.post("/networks/create", {"Name": " "}).status == 400
    assert api.post("/networks/create", {"Name": "nd", "Driver": "nosuch"}).status in (400, 404)


def test_ipam(api, net):
    """U-81: the first host address is the gateway; addresses are given and taken back; no overlaps."""
    net("ip1", IPAM={"Config": [{"Subnet": "10.77.0.0/29"}]})
    assert api.get("/networks/ip1").json["IPAM"]["Config"][0]["Gateway"] == "10.77.0.1"
    a = api.post("/networks/create", {"Name": "ip2", "IPAM": {"Config": [{"Subnet": "10.77.0.0/24"}]}})
    assert a.status in (400, 403) and "overlap" in a.message
    for bad in ("10.77.1.0/33", "x", "10.77.2.0"):
        assert api.post("/networks/create", {"Name": "ip3", "IPAM": {"Config": [{"Subnet": bad}]}}).status == 400
    cid = api.create(Cmd=["sleep", "1000"], HostConfig={"NetworkMode": "ip1"}, NetworkingConfig={
        "EndpointsConfig": {"ip1": {"IPAMConfig": {"IPv4Address": "10.77.0.5"}, "Aliases": ["db"]}}})
    api.start(cid)
    e = api.inspect(cid)["NetworkSettings"]["Networks"]["ip1"]
    assert (e["IPAddress"], e["IPPrefixLen"], e["Gateway"]) == ("10.77.0.5", 29, "10.77.0.1")
    assert "db" in e["Aliases"] and cid[:12] in e["Aliases"] and "db" in e["DNSNames"]
    assert re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", e["MacAddress"]) and re.fullmatch("[0-9a-f]{64}", e["EndpointID"])
    c = api.get("/networks/ip1").json["Containers"][cid]
    assert c["IPv4Address"] == "10.77.0.5/29" and c["IPv6Address"] == ""
    assert all(n["Containers"] == {} for n in api.get("/networks").json)
    a = api.delete("/networks/ip1")
    assert a.status == 403 and "has active endpoints" in a.message
    api.remove(cid)
    assert api.get("/networks/ip1").json["Containers"] == {}


def test_connect_disconnect(api, net):
    net("cd1")
    cid = api.create(name="cd-c", Cmd=["sleep", "1000"])
    api.start(cid)
    body = {"Container": "cd-c", "EndpointConfig": {"Aliases": ["al"]}}
    assert api.post("/networks/cd1/connect", body).status == 200
    a = api.post("/networks/cd1/connect", body)
    assert a.status == 403 and a.message.endswith("endpoint with name cd-c already exists in network cd1")
    assert api.get("/networks/cd1").json["Containers"][cid]["Name"] == "cd-c"
    api.post("/containers/cd-c/rename?name=cd-d")
    assert api.get("/networks/cd1").json["Containers"][cid]["Name"] == "cd-d"
    assert api.post("/networks/cd1/connect", {"Container": "nosuch"}).status == 404
    assert api.post("/networks/nosuch/connect", body).status == 404
    assert api.post("/networks/cd1/disconnect", {"Container": cid}).status == 200
    a = api.post("/networks/cd1/disconnect", {"Container": cid})
    assert a.status >= 400 and "is not connected to" in a.message
    api.remove(cid)


# ---- volumes ----
def test_volume_life(api):
    a = api.post("/volumes/create", {"Name": "v1", "Labels": {"l": "v"}, "DriverOpts": {"o": "p"}})
    assert a.status == 201 and a.json["Name"] == "v1" and a.json["Scope"] == "local" and a.json["Driver"] == "local"
    assert api.post("/volumes/create", {"Name": "v1"}).json["CreatedAt"] == a.json["CreatedAt"]
    assert api.post("/volumes/create", {"Name": "v1", "Driver": "other"}).status in (400, 404, 409)
    assert api.post("/volumes/create", {"Name": "bad/name"}).status == 400
    i = api.get("/volumes/v1").json
    assert i["Labels"] == {"l": "v"} and i["Options"] == {"o": "p"} and i["Mountpoint"].endswith("/v1/_data")
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z", i["CreatedAt"])
    anon = api.post("/volumes/create", {}).json
    assert re.fullmatch("[0-9a-f]{64}", anon["Name"]) and "com.docker.volume.anonymous" in anon["Labels"]
    a = api.get("/volumes/nosuch")
    assert a.status == 404 and a.message == "get nosuch: no such volume"
    assert api.delete("/volumes/nosuch").status == 404 and api.delete("/volumes/nosuch?force=1").status == 204
    for filters, n in (({"name": ["v1"]}, 1), ({"label": ["l=v"]}, 1), ({"label": ["x"]}, 0), ({"driver": ["local"], "name": ["v1"]}, 1),
                       ({"dangling": ["true"], "name": ["v1"]}, 1), ({"dangling": ["false"], "name": ["v1"]}, 0)):
        assert len(api.get("/volumes?filters=" + quoted(filters)).json["Volumes"]) == n, filters
    for v in ("v1", anon["Name"]):
        assert api.delete(f"/volumes/{v}").status == 204


def test_volume_in_use(api):
    """P-56: anonymous ones go with v=1, named ones stay; force does not override."""
    cid = api.create(Cmd=["true"], Volumes={"/anon": {}}, HostConfig={"Binds": ["vu:/d:ro"], "Mounts": [
        {"Type": "volume", "Source": "vu2", "Target": "/e"}, {"Type": "tmpfs", "Target": "/t"}]})
    mounts = {m["Destination"]: m for m in api.inspect(cid)["Mounts"]}
    assert mounts["/d"]["Name"] == "vu" and mounts["/d"]["RW"] is False and mounts["/d"]["Type"] == "volume"
    assert mounts["/e"]["Name"] == "vu2" and mounts["/e"]["RW"] and re.fullmatch("[0-9a-f]{64}", mounts["/anon"]["Name"])
    for query in ("", "?force=1"):
        a = api.delete(f"/volumes/vu{query}")
        assert a.status == 409 and a.message == f"remove vu: volume is in use - [{cid}]"
    assert "vu" not in [v["Name"] for v in api.get("/volumes?filters=" + quoted({"dangling": ["true"]})).json["Volumes"]]
    api.remove(cid, volumes=True)
    assert api.get(f"/volumes/{mounts['/anon']['Name']}").status == 404
    for v in ("vu", "vu2"):
        assert api.delete(f"/volumes/{v}").status == 204


def test_a_bind_of_one_path_is_an_anonymous_volume(api):
    cid = api.create(Cmd=["true"], HostConfig={"Binds": ["/cache"]})
    mount, = api.inspect(cid)["Mounts"]
    assert mount["Destination"] == "/cache" and re.fullmatch("[0-9a-f]{64}", mount["Name"])
    assert "com.docker.volume.anonymous" in api.get(f"/volumes/{mount['Name']}").json["Labels"]
    api.remove(cid, volumes=True)
    assert api.get(f"/volumes/{mount['Name']}").status == 404


@pytest.mark.parametrize("version", ["1.24", "1.43", "1.44"])
def test_images_have_a_container_config(api, version):
    """compose 1.29 recreates containers with image["ContainerConfig"].get("Volumes"), whatever version it speaks."""
    image = Api(api.host, version).get("/images/busybox:latest/json").json
    assert image["ContainerConfig"].get("Volumes") in (None, {}) and image["Container"] == ""


def test_volumes_from(api):
    """The other's volumes, at the same places, unless something else was asked for there."""
    one = api.create(Cmd=["true"], Volumes={"/a": {}, "/b": {}}, HostConfig={"Binds": ["vf:/c:ro"]})
    theirs = {m["Destination"]: m for m in api.inspect(one)["Mounts"]}
    two = api.create(Cmd=["true"], Volumes={"/a": {}}, HostConfig={"VolumesFrom": [one], "Binds": ["vf2:/b"]})
    ours = {m["Destination"]: m for m in api.inspect(two)["Mounts"]}
    assert set(ours) == {"/a", "/b", "/c"} and ours["/a"]["Name"] == theirs["/a"]["Name"] and ours["/b"]["Name"] == "vf2"
    assert ours["/a"]["RW"] and not ours["/c"]["RW"]
    three = api.create(Cmd=["true"], HostConfig={"VolumesFrom": [one + ":ro"]})
    assert not any(m["RW"] for m in api.inspect(three)["Mounts"])
    for spec, text in (("nosuch", "No such container: nosuch"), (":ro", "invalid volumes-from"), (one + ":xx", "invalid mode: xx")):
        a = api.create(ok=False, Cmd=["true"], HostConfig={"VolumesFrom": [spec]})
        assert a.status == 400 and text in a.message, a
    api.remove(one, volumes=True)
    assert api.get(f"/volumes/{theirs['/a']['Name']}").status == 200, "another container has it"
    api.remove(three, volumes=True)
    api.remove(two, volumes=True)
    assert api.get(f"/volumes/{theirs['/a']['Name']}").status == 404
    for v in ("vf", "vf2"):
        assert api.delete(f"/volumes/{v}").status == 204


def test_a_mount_says_what_its_volume_is_like(api):
    options = {"Labels": {"k": "v"}, "DriverConfig": {"Name": "local", "Options": {"o": "1"}}}
    cid = api.create(Cmd=["true"], HostConfig={"Mounts": [{"Type": "volume", "Source": "vo", "Target": "/e", "VolumeOptions": options}]})
    v = api.get("/volumes/vo").json
    assert (v["Labels"], v["Options"], v["Driver"]) == ({"k": "v"}, {"o": "1"}, "local")
    api.remove(cid)
    assert api.delete("/volumes/vo").status == 204
    for bad, text in (({"DriverConfig": {"Name": "nosuch"}}, "nosuch"), ({"Subpath": "x"}, "Subpath")):
        a = api.create(ok=False, Cmd=["true"], HostConfig={"Mounts": [{"Type": "volume", "Source": "vo", "Target": "/e", "VolumeOptions": bad}]})
        assert a.status in (400, 404, 500) and text in a.message, a
    assert api.get("/volumes/vo").status == 404


def test_the_mac_address_of_the_main_network(api):
    cid = api.create(Cmd=["sleep", "1000"], MacAddress="02:42:ac:11:00:0a")
    api.start(cid)
    n = api.inspect(cid)["NetworkSettings"]
    assert n["MacAddress"] == n["Networks"]["bridge"]["MacAddress"] == "02:42:ac:11:00:0a"
    api.remove(cid)


def test_additional_groups(api):
    cid = api.create(Cmd=["id", "-G"], HostConfig={"GroupAdd": ["1000", "daemon"]})
    api.start(cid)
    assert api.wait(cid) == 0
    assert {"0", "1", "1000"} == set(api.get(f"/containers/{cid}/logs?stdout=1").body[8:].decode().split())
    api.remove(cid)
    cid = api.create(Cmd=["id", "-G"], HostConfig={"GroupAdd": ["nosuchgroup"]})
    a = api.post(f"/containers/{cid}/start")
    assert a.status == 400 and "nosuchgroup" in a.message, a
    api.remove(cid)


# ---- prune and df ----
def test_prune(api):
    """U-83: only what matches; arrays never null; unknown filters refused."""
    keep = api.create(Cmd=["true"], Labels={"keep": "1"})
    gone = api.create(Cmd=["true"], Labels={"prune": "1"})
    a = api.post("/containers/prune?filters=" + quoted({"label": ["prune"]})).json
    assert a == {"ContainersDeleted": [gone], "SpaceReclaimed": 0}
    assert api.post("/containers/prune?filters=" + quoted({"label!": ["keep"], "until": ["24h"]})).json["ContainersDeleted"] in ([], None)
    api.remove(keep)
    api.post("/networks/create", {"Name": "pn", "Labels": {"prune": "1"}})
    assert api.post("/networks/prune?filters=" + quoted({"label": ["prune"]})).json == {"NetworksDeleted": ["pn"]}
    named = api.post("/volumes/create", {"Name": "pv", "Labels": {"prune": "1"}}).json["Name"]
    anon = api.post("/volumes/create", {"Labels": {"prune": "1"}}).json["Name"]
    assert api.post("/volumes/prune?filters=" + quoted({"label": ["prune"]})).json["VolumesDeleted"] == [anon]
    assert api.post("/volumes/prune?filters=" + quoted({"label": ["prune"], "all": ["1"]})).json["VolumesDeleted"] == [named]
    api.pull("prune-me:1")
    got = api.post("/images/prune?filters=" + quoted({"dangling": ["false"], "label!": ["none"]})).json
    assert {"Untagged": "prune-me:1"} in got["ImagesDeleted"]
    assert api.post("/build/prune").json == {"CachesDeleted": [], "SpaceReclaimed": 0}
    for filters in ({"label": {"a=b": True}}, {"label!": {"a": True}, "until": {"24h": True}}):  # as docker system prune asks
        assert api.post("/build/prune?filters=" + quoted(filters)).status == 200
    for kind in ("containers", "networks", "volumes", "images"):
        assert api.post(f"/{kind}/prune?filters=" + quoted({"nope": ["x"]})).status == 400
    api.pull("busybox:latest")


def test_df(api):
    d = api.get("/system/df").json
    assert all(isinstance(d[k], list) for k in ("Images", "Containers", "Volumes", "BuildCache")) and d["LayersSize"] >= 0
    api.post("/volumes/create", {"Name": "dfv"})
    d = api.get("/system/df?type=volume").json
    (v,) = [v for v in d["Volumes"] if v["Name"] == "dfv"]
    assert v["UsageData"]["RefCount"] == 0
    assert api.get("/system/df?type=nope").status == 400
    api.delete("/volumes/dfv")


def test_auth(api):
    """No registry is asked, so nothing can be said of the credentials."""
    a = api.post("/auth", {"username": "u", "password": "p", "serveraddress": "localhost:1"}, check=False)
    assert a.status == 501 and "images.resolve" in a.message and "p" not in a.message.split()
