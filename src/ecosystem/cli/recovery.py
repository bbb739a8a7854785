"""`eco recovery`: faults of the platform, what was done about each, and what a person decides."""

import argparse
from collections.abc import Callable

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect
from ecosystem.contracts.recovery import RepairOutcome
from ecosystem_client import Ecosystem
from ecosystem_client.repairing import Episode, RecoveryKind, Repair

SUMMARY = "Faults, repairs, and calls that wait for an agent."
_STYLES = {"failed": "red", "proposed": "yellow", "done": "green", "paused": "yellow"}


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("status", "What is wrong now, what waits for a decision, and what is done about each kind.", _status),
        Verb("episodes", "Every fault that was seen, newest first.", _episodes, _episodes_options),
        Verb("actions", "What was done, tried or proposed, newest first.", _actions, _actions_options),
        Verb("show", "The story of one fault episode.", _show, _episode),
        Verb("queue", "Calls that wait for an agent that is away, the oldest first.", _queue, _queue_options),
        Verb("ask-again", "Bring a waiting call as soon as it is its turn, with all its attempts again.", _ask, _call),
        Verb("give-up", "End the wait of a call: its run goes on as after a failure.", _give_up, _call_and_reason),
        Verb("approve", "Have done what is proposed.", _approve, _action),
        Verb("refuse", "Leave undone what is proposed.", _refuse, _action_and_reason),
        Verb("undo", "Take back a pause, a resume, a refusal, or a fault declared over.", _undo, _action),
        Verb("clear", "Declare a fault over that nobody can see gone.", _clear, _episode_and_reason),
        Verb("pause", "Do nothing more about a kind of fault, or about any.", _pause, _kind),
        Verb("resume", "Repair again as configured.", _resume, _kind),
    )
    return run_noun("recovery", SUMMARY, verbs, arguments)


def _actions_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--outcome", choices=[outcome.value for outcome in RepairOutcome])
    paging_options(parser)


def _episodes_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--open", action="store_true", help="only those that are not over")
    paging_options(parser)


def _episode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("episode_id", metavar="EPISODE")


def _episode_and_reason(parser: argparse.ArgumentParser) -> None:
    _episode(parser)
    _reason(parser)


