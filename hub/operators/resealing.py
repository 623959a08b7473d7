"""Second factors brought under the hub's present secret, so that the ones before it can be dropped."""

from hub.db.pool import Pool
from hub.operators.factor import PURPOSE
from hub.tokens import Signer
from hub.webhooks.sealing import SealBroken, renewed


async def reseal(db: Pool, signer: Signer) -> int:
    """How many were sealed with an earlier one. What cannot be opened is left: recovery codes and a new link still
    let its owner in. Safe to repeat."""
    count = 0
    rows = await db.fetch(
        "SELECT id, totp_secret FROM operator WHERE totp_secret IS NOT NULL ORDER BY id"
    )
    for id_, sealed in rows:
        try:
            fresh = renewed(signer, id_, sealed, purpose=PURPOSE)
        except SealBroken:
            continue
        if fresh is not None:
            await db.execute(
                "UPDATE operator SET totp_secret = $2 WHERE id = $1 AND totp_secret = $3",
                id_,
                fresh,
                sealed,
            )
            count += 1
    return count
