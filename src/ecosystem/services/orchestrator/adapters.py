"""The definitions that are shipped with this service, as files beside its code."""

from importlib.resources import files

from ecosystem.workflow.model import Definition
from ecosystem.workflow.parse import parse


def shipped() -> tuple[Definition, ...]:
    """Every definition, by name. Raises DefinitionRefused, naming file, line and rule."""
    folder = files("ecosystem.services.orchestrator") / "definitions"
    return tuple(
        parse(file.read_text(encoding="utf-8"), file.name)
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".yaml")
    )
