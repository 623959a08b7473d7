"""Wrong sign-ins, counted by login and by address in the database, so that all processes know of them and a restart
forgets none."""

import hmac
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from uuid import UUID

from hub.db.pool import Db, transaction
from hub.errors import LimitExceeded
from hub.ids import new_id
from hub.tokens import Signer

WINDOW = timedelta(minutes=15)
OF_LOGIN = 5
OF_ADDRESS = 20
"""Whole offices have one."""

_PURPOSE = "console-try"


def key_of_login(signer: Signer, login: str) -> bytes:
    return hmac.digest(signer.key(_PURPOSE), b"login:" + login.encode("utf-8", "replace"), "sha256")


def key_of_address(signer: Signer, address: str) -> bytes:
    """Whoever has one address of IPv6 has 64 bits of them."""
    try:
        ip = ip_address(address)
    except ValueError:
        shown = address
    else:
        shown = str(ip)
        if isinstance(ip, IPv6Address):
            shown = str(ip_network((int(ip) >> 64 << 64, 64)))
    return hmac.digest(signer.key(_PURPOSE), b"address:" + shown.encode(), "sha256")


async def begin(db: Db, key: bytes, most: int) -> UUID:
    """Counts one before it is known whether it is wrong: many at once gain nothing. Raises `LimitExceeded`."""
    async with transaction(db) as connection:
        # One at a time for each key, or all would see the same count.
        await connection.execute(
            "SELECT pg_advisory_xact_lock($1)", int.from_bytes(key[:8], "big", signed=True)
        )
        row = await connection.fetchrow(
            """
            SELECT count(*) AS tries, $2::interval - (now() - min(at)) AS wait FROM (
                SELECT at FROM operator_try WHERE key = $1 AND at > now() - $2::interval
                 ORDER BY at DESC LIMIT $3) AS last
            """,
            key,
            WINDOW,
            most,
        )
        assert row is not None  # noqa: S101 (a count has a row)
        if row["tries"] >= most:
            raise LimitExceeded("too many wrong sign-ins", after=row["wait"])
        id_ = new_id()
        await connection.execute("INSERT INTO operator_try (id, key) VALUES ($1, $2)", id_, key)
    return id_


async def forgive(db: Db, *ids: UUID) -> None:
    """They were right."""
    await db.execute("DELETE FROM operator_try WHERE id = ANY($1)", list(ids))


async def forget(db: Db, key: bytes) -> None:
    """Whoever is in has no wrong ones before him any more."""
    await db.execute("DELETE FROM operator_try WHERE key = $1", key)


async def sweep(db: Db) -> None:
    await db.execute("DELETE FROM operator_try WHERE at < now() - $1::interval", WINDOW)
