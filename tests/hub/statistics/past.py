"""Deliveries as they stand when something has become of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.ids import id_at
from hub.resources import Hub

SECOND = timedelta(seconds=1)


class Past:
    """Writes what there was."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def delivery(
        self,
        at: datetime,
        *,
        shop: str = "main",
        status: str = "sent",
        template: str | None = "order.placed",
        took: timedelta | None = SECOND,
        receipts: Sequence[str] = (),
        said: str = "",
        send_at: datetime | None = None,
        **more: Any,
    ) -> UUID:
        """One made at that time and handed over after `took` (None: never). `said`: the provider's words in an attempt
        that came to nothing. `more`: further columns of the delivery."""
        shop_id, notification, id_ = self.hub.shop(shop).id, id_at(at), id_at(at)
        person = id_at(at)
        sent_at = at + took if took is not None else None
        row = {
            "id": id_,
            "shop_id": shop_id,
            "notification_id": notification,
            "contact_id": person,
            "address_id": person,
            "channel": "email",
            "category": "transactional",
            "status": status,
            "account": "mail",
            "provider": "smtp",
            "due_at": at,
            "handout_at": at,
            "give_up_at": at,
            "created_at": at,
            "sent_at": sent_at,
        } | more
        await self._add(
            "notification",
            id=notification,
            shop_id=shop_id,
            contact_id=person,
            template=template,
            category=row["category"],
            strategy="first",
            status="sent",
            plan=[],
            skipped=[],
            send_at=send_at,
            created_at=at,
        )
        await self._add("delivery", **row)
        if said:
            await self._add(
                "attempt",
                id=id_at(at + SECOND),
                shop_id=shop_id,
                delivery_id=id_,
                number=1,
                account=row["account"],
                provider=row["provider"],
                started_at=at,
                outcome="refused",
                detail=said,
            )
        for one in receipts:
            await self.receipt(id_, at + SECOND, one, shop=shop)
        return id_

    async def receipt(
        self, delivery: UUID, at: datetime, status: str, *, shop: str = "main"
    ) -> None:
        await self._add(
            "receipt",
            id=id_at(at),
            shop_id=self.hub.shop(shop).id,
            delivery_id=delivery,
            account="mail",
            status=status,
            received_at=at,
        )

    async def _add(self, table: str, **row: Any) -> None:
        numbers = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.hub.db.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({numbers})",
            *row.values(),
        )
