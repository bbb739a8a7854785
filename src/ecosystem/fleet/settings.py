"""Settings of the fleet, section `fleet`."""

import pwd
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from ecosystem.catalog import DEPLOYMENTS, find
from ecosystem.kernel.settings import Settings

DEFAULT_EDGE_PORT = 8443
REPLICAS_MAX = 32


class FleetSettings(Settings):
    section: ClassVar[str] = "fleet"

    edge_host: str = Field("127.0.0.1", description="Address on which the edge listens.")
    edge_port: int | None = Field(
        None, ge=1, le=65535, description="Port of the edge; without one, 8443 or the next free one."
    )
    account: str | None = Field(None, description="Account of engines and services when root starts the platform.")
    replicas: dict[str, Annotated[int, Field(ge=0, le=REPLICAS_MAX)]] = Field(
        default_factory=dict, description="Processes of a service, by its short name."
    )
    certificate_hours: float = Field(24, gt=0, le=24 * 90, description="Life of a process's certificate.")
    ready_timeout_seconds: float = Field(60, ge=1, le=600, description="How long `eco up` waits for all to be ready.")
    stop_timeout_seconds: float = Field(15, ge=1, le=300, description="After this, a stopping process is killed.")
    frozen_after_seconds: float = Field(
        8, ge=4, le=3600, description="A process that answers nothing for so long is killed and started again."
    )
    crash_loop_lives_max: int = Field(
        10, ge=3, le=1000, description="A service that so often in a row ends within 15 s of its start is stopped."
    )
    crash_loop_rest_seconds: float = Field(
        300, ge=1, le=86_400, description="A service stopped for that gets one try again after this time."
    )
    journal_bytes_max: int = Field(
        2 * 1024**2, ge=65536, le=2**30, description="The journal of processes is turned over at this size."
    )
    log_bytes_max: int = Field(64 * 1024**2, ge=65536, le=2**40, description="A log file is turned over at this size.")
    database_connections_max: int = Field(400, ge=50, le=10_000, description="max_connections of our PostgreSQL.")
    cache_bytes_max: int = Field(256 * 1024**2, ge=2**20, le=2**40, description="maxmemory of our cache.")

    @field_validator("account")
    @classmethod
    def _exists(cls, account: str | None) -> str | None:
        if account:
            try:
                pwd.getpwnam(account)
            except KeyError:
                raise ValueError(
                    f"there is no account {account} on this machine; add it (useradd --system {account}), or leave the"
                    " setting out: then it is ecosystem, else nobody"
                ) from None
        return account

    @field_validator("replicas")
    @classmethod
    def _known(cls, replicas: dict[str, int]) -> dict[str, int]:
        known = sorted(entry.short_name for entry in DEPLOYMENTS)
        if unknown := sorted(set(replicas) - set(known)):
            raise ValueError(f"there is no service {', '.join(unknown)}; there are {', '.join(known)}")
        for name, number in replicas.items():
            entry = find(name)
            if number == 0 and entry is not None and entry.backup_of is None:
                raise ValueError(f"{name} has at least 1 process; only a backup has none")
        return replicas
