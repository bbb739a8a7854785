"""`eco rules`: what documents are judged by; check and test rules, explain a judgement, recompute them all."""

import argparse
from pathlib import Path
from typing import Any, Protocol

from ecosystem.cli import explaining, screen
from ecosystem.cli.noun import Verb, company_option, run_noun
from ecosystem.cli.operator import connect, connect_for
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.words import counted
from ecosystem_client import ApiError, Ecosystem
from ecosystem_client.models import Document, Judgement, RuleSet

SUMMARY = "Rule sets: list, show, check, test, explain, replay."
STYLES = {"passed": "green", "failed": "red", "same": "green", "different": "red", "not judged": "dim"}


class Bench(Protocol):
    """Rules as `ecosystem.services.creditx.judging.bench` applies them, without a platform."""

    def shipped(self) -> dict[str, str]: ...
    def check(self, text: str) -> dict[str, Any]: ...
    def test(self, text: str) -> dict[str, Any]: ...
    def recompute(self, text: str, inputs: Any) -> dict[str, Any]: ...


class RuleSetUnreadable(EcosystemError):
    code, kind, severity = "rule_set_unreadable", Kind.PERMANENT, Severity.LOW
    rule = "A rule set is a text file in UTF-8."
    suggestion = "docs/guides/write-a-rule.md says how one is written"


class RuleSetDiffers(EcosystemError):
    code, kind, severity = "rule_set_differs", Kind.PERMANENT, Severity.CRITICAL
    rule = "The text of a version that judged a document never changes."


def main(arguments: list[str], bench: Bench) -> int:
    """`bench` is found by `__main__`: commands import no service."""
    verbs = (
        Verb("list", "List the versions of rule sets that judge or have judged.", _list),
        Verb("show", "Show the text of a rule set.", _show, _show_options),
        Verb("check", "Say by line what is wrong with a rule set; needs no platform.", _check(bench), _file),
        Verb("test", "Run the tests inside a rule set; needs no platform.", _test(bench), _file_or_shipped),
        Verb("explain", "Explain one judgement in sentences, and recompute it.", _explain(bench), _one),
        Verb("replay", "Recompute stored judgements here, and say where one differs.", _replay(bench), _replay_options),
    )
    return run_noun("rules", SUMMARY, verbs, arguments)


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--version", type=int, help="default: the newest")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")


def _file_or_shipped(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: those that come with the platform")


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("document_id", metavar="DOCUMENT_ID")
    company_option(parser)


def _replay_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="DATE", type=explaining.moment, help="documents uploaded from then on")
    company_option(parser)


