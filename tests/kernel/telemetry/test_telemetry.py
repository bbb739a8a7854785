"""Goal: what a process says can be read by machines and holds no personal data. Method: lines and spans, as written."""

import asyncio
import errno
import io
import json
import logging as standard
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from ecosystem.kernel import context
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.telemetry import log as logging
from ecosystem.kernel.telemetry import tracing
from ecosystem.kernel.telemetry.export import SpanFile
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import Metrics
from ecosystem.kernel.telemetry.settings import TelemetrySettings
from ecosystem.kernel.telemetry.tracing import SpanKind, mark_failed, span

COMPANY = UUID("00000000-0000-7000-8000-00000000000a")
KEPT, DROPPED = "0" * 28 + "0001", "1" * 28 + "ffff"


class Said:
    def __init__(self) -> None:
        self.stream = io.BytesIO()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    @property
    def text(self) -> str:
        return self.stream.getvalue().decode()


@pytest.fixture
def said() -> Iterator[Said]:
    said = Said()
    logging.configure("creditx-service", stream=said.stream)
    yield said
    logging.configure("creditx-service")


class TestLog:
    def test_a_line_has_exactly_the_fields_of_the_design(self, said: Said) -> None:
        with context.scope(company_id=COMPANY, user_id="u1", trace_id=KEPT, agent_id="validation-agent"):
            log.info("document received", document_id=COMPANY, pages=3)

        [line] = said.lines()
        assert line.pop("timestamp").endswith("Z")
        assert line == {
            "level": "info", "service": "creditx-service", "agent": "validation-agent", "trace_id": KEPT,
            "user_id": "u1", "company_id": str(COMPANY), "message": "document received",
            "context": {"document_id": str(COMPANY), "pages": 3},
        }  # fmt: skip

    @pytest.mark.parametrize(
        "value",
        [
            "CH93 0076 2011 6238 5295 7", "CH9300762011623852957", "DE89370400440532013000", "amy@example.com",
            "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl", "+41 79 123 45 67", SecretStr("hunter2"), b"%PDF-1.7",
            {"person_name": "Amy Adams"}, ["amy@example.com"], {"deep": {"iban": "x"}},
        ],
    )  # fmt: skip
    def test_personal_values_are_hidden(self, said: Said, value: Any) -> None:
        log.info("seen", value=value)

        # Not in the whole line: the digits of its time may be any.
        told = json.dumps(said.lines()[0]["context"])
        for personal in ("0076", "8937", "example.com", "eyJzdWIi", "79 123", "hunter2", "%PDF", "Adams"):
            assert personal not in told

    def test_ids_and_measures_stay(self, said: Said) -> None:
        about = {"request_id": "01a20bd9-245d-774d-ad13-e8782466991e", "ms": 1.5, "code": "payload_invalid", "ok": True}
        log.info("seen", **about)

        assert said.lines()[0]["context"] == about

    def test_an_exception_is_told_without_its_text(self, said: Said) -> None:
        try:
            raise ValueError("Amy Adams, born 1990")
        except ValueError as error:
            log.error("failed", exc_info=error)

        told = said.lines()[0]["context"]["error"]
        assert told["type"] == "ValueError"
        assert "test_an_exception_is_told_without_its_text" in told["at"][-1]
        assert "Adams" not in said.text

    def test_our_own_errors_are_told_with_code_and_text(self, said: Said) -> None:
        log.error("failed", exc_info=Unavailable("creditx-service is not running."))

        told = said.lines()[0]["context"]["error"]
        assert (told["code"], told["text"]) == ("unavailable", "creditx-service is not running.")

    def test_libraries_speak_through_us(self, said: Said) -> None:
        standard.getLogger("some.library").warning("mail to %s failed", "amy@example.com")
        standard.getLogger("some.library").info("chatter")

        [line] = said.lines()
        assert (line["level"], line["context"]["text"]) == ("warning", "mail to [hidden] failed")

    def test_a_line_that_cannot_be_written_stops_nobody(self) -> None:
        class FullDisk(io.BytesIO):
            full = True

            def flush(self) -> None:
                if self.full:
                    raise OSError(errno.ENOSPC, "No space left on device")

        disk = FullDisk()
        logging.configure("creditx-service", stream=disk)
        log.info("lost or late")
        disk.full = False
        log.info("written again")
        logging.configure("creditx-service")

        assert json.loads(disk.getvalue().splitlines()[-1])["message"] == "written again"

    def test_no_line_breaks_a_line(self, said: Said) -> None:
        log.info("seen", value='x\n{"level": "forged"}')

        assert len(said.text.splitlines()) == 1


