"""Goal: what is encrypted opens only in its place, and never after its subject was erased.

Method: the real keyring, in memory for the format, on a real database for commits, fences and races.
"""

import asyncio
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.keystore import DatabaseKeyStore
from ecosystem.kernel.keys.errors import CiphertextRefused, KeyDestroyed, KeyUnknown, MasterKeyRefused
from ecosystem.kernel.keys.keyring import PLATFORM, DataKey, Keyring
from ecosystem.kernel.keys.settings import KeysSettings
from tests.kernel.db.fixtures import Platform
from tests.kernel.keys.memory import Counted, MemoryKeyStore, a_keyring, master_file

AMY = UUID("00000000-0000-7000-8000-00000000000a")
BOB = UUID("00000000-0000-7000-8000-00000000000b")
SCHEMA = "objects"

VECTOR = {
    "sealed": "0100000001000000000000000000000005e04237b82ab54fefef83761f9ff9d237490a73aba0884c17",
    "index": "8486dad0ae50fc1f7fd930203fd8267d1c9c5a0ff40ee5a5b6194e5ee3e8ecdc",
    "name": "6cd1e573bc4e3152ea6d5e4095cf570246815972dee97711a322864088a61883",
}


@pytest.fixture
def database(platform: Platform) -> Database:
    return platform.database(SCHEMA)


@pytest.fixture
def keyring(database: Database, tmp_path: Path) -> Keyring:
    return Keyring(KeysSettings(master_key_file=master_file(tmp_path)), DatabaseKeyStore(database))


class TestSealing:
    @given(plain=some.binary(max_size=300), aad=some.text(max_size=40))
    def test_what_was_encrypted_comes_back(self, plain: bytes, aad: str) -> None:
        key = DataKey(AMY, "s", {1: b"\x01" * 32}, Counted())

        assert key.decrypt(key.encrypt(plain, aad=aad), aad=aad) == plain

    @given(at=some.integers(0, 10_000), bit=some.integers(0, 7))
    def test_any_changed_bit_is_refused(self, at: int, bit: int) -> None:
        key = DataKey(AMY, "s", {1: b"\x01" * 32}, Counted())
        sealed = bytearray(key.encrypt(b"a secret", aad="row/1"))
        sealed[at % len(sealed)] ^= 1 << bit

        with pytest.raises((CiphertextRefused, KeyUnknown)):
            key.decrypt(bytes(sealed), aad="row/1")

    @pytest.mark.parametrize("cut", [b"", b"\x01", b"\x02" * 60])
    def test_what_is_no_ciphertext_is_refused(self, cut: bytes) -> None:
        with pytest.raises(CiphertextRefused):
            DataKey(AMY, "s", {1: b"\x01" * 32}, Counted()).decrypt(cut, aad="")

    async def test_moved_to_another_row_subject_or_company_is_refused(self, tmp_path: Path) -> None:
        keyring = a_keyring(tmp_path)
        sealed = (await keyring.subject(AMY, "document/1")).encrypt(b"secret", aad="row/1")

        for company_id, subject, aad in (
            (AMY, "document/1", "row/2"),
            (AMY, "document/2", "row/1"),
            (BOB, "document/1", "row/1"),
        ):
            with pytest.raises(CiphertextRefused):
                (await keyring.subject(company_id, subject)).decrypt(sealed, aad=aad)

    async def test_format_does_not_change(self, tmp_path: Path) -> None:
        """A vector: what release 0.1 wrote must open for ever."""
        keyring = Keyring(KeysSettings(master_key_file=master_file(tmp_path)), MemoryKeyStore(), random=Counted())
        key = await keyring.subject(AMY, "document/1")

        assert key.encrypt(b"a secret", aad="row/1").hex() == VECTOR["sealed"]
        company = await keyring.company(AMY)
        assert company.blind_index("amy").hex() == VECTOR["index"]
        assert company.object_name(b"\x00" * 32) == VECTOR["name"]


