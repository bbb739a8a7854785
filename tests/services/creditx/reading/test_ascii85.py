"""Goal: what is decoded quickly is what the standard library decodes or refuses. Method: both, on random texts."""

import base64
import random

import pytest

from ecosystem.services.creditx.reading.ascii85 import decode


@pytest.mark.parametrize("size", [*range(12), 999, 20_000])
def test_it_is_what_the_library_decodes(size: int) -> None:
    plain = random.Random(size).randbytes(size)
    for text in (
        base64.a85encode(plain),
        base64.a85encode(plain, wrapcol=64),
        base64.a85encode(plain + bytes(8)),
        b" \r\n".join(base64.a85encode(plain, wrapcol=7).split(b"\n")),
    ):
        assert decode(text) == base64.a85decode(text)


def test_short_ends_and_odd_letters_are_taken_or_refused_as_the_library_does() -> None:
    letters = random.Random(85)
    answers = set()
    for _ in range(3000):
        text = bytes(letters.choices(b'!"5tuuvz~ \n\x80', k=letters.randrange(9)))
        try:
            expected: bytes | None = base64.a85decode(text)
        except ValueError:
            expected = None
        answers.add(expected is None)
        if expected is None:
            with pytest.raises(ValueError, match=r".*"):
                decode(text)
        else:
            assert decode(text) == expected
    assert answers == {True, False}
