"""Goal: one trouble of a process is one incident, told as long as it really was, in order, with what ended it.

Method: facts as recovery-agent publishes them, on a real log; incidents, post-mortem and status by HTTP.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.errors import Severity
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from tests.services.monitoring.conftest import OPERATOR, cleared, fault, help_needed, repair, tell

RESTARTED = "restart by supervisor"
LOOP = {"fault": FaultKind.CRASH_LOOP, "cause": "exited with code 3; ended 3 times in a row"}


async def the_one(service: ServiceHarness) -> dict[str, Any]:
    ops = service.client(OPERATOR)
    (listed,) = (await ops.get("/v1/incidents")).json()["items"]
    shown: dict[str, Any] = (await ops.get(f"/v1/incidents/{listed['number']}")).json()
    return shown


async def postmortem(service: ServiceHarness) -> str:
    answer = await service.client(OPERATOR).get("/v1/incidents/1/postmortem")
    return str(answer.json()["markdown"])


class TestCrashLoops:
    async def test_a_loop_is_the_incident_of_the_ends_before_it(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        ends, loop = [uuid4(), uuid4()], uuid4()
        for end in ends:
            await tell(monitoring, fault(clock.now(), end, severity=Severity.MEDIUM))
            clock.advance(1)
            if end == ends[0]:
                await tell(monitoring, cleared(clock.now(), end, by=RESTARTED))
        await tell(monitoring, fault(clock.now(), loop, severity=Severity.MEDIUM, **LOOP))
        await tell(monitoring, cleared(clock.now(), ends[1], by=RESTARTED))
        await harness.settle()
        shown = await the_one(monitoring)

        assert (shown["title"], shown["cause"]) == ("creditx-service: crash loop", LOOP["cause"])
        assert (shown["state"], shown["episodes"], shown["faults"]) == ("open", 3, 2)
        assert [line["what"] for line in shown["timeline"]] == [
            "opened", "cleared", "closed", "reopened", "escalated", "cleared",
        ]  # fmt: skip
        assert [line["said"] for line in shown["timeline"]][4:] == [
            f"It is a crash loop now: {LOOP['cause']}.", "One fault of it was over after 1.5 s: restart by supervisor.",
        ]  # fmt: skip
        escalated = [data["reason"] for kind, _, _, data in harness.events() if kind == "incident_escalated"]
        assert escalated == ["crash_loop"]

    async def test_its_cause_and_count_go_on_with_it(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        loop = uuid4()
        for times in (3, 4, 5):
            cause = f"exited with code 3; ended {times} times in a row"
            await tell(monitoring, fault(clock.now(), loop, fault=FaultKind.CRASH_LOOP, cause=cause))
            clock.advance(5)
        # Another process of the same service ends meanwhile: the loop still names the incident.
        await tell(monitoring, fault(clock.now(), instance="creditx-2"))
        await harness.settle()
        shown = await the_one(monitoring)

        assert (shown["cause"], shown["faults"], shown["episodes"]) == (
            "exited with code 3; ended 5 times in a row", 4, 2,
        )  # fmt: skip
        assert shown["timeline"][-1]["said"] == "Another episode of instance dead: ended by SIGKILL."

    async def test_a_process_that_was_frozen_and_then_ends_is_one_trouble(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        await tell(monitoring, fault(clock.now(), fault=FaultKind.INSTANCE_FROZEN), fault(clock.now()))
        await harness.settle()

        assert (await the_one(monitoring))["title"] == "creditx-service: instance frozen"

    async def test_an_end_soon_after_a_loop_brings_its_incident_back(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        loop = uuid4()
        await tell(monitoring, fault(clock.now(), loop, **LOOP), cleared(clock.now(), loop, by=RESTARTED))
        clock.advance(300)
        await tell(monitoring, fault(clock.now()))
        await harness.settle()

        assert (await the_one(monitoring))["title"] == "creditx-service: instance dead"


class TestTimes:
    async def test_it_lasted_since_there_was_trouble_and_not_since_it_was_noticed(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode, well_until = uuid4(), clock.now()
        clock.advance(12)
        frozen = {"fault": FaultKind.INSTANCE_FROZEN, "cause": "did not answer for 8 s", "since": well_until}
        await tell(monitoring, fault(clock.now(), episode, **frozen))
        await harness.settle()
        status = (await monitoring.client().get("/v1/status")).json()
        clock.advance(1.5)
        await tell(monitoring, cleared(clock.now(), episode, 13.5, by=RESTARTED))
        clock.advance(30)
        await harness.settle()
        shown = await the_one(monitoring)
        document = await postmortem(monitoring)

        assert (shown["began_at"], shown["opened_at"], shown["closed_at"]) == (
            "2026-03-02T12:00:00Z", "2026-03-02T12:00:12Z", "2026-03-02T12:00:13.500000Z",
        )  # fmt: skip
        assert status["since"] == shown["episodes_shown"][0]["began_at"] == "2026-03-02T12:00:00Z"
        assert "It began at 2026-03-02 12:00:00.000Z and was noticed 12.0 s later;" in document
        assert "13.5 s after it began: restart by supervisor." in document
        assert shown["timeline"][0]["said"].endswith("It has been so since 2026-03-02T12:00:00.000+00:00.")

    async def test_a_beginning_in_the_future_is_not_believed(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        later = clock.now() + timedelta(hours=1)
        await tell(monitoring, fault(later, since=later + timedelta(hours=1)))
        await harness.settle()

        assert (await the_one(monitoring))["began_at"] == "2026-03-02T12:00:00Z"


class TestStory:
    async def test_lines_stand_in_the_order_of_their_times_and_pages_too(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        """Repairs are heard of later than they were made, and several within one second."""
        now, episode = clock.now(), uuid4()
        clock.advance(1)
        await tell(monitoring, fault(now, episode), help_needed(episode))
        for milliseconds in (900, 100, 500, 500):
            at = now + timedelta(milliseconds=milliseconds)
            await tell(monitoring, repair(at, episode, reason=f"after {milliseconds} ms"))
        await harness.settle()
        whole = (await the_one(monitoring))["timeline"]
        paged, cursor = [], ""
        while cursor is not None:
            path = f"/v1/incidents/1?limit=2{cursor and f'&cursor={cursor}'}"
            page = (await monitoring.client(OPERATOR).get(path)).json()
            paged, cursor = paged + page["timeline"], page["next_cursor"]

        moments = [datetime.fromisoformat(line["at"]) for line in whole]
        assert moments == sorted(moments)
        assert [line["what"] for line in whole] == ["opened", *["repair"] * 4, "help_needed", "paged"]
        assert paged == whole
        refused = await monitoring.client(OPERATOR).get("/v1/incidents/1?cursor=WzFd")
        assert (refused.status_code, refused.json()["code"]) == (422, "cursor_invalid")

    async def test_what_ended_it_is_named_and_its_end_is_no_action(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        await tell(monitoring, fault(clock.now(), episode), repair(clock.now(), episode, left=None))
        await tell(monitoring, cleared(clock.now(), episode, 1.5, by=RESTARTED))
        await harness.settle()
        shown, document = await the_one(monitoring), await postmortem(monitoring)
        actions = document.partition("## Actions taken")[2].partition("## Follow-ups")[0]

        assert [line["said"] for line in shown["timeline"]][1:] == [
            "restart_instance: done, attempt 1. it was dead",
            "The fault was over after 1.5 s: restart by supervisor.",
            "It is over: every fault was cleared.",
        ]
        assert shown["closed_reason"] == RESTARTED
        assert actions.count("\n- ") == 1
        assert "It is over" not in actions

    async def test_only_what_nobody_repaired_is_over_by_itself(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        await tell(monitoring, fault(clock.now(), episode))
        await harness.settle()
        while_it_lasts = await postmortem(monitoring)
        await tell(monitoring, cleared(clock.now(), episode))
        await harness.settle()

        assert "Nothing was done so far." in while_it_lasts
        assert "Nothing was done: it healed by itself." in await postmortem(monitoring)
