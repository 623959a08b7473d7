"""What Meta calls with: the check of the address, statuses, what people wrote, what they want (webhook `messages`
and `user_preferences`)."""

import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

from channels.base import (
    BadHook,
    Heard,
    HookReply,
    HookRequest,
    Receipt,
    ReceiptStatus,
    Told,
)
from channels.proof import same
from channels.whatsapp import errors

_STATUSES: Mapping[str, ReceiptStatus] = {
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.READ,
    "played": ReceiptStatus.READ,
    "failed": ReceiptStatus.FAILED,
}
# What WhatsApp itself says of a person; nobody wrote it.
_NOT_WRITTEN = frozenset({"system", "unknown"})


def read(
    request: HookRequest,
    *,
    sender: str,
    app_secret: SecretStr | None,
    verify_token: SecretStr | None,
) -> Told:
    """Raises `BadHook`. Whatever is no status, no message and no wish of ours is taken and means nothing: an error
    would be told again for a week."""
    if request.method in ("GET", "HEAD"):
        return Told(reply=_challenge(request.query, verify_token))
    _verify(request, app_secret)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadHook("not JSON") from None
    receipts: list[Receipt] = []
    heard: list[Heard] = []
    for value in _values(body):
        receipts += [receipt for one in _items(value, "statuses") for receipt in _receipts(one)]
        receipts += [left for one in _items(value, "user_preferences") if (left := _left(one))]
        if _is_of(value, sender):
            heard += [found for one in _items(value, "messages") if (found := _heard(one))]
    return Told(receipts, heard)


def _challenge(query: Mapping[str, str], verify_token: SecretStr | None) -> HookReply:
    if query.get("hub.mode") != "subscribe":
        raise BadHook("not a check of the address: no hub.mode=subscribe")
    if verify_token is None:
        raise BadHook("the account has no verify_token")
    given = query.get("hub.verify_token", "")
    if not same(given, verify_token.get_secret_value()):
        raise BadHook("hub.verify_token does not match", forged=True)
    return HookReply(query.get("hub.challenge", "")[:200])


def _verify(request: HookRequest, app_secret: SecretStr | None) -> None:
    """Over the bytes as they came: Meta escapes what is not ASCII, so JSON written anew has another digest."""
    if app_secret is None:
        raise BadHook("the account has no app_secret", forged=True)
    expected = hmac.new(app_secret.get_secret_value().encode(), request.body, sha256).hexdigest()
    given = request.headers.get("x-hub-signature-256", "").removeprefix("sha256=")
    if not same(given.lower(), expected):
        raise BadHook("wrong signature", forged=True)


def _values(body: Any) -> Iterator[Mapping[str, Any]]:
    for entry in _items(body, "entry"):
        for change in _items(entry, "changes"):
            if isinstance(value := change.get("value"), dict):
                yield value


def _items(holder: Any, name: str) -> list[dict[str, Any]]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _is_of(value: Mapping[str, Any], sender: str) -> bool:
    """An app has one address for all its numbers; each has windows of its own."""
    match value:
        case {"metadata": {"phone_number_id": str(number)}}:
            return number == sender
    return True


def _receipts(item: Mapping[str, Any]) -> list[Receipt]:
    status = _STATUSES.get(str(item.get("status")))
    if status is None or not isinstance(item.get("id"), str):
        return []
    key = item.get("biz_opaque_callback_data")
    about = Receipt(
        status,
        provider_id=item["id"],
        key=key if isinstance(key, str) else "",
        at=_time(item.get("timestamp")),
    )
    if status is not ReceiptStatus.FAILED:
        return [about]
    why = next((e for one in _items(item, "errors") if (e := errors.read(one))), None)
    return errors.receipts_of(why, about) if why else [about]


def _left(item: Mapping[str, Any]) -> Receipt | None:
    """Somebody switched our marketing off, in WhatsApp's own settings. Who switches it on again has given no consent
    that could be shown."""
    match item:
        case {"wa_id": str(wa_id), "category": "marketing_messages", "value": "stop"} if wa_id:
            return Receipt(
                ReceiptStatus.UNSUBSCRIBED,
                code="stop",
                text=str(item.get("detail") or "")[:300],
                at=_time(item.get("timestamp")),
                address=f"+{wa_id}",
            )
    return None


def _heard(item: Mapping[str, Any]) -> Heard | None:
    kind, number = item.get("type"), item.get("from")
    if (
        not isinstance(kind, str)
        or kind in _NOT_WRITTEN
        or not isinstance(number, str)
        or not number
    ):
        return None
    return Heard(
        address=f"+{number}",
        text=_text(kind, item),
        id=str(item.get("id") or ""),
        at=_time(item.get("timestamp")),
    )


def _text(kind: str, item: Mapping[str, Any]) -> str:
    """Words, or the label of a button. Pictures and the like open the window, too, so they are named."""
    match item.get(kind):
        case {"body": str(text)} if kind == "text":
            return text
        case {"text": str(text)} if kind == "button":
            return text
        case {"button_reply": {"title": str(text)}} | {"list_reply": {"title": str(text)}}:
            return text
        case {"caption": str(text)} if text:
            return text
        case {"emoji": str(text)} if text:
            return text
    return f"[{kind}]"


def _time(value: Any) -> datetime | None:
    """Seconds, as text in statuses and messages and as a number in wishes."""
    try:
        return datetime.fromtimestamp(int(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
