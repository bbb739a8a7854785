"""Goal: the campaign finds bugs, and names them. Method: each is planted in a copy of the tree and brought to light.

Every bug has a schedule that leads to it without luck: the campaign's faults in an order that the bug cannot bear.
The same schedules leave the tree as it is without a finding.
"""

from dataclasses import replace

import pytest

from tests.support.planted import Change, Planted, campaign_over

pytestmark = pytest.mark.system

ACKNOWLEDGED_BEFORE_COMMIT = Planted(
    "acknowledged before the commit",
    [Change(
        "src/ecosystem/services/creditx/service.py",
        "            return await self._database.run(lambda: self._keep_upload(row, data_key))",
        "            import asyncio\n\n"
        "            kept = self._database.run(lambda: self._keep_upload(row, data_key))\n"
        "            asyncio.get_running_loop().create_task(kept)\n"
        "            return Received(document_id, replayed=False)",
    )],
    # Commits wait for a stranger's lock, answers do not; then the processes that were to commit are gone.
    [{"at_seconds": 2, "kind": "lock-table", "target": "creditx.documents", "seconds": 1.8},
     {"at_seconds": 3.5, "kind": "kill-replicas", "target": "creditx"}],
    "lost", "was accepted and is in no table", minutes=0.1,
)  # fmt: skip

CURSOR_WITHOUT_HORIZON = Planted(
    "a cursor that does not wait for older transactions",
    [Change(
        "src/ecosystem/kernel/migrations/versions/0010_log.py",
        "l.epoch < v_epoch or l.xid < pg_snapshot_xmin(pg_current_snapshot()) as readable", "true as readable",
    )],
    # Runs that waited go on together, while uploads that have their number wait for their keys: what began later is
    # in the log first.
    [fault for at in (2, 6) for fault in (
        {"at_seconds": at, "kind": "lock-table", "target": "absurd.t_orchestrator", "seconds": 1.9},
        {"at_seconds": at + 2, "kind": "lock-table", "target": "creditx.data_keys", "seconds": 1.6})],
    "lost", "never handled", uploads_per_second=6.0,
)  # fmt: skip

CONSUMER_WITHOUT_INBOX = Planted(
    "a consumer that does not look into its inbox",
    [
        Change("src/ecosystem/kernel/messaging/reading.py",
               "unnest(%(events)s::uuid[])\non conflict do nothing returning event_id",
               "unnest(%(events)s::uuid[])\non conflict (consumer, event_id) do update set handled_at = now()"
               " returning event_id"),
        Change("src/ecosystem/kernel/messaging/reading.py",
               "values (%s, %s) on conflict do nothing returning event_id",
               "values (%s, %s) on conflict (consumer, event_id) do update set handled_at = now() returning event_id"),
    ],
    # The archive has closed some of its files by then.
    [{"at_seconds": 11, "kind": "replay-log", "target": "archive"}],
    "doubled", "the archive", minutes=0.25, uploads_per_second=6.0,
)  # fmt: skip

THAWED_WORKER_WRITES = Planted(
    "a frozen worker that wakes after its lease and writes",
    [
        Change("src/ecosystem/kernel/durable/task.py",
               "if self._claim.lost or time.monotonic() >= self._claim.held_until:", "if False:"),
        Change("src/ecosystem/kernel/durable/worker.py",
               "                claim.lost = True\n                task.cancel()", "                continue"),
        Change("src/ecosystem/kernel/migrations/versions/0021_hot_paths.py",
               "   where r.run_id = $3 and r.state = ''running'' and r.claim_expires_at is not null'\n"
               "    '     and t.task_id = r.task_id and t.task_id = $4 and t.state <> ''cancelled'' and"
               " t.last_attempt_run = $3'",
               "   where r.run_id = $3 and t.task_id = r.task_id and t.task_id = $4'"),
    ],
    # Runs wait in the middle of their steps; one of the workers stands still until the other has taken its runs.
    [{"at_seconds": 2, "kind": "lock-table", "target": "absurd.t_orchestrator", "seconds": 1.9},
     {"at_seconds": 3.95, "kind": "lock-table", "target": "absurd.c_orchestrator", "seconds": 1.9},
     {"at_seconds": 5, "kind": "freeze-service", "target": "orchestrator-1", "seconds": 11}],
    "doubled", "step ", uploads_per_second=6.0,
)  # fmt: skip

CURSOR_OF_THE_WRONG_COMPANY = Planted(
    "a cursor that is read for the wrong company",
    [Change(
        "src/ecosystem/kernel/messaging/runner.py", "await self._within(envelope.company_id, about",
        "await self._within(self.__dict__.setdefault('first_company', envelope.company_id), about",
    )],
    [{"at_seconds": 1, "kind": "flush-cache"}],
    "leaked", "works on a document of", minutes=0.1,
)  # fmt: skip

NO_POLL = Planted(
    "nobody looks who was not told",
    [
        Change("src/ecosystem/kernel/messaging/runner.py", "return self.consumer.looks_every_seconds", "return 3600.0"),
        Change(
            "src/ecosystem/kernel/messaging/runner.py",
            "return min(_BUSY_SECONDS, self._settings.poll_seconds) if busy else self._settings.poll_seconds",
            "return 3600.0",
        ),
    ],
    [{"at_seconds": 1, "kind": "lose-notify", "seconds": 20}],
    "stuck", "has not handled",
)  # fmt: skip

