"""The simulator's Functions v2, as any client of Google sees it: what is accepted, what is refused and how, what lists and masks do.

SPDX-License-Identifier: Apache-2.0
"""
import io
import json
import urllib.parse
import zipfile

import pytest

import simgoogle as google
from dockerapi import wait_until
from simgoogle import PARENT, Google


@pytest.fixture(scope="module")
def g(images):
    cloud = Google(images)
    yield cloud
    cloud.close()


@pytest.fixture
def slow(images):
    cloud = Google(images, "--operation-delay", "300ms", "--build-delay", "300ms")
    yield cloud
    cloud.close()


def docker(**service):
    return {"buildConfig": {"runtime": "docker"}, "serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": "busybox"}, **service}}


def upload(g):
    """A source, as gcloud brings it: the storageSource."""
    a = g.ok("POST", g.fns + ":generateUploadUrl", {})
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w") as f:
        f.writestr("index.js", "exports.hello = 1")
    put = g.call("PUT", a["uploadUrl"], z.getvalue(), headers={"Content-Type": "application/zip"})
    assert put.status == 200, put.body
    return a["storageSource"], z.getvalue()


# ---- create ----
def test_what_the_server_fills_in(g):
    op = g.create("filled-in", docker(availableMemory="512M"))
    assert op["metadata"]["@type"].endswith("functions.v2.OperationMetadata") and op["metadata"]["operationType"] == "CREATE_FUNCTION"
    assert [s["name"] for s in op["metadata"]["stages"]] == ["BUILD", "SERVICE"]
    assert op["metadata"]["requestResource"]["@type"] == op["response"]["@type"] == "type.googleapis.com/google.cloud.functions.v2.Function"
    f = g.ok("GET", g.fns + "/filled-in")
    assert f["state"] == "ACTIVE" and f["environment"] == "GEN_2" and f["createTime"].endswith("Z") and f["url"]
    s = f["serviceConfig"]
    assert s["availableMemory"] == "512M" and s["availableCpu"] == "0.3333" and s["timeoutSeconds"] == 60 and s["maxInstanceCount"] == 100
    assert s["maxInstanceRequestConcurrency"] == 1 and s["ingressSettings"] == "ALLOW_ALL" and s["allTrafficOnLatestRevision"] is True
    assert s["service"] == f"{PARENT}/services/filled-in" and s["revision"].startswith("filled-in-00001-")
    assert s["serviceAccountEmail"].endswith("-compute@developer.gserviceaccount.com") and s["uri"].startswith("http://127.0.0.1:")
    b = f["buildConfig"]
    assert b["dockerRegistry"] == "ARTIFACT_REGISTRY" and b["dockerRepository"].endswith("/repositories/gcf-artifacts")
    assert b["automaticUpdatePolicy"] == {} and "/builds/" in b["build"]


def test_any_spelling_is_understood(g):
    fn = {"build_config": {"runtime": "docker", "docker_registry": 2}, "environment": 2, "description": None,
          "service_config": {"environment_variables": {"SOCKERLESS_IMAGE": "busybox"}, "timeout_seconds": "90", "ingressSettings": 1, "max_instance_count": 3}}
    g.done(g.ok("POST", g.fns + "?functionId=spelled-fn&$alt=json%3Benum-encoding=int&prettyPrint=false", fn))
    f = g.ok("GET", g.fns + "/spelled-fn?%24alt=json&fields=name")
    assert f["serviceConfig"]["timeoutSeconds"] == 90 and f["serviceConfig"]["ingressSettings"] == "ALLOW_ALL" and f["serviceConfig"]["maxInstanceCount"] == 3
    assert f["buildConfig"]["dockerRegistry"] == "ARTIFACT_REGISTRY" and "description" not in f


def changed(path, value):
    fn = docker()
    *way, last = path.split(".")
    at = fn
    for key in way:
        at = at.setdefault(key, {})
    at[last] = value
    return fn


