"""Drives gcf-bench (bench.c): starts it on the driver's shared object, sends operations, collects what it says.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess
import threading

FAILED, TIMEOUT, LOST, CANCELED, EXIT = 2, 3, 4, 5, 1   # SKL_END_*
WAIT = 60


def build_dir():
    return os.environ.get("SKL_BUILDDIR", os.getcwd())


class Bench:
    def __init__(self, **options):
        build = build_dir()
        self.process = subprocess.Popen(
            [os.path.join(build, "tests/e2e/gcf/gcf-bench"), os.path.join(build, "plugins/cloud-run-functions.so"),
             json.dumps({name.replace("_", "-"): value for name, value in options.items()})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.changed = threading.Condition()
        self.done, self.ended, self.lines, self.log, self.tags = {}, [], {}, [], 0
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.changed:
                if said.get("event") == "run_ended":
                    self.ended.append(said)
                elif said.get("event") == "log":
                    self.log.append(said["message"])
                elif "line" in said:
                    self.lines.setdefault(said["tag"], []).append(said)
                else:
                    self.done[said["tag"]] = said
                self.changed.notify_all()

    def send(self, operation, container=None, **more):
        """Begins an operation; its tag."""
        self.tags += 1
        tag = str(self.tags)
        self.process.stdin.write(json.dumps(dict(op=operation, tag=tag, container=container or {}, **more)) + "\n")
        self.process.stdin.flush()
        return tag

    def cancel(self, tag):
        self.process.stdin.write(json.dumps({"op": "cancel", "tag": tag}) + "\n")
        self.process.stdin.flush()

    def until(self, condition, wait=WAIT):
        with self.changed:
            assert self.changed.wait_for(condition, wait), "it did not happen in time"

    def wait(self, tag):
        self.until(lambda: tag in self.done)
        return self.done[tag]

    def call(self, operation, container=None, **more):
        """An operation that must succeed."""
        result = self.wait(self.send(operation, container, **more))
        assert result["error"] is None, result["error"]["message"]
        return result

    def end_of(self, container):
        found = []

        def ended():
            found[:] = [e for e in self.ended if e["id"] == container["id"] and e["run"] == container["run"]]
            return bool(found)

        self.until(ended)
        return found[0]

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0, "the bench did not end in order"


def container(number=1, **more):
    return dict({"id": f"{number:012x}{number:052x}", "argv": ["echo", "hi"], "env": ["A=1"], "run": 1,
                 "agent_token": f"token-{number}", "agent_callback_url": "http://127.0.0.1:3376"}, **more)
