#!/usr/bin/env python3
"""check_tree: the rules of the tree that a machine can see. HACKING.md says why each stands.

    check_tree.py [RULE...]      all rules without arguments; a line for each breach, exit code 1 if there is one

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Who may include whom. The arrows point one way: nothing below may name what stands above it.
BASE = {"base", "json"}
MAY_INCLUDE = {
    "core/base": {"base", "sockerless"},
    "core/json": BASE,
    "core/loop": BASE | {"loop"},
    "core/wire": BASE | {"wire"},
    "core/http": BASE | {"http", "wire", "loop"},
    "core/plugin": BASE | {"plugin", "loop", "sockerless"},
    "core/state": BASE | {"state", "plugin", "loop", "wire", "sockerless"},
    "drivers": BASE | {"drivers", "state", "wire", "loop"},
    "core/api": BASE | {"api", "http", "state", "drivers", "plugin", "loop", "wire", "sockerless"},
    "core/daemon": BASE | {"daemon", "api", "http", "state", "drivers", "plugin", "loop", "wire", "sockerless"},
    "agent": BASE | {"agent", "loop", "wire", "http"},
    "simulator": BASE | {"simulator", "loop", "wire", "http"},
    "include/sockerless": {"sockerless"},
    "plugins/gcp": {"sockerless", "gcp"},
    "plugins/null": {"sockerless"},
    "plugins/cloud-run-functions": {"sockerless", "gcp", "cloud-run-functions"},
}
CODE = tuple(sorted({path.split("/")[0] for path in MAY_INCLUDE}))
FILE_LINES, FUNCTION_LINES = 800, 80
BANNED_CALLS = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|system|popen|strtok|atoi|atol|alloca|tmpnam)\s*\(")
MARKERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")


def tracked():
    out = subprocess.run(["git", "-C", TOP, "ls-files"], capture_output=True, text=True)
    if out.returncode == 0:
        return [p for p in out.stdout.splitlines() if os.path.isfile(os.path.join(TOP, p))]
    found = []  # an unpacked tarball
    for directory, folders, names in os.walk(TOP):
        folders[:] = [f for f in folders if not f.startswith((".", "build", "autom4te"))]
        found += [os.path.relpath(os.path.join(directory, n), TOP) for n in names]
    return found


FILES = tracked()


def lines_of(path):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
        return f.read().splitlines()


def c_files(*roots):
    return [p for p in FILES if p.endswith((".c", ".h")) and p.startswith(tuple(r + "/" for r in roots))]


def rule_dependencies():
    """Includes between folders point one way."""
    for path in c_files(*CODE):
        room = max((r for r in MAY_INCLUDE if path.startswith(r + "/")), key=len, default=None)
        if room is None:
            yield f"{path}: in no known folder: add it to MAY_INCLUDE with what it may see"
            continue
        for number, line in enumerate(lines_of(path), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            target = m and m.group(1).split("/")[0]
            if target and "/" in m.group(1) and target not in MAY_INCLUDE[room]:
                yield f'{path}:{number}: {room} may not include "{m.group(1)}"'


def functions(lines):
    """(name, first line, length) of each function: a body begins at a brace in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            above = number - 1 - (number - start)
            name = next((m.group(1) for back in range(above, max(above - 8, -1), -1)
                         for m in [re.match(r"^\w[\w\s*]*?(\w+)\(", lines[back - 1])] if m), "?")
            yield name, start, number - start + 1
            start = None


def rule_lengths():
    """Files of at most 800 lines, functions of at most 80."""
    for path in c_files(*CODE, "tests") + [p for p in FILES if p.endswith(".py")]:
        lines = lines_of(path)
        if len(lines) > FILE_LINES:
            yield f"{path}: {len(lines)} lines, at most {FILE_LINES}"
        if path.endswith(".c"):
            for name, at, n in functions(lines):
                if n > FUNCTION_LINES:
                    yield f"{path}:{at}: {name}() has {n} lines, at most {FUNCTION_LINES}"
    null = len(lines_of("plugins/null/null.c"))
    if null >= 300:
        yield f"plugins/null/null.c: {null} lines: the template is to stay under 300"


def rule_calls():
    """Calls that are not used here."""
    for path in c_files(*CODE):
        for number, line in enumerate(lines_of(path), 1):
            m = BANNED_CALLS.search(re.sub(r'"(\\.|[^"\\])*"|/\*.*?\*/', "", line))
            if m and not line.lstrip().startswith(("* ", "*\n")):
                yield f"{path}:{number}: {m.group(1)}() is not used here"


def rule_markers():
    """No notes to self in the tree: what is open is an issue."""
    for path in FILES:
        if path.endswith((".yaml", ".json", ".tar")) or "/corpus/" in path:
            continue
        for number, line in enumerate(lines_of(path), 1):
            if MARKERS.search(line):
                yield f"{path}:{number}: {MARKERS.search(line).group(1)}"


def rule_licences():
    """Each source says under which licence it stands."""
    for path in FILES:
        if path.endswith((".c", ".h", ".py")) or path.startswith("scripts/") and not path.endswith(".mk"):
            if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines_of(path)[:60]):
                yield f"{path}: no SPDX line"


def rule_comments():
    """One kind of comment."""
    for path in c_files(*CODE):
        for number, line in enumerate(lines_of(path), 1):
            if re.match(r"^\s*//|.*[;{}]\s*//", re.sub(r'"(\\.|[^"\\])*"', "", line)):
                yield f"{path}:{number}: // comment"


RULES = {name[5:]: rule for name, rule in list(globals().items()) if name.startswith("rule_")}


def main(names):
    bad = 0
    for name in names or RULES:
        for breach in RULES[name]():
            print(f"{name}: {breach}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
