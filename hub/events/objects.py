"""What was last seen of each customer, product, cart and order of a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.db.pool import Connection, Db, as_json
from hub.sources.model import Kind


@dataclass(frozen=True, slots=True)
class Known:
    """`codes`: the states it was told in. `held_status`: the shop said so, and it waits until the shelf has answered.
    `wrote`: what the hub wrote there last: `{"codes": […], "lines": {id: quantity}, "at": …}`."""

    changed_at: datetime | None = None
    digest: bytes | None = None
    codes: tuple[str, ...] = ()
    order_id: UUID | None = None
    contact_id: UUID | None = None
    held_status: str | None = None
    wrote: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is put down of an object. `facts`: of carts and products."""

    object: str
    changed_at: datetime | None
    digest: bytes | None
    codes: Sequence[str] = ()
    order_id: UUID | None = None
    contact_id: UUID | None = None
    held_status: str | None = None
    facts: Mapping[str, Any] | None = field(default=None)


async def lock(conn: Connection, source_id: UUID, kind: Kind, object_: str) -> None:
    """Holds the object, known or not, until the transaction ends. Everybody then goes on to contacts, orders and at
    last the object's row, so that nobody waits for somebody who waits for him."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{source_id}/{kind}/{object_}"
    )


async def known(conn: Connection, source_id: UUID, kind: Kind, object_: str) -> Known | None:
    row = await conn.fetchrow(
        """
        SELECT changed_at, digest, codes, order_id, contact_id, held_status, wrote, facts, deleted_at
          FROM source_object WHERE source_id = $1 AND kind = $2 AND object = $3
        """,
        source_id,
        kind,
        object_,
    )
    return Known(**{**row, "codes": tuple(row["codes"])}) if row else None


async def put(conn: Connection, shop_id: int, source_id: UUID, kind: Kind, seen: Seen) -> None:
    """What was said to be deleted is there again."""
    await conn.execute(
        """
        INSERT INTO source_object AS o (source_id, kind, object, shop_id, changed_at, digest, codes, order_id,
                                        contact_id, held_status, facts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (source_id, kind, object) DO UPDATE
           SET changed_at = greatest(o.changed_at, excluded.changed_at), digest = excluded.digest,
               codes = excluded.codes, order_id = coalesce(excluded.order_id, o.order_id),
               contact_id = excluded.contact_id, held_status = excluded.held_status, facts = excluded.facts,
               deleted_at = NULL, updated_at = now()
        """,
        source_id,
        kind,
        seen.object,
        shop_id,
        seen.changed_at,
        seen.digest,
        list(seen.codes),
        seen.order_id,
        seen.contact_id,
        seen.held_status,
        seen.facts,
    )


async def add_many(
    conn: Connection, shop_id: int, source_id: UUID, kind: Kind, seen: Sequence[Seen]
) -> set[str]:
    """Those that were not known, which are now; the others stay as they are. In the order of their names, as
    everybody does."""
    seen = sorted(seen, key=lambda one: one.object)
    rows = await conn.fetch(
        """
        INSERT INTO source_object (source_id, kind, object, shop_id, changed_at, digest, codes, order_id,
                                   contact_id, facts)
        SELECT $1, $2, object, $3, CASE WHEN changed_at > now() THEN now() ELSE changed_at END, digest, ARRAY(SELECT jsonb_array_elements_text(codes::jsonb)),
               order_id, contact_id, facts::jsonb
          FROM unnest($4::text[], $5::timestamptz[], $6::bytea[], $7::text[], $8::uuid[], $9::uuid[], $10::text[])
            AS t (object, changed_at, digest, codes, order_id, contact_id, facts)
        ON CONFLICT (source_id, kind, object) DO NOTHING
        RETURNING object
        """,
        source_id,
        kind,
        shop_id,
        [one.object for one in seen],
        [one.changed_at for one in seen],
        [one.digest for one in seen],
        # As text: an array of lists would have to be square.
        [as_json(list(one.codes)) for one in seen],
        [one.order_id for one in seen],
        [one.contact_id for one in seen],
        [as_json(one.facts) if one.facts is not None else None for one in seen],
    )
    return {row["object"] for row in rows}


async def note_deleted(
    conn: Connection, source_id: UUID, kind: Kind, object_: str, at: datetime
) -> None:
    await conn.execute(
        """
        UPDATE source_object SET deleted_at = $4, changed_at = greatest(changed_at, $4), updated_at = now()
         WHERE source_id = $1 AND kind = $2 AND object = $3
        """,
        source_id,
        kind,
        object_,
        at,
    )


async def bury(
    conn: Connection, shop_id: int, source_id: UUID, kind: Kind, object_: str, at: datetime
) -> None:
    """Nothing is left of it but that it was over at that time, so that older words of it that come late are known as
    such. `deleted_at` is when we heard of it: from then on it is kept for a while."""
    await conn.execute(
        """
        INSERT INTO source_object AS o (source_id, kind, object, shop_id, changed_at, deleted_at)
        VALUES ($1, $2, $3, $4, $5, now())
        ON CONFLICT (source_id, kind, object) DO UPDATE
           SET changed_at = greatest(o.changed_at, excluded.changed_at), digest = NULL, codes = '{}', facts = NULL,
               deleted_at = now(), updated_at = now()
        """,
        source_id,
        kind,
        object_,
        shop_id,
        at,
    )


async def open_orders(db: Db, source_id: UUID, limit: int) -> list[str]:
    """Ids, as the platform has them, of orders that are not over, those that were not looked at for longest first."""
    rows = await db.fetch(
        """
        SELECT s.object FROM source_object AS s JOIN shop_order AS o ON o.id = s.order_id
         WHERE s.source_id = $1 AND s.kind = 'order' AND s.deleted_at IS NULL
           AND o.status NOT IN ('delivered', 'returned', 'cancelled', 'rejected')
         ORDER BY s.updated_at LIMIT $2
        """,
        source_id,
        limit,
    )
    return [row["object"] for row in rows]
