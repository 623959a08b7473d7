"""MoySklad: hooks that only say where to look, Moscow's time, kopecks, pages by time, statuses by their names."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from pydantic import ValidationError

from hub.config import OrderStatus
from hub.sources.base import (
    Ask,
    Fetches,
    Impossible,
    Later,
    Platform,
    Purpose,
    Subscribes,
    Trouble,
    Writes,
)
from hub.sources.http import ShopHttp
from hub.sources.model import (
    Action,
    CustomerFacts,
    Decision,
    Incoming,
    Kind,
    OrderFacts,
    ProductFacts,
)
from hub.sources.platforms.moysklad import MoySklad, MoySkladConfig
from hub.sources.platforms.moysklad_facts import whitelisted
from hub.sources.registry import platform_class
from tests.simulators import shops
from tests.simulators.base import Fault
from tests.simulators.moysklad import LOGIN, PASSWORD, TOKEN, MoySkladSimulator
from tests.sources.alone import all_of, no_http, order_of, refused
from tests.sources.case import posted

payload = partial(shops.payload, "moysklad")
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
ORDER_ID = "5b7e0d6e-cd0e-11f1-0a80-0c7e00000010"


@pytest.fixture
async def simulator() -> AsyncIterator[MoySkladSimulator]:
    async with MoySkladSimulator() as simulator:
        yield simulator


def built(simulator: MoySkladSimulator, http: ShopHttp, **more: Any) -> MoySklad:
    config = {"token": TOKEN, "base_url": simulator.base_url, **more}
    return MoySklad(MoySkladConfig.model_validate(config), http)


@pytest.fixture
def moysklad(simulator: MoySkladSimulator, http: ShopHttp) -> MoySklad:
    return built(simulator, http)


def unconnected() -> MoySklad:
    return MoySklad(MoySkladConfig.model_validate({"token": TOKEN}), no_http())


def hear(body: Any, request_id: str = "9f6a") -> list[Incoming]:
    call = posted("events", body, query={"requestId": request_id} if request_id else {})
    return list(unconnected().hear(call, now=NOW).events)


def meant(raw: Any) -> OrderFacts:
    """What is understood of an order as it comes."""
    return order_of(unconnected(), whitelisted(Kind.ORDER, raw))


# --- hooks ------------------------------------------------------------------------------------------------------------


def test_the_registry_knows_it() -> None:
    platform: type[Platform] = MoySklad

    assert platform_class("moysklad") is platform
    assert all(issubclass(MoySklad, part) for part in (Fetches, Writes, Subscribes))


def test_a_hook_only_says_where_to_look() -> None:
    order, buyer, demand, gone = hear(payload("hook"))

    assert (order.kind, order.action, order.object) == (Kind.ORDER, Action.UPDATED, ORDER_ID)
    assert order.payload is None
    assert (buyer.kind, buyer.action) == (Kind.CUSTOMER, Action.CREATED)
    assert demand.ignored == "unknown-type"
    assert (gone.action, gone.payload) == (Action.DELETED, {"id": gone.object})


def test_its_moments_are_moscow_s() -> None:
    assert hear(payload("hook"))[0].happened_at == datetime(2026, 11, 28, 11, 5, 9, tzinfo=UTC)


def test_a_repeat_is_known_by_its_request_id() -> None:
    first, again, other = (hear(payload("hook"), id_) for id_ in ("r-1", "r-1", "r-2"))

    assert [event.key for event in first] == [event.key for event in again]
    assert len({event.key for event in [*first, *other]}) == 8


def test_without_a_request_id_the_body_is_the_key() -> None:
    first, again = hear(payload("hook"), ""), hear(payload("hook"), "")

    assert [event.key for event in first] == [event.key for event in again]
    assert len({event.key for event in first}) == 4


def test_an_address_of_somebody_else_s_is_not_called() -> None:
    body = payload("hook")
    body["events"][0]["meta"]["href"] = f"https://evil.example/entity/customerorder/{ORDER_ID}?a=b"
    body["events"][1]["meta"]["href"] = "https://evil.example/../../admin"

    order, buyer, *_ = hear(body)

    assert (order.object, order.ignored) == (ORDER_ID, "")
    assert (buyer.object, buyer.ignored) == ("", "no-id")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"events"',
        b"{}",
        b'{"events": {}}',
        b'{"events": [1]}',
        b"\xff\xfe",
        b"[" * 9999,
    ],
)
def test_rubbish_is_refused(body: bytes) -> None:
    with refused(forged=False):
        hear(body)


@pytest.mark.parametrize(
    "event", [{}, {"meta": []}, {"meta": {"type": 7, "href": None}}, {"action": {}}]
)
def test_an_event_that_says_nothing_is_kept_for_the_record(event: Any) -> None:
    [heard] = hear({"auditContext": None, "events": [event]})

    assert heard.ignored


# --- what it means ----------------------------------------------------------------------------------------------------


def test_an_order() -> None:
    order = meant(payload("order"))

    assert (order.id, order.number) == (ORDER_ID, "00042")
    assert order.codes == (("Отгружен",), ("payment:paid",))
    assert (order.total, order.currency) == (Decimal("4200.90"), "RUB")
    assert order.created_at == datetime(2026, 11, 28, 10, 57, 12, 310000, tzinfo=UTC)
    assert order.changed_at == datetime(2026, 11, 28, 11, 5, 9, 417000, tzinfo=UTC)
    assert order.delivery == {
        "address": "125009, Россия, г Москва, ул Тверская, 1, 42",
        "date": "2026-12-01",
    }


def test_its_lines_are_kopecks_after_the_discount_and_pieces_may_be_parts() -> None:
    kettle, tea = meant(payload("order")).lines

    assert (kettle.sku, kettle.price, kettle.quantity) == ("A-1", Decimal("1791.00"), Decimal(2))
    assert (tea.sku, tea.price, tea.quantity) == ("2002", Decimal("412.60"), Decimal("1.5"))
    assert {line.warehouse for line in (kettle, tea)} == {"33333333-cd0e-11f1-0a80-0c7e00000070"}


def test_a_tax_that_is_not_in_the_price_comes_on_top() -> None:
    taxed = payload("order") | {"vatEnabled": True, "vatIncluded": False}

    assert [line.price for line in meant(taxed).lines] == [Decimal("2149.20"), Decimal("495.12")]


def test_its_buyer() -> None:
    buyer = meant(payload("order")).customer

    assert buyer is not None
    assert (buyer.name, buyer.email, buyer.phone) == (
        "Анна Смирнова",
        "anna@example.ru",
        "8 (916) 000-00-42",
    )
    assert buyer.tags == ("розница",)


def test_a_customer_and_a_product() -> None:
    customer = unconnected().facts(
        Kind.CUSTOMER, whitelisted(Kind.CUSTOMER, payload("counterparty"))
    )
    product = unconnected().facts(Kind.PRODUCT, whitelisted(Kind.PRODUCT, payload("product")))

    assert isinstance(customer, CustomerFacts)
    assert isinstance(product, ProductFacts)
    assert customer.tags == ("розница", "акция")
    assert (product.sku, product.price, product.currency) == ("A-1", Decimal("1990.00"), "RUB")


def test_own_fields_are_kept_by_name_and_books_are_not_kept() -> None:
    kept = whitelisted(Kind.ORDER, payload("order"))

    assert {field["name"]: field["value"] for field in kept["attributes"]} == {
        "Трек-номер": "RA000000042RU",
        "Служба доставки": "СДЭК",
    }
    written = json.dumps(kept, ensure_ascii=False)
    for secret in ("770000000000", "домофона", "buyPrice", "90000", "organization", "employee"):
        assert secret not in written


def test_an_order_without_a_status_a_buyer_or_goods() -> None:
    order = meant({"id": ORDER_ID, "name": "7", "sum": 0.0, "payedSum": 0.0})

    assert (order.codes, order.customer, order.lines) == ((), None, ())


def test_what_is_paid_in_part_is_not_paid() -> None:
    order = meant(payload("order") | {"payedSum": 420089.0})

    assert order.codes == (("Отгружен",),)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Новый", OrderStatus.PLACED),
        ("Подтвержден", OrderStatus.CONFIRMED),
        ("Собран", OrderStatus.ASSEMBLED),
        ("Отгружен", OrderStatus.SHIPPED),
        ("Доставлен", OrderStatus.DELIVERED),
        ("Возврат", OrderStatus.RETURNED),
        ("Отменен", OrderStatus.CANCELLED),
    ],
)
def test_the_statuses_of_a_new_account(name: str, status: OrderStatus) -> None:
    assert MoySklad.statuses[name] is status


@pytest.mark.parametrize(
    "config",
    [{}, {"login": LOGIN}, {"token": TOKEN, "login": LOGIN, "password": PASSWORD}, {"tokn": TOKEN}],
)
def test_one_way_to_prove_who_we_are(config: Any) -> None:
    with pytest.raises(ValidationError) as error:
        MoySkladConfig.model_validate(config)

    assert TOKEN not in str(error.value)


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_an_order_is_read_with_all_that_it_points_to(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    id_ = simulator.place()

    found = await moysklad.fetch(Kind.ORDER, id_)

    assert found is not None
    order = moysklad.facts(Kind.ORDER, found)
    assert isinstance(order, OrderFacts)
    assert order.codes == (("Новый",),)
    assert [line.title for line in order.lines] == ["Чайник", "Чашка"]
    assert order.customer is not None
    assert order.customer.email == "anna00001@example.ru"


async def test_login_and_password(simulator: MoySkladSimulator, http: ShopHttp) -> None:
    moysklad = built(simulator, http, token="", login=LOGIN, password=PASSWORD)

    assert await moysklad.fetch(Kind.ORDER, simulator.place()) is not None


async def test_an_order_of_more_than_a_hundred_lines_is_read_to_its_end(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    goods = simulator.add("product", name="Чашка", code="1002")
    id_ = simulator.place(
        positions=[
            {"id": str(uuid4()), "quantity": 1.0, "price": 100.0, "goods": goods}
            for _ in range(230)
        ]
    )

    found = await moysklad.fetch(Kind.ORDER, id_)
    page = await moysklad.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))

    for read in (found, page.items[0].payload):
        assert read is not None
        assert len({row["id"] for row in read["positions"]["rows"]}) == 230
        assert all(row["assortment"]["name"] == "Чашка" for row in read["positions"]["rows"])


async def test_what_is_not_there_and_what_lies_in_the_bin(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    id_ = simulator.place()
    simulator.change("customerorder", id_, deleted=simulator.now())

    assert await moysklad.fetch(Kind.ORDER, str(uuid4())) is None
    assert await moysklad.fetch(Kind.ORDER, id_) is None
    assert await moysklad.fetch(Kind.CART, id_) is None


def fill(simulator: MoySkladSimulator, count: int) -> list[str]:
    """Each second one, so that pages are cut within seconds and between them."""
    agent, ids = simulator.add("counterparty", name="Анна"), []
    for number in range(count):
        id_ = simulator.place(agent=agent, positions=[])
        at = f"2026-11-20 10:{number // 180:02}:{number // 3 % 60:02}.{number % 3:03}"
        simulator.orders[id_] |= {"created": at, "updated": at}
        ids.append(id_)
    return ids


@pytest.mark.parametrize("purpose", Purpose)
async def test_pages_bring_each_order(
    simulator: MoySkladSimulator, moysklad: MoySklad, purpose: Purpose
) -> None:
    ids = fill(simulator, 345)

    first = await moysklad.read(Ask(Kind.ORDER, LONG_AGO, purpose))
    items, _ = await all_of(moysklad, Ask(Kind.ORDER, LONG_AGO, purpose))

    assert (first.total, first.more, len(first.items)) == (345, True, 25)
    assert {item.object for item in items} == set(ids)
    # What stands in the last second of a page comes again, under the same key.
    assert len(items) < 345 + 3 * 15
    assert len({item.key for item in items}) == 345


async def test_an_upload_within_one_second_is_read_to_its_end(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    ids = fill(simulator, 250)
    for id_ in ids:
        simulator.orders[id_]["updated"] = "2026-11-20 10:00:00.500"

    items, _ = await all_of(moysklad, Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))

    assert {item.object for item in items} == set(ids)


async def test_what_changes_while_pages_are_read_hides_nothing(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    ids = fill(simulator, 250)
    page = await moysklad.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))
    # Those of the first page go to the end of the list, where all others move up.
    for id_ in ids[:25]:
        simulator.move(id_, "Подтвержден")

    items, _ = await all_of(moysklad, Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP, page.position))

    assert {item.object for item in [*page.items, *items]} == set(ids)
    assert [
        item.object for item in items if item.payload and item.payload["state"]["name"] != "Новый"
    ]


async def test_reading_goes_on_where_it_ended_and_looks_two_minutes_back(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    old, known = fill(simulator, 2)
    simulator.orders[known] |= {"updated": "2026-11-20 11:00:00.000"}
    _, then = await all_of(moysklad, Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))
    late = simulator.place()
    simulator.orders[late] |= {"updated": "2026-11-20 10:59:00.000"}

    items, again = await all_of(moysklad, then)

    assert [item.object for item in items] == [late, known]
    assert again.position == then.position
    assert old not in {item.object for item in items}


async def test_nothing_new_is_one_call(simulator: MoySkladSimulator, moysklad: MoySklad) -> None:
    page = await moysklad.read(Ask(Kind.ORDER, NOW, Purpose.CATCH_UP))

    assert (page.items, page.more, page.total) == ([], False, 0)
    assert page.position == {"at": "2026-11-28 15:00:00", "offset": 0}
    assert len(simulator.calls) == 1


@pytest.mark.parametrize("kind", [Kind.CUSTOMER, Kind.PRODUCT])
async def test_customers_and_goods_are_read(
    simulator: MoySkladSimulator, moysklad: MoySklad, kind: Kind
) -> None:
    simulator.place()

    items, _ = await all_of(moysklad, Ask(kind, LONG_AGO, Purpose.HISTORY))

    assert items
    assert all(item.payload and moysklad.facts(kind, item.payload) for item in items)


# --- writing back -----------------------------------------------------------------------------------------------------


def decision(id_: str, code: str = "Подтвержден") -> Decision:
    return Decision(id_, OrderStatus.CONFIRMED, code, 1, ())


async def test_a_decision_becomes_the_status_of_that_name(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    id_ = simulator.place()

    for _ in range(2):
        await moysklad.write(decision(id_))

    assert simulator.orders[id_]["state"] == "Подтвержден"


async def test_a_status_that_is_not_there_is_refused_with_its_name(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    id_ = simulator.place()

    with pytest.raises(Impossible, match="На складе есть"):
        await moysklad.write(decision(id_, "На складе есть"))

    assert simulator.orders[id_]["state"] == "Новый"


async def test_an_order_that_is_gone_cannot_be_written(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    with pytest.raises(Impossible):
        await moysklad.write(decision(str(uuid4())))


# --- hooks over HTTP --------------------------------------------------------------------------------------------------


class Door:
    """A place for hooks that answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.request_ids: list[str] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.request_ids.append(request.query["requestId"])
        return web.Response(status=self.status)


