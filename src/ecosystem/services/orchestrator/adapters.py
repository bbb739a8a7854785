"""The definitions that are shipped with this service, as files beside its code."""

from importlib.resources import files

from ecosystem.workflow.model import Definition
from ecosystem.workflow.parse import parse

# Read with the code itself: a service that has given up its privileges may not enter the folder of the project.
_TEXTS = tuple(
    (file.name, file.read_text(encoding="utf-8"))
    for file in sorted((files(__package__) / "definitions").iterdir(), key=lambda file: file.name)
    if file.name.endswith(".yaml")
)


def shipped() -> tuple[Definition, ...]:
    """Every definition, by name. Raises DefinitionRefused, naming file, line and rule."""
    return tuple(parse(text, name) for name, text in _TEXTS)
