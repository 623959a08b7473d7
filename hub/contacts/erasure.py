"""Forgets a person: what is personal goes, counts and statuses stay, what has not left stays here."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from channels.base import Channel
from hub.accounts.book import AccountBook
from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.contacts import history
from hub.contacts.addresses import KINDS_OF, Kind
from hub.contacts.forgetting import BY_LABEL, ORDER_STEPS, STEPS
from hub.db.pool import Connection, Pool
from hub.errors import NotFound
from hub.resources import Hub
from hub.tokens import Signer

SWEPT_AFTER = timedelta(minutes=15)
"""When all is looked through once more: longer than any call that was under way, and any request."""

_NOTED_FOR = timedelta(days=30)

_PURPOSE = "erased-message"

# What messengers tell of who said something in a chat of many.
SAID_BY = "$.** ? (@.from.id == $number || @.from_id == $number || @.user_id == $number || @.person == $text)"


async def erase(hub: Hub, shop_id: int, external_id: str, *, by: Actor = SYSTEM) -> None:
    """All of it or nothing. Suppressions stay, as digests: whoever left must not be
    written to again. Those who are known by one of the person's addresses only are the person, too.

    Raises `NotFound`.
    """
    async with hub.db.acquire() as conn, conn.transaction():
        contact_id = await conn.fetchval(
            "SELECT id FROM contact WHERE shop_id = $1 AND external_id = $2 FOR UPDATE",
            shop_id,
            external_id,
        )
        if contact_id is None:
            raise NotFound("there is no contact with this external_id")
        await _erase(conn, hub, shop_id, contact_id)
        await audit.record(conn, shop_id, by, Action.CONTACT_ERASED, contact_id)


async def identities(conn: Connection | Pool, contact_id: UUID) -> list[UUID]:
    """The contact, and the receivers of one-off messages that have one of its addresses."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT other.contact_id
          FROM address AS own
          JOIN address AS other ON other.shop_id = own.shop_id AND other.digest = own.digest
         WHERE own.contact_id = $1 AND other.one_off AND other.contact_id <> $1
         ORDER BY 1
        """,
        contact_id,
    )
    return [contact_id, *(row["contact_id"] for row in rows)]


async def sweep(hub: Hub, now: datetime) -> int:
    """Looks once more for people who were erased a while ago: a request or a call to a provider that was under way
    then may have written of them since. How many that were; safe to repeat."""
    async with hub.db.acquire() as conn, conn.transaction():
        rows = await conn.fetch(
            """
            SELECT contact_id FROM erasure
             WHERE tidied_at IS NULL AND swept_at IS NULL AND erased_at < $1
             ORDER BY erased_at LIMIT 100 FOR UPDATE SKIP LOCKED
            """,
            now - SWEPT_AFTER,
        )
        ids = [row["contact_id"] for row in rows]
        if ids:
            await history.forget(conn, ids)
            await _forget_messages(conn, hub.signer, ids)
            for step in STEPS:
                if step.again:
                    await conn.execute(step.statement, ids)
            await conn.execute(
                "UPDATE erasure SET swept_at = now() WHERE contact_id = ANY($1)", ids
            )
    return len(ids)


async def forget_orders(conn: Connection, orders: Sequence[UUID]) -> None:
    """They keep their lines and lose whom they were for, in what others were told of them, too."""
    if orders:
        for statement in ORDER_STEPS:
            await conn.execute(statement, orders)


async def forget(conn: Connection, now: datetime) -> None:
    """That somebody was erased, when nothing is to be done about it any more."""
    await conn.execute("DELETE FROM erasure WHERE tidied_at < $1", now - _NOTED_FOR)


def stand_ins(signer: Signer, provider_id: str) -> list[str]:
    """What is kept instead of a provider's id of a message, which many make of the phone: a receipt finds its
    delivery by it, and nobody the phone. The first is of the present secret, the others were of earlier ones."""
    return [f"erased:{name}" for name in signer.names(_PURPOSE, provider_id)]


async def _erase(conn: Connection, hub: Hub, shop_id: int, contact_id: UUID) -> None:
    ids = await identities(conn, contact_id)
    # In the order in which intake holds those that it writes to.
    await conn.execute(
        "SELECT FROM address WHERE contact_id = ANY($1) ORDER BY digest FOR UPDATE", ids
    )
    held = await _addresses(conn, ids)
    names = await _names(conn, ids)
    labels = [f"{kind}:{value}" for kind, value in held] + names
    await history.forget(conn, ids)
    await _forget_messages(conn, hub.signer, ids)
    await _forget_said(conn, hub.accounts, shop_id, held)
    await _forget_strays(conn, shop_id, [value for _, value in held])
    await _forget_told(conn, shop_id, [*names, *(value for _, value in held)])
    await _take_out_of_events(conn, ids, {*names, *labels})
    await forget_orders(conn, await _orders(conn, ids))
    for step in STEPS:
        await conn.execute(step.statement, ids)
    for statement in BY_LABEL:
        await conn.execute(statement, shop_id, labels)
    await conn.execute(
        """
        INSERT INTO erasure (contact_id, shop_id) SELECT id, $2 FROM unnest($1::uuid[]) AS id
        ON CONFLICT DO NOTHING
        """,
        ids,
        shop_id,
    )


async def _addresses(conn: Connection, ids: Sequence[UUID]) -> list[tuple[Kind, str]]:
    rows = await conn.fetch(
        "SELECT DISTINCT kind, value FROM address WHERE contact_id = ANY($1)", ids
    )
    return [(Kind(row["kind"]), row["value"]) for row in rows]


async def _orders(conn: Connection, ids: Sequence[UUID]) -> list[UUID]:
    rows = await conn.fetch("SELECT id FROM shop_order WHERE buyer_id = ANY($1) FOR UPDATE", ids)
    return [row["id"] for row in rows]


async def _names(conn: Connection, ids: Sequence[UUID]) -> list[str]:
    """By which others know the person."""
    rows = await conn.fetch("SELECT external_id, name FROM contact WHERE id = ANY($1)", ids)
    return [name for row in rows for name in row if name]


async def _forget_messages(conn: Connection, signer: Signer, ids: Sequence[UUID]) -> None:
    rows = await conn.fetch(
        """
        SELECT d.id, d.provider_id
          FROM notification AS n JOIN delivery AS d ON d.notification_id = n.id
         WHERE n.contact_id = ANY($1)
           AND d.provider_id IS NOT NULL AND d.provider_id NOT LIKE 'erased:%'
        """,
        ids,
    )
    await conn.execute(
        """
        UPDATE delivery AS d SET provider_id = t.name
          FROM unnest($1::uuid[], $2::text[]) AS t (id, name) WHERE d.id = t.id AND d.id = ANY($1)
        """,
        [row["id"] for row in rows],
        [stand_ins(signer, row["provider_id"])[0] for row in rows],
    )


async def _forget_said(
    conn: Connection, accounts: AccountBook, shop_id: int, held: Sequence[tuple[Kind, str]]
) -> None:
    """What the person told bots, alone or in a group, and what the sandbox's bots answered. The same number may be
    somebody else in another messenger."""
    known = {one.name: one.channel for one in accounts.listed(shop_id)}
    for channel in Channel:
        values = [value for kind, value in held if kind in KINDS_OF[channel]]
        await conn.execute(
            """
            DELETE FROM sandbox_message
             WHERE shop_id = $1 AND delivery_id IS NULL AND channel = $2 AND address = ANY($3)
            """,
            shop_id,
            channel,
            values,
        )
        others = [name for name, its in known.items() if its is not channel]
        for value in values:
            await conn.execute(
                f"""
                DELETE FROM bot_update
                 WHERE shop_id = $1 AND NOT account = ANY($2)
                   AND (chat = $3 OR jsonb_path_exists(raw, '{SAID_BY}', $4))
                """,  # noqa: S608 (a constant)
                shop_id,
                others,
                value,
                {"text": value, "number": int(value) if value.lstrip("-").isdigit() else value},
            )


async def _forget_strays(conn: Connection, shop_id: int, values: Sequence[str]) -> None:
    """Receipts of messages that we do not know (yet), where they name an address; the others go within the hour."""
    forms = {form for value in values for form in (value, value.removeprefix("+"))}
    await conn.execute(
        """
        DELETE FROM receipt
         WHERE delivery_id IS NULL AND shop_id = $1
           AND (string_to_array(provider_id, ':') && $2
                OR EXISTS (SELECT FROM unnest($2::text[]) AS form
                            WHERE length(form) > 5
                              AND (strpos(provider_id, form) > 0 OR strpos(detail, form) > 0)))
        """,
        shop_id,
        list(forms),
    )


async def _forget_told(conn: Connection, shop_id: int, marks: Sequence[str]) -> None:
    """What shops' platforms said, as long as nobody knows of whom: where it has a name or an address of the person.
    Phones are written in many ways, so that their last ten digits are looked for."""
    digits = {m[-10:] for m in marks if m.startswith("+") and m[1:].isdigit() and len(m) > 10}
    words = [json.dumps(mark, ensure_ascii=False)[1:-1] for mark in marks if len(mark) > 3]
    await conn.execute(
        """
        UPDATE shop_event
           SET payload = NULL, object = '', result = 'ignored', reason = 'erased', leased_by = NULL
         WHERE shop_id = $1 AND contact_id IS NULL AND result IN ('waiting', 'failed')
           AND (object = ANY($4)
                OR EXISTS (SELECT FROM unnest($2::text[]) AS word
                            WHERE strpos(lower(payload::text), lower(word)) > 0)
                OR EXISTS (SELECT FROM unnest($3::text[]) AS number
                            WHERE strpos(regexp_replace(payload::text, '\\D', '', 'g'), number) > 0))
        """,
        shop_id,
        words,
        list(digits),
        list(marks),
    )


async def _take_out_of_events(conn: Connection, ids: Sequence[UUID], names: set[str]) -> None:
    """Events of orders and stock go on without the name: what the backend has not taken yet is still told."""
    rows = await conn.fetch("SELECT id, body FROM event WHERE contacts && $1", ids)
    bodies = [(row["id"], orjson.loads(row["body"])) for row in rows]
    await conn.execute(
        """
        UPDATE event AS e SET body = t.body
          FROM unnest($1::uuid[], $2::bytea[]) AS t (id, body) WHERE e.id = t.id AND e.id = ANY($1)
        """,
        [id_ for id_, _ in bodies],
        [orjson.dumps(_without(body, names)) for _, body in bodies],
    )


_NAMED = frozenset({"seller", "answered_by"})
"""Where an event of orders and stock names people."""


def _without(value: object, names: set[str]) -> object:
    if isinstance(value, Mapping):
        return {
            key: None if key in _NAMED and inner in names else _without(inner, names)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_without(inner, names) for inner in value]
    return value
