"""images.resolve = "registry": pulls against a scripted registry: tokens, basic credentials, mirrors, indexes by platform, Docker's and OCI's types, what
is not there. Reference 2.9, 2.10.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import http.server
import json
import threading
import urllib.parse

import pytest

import skl

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker.distribution.manifest."


def blob(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return "sha256:" + hashlib.sha256(data).hexdigest(), data


class Registry:
    """auth: None, "basic" or "token"; user:secret is who may."""

    def __init__(self, auth=None):
        self.auth, self.things, self.asked, self.tokens = auth, {}, [], 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self, True)

            def do_HEAD(self):
                outer.answer(self, False)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = "127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, path, media_type, value):
        digest, data = blob(value)
        for name in (path, path.rpartition("/")[0] + "/" + digest):
            self.things[name] = (media_type, data, digest)
        return digest, len(data)

    def image(self, name, tag, config=None, arch="amd64", docker=False):
        """Its manifest's digest and size, and the image's ID."""
        base, manifest = (DOCKER + "v2+json", "application/vnd.docker.container.image.v1+json") if docker else (OCI + "manifest.v1+json", OCI + "config.v1+json")
        image_config = {"architecture": arch, "os": "linux", "created": "2024-05-06T07:08:09Z", "comment": self.name + name + tag, "config": config or {}, "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + "1" * 64]}, "history": [{"created_by": "x"}]}
        cd, cn = self.add(f"/v2/{name}/blobs/config", manifest, image_config)
        md, mn = self.add(f"/v2/{name}/manifests/{tag}", base, {
            "schemaVersion": 2, "mediaType": base, "config": {"mediaType": manifest, "digest": cd, "size": cn},
            "layers": [{"mediaType": OCI + "layer.v1.tar+gzip", "digest": "sha256:" + "2" * 64, "size": 1234}]})
        return md, mn, cd

    def answer(self, h, body):
        path, _, query = h.path.partition("?")
        self.asked.append((h.command, path, h.headers.get("Authorization"), h.headers.get("Accept")))
        if path == "/token":
            self.token(h, query)
        elif not self.may(h):
            self.send(h, 401, "application/json", b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', {"WWW-Authenticate": (
                'Basic realm="x"' if self.auth == "basic" else f'Bearer realm="http://{self.name}/token",service="svc",scope="repository:{path.split("/")[2]}:pull"')})
        elif path in self.things:
            media_type, data, digest = self.things[path]
            self.send(h, 200, media_type, data if body else b"", {"Docker-Content-Digest": digest}, length=len(data))
        elif path == "/v2/":
            self.send(h, 200, "application/json", b"{}")
        else:
            self.send(h, 404, "application/json", b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')

    def may(self, h):
        given = h.headers.get("Authorization", "")
        if self.auth == "basic":
            return given == "Basic " + base64.b64encode(b"user:secret").decode()
        return self.auth is None or given == f"Bearer token-{self.tokens}"

    def token(self, h, query):
        q = urllib.parse.parse_qs(query)
        given = h.headers.get("Authorization", "")
        if given and given != "Basic " + base64.b64encode(b"user:secret").decode():
            self.send(h, 401, "application/json", b'{"details":"incorrect username or password"}')
            return
        assert q["service"] == ["svc"]
        self.tokens += 1
        self.send(h, 200, "application/json", json.dumps({"token": f"token-{self.tokens}", "expires_in": 60}).encode())

    def send(self, h, status, media_type, data, headers=None, length=None):
        h.send_response(status)
        for k, v in {"Content-Type": media_type, "Content-Length": str(len(data) if length is None else length), **(headers or {})}.items():
            h.send_header(k, v)
        h.end_headers()
        h.wfile.write(data)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def registry():
    made = []

    def make(auth=None):
        made.append(Registry(auth))
        return made[-1]

    yield make
    for r in made:
        r.close()


@pytest.fixture(scope="module")
def resolving(images):
    d = skl.Daemon(images, config={"images": {"resolve": "registry"}})
    yield d
    d.close()


def pull(api, ref, auth=None, **query):
    name, _, tag = ref.rpartition(":") if "@" not in ref else (ref, "", "")
    headers = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()} if auth else {}
    q = urllib.parse.urlencode({"fromImage": name, "tag": tag, **query})
    return api.post("/images/create?" + q, headers=headers)


CONFIG = {"Entrypoint": ["/entry"], "Cmd": ["a", "b"], "Env": ["PATH=/bin", "X=y"], "User": "nobody", "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}},
          "Labels": {"from": "image"}, "StopSignal": "SIGINT", "Volumes": {"/data": {}}}


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_an_image_and_its_configuration(resolving, registry, docker):
    r, api = registry(), resolving.api
    md, _, cd = r.image("team/app", "v1", CONFIG, docker=docker)
    ref = f"{r.name}/team/app:v1"
    lines = pull(api, ref).lines()
    assert lines[0] == {"status": "Pulling from team/app", "id": "v1"}
    assert lines[-2]["status"] == "Digest: " + md and lines[-1]["status"] == f"Status: Downloaded newer image for {ref}"
    i = api.get(f"/images/{ref}/json").json
    assert i["Id"] == cd and i["RepoTags"] == [ref] and i["RepoDigests"] == [f"{r.name}/team/app@{md}"] and i["Architecture"] == "amd64"
    assert i["Config"]["Entrypoint"] == ["/entry"] and i["Created"].startswith("2024-05-06T07:08:09") and i["RootFS"]["Layers"] == ["sha256:" + "1" * 64]
    assert pull(api, ref).lines()[-1]["status"] == f"Status: Image is up to date for {ref}"
    assert api.get(f"/images/{r.name}/team/app@{md}/json").json["Id"] == cd
    assert not [a for a in r.asked if "/blobs/sha256:" + "2" * 64 in a[1]]  # never a layer


def test_create_merges_the_image_s_configuration(resolving, registry):
    """The deployment itself fails (the simulator has no such image), after the merge was done: so ask inspect of the create's error instead."""
    r, api = registry(), resolving.api
    r.image("team/cfg", "v1", CONFIG)
    pull(api, f"{r.name}/team/cfg:v1")
    a = api.create(f"{r.name}/team/cfg:v1", ok=False)
    assert a.status == 400 and f"{r.name}/team/cfg:v1" in a.message


