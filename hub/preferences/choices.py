"""What a person wants to get, where and when, as he says it himself by a signed link: read, and written back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from channels.base import Category, Channel
from hub.audit.model import SYSTEM, Actor
from hub.config import Locale, QuietHours
from hub.contacts import service as contacts
from hub.contacts.model import ConsentState, ContactIn, PreferencesIn
from hub.db.pool import Connection, Pool
from hub.preferences import consents
from hub.resources import Hub
from hub.tokens import BadToken, Signer

SOURCE = "page"
"""Of a consent that was given or taken back there."""

_PURPOSE = "preferences"
_ID_BYTES = 16


def preferences_url(hub: Hub, contact_id: UUID) -> str:
    """For the foot of a message. It never ends, like the link to unsubscribe."""
    return f"{hub.settings.public_url}/p/{token_of(hub.signer, contact_id)}"


def token_of(signer: Signer, contact_id: UUID) -> str:
    return signer.sign(_PURPOSE, contact_id.bytes)


def read(signer: Signer, token: str) -> UUID:
    """The contact, who may be gone by now. Raises `BadToken`."""
    payload = signer.read(_PURPOSE, token)
    if len(payload) != _ID_BYTES:
        raise BadToken("not a link to preferences")
    return UUID(bytes=payload)


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that one sheet says. `channels`: by category in order of liking, None: the shop's order is fine.
    `consents`: to marketing, for every channel that the sheet showed."""

    locale: Locale
    channels: Mapping[Category, tuple[Channel, ...] | None] = field(default_factory=dict)
    consents: Mapping[Channel, ConsentState] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None


def named(
    chosen: Sequence[Channel],
    offered: Sequence[Channel],
    before: Sequence[Channel] | None,
) -> tuple[Channel, ...] | None:
    """What to keep of a choice among `offered`, which is in the shop's order; with nothing offered, what was
    named before.

    Who leaves everything as the shop has it names nothing, so that a channel he gets later counts as well.
    What he had named before and was not shown now (no address yet) stays named, at the end.
    """
    if not offered:
        return None if before is None else tuple(before)
    if list(chosen) == list(offered):
        return None
    return (*chosen, *(c for c in before or () if c not in offered))


async def save(
    db: Pool,
    shop_id: int,
    external_id: str,
    contact_id: UUID,
    wanted: Wanted,
    *,
    by: Actor = SYSTEM,
) -> None:
    """All of it or nothing; safe to repeat. Nothing where the contact is gone: whoever was erased meanwhile must not
    come back by his own wishes."""
    async with db.acquire() as connection, connection.transaction():
        if not await contacts.hold(connection, contact_id):
            return
        given = ContactIn(
            locale=wanted.locale,
            preferences=PreferencesIn(
                transactional=wanted.channels.get(Category.TRANSACTIONAL),
                marketing=wanted.channels.get(Category.MARKETING),
                quiet_hours=wanted.quiet_hours,
            ),
        )
        await contacts.upsert(connection, shop_id, external_id, given)
        await _consent(connection, contact_id, wanted.consents, by)


async def leave_all(db: Pool, contact_id: UUID, *, by: Actor = SYSTEM) -> None:
    """No marketing on any channel, those included that the person may get later. Safe to repeat."""
    everywhere = dict.fromkeys(Channel, ConsentState.UNSUBSCRIBED)
    async with db.acquire() as connection, connection.transaction():
        await _consent(connection, contact_id, everywhere, by)


async def _consent(
    connection: Connection, contact_id: UUID, states: Mapping[Channel, ConsentState], by: Actor
) -> None:
    # In one order for everybody, so that two of them never wait for each other.
    for channel in sorted(states):
        await consents.set_state(
            connection,
            contact_id,
            channel,
            Category.MARKETING,
            states[channel],
            source=SOURCE,
            by=by,
        )
