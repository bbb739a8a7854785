"""What one machine runs, decided before anything starts: engines, address of the edge, settings of every process."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecosystem.catalog import DEPLOYMENTS, Entry
from ecosystem.fleet.certificates import EDGE, Certificates
from ecosystem.fleet.engines.cache import Cache
from ecosystem.fleet.engines.edge import Edge
from ecosystem.fleet.engines.found import find_cache, find_edge, find_postgres
from ecosystem.fleet.engines.postgres import Postgres
from ecosystem.fleet.errors import HomeNotWritable, PortBusy
from ecosystem.fleet.home import Home
from ecosystem.fleet.place import policies_file
from ecosystem.fleet.processes import unprivileged_account
from ecosystem.fleet.settings import DEFAULT_EDGE_PORT, FleetSettings
from ecosystem.fleet.zygote import Order
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.db.settings import IN_WORDS, DatabaseSettings
from ecosystem.kernel.settings import Source, before_the_fleet

_PORTS_TRIED = 100
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "VIRTUAL_ENV", "PYTHONPATH")

Overrides = Mapping[str, Mapping[str, Any]]


def url_setting(source: Source, kind: type[DatabaseSettings] | type[CacheSettings]) -> str | None:
    """The URL of a server that is not ours, if one is set. Raises SettingRefused."""
    url = source.get(before_the_fleet(kind)).url
    return url.get_secret_value() if url else None


@dataclass(frozen=True)
class Plan:
    home: Home
    source: Source
    settings: FleetSettings
    postgres: Postgres | None
    cache: Cache | None
    edge: Edge
    database_url: str | None
    cache_url: str | None
    edge_door: "Door"
    certificates: Certificates

    @property
    def edge_port(self) -> int:
        return self.edge_door.port

    @property
    def edge_url(self) -> str:
        host = self.settings.edge_host
        return f"https://{f'[{host}]' if ':' in host else host}:{self.edge_port}"

    def admin_url(self) -> str:
        if self.postgres is not None:
            return self.postgres.admin_url
        return str(self.database_url)

    def replicas(self, entry: Entry) -> int:
        return self.settings.replicas.get(entry.short_name, entry.replicas)

    def names(self) -> list[str]:
        return [EDGE, *(entry.name for entry in DEPLOYMENTS)]

    def migrate_order(self) -> Order:
        overrides = {"database": {"url": self.admin_url()}, "runtime": {"home": str(self.home.path)}}
        return self._order("migrate", "migrate", overrides, sandboxes=0, account=False)

    def service_order(self, entry: Entry, instance_id: str) -> Order:
        return self._order(entry.name, instance_id, self._overrides(entry, instance_id), entry.sandboxes, account=True)

    def _order(self, name: str, instance_id: str, overrides: Overrides, sandboxes: int, *, account: bool) -> Order:
        who = self.home.account if account else None
        return Order(
            name=name,
            instance_id=instance_id,
            supervisor_pid=os.getpid(),
            config=str(self.source.path) if self.source.path else None,
            environ={key: value for key, value in os.environ.items() if key in _ENVIRONMENT or key.startswith("ECO_")},
            overrides=overrides,
            account=(who.name, who.uid, who.gid) if who else None,
            sandboxes=sandboxes,
        )

    def _overrides(self, entry: Entry, instance_id: str) -> Overrides:
        role = f"eco_{entry.schema}"
        overrides: dict[str, dict[str, Any]] = {
            "database": {"url": self._role_url(role)},
            "objects": {"folder": str(self.home.objects)},
            "keys": {"master_key_file": str(self.home.master_key)},
            "identity": {
                "pem_file": str(self.certificates.file(entry.name)),
                "ca_file": str(self.home.bundle),
                "revoked_file": str(self.home.revoked),
            },
            "runtime": {"instance_id": instance_id, "home": str(self.home.path)},
            "telemetry": {"traces_folder": str(self.home.traces)},
            "resilience": {
                "policies_file": str(policies_file(self.source, self.home.path)),
                "kept_file": str(self.home.kept / "policies.toml"),
            },
        }
        if url := self.cache.url if self.cache else self.cache_url:
            overrides["cache"] = {"url": url}
        if entry.short_name == "gateway":
            overrides["gateway"] = {
                "edge_folder": str(self.home.edge), "host": self.settings.edge_host, "port": self.edge_port,
                "pem_file": str(self.certificates.file(EDGE)), "ca_file": str(self.home.bundle),
            }  # fmt: skip
        if entry.short_name == "authn":
            overrides["authn"] = {"first_credential_file": str(self.home.first_credential)}
        if entry.short_name == "recovery":
            overrides["recovery"] = {
                "journal_file": str(self.home.journal), "certificates_folder": str(self.home.leaves),
            }  # fmt: skip
        if entry.short_name == "monitoring":
            overrides["monitoring"] = {"edge_url": self.edge_url}
        return overrides

    def _role_url(self, role: str) -> str:
        password = self.home.password_of(role)
        if self.postgres is not None:
            return self.postgres.url(role, password)
        return with_login(str(self.database_url), role, password)


def with_login(url: str, role: str, password: str) -> str:
    """A libpq URL for another role. The administrator's own login stays with the fleet."""
    if IN_WORDS.match(url):
        return f"{url} user={role} password={password}"  # of words that come twice, the last counts
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{role}:{password}@{rest.rpartition('@')[2]}"


