"""Every part of the kernel, made from settings and brought together; nothing is opened yet."""

from dataclasses import dataclass

from ecosystem.kernel.agent.authorisation import names_checked
from ecosystem.kernel.agent.client import AgentClient, Transport
from ecosystem.kernel.agent.delivery import AgentDelivery
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.caching.cache import Cache
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.keystore import DatabaseKeyStore
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.durable.durable import Durable
from ecosystem.kernel.identity.identity import Identity
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.keys.keyring import Keyring
from ecosystem.kernel.keys.settings import KeysSettings
from ecosystem.kernel.messaging.direct import LateEvents
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.objects.objects import Objects
from ecosystem.kernel.objects.settings import ObjectsSettings
from ecosystem.kernel.registry.registry import Registry
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.resilience.settings import ResilienceSettings
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.service import Kernel
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem.kernel.settings import Source
from ecosystem.kernel.telemetry.metrics import METRICS


@dataclass(frozen=True)
class World:
    """What comes in by constructor, so that a test owns it."""

    clock: Clock
    ids: Ids

    @classmethod
    def real(cls) -> "World":
        return cls(SystemClock(), SystemIds())


def make_database(schema: str, source: Source, world: World) -> Database:
    return Database(source.get(DatabaseSettings), schema, world.clock)


def make_policies(source: Source, contracts: ContractIndex, world: World) -> Policies:
    """Raises PolicyRefused where the operator's file is wrong."""
    settings = source.get(ResilienceSettings)
    return Policies(
        settings.policies_file, world.clock, verify=names_checked(contracts.agents, contracts.http_callers),
        kept=settings.kept_file,
    )  # fmt: skip


def make_kernel(
    service: str, source: Source, contracts: ContractIndex, world: World, *, database: Database, registry: Registry,
    policies: Policies, identity: Identity, transport: Transport,
) -> Kernel:  # fmt: skip
    """Raises SettingRefused, MasterKeyRefused."""
    keyring = Keyring(source.get(KeysSettings), DatabaseKeyStore(database))
    agents = AgentClient(contracts.agents, transport, ids=world.ids, policies=policies)
    delivery = AgentDelivery(agents, contracts.agents, service)
    late = LateEvents(database, delivery, source.get(MessagingSettings), world.clock)
    outbox = Outbox(database, source=service, clock=world.clock, ids=world.ids, committed=late.remember)
    return Kernel(
        service=service,
        source=source,
        clock=world.clock,
        ids=world.ids,
        database=database,
        keyring=keyring,
        outbox=outbox,
        durable=Durable(database),
        audit=Audit(outbox),
        cache=Cache(source.get(CacheSettings), service=service, policies=policies),
        objects=Objects(source.get(ObjectsSettings), keyring, world.clock),
        sandbox=Sandbox(source.get(SandboxSettings)),
        heavy_sandbox=Sandbox(source.get(SandboxSettings).heavy()),
        registry=registry,
        policies=policies,
        agents=agents,
        late=late,
        identity=identity,
        metrics=METRICS,
    )
