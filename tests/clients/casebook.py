"""What the Python clients' cases share: @case collects them, main() runs them and prints run.py's lines.

SPDX-License-Identifier: Apache-2.0
"""
import sys
import time
import traceback

CASES = []


def case(fn):
    CASES.append(fn)
    return fn


def until(test, what="it", timeout=30):
    """Polls until test() is true; its value."""
    end = time.time() + timeout
    while True:
        value = test()
        if value:
            return value
        assert time.time() < end, what + " did not happen"
        time.sleep(0.02)


def refused(fn, *args, **kw):
    """What fn raises."""
    try:
        fn(*args, **kw)
    except Exception as e:
        return e
    raise AssertionError("it was not refused")


def main(version, skips, on_failure=None, only=sys.argv[1:]):
    print("version -", version)
    for fn in CASES:
        if only and fn.__name__ not in only:
            continue
        try:
            fn()
            print("ok -", fn.__name__, flush=True)
        except Exception:
            print("not ok -", fn.__name__ + ":", traceback.format_exc(limit=-2).replace("\n", " | "), flush=True)
            if on_failure:
                on_failure()
    for name, why in skips.items():
        print("skip -", name + ":", why)
