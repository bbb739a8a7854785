"""Where a platform is and where its settings are. Light: a start must know it before its first heavy import."""

import os
from collections.abc import Mapping
from pathlib import Path


def default_home(environ: Mapping[str, str]) -> Path:
    """`ECO_HOME`, else `/var/lib/ecosystem` for root (others must be able to enter it), else `~/.ecosystem`."""
    if named := environ.get("ECO_HOME"):
        return Path(named).expanduser().absolute()
    return Path("/var/lib/ecosystem") if os.geteuid() == 0 else Path.home() / ".ecosystem"


def config_file(given: Path | None) -> Path | None:
    """`--config`, else `ECO_CONFIG`, else `eco.toml` of the present folder if it is there."""
    if given is not None:
        return given.absolute()
    if named := os.environ.get("ECO_CONFIG"):
        return Path(named).expanduser().absolute()
    here = Path("eco.toml").absolute()
    return here if here.exists() else None
