"""Ids of everything that grows: UUIDv7, so that they sort by time and partitions follow them."""

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """Never below an id this process made before."""
    return uuid_utils.compat.uuid7()


def made_at(id_: UUID) -> datetime:
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
