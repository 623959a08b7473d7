"""What tests of a source in a running hub do beside letting the platform call."""

from hub.events.reading import read_once
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
