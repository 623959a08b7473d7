"""A CS-Cart shop and a hub over real HTTP: orders on their way."""

import pytest

from tests.sources.case import SourceCase
from tests.sources.case_cscart import CASE
from tests.sources.conftest import Connected


@pytest.fixture
def case() -> SourceCase:
    return CASE


async def test_a_failed_payment_is_no_end(shop: Connected) -> None:
    """The shop lets the buyer pay again, and the goods are wanted then."""
    order = CASE.place(shop.simulator)
    await shop.hear(order, "created")
    shop.simulator.move(order, "F")
    await shop.hear(order)
    stands = await shop.statuses()
    shop.simulator.move(order, "P")
    await shop.hear(order)

    assert stands == [CASE.first]
    assert await shop.statuses() == ["confirmed"]
    assert "order.cancelled" not in await shop.buyer_heard()
