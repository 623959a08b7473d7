"""Links that open once: the first one of a hub, which makes its owner; invitations into a shop; and those that set a
forgotten password anew. Of each only a digest is kept."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from hub.audit import log as audit
from hub.audit.model import Action, Actor
from hub.config import Locale
from hub.db.pool import Connection, Db, transaction
from hub.errors import Conflict, NotFound
from hub.operators import passwords, queries, sessions
from hub.operators.model import Membership, Operator, Role
from hub.operators.queries import actor_of
from hub.operators.sessions import digest, membership_of

PATH = "/console/invite/"
FIRST = "/console/first/"
"""Of the links, before their tokens."""

GOOD_FOR = timedelta(days=7)
RESET_GOOD_FOR = timedelta(days=1)
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Invitation:
    """`shop_id` None: all shops. `login`: for whom, where that was said. `operator_id`: whose password it sets."""

    digest: bytes
    shop_id: int | None
    membership: Membership
    login: str | None
    operator_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What somebody fills in who has no account yet. `login` as `login_of` gives it."""

    login: str
    name: str
    password: str
    locale: Locale


class Taken(Conflict):
    """There is somebody of that login: he has to sign in and open the link again."""

    title = "There is an account of this e-mail already"


_COLUMNS = "digest, shop_id, role, also, without, login, operator_id, expires_at"


async def invite(
    db: Db, shop_id: int | None, membership: Membership, *, login: str | None = None, by: Actor
) -> str:
    """The link's token, which cannot be had again."""
    async with transaction(db) as connection:
        token = await _add(connection, shop_id, membership, login, None, GOOD_FOR)
        await audit.record(
            connection, shop_id, by, Action.OPERATOR_INVITED, role=str(membership.role)
        )
    return token


async def reset(db: Db, login: str, *, by: Actor) -> str:
    """A link that sets the password of `login` anew. Until it is used nothing changes. Raises `NotFound`."""
    async with transaction(db) as connection:
        found = await queries.credentials(connection, login=login)
        if found is None:
            raise NotFound("there is no such operator")
        operator = found.operator
        await connection.execute("DELETE FROM operator_invite WHERE operator_id = $1", operator.id)
        token = await _add(
            connection, None, Membership(Role.READER), login, operator.id, RESET_GOOD_FOR
        )
        shops = operator.shops
        await queries.record(connection, shops, by, Action.OPERATOR_INVITED, operator.id)
    return token


async def first(db: Db) -> str | None:
    """The link of a hub that has no operator: a new one, which puts an end to those before. None: it has one."""
    async with transaction(db) as connection:
        if await queries.any_there(connection):
            return None
        await connection.execute("DELETE FROM operator_invite WHERE shop_id IS NULL")
        return await _add(connection, None, Membership(Role.OWNER), None, None, GOOD_FOR)


