"""Goal: the guide "write a rule" is true. Method: write its file, run its commands, compare what it says they print."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from ecosystem.cli import company, documents, login, reviews, rules
from ecosystem.cli.operator import FIRST_CREDENTIAL
from ecosystem.services.creditx.judging.bench import BENCH
from ecosystem.services.creditx.judging.form import VARIABLES
from tests.client.twin import Twin, served
from tests.support.judged import judging_app
from tests.tidy.tree import ROOT

GUIDE = (ROOT / "docs/guides/write-a-rule.md").read_text()
_NOUNS = {"documents": documents.main, "reviews": reviews.main}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Path]:
    """A working directory with the guide's file, and a home whose platform is a twin with two judged documents."""
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    (work / "invoices.yaml").write_text(re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[0])
    (work / "invoice.pdf").write_bytes(b"%PDF-1.7")
    (home / FIRST_CREDENTIAL).parent.mkdir(parents=True)
    (home / FIRST_CREDENTIAL).write_text("once\n")
    monkeypatch.setenv("ECO_HOME", str(home))
    monkeypatch.chdir(work)
    with served(judging_app(Twin(looks_until_done=1))) as url:
        (home / "state.json").write_text(json.dumps({"edge_url": url, "edge_ca": certifi.where()}))
        assert login.main([]) == company.main(["create", "Alder AG"]) == 0
        capsys.readouterr()
        yield work


def test_every_command_does_what_the_guide_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = 0
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL):
        for command, promised in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE):
            printed = _run(shlex.split(command), folder, capsys)
            for line in promised.splitlines():
                assert " ".join(line.split()) in " ".join(printed.split()), command
            ran += 1
    assert ran == 11


def test_every_name_that_a_rule_may_look_at_is_explained() -> None:
    table = GUIDE[GUIDE.index("| name | is |") :]
    named = set(
        re.findall(r"`([a-z_]+)(?:\.[a-z]+)?`", "".join(row.split("|")[1] for row in table.splitlines() if "|" in row))
    )

    assert set(VARIABLES) - named == {"pages_without_text"}


def _run(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    if words[0] == "sed":
        _, was, becomes, _ = words[2].split("/")
        file = folder / words[3]
        file.write_text(file.read_text().replace(was, becomes, 1))
        return ""
    noun, arguments = words[1], words[2:]
    code = rules.main(arguments, BENCH) if noun == "rules" else _NOUNS[noun](arguments)
    printed = capsys.readouterr().out
    assert code == (1 if "cannot be decided" in printed else 0), (words, printed)
    return printed
