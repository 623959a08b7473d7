"""The role as a process: idle without bots, gone when told."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from bots.main import serve
from channels.base import Channel
from hub.config import Account
from hub.resources import Hub, open_hub
from tests import leaks


async def test_without_a_bot_it_waits_quietly(hub: Hub) -> None:
    mail = Account(name="mail", channel=Channel.EMAIL, provider="sandbox")
    shop = hub.shop("other").settings.model_copy(update={"accounts": (mail,)})
    settings = hub.settings.model_copy(update={"shops": {"other": shop}})
    stop = asyncio.Event()

    async with open_hub(settings) as idle:
        role = asyncio.create_task(serve(idle, stop))
        await asyncio.sleep(0)
        assert not role.done()
        stop.set()
        async with asyncio.timeout(5):
            await role


async def test_sigterm_ends_it_in_order(hub: Hub, tmp_path: Path) -> None:
    environ = os.environ | {
        "VESTNIK_DATABASE_URL": hub.settings.hub.database_url.get_secret_value(),
        "VESTNIK_REDIS_URL": hub.settings.hub.redis_url.get_secret_value(),
        "VESTNIK_DATA": str(tmp_path),
        "VESTNIK_SECRET": "only-for-the-tests-of-bots",
    }
    role = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "bots", env=environ, stderr=asyncio.subprocess.PIPE
    )
    assert role.stderr
    async with asyncio.timeout(30):
        line = await role.stderr.readline()
        assert b"bots.started" in line
        role.send_signal(signal.SIGTERM)
        leaks.hear("vestnik bots", (line + await role.stderr.read()).decode())
        assert await role.wait() == 0
