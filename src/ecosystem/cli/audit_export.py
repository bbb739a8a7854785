"""An exported trail: JSON lines, an entry each, the last one the proof; proved again without a platform."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from ecosystem.kernel.audit.chain import Walk, digest_of
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.words import counted
from ecosystem_client.monitored import AuditEntry

_PROBLEMS_MAX = 50


class ExportUnreadable(EcosystemError):
    code, kind, severity = "export_unreadable", Kind.PERMANENT, Severity.LOW
    rule = "An export is JSON lines as `eco audit export` writes them, its last line the proof."
    suggestion = "Export it again, or say which file was exported."


@dataclass(frozen=True)
class Head:
    chain: int
    number: int
    hash: bytes


@dataclass(frozen=True)
class Proof:
    """The last line of an export: where each chain ended when it was made."""

    company_id: UUID
    heads: tuple[Head, ...]
    entries: int


def lines(heads: Mapping[str, Any], chain: Callable[[int], Iterable[AuditEntry]]) -> Iterator[str]:
    """The export, line by line: every chain up to its head, then the proof."""
    entries = 0
    for head in heads["items"]:
        for entry in chain(head["chain"]):
            if entry.number > head["number"]:
                break
            entries += 1
            yield json.dumps(entry.raw)
    proof = {
        "company_id": heads["company_id"], "heads": heads["items"], "entries": entries,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    yield json.dumps({"proof": proof})


def proof_of(path: Path) -> Proof:
    """Raises ExportUnreadable where the file is no export, or was cut off before its proof."""
    ends = deque(_objects(path), maxlen=1)
    try:
        raw = ends[0]["proof"]
        heads = tuple(Head(int(one["chain"]), int(one["number"]), bytes.fromhex(one["hash"])) for one in raw["heads"])
        return Proof(UUID(raw["company_id"]), heads, int(raw["entries"]))
    except (IndexError, KeyError, TypeError, ValueError):
        raise ExportUnreadable(f"{path} does not end with a proof.") from None


def problems(path: Path) -> list[str]:
    """What is not as it was exported, as `altered in chain 3 at 17`; at most 50. Raises ExportUnreadable."""
    proof = proof_of(path)
    walks = {head.chain: Walk(proof.company_id, head.chain) for head in proof.heads}
    found, entries = [], 0
    for line in _objects(path):
        if "proof" in line:
            continue
        entries += 1
        found += _step(walks, line, entries)
        if len(found) >= _PROBLEMS_MAX:
            return found
    for head in proof.heads:
        code = walks[head.chain].end(head.number, head.hash)
        found += [f"{code} in chain {head.chain} at {head.number}"] if code else []
    if entries != proof.entries:
        found.append(f"{counted(entries, 'entry')}, where the proof says {proof.entries}")
    return found


def _step(walks: Mapping[int, Walk], line: Mapping[str, Any], place: int) -> list[str]:
    try:
        walk, number = walks[line["chain"]], int(line["number"])
        code = walk.take(number, digest_of(line), bytes.fromhex(line["hash"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return [f"line {place} is no entry of this trail"]
    return [f"{code} in chain {walk.chain} at {number}"] if code else []


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            if not isinstance(found, dict):
                raise ExportUnreadable(f"{path}, line {number}, is no JSON object.")
            yield found
