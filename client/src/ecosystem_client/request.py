"""A request before it is sent: built once, sent once or more."""

import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from ecosystem_client.errors import NotSendable


@dataclass(frozen=True)
class Upload:
    """A file to send: a path, or bytes or a seekable binary stream under a name."""

    source: Path | bytes | IO[bytes]
    name: str

    @classmethod
    def of(cls, source: str | Path | bytes | IO[bytes], name: str | None) -> "Upload":
        """Raises NotSendable for no regular file, for a name that is not Unicode, and for bytes without a name.

        Raises OSError where a path cannot be looked at.
        """
        if isinstance(source, str | Path):
            path = Path(source)
            if not stat.S_ISREG(path.stat().st_mode):
                raise NotSendable(f"{path} is no regular file.", next_step="give a file; a folder's files one by one")
            return cls(path, _sendable(name or path.name))
        name = name or Path(str(getattr(source, "name", "")) or ".").name
        if not name:
            raise NotSendable("Bytes have no name.", next_step="upload(data, name='statement.pdf')")
        return cls(source, _sendable(name))

    def open(self) -> bytes | IO[bytes]:
        """From its beginning, each time: a repeated request sends the whole file again."""
        if isinstance(self.source, Path):
            return self.source.open("rb")
        if not isinstance(self.source, bytes):
            self.source.seek(0)
        return self.source


def path_part(what: str | int) -> str:
    """An id or a name as one part of a path.

    Raises NotSendable for one that would ask for something else: empty, with a slash, or a step of dots.
    """
    text = str(what)
    try:
        part = quote(text, safe="")
    except UnicodeEncodeError:
        part = ""
    if part in ("", ".", "..") or "/" in text or "\\" in text:
        raise NotSendable(f"{what!a} is no id and no name.", next_step="give it as the platform told it")
    return part


def _sendable(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise NotSendable(
            f"The file name {name!a} is not Unicode text.",
            next_step="rename the file, or give another name: upload(file, name='statement.pdf')",
        ) from None
    return name


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    upload: Upload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    changes_nothing: bool = False
    repeated_is_once: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does the same as sending it once."""
        safe = self.changes_nothing or self.repeated_is_once or self.method in ("GET", "HEAD", "PUT", "DELETE")
        return safe or "Idempotency-Key" in self.headers

    def query(self) -> dict[str, Any]:
        return {name: value for name, value in self.params.items() if value is not None}


def new_trace() -> tuple[str, str]:
    """A trace id and the `traceparent` header (W3C Trace Context) that carries it; not sampled unless the edge does."""
    trace_id = secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-00"
