"""What became of a message: deliver_sm with a text and parameters that every SMSC fills in its own way (SMPP 3.4, appendix B)."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from channels.base import Receipt, ReceiptStatus
from channels.sms.smpp_pdu import Short, Tag
from channels.sms.smpp_text import UCS_2

# Bits 5 to 2 of esm_class (5.2.12). Zero is a message of a person; the others are acknowledgements of phones.
_KIND_OF_MESSAGE = 0x3C
_RECEIPT, _INTERMEDIATE = 0x04, 0x20

_NUMBERS: Mapping[int, str] = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
# By the first letters, as the words are abbreviated in more than one way.
_WORDS: Mapping[str, str] = {word[:5]: word for word in _NUMBERS.values()}

_STATUSES: Mapping[str, ReceiptStatus] = {
    "ENROUTE": ReceiptStatus.DEFERRED,
    "DELIVRD": ReceiptStatus.DELIVERED,
    "EXPIRED": ReceiptStatus.FAILED,
    "DELETED": ReceiptStatus.FAILED,
    "UNDELIV": ReceiptStatus.FAILED,
    # "Read by customer service for the subscriber" by the book; SMSCs say it when the next network took it.
    "ACCEPTD": ReceiptStatus.SENT,
    # Nobody told the SMSC: that is no news.
    "UNKNOWN": ReceiptStatus.SENT,
    "REJECTD": ReceiptStatus.FAILED,
}
_REASONS: Mapping[str, str] = {
    "EXPIRED": "not delivered in time",
    "DELETED": "deleted at the SMSC",
    "UNDELIV": "not delivered",
    "REJECTD": "rejected",
}

_FIELD = r"\b{}:(\S*)"
_ID, _STAT, _ERR = (
    re.compile(_FIELD.format(name), re.IGNORECASE) for name in ("id", "stat", "err")
)
_DONE = re.compile(r"\bdone date:([0-9]{10}(?:[0-9]{2})?)\b", re.IGNORECASE)
# The last field; the words of a person must not be taken for others.
_TEXT = re.compile(r"\btext:.*", re.IGNORECASE | re.DOTALL)


class Ids(StrEnum):
    """How an SMSC writes message ids. Numbers are compared by value: zeros in front, and the base, do not matter."""

    TEXT = "text"
    HEX = "hex"
    DECIMAL = "decimal"


def known_as(message_id: str, written: Ids) -> str:
    """A message id as the hub keeps it. What is no number of that base stays as it is."""
    message_id = message_id.strip()
    try:
        match written:
            case Ids.HEX:
                return str(int(message_id, 16))
            case Ids.DECIMAL:
                return str(int(message_id))
            case Ids.TEXT:
                return message_id
    except ValueError:
        return message_id


def is_message(short: Short) -> bool:
    """A person wrote it."""
    return not short.esm_class & _KIND_OF_MESSAGE and Tag.RECEIPTED_MESSAGE_ID not in short.tlvs


def receipt(
    short: Short,
    *,
    answer_ids: Ids,
    receipt_ids: Ids,
    no_such_number: Collection[str],
    zone: ZoneInfo | None,
) -> Receipt | None:
    """None for what says nothing of a message of ours."""
    kind = short.esm_class & _KIND_OF_MESSAGE
    if kind not in (0, _RECEIPT, _INTERMEDIATE):
        return None
    fields = _TEXT.sub("", _text(short))
    message_id = _message_id(short, _found(_ID, fields), answer_ids, receipt_ids)
    word = _word(short, _found(_STAT, fields))
    if not message_id or word is None:
        return None
    status, error = _STATUSES[word], _error(short, _found(_ERR, fields))
    failed = status is ReceiptStatus.FAILED
    if failed and error in {_bare(code) for code in no_such_number}:
        status = ReceiptStatus.BOUNCED
    return Receipt(
        status,
        provider_id=message_id,
        code=f"{word}/{error}" if failed and error else word,
        text=_REASONS.get(word, ""),
        at=_time(_found(_DONE, fields), zone),
    )


def _text(short: Short) -> str:
    """Plain letters, also where `data_coding` was left as the message had it."""
    content = short.content
    wide = short.data_coding == UCS_2 and b"\0" in content
    return content.decode("utf-16-be" if wide else "latin-1", errors="replace")


def _found(field: re.Pattern[str], text: str) -> str:
    match = field.search(text)
    return match[1] if match else ""


def _message_id(short: Short, in_text: str, answer_ids: Ids, receipt_ids: Ids) -> str:
    """The parameter repeats the id as it was given in the answer (5.3.2.12), while the text has its own way; but
    some SMSCs put the text's into both."""
    raw = short.tlvs.get(Tag.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1")
    if raw and raw != in_text:
        return known_as(raw, answer_ids)
    return known_as(in_text, receipt_ids)


def _word(short: Short, stat: str) -> str | None:
    """None for a state that is not known here."""
    state = short.tlvs.get(Tag.MESSAGE_STATE, b"")
    return _NUMBERS.get(int.from_bytes(state, "big")) or _WORDS.get(stat[:5].upper())


def _error(short: Short, err: str) -> str:
    """Of the text, else of the network: an octet for its kind and two for the code (5.3.2.31)."""
    if _bare(err):
        return _bare(err)
    code = short.tlvs.get(Tag.NETWORK_ERROR_CODE, b"")
    return str(int.from_bytes(code[1:], "big") or "") if len(code) == 3 else ""


def _bare(code: str) -> str:
    """The same with and without zeros in front; nothing for zero, which is no error."""
    return code.lstrip("0")


def _time(done: str, zone: ZoneInfo | None) -> datetime | None:
    """In the SMSC's own time, which it does not name."""
    if not done or zone is None:
        return None
    try:
        local = datetime.strptime(done.ljust(12, "0"), "%y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        return None
    return local.replace(tzinfo=zone).astimezone(UTC)
