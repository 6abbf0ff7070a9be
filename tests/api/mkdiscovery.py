#!/usr/bin/env python3
"""Makes google/*.json from Google's discovery documents: what the simulator has, without descriptions.

    mkdiscovery.py FILE...      named gcp-<api>.<version>.json

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEEP = {
    "cloudfunctions": ["projects.locations"],
    "run": ["projects.locations.services", "projects.locations.operations"],
    "logging": ["entries", "logs", "monitoredResourceDescriptors", "projects.logs"],
    "storage": ["objects", "buckets"],
    "iamcredentials": ["projects"],
}
NOISE = {"description", "enumDescriptions", "scopes", "icons", "auth", "endpoints", "documentationLink", "title", "annotations", "labels", "etag", "kind", "deprecated",
         "enumDeprecated"}


def plain(value):
    if isinstance(value, dict):
        # a member named "properties" holds names of the API's own
        return {k: {n: plain(p) for n, p in v.items()} if k in ("properties", "parameters") else plain(v) for k, v in value.items() if k not in NOISE}
    return [plain(v) for v in value] if isinstance(value, list) else value


def cut(resources, paths):
    """Those of the paths, with all below them."""
    kept = {}
    for path in paths:
        first, _, rest = path.partition(".")
        if first not in resources:
            continue
        if not rest:
            kept[first] = resources[first]
        else:
            below = cut(resources[first].get("resources", {}), [rest])
            kept.setdefault(first, {}).setdefault("resources", {}).update(below)
            for name, value in below.items():
                kept[first]["resources"][name] = value
    return kept


def merged(a, b):
    return {k: merged(a.get(k), b.get(k)) for k in {**a, **b}} if isinstance(a, dict) and isinstance(b, dict) else a if b is None else b


def refs(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for v in value.values():
            yield from refs(v)
    elif isinstance(value, list):
        for v in value:
            yield from refs(v)


def main(files):
    for path in files:
        with open(path) as f:
            doc = json.load(f)
        resources = {}
        for keep in KEEP[doc["name"]]:
            resources = merged(resources, cut(doc["resources"], [keep]))
        doc["resources"] = resources
        wanted, todo = set(), list(refs(resources)) + [n for n in doc["schemas"] if n.startswith("GoogleCloudFunctionsV2") and "alpha" not in n and "beta" not in n]
        while todo:
            name = todo.pop()
            if name not in wanted:
                wanted.add(name)
                todo += refs(doc["schemas"][name])
        doc["schemas"] = {k: v for k, v in doc["schemas"].items() if k in wanted}
        os.makedirs(os.path.join(HERE, "google"), exist_ok=True)
        with open(os.path.join(HERE, "google", f"{doc['name']}.{doc['version']}.json"), "w") as f:
            json.dump(plain(doc), f, indent=1, sort_keys=True)
            f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
