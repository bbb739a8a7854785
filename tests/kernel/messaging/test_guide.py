"""Goal: the guide add-an-event is true. Method: its own code blocks, run on a real database."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope, Event
from ecosystem.kernel.messaging.outbox import Outbox
from tests.kernel.messaging.conftest import ZURICH, Log

GUIDE = Path(__file__).parents[3] / "docs/guides/add-an-event.md"


def blocks() -> dict[str, Any]:
    """What the Python blocks of the guide define, one after the other."""
    names: dict[str, Any] = {
        "Event": Event, "UUID": UUID, "datetime": datetime, "Outbox": Outbox, "Clock": Clock, "Envelope": Envelope,
        "Consumer": Consumer, "__name__": "guide",
    }  # fmt: skip
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), names)
    return names


async def test_event_of_the_guide_is_published_and_heard_once(log: Log) -> None:
    guide = blocks()

    class CasesService:
        async def open(self, phone_id: UUID, reported_at: datetime) -> None:
            assert reported_at.tzinfo is not None
            await log.database.session.execute(
                text("insert into effects (company_id, consumer, event_id, subject, count)"
                     " values (:company, 'counting', :event, :subject, 1)"),
                {"company": context.current().company_id, "event": uuid4(), "subject": str(phone_id)},
            )  # fmt: skip

    phones, phone_id = guide["PhonesService"](log.outbox, SystemClock()), uuid4()
    with context.scope(company_id=ZURICH):
        await log.database.run(lambda: phones.report_lost(phone_id))
    async with log.running(log.runner(guide["lost_phones"](CasesService()))):
        assert await log.until(1) == [(str(phone_id), 1)]
    assert guide["PhoneReportedLost"].event_type == "phone_reported_lost"
