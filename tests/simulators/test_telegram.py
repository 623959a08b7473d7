"""The Telegram simulator stands for the real one: what the bots are going to rely on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiogram.types import Update
from aiohttp import web

from tests.simulators.telegram import TOKEN, Telegram


class Bot:
    """Calls as a client library makes them: forms, nested values as JSON text."""

    def __init__(self, telegram: Telegram, session: aiohttp.ClientSession) -> None:
        self._telegram = telegram
        self._session = session

    async def __call__(self, method: str, **fields: str) -> Any:
        """The result, or (error_code, description)."""
        url = f"{self._telegram.url}/bot{TOKEN}/{method}"
        async with self._session.post(url, data=fields) as response:
            answer = await response.json()
        if answer["ok"]:
            return answer["result"]
        assert response.status == answer["error_code"]
        return answer["error_code"], answer["description"]


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as simulator:
        simulator.updates.first_pause = 0.01
        yield simulator


@pytest.fixture
async def bot(telegram: Telegram) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as session:
        yield Bot(telegram, session)


class Hook:
    """The bot's own server: what it heard, and the statuses that it answers with, 200 when they are used up."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.secrets: list[str | None] = []
        self.statuses: list[int] = []
        self.enough = asyncio.Event()
        self.wanted = 1

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(await request.json())
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        if len(self.heard) >= self.wanted:
            self.enough.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def ids(self) -> list[int]:
        return [update["update_id"] for update in self.heard]


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Hook, str]]:
    heard = Hook()
    app = web.Application()
    app.router.add_post("/hook", heard.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield heard, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def test_every_kind_of_update_can_be_parsed(telegram: Telegram, bot: Bot) -> None:
    telegram.say(42, "/start a1B2")
    sent = await bot("sendMessage", chat_id="42", text="Hi")
    telegram.press(42, sent["message_id"], "s:1:1")
    telegram.press(42, 777, "old")
    telegram.share_contact(42, "+79991234567")
    telegram.block(42)
    telegram.unblock(42)

    updates = [Update.model_validate(update) for update in await bot("getUpdates")]

    assert [update.event_type for update in updates] == [
        "message",
        "callback_query",
        "callback_query",
        "message",
        "my_chat_member",
        "my_chat_member",
    ]


async def test_updates_come_again_until_a_higher_offset_confirms_them(
    telegram: Telegram, bot: Bot
) -> None:
    first, second = telegram.say(42, "one"), telegram.say(42, "two")

    twice = [await bot("getUpdates"), await bot("getUpdates")]
    rest = await bot("getUpdates", offset=str(second))

    assert [[update["update_id"] for update in got] for got in twice] == [[first, second]] * 2
    assert [update["update_id"] for update in rest] == [second]


async def test_a_poll_waits_for_what_is_said(telegram: Telegram, bot: Bot) -> None:
    async with asyncio.TaskGroup() as tasks:
        poll = tasks.create_task(bot("getUpdates", timeout="20"))
        await telegram.updates.polled.wait()
        telegram.say(42, "one")

    assert poll.result()[0]["message"]["text"] == "one"


async def test_a_second_poller_ends_the_first(telegram: Telegram, bot: Bot) -> None:
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(bot("getUpdates", timeout="20"))
        await telegram.updates.polled.wait()
        second = tasks.create_task(bot("getUpdates", timeout="0"))

    assert first.result()[0] == 409
    assert second.result() == []


async def test_a_press_is_lost_after_150_seconds_and_a_word_is_not(
    telegram: Telegram, bot: Bot
) -> None:
    telegram.say(42, "one")
    query = telegram.press(42, 1, "data")
    telegram.pass_time(timedelta(seconds=151))

    updates = await bot("getUpdates")

    assert [set(update) - {"update_id"} for update in updates] == [{"message"}]
    assert (await bot("answerCallbackQuery", callback_query_id=query))[0] == 400


async def test_only_what_is_allowed_is_told(telegram: Telegram, bot: Bot) -> None:
    await bot("getUpdates", allowed_updates='["callback_query"]')
    telegram.say(42, "one")
    telegram.press(42, 1, "data")

    updates = await bot("getUpdates")

    assert [set(update) - {"update_id"} for update in updates] == [{"callback_query"}]


async def test_a_webhook_gets_a_chats_updates_in_order_and_each_until_it_is_taken(
    telegram: Telegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    heard, url = hook
    heard.statuses, heard.wanted = [500, 200], 3
    await bot("setWebhook", url=url, secret_token="s3")

    first, second = telegram.say(42, "one"), telegram.say(42, "two")
    await asyncio.wait_for(heard.enough.wait(), 5)

    assert heard.ids == [first, first, second]
    assert set(heard.secrets) == {"s3"}


async def test_polling_is_refused_while_there_is_a_webhook(
    telegram: Telegram, bot: Bot, hook: tuple[Hook, str]
) -> None:
    _, url = hook
    await bot("setWebhook", url=url)

    assert (await bot("getUpdates"))[0] == 409
    await bot("deleteWebhook")
    assert await bot("getUpdates") == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example/hook", "An HTTPS URL must be provided"),
        ("https://shop.example:9000/hook", "only on ports"),
    ],
)
async def test_the_public_server_takes_https_on_few_ports(
    telegram: Telegram, bot: Bot, url: str, why: str
) -> None:
    telegram.plain_webhooks = False

    code, text = await bot("setWebhook", url=url)

    assert code == 400
    assert why in text


