"""Upserts beside each other, in batches, and how little they write."""

import asyncio
from typing import Any
from uuid import UUID

from channels.base import Channel
from hub.contacts import service
from hub.contacts.model import ContactIn, Upserted
from hub.resources import Hub


def _given(**fields: Any) -> ContactIn:
    return ContactIn.model_validate(fields)


async def _upsert_many(hub: Hub, *items: tuple[str, ContactIn]) -> list[Upserted]:
    shop = hub.shop("main").id
    async with hub.db.acquire() as conn, conn.transaction():
        return await service.upsert_many(conn, shop, items)


async def test_of_many_at_once_one_creates_and_all_get_the_same(hub: Hub) -> None:
    results = await asyncio.gather(
        *(_upsert_many(hub, ("b", _given(attributes={f"k{i}": i}))) for i in range(8))
    )

    assert len({result[0].id for result in results}) == 1
    assert sum(result[0].created for result in results) == 1
    contact = await service.get(hub.db, hub.shop("main").id, "b")
    assert contact.attributes == {f"k{i}": i for i in range(8)}


async def test_batches_in_opposite_orders_do_not_block_each_other(hub: Hub) -> None:
    names = [f"b{i:02}" for i in range(20)]
    await _upsert_many(hub, *((name, _given()) for name in names[::2]))

    async def batch(turn: int) -> None:
        order = names if turn % 2 else names[::-1]
        phone = f"+7999123456{turn}"
        await _upsert_many(hub, *((n, _given(addresses={"phone": phone})) for n in order))

    await asyncio.gather(*(batch(turn) for turn in range(8)))

    assert await hub.db.fetchval("SELECT count(*) FROM contact") == 20
    assert await hub.db.fetchval("SELECT count(*) FROM address") == 20


async def test_the_same_contact_twice_in_a_batch_is_changed_twice(hub: Hub) -> None:
    results = await _upsert_many(
        hub,
        ("b", _given(name="A", addresses={"email": "a@example.com"})),
        ("c", _given()),
        ("b", _given(locale="en", addresses=None)),
        ("b", _given(addresses={"email": "b@example.com"})),
    )

    assert [r.created for r in results] == [True] * 4
    assert results[0].id == results[2].id
    contact = await service.get(hub.db, hub.shop("main").id, "b")
    assert (contact.name, contact.locale) == ("A", "en")
    assert [a.value for a in contact.addresses] == ["b@example.com"]


async def test_an_address_keeps_its_row_when_its_value_changes(hub: Hub) -> None:
    await _upsert_many(hub, ("b", _given(addresses={"email": "old@example.com"})))
    before = await hub.db.fetchrow("SELECT id, digest FROM address")

    await _upsert_many(
        hub,
        ("b", _given(addresses={"email": None})),
        ("b", _given(addresses={"email": "new@example.com"})),
    )

    after = await hub.db.fetchrow("SELECT id, digest, value FROM address")
    assert before
    assert after
    assert after["id"] == before["id"]
    assert after["digest"] != before["digest"]


async def test_what_changes_nothing_writes_nothing(hub: Hub) -> None:
    given = _given(
        name="A",
        addresses={"email": "a@example.com", "push": [{"provider": "fcm", "token": "t"}]},
        preferences={"marketing": ["email"], "quiet_hours": {"from": "22:00", "to": "09:00"}},
        consents={"marketing": {"email": "subscribed"}},
    )
    await _upsert_many(hub, ("b", given))

    async def versions() -> list[Any]:
        rows = []
        for table in ("contact", "address", "consent"):
            rows += await hub.db.fetch(f"SELECT xmin::text, ctid::text FROM {table}")
        return rows

    before = await versions()
    await _upsert_many(hub, ("b", given))

    assert await versions() == before


async def test_an_upsert_that_is_rolled_back_leaves_nothing(hub: Hub) -> None:
    shop = hub.shop("main").id
    async with hub.db.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await service.upsert(conn, shop, "b", _given(addresses={"telegram": "42"}))
        await transaction.rollback()

    assert await hub.db.fetchval("SELECT count(*) FROM contact") == 0
    assert await hub.db.fetchval("SELECT count(*) FROM address") == 0


async def test_a_one_off_address_has_one_anonymous_contact(hub: Hub) -> None:
    shop, other = hub.shop("main").id, hub.shop("other").id

    async def one(channel: Channel, value: str, shop: int = shop) -> UUID:
        return await service.one_off(hub.db, shop, channel, value, "en")

    at_once = await asyncio.gather(*(one(Channel.EMAIL, "a@example.com") for _ in range(8)))
    sms = await one(Channel.SMS, "+79991234567")
    viber = await one(Channel.VIBER, "+79991234567")

    assert len(set(at_once)) == 1
    assert sms == viber
    assert await one(Channel.EMAIL, "a@example.com", other) != at_once[0]
    assert await hub.db.fetchval("SELECT count(*) FROM contact") == 3
    assert await service.list_(hub.db, shop) == []


async def test_one_offs_of_a_batch_come_in_order(hub: Hub) -> None:
    asked = [(Channel.EMAIL, f"{name}@example.com", None) for name in "abca"]

    first = await service.one_off_many(hub.db, hub.shop("main").id, asked)
    second = await service.one_off_many(hub.db, hub.shop("main").id, asked[::-1])

    assert first[0] == first[3]
    assert len(set(first)) == 3
    assert second == first[::-1]


async def test_a_known_contact_with_the_same_address_is_somebody_else(hub: Hub) -> None:
    [known] = await _upsert_many(hub, ("b", _given(addresses={"email": "a@example.com"})))

    one_off = await service.one_off(hub.db, hub.shop("main").id, Channel.EMAIL, "a@example.com")

    assert one_off != known.id
