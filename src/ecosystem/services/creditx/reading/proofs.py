"""What holds between the values of a document that was read rightly: it raises their confidence, and judges nothing."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise, product

from ecosystem.services.creditx.reading.choosing import PROVED, Value
from ecosystem.services.creditx.reading.kinds import Balance, KindOf

_CHOICES_MAX = 4
_DOUBT = 0.85


def apply(kind: KindOf, best: dict[str, Value], every: dict[str, list[Value]], moved: Decimal | None) -> None:
    for proof in kind.proofs:
        if proof.balance and moved is not None:
            _balance(proof.balance, best, every, moved)
        if proof.ordered:
            _ordered(proof.ordered, best)


def _balance(balance: Balance, best: dict[str, Value], every: dict[str, list[Value]], moved: Decimal) -> None:
    """Of all amounts at labels for the two balances, those that the movements lead from one to the other."""
    openings = every.get(balance.opening, [])[:_CHOICES_MAX]
    closings = every.get(balance.closing, [])[:_CHOICES_MAX]
    for opening, closing in product(openings, closings):
        if Decimal(opening.read.value) + moved == Decimal(closing.read.value):
            for name, value in ((balance.opening, opening), (balance.closing, closing)):
                value.confidence = max(value.confidence, PROVED - 0.01)
                best[name] = value
            return
    # They do not follow: the document's fault, or a reading's. OCR is doubted, a text layer is not.
    for name in (balance.opening, balance.closing):
        if name in best and best[name].method == "ocr":
            best[name].confidence = min(best[name].confidence, _DOUBT)


def _ordered(names: Sequence[str], best: dict[str, Value]) -> None:
    """A pair of dates against its order: where one could be read the other way round, neither is sure."""
    known = [best[name] for name in names if name in best]
    for before, after in pairwise(known):
        if before.read.value > after.read.value and (before.read.ambiguous or after.read.ambiguous):
            for value in (before, after):
                value.confidence = min(value.confidence, _DOUBT if not value.read.ambiguous else 0.5)
