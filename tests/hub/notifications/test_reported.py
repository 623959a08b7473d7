"""What receipts make of a delivery, in whichever order they come."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from channels.base import Receipt, ReceiptStatus
from hub.notifications.model import DeliveryStatus
from hub.notifications.receipts import Reported, moved

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
D, R = DeliveryStatus, ReceiptStatus


def receipt(status: ReceiptStatus, at: int | None = 0, **more: str) -> Receipt:
    """`at`: in seconds from now."""
    happened = None if at is None else NOW + timedelta(seconds=at)
    return Receipt(status, provider_id="1", at=happened, **more)  # type: ignore[arg-type]


def after(status: DeliveryStatus, *receipts: Receipt) -> Reported:
    delivery = Reported(status)
    for one in receipts:
        delivery = moved(delivery, one, now=NOW)
    return delivery


@pytest.mark.parametrize(
    ("status", "told", "expected"),
    [
        (D.SENT, R.DELIVERED, D.DELIVERED),
        (D.SENT, R.READ, D.READ),
        (D.SENT, R.CLICKED, D.READ),
        (D.SENT, R.FAILED, D.FAILED),
        (D.SENT, R.BOUNCED, D.FAILED),
        (D.SENT, R.SENT, D.SENT),
        (D.SENT, R.DEFERRED, D.SENT),
        (D.SENT, R.COMPLAINED, D.SENT),
        (D.DELIVERED, R.SENT, D.DELIVERED),
        (D.READ, R.DELIVERED, D.READ),
        (D.READ, R.FAILED, D.READ),
        (D.DELIVERED, R.FAILED, D.FAILED),
        (D.SENDING, R.DELIVERED, D.DELIVERED),
        # It had arrived although the call seemed to come to nothing: no repeat.
        (D.QUEUED, R.DELIVERED, D.DELIVERED),
        (D.UNKNOWN, R.DELIVERED, D.DELIVERED),
        (D.UNKNOWN, R.FAILED, D.FAILED),
        (D.EXPIRED, R.DELIVERED, D.DELIVERED),
        (D.CANCELLED, R.DELIVERED, D.CANCELLED),
        (D.SUPPRESSED, R.DELIVERED, D.SUPPRESSED),
    ],
)
def test_a_receipt_moves_forward_or_nothing(
    status: DeliveryStatus, told: ReceiptStatus, expected: DeliveryStatus
) -> None:
    assert after(status, receipt(told)).status is expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(R.DELIVERED, 1), (R.READ, 2)], D.READ),
        ([(R.SENT, 0), (R.DELIVERED, 1), (R.READ, 2)], D.READ),
        ([(R.DELIVERED, 1), (R.BOUNCED, 5)], D.FAILED),
        ([(R.FAILED, 1), (R.DELIVERED, 5)], D.DELIVERED),
        ([(R.DEFERRED, 0), (R.FAILED, 1), (R.DELIVERED, 5), (R.READ, 9)], D.READ),
    ],
)
def test_the_order_of_arrival_does_not_matter(
    told: list[tuple[ReceiptStatus, int]], expected: DeliveryStatus
) -> None:
    for order in permutations(told):
        assert after(D.SENT, *(receipt(s, at) for s, at in order)).status is expected, order


def test_times_and_costs_are_noted() -> None:
    found = after(
        D.SENT,
        Receipt(R.DELIVERED, at=NOW - timedelta(minutes=2), cost=Decimal(4)),
        Receipt(R.READ, at=None),
    )

    assert found.delivered_at == NOW - timedelta(minutes=2)
    assert found.read_at == NOW
    assert found.cost == Decimal(4)


def test_a_failure_says_why() -> None:
    bounced = after(D.SENT, receipt(R.BOUNCED, code="err_user_unknown"))

    assert (bounced.reason, bounced.code) == ("bounced", "err_user_unknown")
    assert after(D.SENT, receipt(R.FAILED)).reason == "undelivered"
