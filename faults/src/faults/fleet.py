"""The platform of a campaign: a home of its own, the commands of a person, and what its files say about it.

Nothing of the platform's code is used: its commands, its `state.json`, and the secrets in its home that a person who
looks after it reads too.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from faults.processes import alive, below, ended_with_parent, ticks

_LOOK_SECONDS = 0.02
_DOWN_SECONDS = 60
_REMOVALS_MAX, _REMOVAL_PAUSE_SECONDS = 50, 0.1
ASIDE_PORT = 5433
"""Where the server listens while a wire stands in its place."""


class NotUp(Exception):
    """The platform did not become ready; the text says what its command said."""


@dataclass(frozen=True)
class Running:
    """One process of the platform, as its state file names it: `slot` is `creditx-1`, `cache`, `zygote`."""

    slot: str
    kind: str
    state: str
    pid: int
    since: int
    plain_port: int | None


class Fleet:
    """`home` must be a short path. `settings` are sections of `eco.toml`."""

    def __init__(self, folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder, self.home = folder, folder / "home"
        self.edge_port = _free_port()
        self._config = folder / "eco.toml"
        self._config.write_text(
            _toml({**settings, "fleet": {**settings.get("fleet", {}), "edge_port": self.edge_port}})
        )
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("ECO_")}
        self._environ |= {"ECO_HOME": str(self.home), "ECO_CONFIG": str(self._config)}
        self._up: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._beginning = asyncio.Lock()
        self.starts = 0

    # -- commands, as a person gives them --------------------------------------------------------------------------

    async def up(self, *, within_seconds: float = 90) -> None:
        """Start the platform and keep it started: whoever ends its supervisor finds it up again. Raises NotUp."""
        await self._begin()
        self._keeping = asyncio.create_task(self._keep())
        end = asyncio.get_running_loop().time() + within_seconds
        while not self.ready():
            if asyncio.get_running_loop().time() > end or (self._keeping.done() and not self.ready()):
                raise NotUp(self._said())
            await asyncio.sleep(_LOOK_SECONDS)

    async def _begin(self) -> None:
        async with self._beginning:
            if self._stopping:
                return
            await self._start()

    async def _start(self) -> None:
        # In the foreground, so that the platform ends with the campaign, however that ends.
        with (self.folder / "up.log").open("ab") as said:
            self._up = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ecosystem", "up", "--foreground", cwd=self.folder, env=self._environ,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, preexec_fn=ended_with_parent(signal.SIGTERM),
            )  # fmt: skip
        self.starts += 1

    async def _keep(self) -> None:
        """The parent: `eco up` again whenever it ended by itself."""
        while self._up is not None:
            await self._up.wait()
            if self._stopping:
                return
            await asyncio.sleep(0.2)
            await self._begin()

    async def down(self) -> None:
        """End the platform and whatever of it is left."""
        self._stopping = True
        # Whatever was about to start is there afterwards, and nothing starts any more.
        async with self._beginning:
            left = self._everything()
        if self._up is not None and self._up.returncode is None:
            self._up.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(_DOWN_SECONDS):
                    await self._up.wait()
        for pid, since in left:
            if alive(pid) and ticks(pid) == since:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._up is not None and self._up.returncode is None:
            self._up.kill()
            await self._up.wait()

    def _everything(self) -> list[tuple[int, int]]:
        supervisor = self.supervisor()
        pids = [] if supervisor is None else [supervisor[0], *below(supervisor[0])]
        return [(pid, since) for pid in pids if (since := ticks(pid)) is not None]

    def _said(self) -> str:
        return (self.folder / "up.log").read_text(errors="replace")[-2000:]

    # -- what its files say ----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found = json.loads((self.home / "state.json").read_text())
            return found if isinstance(found, dict) else {}
        return {}

    def supervisor(self) -> tuple[int, int] | None:
        """Its pid and start, while it lives."""
        state = self.state()
        pid, since = state.get("pid"), state.get("started_ticks")
        if not isinstance(pid, int) or not isinstance(since, int) or not alive(pid) or ticks(pid) != since:
            return None
        return pid, since

    def processes(self) -> list[Running]:
        """Those that live, below the supervisor that lives."""
        if self.supervisor() is None:
            return []
        return [
            Running(
                Path(one["log"]).stem, one["kind"], one["state"], one["pid"], one["ticks"],
                (one.get("ports") or {}).get("plain_port"),
            )
            for one in self.state().get("processes", ())
            if one.get("pid") and one.get("ticks") and alive(one["pid"]) and ticks(one["pid"]) == one["ticks"]
        ]  # fmt: skip

    def find(self, slot: str) -> Running | None:
        return next((one for one in self.processes() if one.slot == slot), None)

    def ready(self) -> bool:
        """A living supervisor says that every process is ready."""
        state = self.state()
        said = state.get("processes", ())
        return (
            state.get("state") == "ready" and self.supervisor() is not None
            and all(one["state"] == "ready" for one in said) and len(self.processes()) == len(said)
        )  # fmt: skip

    @property
    def run(self) -> Path:
        """The folder of sockets."""
        return Path(self.state()["control"]).parent

    @property
    def edge_url(self) -> str:
        return f"https://127.0.0.1:{self.edge_port}"

    @property
    def edge_ca(self) -> Path:
        return self.home / "pki" / "ca.pem"

    def secret(self, name: str) -> str:
        return (self.home / name).read_text().strip()

    def dsn(self) -> str:
        """The superuser's, past every fence, and past the wire where one stands before the server."""
        port = ASIDE_PORT if (self.run / "postgres" / f".s.PGSQL.{ASIDE_PORT}").exists() else 5432
        password = self.secret("fleet/postgres.password")
        return (
            f"host={self.run / 'postgres'} port={port} user=eco dbname=postgres password={password} connect_timeout=5"
        )

    async def sql(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """One statement on a connection of its own. Raises psycopg.Error."""
        async with await psycopg.AsyncConnection.connect(self.dsn(), autocommit=True) as connection:
            cursor = await connection.execute(statement, values or None)
            return await cursor.fetchall() if cursor.description else []


def new_folder() -> Path:
    """Short, because sockets live below it, and enterable for the account that services run as."""
    folder = Path(tempfile.mkdtemp(prefix="eco-chaos-", dir="/tmp"))
    folder.chmod(0o711)
    return folder


async def remove(folder: Path) -> None:
    """What was just killed may still write for a moment, so that a folder is not empty when it is to go."""
    for _ in range(_REMOVALS_MAX):
        with suppress(FileNotFoundError):
            try:
                shutil.rmtree(folder)
            except OSError:
                await asyncio.sleep(_REMOVAL_PAUSE_SECONDS)
                continue
        return
    shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _toml(settings: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for section, table in settings.items():
        lines.append(f"[{section}]")
        for name, value in table.items():
            shown = (
                "{" + ", ".join(f"{key} = {one}" for key, one in value.items()) + "}"
                if isinstance(value, dict)
                else json.dumps(value)
            )
            lines.append(f"{name} = {shown}")
    return "\n".join(lines) + "\n"
