"""Rows of history brought by a program: what becomes of them, and of those that the hub knows already."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.history.conftest import ABOUT, Bring, counted, order


async def contact(api: Api, id_: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/contacts/{id_}")
    assert answer.status == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


async def test_an_order_is_taken_over_as_it_was(api: Api, bring: Bring, hub: Hub) -> None:
    run = await bring(order("1"))

    assert (run["done"], run["added"], run["known"], run["faulty"]) == (1, 1, 0, 0)
    found = (await api.get("/v1/orders/1")).json
    assert (found["number"], found["status"], found["buyer"]) == (
        "A-1",
        "paid",
        {"external_id": "42"},
    )
    assert found["total"] == "1990.50"
    assert found["delivery"] == {"method": "pickup", "tracking": "RA1"}
    assert datetime.fromisoformat(found["created_at"]) == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert [line["seller"]["external_id"] for line in found["lines"]] == ["shop", "v-3"]
    assert [entry["status"] for entry in found["history"]] == ["paid"]
    assert (await contact(api, "42"))["addresses"] == {"email": "anna@example.com"}
    assert (await contact(api, "v-3"))["role"] == "seller"


async def test_nobody_hears_of_it(api: Api, bring: Bring, hub: Hub) -> None:
    """Neither people nor the shop's backend, whatever the state: paid ones would be packed, placed ones asked for."""
    events = ["stock_request.opened", "order.stock_confirmed", "order.assembled"]
    webhook = {"url": "https://shop.example/hook", "events": events}
    assert (await api.post("/v1/webhooks", webhook)).status == 201
    states = ("placed", "confirmed", "paid", "assembled", "shipped", "delivered", "cancelled")

    run = await bring(*(order(state, status=state) for state in states))

    assert run["added"] == len(states)
    assert await counted(hub, ABOUT) == {}


async def test_what_is_no_order_yet_is_left_to_the_day_on_which_it_is_one(
    api: Api, bring: Bring
) -> None:
    await bring(order("1"))
    [source] = (await api.get("/v1/sources")).json["items"]
    mapping = {"statuses": {"draft": None}}
    await api.call("PATCH", f"/v1/sources/{source['id']}", {"mapping": mapping})

    run = await bring(order("2", status="draft"), order("3"))

    assert (run["done"], run["added"], run["known"], run["faulty"]) == (2, 1, 1, 0)
    assert (await api.get("/v1/orders/2")).status == 404
    assert (await api.get("/v1/orders/3")).status == 200


async def test_orders_sort_by_their_own_time(api: Api, bring: Bring) -> None:
    await api.put("/v1/contacts/s", {"role": "seller"})
    line = {"id": "1", "title": "x", "quantity": 1, "seller": {"external_id": "s"}}
    await api.put("/v1/orders/today", {"number": "today", "lines": [line]})

    await bring(
        order("march"),
        order("may", created_at="2026-05-01T10:00:00Z"),
        order("never", created_at="2099-05-01T10:00:00Z"),
    )

    listed = (await api.get("/v1/orders")).json["items"]
    assert [one["external_id"] for one in listed] in (
        ["never", "today", "may", "march"],
        ["today", "never", "may", "march"],
    )


async def test_what_the_hub_knows_stays_as_it_is(api: Api, bring: Bring) -> None:
    await bring(order("1"))
    before = (await api.get("/v1/orders/1")).json

    run = await bring(order("1", status="delivered", total="5"), order("2"), order("2"))

    assert (run["done"], run["added"], run["known"], run["faulty"]) == (3, 1, 2, 0)
    assert (await api.get("/v1/orders/1")).json == before


async def test_old_facts_fill_gaps_of_people_and_take_the_place_of_nothing(
    api: Api, bring: Bring
) -> None:
    await api.put("/v1/contacts/42", {"name": "Анна Новая", "attributes": {"city": "Томск"}})
    customer = {
        "id": "42",
        "name": "Анна Старая",
        "email": "anna@example.com",
        "attributes": {"city": "Омск", "size": "M"},
    }

    await bring(order("1", customer=customer))

    found = await contact(api, "42")
    assert found["name"] == "Анна Новая"
    assert found["addresses"] == {"email": "anna@example.com"}
    assert found["attributes"] == {"city": "Томск", "size": "M"}


async def test_of_a_new_customers_orders_the_latest_counts(api: Api, bring: Bring) -> None:
    def by(day: int, name: str) -> dict[str, Any]:
        at = f"2026-03-{day:02}T10:00:00Z"
        return order(name, created_at=at, changed_at=at, customer={"id": "42", "name": name})

    await bring(by(5, "middle"), by(9, "last"), by(1, "first"))

    assert (await contact(api, "42"))["name"] == "last"


