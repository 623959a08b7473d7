"""What was told is stored; what people wrote is handled by the clock, in the order in which it came."""

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from channels.base import Category, Channel, Heard, Told
from channels.registry import SANDBOX
from hub.accounts.book import LiveAccount
from hub.config import Locale
from hub.contacts import events
from hub.contacts import queries as contacts
from hub.contacts import service as people
from hub.contacts.model import ConsentState, Contact
from hub.db.pool import UNREACHABLE, Connection
from hub.errors import Unprocessable
from hub.ids import new_id
from hub.inbound import queries
from hub.inbound.model import Wish, is_keyword, understood
from hub.inbound.queries import Waiting
from hub.inbound.stock import Shelf
from hub.inbound.words import words
from hub.notifications import receipts
from hub.notifications import service as notifications
from hub.notifications.request import ContentIn
from hub.notifications.steps import Due
from hub.preferences import consents
from hub.resources import Hub
from hub.shops.registry import Shop

log = structlog.get_logger()

_AT_ONCE = 50
_MOST_FAILURES = 5
_ANSWERABLE_FOR = timedelta(hours=1)
"""After a standstill nobody wants an answer to what he wrote yesterday; what it asks for is done all the same."""

PLAYED = frozenset({Channel.SMS, Channel.WHATSAPP, Channel.VIBER})
"""Where people write without a bot."""

_HOUR = timedelta(hours=1)
_MOST_REPLIES = 20
"""To one address in an hour: two machines that answer each other must come to an end."""


async def store(hub: Hub, account: LiveAccount, told: Told) -> list[Due]:
    """All that a provider told, for good; what its receipts make due. Told again, it changes nothing."""
    if told.heard:
        await queries.add(hub.db, account.shop_id, account.name, account.channel, told.heard)
    return await receipts.store(hub.db, hub.signer, account, told.receipts)


async def handle_waiting(hub: Hub, connection: Connection) -> list[Due]:
    """A chore of the tick. One that fails by a bug is put aside after a few tries and holds up no other."""
    due: list[Due] = []
    for one in await queries.waiting(connection, hub.shops, _AT_ONCE):
        try:
            due += await _handle(hub, one)
        except UNREACHABLE:
            raise
        except Exception as error:  # noqa: BLE001 (one text: a bug must not stop all others)
            stack = "".join(traceback.format_tb(error.__traceback__))
            log.error("inbound.bug", heard=str(one.id), error=type(error).__name__, stack=stack)
            await queries.failed(connection, one.id)
            if one.failures + 1 >= _MOST_FAILURES:
                await queries.handled(connection, one.id)
    return due


async def play(hub: Hub, shop_id: int, channel: Channel, address: str, text: str) -> None:
    """Somebody at that address writes to the sandbox. Raises `Unprocessable`: on that channel nobody can be
    played."""
    found = next((a for a in hub.accounts.of(shop_id, channel) if a.provider == SANDBOX), None)
    if channel not in PLAYED or found is None:
        raise Unprocessable(f"the sandbox takes no texts for this shop on {channel}")
    said = Heard(address, text, id=str(new_id()))
    await queries.add(hub.db, shop_id, found.name, channel, [said])


async def _handle(hub: Hub, one: Waiting) -> list[Due]:
    """First what it asks for, then the reply together with the note that it is handled: after a crash in between
    it is done again, which changes nothing twice."""
    shop = hub.shops.get(one.shop_id)
    if shop is None:
        # Settings change machine by machine: another worker may know the shop.
        return []
    known = await contacts.at(hub.db, shop.id, one.digest)
    locale = next((c.locale for c in known if c.locale), None) or shop.settings.locale
    text = await _reply_to(hub, shop, one, known, locale)
    async with hub.db.acquire() as connection, connection.transaction():
        if not await queries.handled(connection, one.id):
            return []
        await events.replied(connection, [c.id for c in known], one.channel, one.text)
        if text is None or not await _is_answerable(connection, one):
            return []
        return await _send(hub, connection, shop, one, known, text)


async def _reply_to(
    hub: Hub, shop: Shop, one: Waiting, known: Sequence[Contact], locale: Locale
) -> str | None:
    """Does what the text asks for. None: there is nothing to say to it."""
    match understood(one.text):
        case Wish() as wish:
            return await _wish(hub, one.channel, known, wish, locale)
        case _ if own := _own_reply(shop, one, locale):
            return own
    shelf = Shelf(hub, shop, one.channel, known, words(locale), one.heard_at)
    return await shelf.reply_to(one.text)


async def _wish(
    hub: Hub, channel: Channel, known: Sequence[Contact], wish: Wish, locale: Locale
) -> str | None:
    """About advertising only: what belongs to an order is still told. Whoever never left cannot come back."""
    changed = False
    # All of it or nothing: whoever has left is not told a second time, so what tells the backend must not be lost.
    async with hub.db.acquire() as connection, connection.transaction():
        # In one order for everybody, so that two of them never wait for each other.
        for contact in sorted(known, key=lambda one: one.id):
            state = contact.consents.get(Category.MARKETING, {}).get(channel)
            if wish is Wish.START and state != ConsentState.UNSUBSCRIBED:
                continue
            to = ConsentState.UNSUBSCRIBED if wish is Wish.STOP else ConsentState.SUBSCRIBED
            await consents.set_state(
                connection, contact.id, channel, Category.MARKETING, to, source="reply"
            )
            changed = True
    if not changed:
        return None
    return words(locale).stopped if wish is Wish.STOP else words(locale).started


def _own_reply(shop: Shop, one: Waiting, locale: Locale) -> str | None:
    """What the shop answers to a keyword of its own."""
    for reply in shop.settings.replies:
        if (not reply.channels or one.channel in reply.channels) and is_keyword(
            one.text, reply.words
        ):
            return reply.in_language(locale)
    return None


async def _is_answerable(connection: Connection, one: Waiting) -> bool:
    if datetime.now(UTC) - one.received_at > _ANSWERABLE_FOR:
        return False
    if await queries.lately(connection, one, _HOUR) > _MOST_REPLIES:
        log.warning("inbound.too_many", heard=str(one.id))
        return False
    return True


async def _send(
    hub: Hub,
    connection: Connection,
    shop: Shop,
    one: Waiting,
    known: Sequence[Contact],
    text: str,
) -> list[Due]:
    """By the channel on which it came, also to somebody whom the shop does not know."""
    if known:
        receiver = known[0].id
    else:
        receiver = await people.one_off(connection, shop.id, one.channel, one.address)
    try:
        sent = await notifications.send(
            hub,
            connection,
            shop,
            receiver,
            None,
            {},
            content=ContentIn(text=text),
            channels=[one.channel],
        )
    except Unprocessable:
        log.warning("inbound.cannot_reply", heard=str(one.id))
        return []
    return list(sent.due)
