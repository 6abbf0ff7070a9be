"""The simulator's Cloud Run v2 and what it executes: services behind functions and without them, revisions, requests and their limits.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import os
import signal
import socket
import time

import pytest

import skl
from dockerapi import wait_until
from simgoogle import PARENT, SERVE, Google, inside, instances, let_go


@pytest.fixture(scope="module")
def g(images):
    cloud = Google(images)
    yield cloud
    cloud.close()


def image_patch(service, image, command=SERVE, **more):
    """What the driver sends: the template read, the image replaced, the revision's name gone."""
    template = service["template"]
    template["containers"][0].update(image=image, command=command, **more)
    template.pop("revision", None)
    return {"template": template, "etag": service["etag"]}


def patched(g, name, body, mask="template"):
    return g.done(g.ok("PATCH", f"{g.services}/{name}?updateMask={mask}", body))


# ---- services behind functions ----
def test_a_function_is_a_service(g):
    g.create("owned-fn", availableMemory="1Gi", availableCpu="1", timeoutSeconds=77, maxInstanceCount=2)
    s = g.ok("GET", f"{g.services}/owned-fn")
    assert s["labels"]["goog-managed-by"] == "cloudfunctions" and s["labels"]["goog-cloudfunctions-runtime"] == "docker"
    assert s["annotations"]["cloudfunctions.googleapis.com/function-id"] == "owned-fn"
    t = s["template"]
    assert t["timeout"] == "77s" and t["scaling"] == {"maxInstanceCount": 2} and t["containers"][0]["name"] == "worker"
    assert t["containers"][0]["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"} and t["containers"][0]["image"] == "busybox"
    assert s["terminalCondition"]["state"] == "CONDITION_SUCCEEDED" and s["latestReadyRevision"] == s["latestCreatedRevision"]
    assert s["generation"] == s["observedGeneration"] == "1" and s["etag"] and s["uid"] and s["traffic"][0]["percent"] == 100
    assert s["uri"] == g.ok("GET", g.fns + "/owned-fn")["serviceConfig"]["uri"]
    a = g.refused("DELETE", f"{g.services}/owned-fn")
    assert a.status == 400 and "belongs to the function" in a.error
    g.done(g.ok("DELETE", g.fns + "/owned-fn"))
    assert g.refused("GET", f"{g.services}/owned-fn").status == 404


def test_the_image_that_is_patched_in_is_what_runs_next(g):
    g.create("patched-fn")
    service = g.ok("GET", f"{g.services}/patched-fn")
    op = patched(g, "patched-fn", image_patch(service, "busybox", env=[{"name": "MARK", "value": "one"}]))
    assert op["response"]["@type"] == op["metadata"]["@type"] == "type.googleapis.com/google.cloud.run.v2.Service"
    now = g.ok("GET", f"{g.services}/patched-fn")
    assert now["latestReadyRevision"] == now["latestCreatedRevision"] != service["latestReadyRevision"] and now["generation"] == "2"
    said = g.call("POST", now["uri"] + "/a/b?c=d%20e", "hello").body.decode()
    assert said.startswith("POST /a/b?c=d%20e HTTP/1.1") and "MARK=one" in said and said.endswith("\n0 /\n5")
    assert "K_SERVICE=patched-fn" in said and f"K_REVISION={now['latestReadyRevision'].rpartition('/')[2]}" in said
    # the function's own deployment restores what it says
    g.done(g.ok("PATCH", g.fns + "/patched-fn?updateMask=labels", {"labels": {"x": "y"}}))
    restored = g.ok("GET", f"{g.services}/patched-fn")
    assert "command" not in restored["template"]["containers"][0] and restored["template"]["labels"]["x"] == "y"
    assert len(g.ok("GET", f"{g.services}/patched-fn/revisions")["revisions"]) == 3
    g.done(g.ok("DELETE", g.fns + "/patched-fn"))


