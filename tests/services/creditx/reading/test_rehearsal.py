"""Goal: a worker practises on what it will meet. Method: the page is inspected and read like any document."""

from ecosystem.services.creditx.reading import extraction, inspection, rehearsal


def test_page_is_accepted_and_its_values_are_read() -> None:
    page = rehearsal.page()
    inspected = inspection.inspect(page, file_name="page.pdf", pages_max=1, inflated_bytes_max=1 << 20)
    reading = extraction.extract(page, media_type="application/pdf", date_order="DMY")

    assert inspected["facts"]["pages_without_text"] == 0
    assert (reading["kind"], reading["movements"]) == ("bank_statement", {"count": 1, "sum": "62.50"})
    assert {value["name"] for value in reading["values"]} == {"iban", "statement_date", "currency"}
