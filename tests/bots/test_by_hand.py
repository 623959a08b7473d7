"""docs/stock.md: an order's way by hand is what a shell does with it, as it stands there."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hub.config import HubSettings
from tests.bots.messengers import InSandbox
from tests.bots.scene import Scene, playing, until

PAGE = Path(__file__).parents[2].joinpath("docs", "stock.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
ANNA = "123456789"


@pytest.fixture
async def scene(hub_database: str, redis_url: str) -> AsyncIterator[Scene]:
    base = HubSettings(
        database_url=SecretStr(hub_database),
        redis_url=SecretStr(redis_url),
        secret=SecretStr("only-for-the-tests-of-the-stock-loop"),
    )
    async with playing(base, InSandbox()) as scene:
        yield scene


def commands() -> list[str]:
    """Each as it is typed; the first block makes `hub`."""
    return [command for block in BLOCKS[1:] for command in re.split(r"\n(?=hub )", block.strip())]


async def typed(scene: Scene, command: str, **values: str) -> Any:
    """What the shell shows, as JSON."""
    made = BLOCKS[0].split("\n", 1)[1]
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{made}\n{command}"),
        env=os.environ | {"HUB": scene.api.url, "KEY": scene.api.key or ""} | values,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shown, _ = await process.communicate()
    return json.loads(shown)


async def _with_button(scene: Scene, button: str) -> str:
    """Anna's message that has it."""
    found: list[str] = []

    async def there() -> bool:
        kept = await scene.api.get(f"/v1/sandbox/messages?channel=telegram&to={ANNA}")
        found[:] = [
            message["id"]
            for message in kept.json["items"]
            if any(one["text"] == button for row in message["buttons"] for one in row)
        ]
        return bool(found)

    await until(there)
    return found[0]


async def _values(scene: Scene, command: str) -> dict[str, str]:
    """What the reader has to fill in."""
    if "$MESSAGE" in command:
        [button] = re.findall(r'"button": "([^"]+)"', command)
        return {"MESSAGE": await _with_button(scene, button)}
    if "$REQUEST" in command:
        [request] = (await scene.api.get("/v1/stock-requests?status=open")).json["items"]
        return {"REQUEST": request["id"]}
    return {}


async def test_an_order_goes_its_way_by_what_stands_there(scene: Scene) -> None:
    assert len(commands()) > 20
    for command in commands():
        shown = await typed(scene, command, **await _values(scene, command))
        assert not str(shown.get("type", "")).startswith("urn:"), (command, shown)
        if expected := re.search(r"# ([a-z_]+)$", command):

            async def so(command: str = command, status: str = expected[1]) -> bool:
                return bool((await typed(scene, command))["status"] == status)

            await until(so)

    first, second = await scene.details("1001"), await scene.details("1002")
    assert [one["status"] for one in first["history"] if not one["late"]] == [
        *("placed", "awaiting_stock", "confirmed", "paid", "assembled", "shipped", "delivered")
    ]
    assert first["labels_url"] == "https://shop.example/labels/1001.pdf"
    assert second["stock_requests"][-1]["reason"] == "cancelled"
