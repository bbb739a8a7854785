"""Where a platform is and where its settings are. Light: a start must know it before its first heavy import."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecosystem.kernel.settings import Source


def default_home(environ: Mapping[str, str]) -> Path:
    """`ECO_HOME`, else `/var/lib/ecosystem` for root (others must be able to enter it), else `~/.ecosystem`."""
    if named := environ.get("ECO_HOME"):
        return Path(named).expanduser().absolute()
    return Path("/var/lib/ecosystem") if os.geteuid() == 0 else Path.home() / ".ecosystem"


def our_command(module: str, *words: str) -> list[str]:
    """A program of ours as a process. It imports nothing from the folder in which it is called (`-P`): what lies there
    may be anybody's."""
    return [sys.executable, "-P", "-m", module, *words]


def config_file(given: Path | None) -> Path | None:
    """`--config`, else `ECO_CONFIG`, else `eco.toml` of the present folder if it is there."""
    if given is not None:
        return given.absolute()
    if named := os.environ.get("ECO_CONFIG"):
        return Path(named).expanduser().absolute()
    here = Path("eco.toml").absolute()
    return here if here.exists() else None


def policies_file(source: "Source", home: Path) -> Path:
    """The operator's policies: what the settings name, else `policies.toml` of the home; it need not be there."""
    named = source.environ.get("ECO_RESILIENCE_POLICIES_FILE") or source.tables.get("resilience", {}).get(
        "policies_file"
    )
    return Path(str(named)).expanduser().absolute() if named else home / "policies.toml"