@pytest.mark.parametrize("path, value, words", [
    ("nonsense", 1, 'Invalid JSON payload received. Unknown name "nonsense" at \'function\': Cannot find field.'),
    ("serviceConfig.image", "x", "Unknown name \"image\" at 'function.service_config': Cannot find field."),
    ("serviceConfig.timeoutSeconds", "soon", "Invalid value at 'function.service_config.timeout_seconds' (TYPE_INT32), \"soon\""),
    ("serviceConfig.timeoutSeconds", 1.5, "(TYPE_INT32), 1.5"),
    ("serviceConfig.timeoutSeconds", 3000000000, "(TYPE_INT32)"),
    ("serviceConfig.ingressSettings", "OPEN", "Invalid value at 'function.service_config.ingress_settings' (type.googleapis.com/google.cloud.functions.v2.ServiceConfig.IngressSettings), \"OPEN\""),
    ("serviceConfig.ingressSettings", 17, "IngressSettings), 17"),
    ("serviceConfig", [], "Invalid value at 'function.service_config'"),
    ("labels", {"a": 1}, "Invalid value at 'function.labels[a]' (TYPE_STRING), 1"),
    ("serviceConfig.allTrafficOnLatestRevision", "perhaps", "(TYPE_BOOL)"),
    ("buildConfig.runtime", "cobol85", 'Runtime \\"cobol85\\" is not supported on GCF Gen2'),
    ("buildConfig.runtime", "", "Runtime field cannot be empty."),
    ("environment", "GEN_1", "GEN_1 is not supported"),
    ("serviceConfig.timeoutSeconds", 3601, "between 1 and 3600"),
    ("serviceConfig.availableMemory", "lots", "availableMemory: lots"),
    ("serviceConfig.availableMemory", "64Mi", "between 128Mi and 32Gi"),
    ("serviceConfig.availableCpu", "3", "availableCpu: 3"),
    ("serviceConfig.maxInstanceRequestConcurrency", 80, "Total cpu < 1 is not supported with concurrency > 1"),
    ("serviceConfig.minInstanceCount", 101, None),
    ("serviceConfig.environmentVariables", {"PORT": "1"}, "environment variable name PORT is reserved by the system"),
    ("serviceConfig.environmentVariables", {"A.B": "1"}, "A.B is malformed"),
    ("serviceConfig.environmentVariables", {"A": "x" * 32768}, "exceed the limit"),
    ("buildConfig.environmentVariables", {"GOOGLE_RUNTIME": "1"}, "GOOGLE_RUNTIME is reserved"),
    ("labels", {"Upper": "x"}, "Invalid label"),
    ("labels", {f"k{i}": "" for i in range(65)}, "at most 64 labels"),
    ("name", f"{PARENT}/functions/another", "does not match"),
    ("name", "projects/other/locations/us-central1/functions/refused-1", "does not match"),
    ("buildConfig.runtime", "nodejs22", "Source must be specified"),
    ("buildConfig", {"runtime": "nodejs22", "source": {"storageSource": {"bucket": "no-such", "object": "x.zip"}}}, "gs://no-such/x.zip does not exist"),
])
def test_what_is_refused(g, path, value, words):
    if words is None:
        assert g.call("POST", g.fns + "?functionId=fine-" + path[-5:].lower(), changed(path, value)).status == 200
        return
    a = g.refused("POST", g.fns + "?functionId=refused-1", changed(path, value))
    assert a.status == 400 and a.reason == "INVALID_ARGUMENT" and words in a.error, a.error
    assert g.call("GET", g.fns + "/refused-1").status == 404


def test_a_field_violation_names_the_field(g):
    a = g.refused("POST", g.fns + "?functionId=refused-1", changed("serviceConfig.ingressSettings", "OPEN"))
    (detail,) = a.json["error"]["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"][0]["field"] == "function.service_config.ingress_settings"


@pytest.mark.parametrize("service, words", [
    (dict(availableMemory="16Gi", availableCpu="1"), "Memory of 16Gi requires at least 4 CPU"),
    (dict(availableMemory="512Mi", availableCpu="4"), "must be at least 2Gi"),
    (dict(availableMemory="6Gi", availableCpu="1"), "requires at least 2 CPU"),
    (dict(minInstanceCount=5, maxInstanceCount=2), "must not be greater"),
])
def test_pairs_that_do_not_go_together(g, service, words):
    assert words in g.refused("POST", g.fns + "?functionId=refused-1", docker(**service)).error


@pytest.mark.parametrize("name", ["abc", "1abc", "x" * 64, "a%2Fbcd", "my%20fn", ""])
def test_names_that_are_refused(g, name):
    a = g.refused("POST", g.fns + "?functionId=" + name, docker())
    assert "Invalid function_id. Can only contain [-_a-zA-Z0-9] and be between 4-63 characters." in a.error


