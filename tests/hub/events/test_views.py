"""Events to look at over the API: every filter, one with what was told, and another try for what failed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.db.partitions import first_id
from hub.ids import new_id
from hub.resources import Hub
from hub.shops.keys import Scope
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order
from tests.hub.orders.conftest import Book

NOW = datetime.now(UTC)


class Kept:
    """Events as they may lie in the database."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sources: dict[tuple[str, str], UUID] = {}

    async def source(self, name: str, shop: str = "main") -> UUID:
        if (shop, name) not in self._sources:
            self._sources[shop, name] = id_ = new_id()
            await self._hub.db.execute(
                "INSERT INTO source (id, shop_id, name, platform, secrets, seller)"
                " VALUES ($1, $2, $3, 'generic', '', 'shop')",
                id_,
                self._hub.shop(shop).id,
                name,
            )
        return self._sources[shop, name]

    async def event(
        self, *, source: str = "api", shop: str = "main", ago: float = 0, **more: Any
    ) -> str:
        """`ago`: seconds since it came in."""
        id_ = new_id()
        if ago:
            at = first_id(NOW - timedelta(seconds=ago))
            id_ = UUID(int=at.int | (id_.int & ((1 << 80) - 1)))
        row = {
            "id": id_,
            "shop_id": self._hub.shop(shop).id,
            "source_id": await self.source(source, shop),
            "kind": "order",
            "action": "updated",
            "object": "1",
            "via": "api",
            "result": "applied",
        } | more
        names, places = ", ".join(row), ", ".join(f"${i}" for i in range(1, len(row) + 1))
        await self._hub.db.execute(
            f"INSERT INTO shop_event ({names}) VALUES ({places})", *row.values()
        )
        return str(id_)

    async def results(self) -> list[tuple[str, str]]:
        rows = await self._hub.db.fetch("SELECT result, reason FROM shop_event ORDER BY id")
        return [(row["result"], row["reason"]) for row in rows]


@pytest.fixture
def kept(hub: Hub) -> Kept:
    return Kept(hub)


async def ids(api: Api, query: str = "") -> list[str]:
    answer = await api.get(f"/v1/events{query}")
    assert answer.status == 200, answer.json
    return [item["id"] for item in answer.json["items"]]


async def test_the_newest_come_first_and_each_filter_leaves_its_own(api: Api, kept: Kept) -> None:
    old = await kept.event(ago=7200, object="old", kind="cart", action="created")
    failed = await kept.event(ago=3600, source="shop-2", result="failed", reason="unreadable")
    hook = await kept.event(via="hook", object="7")
    other = await kept.event(shop="asking")

    assert await ids(api) == [hook, failed, old]
    for query, found in {
        "?kind=cart": [old],
        "?action=created": [old],
        "?object=7": [hook],
        "?object=7&kind=order": [hook],
        "?object=7&kind=cart": [],
        "?source=shop-2": [failed],
        "?source=nothing": [],
        "?result=failed": [failed],
        "?result=applied": [hook, old],
        "?via=hook": [hook],
        f"?since={(NOW - timedelta(seconds=5400)).isoformat().replace('+00:00', 'Z')}": [
            hook,
            failed,
        ],
        f"?until={(NOW - timedelta(seconds=1800)).isoformat().replace('+00:00', 'Z')}": [
            failed,
            old,
        ],
    }.items():
        assert await ids(api, query) == found, query
    assert (await api.get(f"/v1/events/{other}")).status == 404


async def test_a_list_is_read_page_by_page(api: Api, kept: Kept) -> None:
    made = [await kept.event(object=str(number)) for number in range(5)]

    first = (await api.get("/v1/events?limit=3&kind=order")).json
    second = (await api.get(f"/v1/events?kind=order&cursor={first['next_cursor']}")).json

    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None
    assert (await api.get(f"/v1/events?kind=cart&cursor={first['next_cursor']}")).status == 400


@pytest.mark.parametrize(
    "query", ["kind=tree", "result=good", "via=x", "since=yesterday", "limit=0"]
)
async def test_a_filter_that_cannot_be_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/v1/events?{query}")

    assert answer.status == 400
    assert answer.pointers == [f"/{query.split('=')[0]}"]


async def test_one_event_shows_what_was_told_and_what_it_set_off(api: Api, kept: Kept) -> None:
    set_off = {
        "order": "1",
        "status": "shipped",
        "rules": ["order.shipped"],
        "notifications": [],
        "timers": 0,
    }
    id_ = await kept.event(
        payload={"id": "1"}, set_off=set_off, tries=1, happened_at=NOW, handled_at=NOW
    )

    shown = (await api.get(f"/v1/events/{id_}")).json

    assert shown["payload"] == {"id": "1"}
    assert shown["set_off"] == set_off
    assert (shown["source"], shown["result"], shown["next_at"]) == ("api", "applied", None)
    assert datetime.fromisoformat(shown["happened_at"]) == NOW
    [listed] = (await api.get("/v1/events")).json["items"]
    assert listed == {name: value for name, value in shown.items() if name != "payload"}


async def test_while_it_waits_it_says_when_it_is_tried(api: Api, kept: Kept) -> None:
    later = NOW + timedelta(minutes=5)
    id_ = await kept.event(result="waiting", reason="no-answer", tries=2, due_at=later)

    shown = (await api.get(f"/v1/events/{id_}")).json

    assert datetime.fromisoformat(shown["next_at"]) == later
    assert (shown["tries"], shown["reason"], shown["handled_at"]) == (2, "no-answer", None)


