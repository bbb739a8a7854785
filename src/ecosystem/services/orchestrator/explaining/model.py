"""What is recorded of one item, and the sentences it becomes. Ids, codes and measures only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from ecosystem.contracts.creditx import (
    DocumentCreated,
    DocumentDecided,
    DocumentFailed,
    DocumentProcessed,
    DocumentReviewRequested,
)
from ecosystem.contracts.orchestrator import (
    ORCHESTRATOR_AGENT,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunRetried,
    RunState,
)
from ecosystem.contracts.recovery import FaultCleared, FaultKind, FaultObserved, HelpNeeded, RepairRecorded
from ecosystem.kernel.agent.waiting import Place
from ecosystem.kernel.audit.event import AuditRecorded
from ecosystem.kernel.messaging.event import Envelope, Event
from ecosystem.kernel.words import counted, times
from ecosystem.services.orchestrator.model import Run

SLACK = timedelta(seconds=5)
"""A fault is seen a moment after it began: one seen so soon after the end of a run may still have touched it."""
_EVERYBODY_NEEDS = frozenset(
    {ORCHESTRATOR_AGENT.service, "postgresql", "supervisor", "consumer:orchestrator-ingestion"}
)


_CAUSES_FOR_ALL = frozenset(
    {
        FaultKind.INSTANCE_DEAD, FaultKind.INSTANCE_FROZEN, FaultKind.CRASH_LOOP, FaultKind.ENGINE_DEAD,
        FaultKind.ENGINE_FROZEN, FaultKind.SUPERVISOR_RESTARTED, FaultKind.DATABASE_RESTARTED, FaultKind.CACHE_LOST,
    }
)  # fmt: skip
"""Their causes speak of a process. Those of others name sessions and count what all companies do."""

_BY = {"supervisor": "the supervisor", "recovery-agent": "recovery-agent"}


class Source(StrEnum):
    """Where a fact is recorded: the event log, the journal of a run, or the audit trail, which is in the log too."""

    LOG = "log"
    JOURNAL = "journal"
    AUDIT = "audit"


@dataclass(frozen=True)
class Moment:
    at: datetime
    source: Source
    sentence: str


@dataclass(frozen=True)
class Attempt:
    """One attempt of the durable task of a run, or of one pass of its loops. `code`: how it failed, if it did."""

    run_id: UUID
    is_pass: bool
    attempt: int
    worker: str | None
    started_at: datetime | None
    ended_at: datetime | None
    code: str | None


@dataclass(frozen=True)
class Wait:
    """`let_in`: nobody could be asked then, because of a breaker, a limit, or no instance; else between attempts."""

    run_id: UUID
    at: datetime
    until: datetime
    let_in: bool


@dataclass(frozen=True)
class Fallback:
    """`code`: why a question went into the queue of its agent; None where `via`, a backup, answered instead."""

    run_id: UUID
    at: datetime
    step: str
    agent: str
    code: str | None
    via: str | None


@dataclass(frozen=True)
class Recorded:
    """All that is kept of one item. `services`: those that its runs ask. `faults`: the platform's own events."""

    runs: Sequence[Run]
    attempts: Sequence[Attempt]
    waits: Sequence[Wait]
    fallbacks: Sequence[Fallback]
    events: Sequence[Envelope]
    faults: Sequence[Envelope]
    services: frozenset[str]
    company_id: UUID | None


def moments(recorded: Recorded) -> list[Moment]:
    """What happened, in the order of time."""
    several = len(recorded.runs) > 1
    found = [moment for one in recorded.events for moment in _of_event(one)]
    for run in recorded.runs:
        about = f"run {run.run_id}" if several else "the run"
        found += _of_run(run, about)
        found += _of_attempts([one for one in recorded.attempts if one.run_id == run.run_id], about)
        found += [_of_wait(one, about) for one in recorded.waits if one.run_id == run.run_id]
        found += [_of_fallback(one, about) for one in recorded.fallbacks if one.run_id == run.run_id]
        found += [_of_place(one, about) for one in run.waiting]
    found += _of_faults(recorded)
    return sorted(found, key=lambda moment: moment.at)


def _of_event(event: Envelope) -> Iterator[Moment]:
    if event.type == AuditRecorded.event_type:
        done = event.read(AuditRecorded)
        who = done.user_id or done.agent_id or event.source
        yield Moment(event.time, Source.AUDIT, f"The audit trail says: {done.action.replace('_', ' ')}, by {who}.")
        return
    tell = _TOLD.get(event.type)
    sentence = tell(event) if tell else f"{event.source} published {event.type}."
    yield Moment(event.time, Source.LOG, sentence)


