"""Checks answers of the simulator against Google's discovery documents (google/*.json).

    spec = Spec()
    spec.check("GET", "/v2/projects/p/locations/l/functions/f", 200, body)      # raises Mismatch

Checked are the types, formats, enumerations and names of all members, down to the messages in Any fields, and the envelope of errors. A path that no document
has is an error unless OTHERS names it with the reason.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
STATUSES = {400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"}, 401: {"UNAUTHENTICATED"}, 403: {"PERMISSION_DENIED"}, 404: {"NOT_FOUND"},
            409: {"ALREADY_EXISTS", "ABORTED"}, 412: {"FAILED_PRECONDITION"}, 413: {"INVALID_ARGUMENT"}, 429: {"RESOURCE_EXHAUSTED"}, 499: {"CANCELLED"},
            500: {"INTERNAL", "UNKNOWN"}, 501: {"UNIMPLEMENTED"}, 503: {"UNAVAILABLE"}, 504: {"DEADLINE_EXCEEDED"}}
FORMATS = {
    "int64": re.compile(r"-?\d{1,19}"),
    "uint64": re.compile(r"\d{1,20}"),
    "google-datetime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"),
    "google-duration": re.compile(r"-?\d+(\.\d{1,9})?s"),
    "google-fieldmask": re.compile(r"[\w.,]*"),
    "byte": re.compile(r"[A-Za-z0-9+/_-]*={0,2}"),
}
# Members that Google has since 2024, when the documents are from (reference/gcp-api.md).
NEWER = {"Function": {"satisfiesPzi": "boolean"}, "BuildConfig": {"automaticUpdatePolicy": "object", "onDeployUpdatePolicy": "object", "serviceAccount": "string",
                                                                  "sourceToken": "string"},
         "GoogleCloudRunV2Service": {"urls": "any"}}
# Packages of the messages in Any fields: whose document has them, and under which names. One server stands for all of Google's hosts, so a list of
# operations has both kinds.
MESSAGES = {"google.cloud.functions.v2.": ("cloudfunctions", "GoogleCloudFunctionsV2"), "google.cloud.run.v2.": ("run", "GoogleCloudRunV2")}


class Mismatch(AssertionError):
    """An answer that is not what Google's document says."""


