"""A messenger that is away costs nobody his answer, and one that hangs at one chat holds up no other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest

from bots.conversation.talk import Talk
from bots.handling import MOST_FAILURES, Handler
from bots.main import make_platform
from channels.base import Channel
from hub.contacts import updates
from hub.resources import Hub
from tests.simulators.base import Fault, Simulator
from tests.simulators.max import Max
from tests.simulators.telegram import Telegram
from tests.simulators.vk import Vk

CHATS = (42, 43, 44, 45)
LONGEST = 61
"""Seconds: after so many every pause is over."""

CHANNELS = [Channel.TELEGRAM, Channel.VK, Channel.MAX]
AWAY = {
    "503": Fault(status=503),
    "502": Fault(status=502),
    "closed": Fault(close=True),
}


class _Talker:
    """One account's bot, driven by hand, and the messenger that it talks to."""

    def __init__(self, hub: Hub, messenger: Any, channel: Channel) -> None:
        self.messenger = messenger
        self._hub = hub
        self._account = hub.accounts.of(hub.shop("main").id, channel)[0]
        self._platform = make_platform(hub, self._account)
        self._cursor: str | None = None
        talk = Talk(hub, self._account)
        self.handler = Handler(hub, self._account, self._platform, talk)

    async def hear(self, *people: int) -> None:
        """Each says something, which is stored."""
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(self._receive(len(people)))
            # VK tells only what is said after it was asked for the first time.
            await asyncio.sleep(0.2)
            for person in people:
                self.messenger.say(person, "/start")

    async def _receive(self, count: int) -> None:
        while count > 0:
            received = await self._platform.receive(self._cursor)
            self._cursor = received.cursor
            count -= len(received.updates)
            shop, name = self._account.shop_id, self._account.name
            await updates.store(self._hub.db, shop, name, received.updates, cursor=self._cursor)

    @property
    def answered(self) -> list[int]:
        """Each once, in the order in which they were."""
        return list(dict.fromkeys(int(sent.to) for sent in self.messenger.sent))

    async def failures(self) -> int:
        found = await self._hub.db.fetchval("SELECT coalesce(sum(failures), 0) FROM bot_update")
        return int(found)

    async def close(self) -> None:
        await self.handler.close()
        await self._platform.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`clock(5)`: five seconds pass for those who pause."""
    passed = [0.0]
    monkeypatch.setattr("bots.handling.monotonic", lambda: monotonic() + passed[0])

    def passes(seconds: float) -> None:
        passed[0] += seconds

    return passes


Talking = Callable[[Channel], Any]


@pytest.fixture
def talking(hub: Hub, telegram: Telegram, vk: Vk, max_: Max) -> Talking:
    messengers: dict[Channel, Simulator] = {
        Channel.TELEGRAM: telegram,
        Channel.VK: vk,
        Channel.MAX: max_,
    }

    @asynccontextmanager
    async def talker(channel: Channel) -> AsyncIterator[_Talker]:
        talker = _Talker(hub, messengers[channel], channel)
        try:
            yield talker
        finally:
            await talker.close()

    return talker


@pytest.mark.parametrize("people", [CHATS, CHATS[:1]], ids=["many", "one"])
@pytest.mark.parametrize("away", AWAY)
@pytest.mark.parametrize("channel", CHANNELS)
async def test_who_spoke_to_a_messenger_that_was_away_is_answered_when_it_is_back(
    talking: Talking,
    clock: Callable[[float], None],
    channel: Channel,
    away: str,
    people: tuple[int, ...],
) -> None:
    async with talking(channel) as talker:
        await talker.hear(*people)
        talker.messenger.fault = AWAY[away]
        for _ in range(MOST_FAILURES + 2):
            await talker.handler.handle_waiting()
            clock(LONGEST)
        assert talker.answered == []

        talker.messenger.fault = None
        await talker.handler.handle_waiting()

        assert sorted(talker.answered) == list(people)
        assert await talker.failures() == 0


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_messenger_that_is_away_is_asked_for_a_few_chats_only(
    talking: Talking, channel: Channel
) -> None:
    async with talking(channel) as talker:
        await talker.hear(*range(42, 42 + 40))
        talker.messenger.fault, talker.messenger.requests = AWAY["503"], 0

        handled, pause = await talker.handler.handle_waiting()

        assert (handled, pause > timedelta(0)) == (0, True)
        assert talker.messenger.requests <= 20


async def test_a_revoked_token_is_no_failed_try(
    talking: Talking, telegram: Telegram, clock: Callable[[float], None]
) -> None:
    async with talking(Channel.TELEGRAM) as talker:
        await talker.hear(*CHATS)
        telegram.fault = Fault(
            status=401,
            body='{"ok":false,"error_code":401,"description":"Unauthorized"}',
            content_type="application/json",
        )
        for _ in range(MOST_FAILURES + 2):
            _, pause = await talker.handler.handle_waiting()
            assert pause >= timedelta(minutes=1)
            clock(LONGEST)

        telegram.fault = None
        await talker.handler.handle_waiting()

        assert sorted(talker.answered) == list(CHATS)


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_chat_at_which_the_messenger_hangs_holds_up_no_other(
    talking: Talking, channel: Channel
) -> None:
    async with talking(channel) as talker:
        await talker.hear(42)
        talker.messenger.faults.append(Fault(hang=True))
        began = monotonic()
        await talker.handler.handle_waiting()
        await talker.hear(43, 42)
        await talker.handler.handle_waiting()
        await talker.hear(44)
        await talker.handler.handle_waiting()

        assert talker.answered == [43, 44]
        assert monotonic() - began < 10
