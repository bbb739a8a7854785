"""Goal: what an instance counts is read as it was counted, whatever stands in a label. Method: prometheus_client writes
and its own parser reads the same; an instance is asked over HTTP by the names that are wanted."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.http.health import Health, answer
from ecosystem.kernel.http.scraping import samples
from ecosystem.kernel.telemetry.metrics import Metrics

texts = some.text(some.characters(codec="utf-8"))


@given(texts, texts, some.floats(0, 1e12))
def test_it_is_read_as_the_library_reads_it(first: str, second: str, value: float) -> None:
    registry = CollectorRegistry()
    Counter("things_total", "x", ("a", "b"), registry=registry).labels(first, second).inc(value)
    text = generate_latest(registry).decode()
    (theirs,) = [
        one for family in text_string_to_metric_families(text) for one in family.samples if one.name == "things_total"
    ]
    (ours,) = samples(text, ["things_total"])

    assert (ours.name, ours.labels, ours.value) == (theirs.name, theirs.labels, theirs.value)
    assert ours.labels == {"a": first, "b": second}


def test_only_what_was_asked_for_is_told() -> None:
    metrics = Metrics()
    metrics.http_requests_total.labels("GET", "/v1/x", "200").inc()
    metrics.cache_failures_total.labels("get").inc()
    health = Health("x", "1", "i", SystemClock().now())
    named = bytes(answer("/metrics", health, metrics, "name[]=http_requests_total").body).decode()

    assert [one.name for one in samples(named, ["http_requests_total", "cache_failures_total"])] == [
        "http_requests_total"
    ]
    assert "cache_failures_total{" in bytes(answer("/metrics", health, metrics).body).decode()


@pytest.mark.parametrize(
    "line", ["x_total{broken 1", 'x_total{a="b} 1', "x_total one", 'x_total{a="b"}1', "x_total ", "x_total{a=b} 1"]
)
def test_what_is_no_such_text_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"text format|could not convert"):
        samples(line, ["x_total"])
