"""When an account is left alone for a while: it refused us, or it failed several times in a row.

The pause is a row that every process reads; the way back is gradual, one call at first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.db.pool import Db

FAILURES_IN_A_ROW = 5
"""Calls without a usable answer, in one process, before an account is left alone."""

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
    db: Db, shop_id: int, account: str, *, refused: bool, reason: str, code: str, failures: int
) -> None:
    """Leaves the account alone. Two processes that find the same out at once make one pause of it."""
    await db.execute(
        """
        INSERT INTO account_state AS s
            (shop_id, account, refused, reason, code, failures, paused_until)
        VALUES ($1, $2, $3, $4, $5, $6, now() + $7)
        ON CONFLICT (shop_id, account) DO UPDATE
           SET refused = excluded.refused, reason = excluded.reason, code = excluded.code, failures = excluded.failures,
               paused_at = now(), paused_until = excluded.paused_until
         WHERE s.paused_until <= now()
        """,
        shop_id,
        account,
        refused,
        reason,
        code,
        failures,
        length(refused=refused, failures=failures),
    )


async def lift(db: Db, shop_id: int, account: str) -> None:
    """The account answered well again."""
    await db.execute(
        "DELETE FROM account_state WHERE shop_id = $1 AND account = $2", shop_id, account
    )
