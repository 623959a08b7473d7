"""What Viber calls with: statuses of messages, who came and went, what people say; and whether it is Viber."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from channels.base import BadHook, Heard, HookRequest, Receipt, ReceiptStatus, Told
from channels.proof import same
from channels.updates import Incoming, storable

KINDS = (
    "delivered",
    "seen",
    "failed",
    "subscribed",
    "unsubscribed",
    "conversation_started",
    "message",
)
"""What a bot asks for."""

START = "start:"
"""`tracking_data` of a welcome begins so; Viber gives it back with whatever the person says to it."""

_SIGNATURE = "x-viber-content-signature"
_STATUSES: Mapping[str, ReceiptStatus] = {
    "delivered": ReceiptStatus.DELIVERED,
    "seen": ReceiptStatus.READ,
    # Also what the person's phone makes of a keyboard that it cannot show.
    "failed": ReceiptStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class Read:
    """One call, as a bot takes it and as an account without a conversation does. `opened`: somebody who has not
    subscribed looks at the bot, and this is what his link carried; he may be welcomed in the answer."""

    told: Told
    incoming: Incoming | None = None
    opened: str | None = None


def provider_id(token: str, person: str) -> str:
    """All receivers of a broadcast share one token. Its number is larger than what JavaScript counts to."""
    return f"{token}:{person}"


def start_keyboard(text: str, token: str) -> dict[str, Any]:
    button = {
        "Columns": 6,
        "Rows": 1,
        "Text": text,
        "ActionType": "reply",
        "ActionBody": f"/start {token}".strip(),
        "Silent": True,
    }
    return {"Type": "keyboard", "DefaultHeight": False, "Buttons": [button]}


def read(request: HookRequest, token: str) -> Read:
    """One event a call. Raises `BadHook`."""
    expected = hmac.new(token.encode(), request.body, sha256).hexdigest()
    given = request.headers.get(_SIGNATURE, "").lower()
    if not same(given, expected):
        raise BadHook("wrong signature", forged=True)
    try:
        raw = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadHook("not JSON") from None
    if not isinstance(raw, dict):
        raise BadHook("not an event of Viber")
    try:
        return _read(raw)
    except ValueError as error:
        raise BadHook(str(error)) from None


def _read(raw: Mapping[str, Any]) -> Read:
    """Of `webhook`, by which Viber tries the address, and of what is not known nothing but the 200 is wanted.

    Raises `ValueError` for what cannot be stored."""
    at = _time(raw.get("timestamp"))
    match raw:
        case {"event": "delivered" | "seen" | "failed" as event, "user_id": str(person)}:
            return Read(Told([_receipt(event, person, raw, at)]))
        case {"event": "message", "sender": {"id": str(person)}, "message": Mapping() as message}:
            heard = Heard(person, _text(message), str(raw.get("message_token") or ""), at)
            return Read(Told(heard=[heard]), _incoming(raw, person))
        case {"event": "unsubscribed", "user_id": str(person)}:
            left = Receipt(ReceiptStatus.UNSUBSCRIBED, code="unsubscribed", at=at, address=person)
            return Read(Told([left]), _incoming(raw, person))
        case {"event": "subscribed", "user": {"id": str(person)}}:
            return Read(Told(), _incoming(raw, person))
        case {"event": "conversation_started", "user": {"id": str(person)}}:
            context = str(raw.get("context") or "")
            if not raw.get("subscribed"):
                return Read(Told(), opened=context)
            return Read(Told(), _incoming(raw, person) if context else None)
    return Read(Told())


def _receipt(event: str, person: str, raw: Mapping[str, Any], at: datetime | None) -> Receipt:
    return Receipt(
        _STATUSES[event],
        provider_id=provider_id(str(raw.get("message_token") or ""), person),
        text=str(raw.get("desc") or "")[:300],
        at=at,
    )


def _incoming(raw: Mapping[str, Any], person: str) -> Incoming:
    return Incoming(f"{raw['event']}:{raw.get('message_token')}", person, storable(dict(raw)))


def _text(message: Mapping[str, Any]) -> str:
    """Of pictures, places and the like their kind."""
    text = message.get("text")
    return text if isinstance(text, str) and text else f"[{message.get('type')}]"


def _time(value: Any) -> datetime | None:
    """In milliseconds."""
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
