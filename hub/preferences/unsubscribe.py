"""One-click unsubscribing (RFC 8058): the link that goes into letters, and what it does."""

from functools import cache
from typing import NamedTuple
from uuid import UUID

from channels.base import Category, Channel
from hub.audit.model import SYSTEM, Actor
from hub.contacts.model import ConsentState
from hub.db.pool import Pool
from hub.preferences import consents
from hub.resources import Hub
from hub.tokens import BadToken, Signer

_PURPOSE = "unsubscribe"
_ID_BYTES = 16


class Leaving(NamedTuple):
    """Who leaves what. It says nothing of whether the contact still exists."""

    contact_id: UUID
    channel: Channel
    category: Category


def token_of(signer: Signer, leaving: Leaving) -> str:
    """It never ends: a letter may be opened years later, and the wish to leave is no less valid then."""
    contact_id, channel, category = leaving
    return signer.sign(_PURPOSE, contact_id.bytes + _what(channel, category))


@cache
def _what(channel: Channel, category: Category) -> bytes:
    return f"{channel}:{category}".encode()


def read(signer: Signer, token: str) -> Leaving:
    """Raises `BadToken`."""
    payload = signer.read(_PURPOSE, token)
    channel, _, category = payload[_ID_BYTES:].decode().partition(":")
    try:
        return Leaving(UUID(bytes=payload[:_ID_BYTES]), Channel(channel), Category(category))
    except ValueError:
        raise BadToken("names a channel or category that is no more") from None


def unsubscribe_url(hub: Hub, contact_id: UUID, channel: Channel, category: Category) -> str:
    """For the header `List-Unsubscribe` and for the foot of a message: a GET shows a page with one button, a
    POST leaves at once."""
    leaving = Leaving(contact_id, channel, category)
    return f"{hub.settings.public_url}/u/{token_of(hub.signer, leaving)}"


async def leave(db: Pool, leaving: Leaving, *, by: Actor = SYSTEM) -> None:
    """Safe to repeat. A contact that was erased has left already."""
    async with db.acquire() as connection, connection.transaction():
        await consents.set_state(
            connection,
            leaving.contact_id,
            leaving.channel,
            leaving.category,
            ConsentState.UNSUBSCRIBED,
            source="one-click",
            by=by,
        )
