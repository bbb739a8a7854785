"""What `eco doctor` looks at: each a fact about this machine, and the step that mends it where it is wrong."""

import ctypes
import os
import platform
import pwd
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ecosystem.catalog import BACKUPS, DEPLOYMENTS
from ecosystem.fleet.engines.answering import ASKED
from ecosystem.fleet.engines.found import Found, find_cache, find_edge, find_postgres
from ecosystem.fleet.home import Home
from ecosystem.fleet.plan import free_door, url_setting
from ecosystem.fleet.settings import FleetSettings
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.settings import Source
from ecosystem.kernel.words import counted

CONNECTIONS_PER_PROCESS = 6
_CONNECTIONS_APART = 10  # for administrators, migrations and the server's own use
_GIB = 1024**3
_DISK_BYTES_GOOD, _DISK_BYTES_LEAST = 5 * _GIB, 1 * _GIB
_MEMORY_BYTES_GOOD, _MEMORY_BYTES_LEAST = 2 * _GIB, 700 * 1024**2
_OPEN_FILES_GOOD = 4096
_ByUrl = type[DatabaseSettings] | type[CacheSettings]


@dataclass(frozen=True)
class Finding:
    """`verdict`: good, warning (works, but not for long or not well), or wrong (will not start)."""

    name: str
    verdict: str
    fact: str
    mend: str = ""


def examine(home: Home, source: Source, settings: FleetSettings) -> Iterator[Finding]:
    """Everything that `eco up` needs. Never raises: what cannot be found out is a finding."""
    yield Finding("python", "good", f"{platform.python_version()} in {sys.prefix}")
    yield from _engines(source)
    yield _readers_of_pages()
    yield _account(home, source)
    yield _home(home)
    yield _disk(home.path)
    yield _memory()
    yield _open_files()
    yield _processes()
    yield from _kernel_features()
    yield _port(home, settings)
    yield _connections(settings)
    yield _backups(settings)


def _engines(source: Source) -> Iterator[Finding]:
    finders: tuple[tuple[str, _ByUrl | None, Callable[[str | None], Found]], ...] = (
        ("postgresql", DatabaseSettings, find_postgres), ("cache", CacheSettings, find_cache),
        ("edge", None, lambda _: find_edge()),
    )  # fmt: skip
    for name, kind, find in finders:
        try:
            url = url_setting(source, kind) if kind else None
            found = find(url)
            version_found = ASKED[name](url) if url else found.version
        except (EcosystemError, OSError) as error:
            mend = error.next_step if isinstance(error, EcosystemError) else "Name a file that can be read."
            yield Finding(name, "wrong", error.message if isinstance(error, EcosystemError) else str(error), mend)
            continue
        where = {"url": "by its URL", "path": f"on the PATH: {found.program}", "wheel": f"its wheel: {found.program}"}
        yield Finding(name, "good", f"{version_found}, {where[found.origin]}")


def _readers_of_pages() -> Finding:
    """What reads pages that are pictures."""
    if find_spec("rapidocr") is None:
        mend = "Install the extra `ocr`; until then such pages go to a person."
        return Finding("ocr", "warning", "no engine reads pages that are pictures", mend)
    second = "no Tesseract beside it"
    with suppress(OSError, AttributeError):
        tell = ctypes.CDLL("libtesseract.so.5").TessVersion
        tell.restype = ctypes.c_char_p
        second = f"Tesseract {tell().decode()} beside it"
    return Finding("ocr", "good", f"RapidOCR {version('rapidocr')}, {second}")


def _account(home: Home, source: Source) -> Finding:
    uid = home.account.uid if home.account else os.geteuid()
    try:
        return Finding("account", "good", pwd.getpwuid(uid).pw_name)
    except KeyError:
        # As in a container with a number of its own for every start.
        fact, embedded = f"user id {uid} has no name on this machine", url_setting(source, DatabaseSettings) is None
        mend = "Add it to /etc/passwd, start as another account, or give a database.url: initdb asks for the name."
        return Finding("account", "wrong" if embedded else "good", fact, mend if embedded else "")


