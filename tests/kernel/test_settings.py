"""Goal: a setting is taken from where it should be, and a wrong one is refused by name and line. Method: real files."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from ecosystem.kernel.settings import MASK, Secret, SettingRefused, Settings, Source


class DoorSettings(Settings):
    section: ClassVar[str] = "door"

    port: int = Field(default=8443, ge=1, le=65535, description="Where it listens.")
    password: Secret = Secret("open sesame")
    lifetimes: dict[str, int] = Field(default_factory=dict)
    closed_to: list[str] = Field(default_factory=list)


def source(folder: Path, text: str, **environ: str) -> Source:
    path = folder / "eco.toml"
    path.write_text(text)
    return Source.load(path, environ)


class TestGet:
    def test_later_sources_win(self, tmp_path: Path) -> None:
        found = source(tmp_path, "[door]\nport = 1\n", ECO_DOOR_PORT="2")

        assert Source().get(DoorSettings).port == 8443
        assert source(tmp_path, "[door]\nport = 1\n").get(DoorSettings).port == 1
        assert found.get(DoorSettings).port == 2
        assert found.with_overrides({"door": {"port": 3}}).get(DoorSettings).port == 3

    @pytest.mark.parametrize(
        ("text", "environ", "said"),
        [
            ("[door]\n\nport = 0\n", {}, "eco.toml:3: door.port is refused"),
            ("[door]\nprot = 1\n", {}, "eco.toml:2: there is no setting door.prot"),
            ("", {"ECO_DOOR_PORT": "many"}, "environment variable ECO_DOOR_PORT: door.port is refused"),
            ("[door]\nport = [\n", {}, "cannot be read as TOML"),
            ("", {"ECO_DOOR_CLOSED_TO": "amy"}, "environment variable ECO_DOOR_CLOSED_TO: door.closed_to is refused"),
            ("", {"ECO_DOOR_LIFETIMES": "{a = 'x'}"}, "variable ECO_DOOR_LIFETIMES: door.lifetimes.a is refused"),
            ("port = 1\n", {}, "eco.toml:1: `port` stands outside of a [section]"),
        ],
    )
    def test_wrong_values_are_refused_by_name_and_place(
        self, tmp_path: Path, text: str, environ: dict[str, str], said: str
    ) -> None:
        with pytest.raises(SettingRefused) as refusal:
            source(tmp_path, text, **environ).get(DoorSettings)

        assert said in refusal.value.message

    def test_lists_and_tables_stand_in_a_variable_as_in_the_file(self, tmp_path: Path) -> None:
        environ = {"ECO_DOOR_CLOSED_TO": '["amy", "ben"]', "ECO_DOOR_LIFETIMES": "{door = 1, key = 2}"}
        found = source(tmp_path, '[door]\nclosed_to = ["zoe"]\nlifetimes = {door = 9}\n', **environ).get(DoorSettings)

        assert (found.closed_to, found.lifetimes) == (["amy", "ben"], {"door": 1, "key": 2})

    def test_a_secret_comes_from_a_file_and_never_prints(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("hush\n")
        found = source(tmp_path, '[door]\npassword = "old"\n', ECO_DOOR_PASSWORD_FILE=str(secret))

        settings = found.get(DoorSettings)

        assert settings.password.get_secret_value() == "hush"
        shown = {item.name: item for item in found.explain(DoorSettings)}
        assert shown["password"].value == MASK
        assert shown["password"].origin == "environment variable ECO_DOOR_PASSWORD_FILE (a file)"
        assert "hush" not in repr(settings)

    def test_an_absent_secret_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SettingRefused, match=r"the file of door\.password cannot be read"):
            source(tmp_path, "", ECO_DOOR_PASSWORD_FILE=str(tmp_path / "none")).get(DoorSettings)


class TestRefuseUnknown:
    @pytest.mark.parametrize(
        ("text", "environ", "said"),
        [
            ("[dorr]\nport = 1\n", {}, "eco.toml:1: there is no section [dorr]"),
            ("[door]\nport = 1\nprot = 1\n", {}, "eco.toml:3: there is no setting door.prot"),
            ("", {"ECO_DOOR_PROT": "1"}, "environment variable ECO_DOOR_PROT: there is no setting door.prot"),
            ("", {"ECO_DORR_PORT": "1"}, "Environment variable ECO_DORR_PORT: there is no section [dorr]"),
        ],
    )
    def test_names_what_is_unknown(self, tmp_path: Path, text: str, environ: dict[str, str], said: str) -> None:
        with pytest.raises(SettingRefused) as refusal:
            source(tmp_path, text, **environ).refuse_unknown([DoorSettings])

        assert said in refusal.value.message

    def test_known_and_reserved_names_pass(self, tmp_path: Path) -> None:
        found = source(tmp_path, '[door.lifetimes]\n"a:*" = 3\n', ECO_HOME="/x", ECO_DOOR_PASSWORD_FILE="/y")

        found.refuse_unknown([DoorSettings])

        assert source(tmp_path, '[door.lifetimes]\n"a:*" = 3\n').get(DoorSettings).lifetimes == {"a:*": 3}
