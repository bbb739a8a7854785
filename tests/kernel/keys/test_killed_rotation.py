"""Goal: whatever moment a rotation of keys is killed at, everything stays readable, and the next one finishes it.

Method: a process that rotates is killed while PostgreSQL holds it at a row, or inside of its commit.
"""

from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.keystore import DatabaseKeyStore
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.keys.keyring import Keyring
from ecosystem.kernel.keys.settings import KeysSettings
from tests.kernel.db.fixtures import Platform
from tests.kernel.keys.memory import master_file
from tests.support.killing import GATE, HOLD_SECONDS, killed_while_it_waits, wait_at_commit

COMPANIES = [UUID(int=number) for number in (0xA1, 0xB2, 0xC3)]
SUBJECT, SECRET = "document/1", b"a secret"
OLD, NEW = f"1:{'07' * 32}\n", f"2:{'08' * 32}\n"
KEYS = "objects.data_keys"
ONE = f"select from {KEYS} where company_id = '{COMPANIES[1]}' and subject = '' for update"
"""Holds the key of one company of three: those before it may be done, that one and those behind are not."""


def a_keyring(database: Database, file: str) -> Keyring:
    return Keyring(KeysSettings(master_key_file=Path(file)), DatabaseKeyStore(database))


async def rewrap(url: str, file: str) -> None:
    database = Database(DatabaseSettings(url=SecretStr(url), transaction_timeout_seconds=HOLD_SECONDS), "objects")
    await a_keyring(database, file).rewrap()
    await database.close()


async def renew(url: str, file: str) -> None:
    database = Database(DatabaseSettings(url=SecretStr(url), transaction_timeout_seconds=HOLD_SECONDS), "objects")
    await a_keyring(database, file).renew(COMPANIES[0], SUBJECT)
    await database.close()


async def seal(keyring: Keyring) -> list[bytes]:
    """A secret of each company."""
    return [(await keyring.subject(company, SUBJECT)).encrypt(SECRET, aad="row") for company in COMPANIES]


async def opened(keyring: Keyring, sealed: list[bytes]) -> list[bytes]:
    keys = [await keyring.subject(company, SUBJECT) for company in COMPANIES]
    return [key.decrypt(text, aad="row") for key, text in zip(keys, sealed, strict=True)]


@pytest.mark.parametrize("holding", [ONE, GATE], ids=["at a company's key", "in a commit"])
async def test_killed_change_of_the_master_key(platform: Platform, tmp_path: Path, holding: str) -> None:
    database, file = platform.database("objects"), str(master_file(tmp_path, OLD))
    sealed = await seal(a_keyring(database, file))
    master_file(tmp_path, OLD + NEW)
    wait_at_commit(platform.admin_url, KEYS)

    killed_while_it_waits(platform.admin_url, holding, rewrap, url=platform.url("eco_objects"), file=file)

    versions = platform.rows(f"select parent_version from {KEYS} where subject = ''")
    assert {(1,), (2,)} >= set(versions)
    assert (1,) in versions
    assert await opened(a_keyring(database, file), sealed) == [SECRET] * 3
    assert await a_keyring(database, file).rewrap() == versions.count((1,))
    master_file(tmp_path, NEW)
    assert await opened(a_keyring(database, file), sealed) == [SECRET] * 3


@pytest.mark.parametrize(
    ("holding", "version"), [(f"lock table {KEYS} in exclusive mode", 1), (GATE, 2)],
    ids=["at its row", "in its commit"],
)  # fmt: skip
async def test_killed_renewal_of_a_subjects_key(platform: Platform, tmp_path: Path, holding: str, version: int) -> None:
    """The new version is there or it is not; what the former one encrypted opens either way."""
    database, file = platform.database("objects"), str(master_file(tmp_path, OLD))
    sealed = await seal(a_keyring(database, file))
    wait_at_commit(platform.admin_url, KEYS)

    killed_while_it_waits(platform.admin_url, holding, renew, url=platform.url("eco_objects"), file=file)

    keyring = a_keyring(database, file)
    assert (await keyring.subject(COMPANIES[0], SUBJECT)).version == version
    assert await opened(keyring, sealed) == [SECRET] * 3
    assert (await keyring.renew(COMPANIES[0], SUBJECT)).version == version + 1
    assert await opened(keyring, sealed) == [SECRET] * 3
