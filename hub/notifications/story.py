"""What happened to one notification, told in its order: who did what when, and what it came to. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hub.notifications.model import ACTIVE, REACHED, DeliveryStatus, NotificationStatus

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened. `kind` names it; `tone`: good, on, wait, bad or quiet. `said`: the provider's own words,
    with its `code`. `meaning`: which of the known meanings these have; empty: none is needed. `times`: how often it
    happened in a row. `until`: what it waits for. `reason`: the hub's own word for why."""

    at: datetime
    kind: str
    tone: str = "quiet"
    channel: str = ""
    account: str = ""
    provider: str = ""
    said: str = ""
    code: str = ""
    meaning: str = ""
    reason: str = ""
    times: int = 1
    took: timedelta | None = None
    until: datetime | None = None
    instead_of: Mapping[str, Any] | None = None
    place: datetime | None = None
    """Where it stands, if not by its time: a provider's clock is its own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one channel came to nothing."""

    channel: str
    meaning: str
    said: str = ""
    code: str = ""
    provider: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it came to, for one glance. `kind`: the notification's status, or `retrying` and `stuck` (no account can be
    used) where it is queued and something is in the way. `took`: since it was accepted, or since it was due."""

    kind: str
    tone: str
    channel: str = ""
    account: str = ""
    provider: str = ""
    at: datetime | None = None
    took: timedelta | None = None
    until: datetime | None = None
    next_channel: str = ""
    failures: Sequence[Failure] = ()


@dataclass(frozen=True, slots=True)
class Story:
    verdict: Verdict
    told: Sequence[Told] = field(default_factory=list)
    is_over: bool = False


_OVER = frozenset(NotificationStatus) - {NotificationStatus.SCHEDULED, NotificationStatus.QUEUED}
_TONES: Mapping[str, str] = {
    "delivered": "good",
    "read": "good",
    "clicked": "good",
    "sent": "on",
    "queued": "wait",
    "sending": "wait",
    "scheduled": "wait",
    "unknown": "wait",
    "failed": "bad",
    "bounced": "bad",
    "complained": "bad",
    "undeliverable": "bad",
    "expired": "bad",
    "suppressed": "bad",
    "lost": "wait",
    "deferred": "wait",
}
TROUBLE = "trouble"
"""The meaning of what happened on the way to a provider, which its code tells."""

_NOT_THERE = frozenset({"bounced", "complained", "failed"})


def tell(row: Row, more: Row) -> Story:
    """`row`: as `storage.by_id` gives it; `more`: as `searching.about` does."""
    deliveries = sorted(row["deliveries"], key=lambda d: (d["step"], d["id"]))
    told = [*_beginning(row)]
    for delivery in deliveries:
        told += _in_order(_way(delivery, (more["deliveries"] or {}).get(delivery["id"], {})))
    told += _end(row, more, deliveries)
    told.sort(key=lambda one: one.place or one.at)
    is_over = row["status"] in _OVER and more["step_at"] is None
    return Story(_verdict(row, more, deliveries, told), told, is_over)


def _beginning(row: Row) -> Iterator[Told]:
    at = row["created_at"]
    yield Told(at, "accepted")
    if not row["plan"]:
        yield Told(at, "nowhere", "bad")
        return
    yield Told(at, "planned")
    if row["held_until"] and row["held_until"] > at:
        yield Told(at, "held", "wait", until=row["held_until"])
    elif row["send_at"] and row["send_at"] > at:
        yield Told(at, "scheduled", "wait", until=row["send_at"])


def _in_order(told: Iterator[Told]) -> Iterator[Told]:
    """What a provider reports comes after it took the message, whatever its clock says and to the second only."""
    taken: datetime | None = None
    for one in told:
        if one.kind == "call_accepted":
            taken = taken or one.at
        is_early = taken is not None and one.at < taken and one.kind.startswith("receipt_")
        yield replace(one, place=taken) if is_early else one


def _way(delivery: Row, times: Row) -> Iterator[Told]:
    channel = delivery["channel"]
    if delivery["step"]:
        yield Told(_at(delivery["created_at"]), "next", "on", channel)
    attempts = delivery["attempts"]
    last = attempts[-1]["number"] if attempts else None
    calls = (_call(delivery, attempt, is_last=attempt["number"] == last) for attempt in attempts)
    yield from _together(calls)
    for receipt in delivery["receipts"]:
        yield _reported(delivery, receipt)
    yield from _left(delivery, times)


def _call(delivery: Row, attempt: Row, *, is_last: bool) -> Told:
    started, finished = _at(attempt["started_at"]), attempt["finished_at"]
    outcome = attempt["outcome"] or "under_way"
    at = _at(finished) if finished else started
    reason = delivery["reason"] if is_last else ""
    meaning = _meaning(outcome, delivery["channel"], attempt["code"] or "", reason)
    tones = {"accepted": "on", "refused": "bad"}
    return Told(
        at,
        f"call_{outcome}",
        tones.get(outcome, "wait"),
        delivery["channel"],
        attempt["account"],
        attempt["provider"],
        said=attempt["detail"] or "",
        code=attempt["code"] or "",
        meaning=meaning,
        took=at - started if finished else None,
        instead_of=attempt["instead_of"],
    )


def _together(calls: Iterator[Told]) -> Iterator[Told]:
    """What came to the same again and again is told once, with how often."""
    before: Told | None = None
    for call in calls:
        if before and call.kind in ("call_retry", "call_maybe_sent") and _same(before, call):
            before = _more(before, call)
            continue
        if before:
            yield before
        before = call
    if before:
        yield before


def _same(one: Told, other: Told) -> bool:
    return (one.kind, one.account, one.code) == (other.kind, other.account, other.code)


def _more(before: Told, last: Told) -> Told:
    again = replace(before, times=before.times + 1, until=last.at, took=None)
    return replace(again, said=last.said, code=last.code, meaning=last.meaning)


_OF_CODE: Mapping[tuple[str, str], str] = {
    ("telegram", "blocked"): "blocked",
    ("telegram", "deactivated"): "deactivated",
    ("telegram", "never-started"): "never_started",
    ("telegram", "chat-not-found"): "never_started",
    ("telegram", "kicked"): "left_chat",
    ("telegram", "not-a-member"): "left_chat",
    ("telegram", "chat-deleted"): "left_chat",
    ("vk", "900"): "blocked",
    ("vk", "901"): "never_started",
    ("vk", "902"): "never_started",
    ("vk", "18"): "deactivated",
}
"""By channel and code, refusals of which more can be said than whom they are about."""


def _meaning(outcome: str, channel: str, code: str, reason: str | None) -> str:
    """Of what an account answered to one call."""
    match outcome:
        case "refused" if reason in ("recipient_refused", "message_refused"):
            return _OF_CODE.get((channel, code), reason)
        case "refused":
            # Only what is about the account lets the delivery go on: every other refusal is its last word.
            return "account_refused"
        case "retry" | "maybe_sent":
            return TROUBLE
        case "unknown":
            return "worker_died"
        case _:
            return ""


def _reported(delivery: Row, receipt: Row) -> Told:
    status = receipt["status"]
    meaning = ""
    if status in _NOT_THERE:
        meaning = "not_delivered" if status == "failed" else status
    return Told(
        _at(receipt["happened_at"] or receipt["received_at"]),
        f"receipt_{status}",
        _TONES.get(status, "quiet"),
        delivery["channel"],
        delivery["account"] or "",
        delivery["provider"] or "",
        said=receipt["detail"] or "",
        code=receipt["code"] or "",
        meaning=meaning,
    )


_BY_HUB = frozenset(
    {
        "no_address",
        "suppressed",
        "no_account",
        "account_paused",
        "cannot_render",
        "gave_up",
        "expired",
        "restored",
        "worker_died",
        "lost_by_provider",
    }
)
"""Why a delivery ended that no provider said."""


def _left(delivery: Row, times: Row) -> Iterator[Told]:
    """How the delivery stands, where neither a call nor a receipt tells."""
    status, reason = delivery["status"], delivery["reason"] or ""
    moved, due = times.get("updated_at"), times.get("due_at")
    if status == DeliveryStatus.QUEUED and reason and due:
        yield Told(
            _at(moved or due), "waits", "wait", delivery["channel"], reason=reason, until=_at(due)
        )
    elif status in ACTIVE or not moved:
        return
    elif reason in _BY_HUB and status not in REACHED:
        tone = "quiet" if status == DeliveryStatus.CANCELLED else "bad"
        meaning = reason if reason in ("cannot_render", "no_account") else ""
        yield Told(_at(moved), "ended", tone, delivery["channel"], reason=reason, meaning=meaning)


def _end(row: Row, more: Row, deliveries: Sequence[Row]) -> Iterator[Told]:
    status = row["status"]
    if status in ("cancelled", "collapsed", "expired"):
        moved = [t["updated_at"] for t in (more["deliveries"] or {}).values()]
        at = max(map(_at, moved)) if moved else row["expires_at"] or row["created_at"]
        yield Told(at, status, _TONES.get(status, "quiet"))
    elif status == "failed" and deliveries:
        at = max(_at(t["updated_at"]) for t in more["deliveries"].values())
        yield Told(at, "no_more_ways", "bad")


def _verdict(row: Row, more: Row, deliveries: Sequence[Row], told: Sequence[Told]) -> Verdict:
    status = row["status"]
    failures = _failures(deliveries, told)
    start = row["held_until"] or row["send_at"] or row["created_at"]
    start = max(start, row["created_at"])
    best = _best(deliveries)
    if best and status in ("sent", "delivered", "read"):
        at = _at(best["read_at"] or best["delivered_at"] or best["sent_at"])
        return Verdict(
            status,
            _TONES[status],
            best["channel"],
            best["account"] or "",
            best["provider"] or "",
            at,
            max(at - start, timedelta(0)),
            more["step_at"],
            _next_channel(row, deliveries) if more["step_at"] else "",
            failures,
        )
    if status in ("queued", "scheduled"):
        return _pending(row, deliveries, failures, told)
    return Verdict(status, _TONES.get(status, "quiet"), failures=failures)


def _next_channel(row: Row, deliveries: Sequence[Row]) -> str:
    """The plan's first one that was not tried yet."""
    step = max((d["step"] for d in deliveries), default=-1) + 1
    return str(row["plan"][step]["channel"]) if step < len(row["plan"]) else ""


