"""How a service lives as a process."""

from pathlib import Path
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from ecosystem.kernel.settings import Settings


class RuntimeSettings(Settings):
    """Ports are ephemeral by default and known from the registry. `instance_id` is given by who starts the process."""

    section: ClassVar[str] = "runtime"

    instance_id: UUID | None = None
    home: Path | None = None
    host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    grpc_port: int = Field(default=0, ge=0, le=65535)
    plain_port: int = Field(default=0, ge=0, le=65535)
    weight: int = Field(default=100, ge=0, le=1000)
    drain_seconds: float = Field(default=0.5, ge=0, le=60, description="Between `draining` and the end of intake.")
    stop_seconds: float = Field(default=5, ge=0, le=300, description="For what is in flight when intake has ended.")
    beat_seconds: float = Field(default=5, ge=0.2, le=10)
    check_seconds: float = Field(default=2, ge=0.1, le=10, description="The longest a health check may take.")
