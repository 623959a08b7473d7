"""A campaign lets those pass that somebody waits for, and goes on all the same."""

import asyncio
from datetime import timedelta
from time import monotonic
from typing import Any

from hub.notifications.way import RightOfWay
from hub.queue import Lane

AT_ONCE = timedelta(0)
LATE = timedelta(seconds=1)


async def test_a_campaign_waits_while_an_order_message_is_in_hand() -> None:
    way = RightOfWay()
    with way.taken(Lane.TRANSACTIONAL, late=AT_ONCE):
        waiting = asyncio.create_task(way.give(Lane.BULK))
        await asyncio.sleep(0.02)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 0.1)


async def test_it_does_not_wait_for_ever() -> None:
    way, began = RightOfWay(), monotonic()
    with way.taken(Lane.SECURITY, late=AT_ONCE):
        await way.give(Lane.BULK)
    assert 0.1 < monotonic() - began < 5


async def test_nobody_waits_for_a_campaign_or_for_his_like() -> None:
    way = RightOfWay()
    with way.taken(Lane.BULK, late=AT_ONCE):
        await asyncio.wait_for(way.give(Lane.BULK), 0.1)
        await asyncio.wait_for(way.give(Lane.TRANSACTIONAL), 0.1)
    with way.taken(Lane.TRANSACTIONAL, late=AT_ONCE), way.taken(Lane.SECURITY, late=AT_ONCE):
        await asyncio.wait_for(way.give(Lane.TRANSACTIONAL), 0.1)


async def test_while_order_messages_are_late_a_campaign_goes_step_by_step() -> None:
    way, began = RightOfWay(), monotonic()
    _note(way, LATE)
    await asyncio.gather(*(way.give(Lane.BULK) for _ in range(3)))
    assert 1.1 < monotonic() - began < 10

    # What was noted longer ago says nothing any more.
    began = monotonic()
    await asyncio.sleep(1.1)
    await asyncio.gather(*(way.give(Lane.BULK) for _ in range(20)))
    assert monotonic() - began < 5


async def test_what_waited_in_its_row_slows_down_no_campaign() -> None:
    """For its account, and not for this machine."""
    way, began = RightOfWay(), monotonic()
    with way.taken(Lane.TRANSACTIONAL, late=None):
        pass
    await asyncio.gather(*(way.give(Lane.BULK) for _ in range(20)))
    assert monotonic() - began < 5


async def test_one_that_waited_for_something_else_slows_down_no_campaign() -> None:
    way, began = RightOfWay(), monotonic()
    for late in (LATE, LATE, LATE, AT_ONCE, LATE):
        _note(way, late)
    await asyncio.gather(*(way.give(Lane.BULK) for _ in range(20)))
    assert monotonic() - began < 5


def _note(way: RightOfWay, late: timedelta) -> None:
    with way.taken(Lane.TRANSACTIONAL, late=late):
        pass


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
