"""Within 24 hours after a person wrote, WhatsApp gets free text; outside them a template."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.base import HookRequest
from hub.accounts.hooks import token_of
from hub.config import Settings
from hub.resources import Hub
from hub.settings_file import load
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive, Shop
from tests.simulators.whatsapp import (
    NUMBER_ID,
    SECRET,
    TOKEN,
    Approved,
    WhatsAppSimulator,
    webhook,
    written,
)

PHONE = "79990000001"


@pytest.fixture
async def whatsapp() -> AsyncIterator[WhatsAppSimulator]:
    async with WhatsAppSimulator() as simulator:
        simulator.templates["order_shipped", "ru"] = Approved(1)
        simulator.open.add(PHONE)
        yield simulator


@pytest.fixture
async def settings(
    hub_database: str, redis_url: str, tmp_path: Path, whatsapp: WhatsAppSimulator
) -> Settings:
    path = tmp_path / "vestnik.toml"
    path.write_text(
        f"""
[shops.main.channels]
transactional = ["whatsapp", "sms"]

[[shops.main.accounts]]
name = "wa"
channel = "whatsapp"
provider = "cloud_api"
token = "{TOKEN}"
sender = "{NUMBER_ID}"
app_secret = "{SECRET}"
base_url = "{whatsapp.url}"
limits = {{ per_recipient = "0s" }}

[shops.main.accounts.templates."order.shipped"]
name = "order_shipped"
body = ["order.number"]

[[shops.main.accounts]]
name = "sms"
channel = "sms"
provider = "sandbox"
"""
    )
    environ = {
        "VESTNIK_DATABASE_URL": hub_database,
        "VESTNIK_REDIS_URL": redis_url,
        "VESTNIK_SECRET": "only-for-the-tests-of-windows",
    }
    return load(path, data=tmp_path, environ=environ)


@pytest.fixture
async def shop(api: Api) -> Shop:
    shop = Shop(api)
    await shop.contact("anna")
    return shop


class Line:
    """What goes over the wire to Meta and back."""

    def __init__(self, hub: Hub, api: Api, drive: Drive, simulator: WhatsAppSimulator) -> None:
        self.hub = hub
        self.api = api
        self.drive = drive
        self.simulator = simulator

    async def hears(self, number: str, ago: timedelta = timedelta(0)) -> None:
        at = str(int((datetime.now(UTC) - ago).timestamp()))
        await self._call(webhook(messages=[written(number, "Где заказ?") | {"timestamp": at}]))

    async def _call(self, call: HookRequest) -> None:
        token = token_of(self.hub.signer, "main", "wa")
        answer = await self.api.post(
            f"/hooks/{token}", raw=call.body, headers=call.headers, key=None
        )
        assert answer.status == 200, answer.raw

    async def kinds(self) -> list[Any]:
        """Of what was sent, once nothing is due."""
        await self.drive.all()
        return [call["type"] for call in self.simulator.calls]


@pytest.fixture
def line(hub: Hub, api: Api, drive: Drive, whatsapp: WhatsAppSimulator) -> Line:
    return Line(hub, api, drive, whatsapp)


async def test_somebody_who_never_wrote_gets_a_template(shop: Shop, line: Line) -> None:
    await shop.send()

    assert await line.kinds() == ["template"]


async def test_somebody_who_just_wrote_gets_the_text(shop: Shop, line: Line) -> None:
    await line.hears(PHONE, timedelta(hours=23))

    await shop.send()

    assert await line.kinds() == ["text"]
    assert "Заказ 1001" in line.simulator.sent[0].text


@pytest.mark.parametrize("ago", [timedelta(hours=23, minutes=59), timedelta(days=3)])
async def test_who_wrote_longer_ago_gets_a_template(shop: Shop, line: Line, ago: timedelta) -> None:
    await line.hears(PHONE, ago)

    await shop.send()

    assert await line.kinds() == ["template"]


async def test_what_somebody_else_wrote_opens_nothing(shop: Shop, line: Line) -> None:
    await line.hears("79990000002")

    await shop.send()

    assert await line.kinds() == ["template"]


async def test_without_a_template_the_next_channel_tells(shop: Shop, line: Line) -> None:
    sent = await shop.send(template="order.delivered")

    assert await line.kinds() == []
    whatsapp, sms = (await shop.story(sent["id"]))["deliveries"]
    assert (whatsapp["status"], whatsapp["code"]) == ("failed", "no-template")
    assert (sms["channel"], sms["status"]) == ("sms", "sent")


async def test_in_the_window_no_template_is_asked_for(shop: Shop, line: Line) -> None:
    await line.hears(PHONE)

    await shop.send(template="order.delivered")

    assert await line.kinds() == ["text"]
