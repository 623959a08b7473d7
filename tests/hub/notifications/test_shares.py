"""An account's share of a worker: waited for while its jobs come to an end, given up where none does."""

import asyncio
from datetime import timedelta
from time import monotonic

import pytest

from hub.notifications import shares
from hub.notifications.shares import SHARE, Shares
from hub.queue import Lane

PATIENCE = 1.0


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Shares:
    short = dict.fromkeys(Lane, timedelta(seconds=PATIENCE))
    monkeypatch.setattr(shares, "PATIENCE", short)
    return Shares()


async def _job(held: Shares, done: asyncio.Event, account: str = "a") -> bool:
    async with held.one(Lane.BULK, account) as free:
        if free:
            await done.wait()
        return free


async def _begun(held: Shares, count: int) -> list[tuple[asyncio.Task[bool], asyncio.Event]]:
    ends = [asyncio.Event() for _ in range(count)]
    jobs = [(asyncio.create_task(_job(held, end)), end) for end in ends]
    await asyncio.sleep(0)
    return jobs


async def _ended(*tasks: asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_finds_an_account_that_never_answers_gives_up(held: Shares) -> None:
    hanging = await _begun(held, SHARE[Lane.BULK])

    began = monotonic()
    assert not await _job(held, asyncio.Event())
    assert PATIENCE <= monotonic() - began < 5 * PATIENCE
    # Others are not held up by it.
    done = asyncio.Event()
    done.set()
    assert await _job(held, done, "b")
    await _ended(*(task for task, _ in hanging))


async def test_while_jobs_come_to_an_end_the_next_ones_wait_longer(held: Shares) -> None:
    first = await _begun(held, SHARE[Lane.BULK])
    assert not held.crowded(Lane.BULK)
    last = (await _begun(held, 4))[3]
    assert held.crowded(Lane.BULK)
    assert not held.crowded(Lane.TRANSACTIONAL)

    for _, end in first[:4]:
        await asyncio.sleep(PATIENCE / 3)
        end.set()
    last[1].set()
    assert await last[0]
    assert not held.crowded(Lane.BULK)
    await _ended(*(task for task, _ in first))


async def test_for_ever_nobody_waits(held: Shares) -> None:
    began = monotonic()
    jobs = await _begun(held, 40)
    last, _ = jobs[-1]
    # None at the very moment when all give up.
    for _, end in jobs[:7]:
        await asyncio.sleep(0.35 * PATIENCE)
        end.set()
    assert not await last
    # Since the last one became free it is not so long.
    assert 3 * PATIENCE <= monotonic() - began < 10 * PATIENCE
    await _ended(*(task for task, _ in jobs))
