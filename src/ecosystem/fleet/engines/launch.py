"""Starting an engine's program: as the account, in a session of its own, ended with its parent."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ecosystem.fleet.processes import Account, die_with_parent


def launch(
    command: Sequence[str],
    *,
    account: Account | None,
    death: signal.Signals,
    log: int,
    stdin: bytes = b"",
    environ: dict[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start `command` in `/`; `stdin` is what it reads, at most a pipe's buffer (64 KiB). Raises OSError.

    Must be called from the main thread: the death signal follows the thread that started the process.
    """
    reading, writing = os.pipe()
    try:
        if account:
            # Some programs open /dev/stdin by name, which asks for the right to.
            os.fchown(reading, account.uid, account.gid)
        os.write(writing, stdin)
        os.close(writing)
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=reading,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environ or {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=lambda: die_with_parent(death),  # noqa: PLW1509 the parent has one thread
            start_new_session=True,
        )
    finally:
        os.close(reading)


def link_or_copy(source: str, target: str) -> str:
    """A hard link where both lie on one disk. A link of a file that others may not read would not help: copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def reachable_copy(folders: Sequence[Path], into: Path) -> Path:
    """Copies of `folders` beside each other in `into`, complete or not there at all."""
    if not into.exists():
        fresh = into.with_name(f".{into.name}.new")
        with suppress(FileNotFoundError):
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o755, parents=True)
        for folder in folders:
            shutil.copytree(folder, fresh / folder.name, copy_function=link_or_copy, symlinks=True)
            (fresh / folder.name).chmod(0o755)
        fresh.chmod(0o755)
        fresh.rename(into)
    return into
