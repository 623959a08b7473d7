"""Everything that happens by the clock: hands out what is due, takes back what dead workers left, moves
cascades on, keeps house. Any worker can run it; one at a time does (advisory lock)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic

import structlog

from hub.accounts.limits import RateLimits
from hub.db import partitions, retired
from hub.db.locks import alone
from hub.db.pool import UNREACHABLE, Connection
from hub.ids import new_id
from hub.notifications import held, receipts, recovery, steps, storage
from hub.notifications.handout import HandOut
from hub.notifications.leases import RENEW_EVERY
from hub.notifications.steps import Due
from hub.queue import QueueAway
from hub.resources import Hub

log = structlog.get_logger()

PACE = timedelta(milliseconds=150)
_LOCK = 0x76657374_7469636B

# Who leads and then stands still, or whose machine is gone, loses its connection and with it the lock.
_STANDSTILL = timedelta(seconds=10)

# After PostgreSQL itself was away every lease may have run out: the living renew theirs first.
_GRACE = timedelta(seconds=3)

# So much further than ours went the database's clock: it was set, or the machine slept. All leases have run out by it,
# whose holders renew them in their own time.
_JUMP = timedelta(seconds=5)
_GRACE_AFTER_A_JUMP = RENEW_EVERY + timedelta(seconds=5)

Chore = Callable[[Hub, Connection], Awaitable[list[Due]]]
"""What another part of the product does by the clock, once a second: in transactions of its own, and what it
returns is handed out."""


class Tick:
    def __init__(
        self,
        hub: Hub,
        limits: RateLimits,
        hand_out: Callable[[list[Due]], Awaitable[None]],
        chores: Sequence[Chore] = (),
    ) -> None:
        self._hub = hub
        self._due_ones = HandOut(hub, limits)
        self._hand_out = hand_out
        self._chores = chores
        self._last: dict[str, float] = {}
        self._takes_back_from = 0.0
        self._clocks: tuple[datetime, float] | None = None
        """The database's at the last look, and ours from before it."""
        self._mark = new_id().hex

    async def run(self) -> None:
        """Until cancelled. A database or Redis that is away ends a turn, not the loop."""
        while True:
            try:
                async with self._hub.db.acquire() as connection:
                    await self._lead(connection)
            except UNREACHABLE as error:
                log.warning("tick.database_away", error=type(error).__name__)
            await asyncio.sleep(1)

    async def _lead(self, connection: Connection) -> None:
        """As long as this connection holds the lock and lives, this process is the one that ticks."""
        async with alone(connection, _LOCK) as leads:
            if not leads:
                return
            log.info("tick.leading")
            self._takes_back_from = monotonic() + _GRACE.total_seconds()
            self._clocks = None
            await connection.execute(
                "SELECT set_config('idle_session_timeout', $1, false)", f"{_STANDSTILL.seconds}s"
            )
            while True:
                started = monotonic()
                await self._turn(connection)
                await asyncio.sleep(max(0.0, PACE.total_seconds() - (monotonic() - started)))

    async def _turn(self, connection: Connection) -> None:
        try:
            if self._due("wiped", timedelta(seconds=1)):
                await self._notice_wiped_redis(connection)
            await self._due_ones.turn(connection)
        except QueueAway:
            # Nothing is lost: what is due stays due.
            self._mark = new_id().hex
        if self._due("recovery", timedelta(seconds=1)):
            await self._notice_jump(connection)
            if monotonic() >= self._takes_back_from:
                await self._hand_out(await recovery.expired_leases(self._hub, connection))
            await self._hand_out(await _steps_due(connection))
            await self._hand_out(await _expired(connection))
            for chore in self._chores:
                await self._hand_out(await chore(self._hub, connection))
        if self._due("strays", timedelta(seconds=5)):
            await self._hand_out(await receipts.match_strays(connection))
        if self._due("held", timedelta(minutes=1)) and await held.end_outlived(connection):
            # There may be very many: the next turn goes on.
            self._last.pop("held")
        if self._due("house", timedelta(minutes=10)):
            await _keep_house(connection)

    def _due(self, name: str, every: timedelta) -> bool:
        now = monotonic()
        if now - self._last.get(name, float("-inf")) < every.total_seconds():
            return False
        self._last[name] = now
        return True

    async def _notice_jump(self, connection: Connection) -> None:
        before, asked_at = self._clocks, monotonic()
        now = await connection.fetchval("SELECT now()")
        self._clocks = now, asked_at
        if before is None:
            return
        # At most: an answer that we are slow to read is no jump.
        ours = timedelta(seconds=monotonic() - before[1])
        by = now - before[0] - ours
        if by > _JUMP:
            log.warning("tick.clock_jumped", by=by.total_seconds())
            self._takes_back_from = monotonic() + _GRACE_AFTER_A_JUMP.total_seconds()

    async def _notice_wiped_redis(self, connection: Connection) -> None:
        """A Redis without our mark has forgotten what was handed out: all of it is handed out again."""
        if not await self._hub.queue.was_wiped(self._mark):
            return
        await recovery.hand_out_anew(connection)
        await self._hub.queue.set_mark(self._mark)


async def _steps_due(connection: Connection) -> list[Due]:
    """Cascades whose wait is over."""
    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT id FROM notification WHERE step_at <= now() ORDER BY step_at LIMIT 500"
        )
        return await steps.advance(connection, [r["id"] for r in rows])


# What was held after a restoration may have been sent by the hub that was lost.
_OVER = storage.stopped("expired", doubtful="d.reason = 'held'")


async def _expired(connection: Connection) -> list[Due]:
    """Ends what no worker took before its notification's end (an account paused for long, a key held back)."""
    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT id FROM notification WHERE ends_at <= now() ORDER BY ends_at LIMIT 500"
        )
        ids = [r["id"] for r in rows]
        await connection.execute(
            f"UPDATE delivery AS d SET {_OVER}"  # noqa: S608 (constants)
            " WHERE d.notification_id = ANY($1) AND d.status = 'queued'",
            ids,
        )
        due = await steps.advance(connection, ids)
        await steps.let_pass(connection, ids)
        return due


async def _keep_house(connection: Connection) -> None:
    await partitions.make_ahead(connection)
    await retired.take_away(connection)
    await connection.execute(
        "DELETE FROM idempotency WHERE created_at < now() - interval '48 hours'"
    )
    await connection.execute(
        "DELETE FROM contact_link WHERE expires_at < now() - interval '30 days'"
    )
    await connection.execute(
        "DELETE FROM answer_link WHERE expires_at < now() - interval '30 days'"
    )
