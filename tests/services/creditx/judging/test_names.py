"""Goal: one person is found again and two are kept apart. Method: pairs as banks and passports write them."""

import pytest

from ecosystem.services.creditx.judging.names import same_address, same_company, same_person


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Anna Keller", "KELLER ANNA", "same"),
        ("Keller, Anna", "Anna Maria Keller", "same"),
        ("Dr. Eva von Arx", "Eva Arx", "same"),
        ("Jürg Müller", "MUELLER JUERG", "same"),
        ("Jürg Müller", "Jurg Muller", "same"),
        ("Søren Ågård", "SOEREN AAGAARD", "same"),
        ("Eva Strauß", "Eva Strauss", "same"),
        ("José García López", "Jose Garcia", "same"),
        ("J. Keller", "John Keller", "same"),
        ("Pat O’Neil", "ONEIL PAT", "same"),
        ("Anna-Maria Keller", "Anna Maria Keller", "same"),
        ("Anna Keller", "Hans Keller", "different"),
        ("Martin Roth", "Martina Roth", "different"),
        ("Eva Schmid", "Eva Schmidt", "different"),
        ("Michael Roth", "Michal Roth", "different"),
        ("Anna Keller", "Anna Kellner", "different"),
        ("Keller", "Anna Keller", "none"),
        ("", "Anna Keller", "none"),
        ("Δημήτρης Παπάς", "Dimitris Papas", "none"),
        ("...", "Anna Keller", "none"),
    ],
)
def test_persons(one: str, other: str, expected: str) -> None:
    assert (same_person(one, other), same_person(other, one)) == (expected, expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Alder Werke A.G.", "ALDER WERKE AG", "same"),
        ("Nord & Söhne GmbH", "Nord und Soehne GmbH", "same"),
        ("Alder S. à r. l.", "Alder Sàrl", "same"),
        ("Heron Ltd", "Heron Limited", "same"),
        ("Alder AG", "Alden AG", "different"),
        ("Alder Werke AG", "Alder AG", "different"),
        ("AG", "", "none"),
    ],
)
def test_companies(one: str, other: str, expected: str) -> None:
    assert (same_company(one, other), same_company(other, one)) == (expected, expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Bahnhofstrasse 12, 8001 Zürich", "Bahnhofstr. 12\n8001 Zuerich, Switzerland", "same"),
        ("12 High Street, London", "12 High St, London SW1A 1AA", "same"),
        ("Rue de la Paix 3, 75002 Paris", "3 rue de la Paix 75002 PARIS", "same"),
        ("Bahnhofstrasse 12, 8001 Zürich", "Bahnhofstrasse 14, 8001 Zürich", "different"),
        ("12 High Street, Leeds", "12 Low Road, Paris", "different"),
        ("8001", "Zürich", "none"),
    ],
)
def test_addresses(one: str, other: str, expected: str) -> None:
    assert (same_address(one, other), same_address(other, one)) == (expected, expected)
