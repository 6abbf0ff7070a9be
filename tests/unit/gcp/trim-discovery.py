#!/usr/bin/env python3
"""Trims Google's discovery documents to what the transcript test needs: methods, and the schemas their bodies use.

    trim-discovery.py OUT.json cloudfunctions.v2.json run.v2.json logging.v2.json

SPDX-License-Identifier: Apache-2.0
"""
import json
import sys

KEEP = ("$ref", "type", "format", "enum", "readOnly", "items", "additionalProperties", "properties")
WANTED = ("projects.locations.functions", "projects.locations.operations", "projects.locations.services", "entries")


def schema(node):
    """A schema without descriptions; enums keep their names."""
    out = {}
    for key in KEEP:
        if key not in node:
            continue
        if key == "properties":
            out[key] = {name: schema(value) for name, value in node[key].items()}
        elif key in ("items", "additionalProperties"):
            out[key] = schema(node[key])
        else:
            out[key] = node[key]
    return out


def methods(resources, prefix):
    for name, resource in resources.items():
        path = prefix + name
        for method in resource.get("methods", {}).values():
            if any(path == wanted for wanted in WANTED):
                yield {
                    "method": method["httpMethod"],
                    "path": "/" + method["flatPath"] if "flatPath" in method else "/" + method["path"],
                    "query": sorted(k for k, v in method.get("parameters", {}).items() if v["location"] == "query"),
                    "request": method.get("request", {}).get("$ref"),
                }
        yield from methods(resource.get("resources", {}), path + ".")


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)


def used_schemas(all_schemas, roots):
    found, todo = {}, [r for r in roots if r]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = schema(all_schemas[name])
            todo.extend(references(found[name]))
    return found


def main():
    out = {}
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        listed = list(methods(document["resources"], ""))
        out[document["name"]] = {
            "revision": document["revision"],
            "methods": listed,
            "schemas": used_schemas(document["schemas"], [m["request"] for m in listed]),
        }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(out, file, separators=(",", ":"), sort_keys=True)
        file.write("\n")


main()
