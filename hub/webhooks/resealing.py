"""Stored credentials brought under the hub's present secret, so that the ones before it can be dropped."""

from dataclasses import dataclass
from uuid import UUID

from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.db.pool import Connection, Pool
from hub.tokens import Signer
from hub.webhooks.sealing import SealBroken, renewed


@dataclass(frozen=True, slots=True)
class Seals:
    """How many webhooks keep a secret, how many of these were sealed with an earlier secret of the hub, and
    which can be opened with none of those that are known."""

    kept: int
    earlier: int
    broken: tuple[UUID, ...]


async def look(db: Pool, signer: Signer) -> Seals:
    """Changes nothing."""
    async with db.acquire() as connection:
        seals, _ = await _read(connection, signer)
    return seals


async def reseal(db: Pool, signer: Signer, *, by: Actor = SYSTEM) -> Seals:
    """Seals anew what was sealed with an earlier secret: `earlier` of them. Safe to repeat and beside a
    running hub that knows both secrets. What cannot be opened is left as it is."""
    async with db.acquire() as connection, connection.transaction():
        seals, fresh = await _read(connection, signer, lock="FOR UPDATE")
        await connection.executemany(
            "UPDATE webhook SET secret = $2, previous_secret = $3 WHERE id = $1", fresh
        )
        if fresh:
            what = Action.SECRETS_RESEALED
            await audit.record(connection, None, by, what, webhooks=len(fresh))
    return seals


_Row = tuple[UUID, bytes, bytes | None]


async def _read(connection: Connection, signer: Signer, lock: str = "") -> tuple[Seals, list[_Row]]:
    """And the rows as they should be, of those that are sealed with an earlier secret."""
    rows = await connection.fetch(
        "SELECT id, secret, previous_secret FROM webhook"  # noqa: S608 (`lock` is ours)
        f" WHERE deleted_at IS NULL ORDER BY id {lock}"
    )
    fresh: list[_Row] = []
    broken: list[UUID] = []
    for id_, now, before in rows:
        try:
            new_now = renewed(signer, id_, now)
            new_before = renewed(signer, id_, before) if before else None
        except SealBroken:
            broken.append(id_)
        else:
            if new_now or new_before:
                fresh.append((id_, new_now or now, new_before or before))
    return Seals(len(rows), len(fresh), tuple(broken)), fresh
