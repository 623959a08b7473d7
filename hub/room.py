"""Whether there is room for more work: the disk of the database, its size, and how much waits already.

What was accepted needs room, too, until it has left: so new work is refused while there is still some.
"""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from time import monotonic

import asyncpg
import structlog

from hub.config import AUTOMATIC, HubSettings
from hub.db.pool import UNREACHABLE, Pool
from hub.errors import BacklogFull, DatabaseFull, DiskLow, RetryLater

log = structlog.get_logger()

_GIB = 1 << 30
_LOOK_EVERY = timedelta(seconds=2)
_ASK_EVERY = timedelta(seconds=10)
_COST = 50
"""Counting takes no more than one part in so many of the time."""

_DISK_AFTER, _OTHERS_AFTER = timedelta(seconds=60), timedelta(seconds=10)

# Open again only a good piece on the other side of the limit: else every request would change it.
_MORE_ROOM, _LESS_WAITS = 1.25, 0.9


class Short(StrEnum):
    """Of what there is too little, or too much."""

    DISK = "disk"
    DATABASE = "database"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Disk:
    free: int
    total: int


def disk_of(folder: Path) -> Disk:
    """Raises `OSError`."""
    found = shutil.disk_usage(folder)
    return Disk(found.free, found.total)


def automatic_reserve(total: int) -> int:
    """A twentieth of the disk within 1 to 4 GiB, of small disks a tenth: a database that goes on sending writes, and
    its log alone may grow by a gigabyte."""
    return min(max(_GIB, min(total // 20, 4 * _GIB)), total // 10)


class Room:
    """One per API process; `run` beside the requests."""

    def __init__(
        self, settings: HubSettings, db: Pool, disk: Callable[[Path], Disk] = disk_of
    ) -> None:
        self._settings = settings
        self._db = db
        self._disk = disk
        self._asked_at = float("-inf")
        self._ask_after = _ASK_EVERY.total_seconds()
        self.known: dict[str, int] = {}
        """What was found at the last look: `disk_free`, `disk_reserve`, `database`, `backlog`, as far as they are
        watched."""
        self._short: dict[Short, RetryLater] = {}

    @property
    def short(self) -> Mapping[Short, RetryLater]:
        """Why no new work is taken; empty: it is taken."""
        return self._short

    def check(self) -> None:
        """Raises `DiskLow`, `DatabaseFull`, `BacklogFull`."""
        for error in self._short.values():
            raise type(error)(error.detail, after=error.after)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY.total_seconds())

    async def look(self) -> None:
        """What cannot be found out leaves things as they were."""
        if self._settings.database_folder:
            await self._look_at_disk(Path(self._settings.database_folder))
        now = monotonic()
        if now - self._asked_at < self._ask_after:
            return
        self._asked_at = now
        try:
            if self._settings.database_limit:
                await self._look_at_size(self._settings.database_limit)
            if self._settings.backlog_limit:
                await self._look_at_backlog(self._settings.backlog_limit)
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            log.info("room.unknown", error=type(error).__name__)
        self._ask_after = max(_ASK_EVERY.total_seconds(), (monotonic() - now) * _COST)

    async def _look_at_disk(self, folder: Path) -> None:
        try:
            # Of a disk that hangs only this thread hangs.
            disk = await asyncio.to_thread(self._disk, folder)
        except OSError as error:
            log.warning("room.disk_unknown", error=error.strerror)
            return
        asked = self._settings.disk_reserve
        reserve = automatic_reserve(disk.total) if asked == AUTOMATIC else asked
        self.known |= {"disk_free": disk.free, "disk_reserve": reserve}
        enough = disk.free >= reserve * (_MORE_ROOM if Short.DISK in self._short else 1)
        told = (
            f"{_mib(disk.free)} are free where the database is, {_mib(reserve)} are kept in reserve"
        )
        self._set(Short.DISK, None if enough else DiskLow(told, after=_DISK_AFTER))

    async def _look_at_size(self, limit: int) -> None:
        size = int(await self._db.fetchval("SELECT pg_database_size(current_database())"))
        self.known["database"] = size
        enough = size <= limit * (_LESS_WAITS if Short.DATABASE in self._short else 1)
        told = f"the database has {_mib(size)}, the limit is {_mib(limit)}"
        self._set(Short.DATABASE, None if enough else DatabaseFull(told, after=_OTHERS_AFTER))

    async def _look_at_backlog(self, limit: int) -> None:
        """Whatever is not with a provider yet, due or not."""
        waiting = int(
            await self._db.fetchval(
                "SELECT count(*) FROM"
                " (SELECT FROM delivery WHERE status = 'queued' LIMIT $1) AS waiting",
                limit + 1,
            )
        )
        self.known["backlog"] = waiting
        enough = waiting <= limit * (_LESS_WAITS if Short.BACKLOG in self._short else 1)
        told = f"{limit} messages and more wait to be sent"
        self._set(Short.BACKLOG, None if enough else BacklogFull(told, after=_OTHERS_AFTER))

    def _set(self, what: Short, error: RetryLater | None) -> None:
        was = what in self._short
        if error is None:
            self._short.pop(what, None)
        else:
            self._short[what] = error
        if was and error is None:
            log.warning("intake.opened", short=what.value, **self.known)
        elif error and not was:
            log.error("intake.closed", short=what.value, **self.known)


def _mib(size: int) -> str:
    return f"{size >> 20} MiB"
