"""A provider that keeps a connection: receipts and people's words come over it into the database, or come again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from hub.config import Settings
from hub.resources import Hub
from hub.settings_file import load
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Shop
from tests.simulators.smpp import OK, SmppSimulator

PHONE = "+79990000001"


@pytest.fixture
async def smsc() -> AsyncIterator[SmppSimulator]:
    async with SmppSimulator() as smsc:
        yield smsc


@pytest.fixture
async def settings(
    hub_database: str, redis_url: str, tmp_path: Path, smsc: SmppSimulator
) -> Settings:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    file = tmp_path / "vestnik.toml"
    file.write_text(
        f"""
        [shops.main]
        [[shops.main.accounts]]
        name = "sms"
        channel = "sms"
        provider = "smpp"
        base_url = "smpp://127.0.0.1:{smsc.port}"
        login = "shop"
        password = "secret"
        sender = "Romashka"
        """
    )
    environ = {
        "VESTNIK_DATABASE_URL": hub_database,
        "VESTNIK_REDIS_URL": redis_url,
        "VESTNIK_SECRET": "only-for-the-tests-of-listening",
    }
    return load(file, data=tmp_path, environ=environ)


@pytest.fixture
async def shop(api: Api) -> Shop:
    shop = Shop(api)
    consents = {"marketing": {"sms": "subscribed"}}
    await shop.contact("anna", addresses={"phone": PHONE}, consents=consents)
    return shop


@pytest.mark.usefixtures("working")
async def test_a_receipt_over_the_connection_moves_its_delivery(
    shop: Shop, smsc: SmppSimulator
) -> None:
    sent = await shop.send(content={"text": "Заказ 1001 отправлен. " * 10}, channels=["sms"])
    await shop.becomes(sent["id"], "sent")

    assert await smsc.receipt(smsc.sent[0])

    story = await shop.becomes(sent["id"], "delivered", within=1)
    assert smsc.sent[0].text == "Заказ 1001 отправлен. " * 10
    [delivery] = story["deliveries"]
    assert [receipt["status"] for receipt in delivery["receipts"]] == ["delivered"]


@pytest.mark.usefixtures("working")
async def test_a_person_is_heard_and_answered(api: Api, shop: Shop, smsc: SmppSimulator) -> None:
    assert await smsc.writes("СТОП") == [OK]

    async with asyncio.timeout(10):
        await smsc.taken.wait()
    consents = (await api.get("/v1/contacts/anna")).json["consents"]
    assert consents["marketing"]["sms"] == "unsubscribed"
    assert smsc.sent[0].text.startswith("Рекламы больше не будет")


@pytest.mark.usefixtures("working")
async def test_what_cannot_be_stored_comes_again(hub: Hub, shop: Shop, smsc: SmppSimulator) -> None:
    sent = await shop.send(content={"text": "Заказ 1001 отправлен."}, channels=["sms"])
    await shop.becomes(sent["id"], "sent")

    await hub.db.execute("ALTER TABLE receipt RENAME TO receipt_away")
    try:
        first = await smsc.receipt(smsc.sent[0])
    finally:
        await hub.db.execute("ALTER TABLE receipt_away RENAME TO receipt")
    second = await smsc.receipt(smsc.sent[0])

    assert (first, second) == (False, True)
    await shop.becomes(sent["id"], "delivered", within=1)
