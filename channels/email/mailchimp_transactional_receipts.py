"""What Mailchimp Transactional tells of letters later: its signature, its words for what happened."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import SecretStr

from channels.base import BadHook, HookRequest, Receipt, ReceiptStatus, Sent, Told
from channels.email.sender import ascii_address
from channels.proof import same

_FIELDS = 20

_EVENTS: Mapping[str, ReceiptStatus] = {
    "send": ReceiptStatus.SENT,
    # Not among the events of today; told to whoever asks.
    "delivered": ReceiptStatus.DELIVERED,
    "deferral": ReceiptStatus.DEFERRED,
    "hard_bounce": ReceiptStatus.BOUNCED,
    # Their attempts are over; their list forgets the address after a while.
    "soft_bounce": ReceiptStatus.FAILED,
    "open": ReceiptStatus.READ,
    "click": ReceiptStatus.CLICKED,
    "spam": ReceiptStatus.COMPLAINED,
    "unsub": ReceiptStatus.UNSUBSCRIBED,
    "reject": ReceiptStatus.FAILED,
}

# Why a letter was rejected, where that says more than that it failed.
_REJECTED: Mapping[str, ReceiptStatus] = {
    "hard-bounce": ReceiptStatus.BOUNCED,
    "invalid": ReceiptStatus.BOUNCED,
    "custom": ReceiptStatus.BOUNCED,
    "spam": ReceiptStatus.COMPLAINED,
}

# Why an address came on the list of those that nothing is sent to. A soft bounce is not here: it expires.
_LISTED: Mapping[str, ReceiptStatus] = {
    **_REJECTED,
    "unsub": ReceiptStatus.UNSUBSCRIBED,
}

# Since 2020 the help pages say "denylist"; both words are met.
_LISTS = frozenset({"blacklist", "denylist"})

# `bounce_description` of a bounce after which the address is given up.
_DEAD = frozenset({"bad_mailbox", "invalid_domain"})

_STATES: Mapping[str, ReceiptStatus] = {
    "sent": ReceiptStatus.SENT,
    "queued": ReceiptStatus.DEFERRED,
    "scheduled": ReceiptStatus.DEFERRED,
    "deferred": ReceiptStatus.DEFERRED,
    "bounced": ReceiptStatus.FAILED,
    "soft-bounced": ReceiptStatus.FAILED,
    "rejected": ReceiptStatus.FAILED,
    "canceled": ReceiptStatus.FAILED,
    "spam": ReceiptStatus.COMPLAINED,
    "unsub": ReceiptStatus.UNSUBSCRIBED,
}


def read(request: HookRequest, url: str, key: SecretStr | None) -> Told:
    """A form with `mandrill_events`, signed together with the address that it is sent to. Raises `BadHook`."""
    if request.method in ("GET", "HEAD"):
        # The URL is tried with HEAD when it is registered, before there is a key.
        return Told()
    form = _form(request.body)
    events = _events(form)
    if not events:
        # A first call may be signed with a key that is nobody's; nothing is said in it.
        return Told()
    _prove(request, form, url, key)
    readable = [event for event in events if _is_readable(event)]
    return Told(
        [receipt for event in readable for receipt in _receipts(event)],
        left_out=len(events) - len(readable),
    )


def of_info(sent: Sent, info: Mapping[str, Any]) -> list[Receipt]:
    """What `messages/info` says of one letter."""
    events = [e for e in _list(info.get("smtp_events")) if isinstance(e, dict)]
    status = _STATES.get(str(info.get("state")))
    described = str(info.get("bounce_description") or "")
    reason = _reason(info)
    at = None
    if delivered := [event for event in events if event.get("type") == "delivered"]:
        at = _time(delivered[-1].get("ts"))
        if status is ReceiptStatus.SENT:
            status = ReceiptStatus.DELIVERED
    if info.get("state") == "rejected":
        status = _REJECTED.get(reason, ReceiptStatus.FAILED)
    elif info.get("state") == "bounced" and described in _DEAD:
        status = ReceiptStatus.BOUNCED
    if status is None:
        return []
    return [
        Receipt(
            status,
            provider_id=sent.provider_id,
            key=sent.key,
            code=described or reason or str(info.get("state")),
            text=_text(info.get("diag") or (events[-1].get("diag") if events else ""), sent.to),
            at=at,
        )
    ]


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_FIELDS,
            )
        )
    except ValueError:
        raise BadHook("not readable as a form") from None


def _events(form: Mapping[str, str]) -> list[Any]:
    if "mandrill_events" not in form:
        raise BadHook("no mandrill_events")
    try:
        events = json.loads(form["mandrill_events"])
    except (ValueError, RecursionError):
        raise BadHook("mandrill_events is not JSON") from None
    if not isinstance(events, list):
        raise BadHook("mandrill_events is not a list")
    return events


def _prove(request: HookRequest, form: Mapping[str, str], url: str, key: SecretStr | None) -> None:
    """HMAC-SHA1 over the address as registered and each field's name and value, by name."""
    if key is None or not key.get_secret_value():
        raise BadHook("webhook_key is not set for this account", forged=True)
    signed = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.digest(key.get_secret_value().encode(), signed.encode(), hashlib.sha1)
    given = request.headers.get("x-mandrill-signature", "")
    if not same(given, base64.b64encode(digest).decode()):
        raise BadHook(
            "wrong signature: look at webhook_key, and at the address that is registered",
            forged=True,
        )


