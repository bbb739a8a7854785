"""Goal: a damaged file of the archive is whole again, to the last bit, while the log holds its events. Method: files
are cut and overwritten on the disk, and restored by the real consumer and job."""

from pathlib import Path

import pytest

from ecosystem.contracts.objects import ObjectDamageFound
from ecosystem.kernel import context
from ecosystem.kernel.keys.errors import CiphertextRefused
from ecosystem.kernel.objects.errors import ObjectDamaged
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.events.restoring import service
from tests.kernel.db.fixtures import Platform
from tests.services.events.conftest import GENEVA, ZURICH, archived, publish, turn_a_bit_of_the_key

CODES = [f"c{number}" for number in range(6)]


@pytest.fixture
async def digest(events: ServiceHarness, platform: Platform) -> str:
    """The object of the second of two files of ZURICH; GENEVA's events stand between."""
    await publish(events, *CODES[:4])
    await publish(events, "other", company=GENEVA)
    await publish(events, *CODES[4:])
    await events.consume()
    await events.job("close-archive-files")
    ((_, found),) = platform.rows("select number, object_digest from events.files where number = 2")
    return str(found)


async def told_damaged(events: ServiceHarness, *digests: str) -> None:
    kernel = events.kernel
    with context.scope(company_id=ZURICH):
        for digest in digests:
            damage = ObjectDamageFound(object_digest=digest, code="object_damaged")
            await kernel.database.run(lambda damage=damage: kernel.outbox.add(damage))
    await events.consume()
    await events.job("restore-archive-files")


@pytest.mark.parametrize("bytes_left", [None, 100, 0])
async def test_it_is_made_again_from_the_log(
    harness: KernelHarness, events: ServiceHarness, tmp_path: Path, digest: str, bytes_left: int | None
) -> None:
    file = next((tmp_path / "objects").rglob(digest))
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content if bytes_left is None else content[:bytes_left])
    with pytest.raises(ObjectDamaged):
        await archived(events)

    await told_damaged(events, digest)

    assert [line["data"]["code"] for line in await archived(events)] == CODES
    assert harness.events("object_restored") == [
        ("object_restored", digest, ZURICH, {"object_digest": digest, "source": "event_log"})
    ]


async def test_what_the_log_holds_no_more_is_left_to_a_person(
    harness: KernelHarness, events: ServiceHarness, tmp_path: Path, platform: Platform, digest: str
) -> None:
    next((tmp_path / "objects").rglob(digest)).write_bytes(b"")
    platform.rows("delete from kernel.log where data->>'code' = 'c4'")

    await told_damaged(events, digest)

    assert harness.events("object_restored") == []
    assert platform.rows("select count(*) from events.damaged") == [(0,)]


async def test_an_object_of_somebody_else_is_left_alone(
    harness: KernelHarness, events: ServiceHarness, platform: Platform
) -> None:
    await told_damaged(events, "ab" * 32)

    assert platform.rows("select count(*) from events.damaged") == [(0,)]
    assert harness.events("object_restored") == []


async def test_the_platforms_own_events_are_restored_too(
    harness: KernelHarness, events: ServiceHarness, tmp_path: Path, platform: Platform
) -> None:
    await publish(events, *CODES[:3], company=None)
    await events.consume()
    await events.job("close-archive-files")
    ((digest,),) = platform.rows("select object_digest from events.files where archive = 'platform'")
    file = next((tmp_path / "objects").rglob(digest))
    whole = len(file.read_bytes())
    file.write_bytes(b"")

    await told_damaged(events, digest)

    assert len(file.read_bytes()) == whole
    assert len(harness.events("object_restored")) == 1


async def test_one_that_cannot_be_restored_is_told_and_keeps_no_other_waiting(
    harness: KernelHarness, events: ServiceHarness, tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_FILES_PAGE", 1)
    for company in (ZURICH, GENEVA):
        await publish(events, *CODES[:3], company=company)
        await events.consume()
        await events.job("close-archive-files")
    first, second = (row[0] for row in platform.rows("select object_digest from events.files order by made_at"))
    for digest in (first, second):
        next((tmp_path / "objects").rglob(digest)).write_bytes(b"")
    turn_a_bit_of_the_key(platform, ZURICH)

    with pytest.raises(CiphertextRefused):
        await told_damaged(events, first, second)

    restored = [subject for _, subject, _, _ in harness.events("object_restored")]
    assert (restored, platform.rows("select object_digest from events.damaged")) == ([second], [(first,)])
    turn_a_bit_of_the_key(platform, ZURICH)
    await events.job("restore-archive-files")
    assert [subject for _, subject, _, _ in harness.events("object_restored")] == [second, first]
    assert [line["data"]["code"] for line in await archived(events)] == CODES[:3]
