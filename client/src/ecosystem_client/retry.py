"""What may be repeated, and after how long."""

import random
from dataclasses import dataclass

import httpx

from ecosystem_client.errors import retry_after_seconds
from ecosystem_client.request import Request

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_PASSING = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Retries:
    """`attempts_max` counts the first try. Waits double from `first_wait_seconds`, each with up to half of jitter.

    A request is repeated when repeating cannot do it twice: readings, requests with an Idempotency-Key, anything that
    never left (no connection), and anything the platform turned away unread (429).
    """

    attempts_max: int = 4
    first_wait_seconds: float = 0.2
    wait_seconds_max: float = 30.0

    def after_failure(self, request: Request, failure: httpx.TransportError, attempt: int) -> float | None:
        """Seconds to wait before the next attempt, or None: give up."""
        if attempt >= self.attempts_max or not (request.repeatable or isinstance(failure, _NOT_SENT)):
            return None
        return self._wait(attempt)

    def after_answer(self, request: Request, response: httpx.Response, attempt: int) -> float | None:
        """Seconds to wait before the next attempt, or None: the answer stands.

        A `Retry-After` longer than `wait_seconds_max` is not waited for: the caller decides.
        """
        turned_away = response.status_code == 429
        passing = response.status_code in _PASSING and request.repeatable
        if attempt >= self.attempts_max or not (turned_away or passing):
            return None
        asked = retry_after_seconds(response)
        if asked is not None:
            return asked if asked <= self.wait_seconds_max else None
        return self._wait(attempt)

    def _wait(self, attempt: int) -> float:
        wait = self.first_wait_seconds * 2 ** (attempt - 1)
        return float(min(wait * random.uniform(1, 1.5), self.wait_seconds_max))  # noqa: S311 jitter


def was_sent(failure: httpx.TransportError) -> bool:
    """Whether the request may have reached the platform."""
    return not isinstance(failure, _NOT_SENT)
