"""The tick and the clocks: it takes back what dead workers held, and not what living ones hold."""

import asyncio
from datetime import timedelta
from time import monotonic

import pytest

from hub.accounts.limits import RateLimits
from hub.notifications import claims, tick
from hub.notifications.steps import Due
from hub.notifications.tick import Tick
from hub.resources import Hub
from tests.hub.notifications.conftest import Drive, Shop
from tests.hub.notifications.test_delivery import text
from tests.hub.notifications.test_meanwhile import RESTED


async def test_when_the_databases_clock_jumps_the_living_renew_their_leases_first(
    hub: Hub, shop: Shop, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine slept, or its clock was set: by that clock every lease has run out at once."""
    handed: list[Due] = []

    async def hand_out(due: list[Due]) -> None:
        handed.extend(due)

    id_ = (await shop.send(**text("email")))["id"]
    [row] = await drive.rows(id_)
    await claims.claim(hub.db, [row["id"]], drive.worker)
    slept = 0.0
    monkeypatch.setattr(tick, "monotonic", lambda: monotonic() - slept)
    ticking = Tick(hub, RateLimits(drive.redis), hand_out)
    async with hub.db.acquire() as connection:
        await ticking._turn(connection)
        # Ours stands still meanwhile, as it does in a sleep.
        monkeypatch.setattr(tick, "_JUMP", timedelta(seconds=1))
        began = monotonic()
        await asyncio.sleep(2)
        slept = monotonic() - began
        await hub.db.execute(RESTED)
        ticking._last.clear()
        await ticking._turn(connection)

        assert (await drive.rows(id_))[0]["status"] == "sending"
        # Whoever does not renew it by then is dead.
        slept -= tick._GRACE_AFTER_A_JUMP.total_seconds() + 1
        ticking._last.clear()
        await ticking._turn(connection)

    assert (await drive.rows(id_))[0]["status"] == "queued"
    assert [due.id for due in handed] == [row["id"]]
