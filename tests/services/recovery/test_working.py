"""Goal: what no machine can finish waits for a person, is held by one, and ends once. Method: real services and a run
that fails, on a real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.contracts.recovery import FaultCleared, HelpNeeded
from ecosystem.kernel import context
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.messaging.event import Event
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.orchestrator.app import build as build_orchestrator
from ecosystem.services.recovery.app import build
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import BROKEN, COMPANY, OTHER, Harness, a_harness, failing

SCOPES = frozenset({"runs:read", "runs:write"})
AMY, BEN, STRANGER = (
    Principal("amy", COMPANY, SCOPES), Principal("ben", COMPANY, SCOPES), Principal("eve", OTHER, SCOPES),
)  # fmt: skip
OPERATOR = Principal("operator", None, SCOPES | {"platform:read", "platform:write"})


@dataclass
class Desk:
    """Where people work: `flow` carries runs with agents that answer as the test says."""

    harness: KernelHarness
    recovery: ServiceHarness
    flow: Harness

    async def failed_run(self) -> UUID:
        self.flow.agents.behave["check_compliance"] = failing(BROKEN)
        if not self.flow.workers:
            self.flow.work()
        run_id = await self.flow.start()
        await self.flow.ended(run_id, "failed")
        await self.harness.settle()
        return run_id

    async def asked(self, who: Principal, path: str = "", body: dict[str, Any] | None = None) -> tuple[int, Any]:
        client = self.recovery.client(who)
        answer = await (client.get(f"/v1/work{path}") if body is None else client.post(f"/v1/work{path}", json=body))
        return answer.status_code, answer.json()

    async def items(self, who: Principal = AMY, state: str = "open") -> list[dict[str, Any]]:
        _, page = await self.asked(who, f"?state={state}")
        items: list[dict[str, Any]] = page["items"]
        return items

    async def happens(self, event: Event) -> None:
        kernel = self.recovery.kernel
        with context.scope(company_id=None):
            await kernel.database.run(lambda: kernel.outbox.add(event))
        await self.harness.settle()

    def audited(self) -> list[str]:
        return [data["action"] for _, _, _, data in self.harness.events("audit_recorded")]


@pytest.fixture
async def desk(platform: Platform, tmp_path: Path) -> AsyncIterator[Desk]:
    async with (
        KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS)) as harness,
        a_harness(platform) as flow,
    ):
        await harness.service(build_orchestrator, "orchestrator-agent", "orchestrator", workers=False)
        yield Desk(harness, await harness.service(build, "recovery-agent", "recovery"), flow)


class TestRuns:
    async def test_a_failed_run_waits_with_its_context(self, desk: Desk) -> None:
        run_id = await desk.failed_run()
        (item,) = await desk.items()

        assert (item["kind"], item["subject"], item["code"]) == ("run", str(run_id), "rule_set_unknown")
        assert item["what"] == "compliance_document_ingestion"
        assert item["context"]["input"]["rule_set"] == "kyc_aml_v2"
        assert item["context"]["story"] == f"/v1/runs/{run_id}/story"

    async def test_held_by_one_and_tried_again_to_its_end(self, desk: Desk) -> None:
        run_id = await desk.failed_run()
        (item,) = await desk.items()
        path = f"/{item['item_id']}"
        early = await desk.asked(AMY, f"{path}/retry", {})
        held = await desk.asked(AMY, f"{path}/claim", {})
        others = [await desk.asked(BEN, f"{path}/{verb}", {}) for verb in ("claim", "retry")]
        del desk.flow.agents.behave["check_compliance"]
        status, done = await desk.asked(AMY, f"{path}/retry", {})
        run = await desk.flow.ended(run_id, "completed")
        await desk.harness.settle()

        assert (early[0], early[1]["code"]) == (409, "work_not_claimed")
        assert (held[0], held[1]["claimed_by"]) == (200, "amy")
        assert [(code, answer["code"]) for code, answer in others] == [(409, "work_claimed")] * 2
        assert (status, done["state"], run.outcome) == (200, "closed", "approved")
        assert await desk.items() == []
        assert [one for one in desk.audited() if one.startswith("work")] == ["work_claimed", "work_retried"]

    async def test_what_fails_again_comes_back_free(self, desk: Desk) -> None:
        run_id = await desk.failed_run()
        (item,) = await desk.items()
        await desk.asked(AMY, f"/{item['item_id']}/claim", {})
        await desk.asked(AMY, f"/{item['item_id']}/retry", {})
        await desk.flow.ended(run_id, "failed")
        await desk.harness.settle()
        (again,) = await desk.items()

        assert (again["item_id"], again["failures"], again["claimed_by"]) == (item["item_id"], 2, None)

    async def test_edited_it_is_started_anew_and_the_old_run_is_ended(self, desk: Desk) -> None:
        run_id = await desk.failed_run()
        (item,) = await desk.items()
        path = f"/{item['item_id']}"
        await desk.asked(AMY, f"{path}/claim", {})
        edited = item["context"]["input"] | {"rule_set": "kyc_aml_v3"}
        refused = await desk.asked(AMY, f"{path}/retry", {"input": edited | {"name": "Anna"}})
        del desk.flow.agents.behave["check_compliance"]
        status, done = await desk.asked(AMY, f"{path}/retry", {"input": edited})
        instead = UUID(done["closed_reason"].split()[1])
        run = await desk.flow.ended(instead)

        assert (refused[0], refused[1]["code"]) == (422, "workflow_input_refused")
        assert status == 200
        assert run.input["rule_set"] == "kyc_aml_v3"
        assert (await desk.flow.show(run_id)).status == "cancelled"

    async def test_who_retries_the_run_itself_takes_the_item_away(self, desk: Desk) -> None:
        run_id = await desk.failed_run()
        with context.scope(company_id=COMPANY):
            await desk.flow.service.cancel(run_id)
        await desk.harness.settle()
        (closed,) = await desk.items(state="closed")

        assert await desk.items() == []
        assert (closed["closed_by"], closed["closed_reason"]) == ("orchestrator-agent", "the run was ended")

    async def test_closed_with_a_reason_once(self, desk: Desk) -> None:
        await desk.failed_run()
        (item,) = await desk.items()
        path = f"/{item['item_id']}"
        await desk.asked(AMY, f"{path}/claim", {})
        first = await desk.asked(AMY, f"{path}/close", {"reason": "a double of another"})
        second = await desk.asked(AMY, f"{path}/close", {"reason": "a double of another"})

        assert (first[0], first[1]["closed_by"], first[1]["closed_reason"]) == (200, "amy", "a double of another")
        assert (second[0], second[1]["code"]) == (409, "work_closed")


class TestFaults:
    async def test_a_call_for_help_waits_for_the_platform_and_goes_with_its_fault(self, desk: Desk) -> None:
        episode = uuid4()
        await desk.happens(HelpNeeded(episode_id=episode, reason="3 attempts did not help"))
        (item,) = await desk.items(OPERATOR)
        await desk.asked(OPERATOR, f"/{item['item_id']}/claim", {})
        retried = await desk.asked(OPERATOR, f"/{item['item_id']}/retry", {})
        cleared = FaultCleared(
            episode_id=episode, cleared_at=desk.harness.world.clock.now(), by_itself=True, repair_seconds=1
        )
        await desk.happens(cleared)

        assert (item["kind"], item["subject"]) == ("fault", str(episode))
        assert item["context"]["reason"] == "3 attempts did not help"
        assert (retried[0], retried[1]["code"]) == (409, "work_not_retried")
        assert await desk.items(OPERATOR) == await desk.items(AMY) == []


class TestRefusals:
    async def test_another_company_and_the_platform_do_not_find_it(self, desk: Desk) -> None:
        await desk.failed_run()
        (item,) = await desk.items()
        for who in (STRANGER, OPERATOR):
            for path, body in (("", None), ("/claim", {}), ("/retry", {}), ("/close", {"reason": "mine"})):
                status, answer = await desk.asked(who, f"/{item['item_id']}{path}", body)
                assert (status, answer["code"]) == (404, "work_unknown"), path
            assert await desk.items(who) == []

    async def test_every_route_asks_for_its_scope(self, desk: Desk) -> None:
        nobody, half = Principal("n", COMPANY, frozenset()), Principal("h", None, SCOPES)
        for path, body in (("", None), (f"/{uuid4()}", None), (f"/{uuid4()}/claim", {}), (f"/{uuid4()}/retry", {}),
                           (f"/{uuid4()}/close", {"reason": "mine"})):  # fmt: skip
            for who in (nobody, half):
                status, answer = await desk.asked(who, path, body)
                assert (status, answer["code"]) == (403, "scope_missing"), (path, who)
