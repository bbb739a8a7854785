"""What recovery-agent refuses."""

from ecosystem.kernel.errors import Conflict, NotFound


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
    rule = "A repair changed the world: a session that was ended or an event that was handled does not come back."
    suggestion = "`eco recovery pause KIND` keeps it from happening again."


class FaultPaused(Conflict):
    code = "fault_paused"
    rule = "Nothing is done about a kind of fault that is paused."
    suggestion = "eco recovery resume KIND"
