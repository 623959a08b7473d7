"""Whom requests are for: known people, people made or changed along with a request, and one-off addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast
from uuid import UUID

from channels.base import Channel
from channels.guard import Network
from hub.audit.model import Actor
from hub.config import Locale
from hub.contacts import service as contacts
from hub.contacts.model import KnownContactIn
from hub.db.pool import Connection
from hub.errors import Fault, HubError, InvalidInput, Unprocessable
from hub.notifications import facts
from hub.notifications.model import ContactFacts
from hub.notifications.request import NotificationIn
from hub.shops.registry import Shop

T = TypeVar("T")
Asked = NotificationIn | HubError
"""What was read of one item of a batch: a fault of one does not stop the others."""


async def receivers(
    connection: Connection,
    shop: Shop,
    asked: Sequence[Asked],
    actors: Sequence[Actor],
    outgoing_allow: Sequence[Network],
) -> list[ContactFacts | HubError]:
    """Everybody who is written to, the whole contacts among them made or changed first. `actors`: who asks
    for each."""
    named = _sorted(asked, outgoing_allow)
    ids: dict[int, UUID] = {}
    if named.one_offs:
        found = await contacts.one_off_many(connection, shop.id, list(named.one_offs.values()))
        ids |= zip(named.one_offs, found, strict=True)
    if named.upserts:
        said_by = {given.external_id: actors[i] for i, given in named.upserts.items() if actors}
        pairs = [(given.external_id, given) for given in named.upserts.values()]
        made = await contacts.upsert_many(connection, shop.id, pairs, by=said_by)
        ids |= {i: upserted.id for i, upserted in zip(named.upserts, made, strict=True)}
    names, known = named.known, named.faults
    by_name = await facts.by_external_id(connection, shop.id, _each(names)) if names else {}
    by_id = await facts.by_id(connection, _each(ids)) if ids else {}
    for i, name in names.items():
        known[i] = by_name.get(name) or _unknown(name)
    for i, id_ in ids.items():
        # Erased in between, perhaps.
        person = by_id.get(id_)
        known[i] = _in_language(named.one_offs.get(i), person) if person else _unknown("")
    return [known[i] for i in range(len(asked))]


@dataclass(frozen=True, slots=True)
class _Named:
    """Whom each item names, by its place."""

    faults: dict[int, ContactFacts | HubError]
    known: dict[int, str]
    upserts: dict[int, KnownContactIn]
    one_offs: dict[int, tuple[Channel, str, Locale | None]]


def _sorted(asked: Sequence[Asked], outgoing_allow: Sequence[Network]) -> _Named:
    named = _Named({}, {}, {}, {})
    for i, item in enumerate(asked):
        if isinstance(item, HubError):
            named.faults[i] = item
            continue
        if one_off := item.one_off:
            named.one_offs[i] = (one_off.address.channel, one_off.address.value, one_off.locale)
            continue
        recipient = cast("KnownContactIn", item.recipient)
        if len(recipient.model_fields_set) == 1:
            named.known[i] = recipient.external_id
        elif faults := contacts.endpoint_faults(recipient, outgoing_allow, "/recipient"):
            named.faults[i] = InvalidInput(faults=faults)
        else:
            named.upserts[i] = recipient
    return named


def _each(values: Mapping[int, T]) -> list[T]:
    return list(dict.fromkeys(values.values()))


def _unknown(external_id: str) -> HubError:
    return Unprocessable(
        faults=[Fault("/recipient/external_id", f"there is no contact {external_id!r}")]
    )


def _in_language(
    one_off: tuple[Channel, str, Locale | None] | None, person: ContactFacts
) -> ContactFacts:
    """A one-off's language belongs to the notification, not to the address."""
    locale = one_off[2] if one_off else None
    return replace(person, locale=locale) if locale else person
