"""The shops' own versions in the database."""

import asyncpg

from channels.base import Category, Channel
from hub.content.model import Audience, Source, Variant, Version
from hub.db.pool import Connection, Db

_COLUMNS = (
    "id, shop_id, name, channel, locale, audience, number, category, subject, text, html,"
    " deleted, author, created_at"
)


async def newest_id(db: Db) -> int:
    """Of all shops; 0 where nothing was ever stored. One look at the end of the primary key."""
    return await db.fetchval("SELECT max(id) FROM template_version") or 0


async def in_force_since(db: Db, id_: int) -> list[Version]:
    """The newest version of every variant that has one above that id, over all shops, deleted ones included."""
    rows = await db.fetch(
        f"""
        SELECT DISTINCT ON (shop_id, name, channel, locale, audience) {_COLUMNS}
          FROM template_version
         WHERE id > $1
         ORDER BY shop_id, name, channel, locale, audience, number DESC
        """,  # noqa: S608
        id_,
    )
    return [_version(row) for row in rows]


async def versions(db: Db, shop_id: int, name: str) -> list[Version]:
    """All that the shop ever stored under a name, newest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM template_version WHERE shop_id = $1 AND name = $2 ORDER BY id DESC",  # noqa: S608
        shop_id,
        name,
    )
    return [_version(row) for row in rows]


async def versions_of(
    db: Db, shop_id: int, name: str, variant: Variant, *, limit: int, below: int | None = None
) -> list[Version]:
    """Of one variant, newest first; `below`: only older ones than that number."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM template_version
         WHERE shop_id = $1 AND name = $2 AND channel = $3 AND locale = $4 AND audience = $5
           AND number < coalesce($6, 2147483647)
         ORDER BY number DESC LIMIT $7
        """,  # noqa: S608
        shop_id,
        name,
        variant.channel,
        variant.locale,
        variant.audience,
        below,
        limit,
    )
    return [_version(row) for row in rows]


async def lock(connection: Connection) -> None:
    """Until the end of the transaction: nobody else adds versions, everybody may read."""
    await connection.execute("LOCK TABLE template_version IN SHARE ROW EXCLUSIVE MODE")


async def in_force(db: Db, shop_id: int, name: str) -> list[Version]:
    """The newest version of each variant of one template, deleted ones left out."""
    rows = await db.fetch(
        f"""
        SELECT * FROM (
            SELECT DISTINCT ON (channel, locale, audience) {_COLUMNS}
              FROM template_version
             WHERE shop_id = $1 AND name = $2
             ORDER BY channel, locale, audience, number DESC
        ) AS newest
         WHERE NOT deleted
        """,  # noqa: S608
        shop_id,
        name,
    )
    return [_version(row) for row in rows]


async def add_version(
    connection: Connection,
    shop_id: int,
    name: str,
    variant: Variant,
    *,
    category: Category,
    source: Source | None,
    author: str,
) -> Version:
    """The next version of a variant; no `source`: back to the built-in one. Needs `lock`."""
    [row] = await connection.fetch(
        f"""
        INSERT INTO template_version
               (shop_id, name, channel, locale, audience, number, category, subject, text, html, deleted, author)
        SELECT $1, $2, $3, $4, $5, coalesce(max(number), 0) + 1, $6, $7, $8, $9, $10, $11
          FROM template_version
         WHERE shop_id = $1 AND name = $2 AND channel = $3 AND locale = $4 AND audience = $5
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        shop_id,
        name,
        variant.channel,
        variant.locale,
        variant.audience,
        category,
        source.subject if source else "",
        source.text if source else "",
        source.html if source else "",
        source is None,
        author,
    )
    return _version(row)


def _version(row: asyncpg.Record) -> Version:
    return Version(
        id=row["id"],
        shop_id=row["shop_id"],
        name=row["name"],
        variant=Variant(Channel(row["channel"]), row["locale"], Audience(row["audience"])),
        number=row["number"],
        category=Category(row["category"]),
        source=Source(row["subject"], row["text"], row["html"]),
        deleted=row["deleted"],
        author=row["author"],
        created_at=row["created_at"],
    )