class TestSpans:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Iterator[SpanFile]:
        spans = SpanFile(TelemetrySettings(traces_folder=tmp_path, traces_flush_seconds=0.05), "creditx-1")
        tracing.configure("creditx-service", "1", spans)
        yield spans
        tracing.configure("creditx-service", "1", None)

    def spans(self, file: SpanFile, folder: Path) -> list[dict[str, Any]]:
        file.shutdown()
        written = folder / "creditx-1.jsonl"
        lines = written.read_text().splitlines() if written.exists() else []
        return [item for line in lines for item in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]]

    def test_a_tenth_of_the_traces_and_every_error(self, file: SpanFile, tmp_path: Path) -> None:
        with context.scope(trace_id=KEPT, span_id="a" * 16), span("kept", SpanKind.SERVER, {"n": 1}):
            pass
        with context.scope(trace_id=DROPPED, span_id="a" * 16):
            with span("dropped"):
                pass
            with pytest.raises(ValueError, match="Amy"), span("failed"):
                raise ValueError("Amy Adams")
            with span("marked") as current:
                mark_failed(current, "payload_invalid")

        spans = self.spans(file, tmp_path)
        assert [item["name"] for item in spans] == ["kept", "failed", "marked"]
        assert spans[0]["traceId"] == KEPT
        assert spans[0]["parentSpanId"] == "a" * 16
        assert spans[0]["kind"] == 2
        assert spans[0]["attributes"] == [{"key": "n", "value": {"intValue": "1"}}]
        assert int(spans[0]["endTimeUnixNano"]) >= int(spans[0]["startTimeUnixNano"])
        assert spans[1]["status"] == {"code": 2, "message": "internal_error"}
        assert "Adams" not in json.dumps(spans)

    def test_a_child_names_its_parent_and_the_context_carries_it(self, file: SpanFile, tmp_path: Path) -> None:
        with context.scope(trace_id=KEPT), span("outer") as outer:
            header = tracing.traceparent()
            with span("inner"):
                assert context.current().trace_id == KEPT

        inner, found = self.spans(file, tmp_path)
        assert inner["parentSpanId"] == found["spanId"] == outer.span_id
        assert "parentSpanId" not in found
        assert header == f"00-{KEPT}-{outer.span_id}-01"

    def test_without_a_trace_one_begins(self) -> None:
        with span("first") as one, span("second") as two:
            assert one.trace_id == two.trace_id
        with span("third") as three:
            assert three.trace_id != one.trace_id
        assert context.current().trace_id is None

    async def test_it_flushes_by_itself_and_a_full_queue_drops_and_counts(self, tmp_path: Path) -> None:
        settings = TelemetrySettings(traces_folder=tmp_path, traces_flush_seconds=0.05, traces_queue_spans_max=64)
        spans, stop = SpanFile(settings, "creditx-1"), asyncio.Event()
        tracing.configure("creditx-service", "1", spans, ratio=1)
        for number in range(70):
            with span(f"s{number}"):
                pass
        tracing.configure("creditx-service", "1", None)
        running = asyncio.create_task(spans.run(stop))
        stop.set()
        await running

        assert spans.dropped == 6
        assert len(self.spans(spans, tmp_path)) == 64

    def test_a_full_file_is_put_aside(self, tmp_path: Path) -> None:
        settings = TelemetrySettings(traces_folder=tmp_path, traces_file_bytes_max=65536)
        spans = SpanFile(settings, "creditx-1")
        tracing.configure("creditx-service", "1", spans, ratio=1)
        for _ in range(300):
            with span("x" * 200):
                pass
            spans.flush()
        tracing.configure("creditx-service", "1", None)
        spans.shutdown()

        assert (tmp_path / "creditx-1.jsonl.1").stat().st_size > 65536
        assert (tmp_path / "creditx-1.jsonl").stat().st_size < 65536 * 2


def test_metrics_have_the_names_of_the_design() -> None:
    text = Metrics().render().decode()

    for name in (
        "http_request_duration_seconds", "http_requests_total", "database_query_duration_seconds", "cache_hit_ratio",
        "agent_execution_duration_seconds", "circuit_breaker_state_changes",
    ):  # fmt: skip
        assert f"# TYPE {name}" in text
