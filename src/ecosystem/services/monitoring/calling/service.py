"""The rota: set as a whole, shown with who is on call, overridden for a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from ecosystem.services.monitoring.calling.form import Problem, RotaForm, parse, refused
from ecosystem.services.monitoring.calling.model import AHEAD_MAX, OVERRIDE_MAX, Level, Override, Person, Rota
from ecosystem.services.monitoring.calling.people import Named, Sealed
from ecosystem.services.monitoring.calling.repository import PersonRow, Rotas
from ecosystem.services.monitoring.errors import ChannelRefused, OverrideRefused, PersonUnknown, RotaMissing
from ecosystem.services.monitoring.notifying.model import Channel
from ecosystem.services.monitoring.notifying.service import NotifyingService, Parts
from ecosystem.workflow.document import Node


@dataclass(frozen=True)
class Turn:
    """Who is on call at a level (from 0) now, whether by an override, and when the next turn begins."""

    level: int
    person: Person
    overridden: bool
    next_hand_over: datetime | None
    within: timedelta


@dataclass(frozen=True)
class Standing:
    rota: Rota
    people: Mapping[UUID, Person]
    turns: tuple[Turn, ...]
    overrides: tuple[Override, ...]
    as_of: datetime


@dataclass(frozen=True)
class _Prepared:
    """A person with new channels, sealed, and the ids of the channels that stay."""

    row: PersonRow
    new: tuple[Channel, ...]


class RotaService:
    """`company_id` is the company whose rota is meant, or PLATFORM."""

    def __init__(self, parts: Parts, rotas: Rotas, sealed: Sealed, notifying: NotifyingService) -> None:
        self._parts, self._rotas, self._sealed, self._notifying = parts, rotas, sealed, notifying

    async def set(self, company_id: UUID, text: str, by: str) -> Standing:
        """Replace the rota. Who is not in it any more is forgotten, name and addresses.

        Raises RotaRefused, whose problems name the lines; nothing has changed then.
        """
        form, tree = parse(text)
        before = await self._parts.fenced.read(company_id, lambda: self._rotas.people(company_id))
        known = {bytes(row.key_index): row for row in before}
        people: dict[str, _Prepared] = {}
        problems: list[Problem] = []
        for key in form.people:
            index = await self._sealed.index(company_id, key)
            people[key] = await self._prepare(company_id, form, tree, key, index, known.get(index), problems)
        if problems:
            raise refused(problems)
        rota = _rota_of(form, {key: one.row.person_id for key, one in people.items()})
        gone = [row for row in before if row.person_id not in {one.row.person_id for one in people.values()}]
        await self._parts.fenced.run(
            company_id, lambda: self._keep(company_id, rota, list(people.values()), before, gone, by)
        )
        return await self.show(company_id)

    async def _keep(
        self, company_id: UUID, rota: Rota, people: list[_Prepared], before: list[PersonRow], gone: list[PersonRow],
        by: str,
    ) -> None:  # fmt: skip
        parts, now = self._parts, self._parts.clock.now()
        staying = {channel_id for one in people for channel_id in one.row.channels}
        own = {one.channel_id for one in await parts.outbox.channels(company_id, people=True) if one.person_id}
        left = {row.person_id: sorted((own & {*row.channels}) - staying) for row in before}
        for one in people:
            for channel in one.new:
                await parts.outbox.add_channel(company_id, channel)
            if one.new:
                # A rota is mended because somebody does not hear: what they should hear comes to the new address.
                former = left.get(one.row.person_id, [])
                await parts.outbox.move(company_id, former, one.new[0].channel_id, now)
            await self._rotas.put_person(company_id, one.row)
        await parts.outbox.remove_channels(company_id, [one for former in left.values() for one in former], now)
        await self._rotas.remove_people(company_id, [row.person_id for row in gone], len(rota.levels), now)
        version = await self._rotas.set_rota(company_id, rota, by, now)
        await self._sealed.forget(company_id, [row.person_id for row in gone])
        after = {"version": version, "levels": len(rota.levels), "people": len(people), "forgotten": len(gone)}
        await self._parts.fenced.record(company_id, "rota_set", str(company_id), after)

    async def _prepare(
        self, company_id: UUID, form: RotaForm, tree: Node, key: str, index: bytes, known: PersonRow | None,
        problems: list[Problem],
    ) -> _Prepared:  # fmt: skip
        """The slow part: addresses are looked at by Apprise. What is wrong goes to `problems`."""
        person, person_id = form.people[key], known.person_id if known else self._parts.ids.uuid()
        zone = person.time_zone or form.time_zone
        kept = await self._kept(company_id, known, zone, person.quiet_hours)
        named = {one.name: one for one in await self._notifying.channels(company_id)}
        ids: list[UUID] = []
        new: list[Channel] = []
        for position, address in enumerate(person.notify):
            line = tree.line_at(("people", key, "notify", position))
            if address in kept:
                ids.append(kept[address])
            elif "://" not in address:
                if address in named:
                    ids.append(named[address].channel_id)
                else:
                    problems.append(Problem(line, "This is neither an address nor the name of a channel."))
            else:
                channel_id = self._parts.ids.uuid()
                try:
                    new.append(await self._notifying.prepared(
                        company_id, channel_id, f"oncall/{channel_id}", address, time_zone=zone,
                        quiet=person.quiet_hours, person_id=person_id,
                    ))  # fmt: skip
                    ids.append(channel_id)
                except ChannelRefused:
                    problems.append(Problem(line, "Apprise does not understand this address."))
        sealed = await self._sealed.seal(company_id, person_id, Named(key, person.name))
        return _Prepared(PersonRow(person_id, index, sealed, zone, person.quiet_hours, ids), tuple(new))

    async def _kept(
        self, company_id: UUID, known: PersonRow | None, zone: str, quiet: str | None
    ) -> dict[str, UUID]:  # fmt: skip
        """The person's own channels that may stay as they are, by address: what waits to go there still goes."""
        if known is None:
            return {}
        found = await self._parts.fenced.read(
            company_id, lambda: self._parts.outbox.channels_by_id(company_id, list(known.channels))
        )
        return {
            await self._parts.vault.url(company_id, one.channel_id, one.person_id, one.sealed_url): one.channel_id
            for one in found
            if one.person_id and (one.time_zone, one.quiet) == (zone, quiet)
        }

    async def show(self, company_id: UUID, at: datetime | None = None) -> Standing:
        """The rota as it stands, and who is on call at a moment (now). Raises RotaMissing."""
        now = at or self._parts.clock.now()

        async def look() -> tuple[Rota | None, list[PersonRow], list[Override]]:
            rotas = self._rotas
            return (
                await rotas.rota(company_id), await rotas.people(company_id), await rotas.overrides(company_id, now)
            )  # fmt: skip

        rota, rows, overrides = await self._parts.fenced.read(company_id, look)
        if rota is None:
            raise RotaMissing
        people = await self._sealed.people(company_id, rows)
        turns = tuple(
            Turn(
                level, people[rota.on_call(level, now, overrides)],
                rota.on_call(level, now, overrides) != rota.on_call(level, now), rota.next_hand_over(level, now),
                one.within,
            )
            for level, one in enumerate(rota.levels)
        )  # fmt: skip
        return Standing(rota, people, turns, tuple(overrides), now)

    async def override(
        self, company_id: UUID, *, key: str, level: int, from_at: datetime | None, to_at: datetime, by: str
    ) -> Override:
        """Somebody else is on call for a while. Times without a zone are read in the rota's; none: from now on.

        Raises OverrideRefused, PersonUnknown, RotaMissing.
        """
        parts, now = self._parts, self._parts.clock.now()
        standing = await self.show(company_id)
        found = [one for one in standing.people.values() if one.key == key]
        if not found or not 0 <= level < len(standing.rota.levels):
            raise PersonUnknown
        zone = standing.rota.zone
        begins, ends = _utc(from_at, zone) if from_at else now, _utc(to_at, zone)
        if not begins < ends or ends <= now or ends - begins > OVERRIDE_MAX or begins > now + AHEAD_MAX:
            raise OverrideRefused
        override = Override(parts.ids.uuid(), level, found[0].person_id, begins, ends, now)

        async def add() -> None:
            await self._rotas.add_override(company_id, override, by)
            after = {
                "level": level, "person_id": str(override.person_id), "from_at": begins.isoformat(),
                "to_at": ends.isoformat(),
            }  # fmt: skip
            await self._parts.fenced.record(company_id, "rota_overridden", str(override.override_id), after)

        await self._parts.fenced.run(company_id, add)
        return override


def _utc(moment: datetime, zone: ZoneInfo) -> datetime:
    """By the clock on the wall of the zone where it has no offset. Moments of one zone are compared by their walls, and
    an hour that is left out or comes twice would turn them round. Raises OverrideRefused."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise OverrideRefused from None


def _rota_of(form: RotaForm, ids: Mapping[str, UUID]) -> Rota:
    levels = []
    for one in form.levels:
        people, within = tuple(ids[key] for key in one.people), timedelta(minutes=one.acknowledge_within_minutes)
        turns = one.hand_over
        levels.append(
            Level(people, within, turns.first, turns.at, turns.every_days) if turns else Level(people, within)
        )
    return Rota(0, form.time_zone, form.rounds, tuple(levels))
