"""docs/rules.md: what it tells the reader to type is done, as it stands there."""

import re
from pathlib import Path
from typing import Any

import orjson

from hub.api.v1.rules import RuleIn, RuleOut
from hub.config import OrderStatus
from hub.resources import Hub
from hub.rules.condition import Check
from hub.rules.model import EVENTS, MOST
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order
from tests.hub.orders.conftest import Book
from tests.hub.rules.conftest import go

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
CALL = re.compile(r"curl -X (PUT|DELETE) \$HUB(\S+) -H [^\n]*?(?:-d '\n(.*?)')?\n", re.DOTALL)


def calls() -> list[tuple[str, str, Any]]:
    """Method, path and body, with the loop's variable filled in."""
    found: list[tuple[str, str, Any]] = []
    [statuses] = re.findall(r"for status in (.*?); do", PAGE)
    for method, path, body in CALL.findall(PAGE):
        names = statuses.split() if "$status" in path else [""]
        found += [
            (method, path.replace("$status", name), orjson.loads(body) if body else None)
            for name in names
        ]
    return found


async def test_every_command_does_what_it_says(hub: Hub, api: Api, book: Book) -> None:
    assert len(calls()) > 15
    for method, path, body in calls():
        answer = await api.call(method, path, body)
        assert answer.status in (200, 201, 204), (path, answer.raw)

    await api.put("/v1/contacts/boss", {"role": "admin", "addresses": {"email": "b@example.com"}})
    flow = Flow(hub, api)
    await flow.told(an_order("placed", total="60000.00"))
    await flow.told(an_order("at_pickup_point"))
    await go(hub)
    await flow.told({"id": "7", "title": "Чайник", "quantity": "0"}, kind="product")

    told = {(one.template, one.contact) for one in await book.told()}
    assert {("order.placed", "42"), ("order.placed", "boss")} < told
    assert {("pickup.reminder", "42"), ("product.out", "boss")} < told


async def test_each_left_to_itself_is_a_default_again(api: Api) -> None:
    """The page names who hears at first."""
    said = {
        role: {f"order.{status}" for status in re.findall(r"`(\w+)`", statuses)}
        for role, statuses in re.findall(
            r"^\| (buyer|seller|warehouse|admin) \| (.*) \|$", PAGE, re.M
        )
    }
    said["buyer"] = {f"order.{status}" for status in OrderStatus}
    rules = (await api.get("/v1/rules")).json["items"]

    for role, names in said.items():
        assert {rule["name"] for rule in rules if role in rule["audiences"]} == names, role
    assert len(said) == 4


def test_it_has_every_field_event_and_comparison() -> None:
    for name in {*RuleIn.model_fields, *RuleOut.model_fields} - {"name"}:
        assert f"`{name}`" in PAGE, name
    for event in EVENTS:
        kind, _, what = event.partition(".")
        assert f"`{event}`" in PAGE or (f"`.{what}`" in PAGE and kind == "order"), event
    for op in Check.model_json_schema()["properties"]["op"]["enum"]:
        assert f"`{op}`" in PAGE, op
    assert f"{MOST} rules" in PAGE
