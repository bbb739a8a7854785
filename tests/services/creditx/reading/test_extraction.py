"""Goal: a document is read as a person reads it, whatever its kind, language and layout, and hostile ones cost little.

Method: specimens with their truth, small documents set by hand, and page texts as OCR would hand them over.
"""

import io
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from pypdf import PdfWriter
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from ecosystem.services.creditx.reading.extraction import extract, prepare_sandbox
from ecosystem.services.creditx.reading.kinds import kinds
from specimens.maker import make
from specimens.model import KINDS_OF_FAULT, Fault, Kind, Quality, Specimen
from specimens.selections import corpus
from tests.services.creditx.conftest import AS_OF
from tests.services.creditx.files import a_pdf
from tests.support.poll import ends

PDF = "application/pdf"
SEED = 20_261_125


def read(content: bytes, date_order: str = "DMY", country: str | None = None) -> dict[str, Any]:
    return extract(content, media_type=PDF, date_order=date_order, country=country)


def values_of(reading: dict[str, Any], part: int = 1) -> dict[str, str]:
    return {value["name"]: value["value"] for value in reading["values"] if value["part"] == part}


def a_page(*rows: Sequence[tuple[float, str]], size: tuple[float, float] = (595, 842)) -> bytes:
    """Texts at their left edges, a row every 20 points from the top."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=size, invariant=1)
    for number, row in enumerate(rows):
        for left, text in row:
            canvas.drawString(left, size[1] - 60 - 20 * number, text)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def turned(content: bytes, degrees: int) -> bytes:
    writer, buffer = PdfWriter(clone_from=io.BytesIO(content)), io.BytesIO()
    writer.pages[0].rotate(degrees)
    writer.write(buffer)
    return buffer.getvalue()


def page_text(*lines: tuple[str, float, float], confidence: float = 0.99) -> dict[str, Any]:
    """A page as OCR hands it over: texts with their left and top edges, 8 pixels a character."""
    written = []
    for text, left, top in lines:
        words, at = [], left
        for word in text.split():
            box = [at, top, at + 8 * len(word), top + 16]
            words.append({"text": word, "box": box, "upright": box, "confidence": confidence})
            at = box[2] + 6
        box = [left, top, at - 6, top + 16]
        written.append({"text": text, "box": box, "upright": box, "confidence": confidence, "words": words})
    return {
        "page": 1, "width": 1000.0, "height": 1400.0, "unit": "pixel", "engine": "rapidocr", "rotation_degrees": 0,
        "skew_degrees": 0.0, "confidence": confidence, "lines": written, "barcodes": [], "seconds": 0.1,
    }  # fmt: skip


def of_image(*lines: tuple[str, float, float], confidence: float = 0.99) -> dict[str, Any]:
    return extract(b"", media_type="image/png", date_order="DMY", page_texts=[page_text(*lines, confidence=confidence)])


@pytest.fixture(scope="module")
def texts() -> list[Specimen]:
    return list(corpus(SEED, 80, AS_OF, qualities=[Quality.TEXT]))


class TestSpecimens:
    def test_every_field_of_text_documents_but_a_few_is_read(self, texts: list[Specimen]) -> None:
        wrong, fields = [], 0
        for specimen in texts:
            truth = specimen.as_json()
            found = values_of(read(specimen.content))
            fields += len(truth["fields"])
            wrong += [(specimen.name, name) for name, value in truth["fields"].items() if found.get(name) != value]

        assert fields > 600
        assert len(wrong) < 0.01 * fields, wrong

    def test_values_stand_where_they_are_said_to_stand(self, texts: list[Specimen]) -> None:
        away = []
        for specimen in texts:
            places = specimen.as_json()["places"]
            for value in read(specimen.content)["values"]:
                place = places.get(value["name"])
                # A currency stands beside several amounts; the zone and the print both carry what it says.
                if not place or value["name"] == "currency" or value["method"] != "text_layer":
                    continue
                if value["page"] != place["page"] or not _touch(value["box"], place["box"]):
                    away.append((specimen.name, value["name"]))

        assert away == []

    def test_faults_are_read_as_they_stand(self) -> None:
        planted = [(kind, fault) for fault, fitting in KINDS_OF_FAULT.items() for kind in fitting]
        for kind, fault in [*planted, *((Kind.SEVERAL, None) for _ in range(4))]:
            if fault is Fault.UNREADABLE:
                continue
            specimen = make(kind, seed=SEED, as_of=AS_OF, fault=fault)
            truth = specimen.as_json()
            reading = read(specimen.content)
            assert reading["kind"] == truth["kind"], specimen.name
            assert [part["kind"] for part in reading["parts"]] == [
                part["kind"] for part in truth["parts"]
            ] or not truth["parts"]
            if truth["fault"] == Fault.CONTRADICTS_ITSELF and truth["kind"] not in (
                "passport",
                "identity_card",
                "visa",
            ):
                assert reading["conflicts"], specimen.name
            if truth["fault"] == Fault.MISSING_PAGE:
                numbering = reading["parts"][0]["page_numbering"]
                assert numbering["stated"] > len(numbering["present"]), specimen.name

    def test_nothing_is_opened_after_the_sandbox_is_prepared(self, texts: list[Specimen]) -> None:
        """A worker may not open files: everything that is lazy was loaded before."""
        opened: list[str] = []
        watching = False

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            if watching and event == "open":
                opened.append(str(arguments[0]))

        prepare_sandbox()
        sys.addaudithook(watch)
        watching = True
        for specimen in texts:
            read(specimen.content)
        watching = False

        assert opened == []


def _touch(one: Sequence[float], other: Sequence[float]) -> bool:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide > 0.4 * (other[2] - other[0]) and high > 0.3 * (other[3] - other[1])


class TestLayouts:
    def test_a_value_stands_beside_behind_or_below_its_label(self) -> None:
        content = a_page(
            [(60, "Bestätigung des Wohnsitzes")],
            [(60, "Name:"), (200, "Anna Keller")],
            [(60, "Datum: 3. Mai 2026")],
            [(60, "Wohnadresse"), (300, "Ausstellende Behörde")],
            [(60, "Lindenweg 5"), (300, "Stadt Zürich")],
            [(60, "8008 Zürich")],
        )
        reading = read(content)

        assert (reading["kind"], reading["language"]) == ("proof_of_address", "de")
        assert values_of(reading) == {
            "person_name": "Anna Keller", "issue_date": "2026-05-03", "address": "Lindenweg 5, 8008 Zürich",
            "issuer": "Stadt Zürich",
        }  # fmt: skip

    def test_labels_and_values_of_columns_set_close_are_parted(self) -> None:
        width = stringWidth("Date de naissance ", "Helvetica", 12)
        content = a_page(
            [(60, "Questionnaire client")],
            [(60, "Date de naissance"), (60 + width, "Profession")],
            [(60, "12 mars 1980"), (60 + width, "Menuisier")],
            [(60, "Nom du client: Léa Favre")],
            [(60, "Nationalité: suisse")],
        )

        assert values_of(read(content)) == {
            "person_name": "Léa Favre", "birth_date": "1980-03-12", "occupation": "Menuisier", "nationality": "suisse",
        }  # fmt: skip

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_a_turned_page_reads_the_same_with_boxes_as_shown(self, degrees: int) -> None:
        rows = ([(60, "Rechnung")], [(60, "Rechnungsnummer: R-17")], [(60, "Gesamtbetrag: EUR 12,50")])
        reading = read(turned(a_page(*rows), degrees))
        boxes = {value["name"]: value["box"] for value in reading["values"]}
        width, height = reading["page_readings"][0]["width"], reading["page_readings"][0]["height"]
        left, top, right, bottom = boxes["invoice_number"]

        assert values_of(reading)["total_amount"] == "12.50"
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left > bottom - top) == (degrees == 180)

    def test_a_memo_that_speaks_of_labels_is_no_document(self) -> None:
        reading = read(
            a_pdf("Memo", "Company policy: name the address.", "The invoice is due. Total amount 12.00 was paid.")
        )

        assert (reading["kind"], reading["values"]) == ("unknown", [])

    def test_a_value_that_stands_twice_and_differs_is_noted_and_doubted(self) -> None:
        reading = read(a_pdf("Proof of address", "Name: Anna Keller", "Address: Weg 1", "Issue date: 2026-01-01",
                             "Issuer: City", "Resident: Beat Frei", "Issued on: 2026-01-02"))  # fmt: skip

        assert reading["conflicts"] == ["issue_date"]
        assert next(value for value in reading["values"] if value["name"] == "issue_date")["confidence"] <= 0.6


class TestDates:
    TITLE = ("Invoice", "Invoice number: 7", "Total due: 10.00 USD")

    @pytest.mark.parametrize(
        ("more", "order", "expected", "sure"),
        [
            ("Seller: Heron Inc., 5 Main Street, Austin, TX 78701, United States", "DMY", "2026-01-02", True),
            ("Seller: Heron Ltd, 1 Mill Lane, London EC2R 8AH, United Kingdom", "MDY", "2026-02-01", True),
            ("Due date: 31/03/2026", "MDY", "2026-02-01", True),
            ("Due date: 03/31/2026", "DMY", "2026-01-02", True),
            ("Seller: Heron", "MDY", "2026-01-02", False),
            ("Seller: Heron", "DMY", "2026-02-01", False),
        ],
    )
    def test_the_documents_country_decides_then_the_companys_habit(
        self, more: str, order: str, expected: str, sure: bool
    ) -> None:
        reading = read(a_pdf(*self.TITLE, "Invoice date: 01/02/2026", more), order)
        value = next(value for value in reading["values"] if value["name"] == "invoice_date")

        assert (value["value"], value["ambiguous"], value["confidence"] > 0.9) == (expected, True, sure)


class TestTables:
    ROWS = (
        [(60, "Kontoauszug")],
        [(60, "Anfangssaldo: 1.000,00 EUR")],
        [(60, "Datum"), (140, "Buchungstext"), (330, "Soll"), (420, "Haben"), (500, "Saldo")],
        [(60, "01.03.2026"), (140, "Miete zu 12.00"), (330, "400,00"), (500, "600,00")],
        [(140, "Lindenweg 5")],
        [(60, "Übertrag"), (500, "600,00")],
        [(60, "05.03.2026"), (140, "Lohn"), (420, "250,50"), (500, "850,50")],
        [(60, "09.03.2026"), (140, "Kiosk"), (330, "0,50"), (500, "850,00")],
        [(60, "Endsaldo: 850,00 EUR")],
    )

    def test_debits_and_credits_lead_from_one_balance_to_the_other(self) -> None:
        reading = read(a_page(*self.ROWS))
        table = reading["tables"][0]
        balances = [value for value in reading["values"] if value["name"].endswith("balance")]

        assert reading["movements"] == {"count": 3, "sum": "-150.00"}
        assert table["columns"] == ["date", "text", "debit", "credit", "balance"]
        assert [cell["text"] for cell in table["rows"][0]] == [
            "01.03.2026",
            "Miete zu 12.00 Lindenweg 5",
            "400,00",
            "",
            "600,00",
        ]
        assert all(value["confidence"] >= 0.98 for value in balances)

    def test_headings_that_touch_and_amounts_in_a_text_are_told_apart(self) -> None:
        reading = read(
            a_page(
                [(60, "Kontoauszug")],
                [(60, "Anfangssaldo: 1.000,00 EUR")],
                [(60, "Datum"), (140, "Text"), (330, "Soll EURGutschrift EUR Saldo EUR")],
                [(60, "01.03.2026"), (140, "Strom, Rate zu 60.00"), (325, "400,00"), (470, "600,00")],
                [(60, "05.03.2026"), (140, "Lohn"), (390, "250,50"), (470, "850,50")],
                [(60, "Endsaldo: 850,50 EUR")],
            )
        )
        table = reading["tables"][0]

        assert table["columns"] == ["date", "text", "debit", "credit", "balance"]
        assert [[cell["text"] for cell in row] for row in table["rows"]] == [
            ["01.03.2026", "Strom, Rate zu 60.00", "400,00", "", "600,00"],
            ["05.03.2026", "Lohn", "", "250,50", "850,50"],
        ]
        assert reading["movements"] == {"count": 2, "sum": "-149.50"}

    def test_rows_without_headings_are_movements_where_they_have_one_amount(self) -> None:
        head = ([(60, "Kontoauszug")], [(60, "Kontoinhaber: Anna Keller")], [(60, "Anfangssaldo: 1.000,00 EUR")])
        one = [(60, "01.03.2026"), (140, "Miete"), (500, "-400,00")]
        two = [(60, "01.03.2026"), (140, "Miete"), (330, "-400,00"), (500, "600,00")]

        assert read(a_page(*head, one))["movements"] == {"count": 1, "sum": "-400.00"}
        assert read(a_page(*head, two))["movements"] is None

    def test_a_row_that_cannot_be_read_leaves_the_sum_open(self) -> None:
        rows = [[(left, text.replace("250,50", "25x,50")) for left, text in row] for row in self.ROWS]

        assert read(a_page(*rows))["movements"] != {"count": 3, "sum": "-150.00"}


class TestParts:
    def _file(self, *pages: Sequence[str]) -> bytes:
        buffer = io.BytesIO()
        canvas = Canvas(buffer, invariant=1)
        for lines in pages:
            for number, line in enumerate(lines):
                canvas.drawString(60, 780 - 20 * number, line)
            canvas.showPage()
        canvas.save()
        return buffer.getvalue()

    INVOICE = ("Invoice", "Invoice number: 7", "Total due: 10.00 CHF", "Due date: 1 May 2026")
    PROOF = ("Proof of address", "Name: Anna Keller", "Address: Weg 1, 8008 Zürich", "Issuer: City")

    def test_two_documents_in_one_file_are_two_parts(self) -> None:
        reading = read(self._file(self.INVOICE, self.PROOF))

        assert reading["kind"] == "several"
        assert [(part["kind"], part["first_page"], part["last_page"]) for part in reading["parts"]] == [
            ("invoice", 1, 1), ("proof_of_address", 2, 2),
        ]  # fmt: skip
        assert values_of(reading, 2)["person_name"] == "Anna Keller"

    def test_two_of_one_kind_are_two_parts(self) -> None:
        other = tuple(line.replace("7", "8") for line in self.INVOICE)

        assert len(read(self._file(self.INVOICE, other))["parts"]) == 2

    def test_a_second_page_under_the_same_title_goes_on(self) -> None:
        first = (*self.INVOICE, "Page 1 of 2")
        reading = read(self._file(first, ("Invoice", "General terms", "Page 2 of 2")))

        assert (reading["kind"], len(reading["parts"])) == ("invoice", 1)

    def test_a_page_that_is_missing_shows_in_the_numbers(self) -> None:
        reading = read(self._file((*self.INVOICE, "Seite 1 von 3"), ("Anhang", "Seite 3 von 3")))

        assert reading["parts"][0]["page_numbering"] == {"stated": 3, "present": [1, 3]}


class TestOcr:
    def test_misread_labels_and_lost_spaces_are_understood(self) -> None:
        reading = of_image(
            ("Extracto de cuenta", 60, 40), ("Titular de Ia cuenta:", 60, 100), ("Núria Güell", 400, 100),
            ("Saldo inicial1.234,56 EUR", 60, 140), ("Sa1do finaI: 2.000,00 EUR", 60, 180),
            ("IBAN: ES91 21OO O418 45O2 OOO5 1332", 60, 220),
        )  # fmt: skip

        assert reading["kind"] == "bank_statement"
        assert values_of(reading) == {
            "account_holder": "Núria Güell", "iban": "ES9121000418450200051332", "opening_balance": "1234.56",
            "closing_balance": "2000.00", "currency": "EUR",
        }  # fmt: skip

    def test_only_what_proves_itself_is_sure_where_letters_are_not(self) -> None:
        reading = of_image(
            ("Bank statement", 60, 40), ("Account holder: Anna Keller", 60, 100),
            ("IBAN: CH93 0076 2011 6238 5295 7", 60, 140), ("Opening balance: 1,000.00 CHF", 60, 180),
            confidence=0.9,
        )  # fmt: skip
        sure = {value["name"] for value in reading["values"] if value["confidence"] >= 0.9}

        assert sure == {"iban"}
        assert {value["method"] for value in reading["values"]} == {"ocr"}

    def test_a_page_that_bends_away_is_read_line_by_line(self) -> None:
        """Photographed from above: the lower a line, the steeper."""
        lines = []
        for number, (label, value) in enumerate(
            [("Name:", "Anna Keller"), ("Adresse:", "Weg 1, 8008 Zürich"), ("Datum:", "3. Mai 2026"),
             ("Aussteller:", "Stadt Zürich"), *((f"Zeile {number} mit", "vielen Worten darin") for number in range(6))]
        ):  # fmt: skip
            top = 200.0 + 40 * number
            slope = 0.01 + top / 12_000
            lines.append((f"{label}", 60.0, top, slope))
            lines.append((value, 700.0, top, slope))
            lines.append(("eine lange Zeile mit vielen Worten für die Lage", 60.0, top + 20.0, slope))
        text = page_text(("Wohnsitzbestätigung", 60, 100), *((text, left, top) for text, left, top, _ in lines))
        for line, (*_, slope) in zip(text["lines"][1:], lines, strict=True):
            for word in (*line["words"], line):
                drop = slope * ((word["box"][0] + word["box"][2]) / 2 - 500)
                word["box"] = [word["box"][0], word["box"][1] + drop, word["box"][2], word["box"][3] + drop]
                word["upright"] = word["box"]
        reading = extract(b"", media_type="image/png", date_order="DMY", page_texts=[text])

        assert values_of(reading)["person_name"] == "Anna Keller"
        assert values_of(reading)["issuer"] == "Stadt Zürich"

    def test_what_ocr_was_asked_to_read_is_believed_before_a_text_layer(self) -> None:
        """A stamp over a scan is a text layer that does not say what the page shows."""
        read_by_ocr = page_text(("Invoice", 60, 40), ("Invoice number: 7", 60, 100), ("Total due: 5.00 CHF", 60, 140))
        reading = extract(a_pdf("Paid"), media_type=PDF, date_order="DMY", page_texts=[read_by_ocr])

        assert (values_of(reading)["invoice_number"], reading["page_readings"][0]["method"]) == ("7", "ocr")

    def test_a_page_that_nothing_could_be_read_from_is_counted(self) -> None:
        reading = of_image()

        assert (reading["kind"], reading["pages_without_text"], reading["page_readings"][0]["method"]) == (
            "unknown", 1, "none",
        )  # fmt: skip


class TestHostile:
    """A clear answer each."""

    def _answer(self, **page: Any) -> dict[str, Any]:
        with ends():
            return extract(b"", media_type="image/png", date_order="DMY", page_texts=[page_text() | page])

    def test_a_hundred_thousand_cells(self) -> None:
        line = {"text": "IBAN", "confidence": 1.0, "words": []}
        lines = [
            line | {"box": [10.0 * (n % 90), 5.0 * (n // 90), 10.0 * (n % 90) + 4, 5.0 * (n // 90) + 4]}
            for n in range(120_000)
        ]

        assert self._answer(lines=lines)["kind"] == "unknown"

    def test_boxes_without_height_and_outside_the_page(self) -> None:
        boxes = ([0, 0, 0, 0], [5, 5, 5, 5], [-1e9, 0, 1e9, 0], [10, 10, 5, 5])
        lines = [{"text": "Invoice", "confidence": 0.5, "words": [], "box": box} for box in boxes]

        assert self._answer(lines=lines)["pages"] == 1

    @pytest.mark.parametrize(
        "text", ["שלום Name: דנה", "مرحبا Total: ١٢٣", "名前：田中", "\u202eevoiz\u202c", "A" * 50_000, ": " * 20_000]
    )
    def test_scripts_that_run_the_other_way_and_texts_without_end(self, text: str) -> None:
        lines = [{"text": text, "confidence": 1.0, "words": [], "box": [10, 10, 900, 30]}]

        assert self._answer(lines=lines)["pages"] == 1

    def test_text_made_to_be_slow(self) -> None:
        lines = ["Bank statement", *("IBAN " + "A" * 100 for _ in range(30)), "1" * 90, ": " * 40, "- " * 40]
        with ends():
            assert read(a_pdf(*lines, pages=5))["pages"] == 5

    def test_a_page_of_five_metres(self) -> None:
        side = 14_400.0
        reading = read(
            a_page([(60, "Invoice")], [(60, "Invoice number: 7")], [(60, "Total: 5.00 CHF")], size=(side, side))
        )

        assert values_of(reading)["invoice_number"] == "7"


def test_every_kind_speaks_every_language() -> None:
    for kind in kinds():
        assert set(kind.titles) == {"en", "fr", "de", "es"}, kind.kind
        for name, field in kind.fields.items():
            assert field.type == "mrz" or set(field.labels) == {"en", "fr", "de", "es"}, (kind.kind, name)
        for proof in kind.proofs:
            assert set(proof.ordered) <= set(kind.fields)
