"""Goal: a rotation of signing keys that is killed left a key with its events, or none, and tokens go on.

Method: the real job in a process of its own, killed while PostgreSQL holds it; then the job again, here.
"""

from pathlib import Path

import pytest

from tests.kernel.db.fixtures import Platform
from tests.services.authn.conftest import Authn
from tests.support.killing import GATE, wait_at_commit
from tests.support.one_job import killed_job

JOB = "rotate-signing-keys"


def kept(platform: Platform) -> list[int]:
    """Numbers of keys, of events that tell of them, and of entries in the audit trail."""
    return list(
        *platform.rows(
            "select (select count(*) from authn.signing_keys),"
            " (select count(*) from kernel.log where type = 'signing_key_rotated'),"
            " (select count(*) from kernel.log where type = 'audit_recorded' and data->>'action' = 'signing_key_made')"
        )
    )


@pytest.mark.parametrize(
    ("holding", "keys"),
    [("lock table authn.signing_keys in share mode", 1), ("lock table kernel.log in exclusive mode", 1), (GATE, 2)],
    ids=["at its row", "at its event", "in its commit"],
)  # fmt: skip
async def test_killed_rotation(authn: Authn, platform: Platform, tmp_path: Path, holding: str, keys: int) -> None:
    client = await authn.made_client()
    former = (await authn.anyone().get("/.well-known/jwks.json")).json()["keys"]
    platform.rows("update authn.signing_keys set signs_from = signs_from - interval '1 year'")
    wait_at_commit(platform.admin_url, "authn.signing_keys")

    killed_job(holding, platform, tmp_path, "authn", JOB)

    assert kept(platform) == [keys] * 3
    await authn.running.job(JOB)
    assert kept(platform) == [2] * 3
    published = (await authn.anyone().get("/.well-known/jwks.json")).json()["keys"]
    assert former[0] in published
    assert len(published) == 2
    assert (await authn.token(client)).status_code == 200
