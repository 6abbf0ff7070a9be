#!/usr/bin/env python3
"""mkschema.py: the messages that clients of the simulator send, as C tables, from Google's discovery documents.

    mkschema.py DISCOVERY.json PREFIX ROOT... > simulator/schema_X.c

PREFIX is cut off the names of schemas ("GoogleCloudRunV2"). Discovery documents list enums in the order of their numbers, but for LaunchStage.
EXTRA holds what newer revisions of the APIs have and the documents of 2024 have not.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import sys

LAUNCH_STAGE = ["LAUNCH_STAGE_UNSPECIFIED", "EARLY_ACCESS", "ALPHA", "BETA", "GA", "DEPRECATED", "UNIMPLEMENTED", "PRELAUNCH"]
STRING, BOOL, OUT = {"type": "string"}, {"type": "boolean"}, {"readOnly": True}


def enum(*values):
    return {"type": "string", "enum": list(values)}


EXTRA = {
    "Function": {"satisfiesPzi": {**BOOL, **OUT}, "buildpackStack": STRING},
    "ServiceConfig": {"directVpcEgress": enum("DIRECT_VPC_EGRESS_UNSPECIFIED", "VPC_EGRESS_PRIVATE_RANGES_ONLY", "VPC_EGRESS_ALL_TRAFFIC")},
    "GoogleCloudRunV2Container": {"baseImageUri": STRING, "buildInfo": {"type": "object", **OUT}, "sourceCode": {"type": "any"},
                                  "readinessProbe": {"$ref": "GoogleCloudRunV2Probe"}},
    "GoogleCloudRunV2Service": {"urls": {"type": "array", "items": STRING, **OUT}, "invokerIamDisabled": BOOL, "satisfiesPzi": {**BOOL, **OUT},
                                "buildConfig": {"type": "any"}, "iapEnabled": BOOL, "threatDetectionEnabled": {**BOOL, **OUT}},
    "GoogleCloudRunV2ServiceScaling": {"scalingMode": enum("SCALING_MODE_UNSPECIFIED", "AUTOMATIC", "MANUAL"), "manualInstanceCount": {"type": "integer", "format": "int32"},
                                       "maxInstanceCount": {"type": "integer", "format": "int32"}},
    "GoogleCloudRunV2RevisionTemplate": {"client": STRING, "clientVersion": STRING, "serviceMesh": {"type": "any"},
                                         "gpuZonalRedundancyDisabled": BOOL,
                                         "encryptionKeyRevocationAction": enum("ENCRYPTION_KEY_REVOCATION_ACTION_UNSPECIFIED", "PREVENT_NEW", "SHUTDOWN"),
                                         "encryptionKeyShutdownDuration": {"type": "string", "format": "google-duration"}},
}
KINDS = {("string", None): "STRING", ("boolean", None): "BOOL", ("integer", "int32"): "INT32", ("string", "int64"): "INT64", ("string", "byte"): "BYTES",
         ("string", "google-datetime"): "TIME", ("string", "google-duration"): "DURATION", ("string", "google-fieldmask"): "STRING", ("number", "double"): "DOUBLE",
         ("any", None): "ANY", ("object", None): "ANY"}


class Tables:
    def __init__(self, document, prefix, package):
        self.schemas, self.prefix, self.package = document["schemas"], prefix, package
        self.done, self.out, self.enums = {}, [], {}

    def short(self, name):
        return name.removeprefix(self.prefix)

    def symbol(self, name):
        return "m_" + re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", self.short(name)).lower()

    def enum(self, owner, field, values):
        symbol = "e_" + re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", self.short(owner)).lower() + "_" + re.sub(r"(?=[A-Z])", "_", field).lower()
        if set(values) >= {"LAUNCH_STAGE_UNSPECIFIED", "GA"}:
            values = LAUNCH_STAGE
        kind = f"{self.package}.{self.short(owner)}.{field[0].upper() + field[1:]}"
        names = ", ".join(f'"{v}"' for v in values)
        self.out.append(f'static const struct schema_enum {symbol} = {{"{kind}", (const char *const[]){{{names}, NULL}}}};')
        return "&" + symbol

    def field(self, owner, name, f):
        shape = "ONE"
        out = bool(f.get("readOnly"))
        if f.get("type") == "array":
            shape, f = "LIST", f["items"]
        elif f.get("type") == "object" and f.get("additionalProperties", {}).get("type") == "string":
            shape, f = "MAP", f["additionalProperties"]
        if out:
            return f'    {{"{name}", SCHEMA_ANY, SCHEMA_ONE, true, NULL}},'
        if "$ref" in f:
            self.message(f["$ref"])
            kind, more = "MESSAGE", "&" + self.symbol(f["$ref"])
        elif "enum" in f:
            kind, more = "ENUM", self.enum(owner, name, f["enum"])
        else:
            kind, more = KINDS[f.get("type"), f.get("format")], "NULL"
        return f'    {{"{name}", SCHEMA_{kind}, SCHEMA_{shape}, false, {more}}},'

    def message(self, name):
        if name in self.done:
            return
        self.done[name] = True
        fields = {**self.schemas[name].get("properties", {}), **EXTRA.get(name, {})}
        rows = [self.field(name, k, f) for k, f in sorted(fields.items())]
        symbol = self.symbol(name)
        self.out += [f"static const struct schema_field {symbol}_fields[] = {{", *rows, "    {NULL, 0, 0, false, NULL},", "};",
                     f'static const struct schema_message {symbol} = {{"{self.short(name)}", {symbol}_fields}};', ""]


def main():
    path, prefix, *roots = sys.argv[1:]
    with open(path) as f:
        document = json.load(f)
    run = document["name"] == "run"
    tables = Tables(document, prefix, "google.cloud.run.v2" if run else "google.cloud.functions.v2")
    for root in roots:
        tables.message(prefix + root if prefix + root in document["schemas"] else root)
    name = "run" if run else "functions"
    print(f"/*\n * simulator/schema_{name}.c - what clients of {document['title']} send. Made by mkschema.py from the discovery document of revision\n"
          f" * {document['revision']}.\n *\n * SPDX-License-Identifier: Apache-2.0\n */\n#include <stddef.h>\n#include \"simulator/schema.h\"\n")
    print("\n".join(tables.out))
    for root in roots:
        symbol = tables.symbol(prefix + root if prefix + root in document["schemas"] else root)
        print(f"const struct schema_message *const schema_{symbol[2:]} = &{symbol};")


main()
