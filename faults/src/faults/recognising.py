"""Compares the faults that were injected with the incidents that were told of them. Pure: values in, sentences out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from faults.expected import ENDS_ITSELF, EVERYTHING, EXPECTED, Expected, service_of
from faults.incidents import Episode, PageSent, Told
from faults.schedule import Fault

DETECTED_SECONDS_MAX = 15.0
PAGE_AFTER_SECONDS = 60.0
"""`monitoring.page_after_seconds`, `recovery.help_after_seconds`: what heals itself sooner pages nobody."""
REPAIRED_PERCENT_MIN = 95.0
INCIDENT_VERDICTS = ("undetected", "misnamed", "unrecorded", "paged_needlessly")
_CLOCKS_SECONDS = 0.5
"""What two readings of one moment differ by: a fault and the line of the journal, an end and a look for it."""
_NEVER = float("inf")


@dataclass(frozen=True)
class Injection:
    """A fault, with the seconds since the epoch when it began, when its own doing was over and when all was well."""

    fault: Fault
    began_at: float
    over_at: float
    well_at: float | None
    back_at: float | None = None

    @property
    def last_at(self) -> float:
        return self.well_at or self.over_at + PAGE_AFTER_SECONDS

    @property
    def expected(self) -> Expected:
        return EXPECTED[self.fault.kind]

    def __str__(self) -> str:
        return f"{self.fault.kind} {self.fault.target}".strip() + f" at {self.fault.at_seconds:.1f} s"


@dataclass(frozen=True)
class Detected:
    """`seconds`: of time in which it could be written down, from when it was a fault; `elapsed_seconds`: all of them,
    from its injection."""

    fault: Fault
    seconds: float
    elapsed_seconds: float


@dataclass
class Recognised:
    """`wrong`: sentences by verdict. `detected`: each fault that began an episode, with the seconds until its incident
    had it; `joined` were told with one that was open. `unexplained`: what was told and no fault explains."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: {verdict: [] for verdict in INCIDENT_VERDICTS})
    detected: list[Detected] = field(default_factory=list)
    joined: int = 0
    needed: int = 0
    not_needed: dict[str, str] = field(default_factory=dict)
    repaired_by_itself: int = 0
    faults: int = 0
    pages: int = 0
    incidents: int = 0
    unexplained: list[str] = field(default_factory=list)

    @property
    def detection_seconds(self) -> list[float]:
        """In order of size."""
        return sorted(one.seconds for one in self.detected)

    @property
    def repaired_by_itself_percent(self) -> float:
        return 100.0 * self.repaired_by_itself / self.faults if self.faults else 100.0

    @property
    def broken(self) -> bool:
        return any(self.wrong.values()) or self.repaired_by_itself_percent < REPAIRED_PERCENT_MIN


def recognise(injections: Sequence[Injection], told: Told) -> Recognised:
    found = Recognised(faults=len(injections), pages=len(told.pages))
    found.incidents = len({one.incident for one in told.episodes if one.incident is not None})
    outages = [(one.began_at, one.back_at or one.last_at) for one in injections if one.expected.stops_writing]
    called = _check_pages(told, found)
    for injection in injections:
        if injection.expected.needed(injection.fault):
            found.needed += 1
            _check(injection, told.episodes, outages, found)
        else:
            found.not_needed[injection.fault.kind] = injection.expected.none_because
        about = {one.episode_id for one in told.episodes if _is_about(one, injection)}
        found.repaired_by_itself += injection.well_at is not None and not about & called
    found.unexplained = [
        f"incident {one.incident}: {one.fault} of {one.component} ({one.cause})"
        for one in told.episodes
        if not any(_is_about(one, injection) for injection in injections)
    ]
    return found


