"""A small file system for the home: a tmpfs in a mount namespace that only the campaign and its platform see.

The machine's disks and its table of mounts stay as they are; the file system ends with the campaign.
"""

import ctypes
import os
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE, _MNT_DETACH = 0x4000, 1 << 18, 2
_SIZE_BYTES = 1024**3
_MEMORY_BYTES_LEAST = 3 * 1024**3
_libc = ctypes.CDLL(None, use_errno=True)


def mount_own(folder: Path) -> str | None:
    """Make `folder` a file system of its own. None where it is one now, else why it is not.

    Call it while the process has one thread: the namespace is the thread's.
    """
    if os.geteuid() != 0:
        return "only root can mount a file system for the home"
    if _memory_bytes() < _MEMORY_BYTES_LEAST:
        return "a file system in memory for the home needs 3 GiB of free memory"
    if _libc.unshare(_CLONE_NEWNS):
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    if _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None):
        return f"mounts cannot be made private: {os.strerror(ctypes.get_errno())}"
    folder.mkdir(exist_ok=True)
    if _libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={_SIZE_BYTES},mode=0711".encode()):
        return f"no tmpfs: {os.strerror(ctypes.get_errno())}"
    return None


def unmount(folder: Path) -> None:
    """Let go of what `mount_own` has mounted."""
    _libc.umount2(os.fsencode(folder), _MNT_DETACH)


def _memory_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
