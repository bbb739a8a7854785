"""One running process of a service, as others see it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class State(StrEnum):
    """`unready`: it runs, and says in `reason` what it lacks. `draining`: it finishes what it has."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    UNREADY = "unready"


@dataclass(frozen=True)
class Instance:
    """`service` is the registered name (`creditx-service`); a port is 0 where there is none."""

    instance_id: UUID
    service: str
    host: str
    http_port: int
    grpc_port: int
    plain_port: int
    pid: int
    version: str
    state: str
    weight: int
    started_at: datetime
    beat_at: datetime
    reason: str = ""
