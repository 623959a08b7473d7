"""The statistics as a file that spreadsheets open."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the Windows code page."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def written(head: Sequence[str], rows: Iterable[Sequence[Any]], *, locale: str = "en") -> str:
    """With a head line. Where people write decimals with a comma their spreadsheets expect semicolons between the cells,
    and make dates of numbers with a point. Text that a spreadsheet would calculate stands behind an apostrophe (OWASP,
    CSV injection)."""
    comma = locale == "ru"
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if comma else ",", lineterminator="\r\n")
    writer.writerow([_safe(value, comma=comma) for value in head])
    writer.writerows([_safe(value, comma=comma) for value in row] for row in rows)
    return _MARK + out.getvalue()


def _safe(value: Any, *, comma: bool) -> Any:
    """Numbers are numbers, negative ones, too."""
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal):
        return str(value).replace(".", ",") if comma else value
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
