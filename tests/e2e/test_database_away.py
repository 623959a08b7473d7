"""PostgreSQL restarted, killed and frozen: intake says so at once, and keeps every promise it had made."""

import asyncio
import signal
import sys

import pytest

from tests.e2e.sending import Calls, Crowd, Place, eventually

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(120),
]


def _check_answers(calls: Calls) -> None:
    """Accepted or asked to come back, never anything else, and never late."""
    assert {answer.status for answer in calls.answers} <= {202, 503}
    assert all(answer.retry_after for answer in calls.answers if answer.status == 503)
    assert max(answer.seconds for answer in calls.answers) < 7.5
    assert calls.answers[-1].status == 202


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_database_that_ends_is_back_within_10_s(
    place: Place, crowd: Crowd, number: int
) -> None:
    crowd.telegram.answers_after = 0.1
    pid = place.up.pids()["postgres"]
    async with crowd.calling() as calls:
        await crowd.tell(range(1000, 1500))
        await crowd.arrived(100)
        place.signal("postgres", number)
        await calls.answered(503, within=5)
        await eventually(lambda: place.up.pids().get("postgres", pid) != pid, within=10)
        await calls.answered(202, within=10)

    _check_answers(calls)
    await crowd.ended(within=30)
    assert await crowd.check_arrivals() == 0


async def test_a_frozen_database_is_told_and_forgotten(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.1
    async with crowd.calling() as calls:
        await crowd.tell(range(1000, 1500))
        await crowd.arrived(100)
        place.freeze("postgres")
        await calls.answered(503, within=10)
        await asyncio.sleep(5)
        place.thaw()
        await calls.answered(202, within=10)

    _check_answers(calls)
    await crowd.ended(within=30)
    assert await crowd.check_arrivals() == 0
