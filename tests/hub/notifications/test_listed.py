"""What stands in the columns by which lists and the end of a message's time are found, whoever wrote the row."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.ids import new_id
from hub.notifications.listed import FEW, LISTED, OF_STATUS
from hub.notifications.model import NotificationStatus
from hub.resources import Hub

OPEN = ("scheduled", "queued")


@pytest.mark.parametrize("status", NotificationStatus)
@pytest.mark.parametrize("expires", [None, timedelta(hours=1)])
async def test_a_version_that_does_not_know_of_them_writes_them_too(
    hub: Hub, status: NotificationStatus, expires: timedelta | None
) -> None:
    """When it adds one, and when it changes its status."""
    end = datetime.now(UTC) + expires if expires else None
    wanted = (status if status in LISTED else None, end if status in OPEN else None)
    added, changed = await added_as(hub, status, end), await added_as(hub, "queued", end)
    await hub.db.execute("UPDATE notification SET status = $2 WHERE id = $1", changed, status)

    assert await columns(hub, added) == wanted
    assert await columns(hub, changed) == wanted


async def test_back_in_the_queue_it_ends_in_its_time_again(hub: Hub) -> None:
    """A cascade whose message was sent goes on with the next channel."""
    end = datetime.now(UTC) + timedelta(hours=1)
    id_ = await added_as(hub, "queued", end)
    for status in ("sent", "queued"):
        await hub.db.execute("UPDATE notification SET status = $2 WHERE id = $1", id_, status)

    assert await columns(hub, id_) == (None, end)


@pytest.mark.parametrize("status", sorted(FEW))
async def test_a_list_by_status_goes_by_an_index_of_few(
    hub: Hub, status: NotificationStatus
) -> None:
    for _ in range(3):
        await added_as(hub, "sent", None)
    index = "notification_scheduled" if status == "scheduled" else "notification_listed"
    async with hub.db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        rows = await connection.fetch(
            "EXPLAIN SELECT n.id FROM notification AS n"
            f" WHERE n.shop_id = 1 AND {OF_STATUS[status]} ORDER BY n.id DESC LIMIT 5"
        )
        names = await connection.fetch(
            "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass($1)",
            index,
        )
    plan = "\n".join(row[0] for row in rows)

    assert names
    assert all(name["relname"] in plan for name in names)


async def test_a_message_that_leaves_is_written_in_its_place(hub: Hub) -> None:
    """Else every index of its table, and half of all that is logged, would be written once more for each."""
    id_ = await added_as(hub, "scheduled", None)
    part = await hub.db.fetchval(
        "SELECT tableoid::regclass::text FROM notification WHERE id = $1", id_
    )
    async with hub.db.acquire() as connection:
        for status in ("sent", "delivered", "read"):
            before = await in_place(connection, part)
            await connection.execute(
                "UPDATE notification SET status = $2 WHERE id = $1", id_, status
            )
            assert await in_place(connection, part) == before + 1


async def added_as(hub: Hub, status: str, end: datetime | None) -> UUID:
    id_ = new_id()
    await hub.db.execute(
        """
        INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped, expires_at)
        VALUES ($1, $2, $3, 'transactional', 'first', $4, '[]', '[]', $5)
        """,
        id_,
        hub.shop("main").id,
        new_id(),
        status,
        end,
    )
    return id_


async def columns(hub: Hub, id_: UUID) -> tuple[str | None, datetime | None]:
    row = await hub.db.fetchrow("SELECT listed, ends_at FROM notification WHERE id = $1", id_)
    assert row
    return row["listed"], row["ends_at"]


async def in_place(connection: Any, part: str) -> int:
    """How many rows of that table were written so, by now."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    found: int = await connection.fetchval(
        "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = $1::regclass", part
    )
    return found
