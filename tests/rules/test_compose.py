"""What docker-compose.yml and the Dockerfile say must be true of this code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from hub.cli import parser
from hub.config import HubSettings
from hub.settings_file import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "vestnik"}
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SETTABLE = {f"VESTNIK_{name.upper()}" for name in HubSettings.model_fields} | {
    "VESTNIK_CONFIG",
    "VESTNIK_DATA",
}


def test_it_is_a_compose_file() -> None:
    # The schema is that of Docker Compose 1.29.2 (Apache-2.0), compose/config/compose_spec.json.
    schema = json.loads(Path(__file__).with_name("compose_spec.json").read_text(encoding="utf-8"))

    errors = Draft201909Validator(schema).iter_errors(COMPOSE)

    assert [f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors] == []


def test_every_role_is_there() -> None:
    assert set(OURS) == {"migrate", "api", "worker", "bots"}


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours(name: str) -> None:
    command = OURS[name]["command"].split()

    assert parser().parse_args(command).command == name


@pytest.mark.parametrize("file", ["docker-compose.yml", "Dockerfile", ".env.example"])
def test_every_variable_is_a_setting(file: str) -> None:
    named = set(re.findall(r"VESTNIK_[A-Z_]+", (ROOT / file).read_text(encoding="utf-8")))

    assert named
    assert named - SETTABLE == set()


def test_every_variable_it_asks_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    offered = set(re.findall(r"^([A-Z_]+)=", EXAMPLE, flags=re.MULTILINE))

    assert asked == offered


def test_no_secret_has_a_default() -> None:
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET)\w*)(.*?)\}", TEXT)

    assert secrets
    assert all(rest.startswith(":?") for _, rest in secrets)
    assert re.findall(r"(?:PASSWORD|SECRET)=.+", EXAMPLE) == []


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_dies_comes_back(name: str) -> None:
    # Once migrated is enough.
    assert SERVICES[name]["restart"] == ("no" if name == "migrate" else "always")


@pytest.mark.parametrize("name", ["postgres", "redis", "api"])
def test_what_can_be_asked_is_asked_how_it_is(name: str) -> None:
    assert "test" in SERVICES[name]["healthcheck"]


def test_data_lies_in_a_named_volume() -> None:
    sources = {volume.partition(":")[0] for volume in SERVICES["postgres"]["volumes"]}

    assert sources == set(COMPOSE["volumes"])


def test_the_image_copies_what_is_there() -> None:
    copied = re.findall(
        r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE
    )
    names = {name for line in copied for name in line.split()}
    let_in = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), flags=re.MULTILINE))

    assert names == let_in
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("with_accounts", [False, True])
def test_the_example_settings_can_be_loaded(tmp_path: Path, *, with_accounts: bool) -> None:
    text = (ROOT / "vestnik.example.toml").read_text(encoding="utf-8")
    if with_accounts:
        text = re.sub(r"^# (?=\[\[|\w+ = )", "", text, flags=re.MULTILINE)
    file = tmp_path / "vestnik.toml"
    file.write_text(text, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"env:([A-Z_]+)", text), "0123456789abcdef")
    # Checked for its form.
    environ["TELEGRAM_TOKEN"] = f"123456789:{'A' * 35}"

    settings = load(file, environ=environ)

    assert bool(settings.shops["main"].accounts) == with_accounts
