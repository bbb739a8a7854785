"""Which specimens belong together: those of the demonstration, one of everything, a balanced mix to measure on."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from specimens.maker import make
from specimens.model import (
    IMAGE_LANGUAGES,
    KINDS_OF_FAULT,
    KNOWN,
    LANGUAGES,
    PAPERS,
    REFUSED,
    USUAL,
    Fault,
    Kind,
    Quality,
    Specimen,
)
from specimens.qualities.delivery import Container


@dataclass(frozen=True)
class _Plan:
    kind: Kind
    fault: Fault | None = None
    language: str = "en"
    quality: Quality = Quality.TEXT
    rotated: int = 0
    container: Container | None = None

    def make(self, seed: int, as_of: date, locale: str | None) -> Specimen:
        return make(
            self.kind, seed=seed, as_of=as_of, fault=self.fault, language=self.language, quality=self.quality,
            rotated=self.rotated, container=self.container, locale=locale,
        )  # fmt: skip


def demonstration(seed: int, as_of: date, locale: str | None = None) -> list[Specimen]:
    """Fourteen documents of all kinds and qualities: seven that are approved, three rejected, three for review, one
    refused; six pages of them are images."""
    rng = random.Random(f"{seed}/demonstration")  # noqa: S311 a seed is wanted
    german, turned = rng.choice(IMAGE_LANGUAGES), rng.choice((90, 180, 270))
    of_visa = rng.choice((Fault.EXPIRED, Fault.WRONG_MRZ_CHECK_DIGIT))
    of_statement = rng.choice((Fault.WRONG_IBAN_CHECK_DIGITS, Fault.BALANCE_DOES_NOT_FOLLOW))
    plans = [
        _Plan(Kind.PASSPORT, quality=Quality.PHOTO, container=Container.JPEG),
        _Plan(Kind.IDENTITY_CARD, language=german, quality=Quality.SCAN_300, container=Container.PDF),
        _Plan(Kind.BANK_STATEMENT),
        _Plan(Kind.PROOF_OF_ADDRESS, language="fr"),
        _Plan(Kind.INVOICE, language="de"),
        _Plan(Kind.CERTIFICATE_OF_INCORPORATION, None, "en", Quality.SCAN_200, turned, Container.PDF),
        _Plan(Kind.SEVERAL, language=rng.choice(LANGUAGES)),
        _Plan(Kind.REGISTER_EXTRACT, language="es"),
        _Plan(Kind.TAX_FORM, Fault.ALTERED_AMOUNT, language=rng.choice(("fr", "es", "en"))),
        _Plan(Kind.VISA, of_visa, quality=Quality.PHOTO, container=Container.JPEG),
        _Plan(Kind.BANK_STATEMENT, of_statement, language="de"),
        _Plan(Kind.PROOF_OF_ADDRESS, Fault.OLD_PROOF_OF_ADDRESS, quality=Quality.FAX, container=Container.TIFF),
        _Plan(Kind.KYC_QUESTIONNAIRE, Fault.PEP_DECLARED, language=rng.choice(LANGUAGES)),
        _Plan(rng.choice(PAPERS), rng.choice(REFUSED)),
    ]  # fmt: skip
    return [plan.make(seed, as_of, locale) for plan in plans]


def everything(
    seed: int, as_of: date, locale: str | None = None, *, qualities: Collection[Quality] = tuple(Quality),
    faults: Collection[Fault] = tuple(Fault),
) -> list[Specimen]:  # fmt: skip
    """A good document of each kind in each language as text, each kind in each other quality, each fault once.

    Only those of `qualities` are made, and with `faults` or none; they are the same as without these.
    """
    rng = random.Random(f"{seed}/everything")  # noqa: S311
    plans = [_Plan(kind, language=language) for kind in KNOWN for language in LANGUAGES]
    images = [quality for quality in USUAL if quality is not Quality.TEXT]
    for kind in KNOWN:
        for quality in images:
            turned = rng.choice((90, 180, 270)) if rng.random() < 0.15 else 0
            plans.append(_Plan(kind, language=rng.choice(IMAGE_LANGUAGES), quality=quality, rotated=turned))
    plans += [_Plan(Kind.SEVERAL, language=language) for language in LANGUAGES]
    plans += [_Plan(Kind.SEVERAL, quality=Quality.SCAN_200, container=Container.TIFF)]
    plans += [_Plan(kind, fault) for fault in Fault for kind in KINDS_OF_FAULT.get(fault, (Kind.BANK_STATEMENT,))]
    plans += [_Plan(kind, language=rng.choice(IMAGE_LANGUAGES), quality=Quality.PHOTO_HARD) for kind in KNOWN]
    return [
        plan.make(seed, as_of, locale)
        for plan in plans
        if plan.quality in qualities and (plan.fault is None or plan.fault in faults)
    ]


def corpus(
    seed: int,
    count: int,
    as_of: date,
    *,
    qualities: Sequence[Quality] = USUAL,
    kinds: Sequence[Kind] = KNOWN,
    languages: Sequence[str] = LANGUAGES,
    locale: str | None = None,
) -> Iterator[Specimen]:
    """Good documents to measure reading on: kinds, qualities and languages in turn, so that each comes equally often.

    Images are in the languages of `IMAGE_LANGUAGES`; one in eight of them is turned. Each has a seed of its own.
    """
    rng = random.Random(f"{seed}/corpus")  # noqa: S311
    for number in range(count):
        kind = kinds[number % len(kinds)]
        quality = qualities[number // len(kinds) % len(qualities)]
        wanted = [one for one in languages if quality is Quality.TEXT or one in IMAGE_LANGUAGES] or list(languages)
        language = wanted[(number // (len(kinds) * len(qualities)) + number) % len(wanted)]
        turned = rng.choice((90, 180, 270)) if quality is not Quality.TEXT and rng.random() < 0.125 else 0
        own = rng.randrange(1_000_000_000)
        yield _Plan(kind, language=language, quality=quality, rotated=turned).make(own, as_of, locale)
