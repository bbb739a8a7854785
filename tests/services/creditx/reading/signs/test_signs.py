"""Goal: what someone did to a document leaves a sign, and an honest document has none. Method: files made and then
tampered with one way at a time; rows of statements with one figure changed; honest ones of every make beside them."""

import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText
from pypdf.generic import DecodedStreamObject, NameObject
from reportlab.lib.colors import white
from reportlab.pdfgen.canvas import Canvas

from ecosystem.services.creditx.reading.mrz.comparison import compare
from ecosystem.services.creditx.reading.mrz.values import values_of
from ecosystem.services.creditx.reading.mrz.zones import find_mrz
from ecosystem.services.creditx.reading.opened import Pdf
from ecosystem.services.creditx.reading.signs.balances import Movement, breaks
from ecosystem.services.creditx.reading.signs.finding import signs_of
from specimens.model import Quality
from specimens.selections import everything
from tests.services.creditx.conftest import AS_OF
from tests.services.creditx.reading.mrz.writer import a_paper, as_lines, written
from tests.support.poll import ends

PDF = "application/pdf"


def drawn(draw: Callable[[Canvas], None], *, rotation: int = 0) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.setPageRotation(rotation)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def an_invoice(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 11)
    canvas.drawString(60, 700, "Invoice 2026-118")
    canvas.drawString(60, 660, "Total CHF 1'234.50")


def with_information(payload: bytes, **information: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(payload)))
    writer.add_metadata({f"/{name}": text for name, text in information.items()})
    return written_by(writer)


def written_by(writer: PdfWriter) -> bytes:
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def signs(payload: bytes, media_type: str = PDF, **read: Any) -> list[str]:
    return [sign["sign"] for sign in signs_of(Pdf(payload), media_type=media_type, **({"values": []} | read))]


def a_value(name: str, value: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "value": value, "page": 1, "box": [10, 20, 30, 40], "confidence": 0.95, "ambiguous": False,
        "part": 1,
    } | more  # fmt: skip


IMAGES = [quality for quality in Quality if quality is not Quality.TEXT]


class TestHonestDocuments:
    @pytest.mark.parametrize("qualities", [[Quality.TEXT], pytest.param(IMAGES, marks=pytest.mark.long)])
    def test_specimens_have_no_signs(self, qualities: list[Quality]) -> None:
        found = {
            specimen.name: signs(specimen.content)
            for specimen in everything(seed=3, as_of=AS_OF, qualities=qualities, faults=())
            if specimen.content.startswith(b"%PDF") and b"/Encrypt" not in specimen.content
        }

        assert len(found) >= 3
        assert not any(found.values()), found

    def test_footnotes_raised_cents_and_bold_totals_are_no_change_inside_a_number(self) -> None:
        def draw(canvas: Canvas) -> None:
            text = canvas.beginText(60, 700)
            text.setFont("Helvetica", 12)
            text.textOut("1234")
            text.setFont("Helvetica", 7)
            text.setRise(4)
            text.textOut("50")
            canvas.drawText(text)
            canvas.drawString(60, 650, "Total")
            canvas.setFont("Helvetica-Bold", 12)
            canvas.drawString(110, 650, "998.10")

        assert signs(drawn(draw)) == []

    def test_comments_added_later_leave_the_page_as_it_was(self) -> None:
        writer = PdfWriter(io.BytesIO(drawn(an_invoice)), incremental=True)
        writer.add_annotation(0, FreeText(text="seen", rect=(10, 10, 80, 30)))

        payload = written_by(writer)

        assert payload.count(b"%%EOF") == 2
        assert signs(payload) == []

    def test_white_under_text_hides_nothing(self) -> None:
        def draw(canvas: Canvas) -> None:
            canvas.setFillColor(white)
            canvas.rect(50, 640, 300, 30, stroke=0, fill=1)
            canvas.setFillGray(0)
            an_invoice(canvas)

        assert signs(drawn(draw)) == []


