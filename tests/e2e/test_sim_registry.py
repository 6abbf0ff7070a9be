"""The simulator's registry and storage: what clients of either do, skopeo among them, and functions that run images from there.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import json
import os
import subprocess
import urllib.parse

import pytest

import skl
from dockerapi import wait_until
from simgoogle import SERVE, Google

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def g(images):
    cloud = Google(images)
    yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    where = str(tmp_path_factory.mktemp("layout") / "busybox")
    subprocess.run([os.path.join(skl.TOP, "tests/images/mkbusybox"), where], check=True)
    return where


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def skopeo(*args):
    done = subprocess.run(["skopeo", "--insecure-policy", *args], capture_output=True, text=True, timeout=skl.TIMEOUT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(g, repo, query=""):
    a = g.call("POST", f"/v2/{repo}/blobs/uploads/{query}", b"")
    assert a.status == 202, a.body
    return a.headers["Location"]


def push(g, repo, data):
    a = g.call("POST", f"/v2/{repo}/blobs/uploads/?digest={digest(data)}", data)
    assert a.status == 201, a.body
    return {"digest": digest(data), "size": len(data), "mediaType": "application/octet-stream"}


def code(a):
    return a.status, a.json["errors"][0]["code"]


# ---- the registry's protocol ----
def test_blobs_in_one_piece_and_in_many(g):
    assert g.call("GET", "/v2/").headers["Docker-Distribution-API-Version"] == "registry/2.0"
    data = os.urandom(300_000)
    d = digest(data)
    assert code(g.call("GET", f"/v2/a/b/blobs/{d}")) == (404, "BLOB_UNKNOWN")
    a = g.call("POST", f"/v2/a/b/blobs/uploads/?digest={d}", data)
    assert a.status == 201 and a.headers["Location"] == f"/v2/a/b/blobs/{d}" and a.headers["Docker-Content-Digest"] == d
    a = g.call("HEAD", f"/v2/a/b/blobs/{d}")
    assert a.status == 200 and a.headers["Content-Length"] == "300000" and a.headers["Docker-Content-Digest"] == d
    assert g.call("GET", f"/v2/a/b/blobs/{d}").body == data
    a = g.call("GET", f"/v2/a/b/blobs/{d.replace(':', '%3A')}", headers={"Range": "bytes=100-199"})
    assert (a.status, a.body, a.headers["Content-Range"]) == (206, data[100:200], "bytes 100-199/300000")
    where = start(g, "a/chunks")
    a = g.call("PATCH", where, data[:100_000], {"Content-Range": "0-99999", "Content-Type": "application/octet-stream"})
    assert a.status == 202 and a.headers["Range"] == "0-99999"
    assert g.call("PATCH", where, data[:10], {"Content-Range": "0-9"}).status == 416
    a = g.call("GET", where)
    assert a.status == 204 and a.headers["Range"] == "0-99999"
    assert g.call("PATCH", where, data[100_000:200_000]).status == 202
    a = g.call("PUT", where + f"?digest={d}", data[200_000:])
    assert a.status == 201 and g.call("GET", f"/v2/a/chunks/blobs/{d}").body == data
    assert code(g.call("GET", where)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_blobs_that_are_refused(g):
    data = b"some bytes"
    assert code(g.call("POST", f"/v2/a/bad/blobs/uploads/?digest={digest(b'other')}", data)) == (400, "DIGEST_INVALID")
    assert code(g.call("POST", "/v2/a/bad/blobs/uploads/?digest=md5:abc", data)) == (400, "DIGEST_INVALID")
    where = start(g, "a/bad")
    assert code(g.call("PUT", where, data)) == (400, "DIGEST_INVALID")
    assert code(g.call("PUT", where + "?digest=" + digest(b"no"), data)) == (400, "DIGEST_INVALID")
    assert g.call("GET", where).status == 404
    where = start(g, "a/bad")
    assert g.call("DELETE", where).status == 204 and g.call("DELETE", where).status == 404
    for name in ("Upper", "a/../b", "-a", "a/.b", "x" * 201):
        assert g.call("POST", f"/v2/{urllib.parse.quote(name)}/blobs/uploads/").status in (400, 404), name
    assert g.call("GET", "/v2/a/bad/blobs/" + digest(data)).status == 404
    assert g.call("GET", "/v2/a/bad/blobs/sha256:..%2f..%2flock").status == 404


def test_mounts(g):
    d = push(g, "a/source", b"mount me")["digest"]
    a = g.call("POST", f"/v2/a/target/blobs/uploads/?mount={d}&from=a/source", b"")
    assert a.status == 201 and g.call("GET", f"/v2/a/target/blobs/{d}").body == b"mount me"
    for query in (f"?mount={d}&from=a/nowhere", f"?mount={digest(b'x')}&from=a/source", f"?mount={d}"):
        assert g.call("POST", f"/v2/a/other/blobs/uploads/{query}", b"").status == 202
    assert g.call("DELETE", f"/v2/a/target/blobs/{d}").status == 202 and g.call("GET", f"/v2/a/target/blobs/{d}").status == 404
    assert g.call("GET", f"/v2/a/source/blobs/{d}").status == 200


def manifest(g, repo, text="{}", **more):
    config, layer = push(g, repo, text.encode()), push(g, repo, b"layer " + text.encode())
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], **more})


def test_manifests_and_tags(g):
    m = manifest(g, "m/one")
    d = digest(m.encode())
    a = g.call("PUT", "/v2/m/one/manifests/v1", m, {"Content-Type": MANIFEST})
    assert a.status == 201 and a.headers["Docker-Content-Digest"] == d
    for reference in ("v1", d):
        a = g.call("GET", f"/v2/m/one/manifests/{reference}")
        assert a.body == m.encode() and a.headers["Content-Type"] == MANIFEST and a.headers["Docker-Content-Digest"] == d
        assert g.call("HEAD", f"/v2/m/one/manifests/{reference}").headers["Content-Length"] == str(len(m))
    for tag in ("v2", "v3", "latest"):
        assert g.call("PUT", f"/v2/m/one/manifests/{tag}", m).status == 201
    assert g.call("GET", "/v2/m/one/tags/list").json == {"name": "m/one", "tags": ["latest", "v1", "v2", "v3"]}
    a = g.call("GET", "/v2/m/one/tags/list?n=2&last=latest")
    assert a.json["tags"] == ["v1", "v2"] and a.headers["Link"] == '</v2/m/one/tags/list?last=v2&n=2>; rel="next"'
    assert code(g.call("GET", "/v2/m/none/tags/list")) == (404, "NAME_UNKNOWN")
    assert g.call("DELETE", "/v2/m/one/manifests/v2").status == 202 and code(g.call("GET", "/v2/m/one/manifests/v2")) == (404, "MANIFEST_UNKNOWN")
    assert g.call("DELETE", f"/v2/m/one/manifests/{d}").status == 202 and g.call("GET", "/v2/m/one/manifests/v1").status == 404


def test_manifests_that_are_refused(g):
    m = manifest(g, "m/bad")
    assert code(g.call("PUT", "/v2/m/bad/manifests/" + digest(b"x"), m)) == (400, "DIGEST_INVALID")
    assert code(g.call("PUT", "/v2/m/bad/manifests/-x", m)) == (400, "TAG_INVALID")
    assert code(g.call("PUT", "/v2/m/bad/manifests/x", "{")) == (400, "MANIFEST_INVALID")
    assert code(g.call("PUT", "/v2/m/bad/manifests/x", '{"schemaVersion": 1}')) == (400, "MANIFEST_INVALID")
    assert code(g.call("PUT", "/v2/m/other/manifests/x", m)) == (404, "MANIFEST_BLOB_UNKNOWN")
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest(b"x"), "size": 1, "mediaType": MANIFEST}]})
    assert code(g.call("PUT", "/v2/m/bad/manifests/x", index)) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert g.call("PUT", "/v2/m/bad/manifests/x", " " * (5 << 20)).status == 413


def test_referrers(g):
    m = manifest(g, "m/ref")
    g.call("PUT", "/v2/m/ref/manifests/x", m)
    a = g.call("PUT", "/v2/m/ref/manifests/signature", manifest(g, "m/ref", '{"s": 1}', artifactType="application/x.signature", subject={"digest": digest(m.encode())}))
    assert a.headers["OCI-Subject"] == digest(m.encode())
    found = g.call("GET", f"/v2/m/ref/referrers/{digest(m.encode())}").json["manifests"]
    assert [x["artifactType"] for x in found] == ["application/x.signature"]
    assert g.call("GET", f"/v2/m/ref/referrers/{digest(m.encode())}?artifactType=other").json["manifests"] == []


def test_artifact_registry(g):
    where = "/v1/projects/acme/locations/us-central1/repositories"
    op = g.ok("POST", where + "?repositoryId=gcf-artifacts", {"format": "DOCKER", "labels": {"goog-managed-by": "cloudfunctions"}})
    assert op["done"] and op["response"]["name"] == where[4:] + "/gcf-artifacts" and g.ok("GET", "/v1/" + op["name"]) == op
    assert g.ok("GET", where + "/gcf-artifacts")["format"] == "DOCKER" and g.ok("GET", where)["repositories"][0]["labels"]
    assert g.refused("POST", where + "?repositoryId=gcf-artifacts", {"format": "DOCKER"}).status == 409
    for query, body in (("repositoryId=Upper", {"format": "DOCKER"}), ("repositoryId=x", {"format": "TAPE"}), ("", {"format": "DOCKER"}),
                        ("repositoryId=x", {"format": "DOCKER", "description": "long " * 1000})):
        assert g.refused("POST", f"{where}?{query}", body).status == 400
    assert g.ok("DELETE", where + "/gcf-artifacts")["done"] and g.refused("GET", where + "/gcf-artifacts").status == 404
    assert g.ok("GET", where) == {} and g.refused("DELETE", where + "/none").status == g.refused("GET", where + "/..%2f..").status == 404


# ---- skopeo ----
def test_skopeo_there_and_back(g, layout, tmp_path):
    name = f"docker://127.0.0.1:{g.port}/acme/images/busybox"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:latest", name + ":one")
    info = json.loads(skopeo("inspect", "--tls-verify=false", name + ":one"))
    assert info["RepoTags"] == ["one"] and info["Os"] == "linux"
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", name + ":one", f"docker://127.0.0.1:{g.port}/acme/copies/busybox:two")  # mounts
    assert any(r["rpc"] == "RegistryBeginUpload" and "mount=" in r["path"] and r["status"] == 201 for r in g.requests())
    skopeo("copy", "--src-tls-verify=false", name + "@" + info["Digest"], f"oci:{tmp_path}/back:latest")
    with open(os.path.join(layout, "index.json")) as f, open(tmp_path / "back" / "index.json") as b:
        assert json.load(f)["manifests"][0]["digest"] == json.load(b)["manifests"][0]["digest"]
    skopeo("delete", "--tls-verify=false", f"docker://127.0.0.1:{g.port}/acme/copies/busybox:two")


def test_with_tokens(images, layout):
    g = Google(images, "--require-auth")
    try:
        assert code(g.call("GET", "/v2/")) == (401, "UNAUTHORIZED")
        token = g.call("GET", "/computeMetadata/v1/instance/service-accounts/default/token", headers={"Metadata-Flavor": "Google"}).json["access_token"]
        name = f"docker://127.0.0.1:{g.port}/acme/private/busybox:one"
        skopeo("copy", "--dest-tls-verify=false", "--dest-creds", "oauth2accesstoken:" + token, f"oci:{layout}:latest", name)
        assert g.call("GET", "/v2/acme/private/busybox/manifests/one", headers={"Authorization": "Bearer " + token}).status == 200
        done = subprocess.run(["skopeo", "inspect", "--tls-verify=false", "--creds", "oauth2accesstoken:wrong", name], capture_output=True, text=True, timeout=skl.TIMEOUT)
        assert done.returncode != 0
        assert token not in open(os.path.join(g.state, "requests.jsonl")).read()
    finally:
        g.close()


# ---- functions from the registry ----
def test_a_function_runs_what_was_pushed(g, layout):
    repo = "acme/run/busybox"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:latest", f"docker://127.0.0.1:{g.port}/{repo}:v1")
    pushed = g.call("HEAD", f"/v2/{repo}/manifests/v1").headers["Docker-Content-Digest"]
    for i, image in enumerate((f"127.0.0.1:{g.port}/{repo}:v1", f"registry.example/{repo}@{pushed}", f"registry.example/{repo}:v1")):
        uri = g.serve(f"pushed-{i}", image=image)
        assert g.call("GET", uri).status == 200
    op = g.done(g.ok("POST", f"{g.services}?serviceId=not-pushed", {"template": {"containers": [{"image": f"registry.example/{repo}:v2", "command": SERVE}]}}))
    assert "error" in op and f"registry.example/{repo}:v2" in op["error"]["message"]
    op = g.create("from-registry", {"buildConfig": {"runtime": "docker"}, "serviceConfig": {"environmentVariables": {"SOCKERLESS_IMAGE": f"registry.example/{repo}:v1"}}})
    assert "error" not in op


def test_images_from_elsewhere(g, layout, tmp_path):
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:latest", f"docker://127.0.0.1:{g.port}/far/away/busybox:1")
    here = Google(str(tmp_path / "images"), "--pull")
    try:
        name = f"127.0.0.1:{g.port}/far/away/busybox"
        assert here.call("GET", here.serve("pulled", image=name + ":1")).status == 200
        asked = len([r for r in g.requests() if r["rpc"] == "RegistryGetManifest"])
        assert here.call("GET", here.serve("pulled-again", image=name + ":1")).status == 200
        assert len([r for r in g.requests() if r["rpc"] == "RegistryGetManifest"]) == asked  # it is in the store now
        op = here.done(here.ok("POST", f"{here.services}?serviceId=absent", {"template": {"containers": [{"image": name + ":2"}]}}))
        assert op["error"]["code"] == 9 and f"{name}:2 can't be pulled" in op["error"]["message"] and "manifest unknown" in op["error"]["message"], op
        assert os.listdir(os.path.join(here.state, "pulls")) == []
        op = here.ok("POST", f"{here.services}?serviceId=given-up", {"template": {"containers": [{"image": name + ":1"}]}})
    finally:
        here.close()


def test_images_that_are_broken(g):
    m = manifest(g, "broken/one", '{"config": {"Cmd": ["x"]}}')
    g.call("PUT", "/v2/broken/one/manifests/v1", m)
    op = g.done(g.ok("POST", f"{g.services}?serviceId=broken", {"template": {"containers": [{"image": "registry.example/broken/one:v1"}]}}))
    assert op["error"]["code"] == 9 and "registry.example/broken/one:v1" in op["error"]["message"]
    assert os.listdir(os.path.join(g.state, "registry", "roots")) and not [x for x in os.listdir(os.path.join(g.state, "registry", "roots")) if ".part-" in x]


def test_the_driver_deploys_images(images, layout):
    """deploy: image, the way it is with Google: a placeholder function, the image with the agent pushed, put under the function's service."""
    cloud = Google(images)
    host = f"127.0.0.1:{cloud.port}"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:latest", f"docker://{host}/acme/images/busybox:1")
    d = skl.Daemon(images, cloud=cloud, config={"drivers": {"cloud-run-functions": {"deploy": "image", "repository": f"{host}/acme/images",
                                                                                     "agent-binary": skl.program("sockerless-agent")}}})
    try:
        image = f"{host}/acme/images/busybox:1"
        d.api.post(f"/images/create?fromImage={urllib.parse.quote(image, safe='')}&tag=1")
        done = d.docker("run", "--rm", "--name", "deployed", image, "sh", "-c", "echo from the registry; exit 4")
        assert (done.returncode, done.stdout) == (4, "from the registry\n"), done.stderr + d.log()[-3000:]
        wait_until(lambda: cloud.names() == set(), "the deletion")
        rpcs = {r["rpc"] for r in cloud.requests()}
        assert {"GenerateUploadUrl", "PutSignedObject", "UpdateService", "RegistryPutManifest", "Invoke"} <= rpcs
    finally:
        d.close()
        cloud.close()


