"""Nobody answers: reminders, and then others are asked, by another channel."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from hub.orders import escalation
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, Reply, get_order, line, tell

pytestmark = pytest.mark.usefixtures("people", "webhook")


async def status(api: Api) -> str:
    found: str = (await get_order(api))["stock_requests"][0]["status"]
    return found


async def test_a_reminder_goes_by_another_channel_where_there_is_one(
    place: Place, book: Book
) -> None:
    await place()

    await book.step()

    reminders = [told for told in await book.told() if told.template == "stock.reminder"]
    assert [(told.contact, told.channel, told.kind) for told in reminders] == [
        ("wh-7-anna", "sms", "stock"),
        ("wh-7-boris", "telegram", "stock"),
    ]


async def test_who_joined_the_staff_since_is_asked_with_the_reminder(
    api: Api, place: Place, book: Book
) -> None:
    await place()
    await api.put(
        "/v1/contacts/wh-7-new",
        {"role": "warehouse", "addresses": {"vk": "5"}, "warehouses": ["wh-7"]},
    )

    await book.step()

    assert await book.who_heard("stock.request") == ["wh-7-anna", "wh-7-boris", "wh-7-new"]


async def test_who_left_the_staff_since_is_not_reminded(api: Api, place: Place, book: Book) -> None:
    await place()
    assert (await api.put("/v1/contacts/wh-7-anna", {"warehouses": []})).status == 200

    await book.step()

    assert await book.who_heard("stock.reminder") == ["wh-7-boris"]


async def test_step_by_step_it_goes_up_to_the_admins(api: Api, place: Place, book: Book) -> None:
    await place()
    seen = [await status(api)]

    for _ in range(4):
        await book.step()
        seen.append(await status(api))

    assert seen == ["open", "open", "overdue", "escalated", "escalated"]
    escalated = [told for told in await book.told() if told.template == "stock.escalated"]
    assert [(told.contact, told.channel) for told in escalated] == [
        ("seller-7", "telegram"),
        ("seller-7", "sms"),
        ("boss", "email"),
    ]
    assert len(await book.events("stock_request.overdue")) == 1
    assert len(await book.events("stock_request.escalated")) == 2


async def test_after_the_last_step_nothing_is_due(hub: Hub, place: Place, book: Book) -> None:
    await place()

    await book.step(6)

    assert await hub.db.fetchval("SELECT next_step_at FROM stock_request") is None
    assert len(await book.who_heard("stock.escalated")) == 3


@pytest.mark.parametrize("steps", [2, 3, 4])
async def test_it_can_be_answered_at_any_step(
    api: Api, place: Place, reply: Reply, book: Book, steps: int
) -> None:
    [request] = (await place(line("1")))["stock_requests"]
    await book.step(steps)

    done = await reply(request, ("1", 2), by="seller-7")

    assert done["status"] == "answered"
    assert (await get_order(api))["status"] == "confirmed"
    heard = len(await book.told())
    await book.step()
    assert len(await book.told()) == heard


async def test_nobody_is_reminded_of_what_was_cancelled(api: Api, place: Place, book: Book) -> None:
    await place()
    await tell(api, "cancelled")

    await book.step()

    assert await book.who_heard("stock.reminder") == []


async def test_a_question_that_grows_waits_anew(api: Api, place: Place, book: Book) -> None:
    await place(line("1"))
    await book.step(2)
    assert await status(api) == "overdue"

    shown = await place(line("1"), line("2"))

    [request] = shown["stock_requests"]
    assert request["status"] == "open"
    left = datetime.fromisoformat(request["deadline"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30)


async def test_a_closed_warehouse_is_waited_for(hub: Hub, api: Api, place: Place) -> None:
    # Open for a minute a day, half a day from now.
    opens = datetime.now(UTC) + timedelta(hours=12)
    closes = opens + timedelta(minutes=1)
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    span = [f"{opens:%H:%M}", f"{closes:%H:%M}"]
    await api.put("/v1/warehouses/wh-7", {"timezone": "UTC", "hours": dict.fromkeys(days, span)})

    await place()

    step_at = await hub.db.fetchval("SELECT next_step_at FROM stock_request")
    assert step_at > datetime.now(UTC) + timedelta(days=9)


async def test_one_question_that_cannot_be_handled_holds_up_no_other(
    api: Api, hub: Hub, place: Place, book: Book
) -> None:
    for who in ("wh-7-anna", "wh-7-boris"):
        await api.put(f"/v1/contacts/{who}", {"warehouses": ["wh-7", "wh-8"]})
    first = (await place(line("1"), id_="a"))["stock_requests"][0]["id"]
    await place(line("1", warehouse="wh-8"), id_="b")
    await hub.db.execute(
        'UPDATE warehouse SET hours = \'{"mon": ["xx", "yy"], "tue": ["xx", "yy"],'
        ' "wed": ["xx", "yy"], "thu": ["xx", "yy"], "fri": ["xx", "yy"],'
        ' "sat": ["xx", "yy"], "sun": ["xx", "yy"]}\' WHERE external_id = \'wh-7\''
    )

    await book.step()

    assert set(await book.who_heard("stock.reminder")) == {"wh-7-anna", "wh-7-boris"}
    again = await hub.db.fetchval(
        "SELECT next_step_at FROM stock_request WHERE id = $1", UUID(first)
    )
    assert again > datetime.now(UTC) + timedelta(seconds=50)


async def test_what_is_due_is_handed_out_by_the_tick(hub: Hub, place: Place) -> None:
    await place()
    await hub.db.execute("UPDATE stock_request SET next_step_at = now()")

    async with hub.db.acquire() as connection:
        due = await escalation.due_steps(hub, connection)

    assert len(due) == 2
