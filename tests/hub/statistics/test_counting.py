"""What became of deliveries is counted once, however often it is counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from hub.config import HubSettings, Retention, Settings, Shop
from hub.resources import Hub
from hub.statistics import queries, series
from hub.statistics.counting import Counting
from hub.statistics.model import EVERYTHING, Counts, Only, Report, Span
from tests.hub.statistics.past import SECOND, Past

NOW = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ZONE = ZoneInfo("Europe/Moscow")


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-the-statistics"),
        ),
        shops={
            "main": Shop(timezone="Europe/Moscow"),
            "other": Shop(
                retention=Retention(notifications=7 * DAY, attempts=7 * DAY, sandbox=7 * DAY)
            ),
        },
    )


def span(long: timedelta = DAY, *, until: datetime = NOW) -> Span:
    return Span(until - long, until, ZONE)


async def report(
    hub: Hub,
    about: Span | None = None,
    only: Only = EVERYTHING,
    shop: str = "main",
) -> Report:
    return await queries.report(hub.db, hub.shop(shop).id, about or span(), only)


async def test_each_delivery_stands_where_it_belongs(hub: Hub, past: Past) -> None:
    at = NOW - HOUR
    await past.delivery(at, status="read", receipts=["delivered", "read", "clicked"])
    await past.delivery(at, status="delivered", took=30 * SECOND, cost=Decimal("1.25"))
    await past.delivery(at, took=90 * SECOND, cost=Decimal("2.5"))
    await past.delivery(at, status="failed", reason="bounced")
    await past.delivery(at, status="failed", reason="recipient_refused", took=None)
    await past.delivery(at, status="unknown", took=None)
    await past.delivery(at, status="expired", took=None)
    await past.delivery(at, status="collapsed", took=None)
    await past.delivery(at, status="queued", took=None)

    await Counting(hub).turn(NOW)

    assert (await report(hub)).total == Counts(
        made=9,
        sent=4,
        delivered=2,
        read=1,
        clicked=1,
        failed=2,
        doubtful=1,
        expired=1,
        withdrawn=1,
        waiting=1,
        timed=4,
        quick=2,
        soon=3,
        waited=122.0,
        cost=Decimal("3.75"),
    )


async def test_counting_again_adds_nothing_and_sees_what_came_in(hub: Hub, past: Past) -> None:
    id_ = await past.delivery(NOW - 3 * HOUR)
    counting = Counting(hub)
    await counting.turn(NOW)

    await hub.db.execute("UPDATE delivery SET status = 'delivered' WHERE id = $1", id_)
    await counting.turn(NOW + timedelta(minutes=1))
    assert (await report(hub)).total.delivered == 0
    await counting.turn(NOW + timedelta(minutes=20))

    total = (await report(hub)).total
    assert (total.made, total.sent, total.delivered) == (1, 1, 1)


async def test_an_earlier_version_s_deliveries_are_counted_too(hub: Hub, past: Past) -> None:
    await past.delivery(NOW - 100 * DAY)
    await past.delivery(NOW - HOUR)

    await Counting(hub).turn(NOW)

    assert (await report(hub, span(120 * DAY))).total.made == 2


async def test_what_goes_for_its_age_stays_counted(hub: Hub, past: Past) -> None:
    await past.delivery(NOW - 6 * DAY - HOUR)
    await past.delivery(NOW - 5 * DAY)
    counting = Counting(hub)
    await counting.turn(NOW)

    # As old as another shop keeps them, which is what counts for the machine.
    await hub.db.execute("DELETE FROM delivery WHERE created_at < $1", NOW - 6 * DAY)
    await counting.turn(NOW + HOUR)
    await Counting(hub).turn(NOW + 2 * HOUR)

    assert (await report(hub, span(10 * DAY))).total.made == 2


async def test_it_counts_in_the_hour_in_which_it_was_handed_over(hub: Hub, past: Past) -> None:
    made, due = NOW - 5 * HOUR, NOW - HOUR
    await past.delivery(made, took=due + 2 * SECOND - made, send_at=due)

    await Counting(hub).turn(NOW)

    found = await report(hub)
    assert [point.at for point in found.points] == [due.replace(minute=0)]
    # It did not wait before its time.
    assert (found.total.quick, found.total.waited) == (1, 2.0)


async def test_tables_by_channel_provider_template_and_day(hub: Hub, past: Past) -> None:
    await past.delivery(NOW - HOUR)
    await past.delivery(NOW - 3 * DAY)
    await past.delivery(NOW - HOUR, channel="sms", provider="smsc", account="smsc", template=None)
    await past.delivery(NOW - HOUR, shop="other")

    await Counting(hub).turn(NOW)

    found = await report(hub, span(5 * DAY))
    assert [(line.key, line.counts.made) for line in found.channels] == [
        (("email",), 2),
        (("sms",), 1),
    ]
    assert [line.key for line in found.providers] == [
        ("email", "smtp", "mail"),
        ("sms", "smsc", "smsc"),
    ]
    assert [(line.key, line.counts.made) for line in found.templates] == [
        (("order.placed",), 2),
        (("",), 1),
    ]
    midnight = [datetime(2026, 11, day, tzinfo=ZONE) for day in (27, 30)]
    assert [(point.at, point.made) for point in found.points] == [
        (midnight[0], 1),
        (midnight[1], 2),
    ]
    assert found.total.made == 3
    only_sms = await report(hub, span(5 * DAY), Only(channel="sms"))
    assert (only_sms.total.made, len(only_sms.templates)) == (1, 1)


async def test_hours_become_days_of_the_shop(hub: Hub, past: Past) -> None:
    # 23:30 and 00:30 in Moscow.
    for at in (
        datetime(2026, 10, 1, 20, 30, tzinfo=UTC),
        datetime(2026, 10, 1, 21, 30, tzinfo=UTC),
    ):
        await past.delivery(at, receipts=["clicked"], cost=Decimal("1.5"))
        await past.delivery(at + HOUR, status="failed", reason="bounced", took=None)
    await past.delivery(NOW - HOUR)

    await Counting(hub).turn(NOW)

    hours = await hub.db.fetch("SELECT hour, made FROM delivery_day ORDER BY hour")
    days = [datetime(2026, 10, day, tzinfo=ZONE) for day in (1, 2)]
    assert [tuple(row) for row in hours] == [(days[0], 1), (days[1], 3)]
    found = await report(hub, span(90 * DAY))
    assert [(point.at, point.made) for point in found.points] == [
        (days[0], 1),
        (days[1], 3),
        (datetime(2026, 11, 30, tzinfo=ZONE), 1),
    ]
    assert (found.total.made, found.total.clicked, found.total.cost) == (5, 2, Decimal("3.0"))
    [bounced] = await queries.troubles(hub.db, hub.shop("main").id, span(90 * DAY))
    assert bounced.deliveries == 2


async def test_a_day_follows_what_comes_in_late(hub: Hub, past: Past) -> None:
    id_ = await past.delivery(NOW - 4 * DAY)
    counting = Counting(hub)
    await counting.turn(NOW)

    await hub.db.execute("UPDATE delivery SET status = 'read' WHERE id = $1", id_)
    await counting.turn(NOW + 10 * HOUR)

    # By the day, and by the hour.
    assert (await report(hub, span(10 * DAY))).total.read == 1
    assert (await report(hub, span(until=NOW - 3 * DAY - HOUR))).total.read == 1


async def test_a_span_that_cuts_days_has_nothing_but_its_own(hub: Hub, past: Past) -> None:
    since = datetime(2026, 11, 23, 12, tzinfo=ZONE).astimezone(UTC)
    until = since + 3 * DAY
    for at in (since, since + HOUR, since + DAY, until - HOUR):
        await past.delivery(at, status="failed", reason="bounced", took=None)
    for outside in (since - HOUR, until + HOUR):
        await past.delivery(outside, status="failed", reason="bounced", took=None)
    await Counting(hub).turn(NOW)

    found = await report(hub, Span(since, until, ZONE))

    days = [datetime(2026, 11, day, tzinfo=ZONE) for day in (23, 24, 26)]
    assert [(point.at, point.made) for point in found.points] == [
        (days[0], 2),
        (days[1], 1),
        (days[2], 1),
    ]
    assert found.total.made == 4
    [bounced] = await queries.troubles(hub.db, hub.shop("main").id, Span(since, until, ZONE))
    assert bounced.deliveries == 4


@pytest.mark.parametrize("hours", [5, 60])
async def test_where_no_day_is_whole_it_is_read_by_the_hour(
    hub: Hub, past: Past, hours: int
) -> None:
    since = datetime(2026, 11, 24, 15, tzinfo=ZONE).astimezone(UTC)
    await past.delivery(since + HOUR)
    await past.delivery(since - HOUR)
    await Counting(hub).turn(NOW)

    assert (await report(hub, Span(since, since + hours * HOUR, ZONE))).total.made == 1


async def test_the_day_that_a_week_begins_in_is_not_left_out(hub: Hub, past: Past) -> None:
    await past.delivery(NOW - 7 * DAY + 2 * HOUR)
    await Counting(hub).turn(NOW)

    assert (await report(hub, span(7 * DAY))).total.made == 1


async def test_hours_go_when_nothing_becomes_of_them(hub: Hub, past: Past) -> None:
    await past.delivery(NOW - 20 * DAY)
    await past.delivery(NOW - 4 * DAY)
    await Counting(hub).turn(NOW)

    assert await hub.db.fetchval("SELECT count(*) FROM delivery_hour") == 1
    assert (await report(hub, span(30 * DAY))).total.made == 2
    # What was asked for by the hour is told by the day then.
    assert (await report(hub, span(until=NOW - 19 * DAY - 3 * HOUR))).total.made == 0
    assert (await report(hub, span(2 * DAY, until=NOW - 19 * DAY))).total.made == 1


async def test_what_went_wrong_with_the_provider_s_words(hub: Hub, past: Past) -> None:
    wrong: dict[str, Any] = {
        "status": "failed",
        "reason": "recipient_refused",
        "code": "550",
        "took": None,
    }
    await past.delivery(
        NOW - HOUR, said="550 5.1.1 <anna@example.com> +79990000001 unknown", **wrong
    )
    await past.delivery(NOW - 2 * HOUR, said="an earlier one", **wrong)
    await past.delivery(NOW - HOUR, status="queued", reason="quiet_hours", took=None)
    await past.delivery(NOW - HOUR, status="queued", reason="retrying", code="no-answer", took=None)

    await Counting(hub).turn(NOW)

    first, second = await queries.troubles(hub.db, hub.shop("main").id, span())
    assert (first.reason, first.code, first.deliveries) == ("recipient_refused", "550", 2)
    assert "5.1.1" in first.said
    assert "anna" not in first.said
    assert "7999" not in first.said
    assert (second.status, second.reason, second.code) == ("queued", "retrying", "no-answer")


async def test_two_workers_count_once(hub: Hub, past: Past) -> None:
    await past.delivery(NOW - HOUR)
    one, another = Counting(hub), Counting(hub)

    await one.turn(NOW)
    await another.turn(NOW)

    assert (await report(hub)).total.made == 1
    assert await queries.counted_at(hub.db) == NOW


@pytest.mark.parametrize(
    ("zone", "midnight", "hours"),
    [
        # The clocks go back: 2 o'clock comes twice.
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        # Its hours begin in the middle of those of UTC, by which is counted.
        ("Asia/Kolkata", datetime(2026, 10, 24, 18, 30, tzinfo=UTC), 24),
    ],
)
async def test_each_hour_of_a_day_has_its_own_point(
    hub: Hub, past: Past, zone: str, midnight: datetime, hours: int
) -> None:
    day = Span(midnight, midnight + hours * HOUR, ZoneInfo(zone))
    made = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(3)]
    for at in made:
        await past.delivery(at)
    await Counting(hub).turn(datetime(2026, 10, 25, 23, tzinfo=UTC))

    points = series.whole((await report(hub, day)).points, day, now=day.until)

    assert [point.at for point in points if point.made] == [at.replace(minute=0) for at in made]
    assert len(points) == hours


async def test_a_day_whose_midnight_comes_twice_is_not_lost(hub: Hub, past: Past) -> None:
    havana = ZoneInfo("America/Havana")
    days = Span(
        datetime(2026, 10, 30, tzinfo=havana).astimezone(UTC),
        datetime(2026, 11, 3, tzinfo=havana).astimezone(UTC),
        havana,
    )
    await past.delivery(datetime(2026, 11, 1, 15, tzinfo=UTC))
    await Counting(hub).turn(datetime(2026, 11, 2, tzinfo=UTC))

    points = series.whole((await report(hub, days)).points, days, now=days.until)

    assert [point.made for point in points] == [0, 0, 1, 0]


async def test_a_shop_that_moves_to_another_zone_has_days_of_that(hub: Hub, past: Past) -> None:
    last = datetime(2026, 11, 27, 20, 30, tzinfo=UTC)
    for n in range(20):
        # By the hours of both zones' midnights, and between them.
        await past.delivery(last - n * 6 * HOUR)
    await Counting(hub).turn(NOW)

    east = ZoneInfo("Asia/Vladivostok")
    shop = hub.shop("main")
    settings = shop.settings.model_copy(update={"timezone": "Asia/Vladivostok"})
    moved = replace(hub, shops={**hub.shops, shop.id: replace(shop, settings=settings)})
    counting = Counting(moved)
    await counting.turn(NOW + HOUR)
    # What comes in late is counted into those days, too.
    await past.delivery(last - 3 * HOUR)
    await counting.turn(NOW + 20 * HOUR)

    days = [datetime(2026, 11, day, tzinfo=east).astimezone(UTC) for day in (22, 26, 29)]
    found = await report(hub, Span(days[0], days[2], east))
    assert found.total.made == 21
    assert [point.made for point in found.points] == [2, 4, 4, 4, 4, 3]
    part = await report(hub, Span(days[1], days[2], east))
    assert part.total.made == 11
