"""The five formats of a machine-readable zone: where each element stands.

Source: ICAO Doc 9303-4 (TD3), 9303-5 (TD1), 9303-6 (TD2), 9303-7 (MRV-A, MRV-B), section 4.2 in each.
"""

from dataclasses import dataclass, field
from typing import Literal

Name = Literal["TD1", "TD2", "TD3", "MRV-A", "MRV-B"]


@dataclass(frozen=True)
class Place:
    """Characters `start` to `end` (counted from 0, end excluded) of a line (from 0)."""

    line: int
    start: int
    end: int


@dataclass(frozen=True)
class Format:
    """`composite` are the pieces, in order, that the last check digit covers; a visa has none."""

    name: Name
    lines: int
    length: int
    places: dict[str, Place]
    composite: tuple[Place, ...] = field(default=())


def _two_lines(name: Name, length: int, optional_end: int, *, personal: bool, composite: bool) -> Format:
    places = {
        "code": Place(0, 0, 2), "issuing_state": Place(0, 2, 5), "names": Place(0, 5, length),
        "document_number": Place(1, 0, 9), "document_number_check": Place(1, 9, 10), "nationality": Place(1, 10, 13),
        "birth_date": Place(1, 13, 19), "birth_date_check": Place(1, 19, 20), "sex": Place(1, 20, 21),
        "expiry_date": Place(1, 21, 27), "expiry_date_check": Place(1, 27, 28), "optional": Place(1, 28, optional_end),
    }  # fmt: skip
    if personal:
        places["optional_check"] = Place(1, optional_end, optional_end + 1)
    if composite:
        places["composite_check"] = Place(1, length - 1, length)
    covered = (Place(1, 0, 10), Place(1, 13, 20), Place(1, 21, length - 1)) if composite else ()
    return Format(name, 2, length, places, covered)


TD1 = Format(
    "TD1", 3, 30,
    {
        "code": Place(0, 0, 2), "issuing_state": Place(0, 2, 5), "document_number": Place(0, 5, 14),
        "document_number_check": Place(0, 14, 15), "optional": Place(0, 15, 30), "birth_date": Place(1, 0, 6),
        "birth_date_check": Place(1, 6, 7), "sex": Place(1, 7, 8), "expiry_date": Place(1, 8, 14),
        "expiry_date_check": Place(1, 14, 15), "nationality": Place(1, 15, 18), "optional_2": Place(1, 18, 29),
        "composite_check": Place(1, 29, 30), "names": Place(2, 0, 30),
    },
    (Place(0, 5, 30), Place(1, 0, 7), Place(1, 8, 15), Place(1, 18, 29)),
)  # fmt: skip
TD2 = _two_lines("TD2", 36, 35, personal=False, composite=True)
TD3 = _two_lines("TD3", 44, 42, personal=True, composite=True)
MRV_A = _two_lines("MRV-A", 44, 44, personal=False, composite=False)
MRV_B = _two_lines("MRV-B", 36, 36, personal=False, composite=False)
