"""What the products of a CS-Cart order are put back as, where a part of them is not on the shelf."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.sources.base import Impossible
from hub.sources.platforms.cscart_fields import by_line, product_id
from hub.sources.values import number, table


def cut(order: Mapping[str, Any], confirmed: Mapping[str, int]) -> dict[str, Any] | None:
    """All products of an order, with no more of each than was confirmed; None: it is so already. Raises `Impossible`.

    Keys are the products' ids, as documented; where one product stands on two lines, with other options, the ids of
    the lines.
    """
    held = by_line(order)
    amounts = {id_: number(row.get("amount")) or Decimal(0) for id_, row in held.items()}
    wanted = {
        id_: min(amount, Decimal(confirmed[id_])) if id_ in confirmed else amount
        for id_, amount in amounts.items()
    }
    if wanted == amounts:
        return None
    if not any(wanted.values()):
        raise Impossible("none of the lines that were confirmed is in the order any more")
    twice = {id_ for id_, n in Counter(product_id(row) for row in held.values()).items() if n > 1}
    return {
        id_ if product_id(row) in twice else product_id(row): _ordered(row, wanted[id_])
        for id_, row in held.items()
        if wanted[id_]
    }


def _ordered(row: Mapping[str, Any], amount: Decimal) -> dict[str, Any]:
    options = table(table(row.get("extra")).get("product_options"))
    taken = {"product_options": options} if options else {}
    return {"product_id": product_id(row), "amount": f"{amount.normalize():f}", **taken}
