"""Telegram's own ways: what it is given, what each of its refusals comes to."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from channels.base import Accepted, Button, Message, Moved, Refused, Retry, Scope, Unavailable
from channels.http import ProviderHttp
from channels.telegram.bot_api import BotApi, BotApiConfig
from tests.simulators.base import Fault
from tests.simulators.telegram import TOKEN, Telegram

HELLO = Message("k1", "42", "Hello")


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as simulator:
        simulator.add_person(42)
        yield simulator


@pytest.fixture
async def bot(telegram: Telegram) -> AsyncIterator[BotApi]:
    http = ProviderHttp(timeout=timedelta(seconds=2))
    yield BotApi(BotApiConfig(token=SecretStr(TOKEN), base_url=f"{telegram.url}/"), http)
    await http.close()


def answers(status: int, description: str, **parameters: Any) -> Fault:
    body = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return Fault(status=status, body=json.dumps(body), content_type="application/json")


async def test_plain_text_goes_as_it_is(telegram: Telegram, bot: BotApi) -> None:
    await bot.send([Message("k1", "42", "1 < 2 & <b>")])

    [sent] = telegram.sent
    assert sent.text == "1 < 2 & <b>"
    assert not sent.html


async def test_html_wins_over_the_text_and_is_read_as_html(telegram: Telegram, bot: BotApi) -> None:
    await bot.send([Message("k1", "42", "Order 1", html="<b>Order</b> 1 &lt; 2")])

    [sent] = telegram.sent
    assert sent.text == "Order 1 < 2"
    assert sent.html == "<b>Order</b> 1 &lt; 2"


async def test_links_are_shown_without_a_preview(telegram: Telegram, bot: BotApi) -> None:
    await bot.send([HELLO])

    assert telegram.sent[0].extra["fields"]["link_preview_options"] == {"is_disabled": True}


async def test_buttons_become_an_inline_keyboard(telegram: Telegram, bot: BotApi) -> None:
    rows = (
        (Button("Есть", data="s:1:1"), Button("Нет", data="s:1:0")),
        (Button("Открыть", url="https://shop.example/1"),),
    )

    await bot.send([Message("k1", "42", "В наличии?", buttons=rows)])

    assert telegram.sent[0].extra["buttons"] == [
        [
            {"text": "Есть", "callback_data": "s:1:1"},
            {"text": "Нет", "callback_data": "s:1:0"},
        ],
        [{"text": "Открыть", "url": "https://shop.example/1"}],
    ]


async def test_length_is_telegrams_to_judge(telegram: Telegram, bot: BotApi) -> None:
    # More than 4096 characters of source, fewer when its entities are parsed.
    [outcome] = await bot.send([Message("k1", "42", "x", html="&amp;" * 4000)])

    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize(
    ("status", "description", "scope", "code"),
    [
        (403, "Forbidden: bot was blocked by the user", Scope.RECIPIENT, "blocked"),
        (403, "Forbidden: user is deactivated", Scope.RECIPIENT, "deactivated"),
        (
            403,
            "Forbidden: bot can't initiate conversation with a user",
            Scope.RECIPIENT,
            "never-started",
        ),
        (403, "Forbidden: bot was kicked from the supergroup chat", Scope.RECIPIENT, "kicked"),
        (
            403,
            "Forbidden: bot is not a member of the channel chat",
            Scope.RECIPIENT,
            "not-a-member",
        ),
        (403, "Forbidden: the group chat was deleted", Scope.RECIPIENT, "chat-deleted"),
        (403, "Forbidden: the bot can't send messages to the bot", Scope.RECIPIENT, "is-a-bot"),
        (403, "Forbidden: something new", Scope.RECIPIENT, "forbidden"),
        (400, "Bad Request: chat not found", Scope.RECIPIENT, "chat-not-found"),
        (400, "Bad Request: private chat not found", Scope.RECIPIENT, "chat-not-found"),
        (
            400,
            "Bad Request: not enough rights to send text messages to the chat",
            Scope.RECIPIENT,
            "no-rights-in-chat",
        ),
        (
            400,
            "Bad Request: have no write access to the chat",
            Scope.RECIPIENT,
            "no-rights-in-chat",
        ),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", Scope.RECIPIENT, "no-rights-in-chat"),
        (400, "Bad Request: TOPIC_CLOSED", Scope.RECIPIENT, "topic-closed"),
        (400, "Bad Request: message is too long", Scope.MESSAGE, "too-long"),
        (400, "Bad Request: message caption is too long", Scope.MESSAGE, "too-long"),
        (400, "Bad Request: message text is empty", Scope.MESSAGE, "empty"),
        (400, "Bad Request: text must be non-empty", Scope.MESSAGE, "empty"),
        (
            400,
            'Bad Request: can\'t parse entities: Unsupported start tag "h1"',
            Scope.MESSAGE,
            "bad-html",
        ),
        (400, "Bad Request: BUTTON_DATA_INVALID", Scope.MESSAGE, "bad-buttons"),
        (400, "Bad Request: reply markup is too long", Scope.MESSAGE, "bad-buttons"),
        (
            400,
            "Bad Request: text buttons are unallowed in the inline keyboard",
            Scope.MESSAGE,
            "bad-buttons",
        ),
        (
            400,
            "Bad Request: wrong file identifier/HTTP URL specified",
            Scope.MESSAGE,
            "bad-media",
        ),
        (400, "Bad Request: wrong type of the web page content", Scope.MESSAGE, "bad-media"),
        (400, "Bad Request: failed to get HTTP URL content", Scope.MESSAGE, "bad-media"),
        (400, "Bad Request: SOMETHING_NEW", Scope.MESSAGE, "bad-request"),
        (413, "Request Entity Too Large", Scope.MESSAGE, "too-long"),
        (401, "Unauthorized", Scope.ACCOUNT, "bad-token"),
        (404, "Not Found", Scope.ACCOUNT, "bad-token"),
        (
            409,
            "Conflict: terminated by other getUpdates request",
            Scope.ACCOUNT,
            "two-receivers",
        ),
    ],
)
async def test_each_refusal_has_one_meaning(
    telegram: Telegram, bot: BotApi, status: int, description: str, scope: Scope, code: str
) -> None:
    telegram.fault = answers(status, description)

    assert await bot.send([HELLO]) == [Refused(scope, code, description)]


async def test_a_413_page_of_the_web_server_is_the_messages_fault(
    telegram: Telegram, bot: BotApi
) -> None:
    telegram.fault = Fault(status=413)

    [outcome] = await bot.send([HELLO])

    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.MESSAGE


async def test_a_group_that_became_a_supergroup_has_moved(telegram: Telegram, bot: BotApi) -> None:
    telegram.add_group(-5)
    telegram.upgrade_group(-5, -1001)

    [outcome] = await bot.send([Message("k1", "-5", "Hello")])

    assert outcome == Moved("-1001")
    [outcome] = await bot.send([Message("k1", "-1001", "Hello")])
    # The first two numbers are those of the messages in which both chats tell of it.
    assert outcome == Accepted("-1001:3")


async def test_the_wait_is_read_from_the_body_when_no_header_names_it(
    telegram: Telegram, bot: BotApi
) -> None:
    telegram.fault = answers(429, "Too Many Requests: retry after 5", retry_after=5)

    assert await bot.send([HELLO]) == [Retry("throttled", timedelta(seconds=5), throttled=True)]


async def test_a_restarting_server_has_not_sent(telegram: Telegram, bot: BotApi) -> None:
    telegram.fault = answers(500, "Internal Server Error: restart")

    assert await bot.send([HELLO]) == [Retry("http-500")]


async def test_the_code_in_the_body_counts_where_something_between_changed_the_status(
    telegram: Telegram, bot: BotApi
) -> None:
    body = answers(403, "Forbidden: bot was blocked by the user").body
    telegram.fault = Fault(status=200, body=body, content_type="application/json")

    [outcome] = await bot.send([HELLO])

    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.RECIPIENT


async def test_the_token_is_cut_out_of_what_a_proxy_says(telegram: Telegram, bot: BotApi) -> None:
    telegram.fault = answers(400, f"Bad Request: no route for /bot{TOKEN}/sendMessage")

    [outcome] = await bot.send([HELLO])

    assert TOKEN not in repr(outcome)


async def test_the_username_is_asked_for_once(telegram: Telegram, bot: BotApi) -> None:
    names = [await bot.me(), await bot.me()]

    assert names == ["shop_bot", "shop_bot"]
    assert [method for method, _ in telegram.calls] == ["getme"]


async def test_check_asks_anew(telegram: Telegram, bot: BotApi) -> None:
    await bot.me()
    telegram.bot["username"] = "renamed_bot"

    check = await bot.check()

    assert check.text == "@renamed_bot"
    assert await bot.me() == "renamed_bot"


@pytest.mark.parametrize(
    "fault",
    [
        answers(401, "Unauthorized"),
        Fault(status=502),
        Fault(status=200, body='{"ok": true, "result": {}}', content_type="application/json"),
    ],
)
async def test_a_username_that_is_not_told_is_unavailable(
    telegram: Telegram, bot: BotApi, fault: Fault
) -> None:
    telegram.fault = fault

    with pytest.raises(Unavailable, match="Telegram"):
        await bot.me()


@pytest.mark.parametrize("token", ["", "abc", "123", "123:", ":abc", "123:a b", "abc:def"])
def test_a_token_of_another_form_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValidationError, match="must look like") as raised:
        BotApiConfig(token=SecretStr(token))

    assert f"'{token}'" not in str(raised.value)


def test_the_settings_never_show_the_token() -> None:
    config = BotApiConfig(token=SecretStr("123:secret"))

    assert "secret" not in f"{config!r} {config} {config.model_dump_json()}"
    assert (config.base_url, config.receive) == ("https://api.telegram.org", "polling")
