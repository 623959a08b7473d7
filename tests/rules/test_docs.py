"""The pages lead where they say, and what they show can be typed: links, settings, commands."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from channels.duration import duration
from hub.cli import parser
from hub.config import AUTOMATIC, HubSettings, Retention, SettingsError, Shop
from hub.settings_file import load

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "integrations").rglob("*.md")]
)
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
# What an example names of the environment, in the form that the provider has it.
ENVIRON = {"TELEGRAM_TOKEN": "123456:ABC-DEF", "VAPID_PRIVATE_KEY": "A" * 42 + "E"}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_its_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_readme_names_every_page_for_those_who_run_a_hub(readme: str) -> None:
    linked = set(re.findall(r"\((docs/[\w-]+\.md)", (ROOT / readme).read_text(encoding="utf-8")))
    # Named by the list of shops.
    others = {"docs/adding-a-source.md"}

    assert {name(page) for page in (ROOT / "docs").glob("*.md")} - linked - others == set()


@pytest.mark.parametrize(
    ("page", "text"),
    [(page, text) for page in PAGES for text in blocks(page, "toml")],
    ids=lambda value: name(value) if isinstance(value, Path) else "",
)
def test_its_settings_load(page: Path, text: str, tmp_path: Path) -> None:
    if "and the provider's own keys" in text:
        text += 'token = "abc"\nfrom = "shop@example.com"\n'
    file = tmp_path / "vestnik.toml"
    file.write_text(text, encoding="utf-8")
    named = re.findall(r'"env:(\w+)"', text)
    environ = {variable: ENVIRON.get(variable, "0123456789abcdef") for variable in named}

    try:
        load(file, environ=environ)
    except SettingsError as error:
        # Files of keys and certificates are the reader's.
        if not re.search(r"/etc/vestnik/\S+ cannot be read", str(error)):
            raise


def rows(heading: str, columns: int) -> Iterator[list[str]]:
    """Of the first table below the heading, without its head."""
    below = SETTINGS.split(f"\n{heading}\n", 1)[1]
    table = re.search(r"^\|.*\n\| ---.*\n((?:\|.*\n)+)", below, re.MULTILINE)
    assert table
    for line in table[1].splitlines():
        yield [cell.strip() for cell in line.strip("|").split("|", columns - 1)]


def default_of(model: type[BaseModel], key: str) -> Any:
    value = model.model_fields[key].get_default(call_default_factory=True)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def said(cell: str) -> Any:
    """The default that a cell shows; None where it says it in words."""
    if cell == "empty":
        return ""
    found = re.fullmatch(r"`(.*)`", cell)
    return tomllib.loads(f"value = {found[1]}")["value"] if found else None


@pytest.mark.parametrize(
    ("heading", "model"), [("## `[hub]`", HubSettings), ("## `[shops.NAME]`", Shop)]
)
def test_the_tables_have_every_key_and_its_default(heading: str, model: type[BaseModel]) -> None:
    shown = {cells[0].strip("`"): said(cells[1]) for cells in rows(heading, 3)}

    # Accounts have a chapter of their own.
    assert set(shown) == set(model.model_fields) - {"accounts"}
    for key, value in shown.items():
        default = default_of(model, key)
        if value is not None:
            assert value == ("auto" if default is AUTOMATIC else _plain(default)), key


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_how_long_data_is_kept_is_told_as_it_is() -> None:
    below = SETTINGS.split("`retention`: how long")[1]
    shown = re.findall(r'^\| `(\w+)` \| `"(\d+d)"` \| (\d+) d \|', below, re.MULTILINE)

    assert {key for key, _, _ in shown} == set(Retention.model_fields)
    for key, default, least in shown:
        assert duration(default) == default_of(Retention, key), key
        days = timedelta(days=int(least))
        whole = {"notifications": "1000d", key: f"{days.days}d"} if key != "notifications" else {}
        # "attempts" and "sandbox" are parts of "notifications".
        parts = {"attempts": "7d", "sandbox": "1d"} if key == "notifications" else {}
        Retention.model_validate(whole | parts | {key: f"{days.days}d"})
        with pytest.raises(ValueError, match="must be"):
            Retention.model_validate(whole | parts | {key: days - timedelta(seconds=1)})


def commands() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for text in [*blocks(page, "sh"), *blocks(page, "")]:
            for line in re.findall(
                r"^(?:\.venv/bin/)?vestnik (\S.*?)(?:\s+#.*)?$", text, re.MULTILINE
            ):
                yield page, line


@pytest.mark.parametrize(("page", "line"), list(commands()), ids=lambda value: str(value)[-40:])
def test_each_command_is_understood(page: Path, line: str) -> None:
    assert parser().parse_args(shlex.split(line)).run
