"""The rules that a shop has without making one."""

from hub.config import Notify, OrderStatus, Shop
from hub.contacts.model import Role
from hub.rules import defaults


def test_there_is_one_for_every_status_in_their_order() -> None:
    rules = defaults.of_shop(Shop())

    assert [rule.name for rule in rules] == [f"order.{status}" for status in OrderStatus]
    for rule in rules:
        assert rule.event == rule.template == rule.name
        assert rule.active
        assert rule.built_in
        assert not rule.changed
        assert not rule.delay
        assert rule.condition is None
        assert rule.channels is None


def test_whom_they_tell_is_what_the_settings_say() -> None:
    told = {
        rule.name: "".join(role[0] for role in Role if role in rule.audiences)
        for rule in defaults.of_shop(Shop())
    }

    assert told == {
        "order.placed": "bs",
        "order.awaiting_stock": "b",
        "order.confirmed": "b",
        "order.partially_confirmed": "bs",
        "order.rejected": "bsa",
        "order.paid": "b",
        "order.assembled": "b",
        "order.shipped": "b",
        "order.in_city": "b",
        "order.at_pickup_point": "b",
        "order.delivered": "b",
        "order.returned": "bsw",
        "order.cancelled": "bsw",
    }


def test_settings_of_its_own_count() -> None:
    shop = Shop(notify=Notify(buyer=(), admin=(OrderStatus.SHIPPED,)))

    shipped = defaults.of_event(shop, "order.shipped")
    in_city = defaults.of_event(shop, "order.in_city")

    assert shipped is not None
    assert in_city is not None
    assert shipped.audiences == {Role.ADMIN}
    assert in_city.audiences == frozenset()


def test_nothing_else_has_a_default() -> None:
    assert defaults.of_event(Shop(), "cart.updated") is None