def _home(home: Home) -> Finding:
    try:
        home.check_ours()
    except EcosystemError as error:
        return Finding("home", "wrong", error.message, error.next_step)
    place = _standing(home.path)
    if home.account is not None:
        with suppress(EcosystemError, OSError):
            home.check_reachable(home.account, place)
            return Finding("home", "good", f"{home.path}, engines and services run as {home.account.name}")
        return Finding(
            "home", "wrong", f"the account {home.account.name} cannot enter {place}",
            "Choose a home that it can enter: ECO_HOME=/var/lib/ecosystem eco up",
        )  # fmt: skip
    if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        return Finding("home", "wrong", f"{place} cannot be written", "Choose another: ECO_HOME=FOLDER eco up")
    return Finding("home", "good", str(home.path))


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(_standing(folder)).free
    verdict = _grade(free, _DISK_BYTES_GOOD, _DISK_BYTES_LEAST)
    return Finding("disk", verdict, f"{free / _GIB:.1f} GiB free", "" if verdict == "good" else "Make room, 5 GiB.")


def _memory() -> Finding:
    available = 0
    with suppress(OSError, IndexError, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    verdict = _grade(available, _MEMORY_BYTES_GOOD, _MEMORY_BYTES_LEAST)
    mend = "" if verdict == "good" else "The platform rests at about 0.6 GiB and works with 2: end something else."
    return Finding("memory", verdict, f"{available / _GIB:.1f} GiB available", mend)


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fact = f"{soft} for a process (at most {hard})"
    if soft >= _OPEN_FILES_GOOD:
        return Finding("open files", "good", fact)
    return Finding("open files", "warning", fact, f"ulimit -n {_OPEN_FILES_GOOD}, or LimitNOFILE= of the service unit.")


def _processes() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft == resource.RLIM_INFINITY or soft >= 512:
        return Finding("processes", "good", "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft}")
    return Finding("processes", "warning", f"at most {soft} for this account", "ulimit -u 512 or more.")


def _kernel_features() -> Iterator[Finding]:
    release = platform.release()
    try:
        os.close(os.pidfd_open(os.getpid()))
        yield Finding("pidfd", "good", f"Linux {release}")
    except OSError:
        yield Finding("pidfd", "wrong", f"Linux {release} refuses pidfd_open", "Use Linux 5.4 or newer.")
    status = Path("/proc/self/status").read_text()
    if "Seccomp:" in status:
        yield Finding("seccomp", "good", "filters are there")
    else:
        yield Finding("seccomp", "wrong", "no seccomp: documents cannot be read safely", "Use a kernel with it.")
    rollup = Path("/proc/self/smaps_rollup").exists()
    yield Finding(
        "memory figures", "good" if rollup else "warning", "smaps_rollup is there" if rollup else "no smaps_rollup",
        "" if rollup else "Only `eco status` misses it.",
    )  # fmt: skip


def _port(home: Home, settings: FleetSettings) -> Finding:
    try:
        if home.is_locked():
            return Finding("port", "good", "this home runs; eco status shows its edge")
        door = free_door(settings.edge_host, settings.edge_port)
        door.close()
        return Finding("port", "good", f"{door.port} of {settings.edge_host}")
    except EcosystemError as error:
        return Finding("port", "wrong", error.message, error.next_step)
    except (OSError, socket.gaierror) as error:
        return Finding("port", "wrong", f"{settings.edge_host}: {error}", "Name an address of this machine.")


def _connections(settings: FleetSettings) -> Finding:
    processes = sum(settings.replicas.get(entry.short_name, entry.replicas) for entry in DEPLOYMENTS)
    needed, limit = processes * CONNECTIONS_PER_PROCESS + _CONNECTIONS_APART, settings.database_connections_max
    fact = f"{counted(processes, 'process')} may take {needed} of {limit}"
    if needed <= limit:
        return Finding("connections", "good", fact)
    return Finding("connections", "wrong", fact, "Fewer replicas, or a higher fleet.database_connections_max.")


def _backups(settings: FleetSettings) -> Finding:
    planned = {entry.name: settings.replicas.get(entry.short_name, entry.replicas) for entry in BACKUPS}
    return Finding("backups", "good", ", ".join(f"replicas of {name}: {number}" for name, number in planned.items()))


def _grade(value: float, good: float, least: float) -> str:
    return "good" if value >= good else "warning" if value >= least else "wrong"


def _standing(folder: Path) -> Path:
    """The folder, or the nearest one above that is there for us."""
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))
