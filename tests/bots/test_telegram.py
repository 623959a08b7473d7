"""The Telegram bot against a server that refuses what the real one refuses."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bots.conversation.said import Reply
from bots.platform import Trouble
from bots.telegram import TelegramBot
from bots.texts import ru
from channels.base import Channel
from channels.telegram.bot_api import BotApiConfig
from channels.telegram.updates import incoming
from hub.accounts import hooks
from hub.contacts import service, updates
from hub.contacts.addresses import digest
from hub.preferences import suppressions
from hub.resources import Hub
from tests.bots.conftest import Until, running
from tests.hub.api.client import Api
from tests.simulators.base import Fault
from tests.simulators.telegram import Telegram
from tests.simulators.telegram_updates import Webhook


async def _token(api: Api) -> str:
    await api.put("/v1/contacts/b", {})
    answer = await api.post("/v1/contacts/b/links", {"channel": "telegram"})
    return str(answer.json["url"].rpartition("=")[2])


def _config(hub: Hub) -> BotApiConfig:
    config = updates.config_of(hub, hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)[0])
    assert isinstance(config, BotApiConfig)
    return config


def _asks_to_wait(seconds: int) -> Fault:
    body = (
        f'{{"ok":false,"error_code":429,"description":"Too Many Requests: retry after {seconds}",'
        f'"parameters":{{"retry_after":{seconds}}}}}'
    )
    return Fault(status=429, body=body, content_type="application/json")


async def _unhandled(hub: Hub) -> int:
    count: int = await hub.db.fetchval("SELECT count(*) FROM bot_update WHERE handled_at IS NULL")
    return count


async def test_a_person_opens_the_link_and_is_bound(
    api: Api, hub: Hub, telegram: Telegram, bots: None, until: Until
) -> None:
    token = await _token(api)

    telegram.say(42, f"/start {token}")

    await until(lambda: telegram.sent)
    assert telegram.sent[0].to == "42"
    assert telegram.sent[0].text == ru.WORDS.bound.format(shop="Ромашка")
    contact = await service.get(hub.db, hub.shop("main").id, "b")
    assert [a.value for a in contact.addresses] == ["42"]


async def test_what_was_said_while_nobody_listened_is_answered(
    hub: Hub, telegram: Telegram, until: Until
) -> None:
    telegram.say(42, "/start")
    telegram.say(42, "/stop")

    async with running(hub):
        await until(lambda: len(telegram.sent) == 2)

    assert [m.text[:5] for m in telegram.sent] == ["Здрав", "Хорош"]


async def test_after_a_new_start_nothing_is_answered_twice(
    hub: Hub, telegram: Telegram, until: Until
) -> None:
    telegram.say(42, "/start")
    async with running(hub):
        await until(lambda: telegram.sent)
    telegram.say(42, "/stop")
    async with running(hub):
        await until(lambda: len(telegram.sent) == 2)

    assert len(telegram.sent) == 2
    assert await _unhandled(hub) == 0


async def test_an_update_is_stored_before_telegram_is_told(hub: Hub, telegram: Telegram) -> None:
    config = updates.config_of(hub, hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)[0])
    assert isinstance(config, BotApiConfig)
    bot = TelegramBot(config, hub.http, lambda: ("", ""))
    update_id = telegram.say(42, "/start")

    first = await bot.receive(None)
    again = await bot.receive(None)
    telegram.say(42, "/stop")
    after = await bot.receive(first.cursor)
    await bot.close()

    assert first == again
    assert first.cursor == str(update_id + 1)
    assert [u.event for u in after.updates] == [str(update_id + 1)]


async def test_one_unreadable_update_does_not_stop_the_others(
    hub: Hub, telegram: Telegram, bots: None, until: Until
) -> None:
    telegram.add_person(42)
    telegram.updates.add("message", 42, {"chat": "what?", "text": "a\0b"})
    telegram.say(42, "/start")

    async def all_handled() -> bool:
        return bool(telegram.sent) and await _unhandled(hub) == 0

    await until(all_handled)

    assert len(telegram.sent) == 1


async def test_who_blocks_the_bot_is_suppressed_and_comes_back(
    hub: Hub, telegram: Telegram, bots: None, until: Until
) -> None:
    telegram.add_person(42)

    async def suppressed() -> bool:
        mark = digest("telegram", "42")
        shop = hub.shop("main").id
        return await suppressions.is_suppressed(hub.db, shop, Channel.TELEGRAM, mark)

    async def free() -> bool:
        return not await suppressed()

    telegram.block(42)
    await until(suppressed)
    telegram.unblock(42)
    await until(free)

    assert telegram.sent == []


async def test_a_group_is_not_talked_into(
    hub: Hub, telegram: Telegram, bots: None, until: Until
) -> None:
    telegram.add_group(-100)
    telegram.say(42, "hello", chat_id=-100)
    telegram.say(42, "hello")

    await until(lambda: telegram.sent)

    assert [m.to for m in telegram.sent] == ["42"]


async def test_a_group_that_becomes_a_supergroup_keeps_its_place(
    api: Api, hub: Hub, telegram: Telegram, bots: None, until: Until
) -> None:
    await api.put("/v1/warehouses/wh-7", {"name": "Склад"})
    link = await api.post("/v1/warehouses/wh-7/links", {"channel": "telegram"})
    token = link.json["url"].rpartition("=")[2]
    telegram.add_group(-100)
    telegram.say(42, f"/start@shop_bot {token}", chat_id=-100)
    await until(lambda: telegram.sent)

    telegram.upgrade_group(-100, -1000000000100)

    async def moved() -> bool:
        bound = await hub.db.fetch("SELECT value FROM warehouse_chat")
        return [row["value"] for row in bound] == ["-1000000000100"]

    await until(moved)
    [address] = await hub.db.fetch("SELECT value, digest FROM address WHERE kind = 'telegram'")
    assert address["value"] == "-1000000000100"
    assert address["digest"] == digest("telegram", "-1000000000100")
    assert len(telegram.sent) == 1


async def test_an_old_button_stops_turning(telegram: Telegram, bots: None, until: Until) -> None:
    telegram.add_person(42)
    query = telegram.press(42, 7, "s:7f3:1")

    await until(lambda: telegram.answered)

    assert telegram.answered[0]["callback_query_id"] == query
    assert telegram.answered[0]["text"] == ru.WORDS.old_button


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=502),
        Fault(close=True),
        Fault(status=200, body="{}", content_type="application/json"),
        _asks_to_wait(1),
        _asks_to_wait(10**14),
        Fault(
            status=401,
            body='{"ok":false,"error_code":401,"description":"Unauthorized"}',
            content_type="application/json",
        ),
    ],
)
async def test_trouble_of_receiving_is_named_without_the_token(
    hub: Hub, telegram: Telegram, fault: Fault
) -> None:
    bot = TelegramBot(_config(hub), hub.http, lambda: ("", ""))
    telegram.faults.append(fault)

    with pytest.raises(Trouble) as caught:
        await bot.receive(None)
    await bot.close()

    assert telegram.token not in repr(caught.value)
    assert caught.value.reason


_ENCODED = "<html>Доступ ограничен</html>".encode("cp1251")


@pytest.mark.parametrize(
    ("fault", "unclear", "after"),
    [
        (Fault(status=502), True, timedelta(0)),
        (Fault(status=200, body=_ENCODED), True, timedelta(0)),
        (_asks_to_wait(5), False, timedelta(seconds=5)),
        (_asks_to_wait(10**14), False, timedelta(days=1)),
    ],
)
async def test_trouble_of_answering_is_trouble(
    hub: Hub, telegram: Telegram, fault: Fault, *, unclear: bool, after: timedelta
) -> None:
    bot = TelegramBot(_config(hub), hub.http, lambda: ("", ""))
    telegram.add_person(42)
    telegram.faults.append(fault)

    with pytest.raises(Trouble) as caught:
        await bot.reply("42", Reply("text"), 7)
    await bot.close()

    assert (caught.value.unclear, caught.value.after) == (unclear, after)


async def test_it_goes_on_when_telegram_comes_back(
    hub: Hub, telegram: Telegram, until: Until
) -> None:
    telegram.faults.extend([Fault(status=502), Fault(close=True)])
    telegram.say(42, "/start")

    async with running(hub):
        await until(lambda: telegram.sent)

    assert len(telegram.sent) == 1


@pytest.mark.parametrize("updates_", ["[]", '[{"message":{}}]'])
async def test_a_poll_that_waits_for_nothing_is_not_repeated_without_end(
    hub: Hub, telegram: Telegram, until: Until, updates_: str
) -> None:
    body = f'{{"ok":true,"result":{updates_}}}'
    telegram.fault = Fault(status=200, body=body, content_type="application/json")

    async with running(hub):
        await until(lambda: telegram.requests > 1)
        asked = telegram.requests
        await asyncio.sleep(1.2)

    assert telegram.requests - asked <= 4


async def test_a_flood_limit_is_waited_for_and_the_chat_keeps_its_order(
    hub: Hub, telegram: Telegram, until: Until
) -> None:
    telegram.add_person(42)
    telegram.flood(timedelta(seconds=1), 42)
    telegram.say(42, "/start")
    telegram.say(42, "/stop")
    telegram.say(77, "/start")

    async with running(hub):
        await until(lambda: len(telegram.sent) == 3)

    assert [m.text[:5] for m in telegram.sent if m.to == "42"] == ["Здрав", "Хорош"]
    assert telegram.sent[0].to == "77"


async def test_a_flood_limit_of_one_chat_is_waited_for_by_no_other(
    hub: Hub, telegram: Telegram, until: Until
) -> None:
    telegram.add_person(42)
    telegram.flood(timedelta(minutes=1), 42)
    telegram.say(42, "/start")

    async with running(hub):
        await until(lambda: any(method == "sendmessage" for method, _ in telegram.calls))
        telegram.say(77, "/start")
        await until(lambda: telegram.sent)

    assert [message.to for message in telegram.sent] == ["77"]


async def test_a_webhook_left_over_does_not_keep_it_deaf(
    hub: Hub, telegram: Telegram, until: Until
) -> None:
    telegram.updates.webhook = Webhook("http://127.0.0.1:9/nowhere")
    telegram.say(42, "/start")

    async with running(hub):
        await until(lambda: telegram.sent)


async def test_of_two_processes_one_receives(hub: Hub, telegram: Telegram, until: Until) -> None:
    async with running(hub), running(hub):
        for i in range(5):
            telegram.say(42, f"{i}")
        await until(lambda: len(telegram.sent) == 5)

    prepared = [method for method, _ in telegram.calls if method == "deletewebhook"]
    assert len(prepared) == 1
    assert len(telegram.sent) == 5


async def test_the_hook_stores_before_it_answers(api: Api, hub: Hub, telegram: Telegram) -> None:
    account = hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)[0]
    path = f"/hooks/{hooks.token_of(hub.signer, hub.shops[account.shop_id].slug, account.name)}"
    secret = {"X-Telegram-Bot-Api-Secret-Token": updates.hook_secret(hub.signer, account)}
    body: dict[str, Any] = {"update_id": 1, "message": {"chat": {"id": 42}, "text": "/start"}}

    first = await api.post(path, body, headers=secret, key=None)
    again = await api.post(path, body, headers=secret, key=None)
    forged = await api.post(path, body, headers={"X-Telegram-Bot-Api-Secret-Token": "ё"}, key=None)
    bare = await api.post(path, body, key=None)

    assert (first.status, again.status) == (200, 200)
    assert (forged.status, bare.status) == (401, 401)
    rows = await hub.db.fetch("SELECT event, chat, account FROM bot_update")
    assert [tuple(row) for row in rows] == [("1", "42", "tg")]


async def test_what_a_hook_stored_is_answered(
    api: Api, hub: Hub, telegram: Telegram, bots: None, until: Until
) -> None:
    telegram.add_person(42)
    account = hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)[0]
    message = {
        "message_id": 5,
        "date": 1764000000,
        "chat": {"id": 42, "type": "private", "first_name": "Anna"},
        "from": {"id": 42, "is_bot": False, "first_name": "Anna", "language_code": "en"},
        "text": "/start",
    }
    found = [incoming({"update_id": 1, "message": message})]
    await updates.store(hub.db, account.shop_id, account.name, found)

    await until(lambda: telegram.sent)

    assert telegram.sent[0].text.startswith("Hello!")
