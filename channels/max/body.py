"""What a message of MAX is made of (`NewMessageBody`), and to whom it goes."""

from collections.abc import Sequence
from typing import Any

from channels.base import Button

_LONGEST = 4000


def recipient(to: str) -> dict[str, str]:
    """A person is written to by his own id, a group by its chat's, which is negative."""
    return {"chat_id": to} if to.startswith("-") else {"user_id": to}


def body(text: str, html: str, buttons: Sequence[Sequence[Button]]) -> dict[str, Any]:
    """The same for a new message and for an edit: an empty list of attachments takes the buttons away, where a
    missing one would leave them.

    Whether the tags of `html` count for the limit of a text is not documented: where they might pass it, the plain
    text goes.
    """
    fields: dict[str, Any] = {"text": text, "attachments": []}
    if html and len(html) <= _LONGEST:
        fields |= {"text": html, "format": "html"}
    if buttons:
        rows = [[_button(button) for button in row] for row in buttons]
        fields["attachments"] = [{"type": "inline_keyboard", "payload": {"buttons": rows}}]
    return fields


def _button(button: Button) -> dict[str, str]:
    if button.url:
        return {"type": "link", "text": button.text, "url": button.url}
    return {"type": "callback", "text": button.text, "payload": button.data}