def test_who_patches_must_know_what_there_is(g):
    g.create("stale-fn")
    service = g.ok("GET", f"{g.services}/stale-fn")
    body = image_patch(service, "busybox")
    patched(g, "stale-fn", body)
    a = g.refused("PATCH", f"{g.services}/stale-fn?updateMask=template", body)
    assert (a.status, a.reason) == (409, "ABORTED") and "was specified but current version is" in a.error
    now = g.ok("GET", f"{g.services}/stale-fn")
    now["template"]["revision"] = now["latestReadyRevision"].rpartition("/")[2]
    now["template"]["containers"][0]["args"] = ["x"]
    a = g.refused("PATCH", f"{g.services}/stale-fn?updateMask=template", {"template": now["template"]})
    assert a.status == 409 and "with different configuration already exists" in a.error
    for bad in ({"template": {}}, {"template": {"containers": [{"image": ""}]}}, {"template": {"containers": [{"image": "a"}, {"image": "b"}]}},
                {"template": {"containers": [{"image": "a", "env": [{"name": "PORT", "value": "1"}]}]}}, {"template": {"nonsense": 1}}):
        assert g.refused("PATCH", f"{g.services}/stale-fn?updateMask=template", bad).status == 400
    assert g.refused("PATCH", f"{g.services}/stale-fn?updateMask=nonsense", {}).status == 400
    assert g.refused("PATCH", f"{g.services}/not-there", {"template": {}}).status == 404


def test_a_revision_that_cannot_run_leaves_the_old_one_serving(g):
    uri = g.serve("sturdy")
    before = g.ok("GET", f"{g.services}/sturdy")
    op = patched(g, "sturdy", image_patch(before, "no-such-image"))
    assert op["error"]["code"] == 9 and "is not ready and cannot serve traffic" in op["error"]["message"] and "no-such-image" in op["error"]["message"]
    now = g.ok("GET", f"{g.services}/sturdy")
    assert now["latestReadyRevision"] == before["latestReadyRevision"] != now["latestCreatedRevision"]
    assert now["terminalCondition"]["state"] == "CONDITION_FAILED" and "no-such-image" in now["terminalCondition"]["message"]
    assert g.call("GET", uri).status == 200
    bad = now["latestCreatedRevision"]
    assert g.ok("GET", "/v2/" + bad)["conditions"][0]["state"] == "CONDITION_FAILED"
    assert g.refused("DELETE", "/v2/" + bad).status == 400  # the latest
    patched(g, "sturdy", image_patch(now, "busybox", env=[{"name": "A", "value": "b"}]))
    g.done(g.ok("DELETE", "/v2/" + bad))
    assert g.refused("GET", "/v2/" + bad).status == 404


