"""Counts what one process sees of each account and says when to leave it alone and how to come back."""

from dataclasses import dataclass

from channels.base import Accepted, Moved, Outcome, Refused, Retry, Scope
from hub.accounts import health
from hub.accounts.book import AccountBook, LiveAccount
from hub.db.pool import Pool

_FULL = 1_000_000


@dataclass(slots=True)
class _Seen:
    failures: int = 0
    """Calls in a row without a usable answer."""
    allowed: int = _FULL
    """Calls at once while coming back: 1, 2, 4 … until full."""


class Breaker:
    """One per process; the pauses themselves are shared by all through the database."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book
        self._seen: dict[tuple[int, str], _Seen] = {}

    def allowed(self, account: LiveAccount) -> int:
        """How many calls may be made in one go: few while an account comes back from a pause."""
        seen = self._of(account)
        if self._book.pause_of(account) is None:
            seen.allowed = _FULL
        elif seen.allowed == _FULL:
            seen.allowed = 1
        return seen.allowed

    async def saw(self, db: Pool, account: LiveAccount, outcomes: list[Outcome]) -> None:
        """Takes note of one call's outcomes: may pause the account, or lift its pause."""
        seen = self._of(account)
        refused = next(
            (o for o in outcomes if isinstance(o, Refused) and o.scope is Scope.ACCOUNT), None
        )
        if refused:
            await self._pause(db, account, refused=True, code=refused.code, reason=refused.reason)
        elif any(_answered(o) for o in outcomes):
            await self._went_well(db, account)
        elif any(isinstance(o, Retry) and not o.throttled for o in outcomes):
            seen.failures += 1
            if seen.failures >= self._patience(account):
                reason = next(o.reason for o in outcomes if isinstance(o, Retry))
                await self._pause(
                    db, account, refused=False, code=reason, reason="does not answer as it should"
                )

    def _patience(self, account: LiveAccount) -> int:
        """An account on trial has none."""
        return 1 if self._book.pause_of(account) else health.FAILURES_IN_A_ROW

    async def _went_well(self, db: Pool, account: LiveAccount) -> None:
        seen = self._of(account)
        seen.failures = 0
        pause = self._book.pause_of(account)
        if pause is None:
            return
        seen.allowed = min(seen.allowed * 2, _FULL)
        if seen.allowed >= min(64, account.limits.concurrency):
            await health.lift(db, account.shop_id, account.name)
            await self._book.refresh(db)
            seen.allowed = _FULL

    async def _pause(
        self, db: Pool, account: LiveAccount, *, refused: bool, code: str, reason: str
    ) -> None:
        seen = self._of(account)
        seen.failures, seen.allowed = 0, _FULL
        earlier = self._book.pause_of(account)
        await health.pause(
            db,
            account.shop_id,
            account.name,
            refused=refused,
            reason=reason,
            code=code,
            failures=earlier.failures + 1 if earlier else 1,
        )
        await self._book.refresh(db)

    def _of(self, account: LiveAccount) -> _Seen:
        return self._seen.setdefault((account.shop_id, account.name), _Seen())


def _answered(outcome: Outcome) -> bool:
    """The provider did its work, whatever it thinks of the message."""
    return isinstance(outcome, Accepted | Moved | Refused)
