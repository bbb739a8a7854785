"""Limits of the HTTP door."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class HttpSettings(Settings):
    section: ClassVar[str] = "http"

    body_bytes_max: int = Field(
        default=1024 * 1024, ge=1024, le=16 * 1024 * 1024, description="Where a route says none."
    )
    request_seconds: float = Field(default=30, gt=0, le=600, description="Deadline of a request.")
    body_grace_seconds: float = Field(default=10, gt=0, le=300, description="How long any body may take to arrive.")
    body_bytes_per_second_min: int = Field(
        default=1024, ge=1, le=1024 * 1024, description="So many bytes give a body a second more; then 408."
    )
    keep_alive_seconds: int = Field(
        default=75, ge=1, le=600, description="Longer than the edge keeps idle connections."
    )
    requests_at_once_max: int = Field(default=16, ge=2, le=1000, description="Requests worked on at once.")
    requests_waiting_max: int = Field(default=128, ge=0, le=10_000, description="Requests that wait; more are refused.")
    request_wait_seconds: float = Field(default=2, gt=0, le=30, description="How long a request may wait to be begun.")
    connections_max: int = Field(default=2000, ge=10, le=100_000, description="Connections of one process.")
    token_skew_seconds: float = Field(default=30, ge=0, le=300, description="How far two clocks may differ.")
    basic_cache_seconds: float = Field(
        default=60, ge=0, le=60, description="How long an exchange of HTTP Basic for a token serves."
    )
    keys_refetch_seconds: float = Field(
        default=5, ge=0.1, le=300, description="Pause between looks for an unknown key."
    )
