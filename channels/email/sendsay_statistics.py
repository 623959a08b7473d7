"""What became of letters sent by Sendsay: the state of their issue, then the statistics of the recipient."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from channels.base import Receipt, ReceiptStatus, Sent

LEFT = -1
"""The state of an issue that was sent out; of its letters it says nothing."""

_STATES: Mapping[int, ReceiptStatus] = {
    # Waits for their moderators, or is postponed.
    -6: ReceiptStatus.DEFERRED,
    -5: ReceiptStatus.DEFERRED,
    -4: ReceiptStatus.DEFERRED,
    # Cancelled, ended with an error.
    -3: ReceiptStatus.FAILED,
    -2: ReceiptStatus.FAILED,
    LEFT: ReceiptStatus.SENT,
    # Accepted, started, in process, sorting, formatting, making the report, check for spam.
    **dict.fromkeys(range(7), ReceiptStatus.SENT),
}

# `deliv.result`. Why a letter was not delivered is not told in words that are documented, so the address stays.
_RESULTS: Mapping[str, ReceiptStatus] = {
    "1": ReceiptStatus.DELIVERED,
    "0": ReceiptStatus.SENT,
    "-1": ReceiptStatus.FAILED,
}

_EMAIL = "deliv.member.email"
_TIME = "deliv.letter.dt"
# The query and the reading of its rows belong together; both are here and nowhere else.
_SELECT = (_EMAIL, "deliv.result", "deliv.status")
_ROWS = 50
# Their clock and ours; a letter of a minute before counts as another of the same time.
_MARGIN = timedelta(minutes=1)


def state(answer: Mapping[str, Any]) -> int:
    """Of an issue, as `track.get` tells it. Raises `ValueError`."""
    known = answer.get("obj")
    if not isinstance(known, dict) or "status" not in known:
        raise ValueError("an answer without a state")
    return int(str(known["status"]))


def of_state(sent: Sent, number: int) -> list[Receipt]:
    """A number that is not known yet is no news."""
    status = _STATES.get(number)
    if status is None:
        return []
    return [Receipt(status, sent.provider_id, sent.key, code=f"track {number}")]


def query(sent: Sent, now: datetime) -> dict[str, Any]:
    """Letters to this address since ours left; in their own words for time, which need no time zone."""
    since = max(now - sent.sent_at, timedelta(0)) + _MARGIN
    ago = f"current - {since.days} days - {since.seconds} seconds"
    return {
        "result": "response",
        "select": list(_SELECT),
        "filter": [
            {"a": _EMAIL, "op": "==", "v": sent.to},
            {"a": _TIME, "op": ">=", "v": ago},
        ],
        "order": [_TIME],
        "first": _ROWS,
    }


def verdict(sent: Sent, answer: Mapping[str, Any]) -> list[Receipt]:
    """Rows do not name the letter: where the address got several since, they count when they agree."""
    rows = answer.get("list")
    if not isinstance(rows, list):
        raise ValueError("an answer without a list")
    ours = [
        (_RESULTS.get(str(row[1])), str(row[2])[:100])
        for row in rows
        if isinstance(row, list)
        and len(row) == len(_SELECT)
        and str(row[0]).casefold() == sent.to.casefold()
    ]
    if len({status for status, _ in ours}) != 1 or len(rows) >= _ROWS:
        return []
    status, code = ours[-1]
    return [Receipt(status, sent.provider_id, sent.key, code=code)] if status else []
