"""A site on 1C-Bitrix as the hub sees it: it cannot be asked anything, and our script posts its orders and users."""

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from hub.webhooks import signing
from tests.simulators.base import Simulator

PAYLOADS = Path(__file__).parent.parent / "sources" / "payloads" / "bitrix"

SECRET = "whsec_" + "dmVzdG5pay1iaXRyaXgtc2ltdWxhdG9yLXNlY3JldCE="


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return found


class Bitrix(Simulator):
    """`orders`: as the script tells them, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, dict[str, Any]] = {}

    def routes(self, app: web.Application) -> None:
        """None: nobody asks the site."""

    def add_order(self, id_: str | int, **fields: Any) -> str:
        order = copy.deepcopy(payload("order")["order"])
        # Whole seconds: the next one, so that it is not before a source that was made just now.
        at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="seconds")
        self.orders[str(id_)] = order | {"id": str(id_), "date_insert": at} | fields
        return str(id_)

    def event(self, event: str, id_: str, *, at: datetime | None = None) -> dict[str, Any]:
        occurred = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"event": event, "occurred_at": occurred, "order": self.orders[id_]}

    def signed(
        self,
        body: Mapping[str, Any] | bytes,
        *,
        key: str = "",
        secret: str = SECRET,
        at: datetime | None = None,
    ) -> tuple[dict[str, str], bytes]:
        """Headers and bytes of one post; `key`: its `webhook-id`."""
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        moment = at or datetime.now(UTC)
        headers = signing.headers([secret], key or f"{moment.timestamp():.6f}", moment, raw)
        return {"content-type": "application/json", **headers}, raw
