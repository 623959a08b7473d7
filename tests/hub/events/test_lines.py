"""What a platform's order comes to before it is put: pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from hub.config import OrderStatus
from hub.contacts.model import Contact
from hub.errors import Unprocessable
from hub.events.apply import is_quiet, is_stale
from hub.events.model import Claimed
from hub.events.objects import Known
from hub.events.orders import as_order_in, news, settled, target, undone
from hub.events.people import patch
from hub.orders.model import Line, Order
from hub.sources.mapping import SourceMapping
from hub.sources.model import Action, CustomerFacts, Kind, LineFacts, OrderFacts, Source, Via

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
ID = UUID(int=7)


def source(**changes: Any) -> Source:
    fields: dict[str, Any] = {
        "id": ID,
        "shop_id": 1,
        "name": "site",
        "platform": "generic",
        "active": True,
        "config": {},
        "sealed": b"",
        "hook_version": 1,
        "id_prefix": "x-",
        "seller": "x-shop",
        "warehouse": None,
        "mapping": SourceMapping(),
        "mapping_fault": "",
        "mapping_stored": {},
        "write_back": False,
        "tell_within": timedelta(days=1),
        "quiet_before": NOW - timedelta(days=30),
        "poll_every": None,
        "cursors": {},
        "read_at": None,
        "paused_until": None,
        "problem": "",
        "write_problem": "",
        "unknown_codes": (),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Source(**{**fields, **changes})


def order_facts(*lines: LineFacts, **changes: Any) -> OrderFacts:
    lines = lines or (LineFacts("1", "Kettle", Decimal(2), price=Decimal("10")),)
    return replace(OrderFacts("7", "R-7", (("shipped",),), lines), **changes)


def order_in(facts: OrderFacts, **of_source: Any) -> Any:
    sellers = {line.id: "x-shop" for line in facts.lines}
    return as_order_in(facts, source(**of_source), sellers, None, None)


def held(*lines: Line, status: OrderStatus = OrderStatus.PLACED) -> Order:
    lines = lines or (held_line(),)
    return Order(
        id=ID,
        shop_id=1,
        external_id="x-7",
        number="R-7",
        status=status,
        told_status=status,
        buyer_id=None,
        buyer=None,
        currency="RUB",
        total=None,
        delivery={},
        labels_url=None,
        revision=0,
        created_at=NOW,
        updated_at=NOW,
        lines=lines,
    )


def held_line(id_: str = "1", quantity: int = 2, **changes: Any) -> Line:
    line = Line(id_, "", "Kettle", quantity, None, None, ID, "x-shop", None, None)
    return replace(line, **changes)


class TestOrderIn:
    def test_what_is_not_said_is_left_out(self) -> None:
        given = order_in(order_facts())

        assert given.model_fields_set == {"number", "lines"}
        assert given.lines[0].price == Decimal("10.00")

    def test_parts_of_pieces_are_whole_ones_and_what_was_taken_out_is_out(self) -> None:
        lines = (LineFacts("1", "Cloth", Decimal("1.2")), LineFacts("2", "Thread", Decimal(0)))

        [line] = order_in(order_facts(*lines)).lines

        assert (line.id, line.quantity) == ("1", 2)

    def test_lines_of_one_name_are_told_apart(self) -> None:
        lines = (LineFacts("1", "A", Decimal(1)), LineFacts("1", "B", Decimal(1)))

        assert [line.id for line in order_in(order_facts(*lines)).lines] == ["1", "1-2"]

    def test_what_cannot_be_shown_is_dropped_and_stops_nothing(self) -> None:
        line = LineFacts(
            "\n1 ", "", Decimal(1), sku="S" * 300, price=Decimal(-1), image_url="javascript:x"
        )
        facts = order_facts(line, currency="XX1", total=Decimal(-5), labels_url="ftp://x")

        given = order_in(facts)

        [shown] = given.lines
        assert (shown.id, shown.title, len(shown.sku)) == ("1", "S" * 300, 100)
        assert (shown.price, shown.image_url) == (None, None)
        assert (given.currency, given.total, given.labels_url) == (None, None, None)

    def test_an_order_of_nothing_is_none(self) -> None:
        with pytest.raises(Unprocessable):
            order_in(order_facts(LineFacts("1", "A", Decimal(0))))

    def test_the_sources_place_is_that_of_lines_that_name_none(self) -> None:
        lines = (LineFacts("1", "A", Decimal(1)), LineFacts("2", "B", Decimal(1), warehouse="w"))

        given = order_in(order_facts(*lines), warehouse="wh-1")

        assert [line.warehouse.external_id for line in given.lines] == ["wh-1", "x-w"]


class TestEcho:
    def test_a_quantity_that_we_wrote_is_not_ordered_less(self) -> None:
        given = order_in(order_facts(LineFacts("1", "Kettle", Decimal(1))))

        assert undone(held(), given, {"lines": {"1": 1}}).lines[0].quantity == 2

    def test_a_line_that_we_wrote_off_stays(self) -> None:
        before = held(held_line("1"), held_line("2"))
        given = order_in(order_facts(LineFacts("1", "Kettle", Decimal(2))))

        after = undone(before, given, {"lines": {"1": 2, "2": 0}})

        assert [(line.id, line.quantity) for line in after.lines] == [("1", 2), ("2", 2)]

    def test_what_the_shop_changed_itself_counts(self) -> None:
        given = order_in(order_facts(LineFacts("1", "Kettle", Decimal(5))))

        assert undone(held(), given, {"lines": {"1": 1}}).lines[0].quantity == 5


def test_a_line_stays_with_its_seller_and_place() -> None:
    before = held(held_line(seller="vendor-7", warehouse="wh-7"))

    [line] = settled(before, order_in(order_facts()), order_facts()).lines

    assert line.seller.external_id == "vendor-7"
    assert line.warehouse
    assert line.warehouse.external_id == "wh-7"


class TestTarget:
    @pytest.mark.parametrize(
        ("codes", "order", "asks", "expected"),
        [
            (["paid"], None, True, ("placed", "paid")),
            (["confirmed"], None, True, ("placed", None)),
            (["paid"], None, False, ("paid", None)),
            (["shipped"], None, True, ("shipped", None)),
            (["paid"], held(status=OrderStatus.AWAITING_STOCK), True, (None, "paid")),
            (["confirmed"], held(status=OrderStatus.AWAITING_STOCK), True, ("confirmed", None)),
            (["rejected"], held(status=OrderStatus.AWAITING_STOCK), True, ("rejected", None)),
            (["paid"], held(status=OrderStatus.CONFIRMED), True, ("paid", None)),
            ([], None, True, (None, None)),
        ],
    )
    def test_who_answers_for_the_shelf(
        self,
        codes: list[str],
        order: Order | None,
        asks: bool,
        expected: tuple[str | None, str | None],
    ) -> None:
        found = target(codes, source(), order, asks=asks)

        assert (found.status, found.held) == expected

    def test_a_platform_that_confirms_by_itself_does_not_end_the_question(self) -> None:
        woo = source(platform="woocommerce")
        asked = held(status=OrderStatus.AWAITING_STOCK)

        assert target(["processing"], woo, asked, asks=True).status is None
        assert target(["processing", "financial:paid"], woo, asked, asks=True).held == "paid"
        assert target(["completed"], woo, asked, asks=True).status is OrderStatus.DELIVERED

    def test_a_shop_that_looks_itself_is_believed(self) -> None:
        as_told = source(mapping=SourceMapping(stock="as_told"))

        assert target(["paid"], as_told, None, asks=True).status is OrderStatus.PAID

    def test_a_word_counts_once(self) -> None:
        before = Known(codes=("placed", "paid"))

        assert news([["placed"], ["paid"], ["shipped"], ["odd"]], before, source()) == (
            ["shipped"],
            ("odd",),
        )


class TestQuiet:
    def claimed(self, **changes: Any) -> Claimed:
        fields: dict[str, Any] = {
            "id": ID,
            "shop_id": 1,
            "source": source(),
            "kind": Kind.ORDER,
            "action": Action.UPDATED,
            "object": "7",
            "via": Via.HOOK,
            "happened_at": NOW,
            "received_at": NOW,
            "payload": {},
            "quiet": False,
            "tries": 1,
            "worker": ID,
        }
        return Claimed(**{**fields, **changes})

    def test_news_is_told(self) -> None:
        assert not is_quiet(NOW, self.claimed(), order_facts(), None)

    def test_what_is_older_than_the_shop_wants_is_not(self) -> None:
        late = self.claimed(happened_at=NOW - timedelta(hours=25))

        assert is_quiet(NOW, late, order_facts(), None)

    def test_what_was_before_the_source_is_not(self) -> None:
        connected = source(quiet_before=NOW - timedelta(minutes=5))
        before = self.claimed(source=connected, happened_at=NOW - timedelta(minutes=10))

        assert is_quiet(NOW, before, order_facts(), None)

    def test_an_order_of_before_is_news_only_once_it_is_known(self) -> None:
        old = order_facts(created_at=NOW - timedelta(days=31))

        assert is_quiet(NOW, self.claimed(), old, None)
        assert not is_quiet(NOW, self.claimed(), old, Known(order_id=ID))

    def test_without_a_time_it_is_when_it_came(self) -> None:
        assert not is_quiet(NOW, self.claimed(happened_at=None), order_facts(), None)

    def test_what_is_newer_was_there_first(self) -> None:
        before = Known(changed_at=NOW)

        assert is_stale(before, NOW - timedelta(seconds=1))
        assert not is_stale(before, NOW)
        assert not is_stale(None, NOW)


class TestPatch:
    def contact(self, **changes: Any) -> Contact:
        return replace(Contact(ID, "42", name="Anna", attributes={"tags": ["old"]}), **changes)

    def test_what_is_said_is_taken_over(self) -> None:
        facts = CustomerFacts("42", "Анна", "A@Example.com", "8 999 123-45-67", "ru_RU")

        given = patch(None, facts, source())

        assert given.name == "Анна"
        assert given.locale == "ru"
        assert given.addresses
        assert given.addresses.phone
        assert given.addresses.phone.value == "+79991234567"

    def test_a_phone_is_read_as_people_type_it(self) -> None:
        given = patch(None, CustomerFacts("42", phone="375 29 123-45-67"), source())

        assert given.addresses
        assert given.addresses.phone
        assert given.addresses.phone.value == "+375291234567"

    def test_what_is_not_said_or_wrong_clears_nothing(self) -> None:
        given = patch(self.contact(), CustomerFacts("42", email="none", phone="call me"), source())

        assert given.model_fields_set == set()

    @pytest.mark.parametrize(
        ("rule", "written"), [("always", True), ("if_empty", False), ("never", False)]
    )
    def test_what_may_be_written_over(self, rule: str, written: bool) -> None:
        mapping = SourceMapping.model_validate({"overwrite": {"fields": {"name": rule}}})

        given = patch(self.contact(), CustomerFacts("42", name="Anya"), source(mapping=mapping))

        assert (given.name == "Anya") is written

    def test_tags_are_added_and_never_taken_away(self) -> None:
        mapping = SourceMapping(tags=("site",))

        given = patch(self.contact(), CustomerFacts("42", tags=("vip",)), source(mapping=mapping))

        assert given.attributes == {"tags": ["old", "site", "vip"]}

    def test_whoever_left_stays_away(self) -> None:
        left = self.contact(consents={"marketing": {"email": "unsubscribed"}})
        facts = CustomerFacts("42", subscribed={"email": True, "sms": True, "pigeon": True})

        given = patch(left, facts, source())

        assert given.consents
        assert set(given.consents.marketing or {}) == {"sms"}