def test_names_that_meet_in_one_service(g):
    g.create("Meet_me")
    a = g.refused("POST", g.fns + "?functionId=meet-me", docker())
    assert a.status == 409 and a.reason == "ALREADY_EXISTS" and "Could not create Cloud Run service meet-me." in a.error
    assert g.refused("POST", g.fns + "?functionId=Meet_me", docker()).status == 409
    assert g.ok("GET", g.fns + "/Meet_me")["serviceConfig"]["service"].endswith("/services/meet-me")


def test_what_is_not_json_and_what_is_not_there(g):
    assert g.refused("POST", g.fns + "?functionId=refused-1", "{").status == 400
    assert g.refused("POST", g.fns + "?functionId=refused-1", "[]").status == 400
    for path in ("/", "/v2/nothing", "/v3/projects/p", g.fns + "/x-y-z:unknownVerb"):
        assert g.refused("GET", path).reason == "NOT_FOUND"
    assert g.refused("PUT", g.fns).status == 404
    a = g.refused("GET", g.fns + "/x-y-z")
    assert a.error == f"Resource '{PARENT}/functions/x-y-z' was not found"
    assert a.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert g.refused("POST", "/v2/projects/p/locations/nowhere1/functions?functionId=f-one", docker()).error == \
        "Permission denied on 'locations/nowhere1' (or it may not exist)."


def test_strict_about_docker(images):
    cloud = Google(images)
    try:
        cloud.restart_strict = [a for a in cloud.process.args if a != "--docker-runtime"]
        cloud.process.args = cloud.restart_strict
        cloud.restart()
        assert "is not supported on GCF Gen2" in cloud.refused("POST", cloud.fns + "?functionId=f-one", docker()).error
        assert "docker" not in [r["name"] for r in cloud.ok("GET", f"/v2/{PARENT}/runtimes")["runtimes"]]
    finally:
        cloud.close()


# ---- the state machine ----
def test_states_and_stages(slow):
    op = slow.ok("POST", slow.fns + "?functionId=slow-one", docker())
    assert "done" not in op and op["metadata"]["verb"] == "create"
    assert [s["name"] for s in op["metadata"]["stages"]] == ["BUILD", "SERVICE"]
    assert slow.ok("GET", slow.fns + "/slow-one")["state"] == "DEPLOYING"
    assert slow.call("GET", f"{slow.services}/slow-one").status == 404
    for method, body in (("DELETE", None), ("PATCH", {"labels": {}})):
        a = slow.refused(method, slow.fns + "/slow-one", body)
        assert (a.status, a.reason, a.error) == (409, "ABORTED", "unable to queue the operation")
    seen = []

    def over():
        now = slow.ok("GET", "/v2/" + op["name"])
        states = [s["state"] for s in now["metadata"]["stages"]]
        if not seen or seen[-1] != states:
            seen.append(states)
        return now.get("done")

    wait_until(over, "the function")
    assert ["IN_PROGRESS", "NOT_STARTED"] in seen and ["COMPLETE", "IN_PROGRESS"] in seen and seen[-1] == ["COMPLETE"] * 2
    assert slow.ok("GET", slow.fns + "/slow-one")["state"] == "ACTIVE"
    op = slow.ok("DELETE", slow.fns + "/slow-one")
    assert slow.ok("GET", slow.fns + "/slow-one")["state"] == "DELETING"
    op = slow.done(op)
    assert op["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"} and op["metadata"]["operationType"] == "DELETE_FUNCTION"
    assert slow.call("GET", slow.fns + "/slow-one").status == slow.call("DELETE", slow.fns + "/slow-one").status == 404


def test_a_failed_create_leaves_a_failed_function(g):
    op = g.create("failed-fn", docker() | {"serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": "no-such-image"}}})
    assert op["error"]["code"] == 3 and "no-such-image" in op["error"]["message"] and "response" not in op
    assert op["metadata"]["stages"][-1]["stateMessages"][0]["severity"] == "ERROR"
    f = g.ok("GET", g.fns + "/failed-fn")
    assert f["state"] == "FAILED" and f["stateMessages"][0]["severity"] == "ERROR"
    assert g.refused("POST", g.fns + "?functionId=failed-fn", docker()).status == 409
    op = g.done(g.ok("PATCH", g.fns + "/failed-fn?updateMask=serviceConfig.environmentVariables", docker()))
    assert "error" not in op and op["response"]["state"] == "ACTIVE" and "stateMessages" not in g.ok("GET", g.fns + "/failed-fn")
    g.done(g.ok("DELETE", g.fns + "/failed-fn"))


