"""The rules of a route as data, with ranges and units; a breaker's by the names that resilience4j gives them."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SlidingWindowType(StrEnum):
    """CONSECUTIVE is ours: it opens at so many failures in a row, and rates do not matter."""

    COUNT_BASED = "count_based"
    TIME_BASED = "time_based"
    CONSECUTIVE = "consecutive"


class Balance(StrEnum):
    WEIGHTED = "weighted"
    LEAST_CONNECTIONS = "least_connections"


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    DISABLED = "disabled"
    METRICS_ONLY = "metrics_only"
    FORCED_OPEN = "forced_open"


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class BreakerRules(_Rules):
    """When a breaker opens, for how long, and how it closes again. Rates are in percent.

    `sliding_window_size` counts calls, seconds (TIME_BASED) or failures in a row (CONSECUTIVE). Without
    `slow_call_duration_threshold_seconds` no call is slow.
    """

    sliding_window_type: SlidingWindowType = Field(default=SlidingWindowType.COUNT_BASED, strict=False)
    sliding_window_size: int = Field(default=100, ge=1, le=100_000)
    minimum_number_of_calls: int = Field(default=100, ge=1, le=100_000)
    failure_rate_threshold: float = Field(default=50, gt=0, le=100)
    slow_call_rate_threshold: float = Field(default=100, gt=0, le=100)
    slow_call_duration_threshold_seconds: float | None = Field(default=None, gt=0, le=3600)
    slow_call_timeout_share: float | None = Field(default=None, gt=0, le=1)
    wait_duration_in_open_state_seconds: float = Field(default=60, gt=0, le=3600)
    wait_duration_multiplier: float = Field(default=1, ge=1, le=10)
    wait_duration_in_open_state_seconds_max: float = Field(default=3600, gt=0, le=86_400)
    permitted_number_of_calls: int = Field(default=10, ge=1, le=10_000)
    half_open_failure_rate_threshold: float | None = Field(default=None, gt=0, le=100)
    max_wait_duration_in_half_open_state_seconds: float = Field(default=0, ge=0, le=3600)
    initial_state: State = Field(default=State.CLOSED, strict=False)

    @model_validator(mode="after")
    def _window_holds_minimum(self) -> Self:
        if (
            self.sliding_window_type is SlidingWindowType.COUNT_BASED
            and "minimum_number_of_calls" in self.model_fields_set
            and self.minimum_number_of_calls > self.sliding_window_size
        ):
            raise ValueError("minimum_number_of_calls is never more than sliding_window_size")
        return self

    @property
    def calls_min(self) -> int:
        """From how many recorded calls on rates are looked at."""
        if self.sliding_window_type is SlidingWindowType.CONSECUTIVE:
            return self.sliding_window_size
        if self.sliding_window_type is SlidingWindowType.COUNT_BASED:
            return min(self.minimum_number_of_calls, self.sliding_window_size)
        return self.minimum_number_of_calls

    def open_seconds(self, opened: int) -> float:
        """How long the breaker stays open when it has opened `opened` times (1 and more) without closing between."""
        # Bounded before the power: a destination that is away for months must not overflow.
        grown = self.wait_duration_in_open_state_seconds * self.wait_duration_multiplier ** min(opened - 1, 64)
        return min(grown, max(self.wait_duration_in_open_state_seconds_max, self.wait_duration_in_open_state_seconds))

    def within(self, timeout_seconds: float | None) -> "BreakerRules":
        """The same, with what counts as slow on a route of this time-out."""
        share = self.slow_call_timeout_share
        if share is None or timeout_seconds is None or self.slow_call_duration_threshold_seconds is not None:
            return self
        return self.model_copy(update={"slow_call_duration_threshold_seconds": share * timeout_seconds})


class RouteRules(_Rules):
    """How one destination is called. What is None does not limit.

    `timeout_seconds` is for all attempts together. `attempts` counts the first one; where a caller brings a number of
    its own, the smaller one holds. `retry_budget_percent` of first attempts may be repeated, and `retry_budget_burst`
    more to begin with.
    """

    timeout_seconds: float | None = Field(default=None, gt=0, le=3600)
    attempts: int = Field(default=1, ge=1, le=10)
    retry_wait_seconds: float = Field(default=1, ge=0.001, le=30)
    retry_wait_seconds_max: float = Field(default=30, ge=0.001, le=300)
    retry_budget_percent: float = Field(default=20, ge=0, le=100)
    retry_budget_burst: int = Field(default=10, ge=0, le=1000)
    bulkhead_calls_max: int | None = Field(default=None, ge=1, le=10_000)
    bulkhead_wait_seconds: float = Field(default=0, ge=0, le=60)
    rate_calls_max: int | None = Field(default=None, ge=1, le=1_000_000)
    rate_period_seconds: float = Field(default=1, gt=0, le=3600)
    rate_wait_seconds: float = Field(default=0, ge=0, le=60)
    balance: Balance = Field(default=Balance.WEIGHTED, strict=False)
    breaker: BreakerRules | None = None
