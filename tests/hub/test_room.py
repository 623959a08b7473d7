"""New work is refused while there is still room for what was accepted."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.api.app import make_app
from hub.api.keys import ROOM
from hub.api.server import bind, serve
from hub.config import HubSettings
from hub.errors import BacklogFull, DatabaseFull, DiskLow
from hub.ids import new_id
from hub.resources import Hub
from hub.room import Disk, Room, Short, automatic_reserve
from hub.shops import keys
from hub.shops.keys import Scope
from tests.hub.api.client import Api

MIB, GIB = 1 << 20, 1 << 30
FOLDER = "/database"


class Full:
    """A disk of 100 GiB."""

    def __init__(self, free: int) -> None:
        self.free = free

    def __call__(self, folder: Path) -> Disk:
        assert str(folder) == FOLDER
        if self.free < 0:
            raise OSError(5, "Input/output error")
        return Disk(self.free, 100 * GIB)


@pytest.mark.parametrize(
    ("total", "reserve"),
    [(2 * GIB, GIB // 5), (10 * GIB, GIB), (40 * GIB, 2 * GIB), (4000 * GIB, 4 * GIB)],
)
def test_the_reserve_goes_by_the_disk(total: int, reserve: int) -> None:
    assert abs(automatic_reserve(total) - reserve) < MIB


async def test_it_closes_below_the_reserve_and_opens_well_above_it(hub: Hub) -> None:
    disk = Full(free=5 * GIB)
    settings = HubSettings(database_folder=FOLDER, disk_reserve=2 * GIB)
    room = Room(settings, hub.db, disk)

    found = []
    for free in (5 * GIB, 2 * GIB - 1, 2 * GIB + 1, int(2.4 * GIB), int(2.6 * GIB), 2 * GIB + 1):
        disk.free = free
        await room.look()
        found.append(Short.DISK in room.short)

    assert found == [False, True, True, True, False, False]


async def test_a_disk_that_cannot_be_asked_leaves_things_as_they_were(hub: Hub) -> None:
    disk = Full(free=1)
    room = Room(HubSettings(database_folder=FOLDER), hub.db, disk)
    await room.look()
    disk.free = -1

    await room.look()

    with pytest.raises(DiskLow, match="0 MiB are free"):
        room.check()


async def test_what_waits_can_have_a_limit(hub: Hub) -> None:
    await _wait(hub, 11)
    room = Room(HubSettings(backlog_limit=10), hub.db)
    await room.look()
    with pytest.raises(BacklogFull, match="10 messages and more"):
        room.check()

    await hub.db.execute("UPDATE delivery SET status = 'sent'")
    # It is counted anew only after a while.
    await room.look()
    assert room.short
    fresh = Room(HubSettings(backlog_limit=10), hub.db)
    await fresh.look()
    fresh.check()


async def test_the_database_can_have_a_limit(hub: Hub) -> None:
    room = Room(HubSettings(database_limit=MIB), hub.db)

    await room.look()

    with pytest.raises(DatabaseFull, match="the limit is 1 MiB"):
        room.check()


async def test_nothing_is_watched_that_nobody_set(hub: Hub) -> None:
    room = Room(HubSettings(), hub.db)

    await room.look()

    assert not room.short
    assert room.known == {}


@pytest.fixture
async def cramped(hub: Hub) -> AsyncIterator[Api]:
    """An API whose database has no room left."""
    app = make_app(hub)
    app[ROOM] = Room(HubSettings(database_folder=FOLDER), hub.db, Full(free=1))
    listening = bind("127.0.0.1", 0)
    _, key = await keys.create(hub.db, "main", [Scope.ADMIN])
    async with (
        serve(app, listening),
        Api(f"http://127.0.0.1:{listening.getsockname()[1]}", key) as api,
    ):
        yield api


async def test_new_work_is_refused_and_everything_else_goes_on(cramped: Api, hub: Hub) -> None:
    message = {
        "recipient": {"address": {"channel": "email", "value": "a@b.example"}},
        "content": {"text": "Hello"},
    }
    for method, path, body in (
        ("POST", "/v1/notifications", message),
        ("POST", "/v1/notifications/batch", {"notifications": [message]}),
        ("PUT", "/v1/orders/1", {"number": "1"}),
        ("PUT", "/v1/contacts/anna", {"name": "Anna"}),
    ):
        answer = await cramped.call(method, path, body)
        assert answer.status == 503
        assert answer.json["type"] == "urn:vestnik:problem:disk-low"
        assert answer.headers["Retry-After"] == "60"

    [id_] = await _wait(hub, 1)
    assert (await cramped.get("/v1/notifications")).status == 200
    assert (await cramped.post(f"/v1/notifications/{id_}/cancel", {})).status == 404
    assert (await cramped.delete("/v1/contacts/nobody")).status == 404
    text = (await cramped.get("/metrics")).raw.decode()
    assert 'vestnik_intake_closed{reason="disk"} 1.0' in text
    assert 'vestnik_intake_closed{reason="backlog"} 0.0' in text
    assert re.search(r"vestnik_disk_reserve_bytes 4\.29", text)


async def _wait(hub: Hub, count: int) -> list[str]:
    """So many deliveries."""
    ids = [new_id() for _ in range(count)]
    await hub.db.execute(
        """
        INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                              due_at, handout_at, give_up_at)
        SELECT id, $2, id, id, id, 'email', 'transactional', now(), now(), now() FROM unnest($1::uuid[]) AS t (id)
        """,
        ids,
        hub.shop("main").id,
    )
    return [str(id_) for id_ in ids]
