"""More than there is room for: said at once, with a time to come again, and before memory or connections run out."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from hub.api.app import make_app
from hub.api.limits import Bodies
from hub.api.server import bind, serve
from hub.config import Settings
from hub.db import budget
from hub.db.budget import TooFewConnections
from hub.errors import NotFound, Overloaded
from hub.notifications.intake import Intake
from hub.notifications.lines import Line, Stored
from hub.resources import Hub, open_hub
from hub.shops import keys
from hub.shops.keys import Scope
from tests.hub.api.client import Api

MIB = 1 << 20


class Waiting:
    """Requests of so many items each at an intake whose transactions have come to a standstill."""

    def __init__(self, hub: Hub) -> None:
        self.intake = Intake(hub)
        self._shop = hub.shop("main")
        self._tasks: list[asyncio.Task[Any]] = []

    async def add(self, items: int) -> None:
        faults = [NotFound() for _ in range(items)]
        accepting = self.intake.accept(self._shop, faults, body_of=lambda _: b"", single=False)
        task = asyncio.create_task(accepting)
        await asyncio.sleep(0)
        if task.done():
            task.result()
        self._tasks.append(task)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def waiting(hub: Hub) -> AsyncIterator[Waiting]:
    waiting = Waiting(hub)
    yield waiting
    await waiting.end()


async def test_so_many_notifications_may_wait_and_no_more(waiting: Waiting) -> None:
    for _ in range(20):
        await waiting.add(1000)

    with pytest.raises(Overloaded, match="a little later"):
        await waiting.add(21)


async def test_who_has_one_to_send_does_not_stand_behind_a_campaign(waiting: Waiting) -> None:
    for _ in range(20):
        await waiting.add(1000)

    await waiting.add(1)

    [taken] = await waiting.intake._waiting.take(Line.QUICK)
    assert len(taken.items) == 1


async def test_whoever_serves_both_lines_takes_who_has_waited_longer(waiting: Waiting) -> None:
    lines = waiting.intake._waiting
    for items in (1000, 1, 1000, 1):
        await waiting.add(items)

    taken = [[len(r.items) for r in await lines.take(Line.EITHER)] for _ in range(3)]

    # The two that are quick share a transaction.
    assert taken == [[1000], [1, 1], [1000]]


async def test_whoever_has_time_to_spare_takes_a_campaign_while_nobody_has_one_to_send(
    waiting: Waiting,
) -> None:
    lines = waiting.intake._waiting
    await waiting.add(1)
    await waiting.add(1000)
    spare = asyncio.create_task(lines.take(Line.SPARE))
    [quick] = await lines.take(Line.QUICK)
    await asyncio.sleep(0)
    # Taken, and not yet answered.
    assert not spare.done()

    quick.answer(Stored(202, b""))

    async with asyncio.timeout(10):
        [taken] = await spare
    assert len(taken.items) == 1000


async def test_who_would_not_be_answered_in_time_is_told_at_once(waiting: Waiting) -> None:
    await waiting.add(1)
    await waiting.add(1)
    next(iter(waiting.intake._waiting)).since -= 5

    with pytest.raises(Overloaded):
        await waiting.add(1)


async def test_what_was_taken_waits_no_more(waiting: Waiting) -> None:
    for _ in range(20):
        await waiting.add(1000)
    await waiting.intake._waiting.take(Line.LONG)

    await waiting.add(1000)


def test_bodies_may_take_so_much_together_and_no_more() -> None:
    bodies = Bodies(most=2 * MIB)

    with bodies.held(MIB), bodies.held(MIB // 2):
        with pytest.raises(Overloaded), bodies.held(MIB):
            pass
        # Who does not say how much it will be may send the most.
        with pytest.raises(Overloaded), bodies.held(None):
            pass
        with bodies.held(MIB // 2):
            pass
    with bodies.held(MIB), bodies.held(MIB):
        pass


async def test_one_body_is_taken_however_large() -> None:
    with Bodies(most=1).held(MIB):
        pass


async def test_while_all_connections_are_in_use_the_answer_is_503_within_two_seconds(
    hub: Hub, settings: Settings
) -> None:
    """As a few heavy lists do it, or a database that hangs."""
    _, key = await keys.create(hub.db, "main", [Scope.ADMIN])
    async with AsyncExitStack() as stack:
        small = await stack.enter_async_context(
            open_hub(settings, pool_size=2, patience=timedelta(seconds=0.5))
        )
        listening = bind("127.0.0.1", 0)
        await stack.enter_async_context(serve(make_app(small), listening))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        api = await stack.enter_async_context(Api(url, key))
        assert (await api.get("/v1/notifications")).status == 200
        for _ in range(2):
            await stack.enter_async_context(small.db.acquire(timeout=10))

        began = time.monotonic()
        message = {
            "recipient": {"address": {"channel": "email", "value": "a@b.example"}},
            "content": {"text": "Hello"},
        }
        answers = await asyncio.gather(
            api.get("/v1/notifications"),
            *(api.post("/v1/notifications", message) for _ in range(5)),
        )

        assert time.monotonic() - began < 2
        assert {answer.status for answer in answers} == {503}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)


async def test_a_role_says_how_many_connections_it_lacks(hub: Hub, settings: Settings) -> None:
    with pytest.raises(TooFewConnections, match=r"\d+ are needed: raise this setting by \d+ or"):
        await budget.check(hub.db, 5000, "this setting")

    assert budget.of_one_machine(settings) < 100
    await budget.check(hub.db, budget.of_one_machine(Settings()), "this setting")
