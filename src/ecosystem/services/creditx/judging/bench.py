"""What a person who writes rules or audits judgements works with, on any machine: text in, plain values out.

The command line gets it from `__main__`, because it imports no service; nothing here needs a platform.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ecosystem.services.creditx.errors import RuleSetInvalid
from ecosystem.services.creditx.judging.judge import Judgement, judge
from ecosystem.services.creditx.judging.rule_set import Published, publish, shipped
from ecosystem.services.creditx.judging.trials import check, try_all


class Bench:
    def shipped(self) -> dict[str, str]:
        """The texts of the rule sets that come with the platform, by `name version n`."""
        return {
            f"{entry.rules.name} version {entry.rules.version}": entry.text
            for versions in shipped().values()
            for entry in versions
        }

    def check(self, text: str) -> dict[str, Any]:
        """What is wrong with a rule set: `{"problems": [{"line", "rule", "message"}…]}`, beside what it is if sound."""
        try:
            published = check(text)
        except RuleSetInvalid as error:
            return {"problems": error.details["problems"]}
        return {"problems": [], **_about(published)}

    def test(self, text: str) -> dict[str, Any]:
        """Each test of a rule set: `{"tests": [{"name", "line", "wrong": […]}…]}`, or its `problems`."""
        try:
            published = publish(text)
        except RuleSetInvalid as error:
            return {"problems": error.details["problems"], "tests": []}
        return {"problems": [], **_about(published), "tests": [asdict(one) for one in try_all(published)]}

    def recompute(self, text: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What the rules of `text` make of the kept facts: `sha256`, `outcome`, `score`, `reasons`, `results`.

        Raises RuleSetInvalid.
        """
        judgement = judge(publish(text), inputs, judged_at=datetime(1970, 1, 1, tzinfo=UTC))
        return {"sha256": hashlib.sha256(text.encode()).hexdigest(), **plain(judgement)}


def plain(judgement: Judgement) -> dict[str, Any]:
    """JSON-ready, as a stored judgement is shown."""
    return {
        "outcome": judgement.outcome.value, "score": None if judgement.score is None else str(judgement.score),
        "reasons": list(judgement.reasons), "open_rules": list(judgement.open_rules),
        "results": [result.model_dump(mode="json") for result in judgement.results],
    }  # fmt: skip


def _about(published: Published) -> dict[str, Any]:
    rules = published.rules
    return {
        "name": rules.name, "version": rules.version, "sha256": published.sha256, "rules": len(rules.rules),
        "tests_inside": len(rules.tests),
    }  # fmt: skip


BENCH = Bench()
