"""docker-py: images, networks, volumes.

SPDX-License-Identifier: Apache-2.0
"""
import docker

from casebook import case, refused
from house import api, box, client, low, network, pool


# ---- images ----
@case
def image_not_found():
    assert isinstance(refused(api.create_container, "nosuch:tag", "true"), docker.errors.ImageNotFound)
    assert isinstance(refused(client.images.get, "nosuch:tag"), docker.errors.ImageNotFound)
    assert isinstance(refused(client.images.remove, "nosuch:tag"), docker.errors.ImageNotFound)


@case
def images():
    assert "busybox:latest" in client.images.pull("busybox:latest").tags
    i = client.images.get("busybox")
    assert i.tag("py-tag", "1") and "py-tag:1" in client.images.get("busybox").tags and len(i.history()) >= 1
    client.images.remove("py-tag:1")
    assert client.images.list(name="busybox") and client.images.list(filters={"dangling": True}) == []
    assert client.images.prune()["SpaceReclaimed"] == 0


@case
def images_listed():
    first = api.images(all=True)[0]
    assert {"Id", "Created", "RepoTags", "Size"} <= set(first) and len(api.images(quiet=True)) == len(api.images())
    assert all(isinstance(i, str) for i in api.images(quiet=True))
    assert client.images.list("busybox")[0].id == client.images.get("busybox:latest").id
    assert api.info()["Images"] == len(api.images())


@case
def pull_with_progress():
    lines = list(api.pull("busybox", tag="latest", stream=True, decode=True))
    assert all(isinstance(x, dict) for x in lines) and lines[-1]["status"].startswith("Status: ")
    i = api.inspect_image("busybox")
    assert i["Os"] == "linux" and i["Config"] is not None and isinstance(i["RepoTags"], list)


@case
def images_by_id_and_prefix():
    i = client.images.get("busybox")
    assert client.images.get(i.id).id == client.images.get(i.short_id).id == client.images.get(i.id[7:20]).id == i.id
    assert client.containers.run(i.id, "echo hi", remove=True) == b"hi\n"


@case
def an_image_in_use_stays():
    with box("sleep", "1000") as k:
        assert refused(client.images.remove, k.image.id).response.status_code == 409


# ---- networks ----
@case
def networks():
    with network("py-net", driver="bridge", labels={"x": "y"}, ipam=pool("10.77.0.0/24")) as n:
        with box(network="py-net") as k:
            k.reload()
            assert k.attrs["NetworkSettings"]["Networks"]["py-net"]["IPAddress"].startswith("10.77.0.")
            n.disconnect(k)
            n.connect(k, aliases=["al"])
            n.reload()
            assert [c.id for c in n.containers] == [k.id]
            assert refused(n.remove).response.status_code == 403
    assert client.networks.prune()["NetworksDeleted"] in ([], None)


@case
def networks_found():
    with network("py-find", labels={"py-find": "1"}) as n:
        assert client.networks.get("py-find").id == n.id == client.networks.get(n.id[:12]).id
        assert [x.name for x in client.networks.list(names=["py-find"])] == ["py-find"]
        assert [x.id for x in client.networks.list(filters={"label": "py-find"})] == [n.id] and [x.id for x in client.networks.list(ids=[n.id])] == [n.id]
        assert refused(api.create_network, "py-find", check_duplicate=True).response.status_code == 409
    assert "py-find" not in [n["Name"] for n in api.networks()]
    assert isinstance(refused(client.networks.get, "py-find"), docker.errors.NotFound)


@case
def network_options_come_back():
    config = docker.types.IPAMConfig(driver="default", options={}, pool_configs=[docker.types.IPAMPool(
        subnet="172.28.0.0/16", iprange="172.28.5.0/24", gateway="172.28.5.254", aux_addresses={"a": "172.28.1.5"})])
    with network("py-opts", ipam=config, internal=True, attachable=True, enable_ipv6=False, options={"com.example.x": "1"}) as n:
        a = n.attrs
        assert a["Internal"] and a["Attachable"] and a["Options"] == {"com.example.x": "1"} and a["Scope"] == "local"
        assert a["IPAM"]["Config"] == [{"Subnet": "172.28.0.0/16", "IPRange": "172.28.5.0/24", "Gateway": "172.28.5.254",
                                        "AuxiliaryAddresses": {"a": "172.28.1.5"}}], a["IPAM"]
    assert refused(api.create_network, "py-host", driver="host").response.status_code in (400, 403)


