"""How long events and sources are kept, what a restored backup makes of them, and their secrets under a new one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.backup import held
from hub.db import partitions
from hub.errors import NotFound
from hub.events import claims
from hub.ids import new_id
from hub.resources import Hub
from hub.retention.keeper import Keeper
from hub.sources import queries, resealing, service
from hub.sources.base import Trouble
from hub.tokens import Signer
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order
from tests.hub.events.toy import World, at_hand
from tests.hub.orders.conftest import Book
from tests.hub.privacy.old import id_at, months_of

DAY = timedelta(days=1)
NOW = datetime(2021, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with at_hand(monkeypatch) as world:
        yield world


async def source(hub: Hub, name: str = "api", **more: Any) -> UUID:
    row: dict[str, Any] = {
        "id": new_id(),
        "shop_id": hub.shop("main").id,
        "name": name,
        "platform": "generic",
        "secrets": b"",
        "seller": "shop",
    } | more
    names, places = ", ".join(row), ", ".join(f"${i}" for i in range(1, len(row) + 1))
    await hub.db.execute(f"INSERT INTO source ({names}) VALUES ({places})", *row.values())
    id_: UUID = row["id"]
    return id_


async def event(hub: Hub, source_id: UUID, at: datetime, result: str = "applied") -> UUID:
    id_ = id_at(at)
    await hub.db.execute(
        "INSERT INTO shop_event (id, shop_id, source_id, kind, object, via, result)"
        " VALUES ($1, $2, $3, 'order', '1', 'hook', $4)",
        id_,
        hub.shop("main").id,
        source_id,
        result,
    )
    return id_


async def ids(hub: Hub, table: str = "shop_event") -> set[UUID]:
    return {row["id"] for row in await hub.db.fetch(f"SELECT id FROM {table}")}


async def test_old_events_go_with_their_month_and_what_waits_stays(hub: Hub) -> None:
    old, kept = NOW - 60 * DAY, NOW - 20 * DAY
    async with months_of(hub, old - 60 * DAY, old, kept):
        id_ = await source(hub)
        await event(hub, id_, old - 60 * DAY)
        await event(hub, id_, old)
        waits = await event(hub, id_, old, "waiting")
        young = await event(hub, id_, kept)

        await Keeper(hub).turn(NOW)

        assert await ids(hub) == {waits, young}
        async with hub.db.acquire() as connection:
            names = {part.name for part in await partitions.parts(connection, "shop_event")}
        assert f"shop_event_{old:%Y_%m}" in names
        assert f"shop_event_{old - 60 * DAY:%Y_%m}" not in names


async def test_names_of_events_are_known_for_two_weeks(hub: Hub) -> None:
    id_ = await source(hub)
    for days in (13, 15):
        await hub.db.execute(
            "INSERT INTO shop_event_key (source_id, key, event_id, seen_at) VALUES ($1, $2, $3, $4)",
            id_,
            str(days).encode(),
            new_id(),
            NOW - days * DAY,
        )

    await Keeper(hub).turn(NOW)

    assert [row["key"] for row in await hub.db.fetch("SELECT key FROM shop_event_key")] == [b"13"]


async def test_a_source_that_was_removed_goes_after_a_month_with_all_that_is_its(hub: Hub) -> None:
    gone = await source(hub, deleted_at=NOW - 31 * DAY)
    recent = await source(hub, deleted_at=NOW - 29 * DAY)
    here = await source(hub)
    for id_ in (gone, recent, here):
        for number in range(3):
            await hub.db.execute(
                "INSERT INTO source_object (source_id, kind, object, shop_id) VALUES ($1, 'order', $2, $3)",
                id_,
                str(number),
                hub.shop("main").id,
            )
        await hub.db.execute(
            "INSERT INTO import_run (id, shop_id, source_id, origin, kinds)"
            " VALUES ($1, $2, $3, 'rows', '{order}')",
            new_id(),
            hub.shop("main").id,
            id_,
        )

    await Keeper(hub).turn(NOW)

    assert await ids(hub, "source") == {recent, here}
    assert await hub.db.fetchval("SELECT count(*) FROM source_object") == 6
    assert await hub.db.fetchval("SELECT count(*) FROM import_run") == 2


async def test_a_cart_that_is_over_is_known_as_such_for_two_weeks(hub: Hub) -> None:
    of = await source(hub)
    for number, days, kind in (
        (1, 13, "cart"),
        (2, 15, "cart"),
        (3, 15, "order"),
        (4, None, "cart"),
    ):
        await hub.db.execute(
            """
            INSERT INTO source_object (source_id, kind, object, shop_id, changed_at, deleted_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            of,
            kind,
            str(number),
            hub.shop("main").id,
            NOW - 90 * DAY,
            None if days is None else NOW - days * DAY,
        )

    await Keeper(hub).turn(NOW)

    rows = await hub.db.fetch("SELECT object FROM source_object ORDER BY object")
    assert [row["object"] for row in rows] == ["1", "3", "4"]


