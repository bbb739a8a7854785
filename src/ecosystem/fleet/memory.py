"""What a process and all below it cost in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecosystem.fleet.processes import descendants

# What the processes of a sandbox call themselves.
_SANDBOX, _SPAWNER, _WORKER = "sandbox ", "sandbox spawner", "sandbox worker"


@dataclass
class Memory:
    """What a process and all below it cost in bytes (proportional set size); `sandbox_bytes` is a part of it.

    A spawner is a sandbox's process that forks workers; a guardian, which waits for it, is counted in bytes only.
    """

    total_bytes: int = 0
    sandbox_bytes: int = 0
    spawners: int = 0
    workers: int = 0


def memory_of_group(pid: int, children: Mapping[int, list[int]] | None = None) -> Memory:
    """Of `pid` and all below it; who asks for many hands in `children_of_all()`, as it reads all of /proc."""
    found = Memory()
    for one in (pid, *descendants(pid, children)):
        cost_bytes, name = memory_bytes(one) or 0, _name_of(one)
        found.total_bytes += cost_bytes
        found.sandbox_bytes += cost_bytes if name.startswith(_SANDBOX) else 0
        found.spawners += name == _SPAWNER
        found.workers += name == _WORKER
    return found


def memory_bytes(pid: int) -> int | None:
    """Proportional set size: what a process costs when shared pages are shared out among their users."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def _name_of(pid: int) -> str:
    """What the process calls itself (see `name_process`)."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
