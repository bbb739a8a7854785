"""Goal: codes on bills mean what their standards say, and malformed ones give no value. Method: examples of the
standards, codes made by another library, one fault at a time, random texts."""

import io

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from segno.helpers import make_epc_qr

from ecosystem.services.creditx.reading.codes import meaning_of, values_of_code

QR_BILL = (
    "SPC\n0200\n1\nCH4431999123000889012\nS\nRobert Schneider AG\nRue du Lac\n1268\n2501\nBiel\nCH\n\n\n\n\n\n\n\n"
    "1949.75\nCHF\nS\nPia-Maria Rutschmann-Schnyder\nGrosse Marktgasse\n28\n9400\nRorschach\nCH\nQRR\n"
    "210000000003139471430009017\nOrder of 15.06.2020\nEPD\n//S1/10/10201409/11/200701/20/140.000-53"
)
EPC = "BCD\n002\n1\nSCT\nBPOTBEB1\nRed Cross of Belgium\nBE72000000001616\nEUR1.1\nCHAR\n\nUrgency fund\n"


class TestSwissQrBill:
    def test_the_standards_example_gives_the_values_of_the_bill(self) -> None:
        code = meaning_of(QR_BILL)

        assert (code.meaning, code.problems) == ("swiss_qr_bill", ())
        assert code.fields == {
            "iban": "CH4431999123000889012", "total_amount": "1949.75", "currency": "CHF",
            "payment_reference": "210000000003139471430009017", "issuer": "Robert Schneider AG",
        }  # fmt: skip

    def test_the_code_of_a_real_bill_without_reference(self) -> None:
        """The text that zxing-cpp reads from shared/data/docs/docling_qr_bill_example.jpg."""
        text = QR_BILL.replace("CH4431999123000889012", "CH5800791123000889012").replace("1949.75", "3949.75")
        text = text.replace("QRR\n210000000003139471430009017", "NON\n").replace("\n", "\r\n")

        code = meaning_of(text)

        assert (code.problems, code.fields["total_amount"]) == ((), "3949.75")
        assert "payment_reference" not in code.fields

    def test_a_creditor_reference_goes_with_an_ordinary_iban(self) -> None:
        text = QR_BILL.replace("CH4431999123000889012", "CH5800791123000889012")
        text = text.replace("QRR\n210000000003139471430009017", "SCOR\nRF18539007547034")

        assert meaning_of(text).fields["payment_reference"] == "RF18539007547034"

    def test_a_bill_without_amount_has_the_other_values(self) -> None:
        assert set(meaning_of(QR_BILL.replace("1949.75", "")).fields) == {
            "iban", "currency", "payment_reference", "issuer",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("right", "wrong", "problem"),
        [
            ("0200", "0100", "version_not_supported"),
            ("CH4431999123000889012", "CH4531999123000889012", "iban_check_digits_wrong"),
            ("CH4431999123000889012", "DE4431999123000889012", "iban_malformed"),
            ("CH4431999123000889012", "CH5800791123000889012", "reference_type_contradicts_iban"),
            ("9017", "9018", "reference_check_digit_wrong"),
            ("QRR", "ABC", "reference_type_unknown"),
            ("1949.75", "1'949.75", "amount_malformed"),
            ("1949.75", "01949.75", "amount_malformed"),
            ("CHF", "USD", "currency_not_allowed"),
            ("EPD", "END", "trailer_missing"),
            ("Robert Schneider AG", "", "creditor_malformed"),
            ("Rorschach", "", "debtor_malformed"),
            ("CH\n\n\n", "CH\nS\n\n", "reserved_element_filled"),
            ("CH\n\n\n\n", "CH\n\n\n", "iban"),
        ],
    )
    def test_one_fault_leaves_no_value_and_has_a_name(self, right: str, wrong: str, problem: str) -> None:
        code = meaning_of(QR_BILL.replace(right, wrong, 1))

        assert code.fields == {}
        assert code.problems
        assert problem in code.problems or problem == "iban"


class TestEpc:
    def test_the_guidelines_example_gives_the_values_of_the_transfer(self) -> None:
        code = meaning_of(EPC)

        assert code.fields == {
            "iban": "BE72000000001616", "total_amount": "1.10", "currency": "EUR", "issuer": "Red Cross of Belgium",
        }  # fmt: skip

    def test_a_drawn_code_of_another_library_is_read_back(self) -> None:
        drawn = io.BytesIO()
        make_epc_qr(
            name="Wikimedia Fördergesellschaft", iban="DE33100205000001194700", amount=20,
            reference="RF18539007547034", encoding="utf-8",
        ).save(drawn, kind="png", scale=4)  # fmt: skip
        (found,) = zxingcpp.read_barcodes(Image.open(drawn).convert("L"))
        text = found.text

        assert meaning_of(text).fields == {
            "iban": "DE33100205000001194700", "total_amount": "20.00", "currency": "EUR",
            "payment_reference": "RF18539007547034", "issuer": "Wikimedia Fördergesellschaft",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("right", "wrong", "problem"),
        [
            ("002", "003", "version_not_supported"),
            ("SCT", "SDD", "identification_unknown"),
            ("BPOTBEB1", "B1", "bic_malformed"),
            ("BE72000000001616", "BE72000000001617", "iban_check_digits_wrong"),
            ("EUR1.1", "USD1.1", "amount_malformed"),
            ("EUR1.1", "EUR0", "amount_malformed"),
            ("Red Cross of Belgium", "", "creditor_malformed"),
            ("CHAR\n\n", "CHAR\nRF18539007547034\n", "reference_and_text"),
        ],
    )
    def test_one_fault_leaves_no_value_and_has_a_name(self, right: str, wrong: str, problem: str) -> None:
        code = meaning_of(EPC.replace(right, wrong, 1))

        assert (code.meaning, code.fields, code.problems) == ("epc", {}, (problem,))


class TestOthers:
    def test_plain_texts_are_named_where_they_mean_something(self) -> None:
        assert meaning_of("BE72 0000 0000 1616").fields == {"iban": "BE72000000001616"}
        assert meaning_of("RF18 5390 0754 7034").fields == {"payment_reference": "RF18539007547034"}
        assert meaning_of("https://example.org/verify?id=1").meaning == "url"
        assert meaning_of("5901234123457").meaning is None

    @given(st.text(max_size=400))
    def test_any_text_is_survived(self, text: str) -> None:
        assert meaning_of(text).fields.keys() <= {"iban", "payment_reference"}

    @given(st.lists(st.text(alphabet="SPC0EUR1.\n ", max_size=12), max_size=60))
    def test_any_payload_that_begins_well_is_survived(self, lines: list[str]) -> None:
        assert meaning_of("SPC\n" + "\n".join(lines)).fields == {}
        assert meaning_of("BCD\n" + "\n".join(lines)).fields == {}

    def test_an_endless_text_is_refused_by_name(self) -> None:
        assert meaning_of("SPC\n" * 100_000).problems == ("too_long",)


def test_values_carry_method_place_and_currency() -> None:
    values = values_of_code(meaning_of(QR_BILL), text=QR_BILL, page=2, box=(1.0, 2.0, 3.0, 4.0))

    amount = next(value for value in values if value["name"] == "total_amount")
    assert (amount["method"], amount["page"], amount["box"], amount["currency"]) == ("barcode", 2, (1, 2, 3, 4), "CHF")
