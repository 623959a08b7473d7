"""What SendPulse tells of letters later: events that it calls with, and what it answers when asked."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from channels.base import BadHook, HookRequest, Receipt, ReceiptStatus, Refused, Scope, Told
from channels.email import replies
from channels.email.replies import Stage

# At most 500 events a call (older descriptions: a thousand), each with the answer of the recipient's server.
_MAX_BYTES = 4 * 1024 * 1024
_TEXT_LENGTH = 300

_STATUSES: Mapping[str, ReceiptStatus] = {
    "delivered": ReceiptStatus.DELIVERED,
    "opened": ReceiptStatus.READ,
    "clicked": ReceiptStatus.CLICKED,
    "redirected": ReceiptStatus.CLICKED,
    # Which of the two says the final word is not documented; the letter's record is asked for anyway.
    "soft_bounces": ReceiptStatus.DEFERRED,
    "undelivered": ReceiptStatus.FAILED,
    "hard_bounces": ReceiptStatus.BOUNCED,
    "spam_by_user": ReceiptStatus.COMPLAINED,
    "spam": ReceiptStatus.COMPLAINED,
    "unsubscribed": ReceiptStatus.UNSUBSCRIBED,
}
# Said of a person as much as of a letter: believed also where the letter is not ours.
_OF_A_PERSON = frozenset(
    {ReceiptStatus.BOUNCED, ReceiptStatus.COMPLAINED, ReceiptStatus.UNSUBSCRIBED}
)
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")


def read(request: HookRequest) -> Told:
    """A list of events. They are not signed: who knows the address is believed. Raises `BadHook`."""
    if request.method in ("GET", "HEAD"):
        return Told()
    if len(request.body) > _MAX_BYTES:
        raise BadHook("too long")
    try:
        events = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadHook("not JSON") from None
    if not isinstance(events, list):
        raise BadHook("not a JSON list")
    readable = [event for event in events if isinstance(event, dict)]
    receipts = [receipt for event in readable for receipt in _of_event(event)]
    return Told(receipts, left_out=len(events) - len(readable))


def of_record(record: Mapping[str, Any]) -> Iterator[Receipt]:
    """What the service has on file of one letter; nothing where no server has answered yet."""
    letter = str(record.get("id") or "")
    code = _number(record.get("smtp_answer_code"))
    subcode, said = str(record.get("smtp_answer_subcode") or ""), record.get("smtp_answer_data")
    text = str(said or "")
    status = _of_answer(code, subcode, text)
    if not letter or status is None:
        return
    name, why = _named(code, subcode), _answer(text, str(record.get("recipient") or ""))
    yield Receipt(status, provider_id=letter, code=name, text=why)
    tracking = record.get("tracking")
    if status is ReceiptStatus.DELIVERED and isinstance(tracking, dict):
        if _number(tracking.get("open")):
            yield Receipt(ReceiptStatus.READ, provider_id=letter)
        if _number(tracking.get("click")):
            yield Receipt(ReceiptStatus.CLICKED, provider_id=letter)


def _of_event(event: Mapping[str, Any]) -> Iterator[Receipt]:
    status = _STATUSES.get(str(event.get("event")))
    # Bounces come in the form of the service for mailings: `email` instead of `recipient`, and no letter named.
    address = str(event.get("recipient") or event.get("email") or "")
    letter = str(event.get("message_id") or "")
    if status is None:
        return
    code = _number(event.get("smtp_server_response_code"))
    subcode = str(event.get("smtp_server_response_subcode") or "")
    text = str(event.get("smtp_server_response") or "")
    if status in (ReceiptStatus.FAILED, ReceiptStatus.BOUNCED):
        status = _of_bounce(status, code, subcode, text)
    person = address if status in _OF_A_PERSON else ""
    if letter or person:
        yield Receipt(
            status,
            provider_id=letter,
            code=_named(code, subcode),
            text=_answer(text, address),
            at=_time(event.get("timestamp")),
            address=person,
        )


def _of_bounce(said: ReceiptStatus, code: int, subcode: str, text: str) -> ReceiptStatus:
    """A bounce is believed as far as the answer of the recipient's server bears it out.

    The event is not signed, and "hard" is also said of letters that a server took for spam.
    """
    if not code:
        return said
    certain = said is ReceiptStatus.BOUNCED
    dead = code // 100 == 5 and _is_dead(code, subcode, text, certain=certain)
    return ReceiptStatus.BOUNCED if dead else ReceiptStatus.FAILED


def _of_answer(code: int, subcode: str, text: str) -> ReceiptStatus | None:
    match code // 100:
        case 2:
            return ReceiptStatus.DELIVERED
        case 4:
            return ReceiptStatus.DEFERRED
        case 5:
            dead = _is_dead(code, subcode, text, certain=False)
            return ReceiptStatus.BOUNCED if dead else ReceiptStatus.FAILED
    return None


def _is_dead(code: int, subcode: str, text: str, *, certain: bool) -> bool:
    """`certain`: it was the recipient whom the server refused. Else only the text can tell."""
    enhanced = subcode or next(iter(_ENHANCED.findall(text)), "")
    stage = Stage.RECIPIENT if certain or "RCPT TO" in text.upper() else Stage.DATA
    outcome = replies.outcome(code, f"{enhanced} {text}", stage)
    return isinstance(outcome, Refused) and outcome.scope is Scope.RECIPIENT and outcome.suppress


def _named(code: int, subcode: str) -> str:
    return subcode or (str(code) if code else "")


def _answer(text: str, email: str) -> str:
    """What the recipient's server said. It likes to quote the address, which has one home only."""
    if email:
        text = re.sub(re.escape(email), "(address)", text, flags=re.IGNORECASE)
    return " ".join(text.split())[:_TEXT_LENGTH]


def _number(value: Any) -> int:
    """Numbers come as such and as text; 0 for what is none."""
    try:
        return int(str(value))
    except ValueError:
        return 0


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
