"""Everything that is held on one person, as JSON that is written while it is read."""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from hub.contacts import links, model, service
from hub.contacts.model import Contact
from hub.db.pool import Pool

_PAGE = 100


async def export(db: Pool, shop_id: int, contact: Contact) -> AsyncIterator[bytes]:
    """One JSON object in pieces of bounded size, however much there is.

    `contact` as `service.get` found it, so that an unknown one is told before the first byte.
    """
    yield b'{"contact":' + _json(model.shown(contact))
    yield b',"consents":' + _json(await _consents(db, contact.id))
    yield b',"suppressions":' + _json(await _suppressions(db, shop_id, contact))
    yield b',"links":' + _json(await _links(db, contact.id))
    yield b',"bot_updates":['
    async for piece in _joined(_bot_updates(db, shop_id, contact)):
        yield piece
    yield b'],"heard":' + _json(await _heard(db, shop_id, contact.id))
    yield b',"callbacks":['
    async for piece in _joined(_callbacks(db, shop_id, contact.id)):
        yield piece
    yield b'],"orders":' + _json(await _orders(db, contact.id))
    yield b',"stock_answers":' + _json(await _stock_answers(db, contact.id))
    yield b',"assemblies":' + _json(await _assemblies(db, contact.id))
    yield b',"answer_links":' + _json(await _answer_links(db, contact.id))
    yield b',"notifications":['
    async for piece in _joined(_notifications(db, shop_id, contact.id)):
        yield piece
    yield b"]}"


async def whole(db: Pool, shop_id: int, external_id: str) -> bytes:
    """For those who want it in one piece. Raises `NotFound`."""
    contact = await service.get(db, shop_id, external_id)
    return b"".join([piece async for piece in export(db, shop_id, contact)])


async def _consents(db: Pool, contact_id: UUID) -> list[dict[str, Any]]:
    """With their history's end: who said so and when, which the contact itself does not show."""
    rows = await db.fetch(
        """
        SELECT category, channel, state, source, changed_at
          FROM consent WHERE contact_id = $1 ORDER BY category, channel
        """,
        contact_id,
    )
    return [dict(row) for row in rows]


async def _suppressions(db: Pool, shop_id: int, contact: Contact) -> list[dict[str, Any]]:
    rows = await db.fetch(
        """
        SELECT s.channel, a.kind, s.reason, s.code, s.created_at
          FROM suppression AS s
          JOIN address AS a ON a.digest = s.digest AND a.shop_id = s.shop_id
         WHERE s.shop_id = $1 AND a.contact_id = $2
         ORDER BY s.created_at, s.channel
        """,
        shop_id,
        contact.id,
    )
    return [dict(row) for row in rows]


async def _links(db: Pool, contact_id: UUID) -> list[dict[str, Any]]:
    rows = await db.fetch(
        """
        SELECT channel, created_at, expires_at, used_at
          FROM contact_link WHERE contact_id = $1 ORDER BY created_at
        """,
        contact_id,
    )
    return [links.shown(dict(row)) for row in rows]


async def _orders(db: Pool, contact_id: UUID) -> list[dict[str, Any]]:
    """What the person bought, the oldest first."""
    rows = await db.fetch(
        """
        SELECT o.external_id, o.number, o.status, o.currency, o.total, o.delivery, o.labels_url,
               o.created_at,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'id', l.line_id, 'sku', l.sku, 'title', l.title,
                           'quantity', l.quantity, 'price', l.price::text) ORDER BY l.position),
                       '[]') FROM order_line AS l WHERE l.order_id = o.id) AS lines,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'status', h.status, 'at', h.at, 'reason', h.reason) ORDER BY h.id), '[]')
                  FROM order_history AS h WHERE h.order_id = o.id) AS history
          FROM shop_order AS o WHERE o.buyer_id = $1 ORDER BY o.id
        """,
        contact_id,
    )
    return [dict(row) for row in rows]


async def _stock_answers(db: Pool, contact_id: UUID) -> list[dict[str, Any]]:
    """What the person said was on the shelf, the oldest first."""
    rows = await db.fetch(
        """
        SELECT o.external_id AS "order", a.via, a.lines, a.seen, a.result, a.name, a.label, a.at
          FROM stock_answer AS a
          JOIN stock_request AS r ON r.id = a.stock_request_id
          JOIN shop_order AS o ON o.id = r.order_id
         WHERE a.contact_id = $1 ORDER BY a.id
        """,
        contact_id,
    )
    return [dict(row) for row in rows]


async def _assemblies(db: Pool, contact_id: UUID) -> list[dict[str, Any]]:
    """What the person made ready, the oldest first."""
    rows = await db.fetch(
        """
        SELECT o.external_id AS "order", a.via, a.assembled_name AS name,
               a.assembled_label AS label, a.assembled_at
          FROM assembly AS a JOIN shop_order AS o ON o.id = a.order_id
         WHERE a.assembled_by = $1 ORDER BY a.id
        """,
        contact_id,
    )
    return [dict(row) for row in rows]


