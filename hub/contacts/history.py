"""What people agreed to, change by change: kept as proof, and when they are erased, as a proof without them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from channels.base import Channel
from hub.audit.model import SYSTEM, Actor
from hub.contacts.addresses import KINDS_OF, digest_at, normalise
from hub.db.pool import Connection, Db


@dataclass(frozen=True, slots=True)
class Said:
    """One change of a consent. `state` None: taken back. `via`: by what it came. `said_at` None: now.

    `changed` False: the state is as it was, and only what is new about it (other words, another time) is worth a
    line.
    """

    contact_id: UUID
    category: str
    channel: str
    state: str | None
    via: str
    by: Actor = SYSTEM
    source: str = ""
    wording: str = ""
    said_at: datetime | None = None
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """As it is kept. `addresses`: those that the person had on the channel. `proof`: the digest of the line."""

    id: int
    category: str
    channel: str
    state: str | None
    via: str
    source: str
    wording: str
    said_at: datetime
    at: datetime
    key_id: UUID | None
    key: str
    remote: str
    addresses: tuple[str, ...]
    proof: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What is left of a line when the person was erased."""

    id: int
    category: str
    channel: str
    state: str | None
    via: str
    said_at: datetime
    at: datetime
    erased_at: datetime
    proof: str


async def note(conn: Connection, said: Sequence[Said]) -> None:
    """In the caller's transaction, after the addresses were written. A repeat of what was said before is none."""
    if not said:
        return
    await conn.execute(
        """
        INSERT INTO consent_event (shop_id, contact_id, category, channel, state, via, source, wording,
                                   said_at, actor_id, actor_name, request_id, remote, addresses)
        SELECT c.shop_id, c.id, t.category, t.channel, t.state, t.via, t.source, t.wording,
               coalesce(t.said_at, now()), t.actor_id, t.actor_name, t.request_id, t.remote,
               ARRAY(SELECT a.value FROM address AS a
                      WHERE a.contact_id = c.id AND a.kind = ANY(string_to_array(t.kinds, ','))
                      ORDER BY a.kind, a.id)
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                      $8::timestamptz[], $9::uuid[], $10::text[], $11::text[], $12::text[], $13::text[],
                      $14::boolean[]) WITH ORDINALITY
            AS t (contact_id, category, channel, state, via, source, wording, said_at, actor_id, actor_name,
                  request_id, remote, kinds, changed, place)
          JOIN contact AS c ON c.id = t.contact_id
         WHERE t.changed OR NOT EXISTS (
               SELECT FROM consent_event AS e
                WHERE e.contact_id = t.contact_id AND e.category = t.category AND e.channel = t.channel
                  AND e.state = t.state AND e.source = t.source AND e.wording = t.wording
                  AND (t.said_at IS NULL OR e.said_at = t.said_at))
         ORDER BY t.place
        """,
        [one.contact_id for one in said],
        [one.category for one in said],
        [one.channel for one in said],
        [one.state for one in said],
        [one.via for one in said],
        [one.source for one in said],
        [one.wording for one in said],
        [one.said_at for one in said],
        [one.by.id for one in said],
        [one.by.name for one in said],
        [one.by.request_id for one in said],
        [one.by.remote for one in said],
        [kinds_of(one.channel) for one in said],
        [one.changed for one in said],
    )


async def adopt(conn: Connection, *, limit: int) -> int:
    """Consents from before there was a history get their first line: those that a version without one has written.
    How many; 0: there are no more."""
    rows = await conn.fetch(
        """
        SELECT k.contact_id, k.category, k.channel, k.state, k.source, k.changed_at
          FROM consent AS k
         WHERE NOT EXISTS (SELECT FROM consent_event AS e
                            WHERE e.contact_id = k.contact_id AND e.category = k.category
                              AND e.channel = k.channel)
         ORDER BY k.contact_id LIMIT $1 FOR NO KEY UPDATE OF k SKIP LOCKED
        """,
        limit,
    )
    said = [
        Said(
            r["contact_id"],
            r["category"],
            r["channel"],
            r["state"],
            r["source"],
            said_at=r["changed_at"],
        )
        for r in rows
    ]
    await note(conn, said)
    return len(said)


