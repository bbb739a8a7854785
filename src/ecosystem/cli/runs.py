"""`eco runs`: the executions of workflows, with every transition and its time."""

import argparse

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect_for
from ecosystem.contracts.orchestrator import RunState
from ecosystem.kernel.words import counted
from ecosystem_client.models import Run, Step

SUMMARY = "Runs: list, show, explain, cancel, retry."
_STYLES = {"ERROR": "red", "FINALIZING": "green"}


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("list", "List the runs of a company, newest first.", _list, _list_options),
        Verb("show", "Show a run with its transitions.", _show, _one),
        Verb("explain", "Tell the whole story of a run or of a document, in plain sentences.", _explain, _item),
        Verb("cancel", "End a run that is under way.", _cancel, _one),
        Verb("retry", "Go on with a run that stays in ERROR.", _retry, _one),
    )
    return run_noun("runs", SUMMARY, verbs, arguments)


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", choices=[state.value for state in RunState])
    parser.add_argument("--workflow")
    paging_options(parser)
    company_option(parser)


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="ID")
    company_option(parser)


def _item(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("item_id", metavar="ID", help="the id of a run or of a document")
    company_option(parser)


def _list(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.runs.page(
                state=parsed.state, workflow=parsed.workflow, limit=parsed.limit, cursor=cursor
            ),
        )
    narrowed = parsed.state or parsed.workflow
    return show_page(
        parsed,
        page,
        ("id", "workflow", "state", "status", "started", "reason"),
        lambda run: (run.run_id, run.workflow, run.state, run.status, screen.when(run.created_at), run.reason),
        empty="No run fits." if narrowed else "No runs yet: an uploaded document starts one.",
        styles=_STYLES,
    )


def _show(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        return _shown(parsed, ecosystem.runs.get(parsed.run_id))


def _shown(parsed: argparse.Namespace, run: Run) -> int:
    if parsed.json:
        screen.as_json(run.raw)
        return 0
    screen.record(run.raw)
    if run.transitions:
        screen.out()
        rows = [(screen.when(step.at, exact=True), step.state, step.step, step.reason) for step in run.transitions]
        screen.table(("at", "state", "step", "reason"), rows, _STYLES)
    for loop in run.loops:
        screen.out()
        screen.out(f"{loop.name}: {loop.ended} of {counted(loop.passes, loop.each)}")
    for place in run.waiting:
        screen.out()
        before = f"behind {counted(place.before, 'other call')}" if place.before else "as the next"
        since = screen.when(place.waiting_since)
        screen.out(screen.clean(f"Step {place.step} waits for {place.agent_id} since {since}, {before}."))
    if run.steps:
        screen.out()
        calls = [
            (
                _name(step),
                step.agent,
                step.attempt,
                f"{(step.ended_at - step.began_at).total_seconds():.3f} s",
                step.code,
            )
            for step in run.steps
        ]
        screen.table(("step", "agent", "attempt", "took", "code"), calls)
    if run.state == RunState.ERROR:
        screen.note(f"Next: eco runs retry {run.run_id}")
    return 0


def _name(step: Step) -> str:
    return step.name if step.pass_number is None else f"{step.name} {step.pass_number}"


def _explain(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        story = ecosystem.runs.story(parsed.item_id)
    if parsed.json:
        screen.as_json(story.raw)
        return 0
    for moment in story.moments:
        screen.out(f"{screen.when(moment.at, exact=True)}  {screen.clean(moment.sentence)}")
    if not story.is_whole:
        screen.note("Not everything was looked at: the story is too long, or too far back in the log.")
    return 0


def _cancel(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        return _shown(parsed, ecosystem.runs.cancel(parsed.run_id))


def _retry(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        return _shown(parsed, ecosystem.runs.retry(parsed.run_id))
