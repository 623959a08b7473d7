"""Rules over the API: what is there, what takes its place, what is refused."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.config import OrderStatus
from hub.contacts.model import Role
from hub.resources import Hub
from hub.rules import queries, service, timers
from hub.rules.model import EVENTS, MOST, Rule
from hub.shops.keys import Scope
from hub.shops.registry import Shop
from tests.hub.api.client import Api

REMINDER: dict[str, Any] = {
    "event": "order.at_pickup_point",
    "audiences": ["buyer"],
    "template": "order.at_pickup_point",
    "delay": 1440,
    "condition": {
        "all": [
            {"field": "order.delivery.method", "op": "=", "value": "pickup"},
            {"not": {"field": "order.total", "op": "<", "value": "500"}},
        ]
    },
    "channels": ["telegram", "sms"],
}


async def test_every_status_has_a_rule_that_is_built_in(api: Api) -> None:
    answer = await api.get("/v1/rules")

    items = answer.json["items"]
    assert [item["name"] for item in items] == sorted(f"order.{status}" for status in OrderStatus)
    shipped = next(item for item in items if item["name"] == "order.shipped")
    assert shipped == {
        "name": "order.shipped",
        "event": "order.shipped",
        "audiences": ["buyer"],
        "possible": ["buyer", "seller", "warehouse", "admin"],
        "template": "order.shipped",
        "delay": 0,
        "condition": None,
        "channels": None,
        "active": True,
        "built_in": True,
        "changed": False,
        "problem": "",
    }
    assert (await api.get("/v1/rules/order.shipped")).json == shipped


async def test_one_request_switches_more_readers_on(api: Api) -> None:
    answer = await api.put("/v1/rules/order.shipped", {"audiences": ["warehouse", "buyer"]})

    assert answer.status == 200
    assert answer.json["audiences"] == ["buyer", "warehouse"]
    assert answer.json["template"] == answer.json["event"] == "order.shipped"
    assert answer.json["built_in"]
    assert answer.json["changed"]
    assert (await api.get("/v1/rules/order.shipped")).json == answer.json


async def test_what_is_deleted_is_the_default_again(api: Api) -> None:
    before = (await api.get("/v1/rules/order.shipped")).json
    await api.put("/v1/rules/order.shipped", {"audiences": ["admin"], "active": False})

    assert (await api.delete("/v1/rules/order.shipped")).status == 204
    assert (await api.get("/v1/rules/order.shipped")).json == before
    again = await api.delete("/v1/rules/order.shipped")
    assert again.status == 409
    assert '"active": false' in again.json["detail"]


async def test_a_rule_of_its_own_is_kept_as_it_was_given(api: Api) -> None:
    first = await api.put("/v1/rules/pickup-reminder", REMINDER)
    second = await api.put("/v1/rules/pickup-reminder", REMINDER | {"delay": 2880})

    assert first.status == 201
    assert first.json | REMINDER == first.json
    assert not first.json["built_in"]
    assert not first.json["changed"]
    assert second.status == 200
    assert second.json["delay"] == 2880
    listed = (await api.get("/v1/rules?limit=200")).json["items"]
    assert [item for item in listed if item["name"] == "pickup-reminder"] == [second.json]
    assert (await api.delete("/v1/rules/pickup-reminder")).status == 204
    assert (await api.get("/v1/rules/pickup-reminder")).status == 404
    assert (await api.delete("/v1/rules/pickup-reminder")).status == 404


async def test_the_list_has_pages(api: Api) -> None:
    await api.put("/v1/rules/order.shipped", {"audiences": ["admin"]})
    await api.put("/v1/rules/pickup-reminder", REMINDER)

    names, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/v1/rules?limit=5{cursor and f'&cursor={cursor}'}")).json
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert names == sorted({*(f"order.{status}" for status in OrderStatus), "pickup-reminder"})


async def test_another_shop_has_its_own(
    api: Api, url: str, key_for: Callable[..., Awaitable[str]]
) -> None:
    await api.put("/v1/rules/order.shipped", {"audiences": ["admin"]})
    await api.put("/v1/rules/pickup-reminder", REMINDER)

    async with Api(url, await key_for(Scope.ADMIN, shop="main")) as other:
        assert (await other.get("/v1/rules/order.shipped")).json["audiences"] == ["buyer"]
        assert (await other.get("/v1/rules/pickup-reminder")).status == 404


async def test_who_may_read_looks_at_them_and_changes_none(
    url: str, key_for: Callable[..., Awaitable[str]]
) -> None:
    async with Api(url, await key_for(Scope.READ)) as reader:
        assert (await reader.get("/v1/rules")).status == 200
        assert (await reader.get("/v1/rules/order.paid")).status == 200
        for call in (
            reader.put("/v1/rules/order.paid", {"audiences": ["admin"]}),
            reader.delete("/v1/rules/order.paid"),
        ):
            assert (await call).status == 403


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"audiences": []}, "/audiences"),
        ({"audiences": ["buyer", "buyer"]}, "/audiences"),
        ({"audiences": ["everybody"]}, "/audiences/0"),
        ({"audiences": None}, "/audiences"),
        ({"event": "order.lost"}, "/event"),
        ({"event": None}, "/event"),
        ({"event": "cart.updated", "template": None}, "/template"),
        ({"delay": -1}, "/delay"),
        ({"delay": 10_081}, "/delay"),
        ({"delay": "60"}, "/delay"),
        ({"delay": 1.5}, "/delay"),
        ({"channels": []}, "/channels"),
        ({"channels": ["pigeon"]}, "/channels/0"),
        ({"active": "yes"}, "/active"),
        ({"condition": {"field": "order.total", "op": "~", "value": 1}}, "/condition/op"),
        ({"condition": {"all": [{"field": "total", "op": "exists"}]}}, "/condition/all/0/field"),
        ({"when": "always"}, "/when"),
    ],
)
async def test_what_is_wrong_in_the_request_is_a_400(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    answer = await api.put("/v1/rules/pickup-reminder", REMINDER | change)

    assert answer.status == 400
    assert set(answer.pointers) == {pointer}


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"template": "gift.wrapped"}, "/template", "no template 'gift.wrapped'"),
        ({"template": "security.code"}, "/template", "needs code"),
        (
            {"template": "cart.abandoned", "audiences": ["seller"]},
            "/audiences",
            "cart.abandoned has no text for seller",
        ),
        ({"event": "cart.updated", "condition": None}, "/template", "needs order.number"),
        (
            {
                "event": "cart.updated",
                "template": "cart.abandoned",
                "audiences": ["buyer", "warehouse"],
                "condition": None,
            },
            "/audiences",
            "cart.updated is nothing to tell a warehouse",
        ),
        (
            {"condition": {"any": [{"field": "order.totl", "op": "exists"}]}},
            "/condition/any/0/field",
            '"order" has currency, delivery',
        ),
    ],
)
async def test_what_cannot_be_told_is_a_422(
    api: Api, change: dict[str, Any], pointer: str, words: str
) -> None:
    answer = await api.put("/v1/rules/pickup-reminder", REMINDER | change)

    assert answer.status == 422
    assert pointer in answer.pointers
    assert words in answer.json["detail"]
    assert (await api.get("/v1/rules/pickup-reminder")).status == 404


async def test_a_text_of_the_shops_own_on_one_channel_tells_there_alone(api: Api) -> None:
    text = {"text": "Заберите {{ order.number }}", "audience": "buyer"}
    assert (await api.put("/v1/templates/pickup.reminder/sms/ru", text)).status == 200
    rule = REMINDER | {"template": "pickup.reminder"}

    on_telegram = await api.put("/v1/rules/a", rule | {"channels": ["telegram"]})
    on_any = await api.put("/v1/rules/a", rule | {"channels": None})

    assert on_telegram.status == 422
    assert on_telegram.pointers == ["/channels"]
    assert on_any.status == 201


@pytest.mark.parametrize("name", ["Order", "-x", "a%20b", "%D0%B6", "a" * 65])
async def test_a_name_is_small_letters_digits_and_signs(api: Api, name: str) -> None:
    answer = await api.put(f"/v1/rules/{name}", REMINDER)

    assert answer.status == 400
    assert answer.pointers == ["/name"]


async def test_a_slip_in_the_name_of_a_default_does_not_make_a_second_one(api: Api) -> None:
    slip = await api.put("/v1/rules/order.shiped", {"event": "order.shipped", "audiences": ["buyer"]})  # fmt: skip
    swap = await api.put("/v1/rules/order.shipped", {"event": "order.paid", "audiences": ["buyer"]})

    assert (slip.status, slip.pointers) == (422, ["/name"])
    assert (swap.status, swap.pointers) == (422, ["/event"])


async def test_what_was_done_stands_in_the_log(api: Api) -> None:
    await api.put("/v1/rules/order.shipped", {"audiences": ["buyer", "admin"]})
    await api.delete("/v1/rules/order.shipped")

    entries = (await api.get("/v1/audit?object=order.shipped")).json["items"]

    assert [entry["action"] for entry in entries] == ["rule.removed", "rule.stored"]
    assert entries[1]["detail"]["audiences"] == ["admin", "buyer"]


async def test_a_shop_has_no_more_of_them_than_it_may(hub: Hub, api: Api) -> None:
    await hub.db.execute(
        """
        INSERT INTO rule (id, shop_id, name, event, audiences, template)
        SELECT gen_random_uuid(), s.id, 'r' || n, 'order.paid', '{buyer}', 'order.paid'
          FROM shop AS s, generate_series(1, $1) AS n WHERE s.slug = 'quiet'
        """,
        MOST,
    )

    one_more = await api.put("/v1/rules/pickup-reminder", REMINDER)
    one_of_them = await api.put("/v1/rules/r1", {"event": "order.paid", "audiences": ["admin"]})

    assert one_more.status == 409
    assert one_of_them.status == 200


async def test_what_an_event_sets_off_begins_with_its_default(
    hub: Hub, api: Api, shop: Shop
) -> None:
    here = {"event": "order.paid", "audiences": ["admin"]}
    await api.put("/v1/rules/a", here)
    await api.put("/v1/rules/b", here | {"active": False})
    await api.put("/v1/rules/c", here | {"event": "order.shipped"})

    async def names(event: str) -> list[str]:
        return [rule.name for rule in await queries.of_event(hub.db, shop, event)]

    assert await names("order.paid") == ["order.paid", "a"]
    assert await names("cart.updated") == []
    await api.put("/v1/rules/order.paid", {"audiences": ["admin"], "active": False})
    assert await names("order.paid") == ["a"]


async def test_what_waits_goes_with_its_rule_and_with_what_that_is_about(
    hub: Hub, shop: Shop
) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    rule = Rule(
        "late", "order.paid", frozenset({Role.BUYER}), "order.paid", delay=timedelta(hours=1)
    )

    async def waiting() -> int:
        found: int = await hub.db.fetchval("SELECT count(*) FROM rule_timer")
        return found

    async def wait() -> None:
        async with hub.db.acquire() as connection:
            await timers.put(connection, shop.id, rule, about="1", due_at=due)

    await service.put(hub, shop, rule)
    await wait()
    await service.put(hub, shop, Rule("late", "order.paid", rule.audiences, "order.paid"))
    assert await waiting() == 1
    await service.put(hub, shop, Rule("late", "order.shipped", rule.audiences, "order.shipped"))
    assert await waiting() == 0
    await wait()
    await service.remove(hub, shop, "late")
    assert await waiting() == 0


def test_the_events_are_named_in_the_words_of_the_api() -> None:
    assert "order.at_pickup_point" in EVENTS
    assert "cart.updated" in EVENTS
    # Of an order its statuses are told.
    assert "order.updated" not in EVENTS