def make_plan(home: Home, source: Source) -> Plan:
    """Raises SettingRefused, PolicyRefused, EngineMissing, PortBusy."""
    settings = source.get(FleetSettings)
    refuse_wrong_policies(policies_file(source, home.path))
    database_url, cache_url = url_setting(source, DatabaseSettings), url_setting(source, CacheSettings)
    postgres, cache = find_postgres(database_url), find_cache(cache_url)
    return Plan(
        home=home, source=source, settings=settings,
        postgres=None if database_url else Postgres(home, postgres, settings.database_connections_max),
        cache=None if cache_url else Cache(home, cache, settings.cache_bytes_max),
        edge=Edge(home, find_edge()),
        database_url=database_url, cache_url=cache_url,
        edge_door=free_door(settings.edge_host, settings.edge_port, (home.read_state() or {}).get("edge_port")),
        certificates=_certificates(home, settings),
    )  # fmt: skip


def _certificates(home: Home, settings: FleetSettings) -> Certificates:
    """The first that is written of a home. Raises HomeNotWritable."""
    try:
        return Certificates(home, settings.certificate_hours, settings.edge_host)
    except OSError as error:
        raise HomeNotWritable(f"{error.filename or home.path}: {error.strerror}.") from error


def refuse_wrong_policies(file: Path) -> None:
    """Told once, before anything starts, and not by every service that would refuse to. Raises PolicyRefused."""
    if file.exists():
        # Imported where there is a file: a start must not wait for what it does not need.
        from ecosystem.contracts.index import AGENTS
        from ecosystem.kernel.agent.authorisation import names_checked
        from ecosystem.kernel.resilience.file import combine, read

        names_checked(AGENTS, (entry.name for entry in DEPLOYMENTS))(combine(read(file)))


@dataclass(frozen=True)
class Door:
    """A port of the edge, kept for one platform as long as `claim` is open: Envoy binds it later.

    `former`: the port that the platform had before, where that is another.
    """

    port: int
    claim: socket.socket
    former: int | None = None

    def close(self) -> None:
        self.claim.close()


def free_door(host: str, explicit: int | None, former: int | None = None) -> Door:
    """The port that was asked for, else the former one, else the first free one from 8443 on. Raises PortBusy."""
    if explicit is not None:
        if door := _claim(host, explicit):
            return door
        raise PortBusy(f"Port {explicit} of {host} is in use; fleet.edge_port asks for it.")
    for port in (*([former] if former else []), *range(DEFAULT_EDGE_PORT, DEFAULT_EDGE_PORT + _PORTS_TRIED)):
        if door := _claim(host, port):
            return replace(door, former=former if former != port else None)
    raise PortBusy(f"No port of {host} from {DEFAULT_EDGE_PORT} on is free.")


def _claim(host: str, port: int) -> Door | None:
    """Nothing listens there, and no other platform that is starting means to: an abstract name says so for us."""
    claim = socket.socket(socket.AF_UNIX)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            claim.bind(f"\0ecosystem edge {host}:{port}")
            door.bind((host, port))
        except OSError:
            claim.close()
            return None
    return Door(port, claim)


def with_account(home: Home, settings: FleetSettings) -> Home:
    """The same home, with the account that a root start uses."""
    names = (settings.account,) if settings.account else ("ecosystem", "nobody")
    return replace(home, account=unprivileged_account(names))