async def test_what_failed_and_what_was_ignored_can_be_tried_again(api: Api, kept: Kept) -> None:
    for result in ("failed", "ignored"):
        id_ = await kept.event(result=result, reason="unreadable", tries=8, handled_at=NOW)

        answer = await api.post(f"/v1/events/{id_}/replay")

        assert (answer.status, answer.json) == (202, {"id": id_})
        shown = (await api.get(f"/v1/events/{id_}")).json
        assert (shown["result"], shown["reason"], shown["tries"]) == ("waiting", "", 0)
        assert shown["next_at"] is not None
    audit = (await api.get("/v1/audit?action=event.replayed")).json["items"]
    assert len(audit) == 2


async def test_nothing_else_is_tried_again(api: Api, kept: Kept) -> None:
    applied = await kept.event()
    nothing = await kept.event(result="ignored", kind=None, action=None, object="")
    erased = await kept.event(result="ignored", reason="erased")
    removed = await kept.event(result="failed", source="gone")

    for id_, words in (
        (applied, "applied"),
        (nothing, "nothing is kept"),
        (erased, "nothing is kept"),
    ):
        answer = await api.post(f"/v1/events/{id_}/replay")
        assert answer.status == 409
        assert words in answer.json["detail"]
    await api.delete(f"/v1/sources/{await kept.source('gone')}")
    assert (await api.post(f"/v1/events/{removed}/replay")).status == 409
    assert (await api.post(f"/v1/events/{new_id()}/replay")).status == 404
    assert (await api.post("/v1/events/x/replay")).status == 400


async def test_all_that_failed_of_a_source_is_tried_again_at_once(api: Api, kept: Kept) -> None:
    await kept.event(ago=7200, result="failed", reason="http-500")
    await kept.event(result="failed", reason="unreadable")
    await kept.event(result="failed", reason="http-500", source="shop-2")
    await kept.event(result="ignored", reason="http-500")

    since = (NOW - timedelta(hours=1)).isoformat()
    first = await api.post("/v1/events/replay", {"source": "api", "since": since})
    assert (first.status, first.json) == (202, {"replayed": 1})
    second = await api.post("/v1/events/replay", {"source": "api", "reason": "http-500"})
    assert second.json == {"replayed": 1}
    assert (await api.post("/v1/events/replay", {"source": "api"})).json == {"replayed": 0}

    assert sorted(await kept.results()) == [
        ("failed", "http-500"),
        ("ignored", "http-500"),
        ("waiting", ""),
        ("waiting", ""),
    ]
    assert (await api.post("/v1/events/replay", {"source": "no-such"})).status == 422


async def test_what_was_applied_without_its_status_is_tried_again_under_a_map_that_knows_it(
    flow: Flow, book: Book
) -> None:
    told = await flow.told(an_order("dispatched"))
    assert (told["result"], told["reason"]) == ("applied", "unknown-status")
    source = str(told["source_id"])
    assert (await flow.api.get(f"/v1/sources/{source}")).json["unknown_codes"] == ["dispatched"]

    known = {"mapping": {"statuses": {"dispatched": "shipped"}}}
    changed = await flow.api.call("PATCH", f"/v1/sources/{source}", known)
    assert changed.json["unknown_codes"] == []
    answer = await flow.api.post("/v1/events/replay", {"source": "api", "reason": "unknown-status"})
    assert answer.json == {"replayed": 1}
    await flow.apply()

    assert (await flow.event(str(told["id"])))["reason"] == ""
    assert (await flow.order())["status"] == "shipped"
    assert await book.who_heard("order.shipped") == ["42"]


async def test_the_metrics_tell_what_stands_still(hub: Hub, api: Api, kept: Kept) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    await kept.event(result="waiting", due_at=long_ago)
    await kept.event(result="waiting", due_at=NOW + timedelta(hours=1))
    await kept.event(result="failed")
    await kept.event(result="failed", ago=2 * 86400)
    await kept.event(source="shop-2")
    await hub.db.execute("UPDATE source SET problem = 'refused' WHERE name = 'shop-2'")

    text = (await api.get("/metrics", key=None)).raw.decode()

    assert 'vestnik_events_waiting{shop="main"} 1.0' in text
    assert 'vestnik_events_failed{shop="main"} 1.0' in text
    assert 'vestnik_sources_troubled{shop="main"} 1.0' in text
    [age] = re.findall(r'vestnik_oldest_event_seconds{shop="main"} ([0-9.]+)', text)
    assert 590 < float(age) < 700


async def test_only_admins_try_again_and_readers_look(url: str, key_for: Any, kept: Kept) -> None:
    id_ = await kept.event(result="failed")
    for scope, look in ((Scope.READ, 200), (Scope.ORDERS, 200), (Scope.SEND, 403)):
        async with Api(url, await key_for(scope)) as api:
            assert (await api.get("/v1/events")).status == look
            assert (await api.get(f"/v1/events/{id_}")).status == look
            assert (await api.post(f"/v1/events/{id_}/replay")).status == 403
            assert (await api.post("/v1/events/replay", {"source": "api"})).status == 403
