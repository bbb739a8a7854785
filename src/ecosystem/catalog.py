"""The services in start order, as dotted strings: nothing here imports a service.

`ecosystem.__main__` is the one place where a string of this catalog becomes code.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One deployable. `schema` is its PostgreSQL schema and names its login role `eco_<schema>`.

    `needs` are the parts that readiness depends on. `sandboxes`: how many of the kernel's it uses (its
    parsers of customers' bytes, its courier); their guardians start before its process gives up its privileges.
    `backup_of`: the service of which this is a second deployment, for its agents alone (see `Fallback` of a card).
    """

    name: str
    package: str
    schema: str
    replicas: int = 1
    needs: tuple[str, ...] = ("database",)
    sandboxes: int = 0
    backup_of: str | None = None

    @property
    def short_name(self) -> str:
        """`creditx` for `creditx-service`: what commands accept beside the full name."""
        return self.name.removesuffix("-service").removesuffix("-agent")

    @property
    def build(self) -> str:
        return f"{self.package}.app:build"

    @property
    def settings(self) -> str:
        """`module:Class` of its settings; the section in `eco.toml` is the short name."""
        return f"{self.package}.settings:ServiceSettings"

    @property
    def migrations(self) -> str:
        return f"{self.package}.migrations"


_SERVICES = "ecosystem.services"

CATALOG: tuple[Entry, ...] = (
    Entry("postgres-service", f"{_SERVICES}.postgres", "postgres"),
    Entry("dragonfly-service", f"{_SERVICES}.dragonfly", "dragonfly", needs=("database", "cache")),
    Entry("objects-service", f"{_SERVICES}.objects", "objects", needs=("database", "objects")),
    Entry("authn-service", f"{_SERVICES}.authn", "authn"),
    Entry("events-service", f"{_SERVICES}.events", "events", needs=("database", "objects")),
    Entry("monitoring-service", f"{_SERVICES}.monitoring", "monitoring", sandboxes=1),
    Entry("creditx-service", f"{_SERVICES}.creditx", "creditx", needs=("database", "objects"), sandboxes=2),
    Entry("orchestrator-agent", f"{_SERVICES}.orchestrator", "orchestrator"),
    Entry("recovery-agent", f"{_SERVICES}.recovery", "recovery"),
    Entry("gateway-service", f"{_SERVICES}.gateway", "gateway"),
)

BACKUPS: tuple[Entry, ...] = (
    Entry(
        "creditx-backup", f"{_SERVICES}.creditx", "creditx", replicas=0, needs=("database", "objects"), sandboxes=2,
        backup_of="creditx-service",
    ),
)  # fmt: skip
"""Second deployments of services, that cards name. None runs until `eco scale` or `fleet.replicas` says so."""

DEPLOYMENTS = (*CATALOG, *BACKUPS)


def backups_of(service: str) -> tuple[str, ...]:
    """The names under which second deployments of `service` are registered."""
    return tuple(entry.name for entry in BACKUPS if entry.backup_of == service)


def backups() -> dict[str, str]:
    """Each second deployment, and whose it is."""
    return {entry.name: entry.backup_of for entry in BACKUPS if entry.backup_of}


def find(name: str) -> Entry | None:
    """The entry with this registered or short name."""
    return next((entry for entry in DEPLOYMENTS if name in (entry.name, entry.short_name)), None)