class TestTamperedFiles:
    @pytest.mark.parametrize("rotation", [0, 90, 270])
    def test_a_digit_of_another_font_is_shown_where_it_stands(self, rotation: int) -> None:
        def draw(canvas: Canvas) -> None:
            text = canvas.beginText(60, 300)
            for font, piece in (("Helvetica", "CHF 1"), ("Times-Roman", "9"), ("Helvetica", "34.50")):
                text.setFont(font, 11)
                text.textOut(piece)
            canvas.drawText(text)

        (sign,) = signs_of(Pdf(drawn(draw, rotation=rotation)), media_type=PDF, values=[])

        assert (sign["sign"], sign["page"], sign["part"]) == ("number_set_in_two_ways", 1, 1)
        left, top, right, bottom = sign["box"]
        assert 0 <= left < right <= 595
        assert 0 <= top < bottom <= 842
        assert sorted((round(right - left), round(bottom - top)))[1] in range(35, 48)

    @pytest.mark.parametrize(("size", "rise"), [(12.5, 0), (11, 1.5)])
    def test_a_digit_of_another_size_or_height_is_seen(self, size: float, rise: float) -> None:
        def draw(canvas: Canvas) -> None:
            text = canvas.beginText(60, 700)
            text.setFont("Helvetica", 11)
            text.textOut("1'2")
            text.setFont("Helvetica", size)
            text.setRise(rise)
            text.textOut("9")
            text.setFont("Helvetica", 11)
            text.setRise(0)
            text.textOut("4.50")
            canvas.drawText(text)

        assert signs(drawn(draw)) == ["number_set_in_two_ways"]

    def test_a_page_that_reads_differently_since_an_earlier_save_is_named(self) -> None:
        writer = PdfWriter(io.BytesIO(drawn(an_invoice)), incremental=True)
        page = writer.pages[0]
        content = DecodedStreamObject()
        content.set_data(page.get_contents().get_data().replace(b"1'234.50", b"9'234.50"))  # type: ignore[union-attr]
        page[NameObject("/Contents")] = writer._add_object(content)

        found = signs_of(Pdf(written_by(writer)), media_type=PDF, values=[])

        assert [(sign["sign"], sign["page"]) for sign in found] == [("page_changed_after_saving", 1)]

    def test_text_under_a_white_patch_is_seen(self) -> None:
        def draw(canvas: Canvas) -> None:
            an_invoice(canvas)
            canvas.setFillColor(white)
            canvas.rect(55, 655, 200, 16, stroke=0, fill=1)
            canvas.setFillGray(0)
            canvas.drawString(60, 660, "Total CHF 9'234.50")

        found = signs_of(Pdf(drawn(draw)), media_type=PDF, values=[])

        assert [sign["sign"] for sign in found] == ["covered_text"]
        assert found[0]["box"] == pytest.approx([55, 842 - 671, 255, 842 - 655], abs=1.5)


class TestMetadata:
    @pytest.mark.parametrize(
        ("information", "expected"),
        [
            ({"Producer": "Adobe Photoshop 26.0"}, ["made_with_image_editor"]),
            ({"Creator": "GIMP 3.0"}, ["made_with_image_editor"]),
            ({"Producer": "PDF Editor 7.2"}, ["made_with_page_editor"]),
            ({"Producer": "Skia/PDF m120"}, []),
            ({"ModDate": "D:20260301101500+00'00'"}, ["modified_after_creation"]),
            ({"CreationDate": "D:20240101", "ModDate": "D:20240101101500Z"}, ["created_before_its_date"]),
            ({"CreationDate": "D:20261102080000", "ModDate": "D:20261102080000"}, []),
            ({"CreationDate": "D:20310102080000", "ModDate": "D:20310102080000"}, ["created_years_after_its_date"]),
            ({"CreationDate": "yesterday", "ModDate": "D:99999999999999"}, []),
        ],
    )
    def test_what_the_file_says_is_held_against_the_date_on_it(
        self, information: dict[str, str], expected: list[str]
    ) -> None:
        payload = with_information(drawn(an_invoice), **information)

        assert signs(payload, values=[a_value("invoice_date", "2026-11-01")]) == expected

    def test_scans_and_papers_that_run_out_are_copied_later(self) -> None:
        payload = with_information(drawn(an_invoice), CreationDate="D:20310102080000", ModDate="D:20310102080000")
        issued = a_value("issue_date", "2026-11-01")

        assert signs(payload, values=[issued], pages_by_ocr=[1]) == []
        assert signs(payload, values=[issued, a_value("expiry_date", "2036-11-01")]) == []

    def test_an_image_names_its_editor(self) -> None:
        assert signs(b"\xff\xd8\xff\xe1..Exif..Adobe Photoshop 25.1 (Windows)..", "image/jpeg") == [
            "made_with_image_editor"
        ]
        assert signs(b"\xff\xd8\xff\xed Photoshop 3.0\x008BIM", "image/jpeg") == []


def rows(*pairs: tuple[str | None, str | None]) -> list[Movement]:
    return [
        Movement(Decimal(amount) if amount else None, Decimal(balance) if balance else None, 1, (0, at, 9, at + 1))
        for at, (amount, balance) in enumerate(pairs)
    ]


