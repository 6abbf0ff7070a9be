"""A random workload that is cut off by kill -9, and what must hold after each restart (issue 4).

What a client asked for is in one of three states: there (acknowledged), gone (acknowledged), or in doubt (the daemon was
killed before it answered). After a restart everything that is there or gone must be so, what is in doubt must be one or
the other altogether, and nothing else may exist, here or in the cloud.

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import threading
import time

from dockerapi import demux, wait_until
from skl import eventually

DOUBT = None
COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done"
MAX_BOXES, MAX_RUNNING = 5, 2  # a worker


class Cut(Exception):
    """The daemon was killed under a request."""


class Box:
    def __init__(self, name, cmd, auto=False):
        self.names, self.cmd, self.auto, self.id = {name}, cmd, auto, None  # auto: --rm
        self.there, self.running, self.killing, self.code = DOUBT, False, False, None

    @property
    def name(self):
        return next(iter(self.names))


class Worker:
    """One client. Its names are its own, so what it does depends on nobody else."""

    def __init__(self, api, number, seed):
        self.api, self.number, self.random = api, number, random.Random(f"{seed}-{number}")
        self.boxes, self.serial, self.failure, self.done = [], 0, None, 0
        self.things = {"tag": {}, "network": {}, "volume": {}}  # name: True, False, DOUBT

    def begin(self):
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def join(self):
        self.thread.join(60)
        assert not self.thread.is_alive(), "a request hangs on a dead daemon"
        if self.failure is not None:
            raise self.failure

    def work(self):
        try:
            while True:
                self.random.choice([self.new, self.new, self.start, self.run_out, self.kill, self.remove, self.rename,
                                    self.thing, self.thing])()
                self.done += 1
        except Cut:
            pass
        except BaseException as e:  # noqa: B902: told to the test
            self.failure = e

    def ask(self, method, path, body=None, want=()):
        try:
            answer = self.api.request(method, path, body)
        except (OSError, EOFError, ValueError):  # ValueError: half a head
            raise Cut() from None
        assert answer.status in want, f"{method} {path}: {answer!r}"
        return answer

    def fresh_name(self, kind):
        self.serial += 1
        return f"{kind}-{self.number}-{self.serial}"

    def pick(self, test):
        found = [b for b in self.boxes if b.there and test(b)]
        return self.random.choice(found) if found else None

    # ---- containers ----
    def new(self):
        if len(self.boxes) >= MAX_BOXES:
            self.remove()
            return
        code = self.random.randrange(0, 100)
        box = Box(self.fresh_name("box"), self.random.choice([COUNT, f"echo 0; exit {code}"]), self.random.random() < 0.2)
        self.boxes.append(box)
        body = {"Image": "busybox", "Cmd": ["sh", "-c", box.cmd], "Labels": {"name": box.name}, "Volumes": {"/data": {}},
                "HostConfig": {"AutoRemove": box.auto}}
        box.id = self.ask("POST", f"/containers/create?name={box.name}", body, [201]).json["Id"]
        box.there = True

    def start(self):
        box = self.pick(lambda b: not b.running and b.cmd == COUNT)
        if box is None or sum(1 for b in self.boxes if b.running is not False) >= MAX_RUNNING:
            return
        box.running, box.code = DOUBT, None
        self.ask("POST", f"/containers/{box.id}/start", None, [204])
        box.running = True

    def run_out(self):
        box = self.pick(lambda b: b.cmd != COUNT and not b.running)
        if box is None:
            return
        box.running, box.code = DOUBT, None
        if box.auto:
            self.run_away(box)
            return
        self.ask("POST", f"/containers/{box.id}/start", None, [204])
        box.code = self.ask("POST", f"/containers/{box.id}/wait", None, [200]).json["StatusCode"]
        box.running = False
        assert box.code == int(box.cmd.split()[-1]), box.cmd

    def run_away(self, box):
        """As docker run --rm: it is gone when the wait is answered."""
        box.there = DOUBT
        try:
            waiting = self.api.open("POST", f"/containers/{box.id}/wait?condition=removed")
            self.ask("POST", f"/containers/{box.id}/start", None, [204])
            code = (waiting.json() or {}).get("StatusCode")
        except (OSError, EOFError, ValueError):
            raise Cut() from None
        if code is None:
            raise Cut()
        assert code == int(box.cmd.split()[-1]), box.cmd
        self.boxes.remove(box)

    def kill(self):
        box = self.pick(lambda b: b.running and not b.auto)
        if box is None:
            return
        box.running, box.killing = DOUBT, True
        self.ask("POST", f"/containers/{box.id}/kill", None, [204])
        box.running, box.killing, box.code = False, False, 137

    def remove(self):
        box = self.pick(lambda b: True)
        if box is None:
            return
        box.there = DOUBT
        self.ask("DELETE", f"/containers/{box.id}?force=1&v=1", None, [204])
        self.boxes.remove(box)

    def rename(self):
        box = self.pick(lambda b: True)
        if box is None:
            return
        name = self.fresh_name("box")
        box.names.add(name)
        self.ask("POST", f"/containers/{box.id}/rename?name={name}", None, [204])
        box.names = {name}

    # ---- tags, networks, volumes ----
    def thing(self):
        kind = self.random.choice(sorted(self.things))
        known = [n for n, there in self.things[kind].items() if there]
        if len(known) >= 4 or (known and self.random.random() < 0.3):
            self.change(kind, self.random.choice(known), False)
        else:
            self.change(kind, self.fresh_name(kind), True)

    def change(self, kind, name, make):
        make_it = {"tag": ("POST", f"/images/busybox/tag?repo={name}&tag=t", None),
                   "network": ("POST", "/networks/create", {"Name": name}), "volume": ("POST", "/volumes/create", {"Name": name})}
        drop_it = {"tag": f"/images/{name}:t", "network": f"/networks/{name}", "volume": f"/volumes/{name}"}
        self.things[kind][name] = DOUBT
        if make:
            self.ask(*make_it[kind], [200, 201])
        else:
            self.ask("DELETE", drop_it[kind], None, [200, 204])
        self.things[kind][name] = make


def counted(text):
    """Whether the lines are runs of 0, 1, 2, ... without a gap or a repeat."""
    want = 0
    for line in text.split(b"\n")[:-1]:
        got = int(line)
        if got not in (want, 0):
            raise AssertionError(f"line {got} where {want} was due: ...{text[:60]!r}")
        want = got + 1


class Chaos:
    def __init__(self, house, seed, workers=3):
        self.house, self.api, self.random = house, house.api, random.Random(seed)
        self.workers = [Worker(house.api, i, seed) for i in range(workers)]

    def cycle(self):
        for w in self.workers:
            w.begin()
        time.sleep(self.random.uniform(0, 0.5))  # the random instant
        self.house.kill9()
        for w in self.workers:
            w.join()
        self.house.start()
        self.check()

    # ---- what must hold ----
    def check(self):
        listed = {c["Id"]: c for c in self.api.get("/containers/json?all=1").json}
        for w in self.workers:
            for box in list(w.boxes):
                self.check_box(w, box, listed)
            self.check_things(w)
        known = {b.id for w in self.workers for b in w.boxes}
        listed = {c["Id"] for c in self.api.get("/containers/json?all=1").json}
        assert listed == known, f"nobody asked for {listed - known}"
        self.check_volumes()
        left = {d for w in ("logs", "staging") for d in os.listdir(os.path.join(self.house.state, w))} - known
        assert not left, f"files of no container: {left}"
        names = {"skls-" + i[:12] for i in listed}
        wait_until(lambda: self.house.cloud.names() == names, "the cloud to hold what the daemon knows, and nothing else")

    def check_box(self, w, box, listed):
        if box.id is None:  # a create in doubt
            box.id = next((i for i, c in listed.items() if c["Names"] == ["/" + box.name]), None)
        if box.id not in listed:
            assert box.there is DOUBT, f"{box.names}: an acknowledged container is gone"
            w.boxes.remove(box)
            return
        if box.auto and box.cmd != COUNT and box.running is DOUBT and self.goes_by_itself(box):
            w.boxes.remove(box)
            return
        box.there = True
        seen = self.api.inspect(box.id)
        assert seen["Name"][1:] in box.names, (seen["Name"], box.names)
        box.names = {seen["Name"][1:]}
        assert seen["Config"]["Labels"]["name"] and seen["Config"]["Cmd"] == ["sh", "-c", box.cmd]
        self.check_run(box, seen["State"])

    def goes_by_itself(self, box):
        """A --rm container whose start was in doubt: never begun, or on its way out."""
        def settled():
            answer = self.api.get(f"/containers/{box.id}/json")
            return answer.status == 404 or answer.json["State"]["Status"] == "created"

        wait_until(settled, "a container to remove itself")
        return self.api.get(f"/containers/{box.id}/json").status == 404

    def settle(self, box):
        """A kill was in doubt: the signal may have arrived, and the exit still be on its way. Another one ends the doubt."""
        assert self.api.post(f"/containers/{box.id}/kill").status in (204, 409)
        self.api.wait(box.id)
        box.running, box.killing, box.code = False, False, 137

    def check_run(self, box, state):
        if box.killing:
            self.settle(box)
            state = self.api.inspect(box.id)["State"]
        if box.cmd == COUNT and box.running is not DOUBT:
            assert state["Running"] == box.running, (box.names, state, self.said_of(box))
        if box.code is not None:
            assert not state["Running"] and state["ExitCode"] == box.code, (box.names, box.code, state)
        if box.cmd == COUNT and state["Running"]:
            eventually(lambda: self.grows(box))
        elif state["Running"]:  # about to end
            code = self.api.wait(box.id)
            assert code == int(box.cmd.split()[-1]), (box.cmd, self.api.inspect(box.id)["State"])
        counted(self.output(box))
        box.running = box.cmd == COUNT and self.api.inspect(box.id)["State"]["Running"]

    def said_of(self, box):
        return [line for line in self.house.log().splitlines() if box.id[:12] in line][-20:]

    def output(self, box):
        body, frames = self.api.get(f"/containers/{box.id}/logs?stdout=1").body, []
        while body:
            n = int.from_bytes(body[4:8], "big")
            frames.append((body[0], body[8:8 + n]))
            body = body[8 + n:]
        return demux(frames)[1]

    def grows(self, box):
        """Its agent is here again (or the run was in doubt and is ended)."""
        had = len(self.output(box))
        wait_until(lambda: len(self.output(box)) > had or not self.api.inspect(box.id)["State"]["Running"], "more output")

    def check_things(self, w):
        have = {"tag": {t for i in self.api.get("/images/json").json for t in i["RepoTags"] or []},
                "network": {n["Name"] for n in self.api.get("/networks").json},
                "volume": {v["Name"] for v in self.api.get("/volumes").json["Volumes"]}}
        for kind, names in w.things.items():
            for name, there in list(names.items()):
                seen = (name + ":t" if kind == "tag" else name) in have[kind]
                assert there is DOUBT or seen == there, f"{kind} {name} is{'' if seen else ' not'} there"
                names[name] = seen
            mine = {n.removesuffix(":t") for n in have[kind] if n.startswith(f"{kind}-{w.number}-")}
            assert mine <= set(names), f"nobody asked for {mine - set(names)}"

    def check_volumes(self):
        eventually(self.volumes_are_those_of_boxes)  # a half-done create takes its time to be undone

    def volumes_are_those_of_boxes(self):
        have = {v["Name"] for v in self.api.get("/volumes").json["Volumes"]}
        used = {m["Name"] for w in self.workers for b in w.boxes for m in self.api.inspect(b.id)["Mounts"]}
        assert used <= have, used - have
        left = {v for v in have - used if not v.startswith("volume-")}
        assert not left, f"volumes of no container: {left}"

    def clear(self):
        for w in self.workers:
            for box in w.boxes:
                assert self.api.remove(box.id, volumes=True).status == 204
        wait_until(lambda: not self.house.cloud.functions())
