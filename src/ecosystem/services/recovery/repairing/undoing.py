"""Why a repair is not undone, in one sentence each, and what can be done instead."""

from ecosystem.contracts.recovery import RepairOutcome
from ecosystem.services.recovery.errors import CannotBeUndone
from ecosystem.services.recovery.model import END_SESSION, REDELIVER, RESTART, RESTORE, TAKE_RUN, Action

_WHY = {
    RESTART: (
        "The process that ended does not come back; another stands in its place.",
        "`eco restart SERVICE` starts it anew, also one that was stopped after too many ends.",
    ),
    END_SESSION: (
        "A session that was ended does not come back: its program connects again by itself.",
        "`eco recovery pause horizon_held` keeps it from happening again.",
    ),
    REDELIVER: (
        "What was handed over again is handled by now, or a dead letter once more.",
        "`eco events dead-letters` lists what is.",
    ),
    TAKE_RUN: (
        "Another worker may have taken the next step already.",
        "`eco runs explain RUN` tells who works on it; `eco runs cancel RUN` ends it.",
    ),
    RESTORE: (
        "What was damaged is gone, and what stands there now is what was put.",
        "`eco engines objects` shows the last check.",
    ),
}
_OUTCOMES = {
    RepairOutcome.UNDONE: ("It is undone already.", "`eco recovery actions` shows what followed."),
    RepairOutcome.PROPOSED: ("Nothing was done yet.", "eco recovery refuse ACTION"),
    RepairOutcome.REFUSED: ("The fault was over before anybody decided.", "Nothing is left to do."),
    RepairOutcome.FAILED: ("It failed, so it changed nothing.", "`eco recovery show EPISODE` tells why."),
}


def why_not_undone(action: Action) -> CannotBeUndone:
    """For what undoing would help nobody, or is not possible."""
    why = _OUTCOMES.get(action.outcome) or _WHY.get(action.action)
    return CannotBeUndone(why[0], suggestion=why[1]) if why else CannotBeUndone()
