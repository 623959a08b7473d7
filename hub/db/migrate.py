"""Brings the schema to the newest version; safe to run twice and from two machines at once."""

from importlib.resources import files

import asyncpg
import structlog

from hub.db import partitions

log = structlog.get_logger()

# Held while migrating, so that a second machine waits and then finds nothing to do.
_LOCK = 0x76657374_6E696B01


class UnknownSchema(Exception):
    """The database was migrated by a newer version of Vestnik."""


def steps() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration there is, in order."""
    found = []
    for entry in files("hub.db.migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append((int(number), name, entry.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(database_url: str) -> list[int]:
    """Applies what is missing, each step in its own transaction; returns the numbers applied.

    Raises `UnknownSchema` when the database is ahead of this version.
    """
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_step ("
            " number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {r["number"] for r in await connection.fetch("SELECT number FROM schema_step")}
        known = steps()
        if unknown := done - {number for number, _, _ in known}:
            raise UnknownSchema(
                f"the database has step {max(unknown)}, this version knows {known[-1][0]}: "
                "start the newer version of Vestnik"
            )
        applied = []
        for number, name, sql in known:
            if number not in done:
                async with connection.transaction():
                    await connection.execute(sql)
                    await connection.execute(
                        "INSERT INTO schema_step (number, name) VALUES ($1, $2)", number, name
                    )
                log.info("migrated", step=number, step_name=name)
                applied.append(number)
        await partitions.make_ahead(connection)
        return applied
    finally:
        await connection.close()


async def is_current(db: asyncpg.Pool) -> bool:
    """Whether every step this version knows has been applied."""
    newest = await db.fetchval("SELECT max(number) FROM schema_step")
    return newest is not None and newest >= steps()[-1][0]
