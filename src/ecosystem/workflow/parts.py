"""Parts of tasks that may also stand in `use`: errors and retry policies."""

from typing import Literal

from ecosystem.workflow.document import Node
from ecosystem.workflow.model import ErrorTemplate, Retry
from ecosystem.workflow.reader import Reader

ATTEMPTS_MAX = 10
DELAY_SECONDS_MAX = 3600.0


def error_template(reader: Reader, node: Node) -> ErrorTemplate:
    """`status` is constant; the others may be expressions."""
    members = reader.members(node, "error", "type", "status")
    status, kind = members.get("status"), members.get("type")
    if kind is not None and not kind.is_text:
        reader.refuse("not_a_text", kind, "`type` is a URI, or an expression that gives one.")
    return ErrorTemplate(
        reader.template(kind) if kind is not None else None,
        reader.count(status, "`status`", least=400, most=599) if status else 500,
        reader.template(members["title"]) if "title" in members else None,
        reader.template(members["detail"]) if "detail" in members else None,
        reader.template(members["instance"]) if "instance" in members else None,
    )


def retry_policy(reader: Reader, node: Node) -> Retry:
    """`limit.attempt.count` counts all attempts, the first one too, and is always given: nothing retries for ever."""
    members = reader.members(node, "retry", "limit")
    limit = reader.members(members["limit"], "limit", "attempt") if "limit" in members else {}
    attempt = reader.members(limit["attempt"], "attempt limit", "count") if "attempt" in limit else {}
    attempts = reader.count(attempt["count"], "`count`", least=1, most=ATTEMPTS_MAX) if "count" in attempt else 1
    delay = members.get("delay")
    return Retry(
        attempts,
        reader.duration(delay, least=0, most=DELAY_SECONDS_MAX, what="`delay`") if delay else 0.0,
        _backoff(reader, members.get("backoff")),
        _jitter(reader, members.get("jitter")),
        reader.expression(members.get("when")),
        reader.expression(members.get("exceptWhen")),
    )


def _backoff(reader: Reader, node: Node | None) -> Literal["constant", "linear", "exponential"]:
    if node is None:
        return "constant"
    members = reader.members(node, "backoff")
    for child in members.values():
        if child.value not in ({}, None):
            reader.refuse("not_supported", child, "A backoff has no settings here: write `{}`.")
    if len(members) != 1:
        reader.refuse("one_of", node, "`backoff` is one of `constant`, `linear`, `exponential`.")
    if "exponential" in members:
        return "exponential"
    return "linear" if "linear" in members else "constant"


def _jitter(reader: Reader, node: Node | None) -> tuple[float, float]:
    if node is None:
        return (0.0, 0.0)
    members = reader.members(node, "jitter", "from", "to")
    low, high = (
        reader.duration(members[key], least=0, most=DELAY_SECONDS_MAX, what=f"`{key}`") if key in members else 0.0
        for key in ("from", "to")
    )
    if low > high:
        reader.refuse("out_of_range", node, "`from` of a jitter is not above its `to`.")
    return (low, high)
