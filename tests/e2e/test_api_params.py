"""Each documented parameter and field has its effect, or an error or a warning that says why not: none is ignored in silence.

SPDX-License-Identifier: Apache-2.0
"""
import json
import urllib.parse

import pytest

from dockerapi import SPEC, Api, demux
from test_api_cases import quoted


@pytest.fixture
def box(api):
    made = []

    def make(*cmd, start=False, host=None, **config):
        a = api.create(Cmd=list(cmd) or ["true"], ok=False, HostConfig=host or {}, **config)
        assert a.status == 201, a
        made.append(a.json["Id"])
        if start:
            api.start(a.json["Id"])
        return a.json["Id"]

    yield make
    for cid in made:
        api.remove(cid, volumes=True)


def output(api, cid):
    api.start(cid)
    api.wait(cid)
    return demux(api.hijack("POST", f"/containers/{cid}/attach?logs=1&stdout=1").frames())[1]


# ---- HostConfig: every field of the specification is in one of these ----
WARNED = {
    "CpuShares": 512, "CpusetCpus": "0", "CpusetMems": "0", "CpuRealtimePeriod": 1, "CpuRealtimeRuntime": 1, "BlkioWeight": 500,
    "BlkioWeightDevice": [{"Path": "/dev/x", "Weight": 10}], "BlkioDeviceReadBps": [{"Path": "/dev/x", "Rate": 1}], "BlkioDeviceWriteBps": [{"Path": "/dev/x", "Rate": 1}],
    "BlkioDeviceReadIOps": [{"Path": "/dev/x", "Rate": 1}], "BlkioDeviceWriteIOps": [{"Path": "/dev/x", "Rate": 1}], "CgroupParent": "x", "Cgroup": "x", "CpuCount": 1,
    "CpuPercent": 1, "IOMaximumBandwidth": 1, "IOMaximumIOps": 1, "DeviceCgroupRules": ["c 1:1 r"], "KernelMemoryTCP": 1, "MemoryReservation": 8 << 20, "MemorySwappiness": 5,
    "OomKillDisable": True, "PidsLimit": 5, "Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 6}], "CapAdd": ["ALL"], "CapDrop": ["ALL"], "SecurityOpt": ["seccomp=unconfined"],
    "Privileged": True, "ReadonlyRootfs": True, "StorageOpt": {"size": "1G"}, "Sysctls": {"a": "b"}, "UsernsMode": "host", "PidMode": "host", "UTSMode": "host", "IpcMode": "host",
    "CgroupnsMode": "host", "Dns": ["8.8.8.8"], "DnsOptions": ["x"], "DnsSearch": ["x"], "Links": ["a:b"], "MaskedPaths": ["/x"], "ReadonlyPaths": ["/x"], "ShmSize": 1 << 20,
    "Tmpfs": {"/t": "size=1m"}, "NetworkMode": "none", "LogConfig": {"Type": "syslog", "Config": {}},
}
REFUSED = {
    "Devices": [{"PathOnHost": "/dev/x"}], "DeviceRequests": [{"Count": 1}], "Isolation": "hyperv", "VolumeDriver": "nosuch", "IpcMode": "what", "PidMode": "what", "UTSMode": "what",
    "UsernsMode": "what", "CgroupnsMode": "what", "NetworkMode": "container:x", "Runtime": "nosuch", "ExtraHosts": ["a:nope"], "Tmpfs": {"/t": "what=1"}, "VolumesFrom": ["nosuch"],
    "Binds": ["/host:/x"], "Memory": 1, "MemorySwap": 1 << 20, "OomScoreAdj": 2000, "BlkioWeight": 5, "CpuPeriod": 1, "CpuQuota": 1, "MemorySwappiness": 101, "MemoryReservation": 1, "ShmSize": -1,
    "RestartPolicy": {"Name": "what"}, "LogConfig": {"Type": "what"}, "PortBindings": {"80/tcp": [{"HostIp": "nope"}]}, "Annotations": {"": "x"},
    "Mounts": [{"Type": "volume", "Target": "/m", "TmpfsOptions": {"SizeBytes": 1}}], "NanoCpus": -1,
}
# What has its effect, with the test that shows it.
EFFECTIVE = {
    "AutoRemove": "test_api_wait.py", "Binds": "test_api_objects.py", "Mounts": "test_api_objects.py", "VolumesFrom": "clients/docker-py", "ConsoleSize": "test_api_streams.py",
    "RestartPolicy": "test_state_policies.py", "LogConfig": "test_state_logs.py", "Memory": "unit/test_gcf_create.c", "NanoCpus": "unit/test_gcf_create.c", "CpuPeriod": "here",
    "CpuQuota": "here", "NetworkMode": "test_api_objects.py", "PortBindings": "here", "PublishAllPorts": "here", "GroupAdd": "here", "Tmpfs": "here", "OomScoreAdj": "here",
    "SecurityOpt": "here", "Ulimits": "here", "Annotations": "test_api_containers.py", "Init": "the agent reaps in any case", "Runtime": "test_plugin_loader.py", "ExtraHosts": "test_api_containers.py",
    "ContainerIDFile": "the client writes it", "VolumeDriver": "local is the one there is", "MemorySwap": "warned about above Memory", "Isolation": "default is the one there is",
}


