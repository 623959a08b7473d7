"""Unisender's words for what became of a letter: in its calls (event `email_status`) as in its answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from channels.base import HookRequest, Receipt, ReceiptStatus, Told
from channels.email.sender import ascii_address
from channels.unisender import signed

# Statuses of checkEmail. Each tells the whole way, and of those between two questions only the last is heard.
_STATUSES: Mapping[str, tuple[ReceiptStatus, ...]] = {
    "not_sent": (ReceiptStatus.SENT,),  # or looked at by a person first
    "ok_sent": (ReceiptStatus.SENT,),
    "ok_delivered": (ReceiptStatus.DELIVERED,),
    "ok_read": (ReceiptStatus.READ,),
    "ok_link_visited": (ReceiptStatus.CLICKED,),
    "ok_unsubscribed": (ReceiptStatus.READ, ReceiptStatus.UNSUBSCRIBED),
    "ok_spam_folder": (ReceiptStatus.DELIVERED, ReceiptStatus.UNSUBSCRIBED),
    "ok_fbl": (ReceiptStatus.DELIVERED, ReceiptStatus.COMPLAINED),
    "err_will_retry": (ReceiptStatus.DEFERRED,),
    "err_resend": (ReceiptStatus.DEFERRED,),
    "err_user_unknown": (ReceiptStatus.BOUNCED,),
    "err_user_inactive": (ReceiptStatus.BOUNCED,),
    "err_dest_invalid": (ReceiptStatus.BOUNCED,),
    "err_unreachable": (ReceiptStatus.BOUNCED,),
    "skip_dup_unreachable": (ReceiptStatus.BOUNCED,),
    "err_unsubscribed": (ReceiptStatus.FAILED, ReceiptStatus.UNSUBSCRIBED),
    "err_domain_inactive": (ReceiptStatus.FAILED,),
    "err_mailbox_full": (ReceiptStatus.FAILED,),
    "skip_dup_mailbox_full": (ReceiptStatus.FAILED,),
    "skip_dup_temp_unreachable": (ReceiptStatus.FAILED,),
    "err_not_available": (ReceiptStatus.FAILED,),  # bounced before; may be good again in some weeks
    "err_delivery_failed": (ReceiptStatus.FAILED,),
    "err_skip_letter": (ReceiptStatus.FAILED,),  # switched off or blocked in the account
    "err_spam_rejected": (ReceiptStatus.FAILED,),
    "err_spam_folder": (ReceiptStatus.FAILED,),
    "err_spam_skipped": (ReceiptStatus.FAILED,),
    "err_src_invalid": (ReceiptStatus.FAILED,),
    "err_not_allowed": (ReceiptStatus.FAILED,),  # no money, or sending was stopped by hand
    # No copy was kept: "the sender must send again". The last one after a wrong suspicion of spam.
    "err_lost": (ReceiptStatus.LOST,),
    "err_internal": (ReceiptStatus.LOST,),
    "err_spam_retry": (ReceiptStatus.LOST,),
}
# "New values are likely; what begins with err_ has failed, with ok_ is on its way or has arrived."
_FAILED = ("err_", "skip_")


def receipts(status: str, *, provider_id: str, key: str, at: Any = None) -> Iterator[Receipt]:
    """What a status says. One that is not known yet fails the letter or says nothing new."""
    failed = status.startswith(_FAILED)
    for told in _STATUSES.get(status, (ReceiptStatus.FAILED,) if failed else ()):
        yield Receipt(
            told,
            provider_id=provider_id,
            key=key,
            code=status if failed else "",
            at=signed.time(at),
        )


def read(request: HookRequest, token: SecretStr, list_id: int) -> Told:
    """Formats `json_post` and `json_post_gzip`, many events a call or `single_event`. Raises `BadHook`."""
    if request.method in ("GET", "HEAD"):
        return Told()
    events, left_out = signed.events(signed.authentic(request.body, token))
    return Told([r for event in events for r in _event(event, list_id)], left_out=left_out)


def _event(event: Mapping[str, Any], list_id: int) -> Iterator[Receipt]:
    """Of letters and of leaving our list; the service has events of campaigns, payments and users, too."""
    data = event.get("event_data")
    if not isinstance(data, dict):
        return
    match event.get("event_name"):
        case "email_status":
            yield from _letter(event, data)
        case "unsubscribe" if address := _left(data, list_id):
            at = signed.time(event.get("event_time"))
            yield Receipt(ReceiptStatus.UNSUBSCRIBED, address=address, at=at)


def _letter(event: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Receipt]:
    key = signed.delivery(data) or signed.delivery(event)
    email_id = str(data.get("email_id") or "")
    # Letters of campaigns are none of ours: the key may serve other programs, too.
    if key or (email_id and not data.get("campaign_id")):
        at = event.get("event_time") or data.get("event_time")
        yield from receipts(str(data.get("status")), provider_id=email_id, key=key, at=at)


def _left(data: Mapping[str, Any], list_id: int) -> str:
    """Who left the list under our letters; where no list is named, it may have been that one."""
    lists = data.get("just_unsubscribed_list_ids")
    if isinstance(lists, list) and str(list_id) not in map(str, lists):
        return ""
    try:
        return ascii_address(str(data.get("email")))
    except ValueError:
        return ""
