"""What the address of a page asks for, read leniently: what makes no sense is as good as left out."""

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from hub.api.console.frame import Visit
from hub.errors import NotFound

E = TypeVar("E", bound=StrEnum)


def text(visit: Visit, name: str, *, longest: int = 320) -> str:
    """Without spaces around it and without what cannot be stored."""
    return visit.request.query.get(name, "").replace("\x00", "").strip()[:longest]


def one_of(visit: Visit, name: str, kind: type[E]) -> E | None:
    with suppress(ValueError):
        return kind(visit.request.query.get(name, ""))
    return None


def uuid(value: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(value)
    return None


def in_path(visit: Visit, name: str = "id") -> UUID:
    """Raises `NotFound`."""
    found = uuid(visit.request.match_info[name])
    if found is None:
        raise NotFound
    return found


def day(visit: Visit, name: str, *, end: bool = False) -> datetime | None:
    """Its beginning, or its end, where the operator is."""
    with suppress(ValueError, OverflowError):
        there = datetime.combine(
            datetime.fromisoformat(visit.request.query.get(name, "")).date(),
            time(),
            visit.formats.zone,
        )
        found = (there + timedelta(days=1) if end else there).astimezone(UTC)
        # Ids are made of the time, and begin with these years.
        return found if 1970 < found.year < 9999 else None
    return None
