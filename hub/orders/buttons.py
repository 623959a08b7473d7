"""What is behind the buttons of a question: short, opaque, and of no use in any other chat.

A press comes from a program on somebody's phone and can be forged. So the data is signed for the chat it was
sent to, names lines with the quantity that was shown, and what it does is decided by the state at that moment.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from hub.orders.model import Kind, Question, QuestionLine
from hub.tokens import Signer

_PURPOSE = "buttons"
_MAC_BYTES = 10
_TAG_BYTES = 4
_HEAD = 1 + 16
_MOST_NUMBER = 0xFFFFFF

NO_TAG = bytes(_TAG_BYTES)


class Do(IntEnum):
    """What a press asks for. `kind` says of what."""

    ALL = 1
    """Everything that is still open is there. The number is of how many lines that was said (0: not told by earlier
    versions): of all, it also corrects an answer."""
    NONE = 2
    """Nothing of what is still open is there; the number as of `ALL`."""
    LINES = 3
    """Turn to the lines; the number is the page, from 0."""
    LINE = 4
    """Of the line with this tag there are so many."""
    HOW_MANY = 5
    """Turn to the numbers of that line; the number is the page, from 0."""
    START = 6
    """Turn back to the whole question."""
    ASSEMBLED = 7
    OPEN = 8
    """Show this question in the place of the board."""
    BOARD = 9
    """Turn to the board of open work; the number is the page, from 0. It is about nothing."""


@dataclass(frozen=True, slots=True)
class Action:
    """`tag`: of the lines that were shown, `lines_tag`, of the one line, `line_tag`, or of the parcel, `parcel_tag`."""

    do: Do
    tag: bytes = NO_TAG
    number: int = 0


class BadData(ValueError):
    """Not from a button of ours, or from one in another chat."""


def data_for(signer: Signer, kind: Kind, about: UUID, digest: bytes, action: Action) -> str:
    """48 characters. `digest`: of the address of the chat that it is sent to.

    Raises `ValueError` for a number that does not fit (over 16 million)."""
    if not 0 <= action.number <= _MOST_NUMBER:
        raise ValueError("a button cannot carry this number")
    head = bytes([_KINDS.index(kind) << 5 | action.do])
    body = head + about.bytes + action.tag + action.number.to_bytes(3, "big")
    return urlsafe_b64encode(body + _macs(signer, digest, body)[0]).rstrip(b"=").decode()


def read(signer: Signer, data: str, digest: bytes) -> tuple[Kind, UUID, Action]:
    """Raises `BadData`."""
    try:
        raw = urlsafe_b64decode(data.encode("ascii") + b"=" * (-len(data) % 4))
    except (ValueError, UnicodeEncodeError):
        raise BadData("not from a button") from None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(body) != _HEAD + _TAG_BYTES + 3:
        raise BadData("not from a button")
    if not any(hmac.compare_digest(mac, ours) for ours in _macs(signer, digest, body)):
        raise BadData("not from a button in this chat")
    try:
        kind, do = _KINDS[body[0] >> 5], Do(body[0] & 0x1F)
    except (IndexError, ValueError):
        raise BadData("from a button that is no more") from None
    tag = body[_HEAD : _HEAD + _TAG_BYTES]
    number = int.from_bytes(body[_HEAD + _TAG_BYTES :], "big")
    return kind, UUID(bytes=body[1:_HEAD]), Action(do, tag, number)


def line_tag(line: QuestionLine) -> bytes:
    """Of a line with the goods and the quantity that was asked for: another one is another question."""
    return _tag(_goods(line))


def lines_tag(lines: Iterable[QuestionLine]) -> bytes:
    """Of all lines of a question. Answers do not change it."""
    return _tag("\1".join(sorted(map(_goods, lines))))


def goods_tag(sku: str) -> str:
    """Of the goods in a line, for a form: a browser does not bring every text back as it was."""
    return _tag(sku).hex()


parcel_tag = lines_tag
"""Of what is to be packed."""


def is_line(tag: bytes, line: QuestionLine, question: Question) -> bool:
    return tag == line_tag(line) or (_is_as_put(question) and tag == _tag(_bare(line)))


def are_lines(tag: bytes, question: Question) -> bool:
    lines = question.lines
    bare = _tag("\1".join(sorted(map(_bare, lines))))
    return tag == lines_tag(lines) or (_is_as_put(question) and tag == bare)


def _goods(line: QuestionLine) -> str:
    return f"{_bare(line)}\0{line.sku}"


def _bare(line: QuestionLine) -> str:
    """Earlier versions sent tags without the goods."""
    return f"{line.id}\0{line.asked}"


def _is_as_put(question: Question) -> bool:
    """No line was asked for anew, so that a tag without the goods can mean no others."""
    return question.clock_from == question.opened_at


# Their places go into the data of buttons that were sent: only ever add at the end.
_KINDS = (Kind.STOCK, Kind.ASSEMBLY)


def _tag(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_TAG_BYTES]


def _macs(signer: Signer, digest: bytes, body: bytes) -> list[bytes]:
    keys = signer.keys(_PURPOSE)
    return [hmac.digest(key, digest + body, hashlib.sha256)[:_MAC_BYTES] for key in keys]
