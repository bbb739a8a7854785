"""Processes as /proc shows them: who stands below whom, since when, and what they hold."""

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name: state, parent, … None where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def alive(pid: int) -> bool:
    found = fields(pid)
    return found is not None and found[0] not in ("Z", "X")


def ticks(pid: int) -> int | None:
    """The start of a process since boot, which together with its pid names it for ever."""
    found = fields(pid)
    return int(found[19]) if found else None


def below(pid: int) -> list[int]:
    """Every process below `pid`, parents before children."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (found := fields(int(folder.name))):
            children.setdefault(int(found[1]), []).append(int(folder.name))
    found_below: list[int] = []
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(0), []):
            waiting.append(child)
            found_below.append(child)
    return found_below


def title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def memory_bytes(pid: int) -> int:
    """Proportional set size; 0 where it cannot be read."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def descriptors(pid: int, beside: Path) -> int:
    """Open files of a process but those in the folder `beside`."""
    found, within = 0, f"{beside}/"
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found += not os.readlink(f"/proc/{pid}/fd/{number}").startswith(within)
    return found


def ended_with_parent(number: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets this signal when the thread that started it ends."""
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(number))


def send(pid: int, since: int | None, number: signal.Signals) -> bool:
    """Signal a process, if it is still the one that began at `since`."""
    if since is not None and ticks(pid) != since:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
