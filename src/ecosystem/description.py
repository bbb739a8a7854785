"""What the platform offers by HTTP, as OpenAPI 3.1: every service is composed on parts that are never opened."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from ecosystem import __version__
from ecosystem.catalog import CATALOG, Entry
from ecosystem.contracts import index
from ecosystem.entrypoints import resolve
from ecosystem.kernel.agent.local import LocalTransport
from ecosystem.kernel.http.door import BASIC_PATH
from ecosystem.kernel.http.openapi import described
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.identity.identity import Identity
from ecosystem.kernel.identity.settings import IdentitySettings
from ecosystem.kernel.registry.registry import Registry
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.runtime.assembly import application
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.parts import World, make_database, make_kernel
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.settings import Source

_FORMS = {
    "rule-set.schema.json": "ecosystem.services.creditx.judging.form:RuleSet",
    "rota.schema.json": "ecosystem.services.monitoring.calling.form:RotaForm",
}


def schemas() -> dict[str, dict[str, Any]]:
    """What the services are described by, by its file below `schemas/`: OpenAPI, and the forms of people's files."""
    documents = {f"openapi/{name}.json": document for name, document in openapi().items()}
    forms = {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema", **resolve(form).model_json_schema()}
        for name, form in _FORMS.items()
    }
    return documents | forms


def openapi() -> dict[str, dict[str, Any]]:
    """The OpenAPI document of each service with public routes, by its registered name."""
    documents = {name: described(app) for name, app in applications().items()}
    return {name: document for name, document in documents.items() if document["paths"]}


def applications() -> dict[str, FastAPI]:
    """The public routes of each service, by its registered name."""
    with tempfile.TemporaryDirectory(prefix="eco-describe-") as folder:
        return {entry.name: _application(entry, Path(folder)) for entry in CATALOG}


def _application(entry: Entry, folder: Path) -> FastAPI:
    kernel = _kernel(entry, folder)
    service: Service = resolve(entry.build)(kernel)
    if index.PREFIXES[BASIC_PATH] != entry.name:
        # Every service with agents has a door to them; the edge knows but one.
        service = replace(service, agents=())
    return application(kernel, service, _contracts(), __version__)


def _contracts() -> ContractIndex:
    return ContractIndex(index.AGENTS, index.EVENTS, frozenset(one.name for one in CATALOG))


def _kernel(entry: Entry, folder: Path) -> Kernel:
    """Settings as the fleet would give them, of places where nothing is."""
    authority = Authority.open(folder / "authority")
    for name, content in (("pem", authority.issue(entry.name)), ("ca", authority.bundle()), ("key", b"5a" * 32)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    files = {"pem_file": str(folder / "pem"), "ca_file": str(folder / "ca")}
    source = Source.load(
        overrides={
            "database": {"url": "postgresql://nobody@/nowhere"},
            "keys": {"master_key_file": str(folder / "key")},
            "objects": {"folder": str(folder / "objects")},
            "identity": files,
            "gateway": {**files, "edge_folder": str(folder)},
        }
    )
    world = World.real()
    database = make_database(entry.schema, source, world)
    return make_kernel(
        entry.name, source, _contracts(), world, database=database, registry=Registry(database), policies=Policies(),
        identity=Identity(source.get(IdentitySettings)), transport=LocalTransport(entry.name, {}),
    )  # fmt: skip
