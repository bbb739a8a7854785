"""Goal: an effect that a first deployment made is not made again by its backup. Method: both on one database."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.index import AGENTS as SHIPPED
from ecosystem.kernel.agent.card import Fallback
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.runtime.contracts import BackupUnknown, ContractIndex
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.testing.harness import KernelHarness
from tests.kernel.db.fixtures import Platform
from tests.kernel.runtime.small import AGENTS, COMPANY, NAME, SCHEMA, SMALL, Note, Noted, NoteTaken, Small, build_small

BACKUP = "events-backup"
CARDS = AGENTS | {"small-agent": SMALL.model_copy(update={"fallback": Fallback(backup=BACKUP)})}
CONTRACTS = ContractIndex(
    CARDS, {"note_taken": NoteTaken}, frozenset({NAME, BACKUP, "postgres-service"}), {BACKUP: NAME}
)


class Deployments:
    """The small service twice, with pools of its own each."""

    def __init__(self, harness: KernelHarness) -> None:
        self._harness, self._small = harness, dict[str, Small]()

    async def start(self) -> tuple[Small, Small]:
        for name in (NAME, BACKUP):
            await self._harness.service(self._build, name, SCHEMA)
        return self._small[NAME], self._small[BACKUP]

    def _build(self, kernel: Kernel) -> Service:
        self._small[kernel.service], service = build_small(kernel)
        return service


async def lost(place: str) -> None:
    """The answer does not arrive, though the work was done."""
    if place == "after":
        raise Unavailable


@pytest.mark.parametrize("answers", ["the backup", "the first again"])
async def test_an_effect_whose_answer_was_lost_is_told_by_the_backup_and_made_once(
    platform: Platform, tmp_path: Path, answers: str
) -> None:
    async with KernelHarness(platform, tmp_path, CONTRACTS) as harness:
        first, backup = await Deployments(harness).start()
        first.hook = lost
        note_id, request_id = uuid4(), "a question"

        async def ask() -> object:
            return await harness.call(
                Note(note_id=note_id), to="small-agent", sender="asking-agent", company_id=COMPANY,
                request_id=request_id,
            )  # fmt: skip

        told = await ask()
        if answers == "the first again":
            first.hook = backup.hook
            assert await ask() == told

        assert told == Noted(note_id=note_id, count=1)
        assert backup.handled == [request_id]
        assert [UUID(data["note_id"]) for _, _, _, data in harness.events("note_taken")] == [note_id]


def test_a_card_that_names_an_unknown_backup_is_refused_by_name() -> None:
    ContractIndex(CARDS, backups={BACKUP: NAME}).refuse_unknown_backups()

    for backups in ({}, {BACKUP: "creditx-service"}):
        with pytest.raises(BackupUnknown, match="small-agent names events-backup"):
            ContractIndex(CARDS, backups=backups).refuse_unknown_backups()


def test_what_a_document_needs_has_a_queue_and_what_reads_it_a_backup() -> None:
    chains = {name: SHIPPED[name].fallback for name in ("validation-agent", "ocr-agent", "storage-agent")}

    assert set(chains.values()) == {Fallback(backup="creditx-backup", queue=True)}
    assert SHIPPED["event-bus-agent"].fallback == Fallback(queue=True)
