"""Goal: the shipped `eco.toml` names every setting with its true default. Method: load it as the platform would."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import ecosystem
from ecosystem.kernel.settings import Settings, Source, before_the_fleet
from tests.tidy.tree import ROOT

# What the fleet decides for every process it starts; `eco config show` marks it.
DECIDED = {
    "gateway": {"edge_folder", "host", "port", "pem_file", "ca_file"},
    "identity": {"pem_file", "ca_file", "revoked_file"},
    "keys": {"master_key_file"}, "objects": {"folder"}, "telemetry": {"traces_folder"},
    "runtime": {"instance_id", "home", "http_port", "grpc_port", "plain_port"}, "authn": {"first_credential_file"},
    "recovery": {"journal_file", "certificates_folder"},
    "monitoring": {"edge_url"},
    "resilience": {"kept_file"},
}  # fmt: skip
FILE = ROOT / "eco.toml"


def classes() -> Iterator[type[Settings]]:
    for module in pkgutil.walk_packages(ecosystem.__path__, "ecosystem."):
        if module.name.endswith(".settings") and module.name != "ecosystem.kernel.settings":
            for kind in vars(importlib.import_module(module.name)).values():
                if isinstance(kind, type) and issubclass(kind, Settings) and kind is not Settings:
                    yield kind


KINDS = {kind.section: kind for kind in classes()}


def test_it_is_loaded_and_names_nothing_unknown() -> None:
    source = Source.load(FILE)

    source.refuse_unknown(KINDS.values())

    assert set(source.tables) == set(KINDS)


@pytest.mark.parametrize("section", sorted(KINDS))
def test_every_value_is_the_default(section: str) -> None:
    kind, table = KINDS[section], Source.load(FILE).tables[section]
    defaults = {
        name: info.get_default(call_default_factory=True, validated_data={})
        for name, info in kind.model_fields.items()
        if name not in DECIDED.get(section, ())
    }

    loaded = Source(tables={section: table}).get(before_the_fleet(kind))

    assert {name: getattr(loaded, name) for name in table} == {name: defaults[name] for name in table}


@pytest.mark.parametrize("section", sorted(KINDS))
def test_every_setting_stands_in_it(section: str) -> None:
    part = FILE.read_text().partition(f"\n[{section}]\n")[2].partition("\n[")[0]
    named = set(re.findall(r"^(?:# )?([a-z_]+) = ", part, re.MULTILINE))

    assert named == set(KINDS[section].model_fields) - DECIDED.get(section, set())
