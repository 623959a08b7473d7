"""Signing in and out: a password, a second factor where there is one, and never a word about which of them was
wrong."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hub.audit.model import Action, Actor, ActorKind
from hub.db.pool import Db, transaction
from hub.errors import Unauthenticated
from hub.operators import factor, passwords, queries, sessions, tries
from hub.operators.model import Operator, Session, login_of
from hub.operators.queries import Credentials, actor_of
from hub.tokens import BadToken, Signer

_SECOND = "console-second-factor"
_SECOND_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who knocks."""

    remote: str
    agent: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Entered:
    operator: Operator
    session: Session
    token: str
    """For the cookie."""


@dataclass(frozen=True, slots=True)
class SecondNeeded:
    """`token`: what the second step has to bring along, good for a few minutes."""

    token: str


class Refused(Unauthenticated):
    """Login, password or code: nobody is told which."""

    title = "The login or the password is not right"


async def sign_in(
    db: Db, signer: Signer, login: str, password: str, visitor: Visitor
) -> Entered | SecondNeeded:
    """Always a new session. Raises `Refused`, `LimitExceeded` (with the time to wait)."""
    known = login_of(login) or login.strip().lower()[:300]
    counted = await _count(db, signer, known, visitor)
    found = await queries.credentials(db, login=known)
    right = await passwords.is_right(password, found.password_hash if found else None)
    if not right or found is None:
        await _refused(db, found, visitor)
        raise Refused
    if passwords.is_dated(found.password_hash):
        found = replace(found, password_hash=await passwords.hashed(password))
        await db.execute(
            "UPDATE operator SET password_hash = $2 WHERE id = $1",
            found.operator.id,
            found.password_hash,
        )
    if found.totp_secret is None:
        return await _enter(db, signer, found, visitor, counted)
    await tries.forgive(db, *counted)
    return SecondNeeded(_second_token(signer, found))


async def second_step(db: Db, signer: Signer, token: str, code: str, visitor: Visitor) -> Entered:
    """Raises `Refused`, `LimitExceeded`; `BadToken` where the first step is too long ago or was another's."""
    payload = signer.read(_SECOND, token)
    found = await queries.credentials(db, id_=UUID(bytes=payload[:16]))
    if found is None or _mark(found) != payload[16:]:
        raise BadToken("the password has changed since")
    counted = await _count(db, signer, found.operator.login, visitor)
    if not await factor.take(db, signer, found, code):
        await _refused(db, found, visitor)
        raise Refused
    return await _enter(db, signer, found, visitor, counted)


async def enter(db: Db, operator: Operator, visitor: Visitor) -> Entered:
    """Without a password: who has just set it."""
    by = actor_of(operator, request_id=visitor.request_id, remote=visitor.remote)
    async with transaction(db) as connection:
        await sessions.sweep(connection)
        session, token = await sessions.begin(
            connection, operator.id, remote=visitor.remote, agent=visitor.agent
        )
        shops = operator.shops
        await queries.record(connection, shops, by, Action.OPERATOR_SIGNED_IN, operator.id)
    return Entered(operator, session, token)


async def sign_out(db: Db, operator: Operator, session: Session, by: Actor) -> None:
    async with transaction(db) as connection:
        if await sessions.end(connection, operator.id, only=session.id):
            shops = operator.shops
            await queries.record(connection, shops, by, Action.OPERATOR_SIGNED_OUT, operator.id)


async def _count(db: Db, signer: Signer, login: str, visitor: Visitor) -> tuple[UUID, ...]:
    """Who guesses at somebody's login from elsewhere must not keep him out: the address from which he was in lately
    is not bound by the login's count, but by its own."""
    of_address = await tries.begin(
        db, tries.key_of_address(signer, visitor.remote), tries.OF_ADDRESS
    )
    at_home = visitor.remote and await db.fetchval(
        """
        SELECT EXISTS (SELECT FROM operator_session AS s JOIN operator AS o ON o.id = s.operator_id
                        WHERE o.login = $1 AND s.remote = $2)
        """,
        login,
        visitor.remote,
    )
    most = tries.OF_ADDRESS if at_home else tries.OF_LOGIN
    return of_address, await tries.begin(db, tries.key_of_login(signer, login), most)


async def _enter(
    db: Db,
    signer: Signer,
    found: Credentials,
    visitor: Visitor,
    counted: tuple[UUID, ...],
) -> Entered:
    async with transaction(db) as connection:
        await tries.forgive(connection, *counted)
        await tries.forget(connection, tries.key_of_login(signer, found.operator.login))
        await tries.sweep(connection)
        return await enter(connection, found.operator, visitor)


async def _refused(db: Db, found: Credentials | None, visitor: Visitor) -> None:
    """Whoever it was is nobody we know; whom he wanted to be stands in the line, if there is such a one."""
    by = Actor(ActorKind.PERSON, request_id=visitor.request_id, remote=visitor.remote)
    shops = found.operator.shops if found else ()
    object_ = found.operator.id if found else ""
    async with transaction(db) as connection:
        await queries.record(connection, shops, by, Action.OPERATOR_SIGN_IN_REFUSED, object_)
        await tries.sweep(connection)


def _second_token(signer: Signer, found: Credentials) -> str:
    payload = found.operator.id.bytes + _mark(found)
    return signer.sign(_SECOND, payload, datetime.now(UTC) + _SECOND_WITHIN)


def _mark(found: Credentials) -> bytes:
    """Another password makes another one."""
    return hashlib.sha256(found.password_hash.encode()).digest()[:8]
