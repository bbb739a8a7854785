"""Goal: the guide "add an agent" is true. Method: run its code, ask the agent, and run it from its workflow."""

import re
from datetime import date
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import orjson
import pytest

from ecosystem.contracts.index import AGENTS
from ecosystem.kernel import context
from ecosystem.kernel.agent.answers import Answers
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.agent.local import LocalTransport
from ecosystem.kernel.agent.message import AgentFailed
from ecosystem.services.orchestrator.model import unfit
from ecosystem.workflow.evaluate import Run, check_input, evaluate
from ecosystem.workflow.parse import parse
from ecosystem.workflow.port import Step
from tests.kernel.db.fixtures import Platform
from tests.tidy.tree import ROOT
from tests.workflow.support import MemoryPort

GUIDE = (ROOT / "docs/guides/add-an-agent.md").read_text()
HOST = "orchestrator-agent"


@pytest.fixture
async def guide(platform: Platform) -> SimpleNamespace:
    """The names of the guide's code, a client of its agent, and its cards."""
    names: dict[str, Any] = {"__name__": "guide"}
    for code in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(code, "guide", "exec", dont_inherit=True), names)
    handlers = names["Handlers"]()
    tasks = {names["NextWorkingDay"]: handlers.next_working_day, names["KeepHoliday"]: handlers.keep_holiday}
    cards = {**AGENTS, "calendar-agent": names["CALENDAR_AGENT"]}
    answers = Answers(platform.database("orchestrator"))
    handling = Handling([AgentHost(names["CALENDAR_AGENT"], tasks)], cards, answers)
    client = AgentClient(cards, LocalTransport(HOST, {HOST: handling}))
    return SimpleNamespace(**names, client=client, cards=cards)


async def test_reading_answers_and_effect_happens_once(guide: SimpleNamespace) -> None:
    with context.scope(company_id=uuid4()):
        holiday = guide.KeepHoliday(day=date(2026, 11, 30), region="CH")
        kept = [await guide.client.call(holiday, to="calendar-agent", sender=HOST, request_id="one") for _ in range(2)]
        day = await guide.client.call(guide.NextWorkingDay(after=date(2026, 11, 27)), to="calendar-agent", sender=HOST)
        with pytest.raises(AgentFailed, match="may not call"):
            await guide.client.call(holiday, to="calendar-agent", sender="storage-agent")

    assert [answer.holidays for answer in kept] == [1, 1]
    assert day.day == date(2026, 12, 1)


async def test_workflow_fits_the_card_and_finds_the_day(guide: SimpleNamespace) -> None:
    definition = parse(re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[0])
    value = {"after": "2026-11-27"}
    check_input(definition, value)
    port = MemoryPort(lambda step: step)

    async def call(step: Step) -> Any:
        return orjson.loads(
            orjson.dumps(await guide.client.call_raw(step.agent, step.request_type, step.arguments, sender=HOST))
        )

    port.call = call  # type: ignore[method-assign]
    output = await evaluate(definition, Run("0", value, "now"), port)

    assert unfit(definition, guide.cards, HOST) == []
    assert output == {"day": "2026-11-30", "outcome": "found"}
