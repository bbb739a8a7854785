"""Settings of events-service, section `events`."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "events"

    archive_every_seconds: float = Field(60.0, ge=1, le=3600, description="How often files of the archive are closed.")
    file_events_max: int = Field(10_000, ge=1, le=50_000, description="The most events in one file of the archive.")
    file_bytes_max: int = Field(
        4_194_304, ge=1024, le=16_777_216, description="The most bytes of events in one file, before compression."
    )
    retention_days: int = Field(2555, ge=1, le=36_500, description="How long files of the archive are kept.")
    stream_seconds_max: float = Field(3600.0, ge=1, le=86_400, description="The longest life of one event stream.")
    streams_max: int = Field(100, ge=1, le=10_000, description="Event streams that a process keeps open; then 503.")
    company_streams_max: int = Field(
        20, ge=1, le=10_000, description="Those of one company among them, so that none takes all; then 429."
    )
