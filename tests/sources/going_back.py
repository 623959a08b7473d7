"""What a test does to have a source read back: what was missed, and its history."""

from hub.accounts.limits import RateLimits
from hub.events.reading import read_once
from hub.history.running import Importer
from hub.ids import new_id
from hub.queue import connect
from hub.sources.queries import source_of
from tests.sources.conftest import Connected


async def catch_up(shop: Connected) -> int:
    """One turn, applied; how many events were new."""
    added = await read_once(shop.hub, None, source_of(await shop.row()))
    await shop.hub.db.execute("UPDATE source SET read_at = now()")
    await shop.apply()
    return added


async def take_over(shop: Connected, *kinds: str) -> dict[str, object]:
    """The history of half a year; the import as it is shown then."""
    body = {"source": "shop", "months": 6, "kinds": list(kinds)}
    run = (await shop.api.post("/v1/imports", body)).json
    redis = connect(shop.hub.settings.hub.redis_url.get_secret_value())
    try:
        await Importer(shop.hub, new_id(), RateLimits(redis)).once()
    finally:
        await redis.aclose()
    shown: dict[str, object] = (await shop.api.get(f"/v1/imports/{run['id']}")).json
    return shown
