"""Goal: a demonstration says what came, and where it is not what the truth says. Method: on the twin, no fleet."""

import json
import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ecosystem.cli import demo, demo_page, demo_report
from ecosystem.cli.demonstration import (
    Case,
    NothingToSend,
    Report,
    differences,
    folder_cases,
    send_all,
)
from ecosystem_client import Ecosystem, Retries
from ecosystem_client.models import Result, Value
from specimens.maker import write
from specimens.selections import demonstration
from tests.client.twin import CLIENT, SECRET, Twin, problem, served, twin_app

AS_OF = date(2026, 11, 24)
TRUTH = {
    "kind": "invoice", "outcome": "rejected", "failing_rules": ["iban_check_digits"], "fields": {"currency": "CHF"},
    "refusal_rule": None,
}  # fmt: skip


def a_report(values: dict[str, str] | None = None, confidence: float = 0.98, **changes: object) -> Report:
    read = {"currency": "CHF", "iban": "x"} if values is None else values
    came: dict[str, object] = {
        "outcome": "rejected", "kind": "invoice", "values": read, "document_id": "d1",
        "failing": [("iban_check_digits", "The remainder is 5, not 1.")],
        "result": Result(
            document_id="d1",
            values=tuple(Value(name=name, value=value, confidence=confidence) for name, value in read.items()),
        ),
    }  # fmt: skip
    return Report("a.pdf", **{**came, **changes})  # type: ignore[arg-type]


class TestComparison:
    def test_what_came_as_expected_has_no_differences(self) -> None:
        assert differences(TRUTH, a_report()) == []

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"outcome": "approved"}, "outcome approved, rejected was expected"),
            ({"outcome": None}, "no outcome, rejected was expected"),
            ({"kind": "unknown"}, "kind unknown, invoice was expected"),
            ({"failing": []}, "failing rules [], ['iban_check_digits'] were expected"),
            ({"values": {"currency": "EUR"}}, "currency read as 'EUR', 'CHF' is printed"),
            ({"refusal": "empty_file"}, "refused by empty_file, None was expected"),
        ],
    )
    def test_each_difference_is_named(self, changes: dict[str, object], said: str) -> None:
        assert said in differences(TRUTH, a_report(**changes))  # type: ignore[arg-type]

    def test_value_from_pixels_may_be_wrong_where_it_says_that_it_is_unsure(self) -> None:
        scanned = TRUTH | {"quality": "scan_200"}
        unsure, sure = a_report({"currency": "CNF"}, 0.7), a_report({"currency": "CNF"}, 0.95)

        assert differences(scanned, unsure) == []
        assert differences(scanned, sure) == ["currency read as 'CNF', 'CHF' is printed"]
        assert unsure.wrong == sure.wrong == {(1, "currency"): "CHF"}
        assert (unsure.values_true, unsure.values_exact) == (1, 0)

    def test_each_document_of_a_file_is_compared_with_its_own_part(self) -> None:
        truth = TRUTH | {"kind": "several", "fields": {}, "parts": [{"part": 2, "fields": {"currency": "EUR"}}]}

        assert "currency read as None, 'EUR' is printed" in differences(truth, a_report(kind="several"))


class TestSending:
    def test_outcomes_refusals_and_failures_are_all_reported(self) -> None:
        twin = Twin()
        with served(twin_app(twin)) as url, Ecosystem(url, CLIENT, SECRET, retries=Retries(1)) as ecosystem:
            first, second = send_all(ecosystem, [Case("a.pdf", b"%PDF"), Case("b.pdf", b"")], timeout_seconds=5)
            twin.failing = [problem(503, "unavailable")]
            (third,) = send_all(ecosystem, [Case("c.pdf", b"%PDF", TRUTH)], timeout_seconds=5)

        assert (first.outcome, first.failing) == ("approved", [("address_recent", "120 days old.")])
        assert first.values["person_name"].startswith("Anna")
        assert (second.outcome, second.refusal, second.good) == ("refused", "empty_file", True)
        assert (third.outcome, third.good) == (None, False)
        assert "unavailable" in str(third.trouble)


class TestCases:
    def test_folder_of_specimens_brings_its_truth(self, tmp_path: Path) -> None:
        made = demonstration(3, AS_OF)
        write(made, tmp_path)
        (tmp_path / "own.txt").write_text("mine")
        cases = folder_cases(tmp_path)

        assert len(cases) == 15
        assert [case.name for case in cases if case.truth is None] == ["own.txt"]
        assert {case.name for case in cases} == {"own.txt", *(one.name for one in made)}

    def test_what_cannot_be_sent_is_a_row_and_the_others_go_on(self, tmp_path: Path) -> None:
        """A file that goes away stands for all that cannot be read: whoever runs the tests may read everything."""
        for name in (b"a.pdf", b"bad\xff\xfe.pdf", b"gone.pdf", b"z.pdf"):
            (tmp_path / os.fsdecode(name)).write_bytes(b"%PDF")
        cases = folder_cases(tmp_path)
        (tmp_path / "gone.pdf").unlink()
        with served(twin_app(Twin())) as url, Ecosystem(url, CLIENT, SECRET) as ecosystem:
            reports = list(send_all(ecosystem, cases, timeout_seconds=5))

        assert [report.outcome for report in reports] == ["approved", None, None, "approved"]
        assert [report.good for report in reports] == [True, False, False, True]
        assert "is not Unicode text" in str(reports[1].trouble)
        assert "cannot be read: No such file" in str(reports[2].trouble)
        assert "bad��.pdf" in demo_page.write(
            tmp_path / "report.html", reports, seconds=1, made_at=datetime.now(UTC)
        ).read_text(encoding="utf-8")  # fmt: skip

    def test_what_is_passed_over_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "below").mkdir()
        (tmp_path / "link.pdf").symlink_to("nowhere")
        os.mkfifo(tmp_path / "pipe.pdf")

        assert demo.main([str(tmp_path)]) == 1
        assert "are sent: below, link.pdf, pipe.pdf\n" in capsys.readouterr().err

    def test_empty_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(NothingToSend, match="holds no files"):
            folder_cases(tmp_path)

    def test_missing_folder_is_refused_before_anything_starts(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert demo.main(["/nowhere"]) == 1
        assert "/nowhere: No such file" in capsys.readouterr().err


class TestTable:
    def test_it_shows_what_was_read_and_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        wrong = a_report(outcome="review", compared=True, differences=["outcome review, rejected was expected"])
        demo_report.table([wrong, a_report(values={f"v{n}": "1" for n in range(9)})])
        said = capsys.readouterr().out

        for text in ("currency: CHF", "iban_check_digits: The remainder is 5", "d1", "and 5 more", "NO"):
            assert text in said
        assert "a.pdf: outcome review, rejected was expected" in said
        assert "\x1b" not in said

    def test_json_carries_the_same(self, capsys: pytest.CaptureFixture[str]) -> None:
        demo_report.as_json([a_report()], good=True)
        said = json.loads(capsys.readouterr().out)

        assert said["good"] is True
        assert said["documents"][0]["failing_rules"][0]["rule"] == "iban_check_digits"


def test_the_picture_shows_the_table_and_asks_no_other_host(tmp_path: Path) -> None:
    file = tmp_path / "demo.svg"
    demo_report.picture([a_report()], file)
    drawn = ElementTree.fromstring(file.read_text())

    assert "rejected" in "".join(drawn.itertext())
    assert not re.search(r"@import|@font-face|(href|src)=|url\((?!#)", file.read_text())