@case
def connecting_twice_and_disconnecting():
    with network("py-conn") as n, box() as k:
        n.connect(k)
        assert refused(n.connect, k).response.status_code in (403, 409)
        n.disconnect(k)
        assert refused(n.disconnect, k) and (n.reload(), n.attrs["Containers"])[1] in ({}, None)
        n.connect(k)
        n.disconnect(k, force=True)


@case
def endpoints_at_create():
    with network("py-ep", ipam=pool("172.29.0.0/16")):
        config = api.create_networking_config({"py-ep": api.create_endpoint_config(aliases=["foo", "bar"], ipv4_address="172.29.5.24", link_local_ips=["169.254.8.8"])})
        with low(["sleep", "1000"], networking_config=config, host={"network_mode": "py-ep"}) as k:
            ep = api.inspect_container(k)["NetworkSettings"]["Networks"]["py-ep"]
            assert {"foo", "bar"} <= set(ep["Aliases"]) and ep["IPAddress"] == ep["IPAMConfig"]["IPv4Address"] == "172.29.5.24"
            assert ep["IPAMConfig"]["LinkLocalIPs"] == ["169.254.8.8"]


@case
def endpoints_when_connected():
    with network("py-ep2", ipam=pool("172.30.0.0/16")) as n, box() as k:
        n.connect(k, aliases=["al"], ipv4_address="172.30.5.24", links=[], link_local_ips=[])
        k.reload()
        ep = k.attrs["NetworkSettings"]["Networks"]["py-ep2"]
        assert "al" in ep["Aliases"] and ep["IPAddress"] == "172.30.5.24" and ep["NetworkID"] == n.id
        assert set(k.attrs["NetworkSettings"]["Networks"]) == {"bridge", "py-ep2"}


@case
def pruning_networks():
    client.networks.create("py-prune", labels={"py-prune": "1"})
    assert client.networks.prune(filters={"label": "py-prune"})["NetworksDeleted"] == ["py-prune"]


@case
def predefined_networks():
    names = {n.name for n in client.networks.list()}
    assert {"bridge", "host", "none"} <= names
    assert refused(client.networks.get("bridge").remove).response.status_code == 403
    with box(network_mode="none") as k:
        assert set((k.reload(), k.attrs["NetworkSettings"]["Networks"])[1]) == {"none"}


# ---- volumes ----
@case
def volumes():
    v = client.volumes.create("py-vol", labels={"x": "y"})
    k = client.containers.create("busybox", "true", volumes={"py-vol": {"bind": "/data", "mode": "rw"}})
    assert refused(v.remove).response.status_code == 409
    k.remove()
    assert [x.name for x in client.volumes.list(filters={"label": "x=y"})] == ["py-vol"]
    v.remove()


@case
def volumes_listed_and_refused():
    result = api.create_volume("py-list", driver="local", labels={"a": "b"}, driver_opts=None)
    assert result["Name"] == "py-list" and result["Driver"] == "local" and result["Mountpoint"] and result["Scope"] == "local"
    assert "py-list" in [v["Name"] for v in api.volumes()["Volumes"]] and api.inspect_volume("py-list")["Labels"] == {"a": "b"}
    assert api.create_volume("py-list")["Name"] == "py-list"  # again: the same
    assert refused(api.create_volume, "py-driver", driver="nosuch").response.status_code in (404, 500)
    for call in (api.inspect_volume, api.remove_volume):
        assert isinstance(refused(call, "py-nosuch"), docker.errors.NotFound)
    api.remove_volume("py-list", force=True)
    assert len(api.create_volume()["Name"]) == 64
    assert len(client.volumes.prune()["VolumesDeleted"]) == 1


@case
def a_volume_s_place_is_there():
    with box(volumes={"py-place": {"bind": "/some/where", "mode": "rw"}}) as k:
        assert k.exec_run("sh -c 'echo x > /some/where/f; cat /some/where/f'") == (0, b"x\n")
    client.volumes.get("py-place").remove()
