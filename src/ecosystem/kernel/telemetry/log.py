"""One JSON object per line: timestamp, level, service, agent, trace_id, user_id, company_id, message, context."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO

import orjson
import structlog

from ecosystem.kernel import context
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.telemetry.redaction import safe, safe_text

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
"""`log.info("document received", document_id=…)`: a message that never varies, and ids or measures beside it."""

_FRAMES_MAX = 12
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Output:
    """Where lines go. Looked up at each line, so that a logger that was cached before a change follows it."""

    service: str = "ecosystem"
    stream: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        """A line that cannot be written, as on a full disk, is lost: who tells of his work must go on with it."""
        stream = self.stream or sys.stdout.buffer
        with suppress(OSError):
            stream.write(line + b"\n")
            stream.flush()

    debug = info = warning = error = critical = write


_output = _Output()


def configure(service: str, *, level: str = "info", stream: BinaryIO | None = None) -> None:
    """Send our log lines and the libraries' warnings to `stream` (standard output)."""
    _output.service, _output.stream = service, stream
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _output,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    root.setLevel(logging.WARNING)


def _render(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    return _line(_output.service, level, event)


def _line(service: str, level: str, event: MutableMapping[str, Any]) -> bytes:
    now = context.current()
    error = event.pop("exc_info", None)
    message = event.pop("event", "")
    about = {name: safe(name, value) for name, value in event.items() if value is not None}
    if error:
        about["error"] = describe_exception(error)
    line: dict[str, Any] = {
        "timestamp": datetime.now(UTC), "level": level, "service": service, "agent": now.agent_id,
        "trace_id": now.trace_id, "user_id": now.user_id, "company_id": now.company_id, "message": message,
        "context": about,
    }  # fmt: skip
    return orjson.dumps(line, option=orjson.OPT_UTC_Z, default=str)


def describe_exception(error: Any) -> dict[str, Any]:
    """Type, code and places of an exception. Its text stays out unless it is ours: a library's may quote a customer."""
    if not isinstance(error, BaseException):
        error = error[1] if isinstance(error, tuple) else sys.exc_info()[1]
    if error is None:
        return {}
    told: dict[str, Any] = {"type": type(error).__qualname__, "at": _places(error.__traceback__)}
    if isinstance(error, EcosystemError):
        told |= {"code": error.code, "text": safe_text(error.message)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = {"type": type(cause).__qualname__, "at": _places(cause.__traceback__)}
    return told


def _places(traceback: TracebackType | None) -> list[str]:
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{code.co_name}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return places[-_FRAMES_MAX:]


class _Forward(logging.Handler):
    """The libraries' own warnings, as our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        about: Mapping[str, Any] = {"logger": record.name, "text": text}
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write("a library speaks", exc_info=record.exc_info, **about)
