"""Migrations beside those who are at work: nobody waits for them, and two of them get in nobody's way."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import pytest

from hub.db import moves, retired
from hub.db.migrate import Blocked, Step, UnknownSchema, migrate, steps
from hub.db.retired import RETIRED

_DATABASE = "vestnik_migrate"

_NEXT: Step = (9001, "next", "ALTER TABLE delivery ADD COLUMN more text NOT NULL DEFAULT '';")
_INDEX: Step = (
    9002,
    "index",
    """
CREATE INDEX delivery_more ON delivery (more, due_at)
    WHERE status = 'queued';
CREATE INDEX contact_later ON contact (updated_at);
""",
)
_INSTEAD: Step = (
    9003,
    "instead",
    """
CREATE INDEX delivery_instead ON delivery (more);
DROP INDEX delivery_more;
""",
)


@pytest.fixture(scope="module")
def database(database_url: str) -> str:
    """Migrated once; every test takes back what it adds to it."""

    async def make() -> str:
        connection = await asyncpg.connect(database_url)
        await connection.execute(f"CREATE DATABASE {_DATABASE}")
        await connection.close()
        url = urlsplit(database_url)._replace(path=f"/{_DATABASE}").geturl()
        await migrate(url)
        return url

    # A runner of our own: the tests' event loops stay as pytest-asyncio made them.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(make())


@pytest.fixture
async def url(database: str) -> AsyncIterator[str]:
    yield database
    connection = await asyncpg.connect(database)
    await connection.execute("ALTER TABLE delivery DROP COLUMN IF EXISTS more")
    await connection.execute("DROP INDEX IF EXISTS contact_later")
    await connection.execute("DELETE FROM schema_step WHERE number > 9000")
    await connection.close()


@pytest.fixture
async def db(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def other(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else, who is at work on the same database."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def test_from_many_machines_at_once_each_step_is_applied_once(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE DATABASE {_DATABASE}_empty")
    url = urlsplit(database_url)._replace(path=f"/{_DATABASE}_empty").geturl()

    applied = await asyncio.gather(*(migrate(url) for _ in range(4)))

    await connection.execute(f"DROP DATABASE {_DATABASE}_empty WITH (FORCE)")
    await connection.close()
    assert sorted(applied) == [[], [], [], [number for number, _, _ in steps()]]


async def test_who_reads_for_long_holds_up_the_migration_and_nobody_else(
    url: str, db: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    """As a dump does it. Whoever waits for a table makes everybody wait who comes after him."""
    dump = other.transaction()
    await dump.start()
    await other.fetch("SELECT FROM delivery LIMIT 1")

    migrating = asyncio.create_task(migrate(url, known=[*steps(), _NEXT]))
    longest = await _longest_wait(db, "UPDATE delivery SET status = 'sent'", seconds=2.5)

    assert not migrating.done()
    assert longest < 2
    await dump.rollback()
    assert await migrating == [9001]


async def test_it_gives_up_with_a_word_to_the_person(url: str, other: asyncpg.Connection) -> None:
    async with other.transaction():
        await other.fetch("SELECT FROM delivery LIMIT 1")

        with pytest.raises(Blocked, match="pg_stat_activity"):
            await migrate(url, known=[*steps(), _NEXT], patience=timedelta(0))

    assert await migrate(url, known=[*steps(), _NEXT]) == [9001]


async def test_indexes_of_large_tables_are_built_beside_those_who_write(
    url: str, db: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    await migrate(url, known=[*steps(), _NEXT])
    part = f"delivery_{datetime.now(UTC):%Y_%m}"
    writing = other.transaction()
    await writing.start()
    await other.execute(f"UPDATE {part} SET status = 'sent'")

    migrating = asyncio.create_task(migrate(url, known=[*steps(), _NEXT, _INDEX], large=0))
    longest = await _longest_wait(db, "UPDATE delivery SET status = 'sent'", seconds=1.5)

    # It waits for whoever was there before it, and nobody waits for it.
    assert not migrating.done()
    assert longest < 0.9
    await writing.rollback()
    async with asyncio.timeout(20):
        assert await migrating == [9002]
    assert await _invalid(db) == []
    assert await _has_part(db, "delivery_more", part)


async def test_an_index_that_was_begun_is_finished(url: str, db: asyncpg.Connection) -> None:
    known = [*steps(), _NEXT, _INDEX]
    await migrate(url, known=known)
    part = f"delivery_{datetime.now(UTC):%Y_%m}"
    await db.execute("DROP INDEX delivery_more")
    await db.execute(
        "CREATE INDEX delivery_more ON ONLY delivery (more, due_at) WHERE status = 'queued'"
    )
    name = f"delivery_more_{part.removeprefix('delivery_')}"
    await db.execute(f"CREATE INDEX {name} ON {part} (more, due_at) WHERE status = 'queued'")
    await db.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass($1)", name
    )

    assert await migrate(url, known=known) == []

    assert await _invalid(db) == []
    assert await _has_part(db, "delivery_more", part)


@pytest.mark.parametrize("large", [0, 1 << 40])
async def test_an_index_goes_once_the_one_that_takes_its_place_is_there(
    url: str, db: asyncpg.Connection, other: asyncpg.Connection, large: int
) -> None:
    known = [*steps(), _NEXT, _INDEX]
    await migrate(url, known=known)
    part = f"delivery_{datetime.now(UTC):%Y_%m}"
    writing = other.transaction()
    await writing.start()
    await other.execute(f"UPDATE {part} SET status = 'sent'")

    migrating = asyncio.create_task(migrate(url, known=[*known, _INSTEAD], large=large))
    await asyncio.sleep(0.5)
    assert await _has_part(db, "delivery_more", part)
    await writing.rollback()
    async with asyncio.timeout(20):
        assert await migrating == [9003]

    assert await _has_part(db, "delivery_instead", part)
    assert await db.fetchval("SELECT to_regclass('delivery_more')") is None
    assert await migrate(url, known=[*known, _INSTEAD]) == []
    assert await _has_part(db, "delivery_instead", part)


async def test_pages_of_deliveries_have_room_for_what_becomes_of_them(
    url: str, db: asyncpg.Connection
) -> None:
    part = f"delivery_{datetime.now(UTC):%Y_%m}"
    assert await _filled(db, part) == ["fillfactor=60"]
    # As a version left it that did not know of it.
    await db.execute(f"ALTER TABLE {part} RESET (fillfactor)")

    await migrate(url)

    assert await _filled(db, part) == ["fillfactor=60"]


@pytest.fixture
async def before(database_url: str) -> AsyncIterator[str]:
    """A database as the version before step 42 left it."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE DATABASE vestnik_before")
    url = urlsplit(database_url)._replace(path="/vestnik_before").geturl()
    await migrate(url, known=[step for step in steps() if step[0] < 42])
    yield url
    await connection.execute("DROP DATABASE vestnik_before WITH (FORCE)")
    await connection.close()


