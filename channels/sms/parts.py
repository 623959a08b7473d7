"""How many segments a text takes on its way to a phone: every provider bills by segment (3GPP TS 23.038, 23.040)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each is an escape septet and one more.
_EXTENDED = frozenset("\f^{}\\[~]|€")


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
    gsm = all(char in _BASIC or char in _EXTENDED for char in text)
    encoding = Encoding.GSM_7 if gsm else Encoding.UCS_2
    widths = [_septets(char) if gsm else _code_units(char) for char in text]
    units = sum(widths)
    alone, part = _ROOM[encoding]
    return Parts(encoding, units, min(units, 1) if units <= alone else _filled(widths, part))


def _septets(char: str) -> int:
    return 2 if char in _EXTENDED else 1


def _code_units(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1


def _filled(widths: Iterable[int], room: int) -> int:
    """Parts filled one after another; a pair (escape, surrogate) that does not fit goes into the next whole."""
    count, used = 1, 0
    for width in widths:
        if used + width > room:
            count, used = count + 1, 0
        used += width
    return count
