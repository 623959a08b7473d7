"""A CS-Cart shop with the add-on's own code in it, a php process for each request."""

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.integrations.php import run
from tests.simulators.cscart import payload

ADDON = Path(__file__).parents[2] / "integrations" / "cscart" / "app" / "addons" / "vestnik"
_STUBS = Path(__file__).parent / "cscart_stubs.php"


@dataclass
class Shop:
    """Each call is one request of its own, as in PHP; the database stays."""

    db: Path
    settings: dict[str, str]
    orders: dict[str, Any] = field(default_factory=dict)
    users: dict[str, Any] = field(default_factory=dict)
    shipments: dict[str, Any] = field(default_factory=dict)

    def order(self, id_: str, **fields: Any) -> None:
        self.orders[id_] = payload("order") | {"order_id": id_} | fields

    async def install(self) -> None:
        orders = "CREATE TABLE ?:orders (order_id int, status text, is_parent_order text)"
        await self.request(queries=[*queries("install"), orders])

    async def request(self, *hooks: list[Any], **more: Any) -> tuple[str, str]:
        """What the page says, and what was logged."""
        given = {
            "db": str(self.db),
            "addon": str(ADDON),
            "settings": self.settings,
            "orders": self.orders,
            "users": self.users,
            "shipments": self.shipments,
            "hooks": hooks,
        }
        return await run(_STUBS, given | more)

    async def cron(self, *, key: str = "cron-key", mode: str = "flush") -> dict[str, Any]:
        out, _ = await self.request(dispatch=mode, key=key)
        found: dict[str, Any] = json.loads(out)
        return found

    async def query(self, statement: str) -> None:
        """As time passes, or an administrator does something, between two requests."""
        with sqlite3.connect(self.db) as database:
            database.execute(statement)
        database.close()


def queries(when: str) -> list[str]:
    """The statements of addon.xml, as the platform runs them."""
    root = ElementTree.parse(ADDON / "addon.xml").getroot()
    return [item.text or "" for item in root.iterfind("queries/item") if item.get("for") == when]


# Of a checkout both are called; the second with more arguments than the add-on looks at.
def checkout(id_: str, to: str = "O") -> list[list[Any]]:
    return [
        ["place_order", id_, "", "N", {"products": {}}, {}],
        ["change_order_status_post", id_, to, "N", {}, True, {}, []],
    ]
