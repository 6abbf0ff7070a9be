"""create, inspect, list, names, lifecycle statuses: reference 2.2, 2.7, 2.8, 2.15; cases U-45 to U-60, P-34 to P-43, P-53.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import threading
import urllib.parse

import pytest

from dockerapi import Api, wait_until

ZERO = "0001-01-01T00:00:00Z"


@pytest.fixture
def box(api):
    """Makes containers and removes them afterwards."""
    made = []

    def make(*cmd, **config):
        cid = api.create(Cmd=list(cmd) or ["true"], **config)
        made.append(cid)
        return cid

    yield make
    for cid in made:
        api.remove(cid, volumes=True)


def listed(api, **query):
    if "filters" in query:
        query["filters"] = json.dumps(query["filters"])
    return api.get("/containers/json?" + urllib.parse.urlencode(query)).json


# ---- create ----
def test_create_answer(api, box):
    a = api.post("/containers/create?name=first-one", {"Image": "busybox", "Cmd": ["true"]})
    assert a.status == 201 and a.json["Warnings"] == [] and re.fullmatch("[0-9a-f]{64}", a.json["Id"])
    api.remove("first-one")


def test_unknown_image_is_404_unknown_network_is_not(api):
    a = api.create("nosuch-image:tag", ok=False)
    assert a.status == 404 and a.message == "No such image: nosuch-image:tag"
    assert api.create("nosuch-image", ok=False).message == "No such image: nosuch-image:latest"
    a = api.create(Cmd=["true"], HostConfig={"NetworkMode": "nosuch-net"}, ok=False)
    assert a.status != 404
    if a.status == 201:
        api.remove(a.json["Id"])


@pytest.mark.parametrize("name", ["a", "-x", "x y", "x/y", "é", ".x", "%20"])
def test_bad_names(api, name):
    a = api.post(f"/containers/create?name={urllib.parse.quote(name)}", {"Image": "busybox", "Cmd": ["true"]})
    assert a.status == 400 and "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" in a.message


def test_name_conflict(api):
    """P-37: one of twenty wins; the text is what clients match."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        api.create(name="c1", Cmd=["true"], ok=False))) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    won = [a for a in answers if a.status == 201]
    assert len(won) == 1 and len([a for a in answers if a.status == 409]) == 19
    cid = won[0].json["Id"]
    a = api.create(name="/c1", Cmd=["true"], ok=False)
    assert a.status == 409 and a.message == (
        f'Conflict. The container name "/c1" is already in use by container "{cid}". You have to remove (or rename) '
        "that container to be able to reuse that name.")
    api.remove(cid)
    api.remove(api.create(name="c1", Cmd=["true"]))


