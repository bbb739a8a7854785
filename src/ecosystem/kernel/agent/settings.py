"""Limits of agent calls, the same for both sides."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class AgentSettings(Settings):
    section: ClassVar[str] = "agents"

    payload_bytes_max: int = Field(
        default=1024 * 1024, ge=1024, le=16 * 1024 * 1024, description="Size of a task's payload."
    )
    calls_max: int = Field(default=512, ge=1, le=10_000, description="Calls handled at once by one process.")
    waiting_calls_max: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Calls of one company that may wait for one absent agent; more fail as without a queue.",
    )
    redeliveries_at_once_max: int = Field(
        default=8, ge=1, le=64, description="Calls of the queue that one process brings again at once."
    )
    stack_traces: bool = Field(default=False, description="Send stack traces to callers: development only.")
    answers_kept: timedelta = Field(
        default=timedelta(days=14),
        ge=timedelta(hours=1),
        le=timedelta(days=400),
        description="How long recorded answers are kept (ISO 8601).",
    )
