"""Durations as the settings file has them."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: Any) -> timedelta:
    """`"90s"`, `"10m"`, `"4h"`, `"2d"`. Raises `ValueError`."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d{1,6})(s|m|h|d)", value) if isinstance(value, str) else None
    if not match:
        raise ValueError('must be a number with a unit: "90s", "10m", "4h" or "2d"')
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def spelled(value: timedelta) -> str:
    """As one would write it: `"7d"`. Parts of a second can be said as a number only."""
    if value.microseconds:
        return f"{value.total_seconds():g}"
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and not seconds % length:
            return f'"{seconds // length}{unit}"'
    return f'"{seconds}s"'


def between(least: timedelta, most: timedelta) -> AfterValidator:
    """Both ends may be."""

    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise ValueError(f"must be {spelled(least)} to {spelled(most)}")
        return value

    return AfterValidator(check)


Duration = Annotated[timedelta, BeforeValidator(duration)]


def _or_seconds(value: Any) -> Any:
    return duration(value) if isinstance(value, str) else value


DurationOrSeconds = Annotated[timedelta, BeforeValidator(_or_seconds)]
"""Where a bare number is taken for seconds as well."""
