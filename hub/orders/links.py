"""Links to the page where one person can answer one question, short enough for an SMS."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

from hub.db.pool import Db
from hub.orders.model import STAGES, Kind, OrderStatus
from hub.resources import Hub
from hub.tokens import Signer

LIFETIME = timedelta(days=7)
"""Of a link, from the last message that carried it."""

_PURPOSE = "answer"
# 96 bits: nobody guesses one, and with the address of the hub and the question it stays one SMS part.
_LETTERS = 16


_CORRECTABLE = [str(s) for s, stage in STAGES.items() if stage < STAGES[OrderStatus.PAID]]


class NoLink(Enum):
    """Why a token opens nothing."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked what: `about` is the stock request or the assembly."""

    shop_id: int
    kind: Kind
    about: UUID
    contact_id: UUID


async def answer_urls(hub: Hub, db: Db, asked: Collection[Asked]) -> Mapping[Asked, str]:
    """The same link for the same person and question each time; it lives `LIFETIME` from now.

    One statement. Whoever opens it answers in that person's name, so it goes to that person alone: never
    into a group chat.
    """
    tokens = {one: _token(hub.signer, one) for one in asked}
    # In one order for everybody, so that two workers never wait for each other.
    rows = sorted((_digest(token), one) for one, token in tokens.items())
    await db.execute(
        """
        INSERT INTO answer_link (digest, shop_id, kind, about, contact_id, expires_at)
        SELECT t.digest, t.shop_id, t.kind, t.about, c.id, $6
          FROM unnest($1::bytea[], $2::smallint[], $3::text[], $4::uuid[], $5::uuid[])
            AS t (digest, shop_id, kind, about, contact_id)
          JOIN contact AS c ON c.id = t.contact_id
         ORDER BY t.digest
        ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at
        """,
        [digest for digest, _ in rows],
        [one.shop_id for _, one in rows],
        [one.kind for _, one in rows],
        [one.about for _, one in rows],
        [one.contact_id for _, one in rows],
        datetime.now(UTC) + LIFETIME,
    )
    return {one: f"{hub.settings.public_url}/a/{token}" for one, token in tokens.items()}


async def read(hub: Hub, token: str, *, now: datetime) -> Asked | NoLink:
    """What a token stands for. The question itself may be answered or withdrawn by now."""
    row = await hub.db.fetchrow(
        "SELECT shop_id, kind, about, contact_id, expires_at FROM answer_link WHERE digest = $1",
        _digest(token),
    )
    if row is None:
        return NoLink.UNKNOWN
    asked = Asked(row["shop_id"], Kind(row["kind"]), row["about"], row["contact_id"])
    # A row that was put there without the hub's secret opens nothing.
    if not any(compare_digest(ours, token) for ours in _tokens(hub.signer, asked)):
        return NoLink.UNKNOWN
    return asked if now < row["expires_at"] else NoLink.EXPIRED


async def own_answers(db: Db, asked: Asked, *, now: datetime) -> Mapping[str, datetime | None]:
    """The lines that this person has answered himself, by their ids, and until when he may correct each; None:
    no more."""
    rows = await db.fetch(
        """
        SELECT k.line_id,
               CASE WHEN k.final_at > $4 AND o.status = ANY($5::text[]) THEN k.final_at END AS until
          FROM stock_line AS k
          JOIN stock_request AS r ON r.id = k.stock_request_id
          JOIN shop_order AS o ON o.id = r.order_id
         WHERE k.shop_id = $1 AND k.stock_request_id = $2 AND k.answered_by = $3
        """,
        asked.shop_id,
        asked.about,
        asked.contact_id,
        now,
        _CORRECTABLE,
    )
    return {row["line_id"]: row["until"] for row in rows}


def _token(signer: Signer, asked: Asked) -> str:
    return _tokens(signer, asked)[0]


def _tokens(signer: Signer, asked: Asked) -> list[str]:
    names = signer.names(_PURPOSE, f"{asked.kind}:{asked.about}:{asked.contact_id}")
    return [name[:_LETTERS] for name in names]


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
