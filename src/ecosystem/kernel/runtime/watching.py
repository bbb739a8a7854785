"""Readiness, derived from what the service declares it needs, and told to the registry and to the parent process."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from ecosystem.kernel.errors import describe
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.registry.registry import Registry
from ecosystem.kernel.runtime.service import Kernel
from ecosystem.kernel.runtime.settings import RuntimeSettings
from ecosystem.kernel.telemetry.log import log

Check = Callable[[], Awaitable[Any]]
_SOON_SECONDS = 0.5


def checks_of(kernel: Kernel) -> dict[str, Check]:
    """The check of every part that a catalog entry may need."""
    return {"database": kernel.database.ping, "cache": kernel.cache.ping, "objects": kernel.objects.ping}


class ParentLine:
    """The pipe to whoever started us: one JSON object a line. A parent that is gone changes nothing."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def say(self, state: str, reason: str = "", **facts: Any) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, orjson.dumps({"state": state, "reason": reason, **facts}) + b"\n")
        except OSError:
            self._descriptor = None


class Watch:
    """Checks every part that is needed, every `beat_seconds`; more often while one is failing."""

    def __init__(
        self, health: Health, needs: Mapping[str, Check], registry: Registry, settings: RuntimeSettings,
        told: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._health, self._needs, self._registry, self._settings = health, needs, registry, settings
        self._told = told

    async def look(self) -> bool:
        """Check once; whether everything that is needed is there."""
        names = list(self._needs)
        answers = await asyncio.gather(*(self._check(self._needs[name]) for name in names))
        found = dict(zip(names, answers, strict=True))
        self._health.checked = {name: why or "ok" for name, why in found.items()}
        self._health.failing = {name: why for name, why in found.items() if why}
        return not self._health.failing

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.update()
            pause = self._settings.beat_seconds if self._health.ready else _SOON_SECONDS
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue

    async def update(self) -> None:
        """Check, tell what changed, and beat."""
        good = await self.look()
        if self._health.state == "draining":
            return
        state = "ready" if good else "unready"
        if state != self._health.state:
            (log.info if good else log.warning)("readiness changed", state=state, reason=self._health.reason)
            self._health.state = state
            self._told("ready" if good else "degraded", self._health.reason)
        try:
            await self._registry.beat(state, self._health.reason)
        except Exception as error:
            # Without the database nobody hears the beat; the check above has told what is missing.
            log.warning("the beat was not heard", code=describe(error).code)

    async def _check(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._settings.check_seconds):
                await check()
        except TimeoutError:
            return f"no answer within {self._settings.check_seconds:g} s"
        except Exception as error:
            return describe(error).message
        return ""
