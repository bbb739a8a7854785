"""Goal: the report shows each page with a box over what was read, and nothing that it shows can act or call outside.
Method: reports as a demonstration makes them, with hostile texts in every place; the HTML is parsed and looked at."""

import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from ecosystem.cli import demo_page
from ecosystem.cli.demonstration import PageImage, Report
from ecosystem_client.models import Result, Rule, Value

MADE_AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>'


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def an_image() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 80), "white").save(buffer, "PNG")
    return buffer.getvalue()


def a_report(text: str = "Anna Ammann") -> Report:
    values = (
        Value(name="person_name", value=text, page=1, box=(10, 20, 50, 30), confidence=0.97, method="text_layer"),
        Value(name="issue_date", value="2026-01-24", page=1, box=(10, 40, 50, 50), confidence=0.7, method="ocr"),
        Value(name="iban", value="CH00", page=1, box=(10, 60, 50, 70), confidence=0.99, method="ocr"),
    )
    rules = (
        Rule(
            rule="iban_check_digits", status="failed", evidence=f"Wrong: {text}", title="Check digits", values=("iban",)
        ),
        Rule(rule="kind_known", status="passed", evidence="It is known."),
    )
    result = Result(document_id="d1", compliance_score=Decimal("85.71"), values=values, rules=rules)
    return Report(
        text, outcome="rejected", kind="proof_of_address", quality="scan_200", score="85.71", seconds=0.1, pages=1,
        failing=[("iban_check_digits", text)], result=result, images=[PageImage(1, an_image(), 60, 80)], compared=True,
        values_true=3, wrong={(1, "issue_date"): "2026-01-29"},
    )  # fmt: skip


def shown(*reports: Report) -> str:
    return demo_page.page(reports, seconds=1.0, made_at=MADE_AT)


def test_each_value_has_a_box_coloured_by_how_sure_it_is_and_what_it_did() -> None:
    page = Tags(shown(a_report()))

    assert [box["class"] for box in page.all("rect")] == ["good", "unsure", "bad"]
    assert [box["data-of"] for box in page.all("rect")] == [
        row["data-for"] for row in page.all("tr") if "data-for" in row
    ]
    assert page.all("svg")[0]["viewbox"] == "0 0 60 80"


def test_it_says_why_and_what_was_read_wrongly() -> None:
    text = shown(a_report())

    for said in ("Why rejected", "Check digits", "1 rules passed", "printed: 2026-01-29", "1 of 1", "2 of 3"):
        assert said in text


def test_text_of_a_document_stays_text() -> None:
    page = Tags(shown(a_report(HOSTILE)))

    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert not [attributes for _, attributes in page.seen if any(name.startswith("on") for name in attributes)]


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = shown(a_report())
    links = re.findall(r"(?:href|src)=\"([^\"]*)\"", text)

    assert links
    assert all(link.startswith(("#", "data:image/webp;base64,")) for link in links)


def test_a_document_that_was_refused_or_failed_has_its_place() -> None:
    refused = Report(
        "a.pdf", outcome="refused", refusal="truncated_file", failing=[("truncated_file", "Send it whole.")]
    )
    failed = Report("b.pdf", trouble="no answer in time")

    text = shown(refused, failed)

    assert "truncated_file" in text
    assert "no answer in time" in text


def test_an_older_report_stays_where_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = demo_page.write(tmp_path / "report.html", [a_report()], seconds=1.0, made_at=MADE_AT)
    before = path.read_bytes()

    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        demo_page.write(path, [a_report("other")], seconds=1.0, made_at=MADE_AT)

    assert path.read_bytes() == before
