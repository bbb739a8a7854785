"""Log files of processes: one for each slot, appended, turned over by size."""

import os
import re
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import orjson

_TAIL_BYTES = 16 * 1024
# Valkey and Redis mark what is only told: `25572:M 26 Nov 2026 00:51:30.279 * Ready to accept connections`.
_CACHE_WELL = re.compile(r"^\d+:\w .{24} [.*-] ")


def open_log(folder: Path, name: str) -> int:
    """A descriptor that appends to `<name>.log`; whoever holds it may keep it across a turn-over."""
    return os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def turn_over(folder: Path, bytes_max: int) -> None:
    """Copy a log beyond `bytes_max` to `.log.1` and empty it: its writers hold it open and append."""
    for file in folder.glob("*.log"):
        with suppress(OSError):
            if file.stat().st_size > bytes_max:
                shutil.copyfile(file, file.with_suffix(".log.1"))
                os.truncate(file, 0)


def note(folder: Path, level: str, message: str) -> None:
    """A line of the supervisor's own log; lost when it cannot be written, for that must not end the supervisor."""
    line = {"timestamp": datetime.now(UTC), "level": level, "service": "supervisor", "message": message}
    with suppress(OSError):
        log = open_log(folder, "supervisor")
        try:
            os.write(log, orjson.dumps(line, option=orjson.OPT_UTC_Z) + b"\n")
        finally:
            os.close(log)


def last_words(folder: Path, name: str, from_byte: int = 0) -> str:
    """The last line that says something: the message of a JSON line, or the line itself, at most 300 characters.

    What stands before `from_byte` was said by others, unless the file was turned over since and is shorter.
    """
    return next(iter(last_lines(folder, name, from_byte, lines_max=1)), "")


def last_lines(folder: Path, name: str, from_byte: int = 0, lines_max: int = 5) -> tuple[str, ...]:
    """The last lines that say something, as `last_words` tells them, in their order."""
    try:
        with (folder / f"{name}.log").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begins, tail = from_byte if from_byte <= size else 0, size - _TAIL_BYTES
            file.seek(max(0, begins, tail))
            if tail > begins:
                file.readline()  # the rest of a line whose beginning is not looked at
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()
    said = (text[:300] for line in reversed(lines) if (text := _said(line)))
    return tuple(islice(said, lines_max))[::-1]


def _said(line: str) -> str:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "" if _CACHE_WELL.match(line) else line.strip()
    if not isinstance(entry, dict):
        return line.strip()
    if entry.get("level") not in ("error", "critical"):
        return ""
    error = (entry.get("context") or {}).get("error") or {}
    why = error.get("text") or error.get("type") if isinstance(error, dict) else None
    return f"{entry.get('message', '')}: {why}" if why else str(entry.get("message", ""))
