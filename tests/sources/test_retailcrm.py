"""retailCRM: a trigger's call, orders and customers in the hub's words, the history of changes, a status written back."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import BadHook
from hub.config import OrderStatus
from hub.sources.base import (
    Call,
    Fetches,
    Impossible,
    Later,
    Purpose,
    Reads,
    Trouble,
    Unreadable,
    Writes,
)
from hub.sources.http import ShopHttp
from hub.sources.model import Action, CustomerFacts, Decision, Kind, OrderFacts
from hub.sources.platforms.retailcrm import RetailCrm, RetailCrmConfig
from tests.simulators import shops
from tests.simulators.retailcrm import API_KEY, RetailCrmSimulator
from tests.sources.alone import ask, objects, order_of, read_all, refused
from tests.sources.case import posted

payload = partial(shops.payload, "retailcrm")
NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SECRET = "whsec_q+Pz/Nn3m0Gq1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q="


@pytest.fixture
async def simulator() -> AsyncIterator[RetailCrmSimulator]:
    async with RetailCrmSimulator() as simulator:
        yield simulator


@pytest.fixture
def crm(simulator: RetailCrmSimulator, http: ShopHttp) -> RetailCrm:
    return RetailCrm(config(simulator.url), http, secret=SECRET)


def config(url: str, **changes: Any) -> RetailCrmConfig:
    return RetailCrmConfig.model_validate({"base_url": url, "api_key": API_KEY} | changes)


def call(said: Any, *, key: str | None = SECRET, query: dict[str, str] | None = None) -> Call:
    headers = {} if key is None else {"x-vestnik-key": key}
    return posted("events", said, headers, query or {})


class TestHearing:
    def test_a_trigger_names_an_order_to_be_read(self, crm: RetailCrm) -> None:
        [event] = crm.hear(call(payload("trigger")), now=NOW).events

        assert (event.kind, event.object, event.payload) == (Kind.ORDER, "5001", None)

    def test_or_a_customer(self, crm: RetailCrm) -> None:
        [event] = crm.hear(call({"customer_id": 31}), now=NOW).events

        assert (event.kind, event.object) == (Kind.CUSTOMER, "31")

    def test_the_key_may_stand_in_the_address(self, crm: RetailCrm) -> None:
        """Where somebody forgot to escape its plus signs, too."""
        asked = call(payload("trigger"), key=None, query={"key": SECRET.replace("+", " ")})

        assert crm.hear(asked, now=NOW).events

    @pytest.mark.parametrize("key", [None, "", "whsec_x", SECRET[:-1], "\udcff"])
    def test_without_the_key_nobody_is_heard(self, crm: RetailCrm, key: str | None) -> None:
        with refused(forged=True):
            crm.hear(call(payload("trigger"), key=key), now=NOW)

    def test_no_secret_is_no_open_door(self, http: ShopHttp) -> None:
        crm = RetailCrm(config("https://crm.example"), http, secret="")

        with pytest.raises(BadHook):
            crm.hear(call(payload("trigger"), key=""), now=NOW)

    def test_a_body_without_a_time_is_no_repeat_of_the_one_before(self, crm: RetailCrm) -> None:
        later = NOW + timedelta(hours=1)
        [first] = crm.hear(call({"order_id": 5001}), now=NOW).events
        [second] = crm.hear(call({"order_id": 5001}), now=later).events
        timed = {"order_id": 5001, "changed_at": "2026-12-01 10:00:00"}
        [third] = crm.hear(call(timed), now=NOW).events
        [again] = crm.hear(call(timed), now=later).events

        assert first.key != second.key
        assert third.key == again.key
        assert third.happened_at == datetime(2026, 12, 1, 7, 0, tzinfo=UTC)

    @pytest.mark.parametrize("body", [b"", b"\xff{", b"[]", b"{}", b"[" * 100_000])
    def test_rubbish_is_refused(self, crm: RetailCrm, body: bytes) -> None:
        with refused(forged=False):
            crm.hear(call(body), now=NOW)


class TestFacts:
    def test_an_order(self, crm: RetailCrm) -> None:
        facts = order_of(crm, payload("order"))

        assert (facts.id, facts.number) == ("5001", "5001A")
        assert facts.codes == (("delivering",), ("financial:paid",))
        assert (facts.currency, facts.total) == ("RUB", Decimal("4780.50"))
        kettle, cup = facts.lines
        assert (kettle.id, kettle.sku, kettle.title) == ("701", "KETTLE-1", "Чайник")
        assert (kettle.quantity, kettle.price) == (Decimal(2), Decimal("1940.25"))
        assert (cup.sku, cup.title) == ("o-2", "Чашка")
        assert kettle.warehouse == "main-store"
        assert facts.customer == CustomerFacts(
            id="31",
            name="Анна Петровна Покупателева",
            email="anna@example.com",
            phone="+7 (999) 000-00-31",
        )
        assert facts.delivery == {
            "method": "pickup",
            "carrier": "Самовывоз",
            "tracking": "TRACK-1",
            "address": "Москва, Примерная улица, 5",
            "date": "2026-12-03",
        }
        # Times are told in the account's zone.
        assert facts.created_at == datetime(2026, 12, 1, 7, 0, tzinfo=UTC)

    def test_a_firm_is_not_the_person_who_orders(self, crm: RetailCrm) -> None:
        firm = {"customer": {"type": "customer_corporate", "id": 77}}

        facts = order_of(crm, payload("order") | firm)

        assert facts.customer
        assert (facts.customer.id, facts.customer.email) == ("", "anna@example.com")

    def test_a_customer(self, crm: RetailCrm) -> None:
        facts = crm.facts(Kind.CUSTOMER, payload("customer"))

        assert isinstance(facts, CustomerFacts)
        assert (facts.id, facts.name) == ("31", "Анна Петровна Покупателева")
        assert (facts.email, facts.phone) == ("anna@example.com", "+7 (999) 000-00-31")
        assert (facts.tags, facts.subscribed) == (("vip",), {"email": False})

    def test_who_has_not_left_has_not_said_yes(self, crm: RetailCrm) -> None:
        said = payload("customer") | {"emailMarketingUnsubscribedAt": None}

        facts = crm.facts(Kind.CUSTOMER, said)

        assert isinstance(facts, CustomerFacts)
        assert facts.subscribed == {}

    @pytest.mark.parametrize("gone", ["id", "status"])
    def test_what_is_missing_is_named(self, crm: RetailCrm, gone: str) -> None:
        said = {name: value for name, value in payload("order").items() if name != gone}

        with pytest.raises(Unreadable, match=gone):
            crm.facts(Kind.ORDER, said)


class TestReading:
    async def test_an_order_is_read_without_what_must_not_be_kept(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        found = await crm.fetch(Kind.ORDER, simulator.place())

        assert found
        assert isinstance(crm.facts(Kind.ORDER, found), OrderFacts)
        written = json.dumps(found, ensure_ascii=False)
        secrets = ("Скидку", "Домофон", "2000.5", "900")
        assert not [secret for secret in secrets if secret in written]

    @pytest.mark.parametrize("id_", ["1", "", "abc", "../users"])
    async def test_there_may_be_none(self, crm: RetailCrm, id_: str) -> None:
        assert await crm.fetch(Kind.ORDER, id_) is None

    async def test_another_site_is_somebody_elses(
        self, simulator: RetailCrmSimulator, http: ShopHttp
    ) -> None:
        crm = RetailCrm(config(simulator.url, site="main"), http, secret=SECRET)
        mine, other = simulator.place(), simulator.place(site="second")

        assert await crm.fetch(Kind.ORDER, mine)
        assert await crm.fetch(Kind.ORDER, other) is None
        assert objects(await read_all(crm, ask())) == [mine]

    async def test_what_changed_is_read_once_however_often_it_did(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        ids = [simulator.place() for _ in range(3)]
        for status in ("availability-confirmed", "delivering"):
            simulator.move(ids[0], status)

        read = await read_all(crm, ask())

        assert sorted(objects(read)) == ids
        [changed] = [item for item in read[0].items if item.object == ids[0]]
        assert changed.payload
        assert changed.payload["status"] == "delivering"

    async def test_the_next_reading_goes_on_where_this_one_ended(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        ids = [simulator.place() for _ in range(130)]

        read = await read_all(crm, ask())
        simulator.move(ids[5], "complete")
        after = await read_all(crm, ask(position=read[-1].position))
        nothing = await read_all(crm, ask(position=after[-1].position))

        assert sorted(objects(read)) == ids
        assert objects(after) == [ids[5]]
        assert objects(nothing) == []
        assert nothing[-1].position == after[-1].position

    async def test_what_was_deleted_is_told(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        id_ = simulator.place()
        simulator.drop(id_)

        [item] = (await crm.read(ask())).items

        assert (item.action, item.object, item.payload) == (Action.DELETED, id_, None)

    async def test_history_comes_page_by_page_with_its_count(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        simulator.place(createdAt="2026-01-01 10:00:00")
        ids = [simulator.place() for _ in range(130)]

        read = await read_all(crm, ask(purpose=Purpose.HISTORY))

        assert sorted(objects(read)) == ids
        assert [page.total for page in read] == [130, 130]

    async def test_customers_are_read_too(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        simulator.customers["31"] = payload("customer")

        found = await crm.fetch(Kind.CUSTOMER, "31")
        since = datetime(2026, 1, 1, tzinfo=UTC)
        read = await read_all(crm, ask(kind=Kind.CUSTOMER, purpose=Purpose.HISTORY, since=since))

        assert found
        assert "marginSumm" not in found
        assert objects(read) == ["31"]

    async def test_too_many_calls_wait(self, crm: RetailCrm, simulator: RetailCrmSimulator) -> None:
        simulator.busy = True

        with pytest.raises(Later):
            await crm.fetch(Kind.ORDER, "5001")

    async def test_a_wrong_key_is_trouble(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        assert (await crm.check()).ok
        simulator.key = "another"

        assert not (await crm.check()).ok
        with pytest.raises(Trouble):
            await crm.read(ask())


class TestWriting:
    async def test_a_status_is_written_once(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        id_ = simulator.place()
        told = Decision(id_, OrderStatus.CONFIRMED, "availability-confirmed", 1, ())

        await crm.write(told)
        await crm.write(told)

        assert simulator.written == [{"status": "availability-confirmed"}]
        assert simulator.orders[id_]["status"] == "availability-confirmed"

    async def test_a_status_that_the_account_has_not_is_refused(
        self, crm: RetailCrm, simulator: RetailCrmSimulator
    ) -> None:
        told = Decision(simulator.place(), OrderStatus.CONFIRMED, "strange", 1, ())

        with pytest.raises(Impossible):
            await crm.write(told)


def test_a_zone_must_be_one() -> None:
    with pytest.raises(ValidationError, match="time zone"):
        config("https://crm.example", timezone="Mars/Base")


def test_it_can_all_that_it_says(crm: RetailCrm) -> None:
    assert isinstance(crm, Fetches)
    assert isinstance(crm, Reads)
    assert isinstance(crm, Writes)