def test_no_field_of_host_config_is_forgotten():
    documented = set()
    for part in SPEC.doc["definitions"]["HostConfig"]["allOf"]:
        part = SPEC.doc["definitions"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        documented |= set(part.get("properties", {}))
    assert documented - WARNED.keys() - REFUSED.keys() - EFFECTIVE.keys() == set()


@pytest.mark.parametrize("field", sorted(WARNED))
def test_what_has_no_effect_is_warned_about(api, field):
    a = api.create(Cmd=["true"], HostConfig={field: WARNED[field]}, ok=False)
    assert a.status == 201 and len(a.json["Warnings"]) == 1, a
    assert api.inspect(a.json["Id"])["HostConfig"][field] == WARNED[field]
    api.remove(a.json["Id"])


@pytest.mark.parametrize("field", sorted(REFUSED))
def test_what_cannot_be_is_refused(api, field):
    a = api.create(Cmd=["true"], HostConfig={field: REFUSED[field]}, ok=False)
    assert a.status == 400 and a.message, a


def test_what_bounds_the_process_reaches_it(api, box):
    host = {"Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}, {"Name": "core", "Soft": 0, "Hard": 0}], "OomScoreAdj": 321, "SecurityOpt": ["no-new-privileges"], "GroupAdd": ["4321"],
            "Tmpfs": {"/scratch/deep": ""}, "Mounts": [{"Type": "tmpfs", "Target": "/scratch2"}]}
    cid = box("sh", "-c", "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status; id -G; stat -c '%a %F' /scratch/deep /scratch2; touch /scratch/deep/x /scratch2/x && echo wrote",
              host=host, User="1234:1234")
    assert output(api, cid).decode().split("\n") == ["100", "200", "321", "NoNewPrivs:\t1", "1234 4321", "1777 directory", "1777 directory", "wrote", ""]


def test_a_limit_beyond_the_function_s_is_cut_down(api, box):
    cid = box("sh", "-c", "ulimit -Hn", host={"Ulimits": [{"Name": "nofile", "Soft": -1, "Hard": -1}]})
    assert int(output(api, cid)) > 0 and api.inspect(cid)["State"]["ExitCode"] == 0
    cid = box("true", host={"Ulimits": [{"Name": "what", "Soft": 1, "Hard": 1}]})
    a = api.post(f"/containers/{cid}/start")
    assert a.status == 400 and "invalid ulimit type: what" in a.message


def test_cpu_quota_is_a_share_of_cpus(daemon, api, box):
    cid = box("true", host={"CpuPeriod": 50_000, "CpuQuota": 100_000})
    (made,) = [f for f in daemon.functions() if f["name"].endswith("skls-" + cid[:12])]
    assert made["serviceConfig"]["availableCpu"] == "2", made


def test_ports_are_reported(api, box):
    cid = box("sleep", "1000", start=True, ExposedPorts={"80/tcp": {}, "81/udp": {}, "82/tcp": {}}, host={"PublishAllPorts": True, "PortBindings": {"82/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8082"}]}})
    ports = api.inspect(cid)["NetworkSettings"]["Ports"]
    assert ports["82/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8082"}]
    for p in ("80/tcp", "81/udp"):
        assert ports[p] and ports[p][0]["HostPort"].isdigit() and int(ports[p][0]["HostPort"]) > 1024, ports


