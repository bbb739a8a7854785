"""Certificates that count no longer, though their time is not over: a list that every process looks at, at a call."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ecosystem.kernel.errors import EcosystemError, Kind, Severity

LOOK_SECONDS = 1.0
_SERIAL = re.compile(r"[0-9a-f]{1,40}")


class RevocationsUnreadable(EcosystemError):
    code, status, kind, severity = "revocations_unreadable", 500, Kind.PERMANENT, Severity.CRITICAL
    rule = "The list of revoked certificates has one on each line: its serial in hex, then what is worth knowing of it."
    suggestion = "Restore the file (`eco identities list` reads it); the list that was known before holds meanwhile."


class Revocations:
    """`file` may not be there yet: then nothing is revoked. One that cannot be read leaves the former list as it is.

    `holds` costs a look at a clock, and a `stat` once in `LOOK_SECONDS`; there is no thread.
    """

    def __init__(
        self, file: Path | None, *, on_problem: Callable[[EcosystemError], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._file, self._on_problem, self._monotonic = file, on_problem, monotonic
        self._look_at = -1.0 if file is not None else float("inf")
        self._stamp: tuple[int, int, int] | None = None
        self._serials: frozenset[str] = frozenset()

    def holds(self, serial: str) -> bool:
        """Whether the certificate of this serial (hex as `serial_text` writes it) is revoked."""
        if self._monotonic() >= self._look_at:
            self._look()
        return serial in self._serials

    def _look(self) -> None:
        assert self._file is not None
        self._look_at = self._monotonic() + LOOK_SECONDS
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._serials = frozenset(_serials(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            # What was revoked stays so: deleting a file does not make a stolen certificate good again.
            return
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._on_problem(RevocationsUnreadable(f"{self._file} cannot be used: {reason}."))


def serial_text(serial: int | str) -> str:
    """A serial as the list has it: lower-case hex without leading zeros; of a number, or of another hex form."""
    return format(serial if isinstance(serial, int) else int(serial, 16), "x")


def _serials(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.lower().split("#")[0].split()
        if words:
            if not _SERIAL.fullmatch(words[0]):
                raise ValueError(f"line {number} does not begin with a serial")
            yield serial_text(words[0])
