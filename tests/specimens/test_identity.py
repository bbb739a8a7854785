"""Goal: zones are those of ICAO 9303. Method: the standard's own examples, and check digits computed a second way."""

from datetime import date

import pytest

from specimens.identity import mrz, ocr_b
from specimens.identity.mrz import Bearer, Format
from specimens.maker import make
from specimens.model import IDENTITY, Fault, Kind

AS_OF = date(2026, 11, 24)
ANNA = Bearer("ERIKSSON", "ANNA MARIA", "L898902C3", "UTO", date(1974, 8, 12), "F", date(2012, 4, 15), "UTO")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def right(text: str, digit: str) -> bool:
    """Weights 7, 3, 1, written for a reader who does not trust the other one."""
    total = 0
    for position, character in enumerate(text):
        total += (0 if character == "<" else ALPHABET.index(character)) * [7, 3, 1][position % 3]
    return total % 10 == int(digit)


def wrong_digits(lines: list[str]) -> int:
    if len(lines) == 3:
        one, two, _ = lines
        checks = [(one[5:14], one[14]), (two[:6], two[6]), (two[8:14], two[14])]
        checks.append((one[5:30] + two[:7] + two[8:15] + two[18:29], two[29]))
    else:
        one, two = lines
        checks = [(two[:9], two[9]), (two[13:19], two[19]), (two[21:27], two[27])]
        if one[0] != "V":
            checks.append((two[:10] + two[13:20] + two[21:-1], two[-1]))
        if len(two) == 44 and one[0] == "P" and two[42] != "<":
            checks.append((two[28:42], two[42]))
    return sum(not right(*check) for check in checks)


class TestExamplesOfTheStandard:
    def test_td3(self) -> None:
        bearer = Bearer(**{**ANNA.__dict__, "personal_number": "ZE184226B"})
        assert mrz.lines(bearer, Format.TD3, "P") == (
            "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
            "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
        )

    def test_td1(self) -> None:
        bearer = Bearer(**{**ANNA.__dict__, "document_number": "D23145890"})
        assert mrz.lines(bearer, Format.TD1, "I") == (
            "I<UTOD231458907<<<<<<<<<<<<<<<",
            "7408122F1204159UTO<<<<<<<<<<<6",
            "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
        )

    def test_td2(self) -> None:
        bearer = Bearer(**{**ANNA.__dict__, "document_number": "D23145890"})
        assert mrz.lines(bearer, Format.TD2, "I") == (
            "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<",
            "D231458907UTO7408122F1204159<<<<<<<6",
        )

    def test_mrv_a(self) -> None:
        bearer = Bearer(**{**ANNA.__dict__, "document_number": "L8988901C", "personal_number": "6ZE184226B"})
        first, second = mrz.lines(bearer, Format.MRV_A, "V")
        assert first == "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
        assert second == "L8988901C4UTO7408122F12041596ZE184226B<<<<<<"

    def test_letters_beyond_a_to_z_are_spelt(self) -> None:
        assert mrz.transliterated("Größmann-Núñez d'Aubigné") == "GROESSMANN<NUNEZ<DAUBIGNE"

    def test_long_names_fill_the_line_and_no_more(self) -> None:
        bearer = Bearer(
            **{**ANNA.__dict__, "surname": "MONTGOMERY-FEATHERSTONEHAUGH", "given_names": "CHRISTOPHER ANNA"}
        )
        line = mrz.lines(bearer, Format.TD1, "I")[2]
        assert len(line) == 30
        assert line.startswith("MONTGOMERY<")
        assert "<<C" in line


@pytest.mark.parametrize("kind", IDENTITY)
class TestDocuments:
    def test_zone_is_right_and_says_what_is_printed(self, kind: Kind) -> None:
        for seed in range(12):
            fields = make(kind, seed=seed, as_of=AS_OF, language=("en", "fr", "de", "es")[seed % 4]).truth.fields
            lines = fields["mrz"].split("\n")
            zone = "".join(lines)

            assert {len(line) for line in lines} <= {30, 36, 44}
            assert wrong_digits(lines) == 0
            assert fields["birth_date"][2:].replace("-", "") in zone
            assert fields["expiry_date"][2:].replace("-", "") in zone
            assert fields["document_number"] in zone

    def test_planted_digit_is_wrong(self, kind: Kind) -> None:
        for seed in range(8):
            truth = make(kind, seed=seed, as_of=AS_OF, fault=Fault.WRONG_MRZ_CHECK_DIGIT).truth
            assert wrong_digits(truth.fields["mrz"].split("\n")) >= 1

    def test_planted_contradiction_leaves_the_zone_valid(self, kind: Kind) -> None:
        for seed in range(8):
            fields = make(kind, seed=seed, as_of=AS_OF, fault=Fault.MRZ_CONTRADICTS_PRINT).truth.fields
            zone = fields["mrz"].replace("\n", "")

            assert wrong_digits(fields["mrz"].split("\n")) == 0
            born = fields["birth_date"][2:].replace("-", "")
            assert born not in zone or fields["document_number"] not in zone


def test_every_letter_of_a_zone_can_be_drawn() -> None:
    assert set(ocr_b._GLYPHS) == {*ALPHABET, "<"}
