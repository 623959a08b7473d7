"""How many segments a text takes on its way to a phone: every provider bills by segment (3GPP TS 23.038, 23.040)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from channels.sms import gsm7

# Septets of each character: an escape and one more for those of the second table.
_GSM_7 = {char: 1 for char in gsm7.BASIC if ord(char) != gsm7.ESCAPE} | dict.fromkeys(
    gsm7.EXTENDED, 2
)


class Encoding(StrEnum):
    GSM_7 = "gsm-7"
    UCS_2 = "ucs-2"


# Units of a text that is alone, and of each part of a longer one (the rest is the header that joins them).
_ROOM = {Encoding.GSM_7: (160, 153), Encoding.UCS_2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Parts:
    """`units`: septets in GSM-7, 16-bit code units in UCS-2. `count`: segments to pay for; 0 for no text."""

    encoding: Encoding
    units: int
    count: int


def parts(text: str) -> Parts:
    """One character outside GSM-7 (any Cyrillic, №, «, an emoji) turns the whole text into UCS-2."""
    encoding, widths = _measured(text)
    units = sum(widths)
    alone, part = _ROOM[encoding]
    return Parts(encoding, units, min(units, 1) if units <= alone else len(_starts(widths, part)))


def pieces(text: str, encoding: Encoding | None = None) -> list[str]:
    """The text of each segment, as `parts` counts them; no text is one empty piece.

    `encoding`: the one that it will travel in, where that is not the cheaper one.
    """
    encoding, widths = _measured(text, encoding)
    alone, part = _ROOM[encoding]
    if sum(widths) <= alone:
        return [text]
    starts = _starts(widths, part)
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


def _measured(text: str, encoding: Encoding | None = None) -> tuple[Encoding, list[int]]:
    """The encoding, and how many units of it each character takes."""
    if encoding is not Encoding.UCS_2 and all(char in _GSM_7 for char in text):
        return Encoding.GSM_7, [_GSM_7[char] for char in text]
    return Encoding.UCS_2, [2 if ord(char) > 0xFFFF else 1 for char in text]


def _starts(widths: Sequence[int], room: int) -> list[int]:
    """Parts filled one after another; a pair (escape, surrogate) that does not fit goes into the next whole."""
    starts, used = [0], 0
    for i, width in enumerate(widths):
        if used + width > room:
            starts.append(i)
            used = 0
        used += width
    return starts
