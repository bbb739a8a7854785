"""Goal: engines and ports are chosen by the rule that is promised. Method: programs and listeners made for the test."""

import socket
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from ecosystem.fleet.engines.found import find_cache, find_postgres
from ecosystem.fleet.errors import PortBusy
from ecosystem.fleet.plan import free_door, url_setting, with_login
from ecosystem.fleet.settings import FleetSettings
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.settings import Source


def a_program(folder: Path, name: str, says: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


class TestEngines:
    def test_a_url_comes_first(self) -> None:
        assert find_postgres("postgresql://x").origin == "url"
        assert find_cache("redis://x").origin == "url"

    def test_then_the_path_where_the_version_suffices(self, tmp_path: Path) -> None:
        program = a_program(tmp_path, "postgres", "postgres (PostgreSQL) 18.1")
        a_program(tmp_path, "initdb", "initdb")
        a_program(tmp_path, "valkey-server", "Server v=8.1.0 sha=0")

        assert find_postgres(None, path=str(tmp_path)).program == program
        assert find_cache(None, path=str(tmp_path)).origin == "path"

    def test_else_the_wheel(self, tmp_path: Path) -> None:
        a_program(tmp_path, "postgres", "postgres (PostgreSQL) 15.18")
        a_program(tmp_path, "initdb", "initdb")
        a_program(tmp_path, "redis-server", "Redis server v=6.2.0 sha=0")

        assert find_postgres(None, path=str(tmp_path)).origin == "wheel"
        assert find_cache(None, path=str(tmp_path)).origin == "wheel"


class TestPort:
    def test_an_explicit_busy_one_is_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortBusy, match="in use"):
            free_door("127.0.0.1", other.getsockname()[1])

    def test_two_that_start_at_once_take_two(self) -> None:
        first, second = free_door("127.0.0.1", None), free_door("127.0.0.1", None)

        assert first.port != second.port
        again = first.port
        first.close()
        third = free_door("127.0.0.1", again)
        assert third.port == again
        third.close()
        second.close()

    def test_a_platform_keeps_its_port_and_says_when_it_cannot(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            moved = free_door("127.0.0.1", None, former=port)
        kept = free_door("127.0.0.1", None, former=port)

        assert (moved.port != port, moved.former) == (True, port)
        assert (kept.port, kept.former) == (port, None)
        moved.close()
        kept.close()


class TestDatabaseByUrl:
    def test_services_use_their_own_login_there(self) -> None:
        assert with_login("postgresql://admin:pw@db:5432/eco?sslmode=require", "eco_a", "s") == (
            "postgresql://eco_a:s@db:5432/eco?sslmode=require"
        )

    def test_words_of_libpq_do_as_well(self) -> None:
        words = with_login("host=db dbname=eco user=admin password=pw", "eco_a", "s")
        told = conninfo_to_dict(words)

        assert (told["host"], told["dbname"], told["user"], told["password"]) == ("db", "eco", "eco_a", "s")
        assert DatabaseSettings.model_validate({"url": words}).url.get_secret_value() == words

    def test_its_url_may_come_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "url").write_text("postgresql://x\n")
        source = Source.load(None, {"ECO_DATABASE_URL_FILE": str(tmp_path / "url")})

        assert url_setting(source, DatabaseSettings) == "postgresql://x"
        assert url_setting(source, CacheSettings) is None


@pytest.mark.parametrize(
    ("replicas", "said"),
    [
        ("{nope = 2}", "there is no service nope; there are authn"),
        ("{creditx = 0}", "creditx has at least 1 process; only a backup has none"),
        ("{creditx-backup = -1}", "greater than or equal to 0"),
        ("{creditx = 99}", "less than or equal to 32"),
    ],
)
def test_replicas_that_cannot_be_are_refused_by_name_and_line(tmp_path: Path, replicas: str, said: str) -> None:
    file = tmp_path / "eco.toml"
    file.write_text(f"[fleet]\nreplicas = {replicas}\n")

    with pytest.raises(EcosystemError) as refused:
        Source.load(file, {}).get(FleetSettings)
    assert said in refused.value.message
    assert "eco.toml, line 2" in refused.value.message or "eco.toml:2" in refused.value.message