class TestBalances:
    OPENING, CLOSING = a_value("opening_balance", "100.00"), a_value("closing_balance", "130.00")

    def test_a_statement_that_adds_up_has_no_sign_in_either_order(self) -> None:
        statement = rows(("50.00", "150.00"), ("-30.00", "120.00"), ("10.00", "130.00"))

        assert breaks(statement, [self.OPENING, self.CLOSING], 1) == []
        assert breaks(statement[::-1], [self.OPENING, self.CLOSING], 1) == []

    def test_the_row_with_the_altered_amount_is_shown(self) -> None:
        statement = rows(("50.00", "150.00"), ("-20.00", "120.00"), ("10.00", "130.00"))

        (sign,) = breaks(statement, [self.OPENING, self.CLOSING], 1)

        assert (sign.sign, sign.box) == ("balance_does_not_follow", (0, 1, 9, 2))

    def test_without_running_balances_the_closing_one_must_follow(self) -> None:
        statement = rows(("50.00", None), ("-20.00", None))

        (sign,) = breaks(statement, [self.OPENING, a_value("closing_balance", "131.00")], 1)

        assert "closing" in sign.detail

    def test_nothing_is_said_about_what_could_not_be_read(self) -> None:
        assert breaks(rows(("50.00", "150.00"), (None, "170.00"), ("5.00", "175.00")), [self.OPENING], 1) == []
        assert breaks(rows(("1.00", "7.00"), ("2.00", "9.99"), ("3.00", "1.00")), [self.OPENING], 1) == []

    @given(st.lists(st.decimals(-10_000, 10_000, places=2), min_size=4, max_size=40), st.data())
    def test_one_changed_amount_is_always_found(self, amounts: list[Decimal], data: st.DataObject) -> None:
        balances = [sum(amounts[: at + 1], Decimal("100.00")) for at in range(len(amounts))]
        changed = data.draw(st.integers(0, len(amounts) - 1))
        by = data.draw(st.decimals("0.01", 9_999, places=2))
        statement = [
            Movement(amount + by * (at == changed), balance, 1, None)
            for at, (amount, balance) in enumerate(zip(amounts, balances, strict=True))
        ]

        assert breaks(statement, [self.OPENING], 1)


class TestZones:
    def test_wrong_check_digits_and_another_print_are_signs_without_values(self) -> None:
        lines = written(a_paper())
        lines[1] = lines[1].replace("D23145890", "D23145891")
        (zone,) = find_mrz(as_lines(lines, exact=True))
        values = {value["name"]: value["value"] for value in values_of(zone, today=date(2026, 11, 25))}
        against = compare(zone, values, {"birth_date": "1984-08-12", "surname": "Eriksson"})
        reading = zone.as_reading() | {"part": 2, "against_print": against}

        found = signs_of(Pdf(b"\xff\xd8\xff"), media_type="image/jpeg", values=[], mrz=[reading])

        assert [(sign["sign"], sign["part"]) for sign in found] == [
            ("mrz_check_digit_wrong", 2), ("mrz_contradicts_print", 2),
        ]  # fmt: skip
        assert found[1]["detail"] == "The zone and the print differ: birth date."
        assert not any(char.isdigit() for sign in found for char in sign["detail"])

    def test_a_line_that_ends_too_early_is_a_sign_of_its_own(self) -> None:
        names, data = written(a_paper())
        (zone,) = find_mrz(as_lines([names, data[:40]], exact=True))

        found = signs_of(Pdf(b"\xff\xd8\xff"), media_type="image/jpeg", values=[], mrz=[zone.as_reading()])

        assert [(sign["sign"], sign["detail"]) for sign in found] == [
            ("mrz_truncated", "Line 2 of the zone ends before its last character."),
        ]  # fmt: skip


class TestBounds:
    def test_pages_full_of_odd_numbers_cost_a_second_at_most_and_few_signs(self) -> None:
        def draw(canvas: Canvas) -> None:
            for page in range(60):
                for at in range(200):
                    text = canvas.beginText(20 + 110 * (at % 5), 800 - 19 * (at // 5))
                    for font, piece in (("Helvetica", f"{page}1"), ("Courier", "9"), ("Helvetica", "34.50")):
                        text.setFont(font, 6)
                        text.textOut(piece)
                    canvas.drawText(text)
                canvas.showPage()

        payload = drawn(draw)

        with ends():
            found = signs(payload)

        assert set(found) == {"number_set_in_two_ways"}
        assert len(found) <= 60

    def test_many_saves_are_looked_at_a_few_times(self) -> None:
        payload = drawn(an_invoice)
        start = payload.rindex(b"startxref")
        endless = payload + payload[start:] * 20_000

        with ends():
            assert signs(endless) == []
