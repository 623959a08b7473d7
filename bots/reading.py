"""A dialog was read up to some message: so were ours in it."""

from channels.base import Receipt, ReceiptStatus
from hub.accounts.book import LiveAccount
from hub.notifications import receipts
from hub.resources import Hub

_BACK = 200
"""Messages of a dialog that are looked at, from the last one read backwards."""


async def mark_read(hub: Hub, account: LiveAccount, chat: str, up_to: int) -> None:
    """Safe to repeat. Messages in that dialog which are not deliveries of ours are passed over."""
    ids = [f"{chat}:{number}" for number in range(max(up_to - _BACK, 0) + 1, up_to + 1)]
    rows = await hub.db.fetch(
        """
        SELECT id FROM delivery
         WHERE shop_id = $1 AND account = $2 AND provider_id = ANY($3)
           AND status IN ('sent', 'delivered')
        """,
        account.shop_id,
        account.name,
        ids,
    )
    found = [Receipt(ReceiptStatus.READ, key=str(row["id"])) for row in rows]
    # Should anything become due by it, the tick hands it out.
    await receipts.store(hub.db, hub.signer, account, found)
