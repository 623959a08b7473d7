"""Ozon: what its pushes come to and how they are answered, what a posting says, reading back."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from hub.config import OrderStatus
from hub.sources.base import Call, Fetches, Purpose, Reads, Trouble, Unreadable, Writes
from hub.sources.http import ShopHttp
from hub.sources.model import Action, CustomerFacts, Kind, OrderFacts
from hub.sources.platforms.ozon import Ozon, OzonConfig
from tests.simulators import shops
from tests.simulators.ozon import API_KEY, CLIENT_ID, OzonSimulator
from tests.sources.alone import ask, objects, order_of, read_all
from tests.sources.case import posted

payload = partial(shops.payload, "ozon")
NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
LONG_AGO = datetime.now(UTC) - timedelta(days=40)


@pytest.fixture
async def simulator() -> AsyncIterator[OzonSimulator]:
    async with OzonSimulator() as simulator:
        yield simulator


@pytest.fixture
def ozon(simulator: OzonSimulator, http: ShopHttp) -> Ozon:
    config = {"client_id": CLIENT_ID, "api_key": API_KEY, "base_url": simulator.url}
    return Ozon(OzonConfig.model_validate(config), http)


def call(said: Any) -> Call:
    return posted("push", said)


class TestHearing:
    @pytest.mark.parametrize(
        ("name", "action"),
        [
            ("new_posting", Action.CREATED),
            ("state_changed", Action.UPDATED),
            ("posting_cancelled", Action.UPDATED),
            ("cutoff_date_changed", Action.UPDATED),
        ],
    )
    def test_a_push_names_a_posting_to_be_read(self, ozon: Ozon, name: str, action: Action) -> None:
        heard = ozon.hear(call(payload(name)), now=NOW)

        [event] = heard.events
        assert (event.kind, event.action) == (Kind.ORDER, action)
        assert (event.object, event.payload, event.ignored) == ("24000001-0001-1", None, "")
        assert json.loads(heard.reply.body) == {"result": True}

    def test_its_time_is_theirs(self, ozon: Ozon) -> None:
        [event] = ozon.hear(call(payload("state_changed")), now=NOW).events

        assert event.happened_at == datetime(2026, 12, 4, 9, 30, 0, 765000, tzinfo=UTC)

    def test_the_same_told_again_has_the_same_key(self, ozon: Ozon) -> None:
        said = payload("state_changed")
        [first] = ozon.hear(call(said), now=NOW).events
        [again] = ozon.hear(call(said), now=NOW + timedelta(hours=1)).events
        [other] = ozon.hear(call(said | {"new_state": "posting_delivered"}), now=NOW).events

        assert first.key == again.key != other.key

    def test_a_late_payment_leaves_the_time_empty(self, ozon: Ozon) -> None:
        [event] = ozon.hear(call(payload("new_posting") | {"in_process_at": ""}), now=NOW).events

        assert event.happened_at is None

    def test_a_ping_has_an_answer_of_its_own(self, ozon: Ozon) -> None:
        heard = ozon.hear(call(payload("ping")), now=NOW)

        assert heard.events == ()
        answer = {"version": "1.0.0", "name": "Vestnik", "time": "2026-12-01T08:00:00Z"}
        assert json.loads(heard.reply.body) == answer

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            (payload("stocks_changed"), "not-a-posting"),
            (payload("fbo_posting_new"), "packed-by-ozon"),
            ({"message_type": "TYPE_ORDER_NEW", "order_number": "1-1"}, "packed-by-ozon"),
            ({"message_type": "TYPE_SOMETHING_NEW"}, "not-a-posting"),
            ({"message_type": "TYPE_STATE_CHANGED"}, "not-a-posting"),
        ],
    )
    def test_what_is_not_ours_is_kept_as_such(self, ozon: Ozon, said: Any, reason: str) -> None:
        heard = ozon.hear(call(said), now=NOW)

        [event] = heard.events
        assert (event.kind, event.ignored) == (None, reason)
        assert json.loads(heard.reply.body) == {"result": True}

    @pytest.mark.parametrize("body", [b"", b"\xff{", b"[]", b"{}", b'"PING"', b"[" * 100_000])
    def test_rubbish_is_refused_as_ozon_wants_it(self, ozon: Ozon, body: bytes) -> None:
        heard = ozon.hear(call(body), now=NOW)

        assert (heard.events, heard.reply.status) == ((), 400)
        assert set(json.loads(heard.reply.body)["error"]) == {"code", "message", "details"}


class TestFacts:
    def test_a_posting_is_an_order(self, ozon: Ozon) -> None:
        facts = order_of(ozon, payload("posting_fbs"))

        assert (facts.id, facts.number) == ("24000001-0001-1", "24000001-0001-1")
        assert facts.parent_id == "24000001-0001"
        assert facts.codes == (("posting_in_pickup_point", "delivering"),)
        assert (facts.currency, facts.total) == ("RUB", Decimal("4880.00"))
        kettle, _ = facts.lines
        assert (kettle.id, kettle.sku, kettle.title) == ("147451959", "KETTLE-1", "Чайник")
        assert (kettle.quantity, kettle.price) == (Decimal(2), Decimal("1990.00"))
        assert kettle.warehouse == "18044249781000"
        assert facts.delivery == {
            "method": "pickup",
            "carrier": "Ozon Логистика",
            "address": "Москва",
            "date": "2026-12-05",
        }
        assert (facts.customer, facts.reason, facts.changed_at) == (None, "", None)

    def test_a_buyer_is_known_where_the_shop_delivers(self, ozon: Ozon) -> None:
        facts = order_of(ozon, payload("posting_rfbs_cancelled"))

        assert facts.customer == CustomerFacts(id="60006", name="Анна Покупателева")
        assert facts.delivery["address"] == "Казань, Примерная улица, 5, кв. 12"
        assert facts.reason == "Покупатель передумал"

    def test_one_that_was_divided_is_not_cancelled(self, ozon: Ozon) -> None:
        divided = {"status": "cancelled_from_split_pending", "substatus": "posting_canceled"}

        facts = order_of(ozon, payload("posting_fbs") | divided)

        [[code]] = facts.codes
        assert ozon.statuses[code] is None

    @pytest.mark.parametrize(
        ("substatus", "stage"),
        [
            ("posting_created", OrderStatus.PLACED),
            ("posting_awaiting_registration", OrderStatus.CONFIRMED),
            ("posting_in_carriage", OrderStatus.ASSEMBLED),
            ("posting_on_way_to_city", OrderStatus.SHIPPED),
            ("posting_on_way_to_pickup_point", OrderStatus.IN_CITY),
            ("posting_in_pickup_point", OrderStatus.AT_PICKUP_POINT),
            ("posting_received", OrderStatus.DELIVERED),
            ("posting_not_in_sort_center", OrderStatus.RETURNED),
            ("posting_canceled", OrderStatus.CANCELLED),
            ("posting_in_arbitration", None),
        ],
    )
    def test_stages(self, ozon: Ozon, substatus: str, stage: OrderStatus | None) -> None:
        assert ozon.statuses[substatus] is stage

    @pytest.mark.parametrize("gone", ["posting_number", "status"])
    def test_what_is_missing_is_named(self, ozon: Ozon, gone: str) -> None:
        said = {name: value for name, value in payload("posting_fbs").items() if name != gone}

        with pytest.raises(Unreadable, match=gone):
            ozon.facts(Kind.ORDER, said)


class TestReading:
    async def test_a_posting_is_read_without_what_must_not_be_kept(
        self, ozon: Ozon, simulator: OzonSimulator
    ) -> None:
        found = await ozon.fetch(Kind.ORDER, simulator.place())

        assert found
        assert isinstance(ozon.facts(Kind.ORDER, found), OrderFacts)
        written = json.dumps(found, ensure_ascii=False)
        assert not [secret for secret in ("Курьеров", "%101", "1500.5") if secret in written]

    async def test_there_may_be_none(self, ozon: Ozon) -> None:
        assert await ozon.fetch(Kind.ORDER, "1-1-1") is None

    async def test_what_changed_is_read_page_by_page(
        self, ozon: Ozon, simulator: OzonSimulator
    ) -> None:
        simulator.page = 2
        numbers = [simulator.place() for _ in range(5)]
        for number in numbers:
            simulator.move(number, "posting_on_way_to_city")

        read = await read_all(ozon, ask())

        assert objects(read) == numbers
        assert [page.more for page in read] == [True, True, True, False]

    async def test_an_old_posting_that_changed_is_among_it(
        self, ozon: Ozon, simulator: OzonSimulator
    ) -> None:
        number = simulator.place(in_process_at=LONG_AGO.isoformat())
        simulator.move(number, "posting_delivered")

        assert objects(await read_all(ozon, ask())) == [number]

    async def test_what_changed_before_is_not(self, ozon: Ozon, simulator: OzonSimulator) -> None:
        number = simulator.place()
        simulator.move(number, "posting_delivered")
        simulator.changed[number] = LONG_AGO

        assert objects(await read_all(ozon, ask())) == []

    async def test_all_that_is_to_be_packed_is_looked_through(
        self, ozon: Ozon, simulator: OzonSimulator
    ) -> None:
        """Although its push is late, and it did not change since."""
        numbers = [simulator.place() for _ in range(205)]
        simulator.changed = dict.fromkeys(numbers, LONG_AGO)

        read = await read_all(ozon, ask())

        assert objects(read) == numbers

    async def test_the_next_reading_begins_where_this_one_began(
        self, ozon: Ozon, simulator: OzonSimulator
    ) -> None:
        before = datetime.now(UTC)
        number = simulator.place()
        [*_, last] = await read_all(ozon, ask())
        simulator.move(number, "posting_delivered")

        again = await read_all(ozon, ask(since=LONG_AGO, position=last.position))

        assert objects(again) == [number]
        assert datetime.fromisoformat(last.position["from"]) < before

    async def test_the_same_posting_unchanged_has_the_same_key(
        self, ozon: Ozon, simulator: OzonSimulator
    ) -> None:
        number = simulator.place()
        first = (await read_all(ozon, ask()))[0].items[0]
        again = (await read_all(ozon, ask()))[0].items[0]
        simulator.move(number, "posting_delivered")
        moved = (await read_all(ozon, ask()))[0].items[0]

        assert first.key == again.key != moved.key

    async def test_history_is_read_in_months(self, ozon: Ozon, simulator: OzonSimulator) -> None:
        old = simulator.place(in_process_at=LONG_AGO.isoformat())
        new = simulator.place(in_process_at=(datetime.now(UTC) - timedelta(days=1)).isoformat())

        since = datetime.now(UTC) - timedelta(days=80)
        read = await read_all(ozon, ask(since=since, purpose=Purpose.HISTORY))

        assert objects(read) == [old, new]
        assert len(read) == 3

    async def test_history_of_just_a_month_is_read_up_to_now(
        self, ozon: Ozon, simulator: OzonSimulator
    ) -> None:
        new = simulator.place()

        since = datetime.now(UTC) - timedelta(days=30)
        read = await read_all(ozon, ask(since=since, purpose=Purpose.HISTORY))

        assert set(objects(read)) == {new}

    async def test_a_wrong_key_is_trouble(self, ozon: Ozon, simulator: OzonSimulator) -> None:
        assert (await ozon.check()).ok
        simulator.key = "another"

        assert not (await ozon.check()).ok
        with pytest.raises(Trouble):
            await ozon.read(ask())


def test_it_can_all_that_it_says(ozon: Ozon) -> None:
    assert isinstance(ozon, Fetches)
    assert isinstance(ozon, Reads)
    assert not isinstance(ozon, Writes)
