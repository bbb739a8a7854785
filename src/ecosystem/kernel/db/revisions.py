"""Alembic on a connection that is already open, without an `env.py` per service."""

from pathlib import Path
from typing import Any

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from ecosystem.kernel.db.roles import OWNER


class Runner:
    """Upgrades one schema after the other; the caller owns the psycopg connection and commits it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool, use_native_hstore=False
        )
        self._connection = engine.connect()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        # It is the caller's to close; a lost one is nobody's.
        if not self._connection.invalidated:
            self._connection.detach()

    def upgrade(self, schema: str, versions: Path) -> tuple[str | None, str | None, tuple[str, ...]]:
        """(revision before, revision after, those applied) of `schema`; nothing is committed."""
        config = Config()
        config.set_main_option("script_location", str(versions.parent).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        script = ScriptDirectory.from_config(config)
        seen: dict[str, Any] = {"before": None, "steps": []}

        def to_head(revision: Any, _: Any) -> Any:
            seen["before"] = revision[0] if revision else None
            seen["steps"] = script._upgrade_revs("heads", revision)
            return seen["steps"]

        with EnvironmentContext(config, script, fn=to_head) as environment:
            self._connection.exec_driver_sql(f"set local role {OWNER}")
            path = schema if schema == "kernel" else f"{schema}, kernel"
            self._connection.exec_driver_sql(f"set local search_path = {path}, pg_temp")
            environment.configure(
                connection=self._connection,
                version_table="alembic_version",
                version_table_schema=schema,
                transactional_ddl=True,
            )
            environment.run_migrations()
            self._connection.exec_driver_sql("reset role")
        applied = tuple(step.revision.revision for step in seen["steps"])
        after = script.get_current_head()
        return seen["before"], after, applied
