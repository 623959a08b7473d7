"""Set-up: what is left to do, the accounts, and accounts that are tried before they are set."""

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator
from html import unescape
from ipaddress import ip_network
from typing import Any

import pytest

from channels.base import Channel
from channels.telegram.bot_api import BotApiConfig
from hub.accounts import health
from hub.config import Account, Settings, Shop
from hub.operators.model import Role
from hub.resources import Hub
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor
from tests.simulators.telegram import TOKEN, Telegram


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as simulator:
        yield simulator


@pytest.fixture
def settings(settings: Settings, telegram: Telegram) -> Settings:
    """One account that works, one without its credentials; the shop `other` has none."""
    config = BotApiConfig.model_validate({"token": TOKEN, "base_url": telegram.url})
    accounts = (
        Account(name="tg", channel=Channel.TELEGRAM, provider="bot_api", config=config),
        Account(name="vk", channel=Channel.VK, provider="community", not_set=("VK_TOKEN",)),
    )
    return settings.model_copy(update={"shops": {"main": Shop(accounts=accounts), "other": Shop()}})


@pytest.fixture
def loopback(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = hub.settings.hub.model_copy(update={"outgoing_allow": (ip_network("127.0.0.0/8"),)})
    object.__setattr__(hub, "settings", hub.settings.model_copy(update={"hub": allowed}))


def _settings(**given: str) -> dict[str, Any]:
    """As fields of the form."""
    return {f"s-{name}": value for name, value in given.items()}


async def test_what_is_left_to_do_says_why_and_where(hub: Hub, console: Console) -> None:
    page = await console.get("/set-up")

    assert "vk: VK_TOKEN" in page.text
    assert "Variables of the environment that it refers to are empty" in page.text
    assert "The shop is not connected" in page.text
    assert page.links["Turn it on in your settings"].endswith("/me")
    assert "There is no account" not in page.text


async def test_a_shop_without_accounts_is_told_that_nothing_leaves(console_for: ConsoleFor) -> None:
    other = await console_for(Role.OWNER, shop="other", locale="ru")

    page = await other.get("/set-up")

    assert "Нет ни одного аккаунта" in page.text
    assert page.links["Проверить аккаунт и получить строки для vestnik.toml"].endswith(
        "/set-up/try"
    )


async def test_a_refused_account_is_to_be_mended(hub: Hub, console: Console) -> None:
    shop = hub.shop("main")
    await health.pause(
        hub.db, shop.id, "tg", refused=True, reason="no such bot", code="bad-token", failures=1
    )

    page = await console.get("/set-up")

    assert "A provider refuses an account" in page.text
    assert "no such bot" in page.text


async def test_an_account_is_tested_with_the_providers_answer(
    console: Console, telegram: Telegram
) -> None:
    page = await console.get("/set-up")
    good = await console.send(page.form("/accounts/tg/test"))
    telegram.token = "2:other"
    bad = await console.send(page.form("/accounts/tg/test"))

    assert "shop_bot" in good.text
    assert "note good" in good.html
    assert "note bad" in bad.html
    assert (await console.post("/set-up/accounts/nobody/test")).status == 404


@pytest.mark.usefixtures("loopback")
async def test_an_account_is_tried_and_its_lines_are_given(
    console: Console, telegram: Telegram
) -> None:
    choice = await console.get("/set-up/try")
    page = await console.get(choice.links["Telegram bot"])
    found = await console.send(
        page.form("/telegram/bot_api"), name="bot", **_settings(token=TOKEN, base_url=telegram.url)
    )
    refused = await console.send(
        page.form("/telegram/bot_api"),
        name="bot",
        **_settings(token="2:wrong-secret", base_url=telegram.url),
    )

    assert "The provider accepts this" in found.text
    assert '[[shops.main.accounts]] name = "bot" channel = "telegram"' in found.text
    assert 'token = "env:BOT_TOKEN"' in found.text
    assert TOKEN not in found.html
    assert "The provider does not accept this" in refused.text
    assert "wrong-secret" not in refused.html


async def test_what_does_not_fit_is_said_at_its_field(console: Console) -> None:
    page = await console.get("/set-up/try/telegram/bot_api")
    wrong = await console.send(
        page.form("/telegram/bot_api"), name="tg", **_settings(token="nonsense-token")
    )

    assert wrong.status == 422
    assert "as @BotFather shows it" in wrong.text
    assert "There is an account of this name already" in wrong.text
    assert "nonsense-token" not in wrong.html


async def test_nobody_is_called_in_the_inner_network(console: Console, telegram: Telegram) -> None:
    page = await console.get("/set-up/try/telegram/bot_api")
    calls = telegram.requests

    wrong = await console.send(
        page.form("/telegram/bot_api"), name="bot", **_settings(token=TOKEN, base_url=telegram.url)
    )

    assert wrong.status == 422
    assert "inner network" in wrong.text
    assert telegram.requests == calls


async def test_nor_by_a_name_that_leads_there_a_moment_later(
    console: Console, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    found, asked = loop.getaddrinfo, 0

    async def getaddrinfo(host: str, port: int, **more: Any) -> Any:
        nonlocal asked
        asked += host == "localhost"
        first = host == "localhost" and asked == 1
        return await found("93.184.216.34" if first else host, port, **more)

    page = await console.get("/set-up/try/telegram/bot_api")
    calls, url = telegram.requests, telegram.url.replace("127.0.0.1", "localhost")
    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo, raising=False)

    refused = await console.send(
        page.form("/telegram/bot_api"), name="bot", **_settings(token=TOKEN, base_url=url)
    )

    assert "The provider does not accept this" in refused.text
    assert "inner network" in refused.text
    assert telegram.requests == calls


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_every_provider_has_a_form(console_for: ConsoleFor, locale: str) -> None:
    owner = await console_for(Role.OWNER, locale=locale)
    choice = await owner.get("/set-up/try")
    ways = [way for way in choice.links.values() if "/set-up/try/" in way]

    pages = [await owner.get(way) for way in ways]

    assert len(ways) > 10
    assert all(page.status == 200 for page in pages)
    # One wants a file of the hub's machine.
    assert sum(len(page.forms) == len(choice.forms) for page in pages) == 1


async def test_set_up_is_for_those_who_may(console_for: ConsoleFor) -> None:
    operator = await console_for(Role.OPERATOR)

    assert (await operator.get("/set-up")).status == 403
    assert (await operator.get("/set-up/try/telegram/bot_api")).status == 403


@pytest.mark.usefixtures("loopback")
async def test_the_lines_are_toml_whatever_was_filled_in(console: Console) -> None:
    page = await console.get("/set-up/try/email/smtp")
    sender = '"Ро\\"маш\\\\ка" <a@shop.example>'

    found = await console.send(
        page.form("/email/smtp"),
        name="mail.1",
        **_settings(**{"from": sender}, host="127.0.0.1", port="1", username="u", password='p"x'),
    )

    code = re.search(r'<code class="language-toml">(.*?)</code>', found.html, re.S)
    assert code, found.text
    [account] = tomllib.loads(unescape(code[1]))["shops"]["main"]["accounts"]
    assert account == {
        "name": "mail.1",
        "channel": "email",
        "provider": "smtp",
        "from": sender,
        "host": "127.0.0.1",
        "port": 1,
        "username": "u",
        "password": "env:MAIL_1_PASSWORD",
    }