# ---- Config ----
@pytest.mark.parametrize("config", [{"Domainname": "d.example"}, {"NetworkDisabled": True}])
def test_config_without_effect(api, config):
    a = api.create(Cmd=["true"], ok=False, **config)
    assert a.status == 201 and len(a.json["Warnings"]) == 1, a
    api.remove(a.json["Id"])


# ---- update ----
@pytest.mark.parametrize("body,status,warnings", [({"RestartPolicy": {"Name": "always"}}, 200, 0), ({"Memory": 1 << 28}, 200, 1), ({"NanoCpus": 10**9}, 200, 1), ({"CpuShares": 5}, 200, 1), ({"PidsLimit": 5}, 200, 1),
                                                  ({"Devices": [{"PathOnHost": "/x"}]}, 400, 0), ({"Memory": 1}, 400, 0), ({"Memory": "x"}, 400, 0), ({"RestartPolicy": {"Name": "what"}}, 400, 0)])
def test_update(api, box, body, status, warnings):
    cid = box()
    a = api.post(f"/containers/{cid}/update", body)
    assert a.status == status and (status != 200 or len(a.json["Warnings"]) == warnings), a
    if status == 200:
        host = api.inspect(cid)["HostConfig"]
        assert all(host[k] == v or (k == "RestartPolicy" and host[k]["Name"] == v["Name"]) for k, v in body.items())


# ---- networks and volumes ----
@pytest.mark.parametrize("body,status,text", [
    ({"Driver": "overlay"}, 404, 'plugin "overlay" not found'), ({"Ingress": True}, 400, "ingress"), ({"ConfigOnly": True}, 400, "configuration-only"), ({"ConfigFrom": {"Network": "x"}}, 400, "configuration-only"),
    ({"Scope": "swarm"}, 400, "scope swarm"), ({"IPAM": {"Driver": "what"}}, 400, "invalid ipam driver"), ({"IPAM": {"Config": [{"Gateway": "10.60.0.2"}]}}, 400, "no matching subnet for gateway 10.60.0.2"),
    ({"IPAM": {"Config": [{"IPRange": "10.60.0.0/25"}]}}, 400, "no matching subnet for range"), ({"IPAM": {"Config": [{"Subnet": "10.60.0.0/24", "AuxiliaryAddresses": {"x": "10.61.0.1"}}]}}, 400, "aux-address 10.61.0.1"),
    ({"IPAM": {"Config": [{"Subnet": "10.60.0.0/24"}, {"Subnet": "10.61.0.0/24"}]}}, 403, "multiple subnets"), ({"IPAM": {"Config": [{"Subnet": "fd00::/129"}]}}, 400, "invalid subnet fd00::/129"),
])
def test_networks_that_cannot_be(api, body, status, text):
    a = api.post("/networks/create", {"Name": "params", **body})
    assert a.status == status and text in a.message, a
    assert "params" not in [n["Name"] for n in api.get("/networks").json]


