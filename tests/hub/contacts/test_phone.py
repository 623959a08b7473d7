"""Phones as people type them into the forms of shops."""

import pytest

from hub.contacts.phone import as_typed


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("8 (999) 123-45-67", "+79991234567"),
        ("+7‑999‑123‑45‑67", "+79991234567"),
        ("9991234567", "+79991234567"),
        # The plus sign of a form, and the 8 that people dial.
        ("+8 (999) 123-45-67", "+79991234567"),
        ("8 999 123-45-67, 8 495 123-45-67", "+79991234567"),
        ("8 495 123-45-67 / 8 999 123-45-67", "+79991234567"),
        # Other countries' without the plus sign.
        ("375 29 123-45-67", "+375291234567"),
        ("380671234567", "+380671234567"),
        ("998901234567", "+998901234567"),
        ("+84 91 234 56 78", "+84912345678"),
    ],
)
def test_what_can_be_meant_is_read(typed: str, stored: str) -> None:
    assert as_typed(typed) == stored


@pytest.mark.parametrize(
    "typed",
    ["", "позвонить вечером", "8 495 123-45-67", "4951234567", "84912345678", "80291234567", "42"],
)
def test_what_may_be_anybody_s_is_nobody_s(typed: str) -> None:
    """Landlines of this country are no mobiles of another."""
    with pytest.raises(ValueError, match=r"^is not"):
        as_typed(typed)
