"""Goal: evidence reads like a sentence, and no value of a document is changed. Method: the words of shipped rules."""

import pytest

from ecosystem.services.creditx.judging.wording import readable


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("The document is a identity_card.", "The document is an identity card."),
        ("The document is a invoice.", "The document is an invoice."),
        ("The document is a passport.", "The document is a passport."),
        ("Not found: issue_date, document_number.", "Not found: issue date, document number."),
        (
            "below a confidence of 0.5: []; doubtful: [birth_date]",
            "below a confidence of 0.5: none; doubtful: birth date",
        ),
        (
            "in the name from [passport d1], in the address from []",
            "in the name from passport d1, in the address from none",
        ),
        ("Signs: [[a], [b]].", "Signs: a, b."),
        ("The answer is jo_smith@a_b.example (page 1).", "The answer is jo_smith@a_b.example (page 1)."),
    ],
)
def test_it_reads_like_a_sentence(stored: str, read: str) -> None:
    assert readable(stored) == read
