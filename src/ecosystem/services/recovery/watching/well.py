"""When all was well for the last time, by the clock that nobody sets."""

from datetime import datetime, timedelta

from ecosystem.kernel.clock import Clock

_KNOWN_SECONDS = 600
"""Who did not look for longer does not know it: another replica may have looked since."""


def ago(clock: Clock, reading: float) -> datetime:
    """What the wall clock, as it stands now, said at this reading of the monotonic clock."""
    return clock.now() - timedelta(seconds=clock.monotonic() - reading)


class Well:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reading: float | None = None

    def note(self) -> None:
        """All is well now."""
        self._reading = self._clock.monotonic()

    @property
    def at(self) -> datetime | None:
        """When that was noted last; None where nobody looked, or not for long."""
        if self._reading is None or self._clock.monotonic() - self._reading > _KNOWN_SECONDS:
            return None
        return ago(self._clock, self._reading)