def test_auxiliary_addresses_are_never_given(api, box):
    config = [{"Subnet": "10.62.0.0/29", "AuxiliaryAddresses": {"router": "10.62.0.2", "printer": "10.62.0.4"}}]
    assert api.post("/networks/create", {"Name": "aux", "IPAM": {"Config": config}}).status == 201
    try:
        given = set()
        for _ in range(3):
            cid = box("sleep", "1000", start=True, host={"NetworkMode": "aux"})
            given.add(api.inspect(cid)["NetworkSettings"]["Networks"]["aux"]["IPAddress"])
        assert given == {"10.62.0.3", "10.62.0.5", "10.62.0.6"}
        assert api.get("/networks/aux").json["IPAM"]["Config"][0]["AuxiliaryAddresses"] == config[0]["AuxiliaryAddresses"]
        a = api.post("/networks/aux/connect", {"Container": box(), "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.62.0.4"}}})
        assert a.status == 400
    finally:
        for c in api.get("/containers/json?all=1&filters=" + quoted({"network": ["aux"]})).json:
            api.remove(c["Id"])
        assert api.delete("/networks/aux").status == 204


def test_ipv6_is_recorded_and_warned_about(api, box):
    a = api.post("/networks/create", {"Name": "six", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "fd00:6::/64"}]}})
    assert a.status == 201 and "IPv6" in a.json["Warning"]
    n = api.get("/networks/six").json
    assert n["EnableIPv6"] and {"Subnet": "fd00:6::/64"} in n["IPAM"]["Config"] and len(n["IPAM"]["Config"]) == 2
    a = api.post("/networks/six/connect", {"Container": box(), "EndpointConfig": {"IPAMConfig": {"IPv6Address": "fd00:6::9"}}})
    assert a.status == 400 and "user specified IP address" in a.message
    assert api.delete("/networks/six").status == 204


def test_volumes_of_a_cluster(api):
    assert api.post("/volumes/create", {"Name": "cluster", "ClusterVolumeSpec": {}}).status == 503
    a = api.request("PUT", "/volumes/x?version=1", {"Spec": {}})
    assert a.status == 503 and "swarm is unavailable" in a.message
    assert api.get("/volumes/cluster").status == 404


# ---- queries: what is no number, no time, no name is said so ----
@pytest.mark.parametrize("method,path,status", [
    ("GET", "/containers/json?limit=x", 400), ("GET", "/containers/{}/logs?stdout=1&since=x", 400), ("GET", "/containers/{}/logs?stdout=1&until=x", 400), ("GET", "/containers/{}/logs", 400),
    ("GET", "/containers/{}/stats?stream=1&one-shot=1", 400), ("GET", "/containers/{}/top?ps_args=what", 400), ("GET", "/containers/{}/archive", 400), ("HEAD", "/containers/{}/archive", 400),
    ("PUT", "/containers/{}/archive", 400), ("POST", "/containers/{}/resize?h=1", 400), ("POST", "/containers/{}/resize?h=x&w=1", 400), ("POST", "/containers/{}/stop?t=x", 400),
    ("POST", "/containers/{}/stop?signal=what", 400), ("POST", "/containers/{}/restart?t=x", 400), ("POST", "/containers/{}/restart?signal=what", 400), ("POST", "/containers/{}/kill?signal=what", 400),
    ("POST", "/containers/{}/wait?condition=x", 400), ("POST", "/containers/{}/rename", 400), ("POST", "/containers/{}/attach?stream=1&detachKeys=ctrl-xx", 400), ("DELETE", "/containers/{}?link=1", 400),
    ("POST", "/containers/create?name=a%20b", 400), ("GET", "/events?since=x", 400), ("GET", "/events?until=x", 400), ("GET", "/system/df?type=x", 400), ("GET", "/networks/bridge?scope=swarm", 404),
    ("POST", "/images/create?fromImage=x&platform=windows", 400), ("POST", "/images/create?fromImage=x&platform=linux/what", 404), ("POST", "/images/create?fromImage=x&tag=a:b", 400),
    ("POST", "/images/busybox/tag", 400), ("POST", "/images/busybox/tag?repo=x&tag=a%20b", 400), ("POST", "/images/nosuch/push", 404), ("POST", "/images/busybox/push?tag=a:b", 400),
    ("GET", "/images/get?names=busybox&names=nosuch", 404), ("GET", "/images/nosuch/get", 404), ("GET", "/images/search", 400), ("GET", "/images/search?term=x&limit=101", 400),
    ("GET", "/images/search?term=x&limit=x", 400), ("GET", "/images/search?term=x&filters=%7B%22nope%22%3A%5B%22x%22%5D%7D", 400), ("POST", "/build?version=x", 400), ("POST", "/build/prune?keep-storage=x", 400),
    ("POST", "/commit?container=nosuch", 404),
    *[(m, f"{p}?filters={f}", 400) for m, p in (("GET", "/containers/json"), ("GET", "/images/json"), ("GET", "/networks"), ("GET", "/volumes"), ("GET", "/events"), ("POST", "/containers/prune"),
                                                ("POST", "/images/prune"), ("POST", "/networks/prune"), ("POST", "/volumes/prune"), ("POST", "/build/prune"))
      for f in ("notjson", urllib.parse.quote(json.dumps({"nope": ["x"]})))],
])
def test_bad_queries_are_told(api, method, path, status, living):
    a = api.request(method, path.format(living), b"{}" if path.startswith("/containers/create") else None, check=False,
                    headers={"Content-Type": "application/json"} if path.startswith("/containers/create") else {})
    assert a.status == status, a
    assert method == "HEAD" or a.message


