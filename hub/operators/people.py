"""What changes of operators: their own settings, and what owners decide about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from hub.audit import log as audit
from hub.audit.model import Action, Actor
from hub.config import Locale
from hub.db.pool import Connection, Db, transaction
from hub.errors import Conflict, NotFound
from hub.operators import factor, passwords, queries, sessions, tries
from hub.operators.model import Membership, Operator, Role, Theme
from hub.operators.queries import Credentials
from hub.tokens import Signer


class LastOwner(Conflict):
    said = "last_owner"


@dataclass(frozen=True, slots=True)
class Profile:
    """`timezone` None: the shop's."""

    name: str
    locale: Locale
    timezone: str | None
    theme: Theme


async def set_theme(db: Db, operator_id: UUID, theme: Theme) -> None:
    await db.execute("UPDATE operator SET theme = $2 WHERE id = $1", operator_id, theme)


async def set_profile(db: Db, operator_id: UUID, profile: Profile) -> None:
    await db.execute(
        "UPDATE operator SET name = $2, locale = $3, timezone = $4, theme = $5 WHERE id = $1",
        operator_id,
        profile.name,
        profile.locale,
        profile.timezone,
        profile.theme,
    )


async def knows_password(db: Db, signer: Signer, operator: Operator, password: str) -> bool:
    """Asked again before something that somebody at an open screen should not do. Raises `LimitExceeded`."""
    counted = await tries.begin(db, tries.key_of_login(signer, operator.login), tries.OF_LOGIN)
    found = await queries.credentials(db, id_=operator.id)
    if found is None or not await passwords.is_right(password, found.password_hash):
        return False
    await tries.forgive(db, counted)
    return True


async def change_password(
    db: Db, operator: Operator, password: str, *, keep: UUID, by: Actor
) -> None:
    """Ends every other session: `keep` is the one that goes on."""
    password_hash = await passwords.hashed(password)
    async with transaction(db) as connection:
        await connection.execute(
            "UPDATE operator SET password_hash = $2 WHERE id = $1", operator.id, password_hash
        )
        await sessions.end(connection, operator.id, but=keep)
        shops = operator.shops
        await queries.record(connection, shops, by, Action.OPERATOR_PASSWORD_CHANGED, operator.id)


async def totp_on(
    db: Db, signer: Signer, operator: Operator, secret: str, code: str, *, by: Actor
) -> Sequence[str] | None:
    """The recovery codes, which cannot be had again; None: the code is not the secret's."""
    step = factor.step_of(secret, code)
    if step is None:
        return None
    codes = factor.new_recovery_codes()
    async with transaction(db) as connection:
        await connection.execute(
            "UPDATE operator SET totp_secret = $2, totp_used = $3, recovery = $4 WHERE id = $1",
            operator.id,
            factor.sealed(signer, operator.id, secret),
            step,
            [factor.recovery_digest(one) for one in codes],
        )
        shops = operator.shops
        await queries.record(connection, shops, by, Action.OPERATOR_TOTP_ON, operator.id)
    return codes


async def totp_off(db: Db, operator: Operator, *, by: Actor) -> None:
    async with transaction(db) as connection:
        await connection.execute(
            "UPDATE operator SET totp_secret = NULL, recovery = '{}' WHERE id = $1", operator.id
        )
        shops = operator.shops
        await queries.record(connection, shops, by, Action.OPERATOR_TOTP_OFF, operator.id)


async def recovery_left(db: Db, operator_id: UUID) -> int:
    count = await db.fetchval(
        "SELECT cardinality(recovery) FROM operator WHERE id = $1", operator_id
    )
    return int(count or 0)


async def end_sessions(
    db: Db, operator: Operator, *, only: UUID | None = None, but: UUID | None = None, by: Actor
) -> int:
    """How many there were."""
    async with transaction(db) as connection:
        ended = await sessions.end(connection, operator.id, only=only, but=but)
        if ended:
            shops = operator.shops
            what = Action.OPERATOR_SESSION_REVOKED
            await queries.record(connection, shops, by, what, operator.id)
    return len(ended)


async def member(db: Db, shop_id: int, operator_id: UUID) -> Operator:
    """Raises `NotFound` for who is none of the shop's."""
    found = await _member(db, shop_id, operator_id)
    return found.operator


async def set_membership(
    db: Db, shop_id: int, operator_id: UUID, membership: Membership, *, by: Actor
) -> None:
    """Counts from the next request on. Raises `NotFound`, `LastOwner`."""
    async with transaction(db) as connection:
        await _keep_an_owner(connection, shop_id, operator_id, stays=membership.role is Role.OWNER)
        await _member(connection, shop_id, operator_id)
        await queries.put_membership(connection, operator_id, shop_id, membership)
        await audit.record(
            connection,
            shop_id,
            by,
            Action.OPERATOR_CHANGED,
            operator_id,
            role=str(membership.role),
            also=sorted(membership.also),
            without=sorted(membership.without),
        )


async def remove(db: Db, shop_id: int, operator_id: UUID, *, by: Actor) -> None:
    """From the shop, and altogether where it was his last one: his sessions end with it. Raises as above."""
    async with transaction(db) as connection:
        await _keep_an_owner(connection, shop_id, operator_id, stays=False)
        await _member(connection, shop_id, operator_id)
        await connection.execute(
            "DELETE FROM operator_shop WHERE operator_id = $1 AND shop_id = $2",
            operator_id,
            shop_id,
        )
        await connection.execute(
            """
            DELETE FROM operator AS o WHERE o.id = $1
               AND NOT EXISTS (SELECT FROM operator_shop AS m WHERE m.operator_id = o.id)
            """,
            operator_id,
        )
        await audit.record(connection, shop_id, by, Action.OPERATOR_REMOVED, operator_id)


def is_over(owner: Operator, other: Operator) -> bool:
    """Whether somebody owns every shop that the other one is in: only then his password and sessions are his business,
    for they open the other shops as well."""
    return all(shop in owner.shops and owner.shops[shop].role is Role.OWNER for shop in other.shops)


async def _member(db: Db, shop_id: int, operator_id: UUID) -> Credentials:
    found = await queries.credentials(db, id_=operator_id)
    if found is None or shop_id not in found.operator.shops:
        raise NotFound("this shop has no such operator")
    return found


async def _keep_an_owner(
    connection: Connection, shop_id: int, operator_id: UUID, *, stays: bool
) -> None:
    """Locks the owners: of two who go at once one stays."""
    rows = await connection.fetch(
        "SELECT operator_id FROM operator_shop WHERE shop_id = $1 AND role = 'owner'"
        " ORDER BY operator_id FOR UPDATE",
        shop_id,
    )
    if not stays and [row["operator_id"] for row in rows] == [operator_id]:
        raise LastOwner("this is the shop's last owner: make somebody else one first")
