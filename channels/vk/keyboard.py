"""VK's keyboard inside a message, and what it has no room for."""

import json
from collections.abc import Sequence

from channels.base import Button

PAYLOAD_KEY = "k"
"""A pressed button comes back with the payload `{"k": <Button.data>}`."""

# dev.vk.com, "Клавиатура для ботов": limits of a keyboard inside a message.
_MAX_ROWS, _MAX_IN_ROW, _MAX_BUTTONS = 6, 5, 10
_MAX_LABEL, _MAX_PAYLOAD = 40, 255


def keyboard(rows: Sequence[Sequence[Button]]) -> str:
    """The value of the parameter `keyboard`: JSON text."""
    buttons = [[{"action": _action(button)} for button in row] for row in rows]
    return json.dumps({"inline": True, "buttons": buttons}, ensure_ascii=False)


def keyboard_problem(rows: Sequence[Sequence[Button]]) -> str:
    """Which limit is passed, in words; VK's own 911 does not always say it. Empty: none."""
    buttons = [button for row in rows for button in row]
    if len(rows) > _MAX_ROWS or len(buttons) > _MAX_BUTTONS:
        return f"VK takes {_MAX_ROWS} rows and {_MAX_BUTTONS} buttons under a message"
    if any(not 1 <= len(row) <= _MAX_IN_ROW for row in rows):
        return f"VK takes 1 to {_MAX_IN_ROW} buttons in a row"
    if any(not 1 <= len(button.text) <= _MAX_LABEL for button in buttons):
        return f"VK takes 1 to {_MAX_LABEL} characters on a button"
    if any(len(_payload(button)) > _MAX_PAYLOAD for button in buttons if not button.url):
        return f"VK takes {_MAX_PAYLOAD} characters of data behind a button"
    return ""


def _action(button: Button) -> dict[str, str]:
    if button.url:
        return {"type": "open_link", "label": button.text, "link": button.url}
    return {"type": "callback", "label": button.text, "payload": _payload(button)}


def _payload(button: Button) -> str:
    return json.dumps({PAYLOAD_KEY: button.data}, ensure_ascii=False, separators=(",", ":"))
