"""Ids of everything that grows: UUIDv7, so that they sort by time and partitions follow them."""

import secrets
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils
from asyncpg.pgproto import pgproto


def new_id() -> UUID:
    """Never below an id this process made before. Of the type in which ids come from the database: it is made, written and
    shown several times as fast as Python's own, of which it is a kind. `orjson` takes its text only."""
    return pgproto.UUID(uuid_utils.uuid7().bytes)


def id_at(at: datetime) -> UUID:
    """One of that instant, however long ago: it sorts among those that were made then."""
    milliseconds = max(int(at.timestamp() * 1000), 0)
    below = int.from_bytes(secrets.token_bytes(10), "big")
    version, variant = 7 << 76, 0b10 << 62
    return UUID(int=milliseconds << 80 | version | (below & ~(0xF << 76) & ~(0b11 << 62)) | variant)


def made_at(id_: UUID) -> datetime:
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
