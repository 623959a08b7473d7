"""The audit log: every act of an administrator, who and from where, in one with the act."""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from hub import commands
from hub.api.app import all_routes
from hub.audit import log
from hub.audit.model import SYSTEM, Action
from hub.config import HubSettings, Settings, Shop
from hub.contacts.personal import PERSONAL
from hub.db import partitions
from hub.ids import new_id
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.webhooks.model import EventType
from tests.hub.api.client import Answer, Api

_SOURCE = {"name": "site", "platform": "generic", "config": {"unsigned": True}}
_IMPORT = {"source": "api", "kind": "order", "total": 2, "fingerprint": "f"}
_NO_CASE = "{} has no case here: is it written into the audit log?"
_HOOK = {"url": "https://shop.example/hook", "events": ["order.assembled"]}
_TEMPLATE = "/v1/templates/order.shipped/sms/ru"
_RULE = "/v1/rules/order.shipped"


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-audit"),
            public_url="https://hub.example",
            trusted_proxies=(ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")),
        ),
        shops={"main": Shop(), "other": Shop()},
    )


class Acts:
    """One call of each route that changes something, after what it needs was made."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.headers = {
            "X-Request-Id": "req-7",
            "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.5",
        }

    async def of(self, route: str) -> Answer:
        match route:
            case "keys.create":
                return await self._call("POST", "/v1/keys", {"scopes": ["read"]})
            case "keys.revoke":
                made = (await self.api.post("/v1/keys", {"scopes": ["read"]})).json
                return await self._call("DELETE", f"/v1/keys/{made['id']}")
            case "templates.put":
                return await self._call("PUT", _TEMPLATE, {"text": "Едет"})
            case "templates.delete":
                await self.api.put(_TEMPLATE, {"text": "Едет"})
                return await self._call("DELETE", _TEMPLATE)
            case "warehouses.put":
                return await self._call("PUT", "/v1/warehouses/wh-1", {"name": "Склад"})
            case "warehouses.links.create":
                await self.api.put("/v1/warehouses/wh-1", {})
                return await self._call(
                    "POST", "/v1/warehouses/wh-1/links", {"channel": "telegram"}
                )
            case "webhooks.create":
                return await self._call("POST", "/v1/webhooks", _HOOK)
            case "rules.put":
                return await self._call("PUT", _RULE, {"audiences": ["admin"]})
            case "rules.delete":
                await self.api.put(_RULE, {"audiences": ["admin"]})
                return await self._call("DELETE", _RULE)
            case "contacts.delete" | "contacts.export" | "contacts.links.create":
                return await self._of_contact(route)
            case "events.replay_many":
                event = {"kind": "product", "data": {"id": "7"}}
                assert (await self.api.post("/v1/events", event)).status == 202
                return await self._call("POST", "/v1/events/replay", {"source": "api"})
        match route.partition(".")[0]:
            case "sources":
                return await self._of_source(route)
            case "imports":
                return await self._of_import(route)
        return await self._of_webhook(route)

    async def _of_source(self, route: str) -> Answer:
        if route == "sources.create":
            return await self._call("POST", "/v1/sources", _SOURCE)
        made = (await self.api.post("/v1/sources", _SOURCE)).json
        path = f"/v1/sources/{made['id']}"
        match route:
            case "sources.change":
                return await self._call("PATCH", path, {"active": False})
            case "sources.remove":
                return await self._call("DELETE", path)
            case "sources.rotate":
                return await self._call("POST", f"{path}/rotate", {"what": "url"})
            case "sources.connect":
                return await self._call("POST", f"{path}/connect")
        raise AssertionError(_NO_CASE.format(route))

    async def _of_import(self, route: str) -> Answer:
        if route == "imports.start":
            return await self._call("POST", "/v1/imports", _IMPORT)
        made = (await self.api.post("/v1/imports", _IMPORT)).json
        path = f"/v1/imports/{made['id']}"
        match route:
            case "imports.resume":
                await self.api.post(f"{path}/pause")
                return await self._call("POST", f"{path}/resume")
            case "imports.pause" | "imports.cancel":
                return await self._call("POST", f"{path}/{route.partition('.')[2]}")
        raise AssertionError(_NO_CASE.format(route))

    async def _of_contact(self, route: str) -> Answer:
        await self.api.put("/v1/contacts/anna", {"addresses": {"email": "anna@example.com"}})
        match route:
            case "contacts.delete":
                return await self._call("DELETE", "/v1/contacts/anna")
            case "contacts.export":
                return await self._call("GET", "/v1/contacts/anna/export")
        return await self._call("POST", "/v1/contacts/anna/links", {"channel": "telegram"})

    async def _of_webhook(self, route: str) -> Answer:
        made = (await self.api.post("/v1/webhooks", _HOOK)).json
        path = f"/v1/webhooks/{made['id']}"
        match route:
            case "webhooks.change":
                return await self._call("PATCH", path, {"active": False})
            case "webhooks.remove":
                return await self._call("DELETE", path)
            case "webhooks.rotate":
                return await self._call("POST", f"{path}/rotate")
            case "webhooks.test":
                return await self._call("POST", f"{path}/test")
        raise AssertionError(_NO_CASE.format(route))

    async def _call(self, method: str, path: str, body: Any = None) -> Answer:
        return await self.api.call(method, path, body, headers=self.headers)


_ELSEWHERE = {
    # Tried where there are attempts, below, and events.
    "webhooks.resend",
    "events.replay",
    # They change nothing that was set up.
    "sources.preview",
    "sources.read",
    "imports.rows",
    "imports.finish",
}
_CHANGING = [
    route.name
    for route in all_routes()
    if route.scope is Scope.ADMIN and route.method != "GET" and route.name not in _ELSEWHERE
]


@pytest.mark.parametrize(
    "route", [*_CHANGING, "contacts.delete", "contacts.export", "contacts.links.create"]
)
async def test_every_act_of_an_administrator_is_written_down(
    hub: Hub, api: Api, route: str
) -> None:
    answer = await Acts(api).of(route)

    assert answer.status < 300, answer.raw
    lines = (await api.get("/v1/audit")).json["items"]
    line = lines[0]
    assert (line["actor"], line["request_id"]) == ("key", "req-7")
    assert line["name"] == (await _own_key(hub))["prefix"]
    # The last hop that is no proxy of ours; what stands before it anybody may have written.
    assert line["remote"] == "203.0.113.9"
    assert "anna" not in str(lines)


async def _own_key(hub: Hub) -> Mapping[str, Any]:
    row = await hub.db.fetchrow("SELECT id, 'vst_' || prefix AS prefix FROM api_key ORDER BY id")
    assert row
    return dict(row)


async def test_an_attempt_that_is_sent_again(hub: Hub, api: Api) -> None:
    made = (await api.post("/v1/webhooks", _HOOK)).json
    event = (await api.post(f"/v1/webhooks/{made['id']}/test")).json["event_id"]
    attempt = new_id()
    await hub.db.execute(
        """
        INSERT INTO callback_attempt (id, shop_id, webhook_id, event_id, type, number, outcome, started_at,
                                      duration)
        VALUES ($1, $2, $3, $4, $5, 1, 'failed', now(), interval '1 s')
        """,
        attempt,
        hub.shop("main").id,
        made["id"],
        event,
        EventType.ORDER_ASSEMBLED,
    )

    await api.post(f"/v1/webhooks/{made['id']}/attempts/{attempt}/resend")

    [line, *_] = (await api.get("/v1/audit?action=webhook.resent")).json["items"]
    assert (line["object"], line["detail"]) == (made["id"], {"event_id": event})


async def test_what_fails_leaves_no_line(hub: Hub, api: Api) -> None:
    before = await hub.db.fetchval("SELECT count(*) FROM audit")

    assert (await api.delete("/v1/contacts/nobody")).status == 404
    assert (await api.delete(f"/v1/webhooks/{new_id()}")).status == 404
    assert (await api.delete(_TEMPLATE)).status == 404
    assert (await api.delete(f"/v1/keys/{new_id()}")).status == 404

    assert await hub.db.fetchval("SELECT count(*) FROM audit") == before


async def test_the_list_is_filtered_and_paged(hub: Hub, api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.put(f"/v1/warehouses/{name}", {})
    await api.post("/v1/webhooks", _HOOK)
    key = await _own_key(hub)
    await log.record(hub.db, hub.shop("other").id, SYSTEM, Action.DATA_DROPPED)  # type: ignore[arg-type]

    page = (await api.get("/v1/audit?limit=2&action=warehouse.stored")).json
    rest = (
        await api.get(f"/v1/audit?limit=2&action=warehouse.stored&cursor={page['next_cursor']}")
    ).json

    assert [line["object"] for line in page["items"] + rest["items"]] == ["c", "b", "a"]
    assert rest["next_cursor"] is None
    assert len((await api.get("/v1/audit?object=b")).json["items"]) == 1
    assert len((await api.get(f"/v1/audit?key_id={key['id']}")).json["items"]) == 4
    assert len((await api.get("/v1/audit?until=2001-01-01T00:00:00Z")).json["items"]) == 0
    assert len((await api.get("/v1/audit?since=2001-01-01T00:00:00Z")).json["items"]) == 5
    # The other shop's is not among them.
    assert "data.dropped" not in {
        one["action"] for one in (await api.get("/v1/audit")).json["items"]
    }


async def test_only_administrators_read_it(url: str, key_for: Any) -> None:
    async with Api(url, await key_for(Scope.READ, Scope.CONTACTS)) as api:
        assert (await api.get("/v1/audit")).status == 403


async def test_nothing_in_it_is_changed_or_removed(hub: Hub, api: Api) -> None:
    await api.put("/v1/warehouses/a", {})

    for statement in ("UPDATE audit SET remote = ''", "DELETE FROM audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
            await hub.db.execute(statement)
    [partition] = await hub.db.fetch("SELECT DISTINCT tableoid::regclass::text AS name FROM audit")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await hub.db.execute(f"DELETE FROM {partition['name']}")

    assert "audit" in partitions.GROWING
    assert "audit" not in PERSONAL


async def test_the_command_line_is_written_down_too(hub: Hub, api: Api) -> None:
    made = await asyncio.to_thread(commands.create_key, hub.settings, "main", ["read"], "till")
    assert made == 0

    [line, *_] = (await api.get("/v1/audit")).json["items"]
    assert (line["action"], line["actor"]) == ("key.created", "cli")
    assert "@" in line["name"]
    assert line["detail"]["scopes"] == ["read"]
