"""When a server that lives counts as silent, and when it is only slow, or we were."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from hub.embedded.answering import falls_silent

PATIENCE = timedelta(seconds=1)


async def _silent_within(answers: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await falls_silent(answers, PATIENCE)
    except TimeoutError:
        return False
    return True


async def test_who_never_answers_is_silent_after_that_time_and_not_before() -> None:
    async def never() -> bool:
        await asyncio.sleep(3600)
        return True

    assert not await _silent_within(never, 0.8)
    assert await _silent_within(never, 5)


async def test_who_refuses_to_be_asked_is_silent() -> None:
    async def hangs_up() -> bool:
        return False

    assert await _silent_within(hangs_up, 5)


async def test_who_cannot_be_asked_by_a_fault_of_ours_is_not() -> None:
    async def fails() -> bool:
        raise ValueError

    assert not await _silent_within(fails, 3)


async def test_who_takes_long_for_each_answer_is_not() -> None:
    async def slowly() -> bool:
        await asyncio.sleep(0.6)
        return True

    assert not await _silent_within(slowly, 3)


async def test_one_question_that_hangs_says_nothing_of_the_others() -> None:
    asked = 0

    async def one_hangs() -> bool:
        nonlocal asked
        asked += 1
        await asyncio.sleep(3600 if asked == 1 else 0.01)
        return True

    assert not await _silent_within(one_hangs, 3)


async def test_who_falls_silent_after_an_answer_is_noticed() -> None:
    asked = 0

    async def once() -> bool:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01 if asked == 1 else 3600)
        return True

    assert await _silent_within(once, 5)


async def test_while_we_stand_still_ourselves_nobody_is_silent() -> None:
    """As on a machine that is too slow for everybody: each look comes late."""

    async def late() -> bool:
        await asyncio.sleep(1.5)
        return True

    async def holds_the_loop() -> None:
        while True:
            time.sleep(0.5)  # noqa: ASYNC251 (that is what it is about)
            await asyncio.sleep(0)

    holding = asyncio.create_task(holds_the_loop())
    try:
        assert not await _silent_within(late, 4)
    finally:
        holding.cancel()


async def test_questions_do_not_outlive_whoever_waits() -> None:
    left: list[str] = []

    async def never() -> bool:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            left.append("cancelled")
            raise
        return True

    waiting = asyncio.create_task(falls_silent(never, PATIENCE))
    await asyncio.sleep(0.4)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert left == ["cancelled"] * len(left) != []
