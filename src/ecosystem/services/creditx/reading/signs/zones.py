"""Machine-readable zones against their own check digits and against the print."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecosystem.services.creditx.reading.signs.sign import Sign


def contradictions(mrz: Sequence[Mapping[str, Any]]) -> list[Sign]:
    """`mrz` as in the contract of a reading: `checks`, `doubts` and `against_print` by name, `truncated` lines."""
    found = []
    for zone in mrz:
        place = {"page": zone["page"], "box": tuple(zone["box"]) if zone["box"] else None, "part": zone.get("part", 1)}
        if cut := zone.get("truncated"):
            detail = f"Line {cut[0]} of the zone ends before its last character." if len(cut) == 1 else (
                f"Lines {_words([str(line) for line in cut])} of the zone end before their last characters."
            )  # fmt: skip
            found.append(Sign("mrz_truncated", detail, **place))
        wrong = [name for name, right in zone["checks"].items() if not right]
        if wrong:
            found.append(
                Sign("mrz_check_digit_wrong", f"Check digits of the zone are wrong: {_words(wrong)}.", **place)
            )
        doubts = [name for name in zone.get("doubts", ()) if name not in wrong and name in zone["checks"]]
        if doubts:
            detail = f"Check digits of the zone agree only if a character was misread: {_words(doubts)}."
            found.append(Sign("mrz_check_digit_doubtful", detail, **place))
        different = [name for name, verdict in zone.get("against_print", {}).items() if verdict == "different"]
        if different:
            detail = f"The zone and the print differ: {_words(different)}."
            found.append(Sign("mrz_contradicts_print", detail, **place))
    return found


def _words(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
