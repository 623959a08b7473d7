"""Sources over the API: made, shown without their secrets, changed, closed."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from hub.resources import Hub
from hub.sources import queries, service
from hub.webhooks import signing
from tests.hub.api.client import Answer, Api

INSALES: dict[str, Any] = {
    "name": "romashka",
    "platform": "insales",
    "config": {
        "base_url": "https://romashka.myinsales.ru",
        "login": "the-login",
        "password": "the-password",
    },
}
SITE: dict[str, Any] = {"name": "site", "platform": "generic"}


async def made(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post("/v1/sources", body)
    assert answer.status == 201, answer.raw
    found: dict[str, Any] = answer.json
    return found


async def patched(api: Api, source: dict[str, Any], body: dict[str, Any]) -> Answer:
    return await api.call("PATCH", f"/v1/sources/{source['id']}", body)


async def test_a_secret_is_sealed_and_never_shown(hub: Hub, api: Api) -> None:
    source = await made(api, INSALES)

    shown = await api.get(f"/v1/sources/{source['id']}")
    listed = await api.get("/v1/sources")
    rows = await hub.db.fetch("SELECT t::text AS row FROM source AS t")

    assert shown.json["config"]["password"] == "set"
    assert shown.json["config"]["login"] == "the-login"
    for text in (shown.raw, listed.raw, str(rows).encode()):
        assert b"the-password" not in text
    found = await queries.by_name(hub.db, hub.shop("main").id, "romashka")
    assert found
    config: Any = service.opened(hub.signer, found)[0]
    assert config.password.get_secret_value() == "the-password"


async def test_a_patch_keeps_what_it_does_not_name(hub: Hub, api: Api) -> None:
    source = await made(api, INSALES)

    answer = await patched(api, source, {"config": {"login": "another"}, "poll_every": None})

    assert answer.status == 200, answer.raw
    assert (answer.json["config"]["login"], answer.json["poll_every"]) == ("another", None)
    found = await queries.by_name(hub.db, hub.shop("main").id, "romashka")
    assert found
    config: Any = service.opened(hub.signer, found)[0]
    assert config.password.get_secret_value() == "the-password"


@pytest.mark.parametrize(
    "base_url",
    [
        "https://other.example",
        "http://romashka.myinsales.ru",
        "https://romashka.myinsales.ru:8443",
        "https://romashka.myinsales.ru.other.example/admin",
    ],
)
async def test_credentials_do_not_follow_to_another_server(
    hub: Hub, api: Api, base_url: str
) -> None:
    source = await made(api, INSALES)

    moved = await patched(api, source, {"config": {"base_url": base_url}})
    with_them = await patched(
        api, source, {"config": {"base_url": base_url, "password": "another"}}
    )

    assert moved.status == 422, moved.raw
    assert moved.pointers == ["/config/password"]
    assert b"the-password" not in moved.raw
    assert with_them.status == 200, with_them.raw
    assert with_them.json["config"]["base_url"] == base_url
    found = await queries.by_name(hub.db, hub.shop("main").id, "romashka")
    assert found
    config: Any = service.opened(hub.signer, found)[0]
    assert config.password.get_secret_value() == "another"


@pytest.mark.parametrize(
    "base_url",
    [
        "https://romashka.myinsales.ru/",
        "HTTPS://Romashka.MyInSales.ru:443/shop",
    ],
)
async def test_at_the_same_server_they_stay(api: Api, base_url: str) -> None:
    source = await made(api, INSALES)

    answer = await patched(api, source, {"config": {"base_url": base_url}})

    assert answer.status == 200, answer.raw


async def test_back_to_the_platforms_own_server_is_another_server_too(api: Api) -> None:
    config = {"base_url": "https://proxy.example", "client_id": "1", "api_key": "the-password"}
    source = await made(api, {"name": "ozon", "platform": "ozon", "config": config})

    answer = await patched(api, source, {"config": {"base_url": None}})

    assert (answer.status, answer.pointers) == (422, ["/config/api_key"])


@pytest.mark.parametrize(
    "base_url",
    [
        "https://romashka.myinsales.ru\\@other.example",
        "https://other.example\\@romashka.myinsales.ru",
        "https://name:the-password@romashka.myinsales.ru",
    ],
)
async def test_an_address_that_is_read_in_two_ways_or_holds_a_password_is_refused(
    api: Api, base_url: str
) -> None:
    source = await made(api, INSALES)
    config = {**INSALES["config"], "base_url": base_url}

    changed = await patched(api, source, {"config": config})
    created = await api.post("/v1/sources", INSALES | {"name": "second", "config": config})

    for answer in (changed, created):
        assert (answer.status, answer.pointers) == (400, ["/config/base_url"])
        assert b"the-password" not in answer.raw


async def test_no_exchange_of_the_secret_brings_old_credentials_to_a_new_server(
    hub: Hub, api: Api
) -> None:
    """Both at once: whoever reads what is sealed writes it back before the other one reads."""
    site = {
        "name": "lavka",
        "platform": "woocommerce",
        "config": {
            "base_url": "https://lavka.example",
            "consumer_key": "ck_1",
            "consumer_secret": "the-password",
        },
    }
    source = await made(api, site)
    elsewhere = {"base_url": "https://other.example", "consumer_secret": "another"}

    async with hub.db.acquire() as conn, conn.transaction():
        # Whoever comes waits here, so that all of them are under way together.
        await conn.execute("SELECT FROM source WHERE id = $1 FOR UPDATE", source["id"])
        moving = asyncio.create_task(patched(api, source, {"config": elsewhere}))
        await until_waiting(hub, 1)
        rotating = asyncio.create_task(
            api.post(f"/v1/sources/{source['id']}/rotate", {"what": "secret"})
        )
        await until_waiting(hub, 2)
    answers = await asyncio.gather(moving, rotating)

    assert [answer.status for answer in answers] == [200, 200]
    found = await queries.by_name(hub.db, hub.shop("main").id, "lavka")
    assert found
    config: Any = service.opened(hub.signer, found)[0]
    assert config.base_url == "https://other.example"
    assert config.consumer_secret.get_secret_value() == "another"


async def until_waiting(hub: Hub, many: int) -> None:
    """Until so many statements wait for a lock."""
    for _ in range(500):
        if await hub.db.fetchval(_WAITING) >= many:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


_WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"platform": "nobody"}, "/platform"),
        ({"config": {**INSALES["config"], "base_url": "http://10.0.0.1"}}, "/config/base_url"),
        ({"config": {**INSALES["config"], "odd": 1}}, "/config/odd"),
        ({"config": {"base_url": "https://x.example"}}, "/config/login"),
        ({"name": "Ромашка"}, "/name"),
        ({"poll_every": 5}, "/poll_every"),
        ({"mapping": {"statuses": {"x": "sent"}}}, "/mapping/statuses/x"),
        ({"mapping": {"fields": {"order.total": "a["}}}, "/mapping/fields/order.total"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    answer = await api.post("/v1/sources", INSALES | change)

    assert answer.status in (400, 422)
    assert pointer in answer.pointers
    assert b"the-password" not in answer.raw


async def test_two_platforms_do_not_share_ids(api: Api) -> None:
    first = await made(api, INSALES)
    second = await made(api, INSALES | {"name": "other"})
    taken = await api.post("/v1/sources", INSALES | {"name": "third", "id_prefix": "other-"})
    named = await api.post("/v1/sources", INSALES)
    moved = await patched(api, second, {"id_prefix": ""})

    assert (first["id_prefix"], second["id_prefix"]) == ("", "other-")
    assert (first["seller"], second["seller"]) == ("shop", "other-shop")
    assert (taken.status, named.status, moved.status) == (409, 409, 409)
    # A shop's own programs may tell of either.
    assert (await made(api, SITE))["id_prefix"] == ""


async def test_the_name_of_the_source_of_events_over_the_api_is_reserved(api: Api) -> None:
    """Events that name no source would belong to a platform, and their orders be nobody's."""
    created = await api.post("/v1/sources", INSALES | {"name": "api"})
    source = await made(api, INSALES)
    renamed = await patched(api, source, {"name": "api"})

    assert (created.status, renamed.status) == (409, 409)
    assert "events over the API" in created.json["detail"]

    order = {"id": "1", "status": "placed", "lines": [{"id": "1", "quantity": 1}]}
    assert (await api.post("/v1/events", {"kind": "order", "data": order})).status == 202
    [own] = [s for s in (await api.get("/v1/sources")).json["items"] if s["name"] == "api"]
    assert own["platform"] == "generic"
    assert (await patched(api, own, {"name": "api", "tell_within": 60})).status == 200


