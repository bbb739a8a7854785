"""Policies as a file: the shipped one, one of the operator's over it, and what they say together, with origins."""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.resilience.rules import BreakerRules, RouteRules

SHIPPED = Path(__file__).with_name("policies.toml")
INSTANCE, DEFAULT_ROUTE, NO_BREAKER, ALL_TASKS = "instance", "* -> *", "none", "*"

_PAIR = re.compile(r"^(\*|[a-z][a-z0-9-]*) -> (\*|[a-z][a-z0-9-]*)$")
_HEAD = re.compile(r"^\s*\[[^\[\]].*\]\s*(#.*)?$")
_NAME = re.compile(r"""^\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*=""")
_BYTES_MAX = 1024 * 1024

M = TypeVar("M", bound=BaseModel)
Names = tuple[str, ...]


class PolicyRefused(EcosystemError):
    code, status, kind, severity = "policy_refused", 422, Kind.PERMANENT, Severity.HIGH
    rule = "A policy is unknown or out of its range."
    suggestion = "Correct the named line; `eco policies check FILE` looks again. The former policies go on."


class PoliciesGone(PolicyRefused):
    """There is no file any more: for a process that looked a moment ago, the same as none."""


@dataclass(frozen=True)
class Layer:
    """One file: its tables, and the line of each name in them."""

    name: str
    tables: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[Names, int] = field(default_factory=dict)

    def place(self, *names: str) -> str:
        """`policies.toml:12`, of the name or of the nearest table around it."""
        for end in range(len(names), 0, -1):
            if line := self.lines.get(names[:end]):
                return f"{self.name}:{line}"
        return self.name

    def table(self, *names: str) -> Mapping[str, Any]:
        """The table under `names`, empty where there is none. Raises PolicyRefused for anything else."""
        found: Any = self.tables
        for end, name in enumerate(names, 1):
            found = found.get(name, {})
            if not isinstance(found, dict):
                raise PolicyRefused(f"{self.place(*names[:end])}: {'.'.join(names[:end])} is a table.")
        return found  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Rulebook:
    """What holds. `routes` and `authorisation` by (caller, destination); `origins` by the names of a value.

    `own_routes` are those that only the operator's file names.
    """

    breakers: Mapping[str, BreakerRules]
    routes: Mapping[tuple[str, str], RouteRules]
    authorisation: Mapping[tuple[str, str], frozenset[str]]
    origins: Mapping[Names, str]
    own_routes: frozenset[tuple[str, str]] = frozenset()


