"""Goal: what a child allocates lies on pages that are its own. Method: a process of its own makes holes, and looks."""

import subprocess
import sys

import pytest

PROCESS = """
import sys
from ecosystem.kernel.sandbox import holes

size = int(sys.argv[1])
many = [index.to_bytes(2, "big") * (size // 2) for index in range(8000)]
held = many[::2]
del many
pages = {address >> 12 for one in held for address in (id(one), id(one) + sys.getsizeof(one))}

def on_new_pages():
    fresh = [bytes(size) for _ in range(1000)]
    return sum(id(one) >> 12 not in pages for one in fresh)

before = on_new_pages()
holes.fill()
print(before, on_new_pages())
assert held == [index.to_bytes(2, "big") * (size // 2) for index in range(0, 8000, 2)]
"""


@pytest.mark.parametrize("size", [100, 400, 700, 3000])
def test_what_is_made_after_the_holes_were_filled_lies_beside_what_was_held(size: int) -> None:
    ran = subprocess.run([sys.executable, "-c", PROCESS, str(size)], capture_output=True, text=True, check=True)

    before, after = map(int, ran.stdout.split())
    assert before < 100, "there were no holes to begin with"
    assert after > 900
