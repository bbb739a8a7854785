"""Everything that PostgreSQL is asked about itself."""

from sqlalchemy import text

from ecosystem.kernel.db.database import Database
from ecosystem.services.postgres.model import Capability, Measures, Migration, Server

USED_FOR = {
    "postgis": "places and geofences of phones",
    "timescaledb": "series of measures and detections",
}
_SETTINGS = (
    "fsync", "full_page_writes", "synchronous_commit", "max_connections", "shared_buffers", "wal_level",
    "server_encoding", "TimeZone",
)  # fmt: skip
_SERVER = text(
    "select current_setting('server_version'), current_setting('server_version_num')::int, pg_postmaster_start_time(),"
    " pg_is_in_recovery()"
)
_SHOWN = text("select name, current_setting(name) from unnest(cast(:names as text[])) as name")
_CAPABILITIES = text(
    "select name, default_version, installed_version from pg_available_extensions where name = any(:names)"
)


class ClusterRepository:
    """Each method belongs inside of `database.read`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def server(self) -> Server:
        version, number, started_at, in_recovery = (await self._db.session.execute(_SERVER)).one()
        shown = await self._db.session.execute(_SHOWN, {"names": list(_SETTINGS)})
        return Server(version, number, started_at, in_recovery, {row.name: row.current_setting for row in shown})

    async def capabilities(self) -> list[Capability]:
        """Found by asking the server; one that it does not know is listed without a version."""
        found = await self._db.session.execute(_CAPABILITIES, {"names": list(USED_FOR)})
        known = {name: (available, installed) for name, available, installed in found}
        return [Capability(name, *known.get(name, (None, None)), use) for name, use in USED_FOR.items()]

    async def measures(self) -> Measures:
        values = (await self._db.session.execute(text("select postgres.measures()"))).scalar_one()
        return Measures(**values)

    async def migrations(self) -> list[Migration]:
        found = await self._db.session.execute(
            text("select service, schema, revision from kernel.migration_versions() order by service")
        )
        return [Migration(*row) for row in found]
