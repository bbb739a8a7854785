"""Temporary files of tests in memory: clusters of PostgreSQL are made and thrown away by the dozen.

Settings of the engines stay those of production (fsync on); only the disk below them is not one. A test kills
processes, never the machine, and what a killed process has written is there in both. Benchmarks stay on the disk.
"""

import os
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_FREE_BYTES_MIN = 6 * 2**30


def take_for_temporary_files() -> None:
    """Let this process and its children make temporary files in memory, where that is roomy and runs programs.

    A choice of the caller's own (`TMPDIR`) stays.
    """
    if "TMPDIR" not in os.environ and _is_fit():
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def _is_fit() -> bool:
    try:
        about = os.statvfs(_MEMORY)
    except OSError:
        return False
    free = min(about.f_bavail * about.f_frsize, _available_bytes())
    return free >= _FREE_BYTES_MIN and not about.f_flag & os.ST_NOEXEC and os.access(_MEMORY, os.W_OK | os.X_OK)


def _available_bytes() -> int:
    """What the kernel could still give: a tmpfs may be larger than the memory."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