# ---- services without functions ----
def test_services_of_their_own(g):
    body = {"template": {"containers": [{"image": "busybox", "command": SERVE, "resources": {"limits": {"cpu": "1"}}}]}, "labels": {"a": "b"}}
    op = g.done(g.ok("POST", f"{g.services}?serviceId=alone", body))
    assert op["response"]["name"] == f"{PARENT}/services/alone"
    assert g.refused("POST", f"{g.services}?serviceId=alone", body).status == 409
    assert g.refused("POST", g.fns + "?functionId=alone", {"buildConfig": {"runtime": "docker"}}).status == 409
    for bad in ("", "Upper", "x" * 50, "1a", "a-"):
        assert g.refused("POST", f"{g.services}?serviceId={bad}", body).status == 400
    g.done(g.ok("POST", f"{g.services}?serviceId=zz-newer", body))
    listed = [s["name"].rpartition("/")[2] for s in g.ok("GET", g.services)["services"]]
    assert listed.index("zz-newer") < listed.index("alone")  # the newest first
    g.done(g.ok("DELETE", f"{g.services}/zz-newer"))
    assert "alone" in [s["name"].rpartition("/")[2] for s in g.ok("GET", g.services)["services"]]
    assert g.refused("GET", g.services.replace("us-central1", "-")).status == 400
    revisions = g.ok("GET", f"{g.services}/alone/revisions")["revisions"]
    assert len(revisions) == 1 and revisions[0]["service"] == "alone" and revisions[0]["containers"][0]["image"] == "busybox"
    op = patched(g, "alone", {"labels": {"c": "d"}}, mask="labels")  # no new revision
    assert op["done"] and len(g.ok("GET", f"{g.services}/alone/revisions")["revisions"]) == 1
    assert g.ok("GET", f"{g.services}/alone")["labels"] == {"c": "d"}
    for change in ({"timeout": "3601s"}, {"timeout": "0.0s"}, {"timeout": "99999999999s"}, {"maxInstanceRequestConcurrency": 1001}, {"maxInstanceRequestConcurrency": -1},
                   {"scaling": {"maxInstanceCount": -1}}):
        assert g.refused("POST", f"{g.services}?serviceId=odd", {"template": {**body["template"], **change}}).status == 400, change
    for change in ({"ports": [{"containerPort": 70000}]}, {"resources": {"limits": {"memory": "lots"}}}, {"resources": {"limits": {"memory": "64Mi"}}},
                   {"resources": {"limits": {"cpu": "many"}}}, {"resources": {"limits": {"cpu": "100"}}}):
        assert g.refused("POST", f"{g.services}?serviceId=odd", {"template": {"containers": [{"image": "busybox", **change}]}}).status == 400, change
    op = g.done(g.ok("PATCH", f"{g.services}/by-patch?allowMissing=true", body))
    assert op["response"]["name"].endswith("/by-patch")
    assert g.refused("DELETE", f"{g.services}/alone?etag=old").status == 409
    for name in ("alone", "by-patch"):
        op = g.done(g.ok("DELETE", f"{g.services}/{name}"))
        assert op["response"]["@type"].endswith("run.v2.Service")
        assert g.refused("GET", f"{g.services}/{name}").status == 404


def test_operations_can_be_waited_for(images):
    g = Google(images, "--operation-delay", "200ms")
    try:
        op = g.ok("POST", f"{g.services}?serviceId=waited", {"template": {"containers": [{"image": "busybox", "command": SERVE}]}})
        assert not op.get("done")
        assert not g.ok("POST", f"/v2/{op['name']}:wait", {"timeout": "0.01s"}).get("done")
        assert g.refused("DELETE", f"/v2/{op['name']}").status == 400
        service = g.ok("POST", f"/v2/{op['name']}:wait", {"timeout": "30s"})["response"]
        assert g.refused("POST", f"/v2/{op['name']}:wait", {"timeout": "soon"}).status == 400
        op = g.ok("PATCH", f"{g.services}/waited", image_patch(service, "busybox", env=[{"name": "X", "value": "y"}]))
        assert g.ok("GET", f"{g.services}/waited")["terminalCondition"]["state"] == "CONDITION_RECONCILING"
        assert g.refused("PATCH", f"{g.services}/waited", {"template": {}}).reason == "ABORTED"
        assert g.ok("POST", f"/v2/{op['name']}:wait", {})["done"]
        assert g.ok("DELETE", f"/v2/{op['name']}") == {} and g.refused("GET", f"/v2/{op['name']}").status == 404
    finally:
        g.close()