def read(path: Path, name: str | None = None) -> Layer:
    """`name` is what its places are told by.

    Raises PoliciesGone, and PolicyRefused where it is no regular file, cannot be read, is too large or no TOML 1.0.
    """
    try:
        text = _content(path).decode("utf-8")
        lines: dict[Names, int] = {}
        for names, number in _lines(text):
            lines.setdefault(names, number)
        return Layer(name or path.name, tomllib.loads(text), lines)
    except FileNotFoundError as error:
        raise PoliciesGone(f"There is no {path.name}.") from error
    except OSError as error:
        raise PolicyRefused(f"{path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PolicyRefused(f"{path.name} is not UTF-8 (byte {error.start + 1}); TOML always is.") from error
    except RecursionError as error:
        raise PolicyRefused(f"{path.name} cannot be read as TOML: its values are nested too deeply.") from error
    except ValueError as error:
        raise PolicyRefused(f"{path.name} cannot be read as TOML: {error}") from error


def _content(path: Path) -> bytes:
    # Without O_NONBLOCK whoever opens a pipe stands still until somebody writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PolicyRefused(f"{path.name} is no regular file.")
        with open(descriptor, "rb", closefd=False) as stream:
            content = stream.read(_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > _BYTES_MAX:
        raise PolicyRefused(f"{path.name} is larger than {_BYTES_MAX // 1024} KiB.")
    return content


def combine(own: Layer | None = None) -> Rulebook:
    """The shipped policies with `own` over them, value by value. Raises PolicyRefused, naming the line."""
    layers = (_SHIPPED, *((own,) if own is not None else ()))
    origins: dict[Names, str] = {}
    for layer in layers:
        _refuse_unknown(layer, "", {"breakers", "routes", "authorisation"}, layer.tables)
    breakers = {
        name: _rules(BreakerRules, ("breakers", name), layers, {}, origins)
        for name in _names(layers, "breakers")
    }  # fmt: skip
    routes = _routes(layers, breakers, origins)
    named = frozenset(_pair(name, own, "routes") for name in own.table("routes")) if own is not None else frozenset()
    shipped = frozenset(_pair(name, layers[0], "routes") for name in layers[0].table("routes"))
    return Rulebook(breakers, routes, _authorisation(layers, origins), origins, named - shipped)


def _routes(
    layers: tuple[Layer, ...], breakers: Mapping[str, BreakerRules], origins: dict[Names, str]
) -> dict[tuple[str, str], RouteRules]:
    default = {name: (value, layer) for layer in layers for name, value in layer.table("routes", DEFAULT_ROUTE).items()}
    routes = {}
    for name in _names(layers, "routes"):
        pair = _pair(name, next(layer for layer in reversed(layers) if name in layer.table("routes")), "routes")
        given = {key: (value, layer, ("routes", DEFAULT_ROUTE, key)) for key, (value, layer) in default.items()}
        routes[pair] = _rules(RouteRules, ("routes", name), layers, given, origins, breakers)
    return routes


def _authorisation(layers: tuple[Layer, ...], origins: dict[Names, str]) -> dict[tuple[str, str], frozenset[str]]:
    found = {}
    for layer in layers:
        for name, tasks in layer.table("authorisation").items():
            pair = _pair(name, layer, "authorisation")
            if not isinstance(tasks, list) or not all(isinstance(task, str) and task for task in tasks):
                place = layer.place("authorisation", name)
                raise PolicyRefused(f'{place}: "{name}" is a list of tasks, [] for none or ["*"] for all.')
            found[pair] = frozenset(tasks)
            origins["authorisation", name] = layer.place("authorisation", name)
    return found


def _pair(name: str, layer: Layer, table: str) -> tuple[str, str]:
    match = _PAIR.match(name)
    if match is None:
        raise PolicyRefused(f'{layer.place(table, name)}: "{name}" is not of the form "CALLER -> DESTINATION".')
    return match.group(1), match.group(2)


def _names(layers: tuple[Layer, ...], table: str) -> list[str]:
    return list(dict.fromkeys(name for layer in layers for name in layer.table(table)))


def _rules(
    kind: type[M], at: Names, layers: tuple[Layer, ...], given: Mapping[str, tuple[Any, Layer, Names]],
    origins: dict[Names, str], breakers: Mapping[str, BreakerRules] | None = None,
) -> M:  # fmt: skip
    """One table of rules: what `given` says, and over it each layer's own values."""
    found = dict(given)
    for layer in layers:
        table = layer.table(*at)
        _refuse_unknown(layer, ".".join(_quoted(at)), set(kind.model_fields), table, at)
        found |= {name: (value, layer, (*at, name)) for name, value in table.items()}
    places = {name: layer.place(*names) for name, (_, layer, names) in found.items()}
    origins[at] = next(layer.place(*at) for layer in reversed(layers) if at[-1] in layer.table(*at[:-1]))
    origins.update({(*at, name): place for name, place in places.items()})
    values = {name: value for name, (value, _, _) in found.items()}
    if breakers is not None and (named := values.get("breaker")) is not None:
        if named != NO_BREAKER and named not in breakers:
            known = ", ".join(sorted(breakers))
            raise PolicyRefused(f'{places["breaker"]}: there is no breaker "{named}"; there are {known}, {NO_BREAKER}.')
        values["breaker"] = breakers.get(named)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        name = str(problem["loc"][0]) if problem["loc"] else ""
        place = places.get(name, origins[at])
        what = ".".join(_quoted((*at, name) if name else at))
        raise PolicyRefused(f"{place}: {what} is refused: {_words(problem)}.") from None


def _words(problem: ErrorDetails) -> str:
    """What a validator of ours said, or pydantic."""
    said = problem.get("ctx", {}).get("error")
    return str(said) if isinstance(said, ValueError) else problem["msg"]


def _refuse_unknown(layer: Layer, what: str, known: set[str], table: Mapping[str, Any], at: Names = ()) -> None:
    for name in table:
        if name not in known:
            place, inside = layer.place(*at, name), f" in {what}" if what else ""
            raise PolicyRefused(f"{place}: there is no {name}{inside}; there are {', '.join(sorted(known))}.")


def _quoted(names: Names) -> list[str]:
    return [f'"{name}"' if " " in name else name for name in names]


def _lines(text: str) -> Iterator[tuple[Names, int]]:
    """The line (1-based) of each table and each name; tomllib does not tell them."""
    at: Names = ()
    for number, line in enumerate(text.splitlines(), 1):
        if _HEAD.match(line):
            at = tuple(_path(tomllib.loads(line)))
            yield from ((at[:end], number) for end in range(1, len(at) + 1))
        elif match := _NAME.match(line):
            yield (*at, next(group for group in match.groups() if group is not None)), number


def _path(table: Mapping[str, Any]) -> Iterator[str]:
    while table:
        name, table = next(iter(table.items()))
        yield name


# Read with the code: a service that gave up its privileges may not be able to any more.
_SHIPPED = read(SHIPPED, f"shipped {SHIPPED.name}")