async def look(db: Db, token: str) -> Invitation | None:
    """None for one that is used, over, or was never made."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM operator_invite"  # noqa: S608 (constants)
        " WHERE digest = $1 AND used_at IS NULL AND expires_at > now()",
        digest(token),
    )
    return _invitation(row) if row else None


async def waiting(db: Db, shop_id: int) -> list[Invitation]:
    """Of a shop, not used yet; the newest first."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM operator_invite
         WHERE shop_id = $1 AND used_at IS NULL AND operator_id IS NULL AND expires_at > now()
         ORDER BY created_at DESC LIMIT 100
        """,  # noqa: S608 (constants)
        shop_id,
    )
    return [_invitation(row) for row in rows]


async def withdraw(db: Db, shop_id: int, digest_: bytes) -> bool:
    gone = await db.fetchval(
        "DELETE FROM operator_invite WHERE shop_id = $1 AND digest = $2 AND used_at IS NULL RETURNING 1",
        shop_id,
        digest_,
    )
    return gone is not None


async def join(
    db: Db, token: str, who: Newcomer, shops: Collection[int], *, remote: str, request_id: str
) -> Operator:
    """A new operator by an invitation. `shops`: all there are. Raises `NotFound` (no such invitation), `Taken`."""
    password_hash = await passwords.hashed(who.password)
    async with transaction(db) as connection:
        found = await _use(connection, token)
        if found.operator_id or (found.login and found.login != who.login):
            raise NotFound
        memberships = dict.fromkeys(_shops(found, shops), found.membership)
        operator = await queries.add(
            connection, who.login, who.name, password_hash, who.locale, memberships
        )
        if operator is None:
            raise Taken
        by = actor_of(operator, request_id=request_id, remote=remote)
        for shop_id in memberships:
            role = str(found.membership.role)
            await audit.record(
                connection, shop_id, by, Action.OPERATOR_CREATED, operator.id, role=role
            )
    return operator


async def accept(
    db: Db, token: str, operator: Operator, shops: Collection[int], *, by: Actor
) -> None:
    """By somebody who has an account. Nobody loses by it: an owner stays one. Raises `NotFound`."""
    async with transaction(db) as connection:
        found = await _use(connection, token)
        if found.operator_id or (found.login and found.login != operator.login):
            raise NotFound
        for shop_id in _shops(found, shops):
            there = operator.shops.get(shop_id)
            if there and there.role is Role.OWNER:
                continue
            await queries.put_membership(connection, operator.id, shop_id, found.membership)
            role = str(found.membership.role)
            what = Action.OPERATOR_CHANGED if there else Action.OPERATOR_CREATED
            await audit.record(connection, shop_id, by, what, operator.id, role=role)


async def set_password(
    db: Db, token: str, password: str, *, remote: str, request_id: str
) -> Operator:
    """By a link of `reset`: the second factor goes, too, and every session ends. Raises `NotFound`."""
    password_hash = await passwords.hashed(password)
    async with transaction(db) as connection:
        used = await _use(connection, token)
        found = (
            await queries.credentials(connection, id_=used.operator_id)
            if used.operator_id
            else None
        )
        if found is None:
            raise NotFound
        operator = found.operator
        await connection.execute(
            "UPDATE operator SET password_hash = $2, totp_secret = NULL, recovery = '{}' WHERE id = $1",
            operator.id,
            password_hash,
        )
        await sessions.end(connection, operator.id)
        by = actor_of(operator, request_id=request_id, remote=remote)
        shops = operator.shops
        await queries.record(connection, shops, by, Action.OPERATOR_PASSWORD_CHANGED, operator.id)
    return operator


async def _use(connection: Connection, token: str) -> Invitation:
    row = await connection.fetchrow(
        f"""
        UPDATE operator_invite SET used_at = now()
         WHERE digest = $1 AND used_at IS NULL AND expires_at > now() RETURNING {_COLUMNS}
        """,  # noqa: S608 (constants)
        digest(token),
    )
    if row is None:
        raise NotFound("this link was used before, or its time is over")
    return _invitation(row)


async def _add(
    connection: Connection,
    shop_id: int | None,
    membership: Membership,
    login: str | None,
    operator_id: UUID | None,
    good_for: timedelta,
) -> str:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    await connection.execute(
        "DELETE FROM operator_invite WHERE expires_at < now() - interval '1 day'"
    )
    await connection.execute(
        """
        INSERT INTO operator_invite (digest, shop_id, role, also, without, login, operator_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        digest(token),
        shop_id,
        membership.role,
        sorted(membership.also),
        sorted(membership.without),
        login,
        operator_id,
        datetime.now(UTC) + good_for,
    )
    return token


def _shops(found: Invitation, shops: Collection[int]) -> list[int]:
    return sorted(shops) if found.shop_id is None else [found.shop_id]


def _invitation(row: asyncpg.Record) -> Invitation:
    return Invitation(
        row["digest"],
        row["shop_id"],
        membership_of(row["role"], row["also"], row["without"]),
        row["login"],
        row["operator_id"],
        row["expires_at"],
    )
