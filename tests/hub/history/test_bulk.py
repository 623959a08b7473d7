"""Orders of the past written many at once: as they were, and without a word to anybody."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from hub.contacts.model import ContactIn, Role
from hub.contacts.service import upsert
from hub.ids import new_id
from hub.orders import bulk, queries, service
from hub.orders.model import Line, Order, OrderStatus, Source
from hub.resources import Hub
from tests.hub.api.client import Api

MADE = datetime(2026, 1, 2, 10, tzinfo=UTC)
CHANGED = MADE + timedelta(days=3)


@pytest.fixture
async def seller(hub: Hub) -> UUID:
    async with hub.db.acquire() as conn:
        given = ContactIn(role=Role.SELLER, name="ИП Петрова")
        return (await upsert(conn, hub.shop("main").id, "seller-7", given)).id


def order(hub: Hub, seller: UUID, name: str, *, lines: int = 2) -> Order:
    return Order(
        id=new_id(),
        shop_id=hub.shop("main").id,
        external_id=name,
        number=f"№ {name}",
        status=OrderStatus.PAID,
        told_status=OrderStatus.PAID,
        buyer_id=None,
        buyer=None,
        currency="RUB",
        total=Decimal("1990.50"),
        delivery={"method": "pickup"},
        labels_url=None,
        revision=0,
        created_at=MADE,
        updated_at=CHANGED,
        lines=tuple(
            Line(
                str(n), f"A-{n}", "Чайник", n, Decimal("9.90"), None, seller, "seller-7", None, None
            )
            for n in range(1, lines + 1)
        ),
    )


async def add(hub: Hub, orders: Sequence[Order]) -> set[UUID]:
    async with hub.db.acquire() as conn, conn.transaction():
        return await bulk.add_quietly(conn, orders)


async def test_they_are_as_they_were(hub: Hub, seller: UUID) -> None:
    given = [order(hub, seller, "b"), order(hub, seller, "a", lines=1)]

    added = await add(hub, given)

    assert added == {one.id for one in given}
    details = await service.get_order(hub.db, hub.shop("main").id, "b")
    assert details.order == given[0]
    [change] = details.history
    assert (change.status, change.at, change.source) == (OrderStatus.PAID, CHANGED, Source.API)
    assert len((await service.get_order(hub.db, hub.shop("main").id, "a")).order.lines) == 1


async def test_nobody_is_told_or_asked(api: Api, hub: Hub, seller: UUID) -> None:
    """Paid orders make work at the shelf, and the shop's backend listens."""
    webhook = {"url": "https://shop.example/hook", "events": ["order.assembled"]}
    assert (await api.post("/v1/webhooks", webhook)).status == 201

    await add(hub, [order(hub, seller, "a")])

    for table in ("notification", "stock_request", "assembly", "event", "callback"):
        assert await hub.db.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_what_is_there_already_stays_as_it_is(hub: Hub, seller: UUID) -> None:
    first, second = order(hub, seller, "a", lines=1), order(hub, seller, "a", lines=3)
    await add(hub, [first])

    added = await add(hub, [second, order(hub, seller, "b")])

    assert len(added) == 1
    assert second.id not in added
    held = await queries.by_external_id(hub.db, hub.shop("main").id, "a")
    assert held == first
    assert await hub.db.fetchval("SELECT count(*) FROM order_history") == 2


async def test_two_who_write_the_same_wait_for_each_other_one_way(hub: Hub, seller: UUID) -> None:
    names = [f"n-{n}" for n in range(100)]

    done = await asyncio.gather(
        *(
            add(hub, [order(hub, seller, name) for name in turn])
            for turn in (names, names[::-1]) * 3
        )
    )

    assert sum(map(len, done)) == 100
    assert await hub.db.fetchval("SELECT count(*) FROM order_line") == 200
