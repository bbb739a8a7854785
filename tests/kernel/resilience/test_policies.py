"""Goal: policies change while a process runs, and a wrong file changes nothing. Method: files, and our own clock."""

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.resilience.file import SHIPPED, PolicyRefused, combine, read
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.resilience.rules import Balance, SlidingWindowType, State
from ecosystem.kernel.telemetry import log as logging
from ecosystem.kernel.telemetry.metrics import Metrics
from ecosystem.kernel.testing.clock import FrozenClock


class Platform:
    """A process with policies, its clock, and the file that an operator writes."""

    def __init__(self, folder: Path) -> None:
        self.file, self.clock, self.metrics = folder / "policies.toml", FrozenClock(), Metrics(CollectorRegistry())
        self.policies = Policies(self.file, self.clock, metrics=self.metrics)

    def write(self, text: str) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)
        self.clock.advance(1)

    def attempts(self) -> int:
        return self.policies.policy("a-agent", "b-agent").rules.attempts

    @property
    def refused(self) -> float | None:
        return self.metrics.registry.get_sample_value("policies_refused")


@pytest.fixture
def lines() -> Iterator[io.BytesIO]:
    stream = io.BytesIO()
    logging.configure("test", stream=stream)
    yield stream
    logging.configure("test")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


class TestShipped:
    """The table of the design, and the two routes of the issue."""

    @pytest.mark.parametrize(
        ("breaker", "expected"),
        [
            ("instance", (SlidingWindowType.COUNT_BASED, 20, 20, 50, 100, None, 30, 3)),
            ("route", (SlidingWindowType.TIME_BASED, 60, 50, 50, 80, 0.5, 60, 3)),
            ("creditx", (SlidingWindowType.CONSECUTIVE, 5, 5, 50, 100, None, 60, 3)),
            ("recovery", (SlidingWindowType.CONSECUTIVE, 5, 5, 50, 100, None, 60, 1)),
        ],
    )
    def test_breakers_are_those_of_the_design(self, breaker: str, expected: tuple[Any, ...]) -> None:
        rules = combine().breakers[breaker]

        assert (
            rules.sliding_window_type, rules.sliding_window_size, rules.calls_min, rules.failure_rate_threshold,
            rules.slow_call_rate_threshold, rules.slow_call_timeout_share, rules.wait_duration_in_open_state_seconds,
            rules.permitted_number_of_calls,
        ) == expected  # fmt: skip
        assert rules.half_open_failure_rate_threshold == 1

    def test_they_are_read_with_the_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A service that gave up root may not reach its own files any more."""

        def refuse(*_: Any, **__: Any) -> Any:
            raise PermissionError

        monkeypatch.setattr(Path, "open", refuse)

        assert Policies().policy("creditx-service", "cache").rules.attempts == 2

    def test_slow_is_longer_than_half_of_the_routes_time_out(self, platform: Platform) -> None:
        rules = platform.policies.policy("a-agent", "b-agent", timeout_seconds=20).rules

        assert rules.timeout_seconds == 20
        assert rules.breaker
        assert rules.breaker.slow_call_duration_threshold_seconds == 10

    def test_creditx_to_cache(self, platform: Platform) -> None:
        rules = platform.policies.policy("creditx-service", "cache").rules

        assert (rules.timeout_seconds, rules.attempts) == (5, 2)
        assert rules.breaker

    def test_threat_agent_to_postgres(self, platform: Platform) -> None:
        rules = platform.policies.policy("threat-agent", "postgres").rules

        assert (rules.timeout_seconds, rules.attempts, rules.balance) == (30, 3, Balance.LEAST_CONNECTIONS)

    @pytest.mark.parametrize(
        ("caller", "destination", "name", "trials"),
        [
            ("orchestrator-agent", "ocr-agent", "* -> ocr-agent", 3),
            ("recovery-agent", "ocr-agent", "recovery-agent -> ocr-agent", 1),
        ],
    )
    def test_the_caller_counts_first(
        self, platform: Platform, caller: str, destination: str, name: str, trials: int
    ) -> None:
        policy = platform.policies.policy(caller, destination, destinations=("creditx-service",))

        assert policy.name == name
        assert policy.breaker
        assert policy.breaker.rules.sliding_window_type is SlidingWindowType.CONSECUTIVE
        assert policy.breaker.rules.permitted_number_of_calls == trials

    def test_the_lines_that_are_commented_out_are_right_too(self, tmp_path: Path) -> None:
        text, found = re.subn(r"^# ([a-z_]+ = )", r"\1", SHIPPED.read_text(), flags=re.MULTILINE)
        (tmp_path / "policies.toml").write_text(text)

        rules = combine(read(tmp_path / "policies.toml")).routes["*", "*"]

        assert found == 3
        assert (rules.timeout_seconds, rules.bulkhead_calls_max, rules.rate_calls_max) == (30, 100, 1000)


class TestChange:
    async def test_a_change_is_taken_up_within_a_second(self, platform: Platform) -> None:
        assert platform.attempts() == 3

        platform.write('[routes."* -> b-agent"]\nattempts = 2\n')

        assert platform.attempts() == 2

    async def test_what_a_file_does_not_say_stays_as_shipped(self, platform: Platform) -> None:
        platform.write('[routes."creditx-service -> cache"]\ntimeout_seconds = 3\n')

        rules = platform.policies.policy("creditx-service", "cache").rules

        assert (rules.timeout_seconds, rules.attempts) == (3, 2)

    async def test_a_default_reaches_every_route_that_says_nothing_else(self, platform: Platform) -> None:
        platform.write('[routes."* -> *"]\nretry_budget_percent = 5\nattempts = 7\n')

        cache = platform.policies.policy("creditx-service", "cache").rules

        assert (cache.retry_budget_percent, cache.attempts, platform.attempts()) == (5, 2, 7)

    async def test_without_the_file_the_shipped_ones_hold_again(self, platform: Platform) -> None:
        platform.write('[routes."* -> b-agent"]\nattempts = 2\n')
        assert platform.attempts() == 2

        platform.file.unlink()
        platform.clock.advance(1)

        assert platform.attempts() == 3

    async def test_an_open_breaker_stays_open_when_something_else_changes(self, platform: Platform) -> None:
        policy = platform.policies.policy("a-agent", "b-agent")
        assert policy.breaker
        policy.breaker.transition_to(State.OPEN)

        platform.write('[routes."* -> *"]\nattempts = 2\n')
        changed = platform.policies.policy("a-agent", "b-agent")

        assert (changed.rules.attempts, changed.breaker) == (2, policy.breaker)

    async def test_a_breaker_of_other_rules_begins_anew(self, platform: Platform) -> None:
        policy = platform.policies.policy("a-agent", "b-agent")
        platform.write('[breakers.route]\ninitial_state = "forced_open"\n')

        changed = platform.policies.policy("a-agent", "b-agent")

        assert changed is not policy
        assert changed.breaker
        assert changed.breaker.state is State.FORCED_OPEN

    async def test_the_file_is_looked_at_once_in_a_second(self, platform: Platform, monkeypatch: Any) -> None:
        looks, stat = [], os.stat

        def counted(path: Any, *others: Any, **more: Any) -> Any:
            looks.extend([path] if path == platform.file else [])
            return stat(path, *others, **more)

        monkeypatch.setattr(os, "stat", counted)
        for _ in range(1000):
            platform.clock.advance(0.01)
            platform.attempts()

        assert 9 <= len(looks) <= 11


WRONG = [
    ('[routes."* -> b-agent"]\nattempts = 2\nattempts_max = 3\n', "policies.toml:3", "there is no attempts_max"),
    ('[routes."* -> b-agent"]\n\nattempts = 99\n', "policies.toml:3", "less than or equal to 10"),
    ('[routes."* -> b-agent"]\nbreaker = "rout"\n', "policies.toml:2", 'there is no breaker "rout"'),
    ('# a comment\n[routes."everyone to b"]\n', "policies.toml:2", "CALLER -> DESTINATION"),
    ("[breakers.route]\n'sliding_window_size' = 0\n", "policies.toml:2", "greater than or equal to 1"),
    ("[breakers.instance]\nminimum_number_of_calls = 21\n", "policies.toml:1", "never more than sliding_window_size"),
    ("[breaker.route]\n", "policies.toml:1", "there is no breaker"),
    ('[authorisation]\n"a-agent -> b-agent" = "all"\n', "policies.toml:2", "is a list of tasks"),
    ("attempts = 3\n", "policies.toml:1", "there is no attempts"),
    ("routes = 3\n", "policies.toml:1", "routes is a table"),
    ('[routes."* -> b-agent"]\nattempts = true\n', "policies.toml:2", "should be a valid integer"),
    ('[routes."* -> b-agent"]\nattempts = "3"\n', "policies.toml:2", "should be a valid integer"),
    ('[routes."* -> b-agent"]\ntimeout_seconds = true\n', "policies.toml:2", "should be a valid number"),
    ("[breakers.route]\nwait = " + "[" * 5000, "policies.toml", "nested too deeply"),
    ("#" * (1024 * 1024 + 1), "policies.toml", "is larger than 1024 KiB"),
    ("[routes\n", "policies.toml", "TOML"),
    ("\xff", "policies.toml", "TOML"),
]


class TestWrong:
    @pytest.mark.parametrize(("text", "place", "told"), WRONG)
    def test_it_is_refused_by_line(self, tmp_path: Path, text: str, place: str, told: str) -> None:
        file = tmp_path / "policies.toml"
        file.write_text(text)

        with pytest.raises(PolicyRefused) as refusal:
            combine(read(file))

        assert refusal.value.message.startswith(place)
        assert told in refusal.value.message
        assert "Value error" not in refusal.value.message

    def test_what_is_not_utf_8_is_told_as_that(self, tmp_path: Path) -> None:
        (tmp_path / "policies.toml").write_bytes(b"# \xff\n")

        with pytest.raises(PolicyRefused, match=r"policies\.toml is not UTF-8 \(byte 3\)"):
            read(tmp_path / "policies.toml")

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
    async def test_what_is_no_regular_file_is_refused_and_nobody_waits_for_it(
        self, platform: Platform, make: Callable[[Path], None]
    ) -> None:
        platform.write('[routes."* -> b-agent"]\nattempts = 2\n')
        assert platform.attempts() == 2

        platform.file.unlink()
        make(platform.file)
        platform.clock.advance(1)

        assert (platform.attempts(), platform.refused) == (2, 1)
        with pytest.raises(PolicyRefused, match="is no regular file"):
            Policies(platform.file)

    async def test_a_file_that_is_taken_away_between_look_and_reading_is_none(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = os.open

        def gone(path: Any, *others: Any, **more: Any) -> int:
            Path(path).unlink()
            return opened(path, *others, **more)

        platform.write('[routes."* -> b-agent"]\nattempts = 2\n')
        monkeypatch.setattr(os, "open", gone)

        assert (platform.attempts(), platform.refused) == (3, 0)

    async def test_the_former_ones_go_on_and_it_is_told_once(self, platform: Platform, lines: io.BytesIO) -> None:
        platform.write('[routes."* -> b-agent"]\nattempts = 2\n')
        assert platform.attempts() == 2

        platform.write('[routes."* -> b-agent"]\nattempts = 99\n')
        for _ in range(5):
            platform.clock.advance(1)
            assert platform.attempts() == 2

        told = [orjson.loads(line) for line in lines.getvalue().splitlines()]
        assert [line["context"]["reason"][:15] for line in told if line["level"] == "error"] == ["policies.toml:2"]
        assert platform.refused == 1

        platform.write('[routes."* -> b-agent"]\nattempts = 1\n')
        assert (platform.attempts(), platform.refused) == (1, 0)

    def test_a_process_does_not_start_with_a_wrong_file(self, tmp_path: Path) -> None:
        (tmp_path / "policies.toml").write_text("[nothing]\n")

        with pytest.raises(PolicyRefused):
            Policies(tmp_path / "policies.toml")


class TestSame:
    async def test_a_route_keeps_its_breaker_and_budget_between_calls(self, platform: Platform) -> None:
        async def dead(_: int) -> None:
            raise Unavailable

        platform.write("[breakers.route]\nsliding_window_type = 'consecutive'\nsliding_window_size = 3\n")
        for _ in range(3):
            with pytest.raises(Unavailable):
                await platform.policies.policy("a-agent", "b-agent").call(dead, attempts=1)

        breaker = platform.policies.policy("other-agent", "b-agent").breaker

        assert breaker
        assert breaker.state is State.OPEN


class TestStartedMeanwhile:
    """A file that became wrong while all runs must not keep the next process from starting."""

    RIGHT, WRONG = '[routes."* -> *"]\nattempts = 2\n', "[foo]\nx = 1\n"

    def started(self, folder: Path) -> Policies:
        return Policies(
            folder / "policies.toml", FrozenClock(), metrics=Metrics(CollectorRegistry()), kept=folder / "kept"
        )

    def test_it_goes_on_with_the_last_right_ones(self, tmp_path: Path) -> None:
        (tmp_path / "policies.toml").write_text(self.RIGHT)
        self.started(tmp_path)
        (tmp_path / "policies.toml").write_text(self.WRONG)
        later = self.started(tmp_path)

        assert later.policy("a-agent", "b-agent").rules.attempts == 2

    def test_without_any_it_refuses_to_start(self, tmp_path: Path) -> None:
        (tmp_path / "policies.toml").write_text(self.WRONG)
        with pytest.raises(PolicyRefused):
            self.started(tmp_path)

    def test_what_was_taken_away_is_kept_no_longer(self, tmp_path: Path) -> None:
        (tmp_path / "policies.toml").write_text(self.RIGHT)
        self.started(tmp_path)
        (tmp_path / "policies.toml").unlink()
        self.started(tmp_path)
        (tmp_path / "policies.toml").write_text(self.WRONG)
        with pytest.raises(PolicyRefused):
            self.started(tmp_path)


class TestEverybody:
    def test_a_star_is_every_agent_that_no_line_names(self, platform: Platform) -> None:
        platform.write('[authorisation]\n"* -> b-agent" = []\n"a-agent -> b-agent" = ["*"]\n"a-agent -> *" = ["x"]\n')
        allowed = platform.policies.tasks_allowed

        assert allowed("other-agent", "b-agent") == frozenset()
        assert allowed("a-agent", "b-agent") == {"*"}
        assert allowed("a-agent", "c-agent") == {"x"}
        assert allowed("other-agent", "c-agent") is None
