"""What comes next for a notification when one of its deliveries has moved or a wait is over. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from channels.base import Tells
from hub.notifications.model import (
    ACTIVE,
    DeliveryStatus,
    NotificationStatus,
    Strategy,
)

_REACHED_BY: dict[DeliveryStatus, int] = {
    DeliveryStatus.SENT: 1,
    DeliveryStatus.DELIVERED: 2,
    DeliveryStatus.READ: 3,
}
_NEEDED: dict[Tells, int] = {Tells.SENT: 1, Tells.DELIVERED: 2, Tells.READ: 3}

# The best that became of any delivery is what became of the notification.
_BEST_FIRST: Sequence[tuple[DeliveryStatus, NotificationStatus]] = (
    (DeliveryStatus.READ, NotificationStatus.READ),
    (DeliveryStatus.DELIVERED, NotificationStatus.DELIVERED),
    (DeliveryStatus.SENT, NotificationStatus.SENT),
    (DeliveryStatus.SENDING, NotificationStatus.QUEUED),
    (DeliveryStatus.QUEUED, NotificationStatus.QUEUED),
    (DeliveryStatus.UNKNOWN, NotificationStatus.UNKNOWN),
    # What ended the last channel tells more than how an earlier one failed.
    (DeliveryStatus.COLLAPSED, NotificationStatus.COLLAPSED),
    (DeliveryStatus.CANCELLED, NotificationStatus.CANCELLED),
    (DeliveryStatus.FAILED, NotificationStatus.FAILED),
    (DeliveryStatus.EXPIRED, NotificationStatus.EXPIRED),
    (DeliveryStatus.SUPPRESSED, NotificationStatus.UNDELIVERABLE),
)

# Ended by a person, by a newer notification or because its time is over: no further channel is tried.
_STOPPED = frozenset({DeliveryStatus.COLLAPSED, DeliveryStatus.CANCELLED, DeliveryStatus.EXPIRED})


class At(NamedTuple):
    """Where one delivery stands. `gave_up`: its time on its channel was over (`model.GAVE_UP`)."""

    step: int
    status: DeliveryStatus
    gave_up: bool = False


class Standing(NamedTuple):
    """The notification's status now; `next_step` is to be opened at once where it is not None."""

    status: NotificationStatus
    next_step: int | None = None
    waiting: bool = False
    """A cascade still waits at its present step."""


def standing(
    strategy: Strategy,
    untils: Sequence[Tells | None],
    deliveries: Sequence[At],
    *,
    step_at: datetime | None,
    expires_at: datetime | None,
    now: datetime,
) -> Standing:
    """`untils`: one a step of the plan, what ends a cascade there. `step_at`: when the present step of a
    cascade has waited long enough."""
    status = _overall(deliveries)
    if strategy is Strategy.ALL or not deliveries:
        return Standing(status)
    step = max(d.step for d in deliveries)
    here = [d for d in deliveries if d.step == step]
    last = step + 1 >= len(untils)
    over = expires_at is not None and now >= expires_at
    if last or over or _STOPPED.intersection(d.status for d in deliveries):
        return Standing(status)
    if strategy is Strategy.FIRST:
        return _first(status, step, here)
    if any(_has_reached(d, untils[d.step]) for d in deliveries):
        return Standing(status)
    return _cascade(status, step, [d.status for d in here], step_at, now)


def _has_reached(delivery: At, until: Tells | None) -> bool:
    """Also of an earlier step, where the news came late."""
    return _REACHED_BY.get(delivery.status, 0) >= _NEEDED[until or Tells.DELIVERED]


def _first(status: NotificationStatus, step: int, here: Sequence[At]) -> Standing:
    """The next channel only when this one failed for certain or its time was over, and no earlier one got there after
    all."""
    if all(_has_gone_wrong(d) for d in here) and status not in _AFTER_SENT:
        return Standing(NotificationStatus.QUEUED, step + 1)
    return Standing(status)


def _has_gone_wrong(delivery: At) -> bool:
    """Of what perhaps went out only whoever settled it knows whether it may come twice (`settle.given_up`)."""
    if delivery.status is DeliveryStatus.UNKNOWN:
        return delivery.gave_up
    return delivery.status in (DeliveryStatus.FAILED, DeliveryStatus.SUPPRESSED)


def _cascade(
    status: NotificationStatus,
    step: int,
    here: Sequence[DeliveryStatus],
    step_at: datetime | None,
    now: datetime,
) -> Standing:
    hopeless = all(s not in ACTIVE and s not in _REACHED_BY for s in here)
    # What perhaps went out gets its full wait: a receipt may still say that it did.
    hopeless = hopeless and DeliveryStatus.UNKNOWN not in here
    if hopeless or (step_at is not None and now >= step_at):
        better = status if status in _AFTER_SENT else NotificationStatus.QUEUED
        return Standing(better, step + 1)
    return Standing(status, waiting=True)


_AFTER_SENT = frozenset(
    {NotificationStatus.SENT, NotificationStatus.DELIVERED, NotificationStatus.READ}
)


def _overall(deliveries: Sequence[At]) -> NotificationStatus:
    present = {d.status for d in deliveries}
    for delivery_status, status in _BEST_FIRST:
        if delivery_status in present:
            return status
    return NotificationStatus.UNDELIVERABLE
