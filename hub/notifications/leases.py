"""What one worker process has in hand, and for how long it is its own."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog

from hub.db.pool import UNREACHABLE, Pool
from hub.notifications import attempts, claims
from hub.notifications.claims import Claimed

log = structlog.get_logger()

RENEW_EVERY = timedelta(seconds=10)
_FRESH = timedelta(seconds=5)
"""A lease so young is not renewed yet: with the wait for the next turn it is half over by then."""
_LOOK_EVERY = timedelta(seconds=1)


@dataclass(slots=True, eq=False)
class Job:
    """Some deliveries on their way from claim to recorded outcome. `leased_at`: not later than their leases begin;
    `begun_at`: when it was looked at who may be told what, and when."""

    leased_at: float = field(default_factory=monotonic)
    begun_at: float = field(default_factory=monotonic)

    @property
    def age(self) -> float:
        """Seconds since then."""
        return monotonic() - self.begun_at


class Leases:
    """One per process, which `worker` names in the rows."""

    def __init__(self, db: Pool, worker: UUID) -> None:
        self._db = db
        self._worker = worker
        self._in_hand: dict[UUID, Job] = {}
        """What one job gave back another one may have taken."""
        self._left: set[UUID] = set()
        """Not sent because the database went away: perhaps still ours there, to be given back."""
        self._returning: frozenset[UUID] = frozenset()
        """Of these: what is being given back at this moment."""
        self._renewed_at = monotonic()

    @contextmanager
    def held(self, job: Job, claimed: Sequence[Claimed]) -> Iterator[None]:
        """They are kept as long as the context lasts."""
        self._in_hand |= dict.fromkeys((c.id for c in claimed), job)
        try:
            yield
        finally:
            for id_ in self._of_job(job, [c.id for c in claimed]):
                self._in_hand.pop(id_, None)

    @contextmanager
    def left_for_later(self, job: Job, ids: Collection[UUID]) -> Iterator[None]:
        """What a database that goes away holds up is due again once it is back. Nothing inside may be under way at a
        provider by then."""
        try:
            yield
        except UNREACHABLE as error:
            log.warning("delivery.database_away", error=type(error).__name__, deliveries=len(ids))
            left = self._of_job(job, ids)
            for id_ in left:
                self._in_hand.pop(id_, None)
            self._left |= left

    def free(self, claimed: Sequence[Claimed]) -> Sequence[Claimed]:
        """Without those that are being given back at this moment, which may come after the claim; they follow them."""
        if not self._returning:
            return claimed
        self._left |= {c.id for c in claimed if c.id in self._returning}
        return [c for c in claimed if c.id not in self._returning]

    def of(self, job: Job, ids: Iterable[UUID]) -> set[UUID]:
        """Those that the job still has in hand. After a standstill another job of this very process may have them."""
        return {id_ for id_ in ids if self._in_hand.get(id_) is job}

    def last(self, job: Job, deliveries: Sequence[Claimed]) -> bool:
        """Whether all of them are still the job's by this process's own clock: after a standstill others may be at
        them already."""
        lasts = monotonic() - job.leased_at < claims.LEASE.total_seconds()
        return lasts and all(self._in_hand.get(d.id) is job for d in deliveries)

    async def keep(self) -> None:
        """Runs beside the jobs: what is in hand stays ours while this process lives, what is not goes back."""
        while True:
            await asyncio.sleep(_LOOK_EVERY.total_seconds())
            with suppress(*UNREACHABLE):
                if monotonic() - self._renewed_at >= RENEW_EVERY.total_seconds():
                    await self.renew()
                await self._give_back_left()

    async def renew(self) -> None:
        """Those that were claimed a moment ago are left out: mostly they are gone before the next turn."""
        now = monotonic()
        jobs = {
            job for job in self._in_hand.values() if now - job.leased_at >= _FRESH.total_seconds()
        }
        old = [id_ for id_, job in self._in_hand.items() if job in jobs]
        if old:
            await claims.renew(self._db, old, self._worker)
            for job in jobs:
                job.leased_at = now
        self._renewed_at = now

    async def _give_back_left(self) -> None:
        # What is in hand was claimed anew since.
        left, self._left = self._left - self._in_hand.keys(), set()
        if not left:
            return
        # Whoever claims one of them meanwhile would have it taken out of his hand.
        self._returning = frozenset(left)
        try:
            await attempts.write_not_made(self._db, list(left), self._worker)
            await claims.give_back(self._db, dict.fromkeys(left, timedelta(0)), self._worker)
            await claims.hand_out_now(self._db, list(left))
        except UNREACHABLE:
            self._left |= left
            raise
        finally:
            self._returning = frozenset()

    def _of_job(self, job: Job, ids: Iterable[UUID]) -> set[UUID]:
        """Without those that another job has in hand by now."""
        return {id_ for id_ in ids if self._in_hand.get(id_, job) == job}
