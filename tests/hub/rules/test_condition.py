"""Conditions: what they say of an order, and what is wrong with one that could never hold."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from hub.rules import condition
from hub.rules.condition import Condition, ConditionIn
from hub.sources.model import Kind

READ: TypeAdapter[Condition] = TypeAdapter(ConditionIn)

FACTS: Mapping[str, Any] = {
    "order": {
        "number": "1001",
        "total": Decimal("4990.00"),
        "pieces": 3,
        "delivery": {"method": "pickup", "address": "Москва, Лесная, 5", "carrier": ""},
        "lines": [{"sku": "A-1", "quantity": 2}, {"sku": "B-7", "quantity": 1}],
        "labels_url": None,
    },
    "contact": {
        "role": "buyer",
        "attributes": {
            "vip": True,
            "visits": 7,
            "born": "1990-05-01",
            "tags": ["gold", "tea-club"],
            "since": datetime(2026, 12, 1, 10, tzinfo=UTC),
            "note": "",
        },
    },
    "source": "romashka",
}


def read(given: Any) -> Condition:
    return READ.validate_json(orjson.dumps(given))


def ask(field: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


@pytest.mark.parametrize(
    ("field", "op", "value", "holds"),
    [
        # Text, as it is written.
        ("order.delivery.method", "=", "pickup", True),
        ("order.delivery.method", "=", "Pickup", False),
        ("order.delivery.method", "!=", "courier", True),
        ("order.delivery.method", "!=", "pickup", False),
        ("order.delivery.method", "in", ["post", "pickup"], True),
        ("order.delivery.method", "in", ["post", "courier"], False),
        ("order.delivery.address", "contains", "москва", True),
        ("order.delivery.address", "contains", "Тула", False),
        ("source", "=", "romashka", True),
        ("order.number", "=", "01001", False),
        ("order.number", "=", 1001, True),
        # Money, however it is written.
        ("order.total", "=", "4990", True),
        ("order.total", "=", 4990.0, True),
        ("order.total", ">", "500", True),
        ("order.total", ">", "10000", False),
        ("order.total", ">=", "4990.00", True),
        ("order.total", "<=", 4990, True),
        ("order.total", "<", 4990, False),
        ("order.pieces", ">=", 3, True),
        ("order.pieces", "<", 3, False),
        ("contact.attributes.visits", ">", "6.5", True),
        # Times.
        ("contact.attributes.born", "<", "2000-01-01", True),
        ("contact.attributes.born", ">", "2000-01-01", False),
        ("contact.attributes.since", "=", "2026-12-01T13:00:00+03:00", True),
        ("contact.attributes.since", ">=", "2026-12-01T13:00:01+03:00", False),
        # What cannot be compared is not so.
        ("order.delivery.method", "<", 5, False),
        ("contact.attributes.vip", ">", 0, False),
        # Yes and no are no numbers and no words.
        ("contact.attributes.vip", "=", True, True),
        ("contact.attributes.vip", "=", 1, False),
        ("contact.attributes.vip", "=", "true", False),
        # Of a list one item is enough, and it is the whole item.
        ("order.lines.sku", "=", "B-7", True),
        ("order.lines.sku", "!=", "B-7", False),
        ("order.lines.sku", "in", ["C-1", "A-1"], True),
        ("order.lines.quantity", ">", 1, True),
        ("contact.attributes.tags", "contains", "gold", True),
        ("contact.attributes.tags", "contains", "tea", False),
        # What is not known is nothing, be it null, empty or not there.
        ("order.delivery.method", "exists", None, True),
        ("order.labels_url", "exists", None, False),
        ("order.delivery.carrier", "exists", None, False),
        ("order.delivery.tracking", "exists", None, False),
        ("order.delivery.tracking", "=", "x", False),
        ("order.delivery.tracking", "!=", "x", False),
        ("contact.attributes.note", "!=", "x", False),
        ("order.number.more", "exists", None, False),
    ],
)
def test_a_comparison(field: str, op: str, value: Any, holds: bool) -> None:
    assert condition.holds(read(ask(field, op, value)), FACTS) is holds
    assert condition.holds(read({"not": ask(field, op, value)}), FACTS) is not holds


def test_without_a_condition_everything_holds() -> None:
    assert condition.holds(None, {})


def test_all_any_and_not_together() -> None:
    yes, no = ask("order.total", ">", 1), ask("order.total", "<", 1)

    def holds(given: Any) -> bool:
        return condition.holds(read(given), FACTS)

    assert holds({"all": [yes, yes]})
    assert not holds({"all": [yes, no]})
    assert holds({"any": [no, yes]})
    assert not holds({"any": [no, no]})
    assert holds({"all": [yes, {"not": {"any": [no, {"all": [yes, no]}]}}]})


@pytest.mark.parametrize(
    "given",
    [
        ask("order.total", "in", ["500", 4990, True]),
        {"all": [ask("source", "exists"), {"not": {"any": [ask("order.total", "<", 5)]}}]},
    ],
)
def test_it_is_kept_as_it_was_given(given: Any) -> None:
    kept = condition.shown(read(given))

    assert kept == given
    assert condition.read(orjson.dumps(kept)) == (read(given), "")


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        (ask("order total", "exists"), "field", "must be a way to a value"),
        (ask("orders.total", "exists"), "field", "must be a way to a value"),
        (ask("order.total", "~", 1), "op", "should be"),
        (ask("order.total", "="), "", "takes one value"),
        (ask("order.total", "=", [1]), "", "takes one value"),
        (ask("order.total", "in", 1), "", "takes a list"),
        (ask("order.total", "exists", 1), "", "takes no value"),
        (ask("order.total", "<", "much"), "", "takes a number or a time"),
        (ask("order.total", "<", "NaN"), "", "takes a number or a time"),
        ({"all": []}, "all", "must have 1 to 50 items"),
        ({"any": [ask("source", "exists")] * 51}, "any", "must have 1 to 50 items"),
        ({"any": [{"all": [ask("source", "exists")] * 26}] * 2}, "", "more than 50 comparisons"),
        ({"all": [ask("source", "exists")], "or": 1}, "or", "Extra inputs"),
        ({}, "op", "required"),
        ("order.total > 500", "", "an object"),
    ],
)
def test_a_fault_is_named_with_its_place(given: Any, place: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(given)

    [*_, last] = [error for error in caught.value.errors() if words in error["msg"]]
    # The names in angles are of the union's members.
    steps = [str(step) for step in last["loc"] if not str(step).startswith("<")]
    assert "/".join(steps) == place


def test_it_may_be_five_levels_deep() -> None:
    deep: Any = ask("source", "exists")
    for _ in range(4):
        deep = {"not": deep}

    assert condition.holds(read(deep), FACTS)
    with pytest.raises(ValidationError, match="deeper than 5 levels"):
        read({"not": deep})


@pytest.mark.parametrize(
    ("kind", "field", "is_known"),
    [
        (Kind.ORDER, "order.total", True),
        (Kind.ORDER, "order.delivery.method", True),
        (Kind.ORDER, "contact.attributes.city", True),
        (Kind.ORDER, "source", True),
        (Kind.ORDER, "order.totl", False),
        (Kind.ORDER, "order", False),
        (Kind.ORDER, "cart.total", False),
        (Kind.ORDER, "source.name", False),
        (Kind.CART, "cart.total", True),
        (Kind.CART, "order.total", False),
        (Kind.CUSTOMER, "contact.locale", True),
        (Kind.CUSTOMER, "contact.email", False),
        (Kind.PRODUCT, "product.quantity", True),
        (Kind.PRODUCT, "contact.role", False),
    ],
)
def test_a_field_that_nothing_of_the_kind_has_is_told(
    kind: Kind, field: str, is_known: bool
) -> None:
    given = read({"all": [ask("source", "exists"), {"not": ask(field, "exists")}]})

    faults = condition.strange(given, kind)

    assert [at for at, _ in faults] == ([] if is_known else ["/all/1/not/field"])


def test_what_has_to_be_looked_up_is_told_by_the_roots() -> None:
    given = read({"any": [ask("order.total", "exists"), {"not": ask("source", "exists")}]})

    assert condition.roots(given) == {"order", "source"}
    assert condition.roots(None) == frozenset()
