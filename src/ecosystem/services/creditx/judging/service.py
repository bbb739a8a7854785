"""The use cases of judging: judge a document, keep the judgement, show what it was computed from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from ecosystem.contracts.creditx import Outcome, RuleResult
from ecosystem.kernel.keys.keyring import DataKey
from ecosystem.services.creditx.errors import DocumentNotFound, NotJudgedYet, RuleSetChanged, ValuesErased
from ecosystem.services.creditx.holding.vault import Vault, aad
from ecosystem.services.creditx.judging.customer import COMPANIONS_MAX, Companion
from ecosystem.services.creditx.judging.facts import inputs_of, parts_of, values_of
from ecosystem.services.creditx.judging.judge import Judgement, judge
from ecosystem.services.creditx.judging.rule_set import rule_set
from ecosystem.services.creditx.model import Document, Habits, Status
from ecosystem.services.creditx.service import CompanyNotKnownYet, Parts


@dataclass(frozen=True)
class Judged:
    """A judgement with its results and inputs sealed; both None where the document has its outcome already."""

    judgement: Judgement
    results: bytes | None = None
    inputs: bytes | None = None


@dataclass(frozen=True)
class Shown:
    """A stored judgement with all that it was computed from. `kept`: the inputs are those of the moment of judgement.

    A judgement from before inputs were kept has those that its reading leads to, which a completed document keeps.
    """

    document: Document
    results: list[dict[str, Any]]
    inputs: dict[str, Any]
    kept: bool
    values: list[dict[str, Any]]
    standing: dict[str, Any]


class JudgingService:
    def __init__(self, parts: Parts) -> None:
        self._database, self._documents, self._clock = parts.database, parts.documents, parts.clock
        self._vault = Vault(parts.keyring, parts.objects)
        self._in_use: set[str] = set()

    async def judge(self, document_id: UUID, rules: str) -> Judged:
        """Judge what was read by the newest version of `rules`, as of now in the company's time zone.

        A completed document keeps its judgement, whoever asks again and when, and so does one that a person decided.

        Raises:
            DocumentNotFound, RuleSetUnknown, NotReadYet, CompanyNotKnownYet, ValuesErased.
        """
        published = rule_set(rules)
        document, habits, others = await self._database.read(lambda: self._look(document_id))
        key = await self._vault.key(document)
        if document.status == Status.COMPLETED:
            return Judged(self._judged_before(document, key))
        now = self._clock.now()
        as_of = now.astimezone(ZoneInfo(habits.time_zone)).date()
        companions = await self._companions(others) if document.customer is not None else None
        inputs = inputs_of(self._vault.reading(document, key), as_of, companions)
        judgement = judge(published, inputs, judged_at=now)
        results = [result.model_dump(mode="json") for result in judgement.results]
        return Judged(
            judgement,
            key.encrypt(orjson.dumps(results), aad=aad("decision", document_id)),
            key.encrypt(orjson.dumps(inputs), aad=aad("decision_inputs", document_id)),
        )

    async def keep(self, document_id: UUID, judged: Judged) -> None:
        """Inside a unit of work. Raises RuleSetChanged where this version had another text before."""
        judgement = judged.judgement
        if judged.results is None:
            return
        if judgement.sha256 not in self._in_use:
            used = await self._documents.use_rule_set(
                judgement.rule_set, judgement.version, judgement.sha256, judgement.judged_at
            )
            if used != judgement.sha256:
                raise RuleSetChanged(f"Version {judgement.version} of {judgement.rule_set} was used with another text.")
            self._database.after_commit(lambda: self._in_use.add(judgement.sha256))
        await self._documents.keep_decision(
            document_id, now=judgement.judged_at, as_of=judgement.as_of, outcome=judgement.outcome.value,
            score=judgement.score, rule_set=judgement.rule_set, version=judgement.version, sha256=judgement.sha256,
            decision=judged.results, inputs=judged.inputs, failing=list(judgement.failing),
            open_rules=list(judgement.open_rules), reasons=list(judgement.reasons),
        )  # fmt: skip

    async def show(self, document_id: UUID) -> Shown:
        """Everything from which anybody can recompute the judgement.

        Raises:
            DocumentNotFound, ValuesErased; NotJudgedYet where there is no judgement (yet).
        """

        async def look() -> tuple[Document, bytes | None]:
            return await self._found(document_id), await self._documents.inputs(document_id)

        document, sealed = await self._database.read(look)
        key = await self._vault.key(document)
        if document.decision is None or document.judged_as_of is None:
            raise NotJudgedYet
        reading = self._vault.reading(document, key)
        if sealed is not None:
            inputs = orjson.loads(key.decrypt(sealed, aad=aad("decision_inputs", document_id)))
        else:
            inputs = inputs_of(reading, document.judged_as_of)
        return Shown(
            document, self._vault.results(document, key), inputs, sealed is not None, reading["values"],
            self._vault.decided(document, key),
        )  # fmt: skip

    async def _look(self, document_id: UUID) -> tuple[Document, Habits, list[Document]]:
        found = await self._documents.find_with_habits(document_id)
        if found is None:
            raise DocumentNotFound
        document, habits = found
        if habits is None:
            raise CompanyNotKnownYet
        if document.customer is None:
            return document, habits, []
        return document, habits, await self._documents.of_customer(document_id, COMPANIONS_MAX)

    async def _found(self, document_id: UUID) -> Document:
        document = await self._documents.find(document_id)
        if document is None:
            raise DocumentNotFound
        return document

    async def _companions(self, documents: Iterable[Document]) -> list[Companion]:
        found: list[Companion] = []
        for document in documents:
            try:
                key = await self._vault.key(document)
            except ValuesErased:
                continue
            found += companions_of(document, self._vault.reading(document, key))
        return found

    def _judged_before(self, document: Document, key: DataKey) -> Judgement:
        judged_at = document.judged_at or document.decided_at or document.updated_at
        return Judgement(
            document.rule_set, document.rule_set_version or 0, document.rule_set_sha256 or "", judged_at,
            document.judged_as_of or judged_at.date(), Outcome(document.judged_outcome or Outcome.REVIEW),
            document.score, tuple(RuleResult.model_validate(result) for result in self._vault.results(document, key)),
            tuple(document.reasons),
        )  # fmt: skip


def companions_of(document: Document, reading: Mapping[str, Any]) -> list[Companion]:
    """Each document in another file of the customer. A rejected one is compared, and not counted as on file."""
    outcome = document.outcome or document.judged_outcome
    return [
        Companion(
            str(document.document_id), part["kind"],
            {name: value["value"] for name, value in values_of(reading, part["part"]).items()},
            on_file=outcome != Outcome.REJECTED,
        )
        for part in parts_of(reading)
    ]  # fmt: skip
