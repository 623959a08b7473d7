"""SQL of contacts and their addresses."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from hub.config import Locale
from hub.contacts.addresses import Kind, digest
from hub.contacts.model import Address, Contact, Role
from hub.db.pool import Connection, Db
from hub.ids import new_id

_COLUMNS = """
    c.id, c.external_id, c.role, c.name, c.locale, c.timezone, c.attributes, c.preferences,
    c.warehouses, c.created_at, c.updated_at,
    coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', a.id, 'kind', a.kind, 'value', a.value,
                                            'provider', a.provider, 'verified', a.verified)
                         ORDER BY a.kind, a.id)
          FROM address AS a WHERE a.contact_id = c.id
    ), '[]') AS addresses,
    coalesce((
        SELECT jsonb_agg(jsonb_build_array(s.category, s.channel, s.state)
                         ORDER BY s.category, s.channel)
          FROM consent AS s WHERE s.contact_id = c.id
    ), '[]') AS consents
"""


async def by_external_ids(db: Db, shop_id: int, external_ids: Sequence[str]) -> dict[str, Contact]:
    """Those there are, by their external_id."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM contact AS c WHERE c.shop_id = $1 AND c.external_id = ANY($2)",  # noqa: S608
        shop_id,
        external_ids,
    )
    return {row["external_id"]: _contact(row) for row in rows}


