"""Places: made and changed, listed, and bound to group chats."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from channels.base import Channel
from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.contacts import codes, links
from hub.contacts.addresses import digest, kind_of
from hub.contacts.links import Redeemed
from hub.contacts.model import Role
from hub.db.pool import Connection, Db, transaction
from hub.errors import Fault, InvalidInput, NotFound, Unprocessable
from hub.ids import new_id
from hub.orders import people
from hub.orders.model import Warehouse
from hub.orders.request import WarehouseIn
from hub.preferences import suppressions
from hub.resources import Hub
from hub.tokens import Signer

LINK_LIFETIME = timedelta(hours=24)
_KEPT_FOR = timedelta(days=30)
_TOKEN_BYTES = 24

_URLS: Mapping[Channel, str] = {
    # Bot features, "Deep linking": whoever opens it chooses the group that the bot is added to.
    Channel.TELEGRAM: "https://t.me/{name}?startgroup={token}",
    # A community is added to a chat by hand: the link opens it, the command is written in the chat.
    Channel.VK: "https://vk.me/{name}",
    # Likewise; it hears a group's commands once it is an administrator there.
    Channel.MAX: "https://max.ru/{name}",
}

_WAREHOUSE = """
SELECT w.id, w.external_id, w.name, w.address, w.timezone, w.hours, s.external_id AS seller,
       w.created_at, w.updated_at,
       ARRAY(SELECT c.external_id FROM contact AS c
              WHERE c.shop_id = w.shop_id AND c.warehouses @> ARRAY[w.external_id]
                AND c.warehouses <> '{}' AND c.role = 'warehouse' ORDER BY c.id) AS staff,
       ARRAY(SELECT h.channel FROM warehouse_chat AS h
              WHERE h.warehouse_id = w.id ORDER BY h.created_at) AS chats
  FROM warehouse AS w LEFT JOIN contact AS s ON s.id = w.seller_id
