"""Goal: what is written follows from registry, contracts and keys alone. Method: render, and look at the values."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ecosystem.contracts.index import PREFIXES
from ecosystem.services.gateway.adapters import EdgeFolder
from ecosystem.services.gateway.model import public_keys, rejected_now, render, takers
from ecosystem.services.gateway.rendering.routes import MAYBE, OPEN
from ecosystem.services.gateway.rendering.shapes import Endpoint, Limits, Place, Wanted

PLACE = Place(Path("edge"), "127.0.0.1", 8443, Path("pki/edge.pem"), Path("pki/ca.pem"))
JWKS = {"keys": [{"kty": "EC", "kid": "k1", "crv": "P-256", "x": "x", "y": "y"}]}
WANTED = Wanted(PLACE, Limits(), PREFIXES, {}, JWKS, "https://issuer.test", "ecosystem")


@dataclass(frozen=True)
class Known:
    service: str
    http_port: int
    state: str = "ready"
    weight: int = 100
    host: str = "127.0.0.1"


def resources(wanted: Wanted, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(render(wanted)[name])["resources"]
    return found


class TestTakers:
    def test_only_those_that_take_work_are_sent_to(self) -> None:
        instances = [
            Known("a", 2), Known("a", 1, weight=5000), Known("a", 3, state="draining"), Known("a", 4, state="starting"),
            Known("a", 5, state="unready"), Known("a", 6, weight=0), Known("a", 0), Known("other", 7),
        ]  # fmt: skip

        assert takers(instances, ["a", "b"]) == {
            "a": [Endpoint("127.0.0.1", 1, 1000), Endpoint("127.0.0.1", 2, 100)],
            "b": [],
        }


class TestRender:
    def test_what_is_referred_to_comes_first(self) -> None:
        names = list(render(WANTED))

        assert names[:2] == ["sds_edge.json", "sds_ca.json"]
        assert names[-4:] == ["cds.json", "ecds_jwt.json", "rds.json", "lds.json"]
        assert all(name.startswith("eds_") for name in names[2:-4])

    def test_an_instance_changes_the_file_of_its_service_only(self) -> None:
        before = render(WANTED)
        after = render(replace(WANTED, endpoints={"creditx-service": [Endpoint("127.0.0.1", 4000)]}))

        assert [name for name in before if before[name] != after[name]] == ["eds_creditx-service.json"]

    def test_the_same_wish_is_the_same_file(self) -> None:
        assert render(WANTED) == render(replace(WANTED))

    def test_every_public_prefix_has_routes_and_a_token_rule(self) -> None:
        routes = resources(WANTED, "rds.json")[0]["virtual_hosts"][0]["routes"]
        served = {
            route["match"].get("path_separated_prefix"): route["route"]["cluster"]
            for route in routes
            if "route" in route
        }
        rules = resources(WANTED, "ecds_jwt.json")[0]["typed_config"]["rules"]
        asked = {rule["match"]["path_separated_prefix"]: "requires" in rule for rule in rules}

        assert {prefix: served[prefix] for prefix in PREFIXES} == PREFIXES
        assert asked == {prefix: prefix not in OPEN for prefix in PREFIXES}
        assert set(OPEN) | set(MAYBE) <= set(PREFIXES)

    def test_longer_prefixes_are_looked_at_first(self) -> None:
        routes = resources(replace(WANTED, prefixes={"/a": "a", "/a/x": "b", "/a/x/y": "c"}), "rds.json")
        order = [one["match"]["path_separated_prefix"] for one in routes[0]["virtual_hosts"][0]["routes"]]

        assert order == ["/a/x/y"] * 3 + ["/a/x"] * 3 + ["/a"] * 3

    def test_only_what_may_be_done_twice_is_tried_again_after_a_reset(self) -> None:
        routes = [one for one in resources(WANTED, "rds.json")[0]["virtual_hosts"][0]["routes"] if "route" in one]

        for route in routes:
            named = {header["name"] for header in route["match"].get("headers", ())}
            token = route["match"].get("path_separated_prefix") == "/oauth"
            assert ("gateway-error" in _retry(route)) == (token or bool(named & {":method", "idempotency-key"}))

    def test_uploads_have_connections_of_their_own(self) -> None:
        (edge,) = resources(WANTED, "rds.json")
        high = [route for route in edge["virtual_hosts"][0]["routes"] if route.get("route", {}).get("priority")]

        assert {route["match"]["path_separated_prefix"] for route in high} == {"/v1/documents"}
        assert all([header["name"] for header in route["match"].get("headers", [])] != [":method"] for route in high)

    def test_every_service_proves_its_own_name(self) -> None:
        clusters = [one for one in resources(WANTED, "cds.json") if one["type"] == "EDS"]
        names = {
            one["name"]: one["transport_socket"]["typed_config"]["common_tls_context"]["combined_validation_context"][
                "default_validation_context"
            ]["match_typed_subject_alt_names"][0]["matcher"]["exact"]
            for one in clusters
        }

        assert names == {service: f"spiffe://eco.local/{service}" for service in set(PREFIXES.values())}


def _retry(route: dict[str, Any]) -> str:
    found: str = route["route"]["retry_policy"]["retry_on"]
    return found


class TestFolder:
    def test_only_what_differs_is_replaced_and_nothing_else_stays(self, tmp_path: Path) -> None:
        folder = EdgeFolder(tmp_path)

        assert folder.write({"a.json": b"1", "b.json": b"1"}) == ["a.json", "b.json"]
        assert folder.write({"a.json": b"1", "b.json": b"2"}) == ["b.json"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]

    def test_the_keys_of_the_last_run_are_found_again(self, tmp_path: Path) -> None:
        folder = EdgeFolder(tmp_path)
        assert folder.former_jwks() is None

        folder.write(render(WANTED))

        assert folder.former_jwks() == JWKS

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'{"resources": []}', b'{"resources": [{"typed_config": 1}]}']
    )
    def test_a_damaged_file_is_none(self, tmp_path: Path, content: bytes) -> None:
        for name in ("ecds_jwt.json", "bootstrap.json"):
            (tmp_path / name).write_bytes(content)

        assert (EdgeFolder(tmp_path).former_jwks(), EdgeFolder(tmp_path).admin_socket()) == (None, None)


@pytest.mark.parametrize(
    "jwks",
    [None, [], {}, {"keys": []}, {"keys": [1]}, {"keys": [{"kty": "oct", "kid": "1", "k": "x"}]},
     {"keys": [{"kty": "EC"}]}, {"keys": [{"kty": "EC", "kid": "1", "d": "secret"}]}],
)  # fmt: skip
def test_what_is_no_public_key_never_gets_to_the_edge(jwks: Any) -> None:
    with pytest.raises(ValueError, match="JWKS"):
        public_keys(jwks)


class TestRejected:
    def test_it_lasts_from_a_refusal_to_the_next_accepted_one(self) -> None:
        first = {"rds.update_success": 1, "rds.update_rejected": 0}
        refused = {"rds.update_success": 1, "rds.update_rejected": 1}
        mended = {"rds.update_success": 2, "rds.update_rejected": 1}

        found = rejected_now(first, refused, {})
        assert found == {"rds": 1}
        assert rejected_now(refused, refused, found) == found
        assert rejected_now(refused, mended, found) == {}

    def test_at_the_first_look_only_what_was_never_accepted(self) -> None:
        now = {"a.update_success": 3, "a.update_rejected": 1, "b.update_success": 0, "b.update_failure": 2}

        assert rejected_now({}, now, {}) == {"b": 2}

    def test_a_new_envoy_begins_anew(self) -> None:
        assert rejected_now({"a.update_success": 9}, {"a.update_success": 1}, {"a": 4}) == {}
