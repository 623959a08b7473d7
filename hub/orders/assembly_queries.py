"""SQL of assemblies: paid orders that are made ready. Whoever writes has locked the order first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import Channel
from hub.db.pool import Connection, Db, as_json
from hub.ids import new_id
from hub.orders.model import Answerer, Assembly, AssemblyStatus, Packed, Via


async def add(
    conn: Connection,
    shop_id: int,
    order_id: UUID,
    *,
    seller_id: UUID | None,
    warehouse_id: UUID | None,
    now: datetime,
) -> UUID:
    id_ = new_id()
    await conn.execute(
        """
        INSERT INTO assembly (id, shop_id, order_id, seller_id, warehouse_id, opened_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        id_,
        shop_id,
        order_id,
        seller_id,
        warehouse_id,
        now,
    )
    return id_


async def order_of(db: Db, shop_id: int, id_: UUID) -> UUID | None:
    """None: there is no such assembly."""
    found: UUID | None = await db.fetchval(
        "SELECT order_id FROM assembly WHERE shop_id = $1 AND id = $2", shop_id, id_
    )
    return found


async def lock(conn: Connection, id_: UUID) -> Mapping[str, Any]:
    """Its row, held until the transaction ends."""
    rows = await conn.fetch("SELECT * FROM assembly WHERE id = $1 FOR NO KEY UPDATE", id_)
    return dict(rows[0])


async def assemble(
    conn: Connection,
    parcels: Mapping[UUID, Sequence[Packed]],
    by: Answerer,
    *,
    via: Via | None,
    now: datetime,
) -> None:
    """`parcels`: what lies in each, by the assembly."""
    await conn.execute(
        """
        UPDATE assembly AS a
           SET status = 'assembled', assembled_at = $3, assembled_by = $4, assembled_label = $5,
               assembled_name = $6, via = $7, packed = t.packed::jsonb, updated_at = now()
          FROM unnest($1::uuid[], $2::text[]) AS t (id, packed) WHERE a.id = t.id
        """,
        list(parcels),
        [_stored(parcel) for parcel in parcels.values()],
        now,
        by.contact_id,
        by.label,
        by.name,
        via,
    )


async def remember(conn: Connection, id_: UUID, parcel: Sequence[Packed]) -> None:
    """What lies in a parcel that was packed before anybody wrote it down."""
    await conn.execute(
        "UPDATE assembly SET packed = $2::text::jsonb WHERE id = $1", id_, _stored(parcel)
    )


def _stored(parcel: Sequence[Packed]) -> str:
    return as_json([asdict(one) for one in parcel])


def packed(stored: Any) -> tuple[Packed, ...] | None:
    """Of a row's `packed`."""
    return None if stored is None else tuple(Packed(**one) for one in stored)


async def cancel(conn: Connection, assemblies: Sequence[UUID]) -> None:
    await conn.execute(
        "UPDATE assembly SET status = 'cancelled', updated_at = now() WHERE id = ANY($1)",
        assemblies,
    )


async def open_ones(conn: Connection, order_id: UUID) -> list[UUID]:
    rows = await conn.fetch(
        "SELECT id FROM assembly WHERE order_id = $1 AND status = 'open' ORDER BY id", order_id
    )
    return [row["id"] for row in rows]


async def at_places(conn: Connection, order_id: UUID) -> list[Mapping[str, Any]]:
    """Of one order, the oldest first: those that were not cancelled."""
    rows = await conn.fetch(
        """
        SELECT id, seller_id, warehouse_id, status, packed FROM assembly
         WHERE order_id = $1 AND status <> 'cancelled' ORDER BY id
        """,
        order_id,
    )
    return [dict(row) for row in rows]


async def all_done(conn: Connection, order_id: UUID) -> bool:
    """Whether something of it was packed, and nothing waits any more."""
    statuses = {row["status"] for row in await at_places(conn, order_id)}
    return statuses == {AssemblyStatus.ASSEMBLED}


async def of_orders(db: Db, orders: Sequence[UUID]) -> Mapping[UUID, list[Assembly]]:
    """Of each order, the oldest first."""
    rows = await db.fetch(
        """
        SELECT a.order_id, a.id, s.external_id AS seller, w.external_id AS warehouse, a.status,
               a.opened_at, a.assembled_at, a.via,
               coalesce(c.external_id, nullif(a.assembled_label, ''),
                        nullif(a.assembled_name, '')) AS assembled_by
          FROM assembly AS a
          LEFT JOIN contact AS s ON s.id = a.seller_id
          LEFT JOIN contact AS c ON c.id = a.assembled_by
          LEFT JOIN warehouse AS w ON w.id = a.warehouse_id
         WHERE a.order_id = ANY($1) ORDER BY a.id
        """,
        orders,
    )
    found: dict[UUID, list[Assembly]] = {}
    for row in rows:
        fields = dict(row)
        order_id = fields.pop("order_id")
        fields["status"] = AssemblyStatus(fields["status"])
        fields["via"] = Via(fields["via"]) if fields["via"] else None
        found.setdefault(order_id, []).append(Assembly(**fields))
    return found


async def seller_was_asked(conn: Connection, id_: UUID) -> None:
    await conn.execute("UPDATE assembly SET seller_asked = true WHERE id = $1", id_)


async def add_message(
    conn: Connection, shop_id: int, id_: UUID, contact_id: UUID, *, notification_id: UUID
) -> None:
    """This person was asked by that notification."""
    await conn.execute(
        """
        INSERT INTO assembly_message (assembly_id, notification_id, shop_id, contact_id)
        VALUES ($1, $2, $3, $4)
        """,
        id_,
        notification_id,
        shop_id,
        contact_id,
    )


async def asked(conn: Connection, id_: UUID) -> dict[UUID, set[Channel]]:
    """Who was asked so far, and by which channels."""
    rows = await conn.fetch(
        """
        SELECT m.contact_id, d.channel FROM assembly_message AS m
          JOIN delivery AS d ON d.notification_id = m.notification_id
         WHERE m.assembly_id = $1 ORDER BY m.notification_id
        """,
        id_,
    )
    found: dict[UUID, set[Channel]] = {}
    for row in rows:
        found.setdefault(row["contact_id"], set()).add(Channel(row["channel"]))
    return found
