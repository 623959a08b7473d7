"""What is looked at on every page, and how it is seen: on which screen, in which language, in the light or in the dark."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, StorageState

SCREENSHOTS = os.environ.get("VESTNIK_SCREENSHOTS")
"""A folder where each page is kept as it looked; empty: nowhere."""


@dataclass(frozen=True, slots=True)
class Look:
    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]


DESKTOP = Look("desktop", 1280, 900, "light")
PHONE = Look("phone", 390, 844, "dark")


@contextmanager
def seen(browser: Browser, look: Look, state: StorageState | None = None) -> Iterator[Page]:
    """A page on that screen. Whatever the browser complains of fails the test at the end."""
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.scheme,
        storage_state=state,
        locale="ru-RU",
    )
    try:
        page = context.new_page()
        page.set_default_timeout(15_000)
        said: list[str] = []
        page.on("console", lambda m: said.append(m.text) if _is_fault(m) else None)
        page.on("pageerror", lambda e: None if _asks_frames(str(e)) else said.append(str(e)))
        yield page
        assert said == [], said
    finally:
        context.close()


def _is_fault(message: ConsoleMessage) -> bool:
    return message.type in ("error", "warning") and not _asks_frames(message.text)


def _asks_frames(text: str) -> bool:
    """axe asks the letters' frames, which run nothing and answer nobody."""
    return "postMessage" in text and "'null'" in text


def look_at(page: Page, name: str) -> list[str]:
    """What keeps somebody from using the page, or sticks out at its side; it is kept as `name`."""
    path = urlsplit(page.url).path
    faults = [
        f"{path}: {fault['id']} at {node['target']}: {node['failureSummary']}"
        for fault in Axe().run(page).response["violations"]
        for node in fault["nodes"]
    ]
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if wider > 0:
        faults.append(f"{path}: {wider} px wider than the screen")
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")
    return faults
