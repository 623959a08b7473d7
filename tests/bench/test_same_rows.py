"""The code that the product is held against leaves the rows that the product leaves."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from bench import bodies, plain, same_rows
from bench.calls import WAYS
from bench.rig import Rig
from hub.accounts.limits import RateLimits
from hub.ids import new_id
from hub.notifications.delivery import Deliverer
from hub.queue import connect
from hub.resources import Hub

BODIES = {
    "rendered": bodies.letter(bodies.WHOLE),
    "merged": bodies.letter(bodies.MERGED),
    "telegram": bodies.to("telegram"),
    "max": bodies.to("max"),
    "vk": bodies.to("vk", same=True),
}

KEPT = {"contact_id", "address_id"}
"""People and their addresses are the same in both; all other ids are new."""

SAID = {"send_at", "delivered_at", "happened_at"}
"""Times that were told and so are the same; all others are of the moment."""

_ROWS = {
    "notification": "SELECT * FROM notification WHERE id = ANY($1)",
    "delivery": "SELECT *, give_up_at - due_at AS lasts FROM delivery WHERE notification_id = ANY($1)",
    "attempt": """SELECT t.* FROM attempt AS t JOIN delivery AS d ON d.id = t.delivery_id
                   WHERE d.notification_id = ANY($1)""",
    "receipt": """SELECT r.* FROM receipt AS r JOIN delivery AS d ON d.id = r.delivery_id
                   WHERE d.notification_id = ANY($1)""",
}
_NUMBERS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")

Rows = dict[str, Sequence[dict[str, Any]]]


@pytest.mark.parametrize("way", BODIES)
async def test_what_is_sent_leaves_equal_rows(hub: Hub, rig: Rig, way: str) -> None:
    items = [BODIES[way](number) for number in range(6)]
    ours, theirs = await accepted(rig, items), await accepted(rig, items)
    await some_leave(rig)

    await sent_by_product(hub, rig, ours)
    await sent_by_other(rig, way)

    left = await rows(rig, ours)
    assert statuses(left["delivery"]) == [
        "failed",
        "sent",
        "sent",
        "sent",
        "suppressed",
        "suppressed",
    ]
    assert len(left["attempt"]) == 3
    assert await rows(rig, theirs) == left


async def test_what_is_accepted_leaves_equal_rows(rig: Rig) -> None:
    await some_leave(rig)
    later = {"send_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    nobody = BODIES["merged"](998)
    items = [body(number) for body in BODIES.values() for number in range(6)]
    items += [BODIES["merged"](0) | later, BODIES["vk"](1) | later, nobody]

    ours = await accepted(rig, items)
    theirs = await same_rows.add(rig.db, items)

    left = await rows(rig, ours)
    assert set(statuses(left["notification"])) == {"queued", "scheduled", "undeliverable"}
    assert theirs[-1] is None
    assert await rows(rig, [id_ for id_ in theirs if id_]) == left


async def test_what_is_told_leaves_equal_rows(hub: Hub, rig: Rig) -> None:
    items = [BODIES["merged"](number) for number in range(3)]
    ours, theirs = await accepted(rig, items), await accepted(rig, items)
    await sent_by_product(hub, rig, ours + theirs)
    async with rig.api() as api:
        accounts = orjson.loads(await api.get("/v1/accounts"))["items"]
        [path] = [a["hook_url"] for a in accounts if a["name"] == "mail"]

        await api.post("/" + path.split("/", 3)[3], bodies.receipts(await deliveries(rig, ours)))
    said = orjson.loads(bodies.receipts(await deliveries(rig, theirs)))
    await same_rows.told(rig.db, [e["event_data"] for e in said["events_by_user"][0]["events"]])

    left = await rows(rig, ours)
    assert statuses(left["notification"]) == ["delivered"] * 3
    assert len(left["receipt"]) == 3
    assert await rows(rig, theirs) == left


async def accepted(rig: Rig, items: Sequence[Any]) -> list[UUID]:
    """By the product; their ids, but for what it does not accept."""
    async with rig.api() as api:
        answer = await api.post("/v1/notifications/batch", {"notifications": items})
    return [UUID(one["id"]) for one in orjson.loads(answer)["results"] if "id" in one]


async def some_leave(rig: Rig) -> None:
    """Of the first six: the second wants no more marketing, the third's addresses are dead, the fourth has none."""
    whose = "SELECT id FROM contact WHERE external_id = $1"
    await rig.db.execute(
        f"UPDATE consent SET state = 'unsubscribed' WHERE contact_id = ({whose})", "buyer-2"
    )
    await rig.db.execute(
        f"""
        INSERT INTO suppression (shop_id, channel, digest, reason)
        SELECT 1, kind, digest, 'bounced' FROM address WHERE contact_id = ({whose})
        """,
        "buyer-3",
    )
    await rig.db.execute(f"DELETE FROM address WHERE contact_id = ({whose})", "buyer-4")


async def sent_by_product(hub: Hub, rig: Rig, notifications: Sequence[UUID]) -> None:
    redis = connect(rig.redis_url)
    deliverer = Deliverer(hub, new_id(), RateLimits(redis))
    await deliverer.deliver(await deliveries(rig, notifications))
    await redis.aclose()


async def sent_by_other(rig: Rig, way: str) -> None:
    """All that is left."""
    # What is accepted now the product hands out itself at first.
    await rig.db.execute("UPDATE delivery SET handout_at = due_at WHERE status = 'queued'")
    async with plain.client(rig.sink) as session:
        sender = await same_rows.sender(WAYS[way], rig.database_url, session)
        try:
            while await sender.some():
                pass
        finally:
            await sender.db.close()
            await sender.claims.close()


async def deliveries(rig: Rig, notifications: Sequence[UUID]) -> list[UUID]:
    found = await rig.db.fetch(
        "SELECT id FROM delivery WHERE notification_id = ANY($1)", notifications
    )
    return [row["id"] for row in found]


async def rows(rig: Rig, notifications: Sequence[UUID]) -> Rows:
    """All that is written of them, without what has to differ."""
    return {
        table: sorted(
            [
                {name: _without(name, value) for name, value in row.items()}
                for row in await rig.db.fetch(statement, notifications)
            ],
            key=repr,
        )
        for table, statement in _ROWS.items()
    }


def statuses(found: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(row["status"] for row in found)


def _without(name: str, value: Any) -> Any:
    if isinstance(value, UUID) and name not in KEPT:
        return "an id"
    if isinstance(value, datetime) and name not in SAID:
        return "a time"
    # Made of ids, and of how many came before.
    return _NUMBERS.sub("#", value) if name == "provider_id" and value else value
