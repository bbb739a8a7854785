"""Goal: memory that becomes dense is still the same memory. Method: a process of its own has some, and looks."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")
PROCESS = """
import mmap
from ecosystem.kernel.sandbox.dense import Density

def dense_kilobytes():
    return sum(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages"))

memory = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(0, len(memory), 4096):
    memory[page : page + 8] = page.to_bytes(8, "big")
density = Density(calls_before=1, pieces_each=2)
seen = []
for _ in range(40):
    density.go_on()
    seen.append(dense_kilobytes())
assert all(memory[page : page + 8] == page.to_bytes(8, "big") for page in range(0, len(memory), 4096))
print(*seen)
"""


def test_memory_becomes_dense_piece_by_piece_and_keeps_what_it_holds() -> None:
    ran = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True)

    seen = [int(kilobytes) for kilobytes in ran.stdout.split()]
    assert seen[0] == 0, "the first call was to do nothing"
    assert max(after - before for before, after in pairwise(seen)) <= 2 * 2048
    if "[never]" in SWITCH.read_text(encoding="ascii") or not seen[-1]:
        pytest.skip("this kernel gives no large pages")
    assert seen[-1] >= 14 << 10
