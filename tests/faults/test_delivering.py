"""Goal: a message that never arrived, has two ids, or that nobody asked for, is named; one that came twice is counted.

Method: promises and arrivals made up by hand.
"""

from dataclasses import replace

import pytest

from faults.delivering import MESSAGE_VERDICTS, PLATFORM, Delivered, compare
from faults.journal import Arrival, Message

ASKED = Message("company-1", "campaign-1", ("hook", "mail"), ids=("id-h", "id-m"))
HOOKED = Arrival("company-1", "hook", "campaign-1", ("id-h",), taken=True)
MAILED = Arrival("company-1", "mail", "campaign-1", ("id-m",), taken=True)
CLEAN = dict.fromkeys(MESSAGE_VERDICTS, 0)
SAID = {"id-h": "sent after attempt 1", "id-m": "failed after attempt 12 (http_500)"}


def delivered(*arrivals: Arrival, of: Message = ASKED) -> Delivered:
    return compare([of], arrivals, SAID)


def counts(found: Delivered) -> dict[str, int]:
    return {verdict: len(wrong) for verdict, wrong in found.wrong.items()}


class TestArrived:
    def test_each_channel_once_is_right(self) -> None:
        found = delivered(HOOKED, MAILED)

        assert (counts(found), found.broken, found.leaked) == (CLEAN, False, [])
        assert (found.promised, found.arrived, found.again, found.refused) == (2, 2, 0, 0)

    def test_twice_under_one_id_is_allowed_and_counted(self) -> None:
        found = delivered(HOOKED, HOOKED, MAILED)

        assert (counts(found), found.again) == (CLEAN, 1)

    def test_what_never_came_is_named_with_what_the_platform_says(self) -> None:
        found = delivered(MAILED)

        assert counts(found) == CLEAN | {"undelivered": 1}
        assert found.wrong["undelivered"][0] == (
            "campaign-1 to the hook of company-1 was promised and never arrived; the platform says: "
            "id-h is sent after attempt 1, id-m is failed after attempt 12 (http_500)"
        )

    def test_what_was_refused_has_not_arrived(self) -> None:
        found = delivered(replace(HOOKED, taken=False), MAILED)

        assert (counts(found), found.refused, found.arrived) == (CLEAN | {"undelivered": 1}, 1, 1)

    def test_what_was_not_promised_may_come_or_not(self) -> None:
        unanswered = replace(ASKED, ids=())

        assert counts(delivered(of=unanswered)) == CLEAN
        assert counts(delivered(HOOKED, of=unanswered)) == CLEAN


class TestId:
    @pytest.mark.parametrize("second", [replace(HOOKED, ids=("id-x",)), replace(HOOKED, ids=("id-x",), taken=False)])
    def test_two_ids_of_one_message_are_named_even_where_one_was_refused(self, second: Arrival) -> None:
        found = delivered(HOOKED, second, MAILED)

        assert found.wrong["unstable"] == ["campaign-1 to the hook of company-1 came with 2 ids: id-h, id-x"]

    def test_header_and_text_must_say_the_same(self) -> None:
        assert counts(delivered(replace(HOOKED, ids=("id-h", "id-x")), MAILED)) == CLEAN | {"unstable": 1}

    def test_another_id_than_the_promised_one_is_named(self) -> None:
        found = delivered(replace(HOOKED, ids=("id-x",)), MAILED)

        assert found.wrong["unstable"] == [
            "campaign-1 to the hook of company-1 came as id-x and was promised as id-h, id-m"
        ]

    def test_none_is_no_id(self) -> None:
        assert counts(delivered(replace(HOOKED, ids=()), MAILED)) == CLEAN | {"unstable": 1}

    def test_a_page_that_is_told_again_has_an_id_for_each_time(self) -> None:
        page = Message(PLATFORM, "page-1", ("hook",), ids=("id-h", "id-2"), page_id="page-1", times=2)
        arrivals = [replace(HOOKED, owner=PLATFORM, about="page-1", ids=(one,)) for one in ("id-h", "id-2")]

        found = delivered(*arrivals, of=page)

        assert (counts(found), found.again, found.pages) == (CLEAN, 0, 1)
        assert counts(delivered(*arrivals, of=replace(page, times=1))) == CLEAN | {"unstable": 1}


class TestUnasked:
    @pytest.mark.parametrize("stray", [
        replace(HOOKED, about="campaign-2"), replace(HOOKED, about="", title="Hello"), replace(HOOKED, channel="fax"),
    ])  # fmt: skip
    def test_what_nobody_asked_for_is_named(self, stray: Arrival) -> None:
        assert counts(delivered(HOOKED, MAILED, stray)) == CLEAN | {"unasked": 1}

    def test_what_came_to_another_company_is_leaked(self) -> None:
        found = delivered(HOOKED, MAILED, replace(HOOKED, owner="company-2"))

        assert found.leaked == ["campaign-1 of company-1 came to the hook of company-2"]
