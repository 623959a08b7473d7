"""The statistics page and its files."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.operators.model import Right, Role
from hub.resources import Hub
from hub.statistics.counting import Counting
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor
from tests.hub.statistics.past import SECOND, Past

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
SMS: dict[str, Any] = {
    "channel": "sms",
    "provider": "smsc",
    "account": "sms-1",
    "cost": Decimal("3.45"),
}
WRONG: dict[str, Any] = {
    "status": "failed",
    "reason": "recipient_refused",
    "code": "550",
    "took": None,
}


@pytest.fixture
async def past(hub: Hub) -> Past:
    """A letter that was read, an SMS, two letters that came to nothing, all now; and a letter of ten days ago."""
    past = Past(hub)
    at = NOW - SECOND
    await past.delivery(at, status="read", receipts=["delivered", "read", "clicked"])
    await past.delivery(at, template="order.shipped", **SMS)
    await past.delivery(at, said="550 5.1.1 <anna@example.com> unknown", **WRONG)
    await past.delivery(at - SECOND, **WRONG)
    await past.delivery(at - 10 * DAY)
    await past.delivery(at, shop="other", template="not.ours")
    await Counting(hub).turn(NOW)
    return past


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


async def _file(console: Console, table: str, **query: Any) -> list[list[str]]:
    page = await console.get(f"/statistics/{table}.csv", **query)
    assert page.status == 200
    return _rows(page.html)


@pytest.mark.usefixtures("past")
async def test_it_shows_a_week_by_channel_account_template_and_error(console: Console) -> None:
    page = await console.get("/statistics")

    assert page.status == 200
    assert "Sent 2 of 4" in page.text
    for told in ("E-mail", "SMS", "sms-1", "order.shipped", "3.45", "This address does not exist"):
        assert told in page.text
    # The provider's own words stand beside it, without the receiver.
    assert "550 5.1.1" in page.text
    assert "anna" not in page.text
    assert "not.ours" not in page.text
    assert page.with_attribute("data-chart")


async def test_deliveries_are_a_share_of_what_could_be_reported(hub: Hub, console: Console) -> None:
    past = Past(hub)
    at = NOW - SECOND
    # Bots never learn that a message arrived.
    await past.delivery(at, channel="telegram", provider="bot_api", account="tg-1")
    await past.delivery(at, status="delivered", receipts=["delivered"])
    await Counting(hub).turn(NOW)

    assert "Delivered 100% 1" in (await console.get("/statistics")).text
    bots = await console.get("/statistics", channel="telegram")
    assert "Delivered – does not tell" in bots.text


@pytest.mark.usefixtures("past")
async def test_templates_have_their_names_in_words(console: Console) -> None:
    assert "order.shipped Order shipped" in (await console.get("/statistics")).text


@pytest.mark.usefixtures("past")
async def test_it_is_about_the_days_that_are_asked_for(hub: Hub, console: Console) -> None:
    zone = hub.shop("main").settings.zone
    day = (NOW - SECOND - 10 * DAY).astimezone(zone).date()

    assert (await _file(console, "channels", since=day, until=day))[1][:3] == ["email", "1", "1"]
    assert "Sent 1 of 1" in (await console.get("/statistics", since=day, until=day)).text
    # Which is first does not matter, and one of them is enough.
    today = (NOW - SECOND).astimezone(zone).date()
    assert "Sent 3 of 5" in (await console.get("/statistics", until=day, since=today)).text
    assert "Sent 3 of 5" in (await console.get("/statistics", since=day)).text
    assert "Sent 3 of 5" in (await console.get("/statistics", period="month")).text
    assert (
        "Nothing was sent"
        in (await console.get("/statistics", since="2020-01-01", until="2020-02-01")).text
    )


@pytest.mark.usefixtures("past")
async def test_it_is_about_what_is_asked_for(console: Console) -> None:
    assert "Sent 1 of 1" in (await console.get("/statistics", channel="sms")).text
    assert "Sent 1 of 1" in (await console.get("/statistics", template="order.shipped")).text
    assert "Nothing was sent" in (await console.get("/statistics", category="marketing")).text
    page = await console.get("/statistics")
    assert "Sent 1 of 1" in (await console.get(page.links["order.shipped"])).text


async def test_whatever_is_asked_for_is_no_fault_of_the_page(console: Console) -> None:
    for query in (
        "since=x",
        "since=9999-12-31",
        "until=0001-01-01",
        "since=2000-01-01&until=2199-12-31",
        "period=for-ever",
        "channel=pigeon&category=x",
        "template=%00",
        "template=" + "x" * 1000,
        "path=x&self=y&visit=z&name=1",
    ):
        assert (await console.get(f"/statistics?{query}")).status == 200, query
        assert (await console.get(f"/statistics/days.csv?{query}")).status == 200, query


@pytest.mark.usefixtures("past")
async def test_files(console: Console) -> None:
    page = await console.get("/statistics/providers.csv")

    assert page.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert page.headers["Content-Disposition"].startswith('attachment; filename="main-providers-')
    head, *rows = _rows(page.html)
    assert head[:5] == ["Channel", "Provider", "Account", "All messages", "Sent"]
    # Clicked at the provider; nobody sent that one by any account of another shop.
    assert [row[:5] for row in rows] == [
        ["email", "smtp", "mail", "3", "1"],
        ["sms", "smsc", "sms-1", "1", "1"],
    ]
    assert rows[0][7] == "1"
    assert rows[1][-1] == "3.45"
    days = await _file(console, "days", period="month")
    assert len(days) == 31
    assert sum(int(row[2]) for row in days[1:]) == 3
    [_, error] = await _file(console, "errors")
    assert error[0] == "email"
    assert error[5] == "550"
    assert error[-1] == "2"
    assert (await console.get("/statistics/secrets.csv")).status == 404


@pytest.mark.usefixtures("past")
async def test_a_file_cannot_calculate(hub: Hub, console: Console) -> None:
    await Past(hub).delivery(NOW - SECOND, template="=cmd|'/c calc'!A0")
    await Counting(hub).turn(NOW + timedelta(minutes=1))

    rows = await _file(console, "templates")

    assert "'=cmd|'/c calc'!A0" in [row[0] for row in rows]


async def test_days_are_the_shops_whatever_the_operators_clock(
    hub: Hub, console_for: ConsoleFor
) -> None:
    """An hour before midnight in the shop is yesterday, also for whoever looks from far away."""
    zone: ZoneInfo = hub.shop("main").settings.zone
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    await Past(hub).delivery((midnight - timedelta(minutes=30)).astimezone(UTC))
    await Counting(hub).turn(NOW)
    console = await console_for(Role.OWNER)
    await hub.db.execute("UPDATE operator SET timezone = 'Asia/Vladivostok'")

    rows = await _file(console, "days", period="week")

    assert [row[2] for row in rows[-2:]] == ["1", "0"]


async def test_who_may_not_see_statistics_sees_none(console_for: ConsoleFor) -> None:
    reader = await console_for(Role.READER)
    without = await console_for(
        Role.READER, "b@shop.example", without=frozenset({Right.STATISTICS})
    )
    warehouse = await console_for(Role.WAREHOUSE)

    assert (await reader.get("/statistics")).status == 200
    for console in (without, warehouse):
        assert (await console.get("/statistics")).status == 403
        assert (await console.get("/statistics/days.csv")).status == 403
        assert "Statistics" not in (await console.get("/")).links


async def test_it_says_so_when_nobody_counts(hub: Hub, console: Console) -> None:
    await Past(hub).delivery(NOW - timedelta(hours=3))
    await Counting(hub).turn(NOW - timedelta(hours=1))

    assert "whether a worker is running" in (await console.get("/statistics")).text
