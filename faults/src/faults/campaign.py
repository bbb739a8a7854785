"""A campaign from the first start to the verdict: platform, companies, load, faults, rest, checks, end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecosystem_client import AsyncEcosystem, claim_first_administrator_async
from faults import fleet as fleets
from faults.actions import Ground
from faults.asking import delivered, recognised
from faults.checker import Checker
from faults.customers import Credentials, Customer, customer
from faults.database_wire import DatabaseWire
from faults.delivering import PLATFORM
from faults.disk import mount_own, unmount
from faults.fleet import Fleet
from faults.injecting import Injector
from faults.journal import Journal
from faults.levels import come_down, measure
from faults.load import Load
from faults.receivers import Receivers
from faults.report import Summary, never_repaired
from faults.schedule import Fault
from faults.telling import SPEAKS_AS
from faults.wire import Wire

_COMPANIES = 3
_WARM_UP_SECONDS = 4.0
SETTLE_SECONDS = 45.0
_LEVELS_SECONDS = 90.0
"""Idle connections are kept for up to 75 s (`http.keep_alive_seconds`), channels on a former certificate for 30 s."""
_LEASE_SECONDS = 5
_FROZEN_AFTER_SECONDS = 30
_DELIVERY_SECONDS = 5
_OPEN = "[breakers.{}]\nwait_duration_in_open_state_seconds = 5\n"


@dataclass(frozen=True)
class Campaign:
    """What to do. `services` are their short names; `tell` hears what happens.

    What is still under way `settle_seconds` after the last fault is stuck. `again` is the command that does the same.
    """

    seed: int
    minutes: float
    services: Sequence[str]
    faults: Sequence[Fault]
    tell: Callable[[str], None]
    replicas: int = 2
    uploads_per_second: float = 1.0
    keep: bool = False
    settle_seconds: float = SETTLE_SECONDS
    again: str = "eco chaos run"

    async def run(self) -> Summary:
        """Raises NotUp where the platform does not start."""
        folder = fleets.new_folder()
        # What is kept must still be seen when the campaign has ended.
        own_disk = "the home is to be kept" if self.keep else mount_own(folder / "home")
        fleet = Fleet(folder, self._settings(folder))
        journal = Journal(folder / "journal.jsonl")
        try:
            self.tell(f"starting a platform in {fleet.home}")
            await fleet.up()
            async with self._ground(fleet, own_disk, journal) as (ground, customers):
                return await self._under_load(ground, customers, journal)
        finally:
            journal.close()
            ending = asyncio.ensure_future(self._end(fleet, own_disk))
            try:
                # Whoever is ended while it ends by itself ends all the same.
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                await ending
                raise

    async def _end(self, fleet: Fleet, own_disk: str | None) -> None:
        await fleet.down()
        if self.keep:
            self.tell(f"kept: {fleet.folder}")
            return
        if own_disk is None:
            unmount(fleet.home)
        await fleets.remove(fleet.folder)

    def _settings(self, folder: Path) -> dict[str, Mapping[str, Any]]:
        policies = folder / "policies.toml"
        policies.write_text("".join(_OPEN.format(breaker) for breaker in ("instance", "route", "creditx")))
        return {
            # Breakers try again in seconds, so that they open and close often.
            "resilience": {"policies_file": str(policies)},
            # Shorter than a freeze may last, so that taking over from a frozen worker is seen too.
            "orchestrator": {"lease_seconds": _LEASE_SECONDS},
            # Files of the archive are made all the time, not once a day.
            "events": {"archive_every_seconds": 2, "file_events_max": 50},
            # Receivers are on this machine. What a dead replica held is sent long before it would be called stuck.
            "monitoring": {
                "private_networks": "127.0.0.1/32",
                "delivery_seconds": _DELIVERY_SECONDS,
                "delivery_lease_seconds": _DELIVERY_SECONDS * 2,
            },
            "fleet": {
                "replicas": dict.fromkeys(self.services, self.replicas),
                # Longer than any freeze lasts: here what was frozen is to wake up beside the one that took over.
                "frozen_after_seconds": _FROZEN_AFTER_SECONDS,
            },
        }

    @asynccontextmanager
    async def _ground(
        self, fleet: Fleet, own_disk: str | None, journal: Journal
    ) -> AsyncIterator[tuple[Ground, list[Customer]]]:
        """Companies with their programs; those of the last one go through the wire. Each has its channels."""
        credential = fleet.secret("secrets/first-administrator.credential")
        first = await claim_first_administrator_async(fleet.edge_url, credential, ca=fleet.edge_ca)
        wire = Wire(("127.0.0.1", fleet.edge_port))
        port = await wire.listen_tcp()
        customers: list[Customer] = []
        receivers = Receivers(journal)
        await receivers.listen()
        async with AsyncEcosystem(
            fleet.edge_url, first.client_id, str(first.client_secret), ca=fleet.edge_ca
        ) as administrator:
            for number in range(_COMPANIES):
                who = await _company(administrator, number)
                via = "proxy" if number == _COMPANIES - 1 else "edge"
                url = f"https://127.0.0.1:{port}" if via == "proxy" else fleet.edge_url
                customers.append(customer(who, fleet.edge_url, url, str(fleet.edge_ca), via))
            try:
                for owner, client in ((PLATFORM, administrator), *((one.company_id, one.patient) for one in customers)):
                    for name, address in receivers.addresses(owner).items():
                        await client.notifications.add_channel(name, address)
                yield Ground(fleet, DatabaseWire(fleet), wire, receivers, administrator, own_disk), customers
            finally:
                for one in customers:
                    await one.client.close()
                    await one.patient.close()
                await wire.close()
                await receivers.close()

    async def _under_load(self, ground: Ground, customers: list[Customer], journal: Journal) -> Summary:
        load = Load(customers, journal, self.seed, self.uploads_per_second, datetime.now(UTC).date())
        injector = Injector(ground, load.requests, self.tell)
        try:
            load.begin()
            await asyncio.sleep(_WARM_UP_SECONDS)
            before = await measure(ground.fleet)
            self.tell(f"{len(self.faults)} faults in {self.minutes:g} min")
            began_at = time.monotonic()
            await injector.run(self.faults)
            await asyncio.sleep(max(0.0, began_at + self.minutes * 60 - time.monotonic()))
            self.tell("no more faults; waiting until all is over")
            await load.end()
            await injector.settle()
            seconds = time.monotonic() - began_at
            unanswered = await load.settle(self.settle_seconds)
            checker = Checker(ground.fleet, journal.read(), customers)
            for what in never_repaired(injector.injected):
                checker.findings.add("stuck", what)
            if unanswered:
                checker.findings.add("stuck", f"{unanswered} uploads or messages were never answered")
            await checker.settled(self.settle_seconds)
            self.tell("checking")
            findings = await checker.check()
            findings.recognised = await recognised(ground.administrator, ground.fleet, injector.injected)
            findings.delivered = await delivered(ground.administrator, customers, journal)
            for what in findings.delivered.leaked:
                findings.add("leaked", what)
            after = await come_down(ground.fleet, before, _LEVELS_SECONDS)
            return Summary(
                self.seed, seconds, injector.injected, load.requests, load.repeats, load.dropped, findings,
                before, after, ground.fleet.starts, frozenset(fault.kind for fault in self.faults), self.again,
            )  # fmt: skip
        finally:
            await injector.stop()
            await ground.database.close()
            await load.close()


async def _company(administrator: AsyncEcosystem, number: int) -> Credentials:
    company = await administrator.companies.create(
        f"Chaos {number + 1} AG", region="eu", time_zone="Europe/Zurich", locale="en_GB", currency="CHF"
    )
    client = await administrator.clients.create(
        "chaos", roles=["integrator", "company-administrator"], agents=[SPEAKS_AS], company_id=company.company_id
    )
    return Credentials(company.company_id, client.client_id, str(client.client_secret))