async def _answer_links(db: Pool, contact_id: UUID) -> list[dict[str, Any]]:
    """Pages on which the person may answer; the links themselves are kept nowhere."""
    rows = await db.fetch(
        """
        SELECT l.kind, o.external_id AS "order", l.expires_at
          FROM answer_link AS l
          LEFT JOIN stock_request AS r ON r.id = l.about
          LEFT JOIN assembly AS a ON a.id = l.about
          LEFT JOIN shop_order AS o ON o.id = coalesce(r.order_id, a.order_id)
         WHERE l.contact_id = $1 ORDER BY l.expires_at, l.digest
        """,
        contact_id,
    )
    return [dict(row) for row in rows]


async def _heard(db: Pool, shop_id: int, contact_id: UUID) -> list[dict[str, Any]]:
    """What the person wrote on channels without a bot, the oldest first."""
    rows = await db.fetch(
        """
        SELECT h.channel, h.address, h.text, h.heard_at, h.handled_at
          FROM heard AS h
          JOIN address AS a ON a.shop_id = h.shop_id AND a.digest = h.digest
         WHERE h.shop_id = $1 AND a.contact_id = $2 ORDER BY h.id
        """,
        shop_id,
        contact_id,
    )
    return [dict(row) for row in rows]


async def _bot_updates(
    db: Pool, shop_id: int, contact: Contact
) -> AsyncIterator[list[dict[str, Any]]]:
    chats = [a.value for a in contact.addresses if a.kind in ("telegram", "vk", "max", "viber")]
    after = 0
    while True:
        rows = await db.fetch(
            """
            SELECT id, account, raw, received_at, handled_at FROM bot_update
             WHERE shop_id = $1 AND chat = ANY($2) AND id > $3
             ORDER BY id LIMIT $4
            """,
            shop_id,
            chats,
            after,
            _PAGE,
        )
        if not rows:
            return
        after = rows[-1]["id"]
        yield [{key: value for key, value in row.items() if key != "id"} for row in rows]


async def _callbacks(
    db: Pool, shop_id: int, contact_id: UUID
) -> AsyncIterator[list[dict[str, Any]]]:
    """What the shop's backend was told of the person, the oldest first."""
    after = UUID(int=0)
    while True:
        rows = await db.fetch(
            """
            SELECT e.id, e.body,
                   (SELECT coalesce(jsonb_agg(jsonb_build_object(
                               'started_at', a.started_at, 'outcome', a.outcome,
                               'answer', a.answer) ORDER BY a.id), '[]')
                      FROM callback_attempt AS a WHERE a.event_id = e.id) AS attempts
              FROM event AS e
             WHERE e.shop_id = $1 AND e.contact_id = $2 AND e.id > $3
             ORDER BY e.id LIMIT $4
            """,
            shop_id,
            contact_id,
            after,
            _PAGE,
        )
        if not rows:
            return
        after = rows[-1]["id"]
        yield [{**row, "body": orjson.loads(row["body"])} for row in rows]


async def _notifications(
    db: Pool, shop_id: int, contact_id: UUID
) -> AsyncIterator[list[dict[str, Any]]]:
    """The oldest first, each with its deliveries and all that is known of them."""
    after = UUID(int=0)
    while True:
        rows = await db.fetch(_NOTIFICATIONS, shop_id, contact_id, after, _PAGE)
        if not rows:
            return
        after = rows[-1]["id"]
        yield [dict(row) for row in rows]


_NOTIFICATIONS = """
SELECT n.id, n.template, n.category, n.status, n.locale, n.data, n.content, n.meta, n.created_at,
       n.send_at, n.expires_at,
       coalesce((
           SELECT jsonb_agg(jsonb_build_object(
                      'id', d.id, 'channel', d.channel, 'status', d.status, 'reason', d.reason,
                      'provider', d.provider, 'created_at', d.created_at, 'sent_at', d.sent_at,
                      'delivered_at', d.delivered_at, 'read_at', d.read_at,
                      'attempts', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'started_at', a.started_at, 'outcome', a.outcome, 'code', a.code,
                              'detail', a.detail) ORDER BY a.number), '[]')
                          FROM attempt AS a WHERE a.delivery_id = d.id),
                      'receipts', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'status', r.status, 'code', r.code, 'detail', r.detail,
                              'received_at', r.received_at) ORDER BY r.id), '[]')
                          FROM receipt AS r WHERE r.delivery_id = d.id),
                      'sandbox', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'address', m.address, 'subject', m.subject, 'text', m.text,
                              'html', m.html) ORDER BY m.id), '[]')
                          FROM sandbox_message AS m WHERE m.delivery_id = d.id)
                  ) ORDER BY d.id)
             FROM delivery AS d WHERE d.notification_id = n.id), '[]') AS deliveries
  FROM notification AS n
 WHERE n.shop_id = $1 AND n.contact_id = $2 AND n.id > $3
 ORDER BY n.id
 LIMIT $4
"""


async def _joined(pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    """The items of all pages, with commas between them."""
    first = True
    async for page in pages:
        yield (b"" if first else b",") + _json(page)[1:-1]
        first = False


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    # asyncpg's UUID is a subclass, which orjson takes only by its own type.
    if isinstance(value, UUID | Decimal | datetime):
        return str(value)
    raise TypeError(type(value).__name__)
