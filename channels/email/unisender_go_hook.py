"""What Unisender Go tells of letters later: its signature, its formats, its words for what happened."""

import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from channels.base import BadHook, HookRequest, Receipt, ReceiptStatus, Told

# At most 100 events a call, each with the answer of the recipient's server.
_MAX_BYTES = 4 * 1024 * 1024

_AUTH = re.compile(rb'"auth"\s*:\s*"([0-9a-fA-F]{32})"')

_STATUSES: Mapping[str, ReceiptStatus] = {
    "accepted": ReceiptStatus.SENT,
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "opened": ReceiptStatus.READ,
    "clicked": ReceiptStatus.CLICKED,
    "unsubscribed": ReceiptStatus.UNSUBSCRIBED,
    # Attempts go on for one or two days.
    "soft_bounced": ReceiptStatus.DEFERRED,
    "hard_bounced": ReceiptStatus.BOUNCED,
    "spam": ReceiptStatus.COMPLAINED,
}

# Why a letter did not arrive. Everything else that is not here, also what is not known yet ("the list may
# grow" says the reference), fails the letter and leaves the address good.
_REASONS: Mapping[str, ReceiptStatus] = {
    "err_user_unknown": ReceiptStatus.BOUNCED,
    "err_user_inactive": ReceiptStatus.BOUNCED,
    "err_mailbox_discarded": ReceiptStatus.BOUNCED,
    "err_unreachable": ReceiptStatus.BOUNCED,
    "skip_dup_unreachable": ReceiptStatus.BOUNCED,
    "err_lost": ReceiptStatus.LOST,
    "err_internal": ReceiptStatus.LOST,
    "err_will_retry": ReceiptStatus.DEFERRED,
}

# Said beside the status: the person wants no more of it.
_CONSENT: Mapping[str, ReceiptStatus] = {
    "err_unsubscribed": ReceiptStatus.UNSUBSCRIBED,
    "ok_unsubscribed": ReceiptStatus.UNSUBSCRIBED,
    "ok_spam_folder": ReceiptStatus.UNSUBSCRIBED,
    "ok_fbl": ReceiptStatus.COMPLAINED,
}


def provider_id(job_id: str, key: str) -> str:
    """A job is a whole call, so the job alone would name hundreds of letters."""
    return f"{job_id}:{key}"


def read(request: HookRequest, token: SecretStr) -> Told:
    """Formats `json_post` and `json_post_gzip`, many events a call or `single_event`. Raises `BadHook`."""
    if request.method in ("GET", "HEAD"):
        # The URL is tried when the hook is switched on.
        return Told()
    body = _plain(request.body)
    said = _authentic(body, token)
    return Told([receipt for event in _events(said) for receipt in _receipts(event)])


def _plain(body: bytes) -> bytes:
    """Told by its first bytes: on the way here the header may have been served already."""
    if body.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(body, _MAX_BYTES + 1)
        except zlib.error:
            raise BadHook("not readable as gzip") from None
    if len(body) > _MAX_BYTES:
        raise BadHook("too long")
    return body


def _authentic(body: bytes, token: SecretStr) -> dict[str, Any]:
    """`auth` is the MD5 of the raw body with the key in its place, so nothing is re-serialised here."""
    found = _AUTH.search(body)
    if not found:
        raise BadHook("no auth", forged=True)
    start, end = found.span(1)
    key = token.get_secret_value().encode()
    # MD5 is the provider's choice.
    digest = hashlib.md5(body[:start] + key + body[end:], usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(digest.encode(), found[1].lower()):
        raise BadHook("wrong auth", forged=True)
    try:
        said = json.loads(body)
    except ValueError:
        raise BadHook("not JSON") from None
    if not isinstance(said, dict):
        raise BadHook("not a JSON object")
    return said


def _events(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What happened to letters; other events (blocks of whole domains) are passed over."""
    users = said.get("events_by_user")
    events = (
        [said] if users is None else [e for user in _list(users) for e in _list(user, "events")]
    )
    for event in events:
        if isinstance(event, dict) and "spam_block" not in str(event.get("event_name")):
            data = event.get("event_data", event)
            if isinstance(data, dict):
                yield data


def _list(value: Any, name: str = "") -> list[Any]:
    inner = value.get(name) if name and isinstance(value, dict) else value
    if not isinstance(inner, list):
        raise BadHook(f"no list of {name or 'events_by_user'}")
    return inner


def _receipts(event: Mapping[str, Any]) -> Iterator[Receipt]:
    metadata = event.get("metadata")
    key = metadata.get("delivery") if isinstance(metadata, dict) else None
    if not isinstance(key, str) or not key:
        # Not a letter of ours: the key may serve other programs, too.
        return
    info = event.get("delivery_info")
    info = info if isinstance(info, dict) else {}
    reason = str(info.get("delivery_status") or "")
    status = _STATUSES.get(str(event.get("status")))
    if status is ReceiptStatus.BOUNCED and reason:
        status = _REASONS.get(reason, ReceiptStatus.FAILED)
    elif status is ReceiptStatus.DEFERRED:
        # Lost on their side is lost, whatever it is called.
        lost = _REASONS.get(reason) is ReceiptStatus.LOST
        status = ReceiptStatus.LOST if lost else status
    for told in dict.fromkeys((status, _CONSENT.get(reason))):
        if told is not None:
            yield Receipt(
                told,
                provider_id=provider_id(str(event.get("job_id") or ""), key),
                key=key,
                code=reason,
                text=_answer(info, str(event.get("email") or "")),
                at=_time(event.get("event_time")),
            )


def _answer(info: Mapping[str, Any], email: str) -> str:
    """What the recipient's server said. It likes to quote the address, which has one home only."""
    text = str(info.get("destination_response") or "")
    return (text.replace(email, "(address)") if email else text)[:300]


def _time(value: Any) -> datetime | None:
    """`YYYY-MM-DD hh:mm:ss` in UTC."""
    try:
        return datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
