"""What people told the bots: stored before the messenger is answered, handled afterwards and in order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from channels.base import AccountConfig, BadHook, Channel, HookRequest, Receipt, Told
from channels.max import updates as max_
from channels.registry import SANDBOX
from channels.telegram import updates as telegram
from channels.updates import Incoming, storable
from channels.viber.bot_api import BotApi as ViberApi
from channels.vk import updates as vk
from channels.vk.community import CommunityConfig
from hub.accounts.book import LiveAccount
from hub.contacts.addresses import Kind
from hub.db.pool import Db, Pool
from hub.errors import Unprocessable
from hub.ids import new_id
from hub.resources import Hub
from hub.tokens import Signer

BOT_CHANNELS = frozenset({Channel.TELEGRAM, Channel.VK, Channel.MAX})


@dataclass(frozen=True, slots=True)
class Stored:
    """An update that was not handled yet. `failures`: how often it was tried in vain."""

    id: int
    chat: str
    raw: dict[str, Any]
    failures: int
    received_at: datetime


def hook_secret(signer: Signer, account: LiveAccount) -> str:
    """What Telegram and MAX are told with the address of the hook and have to show at each call: letters, digits,
    `-` and `_`, stable. The purpose keeps the name of the messenger that came first."""
    return _hook_secrets(signer, account)[0]


def _hook_secrets(signer: Signer, account: LiveAccount) -> list[str]:
    """With those of earlier secrets of the hub: calls that are repeated still carry them."""
    return signer.names("telegram-webhook", f"{account.shop_id}/{account.name}")


def config_of(hub: Hub, account: LiveAccount) -> AccountConfig:
    """The account's own keys in the settings."""
    accounts = hub.shops[account.shop_id].settings.accounts
    return next(a.config for a in accounts if a.name == account.name)


def has_bot(account: LiveAccount) -> bool:
    """Whether people can talk to this account, and calls to its hook are what they say."""
    if account.provider == SANDBOX:
        return False
    # Services that reach Viber by phone have nobody who talks.
    return account.channel in BOT_CHANNELS or Kind.VIBER in account.kinds


def is_called(account: LiveAccount) -> bool:
    """Whether the provider is listened to: a bot that is off hears nobody, receipts of what was sent come as ever."""
    return account.enabled or not has_bot(account)


def is_sandbox_bot(account: LiveAccount) -> bool:
    """Whether people can be played who talk to a bot on this account."""
    return account.channel in BOT_CHANNELS and account.provider == SANDBOX


def sandbox_bot(hub: Hub, shop_id: int, channel: Channel) -> LiveAccount:
    """Raises `Unprocessable`: nobody talks to the shop there but real people, or nobody at all."""
    found = next((a for a in hub.accounts.of(shop_id, channel) if is_sandbox_bot(a)), None)
    if found is None:
        raise Unprocessable(f"the sandbox has no bot of this shop on {channel}")
    return found


async def store_press(
    hub: Hub, shop_id: int, channel: Channel, address: str, message: UUID, data: str
) -> None:
    """A button under a kept message was pressed at that address; each time is a press of its own.

    Raises `Unprocessable`: see `sandbox_bot`."""
    raw = {"press": str(new_id()), "message": str(message), "data": data}
    await _store_played(hub, shop_id, channel, address, raw["press"], raw)


async def store_words(
    hub: Hub, shop_id: int, channel: Channel, address: str, text: str, *, person: str | None = None
) -> None:
    """Somebody at that address writes to the bot; where it is a group's, `person` of it. Raises `Unprocessable`:
    see `sandbox_bot`."""
    raw = {"text": text} if person is None else {"text": text, "person": person}
    await _store_played(hub, shop_id, channel, address, str(new_id()), raw)


async def _store_played(
    hub: Hub, shop_id: int, channel: Channel, address: str, event: str, raw: dict[str, Any]
) -> None:
    account = sandbox_bot(hub, shop_id, channel)
    played = Incoming(event, address, storable({**raw, "chat": address}))
    await store(hub.db, shop_id, account.name, [played])


async def receive_hook(hub: Hub, account: LiveAccount, request: HookRequest) -> Told:
    """What `/hooks/{account_token}` does with a bot's updates: checks, stores, and only then answers. What else the
    call says is left to the caller.

    Raises `BadHook`.
    """
    receipts: Sequence[Receipt] = ()
    match account.channel:
        case Channel.TELEGRAM:
            found, reply = telegram.read_hook(request, _hook_secrets(hub.signer, account))
        case Channel.MAX:
            found, reply = max_.read_hook(request, _hook_secrets(hub.signer, account))
        case Channel.VK:
            config = cast("CommunityConfig", config_of(hub, account))
            found, reply = vk.read_hook(request, config)
        case Channel.VIBER:
            found, told = cast("ViberApi", account.adapter).converse(request)
            receipts, reply = told.receipts, told.reply
        case _:
            raise BadHook(f"{account.channel} has no bots here")
    await store(hub.db, account.shop_id, account.name, found)
    return Told(receipts, reply=reply)


async def store(
    db: Pool, shop_id: int, account: str, found: Sequence[Incoming], *, cursor: str | None = None
) -> int:
    """How many of them are new. `cursor`: up to where the account is read now, written together with them."""
    async with db.acquire() as conn, conn.transaction():
        rows = await conn.fetch(
            """
            INSERT INTO bot_update (shop_id, account, event, chat, raw)
            SELECT $1, $2, event, chat, raw
              FROM unnest($3::text[], $4::text[], $5::jsonb[]) WITH ORDINALITY
                AS t (event, chat, raw, place)
             ORDER BY place
            ON CONFLICT (shop_id, account, event) DO NOTHING
            RETURNING id
            """,
            shop_id,
            account,
            [one.event for one in found],
            [one.chat for one in found],
            [one.raw for one in found],
        )
        if cursor is not None:
            await conn.execute(
                """
                INSERT INTO bot_cursor (shop_id, account, cursor) VALUES ($1, $2, $3)
                ON CONFLICT (shop_id, account) DO UPDATE SET cursor = excluded.cursor
                """,
                shop_id,
                account,
                cursor,
            )
        return len(rows)


async def cursor_of(db: Db, shop_id: int, account: str) -> str | None:
    """None: this account was never read."""
    cursor: str | None = await db.fetchval(
        "SELECT cursor FROM bot_cursor WHERE shop_id = $1 AND account = $2", shop_id, account
    )
    return cursor


async def waiting(
    db: Db, shop_id: int, account: str, *, but: Collection[str] = (), limit: int = 200
) -> list[Stored]:
    """The oldest first, without those of the chats `but`."""
    rows = await db.fetch(
        """
        SELECT id, chat, raw, failures, received_at FROM bot_update
         WHERE shop_id = $1 AND account = $2 AND handled_at IS NULL AND NOT chat = ANY($4)
         ORDER BY id LIMIT $3
        """,
        shop_id,
        account,
        limit,
        list(but),
    )
    return [Stored(**dict(row)) for row in rows]


async def handled(db: Db, id_: int) -> None:
    await db.execute("UPDATE bot_update SET handled_at = now() WHERE id = $1", id_)


async def failed(db: Db, id_: int) -> None:
    await db.execute("UPDATE bot_update SET failures = failures + 1 WHERE id = $1", id_)
