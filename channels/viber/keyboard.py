"""Viber's keyboard, which takes the place of the phone's own until another one comes."""

import html
from collections.abc import Sequence
from typing import Any

from channels.base import Button

PRESSED = "/press "
"""A pressed button comes back as a message of these signs and its data."""

# Viber's FAQ and "Keyboards": six columns, up to twelve rows as phones are mostly held.
_COLUMNS, _MAX_ROWS = 6, 12


def keyboard(rows: Sequence[Sequence[Button]]) -> dict[str, Any]:
    buttons = [
        _button(button, columns)
        for row in rows
        for button, columns in zip(row, _shares(len(row)), strict=True)
    ]
    return {"Type": "keyboard", "DefaultHeight": False, "Buttons": buttons}


def keyboard_problem(rows: Sequence[Sequence[Button]]) -> str:
    """Which limit is passed, in words, empty for none. Viber takes any keyboard, and then the phone refuses the whole
    message."""
    if len(rows) > _MAX_ROWS:
        return f"Viber takes {_MAX_ROWS} rows of buttons"
    if any(not 1 <= len(row) <= _COLUMNS for row in rows):
        return f"Viber takes 1 to {_COLUMNS} buttons in a row"
    if any(not button.text for row in rows for button in row):
        return "a button needs a text"
    return ""


def _shares(count: int) -> list[int]:
    """How many of the six columns each of a row's buttons gets: all of them together."""
    each, over = divmod(_COLUMNS, count)
    return [each + 1] * over + [each] * (count - over)


def _button(button: Button, columns: int) -> dict[str, Any]:
    look = {"Columns": columns, "Rows": 1, "Text": html.escape(button.text, quote=False)}
    if button.url:
        return {**look, "ActionType": "open-url", "ActionBody": button.url}
    # Silent: what comes back is not shown as something that the person wrote.
    return {**look, "ActionType": "reply", "ActionBody": PRESSED + button.data, "Silent": True}
