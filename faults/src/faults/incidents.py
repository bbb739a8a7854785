"""What the platform told of faults: its incidents, episodes, repairs and pages, as values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Episode:
    """A fault as it was told. Times are seconds since the epoch; `told_at` is when its incident had it.

    `incident` is a number, None where there is none. `repaired`: the incident says what was done and that it helped.
    `helped_at`: when a person was called for it; `by_person`: a person decided about a repair of it.
    """

    episode_id: str
    fault: str
    component: str
    cause: str
    began_at: float
    cleared_at: float | None = None
    told_at: float | None = None
    incident: int | None = None
    repaired: bool = False
    helped_at: float | None = None
    by_person: bool = False


@dataclass(frozen=True)
class PageSent:
    incident: int
    at: float


@dataclass(frozen=True)
class Told:
    episodes: tuple[Episode, ...] = ()
    pages: tuple[PageSent, ...] = ()

    @property
    def any_open(self) -> bool:
        return any(one.cleared_at is None for one in self.episodes)
