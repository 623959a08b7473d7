"""What providers say of an address and of no message of ours."""

import pytest

from channels.base import Channel, Receipt, ReceiptStatus
from hub.accounts.book import LiveAccount
from hub.notifications import receipts
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Shop


@pytest.fixture
def mail(hub: Hub) -> LiveAccount:
    return hub.accounts.of(hub.shop("main").id, Channel.EMAIL)[0]


async def skipped(shop: Shop, to: str = "anna", **more: object) -> list[tuple[str, str]]:
    answer = await shop.ask(to, "/v1/notifications?dry_run=true", channels=["email"], **more)
    return [(s["channel"], s["reason"]) for s in answer.json["skipped"] if s["channel"] == "email"]


@pytest.mark.parametrize("status", [ReceiptStatus.BOUNCED, ReceiptStatus.COMPLAINED])
async def test_a_dead_or_complaining_address_is_written_to_no_more(
    hub: Hub, shop: Shop, mail: LiveAccount, status: ReceiptStatus
) -> None:
    said = Receipt(status, address="anna@EXAMPLE.com", code="550")

    await receipts.store(hub.db, hub.signer, mail, [said, said])
    await receipts.store(hub.db, hub.signer, mail, [said])

    assert await skipped(shop) == [("email", "suppressed")]
    assert await skipped(shop, "boris") == []
    row = await hub.db.fetchrow("SELECT reason, code FROM suppression")
    assert row is not None
    assert tuple(row) == (str(status), "550")
    # Nothing is left that would wait for a message of ours.
    assert await hub.db.fetchval("SELECT count(*) FROM receipt") == 0


async def test_whoever_left_at_the_provider_has_left_here(
    api: Api, hub: Hub, shop: Shop, mail: LiveAccount
) -> None:
    await shop.contact("anna", consents={"marketing": {"email": "subscribed"}})

    said = Receipt(ReceiptStatus.UNSUBSCRIBED, address="anna@example.com")
    await receipts.store(hub.db, hub.signer, mail, [said])

    contact = (await api.get("/v1/contacts/anna")).json
    assert contact["consents"]["marketing"]["email"] == "unsubscribed"
    assert await skipped(shop) == []


@pytest.mark.parametrize("address", ["", "nobody", "a@b", "+79990000001"])
async def test_what_is_no_address_of_the_channel_is_passed_over(
    hub: Hub, shop: Shop, mail: LiveAccount, address: str
) -> None:
    await receipts.store(
        hub.db, hub.signer, mail, [Receipt(ReceiptStatus.BOUNCED, address=address)]
    )

    assert await skipped(shop) == []
    assert await hub.db.fetchval("SELECT count(*) FROM suppression") == 0


async def test_a_bounce_of_a_letter_that_others_sent_counts_for_the_address(
    hub: Hub, shop: Shop, mail: LiveAccount
) -> None:
    said = Receipt(ReceiptStatus.BOUNCED, provider_id="of-somebody", address="anna@example.com")

    await receipts.store(hub.db, hub.signer, mail, [said])

    assert await skipped(shop) == [("email", "suppressed")]
