"""Sessions of the docker CLI compared with what Docker prints: tests/transcripts/README.md.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os
import re
import subprocess

import pytest

import skl

HERE = os.path.join(skl.TOP, "tests/transcripts")
DURATION = r"(?:Less than a second|About a minute|About an hour|1 second|\d+ (?:seconds|minutes|hours|days))"
FORMS = {"id": "[0-9a-f]{64}", "short": "[0-9a-f]{12}", "sha": "sha256:[0-9a-f]{64}", "ago": DURATION + " ago", "age": DURATION,
         "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "clock": r"\d\d:\d\d:\d\d", "n": r"\d+", "name": r"[a-z]+_[a-z]+\d?", "*": ".*"}


class Step:
    def __init__(self, number, command):
        self.number, self.command, self.out, self.err, self.code = number, command, [], [], 0


def parse(text, generation):
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$ "):
            steps.append(Step(number, line[2:]))
            continue
        if line.startswith("#") or not steps:
            continue
        only = re.match(r"\[(20|28)\] ?", line)
        if only and only[1] != generation:
            continue
        line = line[only.end():] if only else line
        code = re.fullmatch(r"\[exit (\d+)\]", line)
        if code:
            steps[-1].code = int(code[1])
        elif line.startswith("!"):
            steps[-1].err.append(line[2:])
        else:
            steps[-1].out.append(line)
    for step in steps:  # empty lines between steps are for the eye
        while step.out and not step.out[-1]:
            step.out.pop()
    return steps


def flat(line):
    return re.sub(" {2,}", "  ", line.rstrip())


def pattern(line, known):
    """The regular expression of an expected line."""
    out, at = "", 0
    for m in re.finditer(r"<=(\w+):<(\w+)>>|<\$(\w+)>|<([a-z]+|\*)>", line):
        out += re.escape(line[at:m.start()])
        at = m.end()
        if m[1]:
            out += f"(?P<{m[1]}>{FORMS[m[2]]})"
        elif m[3]:
            out += re.escape(known[m[3]])
        elif m[4] in FORMS:
            out += f"(?:{FORMS[m[4]]})"
        else:
            out += re.escape(m[0])
    return out + re.escape(line[at:])


def compare(step, what, want, got, known):
    lines = [flat(x) for x in got.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    told = f"line {step.number}: $ {step.command}\n--- wanted on {what}:\n" + "\n".join(want) + f"\n--- got:\n{got}"
    assert len(lines) == len(want), told
    for have, line in zip(lines, want):
        m = re.fullmatch(pattern(flat(line), known), have)
        assert m, f"{told}\n--- this line: {line!r}\n--- is:        {have!r}"
        known.update(m.groupdict())


def transcripts():
    return sorted(os.path.basename(p)[:-4] for p in glob.glob(os.path.join(HERE, "*.txt")))


def clis():
    """The first CLI of each generation on the PATH: {generation: directory}."""
    found = {}
    for directory in os.environ["PATH"].split(os.pathsep):
        if os.access(os.path.join(directory, "docker"), os.X_OK):
            version = subprocess.run([os.path.join(directory, "docker"), "--version"], capture_output=True, text=True, check=True).stdout
            found.setdefault("28" if int(re.search(r"(\d+)\.", version)[1]) >= 23 else "20", directory)
    return found


@pytest.mark.parametrize("generation,directory", sorted(clis().items()))
@pytest.mark.parametrize("name", transcripts())
def test_transcript(images, tmp_path, name, generation, directory):
    d = skl.Daemon(images)
    env = {"PATH": directory + os.pathsep + os.environ["PATH"], "HOME": str(tmp_path), "DOCKER_HOST": d.host, "TZ": "UTC", "COLUMNS": "200"}
    known = {}
    try:
        d.api.pull()
        with open(os.path.join(HERE, name + ".txt")) as f:
            steps = parse(f.read(), generation)
        assert steps
        for step in steps:
            command = re.sub(r"<\$(\w+)>", lambda m: known[m[1]], step.command)
            done = subprocess.run(["bash", "-c", command], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=skl.TIMEOUT, stdin=subprocess.DEVNULL)
            compare(step, "stdout", step.out, done.stdout, known)
            compare(step, "stderr", step.err, done.stderr, known)
            assert done.returncode == step.code, f"line {step.number}: $ {step.command}: exit {done.returncode}\n{done.stderr}"
    finally:
        d.close()
