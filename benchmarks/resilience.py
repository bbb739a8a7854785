"""CPU per call of a whole policy on a coroutine that does nothing, beside the same coroutine wrapped by stamina.

The policy has all its parts: breaker with a time window and slow calls, time limiter, bulkhead, rate limiter, retries
with a budget; stamina has retries and a time limit. One process, no network; medians of interleaved rounds.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import stamina
import uvloop

from benchmarks._report import closing_line, rounds_from_command_line
from ecosystem.kernel.resilience.file import combine
from ecosystem.kernel.resilience.policy import Policy
from ecosystem.kernel.resilience.rules import RouteRules

CALLS, WARM_UP = 20_000, 2_000
BAR = 1.5


def our_call() -> Callable[[], Awaitable[int]]:
    breaker = combine().breakers["route"].within(30)
    rules = RouteRules(
        timeout_seconds=30, attempts=3, bulkhead_calls_max=100, rate_calls_max=1_000_000, rate_period_seconds=0.1,
        breaker=breaker,
    )  # fmt: skip
    policy = Policy("a -> b", rules)

    async def nothing(_: int) -> int:
        return 1

    return lambda: policy.call(nothing)


def their_call() -> Callable[[], Awaitable[int]]:
    @stamina.retry(on=ConnectionError, attempts=3, timeout=30)
    async def nothing() -> int:
        return 1

    return nothing


async def cpu_seconds(call: Callable[[], Awaitable[int]], calls: int = CALLS) -> float:
    began = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - began) / calls


async def measure(rounds: int) -> bool:
    sides = [("ours", our_call()), ("baseline", their_call())]
    for _, call in sides:
        await cpu_seconds(call, WARM_UP)
    found = []
    for number in range(rounds):
        order = sides if number % 2 else list(reversed(sides))
        found.append({side: await cpu_seconds(call) * 1e6 for side, call in order})
    settings = {"calls": CALLS, "loop": "uvloop", "stamina": version("stamina")}
    return closing_line("resilience", "policy", "microseconds_cpu", "lower", found, BAR, settings)


def main() -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 0 if runner.run(measure(rounds_from_command_line(__doc__ or ""))) else 1


if __name__ == "__main__":
    sys.exit(main())