def _created(event: Envelope) -> str:
    document = event.read(DocumentCreated)
    return (
        f"{event.source} took document {document.document_id}: {document.media_type},"
        f" {counted(document.size_bytes, 'byte')}, to be judged by {document.rule_set}."
    )


def _processed(event: Envelope) -> str:
    done = event.read(DocumentProcessed)
    score = "without a score" if done.compliance_score is None else f"with a score of {done.compliance_score}"
    rules = f"{done.rule_set} version {done.rule_set_version}"
    return f"The outcome of the document was published: {done.outcome} {score} by {rules}, as {done.kind}."


def _decided(event: Envelope) -> str:
    decided = event.read(DocumentDecided)
    rules = f"the rules had said {decided.judged_outcome}" if decided.judged_outcome else "the rules had said nothing"
    return f"A person, {decided.decided_by}, decided the document: {decided.outcome}; {rules}."


def _review(event: Envelope) -> str:
    reasons = "; ".join(event.read(DocumentReviewRequested).reasons)
    return f"The decision of a person was asked for: {reasons or 'no reason is recorded'}."


def _completed(event: Envelope) -> str:
    return f"Run {event.read(RunCompleted).run_id} was announced as completed."


def _run_failed(event: Envelope) -> str:
    failed = event.read(RunFailed)
    return f"Run {failed.run_id} was announced as failed, with {failed.code}."


def _cancelled(event: Envelope) -> str:
    cancelled = event.read(RunCancelled)
    instead = f"; run {cancelled.instead} was started instead" if cancelled.instead else ""
    return f"Run {cancelled.run_id} was announced as ended by a person{instead}."


_TOLD = {
    DocumentCreated.event_type: _created,
    DocumentProcessed.event_type: _processed,
    DocumentFailed.event_type: lambda event: f"The document was given up, with {event.read(DocumentFailed).code}.",
    DocumentReviewRequested.event_type: _review,
    DocumentDecided.event_type: _decided,
    RunCompleted.event_type: _completed,
    RunFailed.event_type: _run_failed,
    RunRetried.event_type: lambda event: f"Run {event.read(RunRetried).run_id} was announced as tried again.",
    RunCancelled.event_type: _cancelled,
}


def _of_run(run: Run, about: str) -> Iterator[Moment]:
    for number, turn in enumerate(run.transitions):
        if number == 0:
            said = f"Run {run.run_id} of {run.workflow}, version {run.version}, was started."
        else:
            where = f" at step {turn.step}" if turn.step else ""
            went = "ended and is in" if turn.state == RunState.IDLE else "went to"
            said = f"{_first_up(about)} {went} {turn.state}{where}{f': {turn.reason}' if turn.reason else ''}."
        yield Moment(turn.at, Source.JOURNAL, said)
    for loop in run.loops:
        said = f"Loop {loop.name} began for {counted(loop.passes, loop.each)}"
        yield Moment(loop.began_at, Source.JOURNAL, f"{said}; done so far: {loop.ended} of {loop.passes}.")
    for step in run.steps:
        name = step.name if step.pass_number is None else f"{step.name} (pass {step.pass_number})"
        seconds = (step.ended_at - step.began_at).total_seconds()
        ended = "answered" if step.code is None else f"failed with {step.code}"
        said = f"Step {name}, attempt {step.attempt}: {step.agent} was asked to {step.task} and {ended} after"
        yield Moment(step.ended_at, Source.JOURNAL, f"{said} {seconds:.3f} s.")


def _of_attempts(attempts: Iterable[Attempt], about: str) -> Iterator[Moment]:
    for one in attempts:
        what = f"a pass of {about}" if one.is_pass else about
        # A pass that went through at once says nothing that its steps do not say.
        if one.started_at is not None and not (one.is_pass and one.attempt == 1):
            said = f"Worker {one.worker} took up {what}, in attempt {one.attempt}."
            yield Moment(one.started_at, Source.JOURNAL, said)
        if one.ended_at is not None and one.code is not None:
            said = f"{_first_up(what)} broke off in attempt {one.attempt}, with {one.code}."
            yield Moment(one.ended_at, Source.JOURNAL, said)


