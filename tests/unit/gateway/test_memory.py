"""What was freed goes back to the system, also from between what is used; what was loaded is not looked through."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

HOLES = """
import asyncio, gc
from gateway import memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

async def until_given_back(least):
    giving = asyncio.create_task(memory.give_back(0.01))
    while before - resident() < least and not giving.done():
        await asyncio.sleep(0.01)
    giving.cancel()

memory.set_up_heaps()
memory.settle()
print(gc.get_freeze_count())
held = [bytes(20_000) for _ in range(4000)]
del held[::2]
before = resident()
asyncio.run(asyncio.wait_for(until_given_back(20_000_000), 30))
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such call")
def test_holes_between_what_is_used_go_back_to_the_system() -> None:
    told = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stderr
    frozen, given = map(int, told.stdout.split())
    assert frozen > 10_000
    assert given >= 20_000_000