async def by_ids(db: Db, shop_id: int, ids: Sequence[UUID]) -> list[Contact]:
    """Those there are, the newest first; receivers of one-off messages and groups, too."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM contact AS c WHERE c.shop_id = $1 AND c.id = ANY($2) ORDER BY c.id DESC",  # noqa: S608
        shop_id,
        ids,
    )
    return [_contact(row) for row in rows]


async def page(
    db: Db, shop_id: int, *, role: Role | None, before: UUID | None, limit: int
) -> list[Contact]:
    """The newest first; `before` is the last one of the page before."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM contact AS c
         WHERE c.shop_id = $1 AND c.external_id IS NOT NULL
           AND ($2::text IS NULL OR c.role = $2)
           AND ($3::uuid IS NULL OR c.id < $3)
         ORDER BY c.id DESC
         LIMIT $4
        """,  # noqa: S608
        shop_id,
        role,
        before,
        limit,
    )
    return [_contact(row) for row in rows]


async def lock(conn: Connection, shop_id: int, external_ids: Sequence[str]) -> None:
    """Holds these contacts until the transaction ends, in one order for everybody: so nobody waits for
    somebody who waits for him."""
    await conn.fetch(
        """
        SELECT id FROM contact
         WHERE shop_id = $1 AND external_id = ANY($2)
         ORDER BY external_id
           FOR NO KEY UPDATE
        """,
        shop_id,
        external_ids,
    )


async def hold(conn: Connection, id_: UUID) -> bool:
    """Locks one by its id, as a change of it does. False: there is none (any more)."""
    return bool(
        await conn.fetchval("SELECT true FROM contact WHERE id = $1 FOR NO KEY UPDATE", id_)
    )


async def add(conn: Connection, shop_id: int, contacts: Sequence[Contact]) -> set[UUID]:
    """The ids of those added; one whose external_id somebody else has just added is left alone.

    In the order of external_id, as `lock` does. The addresses' foreign keys are checked when the whole
    statement is done.
    """
    contacts = sorted(contacts, key=lambda contact: contact.external_id or "")
    owners, held = _flat(contacts)
    consents = [(c.id, *consent) for c in contacts for consent in _consents(c)]
    rows = await conn.fetch(
        """
        WITH added AS (
            INSERT INTO contact (id, shop_id, external_id, role, name, locale, timezone, attributes,
                                 preferences, warehouses)
            SELECT id, $1, external_id, role, name, locale, timezone, attributes, preferences,
                   ARRAY(SELECT jsonb_array_elements_text(warehouses::jsonb))
              FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::jsonb[], $9::jsonb[], $10::text[])
                AS t (id, external_id, role, name, locale, timezone, attributes, preferences,
                      warehouses)
            ON CONFLICT (shop_id, external_id) DO NOTHING
            RETURNING id
        ), reached AS (
            INSERT INTO address (id, shop_id, contact_id, kind, value, digest, provider, verified)
            SELECT t.id, $1, contact_id, kind, value, digest, provider, verified
              FROM unnest($11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::bytea[],
                          $16::text[], $17::boolean[])
                AS t (id, contact_id, kind, value, digest, provider, verified)
              JOIN added ON added.id = contact_id
        ), agreed AS (
            INSERT INTO consent (contact_id, category, channel, state, source)
            SELECT contact_id, category, channel, state, 'api'
              FROM unnest($18::uuid[], $19::text[], $20::text[], $21::text[])
                AS t (contact_id, category, channel, state)
              JOIN added ON added.id = contact_id
        )
        SELECT id FROM added
        """,
        shop_id,
        *_contact_columns(contacts),
        *_address_columns(owners, held),
        *_transposed(consents, 4),
    )
    return {row["id"] for row in rows}


async def change(
    conn: Connection, shop_id: int, changes: Sequence[tuple[Contact, Contact]]
) -> None:
    """(before, after) of contacts that are locked. An address keeps its row when its value changes."""
    after = [new for _, new in changes]
    written = [
        (new, tuple(a for a in new.addresses if a not in old.addresses)) for old, new in changes
    ]
    owners = [contact.id for contact, some in written for _ in some]
    held = [address for _, some in written for address in some]
    gone = [
        address.id
        for old, new in changes
        for address in old.addresses
        if address.id not in {a.id for a in new.addresses}
    ]
    withdrawn = [
        (old.id, category, channel)
        for old, new in changes
        for category, channel, _ in _consents(old)
        if channel not in new.consents.get(category, {})
    ]
    given = [
        (new.id, *consent)
        for old, new in changes
        for consent in _consents(new)
        if consent not in _consents(old)
    ]
    await conn.execute(
        """
        WITH changed AS (
            UPDATE contact AS c
               SET role = t.role, name = t.name, locale = t.locale, timezone = t.timezone,
                   attributes = t.attributes, preferences = t.preferences,
                   warehouses = ARRAY(SELECT jsonb_array_elements_text(t.warehouses::jsonb)),
                   updated_at = now()
              FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::jsonb[], $9::jsonb[], $10::text[])
                AS t (id, external_id, role, name, locale, timezone, attributes, preferences,
                      warehouses)
             WHERE c.id = t.id
        ), lost AS (
            DELETE FROM address WHERE id = ANY($18)
        ), withdrawn AS (
            DELETE FROM consent AS s
             USING unnest($19::uuid[], $20::text[], $21::text[]) AS t (contact_id, category, channel)
             WHERE s.contact_id = t.contact_id AND s.category = t.category AND s.channel = t.channel
        ), agreed AS (
            INSERT INTO consent AS s (contact_id, category, channel, state, source)
            SELECT contact_id, category, channel, state, 'api'
              FROM unnest($22::uuid[], $23::text[], $24::text[], $25::text[])
                AS t (contact_id, category, channel, state)
            ON CONFLICT (contact_id, category, channel)
            DO UPDATE SET state = excluded.state, source = excluded.source, changed_at = now()
        )
        INSERT INTO address AS a (id, shop_id, contact_id, kind, value, digest, provider, verified)
        SELECT id, $1, contact_id, kind, value, digest, provider, verified
          FROM unnest($11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::bytea[],
                      $16::text[], $17::boolean[])
            AS t (id, contact_id, kind, value, digest, provider, verified)
        ON CONFLICT (id) DO UPDATE
           SET value = excluded.value, digest = excluded.digest, provider = excluded.provider,
               verified = excluded.verified, value_since = CASE WHEN a.digest = excluded.digest THEN a.value_since ELSE now() END,
               updated_at = now()
        """,
        shop_id,
        *_contact_columns(after),
        *_address_columns(owners, held),
        gone,
        *_transposed(withdrawn, 3),
        *_transposed(given, 4),
    )


async def one_offs(db: Db, shop_id: int, digests: Sequence[bytes]) -> dict[bytes, UUID]:
    """The anonymous contacts that were made for these addresses, where they were. Until the caller's transaction ends
    they stay: who keeps house passes over them. In the order of digests, as everybody does."""
    rows = await db.fetch(
        "SELECT digest, contact_id FROM address WHERE shop_id = $1 AND digest = ANY($2) AND one_off"
        " ORDER BY digest FOR KEY SHARE",
        shop_id,
        digests,
    )
    return {row["digest"]: row["contact_id"] for row in rows}


async def add_one_offs(
    db: Db, shop_id: int, given: Mapping[bytes, tuple[Kind, str, Locale | None]]
) -> dict[bytes, UUID]:
    """(kind, value, locale) by digest. The same contact for everybody who asks at the same time: the address
    decides who was first. In the order of digests, as everybody does."""
    digests = sorted(given)
    rows = await db.fetch(
        """
        WITH asked AS (
            SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::text[])
                       AS t (id, contact_id, kind, value, digest, locale)
        ), reached AS (
            INSERT INTO address AS a (id, shop_id, contact_id, kind, value, digest, one_off)
            SELECT id, $1, contact_id, kind, value, digest, true FROM asked ORDER BY digest
            ON CONFLICT (shop_id, digest) WHERE one_off DO UPDATE SET updated_at = a.updated_at
            RETURNING digest, contact_id
        ), known AS (
            INSERT INTO contact (id, shop_id, locale)
            SELECT contact_id, $1, locale FROM reached JOIN asked USING (digest, contact_id)
        )
        SELECT digest, contact_id FROM reached
        """,
        shop_id,
        [new_id() for _ in digests],
        [new_id() for _ in digests],
        [given[digest_][0] for digest_ in digests],
        [given[digest_][1] for digest_ in digests],
        digests,
        [given[digest_][2] for digest_ in digests],
    )
    return {row["digest"]: row["contact_id"] for row in rows}


async def shop_and_locale(db: Db, contact_id: UUID) -> tuple[int, Locale | None] | None:
    """Whose contact it is and in which language to talk; None where there is no such contact (any more)."""
    row = await db.fetchrow("SELECT shop_id, locale FROM contact WHERE id = $1", contact_id)
    return (row["shop_id"], row["locale"]) if row else None


async def locales_at(db: Db, shop_id: int, digest_: bytes) -> list[Locale | None]:
    """The languages of the contacts that have this address, the latest first; empty: nobody has it."""
    rows = await db.fetch(
        """
        SELECT c.locale FROM address AS a JOIN contact AS c ON c.id = a.contact_id
         WHERE a.shop_id = $1 AND a.digest = $2
         ORDER BY a.updated_at DESC
        """,
        shop_id,
        digest_,
    )
    return [row["locale"] for row in rows]


async def at(db: Db, shop_id: int, digest_: bytes) -> list[Contact]:
    """The contacts that have this address, the latest first; receivers of one-off messages are none of them,
    group chats are."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM contact AS c
          JOIN address AS held ON held.contact_id = c.id
         WHERE held.shop_id = $1 AND held.digest = $2 AND NOT held.one_off
         ORDER BY held.updated_at DESC, c.id DESC
        """,  # noqa: S608 (constants)
        shop_id,
        digest_,
    )
    return [_contact(row) for row in rows]


async def ids_at(
    db: Db, places: Collection[tuple[int, bytes]]
) -> Mapping[tuple[int, bytes], frozenset[UUID]]:
    """By (shop, digest of an address): the contacts that have it, as of `at`."""
    rows = await db.fetch(
        """
        SELECT t.shop_id, t.digest, array_agg(a.contact_id) AS ids
          FROM (SELECT DISTINCT * FROM unnest($1::int[], $2::bytea[]) AS t (shop_id, digest)) AS t
          JOIN address AS a ON a.shop_id = t.shop_id AND a.digest = t.digest AND NOT a.one_off
         GROUP BY t.shop_id, t.digest
        """,
        [shop_id for shop_id, _ in places],
        [digest for _, digest in places],
    )
    return {(row["shop_id"], row["digest"]): frozenset(row["ids"]) for row in rows}


async def bind(conn: Connection, shop_id: int, contact_id: UUID, kind: Kind, value: str) -> None:
    """The one address of this kind is `value` from now on, and it is proven."""
    await conn.execute(
        """
        INSERT INTO address AS a (id, shop_id, contact_id, kind, value, digest)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (contact_id, kind) WHERE kind <> 'push' DO UPDATE
           SET value = excluded.value, digest = excluded.digest, verified = true,
               value_since = CASE WHEN a.digest = excluded.digest THEN a.value_since ELSE now() END,
               updated_at = now()
        """,
        new_id(),
        shop_id,
        contact_id,
        kind,
        value,
        digest(kind, value),
    )


def _contact(row: asyncpg.Record) -> Contact:
    consents: dict[str, dict[str, str]] = {}
    for category, channel, state in row["consents"]:
        consents.setdefault(category, {})[channel] = state
    held = tuple(
        Address(UUID(a["id"]), Kind(a["kind"]), a["value"], a["provider"], a["verified"])
        for a in row["addresses"]
    )
    return Contact(
        id=row["id"],
        external_id=row["external_id"],
        role=Role(row["role"]),
        name=row["name"],
        locale=row["locale"],
        timezone=row["timezone"],
        attributes=row["attributes"],
        preferences=row["preferences"],
        warehouses=tuple(row["warehouses"]),
        addresses=held,
        consents=consents,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _contact_columns(contacts: Sequence[Contact]) -> list[list[Any]]:
    return [
        [c.id for c in contacts],
        [c.external_id for c in contacts],
        [c.role for c in contacts],
        [c.name for c in contacts],
        [c.locale for c in contacts],
        [c.timezone for c in contacts],
        [c.attributes for c in contacts],
        [c.preferences for c in contacts],
        # As text: an array of lists would become an array of two dimensions.
        [orjson.dumps(c.warehouses).decode() for c in contacts],
    ]


def _flat(contacts: Sequence[Contact]) -> tuple[list[UUID], list[Address]]:
    pairs = [(contact.id, address) for contact in contacts for address in contact.addresses]
    return [owner for owner, _ in pairs], [address for _, address in pairs]


def _address_columns(owners: Sequence[UUID], held: Sequence[Address]) -> list[Sequence[Any]]:
    return [
        [a.id for a in held],
        owners,
        [a.kind for a in held],
        [a.value for a in held],
        [a.digest for a in held],
        [a.provider for a in held],
        [a.verified for a in held],
    ]


def _consents(contact: Contact) -> list[tuple[str, str, str]]:
    return [
        (category, channel, state)
        for category, states in contact.consents.items()
        for channel, state in states.items()
    ]


def _transposed(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[i] for row in rows] for i in range(width)]