async def test_one_that_has_that_name_already_takes_no_events_over_the_api(
    api: Api, hub: Hub
) -> None:
    await made(api, INSALES)
    await hub.db.execute("UPDATE source SET name = 'api'")

    order = {"id": "1", "status": "placed", "lines": [{"id": "1", "quantity": 1}]}
    refused = await api.post("/v1/events", {"kind": "order", "data": order})

    assert refused.status == 422
    assert b"is of insales" in refused.raw


async def test_a_seller_is_no_buyer(api: Api) -> None:
    await api.put("/v1/contacts/anna", {"role": "buyer"})
    source = await made(api, SITE)

    assert (await api.post("/v1/sources", INSALES | {"seller": "anna"})).status == 409
    assert (await patched(api, source, {"seller": "anna"})).status == 409


async def test_a_door_is_open_as_long_as_the_source_is(api: Api) -> None:
    source = await made(api, SITE | {"config": {"unsigned": True}})
    [hook] = source["hooks"]
    path = urlsplit(hook["url"]).path

    assert (await api.get(path, key=None)).status == 200
    assert (await api.get(path[:-1], key=None)).status == 404
    await patched(api, source, {"active": False})
    assert (await api.get(path, key=None)).status == 404
    await patched(api, source, {"active": True})
    assert (await api.get(path, key=None)).status == 200
    await api.delete(f"/v1/sources/{source['id']}")
    assert (await api.get(path, key=None)).status == 404
    assert (await api.get(f"/v1/sources/{source['id']}")).status == 404
    # The name is free again.
    await made(api, SITE)


