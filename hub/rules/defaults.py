"""The rules that every shop has without making one: its order's statuses, told to whom its settings name. Pure."""

from collections.abc import Mapping, Sequence

from hub.config import Notify, OrderStatus
from hub.config import Shop as ShopSettings
from hub.contacts.model import Role
from hub.rules.model import Rule

NAMES: Mapping[str, OrderStatus] = {f"order.{status}": status for status in OrderStatus}


def of_shop(settings: ShopSettings) -> list[Rule]:
    """One for each status, in the order in which they follow; of one that nobody hears the audiences are none."""
    return [_default(name, settings.notify) for name in NAMES]


def of_event(settings: ShopSettings, event: str) -> Rule | None:
    """A default's name is its event."""
    return _default(event, settings.notify) if event in NAMES else None


def audiences(status: OrderStatus, notify: Notify) -> frozenset[Role]:
    """Who hears that an order has this status."""
    heard: Mapping[Role, Sequence[OrderStatus]] = {
        Role.BUYER: notify.buyer,
        Role.SELLER: notify.seller,
        Role.WAREHOUSE: notify.warehouse,
        Role.ADMIN: notify.admin,
    }
    return frozenset(role for role, statuses in heard.items() if status in statuses)


def _default(name: str, notify: Notify) -> Rule:
    heard = audiences(NAMES[name], notify)
    return Rule(name=name, event=name, audiences=heard, template=name, built_in=True)
