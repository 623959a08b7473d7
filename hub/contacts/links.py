"""Links that bind a messenger to a contact: whoever opens one, or types its code, is that contact, once and for a
day."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from channels.base import Channel, Unavailable
from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.contacts import codes, events, queries, service
from hub.contacts.addresses import digest, kind_of
from hub.contacts.updates import has_bot, is_sandbox_bot
from hub.db.pool import Connection, transaction
from hub.errors import Fault, InvalidInput, Unprocessable
from hub.preferences import suppressions
from hub.resources import Hub
from hub.tokens import Signer

LIFETIME = timedelta(hours=24)

_TOKEN_BYTES = 24
_URLS: Mapping[Channel, str] = {
    # Bot features, "Deep linking": the parameter has up to 64 letters, digits, _ and -.
    Channel.TELEGRAM: "https://t.me/{name}?start={token}",
    # VK gives the parameter with the first message after the click.
    Channel.VK: "https://vk.me/{name}?ref={token}",
    # dev.max.ru, "Диплинки": up to 128 characters. Somebody who has started the bot before may hear nothing: for him
    # there is the code.
    Channel.MAX: "https://max.ru/{name}?start={token}",
    # Opens the app; the context comes back with what the person says to the welcome.
    Channel.VIBER: "viber://pa?chatURI={name}&context={token}",
}

LINKABLE = frozenset(_URLS)


@runtime_checkable
class HasName(Protocol):
    async def me(self) -> str:
        """The public name of the bot. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """`code`: typed to the bot it does what opening `url` does; the two are one and good once."""

    url: str
    code: str
    expires_at: datetime


class Redeemed(StrEnum):
    """What opening a link came to."""

    BOUND = "bound"
    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    TOO_MANY = "too_many"
    """Wrong codes came from there: this one was not looked at."""


async def create(
    hub: Hub, shop_id: int, external_id: str, channel: Channel, *, by: Actor = SYSTEM
) -> Link:
    """Only digests of its token and its code are kept. Earlier links stay good.

    Raises `InvalidInput` (nothing can be opened on that channel), `NotFound`, `Unprocessable` (the shop has
    no bot there, or the messenger does not tell its name).
    """
    if channel not in LINKABLE:
        choice = ", ".join(sorted(LINKABLE))
        raise InvalidInput(faults=[Fault("/channel", f"must be a channel with bots: {choice}")])
    contact = await service.get(hub.db, shop_id, external_id)
    name = await bot_name(hub, shop_id, channel)
    token, code = secrets.token_urlsafe(_TOKEN_BYTES), codes.new()
    expires_at = datetime.now(UTC) + LIFETIME
    async with transaction(hub.db) as connection:
        await connection.execute(
            """
            INSERT INTO contact_link (digest, code_digest, shop_id, contact_id, channel, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            _digest(token),
            codes.digest(hub.signer, shop_id, channel, code),
            shop_id,
            contact.id,
            channel,
            expires_at,
        )
        what = Action.CONTACT_LINK_CREATED
        await audit.record(connection, shop_id, by, what, contact.id, channel=channel)
    return Link(_URLS[channel].format(name=name, token=token), code, expires_at)


async def bot_name(hub: Hub, shop_id: int, channel: Channel) -> str:
    """Of the shop's bot there. Raises `Unprocessable`: it has none, or the messenger does not tell."""
    bots = [a for a in hub.accounts.of(shop_id, channel) if has_bot(a) or is_sandbox_bot(a)]
    bot = next((a.adapter for a in bots if isinstance(a.adapter, HasName)), None)
    if bot is None:
        raise Unprocessable(f"the shop has no {channel} account with a bot")
    try:
        return await bot.me()
    except Unavailable as error:
        raise Unprocessable(f"the bot's name cannot be had: {error}") from None


async def redeem(
    conn: Connection, shop_id: int, channel: Channel, token: str, value: str
) -> tuple[Redeemed, UUID | None]:
    """Binds the address `value` (in its stored form) to the link's contact, in the caller's transaction.

    The contact's former address of this kind is replaced, and the address is written to again should it
    have been suppressed. Opened again by the one who is bound by it, a link is `BOUND` once more.
    """
    return await _redeem(conn, shop_id, channel, [_digest(token)], value)


async def redeem_code(
    conn: Connection,
    signer: Signer,
    shop_id: int,
    channel: Channel,
    code: str,
    value: str,
) -> tuple[Redeemed, UUID | None]:
    """As `redeem`, by the link's code in any of the forms that `codes.read` reads. Few may be wrong: after these
    it is `TOO_MANY`, right or not."""
    if not await codes.may_guess(conn, shop_id, channel, [value]):
        return Redeemed.TOO_MANY, None
    keys = codes.digests(signer, shop_id, channel, code)
    found = await _redeem(conn, shop_id, channel, keys, value)
    if found[0] is not Redeemed.BOUND:
        await codes.note_wrong(conn, shop_id, channel, [value], keys[0])
    return found


async def _redeem(
    conn: Connection, shop_id: int, channel: Channel, keys: Sequence[bytes], value: str
) -> tuple[Redeemed, UUID | None]:
    """`keys`: the digest of a token, or those that a code may have."""
    kind = kind_of(channel, value)
    row = await conn.fetchrow(
        """
        SELECT l.digest, l.contact_id, l.expires_at < now() AS expired, l.used_at,
               a.value AS held
          FROM contact_link AS l
          LEFT JOIN address AS a ON a.contact_id = l.contact_id AND a.kind = $4
         WHERE (l.digest = ANY($1) OR l.code_digest = ANY($1)) AND l.shop_id = $2 AND l.channel = $3
           FOR UPDATE OF l
        """,
        keys,
        shop_id,
        channel,
        kind,
    )
    if row is None:
        return Redeemed.UNKNOWN, None
    if row["used_at"]:
        return (Redeemed.BOUND if row["held"] == value else Redeemed.USED), row["contact_id"]
    if row["expired"]:
        return Redeemed.EXPIRED, row["contact_id"]
    await conn.execute("UPDATE contact_link SET used_at = now() WHERE digest = $1", row["digest"])
    await queries.bind(conn, shop_id, row["contact_id"], kind, value)
    await suppressions.lift(conn, shop_id, channel, digest(kind, value))
    await events.linked(conn, row["contact_id"], channel)
    return Redeemed.BOUND, row["contact_id"]


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A link as an export shows it: without anything that would open it."""
    return {
        "channel": row["channel"],
        "created_at": row["created_at"].isoformat(),
        "expires_at": row["expires_at"].isoformat(),
        "used_at": row["used_at"].isoformat() if row["used_at"] else None,
    }


def _digest(token: str) -> bytes:
    """A digest without salt is enough: the token is random and long."""
    return sha256(token.encode()).digest()