async def test_what_was_there_before_is_found_in_lists(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notifications of versions that had no columns for it (steps 42 and 43), in portions."""
    monkeypatch.setattr(moves, "_PORTION", 2)
    db = await asyncpg.connect(before)
    try:
        await db.execute(
            """
            INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped, expires_at)
            SELECT uuidv7(), 1, uuidv7(), 'transactional', 'first', status, '[]', '[]', '2100-01-01Z'
              FROM unnest(ARRAY['queued', 'sent', 'failed']) AS s (status), generate_series(1, 3)
            """
        )
        await migrate(before)
        rows = await db.fetch(
            "SELECT status, listed, ends_at IS NOT NULL AS ends, count(*) FROM notification GROUP BY 1, 2, 3"
        )
    finally:
        await db.close()

    assert {tuple(row) for row in rows} == {
        ("queued", None, True, 3),
        ("sent", None, False, 3),
        ("failed", "failed", False, 3),
    }


async def test_what_the_version_before_looks_for_stays_a_day(before: str) -> None:
    db = await asyncpg.connect(before)
    try:
        await migrate(before)
        assert await _missing(db, RETIRED) == set()

        await db.execute("UPDATE schema_step SET applied_at = now() - interval '25 hours'")
        await retired.take_away(db)

        assert await _missing(db, RETIRED) == set(RETIRED)
        assert await migrate(before) == []
        assert await _missing(db, RETIRED) == set(RETIRED)
    finally:
        await db.close()


async def test_a_new_database_never_has_it(db: asyncpg.Connection) -> None:
    assert await _missing(db, RETIRED) == set(RETIRED)


async def _missing(db: asyncpg.Connection, names: Iterable[str]) -> set[str]:
    return {name for name in names if await db.fetchval("SELECT to_regclass($1)", name) is None}


async def test_a_migrator_of_the_version_before_is_in_nobodys_way(
    url: str, db: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    """It waits for its turn inside PostgreSQL, and an index waits for all who are there: in a ring."""
    known = [*steps(), _NEXT, _INDEX]
    migrating = asyncio.create_task(migrate(url, known=known, large=0))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        # Whichever of the two PostgreSQL lets go on; that version would find the schema too new for it.
        with suppress(asyncpg.DeadlockDetectedError):
            await other.execute("SELECT pg_advisory_lock($1)", 0x76657374_6E696B01)
            await other.execute("SELECT pg_advisory_unlock_all()")
        assert await migrating == [9001, 9002]

    assert await _invalid(db) == []


async def test_what_a_newer_version_migrated_is_left_alone(url: str) -> None:
    await migrate(url, known=[*steps(), _NEXT])

    with pytest.raises(UnknownSchema, match="newer version"):
        await migrate(url)


async def _longest_wait(db: asyncpg.Connection, statement: str, seconds: float) -> float:
    """Of somebody who does that again and again."""
    longest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        await db.execute(statement)
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(0.02)
    return longest


async def _filled(db: asyncpg.Connection, part: str) -> list[str] | None:
    found: list[str] | None = await db.fetchval(
        "SELECT reloptions FROM pg_class WHERE oid = to_regclass($1)", part
    )
    return found


async def _invalid(db: asyncpg.Connection) -> list[str]:
    rows = await db.fetch("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    return [r[0] for r in rows]


async def _has_part(db: asyncpg.Connection, index: str, part: str) -> bool:
    return bool(
        await db.fetchval(
            "SELECT EXISTS (SELECT FROM pg_inherits AS h JOIN pg_index AS i ON i.indexrelid = h.inhrelid"
            " WHERE h.inhparent = to_regclass($1) AND i.indrelid = to_regclass($2))",
            index,
            part,
        )
    )
