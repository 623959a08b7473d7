"""The page of the generic source: its examples, run as they stand there."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.resources import Hub
from tests.hub.api.client import Api
from tests.sources.conftest import apply_all

PAGE = Path(__file__).parents[2] / "docs" / "sources" / "generic.md"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "openssl", "od"))), reason="runs curl and openssl"
)


async def run(block: str, variables: Mapping[str, str]) -> Any:
    """What the block prints, which is JSON."""
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", block),
        env={"PATH": os.environ["PATH"], "no_proxy": "*", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, wrong = await shell.communicate()
    assert shell.returncode == 0, wrong
    return json.loads(out)


async def test_every_example_works(hub: Hub, api: Api, url: str) -> None:
    signed = await api.post("/v1/sources", {"name": "signed", "platform": "generic"})
    variables = {
        "HUB": url,
        "KEY": api.key or "",
        "SECRET": signed.json["secret"],
        "SIGNED_HOOK": here(signed.json, url),
    }
    names = {"site": "HOOK", "erp": "ERP_HOOK"}
    answers = []
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL):
        answer = await run(block, variables)
        if "hooks" in answer:
            variables[names[answer["name"]]] = here(answer, url)
        else:
            answers.append(answer)

    assert [answer.get("accepted", answer.get("duplicate")) for answer in answers] == [
        *(False, False),
        *(1, 1, 2, 1),
        *(1, 1),
    ]
    await apply_all(hub)
    rows = await hub.db.fetch("SELECT result, reason, payload FROM shop_event ORDER BY id")
    assert [(row["result"], row["reason"]) for row in rows] == [("applied", "")] * 9
    assert not any("password_hint" in json.dumps(row["payload"]) for row in rows)
    orders = await hub.db.fetch("SELECT external_id, status FROM shop_order ORDER BY external_id")
    assert [tuple(row) for row in orders] == [
        ("1042", "shipped"),
        ("1043", "paid"),
        ("1044", "shipped"),
        ("1045", "placed"),
        ("2001", "shipped"),
    ]


def here(source: Mapping[str, Any], url: str) -> str:
    """The source's hook at the hub of this test."""
    return url + re.sub(r"^https?://[^/]+", "", source["hooks"][0]["url"])
