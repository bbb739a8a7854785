"""Kernel and services brought to their newest revision: one process, one connection, one lock.

A kill in the middle leaves whole sets: each commits at once with its version. Two at once wait for each other.
"""

import hashlib
import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from ecosystem.kernel.db.roles import OWNER, PasswordOf, ensure_roles, ensure_schemas, role_of
from ecosystem.kernel.errors import EcosystemError, Kind, Severity, Unavailable

if TYPE_CHECKING:
    from ecosystem.kernel.db.revisions import Runner

_LOCK = 0x0EC0_0001
_FORMAT = b"1"
_AGAIN_SECONDS = 0.25


class MigrationFailed(EcosystemError):
    code, kind, severity = "migration_failed", Kind.PERMANENT, Severity.CRITICAL
    rule = "Every revision applies cleanly to the one before it."
    suggestion = "Nothing of this set was kept. Mend the revision, or bring the database to the state it expects."


@dataclass(frozen=True)
class MigrationSet:
    """The revisions of one part: `name` as registered (`creditx-service`), `package` holds the folder `versions`.

    A set whose package has no revisions has a schema and a role only. `backups` are other names under which processes
    of this schema's role are registered.
    """

    name: str
    schema: str
    package: str
    backups: tuple[str, ...] = ()

    def versions(self) -> Path | None:
        try:
            spec = importlib.util.find_spec(self.package)
        except ModuleNotFoundError:
            return None
        for location in (spec.submodule_search_locations or ()) if spec else ():
            folder = Path(location, "versions")
            if folder.is_dir():
                return folder
        return None


@dataclass(frozen=True)
class Applied:
    """One set that was brought from `before` (None: from nothing) to `after` in `seconds`."""

    name: str
    before: str | None
    after: str | None
    revisions: tuple[str, ...]
    seconds: float


KERNEL = MigrationSet("kernel", "kernel", "ecosystem.kernel.migrations")


def migrate(admin_url: str, entries: Sequence[MigrationSet], *, password_of: PasswordOf) -> list[Applied]:
    """Roles, schemas and all revisions; what was applied, nothing when all was there.

    `admin_url` is a libpq URL of a role that may create roles and schemas.

    Raises:
        Unavailable: the server does not answer, or went away; what was committed stays, and the next run goes on.
        MigrationFailed: naming the set; the sets before it are kept, this one is not.
    """
    sets = (KERNEL, *entries)
    print_now = fingerprint(sets)
    try:
        connection = psycopg.connect(admin_url, connect_timeout=10, application_name="ecosystem migrate")
    except psycopg.OperationalError as error:
        raise Unavailable("The database did not answer the migration.", suggestion="`eco doctor` says why.") from error
    with connection:
        try:
            return _migrate(connection, sets, entries, print_now, password_of)
        except psycopg.Error as error:
            if not connection.broken:
                raise
            raise Unavailable("The database went away while it was migrated; run it again.") from error


def migrate_patiently(
    admin_url: str, entries: Sequence[MigrationSet], *, password_of: PasswordOf, within_seconds: float
) -> list[Applied]:
    """`migrate`, begun again where the database is away or goes away in the middle; what the last try applied.

    Raises as `migrate` does; Unavailable once the time is over.
    """
    end = time.monotonic() + within_seconds
    while True:
        try:
            return migrate(admin_url, entries, password_of=password_of)
        except Unavailable:
            if time.monotonic() > end:
                raise
        time.sleep(_AGAIN_SECONDS)


def _migrate(
    connection: psycopg.Connection[Any], sets: Sequence[MigrationSet], entries: Sequence[MigrationSet],
    print_now: bytes, password_of: PasswordOf,
) -> list[Applied]:  # fmt: skip
    connection.execute("select set_config('search_path', 'pg_catalog, pg_temp', false)")
    connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
    connection.commit()
    _prepare(connection, entries, password_of)
    if print_now == _fingerprint_kept(connection):
        return []
    # Alembic is imported only when there is work: a warm start does not pay for it.
    from ecosystem.kernel.db.revisions import Runner

    with Runner(connection) as runner:
        applied = [done for item in sets if (done := _upgrade(connection, runner, item)) is not None]
    _remember(connection, entries, print_now)
    return applied


def _upgrade(connection: psycopg.Connection[Any], runner: "Runner", item: MigrationSet) -> Applied | None:
    started = time.perf_counter()
    folder = item.versions()
    if folder is None:
        return None
    try:
        before, after, revisions = runner.upgrade(item.schema, folder)
    except Exception as error:
        if connection.broken:
            raise Unavailable(f"The database went away while {item.name} was migrated; run it again.") from error
        connection.rollback()
        raise MigrationFailed(f"The revisions of {item.name} could not be applied: {error}") from error
    if item is not KERNEL:
        _hide_versions(connection, item.schema)
    connection.commit()
    return Applied(item.name, before, after, revisions, time.perf_counter() - started) if revisions else None


def fingerprint(sets: Sequence[MigrationSet]) -> bytes:
    """SHA-256 over every revision's text: two checkouts with the same one need the same schema."""
    digest = hashlib.sha256(_FORMAT)
    for item in sets:
        digest.update("\0".join(("", item.name, item.schema, *item.backups, "")).encode())
        folder = item.versions()
        for path in sorted(folder.glob("*.py")) if folder else ():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()


def _prepare(connection: psycopg.Connection[Any], entries: Sequence[MigrationSet], password_of: PasswordOf) -> None:
    schemas = [entry.schema for entry in entries]
    ensure_roles(connection, schemas, password_of)
    ensure_schemas(connection, schemas)
    connection.commit()


def _fingerprint_kept(connection: psycopg.Connection[Any]) -> bytes | None:
    there = connection.execute("select to_regclass('kernel.migrated')").fetchone()
    if there is None or there[0] is None:
        return None
    row = connection.execute("select fingerprint from kernel.migrated").fetchone()
    return bytes(row[0]) if row else None


def _hide_versions(connection: psycopg.Connection[Any], schema: str) -> None:
    connection.execute(f"revoke insert, update, delete on {schema}.alembic_version from {role_of(schema)}")


def _remember(connection: psycopg.Connection[Any], entries: Sequence[MigrationSet], print_now: bytes) -> None:
    connection.execute(f"set local role {OWNER}")
    connection.cursor().executemany(
        "insert into kernel.services (service, role, schema) values (%s, %s, %s)"
        " on conflict (service) do update set role = excluded.role, schema = excluded.schema",
        [(name, role_of(entry.schema), entry.schema) for entry in entries for name in (entry.name, *entry.backups)],
    )
    connection.execute("delete from kernel.migrated")
    connection.execute("insert into kernel.migrated (fingerprint) values (%s)", (print_now,))
    connection.commit()
