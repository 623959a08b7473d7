"""Prices as providers write them."""

from decimal import Decimal
from typing import Any

import pytest

from channels.money import money


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ("3.35", Decimal("3.35")),
        (0, Decimal(0)),
        (2.45, Decimal("2.45")),
        ("", None),
        (None, None),
        ("free", None),
        ("NaN", None),
        (-1, None),
        # Of a size that fits no column.
        ("1E+999999", None),
        ("1E-20000", None),
    ],
)
def test_what_is_no_price_is_none(said: Any, cost: Decimal | None) -> None:
    assert money(said) == cost
