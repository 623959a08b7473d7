"""Viber by two ways: a bot that knows people by ids of its own, and a service that reaches their phones."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.base import HookRequest
from hub.accounts.hooks import token_of
from hub.config import Settings
from hub.resources import Hub
from hub.settings_file import load
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive, Shop
from tests.simulators.viber import TOKEN, ViberSimulator, about, event

ANNA, STRANGER = "jc9HsWTZ2Yf2NkRZ8KcNug==", "fd4HsWT33Yf1BkRZ8KcBsk=="


@pytest.fixture
async def viber() -> AsyncIterator[ViberSimulator]:
    async with ViberSimulator() as simulator:
        simulator.subscribers = {ANNA}
        yield simulator


@pytest.fixture
async def settings(
    hub_database: str, redis_url: str, tmp_path: Path, viber: ViberSimulator
) -> Settings:
    """The bot comes first; by phone the sandbox of `other` and nobody of `main`."""
    path = tmp_path / "vestnik.toml"
    path.write_text(
        f"""
[shops.main.channels]
transactional = ["viber", "sms"]
marketing = ["viber"]

[[shops.main.accounts]]
name = "bot"
channel = "viber"
provider = "bot_api"
token = "{TOKEN}"
sender = "Ромашка"
base_url = "{viber.base_url}"

[[shops.main.accounts]]
name = "sms"
channel = "sms"
provider = "sandbox"
"""
    )
    environ = {
        "VESTNIK_DATABASE_URL": hub_database,
        "VESTNIK_REDIS_URL": redis_url,
        "VESTNIK_SECRET": "only-for-the-tests-of-viber",
    }
    return load(path, data=tmp_path, environ=environ)


@pytest.fixture
async def shop(api: Api) -> Shop:
    shop = Shop(api)
    await shop.contact("anna", addresses={"phone": "+79990000001", "viber": ANNA})
    await shop.contact("boris")
    return shop


async def call(hub: Hub, api: Api, request: HookRequest) -> None:
    token = token_of(hub.signer, "main", "bot")
    answer = await api.post(f"/hooks/{token}", raw=request.body, headers=request.headers, key=None)
    assert answer.status == 200, answer.raw


async def test_a_bot_writes_to_its_own_ids_and_leaves_phones_to_others(
    shop: Shop, drive: Drive, viber: ViberSimulator
) -> None:
    anna = await shop.send("anna")
    boris = await shop.send("boris")
    await drive.all()

    assert [step["address"] for step in anna["plan"]] == [ANNA, "+79990000001"]
    assert [step["channel"] for step in boris["plan"]] == ["sms"]
    assert {"channel": "viber", "reason": "no_address"} in boris["skipped"]
    assert [sent.to for sent in viber.sent] == [ANNA]


async def test_a_one_off_goes_to_an_id(shop: Shop, drive: Drive, viber: ViberSimulator) -> None:
    viber.subscribers.add(STRANGER)

    await shop.send({"address": {"channel": "viber", "value": STRANGER}})
    phone = await shop.send({"address": {"channel": "viber", "value": "8 999 000-00-09"}})
    await drive.all()

    assert [sent.to for sent in viber.sent] == [STRANGER]
    assert phone["status"] == "undeliverable"


async def test_equal_texts_leave_in_one_call(
    shop: Shop, drive: Drive, viber: ViberSimulator
) -> None:
    await shop.contact("vera", addresses={"viber": STRANGER})
    viber.subscribers.add(STRANGER)

    for name in ("anna", "vera"):
        await shop.send(name, content={"text": "Мы открылись"})
    await drive.all()

    assert len(viber.messages("broadcast_message")) == 1
    assert {sent.to for sent in viber.sent} == {ANNA, STRANGER}


async def test_receipts_of_a_broadcast_find_each_message(
    shop: Shop, drive: Drive, viber: ViberSimulator, hub: Hub, api: Api
) -> None:
    await shop.contact("vera", addresses={"viber": STRANGER})
    viber.subscribers.add(STRANGER)
    ids = [(await shop.send(n, content={"text": "Мы открылись"}))["id"] for n in ("anna", "vera")]
    await drive.all()

    by_person = {sent.to: sent for sent in viber.sent}
    await call(hub, api, about(by_person[ANNA], "seen"))
    await call(hub, api, about(by_person[STRANGER], "delivered"))

    assert [await shop.status(id_) for id_ in ids] == ["read", "delivered"]


async def test_who_has_not_subscribed_is_told_by_the_next_channel(
    shop: Shop, drive: Drive, viber: ViberSimulator
) -> None:
    viber.subscribers.clear()

    sent = await shop.send("anna")
    await drive.all()

    first, second = (await shop.story(sent["id"]))["deliveries"]
    assert (first["status"], first["code"]) == ("failed", "6")
    assert (second["channel"], second["status"]) == ("sms", "sent")
    again = await shop.send("anna")
    assert {"channel": "viber", "reason": "suppressed"} in again["skipped"]


async def test_who_leaves_gets_no_marketing(shop: Shop, hub: Hub, api: Api) -> None:
    await shop.contact("anna", consents={"marketing": {"viber": "subscribed"}})

    await call(hub, api, event("unsubscribed", user_id=ANNA))

    contact = (await api.get("/v1/contacts/anna")).json
    assert contact["consents"] == {"marketing": {"viber": "unsubscribed"}}


async def test_an_address_is_shown_exported_and_erased(shop: Shop, api: Api) -> None:
    await shop.contact("anna", addresses={"viber": {"value": ANNA, "verified": False}})

    shown = (await api.get("/v1/contacts/anna")).json["addresses"]
    exported = (await api.get("/v1/contacts/anna/export")).json["contact"]["addresses"]
    wrong = await api.put("/v1/contacts/anna", {"addresses": {"viber": "anna smith"}})
    await api.delete("/v1/contacts/anna")

    assert shown["viber"] == {"value": ANNA, "verified": False}
    assert exported == shown
    assert (wrong.status, wrong.pointers) == (400, ["/addresses/viber"])
    assert (await api.get("/v1/contacts/anna")).status == 404
