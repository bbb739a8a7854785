"""Spans as OTLP JSON lines in a file, written by the event loop: no thread, no network, a bounded queue."""

import asyncio
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import StatusCode

from ecosystem.kernel.telemetry.settings import TelemetrySettings

_KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_STATUS = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}


class SpanFile(SpanProcessor):
    """Appends spans that were kept, one OTLP `ExportTraceServiceRequest` as JSON a line.

    A full queue drops and counts (`dropped`): telling about work never slows the work. At `traces_file_bytes_max`
    the file is renamed to `….1`, over the one before.
    """

    def __init__(self, settings: TelemetrySettings, name: str) -> None:
        self._settings = settings
        self._queue: deque[ReadableSpan] = deque()
        self._file = settings.traces_folder / f"{name}.jsonl" if settings.traces_folder else None
        self._stream: BinaryIO | None = None
        self.dropped = 0

    def on_end(self, span: ReadableSpan) -> None:
        if self._file is None:
            return
        if len(self._queue) >= self._settings.traces_queue_spans_max:
            self.dropped += 1
            return
        self._queue.append(span)

    async def run(self, stop: asyncio.Event) -> None:
        """Flush every `traces_flush_seconds` until `stop`, and once more then."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), self._settings.traces_flush_seconds)
            except TimeoutError:
                self.flush()
        self.shutdown()

    def flush(self) -> None:
        if not self._queue or self._file is None:
            return
        spans, self._queue = self._queue, deque()
        line = orjson.dumps(as_otlp(list(spans))) + b"\n"
        stream = self._open(self._file)
        stream.write(line)
        stream.flush()

    def shutdown(self) -> None:
        self.flush()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        self.flush()
        return True

    def _open(self, file: Path) -> BinaryIO:
        if self._stream is not None and self._stream.tell() > self._settings.traces_file_bytes_max:
            self._stream.close()
            file.replace(file.with_suffix(".jsonl.1"))
            self._stream = None
        if self._stream is None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = file.open("ab")
        return self._stream


def as_otlp(spans: list[ReadableSpan]) -> dict[str, Any]:
    """OTLP/JSON (opentelemetry-proto 1.x): ids in hex, times in nanoseconds as text. All of one resource and scope."""
    first = spans[0]
    scope = first.instrumentation_scope
    return {
        "resourceSpans": [{
            "resource": {"attributes": _attributes(first.resource.attributes)},
            "scopeSpans": [{
                "scope": {"name": scope.name if scope else "ecosystem.kernel"},
                "spans": [_span(span) for span in spans],
            }],
        }],
    }  # fmt: skip


def _span(span: ReadableSpan) -> dict[str, Any]:
    about = span.get_span_context()
    told: dict[str, Any] = {
        "traceId": f"{about.trace_id:032x}" if about else "",
        "spanId": f"{about.span_id:016x}" if about else "",
        "name": span.name,
        "kind": _KINDS[span.kind.name],
        "startTimeUnixNano": str(span.start_time or 0),
        "endTimeUnixNano": str(span.end_time or 0),
        "attributes": _attributes(span.attributes or {}),
        "status": {"code": _STATUS[span.status.status_code]},
    }
    if span.parent is not None:
        told["parentSpanId"] = f"{span.parent.span_id:016x}"
    if span.status.description:
        told["status"]["message"] = span.status.description
    if span.events:
        told["events"] = [
            {
                "timeUnixNano": str(event.timestamp),
                "name": event.name,
                "attributes": _attributes(event.attributes or {}),
            }
            for event in span.events
        ]
    return told


def _attributes(attributes: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value)}