def _of_wait(wait: Wait, about: str) -> Moment:
    why = "because nobody could be asked" if wait.let_in else "before another attempt"
    said = f"{_first_up(about)} went to sleep until {clock_time(wait.until)}, {why}."
    return Moment(wait.at, Source.JOURNAL, said)


def _of_fallback(one: Fallback, about: str) -> Moment:
    said = (
        f"Step {one.step} was answered by {one.via}, the backup of {one.agent}, because {one.agent} itself had not"
        " answered after all attempts."
        if one.code is None
        else f"Step {one.step} went into the queue of {one.agent}, which was away ({one.code}): it is asked again"
        " when the agent is back."
    )
    return Moment(one.at, Source.JOURNAL, said)


def _of_place(place: Place, about: str) -> Moment:
    before = f"behind {counted(place.before, 'other call')}" if place.before else "as the next"
    said = f"Since then {about} waits, {before}, for {place.agent_id} to answer step {place.step}."
    if place.failures:
        said += f" Asked {times(place.failures)} in vain meanwhile, the last time with {place.code}."
    return Moment(place.waiting_since, Source.JOURNAL, said)


def _of_faults(recorded: Recorded) -> Iterator[Moment]:
    """The episodes that were open while a run was under way, of what that run needs, and their repairs."""
    touching: dict[UUID, FaultObserved] = {}
    cleared = {
        event.data["episode_id"]: event.read(FaultCleared)
        for event in recorded.faults if event.type == FaultCleared.event_type
    }  # fmt: skip
    for seen in _read(recorded.faults, FaultObserved):
        end = cleared.get(str(seen.episode_id))
        if _touches(seen, end.cleared_at if end else None, recorded):
            # One that is told again goes on; what began is the first that was told.
            touching.setdefault(seen.episode_id, seen)
    for seen in touching.values():
        where = f"{seen.component} ({seen.instance})" if seen.instance else seen.component
        since = f", as it was since {clock_time(seen.since)}" if seen.since else ""
        cause = f": {seen.cause}" if seen.companies or seen.fault in _CAUSES_FOR_ALL else ""
        said = f"Meanwhile a fault was seen, {seen.fault} of {where}{since}{cause}."
        yield Moment(seen.observed_at, Source.LOG, said)
        if (end := cleared.get(str(seen.episode_id))) is not None:
            said = f"The fault {seen.fault} of {seen.component} was over after {end.repair_seconds:.1f} s."
            yield Moment(end.cleared_at, Source.LOG, said)
    for repair in _read(recorded.faults, RepairRecorded):
        if (of := touching.get(repair.episode_id)) is not None:
            said = f"Repair {repair.action} for {of.fault} of {of.component}, attempt {repair.attempt}"
            yield Moment(repair.at, Source.LOG, f"{said}: {repair.outcome}, by {_BY.get(repair.by, 'a person')}.")
    for event in recorded.faults:
        if event.type == HelpNeeded.event_type:
            of = touching.get(event.read(HelpNeeded).episode_id)
            if of is not None:
                yield Moment(event.time, Source.LOG, f"A person was called for {of.fault} of {of.component}.")


def _touches(seen: FaultObserved, cleared_at: datetime | None, recorded: Recorded) -> bool:
    if seen.companies and recorded.company_id not in seen.companies:
        return False
    if seen.component not in recorded.services | _EVERYBODY_NEEDS:
        return False
    return any(
        (run.ended_at is None or (seen.since or seen.observed_at) <= run.ended_at + SLACK)
        and (cleared_at is None or cleared_at >= run.created_at)
        for run in recorded.runs
    )


def _read(events: Iterable[Envelope], kind: type[Any]) -> list[Any]:
    return [event.read(kind) for event in events if event.type == kind.event_type]


def clock_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%SZ}"


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


FAULT_TYPES: tuple[type[Event], ...] = (FaultObserved, RepairRecorded, FaultCleared, HelpNeeded)


def subjects_of(runs: Sequence[Run], asked_for: UUID) -> list[str]:
    """What the log is asked about: the item, its runs, and what they are about."""
    named = [str(value) for run in runs for value in _ids(run.input)]
    return list(dict.fromkeys([str(asked_for), *(str(run.run_id) for run in runs), *named]))


def _ids(value: Mapping[str, Any]) -> Iterator[UUID]:
    for one in value.values():
        try:
            yield UUID(one)
        except (TypeError, ValueError, AttributeError):
            continue
