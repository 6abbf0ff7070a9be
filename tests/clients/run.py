#!/usr/bin/env python3
"""Runs real, unmodified clients against `sockerlessd --simulator` and counts.

    run.py [--debian] [--write FILE] [CLIENT...]

Each folder here is a client. Its client.json says what it is: {"name", "debian": true if Debian packages are all it needs, "install": [command...],
"run": [command...], "needs": [programs], "images": {name: one of images.py}, "skip": why
it can't be had at all}. Commands run in a work directory of the client's own (kept in SKL_CLIENTS_DIR between runs, so that what was
downloaded stays), with DOCKER_HOST set and HERE naming the folder. `run` prints a line a case: "ok - NAME", "not ok - NAME: WHY" or
"skip - NAME: WHY", and "version - V". A client that can't be had on this machine is skipped as a whole, with the reason.

--debian: those alone. --write: the table as Markdown (docs/clients.md). The exit code is 1 when a case failed.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import images as image_store  # noqa: E402
import skl  # noqa: E402

INSTALL_TIMEOUT, RUN_TIMEOUT = 1200, 600


class Result:
    def __init__(self, spec):
        self.spec, self.version, self.passed, self.failed, self.skipped, self.why = spec, "", [], [], [], None

    def take(self, line):
        kind, sep, rest = line.partition(" - ")
        if not sep:
            return
        if kind == "ok":
            self.passed.append(rest)
        elif kind == "not ok":
            self.failed.append(rest)
        elif kind == "skip":
            self.skipped.append(rest)
        elif kind == "version":
            self.version = rest

    def missing(self, why):
        self.why = why
        print(f"skipped: {self.spec['name']} ({why})", flush=True)
        return self


def specs(names, debian):
    found = []
    for folder in sorted(os.listdir(HERE)):
        path = os.path.join(HERE, folder, "client.json")
        if os.path.exists(path) and (not names or folder in names):
            with open(path) as f:
                spec = dict(json.load(f), folder=os.path.join(HERE, folder), key=folder)
            if spec.get("debian") or not debian:
                found.append(spec)
    return found


def command(argv, env, cwd, timeout):
    return subprocess.run([os.path.expandvars(a.replace("$HERE", env["HERE"])) for a in argv], env=env, cwd=cwd, timeout=timeout, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run_client(spec, daemon, work):
    result = Result(spec)
    if spec.get("skip"):
        return result.missing(spec["skip"])
    gone = [p for p in spec.get("needs", []) if not (os.path.exists(p) if p.startswith("/") else shutil.which(p))]
    if gone:
        return result.missing("not on this machine: " + ", ".join(gone))
    why = image_store.give(spec.get("images", {}), daemon.images, work)
    if why:
        return result.missing(why)
    cwd = os.path.join(work, spec["key"])
    os.makedirs(cwd, exist_ok=True)
    env = dict(os.environ, HERE=spec["folder"], DOCKER_HOST=daemon.host, HOME=cwd, TESTCONTAINERS_RYUK_DISABLED="true",
               DOCKER_CONFIG=os.path.join(cwd, ".docker"))
    try:
        if spec.get("install"):
            done = command(spec["install"], env, cwd, INSTALL_TIMEOUT)
            if done.returncode != 0:
                return result.missing("could not be fetched: " + (done.stdout.strip().splitlines() or ["?"])[-1][:150])
        done = command(spec["run"], env, cwd, RUN_TIMEOUT)
    except subprocess.TimeoutExpired as e:
        result.failed.append(f"timed out: {(e.stdout or b'')[-300:]!r}")
        return result
    for line in done.stdout.splitlines():
        result.take(line)
    if done.returncode != 0 and not result.failed:
        result.failed.append(f"ended with {done.returncode}: {done.stdout[-500:]}")
    left = daemon.docker("ps", "-aq").stdout.split()
    if left:
        result.failed.append(f"containers are left: {left}")
        daemon.docker("rm", "-f", *left)
    volumes = daemon.docker("volume", "ls", "-q").stdout.split()
    if volumes:  # act keeps its caches on purpose
        daemon.docker("volume", "rm", "-f", *volumes)
    return result


def table(results):
    lines = ["# Clients", "", "What real, unmodified clients do against `sockerlessd --simulator`. Made by `scripts/check-clients`; each client's cases are in",
             "`tests/clients/`.", "", "| client | version | cases | passed | failed | skipped |", "|---|---|---|---|---|---|"]
    for r in results:
        n = len(r.passed) + len(r.failed) + len(r.skipped)
        if r.why:
            lines.append(f"| {r.spec['name']} | | | | | skipped: {r.why} |")
        else:
            lines.append(f"| {r.spec['name']} | {r.version} | {n} | {len(r.passed)} | {len(r.failed)} | {len(r.skipped)} |")
    lines += ["", "## What is skipped, and why", ""]
    for r in results:
        lines += [f"- {r.spec['name']}: {case}" for case in r.skipped]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--debian", action="store_true")
    parser.add_argument("--write")
    parser.add_argument("clients", nargs="*")
    args = parser.parse_args()
    work = os.environ.get("SKL_CLIENTS_DIR") or tempfile.mkdtemp(prefix="skl-clients-")
    images = os.environ.get("SKL_IMAGES") or skl.make_images(os.path.join(work, "images"))
    results = []
    daemon = skl.Daemon(images)
    try:
        daemon.api.pull()
        for spec in specs(args.clients, args.debian):
            r = run_client(spec, daemon, work)
            results.append(r)
            for case in r.failed:
                print(f"FAIL: {spec['name']}: {case}", flush=True)
            if not r.why:
                print(f"{spec['name']} {r.version}: {len(r.passed)} passed, {len(r.failed)} failed, {len(r.skipped)} skipped", flush=True)
    finally:
        daemon.close()
    if args.write:
        with open(args.write, "w") as f:
            f.write(table(results))
    if not os.environ.get("SKL_CLIENTS_DIR"):
        shutil.rmtree(work, ignore_errors=True)
    print("clients: %d passed, %d failed, %d skipped" % (sum(len(r.passed) for r in results), sum(len(r.failed) for r in results),
                                                         sum(len(r.skipped) + bool(r.why) for r in results)))
    return 1 if any(r.failed for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