# ---- the process ----
def test_user_directory_and_arguments_of_an_image(images, tmp_path):
    layout = str(tmp_path / "layout")
    skl.subprocess.run([os.path.join(skl.TOP, "tests/images/mkbusybox"), layout], check=True)
    skl.import_image(images, "as-nobody", layout, "--user", "nobody:users", "--workdir", "/tmp", "--entrypoint", "sh", "--entrypoint", "-c", "--env", "FROM=image",
                     "--cmd", SERVE[2].replace("/srv.sh", "/tmp/srv.sh"))
    g = Google(images)
    try:
        op = g.done(g.ok("POST", f"{g.services}?serviceId=nobody", {"template": {"containers": [{"image": "as-nobody"}]}}))
        said = g.call("GET", op["response"]["uri"]).body.decode()
        assert "\n65534 /tmp\n" in said and "FROM=image" in said
        op = patched(g, "nobody", {"template": {"containers": [{"image": "as-nobody", "workingDir": "/var", "args": [SERVE[2].replace("/srv.sh", "/tmp/srv.sh")],
                                                                "env": [{"name": "FROM", "value": "container"}]}]}})
        said = g.call("GET", op["response"]["uri"]).body.decode()
        assert "\n65534 /var\n" in said and "FROM=container" in said
        skl.import_image(images, "as-stranger", layout, "--user", "stranger")
        op = g.done(g.ok("POST", f"{g.services}?serviceId=stranger", {"template": {"containers": [{"image": "as-stranger"}]}}))
        a = g.call("GET", op["response"]["uri"])
        assert a.status == 500 and b'no user "stranger"' in a.body
    finally:
        g.close()


def test_what_the_front_end_adds(g):
    uri = g.serve("fronted")
    said = g.call("GET", uri, headers={"Authorization": "Bearer x", "X-Own": "kept"}).body.decode()
    for header in ("X-Forwarded-Proto: https", "X-Forwarded-For: 127.0.0.1", "Function-Execution-Id: ", "X-Cloud-Trace-Context: ", "traceparent: 00-", "X-Own: kept",
                   f"Host: 127.0.0.1:{g.port}"):
        assert header in said, header
    assert "Authorization" not in said
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        a = g.call(method, uri)
        assert a.status == 200 and a.body.startswith(method.encode()) and a.headers["X-Mark"] == "here"
    assert g.call("HEAD", uri).status == 200
    assert g.call("GET", g.url + "/_functions/no/such/service").status == 404


def test_programs_find_their_credentials(g):
    said = g.call("GET", g.serve("with-credentials") + "/metadata").body.decode()
    assert "-compute@developer.gserviceaccount.com" in said


# ---- limits ----
def test_too_much_and_too_many(g):
    uri = g.serve("limited", scaling={"maxInstanceCount": 1}, maxInstanceRequestConcurrency=2)
    with socket.create_connection(("127.0.0.1", g.port)) as s:
        s.sendall(f"POST {uri.removeprefix(g.url)} HTTP/1.1\r\nHost: x\r\nContent-Length: {(32 << 20) + 1}\r\n\r\n".encode())
        assert b" 413 " in s.recv(100)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(g.call, "GET", uri + "/wait") for _ in range(2)]
        wait_until(lambda: len(instances(g, "limited")) == 1, "the instance to start")  # both requests are counted since long before
        a = g.call("GET", uri + "/third")
        assert a.status == 429 and b"no available instance" in a.body
        assert not any(w.done() for w in waiting)
        let_go(g, "limited", waiting)  # from outside: the instance is full
        assert [w.result().status for w in waiting] == [200, 200]


def test_a_body_without_a_length_is_limited_too(g):
    """32 MiB, counted on the way; and what is allowed arrives whole."""
    uri = g.serve("counted", maxInstanceRequestConcurrency=5)

    def send(n):
        with socket.create_connection(("127.0.0.1", g.port)) as s:
            s.settimeout(skl.TIMEOUT)
            s.sendall(f"POST {uri.removeprefix(g.url)}/eat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            piece = b"%x\r\n" % (1 << 20) + b"x" * (1 << 20) + b"\r\n"
            try:
                for _ in range(n):
                    s.sendall(piece)
                s.sendall(b"0\r\n\r\n")
            except OSError:
                pass
            return s.recv(100).split(b"\r\n")[0]

    assert b" 413 " in send(33)
    a = g.call("POST", uri, b"y" * (5 << 20))
    assert a.status == 200 and a.body.endswith(str(5 << 20).encode())


def test_bytes_go_both_ways_while_the_request_is_open(g):
    """The container answers before the request has ended, and what it says arrives before the client says more."""
    uri = g.serve("streaming", maxInstanceRequestConcurrency=5)
    with socket.create_connection(("127.0.0.1", g.port)) as s:
        s.settimeout(skl.TIMEOUT)
        s.sendall(f"POST {uri.removeprefix(g.url)}/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n".encode())
        got = b""
        for i in range(3):
            s.sendall(b"piece %d of " % i if i < 2 else b"piece 2 end ...")
            wanted = b"piece %d" % i
            while wanted not in got:
                data = s.recv(1 << 16)
                assert data, got
                got += data
    assert got.startswith(b"HTTP/1.1 200 OK")


def test_more_instances_when_there_may_be(g):
    uri = g.serve("spread", scaling={"maxInstanceCount": 3}, maxInstanceRequestConcurrency=1)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(g.call, "GET", uri + "/wait") for _ in range(3)]
        wait_until(lambda: len(instances(g, "spread")) == 3, "three instances")
        let_go(g, "spread", waiting)
        assert [w.result().status for w in waiting] == [200] * 3


