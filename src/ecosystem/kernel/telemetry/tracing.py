"""Spans with the tail rule: errors always, else a share of the traces, chosen alike in every process by the trace id.

A span's parent is the kernel's context, so that a trace goes through HTTP, agents, events and runs by two ids.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
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


def _new_tracer(service: str, version: str, processor: SpanProcessor | None) -> Tracer:
    # A plain Resource: Resource.create() starts threads, which a process that forks must not have.
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource({"service.name": service, "service.version": version}),
        shutdown_on_exit=False,
    )
    if processor is not None:
        provider.add_span_processor(processor)
    return provider.get_tracer("ecosystem.kernel")


_tracer: Tracer = _new_tracer("ecosystem", "0", None)


def configure(service: str, version: str, processor: SpanProcessor | None) -> None:
    """Send the spans of this process to `processor`."""
    global _tracer
    _tracer = _new_tracer(service, version, processor)


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


@contextmanager
def span(
    name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, AttributeValue] | None = None
) -> Iterator[Span]:
    """One span around a block, child of the context's and carried by it inside; an exception marks it an error."""
    now = context.current()
    parent = None
    if now.trace_id and now.span_id:
        about = SpanContext(int(now.trace_id, 16), int(now.span_id, 16), is_remote=True, trace_flags=_SAMPLED)
        parent = set_span_in_context(NonRecordingSpan(about))
    current = _tracer.start_span(name, context=parent, kind=kind, attributes=attributes)
    ids = current.get_span_context()
    try:
        with context.scope(trace_id=f"{ids.trace_id:032x}", span_id=f"{ids.span_id:016x}"):
            yield current
    except Exception as error:
        mark_failed(current, describe(error).code, error)
        raise
    finally:
        current.end()


def mark_failed(current: Span, code: str, error: BaseException | None = None) -> None:
    """Mark a span as an error, so that it is kept. An exception is told by type, code and places, not by its text."""
    current.set_status(Status(StatusCode.ERROR, code))
    if error is not None:
        told = describe_exception(error)
        about = {"exception.type": told["type"], "exception.stacktrace": "\n".join(told["at"])}
        current.add_event("exception", about)


__all__ = ["SpanKind", "configure", "is_trace_id", "mark_failed", "parse_traceparent", "span", "traceparent"]
