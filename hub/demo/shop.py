"""The small shop of the demonstration: who is in it, and what is ordered."""

from typing import Any

from hub.config import Locale
from hub.demo.client import Client
from hub.demo.words import Words

BUYER, ANNA, BORIS = "demo-buyer", "demo-anna", "demo-boris"
TEA, KITCHEN, PAPER = "demo-tea", "demo-kitchen", "demo-paper"
FOREST, HARBOUR = "demo-wh-1", "demo-wh-2"

# Reserved names (RFC 2606) and numbers that belong to nobody in the sandbox.
ADDRESSES: dict[str, dict[str, str]] = {
    BUYER: {"telegram": "900000001", "email": "vera@example.com"},
    ANNA: {"telegram": "900000002"},
    BORIS: {"vk": "900000003"},
    TEA: {"email": "tea@example.com"},
    KITCHEN: {"email": "kitchen@example.com"},
    PAPER: {"email": "paper@example.com"},
}
_STAFF = {ANNA: FOREST, BORIS: HARBOUR}
_SELLERS = (TEA, KITCHEN, PAPER)

LABELS = "https://shop.example/labels/demo.pdf"
TRACKING = "RA123456789RU"


async def load(client: Client, said: Words, locale: Locale) -> None:
    """Safe to repeat: the same people and places each time."""
    for id_, name in said.people.items():
        contact: dict[str, Any] = {
            "name": name,
            "locale": locale,
            "addresses": {"email": None, "telegram": None, "vk": None, **ADDRESSES[id_]},
            "role": "seller" if id_ in _SELLERS else "warehouse" if id_ in _STAFF else "buyer",
        }
        if id_ in _STAFF:
            contact["warehouses"] = [_STAFF[id_]]
        await client.put(f"/v1/contacts/{id_}", contact)
    for id_, name in said.places.items():
        await client.put(f"/v1/warehouses/{id_}", {"name": name})


async def place(client: Client, said: Words, number: str) -> str:
    """The external id of the order. The last line lies with its seller, who has no warehouse."""
    order = f"demo-{number}"
    lines = [
        _line(said, "1", "CH-210", 2, "310.00", TEA, FOREST),
        _line(said, "2", "CH-300", 1, "420.00", TEA, FOREST),
        _line(said, "3", "KT-17", 2, "1990.00", KITCHEN, HARBOUR),
        _line(said, "4", "OT-5", 1, "90.00", PAPER, None),
    ]
    body = {
        "number": number,
        "buyer": {"external_id": BUYER},
        "currency": "RUB",
        "total": "5110.00",
        "lines": lines,
        "delivery": {"method": "pickup"},
    }
    await client.put(f"/v1/orders/{order}", body)
    return order


def _line(
    said: Words, id_: str, sku: str, quantity: int, price: str, seller: str, place: str | None
) -> dict[str, Any]:
    return {
        "id": id_,
        "sku": sku,
        "title": said.goods[sku],
        "quantity": quantity,
        "price": price,
        "seller": {"external_id": seller},
        "warehouse": {"external_id": place} if place else None,
    }
