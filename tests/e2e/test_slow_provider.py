"""A provider that takes calls and never answers, beside one that works."""

import asyncio
import time
from pathlib import Path
from typing import Any

from tests.e2e.process import call, eventually, up
from tests.simulators.base import Fault
from tests.simulators.telegram import Telegram
from tests.simulators.unisender_go import UnisenderGoSimulator

_SETTINGS = """
[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "{telegram.token}"
base_url = "{telegram.url}"

[[shops.main.accounts]]
name = "mail"
channel = "email"
provider = "unisender_go"
token = "{mail.token}"
from = "shop@example.com"
base_url = "{mail.base_url}"
"""


async def test_it_holds_up_nobody_else(tmp_path: Path) -> None:
    async with Telegram() as telegram, UnisenderGoSimulator() as mail:
        telegram.add_person(42)
        mail.fault = Fault(hang=True)
        settings = _SETTINGS.format(telegram=telegram, mail=mail)
        (tmp_path / "vestnik.toml").write_text(settings)

        # The simulators live in this loop, so the hub is spoken to in a thread.
        await asyncio.to_thread(_talk, tmp_path)

        assert [sent.to for sent in telegram.sent] == ["42"]
        assert mail.requests > 0


def _talk(folder: Path) -> None:
    with up(folder / "data") as hub:
        url = f"{hub.ready()}/v1/notifications"
        key = hub.key()
        for number in range(60):
            call(url, key, _message("email", f"anna-{number}@example.com"))
        began = time.monotonic()

        told = call(url, key, _message("telegram", "42"))

        eventually(lambda: call(f"{url}/{told['id']}", key)["status"] == "sent", within=5)
        assert time.monotonic() - began < 5


def _message(channel: str, value: str) -> dict[str, Any]:
    recipient = {"address": {"channel": channel, "value": value}}
    return {"content": {"text": "Привет"}, "recipient": recipient}
