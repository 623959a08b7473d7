"""Pages, keys over the API, and what the sandbox kept."""

from uuid import UUID

from channels.base import Button, Channel, Message
from hub.accounts import sandbox
from hub.ids import new_id
from hub.resources import Hub
from hub.shops import keys
from hub.shops.keys import Scope
from tests.hub.api.client import Api


async def fill(hub: Hub, shop: str, *texts: str, channel: Channel = Channel.EMAIL) -> None:
    keep = sandbox.keeper(hub.db, hub.shop(shop).id)
    for text in texts:
        button = Button("Да", data="yes")
        message = Message(str(new_id()), "a@example.com", text, "Тема", buttons=((button,),))
        await keep(channel, [message])


async def texts(api: Api, query: str = "") -> list[str]:
    """Of all pages, one after the other."""
    found: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/sandbox/messages?limit=2{query}{cursor}")).json
        found += [item["text"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def test_pages_show_everything_once_newest_first(hub: Hub, api: Api) -> None:
    await fill(hub, "main", "1", "2", "3", "4", "5")

    assert await texts(api) == ["5", "4", "3", "2", "1"]


async def test_a_last_page_that_is_full_has_no_cursor(hub: Hub, api: Api) -> None:
    await fill(hub, "main", "1", "2")

    answer = await api.get("/v1/sandbox/messages?limit=2")

    assert len(answer.json["items"]) == 2
    assert answer.json["next_cursor"] is None


async def test_what_comes_in_meanwhile_shifts_nothing(hub: Hub, api: Api) -> None:
    await fill(hub, "main", "1", "2", "3")
    first = (await api.get("/v1/sandbox/messages?limit=2")).json
    await fill(hub, "main", "4")

    second = (await api.get(f"/v1/sandbox/messages?cursor={first['next_cursor']}")).json

    assert [item["text"] for item in second["items"]] == ["1"]


async def test_a_cursor_belongs_to_its_filters_path_and_shop(hub: Hub, api: Api) -> None:
    await fill(hub, "main", "1", "2", "3")
    cursor = (await api.get("/v1/sandbox/messages?limit=1")).json["next_cursor"]
    _, other = await keys.create(hub.db, "other", [Scope.ADMIN])

    foreign = [
        await api.get(f"/v1/sandbox/messages?channel=email&cursor={cursor}"),
        await api.get(f"/v1/keys?cursor={cursor}"),
        await api.get(f"/v1/sandbox/messages?cursor={cursor}", key=other),
        await api.get(f"/v1/sandbox/messages?cursor={cursor[:-1]}"),
    ]

    assert [answer.status for answer in foreign] == [400] * 4
    assert all(answer.pointers == ["/cursor"] for answer in foreign)
    assert (await api.get(f"/v1/sandbox/messages?limit=3&cursor={cursor}")).status == 200


async def test_sandbox_messages_are_filtered_and_whole(hub: Hub, api: Api) -> None:
    await fill(hub, "main", "letter")
    await fill(hub, "main", "sms", channel=Channel.SMS)
    await fill(hub, "other", "of another shop")

    assert await texts(api, "&channel=sms") == ["sms"]
    assert await texts(api, "&to=a@example.com") == ["sms", "letter"]
    assert await texts(api, "&to=b@example.com") == []
    [item] = (await api.get("/v1/sandbox/messages?channel=email")).json["items"]
    assert item["to"] == "a@example.com"
    assert item["subject"] == "Тема"
    assert item["buttons"] == [[{"text": "Да", "data": "yes", "url": ""}]]
    assert item["notification_id"] is None
    assert UUID(item["delivery_id"])


async def test_a_new_key_works_and_is_shown_once(api: Api) -> None:
    made = await api.post("/v1/keys", {"name": "backend", "scopes": ["read", "send"]})
    key = made.json["key"]

    listed = (await api.get("/v1/keys")).json["items"]

    assert made.status == 201
    assert key.startswith(made.json["prefix"] + "_")
    assert len(key) == len("vst_") + 12 + 1 + 43
    assert [item["name"] for item in listed] == ["backend", ""]
    assert listed[0]["scopes"] == ["read", "send"]
    assert "key" not in listed[0]
    assert (await api.get("/v1/sandbox/messages", key=key)).status == 200


async def test_a_revoked_key_stays_in_the_list_and_opens_nothing(api: Api) -> None:
    made = (await api.post("/v1/keys", {"scopes": ["read"]})).json

    revoked = await api.delete(f"/v1/keys/{made['id']}")

    assert (revoked.status, revoked.raw) == (204, b"")
    assert (await api.get("/v1/sandbox/messages", key=made["key"])).status == 401
    assert (await api.delete(f"/v1/keys/{made['id']}")).status == 404
    assert (await api.get("/v1/keys")).json["items"][0]["revoked_at"] is not None


async def test_keys_of_another_shop_are_out_of_reach(hub: Hub, api: Api) -> None:
    foreign, text = await keys.create(hub.db, "other", [Scope.READ])

    assert (await api.delete(f"/v1/keys/{foreign.id}")).status == 404
    assert len((await api.get("/v1/keys")).json["items"]) == 1
    assert (await api.get("/v1/sandbox/messages", key=text)).status == 200
