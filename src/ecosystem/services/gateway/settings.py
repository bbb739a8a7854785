"""Settings of the gateway, section `gateway`."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "gateway"

    edge_folder: Path = Field(description="Where the edge's files are; Envoy watches it.")
    host: str = Field(default="127.0.0.1", min_length=1, max_length=253, description="Address the edge listens on.")
    port: int = Field(default=8443, ge=1, le=65535, description="Port of the edge: the only public one.")
    pem_file: Path = Field(description="Key and certificate of the identity `edge`, for clients and for services.")
    ca_file: Path = Field(description="Authorities that services prove themselves by.")
    upload_bytes_max: int = Field(
        default=100 * 1024 * 1024, ge=1024, le=10 * 1024**3, description="Longer uploads are refused by their length."
    )
    body_bytes_max: int = Field(default=16 * 1024 * 1024, ge=1024, le=1024**3, description="Every other request.")
    request_seconds: float = Field(default=35, ge=1, le=600, description="Longer than a service's own deadline.")
    transfer_seconds: float = Field(default=310, ge=10, le=3600, description="Uploads and downloads of documents.")
    health_interval_seconds: float = Field(default=10, ge=0.2, le=60, description="Pause between active health checks.")
    look_seconds: float = Field(
        default=5, ge=0.1, le=60, description="Pause between looks at keys and Envoy's answers; 1 s until it serves."
    )