ANSWER_FORGOTTEN = Planted(
    "a task with an effect that forgets its recorded answer",
    [Change(
        "src/ecosystem/kernel/agent/answers.py", "            return await self._database.run(once)\n",
        "            return await self._database.run(work)\n",
    )],
    # Runs wait together at their first checkpoint and go on while a stranger holds the tasks: they publish and cannot
    # be completed. Whoever carried them dies meanwhile.
    [fault for at in (2, 7) for fault in (
        {"at_seconds": at, "kind": "lock-table", "target": "absurd.c_orchestrator", "seconds": 1.9},
        {"at_seconds": at + 1.85, "kind": "lock-table", "target": "absurd.t_orchestrator", "seconds": 1.9},
        {"at_seconds": at + 3.4, "kind": "kill-replicas", "target": "orchestrator"})],
    "doubled", "compliance_document_processed of", uploads_per_second=6.0,
)  # fmt: skip

BREAKER_NEVER_CLOSES = Planted(
    "a breaker that never closes",
    [Change(
        "src/ecosystem/kernel/resilience/breaker.py",
        "if stay.state is State.OPEN and self._monotonic() > stay.until:",
        "if stay.state is State.OPEN and self._monotonic() > float('inf'):",
    )],
    # Runs that waited go on together and find agents that do not answer: so many time-outs open the breaker. Stopped
    # before the lock is gone, or the first ones are quicker; not for 10 s, or they are replaced.
    [{"at_seconds": 2, "kind": "lock-table", "target": "absurd.t_orchestrator", "seconds": 1.9},
     {"at_seconds": 3.5, "kind": "freeze-service", "target": "creditx-1", "seconds": 9.3},
     {"at_seconds": 3.5, "kind": "freeze-service", "target": "creditx-2", "seconds": 9.3}],
    "stuck", "is still", minutes=0.25, uploads_per_second=6.0, replicas=("creditx",),
)  # fmt: skip

_TWO_DEATHS = [
    {"at_seconds": 2, "kind": "kill-service", "target": "creditx-1"}, {"at_seconds": 5, "kind": "kill-cache"}
]  # fmt: skip

FAULTS_WITHOUT_INCIDENT = Planted(
    "a monitoring-service that does not hear of faults",
    [Change("src/ecosystem/services/monitoring/consumers.py", "FaultObserved: incidents.observed,", "")],
    _TWO_DEATHS, "undetected", "kill-service creditx-1",
)  # fmt: skip

WRONG_CAUSE = Planted(
    "a recovery-agent that takes a death for a freeze",
    [Change(
        "src/ecosystem/services/recovery/watching/journal.py",
        "FaultKind.INSTANCE_DEAD if is_service else FaultKind.ENGINE_DEAD",
        "FaultKind.INSTANCE_FROZEN if is_service else FaultKind.ENGINE_FROZEN",
    )],
    _TWO_DEATHS, "misnamed", "told as instance_frozen of creditx-service",
)  # fmt: skip

REPAIR_NOT_TOLD = Planted(
    "an incident that tells of no repair",
    [Change("src/ecosystem/services/monitoring/consumers.py", "RepairRecorded: incidents.repaired,", "")],
    _TWO_DEATHS, "unrecorded", "tells of no repair",
)  # fmt: skip

_REFUSED = [{"at_seconds": 1.5, "kind": "refuse-receivers", "seconds": 5}]
_ATTEMPT = "outcome = await self._attempt(company_id, one)"

SENT_BEFORE_SENDING = Planted(
    "a message that is marked as sent before it is sent",
    [Change(
        "src/ecosystem/services/monitoring/notifying/delivery.py", _ATTEMPT,
        "outcome = Outcome(True)\n            asyncio.get_running_loop().create_task(self._attempt(company_id, one))",
    )],
    _REFUSED, "undelivered", "was promised and never arrived; the platform says: ", uploads_per_second=6.0,
)  # fmt: skip

ID_OF_THE_ATTEMPT = Planted(
    "a message whose id is that of the attempt",
    [Change(
        "src/ecosystem/services/monitoring/notifying/delivery.py",
        "self._courier.send(url, Text(title, body), str(one.notification_id))",
        "self._courier.send(url, Text(title, body), str(self._parts.ids.uuid()))",
    )],
    _REFUSED, "unstable", "came with ", minutes=0.1, uploads_per_second=6.0,
)  # fmt: skip

CHEAPEST = (CURSOR_OF_THE_WRONG_COMPANY,)
OTHERS = (
    ACKNOWLEDGED_BEFORE_COMMIT, CURSOR_WITHOUT_HORIZON, CONSUMER_WITHOUT_INBOX, THAWED_WORKER_WRITES, NO_POLL,
    ANSWER_FORGOTTEN, BREAKER_NEVER_CLOSES, FAULTS_WITHOUT_INCIDENT, WRONG_CAUSE, REPAIR_NOT_TOLD,
    SENT_BEFORE_SENDING, ID_OF_THE_ATTEMPT,
)  # fmt: skip


def assert_named(planted: Planted) -> None:
    summary = campaign_over(planted)
    said = summary["wrong"][planted.verdict]

    assert any(planted.sentence in sentence for sentence in said), summary
    assert not summary["held"]


@pytest.mark.parametrize("planted", CHEAPEST, ids=lambda planted: planted.name)
def test_a_planted_bug_is_named(planted: Planted) -> None:
    assert_named(planted)


@pytest.mark.long
@pytest.mark.parametrize("planted", OTHERS, ids=lambda planted: planted.name)
def test_every_planted_bug_is_named(planted: Planted) -> None:
    assert_named(planted)


@pytest.mark.long
@pytest.mark.parametrize("planted", OTHERS, ids=lambda planted: planted.name)
def test_the_same_faults_find_nothing_where_nothing_is_planted(planted: Planted) -> None:
    summary = campaign_over(replace(planted, changes=(), settle_seconds=45))

    assert summary["held"], summary
