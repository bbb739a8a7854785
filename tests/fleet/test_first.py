"""Goal: the zygote that is begun before its supervisor knows the home is used, replaced, and never a trace of its own.

Method: real zygotes.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from ecosystem.fleet.first import Begun, begin_first_zygote
from ecosystem.fleet.home import Home
from ecosystem.fleet.process import Process, Seen
from ecosystem.fleet.starters import ZygoteStarter
from ecosystem.fleet.watching import exited
from tests.support.engines import short_folder
from tests.support.poll import PATIENCE_SECONDS, eventually


@pytest.fixture
def home() -> Iterator[Home]:
    with short_folder("first") as folder:
        yield Home(folder / "home")


@asynccontextmanager
async def kept(home: Home, first: Begun) -> AsyncIterator[Process]:
    """The zygote of a supervisor of this home, started with `first`."""
    process = Process(Seen(name="zygote", kind="zygote"), ZygoteStarter(home, first), lambda: None)
    process.begin()
    try:
        yield process
    finally:
        await process.stop(PATIENCE_SECONDS)


async def test_it_is_the_one_that_serves(home: Home) -> None:
    home.prepare()
    first = begin_first_zygote(home.path)

    async with kept(home, first) as zygote:
        await zygote.until_ready(PATIENCE_SECONDS)

        assert (zygote.seen.pid, zygote.seen.restarts) == (first.pid, 0)


async def test_one_that_dies_is_followed_by_another(home: Home) -> None:
    home.prepare()
    first = begin_first_zygote(home.path)
    os.kill(first.pid, signal.SIGKILL)

    async with kept(home, first) as zygote:
        await zygote.until_ready(PATIENCE_SECONDS)

        assert zygote.seen.pid != first.pid
        assert zygote.seen.restarts == 1


async def test_one_that_cannot_import_is_told_with_its_words(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first words are lost in a home that is not made yet; those of the next one are the reason that is shown."""
    (home.path.parent / "grpc.py").write_text("raise ImportError('grpc is broken here')\n")
    monkeypatch.setenv("PYTHONPATH", str(home.path.parent), prepend=os.pathsep)
    first = begin_first_zygote(home.path)
    home.prepare()

    async with kept(home, first) as zygote:

        async def is_told() -> bool:
            return "grpc is broken here" in zygote.seen.reason

        assert await eventually(is_told)


async def test_a_home_that_is_not_there_is_not_made(home: Home) -> None:
    first = begin_first_zygote(home.path)
    said = await asyncio.get_running_loop().sock_recv(first.control, 100)
    first.control.close()

    assert (said, await exited(first.pid)) == (b'{"ready": true}', 0)
    assert os.listdir(home.path.parent) == []
