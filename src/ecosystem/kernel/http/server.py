"""uvicorn inside a process that has its own loop, its own signals, and wants to know who its peer is."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.http.door import EXTENSION
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.identity.names import peer_of_certificate
from ecosystem.kernel.identity.revocations import serial_text

_START_SECONDS = 10.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Ask it to end."""
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        """uvicorn's own wakes ten times a second to see whether it is to end; here it is told.

        A tick also sets the date of answers, once a second; probes need none.
        """
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1 if self.config.date_header else None):
                    await self._leaving.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the runtime."""
        yield


def _protocol(trust_domain: str) -> type[HttpToolsProtocol]:
    class PeerProtocol(HttpToolsProtocol):
        """Puts the peer's registered name where the door finds it; uvicorn itself offers no certificate."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connection = transport.get_extra_info("ssl_object")
            certificate = connection.getpeercert() if connection is not None else None
            serial = serial_text(str((certificate or {}).get("serialNumber", "0")))
            self._extensions = {EXTENSION: {"peer": peer_of_certificate(certificate, trust_domain), "serial": serial}}

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    return PeerProtocol


class HttpServer:
    """One listening address of a process. `context` None: plain HTTP, for probes without data."""

    def __init__(
        self, app: Any, settings: HttpSettings, *, context: ssl.SSLContext | None, trust_domain: str = "eco.local"
    ) -> None:
        self._config = uvicorn.Config(
            app, http=_protocol(trust_domain), loop="none", log_config=None, access_log=False, lifespan="off",
            timeout_keep_alive=settings.keep_alive_seconds, timeout_graceful_shutdown=5, server_header=False,
            ws="none", limit_concurrency=settings.connections_max, date_header=context is not None,
            ssl_context_factory=None if context is None else lambda *_: context,
        )  # fmt: skip
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; the port. Raises Unavailable where the address is taken."""
        try:
            listener = socket.create_server((host, port), backlog=1024)
        except OSError as error:
            raise Unavailable(f"The address {host}:{port} cannot be opened: {error.strerror}.") from error
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="http")
        end = asyncio.get_running_loop().time() + _START_SECONDS
        while not self._server.started:
            if self._task.done() or asyncio.get_running_loop().time() > end:
                raise Unavailable("The HTTP server did not start.")
            await asyncio.sleep(0.002)
        return int(listener.getsockname()[1])

    async def stop(self, grace_seconds: float) -> None:
        """Take no new connections; requests in flight end within `grace_seconds`, then are cut."""
        if self._task is None:
            return
        self._config.timeout_graceful_shutdown = max(1, round(grace_seconds))
        self._server.leave()
        await self._task
        self._task = None
