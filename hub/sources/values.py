"""Foreign values made ours. All functions are total, except `required`: what cannot be read is not there."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.db.text import storable
from hub.sources.base import Unreadable

_YES = frozenset({"1", "y", "yes", "true", "on"})

# Money of up to a hundred billion; what is beyond is no price.
_MOST = Decimal(10) ** 11

_SECONDS = re.compile(r"-?\d{1,13}(\.\d+)?")

# "+0300" of PHP and Go, where Python before 3.12 and ISO want "+03:00".
_BARE_OFFSET = re.compile(r"([+-]\d{2})(\d{2})$")


def text(value: Any, longest: int = 500) -> str:
    """A text or a number as text, trimmed; anything else is empty."""
    if isinstance(value, str):
        return storable(value, longest).strip()
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return ""
    return storable(str(value), longest)


def number(value: Any) -> Decimal | None:
    """A finite number, also one written with a comma or with spaces between its thousands."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, str):
        value = "".join(value[:40].split()).replace(",", ".")
    try:
        found = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return found if found.is_finite() and abs(found) < _MOST else None


def money(value: Any) -> Decimal | None:
    """An amount with its kopecks, not below zero."""
    found = number(value)
    return None if found is None or found < 0 else found.quantize(Decimal("0.01"))


def kopecks(value: Any) -> Decimal | None:
    """An amount that is told in hundredths."""
    found = number(value)
    return None if found is None else money(found / 100)


def yes(value: Any) -> bool:
    """`Y`, `1`, `true`, whether as text or not."""
    return text(value).lower() in _YES if not isinstance(value, bool) else value


def instant(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """ISO 8601 or RFC 3339 (with `Z`, an offset, or none: then of `zone`), or seconds since 1970; always aware."""
    written = text(value, 64)
    try:
        if _SECONDS.fullmatch(written):
            # Milliseconds, as some tell them, lie beyond year 5000.
            seconds = float(written)
            found = datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        else:
            found = datetime.fromisoformat(_BARE_OFFSET.sub(r"\1:\2", written))
    except (ValueError, OverflowError, OSError):
        return None
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    # PHP's way to say "never" is the year 0 or -1; PostgreSQL's months begin later, too.
    return found if 1990 <= found.year <= 2200 else None


def table(value: Any) -> Mapping[str, Any]:
    """An object; also PHP's empty one, which comes as `[]`."""
    return value if isinstance(value, Mapping) else {}


def rows(value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects of a list, or of an object that a platform keys by their ids."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def required(payload: Mapping[str, Any], *path: str) -> str:
    """The text at `path`. Raises `Unreadable`, naming the field, where there is none."""
    found: Any = payload
    for name in path:
        found = table(found).get(name)
    written = text(found)
    if not written:
        raise Unreadable(f"{'.'.join(path)} is missing")
    return written


def first(*values: Any) -> str:
    """The first one that says something."""
    return next(filter(None, map(text, values)), "")
