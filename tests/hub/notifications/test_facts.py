"""What is read of people is what is stored of them, whatever they have in common with others."""

from typing import Any

from channels.base import Category, Channel
from hub.notifications import facts
from hub.notifications.model import AddressFacts, Form
from hub.resources import Hub
from tests.hub.notifications.conftest import Shop

PUSH = {"provider": "fcm", "token": "a-token-of-a-device"}
ADDRESSES: dict[str, Any] = {
    "email": "many@example.com",
    "phone": "+79991234567",
    "telegram": "123",
    "push": [PUSH],
}


async def test_all_that_a_plan_needs_is_read_back(hub: Hub, shop: Shop) -> None:
    await shop.contact(
        "many",
        role="seller",
        addresses=ADDRESSES,
        consents={"marketing": {"email": "subscribed", "sms": "unsubscribed"}},
        preferences={"transactional": ["sms", "email"]},
        attributes={"city": "Томск"},
    )
    await hub.db.execute("UPDATE address SET verified = false WHERE kind = 'telegram'")
    await hub.db.execute(
        """
        INSERT INTO suppression (shop_id, digest, channel, reason)
        SELECT shop_id, digest, channel, 'bounced' FROM address
          JOIN (VALUES ('phone', 'sms'), ('phone', 'viber'), ('push', 'push')) AS s (kind, channel) USING (kind)
        """
    )

    [found] = (await facts.by_external_id(hub.db, hub.shop("main").id, ["many"])).values()

    held = {address.kind: address for address in found.addresses}
    assert {kind: address.value for kind, address in held.items()} == {
        **{kind: ADDRESSES[kind] for kind in ("email", "phone", "telegram")},
        "push": held["push"].value,
    }
    assert Form("phone", None, True, frozenset({"sms", "viber"})) in found.addresses.forms
    assert Form("push", "fcm", True, frozenset({"push"})) in found.addresses.forms
    assert Form("telegram", None, False, frozenset()) in found.addresses.forms
    assert Form("email", None, True, frozenset()) in found.addresses.forms
    assert found.consents == {
        ("marketing", "email"): "subscribed",
        ("marketing", "sms"): "unsubscribed",
    }
    assert found.preferences == {Category.TRANSACTIONAL: (Channel.SMS, Channel.EMAIL)}
    assert (found.role, found.attributes) == ("seller", {"city": "Томск"})
    assert found == (await facts.by_id(hub.db, [found.id]))[found.id]


async def test_of_somebody_with_nothing_nothing_is_read(hub: Hub, shop: Shop) -> None:
    await shop.contact("nobody-yet", role="buyer")

    [found] = (await facts.by_external_id(hub.db, hub.shop("main").id, ["nobody-yet"])).values()

    assert list(found.addresses) == list[AddressFacts]()
    assert (dict(found.consents), found.preferences, found.quiet_hours) == ({}, {}, None)
