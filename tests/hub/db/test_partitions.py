"""Months made ahead of time."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.db import partitions
from hub.db.partitions import first_id
from hub.db.pool import Connection
from hub.resources import Hub

FAR = datetime(2061, 5, 10, tzinfo=UTC)


async def test_rows_of_a_clock_that_was_far_off_hold_up_no_other_table(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in the default partition, which the month of theirs would overlap: nobody is locked out to see that."""
    make, tried = partitions.make, set()

    async def noted(db: Connection, table: str, at: datetime) -> None:
        tried.add((table, f"{at:%Y-%m}"))
        await make(db, table, at)

    monkeypatch.setattr(partitions, "make", noted)
    async with hub.db.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO receipt (id, shop_id, account, status) VALUES ($1, 1, 'x', 'delivered')",
            first_id(FAR),
        )

        await partitions.make_ahead(connection, FAR - timedelta(days=31))

        made = [part.name for part in await partitions.parts(connection, "delivery")]
        left = [part.name for part in await partitions.parts(connection, "receipt")]
        await transaction.rollback()
    assert "delivery_2061_05" in made
    assert "receipt_2061_05" not in left
    assert "receipt_2061_06" in left
    assert ("receipt", "2061-06") in tried
    assert ("receipt", "2061-05") not in tried