def test_an_index_gives_the_platform_s_image(resolving, registry):
    r, api = registry(), resolving.api
    made = {arch: r.image("multi", arch, {"Env": ["ARCH=" + arch]}, arch) for arch in ("amd64", "arm64")}
    index, _ = r.add("/v2/multi/manifests/latest", OCI + "index.v1+json", {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [
        {"mediaType": OCI + "manifest.v1+json", "digest": made[a][0], "size": made[a][1], "platform": {"os": "linux", "architecture": a}} for a in made]})
    lines = pull(api, f"{r.name}/multi:latest").lines()
    assert lines[-2]["status"] == "Digest: " + index
    assert api.get(f"/images/{r.name}/multi/json").json["Id"] == made["amd64"][2]
    pull(api, f"{r.name}/multi:latest", platform="linux/arm64")
    assert api.get(f"/images/{r.name}/multi/json").json["Id"] == made["arm64"][2]
    a = pull(api, f"{r.name}/multi:latest", platform="linux/s390x")
    assert a.status == 404 and "no matching manifest for linux/s390x" in a.message


def test_by_digest(resolving, registry):
    r, api = registry(), resolving.api
    md, _, cd = r.image("digested", "v1")
    a = pull(api, f"{r.name}/digested@{md}")
    assert a.status == 200, a
    i = api.get(f"/images/{r.name}/digested@{md}/json").json
    assert i["Id"] == cd and i["RepoTags"] == []


