"""The kinds of document, as `kinds.yaml` declares them."""

from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field

UNKNOWN = "unknown"
# Read at import: a service that gave up its privileges may not reach its own files any more.
_TEXT = resources.files(__package__).joinpath("kinds.yaml").read_text(encoding="utf-8")
TYPES = ("text", "name", "address", "date", "date_range", "amount", "currency", "iban", "bic", "yes_no")


class FieldOf(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(pattern=f"^({'|'.join(TYPES)})$")
    labels: tuple[str, ...] = Field(min_length=1)
    optional: bool = False
    into: tuple[str, ...] = ()
    from_amounts: bool = False


class KindOf(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    titles: tuple[str, ...] = Field(min_length=1)
    movements: bool = False
    fields: dict[str, FieldOf]

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if not field.optional)

    def labels(self) -> dict[str, str]:
        """Field names by normalised label."""
        return {normal(label): name for name, field in self.fields.items() for label in field.labels}


def normal(text: str) -> str:
    """How labels are compared: case, runs of spaces and a final colon do not count."""
    return " ".join(text.casefold().split()).rstrip(" :")


@cache
def kinds() -> tuple[KindOf, ...]:
    return tuple(KindOf.model_validate(entry) for entry in yaml.safe_load(_TEXT))


def kind_of(name: str) -> KindOf | None:
    return next((kind for kind in kinds() if kind.kind == name), None)
