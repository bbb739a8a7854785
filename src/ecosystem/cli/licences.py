"""The licences of everything the lock installs: only those that let a company ship and change the platform."""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from ecosystem.cli.project import ROOT

ALLOWED = re.compile(
    r"\b(MIT(-0)?|MIT-CMU|BSD(-[123]-Clause)?|0BSD|ISC|Apache(-2\.0)?|Apache (Software )?License|PSF(-2\.0)?|"
    r"Python Software Foundation|MPL(-2\.0)?|Mozilla Public License|LGPL(v?[23][\d.+]*)?|Lesser General Public|"
    r"PostgreSQL|Unlicense|Zlib|HPND|CC0(-1\.0)?|ZPL(-2\.1)?)\b",
    re.IGNORECASE,
)
REFUSED = re.compile(r"(?<!L)\bA?GPL|(?<!Lesser )General Public License|SSPL|BUSL|Commons Clause", re.IGNORECASE)


def licence_of(package: Distribution) -> str:
    """What the package says of itself: SPDX expression (PEP 639), classifiers, or the old free text."""
    meta = package.metadata
    expression = meta["License-Expression"]
    classifiers = [c.rpartition("::")[2].strip() for c in meta.get_all("Classifier", []) if c.startswith("License ::")]
    text = (meta["License"] or "").strip().splitlines()
    return expression or "; ".join(classifiers) or (text[0] if text else "")


def verdict(licence: str) -> str | None:
    """Why a licence is refused, or None. A choice (`A OR B`) passes when one side does."""
    choices = re.split(r"\bOR\b", licence)
    if any(ALLOWED.search(choice) and not REFUSED.search(choice.replace("LGPL", "")) for choice in choices):
        return None
    return "is not among the licences we accept" if licence else "says nothing about its licence"


def main() -> int:
    names = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    refused = []
    for name in names:
        try:
            licence = licence_of(distribution(name))
        except PackageNotFoundError:
            continue  # Locked for another system or Python.
        if reason := verdict(licence):
            refused.append(f"{name}: {licence or 'no licence'} {reason}")
    print("\n".join(refused) or f"{len(names)} packages, every licence accepted")  # noqa: T201
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
