"""Commands to a running supervisor over a Unix socket of mode 0600: one JSON line asks, JSON lines answer."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import orjson

from ecosystem.kernel.errors import EcosystemError, Invalid, describe

_LINE_BYTES_MAX = 64 * 1024

Tell = Callable[[str], None]


class Commands(Protocol):
    async def scale(self, service: str, replicas: int, tell: Tell) -> None: ...

    async def restart(self, service: str | None, tell: Tell) -> None: ...

    def request_stop(self) -> None: ...

    def state(self) -> dict[str, Any]: ...


class ControlServer:
    def __init__(self, path: Path, commands: Commands) -> None:
        self._path, self._commands = path, commands
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Whoever holds the home's lock owns the socket: one left by a dead supervisor is replaced."""
        self._path.unlink(missing_ok=True)
        former = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=_LINE_BYTES_MAX)
        finally:
            os.umask(former)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(answer: dict[str, Any]) -> None:
            if not writer.is_closing():
                writer.write(orjson.dumps(answer) + b"\n")

        try:
            asked = orjson.loads(await reader.readline())
            await self._obey(asked, say)
        except (EcosystemError, OSError, ValueError, TypeError, KeyError) as error:
            failure = describe(error)
            say({"error": failure.message, "code": failure.code, "next": failure.suggestion})
        finally:
            writer.close()

    async def _obey(self, asked: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
        def tell(text: str) -> None:
            say({"progress": text})

        match asked.get("command"):
            case "state":
                say({"state": self._commands.state()})
            case "scale":
                await self._commands.scale(str(asked["service"]), int(asked["replicas"]), tell)
            case "restart":
                await self._commands.restart(asked.get("service"), tell)
            case "down":
                self._commands.request_stop()
            case other:
                raise Invalid(f"The supervisor knows no command {other!r}.")
        say({"done": True})
