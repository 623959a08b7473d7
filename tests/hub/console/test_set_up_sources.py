"""Sources, events and rules in the console."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hub.operators.model import Right, Role
from hub.resources import Hub
from hub.rules import queries as rules
from hub.sources import queries
from hub.sources.base import Trouble
from tests.hub.api.client import Api
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor
from tests.hub.events.conftest import Flow, an_order, flow, settings
from tests.hub.events.toy import World, at_hand

__all__ = ["flow", "settings"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with at_hand(monkeypatch) as world:
        yield world


async def _toy(api: Api) -> str:
    """The path of its page."""
    answer = await api.post("/v1/sources", {"name": "toy", "platform": "toy", "config": {}})
    return f"/set-up/sources/{answer.json['id']}"


async def test_a_shop_is_connected_by_a_form(hub: Hub, console: Console) -> None:
    listed = await console.get("/set-up/sources")
    page = await console.get(listed.links["retailCRM"])
    filled: dict[str, Any] = {
        "s-base_url": "https://shop.retailcrm.example",
        "s-api_key": "very-secret",
    }
    made = await console.send(page.form("/new/retailcrm"), name="crm", **filled)

    [source] = await queries.page(hub.db, hub.shop("main").id, before=None, limit=9)
    assert (source.name, source.platform) == ("crm", "retailcrm")
    assert "crm" in made.title
    assert "set, hidden" in made.text
    assert "very-secret" not in made.html


async def test_what_does_not_fit_is_said_at_its_field(hub: Hub, console: Console) -> None:
    wrong = await console.post("/set-up/sources/new/retailcrm", name="C R M")

    assert wrong.status == 422
    assert "Small Latin letters" in wrong.text
    assert "is required" in wrong.text
    assert await queries.page(hub.db, hub.shop("main").id, before=None, limit=9) == []
    assert (await console.get("/set-up/sources/new/nonsense")).status == 404


@pytest.mark.usefixtures("world")
async def test_a_source_is_tested_read_and_paused(hub: Hub, api: Api, console: Console) -> None:
    path = await _toy(api)
    page = await console.get(path)

    connected = await console.send(page.form("/connect"))
    read = await console.send(page.form("/read"))
    paused = await console.send(page.form("/active"))
    refused = await console.send(page.form("/read"))

    assert "a toy shop" in connected.text
    assert "connected" in connected.text
    assert "It is read within seconds" in read.text
    assert "Turned off" in paused.text
    assert refused.status == 409
    assert await hub.db.fetchval("SELECT active FROM source WHERE name = 'toy'") is False
    gone = await console.send(paused.form("/remove"))
    assert "toy" not in gone.links


async def test_why_a_platform_refuses_is_shown(
    hub: Hub, api: Api, console: Console, world: World
) -> None:
    path = await _toy(api)
    world.faults["check"] = Trouble("rights", "the key may not read orders")
    await hub.db.execute("UPDATE source SET problem = 'no rights', unknown_codes = '{weird}'")

    page = await console.send((await console.get(path)).form("/connect"))
    listed = await console.get("/set-up/sources")
    todo = await console.get("/set-up")

    assert "the key may not read orders" in page.text
    assert "no rights" in listed.text
    assert "weird" in listed.text
    assert "A source does not answer" in todo.text
    assert "weird" in todo.text


@pytest.mark.usefixtures("world")
async def test_a_mapping_of_an_earlier_version_is_told_of(
    hub: Hub, api: Api, console: Console
) -> None:
    path = await _toy(api)
    await hub.db.execute(
        "UPDATE source SET mapping = $1, unknown_codes = '{weird}'", {"fields": {"order.x": "a["}}
    )

    listed = await console.get("/set-up/sources")
    page = await console.get(path)
    todo = await console.get("/set-up")

    for shown in (listed, page, todo):
        assert "fields.order.x" in shown.text
    # Saved from here, it would lose what the form does not show.
    assert not [form for form in page.forms if form.action.endswith("/statuses")]


@pytest.mark.usefixtures("world")
async def test_unknown_statuses_are_given_a_meaning(hub: Hub, api: Api, console: Console) -> None:
    path = await _toy(api)
    await hub.db.execute("UPDATE source SET unknown_codes = '{weird,other,third}'")
    form = (await console.get(path)).form("/statuses")

    nothing = await console.send(form)
    saved = await console.send(form, status=["shipped", "-", ""])

    assert "Nothing was chosen" in nothing.text
    assert "worked on once more" in saved.text
    [source] = await queries.page(hub.db, hub.shop("main").id, before=None, limit=9)
    assert dict(source.mapping.statuses) == {"weird": "shipped", "other": None}
    assert [value for name, value in saved.form("/statuses").fields if name == "code"] == ["third"]
    assert "third" in (await console.get("/set-up")).text
    assert "weird" not in (await console.get("/set-up")).text


async def test_what_waited_for_a_meaning_is_applied(hub: Hub, console: Console, flow: Flow) -> None:
    event = await flow.told(an_order())
    await hub.db.execute("UPDATE shop_event SET reason = 'unknown-status'")
    await hub.db.execute("UPDATE source SET unknown_codes = '{weird}'")
    path = f"/set-up/sources/{event['source_id']}"

    await console.send((await console.get(path)).form("/statuses"), status=["shipped"])

    assert (await flow.event(str(event["id"])))["result"] == "waiting"


async def test_events_show_what_they_set_off(console: Console, flow: Flow) -> None:
    event = await flow.told(an_order())

    listed = await console.get("/set-up/events")
    page = await console.get(f"/set-up/events/{event['id']}")

    assert "order 1042" in listed.text
    assert "Applied" in listed.text
    assert page.links["message 1"].startswith("/console/main/messages/")
    assert (await console.get(page.links["message 1"])).status == 200
    assert "RA123" in page.text
    assert "There are no events" in (await console.get("/set-up/events", result="failed")).text


async def test_what_was_told_is_hidden_from_those_without_the_right(
    console_for: ConsoleFor, flow: Flow
) -> None:
    event = await flow.told(an_order())
    rights = {"also": frozenset({Right.SET_UP}), "without": frozenset({Right.ADDRESSES})}
    blind = await console_for(Role.OPERATOR, **rights)

    page = await blind.get(f"/set-up/events/{event['id']}")

    assert "anna@example.com" not in page.html
    assert "no right to see addresses" in page.text


async def test_a_failed_event_is_tried_again(hub: Hub, console: Console, flow: Flow) -> None:
    event = await flow.told(an_order())
    await hub.db.execute("UPDATE shop_event SET result = 'failed', reason = 'bug'")
    page = await console.get("/set-up/events", result="failed")

    again = await console.send(page.form(f"/{event['id']}/replay"))

    assert "once more" in again.text
    assert (await flow.event(str(event["id"])))["result"] == "waiting"
    assert "Some events have failed" not in (await console.get("/set-up")).text
    audited = await hub.db.fetchval("SELECT actor FROM audit WHERE action = 'event.replayed'")
    assert audited == "operator"


async def test_rules_are_turned_off_and_put_back(hub: Hub, console: Console) -> None:
    page = await console.get("/set-up/rules")
    assert "order.shipped Order shipped Buyer" in page.text
    rule = await console.get(page.links["order.shipped"])
    assert rule.links["Order shipped"] == "/console/main/templates/order.shipped"

    off = await console.send(page.form("/rules/order.shipped/active"))

    assert "Turned off" in off.text
    stored = await rules.by_name(hub.db, hub.shop("main"), "order.shipped")
    assert stored
    assert (stored.active, stored.changed) == (False, True)
    await console.send(off.form("/rules/order.shipped/reset"))
    back = await rules.by_name(hub.db, hub.shop("main"), "order.shipped")
    assert back
    assert (back.active, back.changed) == (True, False)
    assert (await console.post("/set-up/rules/nonsense/active")).status == 404


async def test_a_rule_is_changed(hub: Hub, console: Console) -> None:
    listed = await console.get("/set-up/rules")
    form = (await console.get(listed.links["order.shipped"])).form("/order.shipped")

    nobody = await console.send(form, audience=None)
    late = await console.send(form, delay="100000")
    saved = await console.send(form, delay="15", channel=["sms", "email"])

    assert [page.status for page in (nobody, late)] == [422, 422]
    assert "A whole number of minutes" in late.text
    assert "Saved" in saved.text
    rule = await rules.by_name(hub.db, hub.shop("main"), "order.shipped")
    assert rule
    assert (rule.delay, rule.channels) == (timedelta(minutes=15), ("email", "sms"))
    assert "buyer" in rule.audiences
    again = (await console.get("/set-up/rules/order.shipped")).form("/order.shipped")
    assert again.fields[1:] == [
        ("audience", "buyer"),
        ("delay", "15"),
        ("channel", "email"),
        ("channel", "sms"),
    ]


async def test_a_rule_of_another_version_is_told_of_and_kept_as_it_is(
    hub: Hub, console: Console
) -> None:
    await hub.db.execute(
        "INSERT INTO rule (id, shop_id, name, event, audiences, template, condition)"
        " VALUES (gen_random_uuid(), $1, 'old', 'order.paid', '{buyer}', 'order.paid', $2)",
        hub.shop("main").id,
        {"field": "order.total", "op": "matches", "value": "1"},
    )

    listed = await console.get("/set-up/rules")
    page = await console.get("/set-up/rules/old")
    todo = await console.get("/set-up")
    saved = await console.send(page.form("/rules/old"), delay="5")

    for shown in (listed, page, todo, saved):
        assert "condition.op" in shown.text
    assert "Tells nobody" in listed.text
    assert "A rule tells nobody" in todo.text
    # Saved from here, it would lose its condition.
    assert saved.status == 422
    kept = await rules.by_name(hub.db, hub.shop("main"), "old")
    assert kept
    assert (kept.delay, (kept.condition_stored or {})["op"]) == (timedelta(0), "matches")


async def test_why_a_rule_cannot_be_is_said(hub: Hub, console: Console) -> None:
    await hub.db.execute(
        "INSERT INTO rule (id, shop_id, name, event, audiences, template)"
        " VALUES (gen_random_uuid(), $1, 'old', 'cart.updated', '{buyer}', 'removed.one')",
        hub.shop("main").id,
    )
    page = await console.get("/set-up/rules/old")

    refused = await console.send(page.form("/rules/old"), delay="5")

    assert refused.status == 422
    assert "there is no template 'removed.one'" in refused.text
