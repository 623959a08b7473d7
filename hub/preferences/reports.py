"""What a provider says of an address, and of no message of ours: its stop list grew, somebody left there."""

from collections.abc import Sequence

from channels.base import Category, Channel, Receipt, ReceiptStatus
from hub.contacts import addresses
from hub.contacts.model import ConsentState
from hub.db.pool import Db
from hub.preferences import consents, suppressions

SUPPRESSING = frozenset({ReceiptStatus.BOUNCED, ReceiptStatus.COMPLAINED})
"""A dead or complaining address is written to no more."""

LEAVING = frozenset({ReceiptStatus.UNSUBSCRIBED, ReceiptStatus.COMPLAINED})
"""Whoever left at the provider has left here."""


async def believe(db: Db, shop_id: int, channel: Channel, said: Sequence[Receipt]) -> None:
    """In the caller's transaction; safe to repeat. What is no address of the channel is passed over."""
    for receipt in said:
        try:
            value = addresses.normalise(channel, receipt.address)
        except ValueError:
            continue
        digest = addresses.digest_at(channel, value)
        if receipt.status in SUPPRESSING:
            await suppressions.suppress(
                db, shop_id, channel, digest, receipt.status, code=receipt.code
            )
        if receipt.status in LEAVING:
            await _leave(db, shop_id, channel, digest)


async def _leave(db: Db, shop_id: int, channel: Channel, digest: bytes) -> None:
    """Everybody who has that address."""
    rows = await db.fetch(
        "SELECT DISTINCT contact_id FROM address WHERE shop_id = $1 AND digest = $2",
        shop_id,
        digest,
    )
    for row in rows:
        await consents.set_state(
            db,
            row["contact_id"],
            channel,
            Category.MARKETING,
            ConsentState.UNSUBSCRIBED,
            source="provider",
        )