async def test_an_edit_replaces_the_message_and_an_equal_one_is_refused(
    telegram: Telegram, bot: Bot
) -> None:
    telegram.say(42, "/start")
    markup = '{"inline_keyboard":[[{"text":"Yes","callback_data":"1"}]]}'
    sent = await bot("sendMessage", chat_id="42", text="Hi", reply_markup=markup)
    to = {"chat_id": "42", "message_id": str(sent["message_id"])}

    edited = await bot("editMessageText", **to, text="Bye")
    again = await bot("editMessageText", **to, text="Bye")

    assert edited["text"] == "Bye"
    assert "reply_markup" not in edited
    assert again[0] == 400
    assert "message is not modified" in again[1]


@pytest.mark.parametrize(
    ("method", "fields", "code", "why"),
    [
        ("sendMessage", {"chat_id": "42"}, 400, "message text is empty"),
        ("sendMessage", {"chat_id": "999", "text": "Hi"}, 400, "chat not found"),
        ("sendMessage", {"chat_id": "43", "text": "Hi"}, 403, "can't initiate conversation"),
        ("sendMessage", {"chat_id": "42", "text": "я" * 4097}, 400, "message is too long"),
        (
            "sendMessage",
            {"chat_id": "42", "text": "<b>Hi", "parse_mode": "HTML"},
            400,
            "can't parse entities",
        ),
        (
            "sendMessage",
            {"chat_id": "42", "text": "<b>Hi</i>", "parse_mode": "HTML"},
            400,
            "Unmatched end tag",
        ),
        (
            "sendMessage",
            {"chat_id": "42", "text": "1 < 2", "parse_mode": "HTML"},
            400,
            "can't parse entities",
        ),
        (
            "sendMessage",
            {"chat_id": "42", "text": "<b> </b>", "parse_mode": "HTML"},
            400,
            "text must be non-empty",
        ),
        (
            "editMessageText",
            {"chat_id": "42", "message_id": "9", "text": "x"},
            400,
            "message to edit not found",
        ),
        ("noSuchMethod", {}, 404, "Not Found"),
    ],
)
async def test_what_the_real_one_refuses_is_refused(
    telegram: Telegram, bot: Bot, method: str, fields: dict[str, str], code: int, why: str
) -> None:
    telegram.add_person(42)
    telegram.add_person(43, started=False)

    got, text = await bot(method, **fields)

    assert got == code
    assert why in text
