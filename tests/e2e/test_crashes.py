"""Processes killed in the middle of their work: nothing is lost, and nothing comes twice without a mark."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.e2e.process import alive
from tests.e2e.sending import Crowd, Place, SlowTelegram, running
from tests.simulators.base import Fault

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]

MANY = range(1000)


async def test_the_work_of_a_killed_worker_goes_on_at_once(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.1
    await crowd.tell(MANY)
    await crowd.arrived(200)

    place.signal("worker", signal.SIGKILL)

    await crowd.ended(within=30)
    assert 1 <= await crowd.check_arrivals() < len(MANY) / 2


async def test_marketing_that_may_have_left_is_not_sent_again(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.2
    await crowd.tell(range(300), category="marketing")
    await crowd.arrived(60)

    place.signal("worker", signal.SIGKILL)

    await crowd.ended("sent", "unknown", within=30)
    texts = [sent.text for sent in crowd.telegram.sent]
    assert len(texts) == len(set(texts))
    ended = [n["status"] for n in await crowd.notifications()]
    assert ended.count("unknown") >= 1
    assert await crowd.check_arrivals() == 0


async def test_everything_killed_goes_on_within_10_s_of_the_next_start(
    place: Place, crowd: Crowd
) -> None:
    crowd.telegram.answers_after = 0.1
    await crowd.tell(MANY)
    await crowd.arrived(300)

    place.kill_everything()
    arrived = len(crowd.telegram.sent)
    await asyncio.to_thread(place.start)

    await crowd.arrived(arrived + 1, within=10)
    await crowd.ended(within=30)
    assert await crowd.check_arrivals() < len(MANY) / 2


async def test_on_servers_of_somebody_else_it_takes_back_its_own_work(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """Others may use them, too, so only what its own last run held is free at once."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE DATABASE vestnik_crashes")
    await connection.close()
    own = urlsplit(database_url)._replace(path="/vestnik_crashes").geturl()
    urls = {"VESTNIK_DATABASE_URL": own, "VESTNIK_REDIS_URL": redis_url}
    with running(tmp_path, **urls) as elsewhere:
        telegram = SlowTelegram()
        telegram.answers_after = 0.1
        await telegram.start(elsewhere.telegram_port)
        async with Crowd(telegram, elsewhere) as crowd:
            await crowd.tell(range(300))
            await crowd.arrived(50)

            elsewhere.kill_everything()
            await asyncio.to_thread(elsewhere.start)

            await crowd.ended(within=15)
            assert await crowd.check_arrivals() >= 1
        await telegram.stop()


async def test_a_killed_supervisor_takes_everything_with_it(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.1
    await crowd.tell(range(300))
    await crowd.arrived(50)
    pids = place.up.pids()

    place.up.kill()
    place.up.close()
    await asyncio.to_thread(place.start)

    assert not any(map(alive, pids.values()))
    await crowd.ended(within=20)
    await crowd.check_arrivals()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)]
)
async def test_a_stop_in_mid_sending_loses_and_doubles_nothing(
    place: Place, crowd: Crowd, number: int
) -> None:
    crowd.telegram.answers_after = 0.2
    await crowd.tell(range(500))
    await crowd.arrived(50)

    code, took = await asyncio.to_thread(place.stop, number)

    assert (code, took < 20) == (0, True)
    assert len(crowd.telegram.sent) < 500
    await asyncio.to_thread(place.start)
    await crowd.ended(within=20)
    assert await crowd.check_arrivals() == 0
    assert len(crowd.telegram.sent) == 500


async def test_what_waits_for_its_time_or_its_provider_waits_over_a_crash(
    place: Place, crowd: Crowd
) -> None:
    later = datetime.now(UTC) + timedelta(seconds=12)
    await crowd.tell(range(5), send_at=later.isoformat())
    crowd.telegram.fault = Fault(status=503, headers={"Retry-After": "8"})
    await crowd.tell(range(10, 15))
    await crowd.refused(5)

    place.kill_everything()
    crowd.telegram.fault = None
    await asyncio.to_thread(place.start)

    await crowd.ended(within=30)
    assert await crowd.check_arrivals() == 0
    sent_at = [n["deliveries"][0]["sent_at"] for n in await crowd.notifications()]
    assert all(datetime.fromisoformat(at) >= later for at in sent_at[:5])
