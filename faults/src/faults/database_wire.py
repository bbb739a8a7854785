"""A wire in front of the platform's PostgreSQL: it takes the place of the server's socket file for a while.

The server's own file moves aside in the same folder and stays open for us; whoever connects meanwhile goes through
the wire. A server that starts anew puts its file back, which is then moved again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg

from faults.fleet import Fleet
from faults.wire import Wire

_NAME = ".s.PGSQL.5432"
ASIDE_PORT = 5433
_LOOK_SECONDS = 0.05
_CUT = "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'eco\\_%'"


class DatabaseWire:
    """One at a time; `port` is where the server itself listens at the moment."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._one_at_a_time = asyncio.Lock()
        self._ours: int | None = None

    @property
    def port(self) -> int:
        return 5432 if self._ours is None else ASIDE_PORT

    @asynccontextmanager
    async def between(self) -> AsyncIterator[Wire]:
        """The wire with every service connected through it; afterwards they are connected directly again."""
        async with self._one_at_a_time:
            folder = self._fleet.run / "postgres"
            wire = Wire(folder / f".s.PGSQL.{ASIDE_PORT}")
            fresh = folder / ".wire"
            fresh.unlink(missing_ok=True)
            await wire.listen_unix(fresh)
            self._put(folder, fresh)
            keeping = asyncio.create_task(self._keep(folder))
            try:
                await self._cut()
                yield wire
            finally:
                keeping.cancel()
                self._take_away(folder)
                await wire.close()

    def _put(self, folder: Path, fresh: Path) -> None:
        (folder / _NAME).rename(folder / f".s.PGSQL.{ASIDE_PORT}")
        fresh.rename(folder / _NAME)
        self._ours = (folder / _NAME).stat().st_ino
        # A second name, so that the file can be put back where the server's has replaced it.
        (folder / ".wire.kept").unlink(missing_ok=True)
        (folder / ".wire.kept").hardlink_to(folder / _NAME)

    async def _keep(self, folder: Path) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(OSError):
                if (folder / _NAME).stat().st_ino != self._ours:
                    (folder / _NAME).rename(folder / f".s.PGSQL.{ASIDE_PORT}")
                    (folder / ".wire").hardlink_to(folder / ".wire.kept")
                    (folder / ".wire").rename(folder / _NAME)

    def _take_away(self, folder: Path) -> None:
        with suppress(OSError):
            if (folder / _NAME).stat().st_ino == self._ours:
                (folder / f".s.PGSQL.{ASIDE_PORT}").rename(folder / _NAME)
        for name in (".wire", ".wire.kept", f".s.PGSQL.{ASIDE_PORT}"):
            (folder / name).unlink(missing_ok=True)
        self._ours = None

    async def _cut(self) -> None:
        with suppress(psycopg.Error):
            await self._fleet.sql(_CUT, port=self.port)
