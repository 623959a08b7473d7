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
from hub.notifications.settle import Settled
from hub.notifications.steps import Due

log = structlog.get_logger()

# Away, or two transactions in each other's way: the same write will go through in a moment.
_TRY_AGAIN = (*UNREACHABLE, asyncpg.TransactionRollbackError)

Pair = tuple[Claimed, Settled]


class Recorder:
    """One per worker process. While one transaction is under way the next ones gather in a single other."""

    def __init__(self, db: Pool, worker: UUID) -> None:
        self._db = db
        self._worker = worker
        self._pairs: list[Pair] = []
        self._begun: dict[UUID, Begun] = {}
        self._next: asyncio.Future[list[Due]] | None = None
        self._turn = asyncio.Lock()

    async def put(self, pairs: Sequence[Pair], begun: Mapping[UUID, Begun]) -> list[Due]:
        """Returns once written: the deliveries that the whole transaction made due, to one of its callers;
        nothing to the others."""
        if not pairs:
            return []
        self._pairs.extend(pairs)
        self._begun.update(begun)
        if self._next is not None:
            await asyncio.shield(self._next)
            return []
        self._next = mine = asyncio.get_running_loop().create_future()
        try:
            async with self._turn:
                batch, begun = self._pairs, self._begun
                self._pairs, self._begun, self._next = [], {}, None
                due = await self._write(batch, begun)
        except BaseException as error:
            if self._next is mine:
                self._next = None
            if not mine.done():
                mine.set_exception(
                    error if isinstance(error, Exception) else RuntimeError("stopped")
                )
                mine.exception()
            raise
        mine.set_result(due)
        return due

    async def _write(self, pairs: list[Pair], begun: Mapping[UUID, Begun]) -> list[Due]:
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
