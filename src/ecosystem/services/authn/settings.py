"""Settings of authn, section `authn`."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "authn"

    first_credential_file: Path | None = Field(
        default=None, description="Where the first administrator's one-time credential is written (mode 0600)."
    )
    regions: tuple[str, ...] = Field(
        default=("eu", "ch", "uk", "us", "ap"),
        min_length=1,
        max_length=50,
        description="Where a company's data may be.",
    )
    token_seconds: int = Field(default=300, ge=30, le=3600, description="How long an access token is valid.")
    key_rotation_seconds: int = Field(
        default=7 * 86400, ge=600, le=90 * 86400, description="How long one key signs tokens."
    )
    key_lead_seconds: int = Field(
        default=3600, ge=60, le=86400, description="How long a key is published before it signs."
    )
    secret_overlap_seconds: int = Field(
        default=86400, ge=0, le=30 * 86400, description="How long the former secret works after a rotation."
    )
    creation_repeat_seconds: int = Field(
        default=86400, ge=60, le=7 * 86400,
        description="How long the same Idempotency-Key is answered with a client's secret again.",
    )  # fmt: skip
    failure_seconds_max: float = Field(
        default=2.0, ge=0, le=30, description="The longest wait before a wrong credential is answered."
    )
    failures_waiting_max: int = Field(default=64, ge=1, le=10_000, description="More at once are refused with 429.")
