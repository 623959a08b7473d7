"""Sessions: a token of 256 bits in a cookie, of which the digest is kept; looked up anew for every request, so that
one that was revoked is over at once."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from hub.db.pool import Connection, Db
from hub.ids import new_id
from hub.operators.model import IDLE, LONGEST, Membership, Operator, Right, Role, Session

_SEEN_EVERY = timedelta(minutes=1)
_TOKEN_BYTES = 32
_LONGEST_AGENT = 200


async def begin(
    db: Connection, operator_id: UUID, *, remote: str, agent: str
) -> tuple[Session, str]:
    """A new one, and its token, which cannot be had again."""
    token, now = secrets.token_urlsafe(_TOKEN_BYTES), datetime.now(UTC)
    session = Session(
        new_id(),
        operator_id,
        secrets.token_urlsafe(_TOKEN_BYTES),
        remote,
        "".join(c for c in agent if c.isprintable())[:_LONGEST_AGENT],
        now,
        now,
        now + LONGEST,
    )
    await db.execute(
        """
        INSERT INTO operator_session (id, operator_id, token_digest, csrf, remote, agent, created_at, seen_at,
                                      expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
        """,
        session.id,
        operator_id,
        digest(token),
        session.csrf,
        remote,
        session.agent,
        now,
        session.expires_at,
    )
    return session, token


async def find(db: Db, token: str, *, is_use: bool = True) -> tuple[Operator, Session] | None:
    """Of a token that is good now. `is_use`: keeps the session from being idle."""
    row = await db.fetchrow(
        """
        SELECT s.id AS session_id, s.operator_id, s.csrf, s.remote, s.agent, s.created_at, s.seen_at, s.expires_at,
               o.login, o.name, o.locale, o.timezone, o.theme, o.totp_secret IS NOT NULL AS totp,
               (SELECT jsonb_agg(jsonb_build_array(m.shop_id, m.role, m.also, m.without))
                  FROM operator_shop AS m WHERE m.operator_id = o.id) AS shops
          FROM operator_session AS s JOIN operator AS o ON o.id = s.operator_id
         WHERE s.token_digest = $1 AND s.expires_at > now() AND s.seen_at > now() - $2::interval
           AND o.disabled_at IS NULL
        """,
        digest(token),
        IDLE,
    )
    if row is None:
        return None
    session = _session(row)
    if is_use and datetime.now(UTC) - session.seen_at > _SEEN_EVERY:
        await db.execute(
            "UPDATE operator_session SET seen_at = now() WHERE id = $1 AND seen_at < now() - $2::interval",
            session.id,
            _SEEN_EVERY,
        )
    return operator_of(row["operator_id"], row), session


async def of(db: Db, operator_id: UUID) -> list[Session]:
    """Those that are good now, the last used first."""
    rows = await db.fetch(
        """
        SELECT id AS session_id, operator_id, csrf, remote, agent, created_at, seen_at, expires_at
          FROM operator_session
         WHERE operator_id = $1 AND expires_at > now() AND seen_at > now() - $2::interval
         ORDER BY seen_at DESC LIMIT 100
        """,
        operator_id,
        IDLE,
    )
    return [_session(row) for row in rows]


async def end(
    db: Db, operator_id: UUID, *, only: UUID | None = None, but: UUID | None = None
) -> Sequence[UUID]:
    """All of somebody's, or `only` one, or all `but` one; which there were."""
    rows = await db.fetch(
        """
        DELETE FROM operator_session
         WHERE operator_id = $1 AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3)
        RETURNING id
        """,
        operator_id,
        only,
        but,
    )
    return [row["id"] for row in rows]


async def sweep(db: Db) -> None:
    """What is over and of no use any more."""
    await db.execute(
        "DELETE FROM operator_session WHERE expires_at < now() OR seen_at < now() - $1::interval",
        IDLE,
    )


def digest(token: str) -> bytes:
    """Of something that is random enough to need no salt."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def operator_of(id_: UUID, row: asyncpg.Record) -> Operator:
    return Operator(
        id_,
        row["login"],
        row["name"],
        row["locale"],
        row["timezone"],
        row["theme"],
        row["totp"],
        {shop: membership_of(*rest) for shop, *rest in row["shops"] or ()},
    )


def membership_of(role: str, also: Sequence[str], without: Sequence[str]) -> Membership:
    return Membership(Role(role), frozenset(map(Right, also)), frozenset(map(Right, without)))


def _session(row: asyncpg.Record) -> Session:
    return Session(
        row["session_id"],
        row["operator_id"],
        row["csrf"],
        row["remote"],
        row["agent"],
        row["created_at"],
        row["seen_at"],
        row["expires_at"],
    )
