"""Sources' stored credentials brought under the hub's present secret, so that the ones before it can be dropped."""

from uuid import UUID

from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.db.pool import Connection, Pool
from hub.tokens import Signer
from hub.webhooks.resealing import Seals
from hub.webhooks.sealing import SOURCE, SealBroken, renewed


async def look(db: Pool, signer: Signer) -> Seals:
    """Of sources instead of webhooks. Changes nothing."""
    async with db.acquire() as connection:
        seals, _ = await _read(connection, signer)
    return seals


async def reseal(db: Pool, signer: Signer, *, by: Actor = SYSTEM) -> Seals:
    """As that of webhooks: safe to repeat, and beside a running hub that knows both secrets."""
    async with db.acquire() as connection, connection.transaction():
        seals, fresh = await _read(connection, signer, lock="FOR UPDATE")
        await connection.executemany("UPDATE source SET secrets = $2 WHERE id = $1", fresh)
        if fresh:
            await audit.record(connection, None, by, Action.SECRETS_RESEALED, sources=len(fresh))
    return seals


async def _read(
    connection: Connection, signer: Signer, lock: str = ""
) -> tuple[Seals, list[tuple[UUID, bytes]]]:
    """And the rows as they should be, of those that are sealed with an earlier secret."""
    rows = await connection.fetch(
        f"SELECT id, secrets FROM source WHERE deleted_at IS NULL ORDER BY id {lock}"  # noqa: S608 (`lock` is ours)
    )
    fresh: list[tuple[UUID, bytes]] = []
    broken: list[UUID] = []
    for id_, sealed in rows:
        try:
            anew = renewed(signer, id_, sealed, purpose=SOURCE)
        except SealBroken:
            broken.append(id_)
        else:
            if anew:
                fresh.append((id_, anew))
    return Seals(len(rows), len(fresh), tuple(broken)), fresh