class Spec:
    def __init__(self):
        self.methods, self.covered = [], {}
        for path in sorted(glob.glob(os.path.join(HERE, "google", "*.json"))):
            with open(path) as f:
                doc = json.load(f)
            self._collect(doc, doc["resources"])
        # literal segments before those with parameters
        self.methods.sort(key=lambda m: m[2]["flatPath"].count("{"))

    def _collect(self, doc, resources):
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                template = method.setdefault("flatPath", method["path"])
                parts = re.split(r"(\{[^}]*\})", template)
                text = "".join("([^/]+?)" if p.startswith("{") else re.escape(p) for p in parts)
                self.methods.append((doc, re.compile("/" + re.escape(doc.get("servicePath", "")) + text), method))
            self._collect(doc, resource.get("resources", {}))

    def find(self, method, path):
        for doc, regex, m in self.methods:
            if m["httpMethod"] == method and regex.fullmatch(path.split("?")[0]):
                yield doc, m

    def check(self, method, path, status, body, api=None):
        found = [(d, m) for d, m in self.find(method, path) if api in (None, d["name"])]
        if status >= 400:
            self.check_error(path, status, body)
        if not found:
            if status != 404:
                raise Mismatch(f"{method} {path}: no document has it")
            return None
        errors = []
        for doc, m in found:  # Functions and Run have operations under one path
            self.covered.setdefault(m["id"], set()).add(status)
            try:
                if status < 300 and "response" in m:
                    self.value(doc, body, m["response"], m["id"])
                return m["id"]
            except Mismatch as e:
                errors.append(str(e))
        raise Mismatch("; ".join(errors))

    @staticmethod
    def check_error(path, status, body):
        if isinstance(body, list):  # streams have theirs in an array
            body = body[0]
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict) or set(body) != {"error"} or set(error) - {"code", "message", "status", "details"}:
            raise Mismatch(f"{path}: {status} with {body!r}")
        if error["code"] != status or not isinstance(error["message"], str) or not error["message"] or error["status"] not in STATUSES.get(status, ()):
            raise Mismatch(f"{path}: {status} with {error!r}")
        if not all(isinstance(d, dict) and str(d.get("@type", "")).startswith("type.googleapis.com/") for d in error.get("details", [])):
            raise Mismatch(f"{path}: details {error['details']!r}")

    def report(self, seen):
        """{api: (methods in seen, methods)}"""
        ids = sorted({m["id"] for _, _, m in self.methods})
        return {api: (sum(i in seen for i in ids if i.startswith(api + ".")), sum(i.startswith(api + ".") for i in ids)) for api in sorted({i.split(".")[0] for i in ids})}

    # ---- values ----
    def value(self, doc, v, schema, where):
        if "$ref" in schema:
            return self.message(doc, v, schema["$ref"], where)
        kind = schema.get("type", "any")
        check = {"string": self._string, "integer": self._integer, "number": self._number, "boolean": self._boolean, "array": self._array,
                 "object": self._object, "any": lambda *a: None}[kind]
        return check(doc, v, schema, where)

    def message(self, doc, v, name, where):
        if not isinstance(v, dict):
            raise Mismatch(f"{where}: {v!r} is no {name}")
        schema = doc["schemas"][name]
        fields = schema.get("properties", {})
        for key, member in v.items():
            if key in fields:
                self.value(doc, member, fields[key], f"{where}.{key}")
            elif key in NEWER.get(name, {}):
                self.value(doc, member, {"type": NEWER[name][key]}, f"{where}.{key}")
            elif "additionalProperties" in schema:
                self.value(doc, member, schema["additionalProperties"], f"{where}.{key}")
            else:
                raise Mismatch(f"{where}: {name} has no member {key!r} ({member!r})")

    @staticmethod
    def _string(doc, v, schema, where):
        pattern = FORMATS.get(schema.get("format"))
        if not isinstance(v, str) or (pattern and not pattern.fullmatch(v)):
            raise Mismatch(f"{where}: {v!r} is no {schema.get('format', 'string')}")
        if "enum" in schema and v not in schema["enum"]:
            raise Mismatch(f"{where}: {v!r} is none of {schema['enum']}")

    @staticmethod
    def _integer(doc, v, schema, where):
        if not isinstance(v, int) or isinstance(v, bool) or not -2**31 <= v < 2**32:
            raise Mismatch(f"{where}: {v!r} is no integer")

    @staticmethod
    def _number(doc, v, schema, where):
        if not isinstance(v, (int, float)) or isinstance(v, bool):
            raise Mismatch(f"{where}: {v!r} is no number")

    @staticmethod
    def _boolean(doc, v, schema, where):
        if not isinstance(v, bool):
            raise Mismatch(f"{where}: {v!r} is no boolean")

    def _array(self, doc, v, schema, where):
        if not isinstance(v, list):
            raise Mismatch(f"{where}: {v!r} is no array")
        for i, item in enumerate(v):
            self.value(doc, item, schema["items"], f"{where}[{i}]")

    def _object(self, doc, v, schema, where):
        if not isinstance(v, dict):
            raise Mismatch(f"{where}: {v!r} is no object")
        if "properties" in schema:
            for key, member in v.items():
                if key not in schema["properties"]:
                    raise Mismatch(f"{where}: no member {key!r}")
                self.value(doc, member, schema["properties"][key], f"{where}.{key}")
            return
        if isinstance(v.get("@type"), str):
            self._any(doc, v, where)
            return
        for key, member in v.items():
            self.value(doc, member, schema.get("additionalProperties", {}), f"{where}.{key}")

    def _any(self, doc, v, where):
        """A message whose name is in it."""
        full = v["@type"].removeprefix("type.googleapis.com/")
        if full == v["@type"]:
            raise Mismatch(f"{where}: @type {v['@type']!r}")
        package = next((p for p in MESSAGES if full.startswith(p)), None)
        rest = {k: m for k, m in v.items() if k != "@type"}
        if full == "google.protobuf.Empty" and rest:
            raise Mismatch(f"{where}: {v!r} is not empty")
        if package:
            api, prefix = MESSAGES[package]
            doc = next(d for d, _, _ in self.methods if d["name"] == api)
            for name in (prefix + full[len(package):], full[len(package):]):
                if name in doc["schemas"]:
                    self.message(doc, rest, name, where)
                    return
        if package:
            raise Mismatch(f"{where}: unknown message {full}")
