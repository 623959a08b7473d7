"""Texts as SMPP carries them: alphabets, segments of a long one, and what joins them again (3GPP TS 23.038, 23.040)."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum

from channels.sms import gsm7
from channels.sms.parts import Encoding, parts, pieces
from channels.sms.smpp_pdu import Short, Tag

DEFAULT, ASCII, LATIN_1, CYRILLIC, HEBREW, UCS_2 = 0, 1, 3, 6, 7, 8
_CODECS: Mapping[int, str] = {
    # ASCII by the book; SMSCs mean this by it.
    ASCII: "latin-1",
    LATIN_1: "latin-1",
    CYRILLIC: "iso8859-5",
    HEBREW: "iso8859-8",
    UCS_2: "utf-16-be",
}

MOST_SEGMENTS = 255
MOST_OCTETS = 0xFFFF

_CONCATENATED = {0x00: 1, 0x08: 2}
"""Elements of a user data header that join segments, and the octets of their reference number."""


class EsmClass(IntFlag):
    UDHI = 0x40
    """The text begins with a user data header."""


class LongText(StrEnum):
    """How a text of more than one segment travels; which one the SMSC takes is part of the contract."""

    UDH = "udh"
    SAR = "sar"
    PAYLOAD = "payload"


class Alphabet(StrEnum):
    """What `data_coding` 0 means: it is called "the SMSC's default", and not every SMSC means GSM by it."""

    GSM = "gsm"
    LATIN_1 = "latin1"


class TooLong(ValueError):
    """The text is for people."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What one submit_sm carries of a text."""

    text: bytes
    data_coding: int
    esm_class: int = 0
    tlvs: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """One segment of a text that came. `total` is 1 for a text that is alone."""

    content: bytes
    reference: int = 0
    total: int = 1
    number: int = 1


def segments(text: str, key: str, how: LongText, alphabet: Alphabet) -> list[Segment]:
    """The text as submit_sm takes it. Raises `TooLong`.

    `key` gives the number that joins the segments: the same at every repeat, so that a phone that has got some
    of them puts those of the repeat into their places.
    """
    encoding, data_coding, codec = _encoding(text, alphabet)
    cut = [_encode(piece, codec) for piece in pieces(text, encoding)]
    if len(cut) == 1:
        return [Segment(cut[0], data_coding)]
    if how is LongText.PAYLOAD:
        whole = b"".join(cut)
        if len(whole) > MOST_OCTETS:
            raise TooLong(f"{len(whole)} octets; a message takes {MOST_OCTETS} at most")
        return [Segment(b"", data_coding, tlvs={Tag.MESSAGE_PAYLOAD: whole})]
    if len(cut) > MOST_SEGMENTS:
        raise TooLong(f"{len(cut)} segments; a message takes {MOST_SEGMENTS} at most")
    reference = zlib.crc32(key.encode())
    joined = _with_header if how is LongText.UDH else _with_tlvs
    return [
        joined(octets, data_coding, reference, len(cut), number)
        for number, octets in enumerate(cut, 1)
    ]


def _encoding(text: str, alphabet: Alphabet) -> tuple[Encoding, int, str]:
    if parts(text).encoding is Encoding.UCS_2:
        return Encoding.UCS_2, UCS_2, "utf-16-be"
    if alphabet is Alphabet.GSM:
        return Encoding.GSM_7, DEFAULT, ""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        # The euro sign and Greek letters are in one of the two only.
        return Encoding.UCS_2, UCS_2, "utf-16-be"
    return Encoding.GSM_7, DEFAULT, "latin-1"


def _encode(text: str, codec: str) -> bytes:
    return text.encode(codec, errors="replace") if codec else gsm7.encode(text)


def _with_header(
    octets: bytes, data_coding: int, reference: int, total: int, number: int
) -> Segment:
    header = bytes((5, 0, 3, reference & 0xFF, total, number))
    return Segment(header + octets, data_coding, EsmClass.UDHI)


def _with_tlvs(octets: bytes, data_coding: int, reference: int, total: int, number: int) -> Segment:
    tlvs: dict[int, bytes] = {
        Tag.SAR_MSG_REF_NUM: (reference & 0xFFFF).to_bytes(2, "big"),
        Tag.SAR_TOTAL_SEGMENTS: bytes((total,)),
        Tag.SAR_SEGMENT_SEQNUM: bytes((number,)),
    }
    return Segment(octets, data_coding, tlvs=tlvs)


def part(short: Short) -> Part:
    """What came, without its header. A header that makes no sense is cut off and joins nothing."""
    content = short.content
    if short.esm_class & EsmClass.UDHI and content:
        header, content = content[1 : content[0] + 1], content[content[0] + 1 :]
        return _in_place(content, *_joined_by(header))
    if Tag.SAR_TOTAL_SEGMENTS in short.tlvs:
        reference, total, number = (
            int.from_bytes(short.tlvs.get(tag, b""), "big")
            for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
        )
        return _in_place(content, reference, total, number)
    return Part(content)


def _joined_by(header: bytes) -> tuple[int, int, int]:
    """Reference, total, number; of the elements of a header only those that join are of interest."""
    while len(header) >= 2:
        kind, length = header[0], header[1]
        value, header = header[2 : 2 + length], header[2 + length :]
        size = _CONCATENATED.get(kind, 0)
        if size and len(value) == size + 2:
            return int.from_bytes(value[:size], "big"), value[size], value[size + 1]
    return 0, 1, 1


def _in_place(content: bytes, reference: int, total: int, number: int) -> Part:
    if 1 < total <= MOST_SEGMENTS and 1 <= number <= total:
        return Part(content, reference, total, number)
    return Part(content)


def decode(octets: bytes, data_coding: int, alphabet: Alphabet) -> str:
    """Never fails: what cannot be read becomes �."""
    data_coding = _alphabet_of(data_coding)
    if data_coding == DEFAULT and alphabet is Alphabet.GSM:
        return gsm7.decode(octets)
    return octets.decode(_CODECS.get(data_coding, "latin-1"), errors="replace")


def _alphabet_of(data_coding: int) -> int:
    """The values from 0x10 on are those of phones (3GPP TS 23.038, 4): classes, flash, compression."""
    if data_coding < 0x10:
        return data_coding
    if data_coding < 0x80:
        return {0: DEFAULT, 1: LATIN_1, 2: UCS_2}.get(data_coding >> 2 & 3, DEFAULT)
    if data_coding >> 4 == 0xE:
        return UCS_2
    return LATIN_1 if data_coding >> 4 == 0xF and data_coding & 4 else DEFAULT
