"""Decisions about orders and stock: what answers come to, what happens when none comes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from hub.config import OrderSettings
from hub.orders import hours
from hub.orders.hours import Hours
from hub.orders.model import STAGES, Line, OrderStatus, may_move

_LATEST_GAP = timedelta(minutes=5)


class Ignored(StrEnum):
    """Why a status that the shop sent changes nothing."""

    REPEATED = "repeated"
    LATE = "late"


def judged(now: OrderStatus, told: OrderStatus, to: OrderStatus) -> Ignored | None:
    """None: the order takes it. `told`: what the shop had said last, which is not told twice although the
    order has moved on by itself since."""
    if to in (now, told):
        return Ignored.REPEATED
    return None if may_move(now, to) else Ignored.LATE


def asks_for_stock(status: OrderStatus, settings: OrderSettings) -> bool:
    """Whether an order that is given this status waits for an answer from the shelf."""
    if status is OrderStatus.PLACED:
        return settings.stock_confirmation
    return status is OrderStatus.AWAITING_STOCK


def asks_for_more(before: Sequence[Line], settings: OrderSettings) -> bool:
    """Whether goods that come to an order after it was paid are asked for at the shelf before they are packed: where
    the shop asks, or has asked for this order."""
    return settings.stock_confirmation or any(line.stock_request_id for line in before)


def ends_questions(status: OrderStatus) -> bool:
    """Whether the shop has decided without waiting for the shelf."""
    return STAGES[status] > STAGES[OrderStatus.AWAITING_STOCK]


def same_question(before: Line, after: Line) -> bool:
    """Whether an answer to the one answers the other. A new title or price asks nothing of the shelf."""
    return (before.sku, before.quantity, before.seller_id, before.warehouse_id) == (
        after.sku,
        after.quantity,
        after.seller_id,
        after.warehouse_id,
    )


def still_there(before: Line, after: Line) -> int | None:
    """How many there are of a line of which less is wanted now, by the answer to more of it; None: it does not say."""
    less = same_question(replace(before, quantity=after.quantity), after)
    if before.confirmed is None or not less or after.quantity >= before.quantity:
        return None
    return min(before.confirmed, after.quantity)


def outcome(lines: Sequence[Line]) -> OrderStatus | None:
    """What the answers come to; None while one is missing."""
    if any(line.confirmed is None for line in lines):
        return None
    if all(line.confirmed == line.quantity for line in lines):
        return OrderStatus.CONFIRMED
    if not any(line.confirmed for line in lines):
        return OrderStatus.REJECTED
    return OrderStatus.PARTIALLY_CONFIRMED


class Escalation(StrEnum):
    """What is done about a question that nobody has answered in full."""

    REMIND = "remind"
    OVERDUE = "overdue"
    SELLER = "seller"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class NextStep:
    """`number` is the one that a row keeps as `next_step`."""

    number: int
    what: Escalation
    at: datetime


def deadline(
    settings: OrderSettings, since: datetime, open_hours: Hours, zone: ZoneInfo
) -> datetime:
    """When a question becomes overdue."""
    return hours.after(since, settings.answer_within, open_hours, zone)


def next_step(
    number: int, settings: OrderSettings, since: datetime, open_hours: Hours, zone: ZoneInfo
) -> NextStep | None:
    """Step `number` (1 is the first) of a question that waits since `since`, None after the last one.

    Times are working time of the place.
    """
    steps = _steps(settings)
    if number > len(steps):
        return None
    what, waited = steps[number - 1]
    return NextStep(number, what, hours.after(since, waited, open_hours, zone))


def step(number: int, settings: OrderSettings) -> Escalation | None:
    """What step `number` is."""
    steps = _steps(settings)
    return steps[number - 1][0] if number <= len(steps) else None


def _steps(settings: OrderSettings) -> list[tuple[Escalation, timedelta]]:
    """A reminder, the staff once more when time is up, a little later whoever is above them, at last the
    admins. A reminder that would come after the end is left out."""
    within = settings.answer_within
    # The shop's backend sees `overdue` before `escalated`, and those asked last get a moment.
    escalated = within + min(within / 6, _LATEST_GAP)
    found = [(Escalation.OVERDUE, within)]
    if settings.remind_after < within:
        found.insert(0, (Escalation.REMIND, settings.remind_after))
    if settings.escalate_to == "seller":
        found.append((Escalation.SELLER, escalated))
        found.append((Escalation.ADMIN, escalated + within))
    else:
        found.append((Escalation.ADMIN, escalated))
    return found
