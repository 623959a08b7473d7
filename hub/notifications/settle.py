"""What becomes of a delivery after one call to its provider. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from channels.base import Accepted, Category, Channel, Moved, Outcome, Refused, Retry, Scope
from hub.notifications.model import GAVE_UP, DeliveryStatus

_SECONDS: Mapping[Category, tuple[int, ...]] = {
    Category.SECURITY: (1, 2, 4, 8, 10),
    Category.TRANSACTIONAL: (1, 4, 10, 20, 40, 60, 120, 300),
    Category.MARKETING: (15, 60, 120, 300, 900, 1800),
}


@dataclass(frozen=True, slots=True)
class InHand:
    """A delivery that this worker holds. `deduplicates`: how long its account recognises a repeat of the same
    key; `doubt_since`: when the first call to that account was made that got no clear answer, if any did;
    `perhaps_sent`: whether some call before got none, to whichever account."""

    id: UUID
    category: Category
    channel: Channel
    attempt_count: int
    give_up_at: datetime
    expires_at: datetime | None = None
    deduplicates: timedelta = timedelta(0)
    doubt_since: datetime | None = None
    maybe_duplicate: bool = False
    perhaps_sent: bool = False


@dataclass(slots=True)
class Settled:
    """The row as it will be. `word` is how the attempt ended."""

    id: UUID
    status: DeliveryStatus
    word: str = ""
    due_at: datetime | None = None
    reason: str | None = None
    code: str | None = None
    detail: str | None = None
    provider_id: str | None = None
    cost: Decimal | None = None
    maybe_duplicate: bool = False
    suppress: bool = False
    moved_to: str | None = None
    ask_at: datetime | None = None
    """When the provider is asked what became of it, where it does not tell by itself."""


def bare(settled: Settled) -> Settled:
    """Without whatever a provider said: the least that has to be kept."""
    return Settled(
        settled.id,
        settled.status,
        settled.word,
        due_at=settled.due_at,
        reason=settled.reason,
        maybe_duplicate=settled.maybe_duplicate,
        ask_at=settled.ask_at,
    )


def backoff(category: Category, attempt: int) -> timedelta:
    """The pause after the `attempt`-th call (from 1), before jitter."""
    table = _SECONDS[category]
    return timedelta(seconds=table[min(attempt, len(table)) - 1])


def accepted(id_: UUID, outcome: Accepted, *, maybe_duplicate: bool) -> Settled:
    """What nearly all calls come to."""
    return Settled(
        id_,
        DeliveryStatus.SENT,
        "accepted",
        provider_id=outcome.provider_id or None,
        cost=outcome.cost,
        maybe_duplicate=maybe_duplicate,
    )


def settle(delivery: InHand, outcome: Outcome, *, now: datetime, jitter: float = 1.0) -> Settled:
    """A provider is believed when it asks for a longer wait than ours, never for a shorter one.

    `jitter` multiplies our own pause, so that what failed together does not come back together.
    """
    match outcome:
        case Accepted():
            return accepted(delivery.id, outcome, maybe_duplicate=delivery.maybe_duplicate)
        case Retry(reason, after, maybe_sent):
            return _again(delivery, reason, after, maybe_sent=maybe_sent, now=now, jitter=jitter)
        case Moved(to):
            return Settled(
                delivery.id,
                DeliveryStatus.QUEUED,
                "moved",
                due_at=now,
                maybe_duplicate=delivery.maybe_duplicate,
                moved_to=to,
            )
        case Refused(Scope.ACCOUNT, code, reason):
            # The account is paused by now: the next claim finds another one, or the next channel.
            return Settled(
                delivery.id,
                DeliveryStatus.QUEUED,
                "refused",
                due_at=now,
                reason="account_refused",
                code=code,
                detail=reason,
                maybe_duplicate=delivery.maybe_duplicate,
            )
        case Refused(scope, code, reason, suppress):
            return Settled(
                delivery.id,
                DeliveryStatus.FAILED,
                "refused",
                reason=f"{scope}_refused",
                code=code,
                detail=reason,
                maybe_duplicate=delivery.maybe_duplicate,
                suppress=suppress and scope is Scope.RECIPIENT,
            )


def _again(
    delivery: InHand,
    reason: str,
    after: timedelta,
    *,
    maybe_sent: bool,
    now: datetime,
    jitter: float,
) -> Settled:
    wait = max(backoff(delivery.category, delivery.attempt_count + 1) * jitter, after)
    word = "maybe_sent" if maybe_sent else "retry"
    # Inside its window the provider itself drops the second copy; outside it a repeat may be a double. Which
    # of several unclear calls it took nobody knows, so the window is counted from the first.
    recognised = now + wait - (delivery.doubt_since or now) < delivery.deduplicates
    doubtful = maybe_sent and not recognised
    duplicate = delivery.maybe_duplicate or doubtful
    if doubtful and delivery.category is Category.MARKETING:
        return Settled(delivery.id, DeliveryStatus.UNKNOWN, word, reason="maybe_sent", code=reason)
    due = now + wait
    if due < delivery.give_up_at:
        return Settled(
            delivery.id,
            DeliveryStatus.QUEUED,
            word,
            due_at=due,
            reason="retrying",
            code=reason,
            maybe_duplicate=duplicate,
        )
    if maybe_sent:
        delivery = replace(delivery, perhaps_sent=True)
    return given_up(delivery, now=due, word=word, code=reason)


def given_up(
    delivery: InHand,
    *,
    now: datetime,
    word: str = "",
    reason: str = GAVE_UP,
    code: str | None = None,
) -> Settled:
    """No more time on this channel: expired where the whole notification is, else failed here. What perhaps went out is
    `unknown` instead. `reason`: why it leaves the channel."""
    expired = delivery.expires_at is not None and now >= delivery.expires_at
    status = DeliveryStatus.EXPIRED if expired else DeliveryStatus.FAILED
    reason = "expired" if expired else reason
    if delivery.perhaps_sent:
        # Marketing would perhaps be the second by another channel. Anything else had better come twice than not at all.
        ends = expired or delivery.category is Category.MARKETING
        status, reason = DeliveryStatus.UNKNOWN, "maybe_sent" if ends else GAVE_UP
    return Settled(
        delivery.id,
        status,
        word,
        reason=reason,
        code=code,
        maybe_duplicate=delivery.maybe_duplicate,
    )


def after_crash(delivery: InHand, *, called_at: datetime | None, now: datetime) -> Settled:
    """A worker died holding it. `called_at`: when its unanswered call began; None: no call had begun."""
    if called_at is None:
        return Settled(
            delivery.id,
            DeliveryStatus.QUEUED,
            due_at=now,
            maybe_duplicate=delivery.maybe_duplicate,
        )
    recognised = now - called_at < delivery.deduplicates
    if delivery.category is Category.MARKETING and not recognised:
        return Settled(
            delivery.id,
            DeliveryStatus.UNKNOWN,
            "unknown",
            reason="worker_died",
            detail="the worker died while the provider was being called",
        )
    return Settled(
        delivery.id,
        DeliveryStatus.QUEUED,
        "unknown",
        due_at=now,
        reason="worker_died",
        maybe_duplicate=delivery.maybe_duplicate or not recognised,
    )
