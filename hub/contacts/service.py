"""Contacts made, changed and found. Erasing and exporting are in modules of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from channels.base import Channel
from channels.guard import Network
from hub.audit.model import SYSTEM, Actor
from hub.config import Locale
from hub.contacts import history, merge, queries
from hub.contacts.addresses import Kind, digest, digest_at, kind_of
from hub.contacts.model import Address, Contact, ContactIn, Role, Upserted
from hub.db.pool import Connection, Db
from hub.errors import Fault, NotFound
from hub.ids import new_id
from hub.outgoing import inner_host

_NOBODY: Mapping[str, Actor] = {}


def endpoint_faults(given: ContactIn, allow: Sequence[Network], pointer: str = "") -> list[Fault]:
    """Push endpoints that lead into the inner network, as far as their URL shows it.

    `pointer`: of the contact in the request's body, like `/recipient`.
    """
    devices = given.addresses.push if given.addresses else None
    faults = []
    for i, device in enumerate(devices or ()):
        if device.subscription and (why := inner_host(device.subscription.endpoint, allow)):
            where = f"{pointer}/addresses/push/{i}/subscription/endpoint"
            faults.append(Fault(where, why))
    return faults


async def upsert(
    conn: Connection, shop_id: int, external_id: str, given: ContactIn, *, by: Actor = SYSTEM
) -> Upserted:
    """As `upsert_many`, for one."""
    [upserted] = await upsert_many(conn, shop_id, [(external_id, given)], by={external_id: by})
    return upserted


async def hold(conn: Connection, contact_id: UUID) -> bool:
    """Whether there is such a contact, which then stays until the caller's transaction ends."""
    return bool(await queries.hold(conn, contact_id))


async def upsert_many(
    conn: Connection,
    shop_id: int,
    given: Sequence[tuple[str, ContactIn]],
    *,
    by: Mapping[str, Actor] = _NOBODY,
) -> list[Upserted]:
    """Makes or changes contacts inside the caller's transaction; the same one may come twice, the later
    words then count, and both are told that it was created. `by`: who says so, by external_id: kept with what is said
    of consents.

    One statement where nothing changes, two where all that changes is new. All of one transaction's
    contacts belong into one call: locks are taken in one order for everybody, so concurrent calls wait
    for each other and never block each other for good.
    """
    wanted = sorted({external_id for external_id, _ in given})
    known = await queries.by_external_ids(conn, shop_id, wanted)
    after = _after(known, given)
    fresh = [contact for external_id, contact in after.items() if external_id not in known]
    added = await queries.add(conn, shop_id, fresh) if fresh else set()
    ids = {external_id: Upserted(c.id, c.id in added) for external_id, c in after.items()}
    # What somebody else has added meanwhile is now known, too, and is changed like the rest.
    stale = [
        external_id
        for external_id, contact in after.items()
        if contact.id not in added and contact != known.get(external_id)
    ]
    if stale:
        ids |= await _change(conn, shop_id, [item for item in given if item[0] in stale], by)
    settled = {key: contact for key, contact in after.items() if key not in stale}
    await _keep_what_was_said(conn, known, settled, given, by)
    return [ids[external_id] for external_id, _ in given]


async def _keep_what_was_said(
    conn: Connection,
    before: Mapping[str, Contact],
    after: Mapping[str, Contact],
    given: Sequence[tuple[str, ContactIn]],
    by: Mapping[str, Actor],
) -> None:
    patches: dict[str, list[ContactIn]] = {}
    for external_id, patch in given:
        if "consents" in patch.model_fields_set and external_id in after:
            patches.setdefault(external_id, []).append(patch)
    said = [
        one
        for external_id, its in patches.items()
        for one in merge.said(
            before.get(external_id), after[external_id], its, by.get(external_id, SYSTEM)
        )
    ]
    await history.note(conn, said)


async def _change(
    conn: Connection,
    shop_id: int,
    given: Sequence[tuple[str, ContactIn]],
    by: Mapping[str, Actor],
) -> dict[str, Upserted]:
    """Reads again under the lock: between the first look and now another request may have changed them."""
    wanted = sorted({external_id for external_id, _ in given})
    await queries.lock(conn, shop_id, wanted)
    before = await queries.by_external_ids(conn, shop_id, wanted)
    after = _after(before, [item for item in given if item[0] in before])
    changes = [(before[key], contact) for key, contact in after.items() if before[key] != contact]
    if changes:
        await queries.change(conn, shop_id, changes)
    await _keep_what_was_said(conn, before, after, given, by)
    ids = {external_id: Upserted(contact.id, False) for external_id, contact in before.items()}
    if erased := [item for item in given if item[0] not in before]:
        made = await upsert_many(conn, shop_id, erased, by=by)
        ids |= dict(zip((external_id for external_id, _ in erased), made, strict=True))
    return ids


def _after(known: dict[str, Contact], given: Sequence[tuple[str, ContactIn]]) -> dict[str, Contact]:
    after: dict[str, Contact] = {}
    for external_id, patch in given:
        contact = after.get(external_id) or known.get(external_id)
        contact = contact or Contact(new_id(), external_id)
        after[external_id] = merge.merged(contact, patch, new_id=new_id)
    return {key: _same_rows(known.get(key), contact) for key, contact in after.items()}


def _same_rows(before: Contact | None, after: Contact) -> Contact:
    """An address that was cleared and given again within one batch keeps its row."""
    if before is None:
        return after
    rows: dict[Kind, UUID] = {a.kind: a.id for a in before.addresses if a.kind is not Kind.PUSH}
    if all(rows.get(a.kind, a.id) == a.id for a in after.addresses):
        return after
    kept: tuple[Address, ...] = tuple(
        replace(a, id=rows.get(a.kind, a.id)) if a.kind is not Kind.PUSH else a
        for a in after.addresses
    )
    return replace(after, addresses=kept)


async def one_off(
    db: Db, shop_id: int, channel: Channel, value: str, locale: Locale | None = None
) -> UUID:
    """As `one_off_many`, for one."""
    [id_] = await one_off_many(db, shop_id, [(channel, value, locale)])
    return id_


async def one_off_many(
    db: Db, shop_id: int, asked: Sequence[tuple[Channel, str, Locale | None]]
) -> list[UUID]:
    """For each (channel, address, locale) the anonymous contact that has this address and nothing else, made
    at its first use. One statement where all are known, two otherwise.

    Addresses in their stored form (`addresses.normalise`). `locale` counts when a contact is made: what
    differs later belongs to the notification. All of one transaction belong into one call, as with
    `upsert_many`.
    """
    given = {
        digest(kind := kind_of(channel, value), value): (kind, value, locale)
        for channel, value, locale in asked
    }
    ids = await queries.one_offs(db, shop_id, list(given))
    if fresh := {key: one for key, one in given.items() if key not in ids}:
        ids |= await queries.add_one_offs(db, shop_id, fresh)
    return [ids[digest_at(channel, value)] for channel, value, _ in asked]


async def get(db: Db, shop_id: int, external_id: str) -> Contact:
    """Raises `NotFound`."""
    found = await queries.by_external_ids(db, shop_id, [external_id])
    if external_id not in found:
        raise NotFound("there is no contact with this external_id")
    return found[external_id]


async def list_(
    db: Db, shop_id: int, *, role: Role | None = None, before: UUID | None = None, limit: int = 50
) -> list[Contact]:
    """The newest first, without the receivers of one-off messages; `before`: the last id of the page before."""
    return await queries.page(db, shop_id, role=role, before=before, limit=limit)
