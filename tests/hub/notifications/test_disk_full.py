"""A disk without room: intake asks to come back, what is under way waits, and all goes on once there is room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hub.resources import Hub
from tests.hub.notifications.conftest import Drive, Shop
from tests.hub.notifications.providers import Providers


@asynccontextmanager
async def full(hub: Hub, table: str, *whens: str) -> AsyncIterator[None]:
    """Writing to that table says what PostgreSQL says when a file cannot grow."""
    await hub.db.execute(
        """
        CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
        END $$
        """
    )
    when = " OR ".join(whens)
    await hub.db.execute(
        f"CREATE TRIGGER no_room BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION no_room()"
    )
    try:
        yield
    finally:
        await hub.db.execute(f"DROP TRIGGER no_room ON {table}")


async def test_intake_says_that_it_cannot_now_and_when_to_come_back(hub: Hub, shop: Shop) -> None:
    async with full(hub, "notification", "INSERT"):
        answer = await shop.ask()

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await shop.ask()).status == 202


async def test_what_cannot_be_begun_is_not_sent_and_goes_out_unmarked_later(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(channels=["telegram"]))["id"]
    async with full(hub, "attempt", "INSERT"):
        await drive.once()
    assert not providers.telegram.sent

    with suppress(TimeoutError):
        async with asyncio.timeout(1.5):
            await drive.deliverer.leases.keep()
    await drive.all()

    [delivery] = (await shop.story(id_))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", False)
    assert len(providers.telegram.sent) == 1
