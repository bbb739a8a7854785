"""Goal: logs are kept within their size, and shown as they were asked for. Method: files as services write."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecosystem.cli import logs
from ecosystem.cli.logs import Filter, files_of, parse, shown
from ecosystem.fleet.logs import last_words, note, open_log, turn_over
from ecosystem.kernel.errors import NotFound

LINE = '{"timestamp":"2026-11-24T05:00:00.123Z","level":"error","service":"creditx-service","trace_id":"t1",' \
    '"message":"service failed","context":{"error":{"type":"X","text":"no room"}}}'  # fmt: skip
# The cache tells the time of its machine.
LOCAL_HOUR = datetime(2026, 11, 24, 9, 51, 30).astimezone(UTC).hour
EPOCH = datetime.fromtimestamp(0, UTC)


def test_a_log_beyond_its_size_is_turned_over_under_its_writer(tmp_path: Path) -> None:
    writer = open_log(tmp_path, "creditx-1")
    os.write(writer, b"x" * 100)
    turn_over(tmp_path, 50)
    os.write(writer, b"after")
    os.close(writer)

    assert (tmp_path / "creditx-1.log").read_bytes() == b"after"
    assert (tmp_path / "creditx-1.log.1").read_bytes() == b"x" * 100


@pytest.mark.parametrize(
    ("content", "words"),
    [(LINE, "service failed: no room"), ("FATAL: no room\n\n", "FATAL: no room"), ('{"level":"info"}', ""), ("", "")],
)
def test_the_last_words_are_the_reason_of_an_end(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "creditx-1.log").write_text(content)

    assert last_words(tmp_path, "creditx-1") == words


def test_neither_half_a_line_nor_a_warning_is_the_reason_of_an_end(tmp_path: Path) -> None:
    long = '{"level":"info","message":"request answered","context":{"about":"' + "x" * 20_000 + '"}}'
    warning = '{"level":"warning","message":"a circuit breaker changed"}'
    (tmp_path / "creditx-1.log").write_text(f"{long}\n{warning}\n")

    assert last_words(tmp_path, "creditx-1") == ""


def test_words_of_a_former_life_are_no_reason(tmp_path: Path) -> None:
    log = tmp_path / "creditx-1.log"
    log.write_text(f"{LINE}\n")
    begun_at = log.stat().st_size

    assert last_words(tmp_path, "creditx-1", begun_at) == ""
    log.write_text(f"{LINE}\nthis life\n")
    assert last_words(tmp_path, "creditx-1", begun_at) == "this life"
    log.write_text("after a turn-over\n")
    assert last_words(tmp_path, "creditx-1", begun_at) == "after a turn-over"


def test_a_cache_that_only_tells_gives_no_reason_of_its_end(tmp_path: Path) -> None:
    (tmp_path / "cache.log").write_text("7:M 24 Nov 2026 09:51:30.279 * Ready to accept connections unix\n")
    assert last_words(tmp_path, "cache") == ""
    (tmp_path / "cache.log").write_text("7:M 24 Nov 2026 09:51:30.279 # Out of memory\n")
    assert last_words(tmp_path, "cache") == "7:M 24 Nov 2026 09:51:30.279 # Out of memory"


def test_lines_without_a_time_stand_at_that_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECO_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "postgresql.log").write_text("syncing data\n2026-11-24 05:00:00.123 UTC [7] LOG:  up\n")
    logs.main(["--since", "2026-11-24T05:00:00Z"])

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("05:00:00.123")
    assert second.startswith("05:00:00.123")


def test_that_nothing_was_found_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECO_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    logs.main(["--trace", "nowhere"])

    assert capsys.readouterr() == ("", "No line fits.\n")


def test_what_the_supervisor_notes_is_a_line_like_others(tmp_path: Path) -> None:
    note(tmp_path, "warning", "creditx-1: ended by SIGKILL")
    (file,) = files_of(tmp_path, "supervisor")
    line = parse("supervisor", file.read_text(), EPOCH)

    assert (line.level, line.text) == ("warning", "creditx-1: ended by SIGKILL")
    assert line.at > EPOCH


def test_a_name_means_its_slots(tmp_path: Path) -> None:
    for name in ("creditx-1", "creditx-2", "postgres-1", "postgresql"):
        (tmp_path / f"{name}.log").touch()

    assert [file.stem for file in files_of(tmp_path, "creditx-service")] == ["creditx-1", "creditx-2"]
    assert [file.stem for file in files_of(tmp_path, "creditx-2")] == ["creditx-2"]
    assert [file.stem for file in files_of(tmp_path, "postgresql")] == ["postgresql"]
    assert len(files_of(tmp_path, None)) == 4
    with pytest.raises(NotFound):
        files_of(tmp_path, "nobody")


def test_a_refusal_of_the_edge_is_found_by_its_request() -> None:
    line = parse("edge", '{"timestamp": "2026-11-24T05:00:00Z", "request_id": "r1", "trace_id": "t1"}', EPOCH)

    assert [Filter(None, "debug", trace).wants(line) for trace in ("r1", "t1", "x")] == [True, True, False]


def test_a_request_at_the_edge_says_what_was_asked_and_how_it_ended() -> None:
    line = parse(
        "edge", '{"timestamp":"2026-11-24T05:00:00.123Z","message":"request","method":"GET","path":"/v1/runs",'
        '"status":503,"duration_ms":24,"attempts":4,"upstream":"orchestrator-agent","trace_id":"t1"}', EPOCH,
    )  # fmt: skip

    assert shown(line) == (
        "05:00:00.123 info     edge             request method=GET path=/v1/runs status=503 duration_ms=24 attempts=4"
        " upstream=orchestrator-agent trace_id=t1"
    )


def test_lines_are_filtered_by_time_level_and_trace() -> None:
    line = parse("creditx-1", LINE, EPOCH)

    assert Filter(None, "error", "t1").wants(line)
    assert not Filter(None, "critical", None).wants(line)
    assert not Filter(None, "debug", "t2").wants(line)
    assert not Filter(datetime(2026, 11, 24, 6, tzinfo=UTC), "debug", None).wants(line)


@pytest.mark.parametrize(
    ("raw", "level", "hour"),
    [
        ("2026-11-24 05:00:00.123 UTC [7] FATAL:  no", "critical", 5),
        ("[2026-11-24 07:00:00.123][1][warning][main] [source] x", "warning", 7),
        ("2026-11-24 05:00:00.123 UTC [7] FATAL:  terminating connection due to administrator command", "info", 5),
        ("2026-11-24 05:00:00.123 UTC [7] FATAL:  the database system is starting up", "info", 5),
        ("25572:M 24 Nov 2026 09:51:30.279 # WARNING Memory overcommit must be enabled!", "warning", LOCAL_HOUR),
        ("25572:M 24 Nov 2026 09:51:30.282 * Configuration loaded", "info", LOCAL_HOUR),
        ("Traceback (most recent call last):", "info", 0),
    ],
)
def test_engines_speak_their_own_way(raw: str, level: str, hour: int) -> None:
    line = parse("postgresql", raw, EPOCH)

    assert (line.level, line.at.hour) == (level, hour)
