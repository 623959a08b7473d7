"""What people write: kept, told to the shop, answered by keyword, and never answered for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from channels.base import Channel, Heard, Told
from hub.contacts import export
from hub.contacts.erasure import erase
from hub.inbound import queries
from hub.inbound import service as inbound
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.inbound.conftest import Write, handle, replies

PHONE = "+79990000001"


@pytest.fixture(autouse=True)
async def anna(api: Api) -> None:
    consents = {"marketing": {"sms": "subscribed", "email": "subscribed"}}
    contact = {"name": "Анна", "addresses": {"phone": PHONE}, "consents": consents}
    assert (await api.put("/v1/contacts/anna", contact)).status == 201


async def consent(api: Api, channel: str = "sms") -> str | None:
    found: str | None = (await api.get("/v1/contacts/anna")).json["consents"]["marketing"][channel]
    return found


async def test_stop_ends_advertising_on_that_channel(api: Api, write: Write) -> None:
    said = await write("Стоп", by=PHONE)

    assert said == "Рекламы больше не будет, сообщения о заказах останутся. Вернуть: СТАРТ"
    assert await consent(api) == "unsubscribed"
    assert await consent(api, "email") == "subscribed"


async def test_whoever_left_may_come_back(api: Api, write: Write) -> None:
    assert await write("СТАРТ", by=PHONE) is None
    await write("СТОП", by=PHONE)

    assert await write("СТАРТ", by=PHONE) == "Снова будем писать о новостях. Отписаться: СТОП"
    assert await consent(api) == "subscribed"


async def test_the_shops_own_words_are_answered_to_anybody(api: Api, write: Write) -> None:
    assert await write("часы?", by=PHONE) == "Мы работаем с 9 до 18."
    assert await write("ДА 7", by="+79995550000") == "Скидка 7 % ваша."
    await api.put("/v1/contacts/anna", {"locale": "en"})
    assert await write("HOURS", by=PHONE) == "9 to 18."


async def test_the_backend_is_told_what_was_written(api: Api, hub: Hub, write: Write) -> None:
    events = ["contact.replied", "contact.unsubscribed"]
    hook = {"url": "https://shop.example/hook", "events": events}
    assert (await api.post("/v1/webhooks", hook)).status == 201

    await write("Когда приедет курьер?", by=PHONE)
    await write("стоп", by=PHONE)

    rows = await hub.db.fetch(
        "SELECT type, convert_from(body, 'UTF8')::jsonb -> 'data' AS data FROM event ORDER BY id"
    )
    who = {"contact": {"external_id": "anna"}, "channel": "sms"}
    assert [(row["type"], row["data"]) for row in rows] == [
        ("contact.replied", {**who, "text": "Когда приедет курьер?"}),
        ("contact.unsubscribed", {**who, "category": "marketing", "source": "reply"}),
        ("contact.replied", {**who, "text": "стоп"}),
    ]


async def test_who_leaves_is_told_to_the_backend_whatever_breaks_between(
    api: Api, hub: Hub, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = ["contact.replied", "contact.unsubscribed"]
    await api.post("/v1/webhooks", {"url": "https://shop.example/hook", "events": events})
    with monkeypatch.context() as broken:
        broken.setattr("hub.preferences.consents.events.unsubscribed", None)
        assert await write("стоп", by=PHONE) is None
    assert await consent(api) != "unsubscribed"

    await handle(hub)

    assert await consent(api) == "unsubscribed"
    told = await hub.db.fetch("SELECT type FROM event ORDER BY id")
    assert [row["type"] for row in told] == ["contact.unsubscribed", "contact.replied"]


async def test_two_machines_do_not_answer_each_other_for_ever(hub: Hub, write: Write) -> None:
    for _ in range(25):
        await write("часы", by=PHONE)

    assert len(await replies(hub)) == 20


async def test_what_is_old_is_done_but_not_answered(api: Api, hub: Hub) -> None:
    await api.post("/v1/sandbox/messages", {"channel": "sms", "address": PHONE, "text": "СТОП"})
    await hub.db.execute("UPDATE heard SET received_at = now() - interval '2 hours'")

    await handle(hub)

    assert await consent(api) == "unsubscribed"
    assert await replies(hub) == []


async def test_told_twice_it_is_heard_once(hub: Hub) -> None:
    [account] = hub.accounts.of(hub.shop("main").id, Channel.SMS)
    told = Told(heard=[Heard(PHONE, "часы", id="7"), Heard("900", "Баланс: 5 р.", id="8")])

    await inbound.store(hub, account, told)
    await inbound.store(hub, account, told)
    await handle(hub)

    assert await replies(hub) == ["Мы работаем с 9 до 18."]
    # A service's short number is nobody to talk to.
    assert await hub.db.fetchval("SELECT count(*) FROM heard") == 1


async def test_without_an_id_the_same_words_again_are_a_repeat(hub: Hub) -> None:
    [account] = hub.accounts.of(hub.shop("main").id, Channel.SMS)
    at = datetime(2026, 11, 1, 10, tzinfo=UTC)

    for heard in (
        Heard(PHONE, "часы", at=at),
        Heard(PHONE, "часы", at=at),
        Heard(PHONE, "часы", at=at + timedelta(seconds=1)),
        Heard(PHONE, "когда?"),
    ):
        await inbound.store(hub, account, Told(heard=[heard]))

    assert await hub.db.fetchval("SELECT count(*) FROM heard") == 3


async def test_one_that_fails_is_put_aside_and_holds_up_nobody(hub: Hub, write: Write) -> None:
    # As a bug would: whoever is answered at this number cannot be written down.
    await hub.db.execute("ALTER TABLE address ADD CONSTRAINT bug CHECK (value <> '+79995550001')")
    try:
        for _ in range(5):
            assert await write("часы", by=PHONE) == "Мы работаем с 9 до 18."
            if not await hub.db.fetchval("SELECT true FROM heard WHERE address = '+79995550001'"):
                assert await write("часы", by="+79995550001") is None
    finally:
        await hub.db.execute("ALTER TABLE address DROP CONSTRAINT bug")

    assert await hub.db.fetchval("SELECT count(*) FROM heard WHERE handled_at IS NULL") == 0
    assert await hub.db.fetchval("SELECT max(failures) FROM heard") == 5


async def _exported(hub: Hub, shop_id: int) -> bytes:
    contact = await export.begin(hub.db, shop_id, "anna")
    return b"".join([piece async for piece in export.export(hub.db, shop_id, contact)])


async def test_erasing_a_person_forgets_what_was_written(hub: Hub, write: Write) -> None:
    await write("СТОП", by=PHONE)
    shop_id = hub.shop("main").id

    assert b"\xd0\xa1\xd0\xa2\xd0\x9e\xd0\x9f" in await _exported(hub, shop_id)
    await erase(hub, shop_id, "anna")

    assert await hub.db.fetchval("SELECT count(*) FROM heard") == 0


async def test_nobody_is_played_on_a_channel_where_nobody_writes(api: Api) -> None:
    answer = await api.post(
        "/v1/sandbox/messages", {"channel": "email", "address": "a@example.com", "text": "Да"}
    )

    assert answer.status == 422


async def test_texts_for_a_shop_that_this_process_does_not_know_hold_up_no_other(hub: Hub) -> None:
    """Settings change machine by machine."""
    gone = await hub.db.fetchval("INSERT INTO shop (slug) VALUES ('gone') RETURNING id")
    try:
        strangers = [Heard("+79990000009", f"стоп {n}", id=str(n)) for n in range(60)]
        await queries.add(hub.db, gone, "x", Channel.SMS, strangers)
        main = hub.shop("main").id
        await queries.add(hub.db, main, "smsc", Channel.SMS, [Heard(PHONE, "стоп", id="own")])

        await handle(hub)

        left = await hub.db.fetch("SELECT shop_id FROM heard WHERE handled_at IS NULL")
        assert {row["shop_id"] for row in left} == {gone}
    finally:
        await hub.db.execute("DELETE FROM heard WHERE shop_id = $1", gone)
        await hub.db.execute("DELETE FROM shop WHERE id = $1", gone)
