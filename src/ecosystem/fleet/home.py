"""The home: one folder with everything that a platform writes, its format, its lock and its secrets."""

import fcntl
import hashlib
import hmac
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from ecosystem.fleet.errors import (
    AlreadyRunning,
    HomeForeign,
    HomeNotWritable,
    HomeOfOthers,
    HomeTooNew,
    HomeUnreachable,
)
from ecosystem.fleet.processes import Account, is_alive, started_ticks

FORMAT = 1
_SOCKET_PATH_BYTES_MAX = 107
_LONGEST_SOCKET = "/postgres/.s.PGSQL.5432.lock"
_SHORT, _RUN = Path("/tmp"), "eco-run-"  # noqa: S108 mkdtemp makes a folder of ours alone in it
_OUR_NAMES = {
    "edge", "engines", "fleet", "format", "journal.jsonl", "journal.jsonl.1", "kept", "lock", "logs", "objects", "pki",
    "postgres", "postgres.new", "run", "run-folder", "secrets", "state.json", "traces",
    # What an operator lays in a home before its first start, and what a disk of its own holds when it is empty.
    "eco.toml", "policies.toml", "lost+found",
}  # fmt: skip


@dataclass(frozen=True)
class Home:
    """Paths below one folder. Owners: `account` where a folder is written by engines and services, else the starter."""

    path: Path
    account: Account | None = None

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def journal(self) -> Path:
        """What happened to processes, one JSON object a line; services may read it."""
        return self.path / "journal.jsonl"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def leaves(self) -> Path:
        """Certificates of processes, one PEM each, and the bundle `ca.pem`."""
        return self.path / "pki"

    @property
    def bundle(self) -> Path:
        return self.leaves / "ca.pem"

    @property
    def revoked(self) -> Path:
        """Serials of certificates that count no longer, one a line."""
        return self.leaves / "revoked"

    @property
    def authority(self) -> Path:
        return self.path / "fleet" / "authority"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def first_credential(self) -> Path:
        return self.secrets / "first-administrator.credential"

    @property
    def master_key(self) -> Path:
        return self.secrets / "master.key"

    @property
    def data(self) -> Path:
        return self.path / "postgres"

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def traces(self) -> Path:
        return self.path / "traces"

    @property
    def kept(self) -> Path:
        """What services keep for others of them that start later."""
        return self.path / "kept"

    @property
    def edge(self) -> Path:
        """What gateway-service writes and Envoy watches."""
        return self.path / "edge"

    @property
    def run(self) -> Path:
        """Folder of sockets. Where the home's path is too long for one, a short folder that `run-folder` names."""
        return self._run_outside() or self.path / "run"

    def _run_outside(self) -> Path | None:
        with suppress(OSError):
            kept = Path((self.path / "run-folder").read_text())
            # What else stands in that file is not ours to use, and not ours to remove.
            if kept.parent == _SHORT and kept.name.startswith(_RUN) and kept.stat().st_uid == os.geteuid():
                return kept
        return None

    def _make_run(self) -> Path:
        inside = self.path / "run"
        if len(os.fsencode(inside)) + len(_LONGEST_SOCKET) > _SOCKET_PATH_BYTES_MAX and not self._run_outside():
            (self.path / "run-folder").write_text(tempfile.mkdtemp(prefix=_RUN, dir=_SHORT))
        return self.run

    def leave(self) -> None:
        """Remove what lies outside of the home; for whoever has stopped all that ran in it."""
        if (outside := self._run_outside()) is not None:
            shutil.rmtree(outside, ignore_errors=True)
            (self.path / "run-folder").unlink(missing_ok=True)

    @property
    def control(self) -> Path:
        return self.run / "control.sock"

    def prepare(self) -> None:
        """Make what is missing.

        Raises HomeTooNew, HomeForeign, HomeUnreachable, HomeNotWritable; nothing is changed then.
        """
        self.check_ours()
        try:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            if self.account:
                self.path.chmod(0o711)
                self.check_reachable(self.account, self.path)
            _own(self.path / "fleet", None)
            _own(self.logs, None)
            _own(self._make_run(), None, 0o711)
            shared = (self.leaves, self.secrets, self.objects, self.traces, self.kept, self.edge)
            for folder in (*shared, self.run / "postgres", self.run / "cache", self.run / "edge"):
                _own(folder, self.account)
            write_atomically(self.path / "format", f"{FORMAT}\n".encode())
        except OSError as error:
            raise HomeNotWritable(f"{error.filename or self.path}: {error.strerror}.") from error

    def lock(self) -> int:
        """A descriptor that holds the home until it is closed. Raises AlreadyRunning.

        A command that looks whether a platform runs holds it for an instant: a second and a third try outlast that.
        """
        for pause_seconds in (0.01, 0.05):
            with suppress(AlreadyRunning):
                return self._try_lock()
            time.sleep(pause_seconds)
        return self._try_lock()

    def _try_lock(self) -> int:
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(f"A platform already runs in {self.path}.") from None
        return descriptor

    def is_locked(self) -> bool:
        """Raises HomeOfOthers."""
        with self.ours():
            if not (self.path / "lock").exists():
                return False
            try:
                os.close(self._try_lock())
            except AlreadyRunning:
                return True
            return False

    def exists(self) -> bool:
        """Raises HomeOfOthers."""
        with self.ours():
            return self.path.exists()

    @contextmanager
    def ours(self) -> Iterator[None]:
        """For whatever looks into the home: raises HomeOfOthers where this account may not."""
        try:
            yield
        except PermissionError as error:
            raise HomeOfOthers(f"{error.filename or self.path} is of another account: {error.strerror}.") from error

    def make_secrets(self) -> None:
        """The keys of this home, made once, each in a file of mode 0600."""
        _secret(self.master_key, f"1:{secrets.token_hex(32)}\n", self.account)
        _secret(self.path / "fleet" / "roles.key", secrets.token_hex(32), None)
        _secret(self.path / "fleet" / "cache.password", secrets.token_hex(32), None)

    def password_of(self, role: str) -> str:
        """The password of a database role: derived, so that nothing but one key is kept."""
        key = (self.path / "fleet" / "roles.key").read_bytes()
        return hmac.new(key, role.encode(), hashlib.sha256).hexdigest()

    @property
    def cache_password(self) -> str:
        return (self.path / "fleet" / "cache.password").read_text()

    def give(self, file: Path) -> None:
        """Make a file the account's own."""
        if self.account:
            os.chown(file, self.account.uid, self.account.gid)

    def read_state(self) -> dict[str, Any] | None:
        """What the supervisor last wrote, or None."""
        try:
            state = orjson.loads(self.state_file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        return state if isinstance(state, dict) else None

    def state_at(self) -> datetime | None:
        """When a supervisor last gave a sign of life here, or None."""
        try:
            return datetime.fromtimestamp(self.state_file.stat().st_mtime, UTC)
        except OSError:
            return None

    def check_ours(self) -> None:
        """Raises HomeTooNew; HomeForeign for a folder that holds other things: its owner and mode would be changed."""
        try:
            found = int((self.path / "format").read_text())
        except (OSError, ValueError):
            self._check_foreign()
            return
        if found > FORMAT:
            raise HomeTooNew(f"{self.path} has format {found}; this version knows formats up to {FORMAT}.")

    def _check_foreign(self) -> None:
        """A start that was killed early leaves folders of ours without a format: that is no foreign folder."""
        try:
            others = sorted({path.name for path in self.path.iterdir()} - _OUR_NAMES)
        except OSError:
            return  # not there yet, or the making of it will say what is wrong
        if others:
            raise HomeForeign(f"{self.path} is no home of a platform: it holds {others[0]}.")

    def check_reachable(self, account: Account, place: Path) -> None:
        """Raises HomeUnreachable, naming the folder at or above `place` that the account may not enter."""
        for folder in (place, *place.parents):
            stat = folder.stat()
            owned = stat.st_uid == account.uid and stat.st_mode & 0o100
            grouped = stat.st_gid == account.gid and stat.st_mode & 0o010
            if not (stat.st_mode & 0o001 or owned or grouped):
                raise HomeUnreachable(f"The account {account.name} cannot enter {folder}.")


def _own(folder: Path, account: Account | None, mode: int = 0o700) -> None:
    folder.mkdir(mode=mode, exist_ok=True)
    folder.chmod(mode)
    if account:
        os.chown(folder, account.uid, account.gid)


def _secret(file: Path, text: str, account: Account | None) -> None:
    if not file.exists():
        write_atomically(file, text.encode(), 0o600)
        sync_folder(file.parent)
    if account:
        os.chown(file, account.uid, account.gid)


def write_atomically(file: Path, content: bytes, mode: int = 0o644, owner: Account | None = None) -> None:
    """Replace a file so that a reader, or a power cut, finds the old one or the new one whole."""
    temporary = file.with_name(f".{file.name}.new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        if owner:
            os.fchown(stream.fileno(), owner.uid, owner.gid)
    temporary.replace(file)


def sync_folder(folder: Path) -> None:
    """Names in a folder survive a power cut only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def end_former(home: Home, *, seconds: float = 15) -> None:
    """Wait for the processes of a supervisor that died: they are on their way out, and hold its port and its data.

    Whoever is still there afterwards is killed. The lock of the home must be held.
    """
    left = [
        (int(process["pid"]), process["ticks"])
        for process in (home.read_state() or {}).get("processes", ())
        if process.get("pid") and process.get("ticks")
    ]
    end = time.monotonic() + seconds
    while left := [(pid, ticks) for pid, ticks in left if is_alive(pid) and started_ticks(pid) == ticks]:
        if time.monotonic() > end:
            for pid, _ in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            end += 1
        time.sleep(0.02)
