"""A campaign lets those pass that somebody waits for, and goes on all the same."""

import asyncio
from time import monotonic
from typing import Any

from hub.notifications.way import RightOfWay
from hub.queue import Lane


async def test_a_campaign_waits_while_an_order_message_is_in_hand() -> None:
    way = RightOfWay()
    with way.taken(Lane.TRANSACTIONAL):
        waiting = asyncio.create_task(way.give(Lane.BULK))
        await asyncio.sleep(0.02)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 5)


async def test_it_does_not_wait_for_ever() -> None:
    way, began = RightOfWay(), monotonic()
    with way.taken(Lane.SECURITY):
        await way.give(Lane.BULK)
    assert 0.1 < monotonic() - began < 5


async def test_nobody_waits_for_a_campaign_or_for_his_like() -> None:
    way = RightOfWay()
    with way.taken(Lane.BULK):
        await asyncio.wait_for(way.give(Lane.BULK), 5)
        await asyncio.wait_for(way.give(Lane.TRANSACTIONAL), 5)
    with way.taken(Lane.TRANSACTIONAL), way.taken(Lane.SECURITY):
        await asyncio.wait_for(way.give(Lane.TRANSACTIONAL), 5)


async def test_others_come_in_between() -> None:
    way = RightOfWay()
    seen: list[Any] = []

    async def other() -> None:
        seen.append("other")

    started = None
    async for some in way.sliced(list(range(120))):
        started = started or asyncio.create_task(other())
        seen += some
    assert [n for n in seen if n != "other"] == list(range(120))
    assert "other" in seen[:-20]
