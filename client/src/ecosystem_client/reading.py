"""Answers as typed values. Unknown fields are kept in `raw`, so that a newer platform breaks no older client."""

import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Generic, TypeVar, Union

from ecosystem_client.errors import UnexpectedAnswer

M = TypeVar("M", bound="Model")


@dataclass(frozen=True, kw_only=True)
class Model:
    """`raw` is the JSON object as it came."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls: type[M], data: Any) -> M:
        """Raises UnexpectedAnswer, naming the field that is missing or of another type."""
        if not isinstance(data, Mapping):
            raise UnexpectedAnswer(f"{cls.__name__}: an object was expected, not {type(data).__name__}.")
        values: dict[str, Any] = {}
        hints = _hints(typing.cast(Hashable, cls))
        for member in fields(cls):
            if member.name == "raw":
                continue
            if member.name in data:
                values[member.name] = _convert(hints[member.name], data[member.name], f"{cls.__name__}.{member.name}")
            elif member.default is MISSING and member.default_factory is MISSING:
                raise UnexpectedAnswer(f"{cls.__name__}: the answer lacks `{member.name}`.")
        return cls(raw=data, **values)


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page of a list; `next_cursor` is None on the last."""

    items: tuple[M, ...]
    next_cursor: str | None

    @classmethod
    def read(cls, model: type[M], data: Any) -> "Page[M]":
        if not isinstance(data, Mapping) or not isinstance(data.get("items"), list):
            raise UnexpectedAnswer(f"A list of {model.__name__} was expected as `items`.")
        return cls(tuple(model.read(item) for item in data["items"]), data.get("next_cursor"))


@cache
def _hints(model: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(model)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(kind for kind in arguments if kind is not type(None)), value, where)
    try:
        return _convert_plain(hint, origin, arguments, value, where)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UnexpectedAnswer(f"{where}: {value!r:.60} is not a {getattr(hint, '__name__', hint)}.") from error


def _convert_plain(hint: Any, origin: Any, arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if origin is tuple:
        return tuple(_convert(arguments[0], item, where) for item in value)
    if origin is not None:
        return dict(value)
    if is_dataclass(hint):
        return typing.cast(type[Model], hint).read(value)
    if hint in (datetime, date):
        return hint.fromisoformat(value)
    if hint is Decimal:
        return Decimal(str(value))
    if hint is float:
        return float(value)
    if not isinstance(value, hint):
        raise TypeError(where)
    return value
