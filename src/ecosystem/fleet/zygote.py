"""The zygote: imports everything once, stays free of threads, loops and connections, and forks on command.

It imports in groups and forks in between: the services of one start while those of the next are imported. Each command
is one SEQPACKET message with the child's descriptors. The zygote forks a middle process, which forks the child and
exits, so that the supervisor (a subreaper) adopts the child: children survive the zygote, which can be replaced at any
time.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from setproctitle import setproctitle

from ecosystem.fleet.processes import Account, become, die_with_parent, name_process, threads
from ecosystem.kernel.sandbox.prefork import start_spawner
from ecosystem.kernel.settings import Source

_MESSAGE_BYTES_MAX = 256 * 1024
_READY_FD, _LOG_FD = 0, 1
_NEXT_ORDER_SECONDS = 0.02
"""The supervisor asks for one child after the other: so long the next import waits for the next order."""

Run = Callable[[Source, int], int]
Load = Callable[[str], Run]


@dataclass(frozen=True)
class Order:
    """One child to fork. `overrides` are the fleet's settings for it; the file and the environment come first.

    Its two descriptors travel beside it: where it reports its state, and where its log lines go.
    """

    name: str
    instance_id: str
    supervisor_pid: int
    config: str | None
    environ: Mapping[str, str]
    overrides: Mapping[str, Mapping[str, Any]]
    account: tuple[str, int, int] | None = None
    sandboxes: int = 0

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Order":
        return cls(**json.loads(message))


def run(control: socket.socket, load: Load, groups: Sequence[Sequence[str]]) -> int:
    """Import what each of `groups` needs, in their order, and fork what is asked for in between; the exit code.

    It ends when the supervisor closes its end. Each order is answered with {"pid"} or {"error"}. Children of one group
    share nearly all memory; what the import of later groups changes is there twice.
    """
    die_with_parent(signal.SIGKILL)
    name_process("eco zygote")
    runs: dict[str, Run] = {}
    left = list(reversed(groups))
    answered = False
    with suppress(BrokenPipeError):
        control.send(b'{"ready": true}')
    while True:
        if left and not _asked(control, _NEXT_ORDER_SECONDS if answered else 0):
            runs |= {name: load(name) for name in left.pop()}
            answered = False
            continue
        try:
            message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_BYTES_MAX, 4)
        except ConnectionResetError:
            # It closed without having read all that we said: a start that was refused.
            return 0
        if not message:
            return 0
        order = Order.decode(message)
        while left and order.name not in runs:
            runs |= {name: load(name) for name in left.pop()}
        try:
            control.send(json.dumps(_answer(control, runs, order, descriptors)).encode())
            answered = True
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def _asked(control: socket.socket, within_seconds: float) -> bool:
    return bool(select.select([control], [], [], within_seconds)[0])


def _answer(
    control: socket.socket, runs: Mapping[str, Run], order: Order, descriptors: list[int]
) -> dict[str, int | str]:
    if (count := threads()) != 1:
        return {"error": f"an import started {count - 1} threads: forking would be unsafe"}
    # What was imported is shared by every child and stays as it is: no collector looks at it again.
    gc.freeze()
    return {"pid": _fork_twice(control, runs, order, descriptors)}


def _fork_twice(control: socket.socket, runs: Mapping[str, Run], order: Order, descriptors: list[int]) -> int:
    """The pid of the grandchild, as the middle process wrote it before it ended."""
    reading, writing = os.pipe()
    middle = os.fork()
    if middle == 0:
        child = os.fork()
        if child:
            os.write(writing, str(child).encode())
            os._exit(0)
        os.close(reading)
        os.close(writing)
        control.close()
        gc.enable()
        _become_child(runs, order, descriptors)
    os.close(writing)
    os.waitpid(middle, 0)
    with os.fdopen(reading, "rb") as pipe:
        return int(pipe.read())


def _become_child(runs: Mapping[str, Run], order: Order, descriptors: list[int]) -> None:
    """Never returns. Whatever fails, the process ends here and not in the zygote's loop."""
    code = 1
    try:
        code = _prepare_and_run(runs, order, descriptors)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        print(f"{order.name} could not start: {type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _prepare_and_run(runs: Mapping[str, Run], order: Order, descriptors: list[int]) -> int:
    ready, log = descriptors[_READY_FD], descriptors[_LOG_FD]
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(order.environ)
    account = Account(*order.account) if order.account else None
    for _ in range(order.sandboxes):
        start_spawner((account.uid, account.gid) if account else None)
    # Read while we still may: the file of settings and what it names can be for root alone.
    source = Source.load(Path(order.config) if order.config else None, order.environ, order.overrides)
    if account:
        become(account)
    # In this order: the signal follows the parent of the moment, and the middle process is about to end.
    if not _adopted_by(order.supervisor_pid):
        return 1
    die_with_parent(signal.SIGTERM)
    if os.getppid() != order.supervisor_pid:
        return 1
    setproctitle(f"ecosystem {order.name}")
    name_process(order.name)
    return runs[order.name](source, ready)


def _adopted_by(supervisor_pid: int) -> bool:
    """The middle process ends at once; until then it is our parent. False when the supervisor is gone."""
    end = time.monotonic() + 5
    while (parent := os.getppid()) != supervisor_pid:
        if time.monotonic() > end or parent == 1:
            return False
        time.sleep(0.0005)
    return True
