"""Goal: an object whose writer is killed in the middle is not there, and what it left on the disk goes.

Method: the kernel ends a process by its limit of file size, in the middle of the write.
"""

import asyncio
import os
import resource
import signal
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.objects.objects import Objects
from ecosystem.kernel.objects.settings import ObjectsSettings
from tests.kernel.keys.memory import a_keyring
from tests.support.killing import Victim
from tests.support.poll import eventually_now

AMY = UUID(int=0xA1)
MIB = 2**20
CONTENT = b"content!" * (4 * MIB // 8)


def an_objects(folder: Path) -> Objects:
    """Everything but the object itself stays in memory."""
    settings = ObjectsSettings(folder=folder / "objects", memory_bytes_max=16 * MIB)
    return Objects(settings, a_keyring(folder))


async def put(folder: str) -> None:
    objects = an_objects(Path(folder))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
    await objects.put(AMY, CONTENT, retain_until=objects.retain_until())


async def put_and_wait(folder: str) -> None:
    objects = an_objects(Path(folder))
    await objects.put(AMY, CONTENT, retain_until=objects.retain_until(), accepted=asyncio.Event().wait)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The folder after the kill, with a part of the object in it."""
    assert Victim(put, folder=str(tmp_path)).wait() == -signal.SIGXFSZ
    return tmp_path


def sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in (folder / "objects").rglob("*") if path.is_file()]


async def test_it_is_not_there_and_can_be_put_again(left: Path) -> None:
    objects = an_objects(left)
    assert sizes(left) == [MIB]
    assert [name async for name in objects.list()] == []

    ref = await objects.put(AMY, CONTENT, retain_until=objects.retain_until())

    assert [name async for name in objects.list()] == [ref.name]
    assert await objects.read(ref) == CONTENT


async def test_what_waits_for_its_acceptance_is_not_there_and_goes_as_well(tmp_path: Path) -> None:
    victim = Victim(put_and_wait, folder=str(tmp_path))
    eventually_now(lambda: sizes(tmp_path))
    victim.kill()
    objects = an_objects(tmp_path)
    assert [name async for name in objects.list()] == []
    assert await objects.remove_unfinished() == 0

    yesterday = (SystemClock().now() - timedelta(days=1, seconds=1)).timestamp()
    for path in (tmp_path / "objects").rglob("*"):
        os.utime(path, (yesterday, yesterday))

    assert (await objects.remove_unfinished(), sizes(tmp_path)) == (1, [])


async def test_what_was_left_is_removed_a_day_later_and_nothing_else(left: Path) -> None:
    objects = an_objects(left)
    ref = await objects.put(AMY, CONTENT, retain_until=objects.retain_until())
    assert await objects.remove_unfinished() == 0

    yesterday = (SystemClock().now() - timedelta(days=1, seconds=1)).timestamp()
    for path in (left / "objects").rglob("*"):
        os.utime(path, (yesterday, yesterday))

    assert await objects.remove_unfinished() == 1
    assert len(sizes(left)) == 1
    assert await objects.read(ref) == CONTENT
