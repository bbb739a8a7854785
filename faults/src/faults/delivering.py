"""Compares the messages that were promised with those that receivers got. Pure: values in, sentences out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from faults.journal import Arrival, Message

MESSAGE_VERDICTS = ("undelivered", "unstable", "unasked")
PLATFORM = "platform"
"""The owner of the channels to which incidents page."""


@dataclass
class Delivered:
    """`promised` and `arrived` count deliveries, one for each channel of a message; `again`: those that were taken
    once more, which is allowed; `refused`: attempts that a receiver did not take. `leaked`: what came to another's."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: {verdict: [] for verdict in MESSAGE_VERDICTS})
    leaked: list[str] = field(default_factory=list)
    promised: int = 0
    arrived: int = 0
    again: int = 0
    refused: int = 0
    pages: int = 0

    @property
    def broken(self) -> bool:
        return any(self.wrong.values())


def compare(messages: Iterable[Message], arrivals: Sequence[Arrival], said: Mapping[str, str]) -> Delivered:
    """`said`: how far the platform says a message is, by its id."""
    asked = {one.about: one for one in messages}
    came: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
    found = Delivered(refused=sum(not one.taken for one in arrivals))
    for arrival in arrivals:
        message = asked.get(arrival.about)
        if message is None or arrival.channel not in message.channels:
            _add(found.wrong["unasked"], f"{_named(arrival)} came to the {arrival.channel} of {arrival.owner}")
        elif message.owner != arrival.owner:
            _add(found.leaked, f"{_named(arrival)} of {message.owner} came to the {arrival.channel} of {arrival.owner}")
        else:
            came[message.about, arrival.channel].append(arrival)
    for message in asked.values():
        found.pages += message.owner == PLATFORM
        for channel in message.channels:
            _check(message, channel, came[message.about, channel], said, found)
    return found


def _check(
    message: Message, channel: str, arrivals: Sequence[Arrival], said: Mapping[str, str], found: Delivered
) -> None:
    taken = [one for one in arrivals if one.taken]
    name = f"{message.about} to the {channel} of {message.owner}"
    if message.promised:
        found.promised += 1
        found.arrived += bool(taken)
        if not taken:
            told = ", ".join(f"{one} is {said.get(one, 'unknown')}" for one in message.ids) or "no id"
            found.wrong["undelivered"].append(f"{name} was promised and never arrived; the platform says: {told}")
    ids = {one for arrival in arrivals for one in arrival.ids}
    if any(not arrival.ids for arrival in arrivals):
        found.wrong["unstable"].append(f"{name} came without an id")
    if len(ids) > message.times:
        found.wrong["unstable"].append(f"{name} came with {len(ids)} ids: {', '.join(sorted(ids))}")
    elif message.ids and not ids <= set(message.ids):
        found.wrong["unstable"].append(
            f"{name} came as {', '.join(sorted(ids))} and was promised as {', '.join(message.ids)}"
        )
    times = Counter(id_ for arrival in taken for id_ in arrival.ids[:1])
    found.again += sum(count - 1 for count in times.values())


def _named(arrival: Arrival) -> str:
    return arrival.about or f"message {', '.join(arrival.ids) or 'without an id'} ({arrival.title[:60]})"


def _add(sentences: list[str], what: str) -> None:
    if what not in sentences:
        sentences.append(what)
