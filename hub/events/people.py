"""Who is behind a platform's customers and sellers: contacts found or made, in the transaction of the event."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from channels.base import Channel
from hub.contacts import email, phone
from hub.contacts import queries as contacts
from hub.contacts import service as contacts_service
from hub.contacts.addresses import Kind, digest
from hub.contacts.model import Contact, ContactIn, Role
from hub.db.pool import Connection
from hub.orders import people
from hub.orders.work import Work
from hub.sources.mapping import Overwriting
from hub.sources.model import CustomerFacts, LineFacts, Source
from hub.tokens import Signer

_LONGEST_ID = 255


async def person(work: Work, source: Source, facts: CustomerFacts | None) -> UUID | None:
    """The contact, made or changed as the source's rules allow. None: nothing is said by which anybody is known."""
    found = await known_as(work, source, facts)
    return found[1] if found else None


async def known_as(
    work: Work, source: Source, facts: CustomerFacts | None
) -> tuple[str, UUID] | None:
    """As `person`, with the external_id."""
    if facts is None:
        return None
    external_id = await name_of(work.conn, work.hub.signer, work.shop.id, source, facts)
    if external_id is None:
        return None
    held = await contacts.by_external_ids(work.conn, work.shop.id, [external_id])
    given = patch(held.get(external_id), facts, source)
    upserted = await contacts_service.upsert(work.conn, work.shop.id, external_id, given)
    return external_id, upserted.id


async def name_of(
    conn: Connection, signer: Signer, shop_id: int, source: Source, facts: CustomerFacts
) -> str | None:
    """The external_id: by the platform's own id, which must not be that of somebody at the shelf; of a guest by who has the e-mail or the phone already, else by a
    name that is made of it. None: nothing is said."""
    if facts.id:
        return (await own_names(conn, shop_id, source, [facts.id]))[facts.id]
    reached = addresses(facts)
    for kind, value in reached.items():
        for contact in await contacts.at(conn, shop_id, digest(kind, value)):
            if contact.external_id and contact.role is Role.BUYER:
                return contact.external_id
    for value in reached.values():
        return f"{source.id_prefix}guest-{signer.name('guest', value)}"
    return None


async def own_names(
    conn: Connection, shop_id: int, source: Source, ids: Collection[str]
) -> Mapping[str, str]:
    """The external_id of each of a platform's customers: customer 7 is not the seller whom the shop calls 7. A shop's
    own programs know their ids."""
    names = {id_: named(source, id_) for id_ in ids}
    if source.platform == "generic":
        return names
    held = await people.named(conn, shop_id, list(names.values()))
    return {
        id_: name
        if name not in held or held[name][1] is Role.BUYER
        else named(source, f"buyer-{id_}")
        for id_, name in names.items()
    }


def named(source: Source, id_: str) -> str:
    """The shop's name for what a platform calls so."""
    shown = "".join(letter for letter in id_ if letter.isprintable()).strip()
    return f"{source.id_prefix}{shown}"[:_LONGEST_ID].strip()


def addresses(facts: CustomerFacts) -> dict[Kind, str]:
    """In their stored form, the e-mail first; a bad one is not there."""
    found: dict[Kind, str] = {}
    for kind, value, normalise in (
        (Kind.EMAIL, facts.email, email.normalise),
        (Kind.PHONE, facts.phone, phone.as_typed),
    ):
        if value:
            try:
                found[kind] = normalise(value)
            except ValueError:
                # Shops hold what people typed; an order must not fail for it.
                continue
    return found


def patch(held: Contact | None, facts: CustomerFacts, source: Source) -> ContactIn:
    """What changes of the contact: what is said, where the source's `overwrite` lets it. What is not said never clears
    anything; tags and lists are added; consents count only where none is held: whoever left stays away."""
    rules = source.mapping.overwrite
    given: dict[str, Any] = {}
    if facts.name and _may(rules, "name", bool(held and held.name)):
        given["name"] = facts.name[:200]
    locale = facts.locale[:2].lower()
    if locale in ("ru", "en") and _may(rules, "locale", bool(held and held.locale)):
        given["locale"] = locale
    kinds = {address.kind for address in held.addresses} if held else set()
    reached = {
        str(kind): {"value": value}
        for kind, value in addresses(facts).items()
        if _may(rules, f"addresses.{kind}", kind in kinds)
    }
    if reached:
        given["addresses"] = reached
    if attributes := _attributes(held, facts, source):
        given["attributes"] = attributes
    if consents := _consents(held, facts, source):
        given["consents"] = {"marketing": consents}
    try:
        return ContactIn.model_validate(given)
    except ValidationError:
        # More than a contact may hold; who it is and how he is reached counts more.
        given.pop("attributes", None)
        return ContactIn.model_validate(given)


async def sellers(work: Work, source: Source, lines: Sequence[LineFacts]) -> Mapping[str, str]:
    """The seller of each line by its external_id; those that are not known yet are made."""
    found = {
        line.id: named(source, line.seller) if line.seller else source.seller for line in lines
    }
    names = {
        found[line.id]: (line.seller_name or line.seller)
        if line.seller
        else work.shop.settings.name
        for line in lines
    }
    held = await people.named(work.conn, work.shop.id, list(names))
    missing = [
        (external_id, ContactIn(role=Role.SELLER, name=(name or external_id)[:200]))
        for external_id, name in sorted(names.items())
        if external_id not in held
    ]
    if missing:
        await contacts_service.upsert_many(work.conn, work.shop.id, missing)
    return found


def _may(rules: Overwriting, field: str, is_held: bool) -> bool:
    match rules.of(field):
        case "never":
            return False
        case "if_empty":
            return not is_held
        case _:
            return True


def _attributes(held: Contact | None, facts: CustomerFacts, source: Source) -> dict[str, Any]:
    before: Mapping[str, Any] = held.attributes if held else {}
    rules = source.mapping.overwrite
    found = {
        name: value
        for name, value in facts.attributes.items()
        if value not in (None, "") and _may(rules, f"attributes.{name}", name in before)
    }
    for name, words in (
        ("tags", (*source.mapping.tags, *facts.tags)),
        ("lists", (*source.mapping.lists, *facts.lists)),
    ):
        kept = before.get(name)
        whole = list(dict.fromkeys([*(kept if isinstance(kept, list) else []), *words]))
        if words and whole != kept:
            found[name] = whole
    return found


def _consents(held: Contact | None, facts: CustomerFacts, source: Source) -> dict[str, Any]:
    said = held.consents.get("marketing", {}) if held else {}
    return {
        channel: {
            "state": "subscribed" if yes else "unsubscribed",
            "source": source.name,
        }
        for channel, yes in facts.subscribed.items()
        if channel in set(Channel) and channel not in said
    }
