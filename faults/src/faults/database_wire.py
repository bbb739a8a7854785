"""A wire in front of the platform's PostgreSQL: it takes the place of the server's socket file for a while.

The server's own file moves aside in the same folder and stays open for us; whoever connects meanwhile goes through
the wire. A server that starts anew puts its file back, which is then moved again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg

from faults.fleet import ASIDE_PORT, Fleet
from faults.wire import Wire

_NAME = ".s.PGSQL.5432"
_ASIDE, _FRESH, _KEPT = f".s.PGSQL.{ASIDE_PORT}", ".wire", ".wire.kept"
_LOOK_SECONDS = 0.05
_CUT = "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'eco\\_%'"


class DatabaseWire:
    """One wire at a time. Our own questions pass by it (`Fleet.sql`)."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._one_at_a_time = asyncio.Lock()
        self._wire: Wire | None = None
        self._ours: int | None = None
        self._keeping: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def between(self, *, stays: bool = False) -> AsyncIterator[Wire]:
        """The wire with every service connected through it; afterwards they are connected directly again.

        With `stays` the wire is left in its place, whole, until the next fault or `close`.
        """
        async with self._one_at_a_time:
            if self._wire is None:
                self._wire = await self._put()
                await self._cut()
            try:
                yield self._wire
            finally:
                if not stays:
                    await self.close()

    async def close(self) -> None:
        """Let services and server meet directly."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        if self._keeping is not None:
            self._keeping.cancel()
        with suppress(OSError, KeyError):
            self._take_away(self._folder)
        await wire.close()

    @property
    def _folder(self) -> Path:
        return self._fleet.run / "postgres"

    async def _put(self) -> Wire:
        folder = self._folder
        wire = Wire(folder / _ASIDE)
        for name in (_FRESH, _KEPT):
            (folder / name).unlink(missing_ok=True)
        await wire.listen_unix(folder / _FRESH)
        # A second name, so that the file can be put back where the server's has replaced it.
        (folder / _KEPT).hardlink_to(folder / _FRESH)
        (folder / _NAME).rename(folder / _ASIDE)
        (folder / _FRESH).rename(folder / _NAME)
        self._ours = (folder / _NAME).stat().st_ino
        self._keeping = asyncio.create_task(self._keep(folder))
        return wire

    async def _keep(self, folder: Path) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(OSError):
                if (folder / _NAME).stat().st_ino != self._ours:
                    (folder / _NAME).rename(folder / _ASIDE)
                    (folder / _FRESH).hardlink_to(folder / _KEPT)
                    (folder / _FRESH).rename(folder / _NAME)

    def _take_away(self, folder: Path) -> None:
        with suppress(FileNotFoundError):
            if (folder / _NAME).stat().st_ino == self._ours:
                (folder / _ASIDE).rename(folder / _NAME)
        for name in (_FRESH, _KEPT, _ASIDE):
            (folder / name).unlink(missing_ok=True)

    async def _cut(self) -> None:
        with suppress(psycopg.Error):
            await self._fleet.sql(_CUT)
