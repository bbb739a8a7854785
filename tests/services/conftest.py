"""Services under test log briefly."""

from typing import Any

import pytest
import structlog


def _brief(_: Any, __: str, event: Any) -> str:
    return f"{event.get('event')} {event.get('code', '')} {event.get('exc_info')!r}"


@pytest.fixture(autouse=True, scope="session")
def _brief_lines() -> None:
    """structlog's default draws each traceback with its locals: seconds for each failure that a test wants."""
    structlog.configure(processors=[_brief])
