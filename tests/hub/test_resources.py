"""What a role opens: a database that is away is waited for, whenever it goes."""

import asyncio
from collections.abc import Mapping

import pytest

from hub import resources
from hub.config import Settings
from hub.db.pool import Pool
from hub.resources import Hub, open_hub
from hub.shops.registry import Shop, register


@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_a_database_that_breaks_off_while_a_role_opens_is_asked_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    tries = 0

    async def broken_off_once(db: Pool, settings: Settings) -> Mapping[int, Shop]:
        nonlocal tries
        tries += 1
        if tries == 1:
            async with db.acquire() as connection:
                pid = connection.get_server_pid()
                asked = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
                while not asked.done():
                    await hub.db.execute(f"SELECT {how}({pid})")
                    await asyncio.sleep(0.05)
                await asked
        return await register(db, settings)

    monkeypatch.setattr(resources, "register", broken_off_once)

    async with open_hub(hub.settings) as opened:
        assert set(opened.shops) == set(hub.shops)
    assert tries == 2


async def test_what_no_waiting_helps_is_raised(hub: Hub) -> None:
    settings = hub.settings.model_copy(update={"shops": {"nul\0": hub.shop("main").settings}})

    with pytest.raises(Exception, match="invalid byte sequence"):
        async with asyncio.timeout(10), open_hub(settings):
            pass
