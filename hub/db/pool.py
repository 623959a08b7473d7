"""Connections to PostgreSQL, with JSON and the words used everywhere for them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
from asyncpg.exceptions._base import DataError as ClientDataError

Pool = asyncpg.Pool
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
Db = Pool | Connection

# What asyncpg raises when the server is away, going away, coming up, was replaced by a standby, has no room (disk,
# memory, connections), or broke off in mid-answer (then it is an internal error of its own): nothing was decided, try
# again.
UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
    OSError,
)

# A value that does not fit its column. asyncpg counts it among its `InterfaceError`s, so it is among the above, but
# no waiting helps: whoever waits looks at this one first.
UNFIT = ClientDataError


@asynccontextmanager
async def transaction(db: Db) -> AsyncIterator[Connection]:
    """One of its own; within a transaction a part of it."""
    if isinstance(db, asyncpg.Pool):
        async with db.acquire() as connection, connection.transaction():
            yield connection
    else:
        async with db.transaction():
            yield db


def as_json(value: Any) -> str:
    """As it goes into a column of type jsonb."""
    return orjson.dumps(value).decode()


_VERSION = b"\x01"
"""Stands before the text of a jsonb in PostgreSQL's binary form (jsonb_send); before that of a json there is nothing."""


def _encoded(value: Any) -> bytes:
    return _VERSION + orjson.dumps(value)


def _decoded(raw: bytes) -> Any:
    return orjson.loads(memoryview(raw)[1:])


async def _prepare(connection: Any) -> None:
    # In binary form, because COPY takes no other.
    for name, encoder, decoder in (
        ("json", orjson.dumps, orjson.loads),
        ("jsonb", _encoded, _decoded),
    ):
        await connection.set_type_codec(
            name, encoder=encoder, decoder=decoder, schema="pg_catalog", format="binary"
        )


async def _as_it_is(_connection: Any) -> None:
    """Given back as it is, without asyncpg's own round trip: transactions are ended by then, and whoever sets something
    for a session takes it back (`hub.db.locks.alone`)."""


class _Impatient(asyncpg.Pool):
    """Whoever finds no connection free waits a moment only."""

    patience: timedelta

    def acquire(self, *, timeout: float | None = None) -> Any:
        return super().acquire(timeout=timeout or self.patience.total_seconds())


async def open_pool(
    url: str,
    *,
    size: int = 10,
    patience: timedelta | None = None,
    session: Mapping[str, str] | None = None,
) -> Pool:
    """A pool whose statements give up after 30 s. `patience`: how long one waits for a connection while all are in
    use (`TimeoutError`); without it as long as it takes. `session`: settings of PostgreSQL that all its connections
    have; such a pool connects when it is first used. Raises what `UNREACHABLE` lists when nobody answers."""
    kind = _Impatient if patience else asyncpg.Pool
    pool = kind(
        url,
        min_size=0 if session else 1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300,
        connect=None,
        setup=None,
        init=_prepare,
        reset=_as_it_is,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        command_timeout=30,
        timeout=5,
        server_settings={
            "application_name": "vestnik",
            "timezone": "UTC",
            "jit": "off",
            # A process that stands still in mid-transaction must not hold its locks against the others.
            "idle_in_transaction_session_timeout": "30s",
            **(session or {}),
        },
    )
    if isinstance(pool, _Impatient) and patience:
        pool.patience = patience
    return await pool
