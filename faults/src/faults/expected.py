"""What each kind of fault is told as: the fault, component and cause of the incident that names it rightly.

Some kinds need no incident, each for a reason that is written here; where one is told all the same it must be right.
"""

from dataclasses import dataclass

from faults.schedule import Fault

AIMED, ANY = "{service}", "*"
"""A component: the service that a fault was aimed at, or whatever part."""


@dataclass(frozen=True)
class Name:
    """`word` stands in the cause."""

    fault: str
    component: str
    word: str = ""

    def fits(self, fault: str, component: str, service: str) -> bool:
        """Whether this is said of the right part: a component is `creditx-service`, its service `creditx`."""
        if self.component == AIMED:
            return fault == self.fault and component.partition("-")[0] == service
        return fault == self.fault and self.component in (ANY, component)


@dataclass(frozen=True)
class Expected:
    """`names`: one of them is right. `none_because`: why there need be none, where it lasts less than `visible_after`
    seconds. `begins_after`: so many seconds after its injection it begins to be a fault. `stops_writing`: while it
    lasts nobody can write down anything, an incident neither."""

    names: tuple[Name, ...] = ()
    none_because: str = ""
    visible_after: float = float("inf")
    begins_after: float = 0.0
    stops_writing: bool = False

    def needed(self, fault: Fault) -> bool:
        return not self.none_because or fault.seconds >= self.visible_after


EVERYTHING = "supervisor_restarted"
"""Who ends the supervisor ends all that stands below it: what else was done at that moment is part of this."""
ENDS_ITSELF = frozenset({"crash_loop", "disk_full", "certificate_expiring", "horizon_held", "cache_lost"})
"""What no action repairs: that it is over is the record of its repair."""

_DEAD = (Name("instance_dead", AIMED, "SIGKILL"), Name("crash_loop", AIMED, "SIGKILL"))
_HORIZON = (Name("horizon_held", "postgresql", "has been writing"),)
_WAKES = "it wakes before `fleet.frozen_after_seconds` of the campaign, so that it meets who took over"
_ENGINE_WAKES = "it goes on by itself within seconds, and nothing is ended for it"
_RECONNECTS = "connections are made anew within seconds; no process ended"
_OUTSIDE = "it is between clients and edge, outside of the platform"
_RECEIVERS = "who receives messages is outside of the platform; what was not taken is sent again"
_LOOKED_AT = "who waits for a NOTIFY looks by itself too"
_SHORT_HOLD = "shorter than `recovery.horizon_seconds_max`: consumers wait and go on"
_HOLD_SECONDS_MAX, _SEEN_HOLD_SECONDS, _SEEN_FULL_SECONDS = 10.0, 18.0, 8.0


def _engine(name: str, word: str = "SIGKILL", *, stops_writing: bool = False) -> Expected:
    names = (Name("engine_dead", name, word), Name("crash_loop", name, word))
    return Expected(names, stops_writing=stops_writing)


def _cut(reason: str = _RECONNECTS) -> Expected:
    return Expected((Name("agent_unreachable", ANY),), reason, stops_writing=True)


EXPECTED: dict[str, Expected] = {
    "kill-service": Expected(_DEAD),
    "kill-replicas": Expected(_DEAD),
    "kill-supervisor": Expected((Name(EVERYTHING, "supervisor", "without being asked"),), stops_writing=True),
    "kill-zygote": _engine("zygote"),
    "kill-database": _engine("postgresql", stops_writing=True),
    "kill-cache": _engine("cache"),
    "kill-edge": _engine("edge"),
    "kill-sandbox": Expected((), "its service makes another worker and goes on with the document"),
    "freeze-service": Expected((Name("instance_frozen", AIMED), Name("agent_unreachable", AIMED)), _WAKES),
    "freeze-supervisor": Expected((), "nothing is looked after for seconds, and then again"),
    "freeze-zygote": Expected((Name("engine_frozen", "zygote"),), _ENGINE_WAKES),
    "freeze-database": Expected(
        (Name("engine_frozen", "postgresql"), Name("agent_unreachable", ANY)), _ENGINE_WAKES, stops_writing=True
    ),
    "freeze-cache": Expected((Name("engine_frozen", "cache"), Name("cache_lost", "cache")), _ENGINE_WAKES),
    "freeze-edge": Expected((Name("engine_frozen", "edge"),), _ENGINE_WAKES),
    "freeze-sandbox": Expected((), "the worker's own time limit ends it, and the document is tried again"),
    "restart-database": _engine("postgresql", "exited with code 0", stops_writing=True),
    "delay-database": _cut("answers come late and nothing is lost"),
    "drop-database": _cut(),
    "reset-database": _cut(),
    "half-open-database": _cut(),
    "delay-clients": Expected((), _OUTSIDE),
    "drop-clients": Expected((), _OUTSIDE),
    "reset-clients": Expected((), _OUTSIDE),
    "half-open-clients": Expected((), _OUTSIDE),
    "fill-disk": Expected(
        (Name("disk_full", "disk", "free"), Name("engine_dead", "postgresql")),
        "it is over before somebody looks, every 5 s", _SEEN_FULL_SECONDS, stops_writing=True,
    ),
    "flush-cache": Expected((), "a cache may forget: who needs a value asks for it again"),
    "end-listeners": Expected((), _LOOKED_AT),
    "lose-notify": Expected((), _LOOKED_AT),
    "expire-certificate": Expected(
        (Name("certificate_expiring", AIMED, "ends at"),), "the fleet renews it within ten seconds, as planned"
    ),
    "hold-transaction": Expected(_HORIZON, _SHORT_HOLD, _SEEN_HOLD_SECONDS, _HOLD_SECONDS_MAX),
    "lock-table": Expected(_HORIZON, _SHORT_HOLD, _SEEN_HOLD_SECONDS, _HOLD_SECONDS_MAX),
    "skew-clock": Expected((), "it is not possible here"),
    "replay-log": Expected((), "a person asked for it"),
    "refuse-receivers": Expected((), _RECEIVERS),
    "drop-receivers": Expected((), _RECEIVERS),
    "reset-receivers": Expected((), _RECEIVERS),
    "half-open-receivers": Expected((), _RECEIVERS),
    "stop-receivers": Expected((), _RECEIVERS),
}  # fmt: skip


def service_of(fault: Fault) -> str:
    """The short name of what it was aimed at: `creditx` of `creditx-2`."""
    return fault.target.partition("-")[0]
