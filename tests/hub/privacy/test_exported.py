"""An export tells all that the map of personal data says it tells."""

from collections.abc import Iterator
from typing import Any

import orjson

from hub.contacts.personal import PERSONAL
from tests.hub.privacy.life import BUYER, KEEPER, PEOPLE, SELLER, Life

# References to the person are told by what refers to him.
_SECTIONS = {
    "shop_order.buyer_id": (BUYER, "orders"),
    "order_line.seller_id": (SELLER, "sales"),
    "stock_request.seller_id": (SELLER, "sales"),
    "assembly.seller_id": (SELLER, "sales"),
    "warehouse.seller_id": (SELLER, "warehouses"),
    "stock_line.answered_by": (KEEPER, "stock_lines"),
    "stock_answer.contact_id": (KEEPER, "stock_answers"),
    "assembly.assembled_by": (KEEPER, "assemblies"),
}


async def test_every_personal_value_is_in_the_export(life: Life) -> None:
    whole = {p.word: await _exported(life, p.external_id) for p in PEOPLE}
    told = {text for export in whole.values() for text in _texts(export)}

    missing = []
    for table, held in PERSONAL.items():
        for column in held.told:
            if at := _SECTIONS.get(f"{table}.{column}"):
                person, section = at
                if not whole[person.word][section]:
                    missing.append(f"{table}.{column}")
                continue
            values = await _values(life, table, column)
            missing += [f"{table}.{column}: {value}" for value in values if value not in told]

    assert missing == []


async def _exported(life: Life, external_id: str) -> dict[str, Any]:
    answer = await life.api.get(f"/v1/contacts/{external_id}/export")
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


async def _values(life: Life, table: str, column: str) -> list[str]:
    """The texts in it that are one of the people's."""
    shown = f"convert_from({column}, 'UTF8')" if column == "body" else column
    # Receipts of messages that nobody knows, events that name the person in passing, and what others were told of
    # the person's order are nobody's own.
    others = "SELECT id FROM contact WHERE role = 'admin' OR (role = 'warehouse' AND external_id IS NULL)"
    known = {
        "receipt": "delivery_id IS NOT NULL",
        "event": "contact_id IS NOT NULL",
        "shop_event": "contact_id IS NOT NULL",
        "callback_attempt": "event_id IN (SELECT id FROM event WHERE contact_id IS NOT NULL)",
        "notification": f"contact_id NOT IN ({others})",
        "sandbox_message": f"delivery_id IS NULL OR NOT EXISTS (SELECT FROM delivery AS d"
        f" WHERE d.id = delivery_id AND d.contact_id IN ({others}))",
    }
    rows = await life.hub.db.fetch(
        f"SELECT DISTINCT to_jsonb({shown}) AS value FROM {table} WHERE {known.get(table, 'true')}"
    )
    texts = [text for row in rows for text in _texts(row["value"])]
    return [text for text in texts if any(mark in text for mark in life.marks)]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case str():
            yield value
            if value.startswith('{"'):
                yield from _texts(orjson.loads(value))
