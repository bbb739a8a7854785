"""What clients saw: every request with its times and, where it failed, how. Nothing here is repeated by the client."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ecosystem_client import ApiError, EcosystemFailure
from ecosystem_client.errors import ConnectionFailed


@dataclass(frozen=True)
class Seen:
    """Times are readings of `time.monotonic()`; `failure` is None for what was answered as promised.

    `via`: `edge`, or `proxy` where faults are put between client and edge. `sure`: a GET, or a POST that is promised
    to survive the death of a service (up to 1 MiB, with an Idempotency-Key).
    """

    what: str
    began_at: float
    ended_at: float
    failure: str | None
    via: str = "edge"
    sure: bool = True


@dataclass
class Requests:
    seen: list[Seen] = field(default_factory=list)

    @asynccontextmanager
    async def one(self, what: str, *, via: str = "edge", sure: bool = True) -> AsyncIterator[None]:
        """Notes a request; a failure of the platform or of the connection ends here, for the load goes on."""
        began_at, failure = time.monotonic(), None
        try:
            yield
        except ApiError as error:
            failure = f"{error.status} {error.code}"
        except ConnectionFailed as error:
            failure = f"no answer ({str(error).rpartition(': ')[2][:60]})"
        except EcosystemFailure as error:
            failure = type(error).__name__
        self.seen.append(Seen(what, began_at, time.monotonic(), failure, via, sure))

    def failures(self) -> list[Seen]:
        return [one for one in self.seen if one.failure is not None]

    def by_failure(self) -> dict[str, int]:
        return dict(Counter(f"{one.what}: {one.failure}" for one in self.failures()).most_common())

    def longest_unavailable_seconds(self) -> float:
        """The longest time in which requests failed and none succeeded, seen from the edge's own clients."""
        return longest_unavailable_seconds(one for one in self.seen if one.via == "edge")

    def failed_during(self, spans: Iterable[tuple[float, float]]) -> list[Seen]:
        """Promised requests on the direct way that failed and were under way in one of the spans."""
        held = list(spans)
        return [
            one
            for one in self.failures()
            if one.sure
            and one.via == "edge"
            and any(one.began_at <= end and one.ended_at >= begin for begin, end in held)
        ]

    def first_success_after(self, moment: float) -> float | None:
        """When the first request was answered that began after `moment`."""
        times = [one.ended_at for one in self.seen if one.failure is None and one.began_at >= moment]
        return min(times, default=None)


def longest_unavailable_seconds(seen: Iterable[Seen]) -> float:
    longest, since = 0.0, None
    for one in sorted(seen, key=lambda one: one.ended_at):
        if one.failure is None:
            since = None
        else:
            since = one.began_at if since is None else min(since, one.began_at)
            longest = max(longest, one.ended_at - since)
    return longest
