"""What people at the shelf are shown: one question, one parcel to pack, the board of all that is open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hub.db.pool import Db
from hub.orders import parcels, stock_queries
from hub.orders.assembly_queries import packed as _packed
from hub.orders.model import (
    OVER,
    AssemblyStatus,
    BoardItem,
    Kind,
    Open,
    OrderStatus,
    Packed,
    Question,
    QuestionLine,
    Repacked,
    RequestStatus,
    Task,
)

_ABOUT = """
       o.external_id AS order_external_id, o.number AS order_number, o.status AS order_status,
       o.currency, coalesce(nullif(w.name, ''), w.external_id, '') AS warehouse_name,
       coalesce(nullif(s.name, ''), s.external_id, '') AS seller_name
"""
_JOINS = """
  JOIN shop_order AS o ON o.id = x.order_id
  LEFT JOIN warehouse AS w ON w.id = x.warehouse_id
  LEFT JOIN contact AS s ON s.id = x.seller_id
"""
# Money as text: JSON would make binary fractions of it.
_QUESTIONS = f"""
SELECT x.id, x.shop_id, x.order_id, x.status, x.reason, x.revision, x.warehouse_id,
       x.opened_at, x.clock_from, x.deadline, x.answered_at, {_ABOUT},
       (SELECT max(k.final_at) FROM stock_line AS k WHERE k.stock_request_id = x.id) AS final_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', k.line_id, 'sku', coalesce(l.sku, ''), 'title', coalesce(l.title, ''),
                   'asked', k.asked, 'price', l.price::text, 'image_url', l.image_url,
                   'confirmed', k.confirmed,
                   'answered_by', coalesce(nullif(k.answered_name, ''), k.answered_label),
                   'answered_at', k.answered_at, 'answerer', k.answered_by) ORDER BY l.position, k.line_id), '[]')
          FROM stock_line AS k
          LEFT JOIN order_line AS l ON l.order_id = x.order_id AND l.line_id = k.line_id
         WHERE k.stock_request_id = x.id) AS lines
  FROM stock_request AS x {_JOINS}
 WHERE x.id = ANY($1)
"""  # noqa: S608 (constants)

# What is packed: what there is, else what was ordered where nobody was asked.
_TASKS = f"""
SELECT x.id, x.shop_id, x.order_id, x.status, x.opened_at, x.assembled_at,
       coalesce(nullif(x.assembled_name, ''), x.assembled_label) AS assembled_by,
       o.delivery - 'address' AS delivery, o.labels_url, {_ABOUT}, x.packed,
       (SELECT a.packed FROM assembly AS a
         WHERE a.order_id = x.order_id AND a.id < x.id AND a.status = 'assembled'
           AND a.seller_id IS NOT DISTINCT FROM x.seller_id
           AND a.warehouse_id IS NOT DISTINCT FROM x.warehouse_id
         ORDER BY a.id DESC LIMIT 1) AS packed_before,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', l.line_id, 'sku', l.sku, 'title', l.title,
                   'asked', coalesce(k.confirmed, l.quantity), 'price', l.price::text,
                   'image_url', l.image_url, 'confirmed', k.confirmed, 'answered_by', '',
                   'answered_at', k.answered_at,
                   'waits', coalesce(r.status IN ('open', 'overdue', 'escalated'), false))
                   ORDER BY l.position), '[]')
          FROM order_line AS l
          LEFT JOIN stock_line AS k ON k.stock_request_id = l.stock_request_id
                                   AND k.line_id = l.line_id
          LEFT JOIN stock_request AS r ON r.id = l.stock_request_id
         WHERE l.order_id = x.order_id
           AND l.seller_id IS NOT DISTINCT FROM x.seller_id
           AND l.warehouse_id IS NOT DISTINCT FROM x.warehouse_id) AS lines
  FROM assembly AS x {_JOINS}
 WHERE x.id = ANY($1)
