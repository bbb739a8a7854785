"""How a service lives as a process."""

from pathlib import Path
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from ecosystem.kernel.settings import Settings


class RuntimeSettings(Settings):
    """Ports are ephemeral by default and known from the registry. `instance_id` is given by who starts the process."""

    section: ClassVar[str] = "runtime"

    instance_id: UUID | None = Field(None, description="Id of this process in the registry.")
    home: Path | None = Field(None, description="Folder that the platform writes to.")
    host: str = Field("127.0.0.1", description="Address of internal ports.")
    http_port: int = Field(default=0, ge=0, le=65535, description="Port for HTTP; 0: any free one.")
    grpc_port: int = Field(default=0, ge=0, le=65535, description="Port for agents; 0: any free one.")
    plain_port: int = Field(default=0, ge=0, le=65535, description="Port without TLS for probes; 0: any free one.")
    weight: int = Field(default=100, ge=0, le=1000, description="Share of the load, against other replicas.")
    drain_seconds: float = Field(default=0.5, ge=0, le=60, description="Between `draining` and the end of intake.")
    stop_seconds: float = Field(default=5, ge=0, le=300, description="For what is in flight when intake has ended.")
    beat_seconds: float = Field(default=5, ge=0.2, le=10, description="Signs of life in the registry.")
    check_seconds: float = Field(default=2, ge=0.1, le=10, description="The longest a health check may take.")
