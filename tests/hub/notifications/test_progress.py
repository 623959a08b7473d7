"""What follows for a notification from where its deliveries stand, as a table."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from channels.base import Tells
from hub.notifications.model import (
    MOVES,
    DeliveryStatus,
    NotificationStatus,
    Strategy,
    may_move,
)
from hub.notifications.progress import At, Standing, standing

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
D, N = DeliveryStatus, NotificationStatus
FIRST, CASCADE, ALL = Strategy.FIRST, Strategy.CASCADE, Strategy.ALL


def stand(
    strategy: Strategy,
    *deliveries: tuple[int, DeliveryStatus],
    steps: int = 2,
    until: Tells = Tells.DELIVERED,
    step_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Standing:
    return standing(
        strategy,
        [until] * steps,
        [At(step, status) for step, status in deliveries],
        step_at=step_at,
        expires_at=expires_at,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("statuses", "overall"),
    [
        ([D.READ, D.FAILED], N.READ),
        ([D.DELIVERED, D.SENT], N.DELIVERED),
        ([D.SENT, D.QUEUED], N.SENT),
        ([D.SENDING, D.FAILED], N.QUEUED),
        ([D.QUEUED, D.FAILED], N.QUEUED),
        ([D.UNKNOWN, D.FAILED], N.UNKNOWN),
        ([D.UNKNOWN, D.CANCELLED], N.UNKNOWN),
        # How it ended says more than how an earlier channel failed.
        ([D.FAILED, D.COLLAPSED], N.COLLAPSED),
        ([D.FAILED, D.CANCELLED], N.CANCELLED),
        ([D.FAILED, D.EXPIRED], N.FAILED),
        ([D.FAILED, D.SUPPRESSED], N.FAILED),
        ([D.EXPIRED, D.SUPPRESSED], N.EXPIRED),
        ([D.SUPPRESSED], N.UNDELIVERABLE),
    ],
)
def test_the_best_that_became_of_any_delivery_counts(
    statuses: list[DeliveryStatus], overall: NotificationStatus
) -> None:
    for order in (statuses, statuses[::-1]):
        assert stand(ALL, *((0, s) for s in order)).status is overall


@pytest.mark.parametrize(
    ("deliveries", "expected"),
    [
        ([(0, D.QUEUED)], Standing(N.QUEUED)),
        ([(0, D.SENT)], Standing(N.SENT)),
        ([(0, D.FAILED)], Standing(N.QUEUED, 1)),
        ([(0, D.SUPPRESSED)], Standing(N.QUEUED, 1)),
        # It may have gone out: the next channel might be a second copy.
        ([(0, D.UNKNOWN)], Standing(N.UNKNOWN)),
        # Two devices: one is enough, both failing is failing.
        ([(0, D.FAILED), (0, D.SENDING)], Standing(N.QUEUED)),
        ([(0, D.FAILED), (0, D.SENT)], Standing(N.SENT)),
        ([(0, D.FAILED), (0, D.FAILED)], Standing(N.QUEUED, 1)),
        ([(0, D.CANCELLED)], Standing(N.CANCELLED)),
        ([(0, D.COLLAPSED)], Standing(N.COLLAPSED)),
        ([(0, D.FAILED), (1, D.FAILED)], Standing(N.FAILED)),
        ([(0, D.FAILED), (1, D.QUEUED)], Standing(N.QUEUED)),
        ([(0, D.FAILED), (1, D.CANCELLED)], Standing(N.CANCELLED)),
        # Whoever ended it saw that its time is over, perhaps by another clock.
        ([(0, D.EXPIRED)], Standing(N.EXPIRED)),
    ],
)
def test_first_takes_the_next_channel_when_this_one_failed_for_certain(
    deliveries: list[tuple[int, DeliveryStatus]], expected: Standing
) -> None:
    assert stand(FIRST, *deliveries) == expected


def test_what_perhaps_went_out_and_had_no_more_time_is_told_by_the_next_channel() -> None:
    gave_up = At(0, D.UNKNOWN, gave_up=True)

    def follows(*deliveries: At) -> Standing:
        return standing(FIRST, [None, None], deliveries, step_at=None, expires_at=None, now=NOW)

    assert follows(gave_up) == Standing(N.QUEUED, 1)
    assert follows(gave_up, At(0, D.FAILED)) == Standing(N.QUEUED, 1)
    assert follows(gave_up, At(0, D.UNKNOWN)) == Standing(N.UNKNOWN)
    assert follows(gave_up, At(1, D.QUEUED)) == Standing(N.QUEUED)
    # And when that fails, the first may still have arrived.
    assert follows(gave_up, At(1, D.FAILED)) == Standing(N.UNKNOWN)


LATER, OVER = NOW + timedelta(minutes=1), NOW


def test_what_arrived_late_on_an_earlier_channel_needs_no_further_one() -> None:
    late = stand(FIRST, (0, D.DELIVERED), (1, D.FAILED), steps=3)
    assert late == Standing(N.DELIVERED)

    for second in (D.SENT, D.FAILED, D.UNKNOWN):
        late = stand(CASCADE, (0, D.DELIVERED), (1, second), steps=3, step_at=OVER)
        assert late == Standing(N.DELIVERED)
    # Where it was to be read, that it arrived is not enough.
    late = stand(CASCADE, (0, D.DELIVERED), (1, D.SENT), steps=3, step_at=OVER, until=Tells.READ)
    assert late == Standing(N.DELIVERED, 2)


@pytest.mark.parametrize(
    ("status", "until", "step_at", "expected"),
    [
        (D.QUEUED, Tells.DELIVERED, LATER, Standing(N.QUEUED, waiting=True)),
        (D.SENT, Tells.DELIVERED, LATER, Standing(N.SENT, waiting=True)),
        (D.SENT, Tells.DELIVERED, OVER, Standing(N.SENT, 1)),
        (D.DELIVERED, Tells.DELIVERED, OVER, Standing(N.DELIVERED)),
        (D.READ, Tells.DELIVERED, OVER, Standing(N.READ)),
        (D.DELIVERED, Tells.READ, OVER, Standing(N.DELIVERED, 1)),
        (D.SENT, Tells.SENT, LATER, Standing(N.SENT)),
        (D.FAILED, Tells.DELIVERED, LATER, Standing(N.QUEUED, 1)),
        (D.SUPPRESSED, Tells.DELIVERED, LATER, Standing(N.QUEUED, 1)),
        # What perhaps went out gets its full wait.
        (D.UNKNOWN, Tells.DELIVERED, LATER, Standing(N.UNKNOWN, waiting=True)),
        (D.UNKNOWN, Tells.DELIVERED, OVER, Standing(N.QUEUED, 1)),
        (D.QUEUED, Tells.DELIVERED, OVER, Standing(N.QUEUED, 1)),
        (D.CANCELLED, Tells.DELIVERED, OVER, Standing(N.CANCELLED)),
    ],
)
def test_a_cascade_goes_on_after_its_wait_or_at_a_failure(
    status: DeliveryStatus, until: Tells, step_at: datetime, expected: Standing
) -> None:
    assert stand(CASCADE, (0, status), until=until, step_at=step_at) == expected


@pytest.mark.parametrize("strategy", [FIRST, CASCADE])
def test_after_the_last_channel_and_after_the_end_nothing_follows(strategy: Strategy) -> None:
    last = stand(strategy, (0, D.FAILED), (1, D.FAILED), step_at=OVER)
    ended = stand(strategy, (0, D.FAILED), step_at=OVER, expires_at=NOW)

    assert last == ended == Standing(N.FAILED)


def test_all_opens_nothing_later() -> None:
    assert stand(ALL, (0, D.FAILED), (1, D.SENT)) == Standing(N.SENT)
    assert stand(ALL, (0, D.FAILED), (1, D.FAILED)) == Standing(N.FAILED)


def test_a_status_never_moves_back() -> None:
    order = [D.QUEUED, D.SENDING, D.SENT, D.DELIVERED, D.READ]

    assert all(may_move(a, b) for a, b in pairwise(order))
    # Only a worker's own delivery goes back, to be tried again.
    back = {(b, a) for i, a in enumerate(order) for b in order[i + 1 :] if may_move(b, a)}
    assert back == {(D.SENDING, D.QUEUED)}


def test_what_is_over_by_will_stays_so() -> None:
    assert not any(MOVES[s] for s in (D.READ, D.SUPPRESSED, D.COLLAPSED, D.CANCELLED))
    assert MOVES.keys() == set(D)
