"""`/orders` for the people at the shelf: what a line of their board says."""

from typing import Any

import pytest

from bots.conversation.said import Asked, Page, Pressed, Reply, Said, Spoke, Want
from bots.conversation.talk import Talk
from channels.base import Channel
from hub.resources import Hub
from tests.hub.api.client import Api

CHAT = "71"


@pytest.fixture(params=[Channel.TELEGRAM, Channel.VK, Channel.MAX])
async def talk(request: pytest.FixtureRequest, hub: Hub, api: Api) -> Talk:
    """A storekeeper of `north` talks."""
    channel: Channel = request.param
    assert (await api.put("/v1/contacts/s1", {"role": "seller"})).status == 201
    anna = {
        "role": "warehouse",
        "name": "Анна",
        "locale": "ru",
        "warehouses": ["north"],
        "addresses": {str(channel): CHAT},
    }
    assert (await api.put("/v1/contacts/anna", anna)).status == 201
    return Talk(hub, hub.accounts.of(hub.shop("main").id, channel)[0])


async def _place(api: Api, *quantities: int, status: str | None = None) -> dict[str, Any]:
    lines = [
        {
            "id": str(i),
            "title": f"Чайник {i}",
            "quantity": quantity,
            "seller": {"external_id": "s1"},
            "warehouse": {"external_id": "north"},
        }
        for i, quantity in enumerate(quantities, 1)
    ]
    body = {"number": "1001", "lines": lines, **({"status": status} if status else {})}
    answer = await api.put("/v1/orders/1001", body)
    assert answer.status in (200, 201), answer.raw
    order: dict[str, Any] = answer.json
    return order


async def _say(api: Api, order: dict[str, Any], *confirmed: int) -> None:
    lines = [{"id": str(i), "confirmed": number} for i, number in enumerate(confirmed, 1)]
    path = f"/v1/stock-requests/{order['stock_requests'][-1]['id']}/answer"
    answer = await api.post(path, {"by": "anna", "lines": lines})
    assert answer.status == 200, answer.raw


async def _board(talk: Talk) -> Reply:
    reply = await talk.answer(Said(CHAT, Asked(Want.ORDERS)))
    assert reply is not None
    return reply


async def _press(talk: Talk, data: str) -> Reply:
    reply = await talk.answer(Said(CHAT, Pressed("1", data, "42:1")))
    assert reply is not None
    return reply


def _labels(shown: Reply | Page | None) -> list[str]:
    assert shown is not None
    return [button.text for row in shown.buttons for button in row]


async def test_a_parcel_that_waits_for_the_shelf_says_so(api: Api, talk: Talk) -> None:
    await _say(api, await _place(api, 2), 2)
    await _place(api, 2, status="paid")
    await _place(api, 5, status="paid")

    board = await _board(talk)

    waits = "📦 1001 · ждёт ответа о наличии"
    assert sorted(_labels(board)) == ["❓ 1001 · позиций: 1", waits]
    assert waits in board.text.splitlines()
    assert ": 0" not in board.text


async def test_a_time_on_another_day_comes_with_its_date(hub: Hub, api: Api, talk: Talk) -> None:
    await _place(api, 2)
    await hub.db.execute("UPDATE stock_request SET deadline = '2031-05-07T06:30:00Z'")

    text = " ".join((await _board(talk)).text.split())

    assert "❓ 1001 · позиций: 1 · 7 мая 2031 г., 09:30" in text


async def test_who_answers_in_words_is_shown_the_buttons(api: Api, talk: Talk) -> None:
    order = await _place(api, 2)

    shown = await talk.answer(Said(CHAT, Spoke("всё есть")))

    assert shown is not None
    assert "словами я не понимаю" in shown.text
    assert _labels(shown) == ["❓ 1001 · позиций: 1"]
    await _say(api, order, 2)
    idle = await talk.answer(Said(CHAT, Spoke("спасибо")))
    assert idle is not None
    assert "/orders — что ждёт ответа" in idle.text
    assert not idle.buttons


async def test_who_is_a_seller_and_a_storekeeper_sees_all_that_waits(api: Api, talk: Talk) -> None:
    mine = {"addresses": {str(talk.account.channel): CHAT}}
    assert (await api.put("/v1/contacts/s1", mine)).status == 200
    await _place(api, 2)
    own = {"id": "1", "title": "Чай", "quantity": 1, "seller": {"external_id": "s1"}}
    assert (await api.put("/v1/orders/1002", {"number": "1002", "lines": [own]})).status == 201

    board = await _board(talk)

    assert board.text.startswith("Ждут вас: 2")
    assert _labels(board) == ["❓ 1001 · позиций: 1", "❓ 1002 · позиций: 1"]
