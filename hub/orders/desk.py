"""What somebody at a desk sees of orders and questions: lists that are read off an index, and who was asked and said
what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hub.contacts.model import Role
from hub.db.pool import Db
from hub.orders import people, stock_queries
from hub.orders.model import ACTIVE, OrderStatus, Question, RequestStatus

_NONE = UUID(int=0)
_MOST_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class Row:
    """An order in a list. `waits`: somebody is asked for something of it; `late`: and should have answered."""

    id: UUID
    number: str
    status: OrderStatus
    currency: str
    total: Decimal | None
    created_at: datetime
    buyer_id: UUID | None
    buyer_name: str | None
    buyer: str | None
    line_count: int
    title: str | None
    waits: bool
    late: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the shop. `shown` may be empty."""

    id: UUID
    name: str
    external_id: str | None
    role: Role

    @property
    def shown(self) -> str:
        return self.name or self.external_id or ""


@dataclass(frozen=True, slots=True)
class Message:
    """By which one of `people` was told or asked. `status`: of the notification; None: it is gone by now. `step`: of a
    question, 0 at first, later ones are reminders and those who are asked instead."""

    id: UUID
    about: UUID | None
    template: str | None
    person: Person | None
    channels: Sequence[str]
    status: str | None
    at: datetime
    step: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """One answer as it came, whatever came of it. `lines` None: all of it is there. `noted_by`: the operator who wrote it
    down for the one who said so."""

    about: UUID
    at: datetime
    contact_id: UUID | None
    who: str
    via: str
    lines: Mapping[str, int] | None
    result: Mapping[str, Any]
    noted_by: str


