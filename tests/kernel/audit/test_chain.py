"""Goal: the walk over a chain finds any change of it. Method: chains and changes made up by Hypothesis."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from ecosystem.kernel.audit.chain import Walk, canonical, digest_of, genesis, link

COMPANY, OTHER = UUID(int=1), UUID(int=2)
CHAIN = 3

Entry = dict[str, Any]

texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6,
)  # fmt: skip
changes = st.none() | st.dictionaries(texts, values, max_size=3)
contents = st.fixed_dictionaries(
    {
        "company_id": st.just(COMPANY), "chain": st.just(CHAIN), "event_id": st.uuids(), "action": texts,
        "target": texts, "user_id": st.none() | texts, "agent_id": st.none() | texts, "source": texts,
        "trace_id": st.none() | texts, "before": changes, "after": changes,
        "happened_at": st.datetimes(timezones=st.just(UTC)),
    }
)  # fmt: skip
FIELDS = {
    "company_id": st.just(OTHER), "chain": st.integers(0, 15), "event_id": st.uuids(), "action": texts, "target": texts,
    "user_id": st.none() | texts, "agent_id": st.none() | texts, "source": texts, "trace_id": st.none() | texts,
    "before": changes, "after": changes, "happened_at": st.datetimes(timezones=st.just(UTC)),
}  # fmt: skip


def chained(made: Sequence[Entry]) -> list[Entry]:
    previous, entries = genesis(COMPANY, CHAIN), []
    for number, content in enumerate(made, 1):
        previous = link(previous, digest_of(content))
        entries.append({**content, "number": number, "hash": previous})
    return entries


def problems(entries: Sequence[Entry], head: tuple[int, bytes]) -> list[str]:
    """What a walk over `entries` in the order of their numbers says."""
    walk = Walk(COMPANY, CHAIN)
    found = [walk.take(one["number"], digest_of(one), one["hash"]) for one in sorted(entries, key=_number)]
    return [code for code in (*found, walk.end(*head)) if code is not None]


def _number(entry: Entry) -> int:
    return int(entry["number"])


def head_of(entries: Sequence[Entry]) -> tuple[int, bytes]:
    return (entries[-1]["number"], entries[-1]["hash"])


@st.composite
def a_change(draw: st.DrawFn) -> tuple[list[Entry], list[Entry]]:
    """A chain, and the same with one thing done to it: an edit, a removal, a swap, a double, an insertion."""
    entries = chained(draw(st.lists(contents, min_size=1, max_size=8)))
    changed = [dict(one) for one in entries]
    at = draw(st.integers(0, len(entries) - 1))
    deed = draw(st.sampled_from(("edit", "hash", "remove", "cut", "swap", "insert", "renumber")))
    if deed == "edit":
        field = draw(st.sampled_from(sorted(FIELDS)))
        changed[at][field] = draw(FIELDS[field])
        assume(canonical(changed[at]) != canonical(entries[at]))
    elif deed == "hash":
        changed[at]["hash"] = draw(st.binary(min_size=32, max_size=32).filter(lambda it: it != entries[at]["hash"]))
    elif deed == "remove":
        del changed[at]
    elif deed == "cut":
        changed = changed[:at]
    elif deed == "swap":
        other = draw(st.integers(0, len(entries) - 1).filter(lambda it: it != at) if len(entries) > 1 else st.nothing())
        changed[at]["number"], changed[other]["number"] = changed[other]["number"], changed[at]["number"]
    elif deed == "insert":
        forged = {**draw(contents), "hash": entries[at]["hash"]}
        for one in changed[at:]:
            one["number"] += 1
        changed.insert(at, {**forged, "number": at + 1})
    else:
        number = draw(st.integers(1, 20).filter(lambda it: it != entries[at]["number"]))
        changed[at]["number"] = number
    return entries, changed


@given(st.lists(contents, max_size=8))
def test_a_chain_that_nobody_touched_is_whole(made: list[Entry]) -> None:
    entries = chained(made)
    head = head_of(entries) if entries else (0, genesis(COMPANY, CHAIN))

    assert problems(entries, head) == []


@given(a_change())
def test_any_change_is_found(change: tuple[list[Entry], list[Entry]]) -> None:
    entries, changed = change

    assert problems(changed, head_of(entries))


@given(st.lists(contents, min_size=2, max_size=8), st.data())
def test_hashes_made_anew_end_in_another_head(made: list[Entry], data: st.DataObject) -> None:
    """Whoever knows how makes the chain again; a head kept elsewhere, as an export has it, still tells."""
    entries, at = chained(made), data.draw(st.integers(0, len(made) - 1))
    forged = chained([*made[:at], *made[at + 1 :]])

    assert problems(forged, head_of(forged)) == []
    assert problems(forged, head_of(entries)) == ["cut_off"]


@given(contents)
def test_content_read_back_from_json_is_the_same_content(content: Entry) -> None:
    shown = json.loads(
        json.dumps({**content, "happened_at": content["happened_at"].isoformat()}, default=str, allow_nan=False)
    )

    assert canonical(shown) == canonical(content)


def test_the_canonical_form_is_fixed() -> None:
    """A test vector: whoever proves an export in ten years computes the same."""
    entry = {
        "company_id": COMPANY, "chain": 3, "event_id": UUID(int=7), "action": "document_uploaded", "target": "d-ü",
        "user_id": None, "agent_id": None, "source": "creditx-service", "trace_id": None, "before": None,
        "after": {"b": 1.5, "a": [True, None]}, "happened_at": datetime(2026, 3, 2, 12, tzinfo=UTC),
    }  # fmt: skip

    assert canonical(entry) == (
        b'{"action":"document_uploaded","after":{"a":[true,null],"b":1.5},"agent_id":null,"before":null,"chain":3,'
        b'"company_id":"00000000-0000-0000-0000-000000000001","event_id":"00000000-0000-0000-0000-000000000007",'
        b'"happened_at":"2026-03-02T12:00:00.000000+00:00","source":"creditx-service","target":"d-\\u00fc",'
        b'"trace_id":null,"user_id":null}'
    )
    assert (
        link(genesis(COMPANY, 3), digest_of(entry)).hex()
        == "1930ab23315bdf93ba1f0aacd77e6e2fbfd0af60ab4c1d8f0cdb22090eb9d9ff"
    )
