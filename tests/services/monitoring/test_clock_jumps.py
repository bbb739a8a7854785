"""Goal: who sets a clock, forwards or back, neither silences a page nor calls everybody at once. Method: the time of
day jumps by hours under incidents that are open."""

import pytest

from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from tests.kernel.db.fixtures import Platform
from tests.services.monitoring.conftest import fault, tell

HOURS = 3600.0
LOOK = "look-after-incidents"


def pages(platform: Platform) -> list[tuple[str, int, int]]:
    return platform.rows("select state, level, round from monitoring.pages order by requested_at")


@pytest.mark.parametrize("jump_seconds", [-26 * HOURS, -2 * HOURS])
async def test_a_clock_that_goes_back_keeps_no_incident_from_paging(
    harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock, platform: Platform, jump_seconds: float
) -> None:
    await tell(monitoring, fault(clock.now()))
    await harness.settle()
    clock.jump(jump_seconds)
    await monitoring.job(LOOK)
    before = pages(platform)
    clock.advance(61)
    await monitoring.job(LOOK)

    assert (before, len(pages(platform))) == ([], 1)
    answer = platform.rows("select priority, respond_by from monitoring.incidents")
    assert (answer[0][0], answer[0][1] > clock.now()) == ("P2", True)


async def test_a_clock_that_goes_forward_pages_once_and_raises_by_one_step(
    harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock, platform: Platform
) -> None:
    await tell(monitoring, fault(clock.now()))
    await harness.settle()
    clock.jump(30 * 24 * HOURS)
    for _ in range(3):
        await monitoring.job(LOOK)

    assert len(pages(platform)) == 1
    assert platform.rows("select priority from monitoring.incidents") == [("P1",)]
