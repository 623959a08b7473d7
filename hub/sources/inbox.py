"""What platforms tell and what they are to be told, stored before anybody is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from hub.config import OrderStatus
from hub.db.pool import Connection, Db, as_json
from hub.ids import new_id
from hub.sources.model import Action, Incoming, Kind, Result, Source, Via

# A poll brings only what is not older than known: two changes may lie within one second.
_ADD = """
WITH given AS (
    SELECT * FROM unnest($4::uuid[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
                         $10::text[], $11::text[], $12::text[])
               AS t (id, key, kind, action, object, happened_at, payload, result, reason)
     WHERE NOT ($13 AND EXISTS (SELECT FROM source_object AS o
                                 WHERE o.source_id = $1 AND o.kind = t.kind AND o.object = t.object
                                   AND o.changed_at > t.happened_at))
), fresh AS (
    INSERT INTO shop_event_key (source_id, key, event_id) SELECT $1, key, id FROM given ORDER BY key
    ON CONFLICT (source_id, key) DO NOTHING RETURNING event_id
), kept AS (
    INSERT INTO shop_event (id, shop_id, source_id, kind, action, object, via, happened_at, payload, result,
                            reason, handled_at)
    SELECT id, $2, $1, kind, action, object, $3, happened_at, payload::jsonb, result, reason,
           CASE WHEN result <> 'waiting' THEN now() END
      FROM given JOIN fresh ON fresh.event_id = given.id
    RETURNING id
)
SELECT id FROM kept
"""


@dataclass(frozen=True, slots=True)
class Added:
    """`id`: of the event, of a duplicate that of the first one."""

    id: UUID
    duplicate: bool


def digest_of(key: str) -> bytes:
    return sha256(key.encode(errors="replace")).digest()


async def add(db: Db, source: Source, events: Sequence[Incoming], via: Via) -> list[Added]:
    """Stores those that were not told before, in the order given; one answer each. Of a poll, what is older than what
    is known is no event at all and counts as a duplicate."""
    if not events:
        return []
    ids = [new_id() for _ in events]
    keys = [digest_of(event.key) for event in events]
    rows = await db.fetch(
        _ADD,
        source.id,
        source.shop_id,
        via,
        ids,
        keys,
        [event.kind for event in events],
        [event.action for event in events],
        [event.object[:255] for event in events],
        [event.happened_at for event in events],
        # As text: an array of lists would be taken for one of two dimensions.
        [_payload(event) for event in events],
        [Result.IGNORED if event.ignored else Result.WAITING for event in events],
        [event.ignored for event in events],
        via is Via.POLL,
    )
    fresh = {row["id"] for row in rows}
    firsts = await _firsts(db, source.id, keys) if len(fresh) < len(ids) else {}
    return [
        Added(id_, False) if id_ in fresh else Added(firsts.get(key, id_), True)
        for id_, key in zip(ids, keys, strict=True)
    ]


def _payload(event: Incoming) -> str | None:
    """Of what is ignored nothing is kept but that it came."""
    return None if event.ignored or event.payload is None else as_json(event.payload)


async def _firsts(db: Db, source_id: UUID, keys: Sequence[bytes]) -> Mapping[bytes, UUID]:
    rows = await db.fetch(
        "SELECT key, event_id FROM shop_event_key WHERE source_id = $1 AND key = ANY($2)",
        source_id,
        keys,
    )
    return {row["key"]: row["event_id"] for row in rows}


async def note_decision(
    conn: Connection,
    shop_id: int,
    order_id: UUID,
    status: OrderStatus,
    revision: int,
    lines: Sequence[Mapping[str, Any]],
) -> None:
    """What the hub has decided of an order waits for its platform, in the transaction of the decision; also where
    something waits for the decision here. Nothing, for an order of no source. `lines`: `id, sku, asked, confirmed`.

    A newer decision takes the place of one that has not been told yet.
    """
    rows = await conn.fetch(
        """
        SELECT o.source_id, o.object FROM source_object AS o JOIN source AS s ON s.id = o.source_id
         WHERE o.order_id = $1 AND o.kind = 'order' AND s.shop_id = $2 AND s.deleted_at IS NULL
           AND (s.write_back OR o.held_status IS NOT NULL)
         ORDER BY o.source_id
        """,
        order_id,
        shop_id,
    )
    for row in rows:
        await _note(
            conn, shop_id, row["source_id"], row["object"], (order_id, status, revision), lines
        )


async def _note(
    conn: Connection,
    shop_id: int,
    source_id: UUID,
    object_: str,
    about: tuple[UUID, OrderStatus, int],
    lines: Sequence[Mapping[str, Any]],
) -> None:
    order_id, status, revision = about
    id_ = new_id()
    added = await conn.fetchval(
        "INSERT INTO shop_event_key (source_id, key, event_id) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING RETURNING true",
        source_id,
        digest_of(f"write:{order_id}:{revision}:{status}"),
        id_,
    )
    if not added:
        return
    await conn.execute(
        """
        UPDATE shop_event SET result = 'ignored', reason = 'replaced', handled_at = now()
         WHERE source_id = $1 AND kind = 'order' AND object = $2 AND result = 'waiting' AND via = 'write'
           AND leased_by IS NULL
        """,
        source_id,
        object_,
    )
    await conn.execute(
        """
        INSERT INTO shop_event (id, shop_id, source_id, kind, action, object, via, happened_at, payload)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now(), $8)
        """,
        id_,
        shop_id,
        source_id,
        Kind.ORDER,
        Action.UPDATED,
        object_,
        Via.WRITE,
        {"status": status, "revision": revision, "lines": list(lines)},
    )
