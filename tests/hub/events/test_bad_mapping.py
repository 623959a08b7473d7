"""A mapping that an earlier version of the hub took and this one would refuse: its source waits, the others go on."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order

# Each step repeats what it is given twice: 2^8 times in all.
REFUSED = " | ".join(["[@, @][]"] * 8)
STORED: Mapping[str, Any] = {"fields": {"order.number": REFUSED}, "statuses": {"sent": "shipped"}}


@pytest.fixture
async def broken(hub: Hub, api: Api) -> dict[str, Any]:
    made = await api.post("/v1/sources", {"name": "old", "platform": "generic"})
    assert made.status == 201, made.raw
    await hub.db.execute(
        "UPDATE source SET mapping = $2 WHERE id = $1", UUID(made.json["id"]), dict(STORED)
    )
    found: dict[str, Any] = made.json
    return found


async def test_the_list_shows_it_as_it_is_and_what_is_wrong(
    api: Api, broken: dict[str, Any]
) -> None:
    await api.post("/v1/sources", {"name": "other", "platform": "generic"})

    listed = await api.get("/v1/sources")
    alone = await api.get(f"/v1/sources/{broken['id']}")

    assert listed.status == 200, listed.raw
    other, shown = listed.json["items"]
    assert other["problem"] == ""
    assert shown == alone.json
    assert shown["mapping"] == STORED
    assert "fields.order.number must not repeat what it is given" in shown["problem"]


async def test_its_events_wait_and_those_of_others_are_applied(
    flow: Flow, broken: dict[str, Any]
) -> None:
    waiting = await flow.tell(an_order("shipped", "1"), source="old")
    other = await flow.told(an_order("shipped", "2"))

    held = await flow.event(waiting["id"])
    assert other["result"] == "applied"
    assert (held["result"], held["reason"]) == ("waiting", "mapping")


async def test_given_another_it_goes_on(
    hub: Hub, api: Api, flow: Flow, broken: dict[str, Any]
) -> None:
    event = await flow.told(an_order("sent", "1"), source="old")
    mapping = {**STORED, "fields": {}}

    preview = await api.post(
        f"/v1/sources/{broken['id']}/preview",
        {"kind": "order", "payload": an_order("sent", "1"), "mapping": mapping},
    )
    changed = await api.call("PATCH", f"/v1/sources/{broken['id']}", {"mapping": mapping})
    await hub.db.execute("UPDATE shop_event SET due_at = now()")
    await flow.apply()

    assert preview.status == 200, preview.raw
    assert preview.json["status"]["target"] == "shipped"
    assert (changed.status, changed.json["problem"]) == (200, "")
    assert (await flow.event(str(event["id"])))["result"] == "applied"
    assert (await flow.order("1"))["status"] == "shipped"


async def test_what_would_come_of_a_payload_is_not_guessed(
    api: Api, broken: dict[str, Any]
) -> None:
    answer = await api.post(
        f"/v1/sources/{broken['id']}/preview", {"kind": "order", "payload": an_order()}
    )

    assert answer.status == 422
    assert "its mapping does not suit this version" in answer.json["detail"]
