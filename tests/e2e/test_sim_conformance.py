"""A walk through the simulator's APIs. Each answer is checked against Google's documents on its way (gcpapi.py, tests/api/gcpspec.py).

SPDX-License-Identifier: Apache-2.0
"""
import copy
import json
import re

import pytest

import skl
from dockerapi import wait_until
from gcpapi import SPEC, Google

import gcpspec


@pytest.fixture(scope="module")
def cloud_shared(images):
    c = skl.Cloud(images)
    yield c
    c.close()


@pytest.fixture
def g(cloud_shared, request):
    return Google(cloud_shared.url, "walk-" + request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:25])


def test_the_life_of_a_function(g):
    name = f"{g.parent.removeprefix('/v2/')}/functions/life"
    op = g.create("life", "sh", "-c", "echo alive", labels={"a": "b"}, availableMemory="512Mi", timeoutSeconds=120, maxInstanceCount=1)
    assert op["response"]["name"] == name and op["metadata"]["verb"] == "create" and op["metadata"]["target"] == name
    f = g.get("/v2/" + name).json
    assert f["state"] == "ACTIVE" and f["labels"]["a"] == "b" and f["environment"] == "GEN_2" and f["serviceConfig"]["availableMemory"] == "512Mi"
    assert g.invoke("life")[0] == 200
    assert [x["name"] for x in g.get(f"{g.parent}/functions").json["functions"]] == [name]
    assert [x["name"] for x in g.get(f"/v2/projects/{g.project}/locations/-/functions").json["functions"]] == [name]
    assert g.get("/v2/" + op["name"]).json == op
    assert op["name"] in [o["name"] for o in g.get(f"{g.parent}/operations").json["operations"]]
    op = g.done(g.delete("/v2/" + name))
    assert op["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert g.get("/v2/" + name).status == 404 and g.delete("/v2/" + name).status == 404
    assert not g.get(f"{g.parent}/functions").json.get("functions")


def test_a_service_its_revisions_and_its_policy(g):
    """Cloud Run, as far as it stands behind functions."""
    g.create("served", "true")
    services = f"{g.parent}/services"
    (service,) = g.get(services).json["services"]
    assert service["name"].endswith("/services/served") and service == g.get("/v2/" + service["name"]).json
    template = service["template"]
    template["labels"] = {**template.get("labels", {}), "patched": "yes"}
    template.pop("revision", None)
    op = g.done(g.patch(f"/v2/{service['name']}?updateMask=template", {"name": service["name"], "template": template, "etag": service["etag"]}))
    assert op["response"]["template"]["labels"]["patched"] == "yes"
    revisions = g.get(f"/v2/{service['name']}/revisions").json["revisions"]
    assert len(revisions) == 2 and g.get("/v2/" + revisions[0]["name"]).json["name"] == revisions[0]["name"]
    for resource in (service["name"], f"{g.parent.removeprefix('/v2/')}/functions/served"):
        policy = g.get(f"/v2/{resource}:getIamPolicy?options.requestedPolicyVersion=3").json
        policy["bindings"] = [{"role": "roles/run.invoker", "members": ["allUsers"]}]
        assert g.post(f"/v2/{resource}:setIamPolicy", {"policy": policy}).json["bindings"] == policy["bindings"]
        assert g.get(f"/v2/{resource}:getIamPolicy").json["bindings"] == policy["bindings"]
        assert g.post(f"/v2/{resource}:testIamPermissions", {"permissions": ["run.routes.invoke"]}).status == 200
    assert g.get(f"{g.parent}/operations").json["operations"]
    own = {"template": {"containers": [{"image": "busybox", "command": ["nc"], "args": ["-ll", "-p", "8080", "-e", "cat"]}]}}
    op = g.done(g.post(f"{services}?serviceId=own", own))
    assert op["response"]["terminalCondition"]["state"] == "CONDITION_SUCCEEDED", op
    g.done(g.delete(f"{services}/own"))
    assert g.get(f"{services}/own").status == 404
    g.done(g.delete(f"{g.parent}/functions/served"))
    assert g.get("/v2/" + service["name"]).status == 404


def test_sources_and_where_functions_can_be(g):
    g.create("sourced", "true")
    place = g.post(f"{g.parent}/functions:generateUploadUrl").json
    assert place["uploadUrl"] and place["storageSource"]["bucket"]
    assert g.get(f"/v2/projects/{g.project}/locations").json["locations"]
    assert any(r["name"] == "nodejs22" for r in g.get(f"{g.parent}/runtimes").json["runtimes"])
    op = g.done(g.patch(f"{g.parent}/functions/sourced?updateMask=labels,service_config.timeout_seconds", {"labels": {"a": "b"}, "serviceConfig": {"timeoutSeconds": 99}}))
    assert op["response"]["labels"] == {"a": "b"} and op["response"]["serviceConfig"]["timeoutSeconds"] == 99
    for verb in ("abortFunctionUpgrade", "commitFunctionUpgrade", "setupFunctionUpgradeConfig"):
        assert g.post(f"{g.parent}/functions/sourced:{verb}").status in (400, 501)
    g.done(g.delete(f"{g.parent}/functions/sourced"))


def test_objects_in_buckets(g):
    bucket = f"{g.project}-bucket"
    assert g.post(f"/storage/v1/b?project={g.project}", {"name": bucket}).json["name"] == bucket
    assert g.get(f"/storage/v1/b/{bucket}").json["kind"] == "storage#bucket"
    a = g.request("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name=folder%2Ffile", b"content", {"Content-Type": "text/plain"}, check=False)
    assert a.status == 200, a.json
    SPEC.check("POST", f"/storage/v1/b/{bucket}/o", 200, a.json)
    assert g.get(f"/storage/v1/b/{bucket}/o/folder%2Ffile").json["size"] == "7"
    assert [o["name"] for o in g.get(f"/storage/v1/b/{bucket}/o").json["items"]] == ["folder/file"]
    a = g.request("DELETE", f"/storage/v1/b/{bucket}/o/folder%2Ffile", check=False)
    assert a.status == 204 and a.json is None
    SPEC.covered.setdefault("storage.objects.delete", set()).add(204)
    assert g.get(f"/storage/v1/b/{bucket}/o/folder%2Ffile").status == 404


def test_operations_that_take_their_time(images):
    cloud = skl.Cloud(images, ["--operation-delay", "300ms", "--build-delay", "300ms"])
    try:
        g = Google(cloud.url)
        first = g.create("slow", "true", wait=False)
        assert first.status == 200 and not first.json.get("done")
        assert g.get(f"{g.parent}/functions/slow").json["state"] == "DEPLOYING"
        stages = [s["name"] for s in first.json["metadata"]["stages"]]
        op = g.done(first)
        assert [s["name"] for s in op["metadata"]["stages"]] == stages and {s["state"] for s in op["metadata"]["stages"]} == {"COMPLETE"}
        gone = g.delete(f"{g.parent}/functions/slow")
        assert not gone.json.get("done") and g.get(f"{g.parent}/functions/slow").json["state"] == "DELETING"
        g.done(gone)
        assert g.get(f"{g.parent}/functions/slow").status == 404
    finally:
        cloud.close()


@pytest.mark.parametrize("method, path, body, status", [
    ("GET", "/v2/projects/p/locations/us-central1/functions/none", None, 404),
    ("DELETE", "/v2/projects/p/locations/us-central1/functions/none", None, 404),
    ("GET", "/v2/projects/p/locations/us-central1/operations/none", None, 404),
    ("GET", "/v2/nothing/of/the/kind", None, 404),
    ("GET", "/", None, 404),
    ("PUT", "/v2/entries:list", {}, 404),
    ("POST", "/v2/entries:list", "{", 400),
    ("POST", "/v2/entries:list", "", 400),
    ("POST", "/v2/entries:list", {"resourceNames": ["projects/p"], "pageSize": -1}, 400),
    ("POST", "/v2/projects/p/locations/us-central1/functions?functionId=x", "[1]", 400),
    ("POST", "/v2/projects/p/locations/us-central1/functions", {}, 400),
    ("POST", "/v2/projects/p/locations/us-central1/functions?functionId=UPPER+x", {"buildConfig": {"runtime": "docker"}}, 400),
    ("POST", "/v2/projects/p/locations/us-central1/functions?functionId=good", {"buildConfig": {"runtime": "cobol60"}}, 400),
    ("GET", "/v2/projects/p/locations/us-central1/functions?pageSize=-1", None, 400),
])
def test_errors_have_googles_form(g, method, path, body, status):
    assert g.request(method, path, body).status == status


def test_system_parameters_are_taken(g):
    """What clients append to every request, escaped or not."""
    for query in ("alt=json", "$alt=json%3Benum-encoding%3Dint", "%24alt=json%3Benum-encoding=int", "prettyPrint=false", "fields=functions", "key=k&quotaUser=u", "%24.xgafv=2", ""):
        assert g.get(f"{g.parent}/functions?{query}").status == 200
    assert g.get(f"{g.parent}/functions", headers={"Content-Type": "application/json", "X-Goog-Api-Client": "gl-node/20", "X-Goog-Request-Params": "parent=x"}).status == 200


# ---- all that the documents have ----
# What the simulator has not got. Whole resources that nobody here needs are cut out of the documents (tests/api/mkdiscovery.py).
ABSENT = {
    "storage.buckets": "buckets are made and read, as far as functions' sources need them", "storage.objects": "objects are uploaded, read, listed and deleted",
    "iamcredentials.projects.serviceAccounts": "tokens are made, nothing is signed for others", "run.projects.locations.services.revisions.exportStatus": "revisions are not exported",
}
PRESENT = {"storage.objects.get", "storage.objects.list", "storage.objects.delete", "storage.buckets.get", "storage.buckets.insert",
           "iamcredentials.projects.serviceAccounts.generateAccessToken", "iamcredentials.projects.serviceAccounts.generateIdToken"}


def methods():
    for doc, _, m in SPEC.methods:
        absent = next((why for prefix, why in ABSENT.items() if (m["id"] + ".").startswith(prefix + ".") and m["id"] not in PRESENT), None)
        yield pytest.param(doc, m, id=m["id"], marks=[pytest.mark.skip(reason=absent)] if absent else [])


@pytest.mark.parametrize("doc, m", methods())
def test_every_documented_method_is_there(cloud_shared, g, doc, m):
    """Asked for what is not there, with an empty body: whatever the answer, it is the method's own, and in Google's form."""
    words = iter((["projects"] if m["flatPath"].startswith("v2/{v2Id}") else []) + [g.project, "us-central1", "nothing-here", "none"])
    path = "/" + doc["servicePath"] + "".join(next(words) if i % 2 else part for i, part in enumerate(re.split(r"(\{[^}]*\})", m["flatPath"])))
    a = g.request(m["httpMethod"], path, {} if m["httpMethod"] in ("POST", "PATCH", "PUT") else None, check=False)
    SPEC.check(m["httpMethod"], path, a.status, a.json)
    mine = [r for r in cloud_shared.requests() if r["method"] == m["httpMethod"] and r["path"] == path]
    assert mine and mine[-1]["rpc"] != "unknown", (m["httpMethod"], path, a.status)


# ---- the request log ----
def test_the_request_log(cloud_shared, g):
    g.write({"textPayload": "seen \u00fc \" \n"}, log="a%2Fb")
    g.get(f"/v2/projects/{g.project}/logs?pageSize=5")
    g.delete(f"/v2/projects/{g.project}/logs/a%2Fb")
    g.get(f"/v2/unknown/{g.project}")
    mine = [r for r in cloud_shared.requests() if g.project in json.dumps(r)]
    assert [(r["rpc"], r["method"], r["status"]) for r in mine] == [("WriteLogEntries", "POST", 200), ("ListLogs", "GET", 200), ("DeleteLog", "DELETE", 200), ("unknown", "GET", 404)]
    assert mine[0]["body"]["entries"] == [{"textPayload": "seen \u00fc \" \n"}] and mine[1]["path"].endswith("/logs?pageSize=5") and mine[2]["path"].endswith("a%2Fb")
    for r in mine:
        assert set(r) <= {"time", "rpc", "method", "path", "status", "body"} and gcpspec.FORMATS["google-datetime"].fullmatch(r["time"])
    assert [r["time"] for r in mine] == sorted(r["time"] for r in mine)


def test_secrets_stay_out_of_the_request_log(cloud_shared, g):
    g.get(f"{g.parent}/functions", headers={"Authorization": "Bearer ya29.one"})
    g.get(f"{g.parent}/functions?access_token=ya29.two&key=and-this")
    wait_until(lambda: sum(g.parent in r["path"] for r in cloud_shared.requests()) == 2, "the requests")
    assert not [r for r in cloud_shared.requests() if "ya29" in json.dumps(r) or "and-this" in json.dumps(r)]


# ---- the validator itself ----
GOOD = {"name": "projects/p/locations/l/functions/f", "state": "ACTIVE", "serviceConfig": {"timeoutSeconds": 60}, "createTime": "2025-01-01T00:00:00Z"}


@pytest.mark.parametrize("change", [{"state": "BUSY"}, {"state": 1}, {"nope": 1}, {"serviceConfig": []}, {"serviceConfig": {"timeoutSeconds": "60"}}, {"createTime": "today"},
                                    {"createTime": "2025-01-01T00:00:00+01:00"}, {"labels": {"a": 1}}, {"stateMessages": {}}, {"buildConfig": {"source": {"storageSource": {"generation": 5}}}}])
def test_the_validator_sees_what_is_wrong(change):
    path = "/v2/projects/p/locations/l/functions/f"
    SPEC.check("GET", path, 200, GOOD)
    with pytest.raises(gcpspec.Mismatch):
        SPEC.check("GET", path, 200, {**copy.deepcopy(GOOD), **change})


@pytest.mark.parametrize("body", [None, {}, {"error": "x"}, {"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}, {"error": {"code": 404, "message": "", "status": "NOT_FOUND"}},
                                  {"error": {"code": 404, "message": "m", "status": "GONE"}}, {"error": {"code": 404, "message": "m", "status": "NOT_FOUND", "more": 1}},
                                  {"error": {"code": 404, "message": "m", "status": "NOT_FOUND", "details": [{"@type": "x"}]}}])
def test_the_validator_knows_errors(body):
    with pytest.raises(gcpspec.Mismatch):
        SPEC.check("GET", "/v2/projects/p/locations/l/functions/f", 404, body)


def test_the_validator_reads_messages_in_operations():
    path = "/v2/projects/p/locations/l/operations/o"
    op = {"name": "x", "metadata": {"@type": "type.googleapis.com/google.cloud.functions.v2.OperationMetadata", "verb": "create"}, "done": True,
          "response": {"@type": "type.googleapis.com/google.cloud.functions.v2.Function", "name": "f"}}
    SPEC.check("GET", path, 200, op)
    for where, change in (("metadata", {"nope": 1}), ("response", {"state": "BUSY"}), ("response", {"@type": "type.googleapis.com/google.cloud.functions.v2.Nope"}),
                          ("response", {"@type": "google.cloud.functions.v2.Function"}), ("response", {"@type": "type.googleapis.com/google.protobuf.Empty"})):
        with pytest.raises(gcpspec.Mismatch):
            SPEC.check("GET", path, 200, {**op, where: {**op[where], **change}})
