"""What tests of a source in a running hub do beside letting the platform call."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from hub.events.reading import read_once
from hub.history.running import Importer
from hub.sources import queries
from tests.sources.conftest import Connected


async def read(shop: Connected) -> int:
    """What has changed, as the hub reads it every few minutes."""
    row = await shop.row()
    source = await queries.by_id(shop.hub.db, row["shop_id"], shop.id)
    assert source is not None
    added = await read_once(shop.hub, None, source)
    await shop.apply()
    return added


async def answer_shelf(shop: Connected, *confirmed: int) -> None:
    [request] = (await shop.api.get("/v1/stock-requests?status=open")).json["items"]
    lines = [
        {"id": line["id"], "confirmed": count}
        for line, count in zip(request["lines"], confirmed, strict=True)
    ]
    path = f"/v1/stock-requests/{request['id']}/answer"
    answer = await shop.api.post(path, {"lines": lines, "by": "keeper"})
    assert answer.status == 200, answer.json
    await shop.apply()


class _Unlimited:
    """A platform's own limit would make a test take minutes."""

    async def calls(self, _name: str, _limits: Any, _lane: Any, wanted: int) -> Any:
        return type("Grant", (), {"calls": wanted, "wait": timedelta(0)})


async def take_history(shop: Connected) -> Any:
    """The past of the shop, read by a worker; what is shown of it at the end."""
    begun = await shop.api.post("/v1/imports", {"source": "shop", "months": 3})
    assert begun.status == 201, begun.json
    await Importer(shop.hub, uuid4(), _Unlimited()).once()  # type: ignore[arg-type]
    return (await shop.api.get(f"/v1/imports/{begun.json['id']}")).json
