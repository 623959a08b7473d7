"""Running the shop systems' add-ons under php, and where they post to."""

import asyncio
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.simulators.base import Simulator

PHP = shutil.which("php")
_NEEDED = {"curl", "pdo_sqlite", "json"}


@cache
def missing() -> str:
    """What the tests of add-ons lack here; empty: nothing."""
    if not PHP:
        return "there is no php here: apt-get install php-cli php-curl php-sqlite3"
    told = subprocess.run([PHP, "-m"], capture_output=True, text=True, check=True).stdout.split()
    lacking = ", ".join(sorted(_NEEDED - set(told)))
    return f"php lacks {lacking}" if lacking else ""


async def run(stubs: Path, request: dict[str, Any]) -> tuple[str, str]:
    """One request of the shop's: what the page says, and what was logged."""
    assert PHP
    process = await asyncio.create_subprocess_exec(
        PHP,
        str(stubs),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, logged = await asyncio.wait_for(process.communicate(json.dumps(request).encode()), 30)
    assert process.returncode == 0, (out, logged)
    return out.decode(), logged.decode()


class Receiver(Simulator):
    """Where an add-on posts to: keeps what came, and says what it was told to say."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 200

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/hooks/token/events", self._take)

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posts.append((headers, await request.read()))
        return web.Response(status=self.status)
