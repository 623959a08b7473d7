"""Yandex Market: what its notifications come to, what an order says, reading back, and what may be written."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

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
from hub.sources.model import Action, CustomerFacts, DecidedLine, Decision, Kind, OrderFacts
from hub.sources.platforms.yandex_market import YandexMarket, YandexMarketConfig
from tests.simulators import shops
from tests.simulators.yandex_market import BUSINESS, CAMPAIGN, TOKEN, YandexMarketSimulator
from tests.sources.alone import ask, objects, order_of, read_all, refused
from tests.sources.case import posted

payload = partial(shops.payload, "yandex_market")
NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
async def simulator() -> AsyncIterator[YandexMarketSimulator]:
    async with YandexMarketSimulator() as simulator:
        yield simulator


@pytest.fixture
def market(simulator: YandexMarketSimulator, http: ShopHttp) -> YandexMarket:
    return YandexMarket(config(simulator.url), http)


def config(url: str = "https://market.example", **changes: Any) -> YandexMarketConfig:
    known = {"token": TOKEN, "business_id": BUSINESS, "campaign_id": CAMPAIGN, "base_url": url}
    return YandexMarketConfig.model_validate(known | changes)


def call(said: Any) -> Call:
    return posted("notification", said)


def decision(id_: str, status: OrderStatus, lines: dict[str, tuple[int, int]]) -> Decision:
    decided = tuple(DecidedLine(id_, "", *counts) for id_, counts in lines.items())
    return Decision(id_, status, YandexMarket.writes_as[status], 1, decided)


class TestHearing:
    def test_a_notification_names_an_order_to_be_read(self, market: YandexMarket) -> None:
        heard = market.hear(call(payload("order_created")), now=NOW)

        [event] = heard.events
        assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.CREATED, "50000001")
        assert event.payload is None
        assert event.happened_at == datetime(2026, 12, 1, 7, 0, tzinfo=UTC)
        assert json.loads(heard.reply.body) == {
            "version": "1.0.0",
            "name": "Vestnik",
            "time": "2026-12-01T08:00:00Z",
        }

    def test_the_same_told_again_has_the_same_key(self, market: YandexMarket) -> None:
        said = payload("order_status_updated")
        [first] = market.hear(call(said), now=NOW).events
        [again] = market.hear(call(said), now=NOW + timedelta(hours=1)).events
        [other] = market.hear(call(said | {"status": "DELIVERED"}), now=NOW).events

        assert first.key == again.key != other.key

    def test_a_ping_is_answered_and_comes_to_nothing(self, market: YandexMarket) -> None:
        heard = market.hear(call(payload("ping")), now=NOW)

        assert heard.events == ()
        assert heard.reply.content_type == "application/json"
        assert "time" in json.loads(heard.reply.body)

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            (payload("chat_created"), "not-an-order"),
            ({"notificationType": "SOMETHING_NEW", "orderId": 1}, "not-an-order"),
            (payload("order_created") | {"campaignId": 1002}, "another-shop"),
        ],
    )
    def test_what_is_not_ours_is_kept_as_such(
        self, market: YandexMarket, said: Any, reason: str
    ) -> None:
        [event] = market.hear(call(said), now=NOW).events

        assert (event.kind, event.ignored) == (None, reason)

    @pytest.mark.parametrize("body", [b"", b"\xff{", b"[]", b"{}", b'"PING"', b"[" * 100_000])
    def test_rubbish_is_refused(self, market: YandexMarket, body: bytes) -> None:
        with refused(forged=False):
            market.hear(call(body), now=NOW)


class TestFacts:
    def test_an_order_of_the_markets_own_delivery(self, market: YandexMarket) -> None:
        facts = order_of(market, payload("order_fbs"))

        assert (facts.id, facts.number, facts.currency) == ("50000001", "50000001", "RUB")
        # Points of Plus reach the shop as money, and so does what the delivery cost.
        assert facts.total == Decimal("5029.00")
        assert facts.codes == (
            ("PROCESSING/READY_TO_SHIP", "PROCESSING", "other"),
            ("financial:paid",),
        )
        kettle, cup = facts.lines
        assert (kettle.id, kettle.sku, kettle.title) == ("701", "KETTLE-1", "Чайник")
        # Prices come for all pieces of a line together.
        assert (kettle.quantity, kettle.price) == (Decimal(2), Decimal("1990.00"))
        assert (cup.quantity, cup.price) == (Decimal(3), Decimal("300.00"))
        assert kettle.warehouse == "wh-main"
        assert facts.delivery == {
            "method": "pickup",
            "carrier": "Яндекс Доставка",
            "date": "2026-12-05",
        }
        assert facts.customer is None
        assert facts.changed_at == datetime(2026, 12, 1, 8, 20, tzinfo=UTC)

    def test_a_buyer_is_known_where_the_shop_delivers(self, market: YandexMarket) -> None:
        facts = order_of(market, payload("order_dbs"))

        # The number forwards calls, and to another buyer tomorrow.
        assert facts.customer == CustomerFacts(id="b-31", name="Анна Покупателева")
        assert facts.delivery["address"] == "Казань, Примерная улица, 5, 12"
        assert facts.delivery["tracking"] == "TRACK-1"

    def test_their_phone_is_taken_where_the_shop_wants_it(self, http: ShopHttp) -> None:
        market = YandexMarket(config(buyer_phone=True), http)

        facts = order_of(market, payload("order_dbs"))

        assert facts.customer
        assert facts.customer.phone == "+79990000031"

    @pytest.mark.parametrize(
        ("status", "paid"), [("UNPAID", False), ("PENDING", True), ("CANCELLED", False)]
    )
    def test_prepaid_is_not_yet_paid(self, market: YandexMarket, status: str, paid: bool) -> None:
        facts = order_of(market, payload("order_fbs") | {"status": status})

        assert (("financial:paid",) in facts.codes) is paid

    def test_every_word_of_the_reference_is_known(self, market: YandexMarket) -> None:
        """And a new one is none to be alarmed about."""
        facts = order_of(market, payload("order_fbs") | {"status": "TELEPORTED"})

        assert facts.codes[0][-1] == "other"
        assert market.statuses["other"] is None

    @pytest.mark.parametrize("gone", ["orderId", "status"])
    def test_what_is_missing_is_named(self, market: YandexMarket, gone: str) -> None:
        said = {name: value for name, value in payload("order_fbs").items() if name != gone}

        with pytest.raises(Unreadable, match=gone):
            market.facts(Kind.ORDER, said)


class TestReading:
    async def test_an_order_is_read_without_what_must_not_be_kept(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        id_ = simulator.place()

        found = await market.fetch(Kind.ORDER, id_)

        assert found
        assert isinstance(market.facts(Kind.ORDER, found), OrderFacts)
        written = json.dumps(found, ensure_ascii=False)
        assert not [secret for secret in ("4417", "Курьеров", "Позвоните") if secret in written]

    async def test_the_buyer_is_asked_for_where_the_shop_delivers(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        id_ = simulator.place(programType="DBS")
        simulator.buyers[id_] = {"id": "b-1", "firstName": "Анна", "type": "PERSON"}

        found = await market.fetch(Kind.ORDER, id_)

        assert found
        assert found["buyer"] == {"id": "b-1", "firstName": "Анна"}

    async def test_an_old_order_is_found_by_its_change(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        id_ = simulator.place(creationDate=(datetime.now(UTC) - timedelta(days=50)).isoformat())

        assert await market.fetch(Kind.ORDER, id_)

    @pytest.mark.parametrize("id_", ["1", "", "abc", "9" * 400])
    async def test_there_may_be_none(self, market: YandexMarket, id_: str) -> None:
        assert await market.fetch(Kind.ORDER, id_) is None

    @pytest.mark.parametrize(
        ("status", "substatus"),
        [("UNPAID", "WAITING_USER_INPUT"), ("PLACING", ""), ("CANCELLED", "USER_NOT_PAID")],
    )
    async def test_what_is_no_order_yet_or_never_was_is_none(
        self,
        market: YandexMarket,
        simulator: YandexMarketSimulator,
        status: str,
        substatus: str,
    ) -> None:
        id_ = simulator.place(status=status, substatus=substatus)

        assert await market.fetch(Kind.ORDER, id_) is None
        assert (await market.read(ask())).items == []

    async def test_what_changed_is_read_page_by_page_and_then_no_more(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        simulator.page = 2
        ids = [simulator.place() for _ in range(5)]

        read = await read_all(market, ask())

        assert objects(read) == ids
        assert len(read) == 3
        simulator.orders = {}
        [after] = await read_all(market, ask(position=read[-1].position))
        assert after.items == []

    async def test_a_long_time_is_read_in_months(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        long_ago = (datetime.now(UTC) - timedelta(days=75)).isoformat()
        old = simulator.place(updateDate=long_ago)
        new = simulator.place()

        since = datetime.now(UTC) - timedelta(days=80)
        read = await read_all(market, ask(since=since, purpose=Purpose.HISTORY))

        assert objects(read) == [old, new]
        assert len(read) == 3

    async def test_catching_up_leaves_buyers_to_be_asked_for(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        simulator.place(programType="DBS")

        [caught_up] = (await market.read(ask())).items
        [imported] = (await market.read(ask(purpose=Purpose.HISTORY))).items

        assert caught_up.payload is None
        assert imported.payload

    async def test_too_many_calls_wait(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        simulator.busy = True

        with pytest.raises(Later) as later:
            await market.fetch(Kind.ORDER, "1")

        assert later.value.after >= timedelta(seconds=30)

    async def test_a_wrong_token_is_trouble(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        assert (await market.check()).ok
        simulator.token = "another"

        assert not (await market.check()).ok
        with pytest.raises(Trouble):
            await market.read(ask())


class TestWriting:
    """What the shelf said, told to the Market."""

    @pytest.mark.parametrize(("model", "how"), [("FBS", "boxes"), ("DBS", "items")])
    async def test_fewer_pieces_by_the_way_of_the_model(
        self, market: YandexMarket, simulator: YandexMarketSimulator, model: str, how: str
    ) -> None:
        id_ = simulator.place(programType=model)
        fewer = decision(id_, OrderStatus.PARTIALLY_CONFIRMED, {"701": (2, 1), "702": (3, 0)})

        await market.write(fewer)
        await market.write(fewer)

        assert [what for what, _ in simulator.written] == [how]
        [left] = simulator.orders[id_]["items"]
        assert (left["id"], left["count"]) == (701, 1)

    async def test_nothing_is_taken_out_of_what_is_ready(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        id_ = simulator.place()
        simulator.move(id_, "PROCESSING/READY_TO_SHIP")

        with pytest.raises(Impossible, match="STARTED"):
            await market.write(decision(id_, OrderStatus.PARTIALLY_CONFIRMED, {"701": (2, 1)}))

    async def test_the_markets_own_refusal_is_final(
        self, market: YandexMarket, simulator: YandexMarketSimulator
    ) -> None:
        id_ = simulator.place()
        del simulator.orders[id_]["items"][1]

        with pytest.raises(Impossible):
            await market.write(decision(id_, OrderStatus.PARTIALLY_CONFIRMED, {"701": (2, 1)}))

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            (OrderStatus.REJECTED, ("CANCELLED", "SHOP_FAILED")),
            (OrderStatus.ASSEMBLED, ("PROCESSING", "READY_TO_SHIP")),
        ],
    )
    async def test_a_status_is_written_once(
        self,
        market: YandexMarket,
        simulator: YandexMarketSimulator,
        status: OrderStatus,
        state: tuple[str, str],
    ) -> None:
        id_ = simulator.place()

        await market.write(decision(id_, status, {}))
        await market.write(decision(id_, status, {}))

        held = simulator.orders[id_]
        assert (held["status"], held["substatus"]) == state
        assert len(simulator.written) == 1


def test_it_can_all_that_it_says(market: YandexMarket) -> None:
    assert isinstance(market, Fetches)
    assert isinstance(market, Reads)
    assert isinstance(market, Writes)
