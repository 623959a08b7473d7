"""A hub that its operator has just started, with the demonstration's orders in it, and Chromium in front of it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.process import Up, clean_environ, eventually, up

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium must not call home: there is nobody.
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)

LOGIN, PASSWORD = "olga@shop.example", "a long enough password"


@dataclass(frozen=True, slots=True)
class House:
    """`link`: makes the first owner, once. `key`: of the API."""

    hub: Up
    url: str
    link: str
    key: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one file only: as long as it runs no other event loop can."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(
            "there is no Chromium here: install it (apt-get install chromium), or name it in CHROMIUM"
        )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with up(tmp_path_factory.mktemp("console") / "data") as hub:
        url, key = hub.ready(), hub.key()
        eventually(lambda: _link(hub) is not None)
        _demo(hub.data)
        yield House(hub, url, str(_link(hub)), key)


def _link(hub: Up) -> str | None:
    found = re.search(r"http://\S+/console/first/\S+", "".join(hub.said))
    return found[0] if found else None


def _demo(data: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hub", "demo", "--data", str(data)],
        cwd=data.parent,
        env=clean_environ() | {"VESTNIK_LISTEN": "127.0.0.1:0"},
        capture_output=True,
        timeout=120,
        check=True,
    )
