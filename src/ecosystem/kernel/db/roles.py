"""Roles and schemas: who may log in, and what a login sees. Run by the administrator before the revisions.

| role | may |
|---|---|
| `eco_owner` | owns everything, cannot log in; migrations run as it |
| `eco_service` | cannot log in; what every service may do in the schema `kernel`; each `eco_<schema>` is a member |
| `eco_<schema>` | logs in; reads and writes its own schema, behind the fence |
| `eco_relay` | cannot log in; owns the functions that read the log for everyone |
| `eco_migrator` | logs in; may become `eco_owner` |
| `eco_backup` | logs in; reads everything, past the fence |
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from ecosystem.kernel.db import scram

OWNER, SERVICE, RELAY, MIGRATOR, BACKUP = "eco_owner", "eco_service", "eco_relay", "eco_migrator", "eco_backup"
_GROUPS = (OWNER, SERVICE, RELAY)
_WORD = re.compile(r"[a-z][a-z0-9_]{0,40}")

PasswordOf = Callable[[str], str]
Connection = psycopg.Connection[Any]


def role_of(schema: str) -> str:
    """The login role of the service that owns `schema`."""
    if not _WORD.fullmatch(schema):
        raise ValueError(f"{schema!r} is not a schema: lower-case letters, digits and _ only")
    return f"eco_{schema}"


def ensure_roles(connection: Connection, schemas: Sequence[str], password_of: PasswordOf) -> None:
    """Make what is missing and renew the passwords that changed. Safe to run again, and in two databases at once."""
    services = [role_of(schema) for schema in schemas]
    logins = [*services, MIGRATOR, BACKUP]
    present = _present(connection)
    missing = {role for role in (*_GROUPS, *logins) if role not in present}
    for role in (*_GROUPS, *logins):
        if role in missing:
            _tolerantly(connection, f"create role {role} {'login' if role in logins else 'nologin'}")
    for role in logins:
        password = password_of(role)
        if not scram.matches(password, present.get(role)):
            connection.execute(sql.SQL("alter role {} login password {}").format(
                sql.Identifier(role), sql.Literal(scram.verifier(password))))  # fmt: skip
    for role in services:
        if role in missing:
            connection.execute(f"grant {SERVICE} to {role} with inherit true, set false")
    if missing & {*_GROUPS, MIGRATOR, BACKUP}:
        _memberships(connection)


def ensure_schemas(connection: Connection, schemas: Sequence[str]) -> None:
    """One schema per service, seen by its own login only; `kernel` is seen by all, and offers what is granted."""
    database = connection.info.dbname
    fresh = [schema for schema in ("kernel", *schemas) if not _exists(connection, schema)]
    if "kernel" in fresh:
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
        connection.execute(sql.SQL("grant connect, create on database {} to {}").format(
            sql.Identifier(database), sql.Identifier(OWNER)))  # fmt: skip
        for role in (SERVICE, MIGRATOR, BACKUP):
            connection.execute(sql.SQL("grant connect on database {} to {}").format(
                sql.Identifier(database), sql.Identifier(role)))  # fmt: skip
        # A function is for those it is granted to: PostgreSQL would let everyone call it.
        connection.execute(f"alter default privileges for role {OWNER} revoke execute on functions from public")
        connection.execute(
            f"create schema kernel authorization {OWNER};"
            f"grant usage on schema kernel to {SERVICE}; grant usage, create on schema kernel to {RELAY}"
        )
    for schema in fresh:
        if schema == "kernel":
            continue
        role, defaults = role_of(schema), f"alter default privileges for role {OWNER} in schema {schema} grant"
        connection.execute(
            f"create schema {schema} authorization {OWNER}; grant usage on schema {schema} to {role};"
            f"{defaults} select, insert, update, delete on tables to {role};"
            f"{defaults} usage on sequences to {role}; {defaults} execute on functions to {role}"
        )


def _present(connection: Connection) -> Mapping[str, str | None]:
    """Our roles with their verifiers; without the right to read these, every password is set again."""
    readable = connection.execute("select has_table_privilege('pg_authid', 'select')").fetchone()
    source = "rolname, rolpassword from pg_authid" if readable and readable[0] else "rolname, null from pg_roles"
    rows = connection.execute(f"select {source} where rolname like 'eco\\_%'").fetchall()
    return {str(name): password for name, password in rows}


def _memberships(connection: Connection) -> None:
    connection.execute(f"grant {RELAY} to {OWNER} with inherit false, set true")
    connection.execute(f"grant {OWNER} to {MIGRATOR} with inherit false, set true")
    connection.execute(f"grant pg_read_all_data to {BACKUP}")
    # A managed server may refuse these to its administrator; postgres-service then says what is missing.
    _tolerantly(connection, f"alter role {BACKUP} bypassrls")
    for right in ("pg_monitor", "pg_signal_backend"):
        _tolerantly(connection, f"grant {right} to {OWNER}")
    superuser = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
    if not (superuser and superuser[0]):
        connection.execute(f"grant {OWNER} to current_user with set true, inherit true")


def _exists(connection: Connection, schema: str) -> bool:
    found = connection.execute("select 1 from pg_namespace where nspname = %s", (schema,)).fetchone()
    return found is not None


def _tolerantly(connection: Connection, statement: str) -> None:
    """Roles belong to the cluster: a migration of another database may have made one in this instant."""
    try:
        with connection.transaction():
            connection.execute(statement)
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation, psycopg.errors.InsufficientPrivilege):
        return
