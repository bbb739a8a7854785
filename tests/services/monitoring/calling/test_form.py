"""Goal: a wrong rota is refused by line, and nothing of it is repeated. Method: one mistake at a time."""

import pytest

from ecosystem.services.monitoring.calling.form import parse
from ecosystem.services.monitoring.errors import RotaRefused

GOOD = """\
time_zone: Europe/Zurich
people:
  amy:
    name: Amy Example
    quiet_hours: 22:00-07:00
    notify: ["mailto://t0ps3cret@mail.test"]
  ben:
    name: Ben Example
    time_zone: America/New_York
    notify: [ops]
levels:
  - people: [amy, ben]
    hand_over: { first: 2026-11-02, at: 09:00 }
    acknowledge_within_minutes: 5
  - people: [ben]
"""


def test_a_rota_is_read() -> None:
    form, _ = parse(GOOD)

    assert [level.people for level in form.levels] == [("amy", "ben"), ("ben",)]
    assert form.levels[0].hand_over is not None
    assert str(form.levels[0].hand_over.first) == "2026-11-02"


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("time_zone: Europe/Zurich", "time_zone: Zurich", 1, "IANA"),
        ("quiet_hours: 22:00-07:00", "quiet_hours: at night", 5, "quiet hours are"),
        ("[amy, ben]", "[amy, zoe]", 12, "zoe is not among the people"),
        ("    hand_over: { first: 2026-11-02, at: 09:00 }\n", "", 12, "hand_over"),
        ("first: 2026-11-02", "first: 2026-13-02", 13, "date"),
        ("acknowledge_within_minutes: 5", "acknowledge_within_minutes: 0", 14, "greater than or equal to 1"),
        ("acknowledge_within_minutes: 5", "acknowledge: 5", 14, "Extra inputs"),
        ("    name: Ben Example\n", "", 7, "Field required"),
        ("  - people: [ben]\n", "  - people: []\n", 15, "at least 1"),
        ("  amy:", "  Amy Example:", 3, ""),
        ("people:\n", "people: &all\n", 2, "Anchors"),
        ("people:\n", "people:\n people:\n", 3, ""),
    ],
)
def test_what_is_wrong_is_named_by_line(right: str, wrong: str, line: int, said: str) -> None:
    with pytest.raises(RotaRefused) as refusal:
        parse(GOOD.replace(right, wrong, 1))

    problems = refusal.value.details["problems"]
    assert (problems[0]["line"], said in problems[0]["message"]) == (line, True), problems
    assert "t0ps3cret" not in str(refusal.value.details) + refusal.value.message


def test_a_person_whom_no_level_calls_is_a_mistake() -> None:
    with pytest.raises(RotaRefused, match="line 7: ben is on no level"):
        parse(GOOD.replace("ben]", "amy]"))


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(RotaRefused):
        parse(GOOD + "#" * 70_000)
