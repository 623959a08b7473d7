"""Rows as they were written long ago: their ids tell the time, so that is where it is moved."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.db import partitions
from hub.db.partitions import GROWING, first_id
from hub.resources import Hub


def id_at(at: datetime) -> UUID:
    """A UUIDv7 of that instant."""
    return UUID(int=first_id(at).int | 7 << 76 | 2 << 62 | secrets.randbits(62))


@asynccontextmanager
async def months_of(hub: Hub, *times: datetime) -> AsyncIterator[None]:
    """The partitions there were then; those that are left are gone afterwards."""
    async with hub.db.acquire() as connection:
        before = {part for table in GROWING for part in await partitions.parts(connection, table)}
        for table in GROWING:
            for at in times:
                await partitions.make(connection, table, at)
    try:
        yield
    finally:
        async with hub.db.acquire() as connection:
            for table in GROWING:
                for part in set(await partitions.parts(connection, table)) - before:
                    await connection.execute(f"DROP TABLE {part.name}")


class Past:
    """Writes what there was."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def contact(self, shop: str = "main", *, at: datetime, address: str = "") -> UUID:
        """Known by an address only, where there is one."""
        id_, shop_id = id_at(at), self.hub.shop(shop).id
        await self.hub.db.execute(
            "INSERT INTO contact (id, shop_id, external_id) VALUES ($1, $2, $3)",
            id_,
            shop_id,
            None if address else str(id_),
        )
        if address:
            await self.hub.db.execute(
                """
                INSERT INTO address (id, shop_id, contact_id, kind, value, digest, one_off)
                VALUES ($1, $2, $3, 'email', $4, sha256(convert_to('email:' || $4, 'UTF8')), true)
                """,
                id_at(at),
                shop_id,
                id_,
                address,
            )
        return id_

    async def told(
        self,
        at: datetime,
        *,
        shop: str = "main",
        contact: UUID | None = None,
        status: str = "sent",
        delivery: str = "sent",
        receipt_at: datetime | None = None,
    ) -> UUID:
        """A notification with a delivery, an attempt, a receipt and its text in the sandbox."""
        shop_id, notification, id_ = self.hub.shop(shop).id, id_at(at), id_at(at)
        contact = contact or id_at(at)
        await self._add(
            "notification",
            id=notification,
            shop_id=shop_id,
            contact_id=contact,
            category="transactional",
            strategy="first",
            status=status,
            plan=[],
            skipped=[],
        )
        await self._add(
            "delivery",
            id=id_,
            shop_id=shop_id,
            notification_id=notification,
            contact_id=contact,
            address_id=id_at(at),
            channel="sms",
            category="transactional",
            status=delivery,
            provider="smsc",
            cost=2,
            created_at=at,
            due_at=at,
            handout_at=at,
            give_up_at=at,
        )
        about = {"shop_id": shop_id, "delivery_id": id_}
        known = {"account": "a", **about}
        await self._add("attempt", id=id_at(at), number=1, provider="smsc", **known)
        await self._add("receipt", id=id_at(receipt_at or at), status="delivered", **known)
        await self._add(
            "sandbox_message", id=id_at(at), channel="sms", address="+7999", text="…", **about
        )
        return notification

    async def event(self, at: datetime, *, shop: str = "main") -> UUID:
        id_, shop_id = id_at(at), self.hub.shop(shop).id
        webhook = id_at(at)
        await self._add("event", id=id_, shop_id=shop_id, type="order.assembled", body=b"{}")
        await self._add("callback", event_id=id_, webhook_id=webhook, shop_id=shop_id)
        await self._add(
            "callback_attempt",
            id=id_at(at),
            shop_id=shop_id,
            webhook_id=webhook,
            event_id=id_,
            type="order.assembled",
            number=1,
            outcome="succeeded",
            started_at=at,
            duration=at - at,
        )
        return id_

    async def _add(self, table: str, **columns: Any) -> None:
        names = ", ".join(columns)
        places = ", ".join(f"${i}" for i in range(1, len(columns) + 1))
        await self.hub.db.execute(
            f"INSERT INTO {table} ({names}) VALUES ({places})", *columns.values()
        )

    async def count(self, table: str, shop: str = "main") -> int:
        found: int = await self.hub.db.fetchval(
            f"SELECT count(*) FROM {table} WHERE shop_id = $1", self.hub.shop(shop).id
        )
        return found

    async def counts(self, *tables: str, shop: str = "main") -> list[int]:
        return [await self.count(table, shop) for table in tables]
