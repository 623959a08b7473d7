"""The READMEs: their calls are made by a shell, as they stand there."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.hub.api.client import Api

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl"))), reason="runs bash and curl"
)


def calls(readme: str) -> list[str]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    shown = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    return [
        part.strip()
        for part in re.split(r"^(?=curl )|\n\n", shown, flags=re.MULTILINE)
        if part.startswith("curl ")
    ]


async def typed(api: Api, command: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euc", command.replace("http://127.0.0.1:8080", api.url)),
        env={"PATH": os.environ["PATH"], "no_proxy": "*", "KEY": api.key or ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    shown, _ = await process.communicate()
    return json.loads(shown)


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
async def test_every_call_is_answered_as_it_is_told(api: Api, readme: str) -> None:
    send, read, look, connect = calls(readme)

    sent = await typed(api, send)
    assert sent["status"] == "queued"
    assert [(step["channel"], step["address"]) for step in sent["plan"]] == [
        ("email", "anna@example.com"),
        ("sms", "+79991234567"),
    ]
    assert {"channel": "telegram", "reason": "no_address"} in sent["skipped"]
    assert "items" in await typed(api, read)
    looked = await typed(api, look.replace("01a2…", sent["id"]))
    assert (looked["id"], looked["template"]) == (sent["id"], "order.shipped")
    source = await typed(api, connect)
    assert (source["platform"], source["config"]["password"]) == ("insales", "set")
    assert source["hooks"]
