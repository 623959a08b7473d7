"""Prices as providers write them."""

from decimal import Decimal, InvalidOperation
from typing import Any


def money(value: Any) -> Decimal | None:
    """Prices come as numbers and as text; None where it is none."""
    try:
        cost = Decimal(str(value))
    except InvalidOperation:
        return None
    return cost if cost.is_finite() else None
