"""What a text was read as, and the check that judging asks for again. Light: the service imports it too."""

from dataclasses import dataclass

from stdnum.iso7064 import mod_97_10


@dataclass(frozen=True)
class Read:
    """`ambiguous`: the text allows another reading, which a habit has decided against.

    `certain`: no check that the value carries in itself has failed; `proved`: such a check has held. `repaired`: how
    many characters were taken for others that look alike. `partial`: other words stand around the value.
    """

    value: str
    currency: str | None = None
    ambiguous: bool = False
    certain: bool = True
    proved: bool = False
    repaired: int = 0
    partial: bool = False


def iban_check_digits_right(iban: str) -> bool:
    return bool(mod_97_10.is_valid(iban[4:] + iban[:4]))
