"""Google's APIs as raw requests, each answer checked against Google's documents.

    g = Google(cloud.url)
    a = g.get("/v2/projects/p/logs")          # Answer: status, json, headers
    g.entries(filter='severity>=ERROR')       # Cloud Logging, all pages

SPDX-License-Identifier: Apache-2.0
"""
import base64
import http.client
import json
import os
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "api"))
import gcpspec  # noqa: E402

SPEC = gcpspec.Spec()
TIMEOUT = 60
PROJECT, REGION = "sockerless-test", "us-central1"


class Answer:
    def __init__(self, status, headers, data):
        self.status, self.headers = status, headers
        self.json = json.loads(data) if data else None

    @property
    def message(self):
        return self.json["error"]["message"]


class Google:
    def __init__(self, url, project=PROJECT, headers=None):
        self.at, self.project, self.headers = urllib.parse.urlsplit(url), project, headers or {}
        self.parent = f"/v2/projects/{project}/locations/{REGION}"

    def request(self, method, path, body=None, headers=None, check=True):
        connection = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=TIMEOUT)
        try:
            data = None if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body)
            connection.request(method, path, data, {**self.headers, **({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})})
            answer = connection.getresponse()
            a = Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()
        if check:
            assert a.headers["Content-Type"] == "application/json; charset=UTF-8", a.headers
            SPEC.check(method, path, a.status, a.json)
        return a

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body if body is not None else {}, **kw)

    def patch(self, path, body, **kw):
        return self.request("PATCH", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    # ---- Cloud Logging ----
    def list(self, filter="", **args):
        return self.post("/v2/entries:list", {"resourceNames": [f"projects/{self.project}"], "filter": filter, **args})

    def entries(self, filter="", **args):
        found, token = [], ""
        while True:
            a = self.list(filter, pageToken=token, **args)
            assert a.status == 200, a.json
            found += a.json.get("entries", [])
            token = a.json.get("nextPageToken", "")
            if not token:
                return found

    def write(self, *entries, log="app", **args):
        return self.post("/v2/entries:write", {"logName": f"projects/{self.project}/logs/{log}", "resource": {"type": "global"}, "entries": list(entries), **args})

    # ---- Cloud Functions ----
    def create(self, name, *argv, image="busybox", wait=True, labels=None, env=None, **service):
        """A function of the docker runtime that runs argv once for each POST."""
        process = base64.b64encode(json.dumps({"argv": argv}).encode()).decode() if argv else ""
        variables = {"SOCKERLESS_IMAGE": image, **({"SOCKERLESS_PROCESS": process} if argv else {}), **(env or {})}
        body = {"labels": labels or {}, "buildConfig": {"runtime": "docker", "entryPoint": "x"}, "serviceConfig": {"environmentVariables": variables, **service}}
        a = self.post(f"{self.parent}/functions?functionId={name}", body)
        return self.done(a) if wait else a

    def done(self, answer):
        """The operation when it is done."""
        assert answer.status == 200, answer.json
        op = answer.json
        while not op.get("done"):
            op = self.get("/v2/" + op["name"]).json
        return op

    def invoke(self, name, data=b"", method="POST"):
        uri = urllib.parse.urlsplit(self.get(f"{self.parent}/functions/{name}").json["serviceConfig"]["uri"])
        connection = http.client.HTTPConnection(uri.hostname, uri.port, timeout=TIMEOUT)
        try:
            connection.request(method, uri.path or "/", data)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
