"""Everything that is held on one person, as JSON that is written while it is read."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.contacts import history, links, model, service
from hub.contacts.addresses import KIND_OF, Kind
from hub.contacts.erasure import SAID_BY, identities
from hub.contacts.model import Contact
from hub.db.attempts import OUTCOME
from hub.db.pool import Pool, transaction

_PAGE = 100


async def export(db: Pool, shop_id: int, contact: Contact) -> AsyncIterator[bytes]:
    """One JSON object in pieces of bounded size, however much there is: what `hub.contacts.personal` lists as told.
    What was sent to one of the person's addresses without naming him is his, too.

    `contact` as `begin` found it, so that an unknown one is told before the first byte.
    """
    ids = await identities(db, contact.id)
    yield b'{"contact":' + _json(model.shown(contact))
    lines = [history.shown(line) for line in reversed(await history.page(db, ids))]
    yield b',"consent_history":' + _json(lines)
    for name, statement in _SHORT.items():
        rows = [dict(row) for row in await db.fetch(statement, ids)]
        if name == "links":
            rows = [links.shown(row) for row in rows]
        yield b"," + _json(name) + b":" + _json(rows)
    for name, statement in _LONG.items():
        yield b"," + _json(name) + b":["
        async for piece in _joined(_pages(db, statement, ids)):
            yield piece
        yield b"]"
    yield b',"bot_updates":['
    async for piece in _joined(_bot_updates(db, shop_id, contact)):
        yield piece
    yield b"]}"


async def begin(db: Pool, shop_id: int, external_id: str, *, by: Actor = SYSTEM) -> Contact:
    """Whose data is exported, and that it is, for good. Raises `NotFound`."""
    async with transaction(db) as connection:
        contact = await service.get(connection, shop_id, external_id)
        await audit.record(connection, shop_id, by, Action.CONTACT_EXPORTED, contact.id)
    return contact


# The person's contacts are $1; each the oldest first.
_SHORT = {
    # With their history's end: who said so and when, which the contact itself does not show.
    "consents": """
        SELECT category, channel, state, source, changed_at
          FROM consent WHERE contact_id = ANY($1) ORDER BY category, channel
        """,
    "suppressions": """
        SELECT s.channel, a.kind, s.reason, s.code, s.created_at
          FROM suppression AS s
          JOIN address AS a ON a.digest = s.digest AND a.shop_id = s.shop_id
         WHERE a.contact_id = ANY($1)
         ORDER BY s.created_at, s.channel
        """,
    "links": """
        SELECT channel, created_at, expires_at, used_at
          FROM contact_link WHERE contact_id = ANY($1) ORDER BY created_at
        """,
    # What the person wrote on channels without a bot.
    "heard": """
        SELECT DISTINCT h.id, h.channel, h.address, h.text, h.heard_at, h.handled_at
          FROM heard AS h
          JOIN address AS a ON a.shop_id = h.shop_id AND a.digest = h.digest
         WHERE a.contact_id = ANY($1) ORDER BY h.id
        """,
    # What bots of the sandbox answered, which is no delivery.
    "bot_answers": f"""
        SELECT DISTINCT m.id, m.channel, m.address, m.subject, m.text, m.html, m.buttons::text AS buttons,
               m.created_at
          FROM sandbox_message AS m
          JOIN address AS a ON a.shop_id = m.shop_id AND a.value = m.address
           AND (a.kind = m.channel OR (a.kind = '{Kind.PHONE}' AND m.channel IN
                ({", ".join(f"'{channel}'" for channel, kind in KIND_OF.items() if kind is Kind.PHONE)})))
         WHERE a.contact_id = ANY($1) AND m.delivery_id IS NULL ORDER BY m.id
        """,  # noqa: S608 (constants)
    # What the person bought.
    "orders": """
        SELECT o.external_id, o.number, o.status, o.currency, o.total, o.delivery, o.labels_url,
               o.created_at,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'id', l.line_id, 'sku', l.sku, 'title', l.title,
                           'quantity', l.quantity, 'price', l.price::text) ORDER BY l.position),
                       '[]') FROM order_line AS l WHERE l.order_id = o.id) AS lines,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'status', h.status, 'at', h.at, 'reason', h.reason) ORDER BY h.id), '[]')
                  FROM order_history AS h WHERE h.order_id = o.id) AS history
          FROM shop_order AS o WHERE o.buyer_id = ANY($1) ORDER BY o.id
        """,
    # What the person said was on the shelf, every time, and which of it counts.
    "stock_answers": """
        SELECT o.external_id AS "order", a.via, a.lines, a.seen, a.result, a.name, a.label, a.at
          FROM stock_answer AS a
          JOIN stock_request AS r ON r.id = a.stock_request_id
          JOIN shop_order AS o ON o.id = r.order_id
         WHERE a.contact_id = ANY($1)
            OR (a.contact_id IS NULL AND a.label <> '' AND (a.shop_id, a.label) IN (
                SELECT shop_id, kind || ':' || value FROM address WHERE contact_id = ANY($1)))
         ORDER BY a.id
        """,
    "stock_lines": """
        SELECT o.external_id AS "order", k.line_id AS line, k.asked, k.confirmed, k.via,
               k.answered_name AS name, k.answered_label AS label, k.answered_at
          FROM stock_line AS k
          JOIN stock_request AS r ON r.id = k.stock_request_id
          JOIN shop_order AS o ON o.id = r.order_id
         WHERE k.answered_by = ANY($1)
            OR (k.answered_by IS NULL AND k.answered_label <> '' AND (k.shop_id, k.answered_label) IN (
                SELECT shop_id, kind || ':' || value FROM address WHERE contact_id = ANY($1)))
         ORDER BY k.stock_request_id, k.line_id
        """,
    # What the person made ready.
    "assemblies": """
        SELECT o.external_id AS "order", a.via, a.assembled_name AS name,
               a.assembled_label AS label, a.assembled_at
          FROM assembly AS a JOIN shop_order AS o ON o.id = a.order_id
         WHERE a.assembled_by = ANY($1)
            OR (a.assembled_by IS NULL AND a.assembled_label <> '' AND (a.shop_id, a.assembled_label) IN (
                SELECT shop_id, kind || ':' || value FROM address WHERE contact_id = ANY($1)))
         ORDER BY a.id
        """,
    # Pages on which the person may answer; the links themselves are kept nowhere.
    "answer_links": """
        SELECT l.kind, o.external_id AS "order", l.expires_at
          FROM answer_link AS l
          LEFT JOIN stock_request AS r ON r.id = l.about
          LEFT JOIN assembly AS a ON a.id = l.about
          LEFT JOIN shop_order AS o ON o.id = coalesce(r.order_id, a.order_id)
         WHERE l.contact_id = ANY($1) ORDER BY l.expires_at, l.digest
        """,
    # What is known of the person's objects in shops' platforms.
    "source_objects": """
        SELECT s.name AS source, o.kind, o.object, o.facts, o.changed_at
          FROM source_object AS o JOIN source AS s ON s.id = o.source_id
         WHERE o.contact_id = ANY($1) ORDER BY s.name, o.kind, o.object
        """,
    # Places of which the person is the seller.
    "warehouses": "SELECT external_id FROM warehouse WHERE seller_id = ANY($1) ORDER BY id",
}

# Those that may be many: read page by page, $2 being the last id before.
_LONG = {
    # What the person sold, and where he was asked or had to pack.
    "sales": """
        SELECT o.id, o.external_id AS "order",
               (SELECT coalesce(jsonb_agg(l.line_id ORDER BY l.position), '[]')
                  FROM order_line AS l WHERE l.order_id = o.id AND l.seller_id = ANY($1)) AS lines,
               (SELECT count(*) FROM stock_request AS r
                 WHERE r.order_id = o.id AND r.seller_id = ANY($1)) AS stock_requests,
               (SELECT count(*) FROM assembly AS a
                 WHERE a.order_id = o.id AND a.seller_id = ANY($1)) AS assemblies
          FROM shop_order AS o
         WHERE o.id > $2 AND o.id IN (
               SELECT order_id FROM order_line WHERE seller_id = ANY($1)
                UNION SELECT order_id FROM stock_request WHERE seller_id = ANY($1)
                UNION SELECT order_id FROM assembly WHERE seller_id = ANY($1))
         ORDER BY o.id LIMIT $3
        """,
    # What the shop's backend was told of the person.
    "callbacks": """
        SELECT e.id, convert_from(e.body, 'UTF8')::jsonb AS body,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'started_at', a.started_at, 'outcome', a.outcome,
                           'answer', a.answer) ORDER BY a.id), '[]')
                  FROM callback_attempt AS a WHERE a.event_id = e.id) AS attempts
          FROM event AS e
         WHERE e.contact_id = ANY($1) AND e.id > $2
         ORDER BY e.id LIMIT $3
        """,
    # What shops' platforms said of the person; received when the id was made.
    "shop_events": """
        SELECT id, kind, action, object, payload, result, happened_at
          FROM shop_event WHERE contact_id = ANY($1) AND id > $2 ORDER BY id LIMIT $3
        """,
    # Each with its deliveries and all that is known of them.
    "notifications": f"""
        SELECT n.id, n.template, n.category, n.status, n.locale, n.data, n.content, n.meta, n.created_at,
               n.send_at, n.expires_at, n.ordering_key, n.collapse_key, n.interaction,
               coalesce((
                   SELECT jsonb_agg(jsonb_build_object(
                              'id', d.id, 'channel', d.channel, 'status', d.status, 'reason', d.reason,
                              'code', d.code, 'provider', d.provider, 'provider_id', d.provider_id,
                              'ordering_key', d.ordering_key,
                              'created_at', d.created_at, 'sent_at', d.sent_at,
                              'delivered_at', d.delivered_at, 'read_at', d.read_at,
                              'attempts', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'started_at', t.started_at, 'outcome', {OUTCOME}, 'code', t.code,
                                      'detail', t.detail, 'instead_of', t.instead_of) ORDER BY t.id), '[]')
                                  FROM attempt AS t WHERE t.delivery_id = d.id),
                              'receipts', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'status', r.status, 'code', r.code, 'detail', r.detail,
                                      'provider_id', r.provider_id,
                                      'received_at', r.received_at) ORDER BY r.id), '[]')
                                  FROM receipt AS r WHERE r.delivery_id = d.id),
                              'sandbox', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'address', m.address, 'subject', m.subject, 'text', m.text,
                                      'html', m.html, 'buttons', m.buttons) ORDER BY m.id), '[]')
                                  FROM sandbox_message AS m WHERE m.delivery_id = d.id)
                          ) ORDER BY d.id)
                     FROM delivery AS d WHERE d.notification_id = n.id), '[]') AS deliveries
          FROM notification AS n
         WHERE n.contact_id = ANY($1) AND n.id > $2
         ORDER BY n.id LIMIT $3
        """,  # noqa: S608 (a constant)
}


async def _pages(
    db: Pool, statement: str, ids: Sequence[UUID]
) -> AsyncIterator[list[dict[str, Any]]]:
    after = UUID(int=0)
    while rows := await db.fetch(statement, ids, after, _PAGE):
        after = rows[-1]["id"]
        yield [dict(row) for row in rows]


async def _bot_updates(
    db: Pool, shop_id: int, contact: Contact
) -> AsyncIterator[list[dict[str, Any]]]:
    """From the person's own chats, and what he said in a group."""
    chats = [a.value for a in contact.addresses if a.kind in _CHATS]
    numbers = [int(chat) if chat.lstrip("-").isdigit() else chat for chat in chats]
    after = 0
    while chats and (
        rows := await db.fetch(
            f"""
            SELECT id, account, chat, raw, received_at, handled_at FROM bot_update AS u
             WHERE shop_id = $1 AND id > $2
               AND (chat = ANY($3) OR EXISTS (
                    SELECT FROM jsonb_array_elements($4) AS who
                     WHERE jsonb_path_exists(u.raw, '{SAID_BY}', who)))
             ORDER BY id LIMIT $5
            """,  # noqa: S608 (a constant)
            shop_id,
            after,
            chats,
            [{"text": text, "number": n} for text, n in zip(chats, numbers, strict=True)],
            _PAGE,
        )
    ):
        after = rows[-1]["id"]
        yield [dict(row) for row in rows]


_CHATS = frozenset({Kind.TELEGRAM, Kind.VK, Kind.MAX, Kind.VIBER})


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
