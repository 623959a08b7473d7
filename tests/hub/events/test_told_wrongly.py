"""What cannot be taken is refused with its place, and the rest is taken all the same."""

from typing import Any

import pytest

from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order


async def test_in_a_batch_a_bad_one_does_not_stop_the_others(flow: Flow) -> None:
    events: list[Any] = [
        {"id": "1", "kind": "order", "data": an_order("shipped", "1")},
        {"id": "2", "kind": "order", "data": {"id": "2"}},
        5,
        {"id": "4", "kind": "order", "source": "no-such", "data": an_order("shipped", "4")},
        {"id": "1", "kind": "order", "data": an_order("shipped", "1")},
        {"id": "6", "kind": "cart", "action": "deleted", "data": {"id": "c"}},
        {"id": "7", "kind": "order", "data": an_order("shipped", "7\x00")},
    ]

    answer = await flow.api.post("/v1/events/batch", {"events": events})

    assert answer.status == 202, answer.json
    assert (answer.json["accepted"], answer.json["duplicates"]) == (2, 1)
    first, no_lines, number, source, again, deleted, control = answer.json["results"]
    assert again == {"id": first["id"], "duplicate": True}
    assert (no_lines["status"], no_lines["errors"][0]["pointer"]) == (400, "/events/1/data/lines")
    assert (number["status"], number["errors"][0]["pointer"]) == (400, "/events/2")
    assert (source["status"], source["errors"][0]["pointer"]) == (422, "/events/3/source")
    assert deleted["duplicate"] is False
    assert (control["status"], control["errors"][0]["pointer"]) == (400, "/events/6/data/id")
    await flow.apply()
    assert (await flow.order("1"))["status"] == "shipped"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/events"]),
        ({"events": []}, ["/events"]),
        ({"events": {}}, ["/events"]),
        ({"events": [{}] * 1001}, ["/events"]),
        ({"event": [], "events": [{}]}, ["/event"]),
    ],
)
async def test_a_batch_that_is_none_is_refused(
    api: Api, body: dict[str, Any], pointers: list[str]
) -> None:
    answer = await api.post("/v1/events/batch", body)

    assert (answer.status, answer.pointers) == (400, pointers)


async def test_links_into_the_inner_network_are_refused(api: Api) -> None:
    order = an_order(
        "shipped",
        labels_url="http://10.0.0.1/labels",
        lines=[
            {"id": "1", "title": "Чайник", "image_url": "https://shop.example/1.png"},
            {"id": "2", "title": "Чай", "image_url": "http://localhost/2.png"},
        ],
    )

    answer = await api.post("/v1/events", {"kind": "order", "data": order})
    assert (answer.status, answer.pointers) == (
        400,
        ["/data/labels_url", "/data/lines/1/image_url"],
    )
    cart = {"id": "c", "url": "http://192.168.0.1/cart"}
    answer = await api.post("/v1/events", {"kind": "cart", "data": cart})
    assert (answer.status, answer.pointers) == (400, ["/data/url"])


async def test_a_source_that_cannot_be_says_why(api: Api) -> None:
    shop: dict[str, Any] = {
        "name": "shop",
        "platform": "insales",
        "config": {"base_url": "https://shop.example", "login": "l", "password": "p"},
    }
    assert (await api.post("/v1/sources", shop)).status == 201

    async def refused(**changes: Any) -> str:
        answer = await api.post("/v1/sources", shop | changes)
        assert answer.status in (400, 409, 422), answer.json
        found: str = answer.json["detail"]
        return found

    assert "of this name" in await refused()
    assert "id_prefix" in await refused(name="other", id_prefix="")
    assert "is not a key" in await refused(name="other", config=shop["config"] | {"oops": 1})
    inner = await refused(name="other", config=shop["config"] | {"base_url": "http://10.0.0.5"})
    assert "outside the public internet" in inner
    assert "there is: insales" in await refused(name="other", platform="nope")
    other = await api.post("/v1/sources", shop | {"name": "other"})
    assert other.json["id_prefix"] == "other-"
    path = f"/v1/sources/{other.json['id']}"
    assert "of this name" in (await api.call("PATCH", path, {"name": "shop"})).json["detail"]
    assert "id_prefix" in (await api.call("PATCH", path, {"id_prefix": ""})).json["detail"]
