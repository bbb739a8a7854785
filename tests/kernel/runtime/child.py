"""The small service as a process of its own: `python -m tests.kernel.runtime.child SETTINGS.json READY_FD`."""

import json
import sys
from pathlib import Path

from ecosystem.catalog import find
from ecosystem.kernel.runtime.serve import serve
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.settings import Source
from tests.kernel.runtime.small import CONTRACTS, NAME, build_small


def build(kernel: Kernel) -> Service:
    return build_small(kernel)[1]


if __name__ == "__main__":
    entry = find(NAME)
    assert entry
    settings = json.loads(Path(sys.argv[1]).read_text())
    sys.exit(serve(entry, build, Source.load(overrides=settings), contracts=CONTRACTS, ready_fd=int(sys.argv[2])))
