"""The pages of orders: found, listed, told as a whole, moved by hand."""

from hub.db.pool import transaction
from hub.operators.model import Role
from hub.orders import desk
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor
from tests.hub.explained import Explained
from tests.hub.orders.conftest import Place, Reply, line, order, people, place, reply, tell

__all__ = ["people", "place", "reply"]


async def _id(hub: Hub, external_id: str = "1001") -> str:
    return str(
        await hub.db.fetchval("SELECT id FROM shop_order WHERE external_id = $1", external_id)
    )


async def test_they_are_listed_by_status_and_found_by_number(
    place: Place, api: Api, console: Console
) -> None:
    await place(line("1"))
    await api.put("/v1/orders/1002", order(line("1"), number="№ 1002", status="shipped"))

    listed = await console.get("/orders")
    shipped = await console.get("/orders", status="shipped")
    found = await console.get("/orders", q="1001")
    nothing = await console.get("/orders", q="77")
    returned = await console.get("/orders", status="returned")

    assert listed.text.index("№ 1002") < listed.text.index("1001")
    assert "Анна" in listed.text
    assert "№ 1002" in shipped.links
    assert "1001" not in shipped.links
    assert found.title.startswith("Order 1001")
    assert "There is no such order" in nothing.text
    # Those of other statuses are there all the same.
    assert "No order has this status" in returned.text
    assert "Orders appear once" not in returned.text


async def test_the_list_goes_on(hub: Hub, place: Place, console: Console) -> None:
    await place(line("1"))
    await hub.db.execute(
        """
        INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, currency, delivery)
        SELECT gen_random_uuid(), shop_id, 'x' || n, 'x' || n, status, told_status, currency, delivery
          FROM shop_order, generate_series(1, 60) AS n
        """
    )

    first = await console.get("/orders")
    second = await console.get(first.links["Older →"])

    numbers = [text for page in (first, second) for text in page.links if text.startswith("x")]
    assert len(set(numbers)) == 60
    assert "Older →" not in second.links
    assert "← Newest" in second.links


async def test_one_order_tells_who_was_asked_and_who_said_what(
    hub: Hub, place: Place, reply: Reply, console: Console
) -> None:
    placed = await place(line("1", 3), line("2", 1, seller="seller-8", warehouse=None))
    await reply(placed["stock_requests"][0], ("1", 2))

    page = await console.get(f"/orders/{await _id(hub)}")

    assert page.status == 200
    assert "Чайник 1: 2" in page.text
    assert "by the shop's API" in page.text
    assert "Анна Кладова" in page.text
    assert "ООО Чай" in page.text
    assert "2 of 3" in page.text
    assert "Лесная, 5" in page.text
    assert "Stock question" in page.text


async def test_a_reader_sees_no_names_and_no_address(
    hub: Hub, place: Place, console_for: ConsoleFor
) -> None:
    await place(line("1"))
    reader = await console_for(Role.READER)

    page = await reader.get(f"/orders/{await _id(hub)}")
    listed = await reader.get("/orders")

    for text in (page.text, listed.text):
        assert "А." in text
        assert "Анна" not in text
        assert "Лесная" not in text
    assert not [form for form in page.forms if form.action.endswith("/status")]


async def test_an_order_that_is_called_by_a_phone_is_masked_for_a_reader(
    hub: Hub, place: Place, api: Api, console: Console, console_for: ConsoleFor
) -> None:
    for id_ in ("+79991234567", "anna@example.com", "1002"):
        await api.put(f"/v1/orders/{id_}", order(line("1"), number="7"))
    reader = await console_for(Role.READER)

    by_phone = (await reader.get(f"/orders/{await _id(hub, '+79991234567')}")).html
    by_mail = (await reader.get(f"/orders/{await _id(hub, 'anna@example.com')}")).html
    by_number = (await reader.get(f"/orders/{await _id(hub, '1002')}")).text
    whole = (await console.get(f"/orders/{await _id(hub, '+79991234567')}")).text

    assert "1234567" not in by_phone
    assert "+7 ••• •• 67" in by_phone
    assert "anna@example.com" not in by_mail
    assert "1002" in by_number
    assert "+79991234567" in whole


async def test_another_shops_order_is_not_there(
    hub: Hub, place: Place, console_for: ConsoleFor
) -> None:
    await place(line("1"))
    stranger = await console_for(shop="other")

    assert (await stranger.get(f"/orders/{await _id(hub)}")).status == 404
    assert "1001" not in (await stranger.get("/orders")).text
    assert (await stranger.post(f"/orders/{await _id(hub)}/status", status="paid")).status == 404


async def test_a_status_is_set_by_hand(
    hub: Hub, place: Place, api: Api, console: Console, console_for: ConsoleFor
) -> None:
    await place(line("1"))
    path = f"/orders/{await _id(hub)}"

    form = (await console.get(path)).form("/status")
    done = await console.send(form, status="paid", reason="По телефону")
    again = await console.send(form, status="paid")
    wrong = await console.send(form, status="nonsense")

    assert "The status is set" in done.text
    assert "По телефону" in done.text
    assert "did not change" in again.text
    assert wrong.status == 422
    assert (await api.get("/v1/orders/1001")).json["status"] == "paid"
    [line_] = await hub.db.fetch(
        "SELECT actor, actor_name, object FROM audit WHERE action = 'order.moved'"
    )
    assert (line_["actor"], line_["actor_name"], line_["object"]) == (
        "operator",
        "owner@shop.example",
        "1001",
    )
    reader = await console_for(Role.READER)
    assert (await reader.post(f"{path}/status", status="shipped")).status == 403
    await tell(api, "shipped")


async def test_nothing_is_read_from_end_to_end(hub: Hub, place: Place) -> None:
    await place(line("1"))
    await hub.db.execute(
        """
        INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, currency, delivery)
        SELECT gen_random_uuid(), shop_id, 'x' || n, 'x' || n, 'delivered', 'delivered', currency, delivery
          FROM shop_order, generate_series(1, 4000) AS n
        """
    )
    await hub.db.execute(
        """
        INSERT INTO stock_request (id, shop_id, order_id, status, opened_at, clock_from)
        SELECT gen_random_uuid(), shop_id, id, 'answered', now(), now() FROM shop_order WHERE number LIKE 'x%'
        """
    )
    await hub.db.execute(
        """
        INSERT INTO assembly (id, shop_id, order_id, status, opened_at)
        SELECT gen_random_uuid(), shop_id, id, 'assembled', now() FROM shop_order WHERE number LIKE 'x%'
        """
    )
    await hub.db.execute("ANALYZE shop_order, stock_request, assembly, order_line, notification")
    shop = hub.shop("main").id
    async with transaction(hub.db) as connection:
        db = Explained(connection, measured=True)
        [first] = await desk.named(db, shop, "1001")  # type: ignore[arg-type]
        last = (await desk.orders(db, shop, limit=50))[-1].id  # type: ignore[arg-type]
        await desk.orders(db, shop, status=first.status, before=last, limit=50)  # type: ignore[arg-type]
        [question] = await desk.waiting(db, shop, limit=50)  # type: ignore[arg-type]
        await desk.answered(db, shop, before=last, limit=50)  # type: ignore[arg-type]
        await desk.packing(db, shop, limit=50)  # type: ignore[arg-type]
        await desk.messages(db, shop, first.id)  # type: ignore[arg-type]
        await desk.asked(db, [question])  # type: ignore[arg-type]
        await desk.said(db, [question])  # type: ignore[arg-type]

    assert not db.read_through(["shop_order", "stock_request", "assembly"])
    assert max(pages for pages, _ in db.pages) < 500, max(db.pages)
