"""Rates and pauses that all processes share, and what holds while Redis is away."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from channels.base import Channel, Limits
from hub.accounts.book import LiveAccount, _at_one_pace
from hub.accounts.limits import BULK_SHARE, RateLimits
from hub.queue import Lane, connect

TEN = Limits(per_second=10)
ONCE = Limits(per_recipient=timedelta(seconds=1))


@pytest.fixture(params=["redis", "away"])
async def limits(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[RateLimits]:
    """Over Redis, and over none, where each process counts for itself."""
    url = redis_url if request.param == "redis" else "redis://127.0.0.1:1/0"
    redis = connect(url)
    if request.param == "redis":
        await redis.flushdb()
    yield RateLimits(redis)
    await redis.aclose()


async def test_a_burst_of_a_second_may_go_and_the_rest_gets_a_time(limits: RateLimits) -> None:
    first = await limits.calls("a", TEN, Lane.TRANSACTIONAL, 8)
    second = await limits.calls("a", TEN, Lane.TRANSACTIONAL, 8)

    assert (first.calls, first.wait) == (8, timedelta(0))
    assert 2 <= second.calls <= 4
    assert timedelta(0) < second.wait <= timedelta(milliseconds=150)


async def test_bulk_leaves_a_reserve_to_the_urgent_lanes(limits: RateLimits) -> None:
    bulk = await limits.calls("a", TEN, Lane.BULK, 100)
    urgent = await limits.calls("a", TEN, Lane.SECURITY, 2)

    assert bulk.calls == 10 * BULK_SHARE
    assert urgent.calls == 2


async def test_accounts_have_limits_of_their_own(limits: RateLimits) -> None:
    await limits.calls("a", TEN, Lane.TRANSACTIONAL, 10)

    assert (await limits.calls("b", TEN, Lane.TRANSACTIONAL, 10)).calls == 10


def test_accounts_of_one_customer_share_a_bucket_at_the_pace_of_the_slowest() -> None:
    def made(name: str, rate: float | None, shared: str | None, **more: Any) -> LiveAccount:
        adapter, limits = cast(Any, None), Limits(per_second=rate)
        return LiveAccount(1, name, Channel.SMS, "x", adapter, limits, shared=shared, **more)

    found = [
        *_at_one_pace(
            [
                made("mail", 10, "vendor"),
                made("sms", 4, "vendor"),
                made("old", 1, "vendor", enabled=False),
                made("free", None, "vendor"),
                made("own", 10, None),
            ]
        )
    ]

    assert [a.limits.per_second for a in found] == [4, 4, 4, 4, 10]
    assert {a.bucket for a in found} == {"shared:vendor", "1:own"}


@pytest.mark.parametrize("rate", [0.2, 1, 1.5])
async def test_a_slow_account_still_gets_its_one_call(rate: float, limits: RateLimits) -> None:
    slow = Limits(per_second=rate)
    for lane in (Lane.BULK, Lane.TRANSACTIONAL):
        name = f"{lane}-{rate}"
        assert (await limits.calls(name, slow, lane, 1)).calls == 1
        later = await limits.calls(name, slow, lane, 5)
        assert later.calls == 0
        assert later.wait <= timedelta(seconds=1 / rate + 0.1)


async def test_without_a_known_rate_everything_goes(limits: RateLimits) -> None:
    assert (await limits.calls("a", Limits(), Lane.BULK, 10_000)).calls == 10_000


async def test_a_receiver_is_free_once_a_pause(limits: RateLimits) -> None:
    first = await limits.recipients("a", ONCE, ["1", "2", "1"])
    again = await limits.recipients("a", ONCE, ["1"])

    assert first[:2] == [timedelta(0)] * 2
    assert timedelta(0) < first[2] <= timedelta(seconds=1)
    assert timedelta(0) < again[0] <= timedelta(seconds=1)
    assert await limits.recipients("a", Limits(), ["1"]) == [timedelta(0)]


async def test_of_several_pauses_the_longest_counts(redis_url: str) -> None:
    """Calls that were under way are told to wait as well, and not all of them for how long."""
    redis = connect(redis_url)
    await redis.flushdb()
    limits = RateLimits(redis)

    for seconds in (30, 60, 1):
        await limits.hold("a", timedelta(seconds=seconds))

    assert (await limits.calls("a", Limits(), Lane.SECURITY, 1)).wait > timedelta(seconds=50)
    await redis.aclose()


async def test_a_provider_that_asks_for_patience_holds_the_whole_account(redis_url: str) -> None:
    redis = connect(redis_url)
    await redis.flushdb()
    limits, other = RateLimits(redis), RateLimits(redis)

    await limits.hold("a", timedelta(seconds=5))
    held = await other.calls("a", Limits(), Lane.SECURITY, 1)

    assert held.calls == 0
    assert timedelta(seconds=4) < held.wait <= timedelta(seconds=5)
    await redis.aclose()
