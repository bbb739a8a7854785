"""Where something stands in the log. Outside it is an opaque text; a restore into a new cluster begins a new epoch."""

import re
from dataclasses import dataclass

from ecosystem.kernel.messaging.errors import PositionRefused

_TEXT = re.compile(r"(\d{1,9})\.(\d{1,19})\.(\d{1,18})")


@dataclass(frozen=True, order=True)
class Position:
    """Compared as the log is ordered: by epoch, then transaction, then place inside of it."""

    epoch: int
    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.xid}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Raises PositionRefused."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise PositionRefused
        return cls(*(int(part) for part in match.groups()))


START = Position(0, 0, 0)
END = Position(999_999_999, 2**63 - 1, 2**62)
