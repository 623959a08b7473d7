"""A moment as requests name it."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2100

# pydantic takes 1790000000, also as text, for seconds since 1970, which nobody means who was asked for RFC 3339.
_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def _rfc_3339(value: Any) -> Any:
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError(
            "must be a time like 2026-12-01T10:00:00+03:00 (RFC 3339, with its offset)"
        )
    return value


# The plus sign of an offset, which in a query stands for a space unless it is encoded.
_LOST_PLUS = re.compile(r" (?=\d{2}:\d{2}$)", re.ASCII)


def _of_query(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    restored = _LOST_PLUS.sub("+", value)
    return restored if _RFC_3339.fullmatch(restored) else value


def _in_range(value: datetime) -> datetime:
    if not _EARLIEST_YEAR <= value.year < _LATEST_YEAR:
        raise ValueError(f"must be between the years {_EARLIEST_YEAR} and {_LATEST_YEAR}")
    return value


Instant = Annotated[
    # What comes out of a validator counts as Python's own, where strict means no text at all.
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_rfc_3339),
    AfterValidator(_in_range),
]

QueryInstant = Annotated[Instant, BeforeValidator(_of_query)]
"""Of a query's parameter: as everybody writes it, the plus sign not encoded."""
