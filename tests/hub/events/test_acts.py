"""A source tried out over the API: connected, its address and secret exchanged, payloads previewed."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from hub.ids import new_id
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.sources.base import Impossible, Later
from tests.hub.api.client import Api
from tests.hub.events.conftest import CUSTOMER, Flow, an_order
from tests.hub.events.toy import World, at_hand


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with at_hand(monkeypatch) as world:
        yield world


async def made(api: Api, **more: Any) -> dict[str, Any]:
    body = {"name": "toy", "platform": "toy", "config": {}} | more
    answer = await api.post("/v1/sources", body)
    assert answer.status == 201, answer.json
    found: dict[str, Any] = answer.json
    return found


async def audited(api: Api, action: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"/v1/audit?action={action}")).json["items"]
    return found


class TestConnect:
    async def test_credentials_are_tried_and_hooks_set_up(self, api: Api, world: World) -> None:
        source = await made(api)

        answer = await api.post(f"/v1/sources/{source['id']}/connect")

        [hook] = source["hooks"]
        assert answer.status == 200, answer.json
        assert answer.json == {
            "ok": True,
            "text": "a toy shop",
            "hooks": [{"topic": "events", "url": hook["url"], "subscribed": True}],
        }
        assert world.subscribed == [{"events": hook["url"]}]
        assert len(await audited(api, "source.connected")) == 1

    async def test_what_had_paused_it_is_over(self, hub: Hub, api: Api, world: World) -> None:
        source = await made(api)
        await hub.db.execute(
            "UPDATE source SET problem = 'x', failures = 3, paused_until = now() + interval '1 hour'"
        )

        await api.post(f"/v1/sources/{source['id']}/connect")

        shown = (await api.get(f"/v1/sources/{source['id']}")).json
        assert (shown["problem"], shown["paused_until"]) == ("", None)
        # And what was missed is read.
        assert await hub.db.fetchval("SELECT read_due_at <= now() FROM source")

    @pytest.mark.parametrize(
        ("call", "fault", "words"),
        [
            ("check", Later("no-connection"), "no-connection"),
            ("subscribe", Impossible("hooks are not in its tariff"), "not in its tariff"),
        ],
    )
    async def test_what_is_wrong_is_said(
        self, api: Api, world: World, call: str, fault: Exception, words: str
    ) -> None:
        source = await made(api)
        world.faults[call] = fault

        answer = await api.post(f"/v1/sources/{source['id']}/connect")

        assert (answer.status, answer.json["ok"]) == (200, False)
        assert words in answer.json["text"]
        assert [hook["subscribed"] for hook in answer.json["hooks"]] == [False]

    async def test_hooks_to_be_entered_by_hand_are_shown(self, api: Api) -> None:
        source = await made(api, platform="generic")

        answer = await api.post(f"/v1/sources/{source['id']}/connect")

        assert answer.json["ok"]
        assert [hook["subscribed"] for hook in answer.json["hooks"]] == [None]
        assert (await api.post(f"/v1/sources/{new_id()}/connect")).status == 404


class TestRotate:
    async def test_the_former_address_is_closed(self, api: Api, world: World) -> None:
        source = await made(api)
        path = source["hooks"][0]["url"].removeprefix("https://hub.example")
        assert (await api.get(path, key=None)).status == 200

        answer = await api.post(f"/v1/sources/{source['id']}/rotate", {"what": "url"})

        assert (answer.status, answer.json["secret"]) == (200, None)
        new = answer.json["hooks"][0]["url"].removeprefix("https://hub.example")
        assert (await api.get(path, key=None)).status == 404
        assert (await api.get(new, key=None)).status == 200
        assert len(await audited(api, "source.rotated")) == 1

    async def test_a_new_secret_is_shown_once(self, api: Api, world: World) -> None:
        source = await made(api)
        assert source["secret"].startswith("whsec_")

        answer = await api.post(f"/v1/sources/{source['id']}/rotate", {"what": "secret"})

        assert answer.json["secret"].startswith("whsec_")
        assert answer.json["secret"] != source["secret"]
        assert answer.json["hooks"] == source["hooks"]
        assert "secret" not in (await api.get(f"/v1/sources/{source['id']}")).json

    async def test_nothing_else_can_be_exchanged(self, api: Api, world: World) -> None:
        source = await made(api)
        for body in ({}, {"what": "name"}, {"what": "url", "more": 1}):
            assert (await api.post(f"/v1/sources/{source['id']}/rotate", body)).status == 400


async def preview(api: Api, source: str, **body: Any) -> Any:
    answer = await api.post(f"/v1/sources/{source}/preview", body)
    assert answer.status == 200, answer.json
    return answer.json


async def own(flow: Flow) -> str:
    """The id of the source of events over the API."""
    await flow.tell({"id": "p"}, kind="product")
    await flow.apply()
    return str(await flow.hub.db.fetchval("SELECT id FROM source WHERE name = 'api'"))


class TestPreview:
    async def test_a_new_order_shows_all_that_would_come_of_it(self, flow: Flow) -> None:
        source = await own(flow)

        found = await preview(flow.api, source, kind="order", payload=an_order("shipped"))

        assert found["facts"]["number"] == "1042"
        assert found["contact"]["external_id"] == "42"
        assert not found["contact"]["known"]
        assert found["contact"]["patch"]["name"] == "Анна"
        assert found["order"]["buyer"] == {"external_id": "42"}
        assert found["order"]["lines"][0]["seller"] == {"external_id": "shop"}
        assert found["status"] == {
            "codes": [["shipped"]],
            "target": "shipped",
            "held": None,
            "unknown": [],
            "tells": ["order.shipped"],
        }
        assert found["notes"] == []
        # It is one that the API takes as it is, and nothing was stored.
        assert (await flow.api.get("/v1/orders/1042")).status == 404
        assert (await flow.api.get("/v1/contacts/42")).status == 404
        await flow.api.put("/v1/contacts/42", found["contact"]["patch"])
        await flow.api.put("/v1/contacts/shop", {"role": "seller"})
        assert (await flow.api.put("/v1/orders/1042", found["order"])).status == 201

    async def test_what_is_held_of_the_person_and_would_change_is_named(self, flow: Flow) -> None:
        source = await own(flow)
        await flow.api.put(
            "/v1/contacts/42",
            {"name": "Анна", "addresses": {"email": "old@example.com"}, "attributes": {"a": 1}},
        )
        customer = {**CUSTOMER, "attributes": {"a": 2, "b": 3}}

        found = await preview(flow.api, source, kind="customer", payload=customer)
        assert found["contact"]["known"]
        assert found["contact"]["overwrites"] == ["addresses.email", "attributes.a"]
        assert (found["order"], found["status"]) == (None, None)

        never = {"overwrite": {"default": "if_empty"}}
        found = await preview(flow.api, source, kind="customer", payload=customer, mapping=never)
        assert found["contact"]["overwrites"] == []
        assert "email" not in found["contact"]["patch"]["addresses"]
        assert found["contact"]["patch"]["attributes"] == {"b": 3}

    async def test_a_word_that_nobody_knows_and_a_map_that_does(self, flow: Flow) -> None:
        source = await own(flow)
        payload = an_order("dispatched")

        found = await preview(flow.api, source, kind="order", payload=payload)
        assert found["status"]["unknown"] == ["dispatched"]
        assert (found["order"], found["status"]["target"]) == (None, None)
        assert found["notes"] == [
            "its status says nothing here: it is no order until it has one that does"
        ]

        known = {"statuses": {"dispatched": "shipped"}}
        found = await preview(flow.api, source, kind="order", payload=payload, mapping=known)
        assert (found["status"]["target"], found["status"]["unknown"]) == ("shipped", [])

    async def test_where_the_shelf_is_asked_first_it_says_so(
        self, world: World, url: str, key_for: Any
    ) -> None:
        async with Api(url, await key_for(Scope.ADMIN, shop="asking")) as asking:
            source = await made(asking)
            payload = {"id": "7", "status": "paid", "customer": {"id": "1"}}
            found = await preview(asking, source["id"], kind="order", payload=payload)

        assert found["status"]["target"] == "awaiting_stock"
        assert found["status"]["held"] == "paid"
        assert found["notes"] == [
            "paid counts once the shelf has answered (mapping.stock is ask_first)"
        ]

    async def test_what_is_no_order_yet_is_said_to_be_none(self, flow: Flow) -> None:
        source = await own(flow)
        draft = {"statuses": {"draft": None}}

        found = await preview(
            flow.api, source, kind="order", payload=an_order("draft"), mapping=draft
        )

        assert (found["order"], found["status"]["target"]) == (None, None)
        assert found["notes"] == [
            "its status says nothing here: it is no order until it has one that does"
        ]

    async def test_an_order_that_is_further_already_would_stay(self, flow: Flow) -> None:
        source = await own(flow)
        await flow.told(an_order("delivered"))

        found = await preview(flow.api, source, kind="order", payload=an_order("shipped"))

        assert (found["status"]["target"], found["status"]["tells"]) == (None, [])
        assert found["notes"] == ["the order is delivered already: shipped would be late"]

    async def test_what_is_left_out_is_said(self, flow: Flow) -> None:
        source = await own(flow)
        lines = [
            {"id": "1", "title": "Сыр", "quantity": "0.3"},
            {"id": "2", "sku": "B", "quantity": 1},
        ]
        customer = {"id": "42", "email": "no address", "phone": "12"}
        payload = an_order("shipped", lines=lines, customer=customer)
        payload["created_at"] = payload["changed_at"] = "2020-01-01T00:00:00Z"

        found = await preview(flow.api, source, kind="order", payload=payload)

        assert [line["quantity"] for line in found["order"]["lines"]] == [1, 1]
        notes = "; ".join(found["notes"])
        for words in ("0.3 is taken up", "no title", "email", "phone", "old news"):
            assert words in notes

    async def test_an_event_that_failed_can_be_looked_into(self, hub: Hub, flow: Flow) -> None:
        source = await own(flow)
        accepted = await flow.tell(an_order("shipped"))
        await hub.db.execute("UPDATE shop_event SET result = 'failed'")

        found = await preview(flow.api, source, kind="order", event=accepted["id"])
        assert found["status"]["target"] == "shipped"

        async def refused(**body: Any) -> int:
            return (await flow.api.post(f"/v1/sources/{source}/preview", body)).status

        assert await refused(kind="cart", event=accepted["id"]) == 422
        assert await refused(kind="order", event=str(new_id())) == 404
        await hub.db.execute(
            "UPDATE shop_event SET payload = NULL WHERE id = $1", UUID(accepted["id"])
        )
        assert await refused(kind="order", event=accepted["id"]) == 409

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"kind": "order"}, 400),
            ({"kind": "order", "payload": {}, "event": str(new_id())}, 400),
            ({"kind": "tree", "payload": {}}, 400),
            ({"kind": "order", "payload": {}, "mapping": {"statuses": {"x": "gone"}}}, 400),
            ({"kind": "order", "payload": {}}, 422),
            ({"kind": "order", "payload": {"id": "1", "lines": "none"}}, 422),
        ],
    )
    async def test_what_cannot_be_read_is_refused(
        self, flow: Flow, body: dict[str, Any], status: int
    ) -> None:
        source = await own(flow)

        answer = await flow.api.post(f"/v1/sources/{source}/preview", body)

        assert answer.status == status, answer.json

    async def test_of_a_platform(self, api: Api, world: World) -> None:
        source = await made(api)
        payload = {"id": "7", "status": "sent", "customer": {"id": "1"}}

        found = await preview(api, source["id"], kind="order", payload=payload)

        assert found["status"]["target"] == "shipped"


async def test_a_field_of_the_mapping_that_nobody_reads_is_refused(hub: Hub, flow: Flow) -> None:
    source = await own(flow)
    await hub.db.execute("""UPDATE source SET mapping = mapping || '{"event": null}'""")

    answer = await flow.api.call(
        "PATCH", f"/v1/sources/{source}", {"mapping": {"event": {"kind": "order", "id": "id"}}}
    )

    assert (answer.status, answer.pointers) == (400, ["/mapping/event"])
    # Kept by a version that knew it, it is in nobody's way.
    assert (await flow.api.get(f"/v1/sources/{source}")).status == 200
