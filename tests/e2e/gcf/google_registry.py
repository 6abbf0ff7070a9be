"""An OCI registry in memory, as Artifact Registry behaves towards the driver: blobs belong to repositories, a mount takes one from another, a manifest
is taken when all of it is there. What is pushed goes into the simulator's image store under its digest, so that a service can be given it.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import itertools
import json
import os
import subprocess
import tempfile

import skl

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, host, images):
        self.host, self.images = host, images
        self.blobs, self.manifests = {}, {}      # by (repository, digest); by (repository, digest or tag): (type, bytes)
        self.uploads, self.serial = {}, itertools.count(1)
        self.mounts = 0

    def load(self, repo, tag, layout):
        """An OCI layout, as an index for several platforms."""
        def blob(digest):
            with open(os.path.join(layout, "blobs", *digest.split(":")), "rb") as f:
                return f.read()
        with open(os.path.join(layout, "index.json")) as f:
            digest = json.load(f)["manifests"][0]["digest"]
        manifest = blob(digest)
        for part in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]:
            self.blobs[repo, part["digest"]] = blob(part["digest"])
        self.manifests[repo, digest] = (MANIFEST, manifest)
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "size": 2, "digest": digest_of(b"{}"), "platform": {"os": "linux", "architecture": "arm64"}},
            {"mediaType": MANIFEST, "size": len(manifest), "digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
        self.manifests[repo, digest_of(index)] = self.manifests[repo, tag] = (INDEX, index)

    def serve(self, method, path, query, body, headers):
        """(status, headers, body)"""
        if not path.startswith("/v2/"):
            return self.upload(path, query, body) if method == "PUT" else (404, {}, b"")
        name, _, what = path.removeprefix("/v2/").rpartition("/")
        repo, _, kind = name.rpartition("/")
        if path.endswith("/blobs/uploads/"):
            return self.begin_upload(path.removeprefix("/v2/").removesuffix("/blobs/uploads/"), query)
        if kind == "manifests" and method == "PUT":
            return self.put_manifest(repo, what, headers["Content-Type"], body)
        found = self.manifests.get((repo, what)) if kind == "manifests" else ("application/octet-stream", self.blobs.get((repo, what)))
        if found is None or found[1] is None:
            return 404, {}, b"" if method == "HEAD" else json.dumps({"errors": [{"code": "NAME_UNKNOWN", "message": path}]}).encode()
        assert kind == "blobs" or found[0] in headers["Accept"]
        return 200, {"Content-Type": found[0], "Docker-Content-Digest": what}, b"" if method == "HEAD" else found[1]

    def begin_upload(self, repo, query):
        digest, source = query.get("mount"), query.get("from")
        if digest and (source, digest) in self.blobs:
            self.blobs[repo, digest] = self.blobs[source, digest]
            self.mounts += 1
            return 201, {"Location": f"/v2/{repo}/blobs/{digest}"}, b""
        place = f"/artifacts-uploads/{next(self.serial)}"
        self.uploads[place] = repo
        return 202, {"Location": place + "?state=x"}, b""

    def upload(self, path, query, body):
        repo = self.uploads.pop(path)
        assert query["digest"] == digest_of(body) and query["state"] == "x"
        self.blobs[repo, query["digest"]] = body
        return 201, {}, b""

    def put_manifest(self, repo, tag, kind, body):
        manifest, digest = json.loads(body), digest_of(body)
        for part in [manifest["config"], *manifest["layers"]]:
            assert len(self.blobs[repo, part["digest"]]) == part["size"]
        self.manifests[repo, tag] = self.manifests[repo, digest] = (kind, body)
        self.store(repo, digest, manifest)
        return 201, {"Docker-Content-Digest": digest}, b""

    def store(self, repo, digest, manifest):
        with tempfile.TemporaryDirectory() as layout:
            os.makedirs(os.path.join(layout, "blobs/sha256"))
            parts = {part["digest"]: self.blobs[repo, part["digest"]] for part in [manifest["config"], *manifest["layers"]]}
            parts[digest] = self.manifests[repo, digest][1]
            for name, data in parts.items():
                with open(os.path.join(layout, "blobs", *name.split(":")), "wb") as f:
                    f.write(data)
            index = {"schemaVersion": 2, "manifests": [{"mediaType": MANIFEST, "digest": digest, "size": len(parts[digest])}]}
            for name, document in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
                with open(os.path.join(layout, name), "w") as f:
                    json.dump(document, f)
            skl.import_image(self.images, f"{self.host}/{repo}@{digest}", layout)


def busybox(directory):
    layout = os.path.join(directory, "busybox")
    subprocess.run([os.path.join(skl.TOP, "tests/images/mkbusybox"), layout], check=True, timeout=skl.TIMEOUT)
    return layout
