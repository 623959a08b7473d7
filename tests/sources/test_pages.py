"""docs/sources: what a platform's page tells the reader to type is done as it stands there, against the platform's
simulator, and then a buyer's order comes through."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from hub.resources import Hub
from hub.sources.registry import PLATFORMS
from tests.hub.api.client import Api
from tests.sources.case import SourceCase, cases
from tests.sources.conftest import Connected

PAGES = Path(__file__).parents[2] / "docs" / "sources"
_BLOCK = re.compile(r"^( *)```(?:http|json)?\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_CALL = re.compile(
    r"^(GET|POST|PUT|PATCH|DELETE) (/v1/\S+) *(.*?)(?=^(?:GET|POST|PUT|PATCH|DELETE) /|\Z)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Typed:
    """One call of a page."""

    method: str
    path: str
    body: Any


def typed(platform: str) -> Iterator[Typed]:
    text = (PAGES / f"{platform}.md").read_text(encoding="utf-8")
    for indent, block in _BLOCK.findall(text):
        plain = "\n".join(line.removeprefix(indent) for line in block.splitlines())
        for method, path, rest in _CALL.findall(plain):
            yield Typed(method, path, orjson.loads(rest) if rest.strip() else None)


# The page of a shop of one's own is for a command line, see `test_generic_page.py`.
@pytest.fixture(params=[case for case in cases() if case.platform != "generic"], ids=str)
def case(request: pytest.FixtureRequest) -> SourceCase:
    found: SourceCase = request.param
    return found


def test_every_platform_has_a_page() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} >= {case.platform for case in cases()}
    assert {page.stem for page in PAGES.glob("*.md")} - {"README"} <= set(PLATFORMS)


async def test_the_page_connects_the_shop(case: SourceCase, hub: Hub, api: Api) -> None:
    calls = list(typed(case.platform))
    [first, *others] = [call for call in calls if call.path == "/v1/sources"]
    assert not others, "one source is enough to connect a shop"
    async with case.simulator() as simulator:
        # The address and the credentials are the simulator's; whatever else stands there is meant.
        config = {**first.body["config"], **case.config(simulator)}
        if case.mapping and "mapping" not in first.body:
            first.body["mapping"] = case.mapping
        made = await api.post("/v1/sources", first.body | {"config": config})
        assert made.status == 201, made.raw
        shop = Connected(
            case, simulator, hub, api, UUID(made.json["id"]), made.json, made.json["secret"] or ""
        )

        await shop.hear(case.place(simulator), "created")

        [order] = await shop.statuses()
        assert order in (case.first, "awaiting_stock")
        assert await shop.buyer_heard() == ([f"order.{order}"] if case.buyer else [])
        for call in calls:
            if call.path == "/v1/sources":
                continue
            path = call.path.replace("{id}", str(shop.id))
            answer = await api.call(call.method, path, call.body)
            # Of an order that only the reader has.
            known = not path.startswith("/v1/orders/")
            assert answer.status < 300 or (answer.status == 404 and not known), (path, answer.raw)
