"""Limits of the sandbox: what one job may use, and how many run at once."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class SandboxSettings(Settings):
    section: ClassVar[str] = "sandbox"

    timeout_seconds: float = Field(default=10, gt=0, le=300, description="Wall clock of one job.")
    memory_bytes_max: int = Field(
        default=512 << 20, ge=16 << 20, le=8 << 30, description="What one job may allocate beside its payload."
    )
    output_bytes_max: int = Field(default=8 << 20, ge=1024, le=256 << 20, description="Size of one answer.")
    workers_warm: int = Field(default=2, ge=0, le=16, description="Workers that wait for a job.")
    reserve_pause_seconds: float = Field(
        default=0.05, ge=0, le=10, description="How long after a job others may be forked; at once where none waits."
    )
    workers_max: int = Field(default=4, ge=1, le=64, description="Jobs that run at the same time.")
    waiting_max: int = Field(default=256, ge=1, le=10_000, description="Jobs that wait for a worker.")
    start_timeout_seconds: float = Field(
        default=10, gt=0, le=60, description="How long a worker may take to stand ready, imports included."
    )
    niceness: int = Field(default=5, ge=0, le=19, description="Jobs give way to services by this much.")
    idle_seconds: float = Field(
        default=0,
        ge=0,
        le=86_400,
        description="After so long without a job the sandbox lets go what it loaded; 0: never.",
    )
    heavy_workers_max: int = Field(
        default=2, ge=1, le=64, description="Jobs that load much, such as reading pictures, that run at the same time."
    )
    heavy_start_timeout_seconds: float = Field(
        default=30, gt=0, le=120, description="How long a worker of heavy jobs may take to stand ready."
    )
    heavy_idle_seconds: float = Field(
        default=180, ge=0, le=86_400, description="The same as idle_seconds, for heavy jobs."
    )
    heavy_niceness: int = Field(default=5, ge=0, le=19, description="The same as niceness, for heavy jobs.")

    def heavy(self) -> "SandboxSettings":
        """Those of a sandbox for heavy jobs: few at once, no worker in reserve, nothing kept for long."""
        return self.model_copy(
            update={
                "workers_max": self.heavy_workers_max,
                "workers_warm": 0,
                "start_timeout_seconds": self.heavy_start_timeout_seconds,
                "idle_seconds": self.heavy_idle_seconds,
                "niceness": self.heavy_niceness,
            }
        )
