"""What is measured of the cluster, and what about it deserves a warning."""

from dataclasses import dataclass
from datetime import datetime

VERSION_MIN = 170000


@dataclass(frozen=True)
class Server:
    version: str
    version_number: int
    started_at: datetime
    in_recovery: bool
    settings: dict[str, str]


@dataclass(frozen=True)
class Capability:
    """An extension that the platform uses where the server has it; `installed` is its version in our database."""

    name: str
    available: str | None
    installed: str | None
    used_for: str

    @property
    def used(self) -> bool:
        return self.installed is not None


@dataclass(frozen=True)
class Measures:
    """Sizes in bytes; `horizon_seconds` is the age of the oldest open write transaction, which holds readers back."""

    connections: int
    connections_max: int
    connections_by_role: dict[str, int]
    waiting: int
    horizon_seconds: float
    database_bytes: int
    tables_bytes: dict[str, int]
    commits: int
    rollbacks: int
    deadlocks: int
    temporary_bytes: int
    buffer_hit_ratio: float | None
    sees_everything: bool


@dataclass(frozen=True)
class Migration:
    service: str
    schema: str
    revision: str


def warnings(server: Server, measures: Measures, horizon_seconds_max: float, connections_share_max: float) -> list[str]:
    """One sentence for each thing that an operator should mend, with what to do."""
    found = []
    if server.version_number < VERSION_MIN:
        found.append("The server is older than PostgreSQL 17: upgrade it; units of work have no time limit there.")
    if measures.horizon_seconds > horizon_seconds_max:
        found.append(
            f"A write transaction has been open for {measures.horizon_seconds:.0f} s and holds every consumer of the"
            " log back: find it in pg_stat_activity and end it."
        )
    if measures.connections > measures.connections_max * connections_share_max:
        found.append(
            f"{measures.connections} of {measures.connections_max} connections are in use: raise max_connections or"
            " run fewer replicas."
        )
    found += [
        f"{name} is off: an acknowledged write can be lost in a power cut; switch it on."
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if server.settings.get(name) == "off"
    ]
    if not measures.sees_everything:
        found.append("The role eco_owner lacks pg_monitor: grant it, or these measures know our own sessions only.")
    return found
