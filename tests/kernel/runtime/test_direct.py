"""Goal: agents carry events past a log that is late. Method: the small service, its job, and a horizon held back."""

import psycopg
import pytest

from ecosystem.kernel.agent.card import DeliverEvent, EventDelivered
from ecosystem.kernel.agent.message import AgentFailed
from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.runtime.assembly import DIRECT_JOB
from ecosystem.kernel.testing.clock import FrozenClock
from tests.kernel.runtime.conftest import SmallHarness
from tests.kernel.runtime.small import COMPANY, Note
from tests.kernel.runtime.test_harness import ONE


async def test_the_job_of_the_publisher_asks_the_agent_of_the_consumer(small: SmallHarness) -> None:
    clock = FrozenClock()
    small.hosted.kernel.late._monotonic = clock.monotonic
    await small.hosted.consume()
    with psycopg.connect(small.harness.platform.admin_url) as other:  # type: ignore[attr-defined]
        other.execute("select pg_current_xact_id()")
        await small.harness.call(Note(note_id=ONE), to="small-agent", sender="asking-agent", company_id=COMPANY)
        assert small.small.consumed == []

        clock.advance(5)
        await small.hosted.job(DIRECT_JOB)

        assert small.small.consumed == [ONE]
        other.rollback()
    await small.hosted.consume()
    assert small.small.consumed == [ONE]


async def test_a_service_asks_in_its_own_name_and_agents_do_not(small: SmallHarness) -> None:
    kernel = small.harness.kernel("postgres-service", "postgres")
    task = DeliverEvent(consumer="small.notes", slot=0, epoch=1, xid=1, id=1, recorded_at=SystemClock().now())

    answer = await kernel.agents.call(task, to="small-agent", sender="postgres-service")
    with pytest.raises(AgentFailed) as refused:
        await kernel.agents.call(task, to="small-agent", sender="asking-agent")

    assert answer == EventDelivered(events=None)
    assert refused.value.code == "call_refused"
