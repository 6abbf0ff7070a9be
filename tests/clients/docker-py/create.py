"""docker-py: what create takes, and what inspect says of it.

SPDX-License-Identifier: Apache-2.0
"""
import docker

from casebook import case, refused
from house import api, box, client, low, run


def host_config(k):
    return api.inspect_container(k)["HostConfig"]


@case
def create_and_inspect():
    with low("true", name="py-created", labels={"a": "b"}, hostname="py-host", working_dir="/srv", user="nobody") as k:
        i = api.inspect_container(k)
        assert i["Id"] == k and i["Name"] == "/py-created" and i["Path"] == "true" and i["Config"]["Hostname"] == "py-host"
        assert i["Config"]["Labels"] == {"a": "b"} and i["Config"]["WorkingDir"] == "/srv" and i["Config"]["User"] == "nobody"
        assert i["Image"].startswith("sha256:")


@case
def list_containers():
    before = len(api.containers(all=True))
    with low("true") as k:
        api.wait(k)
        found = api.containers(all=True)
        assert len(found) == before + 1
        one, = (c for c in found if c["Id"] == k)
        assert one["Command"] == "true" and one["Image"] == "busybox" and "Exited (0)" in one["Status"] and one["Names"]
        assert k not in [c["Id"] for c in api.containers()]
        assert [c["Id"] for c in api.containers(latest=True)] == [k] and api.containers(quiet=True, all=True)[0] == {"Id": k}
        assert len(api.containers(trunc=True, all=True, limit=1)[0]["Id"]) == 12
        assert client.containers.list(all=True, sparse=True, limit=1)[0].id == k


