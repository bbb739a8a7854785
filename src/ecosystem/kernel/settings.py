"""Settings: frozen, with ranges and units, from `eco.toml`, the environment and the fleet, each with its origin.

A later source wins: default < file < environment < override (what the fleet decides for a process it starts).
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from ecosystem.kernel.errors import EcosystemError, Kind, Severity

Secret = SecretStr
PREFIX = "ECO_"
RESERVED = frozenset({"ECO_HOME", "ECO_CONFIG", "ECO_URL", "ECO_CA", "ECO_CLIENT_ID", "ECO_CLIENT_SECRET"})
"""Of the command line, and of programs that call the platform: no settings."""
MASK = "********"
_RULES = ("ge", "gt", "le", "lt")


class Settings(BaseModel):
    """The base of every settings class. `section` is one word: the table of `eco.toml` and the part after `ECO_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    section: ClassVar[str]


class SettingRefused(EcosystemError):
    code, status, kind, severity = "setting_refused", 422, Kind.PERMANENT, Severity.HIGH
    rule = "A setting is unknown or out of its range."
    suggestion = "`eco config show --origin` lists every setting with its range and where its value comes from."


@dataclass(frozen=True)
class Origin:
    """One setting as `eco config show --origin` prints it; a secret's value is masked. `allowed` is its range."""

    section: str
    name: str
    value: str
    origin: str
    description: str
    allowed: str = ""


@dataclass(frozen=True)
class _Found:
    value: Any
    origin: str


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Source:
    """All raw values with where they stand; `get` makes typed settings of one section out of them."""

    path: Path | None = None
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> "Source":
        """Read `path` (TOML 1.0), if there is one. Raises SettingRefused where it cannot be read."""
        ours = {name: value for name, value in (environ or {}).items() if name.startswith(PREFIX)}
        if path is None:
            return cls(environ=ours, overrides=overrides or {})
        try:
            text = path.read_text(encoding="utf-8")
            document = tomllib.loads(text)
        except OSError as error:
            raise SettingRefused(f"{path} cannot be read: {error.strerror}.") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingRefused(f"{path} cannot be read as TOML: {error}") from error
        lines = _lines(text)
        for section, table in document.items():
            if not isinstance(table, dict):
                raise SettingRefused(f"{_place(path, lines, '', section)}: `{section}` stands outside of a [section].")
        return cls(path, document, lines, ours, overrides or {})

    def with_overrides(self, overrides: Mapping[str, Mapping[str, Any]]) -> "Source":
        merged = {name: dict(table) for name, table in self.overrides.items()}
        for section, table in overrides.items():
            merged.setdefault(section, {}).update(table)
        return Source(self.path, self.tables, self.lines, self.environ, merged)

    def get(self, kind: type[S]) -> S:
        """Raises SettingRefused naming the setting, its line or variable, and the rule it breaks."""
        found = self._find(kind)
        try:
            return kind.model_validate({name: item.value for name, item in found.items()})
        except ValidationError as error:
            raise SettingRefused(" ".join(self._explain_refusals(kind, found, error))) from None

    def explain(self, kind: type[Settings]) -> list[Origin]:
        """Every setting of a section with its value and origin, in the order of the class."""
        found, settings = self._find(kind), self.get(kind)
        return [
            Origin(
                kind.section, name,
                MASK if is_secret(info) and getattr(settings, name) is not None else _shown(getattr(settings, name)),
                found[name].origin if name in found else "default",
                info.description or "",
                _allowed(info),
            )
            for name, info in kind.model_fields.items()
        ]  # fmt: skip

    def refuse_unknown(self, kinds: Iterable[type[Settings]]) -> None:
        """Raises SettingRefused for the first section, setting or variable that none of `kinds` declares."""
        known = {kind.section: kind for kind in kinds}
        for section, table in self.tables.items():
            if section not in known:
                raise SettingRefused(
                    f"{_place(self.path, self.lines, section, '')}: there is no section [{section}]; "
                    f"there are {', '.join(sorted(known))}."
                )
            for name in table:
                _refuse_unknown_name(known[section], name, _place(self.path, self.lines, section, name))
        for variable in self.environ:
            if variable in RESERVED:
                continue
            section, _, name = variable.removeprefix(PREFIX).lower().partition("_")
            if section not in known:
                raise SettingRefused(f"Environment variable {variable}: there is no section [{section}].")
            _refuse_unknown_name(known[section], name, f"environment variable {variable}")

    def refuse_wrong(self, kinds: Iterable[type[Settings]]) -> None:
        """Raises SettingRefused for what none of `kinds` declares, and for the first section with a wrong value.

        For whoever starts processes: what is decided for each of them later may still be absent.
        """
        kinds = list(kinds)
        self.refuse_unknown(kinds)
        for kind in kinds:
            self.get(before_the_fleet(kind))

    def _find(self, kind: type[Settings]) -> dict[str, _Found]:
        section = kind.section
        raw: dict[str, _Found] = {}
        for name, value in self.tables.get(section, {}).items():
            raw[name] = _Found(value, _place(self.path, self.lines, section, name))
        head = f"{PREFIX}{section.upper()}_"
        for variable, value in self.environ.items():
            if variable.startswith(head) and variable not in RESERVED:
                name = variable.removeprefix(head).lower()
                _drop_twin(raw, kind, name)
                raw[name] = _Found(_of_text(kind, name, value), f"environment variable {variable}")
        for name, value in self.overrides.get(section, {}).items():
            _drop_twin(raw, kind, name)
            raw[name] = _Found(value, "the fleet")
        return _read_files(kind, raw)

    def _explain_refusals(
        self, kind: type[Settings], found: Mapping[str, _Found], error: ValidationError
    ) -> Iterable[str]:
        for problem in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in problem["loc"]) or "(section)"
            first = str(problem["loc"][0]) if problem["loc"] else ""
            where = found[first].origin if first in found else "not set"
            if problem["type"] == "extra_forbidden":
                yield f"{where}: there is no setting {kind.section}.{name}."
            else:
                why = problem["msg"].removeprefix("Value error, ")
                yield f"{where}: {kind.section}.{name} is refused: {why}."


def before_the_fleet(kind: type[S]) -> type[S]:
    """The same settings before any process starts: what only the fleet can give is None as long as nobody gives it."""
    absent: dict[str, Any] = {
        name: (info.annotation | None, FieldInfo.merge_field_infos(info, default=None))  # type: ignore[operator]
        for name, info in kind.model_fields.items() if info.is_required()
    }  # fmt: skip
    return create_model(kind.__name__, __base__=kind, **absent) if absent else kind


def url_with(url: Secret | None, *schemes: str) -> Secret | None:
    """For validators of URLs. Raises ValueError, which does not tell the URL: it may hold a password."""
    if url and not url.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"it begins with {' or '.join(f'{scheme}://' for scheme in schemes)}, and this does not")
    return url


def is_secret(info: FieldInfo) -> bool:
    return info.annotation is SecretStr or SecretStr in get_args(info.annotation)


def _shown(value: Any) -> str:
    """As it would stand in `eco.toml`, texts without their quotes; `(none)` for what is not set."""
    if value is None:
        return "(none)"
    if isinstance(value, str | Path | SecretStr | UUID):
        return str(value)
    if isinstance(value, timedelta) and value == timedelta(days=value.days):
        return f"P{value.days}D"  # how people count: 400 days are no year and 35 days
    return json.dumps(to_jsonable_python(value), ensure_ascii=False).strip('"')


def _allowed(info: FieldInfo) -> str:
    """`64 to 65536`, `above 0`, `debug, info or error`; empty where anything of its type may stand."""
    if words := get_args(info.annotation) if get_origin(info.annotation) is Literal else ():
        return f"{', '.join(map(str, words[:-1]))} or {words[-1]}"
    rules = {name: getattr(rule, name) for rule in info.metadata for name in _RULES if hasattr(rule, name)}
    least = _shown(rules["ge"]) if "ge" in rules else f"above {_shown(rules['gt'])}" if "gt" in rules else ""
    most = rules.get("le", rules.get("lt"))
    if most is None:
        return f"{least} or more" if "ge" in rules else least
    below = _shown(most) if "le" in rules else f"below {_shown(most)}"
    return f"{least} to {below}" if least else f"at most {below}" if "le" in rules else below


def _of_text(kind: type[Settings], name: str, text: str) -> Any:
    """What a variable says: for a list or a table as it stands in `eco.toml`, else the text itself."""
    info = kind.model_fields.get(name)
    if info is None or get_origin(info.annotation) not in (list, dict):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _drop_twin(raw: dict[str, _Found], kind: type[Settings], name: str) -> None:
    """A secret given as text replaces a file given earlier, and the other way round."""
    raw.pop(f"{name}_file", None)
    base = name.removesuffix("_file")
    if base != name and name not in kind.model_fields:
        raw.pop(base, None)


def _read_files(kind: type[Settings], raw: Mapping[str, _Found]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for name, item in raw.items():
        base = name.removesuffix("_file")
        info = kind.model_fields.get(base)
        if name in kind.model_fields or base == name or info is None or not is_secret(info):
            found[name] = item
            continue
        try:
            text = Path(str(item.value)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SettingRefused(
                f"{item.origin}: the file of {kind.section}.{base} cannot be read: {why}: {item.value}."
            ) from error
        found[base] = _Found(text, f"{item.origin} (a file)")
    return found


def _refuse_unknown_name(kind: type[Settings], name: str, place: str) -> None:
    base = name.removesuffix("_file")
    if name in kind.model_fields or (base in kind.model_fields and is_secret(kind.model_fields[base])):
        return
    raise SettingRefused(
        f"{place}: there is no setting {kind.section}.{name}; there are {', '.join(sorted(kind.model_fields))}."
    )


_SECTION = re.compile(r"^\s*\[\s*([A-Za-z0-9_-]+)(?:\s*\.\s*([A-Za-z0-9_-]+))?")
_NAME = re.compile(r"^\s*\"?([A-Za-z0-9_-]+)\"?\s*=")


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line (1-based) of each section and setting; tomllib does not tell them."""
    lines: dict[tuple[str, str], int] = {}
    section, inside_sub_table = "", False
    for number, line in enumerate(text.splitlines(), 1):
        if match := _SECTION.match(line):
            section, sub_table = match.group(1), match.group(2)
            inside_sub_table = sub_table is not None
            lines.setdefault((section, sub_table or ""), number)
        elif not inside_sub_table and (match := _NAME.match(line)):
            lines.setdefault((section, match.group(1)), number)
    return lines


def _place(path: Path | None, lines: Mapping[tuple[str, str], int], section: str, name: str) -> str:
    line = lines.get((section, name)) or lines.get((section, ""))
    return f"{path.name if path else 'settings'}{f':{line}' if line else ''}"
