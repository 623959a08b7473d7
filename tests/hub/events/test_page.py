"""docs/events.md: what it tells the reader to type is done by a shell, as it stands there."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from hub.sources.model import Result, Via
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "events.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[str]:
    """Each as it is typed; the first block makes `hub`."""
    return [command for block in BLOCKS[1:] for command in re.split(r"\n(?=hub )", block.strip())]


async def typed(api: Api, command: str, **values: str) -> Any:
    """What the shell shows, as JSON."""
    made = BLOCKS[0].split("\n", 1)[1]
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{made}\n{command}"),
        env=os.environ | {"HUB": api.url, "KEY": api.key or ""} | values,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shown, _ = await process.communicate()
    return json.loads(shown)


async def test_every_command_does_what_it_says(flow: Flow, api: Api) -> None:
    made = await api.post("/v1/sources", {"name": "romashka", "platform": "generic"})
    told = await flow.told(an_order("shipped"), source="romashka")
    await flow.hub.db.execute("UPDATE shop_event SET result = 'failed'")
    values = {"EVENT": str(told["id"]), "SOURCE": made.json["id"]}
    refused = {
        # It cannot be read back, and says so.
        "/read": 422,
    }

    assert len(commands()) > 14
    for command in commands():
        shown = await typed(api, command, **values)
        status = next((s for part, s in refused.items() if f'{part}"' in command), None)
        assert shown.get("status") == status or "codes" in str(shown), (command, shown)

    await flow.apply()
    assert (await flow.order())["status"] == "shipped"


@pytest.mark.parametrize("word", [*Result, *Via])
def test_it_has_every_word(word: str) -> None:
    assert f"| `{word}` |" in PAGE


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE):
        assert target.startswith("http") or (DOCS / target).exists(), target