"""  # noqa: S608 (constants)


async def questions(db: Db, ids: Collection[UUID]) -> Mapping[UUID, Question]:
    """The present state of those there are."""
    if not ids:
        return {}
    rows = await db.fetch(_QUESTIONS, list(ids))
    return {row["id"]: _question(dict(row)) for row in rows}


async def question(db: Db, shop_id: int, id_: UUID) -> Question | None:
    """None: the shop has no such stock request."""
    found = (await questions(db, [id_])).get(id_)
    return found if found and found.shop_id == shop_id else None


async def tasks(db: Db, ids: Collection[UUID]) -> Mapping[UUID, Task]:
    """The present state of those there are."""
    if not ids:
        return {}
    rows = await db.fetch(_TASKS, list(ids))
    return {row["id"]: _task(dict(row)) for row in rows}


async def task(db: Db, shop_id: int, id_: UUID) -> Task | None:
    """None: the shop has no such assembly."""
    found = (await tasks(db, [id_])).get(id_)
    return found if found and found.shop_id == shop_id else None


# Each place, and each seller, is read off an index of what is open: what is done costs nothing.
_ASKED = """
WITH place AS (
    SELECT w.id FROM contact AS c
      JOIN warehouse AS w ON w.shop_id = c.shop_id AND w.external_id = ANY(c.warehouses)
     WHERE c.id = ANY($2) AND c.shop_id = $1 AND c.role = 'warehouse'
    UNION
    SELECT warehouse_id FROM warehouse_chat WHERE contact_id = ANY($2) AND shop_id = $1
), asked AS (
    SELECT r.* FROM place CROSS JOIN LATERAL (
        SELECT id, opened_at FROM stock_request
         WHERE warehouse_id = place.id AND status IN ('open', 'overdue', 'escalated')
         ORDER BY opened_at, id LIMIT $3) AS r
    UNION
    SELECT r.* FROM unnest($2::uuid[]) AS own (id) CROSS JOIN LATERAL (
        SELECT id, opened_at FROM stock_request
         WHERE seller_id = own.id AND status IN ('open', 'overdue', 'escalated') AND seller_asked
         ORDER BY opened_at, id LIMIT $3) AS r
    UNION
    SELECT r.* FROM (
        SELECT id, opened_at FROM stock_request
         WHERE shop_id = $1 AND status = 'escalated'
           AND EXISTS (SELECT FROM contact WHERE id = ANY($2) AND shop_id = $1 AND role = 'admin')
         ORDER BY id LIMIT $3) AS r
)
"""
_MINE = f"""{_ASKED}, mine AS (
    SELECT 'stock' AS kind, id, opened_at FROM asked
    UNION ALL
    SELECT 'assembly', parcel.* FROM (
        SELECT a.* FROM place CROSS JOIN LATERAL (
            SELECT id, opened_at FROM assembly
             WHERE warehouse_id = place.id AND status = 'open'
             ORDER BY opened_at, id LIMIT $3) AS a
        UNION
        SELECT a.* FROM unnest($2::uuid[]) AS own (id) CROSS JOIN LATERAL (
            SELECT id, opened_at FROM assembly
             WHERE seller_id = own.id AND status = 'open' AND seller_asked
             ORDER BY opened_at, id LIMIT $3) AS a) AS parcel
)
"""  # noqa: S608 (constants)
_FIRST = 3
"""Titles of an item of the board."""

# What is in a parcel is said by its `Task`: there is one way to say it.
BOARD = f"""{_MINE}, shown AS (
    SELECT * FROM mine ORDER BY opened_at, id OFFSET $4 LIMIT $5
)
SELECT shown.kind, shown.id, shown.opened_at, o.id AS order_id, o.number AS order_number,
       coalesce(nullif(w.name, ''), w.external_id, '') AS warehouse_name,
       coalesce(r.status, a.status) AS status, r.deadline,
       coalesce(k.line_count, 0) AS line_count,
       coalesce(k.open_count, 0) AS open_count,
       coalesce(k.pieces, 0) AS pieces,
       coalesce(k.titles, '{{}}') AS titles
  FROM shown
  LEFT JOIN stock_request AS r ON shown.kind = 'stock' AND r.id = shown.id
  LEFT JOIN assembly AS a ON shown.kind = 'assembly' AND a.id = shown.id
  JOIN shop_order AS o ON o.id = coalesce(r.order_id, a.order_id)
  LEFT JOIN warehouse AS w ON w.id = coalesce(r.warehouse_id, a.warehouse_id)
  LEFT JOIN LATERAL (
       SELECT count(*)::int AS line_count,
              count(*) FILTER (WHERE s.confirmed IS NULL)::int AS open_count,
              sum(s.asked)::int AS pieces,
              (array_agg(l.title ORDER BY l.position))[:{_FIRST}] AS titles
         FROM stock_line AS s
         LEFT JOIN order_line AS l ON l.order_id = r.order_id AND l.line_id = s.line_id
        WHERE s.stock_request_id = r.id) AS k ON r.id IS NOT NULL
 ORDER BY shown.opened_at, shown.id
