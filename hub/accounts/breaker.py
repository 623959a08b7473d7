"""Counts what one process sees of each account and says when to leave it alone and how to come back."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from channels.base import Accepted, Moved, Outcome, Refused, Retry, Scope
from hub.accounts import health, recent
from hub.accounts.book import AccountBook, LiveAccount, Need
from hub.accounts.choice import has_stand_in, is_left
from hub.accounts.recent import Ended, Took
from hub.db.pool import Pool

_FULL = 1_000_000
_PROVEN = 64
"""Calls at once after which a way back is over."""

_TIMED = 8
"""Calls whose length is remembered."""

_STANDSTILL = timedelta(seconds=3)
"""Between two looks: after that it was this process that did not answer."""

_ANSWERS = (Accepted, Moved, Refused)
"""Of a provider that did its work, whatever it thinks of the message."""


@dataclass(slots=True, eq=False)
class Call:
    """One call under way. `trial`: the account was coming back from a pause when it began. `disturbed`: this process
    stood still meanwhile."""

    account: LiveAccount
    began: float
    trial: bool
    disturbed: bool = False

    def seconds(self) -> float:
        return monotonic() - self.began


@dataclass(slots=True)
class _Seen:
    account: LiveAccount
    ended: deque[Ended] = field(default_factory=lambda: deque(maxlen=recent.KEPT))
    took: deque[Took] = field(default_factory=lambda: deque(maxlen=_TIMED))
    under_way: set[Call] = field(default_factory=set)
    needs: set[Need] = field(default_factory=set)
    """Of what it was given."""
    back_from: datetime | None = None
    """The end of the pause that it comes back from."""
    allowed: int = 1
    """Deliveries at once while coming back: 1, 2, 4 … until full."""


class Breaker:
    """One per process; the pauses themselves are shared by all through the database."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book
        self._seen: dict[tuple[int, str], _Seen] = {}
        self._looked_at = monotonic()
        self._looks = False

    def allowed(self, account: LiveAccount) -> int:
        """How many deliveries it may have at once: few while it comes back from a pause."""
        seen, pause = self._of(account), self._book.pause_of(account)
        if pause is None:
            return _FULL
        if seen.back_from != pause.until:
            seen.back_from, seen.allowed = pause.until, 1
        return seen.allowed

    def given(self, account: LiveAccount, needs: Collection[Need]) -> None:
        """Messages to such addresses are about to be sent by it: who takes its place has to carry these."""
        self._of(account).needs.update(needs)

    def is_left(self, account: LiveAccount) -> bool:
        """Whether nothing more is to be begun there."""
        return is_left(self._book, account, self._of(account).needs, datetime.now(UTC))

    def seconds(self, account: LiveAccount) -> float | None:
        """How long a call of it takes lately, one that has not ended included; None where nobody knows."""
        seen = self._seen.get((account.shop_id, account.name))
        if seen is None:
            return None
        under_way = [call.began for call in seen.under_way]
        return recent.usual(tuple(seen.took), under_way, now=monotonic())

    def begin(self, account: LiveAccount) -> Call:
        """A call begins now; `ended` is told of it in any case."""
        seen = self._of(account)
        pause = self._book.pause_of(account)
        trial = pause is not None and pause.until <= datetime.now(UTC)
        call = Call(account, monotonic(), trial)
        seen.under_way.add(call)
        return call

    async def ended(self, db: Pool, call: Call, outcomes: Sequence[Outcome]) -> None:
        """Takes note of one call's outcomes: may pause the account, or lift its pause."""
        account, seen = call.account, self._of(call.account)
        known = call in seen.under_way
        seen.under_way.discard(call)
        if not call.disturbed:
            seen.took.append(Took(monotonic(), call.seconds()))
        refused = next(
            (o for o in outcomes if isinstance(o, Refused) and o.scope is Scope.ACCOUNT), None
        )
        if refused:
            await self._pause(db, account, refused=True, code=refused.code, reason=refused.reason)
            return
        failed = _failure(outcomes)
        if failed is None or not known:
            # Patience was asked for, or it is of the time before a pause and tells nothing of now.
            return
        if failed and (call.disturbed or self._stands_still()):
            # Whatever time was up was up for us: the provider may have answered long ago.
            return
        slow = call.seconds() >= account.slow_after.total_seconds()
        pause = self._book.pause_of(account)
        if pause is None:
            seen.ended.append(Ended(monotonic(), bool(failed), slow))
            if failed and recent.fails(tuple(seen.ended), now=monotonic()):
                await self._fail(db, account, failed)
            elif slow:
                await self._look_at(db, seen)
            return
        # Somebody may have paused it meanwhile.
        seen.ended.clear()
        if call.trial and pause.until <= datetime.now(UTC):
            await self._tried(db, seen, failed=failed, slow=slow)

    async def look(self, db: Pool) -> None:
        """Once a second: a call that has no answer yet may be too slow already."""
        now, before = monotonic(), self._looked_at
        self._looked_at, self._looks = now, True
        stood_still = now - before if now - before > _STANDSTILL.total_seconds() else 0.0
        for seen in list(self._seen.values()):
            for call in seen.under_way:
                call.began += stood_still
                call.disturbed = call.disturbed or stood_still > 0
            if seen.under_way:
                await self._look_at(db, seen)

    def _stands_still(self) -> bool:
        """A look is overdue: it was this process that did not get on."""
        overdue = monotonic() - self._looked_at
        return self._looks and overdue > _STANDSTILL.total_seconds()

    async def _look_at(self, db: Pool, seen: _Seen) -> None:
        account, now = seen.account, monotonic()
        pause = self._book.pause_of(account)
        if pause is None:
            slow = recent.is_slow(
                tuple(seen.ended),
                [call.began for call in seen.under_way],
                now=now,
                slow_after=account.slow_after,
                concurrency=account.limits.concurrency,
            )
        else:
            # On trial one is enough.
            slow = pause.until <= datetime.now(UTC) and any(
                call.trial and call.seconds() >= account.slow_after.total_seconds()
                for call in seen.under_way
            )
        if slow:
            await self._slow_down(db, seen)

    async def _tried(self, db: Pool, seen: _Seen, *, failed: str, slow: bool) -> None:
        if failed:
            await self._fail(db, seen.account, failed)
        elif slow:
            await self._slow_down(db, seen)
        else:
            await self._went_well(db, seen)

    async def _went_well(self, db: Pool, seen: _Seen) -> None:
        account = seen.account
        seen.allowed *= 2
        if seen.allowed >= min(_PROVEN, account.limits.concurrency):
            await health.lift(db, account.shop_id, account.name)
            await self._book.refresh(db)

    async def _fail(self, db: Pool, account: LiveAccount, code: str) -> None:
        await self._pause(
            db, account, refused=False, code=code, reason="does not answer as it should"
        )

    async def _slow_down(self, db: Pool, seen: _Seen) -> None:
        """Only where somebody else answers sooner: late is better than never."""
        account = seen.account
        if has_stand_in(self._book, account, seen.needs):
            seconds = int(account.slow_after.total_seconds())
            reason = f"takes longer than {seconds} s to answer"
            await self._pause(db, account, refused=False, code=health.SLOW, reason=reason)

    async def _pause(
        self, db: Pool, account: LiveAccount, *, refused: bool, code: str, reason: str
    ) -> None:
        seen = self._of(account)
        seen.ended.clear()
        # What is still under way tells nothing of the time after the pause.
        seen.under_way.clear()
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
        key = (account.shop_id, account.name)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(account)
        return seen


def _failure(outcomes: Sequence[Outcome]) -> str | None:
    """Why the call failed; empty: the provider did its work, whatever it thinks of the messages; None: it only
    asked for patience."""
    if any(isinstance(o, _ANSWERS) for o in outcomes):
        return ""
    return next((o.reason for o in outcomes if isinstance(o, Retry) and not o.throttled), None)
