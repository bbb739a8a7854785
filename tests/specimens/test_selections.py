"""Goal: what belongs together is complete and balanced. Method: count kinds, qualities, languages and outcomes."""

from collections import Counter
from datetime import date

import pytest

from specimens.model import KNOWN, LANGUAGES, USUAL, Kind, Outcome, Quality, Specimen
from specimens.selections import corpus, demonstration

AS_OF = date(2026, 11, 24)


@pytest.fixture(scope="module")
def shown() -> list[Specimen]:
    return demonstration(1, AS_OF, "en_GB")


class TestDemonstration:
    def test_fourteen_documents_of_all_kinds_and_outcomes(self, shown: list[Specimen]) -> None:
        outcomes = Counter(specimen.truth.outcome for specimen in shown)

        assert len({specimen.name for specimen in shown}) == 14
        assert {specimen.truth.kind for specimen in shown} >= {*KNOWN, Kind.SEVERAL}
        assert set(outcomes) == set(Outcome)
        assert outcomes[Outcome.REFUSED] == 1
        assert outcomes[Outcome.APPROVED] >= 7

    def test_qualities_are_mixed_and_images_few(self, shown: list[Specimen]) -> None:
        images = [specimen for specimen in shown if specimen.truth.quality is not Quality.TEXT]

        assert {specimen.truth.quality for specimen in shown} == set(USUAL)
        assert any(page.rotated for specimen in images for page in specimen.truth.pages)
        assert sum(len(specimen.truth.pages) for specimen in images) <= 7
        assert len({specimen.truth.language for specimen in shown}) == len(LANGUAGES)


class TestCorpus:
    def test_kinds_and_languages_come_equally_often(self) -> None:
        texts = list(corpus(3, 80, AS_OF, qualities=[Quality.TEXT]))

        assert set(Counter(specimen.truth.kind for specimen in texts).values()) == {8}
        assert set(Counter(specimen.truth.language for specimen in texts).values()) == {20}
        pairs = Counter((specimen.truth.kind, specimen.truth.language) for specimen in texts)
        assert set(pairs.values()) == {2}
        assert all(specimen.truth.outcome is Outcome.APPROVED for specimen in texts)

    def test_images_are_in_two_languages_and_every_quality_comes(self) -> None:
        specimens = list(corpus(3, 5, AS_OF, kinds=[Kind.PROOF_OF_ADDRESS]))

        assert {specimen.truth.quality for specimen in specimens} == set(USUAL)
        images = {specimen.truth.language for specimen in specimens if specimen.truth.quality is not Quality.TEXT}
        assert images <= {"en", "de"}

    def test_the_same_seed_gives_the_same_documents(self) -> None:
        first, second = (list(corpus(9, 4, AS_OF, qualities=[Quality.TEXT])) for _ in range(2))

        assert first == second