async def test_with_a_secret_that_nobody_can_open_any_more_nobody_can_sign(
    hub: Hub, api: Api
) -> None:
    """As after hub.secret was lost: the config is given anew, and a secret is not there before it is exchanged."""
    source = await made(api, SITE)
    await hub.db.execute("UPDATE source SET secrets = 'sealed by somebody else, long ago'")

    early = await api.post(f"/v1/sources/{source['id']}/rotate", {"what": "secret"})
    mended = await patched(api, source, {"config": {}})
    with_nothing = await _told(api, source, "whsec_")
    rotated = await api.post(f"/v1/sources/{source['id']}/rotate", {"what": "secret"})
    with_the_new = await _told(api, source, rotated.json["secret"])

    assert early.status == 409, early.raw
    assert "give" in early.json["detail"]
    assert mended.status == 200
    assert with_nothing.status == 401
    assert with_the_new.status == 202, with_the_new.raw


async def _told(api: Api, source: dict[str, Any], secret: str) -> Answer:
    """An event of the shop at its hook, signed so."""
    [hook] = source["hooks"]
    body = orjson.dumps({"kind": "product", "data": {"id": "1", "title": "Чайник"}})
    proof = signing.headers([secret], "msg-1", datetime.now(UTC), body)
    path = urlsplit(hook["url"]).path
    return await api.call("POST", path, raw=body, headers=proof, key=None)


async def test_another_shop_sees_nothing_of_it(hub: Hub, api: Api, url: str, key_for: Any) -> None:
    source = await made(api, SITE)

    async with Api(url, await key_for("admin", shop="other")) as other:
        assert (await other.get("/v1/sources")).json["items"] == []
        for method in ("GET", "DELETE"):
            assert (await other.call(method, f"/v1/sources/{source['id']}")).status == 404
        assert (await patched(other, source, {"active": False})).status == 404


async def test_platforms_say_what_they_need(api: Api) -> None:
    items = {item["platform"]: item for item in (await api.get("/v1/platforms")).json["items"]}

    assert len(items) == 10
    assert "password" in items["insales"]["config"]["properties"]
    assert items["insales"]["statuses"]["new"] == "placed"


async def test_a_source_needs_an_admin(url: str, key_for: Any) -> None:
    async with Api(url, await key_for("orders", "read", "contacts", "send")) as api:
        assert (await api.get("/v1/sources")).status == 403
        assert (await api.post("/v1/sources", SITE)).status == 403
