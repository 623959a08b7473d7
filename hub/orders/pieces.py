"""Texts put together from parts, each both plain and as a messenger's HTML, within what a message may hold. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_LONGEST_TEXT = 3500
"""Telegram and VK take 4,096 characters, MAX 4,000."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text in both its forms."""

    text: str
    html: str

    @classmethod
    def plain(cls, text: str) -> "Piece":
        return cls(text, escape(text, quote=False))

    @classmethod
    def bold(cls, text: str) -> "Piece":
        return cls(text, f"<b>{escape(text, quote=False)}</b>")


def joined(pieces: Iterable[Piece], by: str) -> Piece:
    """Empty ones are left out."""
    some = list(pieces)
    return Piece(by.join(p.text for p in some if p.text), by.join(p.html for p in some if p.html))


def fitted(
    head: Sequence[Piece], lines: Sequence[Piece], foot: Sequence[Piece], more: str
) -> Piece:
    """Lines beyond the longest text are counted instead of shown (`more`, with `{number}`); head and foot
    always stand."""
    room = _LONGEST_TEXT - sum(len(piece.text) + 2 for piece in (*head, *foot))
    fitting = 0
    for line in lines:
        room -= len(line.text) + 2
        if room < 0:
            break
        fitting += 1
    blocks = [joined(head, "\n"), *lines[:fitting]]
    if fitting < len(lines):
        blocks.append(Piece.plain(more.format(number=len(lines) - fitting)))
    if foot:
        blocks.append(joined(foot, "\n"))
    return joined(blocks, "\n\n")


def cut(text: str, longest: int) -> str:
    """On one line, at most `longest` characters, the last one an ellipsis where something was cut."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
