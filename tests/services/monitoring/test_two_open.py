"""Goal: two incidents of one trouble, left open by a version that told them apart, disturb nobody and end.

Method: both are made as such a version left them; then facts go on as recovery-agent publishes them.
"""

from uuid import UUID

import pytest

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from tests.services.monitoring.conftest import OPERATOR, cleared, fault, tell

END, LOOP = UUID(int=0xE1), UUID(int=0xE2)
LOOPING = {"fault": FaultKind.CRASH_LOOP, "cause": "exited with code 3; ended 3 times in a row"}


@pytest.fixture
async def both(harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock) -> ServiceHarness:
    """Incident 1 of the end of a process, incident 2 of its crash loop, both open."""
    rows = harness.platform.rows
    await tell(monitoring, fault(clock.now(), END))
    await harness.settle()
    rows("update monitoring.incidents set component = 'apart'")
    await tell(monitoring, fault(clock.now(), LOOP, **LOOPING))
    await harness.settle()
    rows("update monitoring.incidents set component = 'creditx-service'")
    return monitoring


async def states(monitoring: ServiceHarness) -> dict[int, str]:
    listed = (await monitoring.client(OPERATOR).get("/v1/incidents")).json()["items"]
    return {one["number"]: one["state"] for one in listed}


async def test_both_end_with_the_trouble(both: ServiceHarness, harness: KernelHarness, clock: FrozenClock) -> None:
    clock.advance(5)
    await tell(both, fault(clock.now()), fault(clock.now(), LOOP, **LOOPING))
    await harness.settle()
    assert await states(both) == {1: "open", 2: "open"}

    for (episode,) in harness.platform.rows("select episode_id from monitoring.episodes"):
        await tell(both, cleared(clock.now(), episode))
    await harness.settle()
    assert await states(both) == {1: "closed", 2: "closed"}


async def test_the_one_that_is_closed_by_hand_stays_so_while_the_loop_goes_on(
    both: ServiceHarness, harness: KernelHarness, clock: FrozenClock
) -> None:
    resolved = await both.client(OPERATOR).post("/v1/incidents/1/resolve", json={"reason": "goes on as incident 2"})
    assert resolved.status_code == 200
    clock.advance(5)
    await tell(both, fault(clock.now(), LOOP, **LOOPING), fault(clock.now()), cleared(clock.now(), END))
    await harness.settle()

    assert await states(both) == {1: "closed", 2: "open"}
