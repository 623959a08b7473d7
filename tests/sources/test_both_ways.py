"""What holds for every platform that can be asked or written to: nothing is missed, nothing comes back as news, no
secret is kept."""

from datetime import timedelta

import pytest

from hub.accounts.limits import RateLimits
from hub.history.running import Importer
from hub.ids import new_id
from hub.resources import Hub
from hub.sources.base import Trouble
from hub.sources.registry import platform_class
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive
from tests.sources.case import SourceCase
from tests.sources.conftest import Connected, connected
from tests.sources.live import answer_shelf, catch_up


def _reads(case: SourceCase) -> bool:
    return hasattr(platform_class(case.platform), "read")


def _writes(case: SourceCase) -> bool:
    return bool(platform_class(case.platform).writes_as)


async def test_what_a_hook_missed_is_caught_up_with(shop: Connected) -> None:
    case, order = shop.case, shop.case.place(shop.simulator)
    if not _reads(case):
        pytest.skip("it cannot be read")

    await catch_up(shop)
    _later(shop)
    case.move(shop.simulator, order, case.stages[0])
    await catch_up(shop)

    assert await shop.statuses() == [case.stages[0]]
    heard = await shop.buyer_heard()
    assert heard == ([f"order.{case.first}", f"order.{case.stages[0]}"] if case.buyer else [])

    # The hooks come after all, and it is read once more.
    await shop.hear(order)
    await catch_up(shop)

    assert await shop.buyer_heard() == heard


async def test_bad_credentials_are_told_to_the_admins_once(
    case: SourceCase, hub: Hub, api: Api
) -> None:
    if case.bad_config is None or not _reads(case):
        pytest.skip("it is never asked")
    async with case.simulator() as simulator:
        case.place(simulator)
        config = dict(case.bad_config(simulator))
        shop = await connected(case, simulator, hub, api, config=config)
        with pytest.raises(Trouble) as trouble:
            await catch_up(shop)

    assert not any(str(value) in str(trouble.value) for value in config.values())


async def test_what_is_on_the_shelf_is_written_back_and_its_echo_is_no_news(
    asking: Connected,
) -> None:
    case, shop = asking.case, asking
    if not _writes(case):
        pytest.skip("it cannot be written to")
    order = case.place(shop.simulator)
    await shop.hear(order, "created")
    assert await shop.statuses() == ["awaiting_stock"]

    await answer_shelf(shop)

    [written] = await shop.events(via="write")
    # Some have no word for it: they are written to only where something lacks.
    own = (case.mapping or {}).get("write_back", {})
    has_word = "confirmed" in {*platform_class(case.platform).writes_as, *own}
    expected = ("written", "") if has_word else ("ignored", "no-code")
    assert (written["result"], written["reason"]) == expected
    told = await shop.told()
    assert await shop.statuses() == ["confirmed"]

    await shop.hear(order)

    assert await shop.told() == told
    assert await shop.statuses() == ["confirmed"]
    assert len(await shop.events(via="write")) == 1


async def test_secrets_of_the_platform_are_not_kept(shop: Connected) -> None:
    case, order = shop.case, shop.case.place(shop.simulator)
    await shop.hear(order, "created")
    if _reads(case):
        case.move(shop.simulator, order, case.stages[0])
        await catch_up(shop)

    kept = await _everything(shop.hub)
    config = shop.case.config(shop.simulator)
    sealed = [config[name] for name, shown in shop.source["config"].items() if shown == "set"]

    for secret in [*case.secrets, shop.secret, *map(str, sealed)]:
        assert not secret or secret not in kept


async def _everything(hub: Hub) -> str:
    """All rows of what comes from platforms, as text."""
    found = []
    for table in ("source", "shop_event", "source_object", "shop_order", "order_line", "contact"):
        rows = await hub.db.fetch(f"SELECT t::text AS row FROM {table} AS t")
        found += [row["row"] for row in rows]
    return "\n".join(found)


def _later(shop: Connected) -> None:
    """Many platforms tell whole seconds only: what happens next is of another one."""
    if hasattr(shop.simulator, "later"):
        shop.simulator.later += timedelta(seconds=2)


async def test_history_is_taken_over_and_told_to_nobody(
    case: SourceCase, hub: Hub, api: Api, drive: Drive
) -> None:
    if not _reads(case):
        pytest.skip("it cannot be read")
    async with case.simulator() as simulator:
        order = case.place(simulator)
        case.move(simulator, order, case.stages[0])
        shop = await connected(case, simulator, hub, api)
        started = await api.post("/v1/imports", {"source": "shop", "months": 1})
        assert started.status == 201, started.raw
        importer = Importer(hub, new_id(), RateLimits(drive.redis))
        while await importer.once():
            pass
        run = (await api.get(f"/v1/imports/{started.json['id']}")).json
        assert (run["state"], run["faulty"]) == ("done", 0), run
        assert await shop.statuses() == [case.stages[0]]

        # The first that it tells live, and what is read back, is what is known already.
        await shop.hear(order)
        await catch_up(shop)

        assert await shop.told() == []
        _later(shop)
        case.move(simulator, order, case.stages[1])
        await shop.hear(order)
        assert await shop.buyer_heard() == ([f"order.{case.stages[1]}"] if case.buyer else [])
