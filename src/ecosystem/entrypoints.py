"""The processes of a platform, resolved from the catalog: what `python -m ecosystem` becomes for the fleet."""

import argparse
import asyncio
import importlib
import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecosystem import kernel
from ecosystem.catalog import CATALOG, DEPLOYMENTS, backups, backups_of, find
from ecosystem.fleet.first import Begun
from ecosystem.fleet.home import Home, end_former
from ecosystem.fleet.place import default_home
from ecosystem.fleet.zygote import Run
from ecosystem.fleet.zygote import run as run_zygote
from ecosystem.kernel.errors import EcosystemError, describe
from ecosystem.kernel.settings import Secret, Settings, Source

MIGRATE = "migrate"

# What libraries import only when it is first needed. A service that gave up root may not be able to read its own
# libraries any more, and every import before the fork is one that no child pays for.
PRELOAD = (
    "anyio._backends._asyncio",
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.ascii",
    "encodings.cp1252",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_16",
    "encodings.utf_8_sig",
    "grpc._utilities",
    "httpcore",
    "importlib.readers",
    "importlib.resources._itertools",
    "importlib.resources.readers",
    "multiprocessing.connection",
    "sqlalchemy.dialects.postgresql.psycopg",
    "uvicorn.lifespan.off",
    "uvicorn.lifespan.on",
    "zoneinfo",
)

# What libraries import when it is there and do without when it is not; no process of the fleet uses it.
UNWANTED = ("httpx._main", "opentelemetry.sdk.metrics", "psutil", "pydantic.v1", "pygments", "rich")

_DATABASE_BACK_SECONDS = 10.0
"""A database that goes away while a platform starts is waited for: more than the fleet takes to start it again, and no
more, for nothing tells it from a wrong address."""


def resolve(dotted: str) -> Any:
    """`module:name` as the object it names."""
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)


def load(name: str) -> Run:
    """A service (or `migrate`) by its registered name, imported: a function of settings and a descriptor."""
    if name == MIGRATE:
        return _load_migrate()
    for module in PRELOAD:
        importlib.import_module(module)
    from ecosystem.contracts import index
    from ecosystem.kernel.runtime.contracts import ContractIndex
    from ecosystem.kernel.runtime.serve import serve

    entry = find(name)
    if entry is None:
        raise KeyError(name)
    build = resolve(entry.build)
    contracts = ContractIndex(index.AGENTS, index.EVENTS, frozenset(one.name for one in DEPLOYMENTS), backups())
    return lambda source, ready_fd: serve(entry, build, source, contracts=contracts, ready_fd=ready_fd)


def settings_classes() -> list[type[Settings]]:
    """Every class of settings: what `eco.toml` and the environment may hold."""
    modules = [entry.settings.partition(":")[0] for entry in CATALOG]
    root = Path(kernel.__path__[0])
    modules += [f"ecosystem.kernel.{path.parent.name}.settings" for path in sorted(root.glob("*/settings.py"))]
    found = [vars(importlib.import_module(name)) for name in (*modules, "ecosystem.fleet.settings")]
    return [
        value for names in found for value in names.values()
        if isinstance(value, type) and issubclass(value, Settings) and "section" in vars(value)
    ]  # fmt: skip


def _load_migrate() -> Run:
    from ecosystem.kernel.db.migrate import MigrationSet, migrate_patiently

    sets = [MigrationSet(one.name, one.schema, one.migrations, backups_of(one.name)) for one in CATALOG]

    def run(source: Source, ready_fd: int) -> int:
        url: Secret = Secret(str(source.overrides["database"]["url"]))
        home = Home(Path(str(source.overrides["runtime"]["home"])))
        try:
            migrate_patiently(
                url.get_secret_value(), sets, password_of=home.password_of, within_seconds=_DATABASE_BACK_SECONDS
            )
        except EcosystemError as error:
            os.write(ready_fd, json.dumps({"error": error.message, "next": error.next_step}).encode() + b"\n")
            return 1
        return 0

    return run


def run(word: str, arguments: list[str], zygote: Begun | None = None) -> int:
    """One of the fleet's own words; `zygote`: the one that was begun for `supervise`."""
    parser = argparse.ArgumentParser(prog=f"python -m ecosystem {word}")
    if word != "supervise":
        sys.modules.update(dict.fromkeys(UNWANTED))  # type: ignore[arg-type]  # None: importing it fails
    if word == "zygote":
        parser.add_argument("--control-fd", type=int, required=True)
        control = socket.socket(fileno=parser.parse_args(arguments).control_fd)
        names = [entry.name for entry in CATALOG]
        half = len(names) // 2
        # A backup is of the modules of its service, which are all there by then.
        last = [*names[half:], *backups()]
        return run_zygote(control, load, ((MIGRATE,), names[:half], last))
    if word == "supervise":
        parser.add_argument("--status-fd", type=int)
        parser.add_argument("--config", type=Path)
        parsed = parser.parse_args(arguments)
        return supervise(parsed.config, parsed.status_fd, zygote)
    parser.add_argument("name", choices=[entry.name for entry in DEPLOYMENTS])
    parser.add_argument("--config", type=Path)
    parsed = parser.parse_args(arguments)
    return load(parsed.name)(Source.load(parsed.config, os.environ), -1)


def supervise(config: Path | None, status_fd: int | None, zygote: Begun | None = None) -> int:
    """Hold the home and run everything in it. What goes wrong is told on `status_fd` and on standard error."""
    from ecosystem.fleet.logs import open_log
    from ecosystem.fleet.plan import make_plan, with_account
    from ecosystem.fleet.settings import FleetSettings
    from ecosystem.fleet.supervisor import Supervisor

    say = _teller(status_fd)
    try:
        source = Source.load(config, os.environ)
        source.refuse_wrong(settings_classes())
        home = with_account(Home(default_home(os.environ)), source.get(FleetSettings))
        # What is refused in a home that is not there yet leaves nothing; in one that is, whoever ran before us may
        # still hold the port.
        plan = None if home.exists() else make_plan(home, source)
        home.prepare()
        held = home.lock()
        home.make_secrets()
        end_former(home)
        if status_fd is not None:
            # Whoever started us goes away: from here on our own words are kept in the home.
            output = open_log(home.logs, "supervisor")
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
        supervisor = Supervisor(plan or make_plan(home, source), lambda text: say({"progress": text}), zygote)
        try:
            return asyncio.run(supervisor.run())
        finally:
            home.leave()
            os.close(held)
    except EcosystemError as error:
        failure = describe(error)
        say({"error": failure.message, "code": failure.code, "next": failure.suggestion})
        return 1


def _teller(status_fd: int | None) -> Callable[[dict[str, Any]], None]:
    def say(said: dict[str, Any]) -> None:
        if status_fd is not None:
            with suppress(OSError):
                os.write(status_fd, json.dumps(said).encode() + b"\n")
        failed = "error" in said
        line = {
            "timestamp": datetime.now(UTC).isoformat(), "level": "error" if failed else "info",
            "service": "supervisor", "message": said["error"] if failed else said["progress"],
        }  # fmt: skip
        print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201

    return say
