"""Checks answers of the daemon against Docker's specification (docker-v1.44.yaml).

The specification is Swagger 2.0 with a few fields of moby's own (x-nullable, x-omitempty). This is a validator for the part
of it that the file uses; EXCEPTIONS lists where dockerd itself does not do what its specification says, so that a
daemon that did would surprise clients.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))

# Members that dockerd answers with null (Go's nil slices and maps) although the specification does not say nullable.
NULLABLE = {
    "ExecIDs", "Env", "GenericResources", "ExitCode", "Cmd", "Entrypoint", "Volumes", "OnBuild", "ExposedPorts", "Binds", "VolumesFrom", "CapAdd", "CapDrop",
    "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Links", "SecurityOpt", "BlkioWeightDevice",
    "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "Devices",
    "DeviceCgroupRules", "DeviceRequests", "Ulimits", "MaskedPaths", "ReadonlyPaths", "MemorySwappiness", "OomKillDisable",
    "IPAMConfig", "Aliases", "DriverOpts", "DNSNames", "Options", "Shell", "Mounts", "IOServiceBytesRecursive", "Data",
    "PidsLimit", "Warnings", "Status", "UsageData", "SecondaryIPAddresses", "SecondaryIPv6Addresses", "Comment", "Error",
    "CachesDeleted", "ImagesDeleted", "RootFS", "DeviceIDs", "Capabilities", "Parent", "Healthcheck", "CgroupRule",
    "BuildCache", "Authorization", "Log", "RemoteManagers", "SystemStatus", "ContainersDeleted", "NetworksDeleted",
    "VolumesDeleted", "Labels",
}


class Mismatch(AssertionError):
    """An answer that is not what the specification says."""


class Spec:
    def __init__(self, path=None):
        with open(path or os.path.join(HERE, "docker-v1.44.yaml"), encoding="utf-8") as f:
            self.doc = yaml.load(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.routes = [(self._regex(p), p, ops) for p, ops in self.doc["paths"].items()]
        # Literal paths before those with parameters: /containers/json is not /containers/{id}.
        self.routes.sort(key=lambda r: r[1].count("{"))
        self.covered = {}

    @staticmethod
    def _regex(path):
        parts = re.split(r"(\{\w+\})", path)
        text = "".join("(.+)" if p.startswith("{name") else "([^/]+)" if p.startswith("{") else re.escape(p) for p in parts)
        return re.compile("^" + text + "$")

    def find(self, method, path):
        path = re.sub(r"^/v[0-9.]+/", "/", path.split("?")[0])
        for regex, name, ops in self.routes:
            if regex.match(path) and method.lower() in ops:
                return name, ops[method.lower()]
        return None, None

    def note(self, method, path, status):
        """Seen, but not checked: streams and hijacked connections."""
        name, op = self.find(method, path)
        if op is not None:
            self.covered.setdefault((method.upper(), name), set()).add(status)

    def check(self, method, path, status, body):
        """body: the decoded JSON, or None when there was none (or it is a stream)."""
        name, op = self.find(method, path)
        if op is None:
            return
        self.covered.setdefault((method.upper(), name), set()).add(status)
        answers = op["responses"]
        answer = answers.get(status) or answers.get(str(status)) or answers.get("default")
        if answer is None:
            if status >= 400:  # the specification lists only some of the errors
                self._error(body, f"{method} {path} {status}")
                return
            raise Mismatch(f"{method} {path}: status {status} is not one of {sorted(map(str, answers))}")
        schema = answer.get("schema")
        if schema is not None and body is not None:
            self._value(schema, body, f"{method} {name} {status}", "")

    def _error(self, body, where):
        if body is not None and not (isinstance(body, dict) and isinstance(body.get("message"), str)):
            raise Mismatch(f"{where}: an error must be {{\"message\": ...}}, not {body!r}")

    def _resolve(self, schema):
        while "$ref" in schema:
            schema = self.doc["definitions"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def _value(self, schema, v, where, name):
        nullable = schema.get("x-nullable")
        schema = self._resolve(schema)
        if v is None:
            if not (nullable or schema.get("x-nullable") or name in NULLABLE):
                raise Mismatch(f"{where}: null")
            return
        for part in schema.get("allOf", []):
            self._value(part, v, where, name)
        kind = schema.get("type") or ("object" if "properties" in schema else None)
        check = getattr(self, "_" + kind, None) if kind else None
        if check:
            check(schema, v, where)
        if "enum" in schema and v not in schema["enum"]:
            raise Mismatch(f"{where}: {v!r} is not one of {schema['enum']}")

    def _object(self, schema, v, where):
        if not isinstance(v, dict):
            raise Mismatch(f"{where}: {v!r} is not an object")
        for r in schema.get("required", []):
            if r not in v:
                raise Mismatch(f"{where}: {r} is missing")
        props = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        for k, member in v.items():
            if k in props:
                self._value(props[k], member, f"{where}.{k}", k)
            elif isinstance(extra, dict):
                self._value(extra, member, f"{where}.{k}", k)

    def _array(self, schema, v, where):
        if not isinstance(v, list):
            raise Mismatch(f"{where}: {v!r} is not an array")
        for i, e in enumerate(v):
            self._value(schema.get("items", {}), e, f"{where}[{i}]", "")

    def _string(self, schema, v, where):
        if not isinstance(v, str):
            raise Mismatch(f"{where}: {v!r} is not a string")
        if schema.get("format") == "dateTime" and v and not re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$", v):
            raise Mismatch(f"{where}: {v!r} is not a time")

    def _integer(self, schema, v, where):
        if not isinstance(v, int) or isinstance(v, bool):
            raise Mismatch(f"{where}: {v!r} is not an integer")

    def _number(self, schema, v, where):
        if not isinstance(v, (int, float)) or isinstance(v, bool):
            raise Mismatch(f"{where}: {v!r} is not a number")

    def _boolean(self, schema, v, where):
        if not isinstance(v, bool):
            raise Mismatch(f"{where}: {v!r} is not a boolean")

    def missing(self):
        return [(method.upper(), name) for _, name, ops in self.routes for method in ops
                if method in ("get", "post", "put", "delete", "head") and (method.upper(), name) not in self.covered]

    def report(self):
        """(covered, all) operations by first path segment."""
        out = {}
        for _, name, ops in self.routes:
            for method in ops:
                if method not in ("get", "post", "put", "delete", "head"):
                    continue
                group = name.split("/")[1]
                got, total = out.get(group, (0, 0))
                out[group] = (got + ((method.upper(), name) in self.covered), total + 1)
        return out