"""


@dataclass(frozen=True, slots=True)
class ChatLink:
    """`command`: what to write in the chat where the link cannot say it; `code`: the same, short enough to type."""

    url: str
    command: str
    code: str
    expires_at: datetime


async def put(
    conn: Connection, shop_id: int, external_id: str, given: WarehouseIn, *, by: Actor = SYSTEM
) -> tuple[Warehouse, bool]:
    """The place as it is now, and whether it is new. In the caller's transaction. Raises `Unprocessable`
    (no such seller)."""
    changes = await _changes(conn, shop_id, given)
    made = await ensure(conn, shop_id, [external_id])
    created = external_id in made
    if changes:
        columns = ", ".join(f"{name} = ${i}" for i, name in enumerate(changes, 3))
        await conn.execute(
            f"UPDATE warehouse SET {columns}, updated_at = now()"  # noqa: S608 (names of fields)
            " WHERE shop_id = $1 AND external_id = $2",
            shop_id,
            external_id,
            *changes.values(),
        )
    changed = sorted(given.model_fields_set)
    await audit.record(
        conn, shop_id, by, Action.WAREHOUSE_STORED, external_id, created=created, changed=changed
    )
    return await get(conn, shop_id, external_id), created


async def _changes(conn: Connection, shop_id: int, given: WarehouseIn) -> dict[str, Any]:
    empty: dict[str, Any] = {"name": "", "address": "", "timezone": None, "hours": {}}
    changes: dict[str, Any] = {}
    for name in given.model_fields_set & empty.keys():
        value = getattr(given, name)
        changes[name] = empty[name] if value is None else value
    if "seller" in given.model_fields_set:
        changes["seller_id"] = None
        if given.seller:
            found = await people.named(conn, shop_id, [given.seller.external_id])
            fault = seller_fault(found, given.seller.external_id, "/seller/external_id")
            if fault:
                raise Unprocessable(faults=[fault])
            changes["seller_id"] = found[given.seller.external_id][0]
    return changes


def seller_fault(
    found: Mapping[str, tuple[UUID, Role]], external_id: str, pointer: str
) -> Fault | None:
    """Why this contact cannot be a seller; None: he is one."""
    if external_id not in found:
        return Fault(pointer, "there is no contact with this external_id")
    role = found[external_id][1]
    if role is not Role.SELLER:
        return Fault(pointer, f"is a contact of role {role}, not seller")
    return None


async def ensure(conn: Connection, shop_id: int, external_ids: Collection[str]) -> set[str]:
    """Makes the places that are not known yet; returns which they were."""
    rows = await conn.fetch(
        """
        INSERT INTO warehouse (id, shop_id, external_id)
        SELECT id, $1, external_id FROM unnest($2::uuid[], $3::text[]) AS t (id, external_id)
         WHERE NOT EXISTS (SELECT FROM warehouse AS w
                            WHERE w.shop_id = $1 AND w.external_id = t.external_id)
         ORDER BY external_id
        ON CONFLICT (shop_id, external_id) DO NOTHING
        RETURNING external_id
        """,
        shop_id,
        [new_id() for _ in external_ids],
        list(external_ids),
    )
    return {row["external_id"] for row in rows}


async def ids(db: Db, shop_id: int, external_ids: Collection[str]) -> Mapping[str, UUID]:
    rows = await db.fetch(
        "SELECT external_id, id FROM warehouse WHERE shop_id = $1 AND external_id = ANY($2)",
        shop_id,
        list(external_ids),
    )
    return {row["external_id"]: row["id"] for row in rows}


async def get(db: Db, shop_id: int, external_id: str) -> Warehouse:
    """Raises `NotFound`."""
    row = await db.fetchrow(
        f"{_WAREHOUSE} WHERE w.shop_id = $1 AND w.external_id = $2", shop_id, external_id
    )
    if row is None:
        raise NotFound("there is no warehouse with this external_id")
    return _warehouse(row)


async def page(db: Db, shop_id: int, *, before: UUID | None, limit: int) -> list[Warehouse]:
    """The newest first. `before`: the last id of the page before."""
    rows = await db.fetch(
        f"{_WAREHOUSE} WHERE w.shop_id = $1 AND ($2::uuid IS NULL OR w.id < $2)"
        " ORDER BY w.id DESC LIMIT $3",
        shop_id,
        before,
        limit,
    )
    return [_warehouse(row) for row in rows]


async def create_link(
    hub: Hub, shop_id: int, external_id: str, channel: Channel, *, by: Actor = SYSTEM
) -> ChatLink:
    """Whoever uses it first binds his group chat to this place. Only digests of its token and its code are kept.

    Raises `InvalidInput` (no bots on that channel), `NotFound`, `Unprocessable` (the shop has no bot there,
    or the messenger does not tell its name).
    """
    if channel not in _URLS:
        choice = ", ".join(sorted(_URLS))
        raise InvalidInput(faults=[Fault("/channel", f"must be a channel with bots: {choice}")])
    warehouse = await get(hub.db, shop_id, external_id)
    name = await links.bot_name(hub, shop_id, channel)
    token, code = secrets.token_urlsafe(_TOKEN_BYTES), codes.new()
    now = datetime.now(UTC)
    async with transaction(hub.db) as conn:
        await conn.execute("DELETE FROM warehouse_link WHERE expires_at < $1", now - _KEPT_FOR)
        await conn.execute(
            """
            INSERT INTO warehouse_link
                (digest, code_digest, shop_id, warehouse_id, channel, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            _digest(token),
            codes.digest(hub.signer, shop_id, channel, code),
            shop_id,
            warehouse.id,
            channel,
            now + LINK_LIFETIME,
        )
        what = Action.WAREHOUSE_LINK_CREATED
        await audit.record(conn, shop_id, by, what, external_id, channel=channel)
    url = _URLS[channel].format(name=name, token=token)
    return ChatLink(url, f"/start {token}", code, now + LINK_LIFETIME)


async def redeem_link(
    conn: Connection, shop_id: int, channel: Channel, token: str, chat: str
) -> tuple[Redeemed, str]:
    """Binds the group chat `chat` (an address in its stored form), in the caller's transaction. With it the
    name of the place, empty where the link is unknown. Used again in the same chat, it is `BOUND` once more.
    """
    return await _redeem(conn, shop_id, channel, [_digest(token)], chat)