@pytest.fixture(scope="module")
def living(daemon):
    cid = daemon.api.create(Cmd=["sleep", "1000"])
    daemon.api.start(cid)
    yield cid
    daemon.api.remove(cid)


@pytest.mark.parametrize("value,on", [("1", True), ("true", True), ("TRUE", True), ("yes", True), ("0", False), ("false", False), ("no", False), ("none", False), ("", False), (" False ", False)])
def test_how_booleans_are_written(api, box, value, on):
    """2.1.13"""
    cid = box()
    listed = [c["Id"] for c in api.get("/containers/json?all=" + urllib.parse.quote(value)).json]
    assert (cid in listed) == on


@pytest.mark.parametrize("platform,status", [("linux", 201), ("linux/amd64", 201), ("linux/x86_64", 201), ("linux/amd64/v2", 201), ("linux/amd64x", 404), ("linux/arm64", 404), ("linux/aarch64", 404),
                                             ("windows/amd64", 400), ("linuxx", 400)])
def test_platforms(api, platform, status):
    """What can't be run is not run as something else; a pull says the same."""
    if api.get("/info").json["Architecture"] != "x86_64":
        pytest.skip("the table is that of amd64")
    a = api.post(f"/containers/create?platform={urllib.parse.quote(platform)}", {"Image": "busybox", "Cmd": ["true"]})
    assert a.status == status, a
    if status == 201:
        api.remove(a.json["Id"])
    if status == 404:
        assert f"was found but does not match the specified platform: wanted {platform}, actual: linux/amd64" in a.message
    assert api.post(f"/images/create?fromImage=busybox&tag=latest&platform={urllib.parse.quote(platform)}").status == {201: 200}.get(status, status)


def test_df_s_types_came_with_1_42(api):
    assert Api(api.host, "1.41").get("/system/df?type=nope").status == 200
    api.post("/volumes/create", {"Name": "df-types"})
    d = api.get("/system/df?type=container&type=image").json
    assert d["Volumes"] == [] and [i for i in d["Images"] if i["Containers"] >= 0 and i["SharedSize"] == 0]
    assert [v["Name"] for v in api.get("/system/df?type=volume").json["Volumes"] if v["Name"] == "df-types"] == ["df-types"]
    api.delete("/volumes/df-types")


# ---- exec ----
@pytest.mark.parametrize("cmd,status", [(["nosuchcmd"], 400), (["/tmp"], 400), (["true"], 200)])
def test_a_detached_exec_says_what_is_wrong(api, living, cmd, status):
    eid = api.post(f"/containers/{living}/exec", {"Cmd": cmd}).json["Id"]
    a = api.post(f"/exec/{eid}/start", {"Detach": True})
    assert a.status == status and (status == 200 or "OCI runtime exec failed" in a.message), a
    assert status == 200 or (not api.get(f"/exec/{eid}/json").json["Running"] and api.get(f"/exec/{eid}/json").json["ExitCode"] in (126, 127))
