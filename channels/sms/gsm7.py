"""The alphabet that every phone knows (3GPP TS 23.038, 6.2.1), one septet an octet as SMSCs take it."""

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""By value. 0x1B is no character but the way into the second table."""

ESCAPE = 0x1B
EXTENDED = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}

_VALUES = {char: value for value, char in enumerate(BASIC) if value != ESCAPE}
_CHARS = {value: char for char, value in EXTENDED.items()}


def encode(text: str) -> bytes:
    """Raises `ValueError` for what is not in the alphabet."""
    octets = bytearray()
    for char in text:
        if char in EXTENDED:
            octets += bytes((ESCAPE, EXTENDED[char]))
        elif char in _VALUES:
            octets.append(_VALUES[char])
        else:
            raise ValueError("not in the GSM alphabet")
    return bytes(octets)


def decode(octets: bytes) -> str:
    """As a phone shows it: an unknown second character as itself in the first table, what is no septet as �."""
    text, escaped = [], False
    for octet in octets:
        if octet == ESCAPE and not escaped:
            escaped = True
            continue
        char = BASIC[octet] if octet < len(BASIC) and octet != ESCAPE else "�"
        text.append(_CHARS.get(octet, char) if escaped else char)
        escaped = False
    return "".join(text)