# ---- update ----
def test_masks(g):
    g.create("masked", docker(timeoutSeconds=100, availableMemory="1Gi") | {"labels": {"a": "1", "b": "2"}, "description": "first"})
    where = g.fns + "/masked"
    one = g.ok("GET", where)

    def patch(mask, body):
        op = g.done(g.ok("PATCH", where + ("?updateMask=" + urllib.parse.quote(mask) if mask else ""), body))
        assert "error" not in op and op["metadata"]["operationType"] == "UPDATE_FUNCTION", op
        return g.ok("GET", where)

    f = patch("labels,service_config.timeout_seconds", {"labels": {"c": "3"}, "serviceConfig": {"timeoutSeconds": 200, "availableMemory": "2Gi"}})
    assert f["labels"] == {"c": "3"} and f["serviceConfig"]["timeoutSeconds"] == 200 and f["serviceConfig"]["availableMemory"] == "1Gi"
    assert f["serviceConfig"]["revision"].startswith("masked-00002-") and f["description"] == "first" and f["createTime"] == one["createTime"]
    assert f["updateTime"] > one["updateTime"]
    f = patch("serviceConfig.availableMemory,description", {"name": f"{PARENT}/functions/masked"})
    assert "description" not in f and f["serviceConfig"]["availableMemory"] == "256M"
    f = patch(None, {"labels": {"d": "4"}, "description": "second"})
    assert f["labels"] == {"d": "4"} and f["description"] == "second" and f["serviceConfig"]["timeoutSeconds"] == 200
    f = patch("serviceConfig", {"serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": "busybox"}}})
    assert f["serviceConfig"]["timeoutSeconds"] == 60 and f["serviceConfig"]["uri"] == one["serviceConfig"]["uri"]
    f = patch("state,url,updateTime,serviceConfig.uri", {"state": "FAILED", "url": "http://x"})
    assert f["state"] == "ACTIVE" and f["url"] == one["url"]
    f = patch("*", docker())
    assert "labels" not in f and "description" not in f and f["buildConfig"]["runtime"] == "docker"
    for mask in ("nonsense", "serviceConfig.nonsense", "labels.a.b", "serviceConfig..uri", "labels,"):
        a = g.refused("PATCH", where + "?updateMask=" + mask, {"labels": {}})
        assert a.status == 400 and a.reason == "INVALID_ARGUMENT", mask
    assert g.refused("PATCH", where + "?updateMask=serviceConfig.timeoutSeconds", {"serviceConfig": {"timeoutSeconds": 9999}}).status == 400
    assert g.refused("PATCH", g.fns + "/not-there", {"labels": {}}).status == 404


def test_a_failed_update_goes_on_serving(g):
    g.create("kept-fn")
    revision = g.ok("GET", g.services + "/kept-fn")["latestReadyRevision"]
    op = g.done(g.ok("PATCH", g.fns + "/kept-fn", {"serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": "no-such-image"}}}))
    assert op["error"]["code"] == 3
    assert g.ok("GET", g.fns + "/kept-fn")["state"] == "FAILED"
    assert g.ok("GET", g.services + "/kept-fn")["latestReadyRevision"] == revision


# ---- lists ----
@pytest.fixture(scope="module")
def many(images):
    cloud = Google(images)
    for i in range(25):
        cloud.create(f"list-{i:02}", docker() | {"labels": {"n": str(i), "odd" if i % 2 else "even": "yes"}})
    cloud.done(cloud.ok("POST", f"/v2/projects/{google.skl.PROJECT}/locations/europe-west1/functions?functionId=elsewhere", docker()))
    yield cloud
    cloud.close()


def names(answer):
    return [f["name"].rpartition("/")[2] for f in answer.get("functions", [])]


def test_pages(many):
    got, token, sizes = [], "", []
    while True:
        page = many.ok("GET", f"{many.fns}?pageSize=10&pageToken={token}")
        got += names(page)
        sizes.append(len(page["functions"]))
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert got == [f"list-{i:02}" for i in range(25)] and sizes == [10, 10, 5]
    token = many.ok("GET", f"{many.fns}?pageSize=10")["nextPageToken"]
    assert names(many.ok("GET", f"{many.fns}?pageSize=3&pageToken={token}")) == ["list-10", "list-11", "list-12"]
    for query in (f"pageToken={token}&filter=labels.n:*", f"pageToken={token}&orderBy=name", "pageToken=nonsense", "pageSize=-1", "pageSize=x"):
        assert many.refused("GET", f"{many.fns}?{query}").status == 400, query
    assert len(names(many.ok("GET", f"{many.fns}?pageSize=5000"))) == 25
    assert "nextPageToken" not in many.ok("GET", f"{many.fns}?pageSize=25")
    assert many.ok("GET", "/v2/projects/empty/locations/us-central1/functions") == {}


