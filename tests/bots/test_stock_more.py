"""What the scenarios leave out: warehouse groups, the sandbox over the API alone, and edits that meet trouble."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from time import perf_counter
from typing import Any

import pytest
from pydantic import SecretStr

from channels.base import Channel
from hub.config import HubSettings
from hub.ids import new_id
from hub.notifications.edits import Editor
from hub.notifications.interactive import Asking
from hub.notifications.model import ContactFacts
from hub.orders.messages import interactives
from tests.bots.messengers import InSandbox, OnTelegram, Seen
from tests.bots.scene import ANNA, BORIS, VERA, Scene, line, playing, until
from tests.simulators.base import Fault
from tests.simulators.telegram import Telegram

GROUP = -1001


@pytest.fixture
def base(hub_database: str, redis_url: str) -> HubSettings:
    return HubSettings(
        database_url=SecretStr(hub_database),
        redis_url=SecretStr(redis_url),
        secret=SecretStr("only-for-the-tests-of-the-stock-loop"),
    )


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as simulator:
        yield simulator


@pytest.fixture
async def scene(base: HubSettings, telegram: Telegram) -> AsyncIterator[Scene]:
    async with playing(base, OnTelegram(telegram, webhook=False)) as scene:
        yield scene


@pytest.fixture
async def sandbox(base: HubSettings) -> AsyncIterator[Scene]:
    async with playing(base, InSandbox()) as scene:
        yield scene


async def _bind(scene: Scene, telegram: Telegram) -> None:
    link = await scene.api.post("/v1/warehouses/north/links", {"channel": "telegram"})
    assert link.status == 201, link.raw
    token = link.json["url"].rpartition("=")[2]
    telegram.add_group(GROUP)
    telegram.say(ANNA, f"/start@shop_bot {token}", chat_id=GROUP)
    await scene.message(GROUP, lambda s: "north" in s.text)


async def test_a_warehouses_group_is_asked_and_everybody_answers_for_himself(
    scene: Scene, telegram: Telegram
) -> None:
    await scene.api.put("/v1/warehouses/north", {})
    await _bind(scene, telegram)
    await scene.order("1001", line("1", 2), line("2", 3))
    asked = await scene.question(GROUP)

    telegram.press(ANNA, int(asked.id), asked.buttons["По позициям"], chat_id=GROUP)
    shown = await scene.message(GROUP, lambda s: "❌ 1" in s.buttons)
    telegram.press(ANNA, int(asked.id), shown.buttons["❌ 1"], chat_id=GROUP)
    await scene.message(GROUP, lambda s: "❌ нет — Анна" in s.text)
    telegram.add_person(555, "Новенький")
    telegram.press(555, int(asked.id), asked.buttons["✅ Всё есть"], chat_id=GROUP)
    await scene.message(GROUP, lambda s: "Новенький" in s.text)
    telegram.press(ANNA, int(asked.id), asked.buttons["✅ Всё есть"], chat_id=GROUP)
    await scene.toast("Уже ответил(а) Новенький")

    found = await scene.details()
    [request] = found["stock_requests"]
    assert [one["confirmed"] for one in request["lines"]] == [0, 3]
    assert [one["answered_by"] for one in request["lines"]] == [f"p{ANNA}", "telegram:555"]


async def test_a_group_has_a_board_and_is_forgotten_when_the_bot_is_removed(
    scene: Scene, telegram: Telegram
) -> None:
    await scene.api.put("/v1/warehouses/north", {})
    await _bind(scene, telegram)
    await scene.order()
    telegram.say(ANNA, "/orders@shop_bot", chat_id=GROUP)
    await scene.message(GROUP, lambda s: "Ждут вас: 1" in s.text)

    telegram.kick(GROUP, ANNA)

    async def forgotten() -> bool:
        count = await scene.hub.db.fetchval("SELECT count(*) FROM warehouse_chat")
        return bool(count == 0)

    await until(forgotten)


async def test_a_link_that_was_used_binds_no_second_group(scene: Scene, telegram: Telegram) -> None:
    await scene.api.put("/v1/warehouses/north", {})
    link = await scene.api.post("/v1/warehouses/north/links", {"channel": "telegram"})
    token = link.json["url"].rpartition("=")[2]
    for group, text in ((GROUP, "Готово"), (GROUP - 1, "не подходит")):
        telegram.add_group(group)
        telegram.say(ANNA, f"/start@shop_bot {token}", chat_id=group)
        await scene.said(group, text)

    assert await scene.hub.db.fetchval("SELECT value FROM warehouse_chat") == str(GROUP)


async def test_the_loop_is_playable_over_the_api_alone(sandbox: Scene) -> None:
    api = sandbox.api
    await sandbox.order()
    question = await sandbox.question(ANNA)

    started = perf_counter()
    pressed = await api.post(f"/v1/sandbox/messages/{question.id}/press", {"button": "✅ Всё есть"})
    assert pressed.status == 202, pressed.raw
    await sandbox.message(ANNA, lambda s: s.id == question.id and "ответ принят" in s.text)
    took = perf_counter() - started

    # The question may be changed before that is said.
    await sandbox.toast("Спасибо! Ответ принят.")
    listed = (await api.get(f"/v1/sandbox/messages?to={ANNA}")).json["items"]
    assert listed[0]["text"] == "Спасибо! Ответ принят."
    assert listed[0]["delivery_id"] is None
    assert next(item for item in listed if item["id"] == question.id)["edited_at"]
    # Half of it is the pace of two loops; the machine that runs the tests is a slow one.
    assert took < 1.5


async def test_the_board_over_the_api_alone(sandbox: Scene) -> None:
    await sandbox.order()
    words = {"channel": "telegram", "address": str(VERA), "text": "/orders"}
    assert (await sandbox.api.post("/v1/sandbox/messages", words)).status == 202

    await sandbox.message(VERA, lambda s: "Ждут вас: 1" in s.text)


async def test_binding_is_playable_over_the_api_alone(sandbox: Scene) -> None:
    api = sandbox.api
    await api.put("/v1/contacts/gleb", {})
    link = (await api.post("/v1/contacts/gleb/links", {"channel": "telegram"})).json
    words = {"channel": "telegram", "address": "900", "text": link["code"].lower()}

    assert (await api.post("/v1/sandbox/messages", words)).status == 202
    await sandbox.said(900, "Готово! Сообщения магазина")

    contact = (await api.get("/v1/contacts/gleb")).json
    assert contact["addresses"] == {"telegram": "900"}


async def test_a_warehouses_group_is_bound_over_the_api_alone(sandbox: Scene) -> None:
    api = sandbox.api
    await api.put("/v1/warehouses/north", {})
    link = (await api.post("/v1/warehouses/north/links", {"channel": "telegram"})).json
    words = {"channel": "telegram", "address": str(GROUP), "person": str(ANNA)}

    # Talk among people is none of the bot's business.
    await api.post("/v1/sandbox/messages", {**words, "text": link["code"]})
    await api.post("/v1/sandbox/messages", {**words, "text": f"/start {link['code']}"})
    await sandbox.said(GROUP, "Готово! Запросы склада")
    await sandbox.order()

    await sandbox.question(GROUP)
    heard = await sandbox.messenger.toasts()
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"button": "Нет такой"}, 422, "/button"),
        ({"button": "x", "data": "y"}, 400, ""),
        ({}, 400, ""),
        ({"press": "x"}, 400, "/press"),
    ],
)
async def test_what_cannot_be_pressed_is_said(
    base: HubSettings, body: dict[str, Any], status: int, pointer: str
) -> None:
    async with playing(base, InSandbox()) as scene:
        await scene.order()
        question = await scene.question(ANNA)

        answer = await scene.api.post(f"/v1/sandbox/messages/{question.id}/press", body)

        assert answer.status == status, answer.raw
        assert pointer in answer.pointers


def _shows(message: str, text: str, seen: Seen) -> bool:
    return seen.id == message and text in seen.text


async def test_an_edit_that_meets_trouble_is_made_later(
    base: HubSettings, telegram: Telegram
) -> None:
    async with playing(base, OnTelegram(telegram, webhook=False)) as scene:
        await scene.order()
        anna = await scene.question(ANNA)
        await scene.question(BORIS)
        await scene.hub.db.execute("DELETE FROM message_edit")
        telegram.faults.extend([Fault(status=502)] * 3)

        await scene.status("1001", "cancelled")

        await scene.message(ANNA, lambda s: s.id == anna.id and "отвечать не нужно" in s.text)


async def test_a_deleted_message_is_forgotten(base: HubSettings, telegram: Telegram) -> None:
    async with playing(base, OnTelegram(telegram, webhook=False)) as scene:
        await scene.order()
        anna, boris = await scene.question(ANNA), await scene.question(BORIS)
        del telegram.messages[ANNA, int(anna.id)]

        await scene.status("1001", "cancelled")
        await scene.message(BORIS, lambda s: s.id == boris.id and "отвечать не нужно" in s.text)

        await scene.handled()


async def test_of_many_editors_one_edits_and_the_last_state_stays(
    base: HubSettings, telegram: Telegram
) -> None:
    async with playing(base, OnTelegram(telegram, webhook=False)) as scene:
        await scene.order("1001", line("1", 9), line("2", 1))
        anna, boris = await scene.question(ANNA), await scene.question(BORIS)
        editors = [Editor(scene.hub, interactives(scene.hub)) for _ in range(3)]
        running = [asyncio.create_task(editor.run()) for editor in editors]
        try:
            for quantity in (1, 2, 3, 4, 5, 6):
                await scene.api.put(
                    "/v1/orders/1001",
                    {"number": "1001", "lines": [line("1", quantity), line("2", 1)]},
                )
            for person, message in ((ANNA, anna), (BORIS, boris)):
                mine = message.id
                await scene.message(person, partial(_shows, mine, "6 шт."))
            await scene.handled()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

        for person, message in ((ANNA, anna), (BORIS, boris)):
            [now] = [s for s in await scene.messenger.chat(person) if s.id == message.id]
            assert "6 шт." in now.text


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.EMAIL, Channel.PUSH])
async def test_who_has_no_buttons_gets_the_link(sandbox: Scene, channel: Channel) -> None:
    await sandbox.order()
    row = await sandbox.hub.db.fetchrow(
        "SELECT r.id, r.shop_id, c.id AS contact_id, c.name FROM stock_request AS r"
        " JOIN warehouse AS w ON w.id = r.warehouse_id"
        " JOIN contact AS c ON w.external_id = ANY(c.warehouses) WHERE c.name = 'Анна'"
    )
    assert row
    asking = Asking(
        id=new_id(),
        shop_id=row["shop_id"],
        about=row["id"],
        contact=ContactFacts(row["contact_id"], "p101", "warehouse", row["name"]),
        channel=channel,
        address="+79990000101",
        digest=b"x",
        locale="ru",
        timezone="Europe/Moscow",
        template="stock.request",
        data={"order": {"number": "1001"}},
    )
    [questions, _] = interactives(sandbox.hub)

    [parts] = (await questions.render(sandbox.hub.db, [asking])).values()
    assert "1001" in parts.text + parts.subject
    assert "/a/" in parts.text + parts.html or channel is Channel.PUSH
    assert parts.buttons == ()

    await sandbox.status("1001", "cancelled")
    [parts] = (await questions.render(sandbox.hub.db, [asking])).values()
    assert parts.text == "Заказ 1001: отвечать больше не нужно."