def test_a_wrong_digest_is_refused(resolving, registry):
    r, api = registry(), resolving.api
    md, _, _ = r.image("forged", "v1")
    media_type, data, digest = r.things[f"/v2/forged/manifests/{md}"]
    r.things[f"/v2/forged/manifests/{md}"] = (media_type, data + b" ", digest)
    a = pull(api, f"{r.name}/forged@{md}")
    assert a.status >= 400 or "errorDetail" in a.lines()[-1]
    assert api.get(f"/images/{r.name}/forged@{md}/json").status == 404


def test_what_is_not_there(resolving, registry):
    r, api = registry(), resolving.api
    a = pull(api, f"{r.name}/nosuch:v1")
    assert a.status == 404 and f"manifest for {r.name}/nosuch:v1 not found: manifest unknown" in a.message
    done = resolving.docker("pull", f"{r.name}/nosuch:v1")
    assert done.returncode == 1 and "not found: manifest unknown" in done.stderr
    assert pull(api, "127.0.0.1:1/closed:v1").status in (404, 500, 502, 503)


def test_tokens(resolving, registry):
    r, api = registry("token"), resolving.api
    r.image("private", "v1")
    ref = f"{r.name}/private:v1"
    assert pull(api, ref).status == 200  # an anonymous token
    assert pull(api, ref, {"username": "user", "password": "secret", "serveraddress": r.name}).status == 200
    assert any(path == "/token" and auth and auth.startswith("Basic ") for _, path, auth, _ in r.asked)
    a = pull(api, ref, {"username": "user", "password": "wrong", "serveraddress": r.name})
    assert a.status in (401, 403, 404, 500) and "wrong" not in a.message and "secret" not in resolving.log()


def test_basic_credentials(resolving, registry):
    r, api = registry("basic"), resolving.api
    r.image("basic", "v1")
    a = pull(api, f"{r.name}/basic:v1")
    assert a.status in (401, 403, 404, 500) and "unauthorized" in a.message.lower() or "denied" in a.message.lower()
    assert pull(api, f"{r.name}/basic:v1", {"username": "user", "password": "secret"}).status == 200
    for password, status in (("secret", 200), ("wrong", 401)):
        a = api.post("/auth", {"username": "user", "password": password, "serveraddress": r.name})
        assert a.status == status, a
    assert a.message and "wrong" not in a.message
    assert resolving.docker("login", "-u", "user", "-p", "secret", r.name).returncode == 0


def test_distribution(resolving, registry):
    r, api = registry(), resolving.api
    md, mn, _ = r.image("dist", "v1")
    a = api.get(f"/distribution/{r.name}/dist:v1/json")
    assert a.status == 200 and a.json["Descriptor"]["digest"] == md and a.json["Descriptor"]["size"] == mn


def test_a_mirror_is_asked_first(images, registry):
    mirror = registry()
    _, _, cd = mirror.image("library/mirrored", "latest")
    d = skl.Daemon(images, config={"images": {"resolve": "registry", "registry-mirrors": [f"http://{mirror.name}"]}})
    try:
        assert pull(d.api, "mirrored:latest").status == 200
        i = d.api.get("/images/mirrored/json").json
        assert i["Id"] == cd and i["RepoTags"] == ["mirrored:latest"]
    finally:
        d.close()


@pytest.mark.parametrize("answer", [b"not json", b"[]", b'{"schemaVersion":1}', b"{" * 5000, json.dumps({"schemaVersion": 2, "config": {"digest": "x"}}).encode()])
def test_what_is_no_manifest(resolving, registry, answer):
    r, api = registry(), resolving.api
    r.things["/v2/bad/manifests/v1"] = (OCI + "manifest.v1+json", answer, blob(answer)[0])
    a = pull(api, f"{r.name}/bad:v1")
    assert a.status >= 400 or "errorDetail" in a.lines()[-1]
    assert api.get("/_ping").status == 200
