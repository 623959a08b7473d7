"""Where the provider `sandbox` keeps its messages: readable through the API, leaving the machine to nobody."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from channels.base import Channel, Message
from hub.db.pool import Db
from hub.ids import new_id

KEPT = 10_000
"""Messages of a shop; the tick drops older ones."""


def keeper(db: Db, shop_id: int) -> Callable[[Channel, Sequence[Message]], Awaitable[list[str]]]:
    """What the sandbox adapter of one shop calls instead of a provider; gives the kept messages' ids."""

    async def keep(channel: Channel, messages: Sequence[Message]) -> list[str]:
        ids = [new_id() for _ in messages]
        await db.execute(
            """
            INSERT INTO sandbox_message
                (id, shop_id, delivery_id, channel, address, subject, text, html, buttons)
            SELECT id, $1, delivery_id, $2, address, subject, text, html, buttons::jsonb
              FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                          $9::text[])
                AS t (id, delivery_id, address, subject, text, html, buttons)
            """,
            shop_id,
            channel,
            ids,
            [UUID(m.key) for m in messages],
            [m.to for m in messages],
            [m.subject for m in messages],
            [m.text for m in messages],
            [m.html for m in messages],
            # As text: asyncpg takes lists inside a list for dimensions of the array.
            [_buttons(m) for m in messages],
        )
        return [str(id_) for id_ in ids]

    return keep


def changer(db: Db, shop_id: int) -> Callable[[str, Message], Awaitable[bool]]:
    """What the sandbox adapter of one shop calls to edit a kept message; False: it was dropped."""

    async def change(id_: str, message: Message) -> bool:
        changed = await db.fetchval(
            """
            UPDATE sandbox_message
               SET subject = $3, text = $4, html = $5, buttons = $6::text::jsonb, edited_at = now()
             WHERE id = $1 AND shop_id = $2
            RETURNING true
            """,
            UUID(id_),
            shop_id,
            message.subject,
            message.text,
            message.html,
            _buttons(message),
        )
        return bool(changed)

    return change


def _buttons(message: Message) -> str:
    rows = [
        [{"text": b.text, "data": b.data, "url": b.url} for b in row] for row in message.buttons
    ]
    return orjson.dumps(rows).decode()


async def say(db: Db, shop_id: int, channel: Channel, message: Message) -> None:
    """Keeps what a bot answers: a message that belongs to no delivery."""
    await db.execute(
        """
        INSERT INTO sandbox_message (id, shop_id, channel, address, text, html, buttons)
        VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb)
        """,
        new_id(),
        shop_id,
        channel,
        message.to,
        message.text,
        message.html,
        _buttons(message),
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """`delivery_id` is None for what a bot answered; `notification_id` also once the delivery's own row is
    gone."""

    id: UUID
    notification_id: UUID | None
    delivery_id: UUID | None
    channel: Channel
    to: str
    subject: str
    text: str
    html: str
    buttons: list[list[dict[str, Any]]]
    created_at: datetime
    edited_at: datetime | None


async def one(db: Db, shop_id: int, id_: UUID) -> Kept | None:
    row = await db.fetchrow(
        f"{_KEPT} FROM sandbox_message AS m WHERE m.shop_id = $1 AND m.id = $2", shop_id, id_
    )
    return _kept(row) if row else None


async def of_deliveries(db: Db, shop_id: int, ids: Sequence[UUID]) -> dict[UUID, Kept]:
    """What was kept of these deliveries; of one that was sent twice, the last."""
    rows = await db.fetch(
        f"{_KEPT} FROM sandbox_message AS m WHERE m.shop_id = $1 AND m.delivery_id = ANY($2) ORDER BY m.id",
        shop_id,
        list(ids),
    )
    return {row["delivery_id"]: _kept(row) for row in rows}


_KEPT = """
SELECT m.id, (SELECT notification_id FROM delivery AS d WHERE d.id = m.delivery_id),
       m.delivery_id, m.channel, m.address AS "to", m.subject, m.text, m.html, m.buttons,
       m.created_at, m.edited_at
"""


def _kept(row: Any) -> Kept:
    return Kept(**dict(row) | {"channel": Channel(row["channel"])})


async def kept(
    db: Db,
    shop_id: int,
    *,
    channel: Channel | None = None,
    to: str | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[Kept]:
    """Newest first."""
    rows = await db.fetch(
        f"""
        WITH m AS (
            SELECT * FROM sandbox_message
             WHERE shop_id = $1
               AND ($2::text IS NULL OR channel = $2)
               AND ($3::text IS NULL OR address = $3)
               AND ($4::uuid IS NULL OR id < $4)
             ORDER BY id DESC LIMIT $5
        )
        {_KEPT} FROM m ORDER BY m.id DESC
        """,  # noqa: S608 (constants)
        shop_id,
        channel,
        to,
        before,
        limit,
    )
    return [_kept(row) for row in rows]


async def trim(db: Db) -> None:
    """Keeps the newest `KEPT` messages of every shop."""
    await db.execute(
        """
        DELETE FROM sandbox_message AS m
         USING shop
         WHERE m.shop_id = shop.id
           AND m.id < (SELECT id FROM sandbox_message
                        WHERE shop_id = shop.id ORDER BY id DESC OFFSET $1 LIMIT 1)
        """,
        KEPT,
    )
