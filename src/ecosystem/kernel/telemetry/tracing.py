"""Spans with the tail rule: errors always, else a share of the traces, chosen alike in every process by the trace id.

A span's parent is the kernel's context, so that a trace goes through HTTP, agents, events and runs by two ids.
"""

import secrets
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from ecosystem.kernel import context
from ecosystem.kernel.errors import describe
from ecosystem.kernel.telemetry.log import describe_exception

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class _GivenIds(IdGenerator):
    """Gives a span the ids that were handed out when it began."""

    trace_id: int = 0
    span_id: int = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Tracing:
    """Where the spans of this process go. `keep_below` of 65536 traces are kept whole, by the end of their id."""

    def __init__(self, service: str, version: str, processor: SpanProcessor | None, ratio: float) -> None:
        self.ids = _GivenIds()
        # A plain Resource: Resource.create() starts threads, which a process that forks must not have.
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": service, "service.version": version}),
            id_generator=self.ids,
            shutdown_on_exit=False,
        )
        self.records = processor is not None
        if processor is not None:
            provider.add_span_processor(processor)
        self.tracer: Tracer = provider.get_tracer("ecosystem.kernel")
        self.keep_below = round(ratio * 0x1_0000)


_tracing = _Tracing("ecosystem", "0", None, 0)


def configure(service: str, version: str, processor: SpanProcessor | None, *, ratio: float = 0.1) -> None:
    """Send the spans of this process to `processor`: errors always, and `ratio` of the traces."""
    global _tracing
    _tracing = _Tracing(service, version, processor, ratio)


def traceparent() -> str | None:
    """The context as a W3C `traceparent` header; None outside of a trace."""
    now = context.current()
    return f"00-{now.trace_id}-{now.span_id}-01" if now.trace_id and now.span_id else None


def parse_traceparent(header: str | None) -> tuple[str, str] | None:
    """(trace_id, span_id) of a valid W3C `traceparent`, else None: a bad one starts a new trace."""
    parts = header.split("-") if header else []
    if len(parts) < 4 or parts[0] == "ff" or len(parts[0]) != 2 or (parts[0] == "00" and len(parts) != 4):
        return None
    trace_id, span_id = parts[1], parts[2]
    return (trace_id, span_id) if is_trace_id(trace_id) and _is_hex(span_id, 16) else None


def is_trace_id(text: str) -> bool:
    """32 lower-case hex digits, not all zero."""
    return _is_hex(text, 32)


def _is_hex(text: str, size: int) -> bool:
    return len(text) == size and not set(text) - _HEX and text.strip("0") != ""


_HEX = frozenset("0123456789abcdef")


class span:  # noqa: N801 reads as a statement: `with span("…") as current`
    """One span around a block, child of the context's and carried by it inside; an exception marks it an error.

    `carried` are other fields of the context for the block, as `context.scope` takes them: with `trace_id` and
    `span_id` those of the parent, None for a trace of its own.

    Whether it is kept is known at its end, and most are not: until then it is only its ids, times and attributes,
    and an OpenTelemetry span is made of them when it is kept. (Two recorded spans cost more than the rest of a call.)
    """

    __slots__ = (
        "_attributes",
        "_began",
        "_carried",
        "_error",
        "_events",
        "_kind",
        "_name",
        "_parent",
        "_scope",
        "span_id",
        "trace_id",
    )

    def __init__(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, AttributeValue] | None = None,
        **carried: Any,
    ) -> None:  # fmt: skip
        self._name, self._kind, self._attributes, self._carried = name, kind, attributes, carried
        self._error: str | None = None
        self._events: list[dict[str, Any]] | None = None

    def __enter__(self) -> "span":
        now, carried = context.current(), self._carried
        trace_id = carried.get("trace_id", now.trace_id)
        if trace_id:
            self.trace_id, self._parent = trace_id, carried.get("span_id", now.span_id)
            self.span_id = secrets.token_hex(8)
        else:
            drawn = secrets.token_hex(24)
            self.trace_id, self.span_id, self._parent = drawn[:32], drawn[32:], None
        self._began = time.time_ns()
        self._scope = context.scope(**{**carried, "trace_id": self.trace_id, "span_id": self.span_id})
        self._scope.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._scope.__exit__()
        if isinstance(error, Exception):
            mark_failed(self, describe(error).code, error)
        tracing = _tracing
        if tracing.records and (self._error is not None or int(self.trace_id[-4:], 16) < tracing.keep_below):
            self._keep(tracing)

    @property
    def parent_span_id(self) -> str | None:
        return self._parent

    def update_name(self, name: str) -> None:
        self._name = name

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        self._attributes = {**(self._attributes or {}), name: value}

    def fail(self, code: str, event: dict[str, Any] | None) -> None:
        self._error = code
        if event is not None:
            self._events = [*(self._events or ()), event]

    def _keep(self, tracing: _Tracing) -> None:
        ids, trace_id = tracing.ids, int(self.trace_id, 16)
        ids.trace_id, ids.span_id = trace_id, int(self.span_id, 16)
        parent = None
        if self._parent:
            about = SpanContext(trace_id, int(self._parent, 16), is_remote=True, trace_flags=_SAMPLED)
            parent = set_span_in_context(NonRecordingSpan(about))
        made = tracing.tracer.start_span(
            self._name, context=parent, kind=self._kind, attributes=self._attributes, start_time=self._began
        )
        for event in self._events or ():
            made.add_event("exception", event)
        if self._error is not None:
            made.set_status(Status(StatusCode.ERROR, self._error))
        made.end()


def mark_failed(current: span, code: str, error: BaseException | None = None) -> None:
    """Mark a span as an error, so that it is kept. An exception is told by type, code and places, not by its text."""
    event = None
    if error is not None:
        told = describe_exception(error)
        event = {"exception.type": told["type"], "exception.stacktrace": "\n".join(told["at"])}
    current.fail(code, event)


__all__ = ["SpanKind", "configure", "is_trace_id", "mark_failed", "parse_traceparent", "span", "traceparent"]
