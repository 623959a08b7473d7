"""Webhooks over the API: made, shown, changed, tried out, called again."""

from typing import Any

import pytest

from hub.resources import Hub
from hub.shops.keys import Scope
from hub.webhooks import service
from hub.webhooks.model import EventType
from tests.hub.api.client import Api
from tests.hub.webhooks.backend import Backend
from tests.hub.webhooks.conftest import Loop, Publish, Subscribe

UNKNOWN = "019c2f9e-5b0a-7c1e-8d55-2a4be1f7c001"
GOOD = {"url": "https://shop.example/hook", "events": ["order.assembled"]}


async def test_it_is_made_shown_and_listed(api: Api) -> None:
    made = await api.post("/v1/webhooks", GOOD | {"description": "Магазин"})
    shown = await api.get(f"/v1/webhooks/{made.json['id']}")
    listed = await api.get("/v1/webhooks")

    assert made.status == 201
    assert made.json["secret"].startswith("whsec_")
    assert shown.json == {k: v for k, v in made.json.items() if k != "secret"}
    assert shown.json | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "url": "https://shop.example/hook",
        "events": ["order.assembled"],
        "description": "Магазин",
        "active": True,
        "disabled": None,
        "failing_since": None,
        "former_secret_until": None,
        "created_at": "",
        "updated_at": "",
    }
    assert listed.json == {"items": [shown.json], "next_cursor": None}


async def test_every_event_can_be_asked_for(api: Api) -> None:
    answer = await api.post("/v1/webhooks", GOOD | {"events": list(EventType)})

    assert answer.json["events"] == list(EventType)


async def test_the_secret_is_nowhere_to_be_read(api: Api, subscribe: Subscribe, hub: Hub) -> None:
    made = await subscribe()
    rotated = (await api.post(f"/v1/webhooks/{made['id']}/rotate")).json
    path = f"/v1/webhooks/{made['id']}"
    answers = [
        await api.get(path),
        await api.get("/v1/webhooks"),
        await api.call("PATCH", path, {"description": "x"}),
        await api.get(f"{path}/attempts"),
    ]

    [row] = await hub.db.fetch("SELECT * FROM webhook")

    for secret in (made["secret"], rotated["secret"]):
        assert all(secret.encode() not in answer.raw for answer in answers)
        assert secret not in str(row)
        assert secret.encode() not in row["secret"] + row["previous_secret"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://shop.example/"}, "/url"),
        ({"url": "shop.example"}, "/url"),
        ({"url": "https://"}, "/url"),
        ({"url": "https://shop.example:99999/"}, "/url"),
        ({"url": "https://shop.example:0/"}, "/url"),
        ({"url": "https://[::1/"}, "/url"),
        ({"url": "https://user:word@shop.example/"}, "/url"),
        ({"url": "https://shop.example/#here"}, "/url"),
        ({"url": "https://shop.example/a b"}, "/url"),
        ({"url": "https://магазин.рф/"}, "/url"),
        ({"url": "https://shop.example/" + "x" * 2048}, "/url"),
        ({"url": None}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["order.assembled", "order.assembled"]}, "/events"),
        ({"events": ["webhook.test"]}, "/events/0"),
        ({"events": ["order.lost"]}, "/events/0"),
        ({"secret": "whsec_mine"}, "/secret"),
        ({"description": "x" * 501}, "/description"),
    ],
)
async def test_what_cannot_be_is_pointed_at(api: Api, change: dict[str, Any], pointer: str) -> None:
    made = await api.post("/v1/webhooks", GOOD)
    answer = await api.post("/v1/webhooks", GOOD | change)

    assert (answer.status, answer.pointers) == (400, [pointer])
    if "secret" not in change:
        patched = await api.call("PATCH", f"/v1/webhooks/{made.json['id']}", change)
        assert (patched.status, patched.pointers) == (400, [pointer])


async def test_a_refusal_says_what_would_be_right(api: Api) -> None:
    answer = await api.post("/v1/webhooks", {"url": "https://магазин.рф/ a", "events": []})

    said = {fault["pointer"]: fault["detail"] for fault in answer.json["errors"]}
    assert "xn--" in said["/url"]
    assert said["/events"] == "must have at least 1 item"


async def test_all_faults_are_told_at_once(api: Api) -> None:
    answer = await api.post(
        "/v1/webhooks", {"url": "shop.example", "events": ["order.lost"], "name": "mine"}
    )

    assert (answer.status, sorted(answer.pointers)) == (400, ["/events/0", "/name", "/url"])


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.5",
        "192.168.1.1",
        "169.254.169.254",
        "[::1]:8080",
        "[fd00::1]",
        "[::ffff:10.0.0.5]",
        "0x0a000005",
        "0.0.0.0",
    ],
)
async def test_an_inner_address_is_refused_at_once(api: Api, host: str) -> None:
    answer = await api.post("/v1/webhooks", GOOD | {"url": f"http://{host}/hook"})

    assert (answer.status, answer.pointers) == (400, ["/url"])
    assert "outgoing_allow" in answer.json["errors"][0]["detail"]


