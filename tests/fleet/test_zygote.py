"""Goal: who is imported is forked, though others are not yet. Method: a real zygote with two groups and a gate."""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecosystem.fleet.errors import NotStarted
from ecosystem.fleet.home import Home
from ecosystem.fleet.starters import ZygoteStarter
from ecosystem.fleet.zygote import Order

ZYGOTE = """
import os, socket, sys
from ecosystem.fleet.zygote import run

def load(name):
    if name == "broken":
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    if name == "late":
        os.read(int(sys.argv[2]), 1)
    return lambda source, ready: 0

sys.exit(run(socket.socket(fileno=int(sys.argv[1])), load, [names.split(",") for names in sys.argv[3:]]))
"""


@dataclass
class Zygote:
    process: "subprocess.Popen[bytes]"
    control: socket.socket
    gate: int

    def order(self, name: str) -> None:
        with open(os.devnull, "wb") as nothing:
            order = Order(name, "1", os.getpid(), None, {}, {})
            socket.send_fds(self.control, [order.encode()], [nothing.fileno(), nothing.fileno()])

    def answer(self) -> dict[str, object]:
        said: dict[str, object] = json.loads(self.control.recv(65536))
        return said

    @property
    def has_answered(self) -> bool:
        return bool(select.select([self.control], [], [], 0)[0])


@contextmanager
def zygote(*groups: str) -> Iterator[Zygote]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    gate, opener = os.pipe()
    command = [sys.executable, "-c", ZYGOTE, str(theirs.fileno()), str(gate), *groups]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno(), gate]) as process:
        theirs.close()
        os.close(gate)
        ours.settimeout(30)
        try:
            yield Zygote(process, ours, opener)
        finally:
            os.close(opener)
            if ours.fileno() >= 0:
                ours.shutdown(socket.SHUT_RDWR)
            assert process.wait(30) == 0


def test_child_of_an_imported_group_does_not_wait_for_the_next_one() -> None:
    with zygote("early", "late,later") as made:
        # Asked before it looks for the first time: later it may be at the next group already.
        made.order("early")
        assert made.answer() == {"ready": True}
        first = made.answer()
        made.order("later")
        waited = not made.has_answered
        os.write(made.gate, b".")

        assert isinstance(first["pid"], int)
        assert waited
        assert isinstance(made.answer()["pid"], int)


def test_an_import_that_starts_a_thread_is_told_to_who_asks_for_a_child() -> None:
    with zygote("broken") as made:
        made.order("broken")
        assert made.answer() == {"ready": True}

        assert made.answer() == {"error": "an import started 1 threads: forking would be unsafe"}


def test_a_supervisor_that_ends_before_it_has_heard_anything_is_no_mistake() -> None:
    """As in a start that is refused: a log that was there before gets no word."""
    with zygote("early", "late") as begun:
        select.select([begun.control], [], [], 30)
        begun.control.close()
        os.write(begun.gate, b"x")

        assert begun.process.wait(30) == 0


async def test_one_that_ends_with_an_order_unread_is_told_as_gone(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    starter = ZygoteStarter(Home(tmp_path), None)
    starter._control = ours
    ours.send(b"an order")
    theirs.close()

    with ours, pytest.raises(NotStarted, match="ended before it answered"):
        await starter._receive()