def _is_readable(event: Any) -> bool:
    """In the form of an event of a letter, or of a change of a list; whose it is and what it says comes later."""
    match event:
        case {"event": name, **rest}:
            return isinstance(name, str) and isinstance(rest.get("msg"), dict)
        case {"type": str()}:
            return True
    return False


def _receipts(event: Mapping[str, Any]) -> Iterator[Receipt]:
    """Of one that is readable."""
    if "event" not in event:
        yield from _of_list(event)
        return
    message = event["msg"]
    metadata = message.get("metadata")
    key = metadata.get("delivery") if isinstance(metadata, dict) else None
    if not isinstance(key, str) or not key:
        # Not a letter of ours: other programs may send through the same account.
        return
    reason = _reason(message) or _reason(event)
    status = _EVENTS.get(event["event"])
    told = [status]
    if event["event"] == "reject":
        told = [_REJECTED.get(reason, status)]
        if reason == "unsub":
            told.append(ReceiptStatus.UNSUBSCRIBED)
    for each in told:
        if each is not None:
            yield Receipt(
                each,
                provider_id=str(event.get("_id") or message.get("_id") or ""),
                key=key,
                code=str(message.get("bounce_description") or reason or event["event"]),
                text=_text(message.get("diag"), str(message.get("email") or "")),
                at=_time(event.get("ts")),
            )


def _of_list(event: Mapping[str, Any]) -> Iterator[Receipt]:
    """An address came on the list of those that nothing is sent to; what left a list says nothing."""
    entry = event.get("reject")
    if event["type"] not in _LISTS or event.get("action") not in ("add", "change"):
        return
    if not isinstance(entry, dict) or entry.get("expired"):
        return
    status = _LISTED.get(str(entry.get("reason")))
    try:
        address = ascii_address(str(entry.get("email")))
    except ValueError:
        return
    if status:
        yield Receipt(
            status,
            code=str(entry["reason"]),
            text=_text(entry.get("detail"), str(entry["email"])),
            at=_time(event.get("ts")),
            address=address,
        )


def _reason(of: Mapping[str, Any]) -> str:
    reject = of.get("reject")
    return str(reject.get("reason") or "") if isinstance(reject, dict) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any, address: str) -> str:
    """What the recipient's server said. It likes to quote the address, which has one home only."""
    text = str(value or "")
    return (text.replace(address, "(address)") if address else text)[:300]


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
