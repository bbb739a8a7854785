"""Goal: what happened to processes can be read whatever dies. Method: a journal, cut off and full as disks do it."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from ecosystem.fleet.journal import Journal, What, former, last_sequence


def lines(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def a_journal(file: Path, bytes_max: int = 10**6, life: str = "2026-11-26T03:00:00+00:00") -> Journal:
    return Journal(file, bytes_max, life)


def test_an_end_is_kept_with_its_cause(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    a_journal(file).write(
        "creditx-1", "service", What.ENDED, service="creditx-service", planned=False, reason="ended by SIGKILL",
        restarts=1,
    )  # fmt: skip

    (line,) = lines(file)
    assert (line["sequence"], line["process"], line["what"], line["planned"]) == (1, "creditx-1", "ended", False)
    assert (line["reason"], line["restarts"], line["life"]) == ("ended by SIGKILL", 1, "2026-11-26T03:00:00+00:00")
    assert "lines" not in line


def test_numbers_go_on_over_lives_and_files(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    for life in ("first", "second"):
        journal = a_journal(file, bytes_max=600, life=life)
        for _ in range(4):
            journal.write("cache", "engine", What.READY)

    kept = [(line["life"], line["sequence"]) for one in (former(file), file) if one.exists() for line in lines(one)]
    assert kept[-1] == ("second", 8)
    assert [number for _, number in kept] == list(range(kept[0][1], 9))
    assert file.stat().st_size <= 600 if file.exists() else True


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    a_journal(file).write("cache", "engine", What.READY)
    with file.open("ab") as stream:
        stream.write(b'{"sequence": 2, "proc')
    a_journal(file).write("cache", "engine", What.ENDED, planned=False)

    whole = [line for line in file.read_bytes().splitlines() if line.endswith(b"}")]
    assert [orjson.loads(line)["sequence"] for line in whole] == [1, 2]
    assert last_sequence(file) == 2


def test_a_full_disk_loses_nothing_and_fails_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, write = tmp_path / "journal.jsonl", os.write
    journal = a_journal(file)
    # The disk takes ten bytes and no more, as ENOSPC in the middle of a line shows itself.
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:10]))
    journal.write("creditx-1", "service", What.ENDED, planned=False)
    assert file.read_bytes() == b""

    monkeypatch.setattr(os, "write", write)
    journal.write("creditx-1", "service", What.READY, planned=False)

    assert [line["what"] for line in lines(file)] == ["ended", "ready"]


def test_lines_beyond_what_is_kept_are_given_up_oldest_first(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    journal = a_journal(folder / "journal.jsonl")
    for _ in range(1001):
        journal.write("creditx-1", "service", What.ENDED, planned=False)
    folder.mkdir()
    journal.flush()

    assert [line["sequence"] for line in lines(folder / "journal.jsonl")] == list(range(2, 1002))
