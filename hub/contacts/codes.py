"""Short codes that are typed where a link cannot be opened: how they look, what is kept of them, who may guess."""

import hmac
import re
import secrets
from collections.abc import Collection
from datetime import timedelta
from hashlib import sha256

from channels.base import Channel
from hub.contacts.addresses import digest_at
from hub.db.pool import Connection, Db
from hub.tokens import Signer

MOST_WRONG = 5
WITHIN = timedelta(hours=1)
"""So many different wrong codes in so long from one chat or person; then none is looked at any more."""

_DIGITS = "23456789"
# Without 0 and O, 1, I and L, U and V: 30 signs, 39 bits.
_ALPHABET = _DIGITS + "ABCDEFGHJKMNPQRSTVWXYZ"
_HALF = 4
# What a Russian keyboard gives for letters that look the same.
_LATIN = str.maketrans("АВЕКМНРСТУХ", "ABEKMHPCTYX")
_LOOK = re.compile(rf"[{_ALPHABET}]{{{2 * _HALF}}}")
# Phones make long ones of them.
_DASHES = re.compile(r"[\s\-‐‑‒–—−]")


def new() -> str:
    """As it is shown: `K7QM-4TXP`."""
    while True:
        code = "".join(secrets.choice(_ALPHABET) for _ in range(2 * _HALF))
        if read(code):
            return f"{code[:_HALF]}-{code[_HALF:]}"


def read(text: str) -> str | None:
    """The code that somebody typed, in the one form of which digests are made; None: this is none.

    A code has both letters and digits, so that neither a word nor a number is taken for one.
    """
    code = _DASHES.sub("", text).upper().translate(_LATIN)
    if not _LOOK.fullmatch(code) or code.isalpha() or code.isdigit():
        return None
    return code


def digest(signer: Signer, shop_id: int, channel: Channel, code: str) -> bytes:
    """What is kept of a code, given in either form. With the hub's secret: without it a copy of the database
    would tell every code within minutes."""
    return digests(signer, shop_id, channel, code)[0]


def digests(signer: Signer, shop_id: int, channel: Channel, code: str) -> list[bytes]:
    """The one that would be kept now, then those that were kept under earlier secrets."""
    text = f"{shop_id}:{channel}:{read(code)}"
    return [hmac.digest(key, text.encode(), sha256) for key in signer.keys("link-code")]


async def may_guess(
    conn: Connection, shop_id: int, channel: Channel, addresses: Collection[str]
) -> bool:
    """Whether a code from there is looked at. `addresses`: the chat and, in a group, the person, in their stored
    form. Until the end of the caller's transaction nobody else guesses from there, so that many at once are no
    more than many in turn."""
    digests = _digests(channel, addresses)
    for one in digests:
        lock = int.from_bytes(one[:8], "big", signed=True)
        await conn.execute("SELECT pg_advisory_xact_lock($1)", lock)
    most = await conn.fetchval(
        """
        SELECT coalesce(max(count), 0) FROM (
            SELECT count(*) FROM code_guess
             WHERE shop_id = $1 AND digest = ANY($2) AND guessed_at > now() - $3::interval
             GROUP BY digest) AS wrong
        """,
        shop_id,
        digests,
        WITHIN,
    )
    return bool(most < MOST_WRONG)


async def note_wrong(
    conn: Connection, shop_id: int, channel: Channel, addresses: Collection[str], key: bytes
) -> None:
    """`key`: the digest of what was typed. The same once more is no further guess."""
    await conn.execute(
        """
        INSERT INTO code_guess (shop_id, digest, code_digest)
        SELECT $1, digest, $3 FROM unnest($2::bytea[]) AS digest
        ON CONFLICT (shop_id, digest, code_digest) DO UPDATE SET guessed_at = now()
        """,
        shop_id,
        _digests(channel, addresses),
        key,
    )


async def forget(db: Db) -> None:
    """Drops guesses that count no more."""
    await db.execute("DELETE FROM code_guess WHERE guessed_at < now() - $1::interval", WITHIN)


def _digests(channel: Channel, addresses: Collection[str]) -> list[bytes]:
    """In one order for everybody, as locks are taken by it."""
    return sorted({digest_at(channel, value) for value in addresses})