def test_a_timeout_answers_and_leaves_the_process(g):
    uri = g.serve("slowly", timeout="1s", maxInstanceRequestConcurrency=5, scaling={"maxInstanceCount": 1})
    a = g.call("GET", uri + "/slow")
    assert a.status == 504 and b"upstream request timeout" in a.body
    assert len(inside(g, "slowly")) > 1
    assert g.call("GET", uri).status == 200


def test_a_deleted_service_gets_term_and_then_kill(g, tmp_path):
    script = "trap 'echo got TERM' TERM; (while :; do nc -l -p $PORT -e /bin/true; done) & while :; do sleep 0.1; done; : stubborn"
    op = g.done(g.ok("POST", f"{g.services}?serviceId=stubborn", {"template": {"containers": [{"image": "busybox", "command": ["sh", "-c", script]}]}}))

    def left():
        return inside(g, "stubborn")

    wait_until(lambda: g.call("GET", op["response"]["uri"]) and left(), "the instance")
    began = time.monotonic()
    g.done(g.ok("DELETE", f"{g.services}/stubborn"))
    assert left()
    wait_until(lambda: not left(), "SIGKILL")
    assert time.monotonic() - began > 5
    entries = g.ok("POST", "/v2/entries:list", {"resourceNames": [f"projects/{skl.PROJECT}"], "filter": 'resource.labels.service_name="stubborn"'})["entries"]
    assert "got TERM" in [e["textPayload"] for e in entries]


def test_the_old_revision_finishes_what_it_began(g):
    uri = g.serve("rolling", maxInstanceRequestConcurrency=5)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        old = pool.submit(g.call, "GET", uri + "/wait")
        wait_until(lambda: len(inside(g, "rolling")) > 1, "the request to be there")
        service = g.ok("GET", f"{g.services}/rolling")
        patched(g, "rolling", image_patch(service, "busybox", env=[{"name": "NEW", "value": "yes"}]))
        assert b"NEW=yes" in g.call("GET", uri).body and not old.done()
        let_go(g, "rolling", [old])
        assert old.result().status == 200 and b"NEW=yes" not in old.result().body