async def test_a_guest_is_found_by_his_address(api: Api, bring: Bring, hub: Hub) -> None:
    await api.put("/v1/contacts/7", {"addresses": {"phone": "+79991234567"}})

    run = await bring(
        order("1", customer={"email": "guest@example.com"}),
        order("2", customer={"email": "guest@example.com", "name": "Гость"}),
        order("3", customer={"phone": "8 999 123-45-67"}),
        order("4", customer={"id": "9", "email": "late@example.com"}),
        order("5", customer={"email": "late@example.com"}),
        order("6", customer={"email": "no address", "phone": "-"}),
        order("7", customer=None),
    )

    assert run["faulty"] == 0
    orders = [(await api.get(f"/v1/orders/{n}")).json for n in range(1, 8)]
    buyers = [one["buyer"] and one["buyer"]["external_id"] for one in orders]
    assert buyers[0] == buyers[1]
    assert buyers[0].startswith("guest-")
    assert buyers[2:] == ["7", "9", "9", None, None]


async def test_whoever_left_is_not_subscribed_again(api: Api, bring: Bring) -> None:
    consents = {"marketing": {"email": "unsubscribed"}}
    await api.put("/v1/contacts/42", {"consents": consents})

    await bring(order("1", customer={"id": "42", "subscribed": {"email": True, "sms": True}}))

    said = (await contact(api, "42"))["consents"]["marketing"]
    assert said == {"email": "unsubscribed", "sms": "subscribed"}


BAD: list[tuple[Any, str]] = [
    (None, "could not be read"),
    ([1], "is no object"),
    ({"id": "x"}, "/lines is required"),
    (order("x", total="free"), "/total must be a number"),
    (order("x", unknown=1), "/unknown"),
    (order("x", lines=[]), "/lines"),
    (order("x", created_at="2026-03-01 10:00"), "/created_at"),
]


@pytest.mark.parametrize(("row", "said"), BAD)
async def test_a_bad_row_is_a_fault_and_holds_up_nobody(
    api: Api, bring: Bring, row: Any, said: str
) -> None:
    run = await bring(order("1"), row, order("2"))

    assert (run["done"], run["added"], run["faulty"]) == (3, 2, 1)
    [fault] = run["faults"]
    assert fault["row"] == 2
    assert said in fault["detail"]
    assert "free" not in fault["detail"]


async def test_what_the_database_does_not_take_is_found_out(api: Api, bring: Bring) -> None:
    """A seller's name that is a buyer's: the row's own fault."""
    await api.put("/v1/contacts/v-3", {"role": "buyer"})

    run = await bring(*(order(str(n), lines=[{"title": "x"}]) for n in range(6)), order("bad"))

    assert (run["added"], run["faulty"]) == (6, 1)
    assert "not seller" in run["faults"][0]["detail"]


async def test_states_that_no_map_names_are_told(api: Api, bring: Bring) -> None:
    run = await bring(order("1", status="в пути"), order("2", status="paid"))

    assert run["unknown_codes"] == ["в пути"]
    assert (await api.get("/v1/orders/1")).json["status"] == "placed"


async def test_customers_are_made_changed_and_known(api: Api, bring: Bring) -> None:
    await api.put("/v1/contacts/2", {"name": "Борис"})
    first = await bring(
        {"id": "1", "name": "Анна"},
        {"id": "2", "name": "Борис Б.", "tags": ["vip"]},
        {"name": "ничей"},
        kind="customer",
    )

    again = await bring({"id": "1", "name": "Другая"}, {"id": "3"}, kind="customer")

    counts = ("added", "changed", "known", "faulty")
    assert [first[name] for name in counts] == [1, 1, 0, 1]
    assert [again[name] for name in counts] == [1, 0, 1, 0]
    assert (await contact(api, "1"))["name"] == "Анна"
    assert (await contact(api, "2"))["attributes"] == {"tags": ["vip"]}


async def test_products_are_kept_as_facts(bring: Bring, hub: Hub) -> None:
    await bring({"id": "7", "title": "Чайник", "price": "990.50"}, kind="product")
    run = await bring({"id": "7", "title": "Другой"}, {"id": "8"}, kind="product")

    assert (run["added"], run["known"]) == (1, 1)
    facts = await hub.db.fetchval("SELECT facts FROM source_object WHERE object = '7'")
    assert facts["title"] == "Чайник"


async def test_a_platforms_customer_is_nobody_at_the_shelf(api: Api, bring: Bring) -> None:
    """As in what is told live: platforms and shops count their people each for themselves."""
    keeper = {"role": "warehouse", "name": "Кладовщик", "addresses": {"telegram": "777"}}
    await api.put("/v1/contacts/42", keeper)
    config = {"base_url": "https://romashka.example", "login": "l", "password": "p"}
    source = {"name": "romashka", "platform": "insales", "config": config}
    assert (await api.post("/v1/sources", source)).status == 201

    await bring(order("1"), source="romashka")
    await bring({"id": "42", "name": "Анна"}, source="romashka", kind="customer")

    assert (await api.get("/v1/orders/1")).json["buyer"] == {"external_id": "buyer-42"}
    found = await contact(api, "42")
    assert (found["name"], found["addresses"]) == ("Кладовщик", {"telegram": "777"})
