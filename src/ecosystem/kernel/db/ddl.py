"""Helpers of the services' revisions: `for statement in …: op.execute(statement)`.

The parts of the kernel that keep tables in a service's schema lie above `db`; they are named here as the catalog
names services, and only a migration turns the names into code.
"""

import importlib
from collections.abc import Callable

from ecosystem.kernel.db.roles import role_of

_PARTS = (
    "ecosystem.kernel.keys.ddl:data_keys",
    "ecosystem.kernel.agent.ddl:answers",
    "ecosystem.kernel.messaging.ddl:bookkeeping",
)
_FENCED = ("data_keys", "answers")


def fence(table: str) -> str:
    """Row-level security, forced, on a table with a column `company_id uuid`: no company set means no rows.

    The policies are for the service's login (the company of `eco.company_id` only) and for `eco_owner` (all rows).
    `table` may be qualified; otherwise it is looked up in the search path of the migration.
    """
    return f"select kernel.fence('{table}'::regclass)"


def grant_service(schema: str) -> str:
    """Everything in `schema` for its login. Tables made later by a migration are granted to it anyway."""
    role = role_of(schema)
    return (
        f"grant select, insert, update, delete on all tables in schema {schema} to {role};"
        f"grant usage on all sequences in schema {schema} to {role};"
        f"revoke insert, update, delete on {schema}.alembic_version from {role}"
    )


def kernel_tables(schema: str) -> list[str]:
    """What the kernel keeps in a service's own schema: data keys, recorded answers, inbox, cursors, parked events."""
    statements = [statement for part in _PARTS for statement in _load(part)(schema)]
    return statements + [fence(f"{schema}.{table}") for table in _FENCED]


def _load(name: str) -> Callable[[str], list[str]]:
    module, _, function = name.partition(":")
    found: Callable[[str], list[str]] = getattr(importlib.import_module(module), function)
    return found