def test_order_and_places(many):
    assert names(many.ok("GET", f"{many.fns}?orderBy=name%20desc"))[0] == "list-24"
    assert names(many.ok("GET", f"{many.fns}?orderBy=create_time%20desc&pageSize=1")) == ["list-24"]
    assert many.refused("GET", f"{many.fns}?orderBy=name%20sideways").status == 400
    assert len(names(many.ok("GET", many.fns.replace("us-central1", "-")))) == 26
    assert names(many.ok("GET", many.fns.replace("us-central1", "europe-west1"))) == ["elsewhere"]


@pytest.mark.parametrize("text, count", [
    ('environment="GEN_2"', 25), ("environment=GEN_2 AND state=ACTIVE", 25), ('state="FAILED"', 0), ('labels.n="7"', 1), ("labels.odd:*", 12),
    ("-labels.odd:*", 13), ("NOT labels.odd:*", 13), ('labels.n="1" OR labels.n="2"', 2), ('labels.even:* AND (labels.n="1" OR labels.n="2")', 1),
    ('labels.even:* labels.n="2"', 1), ('labels.n="1" OR labels.n="2" AND labels.even:*', 1), ("labels.n>20", 11), ('labels."n"="3"', 1),
    ("labels:odd", 12), ('name:"list-1"', 10), ("service_config.timeout_seconds>=60", 25), ("serviceConfig.timeoutSeconds<60", 0), ('buildConfig.runtime!="docker"', 0),
    ("(((labels.n=5)))", 1), ("NOT (labels.odd:* OR labels.n=0)", 12), ("", 25), ('update_time>"2020-01-01T00:00:00Z"', 25),
])
def test_filters(many, text, count):
    assert len(names(many.ok("GET", f"{many.fns}?filter={urllib.parse.quote(text)}"))) == count


@pytest.mark.parametrize("text", ["labels.n=", "=x", "(labels.n=1", "labels.n=1)", "labels.n", 'labels.n="1', "AND", "labels.n=1 OR", "NOT", "a ~ b", "(" * 100])
def test_filters_that_are_refused(many, text):
    a = many.refused("GET", f"{many.fns}?filter={urllib.parse.quote(text)}")
    assert a.status == 400 and "Invalid filter" in a.error


# ---- operations ----
def test_operations(many):
    listed = many.ok("GET", f"/v2/{PARENT}/operations")
    assert len(listed["operations"]) == 25
    name = listed["operations"][0]["name"]
    assert many.ok("GET", f"/v2/{name}")["done"] is True and many.ok("GET", f"/v2/{name}?") == many.ok("GET", f"/v2/{name}")
    page = many.ok("GET", f"/v2/{PARENT}/operations?pageSize=10")
    assert len(page["operations"]) == 10 and page["nextPageToken"]
    assert many.ok("GET", f"/v2/{PARENT}/operations?filter=done%3Dfalse") == {}
    assert many.refused("GET", f"/v2/{PARENT}/operations/operation-1-2-3-4").status == 404
    assert many.refused("GET", f"/v2/projects/other/locations/us-central1/operations/{name.rpartition('/')[2]}").status == 404


# ---- sources ----
def test_a_source_there_and_back(g):
    source, data = upload(g)
    assert source["bucket"].startswith("gcf-v2-uploads-") and source["object"].endswith(".zip")
    op = g.create("from-source", {"buildConfig": {"runtime": "nodejs22", "entryPoint": "hello", "source": {"storageSource": source}}})
    f = op["response"]
    assert f["state"] == "ACTIVE" and f["buildConfig"]["source"]["storageSource"]["bucket"].startswith("gcf-v2-sources-")
    assert f["buildConfig"]["sourceProvenance"]["resolvedStorageSource"]["object"] == "from-source/function-source.zip"
    assert f["stateMessages"][0]["severity"] == "WARNING"  # and says that nothing was built
    a = g.call("POST", f["serviceConfig"]["uri"], "{}")
    assert a.status == 503 and b"does not build sources" in a.body
    url = g.ok("POST", g.fns + "/from-source:generateDownloadUrl", {})["downloadUrl"]
    assert g.call("GET", url).body == data
    assert g.ok("PATCH", g.fns + "/from-source?updateMask=labels", {"labels": {"a": "b"}})  # the source is where it was put
    g.create("without-src")
    assert g.refused("POST", g.fns + "/without-src:generateDownloadUrl", {}).status == 400


