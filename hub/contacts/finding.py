"""People as somebody at a desk looks for them: by the shop's id, an address in whatever form, or a name."""

import re
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from hub.contacts import queries
from hub.contacts.addresses import NORMALISE, digest
from hub.contacts.model import Contact
from hub.db.pool import Db

LONGEST = 320
"""Of what is looked for: the longest address that there is."""

_LOOKED_AT = 500
"""So many of one name are looked at: whoever looks for a frequent one has to say more."""

_WORD = re.compile(r"[^\W_]+")
_FEWEST_LETTERS = 2


async def by_id(db: Db, shop_id: int, id_: UUID) -> Contact | None:
    """Also the receiver of one-off messages, and a group."""
    found = await queries.by_ids(db, shop_id, [id_])
    return found[0] if found else None


async def find(db: Db, shop_id: int, text: str, *, limit: int = 50) -> list[Contact]:
    """Those whom the shop calls exactly so or who have exactly this address; then those whose name has a word for each
    of the words here that begins with it. At most `limit`, without receivers of one-off messages."""
    ids = await ids_of(db, shop_id, text, limit=limit)
    found = {one.id: one for one in await queries.by_ids(db, shop_id, ids)}
    return [found[id_] for id_ in ids if id_ in found and found[id_].external_id is not None]


async def ids_of(db: Db, shop_id: int, text: str, *, limit: int = 50) -> list[UUID]:
    """As `find`, with those who are known by an address only."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        return []
    exact = await db.fetch(
        """
        SELECT id, 0 AS place FROM contact WHERE shop_id = $1 AND external_id = $2
         UNION ALL
        SELECT contact_id, 1 FROM address WHERE shop_id = $1 AND digest = ANY($3)
         ORDER BY place, id DESC LIMIT $4
        """,
        shop_id,
        text,
        digests(text),
        limit,
    )
    ids = [row["id"] for row in exact]
    if words := _prefixes(text):
        ids += await _named(db, shop_id, words, limit)
    return list(dict.fromkeys(ids))[:limit]


async def _named(db: Db, shop_id: int, words: str, limit: int) -> list[UUID]:
    # The newest of the first few hundred: to sort all of a frequent name would take as long as there are of them.
    rows = await db.fetch(
        """
        SELECT id FROM (
            SELECT id FROM contact
             WHERE to_tsvector('simple', lower(name)) @@ to_tsquery('simple', lower($2))
               AND external_id IS NOT NULL AND name <> '' AND shop_id = $1
             LIMIT $3) AS first_few
         ORDER BY id DESC LIMIT $4
        """,
        shop_id,
        words,
        _LOOKED_AT,
        limit,
    )
    return [row["id"] for row in rows]


def digests(text: str) -> list[bytes]:
    """Of every address that this may be."""
    found = []
    # The part before the @ is kept as it was given, which is mostly in small letters, whoever shouts it into a telephone.
    for said in {text, text.lower()}:
        for kind, normalise in NORMALISE.items():
            with suppress(ValueError):
                found.append(digest(kind, normalise(said)))
    return found


def _prefixes(text: str) -> str:
    """For `to_tsquery`; empty where nothing would narrow it down."""
    words: Sequence[str] = _WORD.findall(text)
    if not any(len(word) >= _FEWEST_LETTERS for word in words):
        return ""
    return " & ".join(f"{word}:*" for word in words)
