"""Goal: an engineer makes a stolen certificate worthless with one command. Method: the command on a home of its own."""

import json
from pathlib import Path

import pytest

from ecosystem.cli import identities
from ecosystem.fleet.certificates import Certificates
from ecosystem.fleet.home import Home
from ecosystem.kernel.identity.revocations import Revocations


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    monkeypatch.setenv("ECO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path / "home")
    home.prepare()
    made = Certificates(home, 24, "127.0.0.1")
    made.renew(["edge", "creditx-service"])
    return made


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert identities.main(["list", "--json"]) == 0
    return {one["name"]: one["serial"] for one in json.loads(capsys.readouterr().out)["identities"]}


def test_the_present_one_is_revoked_and_replaced(
    certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listed(capsys)

    assert identities.main(["revoke", "creditx"]) == 0

    assert f"The certificate {before['creditx-service']} of creditx-service is refused" in capsys.readouterr().out
    after = listed(capsys)
    assert after["creditx-service"] != before["creditx-service"]
    assert after["edge"] == before["edge"]
    revoked = Revocations(certificates._home.revoked)
    assert revoked.holds(before["creditx-service"])
    assert not revoked.holds(after["creditx-service"])


def test_any_serial_of_a_stolen_certificate(certificates: Certificates, capsys: pytest.CaptureFixture[str]) -> None:
    before = listed(capsys)

    assert identities.main(["revoke", "edge", "--serial", "0A:BC", "--anyway"]) == 0
    assert identities.main(["revoke", "edge", "--serial", "0abc"]) == 0

    assert listed(capsys) == before
    assert [line.split()[:2] for line in certificates.revoked()] == [["abc", "edge"]]
    assert identities.main(["list"]) == 0
    assert "abc" in capsys.readouterr().out


def test_the_serial_of_the_present_one_is_replaced_too(
    certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listed(capsys)
    assert identities.main(["revoke", "creditx", "--serial", before["creditx-service"].upper()]) == 0

    assert listed(capsys)["creditx-service"] != before["creditx-service"]
    assert Revocations(certificates._home.revoked).holds(before["creditx-service"])


def test_a_serial_that_nobody_has_is_refused_with_the_next_step(
    certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    of_edge = listed(capsys)["edge"]
    assert identities.main(["revoke", "creditx", "--serial", "abc"]) == 1
    unknown = capsys.readouterr().err
    assert identities.main(["revoke", "creditx", "--serial", of_edge]) == 1

    assert "No process has a certificate abc now." in unknown
    assert "--anyway" in unknown
    assert f"{of_edge} is the certificate of edge, not of creditx-service." in capsys.readouterr().err
    assert certificates.revoked() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["revoke", "nobody"], "no process 'nobody'"), (["revoke", "edge", "--serial", "x y"], "'x y' is no serial")],
)
def test_what_does_not_exist_is_told(
    certificates: Certificates, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert identities.main(arguments) == 1
    assert told in capsys.readouterr().err
    assert certificates.revoked() == []
