"""Trouble with one chat's answer is that chat's own."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bots.conversation.said import Reply, Said, Spoke
from bots.conversation.talk import Talk
from bots.handling import MOST_FAILURES, Handler
from bots.platform import Trouble
from bots.sandbox import SandboxBot
from channels.base import Channel
from channels.updates import Incoming
from hub.contacts import updates
from hub.resources import Hub

Heard = list[tuple[str, int]]


class _Messenger(SandboxBot):
    """`fails`: what writing to a chat raises; `hangs`: what writing to chat 1 waits for."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub.db, hub.shop("main").id, Channel.TELEGRAM)
        self.fails: dict[str, Exception] = {}
        self.hangs: asyncio.Event | None = None
        self.tried: Heard = []
        self.heard: Heard = []

    def read(self, raw: dict[str, Any]) -> Said | None:
        return Said(raw["chat"], Spoke())

    async def reply(self, chat: str, reply: Reply, key: int) -> None:
        self.tried.append((chat, key))
        if self.hangs and chat == "1":
            await self.hangs.wait()
        if error := self.fails.get(chat):
            raise error
        self.heard.append((chat, key))

    @property
    def chats(self) -> list[str]:
        return [chat for chat, _ in self.heard]


@pytest.fixture
def messenger(hub: Hub) -> _Messenger:
    return _Messenger(hub)


@pytest.fixture
def handler(hub: Hub, messenger: _Messenger) -> Handler:
    account = hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)[0]
    return Handler(hub, account, messenger, Talk(hub, account))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`clock(5)`: five seconds pass."""
    now = [1000.0]
    monkeypatch.setattr("bots.handling.monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


async def _said(hub: Hub, handler: Handler, *chats: str) -> None:
    account = handler.account
    taken = await hub.db.fetchval("SELECT count(*) FROM bot_update")
    found = [Incoming(str(taken + n), chat, {"chat": chat}) for n, chat in enumerate(chats)]
    await updates.store(hub.db, account.shop_id, account.name, found)


@pytest.mark.parametrize(
    "error", [Trouble("throttled", timedelta(minutes=1)), Trouble("vk-10"), ValueError("a bug")]
)
async def test_one_chat_in_trouble_holds_up_no_other(
    hub: Hub, handler: Handler, messenger: _Messenger, error: Exception
) -> None:
    messenger.fails["1"] = error
    await _said(hub, handler, "1", "2")
    assert await handler.handle_waiting() == (1, timedelta(0))
    await _said(hub, handler, *["1"] * 200, "3")

    assert await handler.handle_waiting() == (1, timedelta(0))

    assert messenger.chats == ["2", "3"]


async def test_a_chat_in_trouble_waits_longer_each_time_and_keeps_its_order(
    hub: Hub, handler: Handler, messenger: _Messenger, clock: Callable[[float], None]
) -> None:
    messenger.fails["1"] = Trouble("vk-10")
    await _said(hub, handler, "1", "1")
    for pause in (1, 2, 4):
        await handler.handle_waiting()
        clock(pause - 0.1)
        before = len(messenger.tried)
        await handler.handle_waiting()
        assert len(messenger.tried) == before
        clock(0.2)
    assert len(messenger.tried) == 3

    del messenger.fails["1"]
    await handler.handle_waiting()

    assert messenger.heard == [messenger.tried[0], messenger.tried[-1]]
    assert messenger.tried[0][1] < messenger.tried[-1][1]


async def test_no_chat_is_tried_before_the_time_that_the_messenger_names(
    hub: Hub, handler: Handler, messenger: _Messenger, clock: Callable[[float], None]
) -> None:
    messenger.fails["1"] = Trouble("throttled", timedelta(seconds=90))
    await _said(hub, handler, "1")
    await handler.handle_waiting()
    messenger.fails.clear()

    clock(89)
    await handler.handle_waiting()
    assert messenger.chats == []
    clock(2)
    await handler.handle_waiting()
    assert messenger.chats == ["1"]


async def test_trouble_of_the_account_is_waited_for_by_all(
    hub: Hub, handler: Handler, messenger: _Messenger
) -> None:
    messenger.fails["1"] = Trouble("bad-token", timedelta(minutes=1), for_all=True)
    await _said(hub, handler, "1", "2")

    assert await handler.handle_waiting() == (1, timedelta(minutes=1))


async def test_too_much_in_several_chats_is_too_much_of_the_bot(
    hub: Hub, handler: Handler, messenger: _Messenger, clock: Callable[[float], None]
) -> None:
    for chat, seconds in (("1", 10), ("2", 30), ("3", 20)):
        messenger.fails[chat] = Trouble("throttled", timedelta(seconds=seconds))
    await _said(hub, handler, "1", "2")
    assert await handler.handle_waiting() == (0, timedelta(0))
    await _said(hub, handler, "3", "4")

    assert await handler.handle_waiting() == (1, timedelta(seconds=10))

    clock(10)
    del messenger.fails["1"]
    assert await handler.handle_waiting() == (1, timedelta(0))


async def test_an_answer_that_fails_while_others_are_taken_is_given_up_at_last(
    hub: Hub, handler: Handler, messenger: _Messenger, clock: Callable[[float], None]
) -> None:
    messenger.fails["1"] = Trouble("http-500", unclear=True)
    await _said(hub, handler, "1")
    # Which of both comes first in a round is open, and only after another's answer a try is known to have failed.
    rounds = 2 * MOST_FAILURES + 1
    for _ in range(rounds):
        await _said(hub, handler, "2")
        await handler.handle_waiting()
        clock(61)
    assert messenger.chats == ["2"] * rounds
    tried = len(messenger.tried)

    await handler.handle_waiting()

    assert tried - rounds >= MOST_FAILURES
    assert len(messenger.tried) == tried


async def test_all_chats_wait_longer_each_time_until_one_is_answered(
    hub: Hub, handler: Handler, messenger: _Messenger, clock: Callable[[float], None]
) -> None:
    trouble = Trouble("http-503", unclear=True)
    messenger.fails = {"1": trouble, "2": trouble}
    await _said(hub, handler, "1", "2")
    pauses = []
    for _ in range(4):
        _, pause = await handler.handle_waiting()
        pauses.append(pause.total_seconds())
        assert await handler.handle_waiting() == (0, pause)
        clock(pause.total_seconds())
    assert pauses == [1, 2, 4, 8]

    messenger.fails.clear()
    assert await handler.handle_waiting() == (2, timedelta(0))
    messenger.fails = {"1": trouble, "2": trouble}
    await _said(hub, handler, "1", "2")
    assert await handler.handle_waiting() == (0, timedelta(seconds=1))


async def test_a_chat_that_is_kept_waiting_keeps_its_order_and_can_be_broken_off(
    hub: Hub, handler: Handler, messenger: _Messenger
) -> None:
    messenger.hangs = asyncio.Event()
    await _said(hub, handler, "1", "2")
    assert await handler.handle_waiting() == (1, timedelta(0))
    await _said(hub, handler, "1", "3")
    assert await handler.handle_waiting() == (1, timedelta(0))

    messenger.hangs.set()
    await handler.finish()
    assert await handler.handle_waiting() == (2, timedelta(0))
    numbers = [number for chat, number in messenger.heard if chat == "1"]
    assert len(numbers) == 2
    assert numbers == sorted(numbers)

    messenger.hangs = asyncio.Event()
    await _said(hub, handler, "1")
    await handler.handle_waiting()
    async with asyncio.timeout(5):
        await handler.close()
    messenger.hangs.set()
    assert (await handler.handle_waiting())[0] == 1
