"""The kinds of document, as `kinds/*.yaml` declares them: one file each, with its titles and labels by language."""

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from ecosystem.services.creditx.reading.labels import Known, bag, folded

UNKNOWN, SEVERAL = "unknown", "several"
LANGUAGES = ("en", "fr", "de", "es")
_GENERIC_FIELDS_MIN = 3
Type = Literal[
    "text", "name", "names", "company", "address", "date", "date_range", "amount", "currency", "iban", "bic", "lei",
    "vat", "tax_number", "number", "document_number", "reference", "nationality", "country", "sex", "year", "yes_no",
    "mrz",
]  # fmt: skip
Words = Mapping[Literal["en", "fr", "de", "es"], tuple[str, ...]]
# Read at import: a service that gave up its privileges may not reach its own files any more.
_TEXTS = tuple(
    entry.read_text(encoding="utf-8")
    for entry in sorted(resources.files(__package__).joinpath("kinds").iterdir(), key=lambda entry: entry.name)
    if entry.name.endswith(".yaml")
)


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldOf(_Declared):
    """`into`: the two fields that a date range fills. `from_amounts`: a currency that may stand beside amounts only.

    A label that stands earlier in its list says more than a later one. `optional` values are read where they stand.
    """

    type: Type
    labels: Words
    optional: bool = False
    into: tuple[str, ...] = ()
    from_amounts: bool = False


class TableOf(_Declared):
    """Columns by name, with their headings; and the words that begin a line after its last row."""

    columns: Mapping[str, Words]
    ends: Words = Field(default_factory=dict)

    @cached_property
    def headings(self) -> dict[str, str]:
        return {folded(word): name for name, words in self.columns.items() for word in _all(words)}

    @cached_property
    def endings(self) -> Known:
        return Known({folded(word): frozenset({word}) for word in _all(self.ends)})


class Balance(_Declared):
    """Opening + sum of the movements = closing."""

    opening: str
    closing: str
    movements: str


class Proof(_Declared):
    """What holds between values of a document that is read rightly; it proves the reading, and judges nothing."""

    balance: Balance | None = None
    ordered: tuple[str, ...] = ()


class KindOf(_Declared):
    kind: str
    titles: Words
    fields: Mapping[str, FieldOf]
    tables: Mapping[str, TableOf] = Field(default_factory=dict)
    proofs: tuple[Proof, ...] = ()
    mrz: tuple[str, ...] = ()

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if not field.optional)

    @cached_property
    def labels(self) -> Known:
        """Names of fields by folded label."""
        found = Known()
        for name, field in self.fields.items():
            for label in _all(field.labels):
                for form in _forms(label):
                    found[form] = found.get(form, frozenset()) | {name}
        return found

    @cached_property
    def ranks(self) -> dict[tuple[str, str], int]:
        """How far back in its list a folded label stands, by field and label."""
        return {
            (name, form): rank
            for name, field in self.fields.items()
            for words in field.labels.values()
            for rank, label in reversed(list(enumerate(words)))
            for form in _forms(label)
        }


def _forms(label: str) -> tuple[str, ...]:
    in_any_order = bag(label)
    return (folded(label), in_any_order) if in_any_order else (folded(label),)


def _all(words: Words) -> Iterator[str]:
    for texts in words.values():
        yield from texts


def _texts(known: tuple[KindOf, ...]) -> Iterator[str]:
    for kind in known:
        for field in kind.fields.values():
            yield from _all(field.labels)


class Lexicon:
    """All kinds' titles and labels, for finding the kind and the language of a text."""

    def __init__(self, known: tuple[KindOf, ...]) -> None:
        self.titles, self.fields, self.languages = Known(), Known(), Known()
        self.texts = tuple(_texts(known))
        self.generic: frozenset[str] = frozenset()
        for kind in known:
            for language, titles in kind.titles.items():
                for title in titles:
                    self.titles[folded(title)] = self.titles.get(folded(title), frozenset()) | {kind.kind}
                    self._speaks(title, language)
            for name, field in kind.fields.items():
                for language, labels in field.labels.items():
                    for label in labels:
                        for form in _forms(label):
                            self.fields[form] = self.fields.get(form, frozenset()) | {(kind.kind, name)}
                        self._speaks(label, language)
            for table in kind.tables.values():
                for words in table.columns.values():
                    for language, headings in words.items():
                        for heading in headings:
                            self._speaks(heading, language)

        single = {folded(text) for text in self.texts if " " not in text}
        # One word that stands for many things ("Date", "Name") does not say which.
        self.generic = frozenset(
            form
            for form, meant in self.fields.items()
            if len({name for _, name in meant}) >= _GENERIC_FIELDS_MIN and form in single
        )

    def _speaks(self, word: str, language: str) -> None:
        self.languages[folded(word)] = self.languages.get(folded(word), frozenset()) | {language}


@cache
def kinds() -> tuple[KindOf, ...]:
    return tuple(KindOf.model_validate(_load(text)) for text in _TEXTS)


def _load(text: str) -> Any:
    # The loader over libyaml is 10 times as fast; both are safe.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


@cache
def lexicon() -> Lexicon:
    return Lexicon(kinds())


def kind_of(name: str) -> KindOf | None:
    return next((kind for kind in kinds() if kind.kind == name), None)
