"""The gateway keeps the edge's files equal to what the registry and authn say, and looks what Envoy makes of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ecosystem.kernel.clock import Clock
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.gateway import model
from ecosystem.services.gateway.adapters import EdgeFolder, EnvoyAdmin, PublicKeys
from ecosystem.services.gateway.model import EdgeState, Known
from ecosystem.services.gateway.rendering.shapes import Wanted

_KEYS_SECONDS = 15.0
_FIRST_SECONDS = 15.0
_FIRST_PAUSE = 0.05
_SOON_SECONDS = 1.0


class Instances(Protocol):
    def instances(self, service: str | None = None) -> Sequence[Known]: ...
    def watch(self) -> AsyncIterator[None]: ...


class EdgeService:
    """`wanted` is everything that does not change: place, limits, prefixes, whose tokens."""

    def __init__(
        self, wanted: Wanted, registry: Instances, folder: EdgeFolder, admin: EnvoyAdmin, keys: PublicKeys,
        clock: Clock, *, look_seconds: float,
    ) -> None:  # fmt: skip
        self._wanted, self._registry, self._folder = wanted, registry, folder
        self._admin, self._keys, self._clock = admin, keys, clock
        self._look_seconds = look_seconds
        self._jwks: Mapping[str, Any] | None = None
        self._fetched_at: float | None = None
        self._counters: Mapping[str, int] = {}
        self._rendered: tuple[Wanted, dict[str, bytes]] | None = None
        self.state = EdgeState()

    @property
    def status(self) -> str:
        """`rejected` beats `waiting` beats `serving`."""
        if self.state.rejected:
            return "rejected"
        return "serving" if self.state.envoy == "live" and self.state.written_at else "waiting"

    async def begin(self) -> None:
        """The first files, before anybody is told that we are ready; after 15 s without keys we go on trying."""
        former = self._folder.former_jwks()
        if former is not None:
            self._accept(former)
        end = self._clock.monotonic() + _FIRST_SECONDS
        while True:
            await self._renew_keys()
            self.write()
            if self._jwks is not None or self._clock.monotonic() > end:
                return
            self._fetched_at = None
            await self._clock.sleep(_FIRST_PAUSE)

    async def follow(self, stop: asyncio.Event) -> None:
        """Until `stop`: write at once when the registry changes, look at keys and Envoy in between.

        More often while the edge does not serve: somebody waits for that.
        """
        watching = asyncio.create_task(self._follow_registry(self._registry.watch()))
        try:
            while not stop.is_set():
                await self.look()
                pause = self._look_seconds if self.status == "serving" else min(_SOON_SECONDS, self._look_seconds)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await stop.wait()
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await self._admin.close()

    async def look(self) -> None:
        """One round: keys, files, Envoy's answer. Never raises for the world's failures."""
        await self._renew_keys()
        self.write()
        await self._ask_envoy()

    def write(self) -> None:
        """Replace the files that differ; none before the keys are known, because tokens could not be checked."""
        wanted = self._wanted
        if self._jwks is None:
            return
        endpoints = model.takers(self._registry.instances(), wanted.services)
        now = replace(wanted, endpoints=endpoints, jwks=self._jwks)
        if self._rendered is None or self._rendered[0] != now:
            self._rendered = now, model.render(now)
        _, files = self._rendered
        try:
            replaced = self._folder.write(files)
        except OSError as error:
            self.state.problem = f"the edge's files cannot be written: {error.strerror}"
            log.error("the edge's files cannot be written", reason=str(error.strerror))
            return
        self.state.instances = {service: len(group) for service, group in endpoints.items()}
        self.state.written_at = self.state.written_at or self._clock.now()
        if replaced:
            self.state.written_at, self.state.written = self._clock.now(), tuple(replaced)
            self.state.problem = None
            log.info("edge configured", files=replaced)

    async def _follow_registry(self, changes: AsyncIterator[None]) -> None:
        async for _ in changes:
            self.write()

    async def _renew_keys(self) -> None:
        """A key is published a minute and more before it signs, so a look every 15 s is early enough."""
        now = self._clock.monotonic()
        if self._fetched_at is not None and now - self._fetched_at < _KEYS_SECONDS:
            return
        try:
            self._accept(await self._keys.fetch())
        except EcosystemError as error:
            if self._jwks is None:
                self.state.problem = f"no keys yet: {error.message}"
                return
        self._fetched_at = now

    def _accept(self, jwks: Any) -> None:
        try:
            self.state.key_ids = model.public_keys(jwks)
        except ValueError as error:
            self.state.problem = f"authn's keys are refused: {error}"
            log.error("keys refused", reason=str(error))
            return
        self._jwks = jwks
        self.state.problem = None

    async def _ask_envoy(self) -> None:
        try:
            self.state.envoy = await self._admin.state()
            counters = await self._admin.stats()
        except EcosystemError:
            self.state.envoy = "unreachable"
            return
        rejected = model.rejected_now(self._counters, counters, self.state.rejected)
        if rejected and rejected != self.state.rejected:
            # Envoy goes on with what it had; the reason stands in its own log.
            log.error("the edge rejected an update", updates=rejected)
        self._counters, self.state.rejected = counters, rejected