# ---- other protocols ----
def upgrade(g, uri, protocol, path="/"):
    s = socket.create_connection(("127.0.0.1", g.port))
    s.settimeout(skl.TIMEOUT)
    s.sendall(f"GET {uri.removeprefix(g.url)}{path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nSec-WebSocket-Key: abc\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        got = s.recv(1)
        assert got, head
        head += got
    return s, head


def test_an_upgraded_connection_carries_bytes_both_ways(g):
    uri = g.serve("sockets", maxInstanceRequestConcurrency=5)
    s, head = upgrade(g, uri, "websocket")
    assert head.startswith(b"HTTP/1.1 101 ") and b"X-Mark: here" in head and b"websocket" in head.lower()
    data = os.urandom(3 << 20)
    with s, concurrent.futures.ThreadPoolExecutor(1) as pool:
        sent = pool.submit(lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        got = b""
        while piece := s.recv(1 << 16):
            got += piece
        sent.result()
    assert got == data
    s, head = upgrade(g, uri, "refuse")
    assert head.startswith(b"HTTP/1.1 200 ")
    with s:
        assert b"Upgrade: refuse" in s.recv(1 << 16)
    assert [r["status"] for r in g.requests() if r["rpc"] == "Invoke"][-2:] == [101, 200]


def test_an_upgraded_connection_has_the_time_limit_too(g):
    uri = g.serve("brief", timeout="1s")
    s, head = upgrade(g, uri, "anything")
    assert b" 101 " in head
    with s:
        assert s.recv(1) == b""


# ---- starts and ends ----
def test_functions_survive_a_restart(images):
    g = Google(images)
    try:
        g.create("kept-one", availableMemory="1Gi")
        uri = g.serve("kept-two")
        assert g.call("GET", uri).status == 200
        g.ok("POST", f"{g.fns}/kept-one:setIamPolicy", {"policy": {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}})
        before, op = g.ok("GET", g.fns + "/kept-one"), g.ok("PATCH", g.fns + "/kept-one", {"labels": {"a": "b"}})
        g.create("gone-fn")
        g.done(g.ok("DELETE", g.fns + "/gone-fn"))
        g.restart(kill=True)
        after = g.ok("GET", g.fns + "/kept-one")
        assert after["labels"] == {"a": "b"} and after["createTime"] == before["createTime"] and after["state"] == "ACTIVE"
        assert after["serviceConfig"]["uri"].startswith(g.url) and g.names() == {"kept-one"}
        assert g.ok("GET", "/v2/" + op["name"])["response"]["labels"] == {"a": "b"}
        assert g.ok("GET", f"{g.fns}/kept-one:getIamPolicy")["bindings"]
        service = g.ok("GET", f"{g.services}/kept-two")
        assert g.call("GET", service["uri"]).status == 200 and len(g.ok("GET", f"{g.services}/kept-one/revisions")["revisions"]) == 2
        g.done(g.ok("PATCH", g.fns + "/kept-one", {"labels": {"c": "d"}}))
        assert g.ok("GET", g.fns + "/kept-one")["serviceConfig"]["revision"].startswith("kept-one-00003-")
        g.restart("--fresh")
        assert g.names() == set()
    finally:
        g.close()


def test_a_deployment_goes_on_after_a_restart(images):
    g = Google(images, "--operation-delay", "500ms")
    try:
        op = g.ok("POST", f"{g.fns}?functionId=half-way", {"buildConfig": {"runtime": "docker"},
                                                                 "serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": "busybox"}}})
        g.restart(kill=True)
        assert g.ok("GET", g.fns + "/half-way")["state"] == "DEPLOYING"
        assert g.done(op)["response"]["state"] == "ACTIVE"
        op = g.ok("DELETE", g.fns + "/half-way")
        g.restart(kill=True)
        assert g.done(op)["response"]["@type"].endswith("Empty") and g.names() == set()
    finally:
        g.close()


def test_a_killed_simulator_leaves_nothing(images):
    g = Google(images)
    try:
        uris = [g.serve(f"left-{i}", maxInstanceRequestConcurrency=1) for i in range(4)]
        assert [g.call("GET", uri).status for uri in uris] == [200] * 4
        instances = os.path.join(g.state, "instances")
        assert len(os.listdir(instances)) == 4
        mine = [pid for i in range(4) for pid in inside(g, f"left-{i}")]
        g.process.send_signal(signal.SIGKILL)
        g.process.wait(skl.TIMEOUT)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in mine), "its containers to end")
        wait_until(lambda: os.listdir(instances) == [] and skl.processes_with(g.dir) == [] and skl.mounts_below(g.dir) == [], "its guard to clean up")
    finally:
        skl.shutil.rmtree(g.dir, ignore_errors=True)