def _check(
    injection: Injection, episodes: Iterable[Episode], outages: list[tuple[float, float]], found: Recognised
) -> None:
    meanwhile = [one for one in episodes if _meanwhile(one, injection)]
    right = [one for one in meanwhile if _names(one, injection) or one.fault == EVERYTHING]
    if not right:
        others = [one for one in meanwhile if _is_there(one, injection)]
        verdict, said = ("misnamed", _said(others[0])) if others else ("undetected", "no incident tells of it")
        found.wrong[verdict].append(f"{injection}: {said}")
        return
    begun = [one for one in right if one.began_at >= injection.began_at - _CLOCKS_SECONDS]
    first = min(begun or right, key=lambda one: one.told_at or _NEVER)
    if first.incident is None or first.told_at is None:
        found.wrong["undetected"].append(f"{injection}: {_said(first)}, and there is no incident of it")
        return
    if begun:
        seconds = writable_seconds(outages, injection.began_at + injection.expected.begins_after, first.told_at)
        found.detected.append(Detected(injection.fault, seconds, first.told_at - injection.began_at))
        if seconds > DETECTED_SECONDS_MAX:
            found.wrong["undetected"].append(f"{injection}: incident {first.incident} came after {seconds:.1f} s")
    else:
        found.joined += 1
    if begun and not any(_is_well_named(one, injection) for one in begun):
        found.wrong["misnamed"].append(f"{injection}: {_said(first)}")
    if not any(one.repaired or (one.fault in ENDS_ITSELF and one.cleared_at is not None) for one in right):
        found.wrong["unrecorded"].append(f"{injection}: incident {first.incident} tells of no repair")


def writable_seconds(outages: Iterable[tuple[float, float]], begin: float, end: float) -> float:
    """The time from `begin` to `end` without that in which nothing could be written; 0 where it ended before."""
    seconds, at = 0.0, begin
    for first, last in sorted(outages):
        seconds += max(0.0, min(first, end) - at)
        at = max(at, last)
    return seconds + max(0.0, end - at)


def _meanwhile(episode: Episode, injection: Injection) -> bool:
    ended_at = _NEVER if episode.cleared_at is None else episode.cleared_at
    return episode.began_at <= injection.last_at + _CLOCKS_SECONDS and ended_at > injection.began_at


def _names(episode: Episode, injection: Injection) -> bool:
    service = service_of(injection.fault)
    return any(name.fits(episode.fault, episode.component, service) for name in injection.expected.names)


def _is_well_named(episode: Episode, injection: Injection) -> bool:
    service = service_of(injection.fault)
    return episode.fault == EVERYTHING or any(
        name.fits(episode.fault, episode.component, service) and name.word in episode.cause
        for name in injection.expected.names
    )


def _is_there(episode: Episode, injection: Injection) -> bool:
    """Said of the part that the fault was put on, whatever is said."""
    service = service_of(injection.fault)
    return any(name.fits(name.fault, episode.component, service) for name in injection.expected.names)


def _is_about(episode: Episode, injection: Injection) -> bool:
    return _meanwhile(episode, injection) and (_names(episode, injection) or episode.fault == EVERYTHING)


def _said(episode: Episode) -> str:
    return f"told as {episode.fault} of {episode.component}, {episode.cause}"


# -- pages -----------------------------------------------------------------------------------------------------------


def _check_pages(told: Told, found: Recognised) -> set[str]:
    """The episodes for which a person was called, rightly or not, or decided."""
    called = {one.episode_id for one in told.episodes if one.helped_at is not None or one.by_person}
    paged: dict[str, PageSent] = {}
    for page in told.pages:
        trouble = _trouble(page, told.episodes)
        called |= {one.episode_id for one in trouble}
        first = min((one.began_at for one in trouble), default=page.at)
        asked = any(one.helped_at is not None and one.helped_at <= page.at + _CLOCKS_SECONDS for one in trouble)
        lasted = page.at - first
        if not asked and lasted < PAGE_AFTER_SECONDS - _CLOCKS_SECONDS:
            found.wrong["paged_needlessly"].append(
                f"incident {page.incident}: paged after {lasted:.0f} s, and it healed itself within its budget"
            )
        elif again := [one for one in trouble if one.episode_id in paged]:
            found.wrong["paged_needlessly"].append(
                f"incident {page.incident}: a second page for {again[0].fault} of {again[0].component}"
            )
        paged |= {one.episode_id: page for one in trouble}
    return called


def _trouble(page: PageSent, episodes: Sequence[Episode]) -> list[Episode]:
    """The episodes of the page's incident that were open at its moment, and those that led over to them."""
    mine = [one for one in episodes if one.incident == page.incident and one.began_at <= page.at]
    since, trouble = page.at, []
    for one in sorted(mine, key=lambda one: one.cleared_at or _NEVER, reverse=True):
        if (one.cleared_at or _NEVER) >= since - _CLOCKS_SECONDS:
            trouble.append(one)
            since = min(since, one.began_at)
    return trouble
