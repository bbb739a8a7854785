"""The journal of one machine's processes: every start, readiness and end with its cause, one JSON object a line.

Written by the supervisor, which needs no database for it, and read by recovery-agent. `sequence` counts on from file
to file; `life` is when the supervisor started that wrote the line: both together name a line for ever.
"""

import os
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

_KEPT_LINES_MAX = 1000
_TAIL_BYTES = 64 * 1024
SUPERVISOR = "supervisor"


class What(StrEnum):
    """`stopped`: asked for, or given up for a while where it is not planned. `frozen`: ended, because it was silent."""

    STARTED = "started"
    READY = "ready"
    ENDED = "ended"
    FROZEN = "frozen"
    HELD_BACK = "held_back"
    STOPPED = "stopped"


class Journal:
    """Appends to `file`. Beyond `bytes_max` the file becomes `<file>.1`, in place of the one before it.

    Nothing is raised: what a full disk refuses is kept, up to 1000 lines, and written with the next line or `flush`.
    """

    def __init__(self, file: Path, bytes_max: int, life: str) -> None:
        self._file, self._bytes_max, self._life = file, bytes_max, life
        self._unwritten: deque[bytes] = deque(maxlen=_KEPT_LINES_MAX)
        self._sequence = max(last_sequence(file), last_sequence(former(file)))

    def write(
        self, process: str, kind: str, what: What, *, service: str = "", planned: bool = True, reason: str = "",
        pid: int | None = None, restarts: int = 0, attempt: int = 0, left: int | None = None,
        well_until: str | None = None, lines: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """`lines` are the last ones that the process wrote to its log, where they tell why it is held back.

        `attempt`, `left` and `well_until` (ISO 8601) as in `Seen`; `well_until` is None where the trouble began now.
        """
        self._sequence += 1
        line: dict[str, Any] = {
            "sequence": self._sequence, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), "life": self._life,
            "process": process, "kind": kind, "service": service, "what": what, "planned": planned, "reason": reason,
            "pid": pid, "restarts": restarts, "attempt": attempt, "left": left, "well_until": well_until,
        }  # fmt: skip
        self._unwritten.append(orjson.dumps(line | ({"lines": lines} if lines else {})) + b"\n")
        self.flush()

    def flush(self) -> None:
        """Write what is left to write, as far as there is room."""
        with suppress(OSError):
            while self._unwritten:
                self._append(self._unwritten[0])
                self._unwritten.popleft()

    def _append(self, line: bytes) -> None:
        """All of the line or nothing. Raises OSError."""
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a supervisor before us was killed in the middle of a line
            written = os.write(descriptor, line)
            if written < len(line):
                os.ftruncate(descriptor, size)
                raise OSError("the line does not fit")
        finally:
            os.close(descriptor)
        if size + written > self._bytes_max:
            self._file.replace(former(self._file))


def former(file: Path) -> Path:
    """Where the journal before the present one is."""
    return file.with_name(f"{file.name}.1")


def last_sequence(file: Path) -> int:
    """The number of the last whole line, 0 where there is none."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            lines = stream.read().splitlines()
    except OSError:
        return 0
    for line in reversed(lines):
        with suppress(orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return int(orjson.loads(line)["sequence"])
    return 0