@case
def restart_policy_and_removal_while_running():
    with low("sleep 1000", host={"restart_policy": {"Name": "always", "MaximumRetryCount": 0}}) as k:
        assert host_config(k)["RestartPolicy"] == {"Name": "always", "MaximumRetryCount": 0}
        e = refused(api.remove_container, k)
        assert e.response.status_code == 409 and "stop the container before" in e.explanation.lower()
        api.update_container(k, restart_policy={"Name": "on-failure", "MaximumRetryCount": 5})
        assert host_config(k)["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 5}


@case
def additional_groups():
    for groups in ([1000, 1001], ["1000", "1001"]):
        with low("id -G", host={"group_add": groups}) as k:
            api.wait(k)
            assert {"1000", "1001"} <= set(api.logs(k).decode().split()), api.logs(k)


@case
def log_drivers():
    kind = docker.types.LogConfig
    with low("true", host={"log_config": kind(type="json-file", config={"max-file": "100"})}) as k:
        assert host_config(k)["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "100"}}
    with low("true", host={"log_config": kind(type="", config={"max-file": "100"})}) as k:
        assert host_config(k)["LogConfig"]["Type"] == "json-file"
    with low("true", host={"log_config": kind(type="json-file", config=None)}) as k:
        assert host_config(k)["LogConfig"] == {"Type": "json-file", "Config": {}}

    def unknown():
        with low("true", host={"log_config": kind(type="asdf", config={})}):
            pass
    assert "asdf" in refused(unknown).explanation
    assert client.containers.run("busybox", "echo hi", log_config={"type": "none"}, remove=True) is None


@case
def memory_limits():
    for memory in (64 << 20, "64m"):
        with low("true", start=False, host={"mem_limit": memory, "memswap_limit": "128m"}) as k:
            assert (host_config(k)["Memory"], host_config(k)["MemorySwap"]) == (64 << 20, 128 << 20)
    with low("true", start=False, host={"cpu_shares": 512, "cpu_period": 100000, "cpu_quota": 50000}) as k:
        assert host_config(k)["CpuQuota"] == 50000


@case
def environment():
    with low("env", environment={"A": "b c", "EMPTY": "", "NONE": None}) as k:
        api.wait(k)
        lines = api.logs(k).decode().splitlines()
        assert "A=b c" in lines and "EMPTY=" in lines and not [x for x in lines if x.startswith("NONE")]
        assert "NONE" in api.inspect_container(k)["Config"]["Env"]


@case
def options_come_back():
    with low("true", start=False, stop_timeout=25, stop_signal="SIGUSR1",
             host={"init": True, "tmpfs": {"/tmpfs": "size=3m"}, "uts_mode": "host", "pid_mode": "host", "oom_kill_disable": True,
                   "auto_remove": True, "read_only": False, "extra_hosts": {"other": "10.0.0.1"}, "dns": ["10.0.0.2"]}) as k:
        h, c = host_config(k), api.inspect_container(k)["Config"]
        assert c["StopTimeout"] == 25 and c["StopSignal"] == "SIGUSR1" and h["Init"] and h["AutoRemove"] and h["PidMode"] == "host"
        assert h["Tmpfs"] == {"/tmpfs": "size=3m"} and h["ExtraHosts"] == ["other:10.0.0.1"] and h["Dns"] == ["10.0.0.2"]


@case
def ports_come_back():
    with low("sleep 1000", ports=[1111, (2222, "udp")], host={"port_bindings": {1111: ("127.0.0.1", 4567), "2222/udp": 5678}}) as k:
        assert api.port(k, 1111) == [{"HostIp": "127.0.0.1", "HostPort": "4567"}] and api.port(k, "2222/udp")[0]["HostPort"] == "5678"
        shown = api.inspect_container(k)["NetworkSettings"]["Ports"]
        assert set(shown) == {"1111/tcp", "2222/udp"}
    with box(ports={"7777/tcp": None, "8888/tcp": [8001, 8002]}) as k:
        k.reload()
        assert int(k.ports["7777/tcp"][0]["HostPort"]) > 0 and {p["HostPort"] for p in k.ports["8888/tcp"]} == {"8001", "8002"}


@case
def volumes_and_mounts_come_back():
    with low("true", start=False, volumes=["/bound", "/anonymous"], host={"binds": {"py-bind": {"bind": "/bound", "ro": True}}}) as k:
        mounts = {m["Destination"]: m for m in api.inspect_container(k)["Mounts"]}
        assert mounts["/bound"]["Name"] == "py-bind" and not mounts["/bound"]["RW"] and len(mounts["/anonymous"]["Name"]) == 64
    api.remove_volume("py-bind")
    mount = docker.types.Mount(type="volume", source="py-mount", target="/mounted", labels={"com.example": "1"}, read_only=True)
    with low("true", start=False, host={"mounts": [mount]}) as k:
        m, = api.inspect_container(k)["Mounts"]
        assert (m["Type"], m["Name"], m["Destination"], m["RW"]) == ("volume", "py-mount", "/mounted", False)
        assert api.inspect_volume("py-mount")["Labels"] == {"com.example": "1"}
    api.remove_volume("py-mount")


@case
def volumes_from():
    with low("true", start=False, volumes=["/shared"]) as one, low("true", start=False, host={"volumes_from": [one]}) as two:
        i = api.inspect_container(two)
        assert i["HostConfig"]["VolumesFrom"] == [one] and [m["Destination"] for m in i["Mounts"]] == ["/shared"]


@case
def mac_address_and_links():
    with low("sleep 1000", mac_address="02:42:ac:11:00:0a") as k:
        assert api.inspect_container(k)["NetworkSettings"]["MacAddress"] == "02:42:ac:11:00:0a"
        name = api.inspect_container(k)["Name"][1:]
        with low("true", start=False, host={"links": {name: "alias"}}) as k2:
            assert [x.rpartition(":")[2].rpartition("/")[2] for x in host_config(k2)["Links"]] == ["alias"]


@case
def command_lines_are_split_as_in_a_shell():
    for line, want in (("true && echo \"hi\"", 0), ("sh -c 'exit 3'", 3), ("echo \"The Young Descendant of Tepes & Septette for the Dead Princess\"", 0)):
        with low(line) as k:
            assert api.wait(k)["StatusCode"] == want, line


@case
def an_unknown_command():
    e = refused(run, "nosuch-command", name="py-127")
    client.containers.get("py-127").remove()
    assert e.response.status_code == 400 and "executable file not found" in e.explanation


@case
def names_in_use_and_bad_names():
    with low("true", start=False, name="py-taken"):
        assert refused(api.create_container, "busybox", "true", name="py-taken").response.status_code == 409
    assert refused(api.create_container, "busybox", "true", name="no good").response.status_code == 400


@case
def double_slashes_and_integers():
    assert refused(api.create_container, "myserver.com//bad", "true").response.status_code in (400, 404)
    with low("id -u", user=1000) as k:
        api.wait(k)
        assert api.inspect_container(k)["Config"]["User"] == "1000" and api.logs(k) == b"1000\n"


@case
def runtimes():
    with low("true", runtime="cloud-run-functions") as k:
        assert host_config(k)["Runtime"] == "cloud-run-functions"
    assert "nosuch" in refused(api.create_container, "busybox", "true", host_config=api.create_host_config(runtime="nosuch")).explanation