def test_halves_do_not_outlive_a_kill(images):
    g = Google(images)
    try:
        where = start(g, "half/one")
        assert g.call("PATCH", where, b"x" * 1000).status == 202
        g.call("POST", "/upload/storage/v1/b/half-bucket/o?uploadType=resumable", {"name": "x"})
        push(g, "whole/one", b"stays")
        count = {d: len(os.listdir(os.path.join(g.state, d))) for d in ("registry/uploads", "storage")}
        assert count == {"registry/uploads": 1, "storage": 1}
        g.restart(kill=True)
        assert not os.path.exists(os.path.join(g.state, "registry/uploads")) and os.listdir(os.path.join(g.state, "storage")) == []
        assert g.call("GET", "/v2/whole/one/blobs/" + digest(b"stays")).body == b"stays" and g.call("GET", where).status == 404
    finally:
        g.close()


# ---- storage ----
def test_objects(g):
    b = "/storage/v1/b"
    assert g.call("POST", f"{b}?project=p", {"name": "my-bucket"}).status == 200 and g.call("POST", f"{b}?project=p", {"name": "my-bucket"}).status == 409
    assert g.call("GET", f"{b}/my-bucket").json["name"] == "my-bucket" and g.call("GET", f"{b}/none").status == 404
    assert g.call("POST", b, {"name": "No"}).status == 400
    data = os.urandom(100_000)
    o = g.call("POST", "/upload/storage/v1/b/my-bucket/o?uploadType=media&name=a%2Fone.bin", data, {"Content-Type": "application/zip"}).json
    assert o["name"] == "a/one.bin" and o["size"] == "100000" and o["contentType"] == "application/zip" and o["generation"].isdigit()
    assert o["md5Hash"] == base64.b64encode(hashlib.md5(data).digest()).decode()
    where = f"{b}/my-bucket/o/a%2Fone.bin"
    assert g.call("GET", where).json == o and g.call("GET", where + "?alt=media").body == data
    a = g.call("GET", "/download" + where + "?alt=media", headers={"Range": "bytes=-10"})
    assert (a.status, a.body) == (206, data[-10:]) and o["crc32c"] in a.headers["x-goog-hash"]
    body = b'--b1\r\nContent-Type: application/json\r\n\r\n{"name":"two"}\r\n--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1--\r\n'
    o = g.call("POST", "/upload/storage/v1/b/my-bucket/o?uploadType=multipart", body, {"Content-Type": "multipart/related; boundary=b1"}).json
    assert (o["name"], o["size"], o["contentType"]) == ("two", "5", "text/plain") and g.call("GET", f"{b}/my-bucket/o/two?alt=media").body == b"hello"
    assert o["crc32c"] == "mnG7TA=="
    assert [x["name"] for x in g.call("GET", f"{b}/my-bucket/o").json["items"]] == ["a/one.bin", "two"]
    assert [x["name"] for x in g.call("GET", f"{b}/my-bucket/o?prefix=t&maxResults=1").json["items"]] == ["two"]
    assert g.call("DELETE", where).status == 204 and g.call("GET", where).status == g.call("DELETE", where).status == 404
    for query in ("uploadType=media", "uploadType=x&name=y", "name=y"):
        assert g.call("POST", "/upload/storage/v1/b/my-bucket/o?" + query, b"x").status == 400


def test_a_resumable_upload(g):
    a = g.call("POST", "/upload/storage/v1/b/my-bucket/o?uploadType=resumable", {"name": "big", "contentType": "application/x-tar"})
    where, data = a.headers["Location"], os.urandom(600_000)
    a = g.call("PUT", where, data[:256_000], {"Content-Range": "bytes 0-255999/600000"})
    assert (a.status, a.headers["Range"]) == (308, "bytes=0-255999")
    a = g.call("PUT", where, b"", {"Content-Range": "bytes */600000"})
    assert (a.status, a.headers["Range"]) == (308, "bytes=0-255999")
    o = g.call("PUT", where, data[256_000:], {"Content-Range": "bytes 256000-599999/600000"}).json
    assert (o["name"], o["size"], o["contentType"]) == ("big", "600000", "application/x-tar")
    assert g.call("GET", "/storage/v1/b/my-bucket/o/big?alt=media").body == data
    assert g.call("PUT", where, b"").status == 404