class TestCompanyKey:
    async def test_index_and_names_are_equal_within_a_company_only(self, tmp_path: Path) -> None:
        keyring = a_keyring(tmp_path)
        amy, again, bob = await keyring.company(AMY), await keyring.company(AMY), await keyring.company(BOB)

        assert amy.blind_index("iban") == again.blind_index("iban")
        assert amy.blind_index("iban") != bob.blind_index("iban")
        assert len(amy.blind_index("iban")) == 32
        assert amy.object_name(b"\x01" * 32) == amy.object_name("01" * 32) != bob.object_name(b"\x01" * 32)

    async def test_platform_has_a_key_too(self, keyring: Keyring) -> None:
        key = await keyring.subject(PLATFORM, "signing")

        assert key.decrypt(key.encrypt(b"pem", aad="1"), aad="1") == b"pem"


class TestStored:
    async def test_another_process_opens_what_one_encrypted(
        self, keyring: Keyring, database: Database, tmp_path: Path
    ) -> None:
        sealed = (await keyring.subject(AMY, "document/1")).encrypt(b"secret", aad="row/1")
        other = Keyring(KeysSettings(master_key_file=tmp_path / "master.key"), DatabaseKeyStore(database))

        assert (await other.subject(AMY, "document/1")).decrypt(sealed, aad="row/1") == b"secret"

    async def test_keys_reach_the_database_wrapped_only(self, keyring: Keyring, platform: Platform) -> None:
        await keyring.subject(AMY, "document/1")

        rows = platform.rows(f"select subject, version, length(wrapped) from {SCHEMA}.data_keys order by 1")
        assert rows == [("", 1, 61), ("document/1", 1, 61)]

    async def test_fresh_key_opens_elsewhere_once_its_unit_has_committed(
        self, keyring: Keyring, database: Database, tmp_path: Path
    ) -> None:
        key = await keyring.fresh(AMY, "document/1")
        sealed = key.encrypt(b"secret", aad="row/1")

        async def fail() -> None:
            await keyring.keep(key)
            raise LookupError

        with context.scope(company_id=AMY):
            with pytest.raises(LookupError):
                await database.run(fail)
            await database.run(lambda: keyring.keep(key))
            with pytest.raises(psycopg.errors.UniqueViolation):
                await database.run(lambda: keyring.keep(key))
        other = Keyring(KeysSettings(master_key_file=tmp_path / "master.key"), DatabaseKeyStore(database))

        assert (await other.subject(AMY, "document/1")).decrypt(sealed, aad="row/1") == b"secret"

    async def test_first_use_at_once_gives_one_key(self, keyring: Keyring, database: Database, tmp_path: Path) -> None:
        other = Keyring(KeysSettings(master_key_file=tmp_path / "master.key"), DatabaseKeyStore(database))
        keys = await asyncio.gather(*(ring.subject(AMY, "document/1") for ring in (keyring, other) * 4))

        sealed = keys[0].encrypt(b"secret", aad="")
        assert {key.decrypt(sealed, aad="") for key in keys} == {b"secret"}

    async def test_key_of_a_unit_that_failed_is_forgotten(
        self, keyring: Keyring, database: Database, platform: Platform
    ) -> None:
        async def work() -> None:
            await keyring.subject(AMY, "document/1")
            raise LookupError

        with context.scope(company_id=AMY), pytest.raises(LookupError):
            await database.run(work)
        assert platform.rows(f"select * from {SCHEMA}.data_keys") == []

        await keyring.subject(AMY, "document/1")
        assert platform.rows(f"select count(*) from {SCHEMA}.data_keys") == [(2,)]

    async def test_key_within_a_unit_of_another_company(self, keyring: Keyring, database: Database) -> None:
        async def work() -> bytes:
            key = await keyring.subject(AMY, "document/1")
            return key.decrypt(key.encrypt(b"secret", aad=""), aad="")

        with context.scope(company_id=BOB):
            assert await database.run(work) == b"secret"

    async def test_companies_keys_are_fenced(self, keyring: Keyring, database: Database) -> None:
        await keyring.subject(AMY, "document/1")

        assert await DatabaseKeyStore(database).load(BOB, "document/1") == []


