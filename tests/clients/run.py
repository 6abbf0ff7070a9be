#!/usr/bin/env python3
"""Runs real, unmodified clients against `sockerlessd --simulator` and counts; those in gcp/, Google's own, against the simulator itself.

    run.py [--debian] [--write FILE] [CLIENT...]

Each folder here is a client. Its client.json says what it is: {"name", "debian": true if Debian packages are all it needs, "install": [command...],
"run": [command...], "needs": [programs], "images": {name: one of images.py},
"daemon": [options of a daemon of its own], "note": why, "skip": why it can't be had at all}. Commands run in a work directory of the client's own (kept in SKL_CLIENTS_DIR between runs, so that what was
downloaded stays), with DOCKER_HOST set and HERE naming the folder. `run` prints a line a case: "ok - NAME", "not ok - NAME: WHY" or
"skip - NAME: WHY", and "version - V". Google's clients get SIM_URL instead of DOCKER_HOST, a simulator each, and may name its options
("simulator": [...]). A client that can't be had on this machine is skipped as a whole, with the reason.

--debian: those alone. --write: the tables as Markdown (docs/clients.md); what it says of clients that were not named stays. The exit code is 1 when a case failed.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import functools
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
    folders = [f for f in os.listdir(HERE)] + ["gcp/" + f for f in os.listdir(os.path.join(HERE, "gcp"))]
    for folder in sorted(folders, key=lambda f: (f.startswith("gcp/"), f)):
        path = os.path.join(HERE, folder, "client.json")
        if os.path.exists(path) and (not names or folder in names or os.path.dirname(folder) in names):
            with open(path) as f:
                spec = dict(json.load(f), folder=os.path.join(HERE, folder), key=folder, cloud=folder.startswith("gcp/"))
            if spec.get("debian") or not debian:
                found.append(spec)
    return found


class DockerHouse:
    """One daemon for all of Docker's clients, started when the first needs it."""

    def __init__(self, images, args=()):
        self.images, self.args, self.daemon = images, args, None

    def env(self, cwd):
        if self.daemon is None:
            self.daemon = skl.Daemon(self.images(), args=self.args)
            self.daemon.api.pull()
        return {"DOCKER_HOST": self.daemon.host, "TESTCONTAINERS_RYUK_DISABLED": "true", "DOCKER_CONFIG": os.path.join(cwd, ".docker")}

    def leftovers(self):
        left = self.daemon.docker("ps", "-aq").stdout.split()
        if left:
            self.daemon.docker("rm", "-f", *left)
        volumes = self.daemon.docker("volume", "ls", "-q").stdout.split()
        if volumes:  # act keeps its caches on purpose
            self.daemon.docker("volume", "rm", "-f", *volumes)
        return [f"containers are left: {left}"] if left else []

    def close(self):
        if self.daemon is not None:
            self.daemon.close()


class GoogleHouse:
    """A simulator of a Google client's own."""

    def __init__(self, images, spec):
        self.images, self.cloud = images, skl.Cloud(images(), spec.get("simulator", []))

    def env(self, cwd):
        return {"SIM_URL": self.cloud.url, "SIM_PROJECT": skl.PROJECT, "SIM_REGION": skl.REGION, "SIM_REQUESTS": os.path.join(self.cloud.state, "requests.jsonl"),
                "SIM_DISCOVERY": os.path.join(HERE, "..", "api", "google")}

    def leftovers(self):
        left = sorted(self.cloud.names())
        unknown = sorted({f"{r['method']} {r['path']}" for r in self.cloud.requests() if r["rpc"] == "unknown"})
        return [f"functions are left: {left}"] * bool(left) + [f"the simulator has no {u}" for u in unknown]

    def close(self):
        self.cloud.close()


