"""What a decision of ours changes in an order of WooCommerce. Pure."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Impossible
from hub.sources.model import DecidedLine, Decision
from hub.sources.values import first, money, number, rows, text

# What an order does not come back from: a decision of ours that arrives after it would set it back.
_OVER = frozenset({"completed", "cancelled", "refunded", "failed", "trash"})
# Put into one of these, an unpaid order counts as paid from then on.
_PAID = frozenset({"processing", "completed"})


def changes_of(decision: Decision, order: Mapping[str, Any]) -> dict[str, Any]:
    """What to write, empty where all of it stands there. Raises `Impossible` of an order that is over."""
    held = text(order.get("status")).removeprefix("wc-")
    code = decision.code.removeprefix("wc-")
    changes: dict[str, Any] = {}
    if lines := _fewer(decision, order):
        changes["line_items"] = lines
    if code != held and not (code in _PAID and not _is_paid(order)):
        changes["status"] = code
    if changes and held in _OVER:
        raise Impossible("the order is over in the shop, it is left as it is")
    return changes


def _is_paid(order: Mapping[str, Any]) -> bool:
    return bool(first(order.get("date_paid_gmt"), order.get("date_paid")))


def _fewer(decision: Decision, order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lines of which less is there than was ordered; of an order that is cancelled they stay as they are."""
    if decision.status is not OrderStatus.PARTIALLY_CONFIRMED:
        return []
    held = {text(line.get("id")): line for line in rows(order.get("line_items"))}
    fewer = [line for line in decision.lines if line.confirmed < line.asked and line.id in held]
    return [change for line in fewer if (change := _change(line, held[line.id]))]


def _change(line: DecidedLine, held: Mapping[str, Any]) -> dict[str, Any] | None:
    """None: there are no more of it any more. A quantity alone would leave the line's sums as they were, and with
    them the order's; zero takes the line out."""
    now = number(held.get("quantity"))
    if not now or now <= line.confirmed:
        return None
    change: dict[str, Any] = {"id": held["id"], "quantity": line.confirmed}
    if line.confirmed:
        for name in ("subtotal", "total"):
            whole = money(held.get(name)) or Decimal(0)
            part = (whole * line.confirmed / now).quantize(Decimal("0.01"), ROUND_HALF_UP)
            change[name] = str(part)
    return change
