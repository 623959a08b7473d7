"""What buyers ask a bot for: their orders, their settings."""

import pytest

from bots.conversation.said import Asked, Said, Want
from bots.conversation.talk import Talk
from channels.base import Channel
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
