"""`eco logs`: the lines of processes, in the order of time, filtered and followed."""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ecosystem.catalog import find
from ecosystem.cli import screen
from ecosystem.cli.log_counting import counted, show
from ecosystem.cli.noun import guarded
from ecosystem.cli.running import NothingRuns, this_home
from ecosystem.kernel.errors import NotFound

SUMMARY = "Log lines of a service, an engine, or all; filtered by time, level or trace, and followed."
LEVELS = ("debug", "info", "warning", "error", "critical")
_POLL_SECONDS = 0.2
_NO_TIME = datetime.fromtimestamp(0, UTC)
# What the edge says of a request stands beside its message, not in a context.
_REQUEST = ("method", "path", "status", "duration_ms", "attempts", "upstream")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LEVEL_WORDS = re.compile(
    r"\b(FATAL|PANIC|ERROR|CRITICAL|critical|error|WARNING|warning|DEBUG|debug)\b(?!\])|\[(debug|info|warning|error|critical)\]\["
)
# Valkey and Redis: `25572:M 26 Nov 2026 00:51:30.279 * ready`; PostgreSQL says FATAL to each client it sends away.
_CACHE_TIME = re.compile(r"^\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.*#-])")
_CACHE_LEVELS = {".": "debug", "-": "info", "*": "info", "#": "warning"}
_ORDERLY = re.compile(
    r"FATAL:  (?:terminating .* due to administrator command|the database system is (?:shutting down|starting up)"
    r"|the database system is not yet accepting connections)"
)
_PLAIN_TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{3})\d*(?: UTC|Z)?\]?")


@dataclass(frozen=True)
class Line:
    """One line of a file. `entry` is None where it is not JSON (engines speak their own way)."""

    source: str
    at: datetime
    level: str
    text: str
    entry: dict[str, Any] | None


@dataclass(frozen=True)
class Filter:
    since: datetime | None
    level: str
    trace: str | None

    def wants(self, line: Line) -> bool:
        if self.since is not None and line.at < self.since:
            return False
        if self.trace is not None and not _is_of(line.entry or {}, self.trace):
            return False
        return LEVELS.index(line.level) >= LEVELS.index(self.level)


