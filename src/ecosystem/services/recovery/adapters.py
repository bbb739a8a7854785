"""Detectors that look at the machine: its disk, the certificates of its processes, its cache."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from redis.exceptions import RedisError

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.caching.cache import Cache
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.identity.revocations import serial_text
from ecosystem.services.recovery.model import Sighting
from ecosystem.services.recovery.watching.well import Well

DISK, CACHE = "disk", "cache"


class Disk:
    """Free space where the platform keeps its data."""

    faults = frozenset({FaultKind.DISK_FULL})

    def __init__(self, folder: Path | None, clock: Clock, free_bytes_min: int) -> None:
        self._folder, self._clock, self._free_bytes_min = folder, clock, free_bytes_min
        self._well = Well(clock)

    async def look(self) -> list[Sighting]:
        if self._folder is None:
            return []
        free = (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
        if free >= self._free_bytes_min:
            self._well.note()
            return []
        cause = f"{free // 2**20} MiB are free, fewer than {self._free_bytes_min // 2**20}"
        detail = {"free_bytes": free}
        return [Sighting(FaultKind.DISK_FULL, DISK, cause, self._clock.now(), detail=detail, since=self._well.at)]


class Leaves:
    """The certificates of processes: `folder` holds one PEM for each name, `is_revoked` knows serials."""

    faults = frozenset({FaultKind.CERTIFICATE_EXPIRING, FaultKind.CERTIFICATE_REVOKED})

    def __init__(self, folder: Path | None, is_revoked: Callable[[str], bool], clock: Clock, share_min: float) -> None:
        self._folder, self._is_revoked, self._clock, self._share_min = folder, is_revoked, clock, share_min
        self._known: dict[Path, tuple[int, x509.Certificate]] = {}

    async def look(self) -> list[Sighting]:
        found, now = [], self._clock.now()
        for name, leaf in self._leaves().items():
            serial = serial_text(leaf.serial_number)
            life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
            left = leaf.not_valid_after_utc - now
            if left < life * self._share_min:
                cause = f"the certificate ends at {leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ} and was not renewed"
                late_at = leaf.not_valid_after_utc - life * self._share_min
                expiring = self._sighting(FaultKind.CERTIFICATE_EXPIRING, name, cause, serial, now)
                found.append(replace(expiring, since=late_at))
            if self._is_revoked(serial):
                cause = f"the certificate {serial} is revoked and was not replaced"
                found.append(self._sighting(FaultKind.CERTIFICATE_REVOKED, name, cause, serial, now))
        return found

    def _sighting(self, fault: FaultKind, name: str, cause: str, serial: str, now: datetime) -> Sighting:
        return Sighting(fault, name, cause, now, detail={"serial": serial})

    def _leaves(self) -> dict[str, x509.Certificate]:
        """By the name of the process; read again only where a file changed."""
        leaves = {}
        for file in sorted(self._folder.glob("*.pem")) if self._folder else ():
            if file.stem == "ca":
                continue
            try:
                changed = file.stat().st_mtime_ns
                if self._known.get(file, (0, None))[0] != changed:
                    self._known[file] = changed, x509.load_pem_x509_certificate(file.read_bytes())
            except (OSError, ValueError):
                continue  # it is being replaced, or is another account's: who uses it tells of it
            leaves[file.stem] = self._known[file][1]
        return leaves


class CacheWatch:
    """A cache that does not answer at two looks in a row, or that is another than before: what it held is lost."""

    faults = frozenset({FaultKind.CACHE_LOST})

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache, self._clock = cache, clock
        self._silent, self._life = 0, ""
        self._well = Well(clock)

    async def look(self) -> list[Sighting]:
        if self._cache.client is None:
            return []
        try:
            await self._cache.ping()
            life = str((await self._cache.client.info("server")).get("run_id", ""))
        except (Unavailable, RedisError, OSError):
            self._silent += 1
            if self._silent < 2:
                return []
            return [self._lost("it does not answer")]
        found = [self._lost("it started anew, empty")] if self._life not in ("", life) else []
        self._silent, self._life = 0, life
        self._well.note()
        return found

    def _lost(self, cause: str) -> Sighting:
        return Sighting(FaultKind.CACHE_LOST, CACHE, cause, self._clock.now(), since=self._well.at)
