"""What a shop sets up itself: statuses, fields, paths."""

import time
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from hub.config import OrderStatus
from hub.sources.mapping import SourceMapping, overridden, status_of
from hub.sources.model import CustomerFacts, Kind, LineFacts, OrderFacts
from hub.sources.paths import compile_path

STATUSES = {
    "new": OrderStatus.PLACED,
    "sent": OrderStatus.SHIPPED,
    "financial:paid": OrderStatus.PAID,
    "trash": None,
}


def mapping(**fields: Any) -> SourceMapping:
    return SourceMapping.model_validate(fields)


@pytest.mark.parametrize(
    ("codes", "target", "unknown"),
    [
        ([["new"]], OrderStatus.PLACED, ()),
        ([["new"], ["financial:paid"]], OrderStatus.PAID, ()),
        ([["financial:paid"], ["sent"]], OrderStatus.SHIPPED, ()),
        # The first of a chain that is known counts.
        ([["custom:x", "sent"]], OrderStatus.SHIPPED, ()),
        ([["trash"]], None, ()),
        ([["strange", "odd"], ["new"]], OrderStatus.PLACED, ("strange",)),
        ([], None, ()),
    ],
)
def test_statuses(
    codes: list[list[str]], target: OrderStatus | None, unknown: tuple[str, ...]
) -> None:
    mapped = status_of(codes, mapping(), STATUSES)

    assert (mapped.target, mapped.unknown) == (target, unknown)


def test_the_shops_own_map_counts_first() -> None:
    own = mapping(statuses={"sent": "in_city", "strange": None})

    assert status_of([["sent"], ["strange"]], own, STATUSES).target is OrderStatus.IN_CITY
    assert status_of([["strange"]], own, STATUSES).unknown == ()


def test_paid_is_told_beside_what_is_further() -> None:
    assert status_of([["financial:paid"], ["sent"]], mapping(), STATUSES).paid


ORDER = OrderFacts("7", "7", (("new",),), (LineFacts("1", "Kettle", Decimal(1)),))


def test_the_shops_own_paths_are_read_over_the_platforms() -> None:
    own = mapping(
        fields={
            "order.delivery.tracking": "fields_values[?handle=='track'].value | [0]",
            "order.total": "sum",
            "order.status": "stage",
            "customer.attributes.city": "shipping.city",
            "customer.email": "client.mail",
            "customer.tags": "labels",
        }
    )
    payload = {
        "fields_values": [{"handle": "x", "value": "no"}, {"handle": "track", "value": "RA1"}],
        "sum": "3980",
        "stage": "sent",
        "shipping": {"city": "Томск"},
        "client": {"mail": "a@example.com"},
        "labels": "vip, wholesale",
    }

    facts = overridden(Kind.ORDER, payload, ORDER, own)

    assert isinstance(facts, OrderFacts)
    assert facts.delivery == {"tracking": "RA1"}
    assert (facts.total, facts.codes) == (Decimal("3980.00"), (("sent",),))
    assert facts.customer == CustomerFacts(
        email="a@example.com", attributes={"city": "Томск"}, tags=("vip", "wholesale")
    )


def test_where_a_path_finds_nothing_the_platforms_word_stays() -> None:
    own = mapping(fields={"order.number": "nothing.here", "order.status": "nor.here"})

    assert overridden(Kind.ORDER, {"a": 1}, ORDER, own) == ORDER


def test_paths_of_other_kinds_are_not_read() -> None:
    own = mapping(fields={"product.title": "name"})

    assert overridden(Kind.ORDER, {"name": "x"}, ORDER, own) == ORDER


@pytest.mark.parametrize(
    "fields",
    [
        {"fields": {"order.nothing": "a"}},
        {"fields": {"customer.attributes.": "a"}},
        {"fields": {"order.total": "a["}},
        {"fields": {"order.total": "nosuch(a)"}},
        {"fields": {"order.total": ""}},
        {"statuses": {"sent": "dispatched"}},
        {"overwrite": {"default": "sometimes"}},
        {"stock": "maybe"},
        {"unknown": 1},
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SourceMapping.model_validate(fields)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("order.items[].sku", ["A", "B"]),
        ("order.items[0].sku", "A"),
        ("'text'", "text"),
        ("to_number(order.sum)", 7),
        ("join(',', order.nothing)", None),
        ("order.nothing.at.all", None),
    ],
)
def test_paths(path: str, expected: Any) -> None:
    payload = {"order": {"items": [{"sku": "A"}, {"sku": "B"}], "sum": "7"}}

    assert compile_path(path).get(payload) == expected