def kinds_of(channel: str) -> str:
    """Of the addresses on a channel, for SQL."""
    return ",".join(KINDS_OF[Channel(channel)])


_LINES = """
SELECT id, category, channel, state, via, source, wording, said_at, at, actor_id, actor_name, remote, addresses
  FROM consent_event
"""


async def page(
    db: Db, contacts: Sequence[UUID], *, before: int | None = None, limit: int | None = None
) -> list[Line]:
    """Of these contacts, the newest first; `before`: the last id of the page before."""
    rows = await db.fetch(
        f"{_LINES} WHERE contact_id = ANY($1) AND erased_at IS NULL"
        " AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        contacts,
        before,
        limit,
    )
    return [_line(row) for row in rows]


async def forget(conn: Connection, contacts: Sequence[UUID]) -> None:
    """Of each line only the proof stays."""
    rows = await conn.fetch(
        f"{_LINES} WHERE contact_id = ANY($1) AND erased_at IS NULL ORDER BY id", contacts
    )
    lines = [_line(row) for row in rows]
    await conn.execute(
        """
        UPDATE consent_event AS e
           SET source = '', wording = '', remote = '', addresses = '{}', actor_id = NULL, actor_name = '',
               request_id = '', erased_at = now(), proof = decode(t.proof, 'hex'),
               digests = ARRAY(SELECT decode(one, 'hex') FROM unnest(string_to_array(t.digests, ',')) AS one)
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, proof, digests)
         WHERE e.id = t.id
        """,
        [line.id for line in lines],
        [line.proof for line in lines],
        [",".join(_digests(line.channel, line.addresses)) for line in lines],
    )


async def proofs(db: Db, shop_id: int, channel: Channel, value: str) -> list[Proof]:
    """What is left of those who were erased and had this address (in its stored form), the oldest first."""
    rows = await db.fetch(
        """
        SELECT id, category, channel, state, via, said_at, at, erased_at, encode(proof, 'hex') AS proof
          FROM consent_event
         WHERE erased_at IS NOT NULL AND digests @> ARRAY[$3::bytea] AND shop_id = $1 AND channel = $2
         ORDER BY id
        """,
        shop_id,
        channel,
        digest_at(channel, value),
    )
    return [Proof(**dict(row)) for row in rows]


def _digests(channel: str, values: Iterable[str]) -> Iterable[str]:
    for value in values:
        try:
            stored = normalise(Channel(channel), value)
        except ValueError:
            # A push device is found by no address.
            stored = value
        yield digest_at(Channel(channel), stored).hex()


def _line(row: Any) -> Line:
    fields = dict(row)
    fields["key_id"], fields["key"] = fields.pop("actor_id"), fields.pop("actor_name")
    fields["addresses"] = tuple(fields["addresses"])
    return Line(**fields, proof=_proof(fields))


def _proof(fields: dict[str, Any]) -> str:
    """SHA-256 of the line as JSON: names sorted, no spaces, without its id and proof. Whoever has kept the line
    that an export or `GET …/consents` showed can show that it is the one that was kept here."""
    told = {name: value for name, value in fields.items() if name != "id"}
    told |= {name: _moment(told[name]) for name in ("said_at", "at")}
    told["key_id"] = str(told["key_id"]) if told["key_id"] else None
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def shown(line: Line) -> dict[str, Any]:
    """As an export shows it: the very names and values of which the proof is made."""
    return {
        "category": line.category,
        "channel": line.channel,
        "state": line.state,
        "via": line.via,
        "source": line.source,
        "wording": line.wording,
        "said_at": _moment(line.said_at),
        "at": _moment(line.at),
        "key_id": str(line.key_id) if line.key_id else None,
        "key": line.key,
        "remote": line.remote,
        "addresses": list(line.addresses),
        "proof": line.proof,
    }