"""  # noqa: S608 (constants)
_SIZE = f"{_MINE} SELECT count(*) FROM mine"  # noqa: S608 (constants)
# Whoever was sent nothing knows of it by other ways, once it is asked.
_OPEN = f"""{_ASKED}, sent AS (
    SELECT asked.id, bool_or(coalesce({stock_queries.SENT}, false)) AS told
      FROM asked
      JOIN stock_message AS m ON m.stock_request_id = asked.id AND m.contact_id = ANY($4)
      LEFT JOIN delivery AS d ON d.notification_id = m.notification_id
     GROUP BY asked.id
)
SELECT r.id, o.number, asked.opened_at, coalesce(sent.told, r.clock_from <= $5) AS told
  FROM asked
  JOIN stock_request AS r ON r.id = asked.id
  JOIN shop_order AS o ON o.id = r.order_id
  LEFT JOIN sent ON sent.id = asked.id
"""  # noqa: S608 (constants)

_MOST = 10_000


async def board(
    db: Db, shop_id: int, contacts: Collection[UUID], *, offset: int = 0, limit: int = 50
) -> list[BoardItem]:
    """What waits for a person, the longest first: questions and parcels of his places, what he was asked as a seller,
    and as an admin whatever was escalated. `contacts`: all that he is, for he may be a seller and a storekeeper; a group
    chat has a board, too."""
    rows = await db.fetch(BOARD, shop_id, list(contacts), offset + limit, offset, limit)
    packing = await tasks(db, [row["id"] for row in rows if row["kind"] == Kind.ASSEMBLY])
    return [_board_item(dict(row), packing.get(row["id"])) for row in rows]


def _board_item(row: dict[str, Any], task: Task | None) -> BoardItem:
    item = BoardItem(
        **row | {"kind": Kind(row["kind"]), "titles": tuple(t for t in row["titles"] if t)}
    )
    if task is None:
        return item
    return replace(
        item,
        line_count=len(task.lines),
        pieces=sum(line.asked for line in task.lines),
        titles=tuple(line.title for line in task.lines[:_FIRST]),
        waits=task.waits,
    )


async def board_size(db: Db, shop_id: int, contacts: Collection[UUID]) -> int:
    """How many items `board` would have in all; counted up to 10,000 a place."""
    size: int = await db.fetchval(_SIZE, shop_id, list(contacts), _MOST)
    return size


async def open_questions(
    db: Db, shop_id: int, contacts: Collection[UUID], *, at: datetime
) -> list[Open]:
    """What waits for an answer of one of these people, who have one address, the longest first. Parcels to pack are no
    questions. `at`: of which of them they had been told by then."""
    own = list(contacts)
    rows = await db.fetch(_OPEN, shop_id, own, _MOST, own, at)
    return sorted((Open(**row) for row in rows), key=lambda one: (one.opened_at, one.number))


def _question(row: dict[str, Any]) -> Question:
    lines = tuple(_line(line) for line in row["lines"])
    answers = sorted((line.answered_at, line.answered_by) for line in lines if line.answered_at)
    return Question(
        **row
        | {
            "status": RequestStatus(row["status"]),
            "order_status": OrderStatus(row["order_status"]),
            "lines": lines,
            "answered_by": tuple(dict.fromkeys(who for _, who in answers if who)),
        }
    )


def _task(row: dict[str, Any]) -> Task:
    packed, before = (_packed(row.pop(name)) for name in ("packed", "packed_before"))
    waiting = {line["id"] for line in row["lines"] if line.pop("waits")}
    lies = packed or before or ()
    lines = parcels.to_pack(map(_line, row["lines"]), waiting, lies, _lying)
    changes = () if before is None else parcels.changes(before, lines)
    status, order_status = AssemblyStatus(row["status"]), OrderStatus(row["order_status"])
    taken_back = status is AssemblyStatus.CANCELLED
    return Task(
        **row
        | {
            "status": status,
            "order_status": order_status,
            "lines": tuple(lines),
            "changes": changes,
            "asks": bool(waiting),
            "reason": _why(order_status, lines, before, changes) if taken_back else "",
        }
    )


def _lying(line: QuestionLine, old: Packed) -> QuestionLine:
    return replace(line, sku=old.sku, title=old.title, asked=old.quantity, confirmed=None)


def _why(
    order: OrderStatus,
    lines: Sequence[QuestionLine],
    before: Sequence[Packed] | None,
    changes: Sequence[Repacked],
) -> str:
    """In a word, why what was taken back is not to be packed."""
    if order in OVER:
        return "cancelled"
    if not lines:
        return "changed"
    return "newer" if before is None or changes else "as_packed"


def _line(given: Mapping[str, Any]) -> QuestionLine:
    return QuestionLine(
        **dict(given)
        | {
            "price": None if given["price"] is None else Decimal(given["price"]),
            "answered_at": _instant(given["answered_at"]),
            "answerer": UUID(given["answerer"]) if given.get("answerer") else None,
        }
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