@asynccontextmanager
async def open_door() -> AsyncIterator[Door]:
    door, app = Door(), web.Application()
    app.router.add_post("/hooks/abc/events", door.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield door
    await runner.cleanup()


async def test_hooks_are_set_up_once(simulator: MoySkladSimulator, moysklad: MoySklad) -> None:
    url = "https://hub.example.ru/hooks/abc/events"

    for _ in range(2):
        assert list(await moysklad.subscribe({"events": url})) == ["events"]

    assert sorted((hook["entityType"], hook["action"]) for hook in simulator.hooks.values()) == [
        ("counterparty", "CREATE"),
        ("counterparty", "UPDATE"),
        ("customerorder", "CREATE"),
        ("customerorder", "DELETE"),
        ("customerorder", "UPDATE"),
    ]


async def test_a_hook_that_was_switched_off_is_switched_on(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    await moysklad.subscribe({"events": "https://hub.example.ru/hooks/abc/events"})
    for hook in simulator.hooks.values():
        hook["enabled"] = False

    await moysklad.subscribe({"events": "https://hub.example.ru/hooks/abc/events"})

    assert len(simulator.hooks) == 5
    assert all(hook["enabled"] for hook in simulator.hooks.values())


async def test_hooks_need_an_administrator_and_a_tariff(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    simulator.admin = False
    with pytest.raises(Trouble):
        await moysklad.subscribe({"events": "https://hub.example.ru/hooks/abc/events"})
    simulator.admin, simulator.paid = True, False
    with pytest.raises(Trouble):
        await moysklad.subscribe({"events": "https://hub.example.ru/hooks/abc/events"})


async def test_an_address_that_is_too_long_for_it(moysklad: MoySklad) -> None:
    with pytest.raises(Impossible, match="255"):
        await moysklad.subscribe({"events": "https://hub.example.ru/" + "a" * 250})


async def test_what_is_not_taken_comes_four_times_with_the_same_id(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    async with open_door() as door:
        await moysklad.subscribe({"events": f"{door.url}/hooks/abc/events"})
        # What others would call taken.
        door.status = 202
        [lost] = await simulator.push("customerorder", simulator.place())
        door.status = 204
        [taken] = await simulator.push("customerorder", simulator.place())

    assert (lost.taken, lost.answers) == (False, [202] * 4)
    assert (taken.taken, taken.answers) == (True, [204])
    assert [len({*door.request_ids[:4]}), len(door.request_ids)] == [1, 5]


async def test_what_the_hub_writes_is_not_told_to_the_hub(
    simulator: MoySkladSimulator, moysklad: MoySklad, http: ShopHttp
) -> None:
    async with open_door() as door:
        muting = built(simulator, http, hub_url=door.url)
        await muting.subscribe({"events": f"{door.url}/hooks/abc/events"})
        await muting.write(decision(simulator.place()))
        await simulator.quiet()
        muted = len(door.request_ids)
        await moysklad.write(decision(simulator.place()))
        await simulator.quiet()

    assert (muted, len(door.request_ids)) == (0, 1)


async def test_its_own_hook_needs_no_setting_to_be_left_out(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    async with open_door() as door:
        hook, other = f"{door.url}/hooks/abc/events", f"{door.url}/hooks/def/events"
        await moysklad.subscribe({"events": hook})
        await moysklad.subscribe({"events": other})
        await moysklad.write(replace(decision(simulator.place()), hooks={"events": hook}))
        await simulator.quiet()

    # Another shop of the account hears what happened.
    assert [told.url for told in simulator.notifications] == [other]


# --- trouble ----------------------------------------------------------------------------------------------------------


async def test_it_says_what_statuses_there_are(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    check = await moysklad.check()

    assert check.ok
    assert "Подтвержден" in check.text


async def test_a_revoked_token(simulator: MoySkladSimulator, moysklad: MoySklad) -> None:
    simulator.token = "another"

    check = await moysklad.check()
    with pytest.raises(Trouble) as trouble:
        await moysklad.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))

    assert not check.ok
    assert trouble.value.code == "credentials"
    assert TOKEN not in f"{check.text} {trouble.value}"


async def test_eleven_calls_in_three_seconds_are_all_a_user_has(
    simulator: MoySkladSimulator, moysklad: MoySklad
) -> None:
    simulator.weight = 4
    for _ in range(11):
        await moysklad.check()

    with pytest.raises(Later) as later:
        await moysklad.fetch(Kind.ORDER, str(uuid4()))

    assert later.value.after > timedelta(0)
    # As many as may go at once, and three seconds of the rate.
    assert (MoySklad.limits.per_second or 99) * 4 <= 11


@pytest.mark.parametrize(
    "fault",
    [Fault(status=502), Fault(status=503), Fault(close=True), Fault(status=200, body="<html>")],
    ids=["502", "503", "closed", "a page"],
)
async def test_an_outage_is_waited_for(
    simulator: MoySkladSimulator, moysklad: MoySklad, fault: Fault
) -> None:
    simulator.fault = fault

    with pytest.raises(Later):
        await moysklad.fetch(Kind.ORDER, str(uuid4()))
