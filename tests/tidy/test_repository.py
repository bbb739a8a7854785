"""Goal: nothing of a machine, a secret or a registry gets into the repository. Method: read every tracked file."""

import re

import pytest

from tests.tidy.tree import ROOT, files, text

BINARY = (".png", ".pdf", ".jpg", ".gz", ".ico", ".woff2")
READABLE = [name for name in files() if not name.endswith(BINARY)]


def found(pattern: str, names: list[str]) -> list[str]:
    expression = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in names
        if not name.startswith("tests/tidy/")
        for number, line in enumerate(text(name).splitlines(), 1)
        if expression.search(line)
    ]


def test_no_absolute_path_of_a_machine() -> None:
    assert found(r"(?<![\w.$}~])/(work|farm|root|home/[a-z]+|Users/\w+)/", READABLE) == []


def test_no_address_of_a_package_registry() -> None:
    hosts = r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|crates\.io|--index-url|--find-links"

    assert found(hosts, READABLE) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_versions_and_hashes_only(lock: str) -> None:
    strange = [
        line
        for line in text(lock).splitlines()
        if not re.match(r"^(#.*|    --hash=sha256:[0-9a-f]{64}( \\)?|[A-Za-z0-9._\[\]-]+==\S+( ; .+?)?( \\)?)$", line)
    ]

    assert strange == []


def test_no_secret() -> None:
    keys = r"BEGIN (EC |RSA |OPENSSH )?PRIVATE KEY|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}|xox[bap]-[0-9A-Za-z-]{20}"

    assert found(keys, READABLE) == []


def test_nothing_binary_but_our_own_pictures() -> None:
    strange = [name for name in files() if name.endswith(BINARY) and not name.startswith("docs/")]

    assert strange == []


def test_scripts_are_executable() -> None:
    assert [name for name in ("eco", ".ci/run") if not (ROOT / name).stat().st_mode & 0o100] == []
