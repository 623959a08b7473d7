"""What one call makes of a delivery, as a table."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from channels.base import Accepted, Category, Channel, Moved, Outcome, Refused, Retry, Scope
from hub.ids import new_id
from hub.notifications.model import DeliveryStatus
from hub.notifications.settle import InHand, Settled, after_crash, backoff, given_up, settle

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ID = new_id()


def in_hand(**more: Any) -> InHand:
    given: dict[str, Any] = {
        "id": ID,
        "category": Category.TRANSACTIONAL,
        "channel": Channel.SMS,
        "attempt_count": 0,
        "give_up_at": NOW + timedelta(hours=4),
    }
    return InHand(**given | more)


def after(outcome: Outcome, *, jitter: float = 1.0, **more: Any) -> Settled:
    return settle(in_hand(**more), outcome, now=NOW, jitter=jitter)


def test_what_was_accepted_is_sent_with_its_id_and_price() -> None:
    settled = after(Accepted("7", Decimal("3.5")))

    assert (settled.status, settled.word) == (DeliveryStatus.SENT, "accepted")
    assert (settled.provider_id, settled.cost) == ("7", Decimal("3.5"))


@pytest.mark.parametrize(
    ("category", "pauses"),
    [
        (Category.SECURITY, [1, 2, 4, 8, 10, 10]),
        (Category.TRANSACTIONAL, [1, 4, 10, 20, 40, 60, 120, 300, 300]),
        (Category.MARKETING, [15, 60, 120, 300, 900, 1800, 1800]),
    ],
)
def test_pauses_grow_and_then_stay(category: Category, pauses: list[int]) -> None:
    found = [backoff(category, attempt).total_seconds() for attempt in range(1, len(pauses) + 1)]

    assert found == pauses


@pytest.mark.parametrize(
    ("asked", "jitter", "waited"),
    [(0, 1.0, 1), (0, 1.3, 1.3), (60, 1.0, 60), (60, 1.3, 60), (0.5, 0.8, 0.8)],
)
def test_a_provider_may_ask_for_a_longer_pause_and_not_for_a_shorter_one(
    asked: float, jitter: float, waited: float
) -> None:
    settled = after(Retry("http-503", timedelta(seconds=asked)), jitter=jitter)

    assert settled.status is DeliveryStatus.QUEUED
    assert settled.due_at == NOW + timedelta(seconds=waited)
    assert not settled.maybe_duplicate


def test_when_its_time_is_over_a_delivery_fails_and_with_its_notification_it_expires() -> None:
    soon = NOW + timedelta(milliseconds=500)

    failed = after(Retry("http-503"), give_up_at=soon)
    expired = after(Retry("http-503"), give_up_at=soon, expires_at=soon)

    assert (failed.status, failed.reason) == (DeliveryStatus.FAILED, "gave_up")
    assert (expired.status, expired.reason) == (DeliveryStatus.EXPIRED, "expired")
    assert failed.code == expired.code == "http-503"


UNCLEAR = Retry("no-answer", maybe_sent=True)
RECOGNISES = {"deduplicates": timedelta(minutes=50)}


@pytest.mark.parametrize(
    ("more", "status", "maybe_duplicate"),
    [
        ({}, DeliveryStatus.QUEUED, True),
        ({"category": Category.SECURITY}, DeliveryStatus.QUEUED, True),
        ({"category": Category.MARKETING}, DeliveryStatus.UNKNOWN, False),
        (RECOGNISES, DeliveryStatus.QUEUED, False),
        (RECOGNISES | {"category": Category.MARKETING}, DeliveryStatus.QUEUED, False),
        # The window counts from the first unclear call.
        (RECOGNISES | {"doubt_since": NOW - 49 * MINUTE}, DeliveryStatus.QUEUED, False),
        (RECOGNISES | {"doubt_since": NOW - 50 * MINUTE}, DeliveryStatus.QUEUED, True),
        (
            RECOGNISES | {"doubt_since": NOW - 50 * MINUTE, "category": Category.MARKETING},
            DeliveryStatus.UNKNOWN,
            False,
        ),
        # The pause alone is longer than the window.
        ({"deduplicates": MINUTE, "attempt_count": 6}, DeliveryStatus.QUEUED, True),
        # No time is left, and it may have gone out: nobody may say that it failed.
        ({"give_up_at": NOW}, DeliveryStatus.UNKNOWN, False),
        (RECOGNISES | {"give_up_at": NOW}, DeliveryStatus.UNKNOWN, False),
        ({"maybe_duplicate": True} | RECOGNISES, DeliveryStatus.QUEUED, True),
    ],
)
def test_an_unclear_call_is_repeated_where_that_is_right(
    more: dict[str, Any], status: DeliveryStatus, maybe_duplicate: bool
) -> None:
    settled = after(UNCLEAR, **more)

    assert (settled.status, settled.maybe_duplicate) == (status, maybe_duplicate)
    assert settled.word == "maybe_sent"


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "suppress"),
    [
        (
            Refused(Scope.RECIPIENT, "404", "gone"),
            DeliveryStatus.FAILED,
            "recipient_refused",
            True,
        ),
        (
            Refused(Scope.RECIPIENT, "452", "mailbox full", suppress=False),
            DeliveryStatus.FAILED,
            "recipient_refused",
            False,
        ),
        (
            Refused(Scope.MESSAGE, "400", "too long"),
            DeliveryStatus.FAILED,
            "message_refused",
            False,
        ),
        (Refused(Scope.ACCOUNT, "401", "key"), DeliveryStatus.QUEUED, "account_refused", False),
    ],
)
def test_who_refused_decides_what_follows(
    outcome: Refused, status: DeliveryStatus, reason: str, suppress: bool
) -> None:
    settled = after(outcome)

    assert (settled.status, settled.reason, settled.suppress) == (status, reason, suppress)
    assert (settled.code, settled.detail) == (outcome.code, outcome.reason)


def test_a_new_address_is_written_to_at_once() -> None:
    settled = after(Moved("-100123"))

    assert (settled.status, settled.due_at, settled.moved_to) == (
        DeliveryStatus.QUEUED,
        NOW,
        "-100123",
    )


@pytest.mark.parametrize(
    ("called", "more", "status", "maybe_duplicate"),
    [
        (None, {}, DeliveryStatus.QUEUED, False),
        (None, {"category": Category.MARKETING}, DeliveryStatus.QUEUED, False),
        (MINUTE, {}, DeliveryStatus.QUEUED, True),
        (MINUTE, {"category": Category.SECURITY}, DeliveryStatus.QUEUED, True),
        (MINUTE, {"category": Category.MARKETING}, DeliveryStatus.UNKNOWN, False),
        (MINUTE, RECOGNISES | {"category": Category.MARKETING}, DeliveryStatus.QUEUED, False),
        (MINUTE, RECOGNISES, DeliveryStatus.QUEUED, False),
        (50 * MINUTE, RECOGNISES, DeliveryStatus.QUEUED, True),
    ],
)
def test_after_a_crash_the_category_and_the_provider_decide(
    called: timedelta | None, more: dict[str, Any], status: DeliveryStatus, maybe_duplicate: bool
) -> None:
    called_at = NOW - called if called else None

    settled = after_crash(in_hand(**more), called_at=called_at, now=NOW)

    assert (settled.status, settled.maybe_duplicate) == (status, maybe_duplicate)


SOON = NOW + timedelta(milliseconds=500)


@pytest.mark.parametrize("outcome", [Retry("http-503"), UNCLEAR])
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        # By another channel it had better come twice than not at all.
        ({}, "gave_up"),
        ({"category": Category.SECURITY}, "gave_up"),
        ({"category": Category.MARKETING}, "maybe_sent"),
        # No channel can tell it in time.
        ({"expires_at": SOON}, "maybe_sent"),
    ],
)
def test_nobody_says_that_it_failed_where_an_earlier_call_may_have_arrived(
    more: dict[str, Any], reason: str, outcome: Outcome
) -> None:
    settled = after(outcome, give_up_at=SOON, perhaps_sent=True, **more)

    assert (settled.status, settled.reason) == (DeliveryStatus.UNKNOWN, reason)


def test_giving_up_keeps_what_the_provider_last_said() -> None:
    settled = given_up(in_hand(maybe_duplicate=True), now=NOW, code="http-503")

    assert (settled.code, settled.maybe_duplicate) == ("http-503", True)
