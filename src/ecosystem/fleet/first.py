"""The zygote begun: as the supervisor's first act, before its own imports, and again whenever it is gone.

The zygote's import is the longest part of a start; this module is light, so that nothing stands before it.
"""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from ecosystem.fleet.place import our_command
from ecosystem.fleet.processes import die_with_parent


class Begun:
    """A zygote that imports: its pid, and our end of its control socket. It ends with this process.

    `log_from_byte` is where its words begin in its log.
    """

    def __init__(self, pid: int, control: socket.socket, log_from_byte: int = 0) -> None:
        self.pid, self.control, self.log_from_byte = pid, control, log_from_byte


def begin_zygote(log: int) -> Begun:
    """`log` is the descriptor for its words. Call it from the main thread, whose end it follows."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    from_byte = os.fstat(log).st_size
    # The child's descriptor is its own: the parent's copy must close, or an end would never be seen.
    with theirs:
        started = subprocess.Popen(  # noqa: S603 our own words
            our_command("ecosystem", "zygote", "--control-fd", str(theirs.fileno())),
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),  # noqa: PLW1509 the parent has one thread
        )  # fmt: skip
    started.returncode = 0  # it is reaped through its pidfd
    return Begun(started.pid, ours, from_byte)


def begin_first_zygote(home: Path) -> Begun:
    """The one of a start, before it is known whether `home` is ours: nothing is written there that is not there.

    In a new home its words are lost. Should it fail there, the supervisor starts another, whose words are kept.
    """
    log = -1
    with suppress(OSError):
        log = os.open(home / "logs" / "zygote.log", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    if log < 0:
        log = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        return begin_zygote(log)
    finally:
        os.close(log)
