"""When an account is left alone for a while: it refused us, or it failed several times in a row.

The pause is a row that every process reads; the way back is gradual, one call at first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.db.pool import Db, Pool
from hub.db.text import storable
from hub.logs import redact
from hub.webhooks.model import Event, EventType
from hub.webhooks.service import publish, publish_many

SLOW = "slow"
"""The code of a pause of an account that took too long to answer."""

_PHONE = re.compile(r"\d{10,15}")

_FAILED_FIRST, _FAILED_LONGEST = timedelta(seconds=10), timedelta(minutes=2)
_REFUSED_FIRST, _REFUSED_LONGEST = timedelta(seconds=30), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Pause:
    """`failures`: pauses in a row without a success between them. `refused`: by a clear word of the provider
    (credentials, balance), not by silence."""

    refused: bool
    reason: str
    code: str
    failures: int
    until: datetime

    @property
    def slow(self) -> bool:
        """It works, and another account answers sooner."""
        return not self.refused and self.code == SLOW


def length(*, refused: bool, failures: int) -> timedelta:
    """How long the `failures`-th pause in a row is; a refusal (credentials, balance) waits longer."""
    first, longest = (
        (_REFUSED_FIRST, _REFUSED_LONGEST) if refused else (_FAILED_FIRST, _FAILED_LONGEST)
    )
    growth: int = 2 ** min(failures - 1, 10)
    return min(first * growth, longest)


async def pauses(db: Db) -> Mapping[tuple[int, str], Pause]:
    rows = await db.fetch(
        "SELECT shop_id, account, refused, reason, code, failures, paused_until FROM account_state"
    )
    return {
        (r["shop_id"], r["account"]): Pause(
            r["refused"], r["reason"], r["code"], r["failures"], r["paused_until"]
        )
        for r in rows
    }


async def pause(
    db: Pool, shop_id: int, account: str, *, refused: bool, reason: str, code: str, failures: int
) -> None:
    """Leaves the account alone. Two processes that find the same out at once make one pause of it. The shop's
    backend is told when it begins, not of each that follows without a success between them. A provider may quote
    the receiver in its `reason`, who has nothing to do with the account: addresses are hidden."""
    reason = storable(_PHONE.sub("[hidden]", redact(reason)))
    code = storable(code, 100)
    async with db.acquire() as connection, connection.transaction():
        until = await _pause(connection, shop_id, account, refused, reason, code, failures)
        if until is not None:
            data = {
                "account": account,
                "refused": refused,
                "reason": reason,
                "code": code,
                "paused_until": until,
            }
            await publish(connection, shop_id, EventType.ACCOUNT_PAUSED, data)


async def _pause(
    db: Db, shop_id: int, account: str, refused: bool, reason: str, code: str, failures: int
) -> datetime | None:
    """Its end, where the account was not paused before."""
    row = await db.fetchrow(
        """
        INSERT INTO account_state AS s
            (shop_id, account, refused, reason, code, failures, paused_until)
        VALUES ($1, $2, $3, $4, $5, $6, now() + $7)
        ON CONFLICT (shop_id, account) DO UPDATE
           SET refused = excluded.refused, reason = excluded.reason, code = excluded.code, failures = excluded.failures,
               paused_at = now(), paused_until = excluded.paused_until
         WHERE s.paused_until <= now()
        -- Nothing was there to be updated.
        RETURNING paused_until, xmax = 0 AS is_new
        """,
        shop_id,
        account,
        refused,
        reason,
        code,
        failures,
        length(refused=refused, failures=failures),
    )
    return row["paused_until"] if row and row["is_new"] else None


async def lift(db: Pool, shop_id: int, account: str) -> None:
    """The account answered well again; the shop's backend is told. A pause that somebody began meanwhile stays."""
    async with db.acquire() as connection, connection.transaction():
        lifted = await connection.fetchval(
            "DELETE FROM account_state WHERE shop_id = $1 AND account = $2 AND paused_until <= now()"
            " RETURNING true",
            shop_id,
            account,
        )
        if lifted:
            await publish(connection, shop_id, EventType.ACCOUNT_RESUMED, {"account": account})


async def lift_all(db: Db) -> None:
    """Every account gets another try."""
    rows = await db.fetch("DELETE FROM account_state RETURNING shop_id, account")
    await publish_many(
        db,
        [Event(r["shop_id"], EventType.ACCOUNT_RESUMED, {"account": r["account"]}) for r in rows],
    )
