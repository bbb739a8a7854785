"""The closing line of a benchmark: rounds of ours and baseline, the ratio of their medians, and whether a bar holds."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Better = Literal["lower", "higher"]


def rounds_from_command_line(description: str) -> int:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7)
    rounds: int = parser.parse_args().rounds
    return rounds


def closing_line(
    benchmark: str,
    case: str,
    unit: str,
    better: Better,
    rounds: Sequence[Mapping[str, float]],
    bar: float,
    settings: Mapping[str, Any],
    *,
    bar_on: Literal["ratio", "ours"] = "ratio",
    **more: Any,
) -> bool:
    """Print one JSON line and answer whether the bar holds. Each round: {"ours": number, "baseline": number}.

    The bar is on the ratio of the medians; `bar_on="ours"` puts it on our own figure, for what has a bar of its own.
    """
    ours = statistics.median(one["ours"] for one in rounds)
    baseline = statistics.median(one["baseline"] for one in rounds)
    ratio = ours / baseline if baseline else None
    figure = ours if bar_on == "ours" else ratio
    assert figure is not None, "a bar on the ratio needs a baseline above zero"
    holds = figure <= bar if better == "lower" else figure >= bar
    line = {
        "benchmark": benchmark, "case": case, "unit": unit, "better": better,
        "rounds": [{name: round(value, 6) for name, value in one.items()} for one in rounds],
        "ratio": None if ratio is None else round(ratio, 3), "bar": bar, "holds": holds,
        "settings": dict(settings) | {"cores": os.cpu_count(), "python": platform.python_version()},
    }  # fmt: skip
    print(json.dumps(line | more), flush=True)
    return holds