async def test_what_waited_in_a_backup_is_taken_over_and_told_to_nobody(
    hub: Hub, flow: Flow, book: Book
) -> None:
    """The hub that was lost may have told it."""
    told = await flow.tell(an_order("shipped"))
    own = await hub.db.fetchval("SELECT id FROM source")
    write = await event(hub, own, datetime.now(UTC), "waiting")
    await hub.db.execute("UPDATE shop_event SET via = 'write', object = '9' WHERE id = $1", write)
    for rule, due in (("past", -1), ("to-come", 1)):
        await hub.db.execute(
            "INSERT INTO rule_timer (id, shop_id, rule, event, kind, about, due_at)"
            " VALUES ($1, $2, $3, 'order.shipped', 'order', '1', now() + $4::int * interval '1 hour')",
            new_id(),
            hub.shop("main").id,
            rule,
            due,
        )
    async with hub.db.acquire() as connection:
        await held.settle(connection, None)

    await flow.apply()

    assert (await flow.order())["status"] == "shipped"
    applied = await flow.event(told["id"])
    assert (applied["result"], applied["quiet"]) == ("applied", True)
    assert await book.told() == []
    row = await flow.event(str(write))
    assert (row["result"], row["reason"]) == ("failed", "restored")
    assert [r["rule"] for r in await hub.db.fetch("SELECT rule FROM rule_timer")] == ["to-come"]
    # What comes from now on is told as ever.
    await flow.told(an_order("delivered"))
    assert await book.who_heard("order.delivered") == ["42"]


async def test_credentials_are_sealed_anew_under_another_secret(
    hub: Hub, api: Api, world: World
) -> None:
    made = [
        (await api.post("/v1/sources", {"name": name, "platform": "toy", "config": {}})).json
        for name in ("one", "two", "three")
    ]
    await api.delete(f"/v1/sources/{made[2]['id']}")
    # Of another installation.
    await hub.db.execute(
        "UPDATE source SET secrets = $2 WHERE id = $1",
        UUID(made[1]["id"]),
        b"\0" * 60,
    )
    new = Signer("the-one-that-comes-after-that", ["only-for-the-tests-of-events"])

    looked = await resealing.look(hub.db, new)
    first = await resealing.reseal(hub.db, new)
    again = await resealing.reseal(hub.db, new)

    assert looked == first
    assert (first.kept, first.earlier, first.broken) == (2, 1, (UUID(made[1]["id"]),))
    assert again.earlier == 0
    found = await queries.by_id(hub.db, hub.shop("main").id, UUID(made[0]["id"]))
    assert found
    only_new = Signer("the-one-that-comes-after-that")
    assert service.opened(only_new, found)[1] == made[0]["secret"]
    with pytest.raises(Trouble):
        service.opened(hub.signer, found)


async def test_a_source_that_cannot_be_opened_says_so_and_is_mended(
    hub: Hub, api: Api, world: World
) -> None:
    made = (await api.post("/v1/sources", {"name": "toy", "platform": "toy", "config": {}})).json
    await hub.db.execute("UPDATE source SET secrets = $1", b"\0" * 60)

    answer = await api.post(f"/v1/sources/{made['id']}/connect")
    assert (answer.status, answer.json["ok"]) == (200, False)
    assert "hub.secret" in answer.json["text"]
    payload = {"id": "7", "status": "sent"}
    body = {"kind": "order", "payload": payload}
    assert (await api.post(f"/v1/sources/{made['id']}/preview", body)).status == 422

    given = {"config": {"base_url": "https://toy.example"}}
    assert (await api.call("PATCH", f"/v1/sources/{made['id']}", given)).status == 200
    assert (await api.post(f"/v1/sources/{made['id']}/connect")).json["ok"]


async def test_of_a_source_that_was_removed_nothing_is_applied(flow: Flow, hub: Hub) -> None:
    told = await flow.tell(an_order("shipped"))
    own = await hub.db.fetchval("SELECT id FROM source")
    assert (await flow.api.delete(f"/v1/sources/{own}")).status == 204

    assert await claims.claim(hub.db, new_id(), each=5, limit=5) == []
    row = await flow.event(told["id"])
    assert (row["result"], row["reason"]) == ("ignored", "source-removed")
    with pytest.raises(NotFound):
        await service.get(hub.db, hub.shop("main").id, own)