def _list(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        found = ecosystem.rule_sets.list()
    if parsed.json:
        screen.as_json({"items": [one.raw for one in found]})
        return 0
    rows = [(one.name, one.version, "yes" if one.current else "", one.rules, one.title, one.sha256) for one in found]
    screen.table(("name", "version", "current", "rules", "title", "sha256"), rows)
    return 0


def _show(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        found = ecosystem.rule_sets.get(parsed.name, parsed.version)
    if parsed.json:
        screen.as_json(found.raw)
    else:
        screen.out((found.text or "").rstrip())
    return 0


def _check(bench: Bench) -> Any:
    def check(parsed: argparse.Namespace) -> int:
        """One line a problem, as compilers print them."""
        found = bench.check(_text(parsed.file))
        if parsed.json:
            screen.as_json({"file": str(parsed.file), **found})
        elif not found["problems"]:
            screen.out(
                f"{found['name']} version {found['version']}: {counted(found['rules'], 'rule')},"
                f" {counted(found['tests_inside'], 'test')}."
                f" sha256 {found['sha256']}"
            )
        _tell_problems(parsed, found["problems"])
        return 1 if found["problems"] else 0

    return check


def _test(bench: Bench) -> Any:
    def test(parsed: argparse.Namespace) -> int:
        texts = {str(parsed.file): _text(parsed.file)} if parsed.file else bench.shipped()
        ran = [{"rule_set": name, **bench.test(text)} for name, text in texts.items()]
        if parsed.json:
            screen.as_json({"items": ran})
        else:
            for one in ran:
                _tell_problems(parsed, one["problems"])
            rows = [
                (one["rule_set"], test["name"], _word(test), "; ".join(test["wrong"]))
                for one in ran
                for test in one["tests"]
            ]
            if rows:
                screen.table(("rule set", "test", "result", "what came instead"), rows, STYLES)
            for one in ran:
                if not one["tests"]:
                    why = "it cannot be read" if one["problems"] else "there is none inside it"
                    screen.out(screen.clean(f"{one['rule_set']}: no test ran, {why}."))
        return 1 if any(one["problems"] or any(test["wrong"] for test in one["tests"]) for one in ran) else 0

    return test


def _explain(bench: Bench) -> Any:
    def explain(parsed: argparse.Namespace) -> int:
        with connect_for(parsed.company) as ecosystem:
            judgement = ecosystem.documents.judgement(parsed.document_id)
            again = bench.recompute(_text_of(ecosystem, judgement, {}), judgement.inputs)
        differing = explaining.differences(judgement, again)
        if parsed.json:
            screen.as_json({**judgement.raw, "recomputed": again, "differences": differing})
        else:
            for line in explaining.sentences(judgement):
                screen.out(screen.clean(line))
            same = "the same outcome, score and result of every rule."
            screen.out(f"Recomputed here from the kept facts: {'; '.join(differing) or same}")
        return 1 if differing else 0

    return explain


def _replay(bench: Bench) -> Any:
    def replay(parsed: argparse.Namespace) -> int:
        texts: dict[str, str] = {}
        rows = []
        with connect_for(parsed.company) as ecosystem:
            for document in ecosystem.documents.list(created_from=parsed.since, limit=100):
                rows.append(_again(bench, ecosystem, document, texts))
        counts = {word: sum(row["result"] == word for row in rows) for word in ("same", "different", "not judged")}
        if parsed.json:
            screen.as_json({"counts": counts, "items": rows})
        else:
            shown = [row for row in rows if row["result"] != "same"]
            if shown:
                columns = ("document_id", "result", "score", "recomputed", "said")
                screen.table(columns, [[row.get(column) for column in columns] for row in shown], STYLES)
            screen.out(
                f"Judgements recomputed to the same: {counts['same']}; different: {counts['different']};"
                f" documents without one (yet), or erased: {counts['not judged']}."
            )
        return 1 if counts["different"] else 0

    return replay


def _again(bench: Bench, ecosystem: Ecosystem, document: Document, texts: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"document_id": document.document_id, "score": document.compliance_score}
    try:
        judgement = ecosystem.documents.judgement(document.document_id)
    except ApiError as refusal:
        if refusal.status not in (409, 410):
            raise
        return row | {"result": "not judged", "said": refusal.code}
    again = bench.recompute(_text_of(ecosystem, judgement, texts), judgement.inputs)
    differing = explaining.differences(judgement, again)
    return row | {
        "result": "different" if differing else "same", "recomputed": again["score"], "said": "; ".join(differing),
        "inputs_kept": judgement.inputs_kept,
    }  # fmt: skip


def _text_of(ecosystem: Ecosystem, judgement: Judgement, texts: dict[str, str]) -> str:
    """The text whose hash stands with the decision. Raises RuleSetDiffers where the platform shows another."""
    if judgement.rule_set_sha256 not in texts:
        found: RuleSet = ecosystem.rule_sets.get(judgement.rule_set, judgement.rule_set_version)
        text = found.text or ""
        if explaining.sha256(text) != judgement.rule_set_sha256:
            raise RuleSetDiffers(
                f"Version {found.version} of {found.name} has the hash {explaining.sha256(text)},"
                f" and judged with {judgement.rule_set_sha256}."
            )
        texts[judgement.rule_set_sha256] = text
    return texts[judgement.rule_set_sha256]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RuleSetUnreadable(f"{file} is no text in UTF-8.") from None


def _word(test: dict[str, Any]) -> str:
    return "failed" if test["wrong"] else "passed"


def _tell_problems(parsed: argparse.Namespace, problems: list[dict[str, Any]]) -> None:
    if parsed.json:
        return
    for one in problems:
        rule = f"{one['rule']}: " if one["rule"] else ""
        screen.out(screen.clean(f"{parsed.file}:{one['line']}: {rule}{one['message']}"))
    if problems:
        screen.note("Next: docs/guides/write-a-rule.md says how a rule is written")
