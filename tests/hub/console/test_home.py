"""Home, and the part of it that brings itself up to date."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.ids import id_at, new_id
from hub.operators.model import Right, Role
from hub.resources import Hub
from hub.statistics import live
from hub.statistics.counting import Counting
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor
from tests.hub.statistics.past import SECOND, Past

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


async def _queued(hub: Hub, count: int, *, shop: str = "main", **more: Any) -> None:
    now = datetime.now(UTC)
    row: dict[str, Any] = {"status": "queued", "route": "email///last", "handout_at": now} | more
    for _ in range(count):
        await Past(hub).delivery(now, shop=shop, took=None, **row)


async def test_an_empty_hub_has_a_home(console: Console) -> None:
    page = await console.get("/")

    assert page.status == 200
    assert "The queue is empty" in page.text
    assert "All questions are answered" in page.text
    assert "Nothing was sent in the last 24 hours" in page.text
    # A shop without accounts is carried by the sandbox.
    assert "sandbox-email" in page.text


async def test_the_live_part_comes_by_itself(hub: Hub, console: Console) -> None:
    page = await console.get("/")
    [live_one] = page.with_attribute("hx-get")

    await _queued(hub, 2)
    part = await console.get(live_one["hx-get"] or "", htmx=True)

    assert live_one["hx-trigger"] == "every 5s"
    assert "<html" not in part.html
    assert "To be sent 2" in part.text
    assert part.with_attribute("hx-get")


async def test_what_goes_out_now_by_lane_and_channel(hub: Hub, console: Console) -> None:
    now = datetime.now(UTC)
    await _queued(hub, 3)
    await _queued(hub, 1, handout_at=now + timedelta(hours=1))
    await _queued(hub, 2, channel="sms", category="marketing", route="sms///last")
    await _queued(hub, 1, status="sending", leased_until=now + MINUTE)
    await _queued(hub, 5, shop="other")

    found = await live.queues(hub.db, hub.shop("main").id, datetime.now(UTC))

    assert [(q.category, q.channel, q.due, q.sending, q.later) for q in found] == [
        ("transactional", "email", 3, 1, 1),
        ("marketing", "sms", 2, 0, 0),
    ]
    page = await console.get("/")
    assert "To be sent 5" in page.text
    assert "Mailings" in page.text


async def test_how_the_last_day_went(hub: Hub, console: Console) -> None:
    now = datetime.now(UTC)
    past = Past(hub)
    for took in (1, 2, 3, 40):
        await past.delivery(now - MINUTE, status="delivered", took=took * SECOND)
    await past.delivery(now - 3 * DAY, channel="vk", provider="community", account="vk")
    await past.delivery(
        now - MINUTE, status="failed", reason="gave_up", code="no-connection", took=None
    )
    await Counting(hub).turn(now)

    page = await console.get("/")

    assert "75%" in page.text
    assert "The provider cannot be reached" in page.text
    assert "no-connection" in page.text
    assert "VK" not in page.text.split("Channels in the last 24 hours")[1]


async def test_accounts_and_why_they_are_paused(hub: Hub, console: Console) -> None:
    await hub.db.execute(
        """
        INSERT INTO account_state (shop_id, account, refused, reason, code, paused_until)
        VALUES ($1, 'sandbox-sms', true, 'not enough money', '3', now() + interval '9 minutes')
        """,
        hub.shop("main").id,
    )

    page = await console.get("/")

    assert "Paused" in page.text
    assert "check its keys, balance and sender" in page.text
    assert "not enough money" in page.text
    assert "All accounts that are switched on work" not in page.text


async def test_questions_that_wait_the_oldest_first(hub: Hub, console: Console) -> None:
    now = datetime.now(UTC)
    asked = {1: "open", 2: "overdue", 3: "answered"}
    ids = {number: id_at(now - number * MINUTE) for number in asked}
    for number, status in asked.items():
        order = new_id()
        await hub.db.execute(
            """
            INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, currency)
            VALUES ($1, $2, $3, $3, 'awaiting_stock', 'awaiting_stock', 'RUB')
            """,
            order,
            hub.shop("main").id,
            f"N-{number}",
        )
        opened = now - number * MINUTE
        await hub.db.execute(
            """
            INSERT INTO stock_request (id, shop_id, order_id, status, opened_at, clock_from)
            VALUES ($1, $2, $3, $4, $5, $5)
            """,
            ids[number],
            hub.shop("main").id,
            order,
            status,
            opened,
        )

    page = await console.get("/")

    assert "Waiting for an answer: 2 , late among them: 1" in page.text
    assert page.text.index("N-2") < page.text.index("N-1")
    assert "N-3" not in page.text
    # Whoever sees that it waits wants to know who was asked, and to note the answer.
    assert page.links["Order N-2"] == f"/console/main/stock/{ids[2]}"


async def test_events_that_failed(hub: Hub, console: Console) -> None:
    source = new_id()
    await hub.db.execute(
        """
        INSERT INTO source (id, shop_id, name, platform, secrets, seller)
        VALUES ($1, $2, 'our shop', 'generic', '', 's')
        """,
        source,
        hub.shop("main").id,
    )
    await hub.db.execute(
        """
        INSERT INTO shop_event (id, shop_id, source_id, kind, object, via, result, reason)
        VALUES ($1, $2, $3, 'order', '1001', 'hook', 'failed', 'the status stands in no mapping')
        """,
        new_id(),
        hub.shop("main").id,
        source,
    )

    page = await console.get("/")

    assert "our shop order 1001" in page.text
    assert "the status stands in no mapping" in page.text


async def test_without_the_right_to_statistics_it_tells_none(
    hub: Hub, console_for: ConsoleFor
) -> None:
    now = datetime.now(UTC)
    await Past(hub).delivery(now - MINUTE, status="failed", reason="bounced", took=None)
    await Counting(hub).turn(now)

    page = await (await console_for(Role.OPERATOR, without=frozenset({Right.STATISTICS}))).get("/")

    assert page.status == 200
    assert "The queue is empty" in page.text
    assert "Channels in the last 24 hours" not in page.text
    assert "The letter came back" not in page.text