def _best(deliveries: Sequence[Row]) -> Row | None:
    reached = [d for d in deliveries if d["status"] in REACHED and d["sent_at"]]
    return max(reached, key=lambda d: REACHED.index(d["status"]), default=None)


def _pending(
    row: Row, deliveries: Sequence[Row], failures: Sequence[Failure], told: Sequence[Told]
) -> Verdict:
    now = [d for d in deliveries if d["status"] in ACTIVE]
    channel = now[0]["channel"] if now else ""
    if row["status"] == "scheduled":
        until = row["held_until"] or row["send_at"]
        return Verdict("held" if row["held_until"] else "scheduled", "wait", channel, until=until)
    waits = next((one for one in told if one.kind == "waits"), None)
    if waits is None:
        return Verdict("queued", "wait", channel, failures=failures)
    kind = "stuck" if waits.reason in ("account_paused", "no_account") else "retrying"
    trouble = [one for one in told if one.meaning and one.channel == waits.channel]
    reasons = [_failure(trouble[-1])] if trouble else []
    return Verdict(kind, "wait", waits.channel, until=waits.until, failures=[*failures, *reasons])


_LOST = frozenset(
    {
        DeliveryStatus.FAILED,
        DeliveryStatus.SUPPRESSED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.UNKNOWN,
    }
)


def _failures(deliveries: Sequence[Row], told: Sequence[Told]) -> list[Failure]:
    """One for each channel that came to nothing: the last word that somebody had on it."""
    lost = dict.fromkeys(d["channel"] for d in deliveries if d["status"] in _LOST)
    found = []
    for channel in lost:
        words = [t for t in told if t.channel == channel and (t.meaning or t.reason)]
        found.append(_failure(words[-1]) if words else Failure(channel, "other"))
    return found


def _failure(told: Told) -> Failure:
    meaning = told.meaning or told.reason
    return Failure(told.channel, meaning, told.said, told.code, told.provider, told.account)


def _at(value: datetime | str) -> datetime:
    """What comes in JSON is text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
