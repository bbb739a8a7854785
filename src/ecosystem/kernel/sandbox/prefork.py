"""Start the sandbox's processes while it is still easy: right after the fork, before threads, loop and setuid.

Light: whoever forks services imports this, not the sandbox.
"""

import gc
import os
import signal
import socket

from ecosystem.kernel.sandbox import seccomp
from ecosystem.kernel.sandbox.spawner import Account, guard

_started: list[int] = []


def start_spawner(account: Account | None) -> int:
    """Fork the guardian of this process's sandbox; its control socket's descriptor is returned and remembered.

    `account` is the (uid, gid) that workers run as; None leaves them as this process is. The guardian itself keeps
    the rights of this moment, so that it can import our code for a new spawner, but it reads nothing from anybody.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    if os.fork() == 0:
        try:
            ours.close()
            os.setsid()
            seccomp.die_with_parent(signal.SIGKILL, parent)
            _forget_descriptors(theirs)
            gc.freeze()
            guard(theirs, account)
        finally:
            os._exit(1)
    theirs.close()
    descriptor = ours.detach()
    _started.append(descriptor)
    return descriptor


def take() -> int | None:
    """A descriptor from `start_spawner`, each once; None where there is none any more."""
    return _started.pop() if _started else None


def _forget_descriptors(keep: socket.socket) -> None:
    """Standard error stays, for our own complaints; all else of the service is none of the sandbox's business."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != keep.fileno():
            try:
                os.close(int(name))
            except OSError:  # the listing's own descriptor
                continue