def command(argv, env, cwd, timeout):
    return subprocess.run([os.path.expandvars(a.replace("$HERE", env["HERE"])) for a in argv], env=env, cwd=cwd, timeout=timeout, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run_client(spec, house, work):
    result = Result(spec)
    if spec.get("skip"):
        return result.missing(spec["skip"])
    gone = [p for p in spec.get("needs", []) if not (os.path.exists(p) if p.startswith("/") else shutil.which(p))]
    if gone:
        return result.missing("not on this machine: " + ", ".join(gone))
    why = image_store.give(spec.get("images", {}), house.images(), work)
    if why:
        return result.missing(why)
    cwd = os.path.join(work, spec["key"])
    os.makedirs(cwd, exist_ok=True)
    env = dict(os.environ, HERE=spec["folder"], HOME=cwd, **house.env(cwd))
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
    result.failed += house.leftovers()
    return result


HEAD = ["| client | version | cases | passed | failed | skipped |", "|---|---|---|---|---|---|"]


def row(r):
    n = len(r.passed) + len(r.failed) + len(r.skipped)
    if r.why:
        return f"| {r.spec['name']} | | | | | skipped: {r.why} |"
    return f"| {r.spec['name']} | {r.version} | {n} | {len(r.passed)} | {len(r.failed)} | {len(r.skipped)} |"


def table(results, before):
    """The page; what `before`, the page so far, says of clients that did not run is kept."""
    ran = {r.spec["key"]: r for r in results}
    rows, skips = {False: [], True: []}, []
    for spec in specs([], False):
        r = ran.get(spec["key"])
        rows[spec["cloud"]] += [row(r)] if r else [line for line in before if line.startswith(f"| {spec['name']} |")]
        skips += [f"- {spec['name']}: {case}" for case in r.skipped] if r else [line for line in before if line.startswith(f"- {spec['name']}: ")]
    lines = ["# Clients", "", "What real, unmodified clients do against `sockerlessd --simulator`. Made by `scripts/check-clients`; each client's cases are in",
             "`tests/clients/`.", "", *HEAD, *rows[False], "", "## Google's clients, and the simulator alone", "",
             "What Google's own clients do against `sockerless-gcp-simulator` (`tests/clients/gcp/`).", "", *HEAD, *rows[True], "", "## What is skipped, and why", "", *skips]
    notes = [f"- `sockerlessd {' '.join(spec['daemon'])}` for {spec['name']}: {spec['note'][0].lower()}{spec['note'][1:]}" for spec in specs([], False) if spec.get("daemon")]
    lines += ["", "## Whose daemon has options of its own", "", *notes]
    return "\n".join(lines) + "\n"


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return f.read().splitlines()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--debian", action="store_true")
    parser.add_argument("--write")
    parser.add_argument("clients", nargs="*")
    args = parser.parse_args()
    work = os.environ.get("SKL_CLIENTS_DIR") or tempfile.mkdtemp(prefix="skl-clients-")
    images = functools.cache(lambda: os.environ.get("SKL_IMAGES") or skl.make_images(os.path.join(work, "images")))
    results = []
    docker = DockerHouse(images)
    try:
        for spec in specs(args.clients, args.debian):
            house = GoogleHouse(images, spec) if spec["cloud"] else DockerHouse(images, spec["daemon"]) if spec.get("daemon") else docker
            try:
                r = run_client(spec, house, work)
            finally:
                if house is not docker:
                    house.close()
            results.append(r)
            for case in r.failed:
                print(f"FAIL: {spec['name']}: {case}", flush=True)
            if not r.why:
                print(f"{spec['name']} {r.version}: {len(r.passed)} passed, {len(r.failed)} failed, {len(r.skipped)} skipped", flush=True)
    finally:
        docker.close()
    if args.write:
        text = table(results, read_lines(args.write))
        with open(args.write, "w") as f:
            f.write(text)
    if not os.environ.get("SKL_CLIENTS_DIR"):
        shutil.rmtree(work, ignore_errors=True)
    print("clients: %d passed, %d failed, %d skipped" % (sum(len(r.passed) for r in results), sum(len(r.failed) for r in results),
                                                         sum(len(r.skipped) + bool(r.why) for r in results)))
    return 1 if any(r.failed for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
