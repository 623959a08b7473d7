"""Unisender Go's words for what happened to a letter, from its signed calls."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from channels.base import HookRequest, Receipt, ReceiptStatus, Told
from channels.unisender import signed

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
    events, left_out = signed.events(signed.authentic(request.body, token))
    receipts = [receipt for event in _letters(events) for receipt in _receipts(event)]
    return Told(receipts, left_out=left_out)


def _letters(events: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """What happened to letters; other events (blocks of whole domains) are passed over."""
    for event in events:
        if "spam_block" not in str(event.get("event_name")):
            data = event.get("event_data", event)
            if isinstance(data, dict):
                yield data


def _receipts(event: Mapping[str, Any]) -> Iterator[Receipt]:
    key = signed.delivery(event)
    if not key:
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
                text=signed.without(
                    str(event.get("email") or ""), info.get("destination_response")
                ),
                at=signed.time(event.get("event_time")),
            )
