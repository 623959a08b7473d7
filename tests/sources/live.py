"""What tests of a source in a running hub do beside letting the platform call."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from hub.accounts.limits import RateLimits
from hub.events.reading import read_once
from hub.history.running import Importer
from hub.ids import new_id
from hub.queue import connect
from hub.sources.queries import source_of
from tests.sources.conftest import Connected


def hook_address(shop: Connected, url: str) -> str:
    """Of its only hook, in the hub that the test runs."""
    [hook] = shop.source["hooks"]
    return url + urlsplit(str(hook["url"])).path


async def set_up_hooks(shop: Connected, url: str) -> list[bool]:
    """By the hub itself; which of them are there then."""
    shop.simulator.leads = {"https://hub.example": url}
    answer = await shop.api.post(f"/v1/sources/{shop.id}/connect", {})
    assert answer.json["ok"], answer.json["text"]
    return [hook["subscribed"] for hook in answer.json["hooks"]]


async def change(shop: Connected, **fields: Any) -> None:
    """The source, by its admin."""
    answer = await shop.api.call("PATCH", f"/v1/sources/{shop.id}", fields)
    assert answer.status == 200, answer.raw


async def catch_up(shop: Connected) -> int:
    """What has changed, as the hub reads it every few minutes, and applied; how many events were new."""
    added = await read_once(shop.hub, None, source_of(await shop.row()))
    await shop.hub.db.execute("UPDATE source SET read_at = now()")
    await shop.apply()
    return added


async def answer_shelf(shop: Connected, *confirmed: int) -> None:
    """The only open question, line by line, and what follows from it is done. Without numbers: all of it is there."""
    [request] = (await shop.api.get("/v1/stock-requests?status=open")).json["items"]
    counts = confirmed or [line["asked"] for line in request["lines"]]
    lines = [
        {"id": line["id"], "confirmed": count}
        for line, count in zip(request["lines"], counts, strict=True)
    ]
    path = f"/v1/stock-requests/{request['id']}/answer"
    answer = await shop.api.post(path, {"lines": lines, "by": "keeper"})
    assert answer.status == 200, answer.raw
    await shop.apply()


class Unlimited:
    """A platform's own limit would make a test take minutes."""

    async def calls(self, _name: str, _limits: Any, _lane: Any, wanted: int) -> Any:
        return type("Grant", (), {"calls": wanted, "wait": timedelta(0)})


async def take_history(shop: Connected) -> dict[str, Any]:
    """The past of three months, read without a limit; the import as it is shown then."""
    return await _imported(shop, {"months": 3}, Unlimited())


async def take_over(shop: Connected, *kinds: str) -> dict[str, Any]:
    """The history of half a year, read within the platform's limits; the import as it is shown then."""
    redis = connect(shop.hub.settings.hub.redis_url.get_secret_value())
    try:
        return await _imported(shop, {"months": 6, "kinds": list(kinds)}, RateLimits(redis))
    finally:
        await redis.aclose()


async def _imported(shop: Connected, asked: Mapping[str, Any], limits: Any) -> dict[str, Any]:
    begun = await shop.api.post("/v1/imports", {"source": "shop", **asked})
    assert begun.status == 201, begun.raw
    await Importer(shop.hub, new_id(), limits).once()
    shown: dict[str, Any] = (await shop.api.get(f"/v1/imports/{begun.json['id']}")).json
    return shown
