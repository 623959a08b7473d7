"""Writes outcomes as they come, many in one transaction, and never lets a known one become unknown."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
import structlog

from hub.db.pool import UNFIT, UNREACHABLE, Pool
from hub.notifications import outcomes
from hub.notifications.attempts import Begun
from hub.notifications.claims import Claimed
from hub.notifications.settle import Settled, bare
from hub.notifications.steps import Due

log = structlog.get_logger()

# Away, or two transactions in each other's way: the same write will go through in a moment.
_TRY_AGAIN = (*UNREACHABLE, asyncpg.TransactionRollbackError)

Pair = tuple[Claimed, Settled]
_Written = asyncio.Future[list[Due]]


class Recorder:
    """One per worker process. While one transaction is under way the next ones gather in a single other."""

    def __init__(self, db: Pool, worker: UUID) -> None:
        self._db = db
        self._worker = worker
        self._pairs: list[Pair] = []
        self._begun: dict[UUID, Begun] = {}
        self._waiting: list[_Written] = []
        """For the same transaction, one future each: cheaper than to wait for it together, shielded."""
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()
        """Kept here: whoever waits for them may be cancelled."""

    async def put(self, pairs: Sequence[Pair], begun: Mapping[UUID, Begun]) -> list[Due]:
        """Returns once written: the deliveries that the whole transaction made due, to one of its callers;
        nothing to the others."""
        if not pairs:
            return []
        self._pairs.extend(pairs)
        self._begun.update(begun)
        written: _Written = asyncio.get_running_loop().create_future()
        self._waiting.append(written)
        if len(self._waiting) == 1:
            task = asyncio.create_task(self._write_gathered())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return await written

    async def _write_gathered(self) -> None:
        async with self._turn:
            pairs, begun, waiting = self._pairs, self._begun, self._waiting
            self._pairs, self._begun, self._waiting = [], {}, []
            try:
                due = await self._write(pairs, begun)
            except Exception as error:  # noqa: BLE001 (whoever waits for it is told)
                for written in _still(waiting):
                    written.set_exception(error)
            except BaseException:
                for written in _still(waiting):
                    written.cancel()
                raise
            else:
                for written in _still(waiting):
                    written.set_result(due)
                    due = []

    async def _write(self, pairs: list[Pair], begun: Mapping[UUID, Begun]) -> list[Due]:
        try:
            return await self._write_when_possible(pairs, begun)
        except Exception as error:
            if len(pairs) == 1 and pairs[0][1] == bare(pairs[0][1]):
                raise
            log.exception("outcomes.not_written", error=type(error).__name__, waiting=len(pairs))
        # One that cannot be written must not take the others with it, nor what else it says itself.
        due: list[Due] = []
        for pair in pairs:
            due += await self._write_alone(pair, begun)
        return due

    async def _write_alone(self, pair: Pair, begun: Mapping[UUID, Begun]) -> list[Due]:
        claimed, settled = pair
        for said in (settled, bare(settled)):
            try:
                return await self._write_when_possible([(claimed, said)], begun)
            except Exception:
                log.exception("outcomes.cannot_be_written", delivery=str(claimed.id))
        # Its lease runs out, and it is treated as what a dead worker held.
        return []

    async def _write_when_possible(
        self, pairs: list[Pair], begun: Mapping[UUID, Begun]
    ) -> list[Due]:
        pause = 0.2
        while True:
            try:
                return await outcomes.record(self._db, pairs, begun, self._worker)
            except UNFIT:
                raise
            except _TRY_AGAIN as error:
                log.warning(
                    "outcomes.not_written_yet", error=type(error).__name__, waiting=len(pairs)
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)


def _still(waiting: Sequence[_Written]) -> list[_Written]:
    """Who was cancelled meanwhile waits no more."""
    return [written for written in waiting if not written.done()]
