"""The kernel calls of Linux that a parent of processes needs, and nothing about what the processes do.

Light, as `place` is: each command and the supervisor import it first.
"""

import ctypes
import os
import pwd
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

STOPPED, TRACED = "T", "t"  # proc_pid_stat(5)
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_libc = ctypes.CDLL(None, use_errno=True)


class Account(NamedTuple):
    """Whom engines and services run as when the platform is started by root."""

    name: str
    uid: int
    gid: int


def unprivileged_account(names: tuple[str, ...] = ("ecosystem", "nobody")) -> Account | None:
    """The first of `names` that exists, when we are root; None otherwise: then everything runs as who we are."""
    if os.geteuid() != 0:
        return None
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    return Account("nobody", 65534, 65534)


def become(account: Account) -> None:
    """Give up root for good. Files that only root reads must be open by now."""
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)


def become_subreaper() -> None:
    """Orphans of our descendants become our children (prctl(2)). Raises OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: signal.Signals) -> None:
    """Ask for a signal when the parent thread ends. A change of uid clears it, so call it after that."""
    _prctl(_PR_SET_PDEATHSIG, int(number))


def name_process(name: str) -> None:
    """What `ps -o comm` shows (15 bytes)."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def run_state(pid: int) -> str:
    """The letter of proc_pid_stat(5), such as STOPPED by a signal or TRACED by a debugger; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def is_alive(pid: int) -> bool:
    """Whether a process runs: a zombie does not."""
    return run_state(pid) not in ("", "Z", "X")


def started_ticks(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot: pid and this together are unique until a reboot."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def children_of_all() -> dict[int, list[int]]:
    """The living processes below each process that has any, by pid, at this moment."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            children.setdefault(parent, []).append(int(folder.name))
    return children


def descendants(pid: int, children: Mapping[int, list[int]] | None = None) -> Iterator[int]:
    """Every living process below `pid`, parents before children. `children` are those of all, if they are known."""
    children = children_of_all() if children is None else children
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(0), []):
            waiting.append(child)
            yield child
