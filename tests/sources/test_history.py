"""What holds for the history of every platform that can be read back: taken over without a word, once, and the first
news after it is told."""

import asyncio
from typing import Any

import pytest

from hub.history.running import Importer
from hub.ids import new_id
from hub.sources.model import Kind
from hub.sources.registry import platform_class
from tests.simulators.base import Fault
from tests.sources.case import SourceCase, cases
from tests.sources.conftest import Connected
from tests.sources.live import Unlimited

CASES = [
    case for case in cases() if Kind.ORDER in getattr(platform_class(case.platform), "reads", ())
]
ORDERS = 5


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> SourceCase:
    found: SourceCase = request.param
    return found


async def taken_over(shop: Connected) -> dict[str, Any]:
    """The import as it is when the hub has read as far as it goes."""
    # Some count in whole seconds: what is placed in this very one is the hook's to tell.
    await asyncio.sleep(1.1)
    answer = await shop.api.post("/v1/imports", {"source": "shop", "months": 1})
    assert answer.status in (200, 201), answer.json
    importer = Importer(shop.hub, new_id(), Unlimited())  # type: ignore[arg-type]
    for _ in range(5):
        await shop.hub.db.execute("UPDATE import_run SET due_at = now()")
        if not await importer.once():
            break
    found: dict[str, Any] = (await shop.api.get(f"/v1/imports/{answer.json['id']}")).json
    return found


async def test_nothing_old_is_told_and_the_first_news_is(shop: Connected) -> None:
    case = shop.case
    first, *_ = [case.place(shop.simulator) for _ in range(ORDERS)]

    run = await taken_over(shop)

    assert (run["state"], run["faulty"], run["unknown_codes"]) == ("done", 0, []), run
    assert run["total"] in (None, run["done"])
    assert await shop.statuses() == [case.first] * ORDERS
    assert await shop.told() == []
    assert await shop.events() == []
    # It says the same once more, which is no news.
    await shop.hear(first)
    assert await shop.told() == []
    case.move(shop.simulator, first, case.stages[0])
    await shop.hear(first)
    assert await shop.buyer_heard() == ([f"order.{case.stages[0]}"] if case.buyer else [])


async def test_taken_over_again_it_is_known(shop: Connected) -> None:
    for _ in range(ORDERS):
        shop.case.place(shop.simulator)
    await taken_over(shop)

    again = await taken_over(shop)

    assert (again["state"], again["added"], again["changed"], again["faulty"]) == ("done", 0, 0, 0)
    assert again["known"] == again["done"]
    assert len(await shop.statuses()) == ORDERS


async def test_a_platform_that_stumbles_is_read_on(shop: Connected) -> None:
    for _ in range(ORDERS):
        shop.case.place(shop.simulator)
    shop.simulator.faults += [Fault(status=502), Fault(status=503)]

    run = await taken_over(shop)

    assert run["state"] == "done", run
    assert len(await shop.statuses()) == ORDERS
