"""What a decision of ours changes in an order of InSales. Pure."""

from collections.abc import Mapping
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Impossible
from hub.sources.model import Decision
from hub.sources.platforms.insales_objects import PAID
from hub.sources.values import number, rows, table, text

_CUSTOM = "custom:"
# What an order does not come back from: a decision of ours that arrives after it would set it back.
_OVER = frozenset({"dispatched", "delivered", "declined", "returned"})


def changes_of(decision: Decision, order: Mapping[str, Any]) -> dict[str, Any]:
    """What to write, empty where all of it stands there. Raises `Impossible` of an order that is over."""
    changes = _status(decision.code, order)
    if lines := _fewer(decision, order):
        changes["order_lines_attributes"] = lines
    if changes and text(order.get("fulfillment_status")) in _OVER:
        raise Impossible("the order is over in the shop, it is left as it is")
    return changes


def _status(code: str, order: Mapping[str, Any]) -> dict[str, Any]:
    if code.startswith(_CUSTOM):
        name, wanted = "custom_status_permalink", code.removeprefix(_CUSTOM)
        held = table(order.get("custom_status")).get("permalink")
    elif code == PAID:
        name, wanted, held = "financial_status", "paid", order.get("financial_status")
    else:
        name, wanted, held = "fulfillment_status", code, order.get("fulfillment_status")
    return {} if text(held) == wanted else {name: wanted}


def _fewer(decision: Decision, order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lines of which less is there than was ordered; of an order that is cancelled they stay as they are."""
    if decision.status is not OrderStatus.PARTIALLY_CONFIRMED:
        return []
    held = {text(line.get("id")): line for line in rows(order.get("order_lines"))}
    changes: list[dict[str, Any]] = []
    for line in decision.lines:
        if line.confirmed >= line.asked or line.id not in held:
            continue
        now = number(held[line.id].get("quantity"))
        if not now or now <= line.confirmed:
            continue
        change = {"id": held[line.id]["id"], "quantity": line.confirmed}
        changes.append(change if line.confirmed else change | {"_destroy": True})
    return changes
