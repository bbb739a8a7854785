"""One sign: what was noticed, in a sentence without personal values, and where."""

from dataclasses import dataclass
from typing import Any

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sign:
    """`page` counts from 1; `box` is left, top, right, bottom from the top left corner of the page as shown."""

    sign: str
    detail: str
    page: int | None = None
    box: Box | None = None
    part: int = 1

    def as_json(self) -> dict[str, Any]:
        return {
            "sign": self.sign, "detail": self.detail, "page": self.page, "part": self.part,
            "box": list(self.box) if self.box else None,
        }  # fmt: skip
