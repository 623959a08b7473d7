"""Brings the schema to the newest version; safe to run twice, from two machines at once, and while workers of the
version before are at work."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.resources import files
from time import monotonic

import asyncpg
import structlog

from hub.db import indexes, moves, partitions, retired
from hub.db.locks import IN_THE_WAY, briefly

log = structlog.get_logger()

# Held while migrating, so that a second machine waits and then finds nothing to do.
_LOCK = 0x76657374_6E696B01

_GLANCE = timedelta(milliseconds=100)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=5)
PATIENCE = timedelta(minutes=5)

Step = tuple[int, str, str]
"""Number, name, SQL."""


class CannotMigrate(Exception):
    """One line for a person."""


class UnknownSchema(CannotMigrate):
    """The database was migrated by a newer version of Vestnik."""


class Blocked(CannotMigrate):
    """Somebody holds a table for so long that the schema could not be changed."""


def steps() -> list[Step]:
    """Every migration there is, in order."""
    found = []
    for entry in files("hub.db.migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append((int(number), name, entry.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(
    database_url: str,
    *,
    known: Sequence[Step] | None = None,
    large: int = indexes.LARGE,
    patience: timedelta = PATIENCE,
) -> list[int]:
    """Applies what is missing, each step in its own transaction; returns the numbers applied.

    Nobody waits for it longer than a moment: a table that is in use is left to its users and tried again, and
    indexes of tables of `large` bytes and more are built beside those who write. `known`: the steps there are.

    Raises `UnknownSchema` when the database is ahead of this version, `Blocked` when `patience` is over.
    """
    known = steps() if known is None else known
    applied: list[int] = []
    end, pause = monotonic() + patience.total_seconds(), _FIRST_PAUSE
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        while True:
            try:
                # Given back before each pause: whoever waits for it in PostgreSQL itself, as earlier versions do,
                # holds up the building of indexes.
                async with _alone(connection):
                    await _migrate(connection, known, large, applied)
                return applied
            except IN_THE_WAY as error:
                if monotonic() > end:
                    raise Blocked(
                        "the schema cannot be changed: something holds its tables (a long transaction, a dump);"
                        " see pg_stat_activity, end it and start again"
                    ) from error
                log.warning("migrate.waits", error=type(error).__name__)
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, _LONGEST_PAUSE)
    finally:
        await connection.close()


@asynccontextmanager
async def _alone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110
        await asyncio.sleep(_GLANCE.total_seconds())
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _migrate(
    connection: asyncpg.Connection, known: Sequence[Step], large: int, applied: list[int]
) -> None:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_step ("
        " number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    done = {r["number"] for r in await connection.fetch("SELECT number FROM schema_step")}
    if unknown := done - {number for number, _, _ in known}:
        raise UnknownSchema(
            f"the database has step {max(unknown)}, this version knows {known[-1][0]}: "
            "start the newer version of Vestnik"
        )
    for number, name, sql in known:
        if number not in done:
            if move := moves.BEFORE.get(number):
                await move(connection)
            now = await indexes.without_slow(connection, sql, large)
            async with briefly(connection):
                # What is left of it may be nothing, which is no statement.
                await connection.execute(f"{now}\nSELECT;")
                await connection.execute(
                    "INSERT INTO schema_step (number, name) VALUES ($1, $2)", number, name
                )
            log.info("migrated", step=number, step_name=name)
            applied.append(number)
    await partitions.make_ahead(connection)
    await indexes.complete(connection, [sql for _, _, sql in known])
    # In a database that this very run has made nobody is at work.
    await retired.take_away(connection, at_once=known[0][0] in applied)


async def is_current(db: asyncpg.Pool) -> bool:
    """Whether every step this version knows has been applied."""
    newest = await db.fetchval("SELECT max(number) FROM schema_step")
    return newest is not None and newest >= steps()[-1][0]