async def test_a_change_leaves_the_rest_as_it_was(api: Api, subscribe: Subscribe) -> None:
    made = await subscribe()
    path = f"/v1/webhooks/{made['id']}"

    changed = await api.call("PATCH", path, {"events": ["order.stock_confirmed"]})
    nothing = await api.call("PATCH", path, {})

    assert changed.status == nothing.status == 200
    assert changed.json["events"] == ["order.stock_confirmed"]
    assert changed.json["url"] == made["url"]
    assert nothing.json | {"updated_at": ""} == changed.json | {"updated_at": ""}


async def test_removed_it_is_gone(api: Api, subscribe: Subscribe) -> None:
    made = await subscribe()
    path = f"/v1/webhooks/{made['id']}"

    assert (await api.delete(path)).status == 204
    assert (await api.delete(path)).status == 404
    assert (await api.get("/v1/webhooks")).json["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"active": True}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("POST", "/test", None),
        ("GET", "/attempts", None),
        ("POST", f"/attempts/{UNKNOWN}/resend", None),
    ],
)
async def test_another_shops_webhook_is_not_there(
    api: Api, subscribe: Subscribe, key_for: Any, method: str, path: str, body: Any
) -> None:
    made = await subscribe()
    stranger = await key_for(Scope.ADMIN, shop="other")

    answer = await api.call(method, f"/v1/webhooks/{made['id']}{path}", body, key=stranger)

    assert answer.status == 404


async def test_it_needs_the_scope_admin(api: Api, key_for: Any) -> None:
    key = await key_for(Scope.SEND, Scope.READ, Scope.ORDERS, Scope.CONTACTS)

    assert (await api.get("/v1/webhooks", key=key)).status == 403


async def test_there_is_an_end_to_their_number(api: Api, hub: Hub) -> None:
    for _ in range(service.MOST):
        assert (await api.post("/v1/webhooks", GOOD)).status == 201

    assert (await api.post("/v1/webhooks", GOOD)).status == 409


async def test_a_test_is_sent_once_whatever_was_asked_for(
    api: Api, subscribe: Subscribe, loop: Loop, backend: Backend
) -> None:
    made = await subscribe("order.assembled")

    answer = await api.post(f"/v1/webhooks/{made['id']}/test")
    await loop.until(1)

    assert answer.status == 202
    [call] = backend.calls
    assert call.id == answer.json["event_id"]
    assert (call.json["type"], call.json["data"]) == (
        "webhook.test",
        {"webhook": {"id": made["id"]}},
    )
    listed = (await api.get(f"/v1/webhooks/{made['id']}/attempts")).json["items"]
    assert [(item["event_id"], item["outcome"]) for item in listed] == [(call.id, "succeeded")]


async def test_an_attempt_can_be_sent_again(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    made = await subscribe()
    await publish()
    await loop.until(1)
    path = f"/v1/webhooks/{made['id']}/attempts"
    [attempt] = (await api.get(path)).json["items"]

    answer = await api.post(f"{path}/{attempt['id']}/resend")
    await loop.until(2)

    assert (answer.status, answer.json) == (202, {"event_id": attempt["event_id"]})
    first, second = backend.calls
    assert (first.id, first.raw) == (second.id, second.raw)
    numbers = [item["number"] for item in (await api.get(path)).json["items"]]
    assert numbers == [2, 1]


async def test_attempts_come_in_pages_and_can_be_narrowed(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    made = await subscribe()
    for n in range(3):
        await publish(n=n)
    await loop.until(3)
    path = f"/v1/webhooks/{made['id']}/attempts"

    first = (await api.get(f"{path}?limit=2")).json
    rest = (await api.get(f"{path}?limit=2&cursor={first['next_cursor']}")).json
    failed = (await api.get(f"{path}?outcome=failed")).json
    one = (await api.get(f"{path}?event_id={backend.calls[0].id}")).json

    ids = [item["event_id"] for item in first["items"] + rest["items"]]
    assert sorted(ids) == sorted(call.id for call in backend.calls)
    assert rest["next_cursor"] is None
    assert failed["items"] == []
    assert [item["event_id"] for item in one["items"]] == [backend.calls[0].id]


async def test_nothing_is_sent_to_one_that_is_off(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop
) -> None:
    made = await subscribe()
    await publish()
    await loop.until(1)
    path = f"/v1/webhooks/{made['id']}"
    [attempt] = (await api.get(f"{path}/attempts")).json["items"]
    await api.call("PATCH", path, {"active": False})

    assert (await api.post(f"{path}/test")).status == 409
    assert (await api.post(f"{path}/attempts/{attempt['id']}/resend")).status == 409


async def test_an_unknown_attempt_is_not_sent(api: Api, subscribe: Subscribe) -> None:
    made = await subscribe()

    answer = await api.post(f"/v1/webhooks/{made['id']}/attempts/{UNKNOWN}/resend")

    assert answer.status == 404


async def test_the_document_describes_every_event(api: Api) -> None:
    document = (await api.get("/openapi.json", key=None)).json

    assert set(document["webhooks"]) == {*EventType, "webhook.test"}
