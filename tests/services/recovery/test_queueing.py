"""Goal: calls that wait too long for an agent call a person, once, who can ask again or give up. Method: calls in the
real queue, recovery-agent on the same database."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from ecosystem.contracts.index import AGENTS
from ecosystem.kernel import context
from ecosystem.kernel.agent.waiting import WaitingCall, WaitingCalls
from ecosystem.kernel.durable.durable import Durable
from ecosystem.kernel.http.principal import Principal
from tests.services.recovery.conftest import ROUTE, Watched

AMY, BOB = UUID(int=0xA1), UUID(int=0xB2)
BEGAN = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)

Wait = Callable[..., Awaitable[UUID]]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"waiting_call_seconds_max": 60}


@pytest.fixture
def limits() -> dict[str, Any]:
    return {"waiting_calls_max": 10}


@pytest.fixture
def wait(watched: Watched) -> Wait:
    """Put a call into the queue; its id."""
    database = watched.platform.database("orchestrator")
    queue = WaitingCalls(database, Durable(database), AGENTS, 10)

    async def put(agent: str = "storage-agent", company: UUID = AMY, minutes_ago: int = 0) -> UUID:
        call = WaitingCall(
            uuid4(), uuid4(), uuid4(), BEGAN, agent, "store_document", "r1", {}, "orchestrator-agent", 15.0, 3,
            "store", "unavailable",
        )  # fmt: skip
        with context.scope(company_id=company):
            assert await database.run(lambda: queue.add(call))
        with psycopg.connect(watched.platform.admin_url, autocommit=True) as admin:
            admin.execute(
                "update kernel.waiting_calls set waiting_since = waiting_since - %s where call_id = %s",
                (timedelta(minutes=minutes_ago), call.call_id),
            )
        return call.call_id

    return put


async def test_a_call_that_waits_too_long_is_told_and_calls_a_person_once(watched: Watched, wait: Wait) -> None:
    await wait(minutes_ago=0)
    await watched.look()
    assert watched.story() == []
    await wait(minutes_ago=10, company=BOB)
    for _ in range(3):
        await watched.look()

    assert watched.story() == ["fault_observed", "help_needed"]
    (seen,) = watched.told("fault_observed")
    assert (seen["fault"], seen["component"]) == ("calls_waiting", "queue:storage-agent")
    assert seen["cause"].startswith("2 calls wait for storage-agent, the oldest for 60")


async def test_a_company_of_which_no_more_may_wait_is_told_before_any_call_is_old(watched: Watched, wait: Wait) -> None:
    for number in range(8):
        await wait(company=AMY if number < 3 else BOB)
    await watched.look()
    assert watched.story() == []
    for _ in range(5):
        await wait(company=BOB)
    await watched.look()

    (seen,) = watched.told("fault_observed")
    assert seen["cause"].startswith("13 calls wait for storage-agent")
    assert seen["cause"].endswith("and no more of a company may wait")


async def test_operators_page_through_the_queue(watched: Watched, wait: Wait) -> None:
    calls = [await wait(minutes_ago=3 - number) for number in range(3)]
    other = await wait("ocr-agent", BOB)

    first = await watched.get("/queue?limit=2&agent=storage-agent")
    second = await watched.get(f"/queue?limit=2&agent=storage-agent&cursor={first['next_cursor']}")
    assert [one["call_id"] for one in first["items"] + second["items"]] == [str(one) for one in calls]
    everything = (await watched.get("/queue"))["items"]
    assert everything[-1]["call_id"] == str(other)
    assert everything[-1]["company_id"] == str(BOB)


async def test_only_operators_of_the_platform_see_the_queue(watched: Watched) -> None:
    stranger = Principal("eve", AMY, frozenset({"runs:read", "runs:write"}))

    assert (await watched.agent.client(stranger).get(f"{ROUTE}/queue")).status_code == 403


async def test_a_call_that_is_given_up_ends_the_fault_and_is_gone(watched: Watched, wait: Wait) -> None:
    call_id = await wait(minutes_ago=10)
    await watched.look()
    client = watched.agent.client(Principal("operator", None, frozenset({"platform:write"})))

    given_up = await client.post(f"{ROUTE}/queue/{call_id}/give-up", json={"reason": "the agent is retired"})
    again = await client.post(f"{ROUTE}/queue/{call_id}/retry")
    await watched.look()

    assert given_up.status_code == 204, given_up.text
    assert (again.status_code, again.json()["code"]) == (404, "call_unknown")
    assert watched.story() == ["fault_observed", "help_needed", "fault_cleared"]


async def test_the_item_of_work_is_tried_again_by_who_holds_it(watched: Watched, wait: Wait) -> None:
    call_id = await wait(minutes_ago=10)
    with psycopg.connect(watched.platform.admin_url, autocommit=True) as admin:
        admin.execute("update kernel.waiting_calls set failures = 3, due_at = 'infinity'")
    await watched.look()
    await watched.harness.settle()
    scopes = frozenset({"runs:read", "runs:write", "platform:read", "platform:write"})
    client = watched.agent.client(Principal("operator", None, scopes))
    (item,) = (await client.get("/v1/work")).json()["items"]
    assert (item["what"], item["code"]) == ("queue:storage-agent", "calls_waiting")

    await client.post(f"/v1/work/{item['item_id']}/claim")
    tried = await client.post(f"/v1/work/{item['item_id']}/retry", json={})

    assert (tried.status_code, tried.json()["state"]) == (200, "open"), tried.text
    due = watched.platform.rows("select due_at <= clock_timestamp(), failures from kernel.waiting_calls")
    assert due == [(True, 0)]
    assert [one["call_id"] for one in (await watched.get("/queue"))["items"]] == [str(call_id)]