@pytest.mark.parametrize(
    "path",
    [
        "[@,@][]" + "|[@,@][]" * 22,
        "|".join(["[@,@]"] * 30),
        "|".join(["{a:@,b:@}"] * 30),
        "[[@,@],[@,@]][]|" * 8 + "@",
        "[*].[@,@]|" * 20 + "@",
        "map(&[@,@],@)|" * 20 + "@",
        "[@,@]|" * 20 + "to_string(@)",
        "[@,@]|" * 20 + "[?@==`1`]",
        "sort_by(@,&([@,@]" + "|[@,@]" * 20 + "))",
        "*.[@,@]|" * 20 + "@",
    ],
)
def test_a_path_that_multiplies_is_refused_without_being_tried(path: str) -> None:
    began = time.process_time()

    with pytest.raises(ValueError, match="must not repeat what it is given"):
        compile_path(path)

    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "path",
    [
        "{number: id, lines: items[].{title: name, sku: sku, price: price}, name: join(' ', [a, b])}",
        "[customer, recipient, buyer][?@] | [0].{name: name, email: email, phone: phone, city: address.city}",
        "items[].[sku, name][] | join(', ', @)",
        "{" + ",".join(f"f{n}: f{n}" for n in range(40)) + "}",
        "not_null(" + ",".join("{a:a,b:b,c:c,d:d,e:e,f:f}" for _ in range(4)) + ")",
    ],
)
def test_a_path_may_make_objects_and_lists_of_what_it_finds(path: str) -> None:
    compile_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "join(long, many)",
        "[@,@][]|[@,@][]|[@,@][]|[@,@][]|[@,@][].many[]",
        "many[?contains(`[1]`, @)] | [?@] | [?@] | [?@]",
        "[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|to_string(@)",
        "[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|@",
        "[many,many][].[many]",
    ],
)
def test_looking_has_an_end(path: str) -> None:
    payload = {"long": "x" * 300_000, "many": ["y"] * 60_000}
    began = time.process_time()

    assert not compile_path(path).get(payload)

    assert time.process_time() - began < 5


def test_all_paths_of_a_payload_look_together() -> None:
    fields = {f"customer.attributes.a{n}": f"many[?@!='{n}']" for n in range(100)}
    payload = {"many": ["y"] * 20_000}
    began = time.process_time()

    overridden(Kind.CUSTOMER, payload, CustomerFacts(), mapping(fields=fields))

    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "path",
    ["order.sum < `1`", "ceil(to_number('inf'))", "order.items[::0]", "contains('a', `1`)"],
)
def test_what_python_itself_cannot_do_finds_nothing(path: str) -> None:
    assert compile_path(path).get({"order": {"sum": "7", "items": [1]}}) is None


def test_a_path_that_is_nested_too_deeply_is_none() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        compile_path("!" * 499 + "a")


def test_a_path_that_is_none_says_where() -> None:
    with pytest.raises(ValueError, match="is not a path"):
        compile_path("order.items[")
    with pytest.raises(ValueError, match="Unknown function"):
        compile_path("nosuch(order)")
    with pytest.raises(ValueError, match="Unknown function"):
        compile_path("order[].[a || nosuch(b)]")
    with pytest.raises(ValueError, match="takes 2 values, not 1"):
        compile_path("join(order)")
    for path in ("&a", "[&a]", "not_null(&a)", "a || &b"):
        with pytest.raises(ValueError, match="& is for"):
            compile_path(path)
    assert compile_path("sort_by(a, &b)").get({"a": [{"b": 2}, {"b": 1}]}) == [{"b": 1}, {"b": 2}]
