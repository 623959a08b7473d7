"""What buyers ask a bot for: their orders, their settings."""

import pytest

from bots.conversation.said import Asked, Page, Pressed, Said, Want
from bots.conversation.settings import Settings
from bots.conversation.talk import Talk
from channels.base import Channel
from hub.contacts import erasure, service
from hub.resources import Hub
from tests.hub.api.client import Api

CHAT = "42"


@pytest.fixture
def talk(hub: Hub) -> Talk:
    return Talk(hub, hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)[0])


async def _buyer(api: Api, name: str = "b1", news: str | None = "subscribed") -> None:
    consents = {"marketing": {"telegram": news}} if news else {}
    body = {"addresses": {"telegram": CHAT}, "consents": consents}
    assert (await api.put(f"/v1/contacts/{name}", body)).status == 201


async def _short(api: Api, number: str, lines: int) -> None:
    """An order of that many lines, none of which is there."""
    given = [
        {"id": str(n), "title": f"Чайник заварочный стеклянный с ситом, 800 мл, {n}", "quantity": 1}
        for n in range(lines)
    ]
    body = {
        "number": number,
        "status": "placed",
        "buyer": {"external_id": "b1"},
        "lines": [one | {"seller": {"external_id": "s1"}} for one in given],
    }
    order = (await api.put(f"/v1/orders/{number}", body)).json
    said = [{"id": one["id"], "confirmed": 0} for one in given]
    [request] = order["stock_requests"]
    path = f"/v1/stock-requests/{request['id']}/answer"
    assert (await api.post(path, {"by": "s1", "lines": said})).status == 200


async def _press(talk: Talk, data: str) -> Page:
    reply = await talk.answer(Said(CHAT, Pressed("1", data, "42:1")))
    assert reply is not None
    assert reply.page is not None
    return reply.page


async def _news(hub: Hub, *names: str) -> list[str | None]:
    shop = hub.shop("main").id
    found = [(await service.get(hub.db, shop, name)).consents for name in names]
    return [one.get("marketing", {}).get("telegram") for one in found]


async def test_large_orders_are_shown_within_what_a_message_holds(api: Api, talk: Talk) -> None:
    await _buyer(api)
    assert (await api.put("/v1/contacts/s1", {"role": "seller"})).status == 201
    for number in range(1001, 1011):
        await _short(api, str(number), 80)

    reply = await talk.answer(Said(CHAT, Asked(Want.ORDERS)))

    assert reply is not None
    assert len(reply.text) <= 4000
    assert reply.text.startswith("Ваши заказы:\n\nЗаказ 1010: ")
    assert reply.text.count("…и ещё позиций: 70") == reply.text.count("Заказ 10")
    assert f"…и ещё заказов: {10 - reply.text.count('Заказ 10')}" in reply.text


async def test_news_are_off_for_everybody_at_the_address(hub: Hub, api: Api, talk: Talk) -> None:
    for name in ("b1", "b2"):
        await _buyer(api, name)

    page = await _press(talk, "set:n:0")

    assert await _news(hub, "b1", "b2") == ["unsubscribed", "unsubscribed"]
    assert "Новости и скидки здесь: нет" in page.text


@pytest.mark.parametrize("subscribed", ["b1", "b2"])
async def test_while_anybody_gets_news_they_can_be_switched_off(
    api: Api, talk: Talk, subscribed: str
) -> None:
    for name in ("b1", "b2"):
        await _buyer(api, name, "subscribed" if name == subscribed else "unsubscribed")

    page = await _press(talk, "set:")

    assert "set:n:0" in [button.data for row in page.buttons for button in row]


async def test_who_never_agreed_to_news_is_not_switched_on_with_another(
    hub: Hub, api: Api, talk: Talk
) -> None:
    await _buyer(api, "b1", None)
    await _buyer(api, "b2", "unsubscribed")
    await _buyer(api, "b3", "unsubscribed")

    await _press(talk, "set:n:1")

    assert await _news(hub, "b1", "b2", "b3") == [None, "subscribed", "subscribed"]


async def test_settings_changed_beside_an_erasure_make_nobody(
    hub: Hub, api: Api, talk: Talk
) -> None:
    await _buyer(api)
    said = Said(CHAT, Pressed("1", "set:l:en", "42:1"))
    here = await talk._here(said)
    await erasure.erase(hub, hub.shop("main").id, "b1")

    async with hub.db.acquire() as conn, conn.transaction():
        assert not await Settings(hub, here).change(conn, "set:l:en")

    assert (await api.get("/v1/contacts/b1")).status == 404
