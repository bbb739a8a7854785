"""Goal: an object comes back whole or not at all, until its date. Method: real files, damaged in every way."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest

from ecosystem.kernel import context
from ecosystem.kernel.context import SlowWorkInUnitOfWork
from ecosystem.kernel.keys.errors import KeyDestroyed
from ecosystem.kernel.keys.keyring import Keyring
from ecosystem.kernel.keys.settings import KeysSettings
from ecosystem.kernel.objects import format as form
from ecosystem.kernel.objects.errors import (
    ObjectDamaged,
    ObjectNotFound,
    ObjectTooLarge,
    RangeRefused,
    RetentionNotOver,
    StorageUnavailable,
)
from ecosystem.kernel.objects.objects import ObjectRef, Objects
from ecosystem.kernel.objects.settings import ObjectsSettings
from tests.kernel.keys.memory import Counted, MemoryKeyStore, a_keyring, master_file

AMY = UUID("00000000-0000-7000-8000-00000000000a")
BOB = UUID("00000000-0000-7000-8000-00000000000b")
KEPT = date(2033, 11, 22)
VECTOR = Path(__file__).with_name("vector_v1.json")
LARGE = bytes(range(256)) * 1024 + b"tail"


class Calendar:
    def __init__(self) -> None:
        self.today = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.today

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return


async def refuse_at_once() -> None:
    raise LookupError


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return a_keyring(tmp_path)


@pytest.fixture
def objects(tmp_path: Path, keyring: Keyring, calendar: Calendar) -> Objects:
    return Objects(ObjectsSettings(folder=tmp_path / "objects", memory_bytes_max=100_000), keyring, calendar)


async def content_of(objects: Objects, ref: ObjectRef) -> bytes:
    return b"".join([piece async for piece in objects.open(ref)])


async def in_pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def file_of(objects: Objects, ref: ObjectRef) -> Path:
    assert objects.settings.folder
    return next(objects.settings.folder.rglob(ref.digest))


class TestPut:
    @pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, len(LARGE)])
    async def test_content_comes_back(self, objects: Objects, size: int) -> None:
        content = LARGE[:size]
        ref = await objects.put(AMY, in_pieces(content, 1000), retain_until=KEPT)

        assert ref.size_bytes == size
        assert await content_of(objects, ref) == content
        await objects.verify(ref)
        await objects.check(ref.name)
        assert (await objects.inspect(ref.name)).retain_until == KEPT

    async def test_nothing_of_the_content_lies_on_the_disk(self, objects: Objects) -> None:
        ref = await objects.put(AMY, b"a very secret text" * 10, retain_until=KEPT)

        assert b"secret" not in file_of(objects, ref).read_bytes()

    async def test_same_content_is_one_object_and_named_by_company(self, objects: Objects) -> None:
        first = await objects.put(AMY, b"content", retain_until=KEPT)
        again = await objects.put(AMY, in_pieces(b"content", 2), retain_until=KEPT)
        other = await objects.put(BOB, b"content", retain_until=KEPT)

        assert first == again
        assert first.digest != other.digest
        assert [name async for name in objects.list(AMY)] == [first.name]
        assert [name async for name in objects.list()] == [first.name, other.name]
        assert [name async for name in objects.list(after=first.name)] == [other.name]

    async def test_later_retention_wins(self, objects: Objects) -> None:
        ref = await objects.put(AMY, b"content", retain_until=KEPT)
        for day, kept in ((date(2030, 1, 1), KEPT), (date(2040, 1, 1), date(2040, 1, 1))):
            await objects.put(AMY, b"content", retain_until=day)
            assert (await objects.inspect(ref.name)).retain_until == kept
        assert await content_of(objects, ref) == b"content"

    async def test_too_large_or_broken_off_stores_nothing(self, tmp_path: Path, keyring: Keyring) -> None:
        objects = Objects(ObjectsSettings(folder=tmp_path / "objects", object_bytes_max=1024), keyring)

        async def break_off() -> AsyncIterator[bytes]:
            yield b"x"
            raise ConnectionResetError

        with pytest.raises(ObjectTooLarge):
            await objects.put(AMY, b"x" * 1025, retain_until=KEPT)
        with pytest.raises(ConnectionResetError):
            await objects.put(AMY, break_off(), retain_until=KEPT)
        assert [name async for name in objects.list()] == []

    async def test_it_has_no_name_before_it_is_accepted_and_is_gone_where_it_is_not(self, objects: Objects) -> None:
        lying: list[list[str]] = []

        def on_the_disk() -> list[str]:
            folder = objects.settings.folder
            assert folder
            return [file.name for file in folder.rglob("*") if file.is_file()]

        async def look() -> None:
            assert [name async for name in objects.list(AMY)] == []
            lying.append(on_the_disk())

        async def refuse() -> None:
            await look()
            raise LookupError

        with pytest.raises(LookupError):
            await objects.put(AMY, LARGE, retain_until=KEPT, accepted=refuse)
        assert (len(lying[0]), on_the_disk()) == (1, [])

        ref = await objects.put(AMY, LARGE, retain_until=KEPT, accepted=look)
        assert await objects.read(ref) == LARGE
        assert len(lying[1]) == len(on_the_disk()) == 1

        # What is there already is asked about as well.
        with pytest.raises(LookupError):
            await objects.put(AMY, LARGE, retain_until=KEPT, accepted=refuse_at_once)
        assert await objects.read(ref) == LARGE

    async def test_default_retention_is_seven_years(self, objects: Objects) -> None:
        assert objects.retain_until() == date(2033, 11, 22)


class TestRead:
    @pytest.mark.parametrize(
        ("offset", "length"),
        [(0, 10), (65530, 20), (65536, 1), (131072, 131076), (0, None), (262140, 100), (262148, 5), (5, 0)],
    )
    async def test_range_is_what_a_slice_is(self, objects: Objects, offset: int, length: int | None) -> None:
        ref = await objects.put(AMY, LARGE, retain_until=KEPT)
        end = None if length is None else offset + length

        assert await objects.read(ref, offset, length) == LARGE[offset:end]

    @pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (len(LARGE) + 1, 1)])
    async def test_range_outside_is_refused(self, objects: Objects, offset: int, length: int) -> None:
        ref = await objects.put(AMY, LARGE, retain_until=KEPT)

        with pytest.raises(RangeRefused):
            await objects.read(ref, offset, length)

    async def test_object_of_another_company_is_not_found(self, objects: Objects) -> None:
        ref = await objects.put(AMY, b"content", retain_until=KEPT)

        with context.scope(company_id=BOB):
            for call in (content_of(objects, ref), objects.read(ref), objects.delete(ref), objects.check(ref.name)):
                with pytest.raises(ObjectNotFound):
                    await call
            with pytest.raises(ObjectNotFound):
                await objects.put(AMY, b"x", retain_until=KEPT)

    @pytest.mark.parametrize("name", ["", "x", f"{AMY}/", f"{AMY}/../../etc", f"{AMY}/{'0' * 64}", "x/" + "0" * 64])
    async def test_name_of_nothing(self, objects: Objects, name: str) -> None:
        with pytest.raises(ObjectNotFound):
            await objects.read(ObjectRef(name, 0, ""))

    async def test_open_unit_of_work_is_refused(self, objects: Objects) -> None:
        with context.scope(unit_of_work=True), pytest.raises(SlowWorkInUnitOfWork):
            await objects.put(AMY, b"", retain_until=KEPT)


class TestDamage:
    @pytest.mark.parametrize("where", [0, 7, 15, 30, 40_000, 65_560, -5, -36, -60, -200])
    async def test_any_changed_byte_is_noticed(self, objects: Objects, where: int) -> None:
        ref = await objects.put(AMY, LARGE, retain_until=KEPT)
        file = file_of(objects, ref)
        content = bytearray(file.read_bytes())
        content[where] ^= 1
        file.write_bytes(content)

        with pytest.raises(ObjectDamaged):
            await objects.check(ref.name)
        if where >= -32 and where < 0:
            await objects.verify(ref)  # the checksum itself: the content is whole
        else:
            with pytest.raises(ObjectDamaged):
                await objects.verify(ref)

    @pytest.mark.parametrize("kept", [0, 10, 20, 100, 70_000, 262_000])
    async def test_cut_object_is_noticed(self, objects: Objects, kept: int) -> None:
        ref = await objects.put(AMY, LARGE, retain_until=KEPT)
        file = file_of(objects, ref)
        file.write_bytes(file.read_bytes()[:kept])

        for call in (objects.verify(ref), objects.check(ref.name), objects.read(ref, 0, 1)):
            with pytest.raises(ObjectDamaged):
                await call

    async def test_swapped_chunks_and_swapped_objects_are_noticed(self, objects: Objects) -> None:
        ref = await objects.put(AMY, LARGE, retain_until=KEPT)
        other = await objects.put(AMY, LARGE[::-1], retain_until=KEPT)
        file, whole = file_of(objects, ref), file_of(objects, ref).read_bytes()
        first, second = form.HEADER_BYTES, form.HEADER_BYTES + form.SEALED_BYTES
        third = second + form.SEALED_BYTES
        file.write_bytes(whole[:first] + whole[second:third] + whole[first:second] + whole[third:])
        with pytest.raises(ObjectDamaged):
            await objects.verify(ref)

        file.write_bytes(file_of(objects, other).read_bytes())
        with pytest.raises(ObjectDamaged):
            await objects.verify(ref)

    async def test_retention_date_cannot_be_changed_on_the_disk(self, objects: Objects) -> None:
        ref = await objects.put(AMY, b"content", retain_until=KEPT)
        file = file_of(objects, ref)
        file.write_bytes(file.read_bytes().replace(b'"retain_until":"2033', b'"retain_until":"2013'))

        for call in (objects.verify(ref), objects.check(ref.name)):
            with pytest.raises(ObjectDamaged):
                await call

    async def test_folder_that_cannot_be_written_is_unavailable(self, tmp_path: Path, keyring: Keyring) -> None:
        (tmp_path / "file").write_text("")
        objects = Objects(ObjectsSettings(folder=tmp_path / "file"), keyring)

        with pytest.raises(StorageUnavailable):
            await objects.put(AMY, b"x", retain_until=KEPT)
        with pytest.raises(StorageUnavailable, match="No object storage"):
            await Objects(ObjectsSettings(), keyring).ping()


class TestRetention:
    async def test_deleted_the_day_after_its_date_and_not_before(self, objects: Objects, calendar: Calendar) -> None:
        ref = await objects.put(AMY, b"content", retain_until=KEPT)
        for now in (calendar.today, datetime(2033, 11, 22, 23, 59, tzinfo=UTC)):
            calendar.today = now
            with pytest.raises(RetentionNotOver, match="2033-11-22"):
                await objects.delete(ref)

        calendar.today = datetime(2033, 11, 23, tzinfo=UTC)
        await objects.delete(ref)
        with pytest.raises(ObjectNotFound):
            await objects.read(ref)

    async def test_erased_subject_takes_its_objects_with_it(self, objects: Objects, keyring: Keyring) -> None:
        ref = await objects.put(AMY, b"content", retain_until=KEPT, subject="document/1")
        other = await objects.put(AMY, b"content", retain_until=KEPT, subject="document/2")
        await keyring.destroy(AMY, "document/1")

        with pytest.raises(KeyDestroyed):
            await objects.read(ref)
        assert await objects.read(other) == b"content"
        await objects.check(ref.name)


class TestFormat:
    async def test_vector_of_format_1(self, tmp_path: Path, calendar: Calendar) -> None:
        """What release 0.1 wrote: it must be written so, and be readable, for ever."""
        keyring = Keyring(KeysSettings(master_key_file=master_file(tmp_path)), MemoryKeyStore(), random=Counted())
        objects = Objects(ObjectsSettings(folder=tmp_path / "objects"), keyring, calendar, random=Counted())
        ref = await objects.put(AMY, b"a document", retain_until=KEPT)
        expected = json.loads(VECTOR.read_text())

        assert ref.name == expected["name"]
        assert file_of(objects, ref).read_bytes().hex() == expected["object"]
        assert await objects.read(ref) == b"a document"
