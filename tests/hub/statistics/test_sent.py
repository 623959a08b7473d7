"""A message that was really sent stands in the statistics as what it was."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from hub.queue import connect
from hub.resources import Hub
from hub.statistics import live, queries
from hub.statistics.counting import Counting
from hub.statistics.model import Counts, Report, Span
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive

DAY = timedelta(days=1)


@pytest.fixture
async def drive(hub: Hub) -> AsyncIterator[Drive]:
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    await redis.flushdb()
    try:
        yield Drive(hub, redis)
    finally:
        await redis.aclose()


async def _report(hub: Hub) -> Report:
    """Counted anew, however short ago it was counted."""
    now = datetime.now(UTC)
    await hub.db.execute(
        "UPDATE delivery_hour_counted SET counted_at = counted_at - $1::interval", DAY
    )
    await Counting(hub).turn(now)
    shop = hub.shop("main")
    return await queries.report(hub.db, shop.id, Span(now - DAY, now + DAY, shop.settings.zone))


def _message(**more: object) -> dict[str, object]:
    return {
        "content": {"subject": "Hello", "text": "Hello"},
        "recipient": {"address": {"channel": "email", "value": "anna@example.com"}},
        "channels": ["email"],
        **more,
    }


async def test_sent_at_once(hub: Hub, api: Api, drive: Drive) -> None:
    assert (await api.post("/v1/notifications", _message())).status == 202
    shop, now = hub.shop("main").id, datetime.now(UTC)
    [waiting] = await live.queues(hub.db, shop, now)
    assert (waiting.channel, waiting.due) == ("email", 1)
    assert (await _report(hub)).total.waiting == 1

    await drive.all()

    found = await _report(hub)
    assert found.total.made == found.total.sent == found.total.quick == 1
    assert found.total.waiting == 0
    assert [line.key for line in found.providers] == [("email", "sandbox", "sandbox-email")]
    assert await live.queues(hub.db, shop, now) == []
    assert await live.handed_over(hub.db, shop, now) == {"sandbox-email": 1}


async def test_what_was_scheduled_was_not_slow(hub: Hub, api: Api, drive: Drive) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    scheduled = await api.post("/v1/notifications", _message(send_at=later.isoformat()))
    assert scheduled.status == 202
    [waiting] = await live.queues(hub.db, hub.shop("main").id, datetime.now(UTC))
    assert (waiting.due, waiting.later) == (0, 1)

    await drive.pass_time(timedelta(hours=3))
    await hub.db.execute("UPDATE delivery SET created_at = created_at - interval '3 hours'")
    await drive.all()

    total = (await _report(hub)).total
    assert (total.sent, total.quick) == (1, 1)


async def test_nothing_was_sent(hub: Hub) -> None:
    assert (await _report(hub)).total == Counts()
