"""Prices as providers write them."""

from decimal import Decimal, InvalidOperation
from typing import Any

# The powers of ten of its first digit. No price is beyond them, and numbers of any size would not fit the database.
_LEAST, _MOST = -12, 12


def money(value: Any) -> Decimal | None:
    """Prices come as numbers and as text; None where it is none, or less than nothing."""
    try:
        cost = Decimal(str(value))
    except InvalidOperation:
        return None
    return cost if cost.is_finite() and cost >= 0 and _LEAST <= cost.adjusted() <= _MOST else None
