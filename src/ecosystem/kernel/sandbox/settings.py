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
    workers_warm: int = Field(default=2, ge=1, le=16, description="Workers that wait for a job.")
    workers_max: int = Field(default=4, ge=1, le=64, description="Jobs that run at the same time.")
    waiting_max: int = Field(default=256, ge=1, le=10_000, description="Jobs that wait for a worker.")
    start_timeout_seconds: float = Field(
        default=10, gt=0, le=60, description="How long a worker may take to stand ready, imports included."
    )
    niceness: int = Field(default=5, ge=0, le=19, description="Jobs give way to services by this much.")
    heavy_workers_max: int = Field(
        default=2, ge=1, le=64, description="Jobs that run at the same time and load much, such as reading pictures."
    )
    heavy_start_timeout_seconds: float = Field(
        default=30, gt=0, le=120, description="How long a worker of heavy jobs may take to stand ready."
    )
    heavy_idle_seconds: float = Field(
        default=180, gt=0, le=86_400, description="What heavy jobs loaded is let go after so long without one."
    )
    heavy_niceness: int = Field(default=10, ge=0, le=19, description="Heavy jobs give way to all else by this much.")
