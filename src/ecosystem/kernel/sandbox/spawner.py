"""The processes between a service and its workers: a guardian, and the spawner that forks workers.

The guardian waits for a first request, forks the spawner and forks another when that one dies; it reads nothing.
The spawner imports the modules that jobs need (our own code, before any customer's byte), gives up privileges and
forks a worker for each request. Both end when the service's end of the control socket closes.

A request is one packet `{"id", "modules", "niceness"}`; its answer `{"id"}` carries two descriptors: the channel to
the worker and its pidfd. `{"id", "again"}`: ask the next spawner. `{"id", "error"}`: the modules cannot be imported.
The request `{"id", "ended": pid}` is answered with `{"id", "memory_bytes"}`: what a dead worker had used beyond what
it was forked with. The request `{"rest"}` ends the spawner until a worker is asked for again. `{"restarted": true}`:
everything asked of the spawner before is void.
"""

import gc
import heapq  # noqa: F401 Counter.most_common imports it at first use, when a worker cannot any more
import importlib
import os
import re
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

import orjson

from ecosystem.kernel.sandbox import holes, seccomp, worker
from ecosystem.kernel.sandbox.dense import Density
from ecosystem.kernel.sandbox.weight import weigh_less

Account = tuple[int, int]
PACKET_BYTES_MAX = 1 << 16
_MODULE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_OURS = re.compile(r"ecosystem(\.[a-z_][a-z0-9_]*)+")
_RAPID_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
_ASK_ANOTHER = 75
_ENDED_MAX = 64
# Where few documents come, memory shared with the service is worth more than cheap forks.
_FORKS_BEFORE_DENSE, _PIECES_EACH = 16, 2


def guard(control: socket.socket, account: Account | None) -> None:
    """Keep a spawner alive until the service goes away; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    # A pool of threads, made on import, would be missing in forked workers, which compute alone anyway.
    os.environ.update({"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"})
    seccomp.name_process("sandbox guard")
    while True:
        select.select([control], [], [])
        started = time.monotonic()
        guardian = os.getpid()
        pid = os.fork()
        if pid == 0:
            _spawn_workers(control, account, guardian)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            os._exit(0)
        restarted = os.waitstatus_to_exitcode(status) != _ASK_ANOTHER
        if restarted and not _tell(control, {"restarted": True}):
            os._exit(0)
        if time.monotonic() - started < _RAPID_SECONDS:
            time.sleep(_PAUSE_SECONDS)


def _tell(control: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> bool:
    try:
        socket.send_fds(control, [orjson.dumps(message)], descriptors)
    except OSError:
        return False
    return True


def _spawn_workers(control: socket.socket, account: Account | None, guardian: int) -> None:
    status = 1
    try:
        seccomp.die_with_parent(signal.SIGKILL, guardian)
        seccomp.name_process("sandbox spawner")
        known: set[str] = set()
        ended: dict[int, int] = {}
        signal.signal(signal.SIGCHLD, lambda *_: _reap(ended))
        dropped, density = account is None, Density(calls_before=_FORKS_BEFORE_DENSE, pieces_each=_PIECES_EACH)
        weighs_less = False
        while packet := control.recv(PACKET_BYTES_MAX):
            request = orjson.loads(packet)
            if request.get("rest"):
                status = _ASK_ANOTHER
                return
            answer = {"id": request["id"]}
            if pid := request.get("ended"):
                _tell(control, answer | {"memory_bytes": _memory_of(pid, ended)})
                continue
            try:
                # While the spawner still has its privileges, nobody but our own code is imported.
                _import(set(request["modules"]) - known, _MODULE if dropped else _OURS)
            except Exception as error:
                # Without its privileges a spawner may no longer reach our own code; a new one still can.
                again = account is not None and dropped and not isinstance(error, ModuleNotFoundError)
                _tell(control, answer | ({"again": True} if again else {"error": _describe(error)}))
                if again:
                    status = _ASK_ANOTHER
                    return
                continue
            known |= set(request["modules"])
            # The guardian leads a session of its own, wherever it was started well; others would be hit otherwise.
            weighs_less = weighs_less or (os.getsid(0) == guardian and weigh_less(request["niceness"]))
            if not dropped and account is not None:
                _become(account, guardian)
                dropped = True
            _fork_worker(control, request, answer)
            density.go_on()
        status = 0
    finally:
        os._exit(status)


def _reap(ended: dict[int, int]) -> None:
    """Note how much each worker that is dead had in memory at most; what nobody asks for is forgotten in time."""
    with suppress(ChildProcessError):
        while (found := os.wait4(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[2].ru_maxrss * 1024
    while len(ended) > _ENDED_MAX:
        del ended[next(iter(ended))]


def _memory_of(pid: int, ended: dict[int, int]) -> int:
    """Bytes beyond what the worker was forked with. Whoever asks has killed it before."""
    if pid not in ended:
        with suppress(ChildProcessError):
            ended[pid] = os.wait4(pid, 0)[2].ru_maxrss * 1024
    _, ours_bytes = worker.memory_bytes()
    return max(0, ended.pop(pid, 0) - ours_bytes)


def _import(modules: set[str], allowed: re.Pattern[str]) -> None:
    """Import, and let each module that has a `prepare_sandbox()` load what it would otherwise load lazily."""
    if not modules:
        return
    for name in sorted(modules):
        if not allowed.fullmatch(name):
            raise ImportError("not the name of a module")
        module = importlib.import_module(name)
        if prepare := getattr(module, "prepare_sandbox", None):
            prepare()
    gc.collect()
    holes.fill()
    gc.freeze()


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _become(account: Account, guardian: int) -> None:
    user, group = account
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    seccomp.die_with_parent(signal.SIGKILL, guardian)


def _fork_worker(control: socket.socket, request: dict[str, Any], answer: dict[str, Any]) -> None:
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    spawner = os.getpid()
    pid = os.fork()
    if pid == 0:
        theirs.close()
        worker.enter(ours, request["niceness"], request["modules"], spawner, network=request["network"])
    ours.close()
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        theirs.close()
        _tell(control, answer | {"error": "the worker ended at once"})
        return
    _tell(control, answer | {"pid": pid}, (theirs.fileno(), pidfd))
    os.close(pidfd)
    theirs.close()


def main() -> None:
    """`python -m ecosystem.kernel.sandbox.spawner CONTROL_FD`, for a service whose parent started none."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    guard(control, None)


if __name__ == "__main__":
    main()
