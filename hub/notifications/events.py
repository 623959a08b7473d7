"""Tells the shop's backend what has become of notifications, in the transaction in which it did."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from hub.db.pool import Db
from hub.notifications.model import NotificationStatus
from hub.webhooks.model import Event, EventType
from hub.webhooks.service import publish_many

_TYPES: Mapping[str, EventType] = {
    NotificationStatus.SENT: EventType.NOTIFICATION_SENT,
    NotificationStatus.DELIVERED: EventType.NOTIFICATION_DELIVERED,
    NotificationStatus.READ: EventType.NOTIFICATION_READ,
    NotificationStatus.FAILED: EventType.NOTIFICATION_FAILED,
    NotificationStatus.EXPIRED: EventType.NOTIFICATION_EXPIRED,
    NotificationStatus.UNDELIVERABLE: EventType.NOTIFICATION_UNDELIVERABLE,
}

_FACTS = """
SELECT n.id, n.shop_id, n.contact_id, n.template, n.category, n.meta, n.skipped, c.external_id,
       t.type, t.status, d.shown AS delivery
  FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (id, type, status)
  JOIN notification AS n ON n.id = t.id
  LEFT JOIN contact AS c ON c.id = n.contact_id
  LEFT JOIN LATERAL (
       SELECT jsonb_build_object('id', d.id, 'channel', d.channel, 'provider', d.provider,
                                 'account', d.account, 'status', d.status, 'reason', d.reason,
                                 'code', d.code) AS shown
         FROM delivery AS d WHERE d.notification_id = n.id
        ORDER BY d.status = t.status DESC, d.updated_at DESC, d.id DESC LIMIT 1) AS d ON true
 WHERE n.id = ANY($1)
   AND EXISTS (SELECT FROM webhook AS w
                WHERE w.shop_id = n.shop_id AND w.active AND t.type = ANY(w.events))
"""


async def tell(db: Db, became: Mapping[UUID, str]) -> None:
    """`became`: the new status of each notification that changed; those that no event is made of are passed
    over."""
    told = [(id_, _TYPES[status], status) for id_, status in became.items() if status in _TYPES]
    if told:
        rows = await db.fetch(_FACTS, *map(list, zip(*told, strict=True)))
        await publish_many(db, [_event(dict(row)) for row in rows])


def _event(row: Mapping[str, Any]) -> Event:
    data: dict[str, Any] = {
        "notification": {
            "id": row["id"],
            "status": row["status"],
            "template": row["template"],
            "category": row["category"],
        },
        "contact": {"external_id": row["external_id"]},
        "delivery": row["delivery"],
        "meta": row["meta"],
    }
    if row["status"] == NotificationStatus.UNDELIVERABLE:
        data["skipped"] = row["skipped"]
    return Event(row["shop_id"], EventType(row["type"]), data, row["contact_id"])
