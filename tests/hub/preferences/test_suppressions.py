"""Addresses that are left alone, and how they come back."""

from channels.base import Channel
from hub.contacts.addresses import digest
from hub.preferences import suppressions
from hub.resources import Hub

PHONE = digest("phone", "+79991234567")


async def test_the_first_reason_stays(hub: Hub) -> None:
    shop = hub.shop("main").id

    assert await suppressions.suppress(hub.db, shop, Channel.SMS, PHONE, "bounced", code="5")
    assert not await suppressions.suppress(hub.db, shop, Channel.SMS, PHONE, "blocked")

    row = await hub.db.fetchrow("SELECT reason, code FROM suppression")
    assert row
    assert tuple(row) == ("bounced", "5")


async def test_it_holds_for_one_channel_of_one_shop(hub: Hub) -> None:
    shop, other = hub.shop("main").id, hub.shop("other").id
    await suppressions.suppress(hub.db, shop, Channel.SMS, PHONE, "bounced")

    assert await suppressions.is_suppressed(hub.db, shop, Channel.SMS, PHONE)
    assert not await suppressions.is_suppressed(hub.db, shop, Channel.VIBER, PHONE)
    assert not await suppressions.is_suppressed(hub.db, other, Channel.SMS, PHONE)


async def test_lifting_tells_whether_there_was_anything(hub: Hub) -> None:
    shop = hub.shop("main").id
    await suppressions.suppress(hub.db, shop, Channel.SMS, PHONE, "bounced")

    assert await suppressions.lift(hub.db, shop, Channel.SMS, PHONE)
    assert not await suppressions.lift(hub.db, shop, Channel.SMS, PHONE)
