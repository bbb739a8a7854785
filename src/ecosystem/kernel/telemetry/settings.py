"""How much a process says about itself, and where."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from ecosystem.kernel.settings import Settings


class TelemetrySettings(Settings):
    """Traces go to `traces_folder` (none: nowhere) as OTLP JSON lines; log lines go to standard output."""

    section: ClassVar[str] = "telemetry"

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lines of this level and worse are written."
    )
    traces_folder: Path | None = Field(None, description="Where spans are written; without one they are not.")
    traces_ratio: float = Field(default=0.1, ge=0, le=1, description="Share of traces kept; errors are always kept.")
    traces_flush_seconds: float = Field(default=1.0, ge=0.05, le=60, description="Pause between writes.")
    traces_queue_spans_max: int = Field(default=4096, ge=64, le=65536, description="More are dropped and counted.")
    traces_file_bytes_max: int = Field(
        default=64 * 1024 * 1024, ge=65536, le=4 * 1024**3, description="A file is turned over at this size."
    )
