"""Messages changed after they were sent: what each provider says, and what it comes to."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from channels.base import (
    GONE,
    Accepted,
    Adapter,
    Button,
    Edits,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
)
from channels.email.smtp import Smtp
from channels.http import ProviderHttp
from channels.telegram.bot_api import BotApi, BotApiConfig
from channels.vk.community import Community, CommunityConfig
from tests.simulators.base import Fault
from tests.simulators.telegram import TOKEN, Telegram
from tests.simulators.vk import GROUP_ID, Vk
from tests.simulators.vk import TOKEN as VK_TOKEN

ASKED = Message("k1", "42", "Есть?", buttons=((Button("Да", "d1"),),), batch_key="b1")
ANSWERED = Message("k1", "42", "Есть: 2 < 3", html="<b>Есть</b>: 2 &lt; 3")


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    door = ProviderHttp(timeout=timedelta(seconds=2))
    yield door
    await door.close()


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as simulator:
        simulator.add_person(42)
        yield simulator


@pytest.fixture
async def vk() -> AsyncIterator[Vk]:
    async with Vk() as simulator:
        simulator.add_person(42)
        yield simulator


@pytest.fixture
def bot(telegram: Telegram, http: ProviderHttp) -> BotApi:
    return BotApi(BotApiConfig(token=SecretStr(TOKEN), base_url=telegram.url), http)


@pytest.fixture
def community(vk: Vk, http: ProviderHttp) -> Community:
    config = CommunityConfig(
        token=SecretStr(VK_TOKEN), group_id=GROUP_ID, base_url=vk.api_url.rstrip("/")
    )
    return Community(config, http)


async def _sent(adapter: Adapter) -> str:
    [outcome] = await adapter.send([ASKED])
    assert isinstance(outcome, Accepted)
    return outcome.provider_id


def _says(body: dict[str, Any], status: int = 200) -> Fault:
    return Fault(status=status, body=json.dumps(body), content_type="application/json")


async def test_telegram_shows_the_new_text_and_drops_the_buttons(
    telegram: Telegram, bot: BotApi
) -> None:
    id_ = await _sent(bot)

    assert await bot.edit(id_, ANSWERED) == Accepted(id_)

    [message] = telegram.messages.values()
    assert message["text"] == "Есть: 2 < 3"
    assert "reply_markup" not in message


async def test_what_already_looks_so_is_done(bot: BotApi) -> None:
    id_ = await _sent(bot)

    assert await bot.edit(id_, ASKED) == Accepted(id_)


async def test_a_message_deleted_at_telegram_is_gone(telegram: Telegram, bot: BotApi) -> None:
    id_ = await _sent(bot)
    telegram.messages.clear()

    assert _gone(await bot.edit(id_, ANSWERED))


async def test_who_has_blocked_the_bot_is_not_a_message_that_is_gone(
    telegram: Telegram, bot: BotApi
) -> None:
    id_ = await _sent(bot)
    telegram.block(42)

    outcome = await bot.edit(id_, ANSWERED)

    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.RECIPIENT


async def test_a_flood_limit_of_edits_is_waited_for(telegram: Telegram, bot: BotApi) -> None:
    id_ = await _sent(bot)
    telegram.flood(timedelta(seconds=7), 42)

    outcome = await bot.edit(id_, ANSWERED)

    assert isinstance(outcome, Retry)
    assert outcome.after == timedelta(seconds=7)


async def test_vk_shows_the_new_text_and_drops_the_buttons(vk: Vk, community: Community) -> None:
    id_ = await _sent(community)

    assert await community.edit(id_, ANSWERED) == Accepted(id_)
    assert await community.edit(id_, ANSWERED) == Accepted(id_)

    [message] = vk.dialogs[42].messages.values()
    assert message["text"] == "Есть: 2 < 3"
    assert message["keyboard"] == {}


async def test_too_old_at_vk_or_not_there_is_gone(vk: Vk, community: Community) -> None:
    id_ = await _sent(community)

    assert _gone(await community.edit("42:999", ANSWERED))
    assert _gone(await community.edit("no-number", ANSWERED))
    vk.pass_time(timedelta(days=2))
    assert _gone(await community.edit(id_, ANSWERED))


async def test_vks_limits_are_told_before_vk_is_asked(vk: Vk, community: Community) -> None:
    id_ = await _sent(community)
    calls = len(vk.calls)
    many = Message("k1", "42", "?", buttons=tuple((Button(str(n), "d"),) for n in range(7)))

    outcome = await community.edit(id_, many)

    assert isinstance(outcome, Refused)
    assert outcome.code == "bad-buttons"
    assert len(vk.calls) == calls


async def test_vk_in_trouble_is_asked_again(vk: Vk, community: Community) -> None:
    id_ = await _sent(community)
    vk.errors.append(6)
    assert isinstance(await community.edit(id_, ANSWERED), Retry)
    vk.faults.append(Fault(status=502))
    assert isinstance(await community.edit(id_, ANSWERED), Retry)
    vk.faults.append(_says({"error": {"error_code": 5, "error_msg": "auth"}}))

    refused = await community.edit(id_, ANSWERED)

    assert isinstance(refused, Refused)
    assert refused.scope is Scope.ACCOUNT


def test_letters_are_not_edited(bot: BotApi, community: Community) -> None:
    assert isinstance(bot, Edits)
    assert isinstance(community, Edits)
    assert not issubclass(Smtp, Edits)


def _gone(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.code == GONE