async def redeem_code(
    conn: Connection,
    signer: Signer,
    shop_id: int,
    channel: Channel,
    code: str,
    chat: str,
    person: str,
) -> tuple[Redeemed, str]:
    """As `redeem_link`, by the link's code in any of the forms that `codes.read` reads, typed by `person` (an
    address in its stored form). Few may be wrong, of the chat's and of his: after these it is `TOO_MANY`."""
    who = [chat, person]
    if not await codes.may_guess(conn, shop_id, channel, who):
        return Redeemed.TOO_MANY, ""
    keys = codes.digests(signer, shop_id, channel, code)
    found = await _redeem(conn, shop_id, channel, keys, chat)
    if found[0] is not Redeemed.BOUND:
        await codes.note_wrong(conn, shop_id, channel, who, keys[0])
    return found


async def _redeem(
    conn: Connection, shop_id: int, channel: Channel, keys: Sequence[bytes], chat: str
) -> tuple[Redeemed, str]:
    """`keys`: the digest of a token, or those that a code may have."""
    row = await conn.fetchrow(
        """
        SELECT l.digest, l.warehouse_id, l.expires_at < now() AS expired, l.used_at,
               coalesce(nullif(w.name, ''), w.external_id) AS name,
               EXISTS (SELECT FROM warehouse_chat AS h WHERE h.warehouse_id = l.warehouse_id
                          AND h.channel = $3 AND h.value = $4) AS held
          FROM warehouse_link AS l JOIN warehouse AS w ON w.id = l.warehouse_id
         WHERE (l.digest = ANY($1) OR l.code_digest = ANY($1)) AND l.shop_id = $2 AND l.channel = $3
           FOR UPDATE OF l
        """,
        keys,
        shop_id,
        channel,
        chat,
    )
    if row is None:
        return Redeemed.UNKNOWN, ""
    if row["used_at"]:
        return (Redeemed.BOUND if row["held"] else Redeemed.USED), row["name"]
    if row["expired"]:
        return Redeemed.EXPIRED, row["name"]
    await conn.execute("UPDATE warehouse_link SET used_at = now() WHERE digest = $1", row["digest"])
    await bind_chat(conn, shop_id, row["warehouse_id"], channel, chat)
    return Redeemed.BOUND, row["name"]


async def bind_chat(
    conn: Connection, shop_id: int, warehouse_id: UUID, channel: Channel, chat: str
) -> None:
    """From now on questions to this place go to that chat, too."""
    contact_id = await conn.fetchval(
        "SELECT contact_id FROM warehouse_chat WHERE shop_id = $1 AND channel = $2 AND value = $3",
        shop_id,
        channel,
        chat,
    )
    kind = kind_of(channel, chat)
    if contact_id is None:
        contact_id = new_id()
        await conn.execute(
            "INSERT INTO contact (id, shop_id, role) VALUES ($1, $2, 'warehouse')",
            contact_id,
            shop_id,
        )
        await conn.execute(
            """
            INSERT INTO address (id, shop_id, contact_id, kind, value, digest)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            new_id(),
            shop_id,
            contact_id,
            kind,
            chat,
            digest(kind, chat),
        )
    await conn.execute(
        """
        INSERT INTO warehouse_chat (shop_id, warehouse_id, contact_id, channel, value)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        shop_id,
        warehouse_id,
        contact_id,
        channel,
        chat,
    )
    await suppressions.lift(conn, shop_id, channel, digest(kind, chat))


async def forget_chat(conn: Connection, shop_id: int, channel: Channel, chat: str) -> None:
    """The bot was removed from that chat: it belongs to no place any more."""
    await conn.execute(
        "DELETE FROM warehouse_chat WHERE shop_id = $1 AND channel = $2 AND value = $3",
        shop_id,
        channel,
        chat,
    )


def _warehouse(row: Any) -> Warehouse:
    fields = dict(row)
    return Warehouse(
        **fields
        | {
            "hours": {day: (opens, closes) for day, (opens, closes) in fields["hours"].items()},
            "staff": tuple(fields["staff"]),
            "chats": tuple(fields["chats"]),
        }
    )


def _digest(token: str) -> bytes:
    """A digest without salt is enough: the token is random and long."""
    return sha256(token.encode()).digest()
