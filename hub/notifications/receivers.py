"""Whom requests are for: known people, people made or changed along with a request, and one-off addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from channels.base import Channel
from channels.guard import Network
from hub.audit.model import Actor
from hub.config import Locale
from hub.contacts import service as contacts
from hub.contacts.model import ContactIn, KnownContactIn
from hub.db.pool import Connection
from hub.errors import Fault, HubError, InvalidInput, Unprocessable
from hub.notifications import facts
from hub.notifications.model import ContactFacts
from hub.notifications.request import NotificationIn, OneOffIn
from hub.shops.registry import Shop

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
    found: dict[int, ContactFacts | HubError] = {}
    ids: dict[int, UUID] = {}
    upserts: list[tuple[int, str, ContactIn]] = []
    one_offs: dict[int, tuple[Channel, str, Locale | None]] = {}
    for i, item in enumerate(asked):
        if isinstance(item, HubError):
            found[i] = item
            continue
        recipient = item.recipient
        if isinstance(recipient, OneOffIn):
            address = recipient.address
            one_offs[i] = (address.channel, address.value, recipient.locale)
        elif recipient.model_fields_set - {"external_id"}:
            faults = contacts.endpoint_faults(recipient, outgoing_allow, "/recipient")
            if faults:
                found[i] = InvalidInput(faults=faults)
            else:
                upserts.append((i, recipient.external_id, recipient))
    if one_offs:
        found_ids = await contacts.one_off_many(connection, shop.id, list(one_offs.values()))
        ids |= dict(zip(one_offs, found_ids, strict=True))
    if upserts:
        said_by = {name: actors[i] for i, name, _ in upserts if actors}
        made = await contacts.upsert_many(
            connection,
            shop.id,
            [(external_id, given) for _, external_id, given in upserts],
            by=said_by,
        )
        ids |= {i: upserted.id for (i, _, _), upserted in zip(upserts, made, strict=True)}
    return await _with_facts(connection, shop, asked, found, ids)


async def _with_facts(
    connection: Connection,
    shop: Shop,
    asked: Sequence[Asked],
    found: Mapping[int, ContactFacts | HubError],
    ids: Mapping[int, UUID],
) -> list[ContactFacts | HubError]:
    names = {
        i: item.recipient.external_id
        for i, item in enumerate(asked)
        if i not in found and i not in ids and isinstance(item, NotificationIn)
        if isinstance(item.recipient, KnownContactIn)
    }
    by_name = (
        await facts.by_external_id(connection, shop.id, list(set(names.values()))) if names else {}
    )
    by_id = await facts.by_id(connection, list(set(ids.values()))) if ids else {}
    known = {i: by_name[name] for i, name in names.items() if name in by_name}
    known |= {i: by_id[id_] for i, id_ in ids.items() if id_ in by_id}
    return [
        found.get(i) or _in_language(item, known.get(i) or _unknown(names.get(i, "")))
        for i, item in enumerate(asked)
    ]


def _unknown(external_id: str) -> HubError:
    return Unprocessable(
        faults=[Fault("/recipient/external_id", f"there is no contact {external_id!r}")]
    )


def _in_language(item: Asked, person: ContactFacts | HubError) -> ContactFacts | HubError:
    """A one-off's language belongs to the notification, not to the address."""
    if isinstance(person, HubError) or isinstance(item, HubError):
        return person
    if not isinstance(item.recipient, OneOffIn):
        return person
    locale = item.recipient.locale
    return replace(person, locale=locale) if locale else person
