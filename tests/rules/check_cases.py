#!/usr/bin/env python3
"""Each case of tests/cases/list.txt has a test that is there, or a reason why it can't occur; see the head of that list.

    tests/rules/check_cases.py [top directory]

SPDX-License-Identifier: Apache-2.0
"""
import collections
import glob
import os
import re
import sys

TOP = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def lines(path):
    with open(os.path.join(TOP, path)) as f:
        for n, line in enumerate(f, 1):
            if line.strip() and not line.startswith("#"):
                yield f"{os.path.relpath(path, TOP)}:{n}", line.rstrip("\n").split("\t")


def defines(path, test):
    """Whether the file has a test of that name: a Python function, or a C test that its UNIT_MAIN names."""
    try:
        with open(os.path.join(TOP, path)) as f:
            text = f.read()
    except OSError:
        return False
    name = re.escape(test)
    return bool(re.search(rf"^def {name}\(", text, re.M) if path.endswith(".py") else re.search(rf"\bUNIT\({name}\)", text))


def check():
    faults, wanted, had = [], collections.Counter(), collections.Counter()
    for where, fields in lines("tests/cases/list.txt"):
        wanted[fields[0]] += 1
        if len(fields) != 2 or not re.fullmatch("[UP]-[0-9]+", fields[0]) or wanted[fields[0]] > 1:
            faults.append(f"{where}: not a case and its title, or a second time")
    for path in sorted(glob.glob(os.path.join(TOP, "tests/cases/*.tsv"))):
        for where, fields in lines(path):
            if len(fields) != 3 or fields[0] not in wanted:
                faults.append(f"{where}: not a case of the list, a file and a test")
            elif fields[1] == "-":
                had[fields[0]] += bool(fields[2])
            elif defines(fields[1], fields[2]):
                had[fields[0]] += 1
            else:
                faults.append(f"{where}: {fields[1]} has no test {fields[2]}")
    return faults + [f"{case}: no test, and no reason" for case in wanted if not had[case]]


if __name__ == "__main__":
    found = check()
    print("\n".join(found))
    sys.exit(1 if found else 0)