@pytest.mark.parametrize("config,text", [
    ({"Env": ["=x"]}, "invalid environment variable: =x"),
    ({"WorkingDir": "rel"}, "needs to be an absolute path"),
    ({"StopSignal": "NOPE"}, "invalid signal: NOPE"),
    ({"Healthcheck": {"Interval": 500000}}, "Interval in Healthcheck cannot be less than 1ms"),
    ({"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}}, "can't create 'AutoRemove' container"),
    ({"HostConfig": {"Binds": ["v:/"]}}, "destination can't be '/'"),
    ({"HostConfig": {"Binds": ["vv:/x", "ww:/x"]}}, "Duplicate mount point: /x"),
    ({"HostConfig": {"Binds": ["/home/me:/x"]}}, "/home/me"),
    ({"HostConfig": {"Runtime": "nosuch"}}, "nosuch"),
    ({"HostConfig": {"PortBindings": {"x/tcp": []}}}, "invalid port specification"),
])
def test_refused_creates(api, config, text):
    a = api.create(ok=False, **{"Cmd": ["true"], **config})
    assert a.status == 400 and text in a.message, a
    assert listed(api, all=1, filters={"status": ["created"]}) == []


def test_every_field_is_echoed(api, box):
    """U-57"""
    config = {"Hostname": "h", "Domainname": "d", "User": "u", "Tty": True, "OpenStdin": True, "StdinOnce": True,
              "Env": ["A=1"], "Labels": {"UPPER.case/x": 'v="1"\n', "e": ""}, "WorkingDir": "/w", "StopSignal": "SIGUSR1",
              "StopTimeout": 0, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/vol": {}}, "Entrypoint": ["/bin/sh", "-c"],
              "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 10**9, "Timeout": 2 * 10**9, "Retries": 2}}
    host = {"Binds": ["echo-vol:/data:ro"], "Memory": 64 << 20, "NanoCpus": 500000000, "AutoRemove": False,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "ExtraHosts": ["a:1.2.3.4"],
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]}, "CapAdd": ["NET_ADMIN"],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}, "GroupAdd": ["audio"], "Init": True,
            "Tmpfs": {"/run": "size=1m"}, "ConsoleSize": [24, 80], "Annotations": {"k": "v"}, "Ulimits": [
                {"Name": "nofile", "Hard": 2, "Soft": 1}], "ShmSize": 1 << 20}
    cid = box("x", HostConfig=host, **config)
    got = api.inspect(cid)
    for k, v in config.items():
        assert got["Config"][k] == v, k
    for k, v in host.items():
        assert got["HostConfig"][k] == v, k
    assert got["Config"]["Image"] == "busybox" and re.fullmatch("sha256:[0-9a-f]{64}", got["Image"])
    assert (got["Path"], got["Args"]) == ("/bin/sh", ["-c", "x"])


def test_unsupported_fields_are_warned_about(api):
    a = api.create(Cmd=["true"], HostConfig={"CpuShares": 2, "CapDrop": ["ALL"], "Privileged": True}, ok=False)
    assert a.status == 201 and len(a.json["Warnings"]) == 3
    api.remove(a.json["Id"])


def test_multiple_networks_need_1_44(api):
    for n in ("mn1", "mn2"):
        api.post("/networks/create", {"Name": n})
    body = {"Image": "busybox", "Cmd": ["true"], "NetworkingConfig": {"EndpointsConfig": {"mn1": {}, "mn2": {}}}}
    a = Api(api.host, "1.43").post("/containers/create", body)
    assert a.status == 400 and a.message.startswith("Container cannot be created with multiple network endpoints: ")
    a = api.post("/containers/create", body)
    assert a.status == 201
    assert set(api.inspect(a.json["Id"])["NetworkSettings"]["Networks"]) >= {"mn1", "mn2"}
    api.remove(a.json["Id"])
    for n in ("mn1", "mn2"):
        assert api.delete(f"/networks/{n}").status == 204


