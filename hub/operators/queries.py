"""Operators in the database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from hub.audit import log as audit
from hub.audit.model import Action, Actor, ActorKind
from hub.config import Locale
from hub.db.pool import Connection, Db
from hub.ids import new_id
from hub.operators.model import Membership, Operator
from hub.operators.sessions import operator_of

_OPERATOR = """
    o.id, o.login, o.name, o.locale, o.timezone, o.theme, o.totp_secret IS NOT NULL AS totp,
    (SELECT jsonb_agg(jsonb_build_array(m.shop_id, m.role, m.also, m.without))
       FROM operator_shop AS m WHERE m.operator_id = o.id) AS shops
"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody has to know. `totp_secret`: sealed. `recovery`: digests of what is not used yet."""

    operator: Operator
    password_hash: str
    totp_secret: bytes | None
    totp_used: int
    recovery: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Listed:
    """`seen_at`: when one of the present sessions was used last."""

    operator: Operator
    seen_at: datetime | None
    disabled: bool


async def add(
    db: Connection,
    login: str,
    name: str,
    password_hash: str,
    locale: Locale,
    shops: Mapping[int, Membership],
) -> Operator | None:
    """None: there is one of that login."""
    try:
        async with db.transaction():
            id_ = await db.fetchval(
                "INSERT INTO operator (id, login, name, password_hash, locale) VALUES ($1, $2, $3, $4, $5)"
                " RETURNING id",
                new_id(),
                login,
                name,
                password_hash,
                locale,
            )
    except asyncpg.UniqueViolationError:
        return None
    for shop_id, membership in shops.items():
        await put_membership(db, id_, shop_id, membership)
    return Operator(id_, login, name, locale, None, "auto", False, shops)


async def put_membership(
    db: Connection, operator_id: UUID, shop_id: int, membership: Membership
) -> None:
    await db.execute(
        """
        INSERT INTO operator_shop (operator_id, shop_id, role, also, without) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (operator_id, shop_id)
        DO UPDATE SET role = excluded.role, also = excluded.also, without = excluded.without
        """,
        operator_id,
        shop_id,
        membership.role,
        sorted(membership.also),
        sorted(membership.without),
    )


async def any_there(db: Db) -> bool:
    return bool(await db.fetchval("SELECT EXISTS (SELECT FROM operator)"))


async def credentials(db: Db, *, login: str = "", id_: UUID | None = None) -> Credentials | None:
    """By one of both; None also for one who was disabled."""
    row = await db.fetchrow(
        f"""
        SELECT {_OPERATOR}, o.password_hash, o.totp_secret, o.totp_used, o.recovery FROM operator AS o
         WHERE {"o.id = $1" if id_ else "o.login = $1"} AND o.disabled_at IS NULL
        """,  # noqa: S608 (constants)
        id_ or login,
    )
    if row is None:
        return None
    return Credentials(
        operator_of(row["id"], row),
        row["password_hash"],
        row["totp_secret"],
        row["totp_used"],
        row["recovery"],
    )


async def listed(db: Db, shop_id: int | None = None) -> list[Listed]:
    """Of one shop, or of all; by their logins."""
    rows = await db.fetch(
        f"""
        SELECT {_OPERATOR}, o.disabled_at IS NOT NULL AS disabled,
               (SELECT max(s.seen_at) FROM operator_session AS s WHERE s.operator_id = o.id) AS seen_at
          FROM operator AS o
         WHERE $1::smallint IS NULL
            OR EXISTS (SELECT FROM operator_shop AS m WHERE m.operator_id = o.id AND m.shop_id = $1)
         ORDER BY o.login
        """,  # noqa: S608 (constants)
        shop_id,
    )
    return [Listed(operator_of(row["id"], row), row["seen_at"], row["disabled"]) for row in rows]


async def record(
    db: Connection, shops: Collection[int], by: Actor, action: Action, operator_id: UUID | str
) -> None:
    """In the log of each shop that is concerned; where none is, in the whole hub's."""
    concerned: list[int | None] = [*sorted(shops)] or [None]
    for shop_id in concerned:
        await audit.record(db, shop_id, by, action, operator_id)


def actor_of(operator: Operator, *, request_id: str = "", remote: str = "") -> Actor:
    return Actor(ActorKind.OPERATOR, operator.id, operator.login, request_id, remote)
