"""kill -9 at random instants of a random workload: chaos.py. SKL_CRASH_CYCLES says how many (scripts/check-slow: 300),
SKL_CRASH_SEED repeats one that failed.

SPDX-License-Identifier: Apache-2.0
"""
import os
import random

from chaos import Chaos

CYCLES = int(os.environ.get("SKL_CRASH_CYCLES", "8"))


def test_kill_9_at_random_instants(house):
    seed = int(os.environ.get("SKL_CRASH_SEED", random.randrange(1 << 32)))
    print(f"SKL_CRASH_SEED={seed}")
    chaos = Chaos(house, seed)
    for i in range(CYCLES):
        print("cycle", i)
        chaos.cycle()
    done = sum(w.done for w in chaos.workers)
    print(done, "steps")
    assert done > CYCLES
    chaos.clear()