# ---- inspect ----
def test_inspect_of_created(api, box):
    cid = box("sleep", "1000")
    i = api.inspect(cid)
    assert i["Name"].startswith("/") and re.fullmatch("/[a-z]+_[a-z]+[0-9]?", i["Name"])
    s = i["State"]
    assert (s["Status"], s["Running"], s["Pid"], s["ExitCode"]) == ("created", False, 0, 0)
    assert s["StartedAt"] == s["FinishedAt"] == ZERO and "Health" not in s
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\.\d+Z", i["Created"])
    assert i["NetworkSettings"]["Ports"] == {} and isinstance(i["NetworkSettings"]["Networks"], dict)
    assert i["Mounts"] == [] and i["ExecIDs"] is None and i["Config"]["Hostname"] == cid[:12]
    assert i["HostConfig"]["LogConfig"]["Type"] == "json-file"
    assert i["HostConfig"]["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert "SizeRw" not in i and "SizeRw" in api.get(f"/containers/{cid}/json?size=1").json


def test_inspect_over_a_life(api, box):
    cid = box("sh", "-c", "read x; exit 3", OpenStdin=True)
    api.start(cid)
    s = api.inspect(cid)["State"]
    assert s["Status"] == "running" and s["Running"] and s["Pid"] == 0 and s["StartedAt"] != ZERO
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdin=1")
    c.send(b"\n")
    assert api.wait(cid) == 3
    s = api.inspect(cid)["State"]
    assert (s["Status"], s["Running"], s["Pid"], s["ExitCode"]) == ("exited", False, 0, 3) and s["FinishedAt"] != ZERO
    finished = s["FinishedAt"]
    api.start(cid)
    s = api.inspect(cid)["State"]
    assert s["Running"] and s["FinishedAt"] == finished and s["ExitCode"] == 0


def test_lookup_rules(api, box):
    """P-38: full ID, exact name, unique prefix."""
    cid = box("true")
    api.post(f"/containers/{cid}/rename?name={cid[:5]}xy")
    for ref in (cid, cid[:12], cid[:6], f"{cid[:5]}xy"):
        assert api.inspect(ref)["Id"] == cid
    other = box("true")
    api.post(f"/containers/{other}/rename?name={cid[:7]}")
    assert api.inspect(cid[:7])["Id"] == other and api.inspect(cid[:8])["Id"] == cid
    a = api.get("/containers/nosuch/json")
    assert a.status == 404 and a.message == "No such container: nosuch"


def test_ambiguous_prefix_is_400(api, box):
    cids, seen = [], {}
    while True:
        cid = box("true")
        cids.append(cid)
        if cid[0] in seen:
            break
        seen[cid[0]] = cid
    a = api.get(f"/containers/{cid[0]}/json")
    assert a.status == 400 and a.message == f"multiple IDs found with provided prefix: {cid[0]}"


# ---- list ----
def test_list_element(api, box):
    cid = box("sleep", "1000", Labels={"l1": "v"}, ExposedPorts={"80/tcp": {}})
    assert cid not in [c["Id"] for c in listed(api)]
    (c,) = listed(api, all=1, filters={"id": [cid]})
    assert c["Names"] == [api.inspect(cid)["Name"]] and c["Command"] == "sleep 1000" and c["Image"] == "busybox"
    assert c["State"] == "created" and c["Status"] == "Created" and isinstance(c["Created"], int)
    assert c["Labels"] == {"l1": "v"} and c["Mounts"] == [] and c["HostConfig"]["NetworkMode"] in ("default", "bridge")
    assert "bridge" in c["NetworkSettings"]["Networks"] and isinstance(c["Ports"], list)
    api.start(cid)
    (c,) = listed(api, filters={"id": [cid]})
    assert c["State"] == "running" and re.match("Up (Less than a second|[0-9]+ seconds?)", c["Status"])
    assert c["Ports"] == [{"PrivatePort": 80, "Type": "tcp"}]
    api.post(f"/containers/{cid}/kill")
    wait_until(lambda: not api.inspect(cid)["State"]["Running"])
    (c,) = listed(api, all=1, filters={"id": [cid]})
    assert c["State"] == "exited" and re.match(r"Exited \(137\) (Less than a second|[0-9]+ seconds?) ago", c["Status"])


def test_list_order_and_limit(api, box):
    cids = [box("true", Labels={"group": "order"}) for _ in range(4)]
    got = [c["Id"] for c in listed(api, all=1, filters={"label": ["group=order"]})]
    assert got == cids[::-1]
    assert [c["Id"] for c in listed(api, limit=2)] == cids[:1:-1]
    assert listed(api, limit=0, filters={"label": ["group=order"]}) == []


def test_list_filters(api, box):
    """U-55, P-43: each narrows, in both spellings."""
    api.post("/networks/create", {"Name": "fnet"})
    a = box("sh", "-c", "exit 3", Labels={"k": "a=b=c", "both": "1"}, HostConfig={"Binds": ["fvol:/d"]})
    b = box("sleep", "1000", Labels={"both": "1"}, ExposedPorts={"81/tcp": {}},
            HostConfig={"NetworkMode": "fnet", "PortBindings": {"82/tcp": [{"HostPort": "18082"}]}})
    api.post(f"/containers/{a}/rename?name=filter-a")
    api.post(f"/containers/{b}/rename?name=filter-b")
    api.start(a)
    api.start(b)
    api.wait(a)
    both = {a, b}
    cases = [
        ({"name": ["filter-a"]}, {a}), ({"name": ["filter"]}, both), ({"name": ["^/?filter-a$"]}, {a}),
        ({"name": ["^filter$"]}, set()), ({"name": ["/filter-a"]}, {a}), ({"id": [a[:8]]}, {a}),
        ({"label": ["k"]}, {a}), ({"label": ["k=a=b=c"]}, {a}), ({"label": ["k=a"]}, set()), ({"label": ["both", "k"]}, {a}),
        ({"label": {"both=1": True}}, both), ({"status": ["exited"], "label": ["both"]}, {a}),
        ({"status": ["running", "exited"], "label": ["both"]}, both), ({"exited": ["3"], "label": ["both"]}, {a}),
        ({"exited": ["0"], "label": ["both"]}, set()), ({"volume": ["fvol"]}, {a}), ({"volume": ["/d"]}, {a}),
        ({"network": ["fnet"]}, {b}), ({"publish": ["18082"], "label": ["both"]}, set()), ({"publish": ["82"], "label": ["both"]}, {b}),
        ({"publish": ["82/tcp"], "label": ["both"]}, {b}), ({"expose": ["80-81/tcp"], "label": ["both"]}, {b}),
        ({"ancestor": ["busybox"], "label": ["both"]}, both), ({"ancestor": ["nosuch"]}, set()),
        ({"before": ["filter-b"], "label": ["both"]}, {a}), ({"since": [a], "label": ["both"]}, {b}),
        ({"health": ["none"], "label": ["both"]}, both), ({"is-task": ["false"], "label": ["both"]}, both),
    ]
    for filters, want in cases:
        assert {c["Id"] for c in listed(api, all=1, filters=filters)} == want, filters
        as_map = {k: (v if isinstance(v, dict) else {x: True for x in v}) for k, v in filters.items()}
        assert {c["Id"] for c in listed(api, all=1, filters=as_map)} == want, as_map
    api.remove(b)
    assert api.delete("/networks/fnet").status == 204


@pytest.mark.parametrize("filters", ["notjson", "[]", '{"nope":["x"]}', '{"status":["bogus"]}', '{"exited":["x"]}',
                                     '{"before":["a","b"]}', '{"publish":["x"]}', '{"label":1}', '{"health":["bad"]}'])
def test_bad_filters_are_400(api, filters):
    assert api.get("/containers/json?filters=" + urllib.parse.quote(filters)).status == 400


def test_status_filter_implies_all(api, box):
    cid = box("true")
    assert cid in [c["Id"] for c in listed(api, filters={"status": ["created"]})]


def test_a_volume_s_place_exists(api, box):
    """act copies into /var/run/act/ right after the start: a volume is mounted there, so it is a directory."""
    cid = box("sh", "-c", "stat -c '%n %F' /var/run/act /anonymous/deep /scratch; sleep 1000", HostConfig={
        "Binds": ["act-vol:/var/run/act"], "Mounts": [{"Type": "tmpfs", "Target": "/scratch"}]}, Volumes={"/anonymous/deep": {}})
    api.start(cid)
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&logs=1&stdout=1")
    assert [c.frame()[1] for _ in range(1)][0].startswith(b"/var/run/act directory\n/anonymous/deep directory\n/scratch directory\n")


# ---- statuses of the lifecycle ----
def test_lifecycle_statuses(api, box):
    cid = box("sleep", "1000")
    post = lambda verb: api.post(f"/containers/{cid}/{verb}")  # noqa: E731
    assert post("stop").status == 304 and post("kill").status == 409 and post("pause").status == 409
    a = post("kill")
    assert "is not running" in a.message and a.message.startswith("Cannot kill container: ")
    assert post("start").status == 204 and post("start").status == 304
    a = api.remove(cid, force=False)
    assert a.status == 409 and a.message == (
        f'cannot remove container "{api.inspect(cid)["Name"]}": container is running: stop the container before removing or '
        "force remove")
    assert post("kill?signal=NOPE").status == 400 and api.inspect(cid)["State"]["Running"]
    assert post("stop?t=0").status == 204 and post("stop").status == 304
    # 143 as with `docker run --init`: the process is not PID 1, so SIGTERM reaches it
    assert api.inspect(cid)["State"]["ExitCode"] in (137, 143)
    assert api.remove(cid, force=False).status == 204 and api.remove(cid).status == 404


@pytest.mark.parametrize("signal,code", [("9", 137), ("KILL", 137), ("SIGKILL", 137), ("sigterm", 143), ("INT", 130)])
def test_signals(api, box, signal, code):
    cid = box("sh", "-c", "trap - TERM INT; exec sleep 1000")
    api.start(cid)
    assert api.post(f"/containers/{cid}/kill?signal={signal}").status == 204
    assert api.wait(cid) == code


def test_rename(api, box):
    a, b = box("true"), box("true")
    assert api.post(f"/containers/{a}/rename?name=ren-a").status == 204
    assert api.post(f"/containers/{b}/rename?name=ren-a").status == 409
    assert api.post(f"/containers/{b}/rename?name=").status == 400
    assert api.post(f"/containers/{b}/rename?name=x/y").status == 400
    assert api.post("/containers/nosuch/rename?name=zz").status == 404
    assert api.inspect("ren-a")["Id"] == a
    assert api.post(f"/containers/ren-a/rename?name=ren-c").status == 204
    assert api.get("/containers/ren-a/json").status == 404 and api.inspect("ren-c")["Id"] == a


def test_update(api, box):
    cid = box("true")
    a = api.post(f"/containers/{cid}/update", {"Memory": 128 << 20, "RestartPolicy": {"Name": "always"}})
    assert a.status == 200 and len(a.json["Warnings"]) == 1 and a.json["Warnings"][0].startswith("Memory: ")
    host = api.inspect(cid)["HostConfig"]
    assert host["Memory"] == 128 << 20 and host["RestartPolicy"]["Name"] == "always"
    assert api.post(f"/containers/{cid}/update", {"Memory": 1}).status == 400
    auto = box("true", HostConfig={"AutoRemove": True})
    assert api.post(f"/containers/{auto}/update", {"RestartPolicy": {"Name": "always"}}).status == 409


def test_remove_races(api):
    """P-39: one 204, the others 404 or 409, never 500."""
    for _ in range(5):
        cid = api.create(Cmd=["sleep", "1000"])
        api.start(cid)
        got = []
        threads = [threading.Thread(target=lambda: got.append(api.remove(cid))) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(a.status for a in got)[0] == 204
        for a in got:
            assert a.status in (204, 404) or (a.status == 409 and "already in progress" in a.message), a


def test_start_failures(api, box):
    """2.2.4, 2.15.2: surfaced on start, with the texts the CLI turns into 127 and 126."""
    for cmd, code, text in ((["nosuchcmd"], 127, "executable file not found"), (["/tmp"], 126, "permission denied")):
        cid = box(*cmd)
        a = api.post(f"/containers/{cid}/start")
        assert a.status == 400 and text in a.message, a
        s = api.inspect(cid)["State"]
        assert s["ExitCode"] == code and s["Status"] in ("created", "exited") and text in s["Error"]


def test_auto_remove_after_failed_start(api):
    cid = api.create(Cmd=["nosuchcmd"], HostConfig={"AutoRemove": True})
    s = api.open("POST", f"/containers/{cid}/wait?condition=removed")
    assert api.post(f"/containers/{cid}/start").status == 400
    assert s.json()["StatusCode"] in (127, 0)
    wait_until(lambda: api.get(f"/containers/{cid}/json").status == 404)


def test_empty_lists_are_arrays(api):
    """P-41"""
    assert isinstance(listed(api), list) and api.get("/images/json").status == 200
    none = urllib.parse.quote('{"label":["nosuch"]}')
    assert api.get(f"/containers/json?all=1&filters={none}").body == b"[]\n"
    assert api.get(f"/networks?filters={none}").body == b"[]\n"
    assert api.get(f"/volumes?filters={none}").json["Volumes"] == []