def _is_of(entry: dict[str, Any], trace: str) -> bool:
    """What the edge refuses itself it tells by its request id, which stands beside the trace in its log."""
    return trace in (entry.get("trace_id"), entry.get("request_id"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco logs", description=SUMMARY)
    parser.add_argument("service", metavar="SERVICE", nargs="?", help="creditx, creditx-1, postgresql … (default: all)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-f", "--follow", action="store_true", help="go on with new lines until Ctrl-C")
    how.add_argument("--counted", action="store_true", help="lines that say the same once, with how often")
    parser.add_argument("--since", type=_since, metavar="WHEN", help="90s, 15m, 2h, 1d ago, or an ISO time")
    parser.add_argument("--level", choices=LEVELS, default="debug", help="this level and worse")
    parser.add_argument("--trace", metavar="ID", help="only lines of this trace, or of this request at the edge")
    parser.add_argument("--json", action="store_true", help="print each line as JSON")
    parsed = parser.parse_args(arguments)
    return guarded("eco logs", lambda: _logs(parsed))


def _logs(parsed: argparse.Namespace) -> int:
    home, wanted = this_home(), Filter(parsed.since, parsed.level, parsed.trace)
    folder = home.logs
    with home.ours():
        if not folder.is_dir():
            raise NothingRuns(f"{home.path} has no logs: no platform has run there.")
        os.listdir(folder)  # what may not be read would else look like no lines
    files = files_of(folder, parsed.service)
    places: dict[Path, int] = {}
    lines = [line for file in files for line in _read(file.with_suffix(".log.1"), {})]
    lines += [line for file in files for line in _read(file, places)]
    fitting = sorted(filter(wanted.wants, lines), key=lambda line: line.at)
    if not fitting and not parsed.follow:
        screen.note("No line fits.")
    if parsed.counted:
        show(counted(fitting), as_json=parsed.json)
        return 0
    for line in fitting:
        _print(line, as_json=parsed.json)
    sys.stdout.flush()
    while parsed.follow:
        time.sleep(_POLL_SECONDS)
        fresh = [line for file in files_of(folder, parsed.service) for line in _read(file, places)]
        for line in sorted(filter(wanted.wants, fresh), key=lambda line: line.at):
            _print(line, as_json=parsed.json)
        sys.stdout.flush()
    return 0


def files_of(folder: Path, service: str | None) -> list[Path]:
    """The log files that a name means: a slot, a service in its long or short name, an engine; None: all."""
    files = sorted(folder.glob("*.log")) if folder.is_dir() else []
    if service is None:
        return files
    entry = find(service)
    short = entry.short_name if entry else service
    found = [file for file in files if file.stem == service or re.fullmatch(rf"{re.escape(short)}-\d+", file.stem)]
    if not found and entry is None:
        names = sorted({re.sub(r"-\d+$", "", file.stem) for file in files})
        raise NotFound(
            f"{folder} has no log of {service!r}.", suggestion=f"one of: {', '.join(names) or 'none yet; eco up'}"
        )
    return found


def _read(file: Path, places: dict[Path, int]) -> Iterator[Line]:
    """Whole lines since the last look; from the beginning where the file has become shorter.

    Lines before the first that tells a time stand at that one's; where none does, at the time of the file.
    """
    try:
        with file.open("rb") as stream:
            size, place = stream.seek(0, 2), places.get(file, 0)
            stream.seek(place if place <= size else 0)
            content = stream.read()
            end = content.rfind(b"\n") + 1
            places[file] = stream.tell() - len(content) + end
            written_at = datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC)
    except OSError:
        return
    source, raws = file.stem.removesuffix(".log"), content[:end].decode(errors="replace").splitlines()
    at = next((line.at for raw in raws if (line := parse(source, raw, _NO_TIME)).at != _NO_TIME), written_at)
    for raw in raws:
        line = parse(source, raw, at)
        at = line.at
        yield line


def parse(source: str, raw: str, before: datetime) -> Line:
    """A line as its writer meant it; one without a time stands at the time of the line before."""
    try:
        entry = json.loads(raw)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and "timestamp" in entry:
        level = str(entry.get("level", "info"))
        at = datetime.fromisoformat(str(entry["timestamp"]).replace("Z", "+00:00"))
        return Line(source, at, level if level in LEVELS else "info", str(entry.get("message", "")), entry)
    if match := _CACHE_TIME.match(raw):
        at = datetime.strptime(match.group(1), "%d %b %Y %H:%M:%S.%f").astimezone(UTC)
        return Line(source, at, _CACHE_LEVELS[match.group(2)], raw, None)
    if match := _PLAIN_TIME.search(raw):
        before = datetime.fromisoformat(match.group(1).replace(" ", "T")).replace(tzinfo=UTC)
    word = _LEVEL_WORDS.search(raw)
    said = (word.group(1) or word.group(2) or "").lower() if word else "info"
    level = {"fatal": "critical", "panic": "critical"}.get(said, said)
    level = "info" if _ORDERLY.search(raw) else level
    return Line(source, before, level if level in LEVELS else "info", raw, None)


def _print(line: Line, *, as_json: bool) -> None:
    if as_json:
        plain = {"timestamp": line.at.isoformat(), "level": line.level, "service": line.source, "message": line.text}
        screen.out(screen.json_line((line.entry or plain) | {"process": line.source}))
        return
    screen.out(screen.clean(shown(line)))


def shown(line: Line) -> str:
    """Time, level and process, what it says, and what it is about."""
    about = " ".join(f"{name}={_short(value)}" for name, value in _about(line))
    head = f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03d} {line.level:<8} {line.source:<16}"
    return f"{head} {line.text} {about}".rstrip()


def _about(line: Line) -> Iterator[tuple[str, Any]]:
    entry = line.entry or {}
    for name in (*_REQUEST, "agent", "company_id", "trace_id"):
        if entry.get(name):
            yield name, entry[name]
    yield from (entry.get("context") or {}).items()


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _since(text: str) -> datetime:
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError("90s, 15m, 2h, 1d or an ISO time is expected") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