class TestErasure:
    async def test_erased_subject_cannot_be_read_nor_made_again(
        self, keyring: Keyring, database: Database, tmp_path: Path
    ) -> None:
        await keyring.subject(AMY, "document/1")
        await keyring.subject(AMY, "document/2")

        assert await keyring.destroy(AMY, "document/1")
        assert not await keyring.destroy(AMY, "document/1")

        other = Keyring(KeysSettings(master_key_file=tmp_path / "master.key"), DatabaseKeyStore(database))
        for ring in (keyring, other):
            with pytest.raises(KeyDestroyed):
                await ring.subject(AMY, "document/1")
            await ring.subject(AMY, "document/2")

    async def test_no_trace_of_the_key_is_left(self, keyring: Keyring, platform: Platform) -> None:
        await keyring.subject(AMY, "document/1")
        await keyring.destroy(AMY, "document/1")

        rows = platform.rows(f"select wrapped, destroyed_at is not null from {SCHEMA}.data_keys where subject <> ''")
        assert rows == [(None, True)]

    async def test_kept_key_dies_with_its_time(self, tmp_path: Path) -> None:
        now, store = 0.0, MemoryKeyStore()
        settings = KeysSettings(master_key_file=master_file(tmp_path), cache_seconds=30)
        keyring = Keyring(settings, store, monotonic=lambda: now)
        await keyring.subject(AMY, "document/1")
        await store.destroy(AMY, "document/1")

        now = 29.9
        await keyring.subject(AMY, "document/1")
        now = 30.0
        with pytest.raises(KeyDestroyed):
            await keyring.subject(AMY, "document/1")


class TestRotation:
    async def test_new_version_encrypts_and_the_old_one_still_opens(self, keyring: Keyring) -> None:
        old = (await keyring.subject(AMY, "document/1")).encrypt(b"old", aad="")
        key = await keyring.renew(AMY, "document/1")
        new = key.encrypt(b"new", aad="")

        assert (key.version, key.decrypt(old, aad=""), key.decrypt(new, aad="")) == (2, b"old", b"new")

    async def test_master_key_is_replaced_while_everything_stays_readable(
        self, keyring: Keyring, database: Database, platform: Platform, tmp_path: Path
    ) -> None:
        sealed = (await keyring.subject(AMY, "document/1")).encrypt(b"secret", aad="")
        await keyring.company(BOB)

        master_file(tmp_path, f"1:{'07' * 32}\n2:{'08' * 32}\n")
        assert await keyring.rewrap() == 2
        assert await keyring.rewrap() == 0

        master_file(tmp_path, f"2:{'08' * 32}\n")
        fresh = Keyring(KeysSettings(master_key_file=tmp_path / "master.key"), DatabaseKeyStore(database))
        assert (await fresh.subject(AMY, "document/1")).decrypt(sealed, aad="") == b"secret"
        versions = platform.rows(f"select distinct parent_version from {SCHEMA}.data_keys where subject = ''")
        assert versions == [(2,)]

    async def test_lost_master_key_is_named(self, keyring: Keyring, database: Database, tmp_path: Path) -> None:
        await keyring.company(AMY)
        other = Keyring(
            KeysSettings(master_key_file=master_file(tmp_path, f"3:{'09' * 32}")), DatabaseKeyStore(database)
        )

        with pytest.raises(KeyUnknown, match="Version 1"):
            await other.company(AMY)


class TestMasterKeyFile:
    @pytest.mark.parametrize(
        "content", [b"\x07" * 32, "07" * 32, f"1:{'07' * 32}\n", f"\n2:{'08' * 32}\n1:{'07' * 32}\n"]
    )
    def test_formats(self, tmp_path: Path, content: str | bytes) -> None:
        Keyring(KeysSettings(master_key_file=master_file(tmp_path, content)), MemoryKeyStore())

        assert (tmp_path / "master.key").exists()

    @pytest.mark.parametrize("content", ["", "short", "0:" + "07" * 32, "07" * 31, f"1:{'07' * 32}\n1:{'08' * 32}\n"])
    def test_anything_else_is_refused(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(MasterKeyRefused):
            Keyring(KeysSettings(master_key_file=master_file(tmp_path, content)), MemoryKeyStore())

    def test_absent_or_readable_by_others_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(MasterKeyRefused, match="No such file"):
            Keyring(KeysSettings(master_key_file=tmp_path / "absent"), MemoryKeyStore())
        file = master_file(tmp_path)
        file.chmod(0o640)
        with pytest.raises(MasterKeyRefused, match="Others"):
            Keyring(KeysSettings(master_key_file=file), MemoryKeyStore())