async def orders(
    db: Db,
    shop_id: int,
    *,
    status: OrderStatus | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[Row]:
    """The newest first."""
    given: list[Any] = [shop_id, limit]
    # Only what is asked for stands in the statement: with `$2 IS NULL OR …` no plan could rely on an index for it.
    fits = ""
    if status:
        given.append(status)
        fits += f" AND o.status = ${len(given)}"
    if before:
        given.append(before)
        fits += f" AND o.id < ${len(given)}"
    ids = f"SELECT o.id FROM shop_order AS o WHERE o.shop_id = $1{fits} ORDER BY o.id DESC LIMIT $2"  # noqa: S608 (constants)
    return await _rows(db, ids, given)


async def named(db: Db, shop_id: int, text: str, *, limit: int = 50) -> list[Row]:
    """The orders that somebody means by a number or by the shop's own id."""
    ids = """
        (SELECT id FROM shop_order WHERE shop_id = $1 AND lower(number) = lower($2) ORDER BY id DESC LIMIT $3)
         UNION
        SELECT id FROM shop_order WHERE shop_id = $1 AND external_id = $2
    """
    return await _rows(db, ids, [shop_id, text, limit])


async def _rows(db: Db, ids: str, given: Sequence[Any]) -> list[Row]:
    rows = await db.fetch(
        f"""
        SELECT o.id, o.number, o.status, o.currency, o.total, o.created_at, o.buyer_id,
               b.name AS buyer_name, b.external_id AS buyer, l.line_count, l.title,
               r.waits, r.late
          FROM ({ids}) AS found
          JOIN shop_order AS o ON o.id = found.id
          LEFT JOIN contact AS b ON b.id = o.buyer_id
          CROSS JOIN LATERAL (
               SELECT count(*)::int AS line_count, (array_agg(title ORDER BY position))[1] AS title
                 FROM order_line WHERE order_id = o.id) AS l
          CROSS JOIN LATERAL (
               SELECT count(*) > 0 AS waits,
                      coalesce(bool_or(status <> 'open' OR deadline < now()), false) AS late
                 FROM stock_request
                WHERE order_id = o.id AND status IN ('open', 'overdue', 'escalated')) AS r
         ORDER BY o.id DESC
        """,  # noqa: S608 (constants)
        *given,
    )
    return [Row(**dict(row) | {"status": OrderStatus(row["status"])}) for row in rows]


async def waiting(
    db: Db,
    shop_id: int,
    statuses: Sequence[RequestStatus] = tuple(ACTIVE),
    *,
    after: UUID | None = None,
    limit: int,
) -> list[UUID]:
    """Questions that wait for an answer, those first that were opened first."""
    rows = await db.fetch(
        """
        SELECT r.id FROM unnest($2::text[]) AS s (status)
         CROSS JOIN LATERAL (
               SELECT id FROM stock_request
                WHERE shop_id = $1 AND status = s.status AND id > $3 ORDER BY id LIMIT $4) AS r
         ORDER BY r.id LIMIT $4
        """,
        shop_id,
        [str(status) for status in statuses],
        after or _NONE,
        limit,
    )
    return [row["id"] for row in rows]


async def answered(db: Db, shop_id: int, *, before: UUID | None = None, limit: int) -> list[UUID]:
    """Questions that were answered in full, those first that were opened last."""
    given: list[Any] = [shop_id, limit, *([before] if before else [])]
    fits = "AND id < $3" if before else ""
    rows = await db.fetch(
        f"""
        SELECT id FROM stock_request
         WHERE shop_id = $1 AND status = 'answered' {fits} ORDER BY id DESC LIMIT $2
        """,  # noqa: S608 (constants)
        *given,
    )
    return [row["id"] for row in rows]


async def packing(db: Db, shop_id: int, *, after: UUID | None = None, limit: int) -> list[UUID]:
    """Assemblies that are still to be made, the oldest first."""
    rows = await db.fetch(
        """
        SELECT id FROM assembly
         WHERE shop_id = $1 AND status = 'open' AND id > $2 ORDER BY id LIMIT $3
        """,
        shop_id,
        after or _NONE,
        limit,
    )
    return [row["id"] for row in rows]


_MESSAGE = """
SELECT n.id, n.about, n.step, n.at, t.template, t.status,
       coalesce((SELECT array_agg(d.channel ORDER BY d.step, d.id)
                   FROM delivery AS d WHERE d.notification_id = n.id), '{}') AS channels,
       n.channel, c.id AS contact_id, c.name, c.external_id, c.role
"""


async def asked(db: Db, ids: Sequence[UUID]) -> Mapping[UUID, list[Message]]:
    """Of questions and of assemblies: who was asked, the earliest first."""
    rows = await db.fetch(
        f"""
        WITH n AS (
            SELECT notification_id AS id, stock_request_id AS about, step, created_at AS at, channel, contact_id
              FROM stock_message WHERE stock_request_id = ANY($1)
             UNION ALL
            SELECT notification_id, assembly_id, 0, created_at, NULL, contact_id
              FROM assembly_message WHERE assembly_id = ANY($1)
        )
        {_MESSAGE}
          FROM n
          LEFT JOIN notification AS t ON t.id = n.id
          LEFT JOIN contact AS c ON c.id = n.contact_id
         ORDER BY n.id
        """,  # noqa: S608 (constants)
        list(ids),
    )
    found: dict[UUID, list[Message]] = {}
    for row in rows:
        found.setdefault(row["about"], []).append(_message(row))
    return found


async def messages(db: Db, shop_id: int, order_id: UUID) -> list[Message]:
    """What was sent of an order, to whomever, the latest first."""
    rows = await db.fetch(
        f"""
        WITH own AS (
            -- The second condition is that of the index.
            SELECT id FROM notification
             WHERE ordering_key = 'order:' || $2::text AND ordering_key LIKE 'order:%'
             UNION
            SELECT m.notification_id FROM stock_request AS r
              JOIN stock_message AS m ON m.stock_request_id = r.id WHERE r.order_id = $2::text::uuid
             UNION
            SELECT m.notification_id FROM assembly AS a
              JOIN assembly_message AS m ON m.assembly_id = a.id WHERE a.order_id = $2::text::uuid
        ), n AS (
            SELECT t.id, NULL::uuid AS about, 0 AS step, t.created_at AS at, NULL AS channel, t.contact_id
              FROM own JOIN notification AS t ON t.id = own.id
             WHERE t.shop_id = $1 ORDER BY t.id DESC LIMIT $3
        )
        {_MESSAGE}
          FROM n
          JOIN notification AS t ON t.id = n.id
          LEFT JOIN contact AS c ON c.id = n.contact_id
         ORDER BY n.id DESC
        """,  # noqa: S608 (constants)
        shop_id,
        str(order_id),
        _MOST_MESSAGES,
    )
    return [_message(row) for row in rows]


def _message(row: Any) -> Message:
    person = None
    if row["contact_id"]:
        person = Person(row["contact_id"], row["name"], row["external_id"], Role(row["role"]))
    planned = [row["channel"]] if row["channel"] else []
    return Message(
        id=row["id"],
        about=row["about"],
        template=row["template"],
        person=person,
        channels=tuple(dict.fromkeys(row["channels"] or planned)),
        status=row["status"],
        at=row["at"],
        step=row["step"],
    )


async def said(db: Db, requests: Sequence[UUID]) -> Mapping[UUID, list[Said]]:
    """Every answer to these questions, the earliest first."""
    rows = await db.fetch(
        """
        SELECT a.stock_request_id AS about, a.at, a.contact_id, a.via, a.lines, a.result,
               coalesce(nullif(a.name, ''), nullif(c.name, ''), c.external_id, a.label) AS who,
               coalesce(nullif(p.name, ''), p.login, '') AS noted_by
          FROM stock_answer AS a
          LEFT JOIN contact AS c ON c.id = a.contact_id
          LEFT JOIN operator AS p ON p.id = (a.seen ->> 'noted_by')::uuid
         WHERE a.stock_request_id = ANY($1) ORDER BY a.id
        """,
        list(requests),
    )
    found: dict[UUID, list[Said]] = {}
    for row in rows:
        lines = row["lines"] if isinstance(row["lines"], dict) else None
        found.setdefault(row["about"], []).append(Said(**dict(row) | {"lines": lines}))
    return found


async def who_may_say(db: Db, shop_id: int, question: Question) -> list[Person]:
    """Who can have answered a question: the staff of its place, its seller, and all who were asked."""
    ids = await stock_queries.named(db, question.id)
    if question.warehouse_id:
        ids += await people.staff(db, shop_id, question.warehouse_id)
    ids += [
        one.person.id for one in (await asked(db, [question.id])).get(question.id, []) if one.person
    ]
    return await persons(db, shop_id, ids)


async def who_may_pack(db: Db, shop_id: int, assembly_id: UUID) -> list[Person]:
    """The same of an assembly."""
    row = await db.fetchrow(
        "SELECT seller_id, warehouse_id FROM assembly WHERE shop_id = $1 AND id = $2",
        shop_id,
        assembly_id,
    )
    ids: list[UUID] = []
    if row and row["warehouse_id"]:
        ids += await people.staff(db, shop_id, row["warehouse_id"])
    if row and row["seller_id"]:
        ids.append(row["seller_id"])
    return await persons(db, shop_id, ids)


async def persons(db: Db, shop_id: int, ids: Sequence[UUID]) -> list[Person]:
    """In the order in which they are given."""
    rows = await db.fetch(
        "SELECT id, name, external_id, role FROM contact WHERE shop_id = $1 AND id = ANY($2)",
        shop_id,
        list(ids),
    )
    known = {row["id"]: Person(**dict(row) | {"role": Role(row["role"])}) for row in rows}
    return [known[id_] for id_ in dict.fromkeys(ids) if id_ in known]
