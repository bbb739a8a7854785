"""Where the checkout is: commands for its developers need its files, not only the installed package."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def tool_environment() -> dict[str, str]:
    """The environment for tools of the checkout: all folders of Python importable, no stray settings of a home.

    What was compiled once stays (beside its source, ignored by Git): images of containers often forbid it, and then
    each of a hundred commands of a test run compiles its part of the platform anew.
    """
    folders = [str(ROOT / folder) for folder in ("src", "client/src", "specimens/src", "faults/src", ".")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ECO_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONPATH": os.pathsep.join(folders)}
