"""What a webhook, a callback and an attempt are, and what one try comes to. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from channels.http import Reply


class EventType(StrEnum):
    """Everything that a webhook can ask for."""

    NOTIFICATION_SENT = "notification.sent"
    NOTIFICATION_DELIVERED = "notification.delivered"
    NOTIFICATION_READ = "notification.read"
    NOTIFICATION_FAILED = "notification.failed"
    NOTIFICATION_EXPIRED = "notification.expired"
    NOTIFICATION_UNDELIVERABLE = "notification.undeliverable"
    CONTACT_LINKED = "contact.linked"
    CONTACT_UNSUBSCRIBED = "contact.unsubscribed"
    CONTACT_BLOCKED = "contact.blocked"
    CONTACT_REPLIED = "contact.replied"
    STOCK_REQUEST_OPENED = "stock_request.opened"
    STOCK_REQUEST_ANSWERED = "stock_request.answered"
    STOCK_REQUEST_OVERDUE = "stock_request.overdue"
    STOCK_REQUEST_ESCALATED = "stock_request.escalated"
    ORDER_STOCK_CONFIRMED = "order.stock_confirmed"
    ORDER_ASSEMBLED = "order.assembled"
    ACCOUNT_PAUSED = "account.paused"
    ACCOUNT_RESUMED = "account.resumed"


TEST = "webhook.test"
"""Sent by hand only; nobody subscribes to it."""

SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (2, 5, 15, 60, 300, 1800, 2 * 3600, 4 * 3600, 8 * 3600, 12 * 3600)
)
"""The pause after each failed try of a round; the eleventh is the last, more than 26 h after the first."""

JITTER = 1.1
"""Up to so many times the pause, so that many callbacks of one bad minute do not come back as one."""

LONGEST_ROUND = timedelta(hours=30)
"""A try that fails later than this after the first one ends its round, however few there were: an endpoint that is down is not
called for every callback that waits for it."""

FAILING_FOR = timedelta(hours=24)
"""Without a single success for so long, a round that came to nothing disables the webhook."""

PATIENCE = 5
"""Failures in a row after which an endpoint is called by one callback at a time, with pauses."""

_LONGEST_PAUSE = timedelta(minutes=1)
_LONGEST_THROTTLE = timedelta(hours=1)
_GONE = 410
_THROTTLING = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `data` is JSON, ids, times and decimals among it. `contact_id`: whose personal
    data may stand in it, so that an erasure finds it; `contacts`: who else is named in it, as `seller` or
    `answered_by`."""

    shop_id: int
    type: EventType
    data: Mapping[str, Any]
    contact_id: UUID | None = None
    contacts: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription as it is shown: without its secret. `previous_until`: callbacks carry a signature by the
    former secret, too, until then."""

    id: UUID
    url: str
    events: Sequence[str]
    description: str
    active: bool
    failing_since: datetime | None
    disabled_reason: str | None
    disabled_at: datetime | None
    previous_until: datetime | None
    created_at: datetime
    updated_at: datetime


class Outcome(StrEnum):
    """What one call came to."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call as it is shown. `answer`: the beginning of what the backend said. `next_at`: when the next try
    was due, None where there was none to follow."""

    id: UUID
    event_id: UUID
    type: str
    number: int
    outcome: Outcome
    reason: str | None
    http_status: int | None
    answer: str
    started_at: datetime
    duration: timedelta
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A callback in hand with all that its call needs. The secrets are sealed; `previous_secret` only while it
    still counts. `failures`: of the endpoint, in a row."""

    event_id: UUID
    webhook_id: UUID
    shop_id: int
    type: str
    body: bytes
    url: str
    secret: bytes
    previous_secret: bytes | None
    failures: int
    tries: int
    attempt_count: int
    begun_at: datetime
    repeats: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason`: None after a success, else a stable word. `wait`: as long as the backend asked for."""

    outcome: Outcome
    reason: str | None = None
    http_status: int | None = None
    text: str = ""
    wait: timedelta = timedelta(0)

    @property
    def gone(self) -> bool:
        """The backend says that nobody is there any more."""
        return self.http_status == _GONE

    @classmethod
    def of(cls, reply: Reply, *, longest: int) -> "Answer":
        """`longest`: characters of the answer that are kept."""
        text = reply.body[: 4 * longest].decode(errors="replace").replace("\0", "")[:longest]
        if 200 <= reply.status < 300:
            return cls(Outcome.SUCCEEDED, None, reply.status, text)
        reason = "redirect" if 300 <= reply.status < 400 else f"http-{reply.status}"
        return cls(Outcome.FAILED, reason, reply.status, text, reply.retry_after)


class Status(StrEnum):
    """Of a callback."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an answer. `pause`: how long the whole endpoint is left alone."""

    status: Status
    next_at: datetime | None = None
    pause: timedelta = timedelta(0)


def verdict(claimed: Claimed, answer: Answer, *, now: datetime, jitter: float) -> Verdict:
    """`jitter`: between 1.0 and `JITTER`."""
    if answer.outcome is Outcome.SUCCEEDED:
        return Verdict(Status.DONE)
    if not claimed.repeats:
        return Verdict(Status.FAILED)
    pause = _pause(claimed.failures + 1, answer)
    if claimed.tries >= len(SCHEDULE) or now - claimed.begun_at >= LONGEST_ROUND:
        return Verdict(Status.FAILED, None, pause)
    wait = SCHEDULE[claimed.tries] * jitter
    return Verdict(Status.PENDING, now + max(wait, answer.wait), pause)


def _pause(failures: int, answer: Answer) -> timedelta:
    """The endpoint's own: what it asks for while it is overloaded, and more the longer it does not work."""
    asked = min(answer.wait, _LONGEST_THROTTLE) if answer.http_status in _THROTTLING else None
    if failures < PATIENCE:
        return asked or timedelta(0)
    growth: int = 2 ** min(failures - PATIENCE, 10)
    return max(asked or timedelta(0), min(timedelta(seconds=growth), _LONGEST_PAUSE))