def _action(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action_id", metavar="ACTION")


def _action_and_reason(parser: argparse.ArgumentParser) -> None:
    _action(parser)
    _reason(parser)


def _queue_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agent", help="only calls to this agent")
    paging_options(parser)


def _call(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("call_id", metavar="CALL")


def _call_and_reason(parser: argparse.ArgumentParser) -> None:
    _call(parser)
    _reason(parser)


def _kind(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fault", nargs="?", metavar="KIND", help="as `status` lists them (default: all)")
    _reason(parser)


def _reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", help="why, in words that name nobody")


def _status(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        status = ecosystem.recovery.status()
    if parsed.json:
        screen.as_json(status.raw)
        return 0
    if status.open_episodes:
        screen.table(_EPISODE_COLUMNS, [_episode_row(one) for one in status.open_episodes])
    else:
        screen.out("Nothing is wrong.")
    if status.proposed:
        screen.out()
        screen.table(_COLUMNS, [_row(one) for one in status.proposed], _STYLES)
        screen.note("Next: eco recovery approve ACTION, or refuse")
    screen.out()
    screen.table(
        ("kind", "open", "repaired by", "what happens", "mode", "left this hour"), map(_kind_row, status.kinds), _STYLES
    )
    return 0


def _kind_row(one: RecoveryKind) -> tuple[object, ...]:
    """Mode and budget only where there is an action of recovery-agent to allow, to propose or to pause."""
    ours = (one.mode, f"{one.budget_left} of {one.budget}") if one.repair else ("", "")
    return (one.fault, one.open_episodes or "", one.repaired_by, one.remedy, *ours)


_EPISODE_COLUMNS = ("episode", "fault", "component", "seen", "person called", "over", "cause")


def _episode_row(one: Episode) -> tuple[object, ...]:
    times = (screen.when(one.observed_at), screen.when(one.help_at), screen.when(one.cleared_at))
    return (one.episode_id, one.fault, one.component, *times, one.cause)


def _episodes(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.recovery.episodes_page(only_open=parsed.open, limit=parsed.limit, cursor=cursor),
        )
    return show_page(parsed, page, _EPISODE_COLUMNS, _episode_row, empty="No fault was seen.")


_COLUMNS = ("action", "at", "what", "outcome", "component", "by", "reason")


def _row(one: Repair) -> tuple[object, ...]:
    by = one.decided_by or one.by
    return (one.action_id, screen.when(one.at), one.action, one.outcome, one.component, by, one.reason)


def _actions(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.recovery.actions_page(outcome=parsed.outcome, limit=parsed.limit, cursor=cursor),
        )
    empty = "No action fits." if parsed.outcome else "Nothing had to be repaired so far."
    return show_page(parsed, page, _COLUMNS, _row, empty=empty, styles=_STYLES)


def _show(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        story = ecosystem.recovery.story(parsed.episode_id)
    if parsed.json:
        screen.as_json(story)
        return 0
    for sentence in story["sentences"]:
        screen.out(screen.clean(sentence))
    return 0


def _decided(parsed: argparse.Namespace, decide: Callable[[Ecosystem], Repair]) -> int:
    with connect() as ecosystem:
        action = decide(ecosystem)
    if parsed.json:
        screen.as_json(action.raw)
        return 0
    screen.out(screen.clean(f"{action.action}: {action.outcome}. {action.reason}"))
    return 0 if action.outcome != RepairOutcome.FAILED else 1


def _approve(parsed: argparse.Namespace) -> int:
    code = _decided(parsed, lambda ecosystem: ecosystem.recovery.approve(parsed.action_id))
    if not parsed.json:
        screen.note("What did not help is proposed again. Next: eco recovery status")
    return code


def _refuse(parsed: argparse.Namespace) -> int:
    return _decided(parsed, lambda ecosystem: ecosystem.recovery.refuse(parsed.action_id, reason=parsed.reason))


def _undo(parsed: argparse.Namespace) -> int:
    return _decided(parsed, lambda ecosystem: ecosystem.recovery.undo(parsed.action_id))


def _clear(parsed: argparse.Namespace) -> int:
    return _decided(parsed, lambda ecosystem: ecosystem.recovery.clear(parsed.episode_id, reason=parsed.reason))


def _pause(parsed: argparse.Namespace) -> int:
    return _decided(parsed, lambda ecosystem: ecosystem.recovery.pause(parsed.fault, reason=parsed.reason))


def _resume(parsed: argparse.Namespace) -> int:
    code = _decided(parsed, lambda ecosystem: ecosystem.recovery.resume(parsed.fault, reason=parsed.reason))
    if parsed.fault is None and not parsed.json:
        with connect() as ecosystem:
            paused = [one.fault for one in ecosystem.recovery.status().kinds if one.mode == "paused"]
        for fault in paused:
            screen.note(f"{fault} stays paused by its name. Next: eco recovery resume {fault}")
    return code


def _queue(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.recovery.queue_page(agent=parsed.agent, limit=parsed.limit, cursor=cursor),
        )
    return show_page(
        parsed,
        page,
        ("call", "agent", "task", "since", "failures", "why", "run", "company"),
        lambda one: (one.call_id, one.agent_id, one.request_type, screen.when(one.waiting_since), one.failures,
                     "being asked" if one.is_asked else one.code, one.run_id, one.company_id),
        empty="No call waits for an agent.",
    )  # fmt: skip


def _ask(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        ecosystem.recovery.retry_call(parsed.call_id)
    return _said(parsed, "It is brought as soon as it is its turn.")


def _give_up(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        ecosystem.recovery.give_up_call(parsed.call_id, reason=parsed.reason)
    return _said(parsed, "Its run goes on as after a failure of the agent.")


def _said(parsed: argparse.Namespace, sentence: str) -> int:
    if parsed.json:
        screen.as_json({"call_id": parsed.call_id, "done": sentence})
    else:
        screen.out(sentence)
    return 0
