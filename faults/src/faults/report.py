"""The summary of a campaign: what was injected, what clients saw, how long repairs took, and whether promises held."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from faults.checker import VERDICTS, Findings
from faults.delivering import MESSAGE_VERDICTS
from faults.injecting import REPAIR_SECONDS_MAX, Injected, Repair
from faults.kinds import KINDS
from faults.levels import Levels
from faults.recognising import INCIDENT_VERDICTS, REPAIRED_PERCENT_MIN
from faults.requests import Requests
from faults.schedule import Fault

_SHOWN_MAX = 12
_SERVICE_KILLS = ("kill-service",)
_REQUEST_SECONDS = 0.1


@dataclass(frozen=True)
class Summary:
    """Everything that is printed; `as_json` is the same for programs. `seconds` is the length of the faults' part.

    `drawn`: the kinds of the schedule. `again`: the command that runs the same one.
    """

    seed: int
    seconds: float
    injected: Injected
    requests: Requests
    repeats: int
    dropped: int
    findings: Findings
    before: Levels
    after: Levels
    starts: int
    drawn: frozenset[str] = frozenset()
    again: str = ""

    @property
    def faults(self) -> int:
        return sum(self.injected.by_kind.values())

    @property
    def broken(self) -> bool:
        found = self.findings
        return any(found.wrong.values()) or bool(self.above) or found.recognised.broken or found.delivered.broken

    @property
    def held(self) -> bool:
        """Every promise was kept while faults came: without a fault nothing is known of them."""
        return not self.broken and self.faults > 0

    @property
    def exit_code(self) -> int:
        return 1 if self.broken else 0 if self.held else 2

    @property
    def above(self) -> list[str]:
        return self.after.exceeds(self.before)

    def service_kills(self) -> list[Repair]:
        return [one for one in self.injected.repairs if one.fault.kind in _SERVICE_KILLS and one.back_at is not None]

    def back_seconds(self) -> float | None:
        """Median time until a killed replica of a service was replaced by a ready one."""
        times = [one.back_at - one.began_at for one in self.service_kills() if one.back_at is not None]
        return statistics.median(times) if times else None

    def failed_while_killed(self) -> int:
        """Requests that are promised to survive the death of a replica, and failed while one was down."""
        spans = [(one.began_at, (one.back_at or one.over_at) + _REQUEST_SECONDS) for one in self.service_kills()]
        return len(self.requests.failed_during(spans))

    def repair_seconds(self) -> list[float]:
        return sorted(
            one.repaired_at - one.over_at for one in self.injected.repairs if one.repaired_at is not None
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        times = self.repair_seconds()
        return {
            "seed": self.seed, "seconds": round(self.seconds, 1), "held": self.held, "again": self.again,
            "faults": self.faults,
            "injected": {kind.name: self.injected.by_kind[kind.name] for kind in KINDS},
            "impossible": self.injected.impossible,
            "missed": dict(self.injected.missed), "starts": self.starts,
            "requests": len(self.requests.seen), "failures": self.requests.by_failure(),
            "failed": len(self.requests.failures()), "repeats": self.repeats, "dropped": self.dropped,
            "longest_unavailable_seconds": round(self.requests.longest_unavailable_seconds(), 2),
            "repair_seconds": {name: round(percentile(times, share), 2) for name, share in _SHARES},
            "repaired": [
                _timed(one.fault, one.repaired_at - one.began_at)
                for one in self.injected.repairs
                if one.repaired_at is not None
            ],
            "service_back_seconds": _rounded(self.back_seconds()), "service_kills": len(self.service_kills()),
            "failed_while_a_service_was_killed": self.failed_while_killed(),
            "failed_directly": sum(one.via == "edge" for one in self.requests.failures()),
            "documents": self.findings.documents, "events": self.findings.events,
            "outcomes": dict(self.findings.outcomes), "unexpected": self.findings.unexpected,
            **{verdict: len(self.findings.wrong[verdict]) for verdict in VERDICTS},
            **self._told_of(), **self._delivered(),
            "wrong": self.findings.wrong | self.findings.recognised.wrong | self.findings.delivered.wrong,
            "levels": {"before": asdict(self.before), "after": asdict(self.after)},
            "above": self.above,
        }  # fmt: skip

    def _told_of(self) -> dict[str, Any]:
        """What incidents told of the faults."""
        told = self.findings.recognised
        times = told.detection_seconds
        return {
            **{verdict: len(told.wrong[verdict]) for verdict in INCIDENT_VERDICTS},
            "repaired_by_itself_percent": round(told.repaired_by_itself_percent, 1),
            "detection_seconds": {name: round(percentile(times, share), 2) for name, share in _SHARES},
            "detected": [
                _timed(one.fault, one.seconds) | {"elapsed_seconds": round(one.elapsed_seconds, 3)}
                for one in told.detected
            ],
            "faults_with_an_incident": len(told.detected) + told.joined, "faults_that_need_one": told.needed,
            "no_incident_needed": told.not_needed, "incidents": told.incidents, "pages": told.pages,
            "unexplained": told.unexplained,
        }  # fmt: skip

    def _delivered(self) -> dict[str, Any]:
        """What came of the messages to people."""
        found = self.findings.delivered
        return {
            "messages": {
                "promised": found.promised, "arrived": found.arrived, "again": found.again, "refused": found.refused,
                "pages_of_incidents": found.pages,
            },
            **{verdict: len(found.wrong[verdict]) for verdict in MESSAGE_VERDICTS},
        }  # fmt: skip

    def lines(self) -> list[str]:
        parts = (self._faults(), self._clients(), self._incidents(), self._messages(), self._promises())
        return [line for part in parts for line in ("", *part)][1:]

    def _messages(self) -> list[str]:
        found = self.findings.delivered
        lines = [
            f"messages             {found.promised} promised, {found.arrived} arrived, {found.again} came again; "
            f"{found.refused} attempts were refused; {found.pages} pages of incidents"
        ]
        for verdict in MESSAGE_VERDICTS:
            lines.append(f"{_WORDS[verdict]:<20} {len(found.wrong[verdict])}")
            lines += [f"  {what}" for what in found.wrong[verdict][:_SHOWN_MAX]]
        return lines

    def _incidents(self) -> list[str]:
        told = self.findings.recognised
        times = told.detection_seconds
        lines = [
            f"incidents            {told.incidents}, of {told.needed} faults that need one; {told.joined} joined one "
            f"that was open; {told.pages} pages",
            "detected after       " + ", ".join(f"{n} {percentile(times, share):.2f} s" for n, share in _SHARES),
            f"repaired by itself   {told.repaired_by_itself} of {told.faults} faults "
            f"({told.repaired_by_itself_percent:.0f} %, at least {REPAIRED_PERCENT_MIN:.0f})",
            *(f"  {kind} needs none: {reason}" for kind, reason in sorted(told.not_needed.items())),
            *(f"  not of a fault of the campaign: {what}" for what in told.unexplained[:_SHOWN_MAX]),
        ]
        for verdict in INCIDENT_VERDICTS:
            lines.append(f"{_WORDS[verdict]:<20} {len(told.wrong[verdict])}")
            lines += [f"  {what}" for what in told.wrong[verdict][:_SHOWN_MAX]]
        return lines

    def _faults(self) -> list[str]:
        lines = [f"{self.faults} faults in {self.seconds:.0f} s, seed {self.seed}:"]
        for kind in KINDS:
            lines.append(f"  {kind.name:<22} {self._injected(kind.name)}")
        lines += [f"  {kind:<22} missed {n}: what it was aimed at was down" for kind, n in self.injected.missed.items()]
        return lines

    def _injected(self, kind: str) -> str:
        count, impossible = self.injected.by_kind[kind], self.injected.impossible.get(kind)
        if impossible is not None:
            return f"{f'injected {count}, else ' if count else ''}not possible here: {impossible}"
        return f"injected {count}" if count or kind in self.drawn else "injected 0: not drawn in this schedule"

    def _clients(self) -> list[str]:
        times, failures = self.repair_seconds(), self.requests.by_failure()
        failed = len(self.requests.failures())
        lines = [
            f"requests             {len(self.requests.seen)}, of which failed {failed}; sent again under their key "
            f"{self.repeats}; not sent because too many waited {self.dropped}",
            *(f"  {what:<60} {count}" for what, count in list(failures.items())[:_SHOWN_MAX]),
            f"longest unavailable  {self.requests.longest_unavailable_seconds():.1f} s",
            "repaired after       " + ", ".join(f"{n} {percentile(times, share):.2f} s" for n, share in _SHARES),
        ]
        if (back := self.back_seconds()) is not None:
            lines.append(
                f"a killed service     back after {back:.2f} s (median of {len(self.service_kills())}); "
                f"{self.failed_while_killed()} requests failed meanwhile"
            )
        return lines

    def _promises(self) -> list[str]:
        before, after = self.before, self.after
        outcomes = ", ".join(f"{count} {name}" for name, count in self.findings.outcomes.most_common())
        lines = [
            f"documents            {self.findings.documents} accepted: {outcomes}; {self.findings.events} events",
            f"levels               memory {before.memory_bytes / 2**20:.0f} → {after.memory_bytes / 2**20:.0f} MiB, "
            f"descriptors {before.descriptors} → {after.descriptors}, connections {before.connections} → "
            f"{after.connections}, processes {before.processes} → {after.processes}",
        ]
        lines += [f"  above its level: {what}" for what in self.above]
        lines += [f"  not as without faults: {what}" for what in self.findings.unexpected[:_SHOWN_MAX]]
        for verdict in VERDICTS:
            wrong = self.findings.wrong[verdict]
            lines.append(f"{verdict:<20} {len(wrong)}")
            lines += [f"  {what}" for what in wrong[:_SHOWN_MAX]]
        lines.append(self._verdict())
        return lines

    def _verdict(self) -> str:
        if self.broken:
            return f"PROMISES WERE BROKEN: {self.again}"
        if not self.held:
            return "NOTHING WAS TRIED: no fault was injected, so nothing is known"
        return "every promise was kept"


_WORDS = {
    "undetected": "without an incident", "misnamed": "wrongly named", "unrecorded": "repair not told",
    "paged_needlessly": "paged needlessly", "undelivered": "never arrived", "unstable": "without one id",
    "unasked": "asked for by nobody",
}  # fmt: skip
_SHARES = (("median", 0.5), ("p95", 0.95), ("p99", 0.99))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _timed(fault: Fault, seconds: float) -> dict[str, Any]:
    return {"kind": fault.kind, "at_seconds": fault.at_seconds, "seconds": round(seconds, 3)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def never_repaired(injected: Injected) -> list[str]:
    return [
        f"{one.fault.kind} {one.fault.target}".strip() + f" was not repaired within {REPAIR_SECONDS_MAX:.0f} s"
        for one in injected.repairs
        if one.repaired_at is None
    ]
