"""What buyers ask a bot for: their orders, their settings."""

import asyncio
import hashlib
from typing import Any
from uuid import UUID

import pytest

from bots.conversation.said import Asked, Page, Pressed, Said, Want
from bots.conversation.settings import Settings
from bots.conversation.talk import Talk
from channels.base import Channel
from hub.contacts import erasure, service
from hub.contacts.addresses import digest_at
from hub.orders import views
from hub.orders.buttons import Action, Do, data_for, line_tag
from hub.orders.model import Kind
from hub.resources import Hub
from tests.bots.conftest import Until
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


class TestAPressThatCrossesAChange:
    """Anna presses at a message of before the order was changed."""

    @pytest.fixture
    async def asked(self, api: Api) -> str:
        await api.put("/v1/contacts/s1", {"role": "seller"})
        anna = {"role": "warehouse", "warehouses": ["w"], "addresses": {"telegram": CHAT}}
        await api.put("/v1/contacts/anna", anna)
        return str((await self._put(api))["stock_requests"][0]["id"])

    @staticmethod
    async def _put(api: Api, **change: Any) -> dict[str, Any]:
        line = {"id": "1", "sku": "A-1", "title": "Чайник", "quantity": 2} | change
        line |= {"seller": {"external_id": "s1"}, "warehouse": {"external_id": "w"}}
        body = {"number": "1001", "status": "placed", "lines": [line]}
        found: dict[str, Any] = (await api.put("/v1/orders/1001", body)).json
        return found

    @staticmethod
    async def _there(hub: Hub, request: str) -> str:
        """What is behind the button that says that all is there."""
        question = await views.question(hub.db, hub.shop("main").id, UUID(request))
        assert question is not None
        [line] = question.lines
        action = Action(Do.LINE, line_tag(line), line.asked)
        digest = digest_at(Channel.TELEGRAM, CHAT)
        return data_for(hub.signer, Kind.STOCK, question.id, digest, action)

    @staticmethod
    async def _confirmed(hub: Hub) -> int | None:
        found: int | None = await hub.db.fetchval("SELECT confirmed FROM stock_line")
        return found

    async def test_says_nothing_of_other_goods(
        self, hub: Hub, api: Api, talk: Talk, asked: str
    ) -> None:
        data = await self._there(hub, asked)
        await self._put(api, sku="B-1", title="Чашка")

        reply = await talk.answer(Said(CHAT, Pressed("1", data, "42:1")))

        assert await self._confirmed(hub) is None
        assert reply is not None
        assert "изменился" in reply.text or "changed" in reply.text
        await talk.answer(Said(CHAT, Pressed("2", await self._there(hub, asked), "42:1")))
        assert await self._confirmed(hub) == 2

    async def test_says_nothing_of_more_that_is_asked_in_the_same_moment(
        self, hub: Hub, talk: Talk, asked: str, until: Until
    ) -> None:
        data = await self._there(hub, asked)
        async with hub.db.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM shop_order FOR NO KEY UPDATE")
            press = asyncio.create_task(talk.answer(Said(CHAT, Pressed("1", data, "42:1"))))

            async def waits() -> bool:
                locks = await hub.db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return bool(locks)

            await until(waits)
            # As a PUT does that holds the order.
            await connection.execute("UPDATE order_line SET quantity = 5")
            await connection.execute("UPDATE stock_line SET asked = 5")
            await connection.execute("UPDATE stock_request SET clock_from = clock_timestamp()")

        reply = await press

        assert await self._confirmed(hub) is None
        assert reply is not None
        assert "изменился" in reply.text or "changed" in reply.text

    async def test_by_a_button_of_an_earlier_version_counts_while_nothing_changed(
        self, hub: Hub, api: Api, talk: Talk, asked: str
    ) -> None:
        old = hashlib.sha256(b"1\x002").digest()[:4]
        digest = digest_at(Channel.TELEGRAM, CHAT)
        action = Action(Do.LINE, old, 2)
        data = data_for(hub.signer, Kind.STOCK, UUID(asked), digest, action)

        await talk.answer(Said(CHAT, Pressed("1", data, "42:1")))

        assert await self._confirmed(hub) == 2
