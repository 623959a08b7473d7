"""What follows from an answer, as a table."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from channels.http import Reply
from hub.webhooks.model import (
    LONGEST_ROUND,
    PATIENCE,
    SCHEDULE,
    Answer,
    Claimed,
    Outcome,
    Status,
    verdict,
)

NOW = datetime(2026, 2, 3, 9, tzinfo=UTC)
BAD = Answer(Outcome.FAILED, "http-500", 500)


def claimed(
    *, tries: int = 0, failures: int = 0, age: timedelta = timedelta(0), repeats: bool = True
) -> Claimed:
    return Claimed(
        event_id=uuid4(),
        webhook_id=uuid4(),
        shop_id=1,
        type="order.assembled",
        body=b"{}",
        url="https://shop.example",
        secret=b"",
        previous_secret=None,
        failures=failures,
        tries=tries,
        attempt_count=tries,
        begun_at=NOW - age,
        repeats=repeats,
    )


def test_pauses_grow_and_last_for_more_than_a_day() -> None:
    assert list(SCHEDULE) == sorted(SCHEDULE)
    assert sum(SCHEDULE, timedelta()) >= timedelta(hours=24)

    at = NOW
    for tries in range(len(SCHEDULE)):
        found = verdict(claimed(tries=tries), BAD, now=at, jitter=1.0)
        assert found.status is Status.PENDING
        assert found.next_at
        at = found.next_at
    last = verdict(claimed(tries=len(SCHEDULE)), BAD, now=at, jitter=1.0)

    assert at - NOW >= timedelta(hours=24)
    assert (last.status, last.next_at) == (Status.FAILED, None)


def test_jitter_only_lengthens() -> None:
    found = verdict(claimed(), BAD, now=NOW, jitter=1.1)

    assert found.next_at == NOW + SCHEDULE[0] * 1.1


@pytest.mark.parametrize(
    ("wait", "expected"),
    [(timedelta(hours=3), timedelta(hours=3)), (timedelta(seconds=1), SCHEDULE[0])],
)
def test_the_backend_is_believed_when_it_asks_for_more(
    wait: timedelta, expected: timedelta
) -> None:
    answer = Answer(Outcome.FAILED, "http-503", 503, wait=wait)

    assert verdict(claimed(), answer, now=NOW, jitter=1.0).next_at == NOW + expected


def test_few_tries_in_a_long_time_are_enough() -> None:
    assert verdict(claimed(tries=1, age=LONGEST_ROUND), BAD, now=NOW, jitter=1.0).status == "failed"


def test_a_test_is_tried_once() -> None:
    found = verdict(claimed(repeats=False), BAD, now=NOW, jitter=1.0)

    assert (found.status, found.pause) == (Status.FAILED, timedelta(0))


def test_an_endpoint_that_keeps_failing_is_left_alone_for_longer() -> None:
    pauses = [
        verdict(claimed(failures=n), BAD, now=NOW, jitter=1.0).pause for n in range(PATIENCE + 20)
    ]

    assert pauses[: PATIENCE - 1] == [timedelta(0)] * (PATIENCE - 1)
    assert pauses == sorted(pauses)
    assert timedelta(0) < pauses[PATIENCE - 1] < pauses[-1] == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("status", "pause"),
    [(429, timedelta(seconds=30)), (503, timedelta(seconds=30)), (500, timedelta(0))],
)
def test_an_overloaded_endpoint_is_left_alone_as_it_asks(status: int, pause: timedelta) -> None:
    answer = Answer.of(Reply(status, {"retry-after": "30"}, b""), longest=10)

    assert verdict(claimed(), answer, now=NOW, jitter=1.0).pause == pause


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (200, Outcome.SUCCEEDED, None),
        (299, Outcome.SUCCEEDED, None),
        (302, Outcome.FAILED, "redirect"),
        (404, Outcome.FAILED, "http-404"),
        (500, Outcome.FAILED, "http-500"),
    ],
)
def test_only_2xx_is_success(status: int, outcome: Outcome, reason: str | None) -> None:
    answer = Answer.of(Reply(status, {}, "\0Ошибка".encode()), longest=3)

    assert (answer.outcome, answer.reason, answer.text) == (outcome, reason, "Оши")
