"""Ozon and a hub over real HTTP: it looks at every answer, and stops sending where one is not as it wants it."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession

from tests.simulators.ozon import OzonSimulator
from tests.sources.case import SourceCase
from tests.sources.case_ozon import CASE
from tests.sources.conftest import Connected
from tests.sources.live import catch_up, change, hook_address, take_over


@pytest.fixture
def case() -> SourceCase:
    return CASE


async def test_it_takes_every_answer_for_good(shop: Connected, url: str) -> None:
    simulator: OzonSimulator = shop.simulator
    posting, hook = simulator.place(), hook_address(shop, url)
    pushes = ("ping", "created", "updated", "cutoff", "stocks", "fbo", "strange")

    answers = [await simulator.push(what, posting, hook) for what in pushes]
    await shop.apply()

    assert answers == [200] * len(pushes)
    assert await shop.statuses() == ["placed"]


async def test_it_is_refused_in_its_own_words(shop: Connected, url: str) -> None:
    async with (
        ClientSession() as session,
        session.post(hook_address(shop, url), data=b"{") as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "ERROR_UNKNOWN"


async def test_the_seller_hears_of_a_new_posting_and_why_it_is_cancelled(
    shop: Connected, url: str
) -> None:
    simulator: OzonSimulator = shop.simulator
    posting, hook = simulator.place(), hook_address(shop, url)
    await simulator.push("created", posting, hook)
    await shop.apply()
    why = {"cancellation": {"cancel_reason_id": 1, "cancel_reason": "Покупатель передумал"}}
    simulator.move(posting, "posting_canceled", **why)
    await simulator.push("cancelled", posting, hook)
    await shop.apply()

    told = [(one.role, one.template) for one in await shop.told()]
    history = (await shop.api.get(f"/v1/orders/{posting}")).json["history"]

    assert told == [("seller", "order.placed"), ("seller", "order.cancelled")]
    assert history[-1]["reason"] == "Покупатель передумал"


async def test_a_divided_posting_goes_on_in_its_parts(shop: Connected, url: str) -> None:
    simulator: OzonSimulator = shop.simulator
    posting, hook = simulator.place(), hook_address(shop, url)
    await simulator.push("created", posting, hook)
    await shop.apply()
    simulator.move(posting, "posting_canceled", status="cancelled_from_split_pending")
    await simulator.push("updated", posting, hook)
    parts = [simulator.place(f"{posting[:-1]}{n}", parent_posting_number=posting) for n in (2, 3)]
    for part in parts:
        await simulator.push("created", part, hook)
    await shop.apply()

    assert await shop.statuses() == ["placed"] * 3
    assert [one.template for one in await shop.told()] == ["order.placed"] * 3


async def test_a_dispute_is_told_to_nobody(shop: Connected, url: str) -> None:
    simulator: OzonSimulator = shop.simulator
    posting, hook = simulator.place(), hook_address(shop, url)
    await simulator.push("created", posting, hook)
    await shop.apply()
    heard = await shop.told()
    simulator.move(posting, "posting_in_arbitration")
    await simulator.push("updated", posting, hook)
    await shop.apply()

    assert await shop.told() == heard
    assert (await shop.row())["unknown_codes"] == []


async def test_what_was_missed_is_read_back_and_what_is_not_new_is_no_event(
    shop: Connected,
) -> None:
    simulator: OzonSimulator = shop.simulator
    postings = [simulator.place() for _ in range(3)]

    await catch_up(shop)
    simulator.move(postings[0], "posting_in_pickup_point")
    await catch_up(shop)

    # Without a time of their own, they are looked at once more before it is known that nothing changes.
    await catch_up(shop)
    assert await catch_up(shop) == 0
    assert sorted(await shop.statuses()) == ["at_pickup_point", "placed", "placed"]
    assert [one.template for one in await shop.told()] == ["order.placed"] * 3


async def test_history_is_taken_over_quietly_and_gone_on_from(shop: Connected, url: str) -> None:
    simulator: OzonSimulator = shop.simulator
    long_ago = (datetime.now(UTC) - timedelta(days=70)).isoformat()
    old = [simulator.place(in_process_at=long_ago) for _ in range(60)]
    simulator.move(old[0], "posting_delivered")
    simulator.move(old[1], "posting_in_pickup_point")

    done = await take_over(shop, "order")
    simulator.move(old[1], "posting_received")
    await simulator.push("updated", old[1], hook_address(shop, url))
    await shop.apply()

    assert (done["state"], done["added"], done["faulty"]) == ("done", 60, 0)
    assert sorted(await shop.statuses()) == ["delivered"] * 2 + ["placed"] * 58
    assert {one.template for one in await shop.told()} <= {"order.delivered"}


async def test_a_posting_may_be_to_be_packed_at_once(shop: Connected, url: str) -> None:
    """As the page says to set it up."""
    simulator: OzonSimulator = shop.simulator
    mapping = {"statuses": {"posting_created": "paid"}}
    await change(shop, mapping=mapping)
    await simulator.push("created", simulator.place(), hook_address(shop, url))
    await shop.apply()

    assert [(one.role, one.template) for one in await shop.told()] == [("seller", "order.assemble")]
