"""What recovery-agent refuses."""

from ecosystem.kernel.errors import Conflict, EcosystemError, Kind, NotFound


class EpisodeUnknown(NotFound):
    code = "episode_unknown"
    rule = "There is no fault episode with this id."
    suggestion = "`eco recovery status` lists the open ones."


class EpisodeOver(Conflict):
    code = "episode_over"
    rule = "This fault is over already."
    suggestion = "`eco recovery show EPISODE` tells its story."


class ActionUnknown(NotFound):
    code = "action_unknown"
    rule = "There is no action with this id."
    suggestion = "`eco recovery actions` lists them."


class ActionNotOpen(Conflict):
    code = "action_not_open"
    rule = "Only an action that is proposed can be approved or refused."
    suggestion = "`eco recovery actions` shows what became of it."


class CannotBeUndone(Conflict):
    code = "cannot_be_undone"
    rule = "A repair changed the world, and the world went on from there."
    suggestion = "`eco recovery pause KIND` keeps it from happening again."


class FaultPaused(Conflict):
    code = "fault_paused"
    rule = "Nothing is done about a kind of fault that is paused."
    suggestion = "eco recovery resume KIND"


class PauseUseless(Conflict):
    code = "pause_useless"
    rule = "Only what recovery-agent repairs can be paused by its kind."
    suggestion = "`eco recovery status` says who repairs each kind."


class WorkUnknown(NotFound):
    code = "work_unknown"
    rule = "There is no item of work with this id."
    suggestion = "`eco work list` shows what waits for a person."


class WorkClosed(Conflict):
    code = "work_closed"
    rule = "Only an item that is open can be worked on."
    suggestion = "`eco work show` says how it ended."


class WorkClaimed(Conflict):
    code = "work_claimed"
    rule = "An item is held by one person at a time, and somebody else has it."
    suggestion = "Wait until the claim has run out, or take another item."


class WorkNotClaimed(Conflict):
    code = "work_not_claimed"
    rule = "Only who holds an item works on it."
    suggestion = "eco work claim ITEM"


class WorkNotRetried(Conflict):
    code = "work_not_retried"
    rule = "A run can be tried again, and the calls of a queue; any other fault is over when the world says so."
    suggestion = "`eco recovery show` tells what was tried; `eco work close` ends the item."


class CallUnknown(NotFound):
    code = "call_unknown"
    rule = "No call of this id waits for an agent."
    suggestion = "`eco recovery queue` lists those that do; one that was answered is gone."


class CallGivenUp(EcosystemError):
    """What a run hears instead of its agent's answer."""

    code, status, kind = "call_given_up", 503, Kind.PERMANENT
    rule = "A person ended the wait for an agent that is away."
    suggestion = "`eco runs retry` asks again once the agent is back."