def test_upload_urls_are_good_for_one_thing(g):
    a = g.ok("POST", g.fns + ":generateUploadUrl", {"environment": "GEN_2"})
    url, kind = a["uploadUrl"], {"Content-Type": "application/zip"}
    other = url.replace(".zip?", "x.zip?")
    assert g.call("PUT", other, b"x", headers=kind).status == 403
    assert g.call("PUT", url[:-1] + ("0" if url[-1] != "0" else "1"), b"x", headers=kind).status == 403
    assert g.call("GET", url).status == 403
    assert g.call("PUT", url, b"x", headers={"Content-Type": "text/plain"}).status == 403
    assert g.call("PUT", url, b"x", headers=kind).status == 200
    assert g.refused("POST", g.fns + ":generateUploadUrl", {"nonsense": 1}).status == 400


# ---- IAM ----
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("kind", ["functions", "services"])
def test_policies(g, version, kind):
    if g.call("GET", g.fns + "/with-policy").status == 404:
        g.create("with-policy")
    where = f"/{version}/{PARENT}/{kind}/with-policy"
    before = g.ok("GET", where + ":getIamPolicy?options.requestedPolicyVersion=3")
    role = {"role": "roles/run.invoker", "members": ["allUsers", f"user:{version}{kind}@example.com"]}
    after = g.ok("POST", where + ":setIamPolicy", {"policy": {"version": 3, "etag": before["etag"], "bindings": [role]}})
    assert after["bindings"] == [role] and after["etag"] != before["etag"] and after["version"] == 3
    assert g.ok("GET", where + ":getIamPolicy") == after
    a = g.refused("POST", where + ":setIamPolicy", {"policy": {"etag": before["etag"], "bindings": []}})
    assert a.status == 409 and a.reason == "ABORTED"
    assert g.ok("POST", where + ":testIamPermissions", {"permissions": ["run.routes.invoke"]}) == {"permissions": ["run.routes.invoke"]}
    assert g.refused("POST", where + ":testIamPermissions", {"permissions": ["run.*"]}).status == 400
    for policy in ({"bindings": [{"role": "admin", "members": []}]}, {"bindings": [{"role": "roles/x", "members": ["nobody"]}]}, {"version": 7}):
        assert g.refused("POST", where + ":setIamPolicy", {"policy": policy}).status == 400
    assert g.refused("GET", where + "x:getIamPolicy").status == 404


# ---- the small calls ----
def test_locations_runtimes_and_companions(g):
    project = f"projects/{google.skl.PROJECT}"
    v2 = g.ok("GET", f"/v2/{project}/locations")["locations"]
    one = next(x for x in v2 if x["locationId"] == "us-central1")
    assert one["name"] == PARENT and one["metadata"]["environments"] == ["GEN_2"]
    assert "metadata" not in g.ok("GET", f"/v1/{project}/locations?pageSize=100")["locations"][0]
    assert g.ok("GET", f"/v2/{PARENT}")["locationId"] == "us-central1" and g.refused("GET", f"/v2/{project}/locations/moon").status == 404
    runtimes = {r["name"]: r for r in g.ok("GET", f"/v2/{PARENT}/runtimes")["runtimes"]}
    assert runtimes["nodejs22"]["displayName"] == "Node.js 22" and runtimes["python312"]["displayName"] == "Python 3.12" and "docker" in runtimes
    assert g.ok("GET", f"/v1/{project}/services/run.googleapis.com")["state"] == "ENABLED"
    assert g.ok("GET", f"/v1/{project}")["projectNumber"].isdigit()
    assert "serviceAccountEmail" in g.ok("GET", f"/v1/{PARENT}/defaultServiceAccount")
    assert g.ok("GET", f"/v1/{PARENT}/functions") == {}
    assert g.refused("POST", g.fns + "/filled-in:commitFunctionUpgrade", {}).status == 501


def test_the_request_log(g):
    g.call("GET", g.fns + "?filter=labels.x%3Dy")
    last = g.requests()[-1]
    assert last["rpc"] == "ListFunctions" and last["status"] == 200 and json.dumps(last)
